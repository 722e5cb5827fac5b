/* SPDX-License-Identifier: ISC */
/*
 * One account on duty: its mailboxes, when they are polled, when it is left
 * alone, and how it did.
 *
 * A round polls, one after another in one session, every mailbox that nobody
 * watches.  A mailbox that may be watched (IMAP IDLE; relay/sched says whether
 * there is room) keeps the session, and the round takes a new one for the next.
 * What is watched is also polled by the clock, in its own session: servers
 * forget to tell.
 *
 * relay/retry decides how long a failure counts; what must be remembered of it
 * is in the store.
 */
#ifndef DAEMON_ACCOUNT_H
#define DAEMON_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "daemon/view.h"
#include "store/store.h"

struct account;
struct alerts;
struct conf;
struct conf_account;
struct net;
struct sched;
struct sched_job;
struct sink;
struct spool_pool;
struct store;
struct tokens;
struct worker;
struct worker_report;

/* What all accounts share; outlives them. */
struct account_context {
	struct net *net;
	struct tokens *tokens; /* NULL: there are none */
	struct store *store;
	struct spool_pool *pool;
	struct sched *sched;
	const char *our_host;
	struct alerts *alerts;
	const struct worker **suspect; /* see worker_context */
	bool once, dry_run;
	/* The timetable changed. */
	void (*turn)(void *arg);
	/* There is room on the disk for a poll. */
	bool (*may_poll)(void *arg);
	/* A mailbox was polled. */
	void (*polled)(
	    void *arg, struct account *a, const struct worker_report *r);
	/* Nothing of it runs any more; it may be freed. */
	void (*quiet)(void *arg, struct account *a);
	void *arg;
};

/* Takes a reference to conf, of which config is a part; sinks by position in
 * its list of destinations (copied; foreign). */
struct account *account_new(const struct account_context *ctx,
    struct conf *conf, const struct conf_account *config,
    struct sink *const *sinks);
void account_free(struct account **a); /* only when it is quiet */

const struct conf_account *account_config(const struct account *a);
const struct store_who *account_who(const struct account *a);
struct account *account_of(const struct sched_job *job);

/* On duty from here on; p: what is remembered of it. */
void account_begin(struct account *a, const struct store_pause *p);
/* It has a place: its round begins or goes on. */
void account_run(struct account *a);

/* Takes no new message and lets what was begun end; then quiet(). */
void account_retire(struct account *a);
/* The same, but waits only for what is behind its dot. */
void account_stop(struct account *a);
bool account_is_quiet(const struct account *a);

/* What a person asks for; false: why_r says why not. */
bool account_poll_now(struct account *a, struct fault *why_r);
void account_pause(struct account *a);
void account_resume(struct account *a);
/* What is remembered of it. */
const struct store_pause *account_pause_of(const struct account *a);
/* A check of its settings wants to log in: false: it must wait, because POP3
 * lets in one at a time.  account_visited() ends it; r NULL: nothing came of
 * it. */
struct probe_result;
bool account_visit(struct account *a);
void account_visited(struct account *a, const struct probe_result *r);
/* Something was mended, perhaps. */
void account_try_again(struct account *a);

/* Somebody has signed in: at once, unless it is paused by hand or the server
 * wants it left alone. */
void account_signed_in(struct account *a);

void account_view(const struct account *a, struct view_account *v_r);
void account_view_mailbox(
    const struct account *a, size_t i, struct view_mailbox *v_r);

#endif
