/* SPDX-License-Identifier: ISC */
#include "auth/oauth_answer.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/ascii.h"

#define PHASE "sign-in"

struct error_name {
	const char *name;
	enum oauth_outcome outcome;
};

/* RFC 6749 section 5.2 and 4.1.2.1, RFC 8628 section 3.5, OpenID Connect Core
 * 3.1.2.6, and what Microsoft calls some of them. */
static const struct error_name errors[] = {
	{ "authorization_pending", OAUTH_PENDING },
	{ "slow_down", OAUTH_SLOW_DOWN },
	{ "access_denied", OAUTH_DECLINED },
	{ "authorization_declined", OAUTH_DECLINED },
	{ "expired_token", OAUTH_EXPIRED },
	{ "code_expired", OAUTH_EXPIRED },
	{ "bad_verification_code", OAUTH_BAD_CODE },
	{ "invalid_grant", OAUTH_SIGN_IN },
	{ "interaction_required", OAUTH_SIGN_IN },
	{ "consent_required", OAUTH_SIGN_IN },
	{ "login_required", OAUTH_SIGN_IN },
	{ "invalid_client", OAUTH_CLIENT },
	{ "unauthorized_client", OAUTH_CLIENT },
	{ "temporarily_unavailable", OAUTH_BUSY },
	{ "server_error", OAUTH_BUSY },
};

static struct span
text_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v)
	           ? span_make(json_string_value(v), json_string_length(v))
	           : span_make("", 0);
}

/* Some write numbers as strings. */
static int64_t
seconds_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);
	uint64_t n = 0;
	int64_t s = 0;

	if (json_is_integer(v))
		s = json_integer_value(v);
	else if (json_is_real(v) && json_real_value(v) > 0)
		s = json_real_value(v) < (double)OAUTH_LIFE_MAX
		        ? (int64_t)json_real_value(v)
		        : OAUTH_LIFE_MAX;
	else if (span_uint(text_of(o, key), INT64_MAX, &n))
		s = (int64_t)n;
	if (s < 0)
		s = 0;
	return s < OAUTH_LIFE_MAX ? s : OAUTH_LIFE_MAX;
}

/* --- an error */

static enum oauth_outcome
outcome_of(struct span name, unsigned status)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (span_is(name, errors[i].name))
			return errors[i].outcome;
	return status == 429 || status >= 500 ? OAUTH_BUSY : OAUTH_REFUSED;
}

static void
read_error(
    struct span name, struct span more, unsigned status, struct oauth_answer *a)
{
	char clean[sizeof(a->words)];
	size_t n;

	a->outcome = outcome_of(name, status);
	ascii_clean(a->words, sizeof(a->words), name.p, name.n);
	n = strlen(a->words);
	if (more.n == 0 || n + 4 > sizeof(a->words))
		return;
	ascii_clean(clean, sizeof(clean) - n - 2, more.p, more.n);
	snprintf(a->words + n, sizeof(a->words) - n, ": %.*s",
	    (int)(sizeof(a->words) - n - 3), clean);
}

/* --- tokens */

/* It becomes part of a line in a protocol, so nothing but VSCHAR without the
 * blank (RFC 6750 section 2.1 allows less). */
static struct secret *
token_of(const json_t *o, const char *key)
{
	struct span s = text_of(o, key);

	return s.n > 0 && s.n <= OAUTH_TOKEN_MAX && span_is_visible(s)
	           ? secret_new(s)
	           : NULL;
}

static bool
read_tokens(const json_t *o, struct oauth_answer *a)
{
	struct span type = text_of(o, "token_type");

	a->access = token_of(o, "access_token");
	a->refresh = token_of(o, "refresh_token");
	a->expires_in = seconds_of(o, "expires_in");
	a->refresh_expires_in = seconds_of(o, "refresh_token_expires_in");
	if (a->refresh_expires_in == 0)
		a->refresh_expires_in = seconds_of(o, "refresh_expires_in");
	/* A refresh token that is there and cannot be kept is worse than
	 * none. */
	if (a->refresh == NULL && text_of(o, "refresh_token").n > 0)
		return false;
	return a->access != NULL && (type.n == 0 || span_iis(type, "Bearer"));
}

/* --- a device code */

static bool
copy_visible(const json_t *o, const char *key, char dst[OAUTH_TEXT_MAX])
{
	struct span s = text_of(o, key);

	if (s.n == 0 || s.n >= OAUTH_TEXT_MAX || !span_is_visible(s))
		return false;
	memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}

