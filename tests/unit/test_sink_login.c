/* SPDX-License-Identifier: ISC */
/*
 * Logins at a destination, up to the wire: SCRAM as in RFC 5802 (the nonce is
 * that of its example), what is too long for a command line, and servers that
 * say yes too early.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <gsasl.h>

#include "../fake/fake_token.h"
#include "relay/spool.h"
#include "sink_play.h"

#define NONCE                                                                  \
	"\x7f\x29\x28\xf9\xdd\xa5\x6d\xb1\x60\x38\xd4\x6f"                     \
	"\xf6\xa9\x31\x75\xac\x0b"

int
gsasl_nonce(char *data, size_t n)
{
	assert_int_equal(n, sizeof(NONCE) - 1);
	memcpy(data, NONCE, n);
	return GSASL_OK;
}

/* In base64: n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL and what follows there. */
#define FIRST "biwsbj11c2VyLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdM"
#define SERVER_FIRST                                                           \
	"cj1meWtvK2QybGJiRmdPTlJ2OXFreGRhd0wzcmZjTkhZSlkxWlZ2V1ZzN2os"         \
	"cz1RU1hDUitRNnNlazhiZjkyLGk9NDA5Ng=="
#define FINAL                                                                  \
	"Yz1iaXdzLHI9ZnlrbytkMmxiYkZnT05Sdjlxa3hkYXdMM3JmY05IWUpZMVpW"         \
	"dldWczdqLHA9djBYOHYzQnoyVDBDSkdiSlF5RjBYK0hJNFRzPQ=="
#define SERVER_FINAL "dj1ybUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9"
#define WRONG_FINAL "dj1BQUY5cHFWOFM3c3VBb1pXamE0ZEpSa0ZzS1E9"

static char user[] = "user";

static void
begin_with(struct play *p, const char *password, const char *offer)
{
	p->dest.server.user = user;
	setenv("SINK_SECRET", password, 1);
	submit(p, 0, BODY);
	turn(p);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	forget(p);
	say(p, offer);
}

static void
begin(struct play *p, const char *offer)
{
	begin_with(p, "pencil", offer);
}

static const struct fault *
assert_trouble(struct play *p, enum fault_when when, bool login)
{
	const struct fault *f = sink_trouble(p->sink);

	assert_non_null(f);
	assert_int_equal(f->scope, FAULT_DESTINATION);
	assert_int_equal(f->when, when);
	assert_int_equal(f->login, login);
	assert_unsaid(p, "MAIL");
	assert_said(p, "close");
	return f;
}

static void
test_scram(void **state)
{
	struct play *p = *state;

	begin(p, "250-mx\r\n250 AUTH PLAIN SCRAM-SHA-1 LOGIN\r\n");
	assert_said(p, "C: AUTH SCRAM-SHA-1 " FIRST "\\r\\n");
	forget(p);
	say(p, "334 " SERVER_FIRST "\r\n");
	assert_said(p, "C: " FINAL "\\r\\n");
	forget(p);
	say(p, "334 " SERVER_FINAL "\r\n");
	assert_play(p, "S: 334 " SERVER_FINAL "\\r\\n\nC: \\r\\n\n");
	say(p, "235 ok\r\n");
	assert_said(p, "MAIL FROM");
	assert_null(sink_trouble(p->sink));
}

static void
test_scram_wrong_password(void **state)
{
	struct play *p = *state;

	begin(p, "250-mx\r\n250 AUTH SCRAM-SHA-1\r\n");
	say(p, "334 " SERVER_FIRST "\r\n");
	say(p, "535 5.7.8 wrong\r\n");
	assert_trouble(p, FAULT_NEVER, true);
}

/* Who cannot prove that he knows the password gets no mail. */
static void
test_scram_tampered(void **state)
{
	struct play *p = *state;
	const struct fault *f;

	begin(p, "250-mx\r\n250 AUTH SCRAM-SHA-1\r\n");
	say(p, "334 " SERVER_FIRST "\r\n");
	say(p, "334 " WRONG_FINAL "\r\n");
	f = assert_trouble(p, FAULT_NEVER, false);
	assert_non_null(strstr(f->text, "signature is wrong"));
}

static void
test_scram_no_proof(void **state)
{
	struct play *p = *state;
	const struct fault *f;

	begin(p, "250-mx\r\n250 AUTH SCRAM-SHA-1\r\n");
	say(p, "334 " SERVER_FIRST "\r\n");
	say(p, "235 welcome\r\n");
	f = assert_trouble(p, FAULT_NEVER, false);
	assert_non_null(strstr(f->text, "half a login"));
}

