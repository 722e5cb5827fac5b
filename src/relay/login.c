/* SPDX-License-Identifier: ISC */
#include "relay/login.h"

#include <stdlib.h>
#include <string.h>

#include "auth/credential.h"
#include "auth/sasl.h"
#include "auth/token.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "relay/phrase.h"
#include "relay/server.h"

static const char *const auth_names[] = {
	[CONF_AUTH_AUTO] = "auto",
	[CONF_AUTH_PLAIN] = "plain",
	[CONF_AUTH_LOGIN] = "login",
	[CONF_AUTH_SCRAM] = "scram",
	[CONF_AUTH_XOAUTH2] = "xoauth2",
	[CONF_AUTH_OAUTHBEARER] = "oauthbearer",
};

/* --- the secret */

static bool
uses_token(const struct login *l)
{
	return conf_server_uses_token(l->terms.server);
}

static void
on_secret(void *arg, struct secret *secret, const struct fault *fault)
{
	struct login *l = arg;
	struct fault f;

	l->password_job = NULL;
	l->token_job = NULL;
	l->secret = secret;
	if (secret != NULL) {
		l->terms.ready(l->terms.arg, NULL);
		return;
	}
	f = *fault;
	f.scope = l->terms.scope;
	l->terms.ready(l->terms.arg, &f);
}

/* Without a keeper there is no password that could be asked for instead: an
 * empty reference is refused like one that nobody knows. */
static void
fetch(struct login *l)
{
	const struct conf_server *server = l->terms.server;

	if (uses_token(l) && l->terms.tokens != NULL) {
		struct token_identity id = server_identity(server);

		l->token_job = token_fetch(l->terms.tokens, &id, on_secret, l);
	} else {
		l->password_job = credential_fetch(l->terms.loop,
		    uses_token(l) ? "" : server->password, on_secret, l);
	}
}

void
login_start(
    struct login *l, const struct login_terms *t, const struct conn *conn)
{
	if (!conn_is_tls(conn))
		abort();
	login_clear(l);
	l->terms = *t;
	l->mechanism = NULL;
	conn_bind(conn, &l->binding);
	fetch(l);
}

static void
wipe_steps(struct login *l)
{
	sasl_free(&l->sasl);
	secret_wipe(&l->binding, sizeof(l->binding));
	l->held = false;
}

void
login_clear(struct login *l)
{
	credential_cancel(&l->password_job);
	token_cancel(&l->token_job);
	wipe_steps(l);
	secret_free(&l->secret);
}

/* --- the steps */

const char *
login_mechanism(struct login *l, const char *offered, struct span *initial_r,
    struct fault *f)
{
	const struct conf_server *server = l->terms.server;
	const struct sasl_client client = {
		.user = server->user,
		.secret = l->secret,
		.token = uses_token(l),
		.host = server->host,
		.port = server->port,
		.binding = &l->binding,
	};
	const char *name =
	    sasl_choose(auth_names[server->auth], offered, &client, f);
	enum sasl_status status;

	*initial_r = span_make("", 0);
	l->mechanism = name;
	if (name != NULL)
		l->sasl = sasl_new(name, &client, f);
	if (l->sasl == NULL) {
		f->scope = l->terms.scope;
		return NULL;
	}
	if (!sasl_client_first(l->sasl))
		return name;
	status = sasl_step(l->sasl, *initial_r, initial_r, f);
	l->initial = *initial_r;
	f->scope = l->terms.scope;
	return status != SASL_FAIL ? name : NULL;
}

void
login_hold(struct login *l)
{
	l->held = true;
}

bool
login_step(struct login *l, struct span challenge, struct span *response_r,
    struct fault *f)
{
	bool due = l->sasl != NULL && (!l->held || challenge.n == 0);

	if (due && l->held) {
		l->held = false;
		*response_r = l->initial;
		return true;
	}
	if (due && sasl_step(l->sasl, challenge, response_r, f) != SASL_FAIL)
		return true;
	if (!due)
		fault_set(f, l->terms.scope, FAULT_LATER, "login",
		    "the server asked for a login step that is not due");
	f->scope = l->terms.scope;
	return false;
}

/* --- the end */

bool
login_proved(const struct login *l, struct fault *f)
{
	if (l->sasl == NULL || (sasl_proved(l->sasl) && !l->held))
		return true;
	fault_set(f, l->terms.scope, FAULT_NEVER, "login",
	    "the server says yes to half a login");
	f->hint = "somebody may answer in its place; no mail was sent";
	return false;
}

void
login_done(struct login *l)
{
	wipe_steps(l);
	if (!uses_token(l))
		secret_free(&l->secret);
}

static void
report_token(struct login *l)
{
	struct token_identity id = server_identity(l->terms.server);

	if (l->terms.tokens != NULL && l->secret != NULL)
		token_refused(l->terms.tokens, &id, l->secret);
}

/* In front of the server's last words, which may be long. */
static void
add_complaint(const struct login *l, struct fault *f)
{
	const char *complaint =
	    l->sasl != NULL ? sasl_complaint(l->sasl) : NULL;
	struct fault both;

	if (complaint == NULL)
		return;
	fault_set(&both, f->scope, f->when, f->phase, "the token: %s; %s",
	    complaint, f->text);
	memcpy(f->text, both.text, sizeof(f->text));
}

/* A password that SCRAM was refused with may be right all the same: a server
 * that keeps it in a form that only PLAIN can be held against. */
static void
suggest_plain(const struct login *l, struct fault *f)
{
	const char *name = l->sasl != NULL ? sasl_name(l->sasl) : "";

	if (l->terms.server->auth == CONF_AUTH_AUTO &&
	    strncmp(name, "SCRAM", 5) == 0)
		f->hint = "check user and password (many providers want an "
			  "app password); if they are right, the "
			  "server may not know the password in this form: "
			  "set auth = \"plain\"";
}

void
login_refused(struct login *l, struct span words, struct fault *f)
{
	const struct phrase *p = phrase_find(words);

	add_complaint(l, f);
	if (!f->login || (p != NULL && p->kind == PHRASE_LOGIN))
		return; /* another one would be refused as well */
	if (!uses_token(l)) {
		suggest_plain(l, f);
		return;
	}
	report_token(l);
	f->when = FAULT_NOW;
	f->sign_in = true;
	f->hint = NULL; /* that it says for itself */
}

void
login_expired(struct login *l)
{
	if (l->terms.server != NULL && uses_token(l))
		report_token(l);
}

/* --- what is no SASL */

struct span
login_user(const struct login *l)
{
	return span_str(l->terms.server->user);
}

struct span
login_secret(const struct login *l)
{
	return secret_reveal(l->secret);
}

bool
login_allows_plain(const struct login *l)
{
	return l->terms.server->auth == CONF_AUTH_AUTO && !uses_token(l);
}
