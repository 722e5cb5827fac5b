/* SPDX-License-Identifier: ISC */
/*
 * Logins with an access token at the sources, up to the wire, and what a
 * server says about the whole session.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <event2/event.h>

#include "../fake/fake_conn.h"
#include "../fake/fake_token.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/session.h"

/* {"status":"401","scope":"mail"} */
#define COMPLAINT "eyJzdGF0dXMiOiI0MDEiLCJzY29wZSI6Im1haWwifQ=="
/* user=me@x^Aauth=Bearer one^A^A */
#define ONE "dXNlcj1tZUB4AWF1dGg9QmVhcmVyIG9uZQEB"
/* n,a=me@x,^Ahost=mx^Aport=995^Aauth=Bearer one^A^A */
#define BEARER_ONE                                                             \
	"bixhPW1lQHgsAWhvc3Q9bXgBcG9ydD05OTUBYXV0aD1CZWFyZXIgb25lAQE="

struct scene {
	struct trail trail;
	struct fake_net net;
	struct tokens tokens;
	struct conf conf;
	struct conf_account account;
	struct conf_folder folder;
	struct source *source;
	struct fault fault;
	bool logged_in, ready, down;
};

static char host[] = "mx", user[] = "me@x", name[] = "a", id[] = "id",
	    scope[] = "mail", url[] = "https://mx/token", inbox[] = "INBOX";

static const char *const three[] = { "one", "two", "three", NULL };

/* --- the owner */

static void
on_logged_in(void *arg, unsigned delay)
{
	struct scene *s = arg;

	(void)delay;
	s->logged_in = true;
}

static void
on_ready(void *arg)
{
	struct scene *s = arg;

	s->ready = true;
}

static void
on_selected(void *arg, const struct source_mailbox *m, const struct fault *f)
{
	struct scene *s = arg;

	(void)m;
	trail_event(&s->trail, "selected%s", f != NULL ? " (no)" : "");
}

static void
on_down(void *arg, const struct fault *f)
{
	struct scene *s = arg;

	s->down = true;
	if (f != NULL)
		s->fault = *f;
	source_close(&s->source);
}

static const struct source_events events = {
	.logged_in = on_logged_in,
	.ready = on_ready,
	.selected = on_selected,
	.down = on_down,
};

static int
setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -1;
	trail_raw(&s->trail, "", 0);
	s->net.trail = &s->trail;
	s->net.net.loop = loop_new();
	s->tokens = (struct tokens){ .loop = s->net.net.loop, .access = three };
	s->conf = (struct conf){ .connect_timeout = 30, .reply_timeout = 300 };
	s->account = (struct conf_account){
		.name = name,
		.server = { .host = host,
		    .port = 995,
		    .user = user,
		    .oauth_client_id = id,
		    .oauth_scope = scope,
		    .oauth_token_url = url },
	};
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *s = *state;

	source_close(&s->source);
	loop_free(&s->net.net.loop);
	trail_free(&s->trail);
	free(s);
	return 0;
}

static void
turn(struct scene *s)
{
	for (int i = 0; i < 4; i++) {
		event_base_loop(loop_base(s->net.net.loop), EVLOOP_NONBLOCK);
		fake_conn_flush(&s->net);
	}
}

static void
begin(struct scene *s, const struct source_driver *driver)
{
	const struct session_owner owner = {
		.net = &s->net.net,
		.tokens = &s->tokens,
		.conf = &s->conf,
		.account = &s->account,
		.events = &events,
		.arg = s,
	};

	s->source = driver->open(&owner);
	fake_conn_up(&s->net);
}

/* The server says this; what comes back is the answer. */
static void
hear(struct scene *s, const char *text, const char *reply)
{
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
	fake_conn_say(&s->net, text);
	turn(s);
	trail_close(&s->trail);
	if (reply == NULL)
		assert_null(strstr(s->trail.text, "\nC: "));
	else
		assert_non_null(strstr(s->trail.text, reply));
}

/* --- POP3 */

static void
greet_pop3(struct scene *s, const char *mechanisms, const char *reply)
{
	char capa[128];

	begin(s, &source_pop3_driver);
	hear(s, "+OK ready\r\n", "C: CAPA");
	snprintf(capa, sizeof(capa), "+OK\r\nTOP\r\nUIDL\r\nSASL %s\r\n.\r\n",
	    mechanisms);
	hear(s, capa, reply);
}

/* Outlook.com: one line is refused, whatever its length. */
static void
test_pop3_two_lines(void **state)
{
	struct scene *s = *state;

	greet_pop3(s, "PLAIN XOAUTH2", "C: AUTH XOAUTH2\\r\\n\n");
	hear(s, "+ \r\n", "C: " ONE "\\r\\n");
	hear(s, "+OK User successfully authenticated.\r\n", NULL);
	assert_true(s->logged_in && s->ready && !s->down);
}

static void
test_pop3_refused(void **state)
{
	struct scene *s = *state;

	greet_pop3(s, "PLAIN XOAUTH2", "C: AUTH XOAUTH2\\r\\n\n");
	hear(s, "+\r\n", "C: " ONE "\\r\\n");
	hear(s, "+ " COMPLAINT "\r\n", "C: \\r\\n");
	hear(s, "-ERR Authentication failure: unknown user name\r\n", NULL);
	assert_true(s->down && !s->logged_in);
	assert_int_equal(s->fault.when, FAULT_NOW);
	assert_true(s->fault.login && s->fault.sign_in);
	assert_non_null(strstr(s->fault.text, "status 401, scope mail"));
	assert_int_equal(s->tokens.refused, 1);
}

