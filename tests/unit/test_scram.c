/* SPDX-License-Identifier: ISC */
/*
 * SCRAM against the example of RFC 5802, with the nonce that it has (that of
 * RFC 7677 is shorter than libgsasl's), and against libgsasl's own server.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <gsasl.h>

#include "auth/sasl.h"

#define USER "user"
#define PASSWORD "pencil"

/* Takes the place of the library's: the one client that is to be predictable
 * asks for 18 bytes. */
static const char *nonce; /* base64; NULL: at random */

int
gsasl_nonce(char *data, size_t n)
{
	char *bytes;
	size_t have;

	if (nonce == NULL)
		return gsasl_random(data, n);
	assert_int_equal(
	    gsasl_base64_from(nonce, strlen(nonce), &bytes, &have), GSASL_OK);
	assert_int_equal(have, n);
	memcpy(data, bytes, n);
	gsasl_free(bytes);
	return GSASL_OK;
}

/* --- the client */

static struct sasl *
client(const char *mechanism, const char *user, const char *password,
    const struct tls_binding *binding)
{
	struct secret *secret = secret_new(span_str(password));
	const struct sasl_client c = {
		.user = user, .secret = secret, .binding = binding
	};
	struct fault f;
	struct sasl *s = sasl_new(mechanism, &c, &f);

	secret_free(&secret);
	assert_non_null(s);
	assert_true(sasl_client_first(s));
	return s;
}

/* One step in plain text; NULL: it failed, and f says why.  The result is
 * gsasl_free()d by the caller. */
static char *
step(struct sasl *s, const char *in, struct fault *f)
{
	char *base64, *out;
	struct span r = { "", 0 };
	enum sasl_status status;

	assert_int_equal(
	    gsasl_base64_to(in, strlen(in), &base64, NULL), GSASL_OK);
	status = sasl_step(s, span_str(base64), &r, f);
	gsasl_free(base64);
	if (status == SASL_FAIL) {
		assert_false(sasl_proved(s));
		return NULL;
	}
	assert_int_equal(status == SASL_DONE, sasl_proved(s));
	if (r.n == 0)
		return strdup("");
	assert_int_equal(gsasl_base64_from(r.p, r.n, &out, &r.n), GSASL_OK);
	out = realloc(out, r.n + 1);
	assert_non_null(out);
	out[r.n] = '\0';
	return out;
}

static void
say(struct sasl *s, const char *in, const char *expected)
{
	struct fault f;
	char *out = step(s, in, &f);

	assert_non_null(out);
	assert_string_equal(out, expected);
	free(out);
}

static void
refuse(struct sasl *s, const char *in, const char *words, bool login)
{
	struct fault f;

	assert_null(step(s, in, &f));
	assert_non_null(strstr(f.text, words));
	assert_int_equal(f.scope, FAULT_ACCOUNT);
	assert_int_equal(f.login, login);
}

/* --- RFC 5802 section 5 */

#define CLIENT_NONCE "fyko+d2lbbFgONRv9qkxdawL"
#define NONCE CLIENT_NONCE "3rfcNHYJY1ZVvWVs7j"
#define FIRST "n,,n=user,r=" CLIENT_NONCE
#define SERVER_FIRST "r=" NONCE ",s=QSXCR+Q6sek8bf92,i=4096"
#define FINAL "c=biws,r=" NONCE ",p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
#define SERVER_FINAL "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="

static struct sasl *
begin_rfc5802(void)
{
	struct sasl *s;

	nonce = CLIENT_NONCE;
	s = client("SCRAM-SHA-1", USER, PASSWORD, NULL);
	say(s, "", FIRST);
	nonce = NULL;
	return s;
}

static void
test_rfc5802(void **state)
{
	struct sasl *s = begin_rfc5802();

	(void)state;
	say(s, SERVER_FIRST, FINAL);
	assert_false(sasl_proved(s));
	say(s, SERVER_FINAL, "");
	assert_true(sasl_proved(s));
	refuse(s, "", "more than there is to say", false);
	sasl_free(&s);
}

static void
test_signature(void **state)
{
	static const char *const wrong[] = {
		"v=rmF9pqV8S7suAoZWja4dJRkFsKR=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ",
		"v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=,v=x",
		"v=",
		"",
		"x=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct sasl *s = begin_rfc5802();
		struct fault f;
		char *out;

		say(s, SERVER_FIRST, FINAL);
		out = step(s, wrong[i], &f);
		assert_false(out != NULL && sasl_proved(s));
		free(out);
		/* There is no second try. */
		assert_null(step(s, SERVER_FINAL, &f));
		sasl_free(&s);
	}
}

