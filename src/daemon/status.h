/* SPDX-License-Identifier: ISC */
/*
 * What can be seen of the daemon, as JSON: the body of GET /v1/status.  The
 * keys are documented in mailhaul-control(7) and stay as they are.
 */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include <jansson.h>

struct store_answer;
struct supervisor;

/* mail: what the state says of the accounts (store_summary()).  New; never
 * NULL. */
json_t *status_json(
    const struct supervisor *s, const struct store_answer *mail);

#endif
