/* SPDX-License-Identifier: ISC */
/*
 * Owns the workers and the destinations: starts polls when they are due, tells
 * how they ended, and brings everything to a stop.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>

struct conf;
struct net;
struct store;
struct supervisor;

struct supervisor_options {
	struct net *net;
	const struct conf *conf;
	struct store *store;
	int state_dir; /* for spool files; foreign */
	bool once;     /* poll every account once, then stop */
	bool dry_run;
	const char *const *only; /* names of accounts; n 0: all */
	size_t nonly;
};

/* Everything in o outlives it.  The loop is stopped when nothing is left to
 * do. */
struct supervisor *supervisor_new(const struct supervisor_options *o);
void supervisor_free(struct supervisor **s);
/* Takes no new message, waits for what is behind its dot (at most
 * shutdown_grace), stops the loop.  A second call does not wait. */
void supervisor_stop(struct supervisor *s);
/* sysexits: what the process should say when the loop has stopped. */
int supervisor_exit_code(const struct supervisor *s);

#endif
