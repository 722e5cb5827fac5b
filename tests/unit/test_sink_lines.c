/* SPDX-License-Identifier: ISC */
/*
 * Several lines to one destination: when they are opened, how many, and what it
 * means when one is refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sink_play.h"
#include "store/store.h"

#define TAKEN "250 ok\r\n250 ok\r\n" /* MAIL and RCPT */
#define IDLE 15                      /* seconds */

/* n messages for lines of 8. */
static void
start(struct play *p, unsigned n)
{
	p->net.numbered = true;
	p->dest.window = 8;
	for (unsigned i = 0; i < n; i++)
		submit(p, i, BODY);
	turn(p);
}

/* All that are there and on their way. */
static void
withdraw_all(struct play *p, unsigned n)
{
	while (n-- > 0)
		assert_true(sink_withdraw(p->sink, &p->jobs[n].job));
}

static void
pick(struct play *p, unsigned number)
{
	assert_true(fake_conn_pick(&p->net, number));
}

static void
log_in_at(struct play *p, unsigned number)
{
	pick(p, number);
	log_in(p, CHUNKING);
}

static unsigned
connections(const struct play *p)
{
	struct sink_status st;

	sink_status(p->sink, &st);
	return st.connections;
}

/* A full window waits for each.  The others stand ready when the first has
 * logged in, and do not log in sooner. */
static void
test_several(void **state)
{
	struct play *p = *state;

	start(p, JOBS);
	assert_int_equal(connections(p), 4);
	pick(p, 2);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, CHUNKING);
	assert_unsaid(p, "AUTH PLAIN A");
	log_in_at(p, 1);
	assert_said(p, "C1: AUTH PLAIN A");
	assert_said(p, "C2: AUTH PLAIN A");
	assert_said(p, "begin 7\n");
	assert_unsaid(p, "begin 8\n");
	pick(p, 2);
	say(p, "235 ok\r\n");
	assert_said(p, "begin 15\n");
	log_in_at(p, 3); /* was still on its way */
	assert_said(p, "begin 23\n");
	assert_int_equal(connections(p), 4);
	withdraw_all(p, JOBS);
}

/* As many as there are windows, and none for what fills no other. */
static void
test_as_many_as_needed(void **state)
{
	static const struct {
		unsigned jobs, lines;
	} table[] = { { 15, 1 }, { 16, 2 }, { 31, 3 } };

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct play *p = *state;

		start(p, table[i].jobs);
		assert_int_equal(connections(p), table[i].lines);
		log_in_at(p, 1);
		assert_int_equal(connections(p), table[i].lines);
		withdraw_all(p, table[i].jobs);
		play_teardown(state);
		play_setup(state);
	}
}

/* A login is worth eight messages, however few are on a line at a time. */
static void
test_one_at_a_time(void **state)
{
	struct play *p = *state;

	p->net.numbered = true;
	p->dest.window = 1;
	for (unsigned i = 0; i < 8; i++)
		submit(p, i, BODY);
	turn(p);
	log_in(p, CHUNKING);
	assert_int_equal(connections(p), 1);
	submit(p, 8, BODY);
	turn(p);
	assert_int_equal(connections(p), 2);
	withdraw_all(p, 9);
}

/* Those that come when the first is at work, too. */
static void
test_later(void **state)
{
	struct play *p = *state;

	start(p, 8);
	log_in(p, CHUNKING);
	for (unsigned i = 8; i < 15; i++)
		submit(p, i, BODY);
	turn(p);
	assert_int_equal(connections(p), 1);
	submit(p, 15, BODY);
	turn(p);
	assert_int_equal(connections(p), 2);
	log_in_at(p, 2);
	assert_said(p, "begin 15\n");
	withdraw_all(p, 16);
}

static void
test_limit(void **state)
{
	struct play *p = *state;

	p->dest.connections = 2;
	start(p, JOBS);
	log_in_at(p, 1);
	log_in_at(p, 2);
	assert_int_equal(connections(p), 2);
	withdraw_all(p, JOBS);
}

