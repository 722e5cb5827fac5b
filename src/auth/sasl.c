/* SPDX-License-Identifier: ISC */
#include "auth/sasl.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* PLAIN and LOGIN are asked for nothing longer than "Username:". */
#define CHALLENGE_MAX 1024

struct sasl {
	Gsasl *library;         /* owned */
	Gsasl_session *session; /* owned */
	bool client_first;
	bool done;
	char *response; /* base64, owned, secret */
};

struct mechanism {
	const char *configured;
	const char *name;
	bool client_first;
};

/* In the order of preference. */
static const struct mechanism mechanisms[] = {
	{ "plain", "PLAIN", true },
	{ "login", "LOGIN", false },
	{ NULL, NULL, false },
};

/* Against cast-qual: libgsasl hands out its own copies as const. */
static void
wipe_text(const char *s)
{
	if (s != NULL)
		secret_wipe((void *)(uintptr_t)s, strlen(s));
}

static void
login_fault(struct fault *f, const char *text)
{
	fault_set(f, FAULT_ACCOUNT, FAULT_NEVER, "login", "%s", text);
}

static bool
is_offered(struct span offered, const char *name)
{
	while (offered.n > 0)
		if (span_iis(span_cut(&offered, ' '), name))
			return true;
	return false;
}

const char *
sasl_choose(const char *configured, const char *offered, struct fault *fault_r)
{
	bool any = strcmp(configured, "auto") == 0;

	for (const struct mechanism *m = mechanisms; m->name != NULL; m++)
		if ((any || strcmp(configured, m->configured) == 0) &&
		    is_offered(span_str(offered), m->name))
			return m->name;
	if (*offered == '\0')
		login_fault(fault_r, "the server offers no way to log in");
	else
		fault_set(fault_r, FAULT_ACCOUNT, FAULT_NEVER, "login",
		    "the server does not offer %s, only",
		    any ? "PLAIN or LOGIN" : configured);
	if (*offered != '\0')
		fault_quote(fault_r, span_str(offered));
	return NULL;
}

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
start(struct sasl *s, const char *mechanism, const char *user,
    const struct secret *secret)
{
	int rc = gsasl_init(&s->library);

	if (rc == GSASL_OK)
		rc = gsasl_client_start(s->library, mechanism, &s->session);
	if (rc == GSASL_OK)
		rc = gsasl_property_set(s->session, GSASL_AUTHID, user);
	if (rc == GSASL_OK)
		rc = set_password(s->session, secret);
	return rc;
}

struct sasl *
sasl_new(const char *mechanism, const char *user, const struct secret *secret,
    struct fault *fault_r)
{
	const struct mechanism *m = mechanisms;
	struct sasl *s;
	int rc = GSASL_UNKNOWN_MECHANISM;

	while (m->name != NULL && strcmp(m->name, mechanism) != 0)
		m++;
	s = mem_alloc(sizeof(*s));
	s->client_first = m->client_first;
	if (m->name != NULL)
		rc = start(s, mechanism, user, secret);
	if (rc == GSASL_OK)
		return s;
	login_fault(fault_r, gsasl_strerror(rc));
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

void
sasl_free(struct sasl **s)
{
	if (*s == NULL)
		return;
	drop_response(*s);
	if ((*s)->session != NULL) {
		wipe_text(gsasl_property_fast((*s)->session, GSASL_PASSWORD));
		gsasl_finish((*s)->session);
	}
	if ((*s)->library != NULL)
		gsasl_done((*s)->library);
	free(*s);
	*s = NULL;
}

bool
sasl_client_first(const struct sasl *s)
{
	return s->client_first;
}

/* gsasl_step64() would leave the raw response behind in the heap. */
static int
step(struct sasl *s, const char *input, size_t n)
{
	char *raw = NULL;
	size_t raw_n = 0;
	int rc = gsasl_step(s->session, input, n, &raw, &raw_n);
	int rc64;

	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
		return rc;
	rc64 = gsasl_base64_to(raw, raw_n, &s->response, NULL);
	if (raw != NULL)
		secret_wipe(raw, raw_n);
	free(raw);
	return rc64 == GSASL_OK ? rc : rc64;
}

static int
decode_and_step(struct sasl *s, struct span challenge)
{
	char *input = NULL;
	size_t n = 0;
	int rc;

	if (s->done)
		return GSASL_MECHANISM_CALLED_TOO_MANY_TIMES;
	if (challenge.n > CHALLENGE_MAX)
		return GSASL_MECHANISM_PARSE_ERROR;
	if (challenge.n == 0)
		return step(s, "", 0);
	rc = gsasl_base64_from(challenge.p, challenge.n, &input, &n);
	if (rc == GSASL_OK)
		rc = step(s, input, n);
	free(input);
	return rc;
}

enum sasl_status
sasl_step(struct sasl *s, struct span challenge, struct span *response_r,
    struct fault *fault_r)
{
	int rc;

	drop_response(s);
	rc = decode_and_step(s, challenge);
	if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE) {
		s->done = true;
		drop_response(s);
		fault_set(fault_r, FAULT_ACCOUNT, FAULT_LATER, "login",
		    "the server's challenge made no sense: %s",
		    gsasl_strerror(rc));
		return SASL_FAIL;
	}
	s->done = rc == GSASL_OK;
	*response_r = span_str(s->response);
	return s->done ? SASL_DONE : SASL_STEP;
}
