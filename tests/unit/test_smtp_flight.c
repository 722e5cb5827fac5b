/* SPDX-License-Identifier: ISC */
/* Transactions that overlap: behind a dot, and in chunks. */
#include "smtp_play.h"

#define CHUNKING                                                               \
	GREET "250-me\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE 9\r\n|"
#define CHUNKS MAIL RCPT "BDAT 3\\r\\nabcBDAT 2 LAST\\r\\nde"
#define NEXT "RSET\\r\\n" CHUNKS
#define TAKEN "250 a\r\n250 b\r\n250 c\r\n250 d\r\n"
#define NEXT_TAKEN "250 r\r\n" TAKEN
#define ACCEPTED "verdict BDAT LAST 250\n"

struct row {
	const char *replies, *expected;
};

/* What stands around the rows. */
struct frame {
	struct play play;
	const char *turns, *turns_after;
	const char *expected, *expected_after;
};

static void
check_rows(const struct frame *f, const struct row *rows, size_t n)
{
	char turns[1024], expected[2048];
	struct play p = f->play;

	p.turns = turns;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(turns, sizeof(turns), "%s%s%s", f->turns,
		    rows[i].replies, f->turns_after);
		(void)snprintf(expected, sizeof(expected), "%s%s%s",
		    f->expected, rows[i].expected, f->expected_after);
		check(p, expected);
	}
}

#define ROWS(table) (table), sizeof(table) / sizeof((table)[0])

static const struct frame three = {
	.play = { .chunked = true, .messages = 3, .window = 3 },
	.turns = CHUNKING TAKEN,
	.turns_after = NEXT_TAKEN "|221\r\n",
	.expected = READY "C: " CHUNKS NEXT NEXT "\n" ACCEPTED,
	.expected_after = ACCEPTED BYE,
};

/* What is said to the second of three is the second's alone. */
static void
test_window(void **state)
{
	static const struct row table[] = {
		{ NEXT_TAKEN, ACCEPTED },
		/* Replies without and with what RFC 3030 leaves open. */
		{ "250 r\r\n550 a\r\n503 b\r\n503 c\r\n503 d\r\n",
		    "verdict MAIL 550\n" },
		{ "250 r\r\n550 a\r\n250 b\r\n503 c\r\n503 d\r\n",
		    "verdict MAIL 550\n" },
		{ "250 r\r\n550 a\r\n250 b\r\n250 c\r\n554 d\r\n",
		    "verdict MAIL 550\n" },
		{ "250 r\r\n250 a\r\n452-b\r\n452 b\r\n503 c\r\n503 d\r\n",
		    "verdict RCPT 452\n" },
		{ "250 r\r\n250 a\r\n550 b\r\n250 c\r\n554 d\r\n",
		    "verdict RCPT 550\n" },
		/* It reached nobody. */
		{ "250 r\r\n250 a\r\n550 b\r\n250 c\r\n250 d\r\n",
		    "verdict RCPT 550\n" },
		{ "250 r\r\n550 a\r\n550 b\r\n250 c\r\n250 d\r\n",
		    "verdict MAIL 550\n" },
		{ "250 r\r\n250 a\r\n250 b\r\n452 c\r\n503 d\r\n",
		    "verdict BDAT 452\n" },
		{ "250 r\r\n250 a\r\n250 b\r\n250 c\r\n554 d\r\n",
		    "verdict BDAT LAST 554\n" },
	};

	(void)state;
	check_rows(&three, ROWS(table));
}

/* A 421 is the last verdict, or a refusal in front of it. */
static void
test_window_closes(void **state)
{
	static const struct row table[] = {
		{ "421 r\r\n", "verdict RSET 421\n" },
		{ "250 r\r\n421 a\r\n", "verdict MAIL 421\n" },
		{ "250 r\r\n250 a\r\n421 b\r\n", "verdict RCPT 421\n" },
		{ "250 r\r\n250 a\r\n550 b\r\n421-c\r\n421 c\r\n",
		    "verdict RCPT 550\n" },
		{ "250 r\r\n250 a\r\n250 b\r\n421 c\r\n",
		    "verdict BDAT 421\n" },
		{ "250 r\r\n250 a\r\n250 b\r\n250 c\r\n421 d\r\n",
		    "verdict BDAT LAST 421\n" },
	};
	struct frame f = three;

	(void)state;
	f.expected_after = "idle\n";
	check_rows(&f, ROWS(table));
}

