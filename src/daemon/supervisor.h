/* SPDX-License-Identifier: ISC */
/*
 * Owns the accounts and the destinations: gives them their turns, replaces what
 * a new configuration changes, and brings everything to a stop.
 *
 * A reload builds what is new beside what runs and then swaps: an account or
 * destination whose words did not change does not notice; one that changed or
 * went takes no new message, ends what it has begun, by the old configuration,
 * and only then its successor begins.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include <stdbool.h>
#include <stddef.h>

struct conf;
struct net;
struct store;
struct supervisor;
struct tokens;

struct supervisor_options {
	struct net *net;
	struct tokens *tokens; /* NULL: there are none */
	struct conf *conf;     /* a reference is taken */
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
