/* SPDX-License-Identifier: ISC */
#include "smtp_play.h"

static void
check_one(const char *turns, const char *expected)
{
	check((struct play){ .turns = turns, .messages = 1 }, expected);
}

static void
test_one_message(void **state)
{
	(void)state;
	check_one(PIPELINED "250 a\r\n250 b\r\n354 c\r\n|250 d\r\n|221 e\r\n",
	    READY "C: " FLIGHT BODY "verdict end of data 250\n" BYE);
	check_one(ONE_BY_ONE
	    "250 a\r\n|251 b\r\n|354 c\r\n|250 d\r\n|221 e\r\n",
	    READY "C: " MAIL "\nC: " RCPT "\nC: DATA\\r\\n\n" BODY
		  "verdict end of data 250\n" BYE);
	/* S10, S18: any 2yz accepts; LF alone is forgiven. */
	check_one(PIPELINED "250-a\n250 x\n252 b\n354\n|299 d\n|221\n",
	    READY "C: " FLIGHT BODY "verdict end of data 299\n" BYE);
}

/* Inside TLS on port 587 there is no second greeting. */
static void
test_greeted(void **state)
{
	(void)state;
	check(
	    (struct play){ .turns = "250-me\r\n250 SIZE\r\n", .greeted = true },
	    READY QUIT "QUIT\n");
}

static void
test_no_service(void **state)
{
	(void)state;
	check_one("554 no\r\n250 x\r\n", "refused greeting 554\nidle\n");
	check_one("421-no\r\n421 x\r\n", "refused greeting 421\nidle\n");
	/* S2: and no HELO after it. */
	check_one(GREET "502 no\r\n", EHLO "refused EHLO 502\nidle\n");
	check_one("* OK imap\r\n220 hi\r\n",
	    "error at greeting: what the server said is not SMTP\nidle\n");
}

/* S3 to S8: which reply decides, and that RSET goes with the next flight. */
static void
test_refused(void **state)
{
	(void)state;
	check_one(PIPELINED "550 a\r\n503 b\r\n503 c\r\n|221\r\n",
	    READY "C: " FLIGHT "verdict MAIL 550\n" BYE);
	check_one(PIPELINED "250 a\r\n452 b\r\n554 c\r\n|221\r\n",
	    READY "C: " FLIGHT "verdict RCPT 452\n" BYE);
	check_one(PIPELINED "250 a\r\n250 b\r\n451 c\r\n|221\r\n",
	    READY "C: " FLIGHT "verdict DATA 451\n" BYE);
	check_one(PIPELINED "250 a\r\n250 b\r\n354 c\r\n|554 d\r\n|221\r\n",
	    READY "C: " FLIGHT BODY "verdict end of data 554\n" BYE);
	check_one(ONE_BY_ONE "530 a\r\n|221\r\n",
	    READY "C: " MAIL "\nverdict MAIL 530\n" BYE);
	check_one(ONE_BY_ONE "250 a\r\n|550 b\r\n|221\r\n",
	    READY "C: " MAIL "\nC: " RCPT "\nverdict RCPT 550\n" BYE);
	check((struct play){ .turns = PIPELINED
			     "250 a\r\n550 b\r\n554 c\r\n|"
			     "250 r\r\n250 a\r\n250 b\r\n354 c\r\n|"
			     "250 d\r\n|221\r\n",
		  .messages = 2 },
	    READY "C: " FLIGHT "verdict RCPT 550\nC: RSET\\r\\n" FLIGHT BODY
		  "verdict end of data 250\n" BYE);
	check(
	    (struct play){ .turns = ONE_BY_ONE "550 a\r\n|250 r\r\n|550 b\r\n|",
		.messages = 2 },
	    READY "C: " MAIL "\nverdict MAIL 550\nC: RSET\\r\\n\nC: " MAIL
		  "\nverdict MAIL 550\n" QUIT "QUIT\n");
}

