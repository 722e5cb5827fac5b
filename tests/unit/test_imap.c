/* SPDX-License-Identifier: ISC */
#include "proto/imap.h"

#include "../run_imap.h"
#include "split.h"

static void
check(const char *script, const char *in, const char *expected)
{
	struct run_imap r = { .script = script };
	struct trail_machine m = run_imap_machine(&r);

	split_check(&m, span_str(in), expected);
}

/* A session up to the tagged OK of SELECT; the next tag is A3. */
#define HI "* OK hi\r\n"
#define LOGIN HI "A1 OK in\r\n"
#define SELECT LOGIN "* 9 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\nA2 OK sel\r\n"
#define HELLO "done 0 ok 0: hi\n"
#define LOGGED HELLO "done 2 ok 0: in\n"
#define SELECTED LOGGED "done 5 ok 0: sel\n"
#define BOX "box validity=1:7 next=0:0 9\n"
#define LEFT1 BOX "left 1\n"

static void
test_greeting(void **state)
{
	static const char *const bad[] = { "\r\n", "A1 OK x\r\n", "+ x\r\n",
		"* NO x\r\n", "* BAD x\r\n", "* CAPABILITY IMAP4rev1\r\n" };

	(void)state;
	check("", HI, HELLO "left 0\n");
	check("", "* OK\r\n", "done 0 ok 0: \nleft 0\n");
	check("", "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\r\n",
	    "done 0 ok 1: [CAPABILITY IMAP4rev1 AUTH=PLAIN] hi\n"
	    "caps rev1 sasl=PLAIN\nleft 0\n");
	check("", "+OK POP3\r\n", "error: no IMAP greeting\nleft 1\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct run_imap r = { .script = "l" };
		struct trail_machine m = run_imap_machine(&r);
		struct trail t = trail_run(&m, span_str(bad[i]), 0, 0);

		assert_int_equal(strncmp(t.text, "error: no IMAP ", 15), 0);
		trail_free(&t);
	}
}

static void
test_T13_preauth(void **state)
{
	(void)state;
	check("l", "* PREAUTH hi\r\n",
	    "error: PREAUTH: logged in before we said who we are\nleft 1\n");
	check("l", HI "* PREAUTH hi\r\n",
	    HELLO "error: PREAUTH: logged in before we said who we are\n"
		  "left 1\n");
}

static void
test_I2_I3_uidvalidity(void **state)
{
	(void)state;
	check("lx",
	    LOGIN "* 3 EXISTS\r\n* OK [UIDVALIDITY 1666390893380] x\r\n"
		  "* OK [UIDNEXT 12]\r\n* FLAGS (\\Deleted)\r\nA2 OK x\r\n",
	    LOGGED "done 6 ok 0: x\n"
		   "box ro validity=1:1666390893380 next=1:12 3\nleft 0\n");
	check("ls", LOGIN "* OK [UIDVALIDITY 0] x\r\nA2 OK [READ-ONLY] x\r\n",
	    LOGGED "done 5 ok 20: [READ-ONLY] x\n"
		   "box ro validity=1:0 next=0:0 0\nleft 0\n");
	check("ls", LOGIN "A2 OK [READ-WRITE] x\r\n",
	    LOGGED "done 5 ok 21: [READ-WRITE] x\n"
		   "box validity=0:0 next=0:0 0\nleft 0\n");
	check("ls", LOGIN "* OK [UIDVALIDITY -1] x\r\n",
	    LOGGED "error: bad UIDVALIDITY\nleft 1\n");
	check("ls", LOGIN "* OK [UIDNEXT 99999999999999999999] x\r\n",
	    LOGGED "error: bad UIDNEXT\nleft 1\n");
}

static void
test_I4_uidvalidity_in_mid_session(void **state)
{
	(void)state;
	check("lsnte",
	    SELECT "* OK [UIDVALIDITY 7]\r\n* OK [UIDVALIDITY 8]\r\n"
		   "A3 OK\r\n",
	    SELECTED "done 11 ok 0: \nrefused t\n"
		     "box changed validity=1:7 next=0:0 9\nleft 0\n");
	/* A failed SELECT leaves nothing selected. */
	check("lsx", SELECT "* 4 EXISTS\r\nA3 NO [NONEXISTENT] x\r\n",
	    SELECTED "done 6 no 11: [NONEXISTENT] x\nleft 0\n");
	check(
	    "lsu", SELECT "A3 OK x\r\n", SELECTED "done 12 ok 0: x\nleft 0\n");
}