static void
test_tampered_words(void **state)
{
	struct sasl *s = begin_rfc5802();

	(void)state;
	say(s, SERVER_FIRST, FINAL);
	refuse(s, "v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=", "did not prove", false);
	sasl_free(&s);
}

/* Errors of RFC 5802 section 7: what they say of the password. */
static void
test_server_error(void **state)
{
	static const struct {
		const char *words;
		bool login;
	} errors[] = {
		{ "invalid-proof", true },
		{ "unknown-user", true },
		{ "other-error", true },
		{ "channel-bindings-dont-match", false },
		{ "server-does-support-channel-binding", false },
		{ "no-resources", false },
	};
	char text[80];

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct sasl *s = begin_rfc5802();

		snprintf(text, sizeof(text), "e=%s", errors[i].words);
		say(s, SERVER_FIRST, FINAL);
		refuse(s, text, errors[i].words, errors[i].login);
		sasl_free(&s);
	}
}

/* What a server may ask for is bounded; nothing is computed before. */
static void
test_iterations(void **state)
{
	static const char *const greedy[] = {
		"r=" NONCE ",s=QSXCR+Q6sek8bf92,i=100001",
		"r=" NONCE ",s=QSXCR+Q6sek8bf92,i=2147483648",
		"r=" NONCE ",s=QSXCR+Q6sek8bf92,i=4294967297",
		"r=" NONCE ",s=QSXCR+Q6sek8bf92,i=99999999999999999999999999",
		"r=" NONCE ",s=QSXCR+Q6sek8bf92,i=-1",
		"r=" NONCE ",s=QSXCR+Q6sek8bf92,i=+9999999",
		"r=" NONCE ",s=QSXCR+Q6sek8bf92,i=1,i=2147483648",
		"r=" NONCE ",s=QSXCR+Q6sek8bf92,i=",
		"m=x,r=" NONCE ",s=QSXCR+Q6sek8bf92,i=2147483648",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(greedy) / sizeof(greedy[0]); i++) {
		struct sasl *s = begin_rfc5802();

		refuse(s, greedy[i], "iterations", false);
		sasl_free(&s);
	}
}

static void
test_bad_server_first(void **state)
{
	static const char *const bad[] = {
		"",
		"r=" CLIENT_NONCE, /* not even its own part */
		"r=somebody" NONCE ",s=QSXCR+Q6sek8bf92,i=4096",
		"r=fyko,s=QSXCR+Q6sek8bf92,i=4096",
		"r=" NONCE ",s=,i=4096",
		"r=" NONCE ",i=4096,s=QSXCR+Q6sek8bf92",
		"r=" NONCE ",s=!!!,i=4096",
		"r=" NONCE ",s=QSXCR+Q6sek8bf92,i=0",
		"m=ext,r=" NONCE ",s=QSXCR+Q6sek8bf92,i=4096",
		SERVER_FINAL,
		"\x01\x02,,,,,====",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sasl *s = begin_rfc5802();
		struct fault f;

		assert_null(step(s, bad[i], &f));
		assert_null(step(s, SERVER_FIRST, &f));
		sasl_free(&s);
	}
}

/* --- libgsasl's server */

static const struct tls_binding exporter = { .type = TLS_EXPORTER,
	.n = 32,
	.bytes = "exporter-exporter-exporter-12345" };
static const struct tls_binding unique = {
	.type = TLS_UNIQUE, .n = 12, .bytes = "unique-12345"
};
static const struct tls_binding other = { .type = TLS_EXPORTER,
	.n = 32,
	.bytes = "somebody in between took this one" };
static const struct tls_binding none = { .type = TLS_BINDING_NONE };

struct peer {
	Gsasl *library;
	Gsasl_session *session;
	const struct tls_binding *binding;
	const char *password;
};

static int
on_server(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	const struct peer *p = gsasl_callback_hook_get(library);
	char *base64;

	switch ((int)property) {
	case GSASL_PASSWORD:
		return gsasl_property_set(session, property, p->password);
	case GSASL_CB_TLS_EXPORTER:
	case GSASL_CB_TLS_UNIQUE:
		if (p->binding->type != (property == GSASL_CB_TLS_UNIQUE
						? TLS_UNIQUE
						: TLS_EXPORTER))
			return property == GSASL_CB_TLS_UNIQUE
			           ? GSASL_NO_CB_TLS_UNIQUE
			           : GSASL_NO_CB_TLS_EXPORTER;
		gsasl_base64_to((const char *)p->binding->bytes, p->binding->n,
		    &base64, NULL);
		gsasl_property_set(session, property, base64);
		gsasl_free(base64);
		return GSASL_OK;
	default:
		return GSASL_NO_CALLBACK;
	}
}

