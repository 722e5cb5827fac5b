/* SPDX-License-Identifier: ISC */
#include "proto/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../trail.h"

/* A line each: group, if in one; name, in brackets when it is a comment;
 * address. */
static void
check_cut(const char *in, bool cut, const char *expected)
{
	struct trail t = { .len = 0 };
	struct address_list l;
	struct address a;
	size_t n = strlen(in);
	char *copy = malloc(n > 0 ? n : 1);

	assert_non_null(copy);
	memcpy(copy, in, n);
	trail_raw(&t, "", 0);
	address_begin(&l, span_make(copy, n), cut);
	while (address_next(&l, &a))
		trail_event(&t, "%.*s%s%s%.*s%s%s%s%s",
		    (int)(a.group.p != NULL ? a.group.n : 0),
		    a.group.p != NULL ? a.group.p : "",
		    a.group.p != NULL ? ":" : "", a.comment ? "(" : "",
		    (int)a.name.n, a.name.p != NULL ? a.name.p : "",
		    a.comment ? ")" : "", a.addr[0] != '\0' ? "<" : "", a.addr,
		    a.addr[0] != '\0' ? ">" : "");
	if (strcmp(t.text, expected) != 0)
		print_error("of: %s\n", in);
	assert_string_equal(t.text, expected);
	trail_free(&t);
	free(copy);
}

static void
check(const char *in, const char *expected)
{
	check_cut(in, false, expected);
}

static void
test_plain(void **state)
{
	(void)state;
	check("", "");
	check(" \r\n ", "");
	check("a@b", "<a@b>\n");
	check(" <a@b>", "<a@b>\n");
	check(" Ann Lee <ann@example.org>", "Ann Lee<ann@example.org>\n");
	check("Ann\r\n\tLee\r\n <a@b>", "Ann\\r\\n\\x09Lee<a@b>\n");
	check("A <a@b>, B <c@d>,e@f", "A<a@b>\nB<c@d>\n<e@f>\n");
	check(",, a@b ,,", "<a@b>\n");
	/* RFC 6532 */
	check("\xd0\x9f <\xd0\xbf@x>", "\\xd0\\x9f<\\xd0\\xbf@x>\n");
}

static void
test_quoted(void **state)
{
	(void)state;
	check("\"Lee, Ann\" <a@b>", "\"Lee, Ann\"<a@b>\n");
	check("\"a \\\" , <x@y>\" <a@b>, c@d",
	    "\"a \\\\\" , <x@y>\"<a@b>\n<c@d>\n");
	check("\"a b\"@c", "<\"a b\"@c>\n");
	check("\"a,b\"@c", "<\"a,b\"@c>\n");
	check("a@[192.0.2.1,x]", "<a@[192.0.2.1,x]>\n");
	check("=?utf-8?Q?Lee,_Ann?= <a@b>, c@d",
	    "=?utf-8?Q?Lee,_Ann?=<a@b>\n<c@d>\n");
	/* never closed */
	check("\"Ann <a@b>, c@d", "");
	check("Ann <a@b", "Ann<a@b>\n");
	check("a@b (x", "(x)<a@b>\n");
}

static void
test_comments(void **state)
{
	(void)state;
	check("a@b (Ann Lee)", "(Ann Lee)<a@b>\n");
	check("a@b (Ann (nested, \\) x) Lee), c@d",
	    "(Ann (nested, \\\\) x) Lee)<a@b>\n<c@d>\n");
	check("(x) a (y) @ (z) b . c (n)", "(n)<a@b.c>\n");
	check("Ann (comment) <a@b>", "Ann (comment)<a@b>\n");
}

static void
test_obsolete(void **state)
{
	(void)state;
	check("Ann <@x,@y:a@b>", "Ann<a@b>\n");
	check("a @ b . c", "<a@b.c>\n");
	check("Ann Lee ann@b", "Ann Lee<ann@b>\n");
	check("John Q. Public, Jr. <j@x>", "Jr.<j@x>\n");
	check("Ann <a@b> <c@d>", "Ann <a@b><c@d>\n");
}

static void
test_groups(void **state)
{
	(void)state;
	check("Friends: a@b, C <c@d>;", "Friends:<a@b>\nFriends:C<c@d>\n");
	check("Friends: a@b;, e@f", "Friends:<a@b>\n<e@f>\n");
	check("Undisclosed:;", "Undisclosed:\n");
	check("Undisclosed: ; , e@f", "Undisclosed:\n<e@f>\n");
	check(":;", "");
	check("G: a@b", "G:<a@b>\n");
}

static void
test_no_address(void **state)
{
	(void)state;
	check("MAILER-DAEMON", "");
	check("<>", "");
	check("@", "");
	check("a@", "");
	check("@b", "");
	check("Ann <>", "");
	check("a@b@c", "");
	check("<a\x01@b>", "");
	check("nobody, a@b", "<a@b>\n");
}

static void
test_long(void **state)
{
	char in[1000];

	(void)state;
	memset(in, 'a', sizeof(in));
	in[sizeof(in) - 1] = '\0';
	in[ADDRESS_MAX - 2] = '@';
	in[ADDRESS_MAX] = '\0';
	in[ADDRESS_MAX - 1] = 'b';
	{
		struct address_list l;
		struct address a;

		address_begin(&l, span_str(in), false);
		assert_true(address_next(&l, &a));
		assert_string_equal(a.addr, in);
		in[ADDRESS_MAX] = 'b';
		in[ADDRESS_MAX + 1] = '\0';
		address_begin(&l, span_str(in), false);
		assert_false(address_next(&l, &a));
	}
	/* The end is missing: c@d may be c@domain. */
	check_cut("a@b, c@d", true, "<a@b>\n");
	check_cut("a@b, \"x", true, "<a@b>\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_comments),
		cmocka_unit_test(test_obsolete),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_no_address),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