/* --- one is refused */

static void
test_password_is_wrong(void **state)
{
	struct play *p = *state;

	start(p, JOBS);
	for (unsigned i = 2; i >= 1; i--) {
		pick(p, i);
		fake_conn_up(&p->net);
		say(p, "220 mx\r\n");
		say(p, CHUNKING);
	}
	say(p, "535 wrong\r\n");
	assert_int_equal(connections(p), 0);
	assert_unsaid(p, "C2: AUTH PLAIN A");
	assert_true(sink_trouble(p->sink)->login);
	assert_int_equal(p->jobs[JOBS - 1].fault.code, 535);
}

/* The first does not even come so far: another is the first. */
static void
test_first_is_routine(void **state)
{
	struct play *p = *state;

	start(p, JOBS);
	pick(p, 2);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, CHUNKING);
	pick(p, 1);
	fake_conn_fail(&p->net, FAULT_NOW); /* its token ran out */
	turn(p);
	assert_null(sink_trouble(p->sink));
	assert_said(p, "C2: AUTH PLAIN A");
	withdraw_all(p, JOBS);
}

/* One too many is no trouble, and is not tried again for a while. */
static void
test_too_many(void **state)
{
	struct play *p = *state;

	start(p, JOBS);
	for (unsigned i = 3; i <= 4; i++) {
		pick(p, i);
		fake_conn_up(&p->net);
		say(p, "421 4.7.0 too many connections\r\n");
	}
	log_in_at(p, 1);
	log_in_at(p, 2);
	assert_null(sink_trouble(p->sink));
	assert_int_equal(connections(p), 2);
	assert_unsaid(p, "failed");
	/* The others go on. */
	pick(p, 1);
	permit(p, 0);
	say(p, TAKEN "250 ok\r\n");
	assert_said(p, "0 accepted: 250 ok\nbegin 16\n");
	fake_loop_pass(&p->loop, 599);
	turn(p);
	assert_unsaid(p, "open 5");
	fake_loop_pass(&p->loop, 1);
	pick(p, 2);
	permit(p, 8);
	say(p, TAKEN "250 ok\r\n");
	assert_said(p, "8 accepted");
	assert_said(p, "open 5");
	for (unsigned i = JOBS; i-- > 1;)
		if (i != 8)
			withdraw(p, i);
}

/* At the login, too; but a login that is refused for good is trouble. */
static void
test_too_many_logins(void **state)
{
	static const struct {
		const char *reply;
		bool trouble;
	} table[] = {
		{ "454 4.7.0 too many logins\r\n", false },
		{ "421 4.7.0 too many logins\r\n", false },
		{ "535 5.7.8 wrong\r\n", true },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct play *p = *state;

		start(p, JOBS);
		log_in_at(p, 1);
		pick(p, 2);
		fake_conn_up(&p->net);
		say(p, "220 mx\r\n");
		say(p, CHUNKING);
		say(p, table[i].reply);
		assert_int_equal(
		    sink_trouble(p->sink) != NULL, table[i].trouble);
		/* What waits in the queue has heard of it. */
		withdraw_all(p, table[i].trouble ? 8 : JOBS);
		play_teardown(state);
		play_setup(state);
	}
}

/* Nothing works any more, and nobody counts that line by line. */
static void
test_all_fail(void **state)
{
	struct play *p = *state;
	struct sink_status st;

	start(p, JOBS);
	for (unsigned i = 1; i <= 4; i++) {
		pick(p, i);
		fake_conn_break(&p->net);
	}
	turn(p);
	sink_status(p->sink, &st);
	assert_int_equal(st.pause->failures, 1);
	assert_int_equal(st.connections, 0);
	assert_int_equal(st.queued, 0);
	for (unsigned i = 0; i < JOBS; i++)
		assert_int_equal(p->jobs[i].fault.scope, FAULT_DESTINATION);
}

/* --- without work */

