/* SPDX-License-Identifier: ISC */
#include "split.h"

#include "proto/smtp_reply.h"

/* Lines separated by '\n'; gives the status of the last. */
static enum smtp_reply_status
feed(struct smtp_reply *r, struct span lines)
{
	enum smtp_reply_status status = SMTP_REPLY_MORE;

	smtp_reply_reset(r);
	while (lines.n > 0 && status == SMTP_REPLY_MORE)
		status = smtp_reply_feed(r, span_cut(&lines, '\n'));
	return status;
}

static void
test_good(void **state)
{
	static const struct {
		const char *lines;
		unsigned code, count;
		const char *text;
	} table[] = {
		{ "250 ok", 250, 1, "ok" },
		{ "250", 250, 1, "" },
		{ "250 ", 250, 1, "" },
		{ "250-a\n250 b", 250, 2, "a | b" },
		{ "250-\n250-\n250", 250, 3, " |  | " },
		{ "200 lowest", 200, 1, "lowest" },
		{ "599 highest", 599, 1, "highest" },
		{ "550 5.1.1 no\t\x1b[31m\xc3", 550, 1, "5.1.1 no??[31m?" },
	};
	struct smtp_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(
		    feed(&r, span_str(table[i].lines)), SMTP_REPLY_DONE);
		assert_int_equal(r.code, table[i].code);
		assert_int_equal(r.lines, table[i].count);
		assert_string_equal(r.text, table[i].text);
		assert_int_equal(r.text_len, strlen(r.text));
	}
	assert_int_equal(feed(&r, span_make("250 a\0b", 7)), SMTP_REPLY_DONE);
	assert_string_equal(r.text, "a?b");
}

static void
test_bad(void **state)
{
	static const char *const table[] = { "25", "2", " ", "+OK", "* OK",
		"099 x", "199 x", "600 x", "2500 x", "25x ok", "-50 ok",
		" 250 ok", "250+ok", "250\tok", "250-a\n251 b", "250-a\n550 b",
		"250-a\nb", "250-a\n25" };
	struct smtp_reply r;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(feed(&r, span_str(table[i])), SMTP_REPLY_BAD);
	smtp_reply_reset(&r);
	assert_int_equal(
	    smtp_reply_feed(&r, span_make(NULL, 0)), SMTP_REPLY_BAD);
}

static void
test_bounds(void **state)
{
	char line[3 * SMTP_REPLY_TEXT_MAX];
	struct smtp_reply r;

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "250-", 4);
	smtp_reply_reset(&r);
	for (int i = 0; i < SMTP_REPLY_LINES_MAX; i++) {
		assert_int_equal(
		    smtp_reply_feed(&r, span_make(line, sizeof(line))),
		    SMTP_REPLY_MORE);
		assert_int_equal(strlen(r.text), SMTP_REPLY_TEXT_MAX - 1);
	}
	assert_int_equal(
	    smtp_reply_feed(&r, span_str("250 x")), SMTP_REPLY_BAD);
	smtp_reply_reset(&r);
	assert_string_equal(r.text, "");
	assert_int_equal(
	    smtp_reply_feed(&r, span_str("250 x")), SMTP_REPLY_DONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests_name("smtp_reply", tests, NULL, NULL);
}