static void
test_I5_search_filter(void **state)
{
	(void)state;
	check("lsf", SELECT "* SEARCH 4\r\nA3 OK x\r\n",
	    SELECTED "done 7 ok 0 found=0: x\n" BOX "left 0\n");
	check("lsf", SELECT "* SEARCH 5 4294967295  7 \r\nA3 OK x\r\n",
	    SELECTED "uid 5\nuid 4294967295\nuid 7\n"
		     "done 7 ok 0 found=3: x\n" BOX "left 0\n");
	check("lsd", SELECT "* SEARCH\r\n* SEARCH 1 (MODSEQ 9)\r\nA3 OK x\r\n",
	    SELECTED "uid 1\ndone 7 ok 0 found=1: x\n" BOX "left 0\n");
	check("lsd", SELECT "A3 OK x\r\n",
	    SELECTED "done 7 ok 0: x\n" BOX "left 0\n");
	check("lsn", SELECT "* SEARCH 1\r\n",
	    SELECTED "error: SEARCH answer to no question\n" LEFT1);
	for (const char *const *bad = (const char *const[]){ "0", "-1",
		 "4294967296", "1,2", "1:2", "*", "\"1\"", "{1}\r\n1",
		 "99999999999999999999", ")", NULL };
	     *bad != NULL; bad++) {
		char in[200];

		(void)snprintf(in, sizeof(in), SELECT "* SEARCH %s\r\n", *bad);
		check("lsd", in,
		    SELECTED "error: bad UID in a SEARCH answer\n" LEFT1);
	}
}

static void
test_I6_body_sizes(void **state)
{
	(void)state;
	check("lsb", SELECT "* 1 FETCH (UID 4 BODY[] {5}\r\na\r\nbc)\r\n",
	    SELECTED "begin 4 5\nbody: a\\r\\nbc\nfetched 4 body\n" LEFT1);
	check("lsb", SELECT "* 1 FETCH (UID 4 BODY[] ~{1}\r\na)\r\n",
	    SELECTED "begin 4 1\nbody: a\nfetched 4 body\n" LEFT1);
	check("lsb", SELECT "* 1 FETCH (UID 4 BODY[] {4294967295}\r\nab",
	    SELECTED "begin 4 4294967295\nbody: ab\n" LEFT1);
	check("lsb", SELECT "* 1 FETCH (BODY[] {-1}\r\n",
	    SELECTED "error: bad literal size\n" LEFT1);
	/* A long one is welcome only where a message was asked for. */
	check("lsb", SELECT "* 1 FETCH (X {1048577}\r\n",
	    SELECTED "error: long literal that is no body\n" LEFT1);
	check("lsn", SELECT "* 1 FETCH (BODY[] {1}\r\n",
	    SELECTED "error: body that was not asked for\n" LEFT1);
}

static void
test_I7_literals_anywhere(void **state)
{
	(void)state;
	check("lsb",
	    SELECT "* LIST () {1}\r\n/ {9}\r\n* BYE x\r\n\r\n"
		   "* FLAGS ({2}\r\n\r\n)\r\n"
		   "* 1 FETCH (FLAGS ({8}\r\n\\Deleted) X ({3}\r\n)))) UID 4 "
		   "Y {4}\r\nA3 O)\r\nA3 OK x\r\n",
	    SELECTED "fetched 4\ndone 8 ok 0: x\n" BOX "left 0\n");
}

static void
test_I9_nil_body(void **state)
{
	(void)state;
	check("lsb",
	    SELECT "* 1 FETCH (UID 4 BODY[] NIL)\r\n"
		   "* 2 FETCH (UID 5 BODY[] \"\")\r\n"
		   "* 3 FETCH (UID 6 BODY[] {0}\r\n)\r\n"
		   "* 4 FETCH (UID 7)\r\n"
		   "* 5 FETCH (UID 8 BODY[] [None])\r\n"
		   "* 6 FETCH (UID 9 BODY[] (\"x\"))\r\n"
		   "* 7 FETCH ()\r\nA3 OK x\r\n",
	    SELECTED "fetched 4\nbegin 5 0\nfetched 5 body\nbegin 6 0\n"
		     "fetched 6 body\nfetched 7\nfetched 8\nfetched 9\n"
		     "fetched 0\ndone 8 ok 0: x\n" BOX "left 0\n");
}

