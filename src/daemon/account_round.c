/* SPDX-License-Identifier: ISC */
/*
 * The mailboxes of an account, and the round through them: which there are,
 * whose turn it is, and who is watched.
 */
#include "daemon/account_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "relay/finder.h"
#include "relay/session.h"
#include "relay/source.h"

#define VISIT_MS 1000 /* from one look at a mailbox in use to the next */
#define FIND_INTERVAL (60 * 60) /* seconds from one look at the folders on */
#define STEADY 60    /* seconds that a watch must last to be no failure */
#define ROOM_MS 5000 /* from one look for room on the disk to the next */
#define SOON_MS 2000 /* from the end of a watch to the next session */

static void next_box(struct account *a);

/* --- the boxes */

/* What is watched waits for room itself; the others have sched for that. */
static bool
may_poll(void *arg)
{
	struct box *b = arg;
	const struct account_context *ctx = b->account->ctx;

	if (ctx->may_poll(ctx->arg))
		return true;
	timer_set(&b->again, ROOM_MS);
	return false;
}

static bool
is_due(const struct box *b)
{
	return !b->polled && !b->gone && !worker_busy(b->worker) &&
	       !worker_watching(b->worker) &&
	       retry_wait(&b->pause, time(NULL), b->account->ctx->once) == 0;
}

static struct box *
next_due(struct account *a)
{
	struct box *b;

	TAILQ_FOREACH (b, &a->boxes, link)
		if (is_due(b))
			return b;
	return NULL;
}

/* What is watched keeps its session; the round may go on without. */
static enum worker_leave
on_leaving(void *arg, bool can_watch)
{
	struct box *b = arg;
	struct account *a = b->account;

	if (a->retiring || a->pause.by_hand)
		return WORKER_QUIT;
	if (can_watch && !b->holds && !a->ctx->once && a->config->idle &&
	    a->job.running)
		b->holds = sched_hold(a->ctx->sched, &a->job);
	if (b->holds)
		return can_watch ? WORKER_WATCH : WORKER_QUIT;
	return next_due(a) != NULL ? WORKER_KEEP : WORKER_QUIT;
}

void
account_box_look(struct box *b)
{
	if (worker_watching(b->worker) && may_poll(b))
		worker_poll(b->worker, NULL);
}

static void
on_again(void *arg)
{
	account_box_look(arg);
}

/* The next look by the clock, and with it a new IDLE. */
static void
watch_on(struct box *b)
{
	struct account *a = b->account;
	struct retry_terms terms = account_terms(a);
	int64_t next = retry_interval(&terms);

	if (next > (int64_t)a->conf->idle_renew)
		next = (int64_t)a->conf->idle_renew;
	timer_set(&b->again, next * 1000);
	if (b->watching_since == 0)
		b->watching_since = account_now_ms(a);
}

void
account_box_free(struct box *b)
{
	struct account *a = b->account;

	TAILQ_REMOVE(&a->boxes, b, link);
	a->nboxes--;
	worker_free(&b->worker);
	timer_free(&b->again);
	free(b->name);
	free(b);
}

static void
end_watch(struct box *b)
{
	struct account *a = b->account;

	timer_cancel(&b->again);
	b->watching_since = 0;
	if (b->holds)
		sched_drop(a->ctx->sched, &a->job);
	b->holds = false;
}

/* --- the round */

void
account_end_round(struct account *a)
{
	struct retry_terms terms = account_terms(a);
	int64_t next = retry_wait(&a->pause, terms.now, false);
	struct box *b;

	a->in_round = false;
	source_close(&a->session);
	if (a->job.running)
		sched_done(a->ctx->sched, &a->job);
	TAILQ_FOREACH (b, &a->boxes, link)
		b->polled = false;
	if (a->at_once)
		next = retry_login_wait(&a->pause, terms.now);
	else if (next == 0)
		next = retry_interval(&terms);
	if (!a->ctx->once || a->at_once)
		account_plan(a, next * 1000);
	a->at_once = false;
	a->ctx->turn(a->ctx->arg);
	account_quiet_if_so(a);
}

/* After a mailbox of the round; ok: the account itself does well. */
static void
go_on(struct account *a, bool ok)
{
	if (!ok || a->retiring || next_due(a) == NULL)
		account_end_round(a);
	else if (a->job.running)
		next_box(a);
	else
		account_plan(a, 0); /* the place went to what is watched now */
}

static bool
lasted(const struct box *b)
{
	return b->watching_since > 0 &&
	       account_now_ms(b->account) - b->watching_since >= STEADY * 1000;
}

/* A watch that had lasted ends without anybody's fault: servers end sessions
 * after hours, tokens expire, networks change. */
static bool
broke_in_time(const struct box *b, const struct worker_report *r)
{
	return r->failed && r->watched && r->fault.scope == FAULT_ACCOUNT &&
	       lasted(b);
}

/* Milliseconds from the end of a watch to the next round: soon when it had
 * lasted, but a server that ends it at once is polled by the clock. */
