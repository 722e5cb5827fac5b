/* SPDX-License-Identifier: ISC */
/*
 * What every fuzzer here claims: a machine does the same whether its input
 * comes whole, in two, or in small pieces.  Where the input is cut follows
 * from the input, so a corpus file is nothing but what a peer may send.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdint.h>

#include "../trail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* FNV-1a: any function that mixes would do. */
static inline size_t
fuzz_hash(const uint8_t *data, size_t size)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		h = (h ^ data[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h >> 7);
}

static inline void
fuzz_check(bool good, const char *what)
{
	if (good)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static inline void
fuzz_compare(const struct trail *whole, struct trail cut)
{
	if (strcmp(whole->text, cut.text) != 0)
		fprintf(
		    stderr, "whole:\n%s\ncut:\n%s\n", whole->text, cut.text);
	fuzz_check(strcmp(whole->text, cut.text) == 0, "the cut matters");
	trail_free(&cut);
}

/* Always 0, as LLVMFuzzerTestOneInput() is to return. */
static inline int
fuzz_run(const struct trail_machine *m, const uint8_t *data, size_t size)
{
	struct span in = span_make(size > 0 ? (const void *)data : "", size);
	size_t h = fuzz_hash(data, size);
	struct trail whole = trail_run(m, in, size, 0);

	fuzz_compare(&whole, trail_run(m, in, h % (size + 1), 0));
	fuzz_compare(&whole, trail_run(m, in, 0, 1 + h % 5));
	trail_free(&whole);
	return 0;
}

#endif
