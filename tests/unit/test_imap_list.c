/* SPDX-License-Identifier: ISC */
#include "proto/imap.h"

#include "../run_imap.h"
#include "split.h"

#define LOGIN "* OK hi\r\nA1 OK in\r\n"
#define LOGGED "done 0 ok 0: hi\ndone 2 ok 0: in\n"
#define LISTED "done 16 ok 0: x\nleft 0\n"

static void
check(const char *script, const char *in, const char *expected)
{
	struct run_imap r = { .script = script };
	struct trail_machine m = run_imap_machine(&r);

	split_check(&m, span_str(in), expected);
}

static void
test_list(void **state)
{
	(void)state;
	check("lm",
	    LOGIN "* LIST (\\HasNoChildren) \"/\" INBOX\r\n"
		  "* list () NIL \"a \\\"b\\\\\"\r\n"
		  "* LIST (\\NOSELECT \\HasChildren) \".\" [Gmail]\r\n"
		  "* LIST (\\NonExistent \\Subscribed) \"\\\\\" &AOk-\r\n"
		  "* LIST () \"\" NIL\r\n"
		  "* LIST () \"/\" \"\"\r\nA2 OK x\r\n",
	    LOGGED "mailbox 0: INBOX\nmailbox 0: a \"b\\\\\n"
		   "mailbox 0 noselect: [Gmail]\n"
		   "mailbox 0 noselect: &AOk-\nmailbox 0: NIL\n" LISTED);
	check("lm", LOGIN "A2 OK x\r\n", LOGGED "done 16 ok 0: x\nleft 0\n");
	check("lm", LOGIN "A2 NO [NOPERM] x\r\n",
	    LOGGED "done 16 no 8: [NOPERM] x\nleft 0\n");
}

static void
test_special_use(void **state)
{
	(void)state;
	check("lm",
	    LOGIN "* LIST (\\All) \"/\" a\r\n* LIST (\\archive) \"/\" b\r\n"
		  "* LIST (\\Drafts) \"/\" c\r\n* LIST (\\Flagged) \"/\" d\r\n"
		  "* LIST (\\Junk) \"/\" e\r\n* LIST (\\Sent) \"/\" f\r\n"
		  "* LIST (\\Trash \\Junk) \"/\" g\r\n"
		  "* LIST (\\Inbox \\Important \"\\All\" {4}\r\n\\All All) "
		  "\"/\" h\r\nA2 OK x\r\n",
	    LOGGED "mailbox 1: a\nmailbox 2: b\nmailbox 4: c\n"
		   "mailbox 8: d\nmailbox 10: e\nmailbox 20: f\n"
		   "mailbox 50: g\nmailbox 0: h\n" LISTED);
}

/* One flag does not stay for the next mailbox, nor a name that was cut off. */
static void
test_I7_list_literals(void **state)
{
	(void)state;
	check("lm",
	    LOGIN "* LIST (\\Noselect {8}\r\n)\r\nA2 OK) {1}\r\n/ {9}\r\n"
		  "A2 OK \"(x ({2}\r\n\r\n ((y)) \"z\")\r\n"
		  "* LIST () {0}\r\n {0}\r\n\r\n"
		  "* LIST () {1}\r\n. ~{3}\r\n\xc3\xa9!\r\nA2 OK x\r\n",
	    LOGGED "mailbox 0 noselect: A2 OK \"(x\n"
		   "mailbox 0: \\xc3\\xa9!\n" LISTED);
}

/* RFC 5258: what follows the name. */
static void
test_extended(void **state)
{
	(void)state;
	check("lm",
	    LOGIN "* LIST (\\NonExistent) \"/\" a (\"CHILDINFO\" "
		  "(\"SUBSCRIBED\"))\r\n"
		  "* LIST () \"/\" b (OLDNAME ({1}\r\nc)) x\r\nA2 OK x\r\n",
	    LOGGED "mailbox 0 noselect: a\nmailbox 0: b\n" LISTED);
}