static int64_t
after_watch(const struct account *a, bool had_lasted, bool ok)
{
	struct retry_terms terms = account_terms(a);

	if (had_lasted)
		return SOON_MS;
	if (ok)
		return retry_interval(&terms) * 1000;
	return retry_wait(&a->pause, terms.now, false) * 1000;
}

static void
on_done(void *arg, const struct worker_report *report)
{
	struct box *b = arg;
	struct account *a = b->account;
	struct worker_report told = *report, *r = &told;
	bool in_turn = a->current == b;
	bool steady = broke_in_time(b, r), had_lasted = lasted(b);
	bool ok = !r->failed || r->mailbox_only ||
	          r->fault.scope == FAULT_DESTINATION;
	bool routine = !steady && account_routine(a, r);

	a->session = r->session;
	if (in_turn)
		a->current = NULL;
	if (steady)
		log_line(LOG_INFO, "%s: %s: the watching session ended: %s",
		    a->config->name, b->name, r->fault.text);
	else if (!routine)
		account_settle(a, b, r);
	a->at_once = in_turn && routine;
	if (r->watching)
		watch_on(b);
	else
		end_watch(b);
	a->ctx->polled(a->ctx->arg, a, r);
	if (b->gone && !r->watching)
		account_box_free(b);
	if (in_turn)
		go_on(a, ok);
	else if (!r->watching && !a->in_round)
		account_plan(a, after_watch(a, had_lasted || routine, ok));
	account_quiet_if_so(a);
}

void
account_box_new(
    struct account *a, const char *name, const struct conf_folder *folder)
{
	struct box *b = mem_alloc(sizeof(*b));
	struct worker_owner owner = {
		.done = on_done,
		.leaving = on_leaving,
		.may_poll = may_poll,
		.arg = b,
	};
	struct worker_mailbox m = { .account = a->config, .folder = folder };

	b->account = a;
	b->folder = folder;
	m.name = b->name = mem_strdup(name);
	b->worker = worker_new(&a->worker, &m, &owner);
	timer_init(&b->again, a->ctx->net->loop, on_again, b);
	TAILQ_INSERT_TAIL(&a->boxes, b, link);
	a->nboxes++;
}

static void
next_box(struct account *a)
{
	struct box *b = next_due(a);
	struct source *session = a->session;

	if (b == NULL) {
		account_end_round(a);
		return;
	}
	a->session = NULL;
	a->current = b;
	b->polled = true;
	worker_poll(b->worker, session);
}

/* --- which mailboxes there are */

bool
account_must_find(const struct account *a)
{
	for (size_t i = 0; i < a->config->nfolders; i++)
		if (a->config->folders[i].pattern ||
		    a->config->folders[i].special)
			return true;
	return false;
}

static struct box *
find_box(const struct account *a, const char *name)
{
	struct box *b;

	TAILQ_FOREACH (b, &a->boxes, link)
		if (strcmp(b->name, name) == 0)
			return b;
	return NULL;
}

static void
take_folders(struct account *a, const struct finder_result *r)
{
	struct box *b, *next;

	TAILQ_FOREACH (b, &a->boxes, link)
		b->gone = true;
	for (size_t i = 0; i < r->n; i++) {
		b = find_box(a, r->list[i].name);
		if (b != NULL)
			b->gone = false;
		else
			account_box_new(a, r->list[i].name, r->list[i].folder);
	}
	for (b = TAILQ_FIRST(&a->boxes); b != NULL; b = next) {
		next = TAILQ_NEXT(b, link);
		if (!b->gone)
			continue;
		log_line(LOG_NOTICE, "%s: the folder %s is gone",
		    a->config->name, b->name);
		if (worker_busy(b->worker) || worker_watching(b->worker))
			worker_retire(b->worker);
		else
			account_box_free(b);
	}
}

static void
on_found(void *arg, const struct finder_result *r)
{
	struct account *a = arg;
	struct worker_report report = { .failed = r->fault != NULL };
	struct box none = { .account = a };

	a->finder = NULL;
	a->session = r->session;
	if (r->fault == NULL) {
		a->next_find = time(NULL) + FIND_INTERVAL;
		take_folders(a, r);
		go_on(a, true);
		return;
	}
	report.fault = *r->fault;
	a->at_once = account_routine(a, &report);
	if (!a->at_once)
		account_settle(a, &none, &report);
	a->ctx->polled(a->ctx->arg, a, &report);
	go_on(a, false);
}

static void
find_folders(struct account *a)
{
	struct session_owner owner = {
		.net = a->ctx->net,
		.tokens = a->ctx->tokens,
		.conf = a->conf,
		.account = a->config,
		.keyword = a->worker.keyword,
	};

	a->finder = finder_start(&owner, on_found, a);
}

void
account_run(struct account *a)
{
	int64_t now = time(NULL);

	if (a->visited && !a->in_round) {
		sched_done(a->ctx->sched, &a->job);
		account_plan(a, VISIT_MS);
		return;
	}
	if (!a->in_round && account_must_find(a) &&
	    (now >= a->next_find || a->next_find > now + FIND_INTERVAL)) {
		a->in_round = true;
		find_folders(a);
		return;
	}
	a->in_round = true;
	next_box(a);
}
