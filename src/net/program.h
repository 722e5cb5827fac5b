/* SPDX-License-Identifier: ISC */
/*
 * Runs a program of the configuration's and waits for its end in the loop:
 * posix_spawn() without a shell, a process group of its own, no descriptor and
 * no signal setting of ours, stdin and stderr from and to /dev/null, a time
 * limit and a limit of what it prints.  Everything it started dies with it when
 * it is killed.
 *
 * It has ended when it has and nobody holds its standard output any more.
 */
#ifndef NET_PROGRAM_H
#define NET_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct loop;
struct program;

struct program_terms {
	char *const *argv; /* the first is an absolute path; NULL ends it */
	char *const *env;  /* NULL: ours */
	int64_t limit_ms;
	size_t output_max; /* bytes; 0: what it prints is thrown away */
};

enum program_end {
	PROGRAM_EXITED,    /* value: the code */
	PROGRAM_SIGNALLED, /* value: the signal */
	PROGRAM_TOO_LATE,  /* this and the next: it was killed */
	PROGRAM_TOO_MUCH,
	PROGRAM_LOST, /* how it ended is not known; value: an errno */
};

struct program_result {
	enum program_end end;
	int value;
	struct span output; /* wiped when done() has returned */
};

/* NULL: it cannot be started, *error_r is an errno.  Else done is called
 * exactly once, never from inside this call, unless it is cancelled; the
 * program is gone then.  Nothing of t is kept. */
struct program *program_start(struct loop *l, const struct program_terms *t,
    void (*done)(void *arg, const struct program_result *r), void *arg,
    int *error_r);
void program_cancel(struct program **p); /* kills it */

#endif
