/* SPDX-License-Identifier: ISC */
#include "daemon/account_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/sign_in_words.h"
#include "net/conn.h"
#include "relay/finder.h"
#include "relay/terms.h"

int64_t
account_now_ms(const struct account *a)
{
	return loop_now_ms(a->ctx->net->loop);
}

void
account_plan(struct account *a, int64_t ms)
{
	if (a->retiring || a->pause.by_hand)
		return;
	sched_at(a->ctx->sched, &a->job, account_now_ms(a) + ms);
	a->ctx->turn(a->ctx->arg);
}

void
account_save_pause(struct account *a)
{
	if (!a->ctx->dry_run)
		store_pause_save(a->ctx->store, &a->who, &a->pause,
		    (struct store_done){ .run = NULL });
}

/* --- on duty */

struct account *
account_new(const struct account_context *ctx, struct conf *conf,
    const struct conf_account *config, struct sink *const *sinks)
{
	struct account *a = mem_alloc(sizeof(*a));

	a->ctx = ctx;
	a->conf = conf_ref(conf);
	a->config = config;
	a->words = mem_alloc(SIGN_IN_WORDS_MAX);
	a->sinks = mem_array(config->ndestinations, sizeof(struct sink *));
	for (size_t i = 0; i < config->ndestinations; i++)
		a->sinks[i] = sinks[i];
	a->worker = (struct worker_context){
		.net = ctx->net,
		.tokens = ctx->tokens,
		.conf = conf,
		.store = ctx->store,
		.pool = ctx->pool,
		.holder = &a->holder,
		.our_host = ctx->our_host,
		.sinks = a->sinks,
		.suspect = ctx->suspect,
		.tally = &a->tally,
		.keyword = conf->marker ? a->keyword : NULL,
		.dry_run = ctx->dry_run,
	};
	snprintf(a->keyword, sizeof(a->keyword), "Mailhaul-Relayed-%s",
	    store_install_tag(ctx->store));
	a->who = (struct store_who){ STORE_ACCOUNT, config->name,
		terms_of_account(config) };
	TAILQ_INIT(&a->boxes);
	if (!account_must_find(a))
		for (size_t i = 0; i < config->nfolders; i++)
			account_box_new(
			    a, config->folders[i].name, &config->folders[i]);
	a->job.arg = a;
	a->job.max = config->connections;
	sched_add(ctx->sched, &a->job, config->server.host,
	    config->protocol == CONF_IMAP && config->idle && !ctx->once);
	return a;
}

void
account_free(struct account **account)
{
	struct account *a = *account;
	struct box *b;

	*account = NULL;
	sched_remove(a->ctx->sched, &a->job);
	while ((b = TAILQ_FIRST(&a->boxes)) != NULL)
		account_box_free(b);
	free(a->sinks);
	free(a->words);
	conf_free(&a->conf);
	free(a);
}

const struct conf_account *
account_config(const struct account *a)
{
	return a->config;
}

const struct store_who *
account_who(const struct account *a)
{
	return &a->who;
}

struct account *
account_of(const struct sched_job *job)
{
	return job->arg;
}

/* Milliseconds that it is to be left alone still; hurry as in retry_wait(). */
static int64_t
wait_ms(const struct account *a, bool hurry)
{
	int64_t now = time(NULL);
	int64_t pause = retry_wait(&a->pause, now, hurry);
	int64_t login = retry_login_wait(&a->pause, now);

	if (pause == 0 && login == 0)
		return 0;
	if (pause >= login)
		log_line(LOG_NOTICE,
		    "%s: not polled for another %lld seconds, after: %s",
		    a->config->name, (long long)pause, a->pause.reply);
	else
		log_line(LOG_NOTICE,
		    "%s: not polled for another %lld seconds: its server wants "
		    "%lld between logins",
		    a->config->name, (long long)login,
		    (long long)a->pause.login_delay);
	return (pause > login ? pause : login) * 1000;
}

void
account_begin(struct account *a, const struct store_pause *p)
{
	int64_t wait;

	a->pause = *p;
	if (a->pause.by_hand) {
		log_line(LOG_NOTICE, "%s: paused by hand: mailhaul resume %s",
		    a->config->name, a->config->name);
		return;
	}
	wait = wait_ms(a, a->ctx->once);
	if (wait == 0 || !a->ctx->once)
		account_plan(a, wait);
}

bool
account_is_quiet(const struct account *a)
{
	const struct box *b;

	if (a->in_round || a->finder != NULL)
		return false;
	TAILQ_FOREACH (b, &a->boxes, link)
		if (worker_busy(b->worker) || worker_watching(b->worker))
			return false;
	return !a->job.waiting;
}

void
account_quiet_if_so(struct account *a)
{
	if (account_is_quiet(a))
		a->ctx->quiet(a->ctx->arg, a);
}

static void
stop_with(struct account *a, void (*stop)(struct worker *w))
{
	struct box *b;

	a->retiring = true;
	sched_cancel(a->ctx->sched, &a->job);
	TAILQ_FOREACH (b, &a->boxes, link)
		stop(b->worker);
	finder_stop(&a->finder);
	if (a->in_round && a->current == NULL)
		account_end_round(a);
	else
		account_quiet_if_so(a);
}

void
account_retire(struct account *a)
{
	stop_with(a, worker_retire);
}

void
account_stop(struct account *a)
{
	stop_with(a, worker_stop);
}

/* --- what people ask for */

bool
account_poll_now(struct account *a, struct fault *why_r)
{
	struct box *b;
	int64_t wait;

	if (a->pause.by_hand) {
		fault_set(why_r, FAULT_ACCOUNT, FAULT_LATER, "poll",
		    "%s is paused by hand; mailhaul resume %s ends that",
		    a->config->name, a->config->name);
		return false;
	}
	wait = wait_ms(a, true) / 1000;
	if (wait > 0) {
		fault_set(why_r, FAULT_ACCOUNT, FAULT_LATER, "poll",
		    "%s must be left alone for another %lld seconds, because "
		    "its server says so or refused the login; mailhaul resume "
		    "%s ends a pause",
		    a->config->name, (long long)wait, a->config->name);
		return false;
	}
	TAILQ_FOREACH (b, &a->boxes, link) {
		b->pause = (struct store_pause){ 0 };
		account_box_look(b);
	}
	if (!a->in_round)
		account_plan(a, 0);
	return true;
}

/* What was begun ends; what is watched is watched no longer. */
void
account_pause(struct account *a)
{
	struct box *b;

	a->pause.by_hand = true;
	account_save_pause(a);
	sched_cancel(a->ctx->sched, &a->job);
	TAILQ_FOREACH (b, &a->boxes, link)
		worker_retire(b->worker);
	finder_stop(&a->finder);
	if (a->in_round && a->current == NULL)
		account_end_round(a);
}

void
account_resume(struct account *a)
{
	struct box *b;

	a->pause = (struct store_pause){
		.last_login = a->pause.last_login,
		.login_delay = a->pause.login_delay,
	};
	account_save_pause(a);
	TAILQ_FOREACH (b, &a->boxes, link)
		b->pause = (struct store_pause){ 0 };
	if (!a->in_round)
		account_plan(a, wait_ms(a, false));
}

void
account_signed_in(struct account *a)
{
	if (!a->pause.by_hand && a->pause.failures > 0)
		account_resume(a);
}

/* Pauses by hand stay, and so does what the server asked for. */
void
account_try_again(struct account *a)
{
	if (a->pause.by_hand || a->pause.failures == 0 ||
	    retry_login_wait(&a->pause, time(NULL)) > 0)
		return;
	account_resume(a);
}
