/* SPDX-License-Identifier: ISC */
/*
 * The status of the daemon (GET /v1/status) as a person reads it.
 */
#ifndef CLI_STATUS_TEXT_H
#define CLI_STATUS_TEXT_H

#include <jansson.h>

struct canvas;

/* before: an earlier status, for the rate of what is being transferred now; or
 * NULL: since it began. */
void status_text(struct canvas *c, const json_t *status, const json_t *before);

#endif