static void
check_trial(const char *turns, const char *expected)
{
	check((struct play){ .turns = turns, .messages = 1, .trial = true },
	    expected);
}

/* Asks whether a message would be taken, and never for its body. */
static void
test_trial(void **state)
{
	(void)state;
	check_trial(PIPELINED "250 a\r\n250 b\r\n250 c\r\n|221 e\r\n",
	    READY "C: " TRIAL "verdict RCPT 250\n" BYE);
	check_trial(ONE_BY_ONE "250 a\r\n|251 b\r\n|250 c\r\n|221 e\r\n", READY
	    "C: " MAIL "\nC: " RCPT "\nC: RSET\\r\\n\nverdict RCPT 251\n" BYE);
	check_trial(PIPELINED "550 a\r\n503 b\r\n250 c\r\n|221\r\n",
	    READY "C: " TRIAL "verdict MAIL 550\n" BYE);
	check_trial(PIPELINED "250 a\r\n452 b\r\n250 c\r\n|221\r\n",
	    READY "C: " TRIAL "verdict RCPT 452\n" BYE);
	check_trial(ONE_BY_ONE "530 a\r\n|221\r\n",
	    READY "C: " MAIL "\nverdict MAIL 530\n" BYE);
	check_trial(ONE_BY_ONE "250 a\r\n|550 b\r\n|221\r\n",
	    READY "C: " MAIL "\nC: " RCPT "\nverdict RCPT 550\n" BYE);
	/* What is said to RSET changes nothing, but the line may be over. */
	check_trial(PIPELINED "250 a\r\n250 b\r\n502 c\r\n",
	    READY "C: " TRIAL "verdict RCPT 250\nidle\n");
	check_trial(PIPELINED "250 a\r\n550 b\r\n421 c\r\n",
	    READY "C: " TRIAL "verdict RCPT 550\nidle\n");
	check_trial(PIPELINED "250 a\r\n354 b\r\n",
	    READY "C: " TRIAL "error at RCPT: an answer that only DATA has\n"
		  "idle\n");
}

/* S22: 354 though nobody is to get it.  The dot that ends it decides nothing,
 * whatever the answer. */
static void
test_lone_dot(void **state)
{
	(void)state;
	check_one(PIPELINED "250 a\r\n550 b\r\n354 c\r\n|554 d\r\n|221\r\n",
	    READY "C: " FLIGHT "C: .\\r\\n\nverdict RCPT 550\n" BYE);
	check_one(PIPELINED "250 a\r\n450 b\r\n354 c\r\n|250 d\r\n|221\r\n",
	    READY "C: " FLIGHT "C: .\\r\\n\nverdict RCPT 450\n" BYE);
	check_one(PIPELINED "250 a\r\n450 b\r\n354 c\r\n|421 d\r\n",
	    READY "C: " FLIGHT "C: .\\r\\n\nverdict RCPT 450\nidle\n");
	/* Here somebody might get it: no dot. */
	check_one(PIPELINED "450 a\r\n250 b\r\n354 c\r\n250 x\r\n",
	    READY "C: " FLIGHT
		  "error at DATA: an answer that does not fit DATA\nidle\n");
}

/* A 421 ends it all: what was sent behind it was not accepted. */
static void
test_closing(void **state)
{
	(void)state;
	check((struct play){ .turns = PIPELINED "421 a\r\n", .messages = 2 },
	    READY "C: " FLIGHT "verdict MAIL 421\nidle\n");
	check_one(PIPELINED "250 a\r\n550 b\r\n421 c\r\n250 d\r\n",
	    READY "C: " FLIGHT "verdict RCPT 550\nidle\n");
	check_one(PIPELINED "250 a\r\n250 b\r\n354 c\r\n|421 d\r\n",
	    READY "C: " FLIGHT BODY "verdict end of data 421\nidle\n");
	check((struct play){ .turns = PIPELINED "550 a\r\n503 b\r\n503 c\r\n|"
						"421 r\r\n",
		  .messages = 2 },
	    READY "C: " FLIGHT "verdict MAIL 550\nC: RSET\\r\\n" FLIGHT
		  "verdict RSET 421\nidle\n");
}