/* Nothing is guessed, least of all an acceptance. */
static void
test_window_out_of_step(void **state)
{
#define ONLY_DATA "an answer that only DATA has\n"
#define NOT_BDAT "an answer that does not fit BDAT\n"
#define NOT_END "an answer that the end of data does not have\n"
#define AFTER_ALL "a message was accepted that was refused\n"
#define NOT_SMTP "what the server said is not SMTP\n"
	static const struct row table[] = {
		{ "502 r\r\n", "RSET: RSET was refused\n" },
		{ "354 r\r\n", "RSET: RSET was refused\n" },
		{ "250 r\r\n354 a\r\n", "MAIL: " ONLY_DATA },
		{ "250 r\r\n250 a\r\n354 b\r\n", "RCPT: " ONLY_DATA },
		{ "250 r\r\n250 a\r\n250 b\r\n354 c\r\n", "BDAT: " NOT_BDAT },
		{ NEXT_TAKEN "250 r\r\n250 a\r\n250 b\r\n250 c\r\n354 d\r\n",
		    "BDAT LAST: " NOT_END },
		{ "250 r\r\n550 a\r\n250 b\r\n250 c\r\n250 d\r\n",
		    "BDAT LAST: " AFTER_ALL },
		{ "250 r\r\n250 a\r\n250 b\r\n452 c\r\n250 d\r\n",
		    "BDAT LAST: " AFTER_ALL },
		{ "250 r\r\n250-a\r\n550 a\r\n", "MAIL: " NOT_SMTP },
	};
	struct frame f = three;
	char expected[1024];

	(void)state;
	f.expected_after = "idle\n";
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		bool second = strstr(table[i].expected, NOT_END) != NULL;
		struct row row = table[i];

		(void)snprintf(expected, sizeof(expected), "%serror at %s",
		    second ? ACCEPTED : "", row.expected);
		row.expected = expected;
		check_rows(&f, &row, 1);
	}
}

/* A message without its end, and one behind it, which waits for the verdict:
 * the transaction is over when nothing of it is due any more. */
static void
test_no_end(void **state)
{
	static const struct row table[] = {
		{ "550 a\r\n503 b\r\n503 c\r\n", "verdict MAIL 550\n" },
		{ "550 a\r\n250 b\r\n250 c\r\n", "verdict MAIL 550\n" },
		{ "250 a\r\n550 b\r\n503 c\r\n", "verdict RCPT 550\n" },
		{ "250 a\r\n250 b\r\n452 c\r\n", "verdict BDAT 452\n" },
	};
	static const struct row closing[] = {
		{ "550 a\r\n421 b\r\n", "verdict MAIL 550\nidle\n" },
		{ "250 a\r\n250 b\r\n250 c\r\n421 d\r\n",
		    "verdict body 421\nidle\n" },
		{ "250 a\r\n250 b\r\n250 c\r\n451 d\r\n",
		    "verdict body 451\nidle\n" },
		{ "250 a\r\n250 b\r\n250 c\r\n250 d\r\n",
		    "error at body: an answer to data that has not ended\n"
		    "idle\n" },
		{ "250 a\r\n250 b\r\n250 c\r\n", "sending the message\n" },
		{ "250 a\r\n250 b\r\n", "BDAT\n" },
	};
	struct frame f = {
		.play = { .chunked = true,
		    .messages = 2,
		    .window = 2,
		    .unended = 1 },
		.turns = CHUNKING,
		.turns_after = "|" NEXT_TAKEN "|221\r\n",
		.expected = READY "C: " MAIL RCPT "BDAT 3\\r\\nabc\n",
		.expected_after = "C: " NEXT "\n" ACCEPTED BYE,
	};

	(void)state;
	check_rows(&f, ROWS(table));
	f.turns_after = f.expected_after = "";
	check_rows(&f, ROWS(closing));
}

