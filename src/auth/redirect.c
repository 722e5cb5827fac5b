/* SPDX-License-Identifier: ISC */
#include "auth/redirect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <openssl/crypto.h>

#include "auth/oauth_request.h"
#include "auth/token.h"
#include "base/buf.h"
#include "base/mem.h"

#define PHASE "sign-in"
#define TEXT_MAX 4096

void
redirect_init(struct redirect *r, unsigned port)
{
	snprintf(r->uri, sizeof(r->uri), "http://127.0.0.1:%u/", port % 65536);
	pkce_random(r->state);
	pkce_random(r->verifier);
}

char *
redirect_address(const struct redirect *r, const struct token_identity *id)
{
	char challenge[PKCE_SIZE], *address;
	struct buf query;
	size_t size;

	pkce_challenge(span_str(r->verifier), challenge);
	oauth_form_init(&query);
	oauth_form_add(&query, "response_type", span_str("code"));
	oauth_form_add(&query, "client_id", span_str(id->client_id));
	oauth_form_add(&query, "redirect_uri", span_str(r->uri));
	oauth_form_add(&query, "scope", span_str(id->scope));
	oauth_form_add(&query, "state", span_str(r->state));
	oauth_form_add(&query, "code_challenge", span_str(challenge));
	oauth_form_add(&query, "code_challenge_method", span_str("S256"));
	oauth_form_add(&query, "login_hint", span_str(id->user));
	/* Google gives no refresh token without, others do not know it. */
	oauth_form_add(&query, "access_type", span_str("offline"));
	size = strlen(id->authorize_url) + query.len + 2;
	address = mem_alloc(size);
	snprintf(address, size, "%s%c%.*s", id->authorize_url,
	    strchr(id->authorize_url, '?') != NULL ? '&' : '?', (int)query.len,
	    buf_span(&query).p);
	buf_free(&query);
	return address;
}

static enum redirect_result
reject(struct fault *f, const char *text)
{
	fault_set(f, FAULT_ACCOUNT, FAULT_LATER, PHASE, "%s", text);
	return REDIRECT_OTHERS;
}

static bool
is_same(const char *a, const char *b)
{
	return strlen(a) == strlen(b) && CRYPTO_memcmp(a, b, strlen(a)) == 0;
}

static enum redirect_result
read_query(const struct redirect *r, const struct evkeyvalq *query,
    struct secret **code_r, struct oauth_answer *a_r, struct fault *f_r)
{
	const char *state = evhttp_find_header(query, "state");
	const char *code = evhttp_find_header(query, "code");
	const char *error = evhttp_find_header(query, "error");
	const char *more = evhttp_find_header(query, "error_description");

	if (state == NULL || !is_same(state, r->state))
		return reject(f_r,
		    "this address belongs to another sign-in than the "
		    "one that is under way");
	if (error != NULL) {
		oauth_read_error(
		    span_str(error), span_str(more != NULL ? more : ""), a_r);
		return REDIRECT_ERROR;
	}
	if (code == NULL || !span_is_visible(span_str(code)) || code[0] == '\0')
		return reject(f_r, "there is no code in this address");
	*code_r = secret_new(span_str(code));
	return REDIRECT_CODE;
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	while (s.n > 0 && memchr(" \t\r\n", s.p[s.n - 1], 4) != NULL)
		s.n--;
	return s;
}

enum redirect_result
redirect_read(const struct redirect *r, struct span text,
    struct secret **code_r, struct oauth_answer *a_r, struct fault *f_r)
{
	struct span s = trim(text), rest = s;
	struct evkeyvalq query;
	enum redirect_result result;
	char *copy;

	if (s.n == 0 || s.n > TEXT_MAX || !span_is_visible(s))
		return reject(f_r, "this is no address and no code");
	if (memchr(s.p, '?', s.n) == NULL && memchr(s.p, '=', s.n) == NULL) {
		/* A bare code has no state; PKCE ties it to us. */
		if (span_istarts(s, "http:") || span_istarts(s, "https:"))
			return reject(f_r, "there is no code in this address");
		*code_r = secret_new(s);
		return REDIRECT_CODE;
	}
	if (memchr(s.p, '?', s.n) != NULL)
		span_cut(&rest, '?');
	rest = span_cut(&rest, '#');
	copy = mem_alloc(rest.n + 1);
	memcpy(copy, rest.p, rest.n);
	TAILQ_INIT(&query);
	if (evhttp_parse_query_str(copy, &query) == 0)
		result = read_query(r, &query, code_r, a_r, f_r);
	else
		result = reject(f_r, "this address makes no sense");
	evhttp_clear_headers(&query);
	secret_wipe(copy, rest.n);
	free(copy);
	return result;
}
