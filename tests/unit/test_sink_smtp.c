/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <event2/event.h>

#include "relay/spool.h"
#include "sink_play.h"

static void
test_implicit_tls(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	assert_play(p, ""); /* nothing from inside the call */
	turn(p);
	assert_play(p, "open mx 465\n");
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, CAPS);
	assert_play(p,
	    "up\nS: 220 mx\\r\\n\nC: EHLO here\\r\\n\n"
	    "S: 250-mx\\r\\n250-PIPELINING\\r\\n250 AUTH PLAIN\\r\\n\n"
	    "C: AUTH PLAIN AG1lAHB3\\r\\n\n");
	say(p, "235 ok\r\n");
	assert_play(p, "S: 235 ok\\r\\n\nbegin 0\n" ENVELOPE);
	say(p, GO);
	turn(p);
	assert_play(p, WENT SENT); /* no dot, however long it takes */
	permit(p, 0);
	assert_play(p, "permit 0\n" DOT);
	say(p, "250 queued as 1\r\n");
	assert_play(
	    p, "S: 250 queued as 1\\r\\n\n0 accepted: 250 queued as 1\n");
	assert_null(sink_trouble(p->sink));
	submit(p, 1, BODY);
	turn(p);
	assert_play(p, "begin 1\n" ENVELOPE); /* on the same line */
	say(p, GO);
	assert_play(p, WENT SENT);
	assert_true(withdraw(p, 1));
}

/* Nothing but EHLO and STARTTLS is said in the clear, and what was said there
 * is forgotten. */
static void
test_starttls(void **state)
{
	struct play *p = *state;

	p->dest.tls = CONF_TLS_STARTTLS;
	p->dest.server.port = 587;
	submit(p, 0, BODY);
	turn(p);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, "250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n");
	assert_play(p,
	    "open mx 587 plain\nup\nS: 220 mx\\r\\n\nC: EHLO here\\r\\n\n"
	    "S: 250-mx\\r\\n250-AUTH PLAIN\\r\\n250 STARTTLS\\r\\n\n"
	    "C: STARTTLS\\r\\n\n");
	say(p, "220 go\r\n");
	assert_play(p, "S: 220 go\\r\\n\nstarttls\n");
	fake_conn_up(&p->net);
	assert_play(p, "up\nC: EHLO here\\r\\n\n");
	say(p, "250 mx\r\n"); /* no AUTH here */
	assert_play(
	    p, "S: 250 mx\\r\\n\nclose\n0 failed: destination, never, login\n");
}

static void
test_injection(void **state)
{
	struct play *p = *state;

	p->dest.tls = CONF_TLS_STARTTLS;
	submit(p, 0, BODY);
	turn(p);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, "250-mx\r\n250 STARTTLS\r\n");
	forget(p);
	say(p, "220 go\r\n250 AUTH PLAIN\r\n");
	assert_unsaid(p, "starttls");
	assert_null(p->net.conn);
	assert_int_equal(p->jobs[0].fault.when, FAULT_NEVER);
	assert_non_null(strstr(p->jobs[0].fault.hint, "tampers"));
}

/* Permission that comes early waits for 354. */
static void
test_early_permission(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	log_in(p, CAPS);
	forget(p);
	permit(p, 0);
	assert_play(p, "permit 0\n");
	say(p, GO);
	assert_play(
	    p, WENT "C: T: 1\\r\\nSubject: x\\r\\n\\r\\n..dot\\r\\n.\\r\\n\n");
	fake_conn_break(&p->net);
	turn(p);
	assert_play(p, "break\n0 failed: message, unknown, phase\nclose\n");
}

/* --- the table in the head comment of the sink */

static void
test_breaks_behind_the_dot(void **state)
{
	struct play *p = *state;

	work_once(p);
	go_to_dot(p, 1);
	permit(p, 1);
	fake_conn_break(&p->net);
	turn(p);
	assert_play(p,
	    "permit 1\n" DOT "break\n1 failed: message, unknown, phase\n"
	    "close\n");
	assert_null(sink_trouble(p->sink));
}

