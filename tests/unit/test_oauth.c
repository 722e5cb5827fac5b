/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/device_flow.h"
#include "auth/oauth_answer.h"
#include "auth/pkce.h"
#include "auth/redirect.h"
#include "auth/token.h"
#include "base/buf.h"

/* --- answers */

struct vector {
	enum oauth_kind kind;
	unsigned status;
	const char *body;
	enum oauth_outcome outcome;
	const char *words; /* NULL: not looked at */
};

static const struct vector vectors[] = {
	{ OAUTH_TOKENS, 200,
	    "{\"access_token\":\"at\",\"token_type\":\"Bearer\","
	    "\"expires_in\":3600,\"refresh_token\":\"rt\"}",
	    OAUTH_GOOD, "" },
	{ OAUTH_TOKENS, 200, "{\"access_token\":\"at\"}", OAUTH_GOOD, "" },
	{ OAUTH_TOKENS, 200,
	    "{\"access_token\":\"at\",\"token_type\":\"bearer\"}", OAUTH_GOOD,
	    "" },
	{ OAUTH_TOKENS, 200, "{\"access_token\":\"at\",\"token_type\":\"mac\"}",
	    OAUTH_NONSENSE, "HTTP status 200" },
	/* They become part of lines of protocols. */
	{ OAUTH_TOKENS, 200, "{\"access_token\":\"a\\u0001t\"}", OAUTH_NONSENSE,
	    NULL },
	{ OAUTH_TOKENS, 200, "{\"access_token\":\"a\\r\\nt\"}", OAUTH_NONSENSE,
	    NULL },
	{ OAUTH_TOKENS, 200, "{\"access_token\":\"a t\"}", OAUTH_NONSENSE,
	    NULL },
	{ OAUTH_TOKENS, 200, "{\"access_token\":\"\"}", OAUTH_NONSENSE, NULL },
	{ OAUTH_TOKENS, 200, "{\"access_token\":7}", OAUTH_NONSENSE, NULL },
	/* The new refresh token cannot be kept: then the answer is none. */
	{ OAUTH_TOKENS, 200,
	    "{\"access_token\":\"at\",\"refresh_token\":\"r\\n\"}",
	    OAUTH_NONSENSE, NULL },
	{ OAUTH_TOKENS, 200, "", OAUTH_NONSENSE, NULL },
	{ OAUTH_TOKENS, 200, "[]", OAUTH_NONSENSE, NULL },
	{ OAUTH_TOKENS, 200, "<html>sign in to the hotel</html>",
	    OAUTH_NONSENSE, "HTTP status 200" },
	{ OAUTH_TOKENS, 302, "{\"access_token\":\"at\"}", OAUTH_NONSENSE,
	    "HTTP status 302" },
	{ OAUTH_TOKENS, 503, "<html>", OAUTH_BUSY, "HTTP status 503" },
	{ OAUTH_TOKENS, 429, "", OAUTH_BUSY, NULL },
	{ OAUTH_TOKENS, 400, "{\"error\":\"authorization_pending\"}",
	    OAUTH_PENDING, "authorization_pending" },
	{ OAUTH_TOKENS, 200, "{\"error\":\"slow_down\"}", OAUTH_SLOW_DOWN,
	    NULL },
	{ OAUTH_TOKENS, 400, "{\"error\":\"access_denied\"}", OAUTH_DECLINED,
	    NULL },
	{ OAUTH_TOKENS, 400, "{\"error\":\"authorization_declined\"}",
	    OAUTH_DECLINED, NULL },
	{ OAUTH_TOKENS, 400, "{\"error\":\"expired_token\"}", OAUTH_EXPIRED,
	    NULL },
	{ OAUTH_TOKENS, 400, "{\"error\":\"bad_verification_code\"}",
	    OAUTH_BAD_CODE, NULL },
	{ OAUTH_TOKENS, 400,
	    "{\"error\":\"invalid_grant\",\"error_description\":"
	    "\"AADSTS70008: expired\\r\\ndue to inactivity\"}",
	    OAUTH_SIGN_IN,
	    "invalid_grant: AADSTS70008: expired??due to inactivity" },
	{ OAUTH_TOKENS, 400, "{\"error\":\"interaction_required\"}",
	    OAUTH_SIGN_IN, NULL },
	{ OAUTH_TOKENS, 401, "{\"error\":\"invalid_client\"}", OAUTH_CLIENT,
	    NULL },
	{ OAUTH_TOKENS, 400, "{\"error\":\"invalid_scope\"}", OAUTH_REFUSED,
	    NULL },
	{ OAUTH_TOKENS, 500, "{\"error\":\"oops\"}", OAUTH_BUSY, "oops" },
	{ OAUTH_TOKENS, 400, "{\"error\":\"temporarily_unavailable\"}",
	    OAUTH_BUSY, NULL },
	/* Twice the same key: who knows which one is meant? */
	{ OAUTH_TOKENS, 200,
	    "{\"access_token\":\"at\",\"access_token\":\"bt\"}", OAUTH_NONSENSE,
	    NULL },
	{ OAUTH_DEVICE, 200,
	    "{\"device_code\":\"dc\",\"user_code\":\"ABCD-1234\","
	    "\"verification_uri\":\"https://example.com/device\","
	    "\"expires_in\":900,\"interval\":5}",
	    OAUTH_GOOD, "" },
	{ OAUTH_DEVICE, 200,
	    "{\"device_code\":\"dc\",\"user_code\":\"ABCD\","
	    "\"verification_url\":\"https://example.com/device\"}",
	    OAUTH_GOOD, "" },
	/* A person would open it. */
	{ OAUTH_DEVICE, 200,
	    "{\"device_code\":\"dc\",\"user_code\":\"ABCD\","
	    "\"verification_uri\":\"http://example.com/\"}",
	    OAUTH_NONSENSE, NULL },
	{ OAUTH_DEVICE, 200,
	    "{\"device_code\":\"dc\",\"user_code\":\"A\\u001b[2J\","
	    "\"verification_uri\":\"https://example.com/\"}",
	    OAUTH_NONSENSE, NULL },
	{ OAUTH_DEVICE, 200,
	    "{\"user_code\":\"ABCD\","
	    "\"verification_uri\":\"https://example.com/\"}",
	    OAUTH_NONSENSE, NULL },
};