static void
test_pop3_yes_after_complaint(void **state)
{
	struct scene *s = *state;

	greet_pop3(s, "XOAUTH2", "C: AUTH XOAUTH2\\r\\n\n");
	hear(s, "+ \r\n", "C: " ONE "\\r\\n");
	hear(s, "+ " COMPLAINT "\r\n", "C: \\r\\n");
	hear(s, "+OK welcome all the same\r\n", NULL);
	assert_true(s->down && !s->logged_in);
	assert_int_equal(s->fault.when, FAULT_NEVER);
}

static void
test_pop3_one_line(void **state)
{
	struct scene *s = *state;

	greet_pop3(
	    s, "OAUTHBEARER", "C: AUTH OAUTHBEARER " BEARER_ONE "\\r\\n");
	hear(s, "+ " COMPLAINT "\r\n", "C: AQ==\\r\\n");
}

/* RFC 5034: not in a line of more than 255 bytes. */
static void
test_pop3_long_token(void **state)
{
	static char token[201];
	static const char *const access[] = { token, NULL };
	struct scene *s = *state;

	memset(token, 'x', sizeof(token) - 1);
	s->tokens.access = access;
	greet_pop3(s, "OAUTHBEARER", "C: AUTH OAUTHBEARER\\r\\n\n");
	hear(s, "+ \r\n", "C: bixhPW1lQHgsAWhvc3Q9bXg");
}

/* A token is no password: neither USER nor PLAIN get it. */
static void
test_pop3_not_offered(void **state)
{
	struct scene *s = *state;

	greet_pop3(s, "PLAIN LOGIN", NULL);
	assert_true(s->down);
	assert_int_equal(s->fault.when, FAULT_NEVER);
	assert_false(s->fault.login);
	assert_int_equal(s->tokens.refused, 0);
}

/* --- IMAP */

#define CAPABILITY                                                             \
	"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR]\r\n"

static void
log_in_imap(struct scene *s)
{
	begin(s, &source_imap_driver);
	hear(s, CAPABILITY, "C: A1 AUTHENTICATE XOAUTH2 " ONE "\\r\\n");
	hear(s, "A1 OK AUTHENTICATE completed.\r\n", "C: A2 CAPABILITY");
	hear(s, "* CAPABILITY IMAP4rev1 IDLE\r\nA2 OK done\r\n", NULL);
	assert_true(s->ready);
}

static void
test_imap_token(void **state)
{
	struct scene *s = *state;

	log_in_imap(s);
	assert_false(s->down);
}

static void
test_imap_refused(void **state)
{
	struct scene *s = *state;

	begin(s, &source_imap_driver);
	hear(s, CAPABILITY, "C: A1 AUTHENTICATE XOAUTH2 " ONE);
	hear(s, "+ " COMPLAINT "\r\n", "C: \\r\\n");
	hear(s, "A1 NO [AUTHENTICATIONFAILED] AUTHENTICATE failed.\r\n", NULL);
	assert_true(s->down);
	assert_int_equal(s->fault.when, FAULT_NOW);
	assert_int_equal(s->tokens.refused, 1);
	assert_non_null(strstr(s->fault.text, "the token: status 401"));
	assert_non_null(strstr(s->fault.text, "AUTHENTICATE failed."));
}

/* The token ran out in mid-session: routine, and its keeper is told. */
static void
test_imap_expired(void **state)
{
	struct scene *s = *state;

	log_in_imap(s);
	hear(s, "* BYE Session invalidated - AccessTokenExpired\r\n", NULL);
	assert_true(s->down);
	assert_int_equal(s->fault.when, FAULT_NOW);
	assert_false(s->fault.login);
	assert_int_equal(s->tokens.refused, 1);
}

static void
select_inbox(struct scene *s, const char *words)
{
	log_in_imap(s);
	source_select(s->source, inbox, &s->folder, true);
	turn(s);
	hear(s, words, NULL);
	assert_null(strstr(s->trail.text, "selected"));
	assert_true(s->down);
	assert_int_equal(s->fault.when, FAULT_LATER);
	assert_int_equal(s->fault.scope, FAULT_ACCOUNT);
	assert_false(s->fault.login);
	assert_int_equal(s->tokens.refused, 0);
}

/* Neither is about the mailbox, nor about the login. */
static void
test_imap_not_connected(void **state)
{
	struct scene *s = *state;

	select_inbox(s, "A3 BAD User is authenticated but not connected.\r\n");
	assert_true(s->fault.busy);
}

static void
test_imap_throttled(void **state)
{
	struct scene *s = *state;

	select_inbox(s, "A3 NO Request is throttled. Suggested Backoff Time: "
			"178755 milliseconds\r\n");
	assert_int_equal(s->fault.retry_after, 179);
}

int
main(void)
{
#define SCENE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		SCENE(test_pop3_two_lines),
		SCENE(test_pop3_refused),
		SCENE(test_pop3_yes_after_complaint),
		SCENE(test_pop3_one_line),
		SCENE(test_pop3_long_token),
		SCENE(test_pop3_not_offered),
		SCENE(test_imap_token),
		SCENE(test_imap_refused),
		SCENE(test_imap_expired),
		SCENE(test_imap_not_connected),
		SCENE(test_imap_throttled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
