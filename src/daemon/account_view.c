/* SPDX-License-Identifier: ISC */
/*
 * What people see of an account.
 */
#include "daemon/account_private.h"

#include <string.h>
#include <time.h>

#include "conf/conf.h"
#include "daemon/sign_in_words.h"

static const char *
state_of(const struct account *a)
{
	const struct box *b;
	bool watching = false, asks = a->pause.asks;

	if (a->pause.by_hand)
		return "paused";
	if (a->in_round)
		return "polling";
	TAILQ_FOREACH (b, &a->boxes, link) {
		if (worker_busy(b->worker))
			return "polling";
		watching = watching || worker_watching(b->worker);
		asks = asks || b->asks;
	}
	if (asks)
		return "asks";
	if (a->pause.failures > 0)
		return "failing";
	return watching ? "watching" : "waiting";
}

static const char *
reason_of(const struct account *a)
{
	const struct box *b;

	if (a->pause.failures > 0)
		return a->pause.reply;
	TAILQ_FOREACH (b, &a->boxes, link)
		if (b->pause.failures > 0)
			return b->pause.reply;
	return "";
}

/* Without a token nothing else is to be said; but what is done now comes
 * first. */
static void
view_sign_in(const struct account *a, struct view_account *v)
{
	bool soon;
	const char *words = sign_in_words(a->ctx->tokens, &a->config->server,
	    a->config->name, a->words, &soon);

	if (words == NULL || strcmp(v->state, "paused") == 0 ||
	    strcmp(v->state, "polling") == 0)
		return;
	if (soon) {
		v->warning = words;
		return;
	}
	v->state = "sign-in";
	v->reason = words;
}

void
account_view(const struct account *a, struct view_account *v_r)
{
	*v_r = (struct view_account){
		.name = a->config->name,
		.protocol = a->config->protocol == CONF_POP3 ? "pop3" : "imap",
		.host = a->config->server.host,
		.state = state_of(a),
		.reason = reason_of(a),
		.last_success = a->last_success,
		.failures = a->pause.failures,
		.tally = &a->tally,
		.nmailboxes = a->nboxes,
	};
	if (a->job.waiting)
		v_r->next_poll =
		    time(NULL) + (a->job.due - account_now_ms(a)) / 1000;
	view_sign_in(a, v_r);
}

void
account_view_mailbox(
    const struct account *a, size_t i, struct view_mailbox *v_r)
{
	const struct box *b = TAILQ_FIRST(&a->boxes);
	struct worker_status st;

	while (i-- > 0)
		b = TAILQ_NEXT(b, link);
	worker_status(b->worker, &st);
	*v_r = (struct view_mailbox){
		.folder = b->name,
		.doing = st.doing,
		.watching = worker_watching(b->worker),
		.uid = st.uid,
		.size = st.size,
		.done = st.done,
		.since = st.since,
	};
}
