/* SPDX-License-Identifier: ISC */
/*
 * What happens when the tokens of an identity are gone, and when somebody has
 * signed in: every account and destination that shares them goes on at once,
 * and nobody else notices anything.
 */
#include "daemon/supervisor_private.h"

#include <stdio.h>

#include "auth/token.h"
#include "base/log.h"
#include "conf/conf.h"
#include "daemon/alert.h"
#include "relay/server.h"
#include "relay/sink.h"
#include "relay/trace.h"

static bool
shares(const struct conf_server *server, const struct token_identity *id)
{
	struct token_identity own;

	if (!conf_server_uses_token(server))
		return false;
	own = server_identity(server);
	return token_identity_same(&own, id);
}

static void
go_on(struct supervisor *s, const struct token_identity *id)
{
	struct sink_status st;
	struct post *p;
	struct gate *g;

	TAILQ_FOREACH (g, &s->gates, link) {
		if (!shares(&g->config->server, id))
			continue;
		sink_status(g->sink, &st);
		if (!st.pause->by_hand)
			sink_resume(g->sink);
	}
	TAILQ_FOREACH (p, &s->posts, link)
		if (p->begun && shares(&account_config(p->account)->server, id))
			account_signed_in(p->account);
}

/* The name that people are given: mailhaul login takes any of them. */
static const char *
first_name(const struct supervisor *s, const struct token_identity *id)
{
	const struct post *p;
	const struct gate *g;

	TAILQ_FOREACH (p, &s->posts, link)
		if (shares(&account_config(p->account)->server, id))
			return account_config(p->account)->name;
	TAILQ_FOREACH (g, &s->gates, link)
		if (shares(&g->config->server, id))
			return g->config->name;
	return NULL;
}

void
supervisor_seen(void *arg, const struct token_identity *id, bool signed_in)
{
	struct supervisor *s = arg;
	const char *name = first_name(s, id);
	struct log_event e = {
		.priority = signed_in ? LOG_NOTICE : LOG_ERR,
		.message_id = LOG_ID_SIGN_IN,
		.account = name,
	};
	struct fault f;

	/* The configuration that knew it may be gone. */
	if (name == NULL)
		return;
	if (signed_in) {
		log_event(&e, "%s: signed in", name);
		alert_sign_in(s->alerts, name, NULL);
		go_on(s, id);
	} else if (token_standing(s->o.tokens, id, &f) != TOKEN_GOOD) {
		log_event(&e, "%s: sign in: mailhaul login %s (%s)", name, name,
		    f.text);
		alert_sign_in(s->alerts, name, &f);
	}
}

void
supervisor_ending(void *arg, const struct token_identity *id, int64_t when)
{
	struct supervisor *s = arg;
	const char *name = first_name(s, id);
	struct log_event e = {
		.priority = LOG_WARNING,
		.message_id = LOG_ID_SIGN_IN,
		.account = name,
	};
	char date[TRACE_DATE_SIZE];
	struct fault f;

	if (name == NULL)
		return;
	trace_date(when, date);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "sign-in",
	    "it works until %s", date);
	log_event(&e, "%s: sign in again: mailhaul login %s (%s)", name, name,
	    f.text);
	alert_sign_in(s->alerts, name, &f);
}
