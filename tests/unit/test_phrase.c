/* SPDX-License-Identifier: ISC */
#include "relay/phrase.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define NONE ((enum phrase_kind)99)

/* As providers were seen to say it. */
static const struct {
	const char *words;
	enum phrase_kind kind;
	const char *hint; /* a part of it; NULL: there is none */
} said[] = {
	{ "Session invalidated - AccessTokenExpired", PHRASE_EXPIRED, NULL },
	{ "User is authenticated but not connected.", PHRASE_BUSY, NULL },
	{ "Request is throttled. Suggested Backoff Time: 178755 milliseconds",
	    PHRASE_WAIT, NULL },
	{ "[UNAVAILABLE] Request is throttled.", PHRASE_WAIT, NULL },
	{ "5.7.139 Authentication unsuccessful, basic authentication is "
	  "disabled. [AM0PR01CA0001.eurprd01.prod.exchangelabs.com]",
	    PHRASE_LOGIN, "mailhaul login" },
	{ "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is "
	  "disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled",
	    PHRASE_LOGIN, "administrator" },
	{ "LogonDenied-BasicAuthBlocked", PHRASE_LOGIN, "mailhaul login" },
	{ "Basic authentication is disabled.", PHRASE_LOGIN, "mailhaul login" },
	{ "5.2.252 SendAsDenied; me@hotmail.com not allowed to send as "
	  "you@example.com",
	    PHRASE_SENDER, "sender" },
	{ "5.7.9 Application-specific password required. For more "
	  "information, go to https://support.google.com/mail/?p=InvalidSec",
	    PHRASE_LOGIN, "app password" },
	{ "[ALERT] Application-specific password required: "
	  "https://support.google.com/accounts/answer/185833 (Failure)",
	    PHRASE_LOGIN, "app password" },
	{ "5.7.8 Username and Password not accepted.", PHRASE_LOGIN, "Google" },
	{ "5.7.14 Please log in via your web browser and then try again.",
	    PHRASE_LOGIN, "web browser" },
	{ "[WEBALERT https://accounts.google.com/] Web login required.",
	    PHRASE_LOGIN, "web browser" },
	{ "[ALERT] Your account is not enabled for IMAP use (Failure)",
	    PHRASE_LOGIN, "switched off" },
	{ "[SYS/PERM] Your account is not enabled for POP access.",
	    PHRASE_LOGIN, "switched off" },
	{ "[ALERT] Account exceeded command or bandwidth limits. (Failure)",
	    PHRASE_WAIT, NULL },
	{ "[ALERT] Too many simultaneous connections. (Failure)", PHRASE_BUSY,
	    NULL },
	{ "5.7.0 (#AUTH005) Too many bad auth attempts.", PHRASE_LOGIN,
	    "locked" },
	{ "5.7.0 (#MBR1212) Incorrect username or password, use an app "
	  "password",
	    PHRASE_LOGIN, "app password" },
	{ "maildrop already locked", PHRASE_BUSY, NULL },
	{ "AUTHENTICATE failed.", NONE, NULL },
	{ "2.0.0 Ok: queued", NONE, NULL },
	{ "", NONE, NULL },
};

static void
test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
		const struct phrase *p = phrase_find(span_str(said[i].words));

		assert_int_equal(p != NULL ? p->kind : NONE, said[i].kind);
		if (p == NULL)
			continue;
		assert_int_equal(p->hint != NULL, said[i].hint != NULL);
		if (p->hint != NULL)
			assert_non_null(strstr(p->hint, said[i].hint));
		assert_int_equal(phrase_ends_session(span_str(said[i].words)),
		    p->kind <= PHRASE_EXPIRED);
	}
	assert_false(phrase_ends_session(span_str("")));
}

/* Bytes of a server: no NUL ends them, and nothing is read behind them. */
static void
test_bytes(void **state)
{
	static const char words[] = "\0\xff\0 TOO MANY CONNECTIONS";

	(void)state;
	assert_non_null(phrase_find(span_make(words, sizeof(words) - 1)));
	for (size_t n = 0; n < sizeof(words) - 1; n++) {
		char *copy = malloc(n + 1);

		assert_non_null(copy);
		memcpy(copy, words, n);
		copy = realloc(copy, n > 0 ? n : 1);
		assert_null(phrase_find(span_make(copy, n)));
		free(copy);
	}
}

static void
test_backoff(void **state)
{
	static const struct {
		const char *words;
		int64_t seconds;
	} table[] = {
		{ "Suggested Backoff Time: 178755 milliseconds", 179 },
		{ "x suggested backoff time:1", 1 },
		{ "Suggested Backoff Time: 0 milliseconds", 0 },
		{ "Suggested Backoff Time: -5 milliseconds", 0 },
		{ "Suggested Backoff Time: soon", 0 },
		{ "Suggested Backoff Time:", 0 },
		{ "Suggested Backoff Time: 86400001", 86400 },
		{ "Suggested Backoff Time: 99999999999999999999999", 86400 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		assert_int_equal(
		    phrase_backoff(span_str(table[i].words)), table[i].seconds);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