/* Half a reply is no reply. */
static void
test_breaks_in_the_reply(void **state)
{
	struct play *p = *state;

	work_once(p);
	go_to_dot(p, 1);
	permit(p, 1);
	say(p, "250-queu");
	fake_conn_break(&p->net);
	turn(p);
	assert_int_equal(p->jobs[1].fault.when, FAULT_UNKNOWN);
}

static void
test_good_line_breaks(void **state)
{
	struct play *p = *state;

	work_once(p);
	go_to_dot(p, 1);
	submit(p, 2, BODY);
	fake_conn_break(&p->net);
	turn(p);
	assert_play(p, "break\nclose\nopen mx 465\n"); /* nobody is told */
	assert_null(sink_trouble(p->sink));
	log_in(p, CAPS);
	assert_said(p, "begin 1\n"); /* keeps its place */
	assert_unsaid(p, "begin 2\n");
	forget(p);
	say(p, GO);
	assert_play(p, WENT SENT); /* whole, from its beginning */
	permit(p, 1);
	say(p, "250 ok\r\n");
	assert_said(p, "begin 2\n");
	assert_said(p, "1 accepted: 250 ok\n");
	assert_true(withdraw(p, 2));
}

/* A permission of the first turn is not one of the second. */
static void
test_permission_is_for_one_turn(void **state)
{
	struct play *p = *state;

	work_once(p);
	submit(p, 1, BODY);
	turn(p);
	permit(p, 1);
	fake_conn_break(&p->net); /* before 354 */
	log_in(p, CAPS);
	forget(p);
	say(p, GO);
	assert_play(p, WENT SENT);
	permit(p, 1);
	assert_play(p, "permit 1\n" DOT);
	say(p, "250 ok\r\n");
}

static void
test_never_worked(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	submit(p, 1, BODY);
	log_in(p, CAPS);
	say(p, GO);
	forget(p);
	fake_conn_break(&p->net);
	turn(p);
	assert_play(p, "break\n0 failed: destination, later, phase\nclose\n"
		       "1 failed: destination, later, phase\n");
	assert_non_null(sink_trouble(p->sink));
	/* While it lasts, nobody tries. */
	submit(p, 2, BODY);
	turn(p);
	assert_play(p, "2 failed: destination, later, phase\n");
}

static void
test_cannot_connect(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	submit(p, 1, BODY);
	turn(p);
	fake_conn_break(&p->net);
	turn(p);
	assert_play(p, "open mx 465\nbreak\nclose\n"
		       "0 failed: destination, later, phase\n"
		       "1 failed: destination, later, phase\n");
}

/* A server that ends an idle line is in no trouble. */
static void
test_idle_line_breaks(void **state)
{
	struct play *p = *state;

	work_once(p);
	fake_conn_break(&p->net);
	turn(p);
	assert_play(p, "break\nclose\n");
	assert_null(sink_trouble(p->sink));
	submit(p, 1, BODY);
	turn(p);
	assert_play(p, "open mx 465\n");
	assert_true(withdraw(p, 1));
}

/* An address that SMTP cannot say fails before a byte of it is written, for
 * all, and no line is opened in vain. */
static void
test_wrong_mail_from(void **state)
{
	static char blank[] = "m e@x";
	struct play *p = *state;

	p->dest.mail_from = blank;
	submit(p, 0, BODY);
	submit(p, 1, BODY);
	log_in(p, CAPS);
	assert_said(p, "0 failed: destination, never, MAIL\n");
	assert_said(p, "1 failed: destination, never, MAIL\n");
	assert_unsaid(p, "C: MAIL");
	assert_null(p->net.conn);
}

static void
test_login_refused(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	turn(p);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, CAPS);
	forget(p);
	say(p, "535 no\r\n");
	assert_play(
	    p, "S: 535 no\\r\\n\nclose\n0 failed: destination, never, AUTH\n");
	assert_true(sink_trouble(p->sink)->login);
	assert_int_equal(p->jobs[0].fault.code, 535);
}

/* --- replies */

