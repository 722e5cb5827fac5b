/* SPDX-License-Identifier: ISC */
#include "split.h"

#include "proto/line.h"

#define MAX 8

static void
start(void *ctx)
{
	line_init(ctx, MAX);
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	struct line *l = ctx;
	struct span line;
	enum line_status status;

	while (in.n > 0) {
		status = line_next(l, &in, &line);
		if (status == LINE_DONE)
			trail_text(t, "line", line);
		else if (status == LINE_TOO_LONG)
			trail_event(t, "too long");
	}
}

static void
finish(void *ctx, struct trail *t)
{
	struct line *l = ctx;

	if (l->bare_lf)
		trail_event(t, "bare LF");
	line_free(l);
}

static void
check(const char *in, size_t n, const char *expected)
{
	struct line l;
	struct trail_machine m = { &l, start, feed, finish };

	split_check(&m, span_make(in, n), expected);
}

#define CHECK(in, expected) check(in, sizeof(in) - 1, expected)

static void
test_lines(void **state)
{
	(void)state;
	CHECK("", "");
	CHECK("abc", "");
	CHECK("abc\r\n", "line: abc\n");
	CHECK("\r\n", "line: \n");
	CHECK("a\r\n\r\nb\r\nrest", "line: a\nline: \nline: b\n");
	CHECK("a\r\r\n", "line: a\\r\n");
	CHECK("a\rb\r\n", "line: a\\rb\n");
	CHECK("a\0b\r\n", "line: a\\x00b\n");
	CHECK("a\nb\r\n", "line: a\nline: b\nbare LF\n");
	CHECK("\n", "line: \nbare LF\n");
}

static void
test_longest(void **state)
{
	(void)state;
	CHECK("12345678\r\n12345678\r\n", "line: 12345678\nline: 12345678\n");
	CHECK("12345678\n", "line: 12345678\nbare LF\n");
	CHECK("12345678\r", "");
}

/* What comes behind it does not matter: the connection is closed. */
static void
test_too_long(void **state)
{
	static const char *const table[] = { "123456789\r\n", "123456789\n",
		"1234567890", "12345678\r\r" };
	struct line l;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		for (size_t cut = 0; cut <= strlen(table[i]); cut++) {
			struct span whole = span_str(table[i]), line;
			struct span a = span_make(whole.p, cut);
			struct span b = span_skip(whole, cut);
			bool seen = false;

			line_init(&l, MAX);
			while (a.n > 0 && !seen)
				seen =
				    line_next(&l, &a, &line) == LINE_TOO_LONG;
			while (b.n > 0 && !seen)
				seen =
				    line_next(&l, &b, &line) == LINE_TOO_LONG;
			assert_true(seen);
			assert_true(l.part.len <= MAX + 1);
			line_free(&l);
		}
	}
}

/* A line that lies whole in the input is not copied. */
static void
test_view(void **state)
{
	const char *text = "one\r\ntwo\r\n";
	struct span in = span_str(text), line;
	struct line l;

	(void)state;
	line_init(&l, MAX);
	assert_int_equal(line_next(&l, &in, &line), LINE_DONE);
	assert_ptr_equal(line.p, text);
	assert_int_equal(line_next(&l, &in, &line), LINE_DONE);
	assert_ptr_equal(line.p, text + 5);
	assert_null(l.part.mem);
	line_free(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_view),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
