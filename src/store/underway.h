/* SPDX-License-Identifier: ISC */
/*
 * Which messages are being worked on: a small file beside the database that
 * survives the process, but costs no sync.  A message that makes us die does
 * not make the machine die, so what was written is still there at the next
 * start, and what a power cut loses here is only a suspicion.
 *
 * Only the loop's thread uses it.  Private to store/ but for store.h.
 */
#ifndef STORE_UNDERWAY_H
#define STORE_UNDERWAY_H

#include <stddef.h>
#include <stdint.h>

#define UNDERWAY_SLOTS 4096
#define UNDERWAY_NEAR 32 /* in a row; what finds no place is not noted */

struct underway {
	int dir; /* foreign; -1: nothing is written */
	int fd;
	int64_t ids[UNDERWAY_SLOTS]; /* 0: free */
};

/* Reads what a process that died left behind into u->ids. */
void underway_load(struct underway *u, int dir);
/* Begins anew, with an empty file. */
void underway_reset(struct underway *u);
void underway_begin(struct underway *u, int64_t id);
void underway_end(struct underway *u, int64_t id);
/* We end as we want to. */
void underway_close(struct underway *u);

#endif
