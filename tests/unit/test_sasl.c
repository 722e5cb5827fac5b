/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "auth/sasl.h"

struct choice {
	const char *configured, *offered;
	const char *chosen; /* NULL: a fault */
};

static const struct choice choices[] = {
	{ "auto", "PLAIN", "PLAIN" },
	{ "auto", "LOGIN PLAIN", "PLAIN" },
	{ "auto", "CRAM-MD5 LOGIN XOAUTH2", "LOGIN" },
	{ "auto", "plain", "PLAIN" },
	{ "plain", "LOGIN PLAIN", "PLAIN" },
	{ "login", "PLAIN LOGIN", "LOGIN" },
	/* No fallback, and no name that only contains another. */
	{ "plain", "LOGIN", NULL },
	{ "login", "PLAIN", NULL },
	{ "auto", "PLAINER XPLAIN LOGIN2", NULL },
	{ "auto", "CRAM-MD5 DIGEST-MD5 NTLM APOP", NULL },
	{ "auto", "", NULL },
	{ "xoauth2", "XOAUTH2 PLAIN", NULL },
};

static void
test_choose(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		const struct choice *c = &choices[i];
		struct fault f;
		const char *m = sasl_choose(c->configured, c->offered, &f);

		if (c->chosen != NULL) {
			assert_non_null(m);
			assert_string_equal(m, c->chosen);
			continue;
		}
		assert_null(m);
		assert_int_equal(f.scope, FAULT_ACCOUNT);
		assert_string_equal(f.phase, "login");
		assert_true(f.text[0] != '\0');
	}
}

static struct sasl *
start(const char *mechanism, const char *password)
{
	struct secret *secret = secret_new(span_str(password));
	struct fault f;
	struct sasl *s = sasl_new(mechanism, "joe@example.net", secret, &f);

	secret_free(&secret);
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
	expect(s, "", SASL_DONE, "AGpvZUBleGFtcGxlLm5ldABhXmIgYw==");
	/* A second challenge after the last word. */
	expect(s, "", SASL_FAIL, NULL);
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
	struct secret *nul = secret_new(span_make("a\0b", 3));
	struct secret *empty = secret_new(span_make("", 0));
	struct secret *good = secret_new(span_str("secret"));
	struct fault f;

	(void)state;
	assert_null(sasl_new("PLAIN", "joe", nul, &f));
	assert_null(sasl_new("PLAIN", "joe", empty, &f));
	assert_null(sasl_new("CRAM-MD5", "joe", good, &f));
	assert_null(sasl_new("NTLM", "joe", good, &f));
	assert_int_equal(f.when, FAULT_NEVER);
	secret_free(&nul);
	secret_free(&empty);
	secret_free(&good);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_choose),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_bad_challenge),
		cmocka_unit_test(test_huge_challenge),
		cmocka_unit_test(test_long_password),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
