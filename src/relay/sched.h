/* SPDX-License-Identifier: ISC */
/*
 * Who may open a session next.
 *
 * Pure: no clock, no timer, no connection.  The owner says what is due and when
 * sessions end, and asks who is next; all times are milliseconds of one
 * monotonic clock.
 *
 * Who has been due longest goes first, if his host has room: so nobody starves,
 * and one slow host keeps nobody waiting but its own accounts.  A host has at
 * most per_host sessions, all of them together total, and between two logins at
 * a host spacing passes.
 *
 * A session that watches (IMAP IDLE) keeps its place for as long as it lasts.
 * One place of each account, one of each host and one of all are never given
 * away like that, so that polls go on; and the first mailbox of every account
 * comes before the second of any.
 */
#ifndef RELAY_SCHED_H
#define RELAY_SCHED_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct sched_limits {
	unsigned per_host, total; /* sessions */
	int64_t spacing;          /* milliseconds */
};

struct sched_host;

/* One account, or who else wants a session.  Private to sched.c but for the
 * first three, which are the owner's. */
struct sched_job {
	void *arg;
	void (*run)(void *arg);  /* it has a place now; see checkup.h */
	unsigned max;            /* places of its own; 0: no limit */
	struct sched_host *host; /* foreign; NULL: not added */
	TAILQ_ENTRY(sched_job) link;
	int64_t due;
	bool waiting;   /* is due some time */
	bool running;   /* has a place */
	bool hopes;     /* would watch, and does not yet */
	unsigned holds; /* places that watch */
};

struct sched {
	struct sched_limits limits;
	unsigned running, holds;
	LIST_HEAD(, sched_host) hosts; /* owned */
};

void sched_init(struct sched *s, const struct sched_limits *l);
void sched_free(struct sched *s); /* all jobs were removed */
/* What runs goes on. */
void sched_limit(struct sched *s, const struct sched_limits *l);

/* hopes: it has something to watch. */
void sched_add(
    struct sched *s, struct sched_job *j, const char *host, bool hopes);
/* Gives its places back. */
void sched_remove(struct sched *s, struct sched_job *j);

/* It wants a session from due on; again: moves that. */
void sched_at(struct sched *s, struct sched_job *j, int64_t due);
void sched_cancel(struct sched *s, struct sched_job *j);

/* Who begins now, and has a place from here on; or NULL, and then it is worth
 * asking again in *wait_r milliseconds, or after the next sched_done();
 * INT64_MAX: only then. */
struct sched_job *sched_next(struct sched *s, int64_t now, int64_t *wait_r);
/* Its session is over. */
void sched_done(struct sched *s, struct sched_job *j);

/* Its session goes on as one that watches, and it has no other from here on;
 * false: there is no room for that. */
bool sched_hold(struct sched *s, struct sched_job *j);
/* One that watched is over. */
void sched_drop(struct sched *s, struct sched_job *j);

#endif
