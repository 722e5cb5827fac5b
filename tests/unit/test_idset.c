/* SPDX-License-Identifier: ISC */
/* A set of row numbers, held against an array. */
#include "store/idset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define IDS 300
#define STRIDE 1234 /* some share a page, and some pages are left out */

static void
check(const struct idset *s, const bool *there)
{
	size_t n = 0;

	for (int64_t id = 0; id < IDS; id++) {
		assert_int_equal(idset_has(s, id * STRIDE), there[id]);
		n += there[id];
	}
	assert_false(idset_has(s, 1));
	assert_int_equal(s->n, n);
}

static void
add_and_remove(void **state)
{
	struct idset s = { .n = 0 };
	bool there[IDS] = { false };
	unsigned id = 1;

	(void)state;
	idset_remove(&s, 7);
	for (int i = 0; i < 4 * IDS; i++) {
		id = (id * 109 + 89) % IDS;
		if (i % 3 != 0)
			assert_int_equal(
			    idset_add(&s, id * STRIDE), !there[id]);
		else
			idset_remove(&s, id * STRIDE);
		there[id] = i % 3 != 0;
		check(&s, there);
	}
	idset_free(&s);
	assert_false(idset_has(&s, id * STRIDE));
}

/* A damaged database may hold any. */
static void
any_number(void **state)
{
	static const int64_t ids[] = { INT64_MIN, -1, 0, 1, 4095, 4096,
		INT64_MAX };
	struct idset s = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		assert_false(idset_has(&s, ids[i]));
		assert_true(idset_add(&s, ids[i]));
		assert_true(idset_has(&s, ids[i]));
	}
	for (size_t i = 0; i < 7; i++)
		idset_remove(&s, ids[i]);
	assert_int_equal(s.n, 0);
	assert_int_equal(s.npages, 0);
	idset_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(add_and_remove),
		cmocka_unit_test(any_number),
	};

	return cmocka_run_group_tests_name("idset", tests, NULL, NULL);
}