/* S9: a reply in front of the dot.  Once it has begun there is no dot. */
static void
test_early(void **state)
{
	const char *go = PIPELINED "250 a\r\n250 b\r\n354 c\r\n|";
	const char *before =
	    READY "C: " FLIGHT "go DATA 354\nC: a\\r\\n..b\\r\\n\n";
	static const struct {
		const char *reply, *expected;
	} table[] = {
		{ "552 full\r\n", "verdict body 552\nidle\n" },
		{ "451-x\r\n451 y\r\n", "verdict body 451\nidle\n" },
		{ "421 bye\r\n250 ok\r\n", "verdict body 421\nidle\n" },
		{ "250 ok\r\n", "error at body: an answer to data that has not "
				"ended\nidle\n" },
		{ "55", "sending the message\n" },
	};
	char turns[512], expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		(void)snprintf(
		    turns, sizeof(turns), "%s%s", go, table[i].reply);
		(void)snprintf(expected, sizeof(expected), "%s%s", before,
		    table[i].expected);
		check(
		    (struct play){
			.turns = turns, .messages = 1, .unended = 1 },
		    expected);
	}
}

/* S13, S14: half a reply to the dot is none.  S15: two codes are no reply. */
static void
test_unknown_outcome(void **state)
{
	const char *go = PIPELINED "250 a\r\n250 b\r\n354 c\r\n|";
	const char *before = READY "C: " FLIGHT BODY;
	static const struct {
		const char *reply, *expected;
	} table[] = {
		{ "25", DOT },
		{ "250 ok", DOT },
		{ "250-ok\r\n", DOT },
		{ "250-ok\r\n550 no\r\n",
		    "error at end of data: what the server said is not SMTP\n"
		    "idle\n" },
		{ "354 more\r\n", "error at end of data: an answer that the "
				  "end of data does not have\nidle\n" },
		{ "2500 ok\r\n",
		    "error at end of data: what the server said is not SMTP\n"
		    "idle\n" },
	};
	char turns[512], expected[512];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		(void)snprintf(
		    turns, sizeof(turns), "%s%s", go, table[i].reply);
		(void)snprintf(expected, sizeof(expected), "%s%s", before,
		    table[i].expected);
		check_one(turns, expected);
	}
}

/* A flight that is answered wrongly; nothing is guessed. */
static void
test_out_of_step(void **state)
{
	(void)state;
	check_one(PIPELINED "250 a\r\n250 b\r\n250 c\r\n",
	    READY "C: " FLIGHT
		  "error at DATA: an answer that does not fit DATA\nidle\n");
	check_one(PIPELINED "354 a\r\n250 b\r\n", READY
	    "C: " FLIGHT "error at MAIL: an answer that only DATA has\nidle\n");
	check((struct play){ .turns = PIPELINED "550 a\r\n503 b\r\n503 c\r\n|"
						"502 r\r\n250 a\r\n",
		  .messages = 2 },
	    READY "C: " FLIGHT "verdict MAIL 550\nC: RSET\\r\\n" FLIGHT
		  "error at RSET: RSET was refused\nidle\n");
}

/* S11: QUIT decides nothing. */
static void
test_quit(void **state)
{
	(void)state;
	check((struct play){ .turns = ONE_BY_ONE "500 what\r\nxyz\r\n" },
	    READY QUIT "bye QUIT 500\nidle\n");
}