/* By DATA one is behind the dot of the other.  No RSET: a dot ends it all. */
static void
test_behind_the_dot(void **state)
{
#define DOT_AND_NEXT "go DATA 354\nC: a\\r\\n..b\\r\\n.\\r\\n" FLIGHT
#define ENVELOPE_TAKEN "250 a\r\n250 b\r\n354 c\r\n|"
#define DOT_TAKEN "verdict end of data 250\n"
	static const struct row first[] = {
		{ "250 d\r\n", DOT_TAKEN },
		{ "554 d\r\n", "verdict end of data 554\n" },
	};
	static const struct row second[] = {
		{ "550 a\r\n503 b\r\n503 c\r\n|221\r\n",
		    "verdict MAIL 550\n" BYE },
		{ "250 a\r\n550 b\r\n354 c\r\n|554 d\r\n|221\r\n",
		    "C: .\\r\\n\nverdict RCPT 550\n" BYE },
		{ "250 a\r\n250 b\r\n452 c\r\n|221\r\n",
		    "verdict DATA 452\n" BYE },
		{ ENVELOPE_TAKEN "421 d\r\n",
		    BODY "verdict end of data 421\nidle\n" },
		{ "421 a\r\n", "verdict MAIL 421\nidle\n" },
		{ "250 a\r\n250 b\r\n250 c\r\n",
		    "error at DATA: an answer that does not fit DATA\nidle\n" },
	};
	struct frame f = {
		.play = { .messages = 2, .window = 2 },
		.turns = PIPELINED ENVELOPE_TAKEN,
		.turns_after = ENVELOPE_TAKEN "250 d\r\n|221\r\n",
		.expected = READY "C: " FLIGHT DOT_AND_NEXT,
		.expected_after = BODY DOT_TAKEN BYE,
	};

	(void)state;
	check_rows(&f, ROWS(first));
	f.turns = PIPELINED ENVELOPE_TAKEN "250 d\r\n";
	f.expected = READY "C: " FLIGHT DOT_AND_NEXT DOT_TAKEN;
	f.turns_after = f.expected_after = "";
	check_rows(&f, ROWS(second));
}

/* The third is behind the dot of the second, which went well, or behind its
 * refusal. */
static void
test_rset_behind_a_refusal(void **state)
{
	struct play p = { .messages = 3, .window = 2 };

	(void)state;
	p.turns = PIPELINED ENVELOPE_TAKEN "554 d\r\n" ENVELOPE_TAKEN
					   "250 d\r\n" ENVELOPE_TAKEN
					   "250 d\r\n|221\r\n";
	check(p, READY "C: " FLIGHT DOT_AND_NEXT
		       "verdict end of data 554\n" DOT_AND_NEXT DOT_TAKEN BODY
			   DOT_TAKEN BYE);
	p.turns = PIPELINED ENVELOPE_TAKEN "554 d\r\n550 a\r\n503 b\r\n"
					   "503 c\r\n|250 r\r\n" ENVELOPE_TAKEN
					   "250 d\r\n|221\r\n";
	check(p,
	    READY "C: " FLIGHT DOT_AND_NEXT "verdict end of data 554\n"
		  "verdict MAIL 550\nC: RSET\\r\\n" FLIGHT BODY DOT_TAKEN BYE);
}

/* --- call by call */

static const char all_caps[] = "250-me\r\n250-PIPELINING\r\n250 CHUNKING\r\n";

static void
open_session(struct smtp *m, const char *ehlo)
{
	struct smtp_event e;

	assert_true(smtp_init(m, "me", true));
	smtp_wrote(m, smtp_out(m).n);
	assert_int_equal(smtp_recv(m, span_str(ehlo)), strlen(ehlo));
	assert_true(smtp_next(m, &e));
	assert_true(smtp_idle(m));
}

static bool
mail(struct smtp *m, bool chunked)
{
	struct smtp_envelope e = envelope;

	e.chunked = chunked;
	return smtp_mail(m, &e);
}

static void
mail_chunk(struct smtp *m, uint64_t n, bool last)
{
	assert_true(smtp_can_mail(m));
	assert_true(mail(m, true));
	assert_true(smtp_chunk(m, n, last));
}

static void
body(struct smtp *m, const char *text)
{
	struct span in = span_str(text);

	smtp_body(m, &in);
	assert_int_equal(in.n, 0);
}

