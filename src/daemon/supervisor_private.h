/* SPDX-License-Identifier: ISC */
/*
 * What the files of the supervisor share: supervisor.c (turns, and the end),
 * supervisor_world.c (which accounts and destinations there are, from one
 * configuration to the next) and view.c (what people see and ask for).
 */
#ifndef DAEMON_SUPERVISOR_PRIVATE_H
#define DAEMON_SUPERVISOR_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/account.h"
#include "daemon/supervisor.h"
#include "net/loop.h"
#include "relay/sched.h"
#include "store/store.h"

struct conf_destination;
struct token_identity;

/* One destination and what is remembered of it. */
struct gate {
	TAILQ_ENTRY(gate) link;
	struct supervisor *supervisor;
	struct conf *conf; /* a reference, of which config is a part */
	const struct conf_destination *config;
	struct sink *sink; /* owned */
	char *words;       /* owned, SIGN_IN_WORDS_MAX: what is shown */
	struct store_who who;
	bool loaded; /* its pause was read */
};
TAILQ_HEAD(gates, gate);

/* One account and where it stands in the course of things. */
struct post {
	TAILQ_ENTRY(post) link;
	struct supervisor *supervisor;
	struct account *account; /* owned */
	struct gate **gates;     /* owned array of foreign gates */
	bool loaded;             /* its pause was read ... */
	bool begun;              /* ... and it is on duty */
	struct store_pause pause;
};
TAILQ_HEAD(posts, post);

struct supervisor {
	struct supervisor_options o;
	struct conf *conf; /* a reference */
	struct gates gates;
	struct posts posts;
	struct posts retired; /* still ending what they had begun */
	struct gates closing; /* used by some of those */
	struct account_context context;
	struct alerts *alerts;
	struct spool_pool *pool;
	struct sched sched;
	struct timer turn;
	const struct worker *suspect; /* of the workers */
	size_t loading;               /* pauses that the store was asked for */
	struct timer grace, reap, prune;
	int64_t started; /* wall clock */
	unsigned reloads, reloads_failed;
	char host[256];
	bool stopping;
	bool failed, deferred; /* some poll; for the exit code */
	bool state_failed;
	bool no_room; /* and it was said */
};

/* supervisor.c */
void supervisor_turn(struct supervisor *s);       /* the timetable changed */
void supervisor_fail_state(struct supervisor *s); /* it cannot be used */
void supervisor_stop_when_quiet(struct supervisor *s);
/* Puts a good configuration, which is given away, in force. */
void supervisor_replace(struct supervisor *s, struct conf *fresh);

/* supervisor_sign_in.c */
/* The keeper of tokens says that an identity has signed in or needs to. */
void supervisor_seen(
    void *arg, const struct token_identity *id, bool signed_in);

void supervisor_ending(
    void *arg, const struct token_identity *id, int64_t when);

/* supervisor_world.c */
/* What stands in fresh becomes the world: what may stay, stays, and the rest
 * retires.  The old configuration is still s->conf. */
void supervisor_build(struct supervisor *s, struct conf *fresh);
/* Puts on duty what is new, when it was read how it stands. */
void supervisor_load(struct supervisor *s);
/* Those on duty may have failed for what was just mended. */
void supervisor_try_again(struct supervisor *s);
void supervisor_reap(struct supervisor *s); /* what has ended */
/* False: something is not quiet, and nothing was freed. */
bool supervisor_raze(struct supervisor *s);
/* NULL: not of this world. */
struct gate *supervisor_gate(const struct supervisor *s, const char *name);
struct post *supervisor_post(const struct supervisor *s, const char *name);

#endif