static void
listen_to(struct peer *p, const char *mechanism)
{
	assert_int_equal(gsasl_init(&p->library), GSASL_OK);
	gsasl_callback_set(p->library, on_server);
	gsasl_callback_hook_set(p->library, p);
	assert_int_equal(
	    gsasl_server_start(p->library, mechanism, &p->session), GSASL_OK);
}

static void
hang_up(struct peer *p)
{
	gsasl_finish(p->session);
	gsasl_done(p->library);
}

/* How far the two get: 2 when the server believes the client, 3 when the
 * client believes the server, too. */
static unsigned
converse(const char *mechanism, const struct tls_binding *mine,
    const struct tls_binding *theirs, const char *password)
{
	struct peer p = { .binding = theirs, .password = password };
	struct sasl *s = client(mechanism, USER, PASSWORD, mine);
	struct span in = { "", 0 }, out;
	char *reply = NULL;
	struct fault f;
	unsigned done = 0;
	int rc = GSASL_NEEDS_MORE;

	listen_to(&p, mechanism);
	while (rc == GSASL_NEEDS_MORE) {
		if (sasl_step(s, in, &out, &f) == SASL_FAIL)
			break;
		gsasl_free(reply);
		reply = NULL;
		rc = gsasl_step64(p.session, out.p, &reply);
		if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
			break;
		done++;
		in = span_str(reply);
	}
	assert_false(sasl_proved(s));
	if (rc == GSASL_OK && sasl_step(s, in, &out, &f) == SASL_DONE &&
	    sasl_proved(s) && out.n == 0)
		done++;
	gsasl_free(reply);
	hang_up(&p);
	sasl_free(&s);
	return done;
}

static void
test_server(void **state)
{
	static const char *const names[] = { "SCRAM-SHA-1", "SCRAM-SHA-256" };
	static const char *const plus[] = { "SCRAM-SHA-1-PLUS",
		"SCRAM-SHA-256-PLUS" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(converse(names[i], &none, &none, PASSWORD), 3);
		assert_int_equal(converse(names[i], NULL, &none, PASSWORD), 3);
		/* A binding that the server did not ask for is no obstacle. */
		assert_int_equal(
		    converse(names[i], &exporter, &none, PASSWORD), 3);
		assert_int_equal(converse(names[i], &none, &none, "wrong"), 1);
		assert_int_equal(
		    converse(plus[i], &exporter, &exporter, PASSWORD), 3);
		assert_int_equal(
		    converse(plus[i], &unique, &unique, PASSWORD), 3);
		/* Somebody sits in between. */
		assert_int_equal(
		    converse(plus[i], &exporter, &other, PASSWORD), 1);
		assert_true(
		    converse(plus[i], &exporter, &unique, PASSWORD) < 2);
		assert_int_equal(
		    converse(plus[i], &exporter, &exporter, "wrong"), 1);
	}
}

static void
test_gs2_flag(void **state)
{
	struct sasl *s =
	    client("SCRAM-SHA-256-PLUS", USER, PASSWORD, &exporter);
	struct fault f;
	char *out = step(s, "", &f);

	(void)state;
	assert_memory_equal(out, "p=tls-exporter,,n=user,r=", 25);
	free(out);
	sasl_free(&s);
	s = client("SCRAM-SHA-1-PLUS", USER, PASSWORD, &unique);
	out = step(s, "", &f);
	assert_memory_equal(out, "p=tls-unique,,n=user,r=", 23);
	free(out);
	sasl_free(&s);
	s = client("SCRAM-SHA-256", "a=b,c", PASSWORD, &exporter);
	out = step(s, "", &f);
	assert_memory_equal(out, "n,,n=a=3Db=2Cc,r=", 17);
	free(out);
	sasl_free(&s);
}

/* SASLprep (RFC 4013): U+2168 is written as IX, U+0007 is forbidden. */
static void
test_saslprep(void **state)
{
	struct sasl *s =
	    client("SCRAM-SHA-256", "\xe2\x85\xa8", PASSWORD, NULL);
	struct fault f;
	char *out = step(s, "", &f);

	(void)state;
	assert_memory_equal(out, "n,,n=IX,r=", 10);
	free(out);
	sasl_free(&s);
	s = client("SCRAM-SHA-256", "a\x07", PASSWORD, NULL);
	refuse(s, "", "characters that SCRAM does not allow", false);
	sasl_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc5802),
		cmocka_unit_test(test_signature),
		cmocka_unit_test(test_tampered_words),
		cmocka_unit_test(test_server_error),
		cmocka_unit_test(test_iterations),
		cmocka_unit_test(test_bad_server_first),
		cmocka_unit_test(test_server),
		cmocka_unit_test(test_gs2_flag),
		cmocka_unit_test(test_saslprep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