static void
test_refused_recipient(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	submit(p, 1, BODY);
	log_in(p, CAPS);
	forget(p);
	say(p, "250 ok\r\n550 no such user\r\n554 no\r\n");
	assert_play(p, "S: 250 ok\\r\\n550 no such user\\r\\n554 no\\r\\n\n"
		       "0 failed: message, never, RCPT\n"
		       "begin 1\n" RESET);
	assert_int_equal(p->jobs[0].fault.code, 550);
	assert_non_null(strstr(p->jobs[0].fault.text, "no such user"));
	assert_true(withdraw(p, 1));
}

static void
test_refused_sender(void **state)
{
	static const struct {
		const char *reply;
		enum fault_scope scope;
		enum fault_when when;
	} table[] = {
		{ "550 not you\r\n", FAULT_DESTINATION, FAULT_NEVER },
		{ "451 later\r\n", FAULT_DESTINATION, FAULT_LATER },
		{ "552 too big\r\n", FAULT_MESSAGE, FAULT_NEVER },
		{ "452 no room\r\n", FAULT_MESSAGE, FAULT_LATER },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct play *p = *state;
		char replies[64];

		submit(p, 0, BODY);
		log_in(p, CAPS);
		snprintf(replies, sizeof(replies), "%s503 no\r\n503 no\r\n",
		    table[i].reply);
		say(p, replies);
		assert_int_equal(p->jobs[0].fault.scope, table[i].scope);
		assert_int_equal(p->jobs[0].fault.when, table[i].when);
		play_teardown(state);
		play_setup(state);
	}
}

/* A server that counts messages a session says 421: a new line, silently. */
static void
test_421_at_mail(void **state)
{
	struct play *p = *state;

	work_once(p);
	submit(p, 1, BODY);
	turn(p);
	forget(p);
	say(p, "421 enough\r\n");
	assert_play(p, "S: 421 enough\\r\\n\nclose\nopen mx 465\n");
	log_in(p, CAPS);
	forget(p);
	say(p, "421 enough\r\n"); /* and again, at the first: trouble */
	assert_play(p,
	    "S: 421 enough\\r\\n\n1 failed: destination, later, MAIL\nclose\n");
	assert_non_null(sink_trouble(p->sink));
}

/* A complete 421 to the dot proves that it was not accepted. */
static void
test_421_at_the_dot(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	log_in(p, CAPS);
	say(p, GO);
	permit(p, 0);
	forget(p);
	say(p, "421 closing\r\n");
	assert_play(p, "S: 421 closing\\r\\n\n"
		       "0 failed: destination, later, end of data\nclose\n");
}

static void
test_refused_at_the_dot(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	log_in(p, CAPS);
	say(p, GO);
	permit(p, 0);
	forget(p);
	say(p, "554 spam\r\n");
	assert_play(
	    p, "S: 554 spam\\r\\n\n0 failed: message, never, end of data\n");
	submit(p, 1, BODY);
	turn(p);
	assert_play(p, "begin 1\n" RESET);
	assert_true(withdraw(p, 1));
}

/* Out of step behind the dot: who knows what it meant. */
static void
test_garbage_at_the_dot(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	log_in(p, CAPS);
	say(p, GO);
	permit(p, 0);
	say(p, "all fine\r\n");
	assert_int_equal(p->jobs[0].fault.when, FAULT_UNKNOWN);
	assert_null(p->net.conn);
}

/* The reply to a dot that was never written is no acceptance. */
static void
test_reply_before_the_dot(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	log_in(p, CAPS);
	say(p, GO);
	forget(p);
	say(p, "250 queued\r\n");
	assert_play(p, "S: 250 queued\\r\\n\n"
		       "0 failed: destination, later, body\nclose\n");
}

/* --- what the server cannot take is not sent */

static void
test_eight_bit(void **state)
{
	struct play *p = *state;

	submit(p, 0, "A: b\r\n\r\n\xc3\xa4\r\n");
	submit(p, 1, BODY);
	log_in(p, CAPS);
	assert_said(p, "S: 235 ok\\r\\n\n0 failed: message, never, EHLO\n"
		       "begin 1\n" ENVELOPE);
	assert_true(withdraw(p, 1));

	submit(p, 0, "A: b\r\n\r\n\xc3\xa4\r\n");
	log_in(p, "250-mx\r\n250-8BITMIME\r\n250 AUTH PLAIN\r\n");
	assert_said(p, "C: MAIL FROM:<me@x> BODY=8BITMIME\\r\\n");
	assert_true(withdraw(p, 0));
}