static void
test_bad_list(void **state)
{
	static const struct {
		const char *in, *error;
	} v[] = {
		{ "\r\n", "LIST without flags" },
		{ "\"/\" x\r\n", "LIST without flags" },
		{ "(\r\n", "bad flags in a LIST response" },
		{ "((x)) \"/\" x\r\n", "bad flags in a LIST response" },
		{ "()\r\n", "bad delimiter in a LIST response" },
		{ "() / x\r\n", "bad delimiter in a LIST response" },
		{ "() (/) x\r\n", "bad delimiter in a LIST response" },
		{ "() \"/\"\r\n", "LIST without a name" },
		{ "() \"/\" (x)\r\n", "LIST without a name" },
		{ "() \"/\" {1048577}\r\n", "long literal that is no body" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char in[128], expected[128];

		(void)snprintf(in, sizeof(in), LOGIN "* LIST %s", v[i].in);
		(void)snprintf(expected, sizeof(expected),
		    LOGGED "error: %s\nleft 1\n", v[i].error);
		check("lm", in, expected);
	}
}

/* Given as it came: imap_name_decode() refuses it. */
static void
test_bytes_in_names(void **state)
{
	struct run_imap r = { .script = "lm" };
	struct trail_machine m = run_imap_machine(&r);
	static const char nul[] =
	    LOGIN "* LIST () \"/\" {5}\r\na\0\r\nb\r\n"
		  "* LIST (\\Junk) \"/\" d\r\nA2 OK x\r\n";

	(void)state;
	split_check(&m, span_make(nul, sizeof(nul) - 1),
	    LOGGED "mailbox 0: a\\x00\\r\\nb\nmailbox 10: d\n" LISTED);
}

/* A name of n bytes in each of its forms, and a short one behind. */
static void
check_length(size_t n, const char *front, const char *behind, bool fits)
{
	struct run_imap r = { .script = "lm" };
	struct trail_machine m = run_imap_machine(&r);
	char in[4096], expected[4096];
	char name[IMAP_MAILBOX_MAX + 2];

	memset(name, 'x', n);
	name[n] = '\0';
	(void)snprintf(in, sizeof(in),
	    LOGIN "* LIST () \"/\" %s%s%s\r\n* LIST () \"/\" y\r\nA2 OK x\r\n",
	    front, name, behind);
	(void)snprintf(expected, sizeof(expected),
	    LOGGED "mailbox 0: %s\nmailbox 0: y\n" LISTED, fits ? name : "");
	split_check(&m, span_str(in), expected);
}

static void
test_long_names(void **state)
{
	(void)state;
	check_length(IMAP_MAILBOX_MAX, "", "", true);
	check_length(IMAP_MAILBOX_MAX, "\"", "\"", true);
	check_length(IMAP_MAILBOX_MAX, "{1024}\r\n", "", true);
	check_length(IMAP_MAILBOX_MAX + 1, "", "", false);
	check_length(IMAP_MAILBOX_MAX + 1, "\"", "\"", false);
	check_length(IMAP_MAILBOX_MAX + 1, "{1025}\r\n", "", false);
}

/* Only what answers our LIST: not before the login, not unasked. */
static void
test_unasked(void **state)
{
	(void)state;
	check("mn",
	    "* OK hi\r\n* LIST () \"/\" a\r\n* LIST broken\r\nA1 NO x\r\n",
	    "done 0 ok 0: hi\ndone 16 no 0: x\nleft 1\n");
	check("ln", LOGIN "* LIST () \"/\" a\r\n* LIST broken\r\nA2 OK x\r\n",
	    LOGGED "done 11 ok 0: x\nleft 0\n");
	check("lm,n",
	    LOGIN "* LIST () \"/\" a\r\nA2 OK x\r\n* LIST () \"/\" b\r\n"
		  "A3 OK x\r\n",
	    LOGGED "mailbox 0: a\ndone 16 ok 0: x\n"
		   "done 11 ok 0: x\nleft 0\n");
}

static void
test_capabilities(void **state)
{
	(void)state;
	check("l",
	    "* OK hi\r\nA1 OK [CAPABILITY IMAP4rev1 special-use LIST-EXTENDED "
	    "X-GM-EXT-1] in\r\n",
	    "done 0 ok 0: hi\ndone 2 ok 1: [CAPABILITY IMAP4rev1 special-use "
	    "LIST-EXTENDED X-GM-EXT-1] in\n"
	    "caps rev1 special-use list-extended gmail sasl=\nleft 0\n");
}

/* What is sent, by what is offered. */
static void
test_command(void **state)
{
	static const struct {
		const char *caps, *pattern, *wire;
	} v[] = {
		{ "", "*", "A1 LIST \"\" \"*\"\r\n" },
		{ "SPECIAL-USE", "*", "A1 LIST \"\" \"*\"\r\n" },
		{ "LIST-EXTENDED", "*", "A1 LIST \"\" \"*\"\r\n" },
		{ "SPECIAL-USE LIST-EXTENDED", "%",
		    "A1 LIST \"\" \"%\" RETURN (SPECIAL-USE)\r\n" },
		{ "", "&AOk-/*", "A1 LIST \"\" \"&AOk-/*\"\r\n" },
		{ "SPECIAL-USE IMAP4rev2", "INBOX",
		    "A1 LIST \"\" INBOX RETURN (SPECIAL-USE)\r\n" },
		{ "", "a\"\\", "A1 LIST \"\" \"a\\\"\\\\\"\r\n" },
		{ "", "", "A1 LIST \"\" \"\"\r\n" },
		{ "", "a\r\nA9 LOGOUT", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char hi[80];
		struct imap_event e;
		struct imap m;

		(void)snprintf(
		    hi, sizeof(hi), "* OK [CAPABILITY %s] hi\r\n", v[i].caps);
		imap_init(&m);
		(void)imap_recv(&m, span_str(hi));
		assert_true(imap_next(&m, &e));
		assert_int_equal(
		    imap_list(&m, span_str(v[i].pattern)), *v[i].wire != '\0');
		assert_true(span_is(imap_out(&m), v[i].wire));
		imap_free(&m);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_special_use),
		cmocka_unit_test(test_I7_list_literals),
		cmocka_unit_test(test_extended),
		cmocka_unit_test(test_bad_list),
		cmocka_unit_test(test_bytes_in_names),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_command),
	};

	return cmocka_run_group_tests_name("imap_list", tests, NULL, NULL);
}
