/* SPDX-License-Identifier: ISC */
#include "proto/imap.h"

#include "../run_imap.h"
#include "split.h"

#define KEYWORD "Mailhaul-Relayed-ab12"
#define LOGIN "* OK hi\r\nA1 OK in\r\n"
#define LOGGED "done 0 ok 0: hi\ndone 2 ok 0: in\n"
#define SELECT LOGIN "* OK [UIDVALIDITY 7] x\r\nA2 OK sel\r\n"
#define SELECTED LOGGED "done 5 ok 0: sel\n"
#define VALIDITY " validity=1:7 next=0:0 0\n"

static void
check(const char *script, const char *in, const char *expected)
{
	struct run_imap r = { .script = script };
	struct trail_machine m = run_imap_machine(&r);

	split_check(&m, span_str(in), expected);
}

static void
test_permanent_flags(void **state)
{
	static const struct {
		const char *code, *box;
	} v[] = {
		{ "PERMANENTFLAGS (\\Deleted \\Seen \\*)", " keyword" },
		{ "permanentflags (\\*)", " keyword" },
		{ "PERMANENTFLAGS (\\Seen " KEYWORD " \\*)", " keyword" },
		{ "PERMANENTFLAGS (mailhaul-RELAYED-AB12)", " keyword" },
		{ "PERMANENTFLAGS (a]b \\* [c)", " keyword" },
		{ "PERMANENTFLAGS ()", "" },
		{ "PERMANENTFLAGS (\\Seen x" KEYWORD " " KEYWORD "x)", "" },
		{ "PERMANENTFLAGS (\\*x)", "" },
		{ "PERMANENTFLAGS (\\* x", "" },
		{ "PERMANENTFLAGS \\*", "" },
		{ "PERMANENTFLAGS", "" },
		{ "PERMANENTFLAGSX (\\*)", "" },
		{ "FLAGS (\\*)", "" },
		/* The last one counts. */
		{ "PERMANENTFLAGS (\\* " KEYWORD ")]\r\n"
		  "* OK [PERMANENTFLAGS (\\Seen)",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char in[256], expected[256];

		(void)snprintf(in, sizeof(in),
		    LOGIN "* OK [UIDVALIDITY 7]\r\n* OK [%s] x\r\nA2 OK x\r\n",
		    v[i].code);
		(void)snprintf(expected, sizeof(expected),
		    LOGGED "done 5 ok 0: x\nbox%s" VALIDITY "left 0\n",
		    v[i].box);
		check("ls", in, expected);
	}
}

/* Of this mailbox, not of the one before or of none. */
static void
test_whose_flags(void **state)
{
	(void)state;
	check(
	    "l", LOGIN "* OK [PERMANENTFLAGS (\\*)] x\r\n", LOGGED "left 0\n");
	check("ls",
	    "* OK hi\r\n* OK [PERMANENTFLAGS (\\*)] x\r\nA1 OK in\r\n"
	    "* OK [UIDVALIDITY 7] x\r\nA2 OK sel\r\n",
	    SELECTED "box" VALIDITY "left 0\n");
	check("lss",
	    LOGIN "* OK [UIDVALIDITY 6] x\r\n"
		  "* OK [PERMANENTFLAGS (\\*)] x\r\nA2 OK sel\r\n"
		  "* OK [UIDVALIDITY 7] x\r\nA3 OK sel\r\n",
	    SELECTED "done 5 ok 0: sel\nbox" VALIDITY "left 0\n");
	/* A keyword was made in mid-session. */
	check("lsn",
	    SELECT "* FLAGS (\\Seen " KEYWORD ")\r\n"
		   "* OK [PERMANENTFLAGS (" KEYWORD " \\*)] x\r\nA3 OK x\r\n",
	    SELECTED "done 11 ok 0: x\nbox keyword" VALIDITY "left 0\n");
}

/* 200 keywords in 10 kB, and then a list of almost IMAP_TOKEN_MAX: what counts
 * stands at the end. */
static void
test_many_keywords(void **state)
{
	static const struct {
		unsigned count;
		const char *box;
	} v[] = { { 200, " keyword" }, { 1280, " keyword" } };

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		static char in[2 * IMAP_TOKEN_MAX];
		struct run_imap r = { .script = "ls" };
		struct trail_machine m = run_imap_machine(&r);
		size_t n = (size_t)snprintf(in, sizeof(in),
		    LOGIN "* OK [UIDVALIDITY 7]\r\n* OK [PERMANENTFLAGS (");
		char expected[200];

		for (unsigned k = 0; k < v[i].count; k++)
			n += (size_t)snprintf(in + n, sizeof(in) - n,
			    "keyword-of-somebody-else-number-%018u ", k);
		n += (size_t)snprintf(
		    in + n, sizeof(in) - n, KEYWORD " \\*)] x\r\nA2 OK x\r\n");
		assert_true(n > v[i].count * 51);
		(void)snprintf(expected, sizeof(expected),
		    LOGGED "done 5 ok 0: x\nbox%s" VALIDITY "left 0\n",
		    v[i].box);
		split_one(&m, span_make(in, n), expected, n, 0);
		split_one(&m, span_make(in, n), expected, 0, 1);
		for (size_t cut = 1; cut < n; cut += 997)
			split_one(&m, span_make(in, n), expected, cut, 0);
	}
}

