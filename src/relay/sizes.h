/* SPDX-License-Identifier: ISC */
/*
 * The sizes of a POP3 listing by message number.  They come before the UIDLs
 * that they belong to, so all of them must be kept; those of a small mailbox in
 * memory, the rest in a file without a name.
 */
#ifndef RELAY_SIZES_H
#define RELAY_SIZES_H

#include <stddef.h>
#include <stdint.h>

#define SIZES_MEMORY 16384 /* as many */
#define SIZES_BLOCK 1024   /* read and written at a time */

struct sizes {
	uint32_t *first; /* owned; at most SIZES_MEMORY */
	size_t cap;
	uint64_t count;
	int dir;         /* foreign; -1: no file is made */
	int fd;          /* -1: none yet; -2: there can be none */
	uint32_t *block; /* owned; a piece of the file, from ... on */
	uint64_t block_at;
};

void sizes_init(struct sizes *s, int dir);
void sizes_free(struct sizes *s);

/* Of message s->count + 1. */
void sizes_add(struct sizes *s, uint64_t size);
/* 0: not known.  4 GiB and more are told as 4 GiB - 1. */
uint64_t sizes_get(struct sizes *s, uint32_t number);

#endif
