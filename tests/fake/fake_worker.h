/* SPDX-License-Identifier: ISC */
/*
 * Mailboxes that are polled when the test says so, linked in the place of
 * relay/worker: what the account asks for is written down in a trail, and the
 * test plays the poll.
 */
#ifndef TESTS_FAKE_WORKER_H
#define TESTS_FAKE_WORKER_H

#include "../trail.h"

#include "relay/worker.h"

#define FAKE_WORKERS 8

struct worker {
	struct worker_owner owner;
	const char *name; /* foreign; NULL: this place is free */
	bool busy, watching;
	struct source *session; /* that it was given or has; NULL: none */
};

struct fake_workers {
	struct trail *trail;
	struct worker all[FAKE_WORKERS];
};

extern struct fake_workers fake_workers;

/* Everything is done there: asks what becomes of the session. */
enum worker_leave fake_worker_leave(const char *name, bool can_watch);
/* The poll ends; r->watching: and it watches. */
void fake_worker_done(const char *name, const struct worker_report *r);

#endif