static void
check(const struct vector *v, struct span body)
{
	struct oauth_answer a;

	oauth_read(v->kind, v->status, body, &a);
	if (a.outcome != v->outcome)
		print_error("%u %s: %s\n", v->status, v->body, a.words);
	assert_int_equal(a.outcome, v->outcome);
	if (v->words != NULL)
		assert_string_equal(a.words, v->words);
	assert_int_equal(a.outcome == OAUTH_GOOD && v->kind == OAUTH_TOKENS,
	    a.access != NULL);
	assert_int_equal(a.outcome == OAUTH_GOOD && v->kind == OAUTH_DEVICE,
	    a.device_code != NULL);
	oauth_clear(&a);
}

/* However it comes, the same is collected; a part alone is nothing good. */
static void
check_cut(const struct vector *v, size_t cut)
{
	struct span all = span_str(v->body);
	struct oauth_answer a;
	struct buf b;

	buf_init(&b, OAUTH_BODY_MAX);
	buf_add(&b, span_make(all.p, cut));
	oauth_read(v->kind, v->status, buf_span(&b), &a);
	assert_true(cut == all.n || a.outcome != OAUTH_GOOD);
	oauth_clear(&a);
	buf_add(&b, span_skip(all, cut));
	check(v, buf_span(&b));
	buf_free(&b);
}

static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++)
		for (size_t n = 0; n <= strlen(vectors[i].body); n++)
			check_cut(&vectors[i], n);
}