static void
test_scram_yes_at_once(void **state)
{
	struct play *p = *state;

	begin(p, "250-mx\r\n250 AUTH SCRAM-SHA-1\r\n");
	say(p, "235 welcome\r\n");
	assert_trouble(p, FAULT_NEVER, false);
}

/* The server knows -PLUS, and this session can be bound. */
static void
test_scram_plus(void **state)
{
	struct play *p = *state;

	p->net.binding = (struct tls_binding){ .type = TLS_EXPORTER, .n = 32 };
	begin(p, "250-mx\r\n250 AUTH SCRAM-SHA-1 SCRAM-SHA-1-PLUS\r\n");
	/* p=tls-exporter,,n=user,r=... */
	assert_said(p, "C: AUTH SCRAM-SHA-1-PLUS cD10bHMtZXhwb3J0ZXIsLG49");
	assert_true(withdraw(p, 0));
}

/* RFC 4954: not in a line of more than 512 bytes. */
static void
test_long_password(void **state)
{
	static char password[401];
	struct play *p = *state;

	memset(password, 'x', sizeof(password) - 1);
	begin_with(p, password, "250-mx\r\n250 AUTH PLAIN\r\n");
	assert_said(p, "C: AUTH PLAIN\\r\\n");
	forget(p);
	say(p, "334 \r\n");
	assert_said(p, "C: AHVzZXIAeHh4");
	say(p, "235 ok\r\n");
	assert_said(p, "MAIL FROM");
}

/* What is held is given to nobody who asks for something else. */
static void
test_held_response(void **state)
{
	static char password[401];
	struct play *p = *state;

	memset(password, 'x', sizeof(password) - 1);
	begin_with(p, password, "250-mx\r\n250 AUTH PLAIN\r\n");
	say(p, "334 UGFzc3dvcmQ6\r\n");
	assert_trouble(p, FAULT_LATER, false);
	assert_unsaid(p, "AHVzZXIAeHh4");
}

static void
test_held_and_accepted(void **state)
{
	static char password[401];
	struct play *p = *state;

	memset(password, 'x', sizeof(password) - 1);
	begin_with(p, password, "250-mx\r\n250 AUTH PLAIN\r\n");
	say(p, "235 ok\r\n");
	assert_trouble(p, FAULT_NEVER, false);
}

/* --- access tokens */

#define OFFER "250-mx\r\n250 AUTH LOGIN XOAUTH2\r\n"
/* user=user^Aauth=Bearer one^A^A, and the same with two and three */
#define ONE "C: AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIG9uZQEB\\r\\n"
#define TWO "C: AUTH XOAUTH2 dXNlcj11c2VyAWF1dGg9QmVhcmVyIHR3bwEB\\r\\n"
/* {"status":"401","scope":"mail"} */
#define COMPLAINT "eyJzdGF0dXMiOiI0MDEiLCJzY29wZSI6Im1haWwifQ=="

static const char *const three[] = { "one", "two", "three", NULL };

static char client_id[] = "id", scope[] = "mail",
	    url[] = "https://localhost/token";

static void
use_tokens(struct play *p, struct tokens *t, const char *const *access)
{
	*t = (struct tokens){ .loop = p->net.net.loop, .access = access };
	sink_close(&p->sink);
	p->dest.server.password = NULL;
	p->dest.server.oauth_client_id = client_id;
	p->dest.server.oauth_scope = scope;
	p->dest.server.oauth_token_url = url;
	p->tokens = t;
	p->sink = sink_open(&p->net.net, t, &p->conf, &p->dest);
}

static void
answer(struct play *p, const char *first, const char *second)
{
	turn(p);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, OFFER);
	assert_said(p, first);
	forget(p);
	if (second != NULL)
		say(p, second);
}

static void
test_token(void **state)
{
	struct play *p = *state;
	struct tokens t;

	use_tokens(p, &t, three);
	begin(p, OFFER);
	assert_said(p, ONE);
	assert_string_equal(t.user, "user");
	say(p, "235 ok\r\n");
	assert_said(p, "MAIL FROM");
	assert_int_equal(t.refused, 0);
	assert_true(withdraw(p, 0));
}

