/* SPDX-License-Identifier: ISC */
#include "split.h"

#include "../run_rewrite.h"

/* The new From and Reply-To of a message with these fields, however it comes.
 */
static void
check(const char *header, const char *expected)
{
	static struct original o;
	const struct trail_machine m = { &o, rewrite_run_start,
		rewrite_run_feed, rewrite_run_finish };
	struct trail whole = trail_run(&m, span_str(header), 0, 0);
	size_t n = strlen(expected);

	if (strncmp(whole.text, expected, n) != 0)
		print_error("expected:\n%sgot:\n%s", expected, whole.text);
	assert_int_equal(strncmp(whole.text, expected, n), 0);
	split_check(&m, span_str(header), whole.text);
	trail_free(&whole);
}

/* A line of what goes in front of a wrapped one. */
static void
check_wrap(const char *header, const char *line)
{
	static struct original o;
	const struct trail_machine m = { &o, rewrite_run_start,
		rewrite_run_feed, rewrite_run_finish };
	struct trail whole = trail_run(&m, span_str(header), 0, 0);

	if (strstr(whole.text, line) == NULL)
		print_error("expected:\n%sgot:\n%s", line, whole.text);
	assert_non_null(strstr(whole.text, line));
	split_check(&m, span_str(header), whole.text);
	trail_free(&whole);
}

#define US " via hotmail <me@home.example>\n"

static void
test_names(void **state)
{
	(void)state;
	check("From: Ann Lee <a@b>\r\n\r\n",
	    "rewrite: From: Ann Lee" US "rewrite: Reply-To: Ann Lee <a@b>\n"
	    "at 0: 0 bytes are X-Original-\n");
	check("From: a@b\r\n\r\n",
	    "rewrite: From: \"a@b via hotmail\" <me@home.example>\n"
	    "rewrite: Reply-To: <a@b>\n");
	check("From: \"Lee, Ann \\\"A\\\\\" <a@b>\r\n",
	    "rewrite: From: \"Lee, Ann \\\\\"A\\\\\\\\ via hotmail\" "
	    "<me@home.example>\n"
	    "rewrite: Reply-To: \"Lee, Ann \\\\\"A\\\\\\\\\" <a@b>\n");
	check("From: a@b (Ann Lee)\r\n",
	    "rewrite: From: Ann Lee" US "rewrite: Reply-To: Ann Lee <a@b>\n");
	check("From: Ann\r\n  (not this)\r\n\tLee <a@b>\r\n",
	    "rewrite: From: Ann Lee" US);
	check("FROM :Ann <a@b>\r\n", "rewrite: From: Ann" US);
	check("From: =?utf-8?Q?broken word?= <a@b>\r\n",
	    "rewrite: From: \"=?utf-8?Q?broken word?= via hotmail\" "
	    "<me@home.example>\n");
}

static void
test_encoded(void **state)
{
	(void)state;
	check("From: =?iso-8859-1?Q?J=FCrgen?= <a@b>\r\n",
	    "rewrite: From: =?iso-8859-1?Q?J=FCrgen?=" US
	    "rewrite: Reply-To: =?iso-8859-1?Q?J=FCrgen?= <a@b>\n");
	check("From: =?utf-8?B?w7w=?=\r\n =?utf-8?B?w7w=?= X. <a@b>\r\n",
	    "rewrite: From: =?utf-8?B?w7w=?= =?utf-8?B?w7w=?= \"X. via "
	    "hotmail\" <me@home.example>\n");
	/* What may not stand in a phrase. */
	check("From: =?utf-8?Q?Lee,_Ann?= <a@b>\r\n",
	    "rewrite: From: =?utf-8?Q?Lee=2C_Ann?=" US);
	check("From: \"=?utf-8?Q?Ann?=\" <a@b>\r\n",
	    "rewrite: From: \"=?utf-8?Q?Ann?= via hotmail\" "
	    "<me@home.example>\n");
}

static void
test_raw(void **state)
{
	(void)state;
	check("From: J\xc3\xbcrgen <a@b>\r\n",
	    "rewrite: From: =?utf-8?q?J=C3=BCrgen_via_hotmail?= "
	    "<me@home.example>\n");
	check("From: J\xfcrgen <a@b>\r\n",
	    "rewrite: From: =?windows-1252?q?J=FCrgen_via_hotmail?= "
	    "<me@home.example>\n");
	/* A blank between two encoded words is seen by nobody. */
	check("From: =?utf-8?q?A?= \xc3\xbc =?utf-8?q?B?= <a@b>\r\n",
	    "rewrite: From: =?utf-8?q?A?= =?utf-8?q?_=C3=BC_?= "
	    "=?utf-8?q?B?= via hotmail\n"
	    "rewrite:  <me@home.example>\n");
	/* RFC 6532 */
	check("From: \xd0\x9f <\xd0\xbf@\xd1\x85>\r\n",
	    "rewrite: From: =?utf-8?q?=D0=9F_via_hotmail?= "
	    "<me@home.example>\n"
	    "rewrite: Reply-To: =?utf-8?q?=D0=9F?= <\\xd0\\xbf@\\xd1\\x85>\n");
	/* No character is cut apart. */
	check("From: \xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5"
	      "\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5\xe6\x97\xa5 <a@b>\r\n",
	    "rewrite: From: =?utf-8?q?=E6=97=A5=E6=97=A5=E6=97=A5=E6=97=A5"
	    "=E6=97=A5=E6=97=A5?=\n"
	    "rewrite:  =?utf-8?q?=E6=97=A5=E6=97=A5_via_hotmail?= "
	    "<me@home.example>\n");
}

