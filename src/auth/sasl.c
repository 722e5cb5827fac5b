/* SPDX-License-Identifier: ISC */
#include "auth/sasl.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "auth/bearer.h"
#include "base/mem.h"

/* The longest that is due is the JSON of a refused token. */
#define CHALLENGE_MAX 4096
/* An access token has no limit of its own; those of Microsoft have 2 KiB. */
#define RAW_MAX 16384
#define COMPLAINT_MAX 160

#define FIRST 1u  /* the client speaks first */
#define BIND 2u   /* bound to the TLS session */
#define PROVES 4u /* the server proves that it knows the password */
#define TOKEN 8u  /* auth/bearer in place of libgsasl */

struct mechanism {
	const char *configured;
	const char *name;
	unsigned is;
};

/* In the order of preference. */
static const struct mechanism mechanisms[] = {
	{ "scram", "SCRAM-SHA-256-PLUS", FIRST | PROVES | BIND },
	{ "scram", "SCRAM-SHA-256", FIRST | PROVES },
	{ "scram", "SCRAM-SHA-1-PLUS", FIRST | PROVES | BIND },
	{ "scram", "SCRAM-SHA-1", FIRST | PROVES },
	{ "plain", "PLAIN", FIRST },
	{ "login", "LOGIN", 0 },
	{ "oauthbearer", "OAUTHBEARER", FIRST | TOKEN },
	{ "xoauth2", "XOAUTH2", FIRST | TOKEN },
	{ NULL, NULL, 0 },
};

struct sasl {
	const struct mechanism *mechanism;
	struct sasl_client client; /* binding: foreign; token: secret too */
	struct secret *token;      /* owned; NULL: no token mechanism */
	Gsasl *library;            /* owned, as is ... */
	Gsasl_session *session;
	unsigned steps; /* taken */
	bool done;      /* nothing more is to be said ... */
	bool failed;    /* ... and nothing good came of it */
	char *response; /* base64, owned, secret */
	char complaint[COMPLAINT_MAX];
};

/* Against cast-qual: libgsasl hands out its own copies as const. */
static void
wipe_text(const char *s)
{
	if (s != NULL)
		secret_wipe((void *)(uintptr_t)s, strlen(s));
}

static void
login_fault(struct fault *f, enum fault_when when, const char *text)
{
	fault_set(f, FAULT_ACCOUNT, when, "login", "%s", text);
}

/* --- which one */

static bool
is_offered(struct span offered, const char *name)
{
	while (offered.n > 0)
		if (span_iis(span_cut(&offered, ' '), name))
			return true;
	return false;
}

static bool
can_bind(const struct sasl_client *c)
{
	return c->binding != NULL && c->binding->type != TLS_BINDING_NONE;
}

static bool
is_possible(const struct mechanism *m, const struct sasl_client *c)
{
	if (((m->is & TOKEN) != 0) != c->token)
		return false;
	return (m->is & BIND) == 0 || can_bind(c);
}

static bool
takes_tokens(const char *offered)
{
	return is_offered(span_str(offered), "XOAUTH2") ||
	       is_offered(span_str(offered), "OAUTHBEARER");
}

static void
explain_choice(
    const char *configured, const char *offered, bool token, struct fault *f)
{
	bool any = strcmp(configured, "auto") == 0;

	if (*offered == '\0') {
		login_fault(
		    f, FAULT_NEVER, "the server offers no way to log in");
		return;
	}
	if (any && !token && takes_tokens(offered)) {
		login_fault(f, FAULT_NEVER, "the server takes no password");
		f->hint = "it wants OAuth2: set auth = \"xoauth2\" and "
			  "oauth_client_id, then run mailhaul login";
	} else {
		fault_set(f, FAULT_ACCOUNT, FAULT_NEVER, "login",
		    "the server does not offer %s, only",
		    !any    ? configured
		    : token ? "XOAUTH2 or OAUTHBEARER"
			    : "SCRAM, PLAIN or LOGIN");
		f->hint = any ? NULL : "set auth to what it offers";
	}
	fault_quote(f, span_str(offered));
}

const char *
sasl_choose(const char *configured, const char *offered,
    const struct sasl_client *c, struct fault *fault_r)
{
	bool any = strcmp(configured, "auto") == 0;

	for (const struct mechanism *m = mechanisms; m->name != NULL; m++)
		if ((any || strcmp(configured, m->configured) == 0) &&
		    is_possible(m, c) && is_offered(span_str(offered), m->name))
			return m->name;
	explain_choice(configured, offered, c->token, fault_r);
	return NULL;
}

/* --- begin and end */

/* The session keeps a copy, which sasl_free() wipes. */
static int
set_password(Gsasl_session *session, const struct secret *secret)
{
	struct span password = secret_reveal(secret);

	if (password.n == 0 || memchr(password.p, '\0', password.n) != NULL)
		return GSASL_NO_PASSWORD;
	return gsasl_property_set_raw(
	    session, GSASL_PASSWORD, password.p, password.n);
}

