/* SPDX-License-Identifier: ISC */
/*
 * A set of row numbers in memory: a bit each, in pages, so that a million that
 * lie together take little more than a million bits.
 */
#ifndef STORE_IDSET_H
#define STORE_IDSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct idset_page;

struct idset {
	struct idset_page **pages; /* owned, ascending */
	size_t npages, room;
	size_t n; /* numbers */
};

bool idset_has(const struct idset *s, int64_t id);
/* Was it not there? */
bool idset_add(struct idset *s, int64_t id);
void idset_remove(struct idset *s, int64_t id);
void idset_free(struct idset *s);

#endif
