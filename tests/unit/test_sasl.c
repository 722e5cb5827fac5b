/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/bearer.h"
#include "auth/sasl.h"

#define ALL_SCRAM                                                              \
	"SCRAM-SHA-1-PLUS SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-256-PLUS"

static const struct tls_binding bound = { .type = TLS_EXPORTER,
	.n = 32,
	.bytes = "0123456789abcdef0123456789abcde" };
static const struct tls_binding unbound = { .type = TLS_BINDING_NONE };

struct choice {
	const char *configured, *offered;
	bool bound, token;
	const char *chosen; /* NULL: a fault */
};

static const struct choice choices[] = {
	{ "auto", "PLAIN", 0, 0, "PLAIN" },
	{ "auto", "LOGIN PLAIN", 0, 0, "PLAIN" },
	{ "auto", "CRAM-MD5 LOGIN XOAUTH2", 0, 0, "LOGIN" },
	{ "auto", "plain", 0, 0, "PLAIN" },
	{ "plain", "LOGIN PLAIN", 0, 0, "PLAIN" },
	{ "login", "PLAIN LOGIN", 0, 0, "LOGIN" },
	/* the strongest that both sides have */
	{ "auto", "PLAIN LOGIN " ALL_SCRAM, 1, 0, "SCRAM-SHA-256-PLUS" },
	{ "auto", "PLAIN LOGIN " ALL_SCRAM, 0, 0, "SCRAM-SHA-256" },
	{ "auto", "SCRAM-SHA-1-PLUS PLAIN SCRAM-SHA-1", 1, 0,
	    "SCRAM-SHA-1-PLUS" },
	{ "auto", "SCRAM-SHA-1-PLUS PLAIN SCRAM-SHA-1", 0, 0, "SCRAM-SHA-1" },
	{ "auto", "SCRAM-SHA-1-PLUS SCRAM-SHA-256", 1, 0, "SCRAM-SHA-256" },
	{ "auto", "SCRAM-SHA-256-PLUS PLAIN", 0, 0, "PLAIN" },
	{ "auto", "SCRAM-SHA-512 PLAIN", 1, 0, "PLAIN" },
	{ "scram", "PLAIN LOGIN " ALL_SCRAM, 1, 0, "SCRAM-SHA-256-PLUS" },
	{ "scram", "PLAIN SCRAM-SHA-1", 1, 0, "SCRAM-SHA-1" },
	{ "plain", "PLAIN LOGIN " ALL_SCRAM, 1, 0, "PLAIN" },
	/* a token is no password, and the other way round */
	{ "auto", "PLAIN XOAUTH2", 0, 1, "XOAUTH2" },
	{ "auto", "PLAIN XOAUTH2 OAUTHBEARER " ALL_SCRAM, 1, 1, "OAUTHBEARER" },
	{ "xoauth2", "PLAIN XOAUTH2 OAUTHBEARER", 0, 1, "XOAUTH2" },
	{ "oauthbearer", "PLAIN XOAUTH2 OAUTHBEARER", 0, 1, "OAUTHBEARER" },
	{ "auto", "PLAIN LOGIN " ALL_SCRAM, 1, 1, NULL },
	{ "auto", "XOAUTH2 OAUTHBEARER", 1, 0, NULL },
	{ "xoauth2", "PLAIN OAUTHBEARER", 0, 1, NULL },
	{ "xoauth2", "XOAUTH2 PLAIN", 0, 0, NULL },
	/* No fallback, and no name that only contains another. */
	{ "plain", "LOGIN", 0, 0, NULL },
	{ "login", "PLAIN", 0, 0, NULL },
	{ "scram", "PLAIN LOGIN", 1, 0, NULL },
	{ "scram", "SCRAM-SHA-256-PLUS SCRAM-SHA-1-PLUS", 0, 0, NULL },
	{ "auto", "PLAINER XPLAIN LOGIN2", 0, 0, NULL },
	{ "auto", "CRAM-MD5 DIGEST-MD5 NTLM APOP", 0, 0, NULL },
	{ "auto", "", 0, 0, NULL },
};

static void
test_choose(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		const struct choice *c = &choices[i];
		const struct sasl_client client = { .token = c->token,
			.binding = c->bound ? &bound : &unbound };
		struct fault f;
		const char *m =
		    sasl_choose(c->configured, c->offered, &client, &f);

		if (c->chosen != NULL) {
			assert_non_null(m);
			assert_string_equal(m, c->chosen);
			continue;
		}
		assert_null(m);
		assert_int_equal(f.scope, FAULT_ACCOUNT);
		assert_int_equal(f.when, FAULT_NEVER);
		assert_false(f.login); /* nobody refused a password */
		assert_string_equal(f.phase, "login");
		assert_true(f.text[0] != '\0');
	}
}