static void
test_I9_quoted_body(void **state)
{
	(void)state;
	check("lsb", SELECT "* 1 FETCH (BODY[] \"a\\\"b\" UID 4)\r\n",
	    SELECTED "begin 0 3\nbody: a\"b\nfetched 4 body\n" LEFT1);
}

static void
test_I10_other_items(void **state)
{
	(void)state;
	check("lsb",
	    SELECT
	    "* 1 FETCH (FLAGS (\\Seen \\deleted $x) MODSEQ (12) ENVELOPE "
	    "(\"d\" {2}\r\n)( (NIL (\"a\" NIL))) BODY[] {1}\r\na X-Y NIL "
	    "RFC822.SIZE 77 uid 4 BODY[1]<0> {2}\r\n)) Z (()()))\r\n"
	    "* 2 FETCH (FLAGS ())\r\n",
	    SELECTED "begin 0 1\nbody: a\nfetched 4 size=77 body deleted\n"
		     "fetched 0\n" LEFT1);
	check("lsz",
	    SELECT "* 1 FETCH (UID 1 RFC822.SIZE 9223372036854775807)\r\n"
		   "* 1 FETCH (RFC822.SIZE NIL UID 1)\r\n",
	    SELECTED "fetched 1 size=9223372036854775807\nfetched 1\n" LEFT1);
}

