/* SPDX-License-Identifier: ISC */
/*
 * Records of the state as JSON objects, in the one form that the daemon sends
 * and the command prints, whether it asked the daemon or the state itself.
 *
 * Times are seconds since 1970.  What servers named is cleaned to ASCII.
 */
#ifndef RELAY_RECORD_JSON_H
#define RELAY_RECORD_JSON_H

#include <stddef.h>

#include <jansson.h>

struct store_held;
struct store_past;

/* An array of the rows; new. */
json_t *record_held_json(const struct store_held *rows, size_t n);
json_t *record_history_json(const struct store_past *rows, size_t n);

#endif