static void
wrote_all(struct smtp *m)
{
	smtp_wrote(m, smtp_out(m).n);
}

static void
assert_wrote(struct smtp *m, const char *expected)
{
	assert_true(span_is(smtp_out(m), expected));
	wrote_all(m);
}

/* The one event that the text has. */
static void
assert_event(struct smtp *m, const char *text, enum smtp_event_kind kind,
    enum smtp_stage stage, unsigned code)
{
	struct smtp_event e;

	assert_int_equal(smtp_recv(m, span_str(text)), strlen(text));
	assert_true(smtp_next(m, &e));
	assert_int_equal(e.kind, kind);
	assert_int_equal(e.stage, stage);
	assert_int_equal(e.reply->code, code);
	assert_false(smtp_next(m, &e));
}

static void
assert_quiet(struct smtp *m, const char *text)
{
	struct smtp_event e;

	assert_int_equal(smtp_recv(m, span_str(text)), strlen(text));
	assert_false(smtp_next(m, &e));
}

static void
test_offered(void **state)
{
	static const char *const too_little[] = { "250 me\r\n",
		"250-me\r\n250 CHUNKING\r\n", "250-me\r\n250 PIPELINING\r\n" };
	struct smtp_envelope e = envelope;
	struct smtp m;

	(void)state;
	e.chunked = true;
	for (size_t i = 0; i < 3; i++) {
		open_session(&m, too_little[i]);
		assert_false(smtp_can_chunk(&m));
		assert_true(smtp_can_mail(&m));
		assert_false(mail(&m, true));
		assert_true(mail(&m, false));
		assert_false(smtp_chunk(&m, 1, true));
		assert_false(smtp_can_mail(&m));
		smtp_free(&m);
	}
	open_session(&m, all_caps);
	assert_true(smtp_can_chunk(&m));
	assert_false(smtp_try(&m, &e));
	assert_false(smtp_chunk(&m, 1, true));
	assert_int_equal(smtp_out(&m).n, 0);
	smtp_free(&m);
	/* Behind a dot only in the same flight. */
	open_session(&m, "250 me\r\n");
	assert_true(mail(&m, false));
	assert_quiet(&m, "250 a\r\n");
	assert_quiet(&m, "250 b\r\n");
	assert_event(&m, "354 c\r\n", SMTP_EV_GO, SMTP_DATA, 354);
	assert_true(smtp_dot(&m));
	assert_false(smtp_can_mail(&m));
	assert_false(mail(&m, false));
	smtp_free(&m);
}

static void
test_chunk_calls(void **state)
{
	struct span in = span_str("abcdef");
	struct smtp m;

	(void)state;
	open_session(&m, all_caps);
	assert_true(mail(&m, true));
	assert_false(smtp_idle(&m));
	assert_false(smtp_can_mail(&m));
	assert_false(smtp_dot(&m));
	assert_false(smtp_chunk(&m, 0, false));
	smtp_body(&m, &in);
	assert_int_equal(in.n, 6);
	assert_wrote(&m, "MAIL FROM:<me@x>\r\nRCPT TO:<you@y>\r\n");
	assert_int_equal(smtp_wait_class(&m), WAIT_COMMAND);
	assert_false(smtp_chunk_open(&m));
	assert_true(smtp_chunk(&m, 4, false));
	assert_true(smtp_chunk_open(&m));
	smtp_body(&m, &in);
	assert_int_equal(in.n, 2);
	assert_false(smtp_chunk_open(&m));
	assert_false(smtp_can_mail(&m));
	assert_quiet(&m, "250 a\r\n250 b\r\n");
	assert_int_equal(smtp_wait_class(&m), WAIT_DATA);
	assert_wrote(&m, "BDAT 4\r\nabcd");
	assert_quiet(&m, "250 c\r\n");
	assert_int_equal(smtp_wait_class(&m), WAIT_BODY);
	assert_false(smtp_quit(&m));
	/* It may be that only the end is missing. */
	assert_true(smtp_chunk(&m, 0, true));
	assert_true(smtp_can_mail(&m));
	assert_wrote(&m, "BDAT 0 LAST\r\n");
	assert_int_equal(smtp_wait_class(&m), WAIT_DOT);
	assert_string_equal(
	    smtp_phase(&m), "end of data (message may be sent more than once)");
	assert_false(smtp_chunk(&m, 1, true));
	smtp_body(&m, &in);
	assert_int_equal(in.n, 2);
	assert_event(&m, "250 d\r\n", SMTP_EV_VERDICT, SMTP_LAST, 250);
	assert_true(smtp_idle(&m));
	assert_true(smtp_quit(&m));
	smtp_free(&m);
}