static int
give_binding(Gsasl_session *session, Gsasl_property property)
{
	const struct sasl *s = gsasl_session_hook_get(session);
	const struct tls_binding *b = s->client.binding;
	char *base64;
	int rc;

	if (b->type !=
	    (property == GSASL_CB_TLS_UNIQUE ? TLS_UNIQUE : TLS_EXPORTER))
		return GSASL_NO_CB_TLS_EXPORTER;
	rc = gsasl_base64_to((const char *)b->bytes, b->n, &base64, NULL);
	if (rc != GSASL_OK)
		return rc;
	rc = gsasl_property_set(session, property, base64);
	gsasl_free(base64);
	return rc;
}

/* What the session does not have yet.  A mechanism without -PLUS must not hear
 * of a binding: libgsasl 2.2.0 fails then (doc/decisions). */
static int
on_property(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
	const struct sasl *s = gsasl_session_hook_get(session);

	(void)library;
	if (property != GSASL_CB_TLS_UNIQUE &&
	    property != GSASL_CB_TLS_EXPORTER)
		return GSASL_NO_CALLBACK;
	if ((s->mechanism->is & BIND) != 0 && can_bind(&s->client))
		return give_binding(session, property);
	return property == GSASL_CB_TLS_UNIQUE ? GSASL_NO_CB_TLS_UNIQUE
	                                       : GSASL_NO_CB_TLS_EXPORTER;
}

static int
start(struct sasl *s)
{
	int rc = gsasl_init(&s->library);

	if (rc != GSASL_OK)
		return rc;
	gsasl_callback_set(s->library, on_property);
	rc = gsasl_client_start(s->library, s->mechanism->name, &s->session);
	if (rc != GSASL_OK)
		return rc;
	gsasl_session_hook_set(s->session, s);
	rc = gsasl_property_set(s->session, GSASL_AUTHID, s->client.user);
	if (rc == GSASL_OK)
		rc = set_password(s->session, s->client.secret);
	return rc;
}

struct sasl *
sasl_new(
    const char *mechanism, const struct sasl_client *c, struct fault *fault_r)
{
	const struct mechanism *m = mechanisms;
	struct sasl *s;
	int rc = GSASL_OK;

	while (m->name != NULL && strcmp(m->name, mechanism) != 0)
		m++;
	if (m->name == NULL || !is_possible(m, c)) {
		login_fault(fault_r, FAULT_NEVER, "no mechanism of ours");
		return NULL;
	}
	s = mem_alloc(sizeof(*s));
	s->mechanism = m;
	s->client = *c;
	if ((m->is & TOKEN) != 0)
		s->token = secret_new(secret_reveal(c->secret));
	else
		rc = start(s);
	s->client.secret = s->token;
	if (rc == GSASL_OK)
		return s;
	login_fault(fault_r, FAULT_NEVER, gsasl_strerror(rc));
	sasl_free(&s);
	return NULL;
}

static void
drop_response(struct sasl *s)
{
	wipe_text(s->response);
	free(s->response);
	s->response = NULL;
}

static void
end_session(Gsasl_session *session)
{
	static const Gsasl_property secrets[] = { GSASL_PASSWORD,
		GSASL_SCRAM_SALTED_PASSWORD, GSASL_SCRAM_SERVERKEY,
		GSASL_SCRAM_STOREDKEY };

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++)
		wipe_text(gsasl_property_fast(session, secrets[i]));
	gsasl_finish(session);
}

void
sasl_free(struct sasl **s)
{
	if (*s == NULL)
		return;
	drop_response(*s);
	secret_free(&(*s)->token);
	if ((*s)->session != NULL)
		end_session((*s)->session);
	if ((*s)->library != NULL)
		gsasl_done((*s)->library);
	free(*s);
	*s = NULL;
}

bool
sasl_client_first(const struct sasl *s)
{
	return (s->mechanism->is & FIRST) != 0;
}

/* --- steps */

/* What libgsasl cannot be left to find: it would begin to do as many iterations
 * as the server asks for.  "r=...,s=...,i=4096" (RFC 5802) */
static bool
asks_little(struct span first)
{
	uint64_t n;

	while (first.n > 0) {
		struct span part = span_cut(&first, ',');

		if (span_istarts(part, "i=") &&
		    !span_uint(span_skip(part, 2), SASL_ITERATIONS_MAX, &n))
			return false;
	}
	return true;
}

/* RFC 5802: "e=invalid-proof" */
static bool
is_scram_error(const struct sasl *s, struct span in)
{
	return (s->mechanism->is & PROVES) != 0 && s->steps > 0 &&
	       span_istarts(in, "e=");
}

static void
explain_scram_error(struct span in, struct fault *f)
{
	struct span word = span_skip(span_cut(&in, ','), 2);

	login_fault(f, FAULT_NEVER, "refused");
	fault_quote(f, word);
	f->login = span_is(word, "invalid-proof") ||
	           span_is(word, "unknown-user") ||
	           span_is(word, "other-error");
	f->hint = f->login ? "check user and password"
	                   : "something between here and the server may tamper "
	                     "with the login; set auth to what works";
}

