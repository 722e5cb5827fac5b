/* SPDX-License-Identifier: ISC */
#include "split.h"

#include "base/span.h"

static void
test_uint(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} table[] = {
		{ "0", 0, true, 0 },
		{ "1", 0, false, 0 },
		{ "9", 8, false, 0 },
		{ "00000000000000000001", UINT64_MAX, true, 1 },
		{ "599", 599, true, 599 },
		{ "600", 599, false, 0 },
		{ "4294967295", UINT32_MAX, true, UINT32_MAX },
		{ "4294967296", UINT32_MAX, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "184467440737095516150", UINT64_MAX, false, 0 },
		{ "999999999999999999999", UINT64_MAX, false, 0 },
		{ "", 10, false, 0 },
		{ "-1", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ " 1", 10, false, 0 },
		{ "1 ", 10, false, 0 },
		{ "0x1", 100, false, 0 },
		{ "1e1", 100, false, 0 },
		{ "\xb1", 100, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint64_t v = 77;
		bool ok = span_uint(span_str(table[i].text), table[i].max, &v);

		assert_int_equal(ok, table[i].ok);
		assert_int_equal(v, ok ? table[i].value : 77);
	}
}

static void
test_cut(void **state)
{
	struct span rest = span_str("a,,bc");

	(void)state;
	assert_true(span_is(span_cut(&rest, ','), "a"));
	assert_true(span_is(span_cut(&rest, ','), ""));
	assert_true(span_is(span_cut(&rest, ','), "bc"));
	assert_int_equal(rest.n, 0);
	assert_true(span_is(span_cut(&rest, ','), ""));
	rest = span_make(NULL, 0);
	assert_int_equal(span_cut(&rest, ',').n, 0);
	rest = span_str("x,");
	assert_true(span_is(span_cut(&rest, ','), "x"));
	assert_int_equal(rest.n, 0);
}

static void
test_compare(void **state)
{
	struct span nul = span_make("a\0b", 3);

	(void)state;
	assert_true(span_eq(span_make(NULL, 0), span_str("")));
	assert_false(span_eq(nul, span_make("a\0c", 3)));
	assert_false(span_is(nul, "a"));
	assert_true(span_iis(span_str("StArTtLs"), "STARTTLS"));
	/* Not letters, though they differ in the same bit. */
	assert_false(span_iis(span_str("["), "{"));
	assert_false(span_iis(span_str("\xc4"), "\xe4"));
	assert_true(span_istarts(span_str("auth=PLAIN"), "AUTH="));
	assert_false(span_istarts(span_str("AUT"), "AUTH"));
	assert_true(span_is(span_skip(span_str("abc"), 1), "bc"));
	assert_int_equal(span_skip(span_str("abc"), 9).n, 0);
	assert_true(span_is_visible(span_str("!~")));
	assert_false(span_is_visible(span_str("a b")));
	assert_false(span_is_visible(span_str("a\x7f")));
	assert_false(span_is_visible(span_str("\xc3\xa4")));
	assert_false(span_is_visible(span_make("a\0", 2)));
}

static void
test_clean(void **state)
{
	char dst[8];

	(void)state;
	assert_string_equal(ascii_clean(dst, 8, "a\r\n\0\x1b", 5), "a????");
	assert_string_equal(ascii_clean(dst, 8, "1234567", 7), "1234567");
	assert_string_equal(ascii_clean(dst, 8, "12345678", 8), "1234...");
	assert_string_equal(ascii_clean(dst, 3, "12345678", 8), "..");
	assert_string_equal(ascii_clean(dst, 1, "12345678", 8), "");
	assert_string_equal(ascii_clean(dst, 8, "\xff\x80%n", 4), "??%n");
	dst[0] = 'x';
	ascii_clean(dst, 0, "1", 1);
	assert_int_equal(dst[0], 'x');
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uint),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_clean),
	};

	return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