/* A server without passwords says what to do. */
static void
test_choose_hint(void **state)
{
	const struct sasl_client client = { .token = false };
	struct fault f;

	(void)state;
	assert_null(sasl_choose("auto", "XOAUTH2", &client, &f));
	assert_string_equal(
	    f.text, "the server takes no password: \"XOAUTH2\"");
	assert_non_null(strstr(f.hint, "mailhaul login"));
	assert_null(sasl_choose("scram", "PLAIN", &client, &f));
	assert_string_equal(
	    f.text, "the server does not offer scram, only: \"PLAIN\"");
}

static struct sasl *
start_at(const char *mechanism, const char *user, struct span secret,
    bool token, struct fault *fault_r)
{
	struct secret *copy = secret_new(secret);
	const struct sasl_client client = {
		.user = user,
		.secret = copy,
		.token = token,
		.host = "server.example.com",
		.port = 143,
	};
	struct sasl *s = sasl_new(mechanism, &client, fault_r);

	secret_free(&copy); /* it has one of its own */
	return s;
}

static struct sasl *
start(const char *mechanism, const char *password)
{
	struct fault f;
	struct sasl *s = start_at(
	    mechanism, "joe@example.net", span_str(password), false, &f);

	assert_non_null(s);
	return s;
}

static void
expect(struct sasl *s, const char *challenge, enum sasl_status status,
    const char *response)
{
	struct span r = { "", 0 };
	struct fault f;

	assert_int_equal(sasl_step(s, span_str(challenge), &r, &f), status);
	if (response != NULL)
		assert_true(span_is(r, response));
}

static void
test_plain(void **state)
{
	struct sasl *s = start("PLAIN", "a^b c");

	(void)state;
	assert_true(sasl_client_first(s));
	assert_false(sasl_proved(s));
	expect(s, "", SASL_DONE, "AGpvZUBleGFtcGxlLm5ldABhXmIgYw==");
	assert_true(sasl_proved(s));
	/* A second challenge after the last word. */
	expect(s, "", SASL_FAIL, NULL);
	assert_false(sasl_proved(s));
	sasl_free(&s);
	assert_null(s);
	sasl_free(&s);
}

static void
test_login(void **state)
{
	struct sasl *s = start("LOGIN", "p\xc3\xa4ss");

	(void)state;
	assert_false(sasl_client_first(s));
	expect(s, "VXNlcm5hbWU6", SASL_STEP, "am9lQGV4YW1wbGUubmV0");
	assert_false(sasl_proved(s));
	expect(s, "UGFzc3dvcmQ6", SASL_DONE, "cMOkc3M=");
	expect(s, "UGFzc3dvcmQ6", SASL_FAIL, NULL);
	sasl_free(&s);
}

/* fetchmail CVE-2025-61962, CVE-2012-3482: error text taken for a challenge. */
static void
test_bad_challenge(void **state)
{
	static const char *const bad[] = { "not base64!", "VXNlcm5hbWU", "=",
		"454 4.7.0 try later" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sasl *s = start("LOGIN", "secret");

		expect(s, bad[i], SASL_FAIL, NULL);
		/* Nothing is given away afterwards either. */
		expect(s, "VXNlcm5hbWU6", SASL_FAIL, NULL);
		sasl_free(&s);
	}
}

static void
test_huge_challenge(void **state)
{
	static char huge[65536];
	struct sasl *s = start("LOGIN", "secret");

	(void)state;
	memset(huge, 'A', sizeof(huge) - 4);
	expect(s, huge, SASL_FAIL, NULL);
	sasl_free(&s);
}

static void
test_long_password(void **state)
{
	char password[4097];
	struct sasl *s;
	struct span r;
	struct fault f;

	(void)state;
	memset(password, 'x', sizeof(password) - 1);
	password[sizeof(password) - 1] = '\0';
	s = start("PLAIN", password);
	assert_int_equal(sasl_step(s, span_make("", 0), &r, &f), SASL_DONE);
	/* NUL, user, NUL, password: nothing cut. */
	assert_int_equal(r.n, (1 + 15 + 1 + 4096 + 2) / 3 * 4);
	sasl_free(&s);
}

static void
test_refused(void **state)
{
	static const struct {
		const char *mechanism;
		struct span secret;
		bool token;
	} bad[] = {
		{ "PLAIN", { "a\0b", 3 }, false },
		{ "PLAIN", { "", 0 }, false },
		{ "CRAM-MD5", { "secret", 6 }, false },
		{ "NTLM", { "secret", 6 }, false },
		{ "XOAUTH2", { "secret", 6 }, false },
		{ "PLAIN", { "secret", 6 }, true },
		{ "SCRAM-SHA-256-PLUS", { "secret", 6 }, false }, /* unbound */
	};
	struct fault f;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(start_at(
		    bad[i].mechanism, "joe", bad[i].secret, bad[i].token, &f));
		assert_int_equal(f.when, FAULT_NEVER);
	}
}

/* --- access tokens */

#define GOOGLE "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"
#define RFC7628 "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="

