/* SPDX-License-Identifier: ISC */
#include "relay/record_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "store/store.h"

/* json_pack() fails for want of memory only: what is not ASCII was cleaned. */
static json_t *
whole(json_t *o)
{
	if (o == NULL)
		abort();
	return o;
}

static json_t *
held_json(const struct store_held *h)
{
	char number[32], uid[STORE_UID_MAX + 1], folder[STORE_UID_MAX + 1];

	snprintf(number, sizeof(number), "%lld", (long long)h->id);
	return whole(json_pack("{ss sI ss ss ss ss sI sI sb sI sI ss}", "name",
	    h->trace[0] != '\0' ? h->trace : number, "number",
	    (json_int_t)h->id, "account", h->account, "folder",
	    ascii_clean(folder, sizeof(folder), h->folder, strlen(h->folder)),
	    "uid", ascii_clean(uid, sizeof(uid), h->uid, strlen(h->uid)),
	    "destination", h->destination, "size", (json_int_t)h->size,
	    "attempt", (json_int_t)h->attempt, "doubt", (int)h->doubt,
	    "first_seen", (json_int_t)h->first_seen, "held_since",
	    (json_int_t)h->changed, "reason", h->reply));
}

json_t *
record_held_json(const struct store_held *rows, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, held_json(&rows[i]));
	return array;
}

static json_t *
past_json(const struct store_past *p)
{
	char uid[STORE_UID_MAX + 1], folder[STORE_UID_MAX + 1];

	return whole(json_pack("{sI sI ss ss ss ss sI sI sI sb ss ss ss}",
	    "number", (json_int_t)p->id, "at", (json_int_t)p->at, "account",
	    p->account, "folder",
	    ascii_clean(folder, sizeof(folder), p->folder, strlen(p->folder)),
	    "uid", ascii_clean(uid, sizeof(uid), p->uid, strlen(p->uid)),
	    "destination", p->destination, "size", (json_int_t)p->size,
	    "duration_us", (json_int_t)p->usec, "attempt",
	    (json_int_t)p->attempt, "duplicate", (int)p->duplicate, "state",
	    store_state_name(p->state), "trace", p->trace, "reply", p->reply));
}

json_t *
record_history_json(const struct store_past *rows, size_t n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(array, past_json(&rows[i]));
	return array;
}
