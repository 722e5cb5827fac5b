/* SPDX-License-Identifier: ISC */
/*
 * Commands that may be outstanding together, and a server that works on them
 * at the same time (RFC 3501 section 5.5).
 */
#include "proto/imap.h"

#include "../run_imap.h"
#include "split.h"

#define SELECT "* OK hi\r\nA1 OK in\r\n* OK [UIDVALIDITY 7] x\r\nA2 OK sel\r\n"
#define SELECTED "done 0 ok 0: hi\ndone 2 ok 0: in\ndone 5 ok 0: sel\n"
#define LEFT(n) "box validity=1:7 next=0:0 0\nleft " n "\n"
#define WRONG SELECTED "error: response with a wrong tag\n"

static void
check(const char *script, const char *in, const char *expected)
{
	struct run_imap r = { .script = script };
	struct trail_machine m = run_imap_machine(&r);

	split_check(&m, span_str(in), expected);
}

static void
test_overtaken(void **state)
{
	(void)state;
	check("lsb,t,z",
	    SELECT "* 1 FETCH (UID 2 BODY[] {1}\r\nx)\r\nA5 OK c\r\n"
		   "A4 NO [SERVERBUG] b\r\nA3 OK a\r\n",
	    SELECTED "begin 2 1\nbody: x\nfetched 2 body\ndone 8 ok 0: c\n"
		     "done 9 no 14: [SERVERBUG] b\ndone 8 ok 0: a\n" LEFT("0"));
	check("lsb,b,b,n",
	    SELECT "A4 OK b\r\nA3 OK a\r\nA5 OK c\r\nA6 OK d\r\n",
	    SELECTED "done 8 ok 0: b\ndone 8 ok 0: a\ndone 8 ok 0: c\n"
		     "done 11 ok 0: d\n" LEFT("0"));
}

/* The answer of the one that is overtaken goes on. */
static void
test_search_overtaken(void **state)
{
	(void)state;
	check("lsf,z",
	    SELECT "* SEARCH 7\r\n* 1 FETCH (UID 7 RFC822.SIZE 5)\r\n"
		   "A4 OK [MESSAGELIMIT 1 7] b\r\nA3 OK a\r\n",
	    SELECTED "uid 7\nfetched 7 size=5\n"
		     "done 8 ok 1: [MESSAGELIMIT 1 7] b\n"
		     "done 7 ok 0 found=1: a\n" LEFT("0"));
}

/* Nothing overtakes what changes the meaning of the rest, nor does that. */
static void
test_order(void **state)
{
	(void)state;
	check("lst,e,b", SELECT "A5 OK c\r\n", WRONG LEFT("3"));
	check("lst,e", SELECT "A4 OK c\r\n", WRONG LEFT("2"));
	check("lsb,n", SELECT "A4 OK c\r\n", WRONG LEFT("2"));
	check("lsb,b", SELECT "A4 OK c\r\nA4 OK c\r\n",
	    SELECTED
	    "done 8 ok 0: c\nerror: response with a wrong tag\n" LEFT("1"));
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

static unsigned
done_tag(struct imap *m, const char *s)
{
	struct imap_event e = { .tag = 0 };
	struct span in = span_str(s);

	assert_int_equal(imap_recv(m, in), in.n);
	assert_true(imap_next(m, &e));
	assert_int_equal(e.kind, IMAP_EV_DONE);
	return e.tag;
}

static void
test_tags(void **state)
{
	struct span set = span_str("1:9");
	struct imap m;
	unsigned tag[3];

	(void)state;
	imap_init(&m);
	hear(&m, "* OK hi\r\n");
	assert_true(imap_login(&m, span_str("me"), span_str("pw")));
	assert_int_equal(imap_tag(&m), 1);
	hear(&m, "A1 OK in\r\n");
	assert_true(imap_select(&m, span_str("INBOX"), false));
	hear(&m, "* OK [UIDVALIDITY 7] x\r\nA2 OK sel\r\n");
	for (size_t i = 0; i < 3; i++) {
		assert_true(imap_fetch_bodies(&m, set));
		tag[i] = imap_tag(&m);
	}
	assert_int_equal(done_tag(&m, "A4 OK x\r\n"), tag[1]);
	assert_int_equal(done_tag(&m, "A3 OK x\r\n"), tag[0]);
	assert_int_equal(done_tag(&m, "A5 OK x\r\n"), tag[2]);
	imap_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_search_overtaken),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests_name("imap_overtake", tests, NULL, NULL);
}
