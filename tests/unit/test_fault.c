/* SPDX-License-Identifier: ISC */
#include "split.h"

#include "base/fault.h"

static void
test_set(void **state)
{
	struct fault f = { .code = 9, .login = true, .hint = "old" };

	(void)state;
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "login", "%s is away", "x\n");
	assert_int_equal(f.scope, FAULT_ACCOUNT);
	assert_int_equal(f.when, FAULT_LATER);
	assert_string_equal(f.phase, "login");
	assert_string_equal(f.text, "x? is away");
	assert_int_equal(f.code, 0);
	assert_false(f.login);
	assert_null(f.hint);
	/* Its own text may be among the arguments. */
	fault_set(&f, FAULT_US, FAULT_NOW, "disk", "[%s]", f.text);
	assert_string_equal(f.text, "[x? is away]");
}

static void
test_quote(void **state)
{
	struct fault f;

	(void)state;
	fault_set(&f, FAULT_MESSAGE, FAULT_NEVER, "RCPT", "refused");
	fault_quote(&f, span_str("550 no \"user\"\r"));
	assert_string_equal(f.text, "refused: \"550 no 'user'?\"");
	fault_quote(&f, span_str(""));
	assert_string_equal(f.text, "refused: \"550 no 'user'?\"");
	fault_set(&f, FAULT_MESSAGE, FAULT_NEVER, "RCPT", "%s", "");
	fault_quote(&f, span_str("x"));
	assert_string_equal(f.text, "\"x\"");
}

/* Whatever the lengths, the text ends, and a quote is closed. */
static void
test_bounds(void **state)
{
	char text[3 * FAULT_TEXT_MAX], words[3 * FAULT_TEXT_MAX];
	struct fault f;
	size_t len;

	(void)state;
	memset(text, 'a', sizeof(text));
	memset(words, '"', sizeof(words));
	for (int n = 0; n < (int)sizeof(text); n++) {
		fault_set(&f, FAULT_US, FAULT_NOW, "x", "%.*s", n, text);
		len = strlen(f.text);
		assert_true(len < FAULT_TEXT_MAX);
		if (n >= FAULT_TEXT_MAX)
			assert_string_equal(f.text + len - 3, "...");
		fault_quote(&f, span_make(words, (size_t)n));
		assert_true(strlen(f.text) < FAULT_TEXT_MAX);
		if (strlen(f.text) > len)
			assert_string_equal(f.text + strlen(f.text) - 1, "\"");
	}
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(fault_scope_name(FAULT_MESSAGE), "message");
	assert_string_equal(fault_scope_name(FAULT_US), "us");
	assert_string_equal(fault_when_name(FAULT_NOW), "now");
	assert_string_equal(fault_when_name(FAULT_UNKNOWN), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("fault", tests, NULL, NULL);
}