/* A person opens it. */
static bool
copy_address(const json_t *o, const char *key, char dst[OAUTH_TEXT_MAX])
{
	if (copy_visible(o, key, dst) &&
	    span_istarts(span_str(dst), "https://"))
		return true;
	dst[0] = '\0';
	return false;
}

static bool
read_device(const json_t *o, struct oauth_answer *a)
{
	a->device_code = token_of(o, "device_code");
	a->expires_in = seconds_of(o, "expires_in");
	a->interval = seconds_of(o, "interval");
	copy_address(o, "verification_uri_complete", a->full_address);
	return a->device_code != NULL &&
	       copy_visible(o, "user_code", a->user_code) &&
	       /* Google's name for it is older than the RFC. */
	       (copy_address(o, "verification_uri", a->address) ||
		   copy_address(o, "verification_url", a->address));
}

/* --- all of them */

static void
make_nonsense(struct oauth_answer *a, unsigned status)
{
	oauth_clear(a);
	a->outcome =
	    status == 429 || status >= 500 ? OAUTH_BUSY : OAUTH_NONSENSE;
	snprintf(a->words, sizeof(a->words), "HTTP status %u", status);
}

void
oauth_read(enum oauth_kind kind, unsigned status, struct span body,
    struct oauth_answer *a_r)
{
	json_error_t error;
	json_t *o = NULL;
	bool good = false;

	*a_r = (struct oauth_answer){ .outcome = OAUTH_GOOD };
	if (body.n > 0 && body.n <= OAUTH_BODY_MAX)
		o = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES, &error);
	/* Some send errors with 200. */
	if (text_of(o, "error").n > 0) {
		read_error(text_of(o, "error"), text_of(o, "error_description"),
		    status, a_r);
		good = true;
	} else if (status == 200 && json_is_object(o)) {
		good = kind == OAUTH_TOKENS ? read_tokens(o, a_r)
		                            : read_device(o, a_r);
	}
	if (!good)
		make_nonsense(a_r, status);
	json_decref(o);
}

void
oauth_read_error(
    struct span name, struct span description, struct oauth_answer *a_r)
{
	*a_r = (struct oauth_answer){ .outcome = OAUTH_GOOD };
	read_error(name, description, 400, a_r);
}

void
oauth_clear(struct oauth_answer *a)
{
	secret_free(&a->access);
	secret_free(&a->refresh);
	secret_free(&a->device_code);
	*a = (struct oauth_answer){ .outcome = OAUTH_NONSENSE };
}

struct meaning {
	enum fault_when when;
	bool login, sign_in;
	const char *text, *hint;
};

static const struct meaning meanings[] = {
	[OAUTH_GOOD] = { FAULT_NEVER, false, false, "nothing is wrong", NULL },
	[OAUTH_PENDING] = { FAULT_LATER, false, false,
	    "nobody has signed in yet", NULL },
	[OAUTH_SLOW_DOWN] = { FAULT_LATER, false, false,
	    "the provider is asked too often", NULL },
	[OAUTH_DECLINED] = { FAULT_NEVER, true, false,
	    "the sign-in was declined", NULL },
	[OAUTH_EXPIRED] = { FAULT_NEVER, true, false,
	    "nobody signed in before the code expired", "begin again" },
	[OAUTH_BAD_CODE] = { FAULT_NEVER, true, false,
	    "the provider does not know its own code any more", "begin again" },
	[OAUTH_SIGN_IN] = { FAULT_NEVER, true, true,
	    "the provider does not accept the sign-in any more", NULL },
	[OAUTH_CLIENT] = { FAULT_NEVER, true, false,
	    "the provider does not accept our client id",
	    "see oauth_client_id, oauth_client_secret and oauth_tenant in "
	    "mailhaul.conf(5)" },
	[OAUTH_REFUSED] = { FAULT_NEVER, true, false,
	    "the provider refuses what we ask for",
	    "see oauth_scope and oauth_client_id in mailhaul.conf(5)" },
	[OAUTH_BUSY] = { FAULT_LATER, false, false,
	    "the provider cannot answer now", NULL },
	[OAUTH_NONSENSE] = { FAULT_LATER, false, false,
	    "what the provider answers makes no sense",
	    "see the oauth_ addresses in mailhaul.conf(5)" },
};

void
oauth_fault(const struct oauth_answer *a, struct fault *f_r)
{
	const struct meaning *m = &meanings[a->outcome];

	fault_set(f_r, FAULT_ACCOUNT, m->when, PHASE, "%s", m->text);
	f_r->login = m->login;
	f_r->sign_in = m->sign_in;
	f_r->hint = m->hint;
	if (m->when == FAULT_LATER)
		f_r->retry_after = a->retry_after;
	fault_quote(f_r, span_str(a->words));
}