static void
explain(const struct sasl *s, int rc, struct fault *f)
{
	bool proves = (s->mechanism->is & PROVES) != 0;

	if (rc == GSASL_AUTHENTICATION_ERROR && proves && s->steps == 2) {
		login_fault(f, FAULT_NEVER,
		    "the server did not prove that it knows the password: its "
		    "signature is wrong");
		f->hint = "somebody may answer in its place; no password and "
			  "no mail was sent";
	} else if (rc == GSASL_SASLPREP_ERROR) {
		login_fault(f, FAULT_NEVER,
		    "user or password hold characters that SCRAM does not "
		    "allow");
		f->hint = "set auth = \"plain\"";
	} else {
		fault_set(f, FAULT_ACCOUNT, FAULT_LATER, "login",
		    "the server's challenge made no sense: %s",
		    gsasl_strerror(rc));
	}
}

static bool
refuse(struct fault *f, enum fault_when when, const char *text)
{
	login_fault(f, when, text);
	return false;
}

static bool
encode(struct sasl *s, struct span raw, struct fault *f)
{
	if (gsasl_base64_to(raw.p, raw.n, &s->response, NULL) == GSASL_OK)
		return true;
	return refuse(f, FAULT_LATER, "no memory");
}

/* gsasl_step64() would leave the raw response behind in the heap. */
static bool
library_step(struct sasl *s, struct span in, struct fault *f)
{
	char *raw = NULL;
	size_t n = 0;
	bool good;
	int rc;

	if ((s->mechanism->is & PROVES) != 0 && s->steps == 1 &&
	    !asks_little(in)) {
		login_fault(f, FAULT_NEVER,
		    "the server asks for more SCRAM iterations than are done "
		    "here");
		f->hint = "set auth = \"plain\", if it has that";
		return false;
	}
	rc = gsasl_step(s->session, in.p, in.n, &raw, &n);
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
		explain(s, rc, f);
		return false;
	}
	good = encode(s, span_make(raw, n), f);
	if (raw != NULL)
		secret_wipe(raw, n);
	free(raw);
	s->done = rc == GSASL_OK;
	return good;
}

static bool
show_token(struct sasl *s, bool xoauth2, struct fault *f)
{
	struct buf raw;
	bool good;

	buf_init(&raw, RAW_MAX);
	raw.secret = true;
	good = bearer_write(&raw, xoauth2, &s->client) &&
	       encode(s, buf_span(&raw), f);
	buf_free(&raw);
	s->done = true;
	return good ||
	       refuse(f, FAULT_NEVER, "user or access token cannot be written");
}

/* The token, then perhaps what the server has against it. */
static bool
token_step(struct sasl *s, struct span in, struct fault *f)
{
	bool xoauth2 = strcmp(s->mechanism->name, "XOAUTH2") == 0;

	if (s->steps == 0)
		return show_token(s, xoauth2, f);
	if (s->steps > 1)
		return refuse(f, FAULT_LATER,
		    "the server asks for more than there is to say");
	bearer_explain(in, s->complaint, sizeof(s->complaint));
	s->failed = true;
	return encode(s, bearer_farewell(xoauth2), f);
}

static bool
take(struct sasl *s, struct span in, struct fault *f)
{
	bool token = (s->mechanism->is & TOKEN) != 0;

	if (s->failed || (s->done && !token))
		return refuse(f, FAULT_LATER,
		    "the server asks for more than there is to say");
	if (s->steps == 0 && sasl_client_first(s) && in.n > 0)
		return refuse(
		    f, FAULT_LATER, "the server speaks where it should listen");
	if (is_scram_error(s, in)) {
		explain_scram_error(in, f);
		return false;
	}
	return token ? token_step(s, in, f) : library_step(s, in, f);
}

static bool
decode_and_take(struct sasl *s, struct span challenge, struct fault *f)
{
	char *in = NULL;
	size_t n = 0;
	bool good;

	if (challenge.n > CHALLENGE_MAX)
		return refuse(f, FAULT_LATER, "the server's challenge is long");
	if (challenge.n == 0)
		return take(s, span_make("", 0), f);
	if (gsasl_base64_from(challenge.p, challenge.n, &in, &n) != GSASL_OK)
		return refuse(f, FAULT_LATER,
		    "the server's challenge made no sense: it is not base64");
	good = take(s, span_make(in, n), f);
	gsasl_free(in);
	return good;
}

enum sasl_status
sasl_step(struct sasl *s, struct span challenge, struct span *response_r,
    struct fault *fault_r)
{
	drop_response(s);
	if (!decode_and_take(s, challenge, fault_r)) {
		s->failed = true;
		drop_response(s);
		return SASL_FAIL;
	}
	s->steps++;
	*response_r = span_str(s->response);
	return s->done ? SASL_DONE : SASL_STEP;
}

const char *
sasl_name(const struct sasl *s)
{
	return s->mechanism->name;
}

bool
sasl_proved(const struct sasl *s)
{
	return s->done && !s->failed;
}

const char *
sasl_complaint(const struct sasl *s)
{
	return s->complaint[0] != '\0' ? s->complaint : NULL;
}