/* The verdict waits for the other replies; the message ends here. */
static void
test_no_more_of_a_refused_one(void **state)
{
	struct smtp m;

	(void)state;
	open_session(&m, all_caps);
	assert_true(mail(&m, true));
	wrote_all(&m);
	assert_quiet(&m, "550 a\r\n");
	assert_false(smtp_chunk(&m, 1, false));
	assert_false(smtp_chunk(&m, 1, true));
	assert_false(smtp_can_mail(&m));
	assert_int_equal(smtp_out(&m).n, 0);
	assert_event(&m, "503 b\r\n", SMTP_EV_VERDICT, SMTP_MAIL, 550);
	assert_false(smtp_chunk(&m, 1, true));
	assert_true(smtp_idle(&m));
	smtp_free(&m);
}

/* DATA and BDAT on one connection. */
static void
test_mixed(void **state)
{
	struct smtp m;

	(void)state;
	open_session(&m, all_caps);
	mail_chunk(&m, 1, true);
	body(&m, "a");
	wrote_all(&m);
	assert_true(mail(&m, false));
	assert_wrote(
	    &m, "RSET\r\nMAIL FROM:<me@x>\r\nRCPT TO:<you@y>\r\nDATA\r\n");
	assert_false(smtp_can_mail(&m));
	assert_quiet(&m, "250 a\r\n250 b\r\n");
	assert_event(&m, "554 c\r\n", SMTP_EV_VERDICT, SMTP_LAST, 554);
	assert_quiet(&m, "250 r\r\n250 a\r\n250 b\r\n");
	assert_event(&m, "354 c\r\n", SMTP_EV_GO, SMTP_DATA, 354);
	body(&m, "b\r\n");
	assert_true(smtp_dot(&m));
	assert_wrote(&m, "b\r\n.\r\n");
	mail_chunk(&m, 1, true);
	body(&m, "c");
	assert_wrote(&m, "MAIL FROM:<me@x>\r\nRCPT TO:<you@y>\r\n"
			 "BDAT 1 LAST\r\nc");
	assert_event(&m, "250 d\r\n", SMTP_EV_VERDICT, SMTP_DOT, 250);
	assert_quiet(&m, "250 a\r\n250 b\r\n");
	assert_event(&m, "250 d\r\n", SMTP_EV_VERDICT, SMTP_LAST, 250);
	/* All went well: nothing is to be taken back. */
	mail_chunk(&m, 1, true);
	body(&m, "d");
	assert_wrote(&m, "MAIL FROM:<me@x>\r\nRCPT TO:<you@y>\r\n"
			 "BDAT 1 LAST\r\nd");
	smtp_free(&m);
}

/* A refusal that does not wait for the chunk: its bytes are owed, and then the
 * connection is as good as before. */
static void
test_early_refusal(void **state)
{
	struct smtp m;

	(void)state;
	for (int last = 0; last < 2; last++) {
		open_session(&m, all_caps);
		mail_chunk(&m, 5, last);
		body(&m, "abc");
		wrote_all(&m);
		assert_quiet(&m, "250 a\r\n250 b\r\n");
		assert_event(&m, "552 c\r\n", SMTP_EV_VERDICT,
		    last ? SMTP_LAST : SMTP_CHUNK, 552);
		assert_true(smtp_chunk_open(&m));
		assert_false(smtp_idle(&m));
		assert_false(smtp_closed(&m));
		assert_false(smtp_can_mail(&m));
		assert_false(smtp_quit(&m));
		assert_false(smtp_chunk(&m, 1, true));
		assert_int_equal(smtp_wait_class(&m), WAIT_BODY);
		assert_string_equal(smtp_phase(&m), "sending the message");
		body(&m, "de");
		assert_wrote(&m, "de");
		assert_true(smtp_idle(&m));
		assert_int_equal(smtp_wait_class(&m), WAIT_NONE);
		mail_chunk(&m, 1, true);
		assert_wrote(&m, "RSET\r\nMAIL FROM:<me@x>\r\n"
				 "RCPT TO:<you@y>\r\nBDAT 1 LAST\r\n");
		smtp_free(&m);
		open_session(&m, all_caps);
		mail_chunk(&m, 5, last);
		assert_quiet(&m, "250 a\r\n250 b\r\n");
		assert_event(&m, "552 c\r\n", SMTP_EV_VERDICT,
		    last ? SMTP_LAST : SMTP_CHUNK, 552);
		assert_event(
		    &m, "421 d\r\n", SMTP_EV_CLOSING, SMTP_STAGES, 421);
		assert_true(smtp_closed(&m));
		assert_false(smtp_chunk_open(&m));
		smtp_free(&m);
	}
}

