/* SPDX-License-Identifier: ISC */
#include "relay/fingerprint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/spool.h"

static bool
take(const char *header, size_t step, unsigned char *out)
{
	struct span rest = span_str(header);
	struct fingerprint f;

	fingerprint_init(&f);
	while (rest.n > 0) {
		size_t n = step < rest.n ? step : rest.n;

		fingerprint_add(&f, span_make(rest.p, n));
		rest = span_skip(rest, n);
	}
	return fingerprint_end(&f, out);
}

/* What a spool computes of the whole is what comes out of the header alone,
 * whole or byte by byte. */
static void
same_as_the_spool(void **state)
{
	static const char *const messages[][2] = {
		{ "A: b\r\nC: d\r\n\r\n", "body\r\n" },
		{ "A: b\nC: d\n\n", "body\n\n\n" },
		{ "A: b\r\r\nC:\r d\r\n\r\n", "\r\nx" },
		{ "A: b\r\n", "" },
		{ "A: b", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		struct spool_pool *p = spool_pool_new(-1, 1 << 20);
		struct spool *s = spool_new(p, "T", 1 << 20);
		unsigned char got[FINGERPRINT_SIZE];
		struct fault f;

		assert_true(spool_write(s, span_str(messages[i][0]), &f));
		assert_true(spool_write(s, span_str(messages[i][1]), &f));
		assert_true(spool_finish(s, &f));
		assert_true(take(messages[i][0], 1, got));
		assert_memory_equal(got, spool_fingerprint(s), sizeof(got));
		assert_true(take(messages[i][0], 1000, got));
		assert_memory_equal(got, spool_fingerprint(s), sizeof(got));
		spool_unref(&s);
		spool_pool_free(&p);
	}
}

/* Servers differ in the empty line behind a header, and in what follows. */
static void
the_end_does_not_matter(void **state)
{
	unsigned char a[FINGERPRINT_SIZE], b[FINGERPRINT_SIZE];

	(void)state;
	assert_true(take("A: b\r\n\r\n", 3, a));
	assert_true(take("A: b\r\n", 3, b));
	assert_memory_equal(a, b, sizeof(a));
	assert_true(take("A: b\r\n\r\nbody\r\n", 3, b));
	assert_memory_equal(a, b, sizeof(a));
	assert_true(take("A: c\r\n\r\n", 3, b));
	assert_memory_not_equal(a, b, sizeof(a));
}

static void
no_header_is_no_identity(void **state)
{
	unsigned char a[FINGERPRINT_SIZE];

	(void)state;
	assert_false(take("", 1, a));
	assert_false(take("\r\n", 1, a));
	assert_false(take("\nbody\r\n", 1, a));
	assert_true(take("A: b", 1, a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_the_spool),
		cmocka_unit_test(the_end_does_not_matter),
		cmocka_unit_test(no_header_is_no_identity),
	};

	return cmocka_run_group_tests_name("fingerprint", tests, NULL, NULL);
}