static void
test_auth(void **state)
{
	(void)state;
	check((struct play){ .turns = ONE_BY_ONE "235 in\r\n|221\r\n",
		  .mechanism = "PLAIN",
		  .initial = "AGEAYg==" },
	    READY "C: AUTH PLAIN AGEAYg==\\r\\n\nauth AUTH 235\n" BYE);
	check((struct play){ .turns = ONE_BY_ONE
			     "334 VXNlcg==\r\n|334\r\n|535 no\r\n",
		  .mechanism = "LOGIN",
		  .initial = "" },
	    READY "C: AUTH LOGIN\\r\\n\nchallenge: VXNlcg==\n"
		  "C: c2VjcmV0\\r\\n\nchallenge: \nC: c2VjcmV0\\r\\n\n"
		  "auth AUTH 535\nidle\n");
	/* S27 */
	check((struct play){ .turns = ONE_BY_ONE "334 what?\r\n",
		  .mechanism = "LOGIN",
		  .initial = "" },
	    READY "C: AUTH LOGIN\\r\\n\n"
		  "error at AUTH: a challenge that is not base64\nidle\n");
	check((struct play){ .turns = ONE_BY_ONE "334-YQ==\r\n334 YQ==\r\n",
		  .mechanism = "LOGIN",
		  .initial = "" },
	    READY "C: AUTH LOGIN\\r\\n\n"
		  "error at AUTH: a challenge that is not base64\nidle\n");
	check((struct play){ .turns = ONE_BY_ONE "421 bye\r\nx\r\n",
		  .mechanism = "LOGIN",
		  .initial = "" },
	    READY "C: AUTH LOGIN\\r\\n\nauth AUTH 421\nidle\n");
}

static void
give(struct smtp *m, const char *text)
{
	struct span in = span_str(text);
	struct smtp_event e;
	size_t n;

	while (in.n > 0 && (n = smtp_recv(m, in)) > 0) {
		in = span_skip(in, n);
		(void)smtp_next(m, &e);
	}
}

static void
open_session(struct smtp *m, const char *ehlo)
{
	assert_true(smtp_init(m, "me", true));
	smtp_wrote(m, smtp_out(m).n);
	give(m, ehlo);
	assert_true(smtp_idle(m));
}

static void
test_caps(void **state)
{
	struct smtp m;

	(void)state;
	open_session(&m, "250-PIPELINING\r\n250-8bitmime\r\n250-SIZE 1000\r\n"
			 "250-AUTH plain LOGIN\r\n250-AUTH=LOGIN X\r\n"
			 "250-STARTTLS\r\n250-DSN\r\n250 SMTPUTF8\r\n");
	/* The first line is a greeting, whatever it looks like. */
	assert_false(m.caps.pipelining);
	assert_true(m.caps.eight_bit_mime);
	assert_true(m.caps.size);
	assert_int_equal(m.caps.size_max, 1000);
	assert_true(m.caps.smtputf8);
	assert_true(m.caps.dsn);
	assert_true(m.caps.starttls);
	assert_false(m.caps.chunking);
	assert_false(m.caps.enhanced_codes);
	assert_string_equal(m.caps.sasl, "PLAIN LOGIN X");
	smtp_free(&m);
	/* S21 */
	open_session(&m, "250-me\r\n250 SIZE -5\r\n");
	assert_true(m.caps.size);
	assert_int_equal(m.caps.size_max, 0);
	smtp_free(&m);
}

/* S25: a list without an end. */
static void
test_endless_ehlo(void **state)
{
	struct smtp_event e;
	struct smtp m;
	int lines = 0;

	(void)state;
	assert_true(smtp_init(&m, "me", true));
	while (!smtp_next(&m, &e) && lines++ < 10000)
		(void)smtp_recv(&m, span_str("250-XYZ abc\r\n"));
	assert_int_equal(e.kind, SMTP_EV_ERROR);
	assert_int_equal(e.stage, SMTP_EHLO);
	assert_int_equal(smtp_recv(&m, span_str("250 ok\r\n")), 0);
	assert_false(smtp_idle(&m));
	smtp_free(&m);
	assert_true(smtp_init(&m, "me", true));
	for (lines = 0; !smtp_next(&m, &e) && lines < 10000; lines++)
		(void)smtp_recv(&m, span_str("x"));
	assert_int_equal(e.kind, SMTP_EV_ERROR);
	assert_int_equal(lines, SMTP_LINE_MAX + 2);
	smtp_free(&m);
}

