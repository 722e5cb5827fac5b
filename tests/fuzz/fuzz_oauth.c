/* SPDX-License-Identifier: ISC */
/*
 * What a provider may answer, and what somebody may paste or send to the
 * loopback.
 */
#include "fuzz.h"

#include "auth/oauth_answer.h"
#include "auth/redirect.h"

static void
check_token(const struct secret *s)
{
	struct span bytes;

	if (s == NULL)
		return;
	bytes = secret_reveal(s);
	fuzz_check(
	    bytes.n > 0 && bytes.n <= OAUTH_TOKEN_MAX && span_is_visible(bytes),
	    "a token is none");
}

static void
check_text(const char *s, size_t cap)
{
	size_t n = strnlen(s, cap);

	fuzz_check(n < cap, "a text has no end");
	for (size_t i = 0; i < n; i++)
		fuzz_check(ascii_is_print(s[i]), "a text is not printable");
}

static void
check_answer(enum oauth_kind kind, unsigned status, struct span body)
{
	struct oauth_answer a;
	struct fault f;

	oauth_read(kind, status, body, &a);
	check_token(a.access);
	check_token(a.refresh);
	check_token(a.device_code);
	check_text(a.words, sizeof(a.words));
	check_text(a.user_code, sizeof(a.user_code));
	check_text(a.address, sizeof(a.address));
	check_text(a.full_address, sizeof(a.full_address));
	fuzz_check(a.expires_in >= 0 && a.expires_in <= OAUTH_LIFE_MAX &&
		       a.interval >= 0 && a.refresh_expires_in >= 0,
	    "a time is none");
	fuzz_check(a.outcome != OAUTH_GOOD || status == 200, "good and wrong");
	if (a.outcome == OAUTH_GOOD && kind == OAUTH_TOKENS)
		fuzz_check(a.access != NULL, "good without a token");
	if (a.outcome == OAUTH_GOOD && kind == OAUTH_DEVICE)
		fuzz_check(span_istarts(span_str(a.address), "https://") &&
			       a.user_code[0] != '\0',
		    "good without a code");
	oauth_fault(&a, &f);
	check_text(f.text, sizeof(f.text));
	oauth_clear(&a);
}

static void
check_redirect(struct span text)
{
	struct redirect r = {
		.uri = "http://127.0.0.1:1/",
		.state = "s",
		.verifier = "v",
	};
	struct secret *code = NULL;
	struct oauth_answer a;
	struct fault f;
	enum redirect_result result = redirect_read(&r, text, &code, &a, &f);

	fuzz_check((code != NULL) == (result == REDIRECT_CODE), "no code");
	if (code != NULL)
		fuzz_check(secret_reveal(code).n > 0 &&
			       span_is_visible(secret_reveal(code)),
		    "a code is none");
	if (result == REDIRECT_ERROR)
		check_text(a.words, sizeof(a.words));
	secret_free(&code);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(size > 0 ? (const void *)data : "", size);

	check_answer(OAUTH_TOKENS, 200, in);
	check_answer(OAUTH_TOKENS, 400, in);
	check_answer(OAUTH_DEVICE, 200, in);
	check_answer(OAUTH_DEVICE, 503, in);
	check_redirect(in);
	return 0;
}
