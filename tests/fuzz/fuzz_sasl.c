/* SPDX-License-Identifier: ISC */
/*
 * The first line of a file names a mechanism; each other line is a challenge,
 * in base64 already when it begins with '='.  The client's nonce is that of
 * RFC 5802, so that a corpus can hold an exchange that ends well.
 */
#include "fuzz.h"

#include <gsasl.h>

#include "auth/sasl.h"

#define NONCE                                                                  \
	"\x7f\x29\x28\xf9\xdd\xa5\x6d\xb1\x60\x38\xd4\x6f"                     \
	"\xf6\xa9\x31\x75\xac\x0b"

int
gsasl_nonce(char *data, size_t n)
{
	memset(data, 0, n);
	memcpy(data, NONCE, n < sizeof(NONCE) - 1 ? n : sizeof(NONCE) - 1);
	return GSASL_OK;
}

static struct sasl *
start(struct span mechanism)
{
	static const struct tls_binding binding = { .type = TLS_EXPORTER,
		.n = 32 };
	struct secret *secret = secret_new(span_str("pencil"));
	struct sasl_client c = {
		.user = "user",
		.secret = secret,
		.host = "server.example.com",
		.port = 993,
		.binding = &binding,
	};
	char name[24] = "";
	struct fault f;
	struct sasl *s;

	if (mechanism.n < sizeof(name))
		memcpy(name, mechanism.p, mechanism.n);
	s = sasl_new(name, &c, &f);
	if (s == NULL) {
		c.token = true;
		s = sasl_new(name, &c, &f);
	}
	secret_free(&secret);
	return s;
}

static enum sasl_status
step(struct sasl *s, struct span line, struct span *response_r, struct fault *f)
{
	char *base64 = NULL;
	enum sasl_status status;

	if (line.n > 0 && line.p[0] == '=')
		return sasl_step(s, span_skip(line, 1), response_r, f);
	if (gsasl_base64_to(line.p, line.n, &base64, NULL) != GSASL_OK)
		abort();
	status = sasl_step(s, span_str(base64), response_r, f);
	gsasl_free(base64);
	return status;
}

/* Who is believed once has said so at that very step, and nobody is after a
 * failure. */
static void
play(struct sasl *s, struct span in)
{
	bool failed = false;

	while (in.n > 0) {
		struct span line = span_cut(&in, '\n'), response;
		struct fault f;
		enum sasl_status status = step(s, line, &response, &f);

		fuzz_check(!failed || status == SASL_FAIL, "lives again");
		failed = status == SASL_FAIL;
		fuzz_check(!failed || f.text[0] != '\0', "without a word");
		fuzz_check(!sasl_proved(s) || status == SASL_DONE, "proved");
		fuzz_check(!sasl_proved(s) || sasl_complaint(s) == NULL,
		    "believed in spite of a complaint");
		if (!failed)
			fuzz_check(span_is_visible(response), "no base64");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(size > 0 ? (const void *)data : "", size);
	struct sasl *s = start(span_cut(&in, '\n'));

	if (s != NULL)
		play(s, in);
	sasl_free(&s);
	return 0;
}
