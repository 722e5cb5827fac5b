/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "../run_rewrite.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct original o;
	const struct trail_machine m = { &o, rewrite_run_start,
		rewrite_run_feed, rewrite_run_finish };

	return fuzz_run(&m, data, size);
}
