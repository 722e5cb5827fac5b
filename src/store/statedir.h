/* SPDX-License-Identifier: ISC */
/*
 * The state directory: made once with mode 0700, owned by us, locked against a
 * second instance, and remembered as initialised, so that a database that is
 * missing later is a reason to stop and not a reason to start again.
 *
 * Files: LOCK (flock, holds the pid), INSTALL-ID (this installation was
 * initialised), STAMP (how far its database has come), state.db and
 * state.db-wal (SQLite), spool files that have no name.
 */
#ifndef STORE_STATEDIR_H
#define STORE_STATEDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

#define STATEDIR_ID_SIZE 33 /* 32 hexadecimal digits and NUL */

struct statedir {
	char *path; /* real path, owned */
	int dir;    /* descriptor */
	int lock;   /* descriptor, locked */
	bool fresh; /* never initialised: the database may be created */
	char id[STATEDIR_ID_SIZE]; /* of the database, set by store_open() */
};

/* false: *exit_r is a sysexits code (65 state unusable, 73 cannot create, 74
 * I/O, 75 second instance, 77 permissions) and fault_r one clear sentence. */
bool statedir_open(
    struct statedir *d, const char *path, int *exit_r, struct fault *fault_r);
/* Writes INSTALL-ID durably; after this a missing database is an error.
 * store_open() calls it for a fresh directory; again does no harm. */
bool statedir_initialised(struct statedir *d, struct fault *fault_r);
/* Bytes that we may still write on its file system; UINT64_MAX: not known. */
uint64_t statedir_room(int dir);
void statedir_close(struct statedir *d);

#endif
