/* SPDX-License-Identifier: ISC */
#include "proto/imap.h"

#include "../run_imap.h"
#include "split.h"

/* Up to the tagged OK of SELECT; the next tag is A3. */
#define CAPS "[CAPABILITY IMAP4rev1 IDLE]"
#define SELECT                                                                 \
	"* OK hi\r\nA1 OK " CAPS " in\r\n* 9 EXISTS\r\n"                       \
	"* OK [UIDVALIDITY 7] x\r\nA2 OK sel\r\n"
#define SELECTED "done 0 ok 0: hi\ndone 2 ok 1: " CAPS " in\ndone 5 ok 0: sel\n"
#define LEFT(exists, left)                                                     \
	"caps rev1 idle sasl=\nbox validity=1:7 next=0:0 " #exists             \
	"\nleft " #left "\n"

static void
check(const char *script, const char *in, const char *expected)
{
	struct run_imap r = { .script = script };
	struct trail_machine m = run_imap_machine(&r);

	split_check(&m, span_str(in), expected);
}

static void
test_news(void **state)
{
	(void)state;
	check("lswn",
	    SELECT "+ idling\r\n* OK Still here\r\n* 0 RECENT\r\n"
		   "* 1 FETCH (UID 4 FLAGS (\\Seen))\r\n* 10 EXISTS\r\n"
		   "A3 OK x\r\nA4 OK y\r\n",
	    SELECTED "idling: idling\nfetched 4\nexists 10\n"
		     "done 17 ok 0: x\ndone 11 ok 0: y\n" LEFT(10, 0));
	/* News before the "+", and more of them after our DONE. */
	check("lsw",
	    SELECT "* 10 EXISTS\r\n+\r\n* 3 EXPUNGE\r\n* 4 EXPUNGE\r\n"
		   "* BYE x\r\nA3 OK x\r\n",
	    SELECTED "exists 10\nidling: \nexpunged\nexpunged\nbye: x\n"
		     "done 17 ok 0: x\n" LEFT(8, 0));
	check("lsww", SELECT "+ a\r\n* 10 EXISTS\r\nA3 OK x\r\n+ b\r\n",
	    SELECTED
	    "idling: a\nexists 10\ndone 17 ok 0: x\nidling: b\n" LEFT(10, 1));
}

static void
test_refused(void **state)
{
	(void)state;
	check("lswn", SELECT "A3 BAD no\r\nA4 OK y\r\n",
	    SELECTED "done 17 bad 0: no\ndone 11 ok 0: y\n" LEFT(9, 0));
	check("lsw", SELECT "+ a\r\nA3 NO [UNAVAILABLE] no\r\n",
	    SELECTED "idling: a\ndone 17 no 10: [UNAVAILABLE] no\n" LEFT(9, 0));
	/* The server may end it without a DONE of ours. */
	check("lsw", SELECT "+ a\r\nA3 OK x\r\n",
	    SELECTED "idling: a\ndone 17 ok 0: x\n" LEFT(9, 0));
	/* Not offered; something is outstanding. */
	check("w", "* OK hi\r\n", "done 0 ok 0: hi\nrefused w\nleft 0\n");
	check("lsn,w", SELECT "A3 OK x\r\n",
	    SELECTED "refused w\ndone 11 ok 0: x\n" LEFT(9, 0));
	check("lsw,n", SELECT "+ a\r\n",
	    SELECTED "refused n\nidling: a\n" LEFT(9, 1));
}

static void
test_I21_out_of_step(void **state)
{
	(void)state;
	check("lsw", SELECT "A3 OK x\r\n",
	    SELECTED "error: OK to half a command\n" LEFT(9, 1));
	check("lsw", SELECT "+ a\r\n+ b\r\n",
	    SELECTED
	    "idling: a\nerror: \"+\" that nobody waits for\n" LEFT(9, 1));
	check("lsw", SELECT "+ a\r\n* 10 EXISTS\r\n+ b\r\n",
	    SELECTED "idling: a\nexists 10\nerror: \"+\" that nobody waits "
		     "for\n" LEFT(10, 1));
	check("lsw", SELECT "+ a\r\n* 10 EXISTS\r\nDONE BAD x\r\n",
	    SELECTED "idling: a\nexists 10\n"
		     "error: response with a wrong tag\n" LEFT(10, 1));
	check("ls", SELECT "+ a\r\n",
	    SELECTED "error: \"+\" that nobody waits for\n" LEFT(9, 0));
}

static void
hear(struct imap *m, const char *s, enum imap_event_kind last)
{
	struct imap_event e = { .kind = IMAP_EV_UID };
	struct span in = span_str(s);

	while (in.n > 0 && e.kind != IMAP_EV_ERROR) {
		in = span_skip(in, imap_recv(m, in));
		while (imap_next(m, &e))
			;
	}
	assert_int_equal(e.kind, last);
	/* None is left over from what was said before. */
	if (last == IMAP_EV_IDLING)
		assert_int_equal(e.code, IMAP_CODE_NONE);
}

static void
assert_out(struct imap *m, const char *expected)
{
	assert_true(span_is(imap_out(m), expected));
	imap_wrote(m, imap_out(m).n);
}

static void
assert_busy(struct imap *m)
{
	assert_false(imap_idle(m));
	assert_false(imap_simple(m, IMAP_NOOP));
	assert_false(imap_simple(m, IMAP_LOGOUT));
	assert_false(imap_search_from(m, 1));
	assert_int_equal(imap_out(m).n, 0);
}

/* What may be written, and how long is waited, at each step. */
static void
test_steps(void **state)
{
	struct imap m;

	(void)state;
	imap_init(&m);
	assert_false(imap_idle_done(&m));
	hear(&m, "* OK [CAPABILITY IDLE] hi\r\n", IMAP_EV_DONE);
	assert_true(imap_idle(&m));
	assert_out(&m, "A1 IDLE\r\n");
	assert_busy(&m);
	assert_false(imap_idling(&m));
	assert_false(imap_idle_done(&m));
	assert_int_equal(imap_wait_class(&m), WAIT_COMMAND);
	hear(&m, "+ \r\n", IMAP_EV_IDLING);
	assert_true(imap_idling(&m));
	assert_string_equal(imap_phase(&m), "IDLE");
	assert_int_equal(imap_wait_class(&m), WAIT_NONE);
	assert_busy(&m);
	assert_true(imap_idle_done(&m));
	assert_out(&m, "DONE\r\n");
	assert_false(imap_idling(&m));
	assert_false(imap_idle_done(&m));
	assert_busy(&m);
	assert_int_equal(imap_wait_class(&m), WAIT_COMMAND);
	hear(&m, "A1 OK x\r\n", IMAP_EV_DONE);
	assert_int_equal(imap_wait_class(&m), WAIT_NONE);
	/* Ended by the server: there is nothing to be ended by us. */
	assert_true(imap_idle(&m));
	assert_out(&m, "A2 IDLE\r\n");
	hear(&m, "+ \r\nA2 NO x\r\n", IMAP_EV_DONE);
	assert_false(imap_idling(&m));
	assert_false(imap_idle_done(&m));
	assert_true(imap_idle(&m));
	hear(&m, "+ \r\nX OK x\r\n", IMAP_EV_ERROR);
	assert_false(imap_idling(&m));
	assert_false(imap_idle_done(&m));
	imap_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_I21_out_of_step),
		cmocka_unit_test(test_steps),
	};

	return cmocka_run_group_tests_name("imap_idle", tests, NULL, NULL);
}