/* S16, S17: what comes while nothing is due. */
static void
test_unasked(void **state)
{
	struct smtp_event e;
	struct smtp m;

	(void)state;
	open_session(&m, "250 me\r\n");
	assert_int_equal(smtp_wait_class(&m), WAIT_NONE);
	(void)smtp_recv(&m, span_str("421 id"));
	assert_int_equal(smtp_wait_class(&m), WAIT_COMMAND);
	(void)smtp_recv(&m, span_str("le\r\n"));
	assert_false(smtp_mail(&m, &envelope));
	assert_true(smtp_next(&m, &e));
	assert_int_equal(e.kind, SMTP_EV_CLOSING);
	assert_int_equal(e.stage, SMTP_STAGES);
	assert_int_equal(e.reply->code, 421);
	assert_false(smtp_mail(&m, &envelope));
	assert_false(smtp_quit(&m));
	smtp_free(&m);
	open_session(&m, "250 me\r\n");
	(void)smtp_recv(&m, span_str("250 again\r\n"));
	assert_true(smtp_next(&m, &e));
	assert_int_equal(e.kind, SMTP_EV_ERROR);
	assert_false(smtp_idle(&m));
	smtp_free(&m);
}

static void
go(struct smtp *m)
{
	open_session(m, "250-me\r\n250 PIPELINING\r\n");
	assert_true(smtp_mail(m, &envelope));
	smtp_wrote(m, smtp_out(m).n);
	assert_int_equal(smtp_wait_class(m), WAIT_COMMAND);
	give(m, "250 a\r\n250 b\r\n354 c\r\n");
	assert_int_equal(smtp_wait_class(m), WAIT_BODY);
}

/* The dot has its time: only in BODY, once, and not behind half a reply. */
static void
test_dot(void **state)
{
	struct span none = span_str(""), body = span_str("x");
	struct smtp m;

	(void)state;
	open_session(&m, "250 me\r\n");
	assert_false(smtp_dot(&m));
	smtp_body(&m, &body);
	assert_int_equal(body.n, 1);
	assert_int_equal(smtp_out(&m).n, 0);
	smtp_free(&m);
	go(&m);
	assert_false(smtp_quit(&m));
	assert_false(smtp_mail(&m, &envelope));
	smtp_body(&m, &none);
	assert_true(smtp_dot(&m));
	assert_true(span_is(smtp_out(&m), ".\r\n"));
	assert_int_equal(smtp_wait_class(&m), WAIT_DOT);
	assert_false(smtp_dot(&m));
	smtp_body(&m, &body);
	assert_int_equal(body.n, 1);
	smtp_free(&m);
	for (size_t i = 0; i < 2; i++) {
		go(&m);
		give(&m, i == 0 ? "5" : "550-x\r\n");
		assert_false(smtp_dot(&m));
		give(&m, i == 0 ? "50 y\r\n" : "550 y\r\n");
		assert_false(smtp_dot(&m));
		assert_int_equal(smtp_out(&m).n, 0);
		smtp_free(&m);
	}
}

/* What waits to be written when the server gives up is not written. */
static void
test_early_drops_output(void **state)
{
	struct span body = span_str("half a message\r\n");
	struct smtp m;

	(void)state;
	go(&m);
	smtp_body(&m, &body);
	assert_true(smtp_out(&m).n > 0);
	give(&m, "552 full\r\n");
	assert_int_equal(smtp_out(&m).n, 0);
	smtp_free(&m);
}

