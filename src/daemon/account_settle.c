/* SPDX-License-Identifier: ISC */
/*
 * How an account did: what is remembered of a poll that failed or went well,
 * and what is said about it.
 */
#include "daemon/account_private.h"

#include <time.h>

#include "base/log.h"
#include "conf/conf.h"
#include "daemon/alert.h"
#include "relay/probe.h"

#define HINT_MAX 320

/* --- what is said about it */

/* What waits for a destination is told of by the destination. */
static int
priority(const struct account *a, const struct fault *f, bool tell)
{
	if (tell)
		return LOG_ERR;
	if (a->ctx->once || f->scope == FAULT_US)
		return LOG_WARNING;
	return f->scope == FAULT_ACCOUNT && a->pause.failures == 1 ? LOG_INFO
	                                                           : LOG_DEBUG;
}

static void
tell_failure(
    const struct account *a, const struct fault *f, bool tell, int64_t next)
{
	struct log_event e = {
		.priority = priority(a, f, tell),
		.message_id = LOG_ID_ACCOUNT_FAILED,
		.account = a->config->name,
		.code = f->code,
	};
	char hint[HINT_MAX];

	fault_hint(f, e.account, hint, sizeof(hint));
	if (f->scope == FAULT_ACCOUNT)
		log_event(&e, "%s: %s (%s port %u): %s%s", e.account, f->phase,
		    a->config->server.host, a->config->server.port, f->text,
		    hint);
	else
		log_event(&e, "%s: waits for the %s: %s: %s%s", e.account,
		    f->scope == FAULT_US ? "state" : "destination", f->phase,
		    f->text, hint);
	if (!a->ctx->once)
		log_event(&e, "%s: next poll in %lld seconds", e.account,
		    (long long)next);
}

static void
tell_recovery(const struct account *a)
{
	struct log_event e = {
		.priority = a->pause.alerted ? LOG_NOTICE : LOG_INFO,
		.account = a->config->name,
	};

	log_event(&e, "%s: works again", e.account);
}

/* --- how it did */

struct retry_terms
account_terms(const struct account *a)
{
	return (struct retry_terms){
		.now = time(NULL),
		.interval = (int64_t)a->config->interval,
		.login_delay = a->pause.login_delay,
		.seed = a->who.terms,
	};
}

/* A mailbox that is alone is the account. */
static struct store_pause *
pause_of(struct account *a, struct box *b, const struct worker_report *r)
{
	return r->mailbox_only && a->nboxes > 1 ? &b->pause : &a->pause;
}

static void
forgive(struct account *a, struct box *b)
{
	b->pause = (struct store_pause){ 0 };
	if (a->pause.failures == 0)
		return;
	tell_recovery(a);
	a->pause = (struct store_pause){
		.last_login = a->pause.last_login,
		.login_delay = a->pause.login_delay,
	};
	account_save_pause(a);
}

static void
note_failure(struct account *a, struct box *b, const struct worker_report *r)
{
	struct retry_terms terms = account_terms(a);
	struct store_pause *p = pause_of(a, b, r);
	int64_t next = retry_interval(&terms);
	bool tell = false;

	if (r->fault.scope == FAULT_ACCOUNT) {
		tell = retry_account(p, &r->fault, &terms);
		next = retry_wait(p, terms.now, false);
		if (p == &a->pause)
			account_save_pause(a);
	}
	tell_failure(a, &r->fault, tell, next);
}

/* One mailbox that fails is trouble of the account, too. */
static const struct store_pause *
worst_pause(const struct account *a)
{
	const struct box *b;

	TAILQ_FOREACH (b, &a->boxes, link)
		if (a->pause.failures == 0 && b->pause.alerted)
			return &b->pause;
	return &a->pause;
}

static void
note_login(struct account *a, const struct worker_report *r)
{
	if (r->last_login == 0)
		return;
	a->pause.last_login = r->last_login;
	a->pause.login_delay = r->login_delay;
}

bool
account_routine(struct account *a, struct worker_report *r)
{
	if (!r->failed || r->fault.scope != FAULT_ACCOUNT ||
	    !retry_routine(&a->routine, &r->fault, time(NULL)))
		return false;
	log_line(LOG_INFO, "%s: %s: %s; it is tried again at once",
	    a->config->name, r->fault.phase, r->fault.text);
	note_login(a, r);
	r->failed = false;
	return true;
}

void
account_settle(struct account *a, struct box *b, const struct worker_report *r)
{
	bool failed = r->failed && r->fault.scope == FAULT_ACCOUNT;

	note_login(a, r);
	a->tally.polls++;
	a->tally.polls_failed += r->failed;
	if (!r->failed)
		a->last_success = time(NULL);
	b->asks = failed && r->fault.question;
	a->pause.asks = false; /* from here on the mailboxes know */
	if (!failed)
		forgive(a, b);
	if (r->failed)
		note_failure(a, b, r);
	alert_pause(
	    a->ctx->alerts, &a->who, worst_pause(a), failed ? &r->fault : NULL);
}

/* --- a check of its settings */

const struct store_pause *
account_pause_of(const struct account *a)
{
	return &a->pause;
}

bool
account_visit(struct account *a)
{
	if (a->visited || (a->config->protocol == CONF_POP3 && a->in_round))
		return false;
	a->visited = a->config->protocol == CONF_POP3;
	return true;
}

static void
note_refused_login(struct account *a, const struct fault *f)
{
	struct retry_terms terms = account_terms(a);
	bool tell = retry_account(&a->pause, f, &terms);
	int64_t next = retry_wait(&a->pause, terms.now, false);

	account_save_pause(a);
	tell_failure(a, f, tell, next);
	alert_pause(a->ctx->alerts, &a->who, worst_pause(a), f);
	if (!a->in_round && a->job.waiting)
		account_plan(a, next * 1000);
}

/* What the server will remember of the login is as if we had polled. */
void
account_visited(struct account *a, const struct probe_result *r)
{
	int64_t now = time(NULL);

	a->visited = false;
	if (r == NULL)
		return;
	if (r->logged_in && r->login_delay > 0) {
		a->pause.last_login = now;
		a->pause.login_delay = (int64_t)r->login_delay;
		store_login(a->ctx->store, a->config->name, now,
		    a->pause.login_delay, (struct store_done){ .run = NULL });
	}
	if (probe_login_refused(r))
		note_refused_login(a, r->fault);
}
