/* SPDX-License-Identifier: ISC */
/*
 * Tells people of trouble: all that takes a person passes here.
 *
 * The command of the configuration runs, at most once an hour for each problem
 * and one at a time, and a mail is sent, at most once a day for each problem.
 * What was left out is counted and told when the hour or the day is over,
 * unless the trouble is over before.  When something was told is on record, so
 * a restart tells nothing again.
 *
 * A problem is an event and the name it is about.  Nothing here waits or fails:
 * what cannot be told is logged once.
 */
#ifndef DAEMON_ALERT_H
#define DAEMON_ALERT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct alerts;
struct fault;
struct loop;
struct sink;
struct store;
struct store_pause;
struct store_who;

#define ALERT_COMMAND_SECONDS 60
#define ALERT_COMMAND_INTERVAL 3600
#define ALERT_MAIL_INTERVAL 86400

struct alerts_options {
	struct loop *loop;
	struct store *store;
	/* The destinations, by number; NULL: no more. */
	struct sink *(*sink)(void *arg, size_t i);
	void *arg;
	const char *host; /* ours; foreign */
};

/* Everything in o outlives it. */
struct alerts *alerts_new(const struct alerts_options *o);
/* Kills the command that runs.  Before the sinks are closed. */
void alerts_free(struct alerts **a);
/* command: an argv, notify: an address; either may be NULL.  Copied; may be
 * called again. */
void alerts_configure(
    struct alerts *a, char *const *command, const char *notify);
/* The sink is about to be closed, before the loop turns. */
void alerts_leave(struct alerts *a, const struct sink *s);
/* Stops the loop as soon as everything was told, after ALERT_COMMAND_SECONDS at
 * the latest; again: the same. */
void alerts_finish(struct alerts *a);

/* How an account or destination is doing; f may be NULL. */
void alert_pause(struct alerts *a, const struct store_who *who,
    const struct store_pause *p, const struct fault *f);
/* n messages of an account were held; account "": the process died of them. */
void alert_held(struct alerts *a, const char *account, unsigned n);
/* Somebody must sign in for it and all that share its tokens; f NULL: somebody
 * has. */
void alert_sign_in(struct alerts *a, const char *name, const struct fault *f);
/* The state directory or its database is in trouble, or no more. */
void alert_state(struct alerts *a, bool trouble, const char *reason);

#endif
