/* SPDX-License-Identifier: ISC */
/*
 * What can be seen of the daemon, as JSON: the body of GET /v1/status.  The
 * keys are documented in mailhaul-control(7) and stay as they are.
 */
#ifndef DAEMON_STATUS_H
#define DAEMON_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

struct store_summary;
struct supervisor;

struct status_mail {
	uint64_t waiting, in_doubt, held; /* rows of messages */
	int64_t oldest;                   /* as in store_summary */
};
/* Of all rows of that account, or of one folder of it (NULL: of all). */
void status_count(const struct store_summary *mail, size_t n,
    const char *account, const char *folder, struct status_mail *m_r);

/* counted: mail is what the state says of all mailboxes (store_summary());
 * else it did not say anything.  New; never NULL. */
json_t *status_json(const struct supervisor *s,
    const struct store_summary *mail, size_t n, bool counted);

#endif
