/* SPDX-License-Identifier: ISC */
/*
 * How often a value was how large: counts by buckets, in constant memory.
 * Zeroed memory is an empty one.  The bounds are the owner's: ascending, the
 * last one INT64_MAX.  Not locked.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS 12

struct histogram {
	/* bucket i: above bound i - 1, at most bound i */
	uint64_t bucket[HISTOGRAM_BUCKETS];
	uint64_t count, sum;
};

/* A value below 0 counts as 0. */
void histogram_add(struct histogram *h, const int64_t bounds[HISTOGRAM_BUCKETS],
    int64_t value);

#endif
