/* SPDX-License-Identifier: ISC */
/*
 * The state, opened by the command itself while no daemon runs: under the same
 * lock, with the same rules.
 */
#ifndef CLI_OFFLINE_H
#define CLI_OFFLINE_H

#include <stdbool.h>

#include "store/statedir.h"

struct client;
struct store;

struct offline {
	struct statedir dir;
	struct store *store; /* NULL: only the directory was opened */
	bool answered;
};

/* The state that c found nobody to ask about.  A look does not make one: it
 * must be there.  false: it was said why, *exit_r is a sysexits code. */
bool offline_open(struct offline *o, const struct client *c, int *exit_r);
/* The same, and makes it when there is none. */
bool offline_make_dir(struct offline *o, const struct client *c, int *exit_r);
bool offline_open_dir(struct offline *o, const struct client *c, int *exit_r);
/* Runs the store until the one request that is outstanding has called
 * offline_answered(). */
void offline_wait(struct offline *o);
void offline_answered(struct offline *o);
void offline_close(struct offline *o);

#endif
