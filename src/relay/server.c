/* SPDX-License-Identifier: ISC */
#include "relay/server.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "conf/provider.h"

/* A goodbye is a courtesy; nothing depends on its answer. */
#define QUIT_MS (10 * 1000)

struct conn_target
server_target(const struct conf *conf, const struct conf_server *server,
    enum fault_scope scope)
{
	return (struct conn_target){
		.peer = { .host = server->host,
		    .port = server->port,
		    .ca_file = server->ca_file,
		    .pin = server->pinned ? server->pin : NULL },
		.scope = scope,
		.connect_ms = (int64_t)conf->connect_timeout * 1000,
	};
}

static const struct {
	unsigned port;
	const char *hint;
} kinds[] = {
	[SERVER_IMAP] = { 993, "IMAP speaks TLS on port 993" },
	[SERVER_POP3] = { 995, "POP3 speaks TLS on port 995" },
	[SERVER_SUBMISSION] = { 465,
	    "use tls = \"starttls\" if it is a submission port, or port 465" },
	[SERVER_STARTTLS] = { 0, NULL },
};

static bool
is_bridge(const struct conf_server *server)
{
	const struct provider *p = server->provider != NULL
	                               ? provider_find(server->provider, NULL)
	                               : NULL;

	return p != NULL && p->pin;
}

/* Where TLS is the rule, or was just promised, somebody else answers. */
static void
advise_tls(
    struct fault *f, const struct conf_server *server, enum server_kind kind)
{
	const char *phase = f->phase;
	enum fault_cause cause = f->cause;

	fault_set(f, f->scope, f->when, phase, "port %u speaks without TLS",
	    server->port);
	f->cause = cause;
	f->hint = kinds[kind].hint;
	if (server->port == kinds[kind].port || kind == SERVER_STARTTLS)
		f->hint = "something between here and the server answers in "
			  "its place";
	if (is_bridge(server))
		f->hint = "set Bridge to SSL: its connection mode, for IMAP "
			  "and for SMTP";
}

void
server_advise(
    struct fault *f, const struct conf_server *server, enum server_kind kind)
{
	if (f->cause == FAULT_CAUSE_NOT_TLS)
		advise_tls(f, server, kind);
	else if (f->cause == FAULT_CAUSE_SILENT && f->hint == NULL &&
		 kind == SERVER_STARTTLS && strcmp(f->phase, "greeting") == 0)
		f->hint = "a port that speaks TLS from the first byte is "
			  "silent here: use tls = \"implicit\" for it";
}

const char *
server_protocol_hint(enum server_kind kind)
{
	if (kind == SERVER_IMAP)
		return "check protocol and port: IMAP is port 993, POP3 995";
	if (kind == SERVER_POP3)
		return "check protocol and port: POP3 is port 995, IMAP 993";
	return "check port: submission is 465, or 587 with tls = \"starttls\"";
}

struct token_identity
server_identity(const struct conf_server *server)
{
	return (struct token_identity){
		.user = server->user,
		.client_id = server->oauth_client_id,
		.client_secret = server->oauth_client_secret,
		.scope = server->oauth_scope,
		.token_url = server->oauth_token_url,
		.device_url = server->oauth_device_url,
		.authorize_url = server->oauth_authorize_url,
		.ca_file = server->oauth_ca_file,
	};
}

static int64_t
at_most(uint64_t seconds, uint64_t limit)
{
	return (int64_t)(seconds < limit ? seconds : limit) * 1000;
}

int64_t
server_patience(enum wait_class wait, const struct conf *conf)
{
	switch (wait) {
	case WAIT_GREETING:
	case WAIT_COMMAND:
	case WAIT_LOGIN:
		return (int64_t)conf->reply_timeout * 1000;
	case WAIT_DATA:
		return at_most(conf->reply_timeout, 120);
	case WAIT_BODY:
		return at_most(conf->reply_timeout, 180);
	case WAIT_DOT:
		return (int64_t)conf->dot_timeout * 1000;
	case WAIT_QUIT:
		return QUIT_MS;
	case WAIT_NONE:
	case WAIT_CLASSES:
		break;
	}
	return 0;
}

void
server_ehlo(const struct conf_destination *d, const struct conn *c,
    char *ehlo_r, size_t cap)
{
	char name[256];

	if (d->ehlo != NULL)
		snprintf(ehlo_r, cap, "%s", d->ehlo);
	else if (gethostname(name, sizeof(name)) == 0 &&
		 strchr(name, '.') != NULL)
		snprintf(ehlo_r, cap, "%s", name);
	else
		conn_local_literal(c, ehlo_r, cap);
}
