/* SPDX-License-Identifier: ISC */
#include "base/histogram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int64_t bounds[HISTOGRAM_BUCKETS] = { 1, 2, 4, 8, 16, 32, 64, 128,
	256, 512, 1024, INT64_MAX };

static void
test_add(void **state)
{
	struct histogram h = { .count = 0 };

	(void)state;
	histogram_add(&h, bounds, 0);
	histogram_add(&h, bounds, 1);
	histogram_add(&h, bounds, 2);
	histogram_add(&h, bounds, 1024);
	histogram_add(&h, bounds, 1025);
	histogram_add(&h, bounds, INT64_MAX);
	histogram_add(&h, bounds, -5);
	assert_int_equal(h.bucket[0], 3);
	assert_int_equal(h.bucket[1], 1);
	assert_int_equal(h.bucket[2], 0);
	assert_int_equal(h.bucket[10], 1);
	assert_int_equal(h.bucket[11], 2);
	assert_int_equal(h.count, 7);
	assert_int_equal(h.sum, (uint64_t)INT64_MAX + 2052);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add),
	};

	return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
