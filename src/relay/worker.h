/* SPDX-License-Identifier: ISC */
/*
 * One mailbox: a poll from the login to the goodbye.
 *
 *   look up the state, log in, select, list, settle (what is new, known, gone),
 *   work (fetch into spools, a transfer for each destination), remove, leave
 *
 * Leaving may also mean that the session is given back for another mailbox of
 * the account, or that it stays and watches (IMAP IDLE): then news begin the
 * next poll, in the same session.
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
struct conf_folder;
struct net;
struct sink;
struct source;
struct spool_holder;
struct spool_pool;
struct store;
struct tally_account;
struct tokens;
struct worker;

#define WORKER_WINDOW 256 /* messages fetched or being fetched at a time */

struct worker_context {
	struct net *net;
	struct tokens *tokens; /* NULL: there are none */
	const struct conf *conf;
	struct store *store;
	struct spool_pool *pool;
	struct spool_holder *holder; /* of the account, in that pool */
	const char *our_host;
	/* By position in the account's list of destinations. */
	struct sink *const *sinks;
	/* Shared by all: whose message may be what the process died of, or
	 * NULL; there is one such message underway at a time. */
	const struct worker **suspect;
	/* Marks on the server what was relayed (IMAP); NULL: nothing does. */
	const char *keyword;
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
	/* The failure is about this mailbox; others of the account may do
	 * well. */
	bool mailbox_only;
	bool watching; /* it hears of news from now on */
	bool watched;  /* it watched when the session broke */
	/* WORKER_KEEP: logged in, the caller's from here on; else NULL. */
	struct source *session;
};

/* What becomes of a session that is not needed any more. */
enum worker_leave {
	WORKER_QUIT,
	WORKER_KEEP,  /* give it back */
	WORKER_WATCH, /* only where it can */
};

struct worker_owner {
	/* The end of each poll, never from inside worker_poll(). */
	void (*done)(void *arg, const struct worker_report *r);
	enum worker_leave (*leaving)(void *arg, bool can_watch);
	/* News came: may it look at them now? */
	bool (*may_poll)(void *arg);
	void *arg;
};

/* ctx, its arrays, account, folder and name (UTF-8; what the folder is called
 * on the server) outlive the worker. */
struct worker_mailbox {
	const struct conf_account *account;
	const struct conf_folder *folder;
	const char *name;
};
struct worker *worker_new(const struct worker_context *ctx,
    const struct worker_mailbox *m, const struct worker_owner *owner);
/* Only while it is neither busy nor watching. */
void worker_free(struct worker **w);

/* In that session of the same account, which is taken; NULL: in one of its own.
 * Not while one runs; while it watches, session is NULL. */
void worker_poll(struct worker *w, struct source *session);
bool worker_busy(const struct worker *w);
bool worker_watching(const struct worker *w);
/* Takes no new message, lets what was begun go its way; done() tells, if it was
 * busy or watching. */
void worker_retire(struct worker *w);
/* The same, but waits only for what is behind its dot. */
void worker_stop(struct worker *w);

/* For people. */
struct worker_status {
	const char *doing;   /* static: "idle", "connecting" ... */
	const char *uid;     /* of what is coming in; NULL: nothing */
	uint64_t size, done; /* bytes; size 0: not known */
	int64_t since;       /* wall clock */
};
void worker_status(const struct worker *w, struct worker_status *st_r);

#endif