static void
test_search(void **state)
{
	(void)state;
	check("lsk", SELECT "* SEARCH 4 5 9\r\nA3 OK x\r\n",
	    SELECTED "uid 5\nuid 9\ndone 7 ok 0 found=2: x\nbox" VALIDITY
		     "left 0\n");
	check("lsk", SELECT "* SEARCH\r\nA3 OK x\r\n",
	    SELECTED "done 7 ok 0 found=0: x\nbox" VALIDITY "left 0\n");
	/* No answer is not an empty one. */
	check("lsk", SELECT "A3 BAD unknown keyword\r\n",
	    SELECTED "done 7 bad 0: unknown keyword\nbox" VALIDITY "left 0\n");
}

static void
test_store(void **state)
{
	(void)state;
	check("lsK", SELECT "A3 NO [LIMIT] x\r\n",
	    SELECTED "done 9 no 17: [LIMIT] x\nbox" VALIDITY "left 0\n");
	/* I4: the UIDs name other messages now. */
	check("lsnK", SELECT "* OK [UIDVALIDITY 8]\r\nA3 OK x\r\n",
	    SELECTED "done 11 ok 0: x\nrefused K\nbox changed" VALIDITY
		     "left 0\n");
	check("lsnk", SELECT "* OK [UIDVALIDITY 8]\r\nA3 OK x\r\n",
	    SELECTED "done 11 ok 0: x\nrefused k\nbox changed" VALIDITY
		     "left 0\n");
}

/* RFC 4315, 3502: UIDs in codes and in responses that nobody asked for. */
static void
test_unasked(void **state)
{
	(void)state;
	check("lsn",
	    SELECT "* OK [COPYUID 8 1:3 4:6] x\r\n* OK [APPENDUID 8 9] x\r\n"
		   "* 3 FETCH (UID 4 FLAGS (\\Seen " KEYWORD "))\r\n"
		   "* 3 FETCH (FLAGS ())\r\n* OK [UIDNOTSTICKY] x\r\n"
		   "* NO [HIGHESTMODSEQ 99999999999999999999] x\r\n"
		   "A3 OK [COPYUID 8 99999999999 ()] x\r\n",
	    SELECTED "fetched 4\nfetched 0\n"
		     "done 11 ok 1: [COPYUID 8 99999999999 ()] x\nbox" VALIDITY
		     "left 0\n");
}

static void
assert_out(struct imap *m, const char *expected)
{
	assert_true(span_is(imap_out(m), expected));
	imap_wrote(m, imap_out(m).n);
}

static void
hear(struct imap *m, const char *s)
{
	struct imap_event e;
	struct span in = span_str(s);

	while (in.n > 0) {
		in = span_skip(in, imap_recv(m, in));
		while (imap_next(m, &e))
			assert_int_not_equal(e.kind, IMAP_EV_ERROR);
	}
}

/* That any keyword may be made says nothing when we have none. */
static void
test_no_keyword(void **state)
{
	struct imap m;

	(void)state;
	imap_init(&m);
	hear(&m, "* OK hi\r\n");
	assert_true(imap_select(&m, span_str("INBOX"), false));
	hear(&m, "* OK [PERMANENTFLAGS (\\*  )] x\r\nA1 OK x\r\n");
	assert_true(m.mailbox.selected);
	assert_false(m.mailbox.keyword);
	imap_free(&m);
}

static void
test_commands(void **state)
{
	static const char *const bad[] = { "", "a b", "a\r\n", "\\Seen", "a(",
		"a)", "*", "%", "a]", "\"", "{1}", "\xc3\xa9" };
	char longest[IMAP_KEYWORD_MAX + 1];
	struct span set = span_str("3:7,9");
	struct imap m;

	(void)state;
	imap_init(&m);
	hear(&m, "* OK hi\r\n");
	assert_false(imap_store_keyword(&m, set));
	assert_false(imap_search_keyword(&m, 1));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(imap_keyword(&m, bad[i]));
	memset(longest, 'x', sizeof(longest));
	longest[IMAP_KEYWORD_MAX] = '\0';
	assert_false(imap_keyword(&m, longest));
	assert_false(imap_store_keyword(&m, set));
	assert_int_equal(imap_out(&m).n, 0);
	assert_true(imap_keyword(&m, longest + 1));
	assert_true(imap_store_keyword(&m, set));
	imap_wrote(&m, imap_out(&m).n);
	assert_true(imap_keyword(&m, KEYWORD));
	assert_true(imap_store_keyword(&m, set));
	assert_out(&m, "A2 UID STORE 3:7,9 +FLAGS.SILENT (" KEYWORD ")\r\n");
	assert_true(imap_search_keyword(&m, 5));
	assert_out(&m, "A3 UID SEARCH UID 5:* KEYWORD " KEYWORD "\r\n");
	assert_false(imap_search_keyword(&m, 0));
	assert_false(imap_store_keyword(&m, span_str("1:*")));
	imap_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_permanent_flags),
		cmocka_unit_test(test_whose_flags),
		cmocka_unit_test(test_many_keywords),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_store),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_no_keyword),
		cmocka_unit_test(test_commands),
	};

	return cmocka_run_group_tests_name("imap_keyword", tests, NULL, NULL);
}
