/* SPDX-License-Identifier: ISC */
#include "base/histogram.h"

void
histogram_add(
    struct histogram *h, const int64_t bounds[HISTOGRAM_BUCKETS], int64_t value)
{
	unsigned i = 0;

	while (value > bounds[i])
		i++;
	h->bucket[i]++;
	h->count++;
	h->sum += value > 0 ? (uint64_t)value : 0;
}