/* Our head counts: 6 and 20 bytes. */
static void
test_size(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	log_in(p, "250-mx\r\n250-SIZE 25\r\n250 AUTH PLAIN\r\n");
	assert_said(p, "0 failed: message, never, EHLO\n");
	fake_conn_break(&p->net);
	forget(p);
	submit(p, 1, BODY);
	log_in(p, "250-mx\r\n250-SIZE 26\r\n250 AUTH PLAIN\r\n");
	assert_said(p, "C: MAIL FROM:<me@x> SIZE=26\\r\\n");
	assert_true(withdraw(p, 1));
}

/* --- withdraw, close */

static void
test_withdraw(void **state)
{
	struct play *p = *state;

	work_once(p);
	go_to_dot(p, 1);
	submit(p, 2, BODY);
	assert_true(withdraw(p, 2)); /* queued */
	assert_play(p, "withdraw 2\n");
	assert_true(withdraw(p, 1)); /* its data cannot be ended but so */
	assert_play(p, "withdraw 1\nclose\n");
	submit(p, 1, BODY);
	log_in(p, CAPS);
	say(p, GO);
	permit(p, 1);
	forget(p);
	assert_false(withdraw(p, 1));
	say(p, "250 ok\r\n");
	assert_play(
	    p, "withdraw 1 (no)\nS: 250 ok\\r\\n\n1 accepted: 250 ok\n");
}

static void
test_close(void **state)
{
	struct play *p = *state;

	work_once(p);
	sink_close(&p->sink);
	assert_play(p, "C: QUIT\\r\\n\nclose\n");
}

/* --- a message larger than every buffer, through a narrow socket */

static char *
large_message(size_t lines)
{
	char *text = malloc(lines * 8 + 16), *at = text;

	assert_non_null(text);
	at += sprintf(at, "A: b\r\n\r\n");
	for (size_t i = 0; i < lines; i++)
		at += sprintf(at, ".%04zu\r\n", i % 10000);
	return text;
}

static void
test_large(void **state)
{
	struct play *p = *state;
	char *message = large_message(20000), *at, line[16];

	submit(p, 0, message);
	log_in(p, CAPS);
	forget(p);
	p->net.window = 1000;
	say(p, GO);
	assert_unsaid(p, "\\r\\n.\\r\\n");
	permit(p, 0);
	say(p, "250 ok\r\n");
	at = strstr(p->trail.text, "C: T: 1\\r\\nA: b\\r\\n\\r\\n");
	assert_non_null(at);
	at += strlen("C: T: 1\\r\\nA: b\\r\\n\\r\\n");
	for (size_t i = 0; i < 20000; i++) {
		snprintf(line, sizeof(line), "..%04zu\\r\\n", i % 10000);
		assert_memory_equal(at, line, strlen(line));
		at += strlen(line);
	}
	assert_string_equal(
	    at, "\npermit 0\n" DOT "S: 250 ok\\r\\n\n0 accepted: 250 ok\n");
	free(message);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, play_setup, play_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_implicit_tls),
		TEST(test_starttls),
		TEST(test_injection),
		TEST(test_early_permission),
		TEST(test_breaks_behind_the_dot),
		TEST(test_breaks_in_the_reply),
		TEST(test_good_line_breaks),
		TEST(test_permission_is_for_one_turn),
		TEST(test_never_worked),
		TEST(test_cannot_connect),
		TEST(test_idle_line_breaks),
		TEST(test_wrong_mail_from),
		TEST(test_login_refused),
		TEST(test_refused_recipient),
		TEST(test_refused_sender),
		TEST(test_421_at_mail),
		TEST(test_421_at_the_dot),
		TEST(test_refused_at_the_dot),
		TEST(test_garbage_at_the_dot),
		TEST(test_reply_before_the_dot),
		TEST(test_eight_bit),
		TEST(test_size),
		TEST(test_withdraw),
		TEST(test_close),
		TEST(test_large),
	};

	return cmocka_run_group_tests_name("sink_smtp", tests, NULL, NULL);
}