/* However full the buffer is, the dot has its place. */
static void
test_room_for_dot(void **state)
{
	static char text[SMTP_OUT_MAX + 100];
	struct span body = span_make(text, sizeof(text));
	struct smtp m;

	(void)state;
	memset(text, 'x', sizeof(text));
	go(&m);
	smtp_body(&m, &body);
	smtp_body(&m, &body);
	assert_true(body.n > 0);
	assert_true(smtp_dot(&m));
	assert_true(
	    span_is(span_skip(smtp_out(&m), smtp_out(&m).n - 5), "\r\n.\r\n"));
	assert_int_equal(smtp_out(&m).n, SMTP_OUT_MAX);
	smtp_free(&m);
}

/* A body much larger than the buffer, drained in odd portions. */
static void
test_back_pressure(void **state)
{
	static char text[300000], got[400000], want[400000];
	size_t wanted = 0, have = 0, portion = 1;
	struct span body = span_make(text, sizeof(text));
	struct smtp m;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = ".\r\n..\r\nabc\r\n.x\r\n"[i % 16];
	for (size_t i = 0; i < sizeof(text); i++) {
		if (text[i] == '.' && (i == 0 || text[i - 1] == '\n'))
			want[wanted++] = '.';
		want[wanted++] = text[i];
	}
	memcpy(want + wanted, ".\r\n", 3);
	wanted += 3;
	go(&m);
	while (body.n > 0) {
		smtp_body(&m, &body);
		assert_true(smtp_out(&m).n <= SMTP_OUT_MAX);
		portion = portion * 7 % 10007 + 1;
		if (portion > smtp_out(&m).n)
			portion = smtp_out(&m).n;
		memcpy(got + have, smtp_out(&m).p, portion);
		have += portion;
		smtp_wrote(&m, portion);
		smtp_body(&m, &body);
	}
	assert_true(smtp_dot(&m));
	memcpy(got + have, smtp_out(&m).p, smtp_out(&m).n);
	have += smtp_out(&m).n;
	assert_int_equal(have, wanted);
	assert_memory_equal(got, want, wanted);
	smtp_free(&m);
}

static void
test_secret_is_wiped(void **state)
{
	struct smtp m;

	(void)state;
	open_session(&m, "250 me\r\n");
	assert_true(smtp_auth(&m, "PLAIN", span_str("c3dvcmRmaXNo")));
	assert_true(m.out.secret);
	assert_true(span_is(smtp_out(&m), "AUTH PLAIN c3dvcmRmaXNo\r\n"));
	smtp_wrote(&m, 3);
	assert_true(m.out.secret);
	smtp_wrote(&m, smtp_out(&m).n);
	assert_null(memmem(m.out.mem, m.out.cap, "c3dv", 4));
	assert_null(memmem(m.out.mem, m.out.cap, "aXNo", 4));
	assert_false(m.out.secret);
	assert_int_equal(smtp_wait_class(&m), WAIT_LOGIN);
	smtp_free(&m);
}

