/* SPDX-License-Identifier: ISC */
#include "split.h"

#include "base/buf.h"
#include "base/secret.h"

static void
assert_holds(const struct buf *b, const char *text)
{
	struct span s = buf_span(b);

	assert_int_equal(s.n, strlen(text));
	assert_memory_equal(s.p, text, s.n);
}

static void
test_queue(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	assert_holds(&b, "");
	assert_true(buf_add(&b, span_str("abc")));
	assert_true(buf_add(&b, span_make(NULL, 0)));
	assert_true(buf_addf(&b, "-%d-%s", 42, "x"));
	assert_holds(&b, "abc-42-x");
	buf_drop(&b, 3);
	assert_holds(&b, "-42-x");
	buf_drop(&b, 5);
	assert_holds(&b, "");
	assert_int_equal(b.head, 0);
	buf_free(&b);
	assert_true(buf_add(&b, span_str("again")));
	assert_holds(&b, "again");
	buf_free(&b);
}

static void
test_ceiling(void **state)
{
	struct buf b;

	(void)state;
	for (size_t ceiling = 0; ceiling < 200; ceiling++) {
		buf_init(&b, ceiling);
		for (size_t i = 0; i < ceiling; i++)
			assert_true(buf_add(&b, span_str("x")));
		assert_int_equal(buf_room(&b), 0);
		assert_false(buf_add(&b, span_str("x")));
		assert_false(buf_addf(&b, "%d", 1));
		assert_int_equal(b.len, ceiling);
		if (ceiling > 1) {
			buf_drop(&b, 1);
			assert_false(buf_add(&b, span_str("yz")));
			assert_int_equal(b.len, ceiling - 1);
			assert_true(buf_addf(&b, "y"));
		}
		buf_free(&b);
	}
}

/* A pseudo-random life next to an array that simply remembers everything. */
static void
test_against_model(void **state)
{
	static char all[1 << 16];
	size_t in = 0, out = 0;
	unsigned seed = 1;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	while (in < sizeof(all) - 300) {
		size_t n = (seed = seed * 1103515245 + 12345) >> 16 & 0xff;

		for (size_t i = 0; i < n; i++)
			all[in + i] = (char)(in + i + n);
		if (buf_add(&b, span_make(all + in, n)))
			in += n;
		else
			assert_true(in - out + n > 1000);
		n = (seed = seed * 1103515245 + 12345) >> 16 & 0xff;
		n = n < in - out ? n : in - out;
		buf_drop(&b, n);
		out += n;
		assert_int_equal(b.len, in - out);
		assert_memory_equal(buf_span(&b).p, all + out, in - out);
		assert_in_range(b.cap, 0, 1250);
	}
	buf_free(&b);
}

/* Full to the brim and used byte by byte: bytes are moved once in a while, not
 * each time. */
static void
test_constant_cost(void **state)
{
	size_t moves = 0;
	struct buf b;
	size_t head;

	(void)state;
	buf_init(&b, 4096);
	while (buf_add(&b, span_str("x")))
		;
	for (size_t i = 0; i < 100000; i++) {
		buf_drop(&b, 1);
		head = b.head;
		assert_true(buf_add(&b, span_str("y")));
		moves += b.head < head;
	}
	assert_in_range(moves, 1, 100000 / 1000);
	buf_free(&b);
}

static bool
contains(const struct buf *b, const char *word)
{
	return memmem(b->mem, b->cap, word, strlen(word)) != NULL;
}

static void
test_secret_is_wiped(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 400);
	b.secret = true;
	assert_true(buf_add(&b, span_str("swordfish.")));
	assert_true(buf_add(&b, span_str("tail")));
	assert_true(contains(&b, "swordfish"));
	buf_drop(&b, 10);
	assert_holds(&b, "tail");
	assert_false(contains(&b, "ord"));
	/* A move to the front leaves no second copy behind. */
	assert_true(buf_add(&b, span_str("swordfish")));
	buf_drop(&b, 4);
	while (b.head > 0)
		assert_true(buf_add(&b, span_str("12345678")));
	buf_drop(&b, b.len);
	assert_false(contains(&b, "fish"));
	buf_free(&b);
}

static void
test_secret_holder(void **state)
{
	struct secret *s = secret_new(span_make("a\0b", 3));
	struct secret *none = secret_new(span_make(NULL, 0));
	char memory[] = "swordfish";

	(void)state;
	assert_true(span_eq(secret_reveal(s), span_make("a\0b", 3)));
	assert_int_equal(secret_reveal(none).n, 0);
	secret_free(&s);
	secret_free(&none);
	assert_null(s);
	secret_free(&s);
	secret_wipe(memory, sizeof(memory));
	for (size_t i = 0; i < sizeof(memory); i++)
		assert_int_equal(memory[i], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_queue),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_constant_cost),
		cmocka_unit_test(test_secret_is_wiped),
		cmocka_unit_test(test_secret_holder),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
