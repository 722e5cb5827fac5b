/* SPDX-License-Identifier: ISC */
/*
 * The property that every machine has: what it does depends on the bytes, not
 * on how they arrive.  split_check() gives it the input whole, byte by byte,
 * and cut in two at every point, and wants the same trail each time.
 */
#ifndef TESTS_UNIT_SPLIT_H
#define TESTS_UNIT_SPLIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../trail.h"

static inline void
split_one(const struct trail_machine *m, struct span in, const char *expected,
    size_t cut, size_t step)
{
	struct trail t = trail_run(m, in, cut, step);

	if (strcmp(t.text, expected) != 0)
		print_error("cut at %zu of %zu, step %zu:\n%s", cut, in.n, step,
		    t.text);
	assert_string_equal(t.text, expected);
	trail_free(&t);
}

static inline void
split_check(const struct trail_machine *m, struct span in, const char *expected)
{
	split_one(m, in, expected, in.n, 0);
	split_one(m, in, expected, 0, 1);
	for (size_t cut = 0; cut < in.n; cut++)
		split_one(m, in, expected, cut, 0);
}

#endif