/* No argument can carry a second command. */
static void
test_arguments(void **state)
{
	struct smtp_envelope e = envelope;
	struct smtp m;
	char bad[] = "a?b@c", long_name[400];

	(void)state;
	memset(long_name, 'a', sizeof(long_name));
	assert_false(smtp_init(&m, "", false));
	assert_false(smtp_init(&m, "a b", false));
	assert_false(smtp_init(&m, "a\r\nMAIL", false));
	open_session(&m, "250 me\r\n");
	for (int c = 0; c < 256; c++) {
		if (c > ' ' && c < 0x7f && c != '<' && c != '>')
			continue;
		bad[1] = (char)c;
		e.sender = span_make(bad, 5);
		e.recipient = envelope.recipient;
		assert_false(smtp_mail(&m, &e));
		e.sender = envelope.sender;
		e.recipient = span_make(bad, 5);
		assert_false(smtp_mail(&m, &e));
		if (c <= ' ' || c >= 0x7f)
			assert_false(smtp_auth(&m, "PLAIN", span_make(bad, 5)));
	}
	e.recipient = span_make(long_name, 320);
	assert_false(smtp_mail(&m, &e));
	e.recipient = span_str("");
	assert_false(smtp_mail(&m, &e));
	assert_false(smtp_auth(&m, "PLAIN X", span_str("")));
	assert_false(smtp_auth_line(&m, span_str("YQ==")));
	assert_int_equal(smtp_out(&m).n, 0);
	/* Only what is the same in xtext. */
	e = envelope;
	e.envid = span_str("a+b");
	assert_false(smtp_mail(&m, &e));
	e.envid = span_str("a=b");
	assert_false(smtp_mail(&m, &e));
	e.envid = span_str("a b");
	assert_false(smtp_mail(&m, &e));
	e.envid = span_make(long_name, SMTP_ENVID_MAX + 1);
	assert_false(smtp_mail(&m, &e));
	assert_int_equal(smtp_out(&m).n, 0);
	/* The null sender, and all parameters; no SIZE was offered, nor DSN. */
	e = (struct smtp_envelope){ .recipient = span_str("\xc3\xa4@y"),
		.size = 5,
		.eight_bit = true,
		.utf8 = true,
		.envid = span_str("ab2") };
	assert_true(smtp_mail(&m, &e));
	assert_true(
	    span_is(smtp_out(&m), "MAIL FROM:<> BODY=8BITMIME SMTPUTF8\r\n"));
	smtp_free(&m);
}

static void
assert_out(struct smtp *m, const char *expected)
{
	assert_true(span_is(smtp_out(m), expected));
	smtp_free(m);
}

static void
test_dsn(void **state)
{
	static const char caps[] = "250-me\r\n250-PIPELINING\r\n250 DSN\r\n";
	struct smtp_envelope e = envelope;
	struct smtp m;

	(void)state;
	open_session(&m, caps);
	assert_true(smtp_mail(&m, &e)); /* no id, no report */
	assert_out(&m, "MAIL FROM:<me@x>\r\nRCPT TO:<you@y>\r\nDATA\r\n");
	e.envid = span_str("ab2");
	open_session(&m, caps);
	assert_true(smtp_mail(&m, &e));
	assert_out(&m, "MAIL FROM:<me@x> RET=HDRS ENVID=ab2\r\n"
		       "RCPT TO:<you@y> NOTIFY=FAILURE\r\nDATA\r\n");
	e.no_report = true;
	open_session(&m, caps);
	assert_true(smtp_mail(&m, &e));
	assert_out(&m, "MAIL FROM:<me@x> RET=HDRS ENVID=ab2\r\n"
		       "RCPT TO:<you@y> NOTIFY=NEVER\r\nDATA\r\n");
}

static void
test_stage_names(void **state)
{
	static const char *const want[] = { "greeting", "EHLO", "AUTH", "MAIL",
		"RCPT", "DATA", "body", "end of data", "BDAT", "BDAT LAST",
		"RSET", "QUIT", "idle" };

	(void)state;
	for (unsigned i = 0; i <= SMTP_STAGES; i++)
		assert_string_equal(
		    smtp_stage_name((enum smtp_stage)i), want[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_message),
		cmocka_unit_test(test_greeted),
		cmocka_unit_test(test_no_service),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_trial),
		cmocka_unit_test(test_lone_dot),
		cmocka_unit_test(test_closing),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_unknown_outcome),
		cmocka_unit_test(test_out_of_step),
		cmocka_unit_test(test_quit),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_caps),
		cmocka_unit_test(test_endless_ehlo),
		cmocka_unit_test(test_unasked),
		cmocka_unit_test(test_dot),
		cmocka_unit_test(test_early_drops_output),
		cmocka_unit_test(test_room_for_dot),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_secret_is_wiped),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_dsn),
		cmocka_unit_test(test_stage_names),
	};

	return cmocka_run_group_tests_name("smtp", tests, NULL, NULL);
}