static void
test_numbers(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} list[] = {
		{ "3600", 3600 },
		{ "\"3600\"", 3600 },
		{ "3600.5", 3600 },
		{ "-1", 0 },
		{ "-1.5", 0 },
		{ "\"soon\"", 0 },
		{ "null", 0 },
		{ "9223372036854775807", OAUTH_LIFE_MAX },
		{ "1e300", OAUTH_LIFE_MAX },
	};
	char body[128];
	struct oauth_answer a;

	(void)state;
	for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++) {
		snprintf(body, sizeof(body),
		    "{\"access_token\":\"at\",\"expires_in\":%s}",
		    list[i].text);
		oauth_read(OAUTH_TOKENS, 200, span_str(body), &a);
		assert_int_equal(a.outcome, OAUTH_GOOD);
		assert_int_equal(a.expires_in, list[i].seconds);
		oauth_clear(&a);
	}
}

static void
test_ceilings(void **state)
{
	char *body = malloc(2 * OAUTH_BODY_MAX);
	struct oauth_answer a;
	struct fault f;
	int n;

	(void)state;
	assert_non_null(body);
	n = sprintf(body, "{\"access_token\":\"%0*d\"}", OAUTH_TOKEN_MAX, 1);
	oauth_read(OAUTH_TOKENS, 200, span_make(body, (size_t)n), &a);
	assert_int_equal(a.outcome, OAUTH_GOOD);
	oauth_clear(&a);
	n = sprintf(
	    body, "{\"access_token\":\"%0*d\"}", OAUTH_TOKEN_MAX + 1, 1);
	oauth_read(OAUTH_TOKENS, 200, span_make(body, (size_t)n), &a);
	assert_int_equal(a.outcome, OAUTH_NONSENSE);
	oauth_clear(&a);
	n = sprintf(body,
	    "{\"error\":\"invalid_grant\",\"error_description\":\"%0*d\"}",
	    OAUTH_BODY_MAX / 2, 1);
	oauth_read(OAUTH_TOKENS, 400, span_make(body, (size_t)n), &a);
	assert_int_equal(a.outcome, OAUTH_SIGN_IN);
	assert_true(strlen(a.words) < FAULT_TEXT_MAX);
	oauth_fault(&a, &f);
	assert_true(f.sign_in && f.login && f.when == FAULT_NEVER);
	assert_non_null(strstr(f.text, "\"invalid_grant: 0000"));
	assert_int_equal(f.text[strlen(f.text) - 1], '"');
	oauth_clear(&a);
	memset(body, '[', OAUTH_BODY_MAX);
	oauth_read(OAUTH_TOKENS, 200, span_make(body, OAUTH_BODY_MAX), &a);
	assert_int_equal(a.outcome, OAUTH_NONSENSE);
	free(body);
}

/* --- PKCE: RFC 7636 appendix B */

