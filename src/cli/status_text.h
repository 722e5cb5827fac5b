/* SPDX-License-Identifier: ISC */
/*
 * The status of the daemon (GET /v1/status) as a person reads it.
 */
#ifndef CLI_STATUS_TEXT_H
#define CLI_STATUS_TEXT_H

#include <stddef.h>

#include <jansson.h>

struct canvas;

/* The key that the caller adds to each status: milliseconds by a clock of his
 * that does not jump. */
#define STATUS_SEEN_MS "seen_ms"

/* earlier: those that came before it, the newest first, for the rate of what is
 * being transferred now; without any it is that since it began. */
void status_text(struct canvas *c, const json_t *status, json_t *const *earlier,
    size_t nearlier);

#endif