/* Nobody can have accepted what was not sent: replies were counted wrongly. */
static void
test_early_acceptance(void **state)
{
	struct smtp m;

	(void)state;
	for (int last = 0; last < 2; last++) {
		open_session(&m, all_caps);
		mail_chunk(&m, 5, last);
		body(&m, "abcd");
		wrote_all(&m);
		assert_quiet(&m, "250 a\r\n250 b\r\n");
		assert_event(&m, "250 c\r\n", SMTP_EV_ERROR,
		    last ? SMTP_LAST : SMTP_CHUNK, 250);
		assert_true(smtp_closed(&m));
		smtp_free(&m);
	}
	/* All was given, but a byte of the second waits to be written. */
	open_session(&m, all_caps);
	for (int i = 0; i < 3; i++) {
		mail_chunk(&m, 1, true);
		body(&m, "a");
		smtp_wrote(&m, i < 1 ? smtp_out(&m).n : 0);
	}
	assert_quiet(&m, "250 a\r\n250 b\r\n");
	assert_event(&m, "250 c\r\n", SMTP_EV_VERDICT, SMTP_LAST, 250);
	smtp_wrote(&m, smtp_out(&m).n / 2 - 1);
	assert_quiet(&m, "250 r\r\n250 a\r\n250 b\r\n");
	assert_event(&m, "250 c\r\n", SMTP_EV_ERROR, SMTP_LAST, 250);
	smtp_free(&m);
	open_session(&m, all_caps);
	assert_true(mail(&m, false));
	wrote_all(&m);
	assert_quiet(&m, "250 a\r\n250 b\r\n");
	assert_event(&m, "354 c\r\n", SMTP_EV_GO, SMTP_DATA, 354);
	assert_true(smtp_dot(&m));
	smtp_wrote(&m, 2);
	assert_event(&m, "250 d\r\n", SMTP_EV_ERROR, SMTP_DOT, 250);
	smtp_free(&m);
}

/* --- limits */

static void
test_many_transactions(void **state)
{
	struct smtp m;

	(void)state;
	open_session(&m, all_caps);
	for (int i = 0; i < SMTP_OPEN_MAX; i++) {
		mail_chunk(&m, 1, true);
		body(&m, "a");
		wrote_all(&m);
	}
	assert_false(smtp_can_mail(&m));
	assert_false(mail(&m, true));
	assert_quiet(&m, "250 a\r\n250 b\r\n");
	for (int i = 0; i < 3 * SMTP_OPEN_MAX; i++) {
		assert_event(&m, "250 c\r\n", SMTP_EV_VERDICT, SMTP_LAST, 250);
		mail_chunk(&m, 1, true);
		assert_false(smtp_can_mail(&m));
		body(&m, "a");
		assert_false(smtp_can_mail(&m));
		wrote_all(&m);
		assert_quiet(&m, "250 r\r\n250 a\r\n250 b\r\n");
	}
	assert_event(&m, "421 c\r\n", SMTP_EV_VERDICT, SMTP_LAST, 421);
	assert_true(smtp_closed(&m));
	assert_false(smtp_idle(&m));
	assert_false(smtp_can_mail(&m));
	assert_quiet(&m, "250 r\r\n250 a\r\n");
	assert_int_equal(smtp_wait_class(&m), WAIT_NONE);
	smtp_free(&m);
}