/* Each goes when it has had nothing to do for a while. */
static void
test_idle(void **state)
{
	struct play *p = *state;

	start(p, 16);
	log_in_at(p, 1);
	log_in_at(p, 2);
	for (unsigned i = 16; i-- > 8;)
		permit(p, i);
	say(p, TAKEN "250 ok\r\n");
	for (unsigned i = 9; i < 16; i++)
		say(p, "250 ok\r\n" TAKEN "250 ok\r\n");
	assert_said(p, "15 accepted: 250 ok\n");
	forget(p);
	fake_loop_pass(&p->loop, IDLE - 1);
	turn(p);
	assert_play(p, "");
	fake_loop_pass(&p->loop, 1);
	turn(p);
	assert_play(p, "C2: QUIT\\r\\n\n");
	say(p, "221 bye\r\n");
	assert_play(p, "S2: 221 bye\\r\\n\nclose 2\n");
	assert_int_equal(connections(p), 1);
	withdraw_all(p, 8);
}

/* As far as it can go without a login, which is for who has a message. */
static void
warm(struct play *p)
{
	sink_warm(p->sink, 1);
	turn(p);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, CAPS);
	assert_unsaid(p, "AUTH PLAIN A");
	forget(p);
}

static void
test_warm(void **state)
{
	struct play *p = *state;

	sink_warm(p->sink, 1);
	turn(p);
	assert_play(p, "open mx 465\n");
	warm(p); /* one is enough, and it is on its way */
	sink_warm(p->sink, 1);
	submit(p, 0, BODY);
	turn(p);
	assert_play(p, "C: AUTH PLAIN AG1lAHB3\\r\\n\n");
	say(p, "235 ok\r\n");
	assert_play(p, "S: 235 ok\\r\\n\nbegin 0\n" ENVELOPE);
	assert_true(withdraw(p, 0));
	assert_null(p->net.conn);
}

static void
test_nobody_came(void **state)
{
	struct play *p = *state;

	warm(p);
	fake_loop_pass(&p->loop, IDLE);
	turn(p);
	assert_play(p, "C: QUIT\\r\\n\n");
	say(p, "221 bye\r\n");
	assert_null(p->net.conn);
	/* Nor when it was still on its way. */
	sink_warm(p->sink, 1);
	fake_loop_pass(&p->loop, IDLE);
	turn(p);
	assert_null(p->net.conn);
	assert_null(sink_trouble(p->sink));
}

/* Who says how many will come gets as many lines as for those that wait. */
static void
test_warm_for_many(void **state)
{
	struct play *p = *state;

	p->net.numbered = true;
	p->dest.window = 8;
	sink_warm(p->sink, 23);
	assert_int_equal(connections(p), 2);
	sink_warm(p->sink, 1000);
	assert_int_equal(connections(p), 4);
}

/* A server that closes what it was only warmed for is in no trouble. */
static void
test_warm_in_vain(void **state)
{
	struct play *p = *state;

	warm(p);
	fake_conn_break(&p->net);
	turn(p);
	assert_null(sink_trouble(p->sink));
	/* But it is when there is no way to it, and then it is left alone. */
	sink_warm(p->sink, 1);
	turn(p);
	fake_conn_break(&p->net);
	turn(p);
	assert_non_null(sink_trouble(p->sink));
	forget(p);
	sink_warm(p->sink, 1);
	turn(p);
	assert_play(p, "");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, play_setup, play_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_several),
		TEST(test_as_many_as_needed),
		TEST(test_one_at_a_time),
		TEST(test_later),
		TEST(test_limit),
		TEST(test_password_is_wrong),
		TEST(test_first_is_routine),
		TEST(test_too_many),
		TEST(test_too_many_logins),
		TEST(test_all_fail),
		TEST(test_idle),
		TEST(test_warm),
		TEST(test_nobody_came),
		TEST(test_warm_for_many),
		TEST(test_warm_in_vain),
	};

	return cmocka_run_group_tests_name("sink_lines", tests, NULL, NULL);
}
