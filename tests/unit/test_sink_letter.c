/* SPDX-License-Identifier: ISC */
/*
 * A letter of our own among the messages: it has its envelope, and what is
 * thought of it changes nothing for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sink_play.h"

static const struct sink_envelope null_sender = { "", "boss@z" };

static void
submit_letter(struct play *p, unsigned number)
{
	submit(p, number, BODY);
	p->jobs[number].job.envelope = &null_sender;
	turn(p);
}

static void
assert_works(const struct play *p)
{
	assert_null(sink_trouble(p->sink));
	assert_int_equal(sink_ask(p->sink), SINK_OPEN);
}

static void
test_envelope(void **state)
{
	struct play *p = *state;

	submit_letter(p, 0);
	log_in(p, CAPS);
	assert_said(p, "MAIL FROM:<>\\r\\nRCPT TO:<boss@z>\\r\\nDATA");
	assert_string_equal(sink_destination(p->sink)->name, "home");
	say(p, GO);
	permit(p, 0);
	say(p, "250 queued\r\n");
	assert_said(p, "0 accepted: 250 queued");
	forget(p);
	submit(p, 1, BODY);
	turn(p);
	assert_play(p, "begin 1\n" ENVELOPE);
	assert_true(withdraw(p, 1));
}

/* A report about it is asked for by nobody. */
static void
test_no_report(void **state)
{
	struct play *p = *state;

	submit_letter(p, 0);
	log_in(p, "250-mx\r\n250-PIPELINING\r\n250-DSN\r\n250 AUTH PLAIN\r\n");
	assert_said(p, "NOTIFY=NEVER");
	assert_true(withdraw(p, 0));
}

/* The first thing on a line, too: others may well be let in. */
static void
test_refused(void **state)
{
	static const char *const replies[] = {
		"501 no\r\n503 no\r\n503 no\r\n",
		"451 no\r\n503 no\r\n503 no\r\n",
		"250 ok\r\n550 no\r\n503 no\r\n",
	};
	struct play *p = *state;

	for (size_t i = 0; i < sizeof(replies) / sizeof(replies[0]); i++) {
		submit_letter(p, 0);
		log_in(p, CAPS);
		say(p, replies[i]);
		assert_int_equal(p->jobs[0].fault.scope, FAULT_MESSAGE);
		assert_works(p);
		play_teardown(state);
		play_setup(state);
		p = *state;
	}
}

/* Three messages in a row for a recipient who is not there mean him; letters
 * to somebody else do not count. */
static void
test_does_not_count(void **state)
{
	struct play *p = *state;

	submit_letter(p, 0);
	log_in(p, CAPS);
	say(p, "250 ok\r\n550 no\r\n503 no\r\n");
	for (int i = 0; i < 3; i++) {
		submit_letter(p, 0);
		say(p, "250 ok\r\n250 ok\r\n550 no\r\n503 no\r\n");
	}
	submit(p, 1, BODY);
	turn(p);
	say(p, "250 ok\r\n250 ok\r\n550 no\r\n503 no\r\n");
	assert_int_equal(p->jobs[1].fault.scope, FAULT_MESSAGE);
	assert_works(p);
}

/* Nor is it one that is refused for the third time. */
static void
test_is_nobody(void **state)
{
	struct play *p = *state;

	for (unsigned i = 0; i < 2; i++) {
		submit(p, i, BODY);
		if (i == 0)
			log_in(p, CAPS);
		else
			turn(p);
		say(p, i == 0 ? "" : "250 ok\r\n");
		say(p, "250 ok\r\n550 no\r\n503 no\r\n");
	}
	submit_letter(p, 2);
	say(p, "250 ok\r\n250 ok\r\n550 no\r\n503 no\r\n");
	assert_int_equal(p->jobs[2].fault.scope, FAULT_MESSAGE);
	assert_works(p);
}

/* That a letter is accepted says nothing about mail_from. */
static void
test_proves_nothing(void **state)
{
	struct play *p = *state;

	submit_letter(p, 0);
	log_in(p, CAPS);
	say(p, GO);
	permit(p, 0);
	say(p, "250 queued\r\n");
	submit(p, 1, BODY);
	turn(p);
	say(p, "550 not you\r\n503 no\r\n503 no\r\n");
	assert_int_equal(p->jobs[1].fault.scope, FAULT_DESTINATION);
	assert_non_null(sink_trouble(p->sink));
}

#define PLAY(f) cmocka_unit_test_setup_teardown(f, play_setup, play_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		PLAY(test_envelope),
		PLAY(test_no_report),
		PLAY(test_refused),
		PLAY(test_does_not_count),
		PLAY(test_is_nobody),
		PLAY(test_proves_nothing),
	};

	return cmocka_run_group_tests_name("sink_letter", tests, NULL, NULL);
}