/* A refused token is replaced, on a new connection, and nobody hears of it. */
static void
test_token_replaced(void **state)
{
	struct play *p = *state;
	struct tokens t;

	use_tokens(p, &t, three);
	begin(p, OFFER);
	forget(p);
	say(p, "334 " COMPLAINT "\r\n");
	assert_play(p, "S: 334 " COMPLAINT "\\r\\n\nC: \\r\\n\n");
	say(p, "535 5.7.3 Authentication unsuccessful\r\n");
	assert_int_equal(t.refused, 1);
	assert_null(sink_trouble(p->sink));
	answer(p, TWO, "235 ok\r\n");
	assert_said(p, "MAIL FROM");
	assert_int_equal(t.fetched, 2);
	assert_true(withdraw(p, 0));
}

/* Twice is enough: no login loop, and a person hears what to do. */
static void
test_token_refused(void **state)
{
	struct play *p = *state;
	const struct fault *f;
	struct tokens t;
	char hint[80];

	use_tokens(p, &t, three);
	begin(p, OFFER);
	say(p, "535 5.7.3 Authentication unsuccessful\r\n");
	answer(p, TWO, "334 " COMPLAINT "\r\n");
	say(p, "535 5.7.3 Authentication unsuccessful\r\n");
	f = assert_trouble(p, FAULT_NEVER, true);
	assert_true(f->sign_in);
	assert_non_null(strstr(f->text, "status 401, scope mail"));
	assert_non_null(strstr(f->text, "Authentication unsuccessful"));
	assert_string_equal(fault_hint(f, "home", hint, sizeof(hint)),
	    "; sign in again: mailhaul login home");
	assert_int_equal(t.fetched, 2);
	turn(p);
	assert_null(p->net.conn);
}

/* What another token does not help against. */
static void
test_token_is_not_the_reason(void **state)
{
	struct play *p = *state;
	const struct fault *f;
	struct tokens t;

	use_tokens(p, &t, three);
	begin(p, OFFER);
	say(p, "535 5.7.139 SmtpClientAuthentication is disabled for the "
	       "Mailbox.\r\n");
	f = assert_trouble(p, FAULT_NEVER, true);
	assert_false(f->sign_in);
	assert_non_null(strstr(f->hint, "administrator"));
	assert_int_equal(t.refused, 0);
}

static void
test_not_signed_in(void **state)
{
	static const char *const nothing[] = { NULL };
	struct play *p = *state;
	const struct fault *f;
	struct tokens t;

	use_tokens(p, &t, nothing);
	begin(p, OFFER);
	f = assert_trouble(p, FAULT_NEVER, true);
	assert_true(f->sign_in);
	assert_unsaid(p, "AUTH XOAUTH2");
}

/* The token ran out between two messages: the second gets its turn on a new
 * line, with a new token, and it is no failure. */
static void
test_token_expired(void **state)
{
	struct play *p = *state;
	struct tokens t;

	use_tokens(p, &t, three);
	begin(p, OFFER);
	say(p, "235 ok\r\n");
	say(p, "250 ok\r\n");
	say(p, "250 ok\r\n");
	say(p, "354 go\r\n");
	permit(p, 0);
	say(p, "250 queued\r\n");
	submit(p, 1, BODY);
	turn(p);
	say(p, "421 4.7.0 Session invalidated - AccessTokenExpired\r\n");
	assert_int_equal(t.refused, 1);
	assert_null(sink_trouble(p->sink));
	answer(p, TWO, "235 ok\r\n");
	assert_said(p, "MAIL FROM");
	assert_true(withdraw(p, 1));
}

/* A password is not asked for in place of a token, nor shown to such a
 * server. */
static void
test_no_keeper(void **state)
{
	struct play *p = *state;

	p->dest.server.auth = CONF_AUTH_XOAUTH2;
	begin(p, OFFER);
	assert_trouble(p, FAULT_NEVER, false);
	assert_unsaid(p, "AUTH XOAUTH2");
}

int
main(void)
{
#define PLAY(f) cmocka_unit_test_setup_teardown(f, play_setup, play_teardown)
	const struct CMUnitTest tests[] = {
		PLAY(test_scram),
		PLAY(test_scram_wrong_password),
		PLAY(test_scram_tampered),
		PLAY(test_scram_no_proof),
		PLAY(test_scram_yes_at_once),
		PLAY(test_scram_plus),
		PLAY(test_long_password),
		PLAY(test_held_response),
		PLAY(test_held_and_accepted),
		PLAY(test_token),
		PLAY(test_token_replaced),
		PLAY(test_token_refused),
		PLAY(test_token_is_not_the_reason),
		PLAY(test_not_signed_in),
		PLAY(test_token_expired),
		PLAY(test_no_keeper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
