/* SPDX-License-Identifier: ISC */
#include "relay/sizes.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY (SIZES_MEMORY + 3 * SIZES_BLOCK + 7)

static uint64_t
size_of(uint32_t number)
{
	return number % 100 == 99 ? 0 : number * UINT64_C(2654435761) % 1000000;
}

static void
fill(struct sizes *s, uint32_t n)
{
	for (uint32_t i = 1; i <= n; i++)
		sizes_add(s, size_of(i));
	assert_int_equal(s->count, n);
}

static int
open_dir(void)
{
	int dir = open("/tmp", O_DIRECTORY | O_RDONLY | O_CLOEXEC);

	assert_true(dir >= 0);
	return dir;
}

static void
test_small(void **state)
{
	struct sizes s;

	(void)state;
	sizes_init(&s, -1);
	assert_int_equal(sizes_get(&s, 1), 0);
	fill(&s, SIZES_MEMORY);
	for (uint32_t i = 1; i <= SIZES_MEMORY; i++)
		assert_int_equal(sizes_get(&s, i), size_of(i));
	assert_int_equal(sizes_get(&s, 0), 0);
	assert_int_equal(sizes_get(&s, SIZES_MEMORY + 1), 0);
	assert_true(s.fd < 0);
	sizes_free(&s);
	sizes_add(&s, UINT64_C(5) << 32);
	assert_int_equal(sizes_get(&s, 1), UINT32_MAX);
	sizes_free(&s);
}

/* Of every length around the ends of memory and blocks, in every order. */
static void
test_file(void **state)
{
	static const uint32_t counts[] = { SIZES_MEMORY + 1,
		SIZES_MEMORY + SIZES_BLOCK - 1, SIZES_MEMORY + SIZES_BLOCK,
		SIZES_MEMORY + SIZES_BLOCK + 1, MANY };
	int dir = open_dir();

	(void)state;
	for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
		struct sizes s;

		sizes_init(&s, dir);
		fill(&s, counts[c]);
		assert_true(s.fd >= 0);
		for (uint32_t i = 1; i <= counts[c]; i++)
			assert_int_equal(sizes_get(&s, i), size_of(i));
		for (uint32_t i = counts[c]; i >= 1; i--)
			assert_int_equal(sizes_get(&s, i), size_of(i));
		for (uint32_t i = 1; i <= counts[c]; i += 997) {
			uint32_t j = counts[c] + 1 - i;

			assert_int_equal(sizes_get(&s, i), size_of(i));
			assert_int_equal(sizes_get(&s, j), size_of(j));
		}
		assert_int_equal(sizes_get(&s, counts[c] + 1), 0);
		sizes_free(&s);
	}
	close(dir);
}

/* What cannot be kept is not known. */
static void
assert_first_only(struct sizes *s)
{
	fill(s, MANY);
	assert_int_equal(sizes_get(s, 1), size_of(1));
	assert_int_equal(sizes_get(s, SIZES_MEMORY), size_of(SIZES_MEMORY));
	for (uint32_t i = SIZES_MEMORY + 1; i <= MANY; i++)
		assert_int_equal(sizes_get(s, i), 0);
	sizes_free(s);
}

static void
test_no_file(void **state)
{
	struct rlimit none, before;
	struct sizes s;
	int dir = open_dir();

	(void)state;
	sizes_init(&s, -1);
	assert_first_only(&s);
	sizes_init(&s, dir);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_first_only(&s);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests_name("sizes", tests, NULL, NULL);
}