static struct sasl *
start_token(const char *mechanism, const char *user, const char *token)
{
	struct fault f;
	struct sasl *s = start_at(mechanism, user, span_str(token), true, &f);

	assert_non_null(s);
	assert_true(sasl_client_first(s));
	return s;
}

/* The example of Google's manual, and the one of RFC 7628. */
static void
test_token(void **state)
{
	struct sasl *s = start_token("XOAUTH2", "someuser@example.com", GOOGLE);

	(void)state;
	expect(s, "", SASL_DONE,
	    "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWR"
	    "mdDRxbVRjMk52YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==");
	assert_true(sasl_proved(s));
	assert_null(sasl_complaint(s));
	sasl_free(&s);
	s = start_token("OAUTHBEARER", "user@example.com", RFC7628);
	expect(s, "", SASL_DONE,
	    "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAX"
	    "BvcnQ9MTQzAWF1dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJo"
	    "ZG1semRHRXVZMjl0Q2c9PQEB");
	sasl_free(&s);
	/* "n,a=a=3Db=2Cc," */
	s = start_token("OAUTHBEARER", "a=b,c", "t");
	expect(s, "", SASL_DONE,
	    "bixhPWE9M0RiPTJDYywBaG9zdD1zZXJ2ZXIuZXhhbXBsZS5jb20BcG9ydD0xND"
	    "MBYXV0aD1CZWFyZXIgdAEB");
	sasl_free(&s);
}

/* The server says why not, in JSON, and then no. */
static void
test_complaint(void **state)
{
	struct sasl *s = start_token("XOAUTH2", "someuser@example.com", GOOGLE);

	(void)state;
	expect(s, "", SASL_DONE, NULL);
	expect(s,
	    "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIj"
	    "oiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb20vIn0K",
	    SASL_DONE, "");
	assert_string_equal(sasl_complaint(s),
	    "status 401, scope https://mail.google.com/, schemes bearer mac");
	/* It may not say yes after that, nor ask for more. */
	assert_false(sasl_proved(s));
	expect(s, "e30=", SASL_FAIL, NULL);
	sasl_free(&s);
	s = start_token("OAUTHBEARER", "user@example.com", RFC7628);
	expect(s, "", SASL_DONE, NULL);
	/* {"status":"invalid_token","scope":"example_scope"} */
	expect(s,
	    "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3"
	    "BlIn0=",
	    SASL_DONE, "AQ==");
	assert_string_equal(
	    sasl_complaint(s), "status invalid_token, scope example_scope");
	assert_false(sasl_proved(s));
	sasl_free(&s);
}

static void
test_explain(void **state)
{
	static const struct {
		const char *json, *words;
	} table[] = {
		{ "{\"status\":400}", "status 400" },
		{ "{\"scope\":\"s\",\"status\":\"401\"}",
		    "status 401, scope s" },
		{ "{\"status\":\"400\",\"error_description\":\"no\\nway\"}",
		    "status 400, error_description no?way" },
		{ "{\"status\":[1],\"scope\":\"\",\"schemes\":null}",
		    "for no reason that it gives" },
		{ "[]", "for no reason that it gives" },
		{ "", "for no reason that it gives" },
		{ "{\"status\":", "for no reason that it gives" },
		{ "no JSON", "for no reason that it gives" },
	};
	char words[64], few[8];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		bearer_explain(span_str(table[i].json), words, sizeof(words));
		assert_string_equal(words, table[i].words);
		for (size_t cap = 1; cap <= sizeof(few); cap++)
			bearer_explain(span_str(table[i].json), few, cap);
	}
}

/* Nothing can end a field and begin another. */
static void
test_bad_token(void **state)
{
	static const char *const bad[][2] = { { "joe", "a b" },
		{ "joe", "a\1" }, { "joe", "" }, { "joe", "t\xc3\xa4" },
		{ "jo\1e", "t" }, { "jo\ne", "t" }, { "", "t" } };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sasl *s = start_token("XOAUTH2", bad[i][0], bad[i][1]);

		expect(s, "", SASL_FAIL, NULL);
		assert_false(sasl_proved(s));
		sasl_free(&s);
		s = start_token("OAUTHBEARER", bad[i][0], bad[i][1]);
		expect(s, "", SASL_FAIL, NULL);
		sasl_free(&s);
	}
}

/* Who speaks first where the client should wants something else. */
static void
test_early_challenge(void **state)
{
	static const char *const names[] = { "PLAIN", "SCRAM-SHA-256" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sasl *s = start(names[i], "secret");

		expect(s, "VXNlcm5hbWU6", SASL_FAIL, NULL);
		expect(s, "", SASL_FAIL, NULL);
		sasl_free(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_choose_hint),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_bad_challenge),
		cmocka_unit_test(test_huge_challenge),
		cmocka_unit_test(test_long_password),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_complaint),
		cmocka_unit_test(test_explain),
		cmocka_unit_test(test_bad_token),
		cmocka_unit_test(test_early_challenge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
