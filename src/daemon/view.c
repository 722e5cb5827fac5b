/* SPDX-License-Identifier: ISC */
#include "daemon/view.h"

#include <string.h>
#include <time.h>

#include "conf/conf.h"
#include "daemon/sign_in_words.h"
#include "daemon/supervisor_private.h"
#include "relay/server.h"
#include "relay/sink.h"
#include "relay/spool.h"

void
view_daemon(const struct supervisor *s, struct view_daemon *v_r)
{
	*v_r = (struct view_daemon){
		.started = s->started,
		.stopping = s->stopping,
		.no_room = s->no_room,
		.connections = s->sched.running + s->sched.holds,
		.spool_used = spool_pool_used(s->pool),
		.spool_max = s->conf->spool_max,
		.reloads = s->reloads,
		.reloads_failed = s->reloads_failed,
	};
}

size_t
view_accounts(const struct supervisor *s)
{
	const struct post *p;
	size_t n = 0;

	TAILQ_FOREACH (p, &s->posts, link)
		n++;
	return n;
}

static const struct post *
nth_post(const struct supervisor *s, size_t i)
{
	const struct post *p = TAILQ_FIRST(&s->posts);

	while (i-- > 0)
		p = TAILQ_NEXT(p, link);
	return p;
}

void
view_account(const struct supervisor *s, size_t i, struct view_account *v_r)
{
	account_view(nth_post(s, i)->account, v_r);
}

void
view_mailbox(const struct supervisor *s, size_t account, size_t i,
    struct view_mailbox *v_r)
{
	account_view_mailbox(nth_post(s, account)->account, i, v_r);
}

size_t
view_destinations(const struct supervisor *s)
{
	const struct gate *g;
	size_t n = 0;

	TAILQ_FOREACH (g, &s->gates, link)
		n++;
	return n;
}

static const char *
state_of(const struct sink_status *st)
{
	if (st->pause->by_hand)
		return "paused";
	return st->pause->failures > 0 ? "failing" : st->doing;
}

/* As in account_view.c. */
static void
view_sign_in(const struct gate *g, struct view_destination *v)
{
	bool soon;
	const char *words = sign_in_words(g->supervisor->o.tokens,
	    &g->config->server, g->config->name, g->words, &soon);

	if (words == NULL || strcmp(v->state, "paused") == 0)
		return;
	if (soon) {
		v->warning = words;
		return;
	}
	v->state = "sign-in";
	v->reason = words;
}

void
view_destination(
    const struct supervisor *s, size_t i, struct view_destination *v_r)
{
	const struct gate *g = TAILQ_FIRST(&s->gates);
	struct sink_status st;

	while (i-- > 0)
		g = TAILQ_NEXT(g, link);
	sink_status(g->sink, &st);
	*v_r = (struct view_destination){
		.name = g->config->name,
		.host = g->config->server.host,
		.state = state_of(&st),
		.reason = st.pause->failures > 0 ? st.pause->reply : "",
		.last_success = st.last_success,
		.failures = st.pause->failures,
		.connections = st.connections,
		.queued = st.queued,
		.account = st.account,
		.uid = st.uid,
		.size = st.size,
		.done = st.done,
		.since = st.since,
		.tally = sink_tally(g->sink),
	};
	if (st.wait_ms > 0 && !st.pause->by_hand)
		v_r->next_try = time(NULL) + st.wait_ms / 1000;
	view_sign_in(g, v_r);
}

bool
view_identity(const struct supervisor *s, bool destination, const char *name,
    struct token_identity *id_r, struct fault *why_r)
{
	const struct post *p = destination ? NULL : supervisor_post(s, name);
	const struct gate *g = destination ? supervisor_gate(s, name) : NULL;
	const struct conf_server *server = NULL;

	if (p != NULL)
		server = &account_config(p->account)->server;
	if (g != NULL)
		server = &g->config->server;
	if (server != NULL && conf_server_uses_token(server)) {
		*id_r = server_identity(server);
		return true;
	}
	fault_set(why_r, FAULT_US, FAULT_NEVER, "ask",
	    server == NULL ? "the configuration does not know %s"
			   : "%s logs in with a password; see auth and "
			     "oauth_client_id in mailhaul.conf(5)",
	    name);
	return false;
}

/* --- what they ask for */

static void
say_unknown(struct fault *why_r, const char *what, const char *name)
{
	fault_set(why_r, FAULT_US, FAULT_NEVER, "ask",
	    "the configuration has no %s of the name %s", what, name);
}

bool
ask_poll(struct supervisor *s, const char *account, struct fault *why_r)
{
	struct post *p = supervisor_post(s, account);

	if (p == NULL) {
		say_unknown(why_r, "account", account);
		return false;
	}
	if (!p->begun || s->stopping) {
		fault_set(why_r, FAULT_US, FAULT_LATER, "ask",
		    "%s is not on duty: mailhauld is starting, stopping or "
		    "ending what it did by the old configuration",
		    account);
		return false;
	}
	return account_poll_now(p->account, why_r);
}

bool
ask_pause(struct supervisor *s, const char *name, struct fault *why_r)
{
	struct post *p = supervisor_post(s, name);
	struct gate *g = supervisor_gate(s, name);

	if (p != NULL)
		account_pause(p->account);
	else if (g != NULL)
		sink_pause(g->sink);
	else
		say_unknown(why_r, "account or destination", name);
	return p != NULL || g != NULL;
}

bool
ask_resume(struct supervisor *s, const char *name, struct fault *why_r)
{
	struct post *p = supervisor_post(s, name);
	struct gate *g = supervisor_gate(s, name);

	if (p != NULL)
		account_resume(p->account);
	if (g != NULL)
		sink_resume(g->sink);
	if (p == NULL && g == NULL)
		say_unknown(why_r, "account or destination", name);
	return p != NULL || g != NULL;
}

bool
ask_reload(struct supervisor *s, struct conf *fresh, struct fault *why_r)
{
	if (fresh == NULL) {
		fault_set(why_r, FAULT_US, FAULT_NEVER, "reload",
		    "the configuration has mistakes: nothing was changed");
		s->reloads_failed++;
		return false;
	}
	if (s->stopping || s->o.once) {
		fault_set(why_r, FAULT_US, FAULT_LATER, "reload",
		    "mailhauld is stopping");
		conf_free(&fresh);
		s->reloads_failed++;
		return false;
	}
	supervisor_replace(s, fresh);
	s->reloads++;
	return true;
}
