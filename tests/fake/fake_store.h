/* SPDX-License-Identifier: ISC */
/*
 * A state database that is as slow as the test wants, linked in the place of
 * store/: what is to be recorded is written down in a trail, and is answered,
 * in order, when the test says so.  Only what relay/ asks for.
 */
#ifndef TESTS_FAKE_STORE_H
#define TESTS_FAKE_STORE_H

#include "../trail.h"

#include "store/store.h"

#define FAKE_STORE_QUEUE 4

struct store {
	struct trail *trail;
	struct store_done queue[FAKE_STORE_QUEUE];
	size_t queued;
	unsigned underway;           /* messages */
	bool full;                   /* of listings */
	struct store_waiter *waiter; /* for room; NULL: nobody */
};

/* Answers the oldest request: durable, or not. */
void fake_store_commit(struct store *s);
void fake_store_fail(struct store *s);
/* The same with facts, of which the items are the callee's to take or leave. */
void fake_store_answer(struct store *s, struct store_answer *a);
/* Answers a search for traces: which of them is on record, 0 for none. */
void fake_store_found(struct store *s, size_t which);

#endif
