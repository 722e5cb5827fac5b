/* SPDX-License-Identifier: ISC */
#include "relay/login.h"

#include <stdlib.h>
#include <string.h>

#include "auth/credential.h"
#include "auth/sasl.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "net/conn.h"

static const char *const auth_names[] = {
	[CONF_AUTH_AUTO] = "auto",
	[CONF_AUTH_PLAIN] = "plain",
	[CONF_AUTH_LOGIN] = "login",
	[CONF_AUTH_SCRAM] = "scram",
	[CONF_AUTH_XOAUTH2] = "xoauth2",
	[CONF_AUTH_OAUTHBEARER] = "oauthbearer",
};

static void
on_secret(void *arg, struct secret *secret, const struct fault *fault)
{
	struct login *l = arg;
	struct fault f;

	l->job = NULL;
	l->secret = secret;
	if (secret != NULL) {
		l->ready(l->arg, NULL);
		return;
	}
	f = *fault;
	f.scope = l->scope;
	l->ready(l->arg, &f);
}

void
login_start(struct login *l, struct loop *loop, const struct conn *conn,
    const struct conf_server *server, enum fault_scope scope,
    void (*ready)(void *arg, const struct fault *f), void *arg)
{
	if (!conn_is_tls(conn))
		abort();
	login_clear(l);
	conn_bind(conn, &l->binding);
	l->server = server;
	l->scope = scope;
	l->ready = ready;
	l->arg = arg;
	/* Without a password a token is wanted, which is refused as no
	 * reference that is known. */
	l->job = credential_fetch(loop,
	    server->password != NULL ? server->password : "", on_secret, l);
}

void
login_clear(struct login *l)
{
	credential_cancel(&l->job);
	sasl_free(&l->sasl);
	l->held = false;
	secret_free(&l->secret);
}

const char *
login_mechanism(struct login *l, const char *offered, struct span *initial_r,
    struct fault *f)
{
	const struct sasl_client client = {
		.user = l->server->user,
		.secret = l->secret,
		.host = l->server->host,
		.port = l->server->port,
		.binding = &l->binding,
	};
	const char *name =
	    sasl_choose(auth_names[l->server->auth], offered, &client, f);
	enum sasl_status status;

	*initial_r = span_make("", 0);
	if (name != NULL)
		l->sasl = sasl_new(name, &client, f);
	if (l->sasl == NULL) {
		f->scope = l->scope;
		return NULL;
	}
	if (!sasl_client_first(l->sasl))
		return name;
	status = sasl_step(l->sasl, *initial_r, initial_r, f);
	l->initial = *initial_r;
	f->scope = l->scope;
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
		fault_set(f, l->scope, FAULT_LATER, "login",
		    "the server asked for a login step that is not due");
	f->scope = l->scope;
	return false;
}

bool
login_proved(const struct login *l, struct fault *f)
{
	if (l->sasl == NULL || (sasl_proved(l->sasl) && !l->held))
		return true;
	fault_set(f, l->scope, FAULT_NEVER, "login",
	    "the server says yes to half a login");
	f->hint = "somebody may answer in its place; no mail was sent";
	return false;
}

struct span
login_user(const struct login *l)
{
	return span_str(l->server->user);
}

struct span
login_secret(const struct login *l)
{
	return secret_reveal(l->secret);
}

bool
login_allows_plain(const struct login *l)
{
	return l->server->auth == CONF_AUTH_AUTO;
}
