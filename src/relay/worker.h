/* SPDX-License-Identifier: ISC */
/*
 * One mailbox: a poll from the login to the goodbye.
 *
 *   look up the state, log in, list, settle (what is new, known, gone),
 *   work (fetch into spools, a transfer for each destination), remove, leave
 *
 * Fetching and submitting overlap; the spool pool and WORKER_WINDOW are the
 * only brakes.  The worker decides nothing about failures (relay/retry does)
 * and does not know when it polls (its owner does).
 */
#ifndef RELAY_WORKER_H
#define RELAY_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"

struct conf;
struct conf_account;
struct net;
struct sink;
struct spool_pool;
struct store;
struct tally_account;
struct worker;

#define WORKER_WINDOW 32 /* messages fetched or being fetched at a time */

struct worker_context {
	struct net *net;
	const struct conf *conf;
	struct store *store;
	struct spool_pool *pool;
	const char *our_host;
	/* By position in the account's list of destinations. */
	struct sink *const *sinks;
	/* Shared by all: whose message may be what the process died of, or
	 * NULL; there is one such message underway at a time. */
	const struct worker **suspect;
	bool dry_run; /* list what would be done, and do nothing */
	/* What becomes of messages is counted here, polls are not; NULL:
	 * nobody wants to know. */
	struct tally_account *tally;
};

struct worker_report {
	bool failed; /* fault says why; whatever was relayed is relayed */
	struct fault fault;
	unsigned relayed, deferred, held, in_doubt;
	unsigned quiet; /* of held: letters of ours, of which nobody is told */
	/* As in store_pause; last_login 0: no login was accepted. */
	int64_t last_login, login_delay;
	unsigned duplicates; /* of relayed: a second copy, perhaps */
};

/* ctx, its arrays and a outlive the worker.  done is called at the end of each
 * poll, never from inside worker_poll(). */
struct worker *worker_new(const struct worker_context *ctx,
    const struct conf_account *a,
    void (*done)(void *arg, const struct worker_report *r), void *arg);
/* Only while no poll runs. */
void worker_free(struct worker **w);

void worker_poll(struct worker *w); /* not while one runs */
bool worker_busy(const struct worker *w);
/* Ends the poll as soon as nothing is behind its dot; done() tells. */
void worker_stop(struct worker *w);

#endif