/* A transaction of very many chunks: the last one always has its place. */
static void
test_many_chunks(void **state)
{
	struct smtp m;
	int chunks = 0;

	(void)state;
	open_session(&m, all_caps);
	assert_true(mail(&m, true));
	wrote_all(&m);
	while (smtp_chunk(&m, 1, false)) {
		body(&m, "a");
		wrote_all(&m);
		chunks++;
	}
	assert_int_equal(chunks, SMTP_DUE_MAX - 3);
	assert_quiet(&m, "250 a\r\n");
	assert_true(smtp_chunk(&m, 1, false));
	body(&m, "a");
	assert_false(smtp_chunk(&m, 1, false));
	assert_true(smtp_chunk(&m, 0, true));
	wrote_all(&m);
	assert_false(smtp_can_mail(&m));
	assert_quiet(&m, "250 b\r\n");
	for (int i = 0; i < chunks + 1; i++) {
		assert_int_equal(
		    smtp_can_mail(&m), i >= 3); /* RSET MAIL RCPT BDAT */
		assert_quiet(&m, "250 c\r\n");
	}
	assert_event(&m, "250 d\r\n", SMTP_EV_VERDICT, SMTP_LAST, 250);
	assert_true(smtp_idle(&m));
	smtp_free(&m);
}

/* However full the output is, the next chunk can be announced.  Once full, it
 * is drained before more is taken. */
static void
test_full_output(void **state)
{
	static char text[SMTP_OUT_MAX + 100];
	struct span in = span_make(text, sizeof(text));
	struct smtp m;
	size_t n;

	(void)state;
	memset(text, 'x', sizeof(text));
	open_session(&m, all_caps);
	mail_chunk(&m, UINT64_MAX, false);
	smtp_body(&m, &in);
	assert_true(in.n > 100);
	smtp_free(&m);
	open_session(&m, all_caps);
	mail_chunk(&m, SMTP_OUT_MAX - 100, false);
	wrote_all(&m);
	in = span_make(text, sizeof(text));
	smtp_body(&m, &in);
	assert_int_equal(in.n, 200);
	assert_true(smtp_chunk(&m, 1000, false));
	smtp_body(&m, &in);
	n = smtp_out(&m).n;
	assert_true(n <= SMTP_OUT_MAX - strlen("BDAT 18446744073709551615 "
					       "LAST\r\n"));
	assert_true(n > SMTP_OUT_MAX - 100);
	smtp_wrote(&m, n - SMTP_OUT_MAX / 4 - 1);
	n = in.n;
	smtp_body(&m, &in);
	assert_int_equal(in.n, n);
	smtp_wrote(&m, 1);
	smtp_body(&m, &in);
	assert_int_equal(in.n, 0);
	assert_true(smtp_chunk_open(&m));
	smtp_free(&m);
}

/* Neither is there room for commands. */
static void
test_full_output_has_no_room(void **state)
{
	static char text[SMTP_OUT_MAX];
	struct span in = span_make(text, SMTP_OUT_MAX - 1000);
	struct smtp m;

	(void)state;
	memset(text, 'x', sizeof(text));
	open_session(&m, all_caps);
	mail_chunk(&m, in.n, true);
	wrote_all(&m);
	smtp_body(&m, &in);
	assert_int_equal(in.n, 0);
	assert_false(smtp_can_mail(&m));
	assert_false(mail(&m, true));
	smtp_wrote(&m, 2000);
	assert_true(smtp_can_mail(&m));
	smtp_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_window_closes),
		cmocka_unit_test(test_window_out_of_step),
		cmocka_unit_test(test_no_end),
		cmocka_unit_test(test_behind_the_dot),
		cmocka_unit_test(test_rset_behind_a_refusal),
		cmocka_unit_test(test_offered),
		cmocka_unit_test(test_chunk_calls),
		cmocka_unit_test(test_no_more_of_a_refused_one),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_early_refusal),
		cmocka_unit_test(test_early_acceptance),
		cmocka_unit_test(test_many_transactions),
		cmocka_unit_test(test_many_chunks),
		cmocka_unit_test(test_full_output),
		cmocka_unit_test(test_full_output_has_no_room),
	};

	return cmocka_run_group_tests_name("smtp_flight", tests, NULL, NULL);
}
