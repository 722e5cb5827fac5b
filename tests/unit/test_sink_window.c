/* SPDX-License-Identifier: ISC */
/*
 * Several messages on one line: what goes out when, whom a reply concerns, and
 * what becomes of the others when something goes wrong with one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "relay/tally.h"
#include "sink_play.h"
#include "store/store.h"

#define MAIL "MAIL FROM:<me@x>\\r\\nRCPT TO:<you@y>\\r\\n"
#define NEXT "RSET\\r\\n" MAIL /* behind chunks whose end is not known yet */
#define LAST "BDAT 26 LAST\\r\\nT: 1\\r\\nSubject: x\\r\\n\\r\\n.dot\\r\\n"
#define TAKEN "250 ok\r\n250 ok\r\n" /* MAIL and RCPT */
#define KIB 1024

/* Jobs 0 to n - 1 are on the line; their records are not there yet. */
static void
start(struct play *p, const char *caps, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		submit(p, i, BODY);
	log_in(p, caps);
}

/* The same, and all of them may have ended. */
static void
send_all(struct play *p, unsigned n)
{
	start(p, CHUNKING, n);
	for (unsigned i = n; i-- > 0;)
		permit(p, i);
	forget(p);
}

/* --- what goes out when */

static void
test_one_flight(void **state)
{
	struct play *p = *state;

	start(p, CHUNKING, 3);
	assert_said(p, "begin 0\nbegin 1\nbegin 2\nC: " MAIL "\n");
	forget(p);
	permit(p, 1); /* not its turn */
	assert_play(p, "permit 1\n");
	permit(p, 0);
	assert_play(p, "permit 0\nC: " LAST NEXT LAST NEXT "\n");
	permit(p, 2);
	assert_play(p, "permit 2\nC: " LAST "\n");
	say(p, TAKEN "250 zero\r\n250 ok\r\n" TAKEN);
	assert_said(p, "0 accepted: 250 zero\n");
	assert_unsaid(p, "1 accepted");
	say(p, "250 one\r\n250 ok\r\n" TAKEN "250 two\r\n");
	assert_said(p, "1 accepted: 250 one\n2 accepted: 250 two\n");
	assert_null(sink_trouble(p->sink));
}

/* A reply makes room for one more, behind the record of its own. */
static void
test_window(void **state)
{
	struct play *p = *state;

	p->dest.window = 2;
	p->dest.connections = 1;
	start(p, CHUNKING, 4);
	assert_said(p, "begin 1\n");
	assert_unsaid(p, "begin 2\n");
	permit(p, 0);
	permit(p, 1);
	forget(p);
	say(p, TAKEN "250 ok\r\n");
	assert_play(p, "S: 250 ok\\r\\n250 ok\\r\\n250 ok\\r\\n\n"
		       "0 accepted: 250 ok\nbegin 2\nC: " NEXT "\n");
	assert_true(withdraw(p, 3));
	assert_true(withdraw(p, 2));
}

static void
test_window_of_one(void **state)
{
	struct play *p = *state;

	p->dest.window = 1;
	p->dest.connections = 1;
	start(p, CHUNKING, 2);
	assert_said(p, "begin 0\n" ENVELOPE);
	say(p, GO);
	permit(p, 0);
	assert_unsaid(p, "begin 1\n");
	say(p, "250 ok\r\n");
	assert_said(p, "0 accepted: 250 ok\nbegin 1\n" ENVELOPE);
	assert_true(withdraw(p, 1));
}