static void
test_several(void **state)
{
	(void)state;
	check("From: Ann <a@b>, Bob <c@d>\r\n",
	    "rewrite: From: Ann and others" US
	    "rewrite: Reply-To: Ann <a@b>, Bob <c@d>\n");
	check("From: Friends: Ann <a@b>, c@d;\r\n",
	    "rewrite: From: Friends" US
	    "rewrite: Reply-To: Ann <a@b>, <c@d>\n");
	check("From: Undisclosed:;\r\n",
	    "rewrite: From: Undisclosed" US "at 0: ");
	check("From: Ann <a@b>\r\nX: y\r\nfrom: c@d\r\n",
	    "rewrite: From: Ann" US "rewrite: Reply-To: Ann <a@b>\n"
	    "at 0: 0 bytes are X-Original-\n"
	    "at 23: 0 bytes are X-Original-\n");
	check("From: Ann <a@b>\r\nReply-To: <c@d>\r\n",
	    "rewrite: From: Ann" US "at 0: ");
}

static void
test_none(void **state)
{
	(void)state;
	check("", "rewrite: From: unknown sender" US "wrap: ");
	check("\r\nFrom: a@b\r\n", "rewrite: From: unknown sender" US "wrap: ");
	check("From\r\nX-From: a@b\r\n From: c@d\r\n",
	    "rewrite: From: unknown sender" US "wrap: ");
	check("From: \r\n\r\n", "rewrite: From: unknown sender" US "at 0: ");
	check("From: nobody\r\n", "rewrite: From: unknown sender" US "at 0: ");
	check("From a@b Mon Jul 6 10:00:00 2026\r\nFrom: Ann <a@b>\r\n",
	    "rewrite: From: Ann" US);
	check("From: \"\" <a@b>\r\n",
	    "rewrite: From: \"a@b via hotmail\" <me@home.example>\n");
}

static void
test_wrap(void **state)
{
	(void)state;
	check_wrap("Subject: a  b\r\n\r\n", "wrap: Subject: a  b\n");
	check_wrap("Subject:a\r\n\tb\r\n", "wrap: Subject: a\\x09b\n");
	check_wrap("Subject: =?utf-8?q?=C3=BC?= x\r\n",
	    "wrap: Subject: =?utf-8?q?=C3=BC?= x\n");
	check_wrap("Subject: gr\xc3\xbc\xc3\x9f"
		   "e\r\n",
	    "wrap: Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\n");
	check_wrap("Subject:\r\n", "wrap: Subject:\n");
	check_wrap("Subject: \x1b[0m\r\n", "wrap: Subject: ?[0m\n");
	check_wrap("Date: Mon, 6 Jul 2026 10:00:00 +0200 (CEST)\r\n",
	    "wrap: Date: Mon, 6 Jul 2026 10:00:00 +0200 (CEST)\n");
	check_wrap("Date: <script>\r\n",
	    "wrap: Date: Thu, 1 Jan 1970 00:00:00 +0000\n");
	check_wrap("",
	    "wrap: Date: Thu, 1 Jan 1970 00:00:00 +0000\n"
	    "wrap: From: unknown sender" US "wrap: To: <inbox@home.example>\n");
	check_wrap(
	    "From: a@b\r\nReply-To: X <c@d>\r\n", "wrap: Reply-To: X <c@d>\n");
	check_wrap(
	    "From: a@b\r\nReply-To: nobody\r\n", "wrap: Reply-To: <a@b>\n");
	check_wrap("X-Mailhaul-Trace: a;\r\n account=b\r\n",
	    "wrap: X-Mailhaul-Trace: a; account=b\n");
}

/* Values of any length: the lines of what is made of them have at most 998
 * bytes (run_rewrite.h looks), and what is cut is no half address. */
static void
test_huge(void **state)
{
	static char in[200000];
	static struct original o;
	const struct trail_machine m = { &o, rewrite_run_start,
		rewrite_run_feed, rewrite_run_finish };
	static const char *const units[] = { "n@x.example,", "word ",
		"\xc3\xbc", "a", "\"", "(", "=?utf-8?q?a?= ", "\xff ",
		",\r\n " };
	static const char *const names[] = {
		"From:", "Subject:", "Reply-To:", "X-Mailhaul-Trace:", "Date:"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
			size_t n =
			    (size_t)snprintf(in, sizeof(in), "%s", names[k]);
			size_t step = strlen(units[i]);
			struct trail t, u;

			while (n + step + 2 < sizeof(in)) {
				memcpy(in + n, units[i], step);
				n += step;
			}
			memcpy(in + n, "\r\n", 2);
			t = trail_run(&m, span_make(in, n + 2), 0, 0);
			u = trail_run(&m, span_make(in, n + 2), 0, 4095);
			assert_string_equal(t.text, u.text);
			assert_true(t.len < 100000);
			assert_null(strstr(t.text, "x.exampl>"));
			trail_free(&t);
			trail_free(&u);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_encoded),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_several),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_huge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