static void
test_I10_bad_fetch(void **state)
{
	static const struct {
		const char *in, *error;
	} v[] = {
		{ "UID 1", "FETCH without a list" },
		{ "(UID 0)", "bad UID in a FETCH response" },
		{ "(UID 4294967296)", "bad UID in a FETCH response" },
		{ "(UID \"1\")", "bad UID in a FETCH response" },
		{ "(UID (1))", "bad UID in a FETCH response" },
		{ "(UID 1 UID 2)", "two UIDs in a FETCH response" },
		{ "(UID)", "FETCH item without a value" },
		{ "(UID", "FETCH item without a value" },
		{ "(\"UID\" 1)", "FETCH item without a name" },
		{ "(UID 1", "FETCH item without a name" },
		{ "() x", "FETCH response without an end" },
		{ "(RFC822.SIZE 9223372036854775808)", "bad RFC822.SIZE" },
		{ "(RFC822.SIZE -1)", "bad RFC822.SIZE" },
		{ "(FLAGS (a (b)))", "bad FLAGS in a FETCH response" },
		{ "(FLAGS (a", "bad FLAGS in a FETCH response" },
		{ "(X (a", "line ends in a list" },
		{ "(X (((((((((((((((((((((((((((((((((",
		    "lists nested too deep" },
		{ "(BODY[] \"\" BODY[] \"\")", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char in[256], expected[256];

		(void)snprintf(
		    in, sizeof(in), SELECT "* 1 FETCH %s\r\n", v[i].in);
		(void)snprintf(expected, sizeof(expected),
		    SELECTED "%serror: %s\n" LEFT1,
		    v[i].error == NULL ? "begin 0 0\n" : "",
		    v[i].error == NULL ? "body that was not asked for"
				       : v[i].error);
		check("lsb", in, expected);
	}
}

static void
test_I12_other_clients(void **state)
{
	(void)state;
	check("lsn",
	    SELECT
	    "* 2 EXPUNGE\r\n* 12 EXISTS\r\n* 1 RECENT\r\n* VANISHED 1\r\n"
	    "A3 OK x\r\n",
	    SELECTED "expunged\nexists 12\ndone 11 ok 0: x\n"
		     "box validity=1:7 next=0:0 12\nleft 0\n");
	check("lsn", SELECT "* 99999999999 EXISTS\r\n",
	    SELECTED "error: bad number in a response\n" LEFT1);
	check("lsn", SELECT "* 1 EXISTS x\r\n",
	    SELECTED "error: EXISTS or EXPUNGE without an end\n" LEFT1);
}

static void
test_I16_bye(void **state)
{
	(void)state;
	check("l", "* BYE [UNAVAILABLE] full\r\n",
	    "bye: [UNAVAILABLE] full\nleft 1\n");
	/* Throttling is a warning: the tagged reply is still to come. */
	check("lsn",
	    SELECT "* BAD Request is throttled.\r\n* NO x\r\nA3 OK\r\n",
	    SELECTED "done 11 ok 0: \n" BOX "left 0\n");
}

static void
test_I21_wrong_tags(void **state)
{
	static const char *const bad[] = { "A2 OK x", "a1 x", "B1 OK x",
		"A01 OK x", "OK x", "(A1) OK x", "\"A1\" OK x", "" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char in[80];

		(void)snprintf(in, sizeof(in), HI "%s\r\n", bad[i]);
		check("l", in,
		    i == 1 ? HELLO "error: tagged response is neither OK nor "
				   "NO nor BAD\nleft 1\n"
			   : HELLO
			"error: response with a wrong tag\nleft 1\n");
	}
	check("", HI "A0 OK x\r\n",
	    HELLO "error: response with a wrong tag\nleft 0\n");
	check("l", HI "A1 BYE x\r\n",
	    HELLO "error: tagged response is neither OK nor NO nor BAD\n"
		  "left 1\n");
	check("l", HI "+ go on\r\n",
	    HELLO "error: \"+\" that nobody waits for\nleft 1\n");
	check("", HI "+\r\n",
	    HELLO "error: \"+\" that nobody waits for\nleft 0\n");
}

static void
test_I22_pipelined(void **state)
{
	(void)state;
	check("lsd,b,n",
	    SELECT "* SEARCH 2\r\nA3 OK a\r\n* 1 FETCH (UID 2 BODY[] {1}\r\nx)"
		   "\r\nA4 NO [SERVERBUG] b\r\nA5 OK c\r\n",
	    SELECTED "uid 2\ndone 7 ok 0 found=1: a\nbegin 2 1\nbody: x\n"
		     "fetched 2 body\ndone 8 no 14: [SERVERBUG] b\n"
		     "done 11 ok 0: c\n" BOX "left 0\n");
	check("lsd,n", SELECT "A4 OK c\r\n",
	    SELECTED "error: response with a wrong tag\n"
		     "box validity=1:7 next=0:0 9\nleft 2\n");
}

static void
test_I23_too_long(void **state)
{
	static char in[IMAP_TOKEN_MAX + 64];
	struct run_imap r = { .script = "" };
	struct trail_machine m = run_imap_machine(&r);
	static char many[64 + 3 * 16400];
	size_t n;

	(void)state;
	memset(in, 'x', sizeof(in));
	memcpy(in, "* OK ", 5);
	split_one(&m, span_make(in, sizeof(in)),
	    "error: token or line too long\nleft 1\n", 0, 0);
	split_one(&m, span_make(in, sizeof(in)),
	    "error: token or line too long\nleft 1\n", 0, 1);
	n = (size_t)snprintf(many, sizeof(many), HI "* FLAGS ");
	for (; n + 1 < sizeof(many); n += 2)
		memcpy(many + n, "x ", 2);
	split_one(&m, span_make(many, n),
	    HELLO "error: response without an end\nleft 0\n", 0, 0);
}

static void
test_I24_capabilities_after_login(void **state)
{
	(void)state;
	/* What was said before the login is forgotten with it ... */
	check("cl",
	    HI "* CAPABILITY IMAP4rev1 AUTH=PLAIN auth=login LOGINDISABLED\r\n"
	       "A1 OK\r\nA2 OK in\r\n",
	    HELLO "done 1 ok 0: \ndone 2 ok 0: in\nleft 0\n");
	/* ... but a list that comes with it counts. */
	check("cl",
	    HI "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA1 OK\r\n"
	       "A2 OK [CAPABILITY IMAP4rev1 UIDPLUS LITERAL+ ID] in\r\n",
	    HELLO "done 1 ok 0: \n"
		  "done 2 ok 1: [CAPABILITY IMAP4rev1 UIDPLUS LITERAL+ ID] in\n"
		  "caps rev1 id uidplus literal+ sasl=\nleft 0\n");
	check("l", HI "* CAPABILITY IMAP4rev2 CONDSTORE\r\nA1 OK in\r\n",
	    LOGGED "caps rev2 idle uidplus unselect move sasl-ir condstore "
		   "esearch list-extended sasl=\nleft 0\n");
	check("cl", HI "* CAPABILITY IMAP4rev1 AUTH=X\r\nA1 OK\r\nA2 NO\r\n",
	    HELLO "done 1 ok 0: \ndone 2 no 0: \ncaps rev1 sasl=X\nleft 0\n");
	check("c", HI "* CAPABILITY (X)\r\n",
	    HELLO "error: bad capability list\nleft 1\n");
}

static void
test_before_login(void **state)
{
	(void)state;
	check("ls",
	    HI "* 5 EXISTS\r\n* SEARCH 1\r\n* 1 FETCH (BODY[] {3}\r\nabc)\r\n"
	       "* LIST () \"/\" x\r\n* OK [UIDVALIDITY 3] x\r\n* 99999999999 "
	       "X\r\n* STATUS {1}\r\nx (A 1)\r\nA1 OK in\r\nA2 OK x\r\n",
	    LOGGED "done 5 ok 0: x\nbox validity=0:0 next=0:0 0\nleft 0\n");
}

static void
test_I31_codes(void **state)
{
	static const char *const codes[] = { [IMAP_CODE_OTHER] = "X-FOO",
		[IMAP_CODE_ALERT] = "ALERT",
		[IMAP_CODE_AUTHENTICATIONFAILED] = "authenticationFailed",
		[IMAP_CODE_AUTHORIZATIONFAILED] = "AUTHORIZATIONFAILED",
		[IMAP_CODE_EXPIRED] = "EXPIRED",
		[IMAP_CODE_PRIVACYREQUIRED] = "PRIVACYREQUIRED",
		[IMAP_CODE_CONTACTADMIN] = "CONTACTADMIN",
		[IMAP_CODE_NOPERM] = "NOPERM",
		[IMAP_CODE_INUSE] = "INUSE",
		[IMAP_CODE_UNAVAILABLE] = "UNAVAILABLE",
		[IMAP_CODE_NONEXISTENT] = "NONEXISTENT",
		[IMAP_CODE_EXPUNGEISSUED] = "EXPUNGEISSUED",
		[IMAP_CODE_CORRUPTION] = "CORRUPTION",
		[IMAP_CODE_SERVERBUG] = "SERVERBUG",
		[IMAP_CODE_CLIENTBUG] = "CLIENTBUG",
		[IMAP_CODE_CANNOT] = "CANNOT",
		[IMAP_CODE_LIMIT] = "LIMIT",
		[IMAP_CODE_OVERQUOTA] = "OVERQUOTA",
		[IMAP_CODE_REFERRAL] = "REFERRAL imap://x/;AUTH=*@y" };

	(void)state;
	for (size_t i = 1; i < sizeof(codes) / sizeof(codes[0]); i++) {
		char in[128], expected[128];

		(void)snprintf(in, sizeof(in), HI "A1 NO [%s] x\r\n", codes[i]);
		(void)snprintf(expected, sizeof(expected),
		    HELLO "done 2 no %zu: [%s] x\nleft 0\n", i, codes[i]);
		check("l", in, expected);
	}
	check("l", HI "A1 NO\r\n", HELLO "done 2 no 0: \nleft 0\n");
	check("l", HI "A1 NO [ALERT x\r\n",
	    HELLO "done 2 no 0: [ALERT x\nleft 0\n");
	check("l", HI "A1 NO []\r\n", HELLO "done 2 no 1: []\nleft 0\n");
}

static void
test_I32_logout(void **state)
{
	(void)state;
	check("lq", LOGIN "* BYE bye\r\nA2 OK x\r\n",
	    LOGGED "bye: bye\ndone 13 ok 0: x\nleft 0\n");
}

static void
test_authenticate(void **state)
{
	(void)state;
	check("a", HI "+ \r\nA1 OK in\r\n",
	    HELLO "challenge: \ndone 3 ok 0: in\nleft 0\n");
	check("a", HI "+\r\n+ abc=\r\nA1 NO no\r\n",
	    HELLO "challenge: \nchallenge: abc=\ndone 3 no 0: no\nleft 0\n");
	/* The initial response answers the first challenge by itself. */
	check("A", HI "+ \r\nA1 OK in\r\n", HELLO "done 3 ok 0: in\nleft 0\n");
	check("A", HI "+ \r\n+ x\r\nA1 OK in\r\n",
	    HELLO "challenge: x\ndone 3 ok 0: in\nleft 0\n");
	check("A", HI "A1 OK in\r\n",
	    HELLO "error: OK to half a command\nleft 1\n");
	check("A", HI "A1 NO no\r\n", HELLO "done 3 no 0: no\nleft 0\n");
}

static void
test_login_literals(void **state)
{
	(void)state;
	check("L", HI "+ go\r\n+\r\nA1 OK in\r\n", LOGGED "left 0\n");
	check("L", HI "+ go\r\n+\r\n+\r\n",
	    HELLO "error: \"+\" that nobody waits for\nleft 1\n");
	check("L", HI "+ go\r\nA1 BAD no\r\n",
	    HELLO "done 2 bad 0: no\nleft 0\n");
}

/* --- commands ------------------------------------------------------------ */

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

static void
greet(struct imap *m)
{
	imap_init(m);
	hear(m, HI);
}

static void
assert_out(struct imap *m, const char *expected)
{
	struct span out = imap_out(m);

	if (!span_is(out, expected))
		print_error("%.*s", (int)out.n, out.p);
	assert_true(span_is(out, expected));
	imap_wrote(m, out.n);
}

static void
test_commands(void **state)
{
	struct imap m;
	struct span set = span_str("3:7,9");

	(void)state;
	imap_init(&m);
	assert_false(imap_simple(&m, IMAP_CAPABILITY));
	hear(&m, HI);
	assert_true(imap_simple(&m, IMAP_CAPABILITY));
	assert_out(&m, "A1 CAPABILITY\r\n");
	assert_true(imap_id(&m, "mailhaul", "1.0"));
	assert_out(&m, "A2 ID (\"name\" \"mailhaul\" \"version\" \"1.0\")\r\n");
	assert_true(imap_search_from(&m, 5));
	assert_out(&m, "A3 UID SEARCH UID 5:*\r\n");
	assert_true(imap_search_deleted(&m, set));
	assert_out(&m, "A4 UID SEARCH UID 3:7,9 DELETED\r\n");
	assert_true(imap_fetch_sizes(&m, set));
	assert_out(&m, "A5 UID FETCH 3:7,9 (UID RFC822.SIZE)\r\n");
	assert_true(imap_fetch_bodies(&m, set));
	assert_out(&m, "A6 UID FETCH 3:7,9 (UID BODY.PEEK[])\r\n");
	assert_true(imap_store_deleted(&m, set));
	assert_out(&m, "A7 UID STORE 3:7,9 +FLAGS.SILENT (\\Deleted)\r\n");
	assert_true(imap_expunge(&m, set));
	assert_out(&m, "A8 UID EXPUNGE 3:7,9\r\n");
	while (imap_outstanding(&m) < IMAP_WINDOW)
		assert_true(imap_simple(&m, IMAP_NOOP));
	assert_false(imap_simple(&m, IMAP_NOOP));
	assert_int_equal(imap_outstanding(&m), IMAP_WINDOW);
	imap_free(&m);
}

static void
test_policies(void **state)
{
	struct span set = span_str("3:7,9");
	struct imap m;

	(void)state;
	greet(&m);
	assert_true(imap_store_seen(&m, set));
	assert_out(&m, "A1 UID STORE 3:7,9 +FLAGS.SILENT (\\Seen)\r\n");
	assert_true(imap_copy(&m, set, span_str("Old mail")));
	assert_out(&m, "A2 UID COPY 3:7,9 \"Old mail\"\r\n");
	assert_true(imap_move(&m, set, span_str("Archive/2026")));
	assert_out(&m, "A3 UID MOVE 3:7,9 Archive/2026\r\n");
	assert_false(imap_move(&m, set, span_str("a\r\nA9 LOGOUT")));
	m.mailbox.uidvalidity_changed = true;
	assert_false(imap_store_seen(&m, set));
	assert_false(imap_copy(&m, set, span_str("x")));
	assert_false(imap_move(&m, set, span_str("x")));
	imap_free(&m);
}

static void
test_I13_no_plain_expunge(void **state)
{
	struct imap m;

	(void)state;
	for (unsigned cmd = 0; cmd <= IMAP_COMMANDS; cmd++) {
		greet(&m);
		if (imap_simple(&m, (enum imap_command)cmd))
			assert_null(memmem(
			    imap_out(&m).p, imap_out(&m).n, "EXPUNGE", 7));
		imap_free(&m);
	}
	greet(&m);
	assert_false(imap_expunge(&m, span_str("")));
	assert_false(imap_expunge(&m, span_str("1:*")));
	assert_false(imap_store_deleted(&m, span_str("1 2")));
	assert_false(imap_fetch_bodies(&m, span_str("1\r\nA9 X")));
	imap_free(&m);
}

static void
test_I26_mailbox_names(void **state)
{
	static const struct {
		const char *name, *wire;
	} v[] = {
		{ "INBOX", "INBOX" },
		{ "", "\"\"" },
		{ "nil", "\"nil\"" },
		{ "../../x", "../../x" },
		{ "[Gmail]/All Mail", "\"[Gmail]/All Mail\"" },
		{ "&AOk-", "\"&AOk-\"" },
		{ "a*%", "\"a*%\"" },
		{ "a\"b\\c", "\"a\\\"b\\\\c\"" },
		{ "tab\t", "\"tab\t\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct imap m;
		char expected[80];

		(void)snprintf(
		    expected, sizeof(expected), "A1 EXAMINE %s\r\n", v[i].wire);
		greet(&m);
		assert_true(imap_select(&m, span_str(v[i].name), true));
		assert_out(&m, expected);
		imap_free(&m);
	}
}

static void
test_literal_waits(void **state)
{
	struct imap m;

	(void)state;
	greet(&m);
	assert_true(imap_login(&m, span_str("m\xc3\xa9"), span_str("p\xff w")));
	assert_out(&m, "A1 LOGIN {3}\r\n");
	assert_false(imap_simple(&m, IMAP_NOOP));
	hear(&m, "+ go\r\n");
	assert_out(&m, "m\xc3\xa9 {4}\r\n");
	assert_true(m.after_continue.secret);
	hear(&m, "+ go\r\n");
	assert_true(m.out.secret);
	assert_out(&m, "p\xff w\r\n");
	assert_false(m.out.secret);
	hear(&m, "A1 OK [CAPABILITY IMAP4rev1 LITERAL+] x\r\n");
	assert_true(imap_select(&m, span_str("\xff"), false));
	assert_out(&m, "A2 SELECT {1+}\r\n\xff\r\n");
	imap_free(&m);
}

static void
test_authenticate_lines(void **state)
{
	struct imap m;

	(void)state;
	greet(&m);
	assert_true(imap_authenticate(&m, "PLAIN", span_str("AA==")));
	assert_out(&m, "A1 AUTHENTICATE PLAIN\r\n");
	assert_false(imap_auth_line(&m, span_str("AA==")));
	assert_false(imap_simple(&m, IMAP_NOOP));
	hear(&m, "+ \r\n");
	assert_out(&m, "AA==\r\n");
	hear(&m, "+ more\r\n");
	assert_true(imap_auth_line(&m, span_str("*")));
	assert_true(m.out.secret);
	assert_out(&m, "*\r\n");
	hear(&m, "A1 NO x\r\n* CAPABILITY IMAP4rev1 SASL-IR\r\n");
	assert_true(imap_authenticate(&m, "PLAIN", span_str("AA==")));
	assert_out(&m, "A2 AUTHENTICATE PLAIN AA==\r\n");
	hear(&m, "A2 NO x\r\n");
	assert_false(imap_authenticate(&m, "PLAIN", span_str("A A")));
	assert_false(imap_authenticate(&m, "PL AIN", span_str("")));
	assert_false(imap_authenticate(&m, "", span_str("")));
	imap_free(&m);
}

/* What does not fit into a command line waits for a "+" in spite of SASL-IR. */
static void
test_authenticate_long(void **state)
{
	static char token[12001];
	struct imap m;

	(void)state;
	memset(token, 'A', sizeof(token) - 1);
	greet(&m);
	hear(&m, "* CAPABILITY IMAP4rev1 SASL-IR\r\n");
	assert_true(imap_authenticate(&m, "XOAUTH2", span_str(token)));
	assert_out(&m, "A1 AUTHENTICATE XOAUTH2\r\n");
	hear(&m, "+ \r\n");
	assert_int_equal(imap_out(&m).n, 12002);
	imap_wrote(&m, 12002);
	/* the server's complaint, and the empty answer to it */
	hear(&m, "+ e30=\r\n");
	assert_true(imap_auth_line(&m, span_str("")));
	assert_out(&m, "\r\n");
	imap_free(&m);
}

static void
test_secret_is_wiped(void **state)
{
	struct imap m;
	const char *at;
	size_t n;

	(void)state;
	greet(&m);
	assert_true(imap_login(&m, span_str("me"), span_str("hunter2")));
	assert_true(m.out.secret);
	at = imap_out(&m).p;
	n = imap_out(&m).n;
	imap_wrote(&m, 5);
	assert_true(m.out.secret);
	imap_wrote(&m, n - 5);
	assert_false(m.out.secret);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(at[i], 0);
	imap_free(&m);
}

/* Whatever byte an argument holds: a command is one line, or it is a literal
 * announced by its size, or it is refused. */
static void
test_arguments_stay_in_their_line(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char arg[3] = { 'a', (char)c, 'b' };
		struct span s = span_make(arg, 3);
		bool fine = c != 0 && c != '\r' && c != '\n';
		struct imap m;
		struct span out;

		greet(&m);
		assert_int_equal(imap_select(&m, s, false), fine);
		out = imap_out(&m);
		if (out.n > 0) {
			assert_ptr_equal(
			    memchr(out.p, '\n', out.n), out.p + out.n - 1);
			assert_null(memchr(out.p, '\0', out.n));
		}
		imap_free(&m);
		greet(&m);
		assert_int_equal(imap_login(&m, s, s), fine);
		assert_int_equal(imap_outstanding(&m), fine ? 1 : 0);
		imap_free(&m);
	}
}

static void
test_sets(void **state)
{
	static struct imap_set s;
	uint32_t uid = 1;

	(void)state;
	imap_set_init(&s, 0);
	assert_int_equal(imap_set_span(&s).n, 0);
	assert_false(imap_set_add(&s, 0));
	assert_true(imap_set_add(&s, 3));
	assert_true(span_is(imap_set_span(&s), "3"));
	assert_true(imap_set_add(&s, 4));
	assert_true(imap_set_add(&s, 4));
	assert_true(imap_set_add(&s, 5));
	assert_true(imap_set_add(&s, 9));
	assert_true(span_is(imap_set_span(&s), "3:5,9"));
	assert_true(imap_set_add(&s, 4294967294));
	assert_true(imap_set_add(&s, 4294967295));
	assert_true(span_is(imap_set_span(&s), "3:5,9,4294967294:4294967295"));
	assert_int_equal(s.count, 6);
	imap_set_init(&s, 0);
	while (imap_set_add(&s, uid))
		uid += 2;
	assert_true(imap_set_span(&s).n <= IMAP_SET_MAX);
	assert_true(imap_set_span(&s).n > IMAP_SET_MAX - 6);
	assert_int_equal(s.last, uid - 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_greeting),
		cmocka_unit_test(test_T13_preauth),
		cmocka_unit_test(test_I2_I3_uidvalidity),
		cmocka_unit_test(test_I4_uidvalidity_in_mid_session),
		cmocka_unit_test(test_I5_search_filter),
		cmocka_unit_test(test_I6_body_sizes),
		cmocka_unit_test(test_I7_literals_anywhere),
		cmocka_unit_test(test_I9_nil_body),
		cmocka_unit_test(test_I9_quoted_body),
		cmocka_unit_test(test_I10_other_items),
		cmocka_unit_test(test_I10_bad_fetch),
		cmocka_unit_test(test_I12_other_clients),
		cmocka_unit_test(test_I16_bye),
		cmocka_unit_test(test_I21_wrong_tags),
		cmocka_unit_test(test_I22_pipelined),
		cmocka_unit_test(test_I23_too_long),
		cmocka_unit_test(test_I24_capabilities_after_login),
		cmocka_unit_test(test_before_login),
		cmocka_unit_test(test_I31_codes),
		cmocka_unit_test(test_I32_logout),
		cmocka_unit_test(test_authenticate),
		cmocka_unit_test(test_login_literals),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_I13_no_plain_expunge),
		cmocka_unit_test(test_I26_mailbox_names),
		cmocka_unit_test(test_literal_waits),
		cmocka_unit_test(test_authenticate_lines),
		cmocka_unit_test(test_authenticate_long),
		cmocka_unit_test(test_secret_is_wiped),
		cmocka_unit_test(test_arguments_stay_in_their_line),
		cmocka_unit_test(test_sets),
	};

	return cmocka_run_group_tests_name("imap", tests, NULL, NULL);
}