/* By DATA: the next envelope goes out with the dot, and no other. */
static void
test_data(void **state)
{
	struct play *p = *state;

	start(p, CAPS, 3);
	say(p, GO);
	assert_unsaid(p, "begin 1\n");
	forget(p);
	permit(p, 0);
	assert_play(p, "permit 0\nbegin 1\n"
		       "C: .\\r\\n" MAIL "DATA\\r\\n\n");
	permit(p, 1);
	say(p, "250 zero\r\n250 ok\r\n");
	assert_unsaid(p, "begin 2\n");
	forget(p);
	say(p, "250 ok\r\n354 go\r\n");
	assert_play(p,
	    "S: 250 ok\\r\\n354 go\\r\\n\nbegin 2\n"
	    "C: T: 1\\r\\nSubject: x\\r\\n\\r\\n..dot\\r\\n.\\r\\n" MAIL
	    "DATA\\r\\n\n");
	assert_true(withdraw(p, 2)); /* which job 1 does not feel */
	assert_non_null(p->net.conn);
	say(p, "250 one\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	assert_said(p, "1 accepted: 250 one\nclose\n");
}

static void
test_no_pipelining(void **state)
{
	struct play *p = *state;

	start(p, "250-mx\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n", 2);
	assert_said(p, "begin 0\nC: MAIL FROM:<me@x>\\r\\n\n");
	say(p, "250 ok\r\n");
	say(p, "250 ok\r\n");
	say(p, "354 go\r\n");
	permit(p, 0);
	assert_unsaid(p, "begin 1\n");
	say(p, "250 ok\r\n");
	assert_said(p, "0 accepted: 250 ok\nbegin 1\n");
	assert_true(withdraw(p, 1));
}

static char *
text_of(size_t size)
{
	char *text = malloc(size + 1);

	assert_non_null(text);
	for (size_t i = 0; i < size; i++)
		text[i] = "0123456789abcdefghijklmnopqrstuvwxyz\r\n"[i % 38];
	memcpy(text, "A: b\r\n\r\n", 8);
	memcpy(text + size - 2, "\r\n", 3);
	return text;
}

/* What of a large message is not its end does not wait for the record. */
static void
test_chunks(void **state)
{
	struct play *p = *state;
	char *large = text_of(300 * KIB);

	submit(p, 0, large);
	submit(p, 1, BODY);
	log_in(p, CHUNKING);
	assert_said(p, MAIL "BDAT 262144\\r\\nT: 1\\r\\nA: b");
	assert_unsaid(p, "LAST");
	say(p, TAKEN "250 ok\r\n");
	forget(p);
	permit(p, 1);
	permit(p, 0);
	assert_said(p, "permit 0\nC: BDAT 45062 LAST\\r\\n");
	assert_said(p, "\\r\\n" NEXT LAST "\n");
	say(p, "250 ok\r\n250 ok\r\n" TAKEN "250 ok\r\n");
	assert_said(p, "0 accepted: 250 ok\n1 accepted: 250 ok\n");
	free(large);
}

/* Through a narrow socket, all the same bytes. */
static void
test_narrow(void **state)
{
	struct play *p = *state;
	char *large = text_of(100 * KIB), *at;

	p->net.window = 999;
	submit(p, 0, large);
	submit(p, 1, BODY);
	log_in(p, CHUNKING);
	forget(p);
	permit(p, 1);
	permit(p, 0);
	trail_close(&p->trail);
	at = strstr(p->trail.text, "LAST\\r\\nT: 1\\r\\nA: b\\r\\n\\r\\n");
	assert_non_null(at);
	at += strlen("LAST\\r\\nT: 1\\r\\nA: b\\r\\n\\r\\n");
	for (size_t i = 8; i < 100 * KIB; i++) {
		char want[3] = { large[i], '\0' };

		if (want[0] == '\r' || want[0] == '\n')
			snprintf(want, sizeof(want), "\\%c",
			    want[0] == '\r' ? 'r' : 'n');
		assert_memory_equal(at, want, strlen(want));
		at += strlen(want);
	}
	assert_string_equal(at, NEXT LAST "\n");
	free(large);
	say(p, TAKEN "250 ok\r\n250 ok\r\n" TAKEN "250 ok\r\n");
}

/* Nor is all that waits marked for one line, but what it can take soon. */
static void
test_ahead(void **state)
{
	struct play *p = *state;
	char *large = text_of(900 * KIB);

	for (unsigned i = 0; i < 4; i++)
		submit(p, i, large);
	log_in(p, CHUNKING);
	assert_said(p, "begin 1\n");
	assert_unsaid(p, "begin 2\n");
	forget(p);
	permit(p, 0);
	assert_said(p, "begin 2\n");
	assert_unsaid(p, "begin 3\n");
	fake_conn_break(&p->net);
	turn(p);
	free(large);
}

/* After trouble a single message finds out, on a single line. */
static void
test_probe(void **state)
{
	struct play *p = *state;

	start(p, CHUNKING, 1);
	say(p, "550 not you\r\n503 no\r\n");
	assert_non_null(sink_trouble(p->sink));
	fake_loop_pass(&p->loop, 2 * 24 * 3600);
	forget(p);
	start(p, CHUNKING, 3);
	assert_said(p, "begin 0\n");
	assert_unsaid(p, "begin 1\n");
	permit(p, 0);
	say(p, TAKEN "250 ok\r\n");
	assert_int_equal(sink_ask(p->sink), SINK_OPEN);
	assert_said(p, "0 accepted: 250 ok\nbegin 1\nbegin 2\n");
	assert_true(withdraw(p, 2));
	assert_true(withdraw(p, 1));
}

/* While the record is not there, the server owes nothing. */
static void
test_patience(void **state)
{
	struct play *p = *state;

	start(p, CHUNKING, 2);
	assert_int_equal(p->net.patience, 300 * 1000); /* MAIL */
	say(p, TAKEN);
	assert_int_equal(p->net.patience, 0);
	permit(p, 0);
	assert_int_equal(p->net.patience, 600 * 1000);
	say(p, "250 ok\r\n");
	assert_int_equal(p->net.patience, 300 * 1000); /* RSET of the next */
	say(p, "250 ok\r\n" TAKEN);
	assert_int_equal(p->net.patience, 0);
	assert_true(withdraw(p, 1));
}

static void
test_patience_of_data(void **state)
{
	struct play *p = *state;

	start(p, CAPS, 1);
	say(p, GO);
	assert_int_equal(p->net.patience, 0);
	permit(p, 0);
	assert_int_equal(p->net.patience, 600 * 1000);
	say(p, "250 ok\r\n");
	assert_int_equal(p->net.patience, 0);
}

static void
test_letter(void **state)
{
	static const struct sink_envelope own = { "", "boss@z" };
	struct play *p = *state;

	submit(p, 0, BODY);
	submit(p, 1, BODY);
	p->jobs[1].job.envelope = &own;
	submit(p, 2, BODY);
	log_in(p, CHUNKING);
	permit(p, 2);
	permit(p, 1);
	forget(p);
	permit(p, 0);
	assert_play(p, "permit 0\nC: " LAST "RSET\\r\\nMAIL FROM:<>\\r\\n"
		       "RCPT TO:<boss@z>\\r\\n" LAST NEXT LAST "\n");
	say(p, TAKEN "250 ok\r\n250 ok\r\n550 no\r\n503 no\r\n503 no\r\n");
	assert_int_equal(p->jobs[1].fault.scope, FAULT_MESSAGE);
	say(p, "250 ok\r\n" TAKEN "250 ok\r\n");
	assert_said(p, "0 accepted: 250 ok\n");
	assert_said(p, "2 accepted: 250 ok\n");
}

/* An address of its own that cannot be written is nobody else's concern. */
static void
test_letter_to_nowhere(void **state)
{
	static const struct sink_envelope own = { "", "b oss@z" };
	struct play *p = *state;

	submit(p, 0, BODY);
	submit(p, 1, BODY);
	p->jobs[1].job.envelope = &own;
	submit(p, 2, BODY);
	log_in(p, CHUNKING);
	permit(p, 0);
	assert_said(p, "1 failed: message, never, MAIL\n");
	permit(p, 2);
	say(p, TAKEN "250 ok\r\n250 ok\r\n" TAKEN "250 ok\r\n");
	assert_said(p, "2 accepted: 250 ok\n");
	assert_null(sink_trouble(p->sink));
}

/* --- a refusal in the middle */

static void
test_refused(void **state)
{
	static const struct {
		const char *replies; /* of the message in the middle */
		const char *phase;
	} table[] = {
		{ "552 big\r\n503 no\r\n503 no\r\n", "MAIL" },
		{ "250 ok\r\n550 who\r\n503 no\r\n", "RCPT" },
		{ TAKEN "554 spam\r\n", "BDAT LAST" },
		{ TAKEN "451 later\r\n", "BDAT LAST" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct play *p = *state;

		send_all(p, 3);
		say(p, TAKEN "250 zero\r\n250 ok\r\n");
		say(p, table[i].replies);
		assert_int_equal(p->jobs[1].fault.scope, FAULT_MESSAGE);
		assert_string_equal(p->jobs[1].fault.phase, table[i].phase);
		say(p, "250 ok\r\n" TAKEN "250 two\r\n");
		assert_said(p, "0 accepted: 250 zero\n");
		assert_said(p, "2 accepted: 250 two\n");
		assert_unsaid(p, "close");
		assert_null(sink_trouble(p->sink));
		play_teardown(state);
		play_setup(state);
	}
}

/* What is announced of it is still written, and not a byte more. */
static void
test_refused_in_chunks(void **state)
{
	struct play *p = *state;
	char *large = text_of(600 * KIB);

	submit(p, 0, large);
	submit(p, 1, BODY);
	p->net.full = true;
	p->net.room = 5000;
	log_in(p, CHUNKING);
	permit(p, 1);
	permit(p, 0);
	say(p, "250 ok\r\n550 who\r\n");
	assert_unsaid(p, "failed");
	forget(p);
	p->net.full = false;
	turn(p);
	assert_unsaid(p, "BDAT");
	forget(p);
	say(p, "503 no\r\n");
	assert_play(p, "S: 503 no\\r\\n\n0 failed: message, never, RCPT\n"
		       "C: " NEXT LAST "\n");
	say(p, "250 ok\r\n" TAKEN "250 ok\r\n");
	assert_said(p, "1 accepted: 250 ok\n");
	free(large);
}

/* It concerns the destination: nothing more is written, and who has ended
 * waits for the reply. */
static void
test_destination_refuses(void **state)
{
	struct play *p = *state;

	start(p, CHUNKING, 4);
	permit(p, 1);
	permit(p, 0);
	forget(p);
	say(p, "530 log in\r\n503 no\r\n503 no\r\n");
	assert_said(p, "0 failed: destination, never, MAIL\n"
		       "2 failed: destination, never, MAIL\n"
		       "3 failed: destination, never, MAIL\n");
	assert_unsaid(p, "close");
	assert_unsaid(p, "1 failed");
	assert_non_null(sink_trouble(p->sink));
	forget(p);
	permit(p, 1);
	say(p, "250 ok\r\n" TAKEN "250 one\r\n");
	assert_said(p, "1 accepted: 250 one\nclose\n");
	assert_unsaid(p, "C:");
	/* It was on its way before, and proves nothing. */
	assert_non_null(sink_trouble(p->sink));
}

/* The same on a line that has carried a message. */
static void
test_daily_limit(void **state)
{
	struct play *p = *state;

	p->net.numbered = true;
	start(p, CHUNKING, 4);
	permit(p, 2);
	permit(p, 1);
	permit(p, 0);
	say(p, TAKEN "250 ok\r\n");
	forget(p);
	say(p, "250 ok\r\n" TAKEN "550 5.4.5 that is all for today\r\n");
	assert_unsaid(p, "failed");
	assert_said(p, "open 2");
	fake_conn_pick(&p->net, 1);
	say(p, "250 ok\r\n" TAKEN "250 two\r\n");
	assert_said(p, "2 accepted: 250 two\nclose 1\n");
	forget(p);
	log_in(p, CHUNKING);
	assert_said(p, "begin 1\nbegin 3\n");
	permit(p, 1);
	say(p, TAKEN "550 5.4.5 that is all for today\r\n");
	assert_said(p, "1 failed: destination, later, BDAT LAST\n"
		       "3 failed: destination, later, BDAT LAST\n");
	assert_non_null(sink_trouble(p->sink));
}

/* One failure, however many messages hear of it. */
static void
test_trouble_counts_once(void **state)
{
	struct play *p = *state;
	struct sink_status st;

	send_all(p, 3);
	say(p, "530 log in\r\n503 no\r\n503 no\r\n250 ok\r\n"
	       "530 log in\r\n503 no\r\n503 no\r\n250 ok\r\n"
	       "530 log in\r\n503 no\r\n503 no\r\n");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(p->jobs[i].fault.scope, FAULT_DESTINATION);
	sink_status(p->sink, &st);
	assert_int_equal(st.pause->failures, 1);
	assert_null(p->net.conn);
}

/* --- the line is lost */

/* 0 was accepted, 1 and 2 have ended, 3 is being written, 4 waits. */
static void
stand_in_between(struct play *p)
{
	char *large = text_of(300 * KIB);

	for (unsigned i = 0; i < 3; i++)
		submit(p, i, BODY);
	submit(p, 3, large);
	submit(p, 4, BODY);
	log_in(p, CHUNKING);
	for (unsigned i = 3; i-- > 0;)
		permit(p, i);
	say(p, TAKEN "250 ok\r\n");
	assert_said(p, "0 accepted: 250 ok\n");
	forget(p);
	free(large);
}

static void
test_breaks(void **state)
{
	struct play *p = *state;

	stand_in_between(p);
	fake_conn_break(&p->net);
	turn(p);
	assert_play(p, "break\n1 failed: message, unknown, phase\n"
		       "2 failed: message, unknown, phase\nclose\n"
		       "open mx 465\n");
	assert_null(sink_trouble(p->sink));
	log_in(p, CHUNKING);
	assert_said(p, "begin 3\nbegin 4\n"); /* in their order */
	assert_true(withdraw(p, 4));
	assert_true(withdraw(p, 3));
}

static void
test_breaks_in_a_reply(void **state)
{
	struct play *p = *state;

	stand_in_between(p);
	say(p, "250 ok\r\n" TAKEN "250-on");
	fake_conn_break(&p->net);
	turn(p);
	assert_int_equal(p->jobs[1].fault.when, FAULT_UNKNOWN);
	assert_int_equal(p->jobs[2].fault.when, FAULT_UNKNOWN);
	assert_true(withdraw(p, 3));
	assert_true(withdraw(p, 4));
}

static void
test_garbage(void **state)
{
	struct play *p = *state;

	stand_in_between(p);
	say(p, "250 ok\r\n" TAKEN "250 one\r\nall fine\r\n");
	assert_said(p, "1 accepted: 250 one\n");
	assert_int_equal(p->jobs[2].fault.when, FAULT_UNKNOWN);
	assert_true(withdraw(p, 3));
	assert_true(withdraw(p, 4));
}

/* A last chunk of which bytes are missing is no end. */
static void
test_breaks_in_the_last_chunk(void **state)
{
	struct play *p = *state;
	char *large = text_of(100 * KIB);

	work_once(p);
	fake_conn_break(&p->net);
	submit(p, 0, BODY);
	submit(p, 1, large);
	log_in(p, CHUNKING);
	permit(p, 0);
	say(p, TAKEN "250 ok\r\n");
	forget(p);
	p->net.full = true;
	permit(p, 1); /* 64 KiB of it wait to be written */
	fake_conn_break(&p->net);
	turn(p);
	assert_unsaid(p, "failed");
	assert_true(withdraw(p, 1));
	free(large);
}

static void
test_never_worked(void **state)
{
	struct play *p = *state;

	start(p, CHUNKING, 3);
	permit(p, 0);
	forget(p);
	fake_conn_break(&p->net);
	turn(p);
	assert_play(p, "break\n0 failed: message, unknown, phase\n"
		       "1 failed: destination, later, phase\n"
		       "2 failed: destination, later, phase\nclose\n");
	assert_non_null(sink_trouble(p->sink));
}

/* A complete 421 says that it was not accepted, nor what is behind it. */
static void
test_421(void **state)
{
	struct play *p = *state;

	stand_in_between(p);
	say(p, "250 ok\r\n" TAKEN "421 enough\r\n");
	assert_unsaid(p, "failed");
	assert_said(p, "close\nopen mx 465\n");
	log_in(p, CHUNKING);
	assert_said(p, "begin 1\nbegin 2\nbegin 3\nbegin 4\n");
	forget(p);
	permit(p, 1);
	say(p, "421 enough\r\n"); /* the first of a line: trouble */
	assert_said(p, "1 failed: destination, later, MAIL\n"
		       "2 failed: destination, later, MAIL\n");
	assert_non_null(sink_trouble(p->sink));
}

/* The same behind another refusal of the same message, which decides. */
static void
test_421_behind_a_refusal(void **state)
{
	struct play *p = *state;

	stand_in_between(p);
	say(p, "250 ok\r\n250 ok\r\n550 who\r\n421 enough\r\n");
	assert_said(p, "1 failed: message, never, RCPT\nclose\nopen");
	log_in(p, CHUNKING);
	assert_said(p, "begin 2\nbegin 3\nbegin 4\n");
	withdraw(p, 4);
	withdraw(p, 3);
	withdraw(p, 2);
}

/* --- withdrawn */

static void
test_withdraw(void **state)
{
	struct play *p = *state;

	stand_in_between(p);
	assert_false(withdraw(p, 2)); /* has ended */
	assert_true(withdraw(p, 4));  /* waits: nobody feels it */
	assert_play(p, "withdraw 2 (no)\nwithdraw 4\n");
	submit(p, 5, BODY);
	turn(p);
	forget(p);
	/* Is being written: who has ended waits for the reply, who has not
	 * goes elsewhere. */
	p->net.numbered = true;
	assert_true(withdraw(p, 3));
	assert_said(p, "open 1 mx 465\n");
	assert_unsaid(p, "close");
	forget(p);
	fake_conn_pick(&p->net, 0);
	say(p, "250 ok\r\n" TAKEN "250 one\r\n250 ok\r\n" TAKEN "250 two\r\n");
	assert_said(p, "1 accepted: 250 one\n2 accepted: 250 two\nclose\n");
	log_in(p, CHUNKING);
	assert_said(p, "begin 5\n");
	assert_true(withdraw(p, 5));
}

/* No record, no end: as when the commit of a whole window fails. */
static void
test_withdraw_all(void **state)
{
	struct play *p = *state;

	start(p, CHUNKING, 3);
	forget(p);
	for (unsigned i = 0; i < 3; i++)
		assert_true(sink_withdraw(p->sink, &p->jobs[i].job));
	turn(p);
	assert_play(p, "close\n");
	assert_null(sink_trouble(p->sink));
}

static void
test_unreadable(void **state)
{
	struct play *p = *state;
	char *large = text_of(300 * KIB);

	submit(p, 0, BODY);
	submit_unreadable(p, 1, large);
	submit(p, 2, BODY);
	log_in(p, CHUNKING);
	permit(p, 2);
	p->net.numbered = true;
	permit(p, 0);
	assert_string_equal(p->jobs[1].fault.phase, "spool");
	fake_conn_pick(&p->net, 0);
	say(p, TAKEN "250 ok\r\n");
	assert_said(p, "0 accepted: 250 ok\n");
	assert_null(sink_trouble(p->sink));
	assert_true(withdraw(p, 2));
	free(large);
}

/* --- for people */

static void
test_status(void **state)
{
	struct play *p = *state;
	struct sink_status st;

	start(p, CHUNKING, 2);
	p->jobs[0].job.uid = "a";
	p->jobs[1].job.uid = "b";
	sink_status(p->sink, &st);
	assert_string_equal(st.doing, "sending");
	assert_string_equal(st.uid, "a");
	assert_int_equal(st.size, 26);
	assert_int_equal(st.done, 0);
	permit(p, 0);
	sink_status(p->sink, &st);
	assert_string_equal(st.uid, "b");
	permit(p, 1);
	sink_status(p->sink, &st);
	assert_string_equal(st.uid, "a"); /* waits for its reply */
	assert_int_equal(st.done, 26);
	say(p, TAKEN "250 ok\r\n250 ok\r\n" TAKEN "250 ok\r\n");
	sink_status(p->sink, &st);
	assert_string_equal(st.doing, "idle");
	assert_null(st.uid);
	assert_int_equal(st.connections, 1);
	assert_int_equal(sink_tally(p->sink)->dot.count, 2);
	assert_int_equal(sink_tally(p->sink)->replies[TALLY_ENVELOPE][0], 2);
	assert_int_equal(sink_tally(p->sink)->replies[TALLY_DOT][0], 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, play_setup, play_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one_flight),
		TEST(test_window),
		TEST(test_window_of_one),
		TEST(test_data),
		TEST(test_no_pipelining),
		TEST(test_chunks),
		TEST(test_narrow),
		TEST(test_ahead),
		TEST(test_probe),
		TEST(test_patience),
		TEST(test_patience_of_data),
		TEST(test_letter),
		TEST(test_letter_to_nowhere),
		TEST(test_refused),
		TEST(test_refused_in_chunks),
		TEST(test_destination_refuses),
		TEST(test_daily_limit),
		TEST(test_trouble_counts_once),
		TEST(test_breaks),
		TEST(test_breaks_in_a_reply),
		TEST(test_garbage),
		TEST(test_breaks_in_the_last_chunk),
		TEST(test_never_worked),
		TEST(test_421),
		TEST(test_421_behind_a_refusal),
		TEST(test_withdraw),
		TEST(test_withdraw_all),
		TEST(test_unreadable),
		TEST(test_status),
	};

	return cmocka_run_group_tests_name("sink_window", tests, NULL, NULL);
}
