/* SPDX-License-Identifier: ISC */
#include "proto/imap_lex.h"

#include "../run_imap_lex.h"
#include "split.h"

static void
check_bytes(struct span in, const char *expected)
{
	struct run_imap_lex r;
	struct trail_machine m = run_imap_lex_machine(&r);

	split_check(&m, in, expected);
}

static void
check(const char *in, const char *expected)
{
	check_bytes(span_str(in), expected);
}

static void
test_atoms(void **state)
{
	(void)state;
	check("* 12 FETCH (UID 5)\r\n",
	    "atom: *\natom: 12\natom: FETCH\n(\natom: UID\natom: 5\n)\neol\n");
	check("FLAGS (\\Seen $a NIL \xe9)\r\n",
	    "atom: FLAGS\n(\natom: \\\\Seen\natom: $a\natom: NIL\n"
	    "atom: \\xe9\n)\neol\n");
	check("a(b\"c\"{1}\r\nd)~e ~{1}\r\nf\r\n",
	    "atom: a\n(\natom: b\nstring: c\nliteral 1\npiece: d\ncomplete\n)\n"
	    "atom: ~e\nliteral 1\npiece: f\ncomplete\neol\n");
	check("\r\n()\r\n", "eol\n(\n)\neol\n");
}

static void
test_sections(void **state)
{
	(void)state;
	check("BODY[] BODY[1.2]<0> body[HEADER.FIELDS (A \"B\")] x\r\n",
	    "atom: BODY[]\natom: BODY[1.2]<0>\n"
	    "atom: body[HEADER.FIELDS (A \"B\")]\natom: x\neol\n");
	/* In a keyword a bracket is like any other byte. */
	check("(a[b c]) [Gmail\r\n",
	    "(\natom: a[b\natom: c]\n)\natom: [Gmail\neol\n");
	check("BODY[a\r\n", "bad: line ends in a section\n");
	check("BODY[[[[[[[[[[", "bad: too many brackets\n");
}

static void
test_quoted(void **state)
{
	(void)state;
	check("\"\" \"a b\" \"\\\"\\\\\\x\" \"{3}\"\r\n",
	    "string: \nstring: a b\nstring: \"\\\\x\nstring: {3}\neol\n");
	check("\"a\r\n", "bad: line ends in a quoted string\n");
	check("\"a\\\r\n", "bad: line ends in a quoted string\n");
	check_bytes(
	    span_make("\"\0\"", 3), "bad: line ends in a quoted string\n");
}

static void
test_I6_literal_sizes(void **state)
{
	(void)state;
	check("{0}\r\n \r\n", "literal 0\neol\n");
	check("{3}\r\na\r\n\r\n", "literal 3\npiece: a\\r\\n\ncomplete\neol\n");
	check_bytes(span_make("~{2}\r\n\0)\r\n", 10),
	    "literal 2\npiece: \\x00)\ncomplete\neol\n");
	check("{4294967295}\r\nab", "literal 4294967295\npiece: ab\n");
	check("{9223372036854775807}\r\n", "literal 9223372036854775807\n");
	check("{00000000000000000001}\r\na\r\n",
	    "literal 1\npiece: a\ncomplete\neol\n");
	for (const char *const *bad = (const char *const[]){ "{-1}\r\n",
		 "{1+}\r\n", "{}\r\n", "{ 1}\r\n", "{1 }\r\n", "{1\r\n",
		 "{9223372036854775808}\r\n", "{999999999999999999999}\r\n",
		 "{18446744073709551617}\r\n", "{000000000000000000001}\r\n",
		 NULL };
	     *bad != NULL; bad++)
		check(*bad, "bad: bad literal size\n");
	check("{1}a", "bad: no line end behind a literal size\n");
	check("{1}\n", "bad: no line end behind a literal size\n");
	check("{1}\ra", "bad: no line end behind a literal size\n");
}

static void
test_I7_literals_anywhere(void **state)
{
	(void)state;
	check("({1}\r\n( {2}\r\n\r\n {3}\r\n\"{}) {1}\r\n)\r\n",
	    "(\nliteral 1\npiece: (\ncomplete\nliteral 2\npiece: \\r\\n\n"
	    "complete\nliteral 3\npiece: \"{}\ncomplete\n)\nliteral 1\n"
	    "piece: )\ncomplete\neol\n");
}

static void
test_text(void **state)
{
	(void)state;
	check("* OK [X (] \"it's {3}\r\n* x\r\n",
	    "atom: *\natom: OK\ntext: [X (] \"it's {3}\neol\natom: *\n"
	    "atom: x\neol\n");
	check("OK\r\n", "atom: OK\ntext: \neol\n");
	check("OK \r\nOK  a\r\n",
	    "atom: OK\ntext: \neol\natom: OK\ntext:  a\neol\n");
	check("OK(a\r\n", "atom: OK\nbad: no space in front of a text\n");
	check("OK a\nb\r\n", "atom: OK\nbad: NUL or bare LF in a line\n");
	check("OK a\rb\r\n", "atom: OK\ntext: a\nbad: CR without LF\n");
}

static void
test_controls(void **state)
{
	(void)state;
	check("a\n", "bad: control character outside a string\n");
	check("\ta", "bad: control character outside a string\n");
	check("a \x7f", "atom: a\nbad: control character outside a string\n");
	check("a\rb", "atom: a\nbad: CR without LF\n");
	check_bytes(
	    span_make("\0", 1), "bad: control character outside a string\n");
}

/* One byte more than fits, for each kind of token, without any end. */
static void
test_I23_too_long(void **state)
{
	static const char *const starts[] = { "a", "\"a", "OK a", "BODY[" };
	static char in[IMAP_TOKEN_MAX + 16];

	(void)state;
	for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		struct run_imap_lex r;
		struct trail_machine m = run_imap_lex_machine(&r);
		const char *expected =
		    starts[i][0] == 'O'
			? "atom: OK\nbad: token or line too long\n"
			: "bad: token or line too long\n";

		memset(in, 'x', sizeof(in));
		memcpy(in, starts[i], strlen(starts[i]));
		split_one(&m, span_make(in, sizeof(in)), expected, 0, 0);
		split_one(&m, span_make(in, sizeof(in)), expected, 0, 1);
		split_one(&m, span_make(in, sizeof(in)), expected, 8000, 0);
	}
}

/* Whole in the input or not, what is too long is too long. */
static void
test_I23_too_long_and_whole(void **state)
{
	static char in[IMAP_TOKEN_MAX + 4];
	struct run_imap_lex r;
	struct trail_machine m = run_imap_lex_machine(&r);
	struct span all = span_make(in, sizeof(in));
	struct trail t;

	(void)state;
	memset(in, 'x', sizeof(in));
	memcpy(in + IMAP_TOKEN_MAX + 1, "\r\n", 2);
	split_one(&m, all, "bad: token or line too long\n", 0, 0);
	split_one(&m, all, "bad: token or line too long\n", 0, 1);
	memcpy(in + IMAP_TOKEN_MAX, "\r\n", 2);
	for (size_t step = 0; step < 2; step++) {
		t = trail_run(&m, span_make(in, IMAP_TOKEN_MAX + 2), 0, step);
		assert_int_equal(t.len, IMAP_TOKEN_MAX + 11);
		trail_free(&t);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_atoms),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_I6_literal_sizes),
		cmocka_unit_test(test_I7_literals_anywhere),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_controls),
		cmocka_unit_test(test_I23_too_long),
		cmocka_unit_test(test_I23_too_long_and_whole),
	};

	return cmocka_run_group_tests_name("imap_lex", tests, NULL, NULL);
}
