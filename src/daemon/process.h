/* SPDX-License-Identifier: ISC */
/*
 * What this process uses of the machine, from /proc/self alone: under
 * ProcSubset=pid there is nothing else.
 */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

struct process_usage {
	double cpu_seconds;
	double started; /* wall clock, seconds */
	uint64_t threads;
	uint64_t virtual_bytes, resident_bytes;
	uint64_t virtual_max; /* UINT64_MAX: no limit, here and below */
	uint64_t fds, fds_max;
};

/* False: /proc is not there, and nothing is known. */
bool process_usage(struct process_usage *u_r);

#endif
