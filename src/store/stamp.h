/* SPDX-License-Identifier: ISC */
/*
 * How far the database has come, told by a file beside it: a database that
 * knows of fewer tries is an old one that somebody put there (CASES D8).
 *
 * A try is counted in the commit that records it as in doubt, hence before its
 * dot; the file follows, before anybody is told of that commit.  It is written
 * in place and not synced each time: so it never says more than the database,
 * whenever the process or the power dies, and after a death of the process it
 * says as much.
 */
#ifndef STORE_STAMP_H
#define STORE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#include "store/statedir.h"

struct stamp {
	int fd; /* -1: none */
	int64_t tries;
	bool synced, complained;
	char id[STATEDIR_ID_SIZE];
};

/* false: there is none, or not a whole one; or it cannot be read, then errno
 * is not 0. */
bool stamp_read(int dir, struct stamp *s_r);
/* Durable when it answers true, name and all; errno tells why not. */
bool stamp_open(struct stamp *s, int dir, const char *id, int64_t tries);
void stamp_advance(struct stamp *s, int64_t tries);
void stamp_close(struct stamp *s);

#endif