static void
test_pkce(void **state)
{
	char challenge[PKCE_SIZE], one[PKCE_SIZE], other[PKCE_SIZE];

	(void)state;
	pkce_challenge(
	    span_str("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), challenge);
	assert_string_equal(
	    challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
	pkce_random(one);
	pkce_random(other);
	assert_int_equal(strlen(one), 43);
	assert_int_equal(strspn(one, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				     "pqrstuvwxyz0123456789-_"),
	    43);
	assert_string_not_equal(one, other);
}

/* --- the address of the browser */

static const struct token_identity identity = {
	.user = "ann@example.com",
	.client_id = "id 1",
	.scope = "mail offline_access",
	.token_url = "https://example.com/token",
	.authorize_url = "https://example.com/authorize",
};

static void
test_address(void **state)
{
	struct redirect r;
	char challenge[PKCE_SIZE], expected[1024], *address;

	(void)state;
	redirect_init(&r, 50123);
	pkce_challenge(span_str(r.verifier), challenge);
	address = redirect_address(&r, &identity);
	snprintf(expected, sizeof(expected),
	    "https://example.com/authorize?response_type=code&client_id=id%%201"
	    "&redirect_uri=http%%3A%%2F%%2F127.0.0.1%%3A50123%%2F"
	    "&scope=mail%%20offline_access&state=%s&code_challenge=%s"
	    "&code_challenge_method=S256&login_hint=ann%%40example.com"
	    "&access_type=offline",
	    r.state, challenge);
	assert_string_equal(address, expected);
	free(address);
}

struct pasted {
	const char *format; /* %s: the state */
	enum redirect_result result;
	const char *code;
};

static const struct pasted pastes[] = {
	{ "http://127.0.0.1:50123/?code=abc&state=%s", REDIRECT_CODE, "abc" },
	{ "/?state=%s&code=a%%2Fb", REDIRECT_CODE, "a/b" },
	{ "  ?code=abc&state=%s&session_state=x#end\r\n", REDIRECT_CODE,
	    "abc" },
	{ "code=abc&state=%s", REDIRECT_CODE, "abc" },
	{ "4/0Abc-_def", REDIRECT_CODE, "4/0Abc-_def" },
	{ "http://127.0.0.1:50123/?code=abc&state=%sx", REDIRECT_OTHERS, "" },
	{ "http://127.0.0.1:50123/?code=abc&state=", REDIRECT_OTHERS, "" },
	{ "http://127.0.0.1:50123/?code=abc", REDIRECT_OTHERS, "" },
	{ "http://127.0.0.1:50123/", REDIRECT_OTHERS, "" },
	{ "http://127.0.0.1:50123/?state=%s", REDIRECT_OTHERS, "" },
	{ "http://127.0.0.1:50123/?state=%s&code=", REDIRECT_OTHERS, "" },
	{ "/?state=%s&code=a%%0Ab", REDIRECT_OTHERS, "" },
	{ "", REDIRECT_OTHERS, "" },
	{ "two words", REDIRECT_OTHERS, "" },
	{ "/?error=access_denied&state=%s", REDIRECT_ERROR, "" },
	/* Who does not know the state says nothing, not even no. */
	{ "/?error=access_denied&state=1", REDIRECT_OTHERS, "" },
};

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void
test_pasted(void **state)
{
	struct redirect r;
	char text[512];

	(void)state;
	redirect_init(&r, 50123);
	for (size_t i = 0; i < sizeof(pastes) / sizeof(*pastes); i++) {
		const struct pasted *p = &pastes[i];
		struct secret *code = NULL;
		struct oauth_answer a;
		struct fault f;

		snprintf(text, sizeof(text), p->format, r.state);
		if (redirect_read(&r, span_str(text), &code, &a, &f) !=
		    p->result)
			fail_msg("%s: it was %s", text, f.text);
		assert_int_equal(code != NULL, p->result == REDIRECT_CODE);
		if (code != NULL)
			assert_true(span_is(secret_reveal(code), p->code));
		if (p->result == REDIRECT_ERROR)
			assert_int_equal(a.outcome, OAUTH_DECLINED);
		secret_free(&code);
	}
}
#pragma GCC diagnostic pop

/* --- the device flow; its clock is an argument */

static struct oauth_answer
code_answer(int64_t interval, int64_t expires_in)
{
	return (struct oauth_answer){
		.outcome = OAUTH_GOOD,
		.interval = interval,
		.expires_in = expires_in,
	};
}

static void
hear(struct device_flow *d, int64_t now, enum oauth_outcome outcome)
{
	struct oauth_answer a = { .outcome = outcome };

	assert_int_equal(device_flow_wait(d, now), 0);
	assert_int_equal(d->step, DEVICE_POLL);
	device_flow_answer(d, now, &a, NULL);
}

static void
begin(struct device_flow *d, int64_t interval, int64_t expires_in)
{
	struct oauth_answer a = code_answer(interval, expires_in);

	device_flow_init(d);
	assert_int_equal(d->step, DEVICE_ASK);
	device_flow_code(d, 1000, &a, NULL);
	assert_int_equal(d->step, DEVICE_WAIT);
}

static void
test_device_polls(void **state)
{
	struct device_flow d;

	(void)state;
	begin(&d, 0, 900);
	assert_int_equal(device_flow_wait(&d, 1000), 5000);
	assert_int_equal(device_flow_wait(&d, 5999), 1);
	hear(&d, 6000, OAUTH_PENDING);
	assert_int_equal(device_flow_wait(&d, 6000), 5000);
	hear(&d, 11000, OAUTH_SLOW_DOWN);
	assert_int_equal(device_flow_wait(&d, 11000), 10000);
	hear(&d, 21000, OAUTH_PENDING); /* and it stays slow */
	assert_int_equal(device_flow_wait(&d, 21000), 10000);
	hear(&d, 31000, OAUTH_GOOD);
	assert_int_equal(d.step, DEVICE_DONE);
}

static void
test_device_ends(void **state)
{
	static const enum oauth_outcome ends[] = { OAUTH_DECLINED,
		OAUTH_EXPIRED, OAUTH_BAD_CODE, OAUTH_SIGN_IN, OAUTH_CLIENT,
		OAUTH_REFUSED };
	struct device_flow d;

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		begin(&d, 1, 900);
		hear(&d, 2000, ends[i]);
		assert_int_equal(d.step, DEVICE_FAILED);
		assert_false(d.fault.sign_in);
		assert_true(d.fault.text[0] != '\0');
	}
}

static void
test_device_expires(void **state)
{
	struct device_flow d;

	(void)state;
	begin(&d, 5, 7);
	hear(&d, 6000, OAUTH_PENDING);
	assert_int_equal(device_flow_wait(&d, 6000), 2000);
	assert_int_equal(device_flow_wait(&d, 8000), 0);
	assert_int_equal(d.step, DEVICE_FAILED);
	assert_non_null(strstr(d.fault.text, "before the code expired"));
}

/* What may pass is borne, less and less often, but not for ever. */
static void
test_device_bears(void **state)
{
	struct device_flow d;
	struct fault f;

	(void)state;
	begin(&d, 5, 900);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "name", "no such host");
	assert_int_equal(device_flow_wait(&d, 6000), 0);
	device_flow_answer(&d, 6000, NULL, &f);
	assert_int_equal(device_flow_wait(&d, 6000), 10000);
	hear(&d, 16000, OAUTH_NONSENSE);
	assert_int_equal(device_flow_wait(&d, 16000), 20000);
	hear(&d, 36000, OAUTH_BUSY);
	hear(&d, 76000, OAUTH_BUSY);
	assert_int_equal(
	    device_flow_wait(&d, 76000), DEVICE_INTERVAL_MAX * 1000);
	hear(&d, 136000, OAUTH_PENDING); /* it is heard again */
	hear(&d, 196000, OAUTH_NONSENSE);
	assert_int_equal(device_flow_wait(&d, 901000), 0);
	assert_int_equal(d.step, DEVICE_FAILED);
	assert_non_null(strstr(d.fault.text, "makes no sense"));
}

/* Whatever the provider says, there is an end and no storm. */
static void
test_device_lies(void **state)
{
	struct device_flow d;
	struct oauth_answer a = { .outcome = OAUTH_REFUSED };

	(void)state;
	begin(&d, OAUTH_LIFE_MAX, OAUTH_LIFE_MAX);
	assert_int_equal(
	    device_flow_wait(&d, 1000), DEVICE_INTERVAL_MAX * 1000);
	assert_int_equal(d.deadline, 1000 + DEVICE_LIFE_MAX * 1000);
	device_flow_init(&d);
	device_flow_code(&d, 0, &a, NULL);
	assert_int_equal(d.step, DEVICE_FAILED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_pkce),
		cmocka_unit_test(test_address),
		cmocka_unit_test(test_pasted),
		cmocka_unit_test(test_device_polls),
		cmocka_unit_test(test_device_ends),
		cmocka_unit_test(test_device_expires),
		cmocka_unit_test(test_device_bears),
		cmocka_unit_test(test_device_lies),
	};

	return cmocka_run_group_tests_name("oauth", tests, NULL, NULL);
}
