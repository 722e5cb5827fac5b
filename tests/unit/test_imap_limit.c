/* SPDX-License-Identifier: ISC */
#include "proto/imap.h"

#include "../run_imap.h"
#include "split.h"

#define SELECT "* OK hi\r\nA1 OK in\r\n* OK [UIDVALIDITY 7] x\r\nA2 OK sel\r\n"
#define SELECTED "done 0 ok 0: hi\ndone 2 ok 0: in\ndone 5 ok 0: sel\n"
#define LEFT "box validity=1:7 next=0:0 0\nleft 0\n"

static void
check(const char *script, const char *in, const char *expected)
{
	struct run_imap r = { .script = script };
	struct trail_machine m = run_imap_machine(&r);

	split_check(&m, span_str(in), expected);
}

/* RFC 9738: the answer is a part, and how far it goes stands in the code. */
static void
test_part(void **state)
{
	static const struct {
		const char *in, *events;
	} v[] = {
		{ "* SEARCH 8 9\r\nA3 OK [MESSAGELIMIT 2 8] x\r\n",
		    "uid 8\nuid 9\n"
		    "done 7 ok 1 found=2 lowest=8: [MESSAGELIMIT 2 8] x\n" },
		{ "* SEARCH 9\r\nA3 NO [messagelimit 2 6] x\r\n",
		    "uid 9\n"
		    "done 7 no 1 found=1 lowest=6: [messagelimit 2 6] x\n" },
		/* It comes before the end. */
		{ "* OK [MESSAGELIMIT 2 8] y\r\n* SEARCH 8 9\r\nA3 OK x\r\n",
		    "uid 8\nuid 9\ndone 7 ok 0 found=2 lowest=8: x\n" },
		/* It does not say how far: as far as the lowest that is there.
		 */
		{ "* SEARCH 9 8\r\nA3 OK [MESSAGELIMIT 2] x\r\n",
		    "uid 9\nuid 8\n"
		    "done 7 ok 1 found=2 lowest=8: [MESSAGELIMIT 2] x\n" },
		{ "* SEARCH 9 8\r\nA3 OK [MESSAGELIMIT 2 0] x\r\n",
		    "uid 9\nuid 8\n"
		    "done 7 ok 1 found=2 lowest=8: [MESSAGELIMIT 2 0] x\n" },
		{ "* SEARCH\r\nA3 OK [MESSAGELIMIT] x\r\n",
		    "done 7 ok 1 found=0 lowest=4294967295: "
		    "[MESSAGELIMIT] x\n" },
		/* Other words. */
		{ "* SEARCH 9\r\nA3 OK [MESSAGELIMITS 2 8] x\r\n",
		    "uid 9\ndone 7 ok 1 found=1: [MESSAGELIMITS 2 8] x\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		char in[512], expected[512];

		(void)snprintf(expected, sizeof(expected), SELECTED "%s" LEFT,
		    v[i].events);
		(void)snprintf(in, sizeof(in), SELECT "%s", v[i].in);
		check("lsf", in, expected);
	}
}

/* Of this answer, not of the one before. */
static void
test_rest(void **state)
{
	(void)state;
	check("lsfr",
	    SELECT "* SEARCH 9\r\nA3 OK [MESSAGELIMIT 1 9] x\r\n"
		   "* SEARCH 7 4\r\nA4 OK y\r\n",
	    SELECTED "uid 9\ndone 7 ok 1 found=1 lowest=9: "
		     "[MESSAGELIMIT 1 9] x\nuid 7\n"
		     "done 7 ok 0 found=1: y\n" LEFT);
	check("lsbf",
	    SELECT "A3 OK [MESSAGELIMIT 1 9] x\r\n"
		   "* SEARCH 9\r\nA4 OK y\r\n",
	    SELECTED "done 8 ok 1: [MESSAGELIMIT 1 9] x\nuid 9\n"
		     "done 7 ok 0 found=1: y\n" LEFT);
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

static void
test_capability(void **state)
{
	static const struct {
		const char *word;
		uint32_t limit;
	} v[] = {
		{ "MESSAGELIMIT=1000", 1000 },
		{ "messagelimit=1", 1 },
		{ "MESSAGELIMIT=4294967295", UINT32_MAX },
		{ "MESSAGELIMIT=4294967296", 0 },
		{ "MESSAGELIMIT=", 0 },
		{ "MESSAGELIMIT", 0 },
		{ "MESSAGELIMIT=10x", 0 },
		{ "XMESSAGELIMIT=10", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		struct imap m;
		char in[128];

		imap_init(&m);
		(void)snprintf(in, sizeof(in),
		    "* OK [CAPABILITY IMAP4rev1 %s] hi\r\n", v[i].word);
		hear(&m, in);
		assert_int_equal(m.caps.message_limit, v[i].limit);
		hear(&m, "* CAPABILITY IMAP4rev1\r\n");
		assert_int_equal(m.caps.message_limit, 0);
		imap_free(&m);
	}
}

static void
test_command(void **state)
{
	struct imap m;

	(void)state;
	imap_init(&m);
	hear(&m, "* OK hi\r\n");
	assert_false(imap_search_rest(&m, 0, 8, false));
	assert_false(imap_search_rest(&m, 9, 8, false));
	assert_false(imap_search_rest(&m, 5, 8, true)); /* no keyword */
	assert_true(imap_keyword(&m, "Ours"));
	assert_true(imap_search_rest(&m, 5, 8, true));
	assert_true(imap_search_rest(&m, 8, 8, false));
	assert_true(
	    span_is(imap_out(&m), "A1 UID SEARCH UID 5:8 KEYWORD Ours\r\n"
				  "A2 UID SEARCH UID 8:8\r\n"));
	imap_free(&m);
}

static void
test_set(void **state)
{
	struct imap_set s;

	(void)state;
	imap_set_init(&s, 3);
	assert_true(imap_set_add(&s, 3));
	assert_true(imap_set_add(&s, 4));
	assert_true(imap_set_add(&s, 9));
	assert_true(imap_set_add(&s, 9));
	assert_false(imap_set_add(&s, 10));
	assert_false(imap_set_add(&s, 12));
	assert_true(span_is(imap_set_span(&s), "3:4,9"));
	assert_int_equal(s.count, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_part),
		cmocka_unit_test(test_rest),
		cmocka_unit_test(test_capability),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_set),
	};

	return cmocka_run_group_tests_name("imap_limit", tests, NULL, NULL);
}
