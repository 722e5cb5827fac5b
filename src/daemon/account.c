/* SPDX-License-Identifier: ISC */
#include "daemon/account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/alert.h"
#include "net/conn.h"
#include "net/loop.h"
#include "relay/finder.h"
#include "relay/probe.h"
#include "relay/retry.h"
#include "relay/sched.h"
#include "relay/session.h"
#include "relay/source.h"
#include "relay/terms.h"
#include "relay/worker.h"

#define FIND_INTERVAL (60 * 60) /* seconds from one look at the folders on */
#define STEADY 60    /* seconds that a watch must last to be no failure */
#define ROOM_MS 5000 /* from one look for room on the disk to the next */
#define SOON_MS 2000 /* from the end of a watch to the next session */

/* One mailbox. */
struct box {
	TAILQ_ENTRY(box) link;
	struct account *account;
	const struct conf_folder *folder; /* foreign */
	char *name;                       /* owned; UTF-8 */
	struct worker *worker;            /* owned */
	struct store_pause pause;         /* of this mailbox alone */
	struct timer again;               /* polls what is watched */
	int64_t watching_since;           /* loop time, ms */
	bool holds;  /* a place of the account's, to watch */
	bool polled; /* in this round */
	bool gone;   /* from the server */
	bool asks;   /* a person must decide about its messages */
};
TAILQ_HEAD(boxes, box);

struct account {
	const struct account_context *ctx; /* foreign */
	struct conf *conf;                 /* a reference */
	const struct conf_account *config;
	struct worker_context worker;
	char keyword[32];    /* marks what was relayed */
	struct sink **sinks; /* owned array of foreign sinks */
	struct boxes boxes;
	size_t nboxes;
	struct sched_job job;
	struct store_who who;
	struct store_pause pause;
	struct tally_account tally;
	int64_t last_success;

	/* of the round */
	bool in_round;
	struct box *current;    /* whose turn it is */
	struct source *session; /* owned; of the mailbox before */
	struct finder *finder;  /* owned; looks for folders */
	int64_t next_find;      /* wall clock */

	bool visited; /* by a check of its settings: POP3 waits for it */
	bool retiring;
};

static void next_box(struct account *a);

static int64_t
now_ms(const struct account *a)
{
	return loop_now_ms(a->ctx->net->loop);
}

static void
plan(struct account *a, int64_t ms)
{
	if (a->retiring || a->pause.by_hand)
		return;
	sched_at(a->ctx->sched, &a->job, now_ms(a) + ms);
	a->ctx->turn(a->ctx->arg);
}

static void
save_pause(struct account *a)
{
	if (!a->ctx->dry_run)
		store_pause_save(a->ctx->store, &a->who, &a->pause,
		    (struct store_done){ .run = NULL });
}

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
	const char *hint = f->hint != NULL ? f->hint : "";
	const char *sep = f->hint != NULL ? "; " : "";

	if (f->scope == FAULT_ACCOUNT)
		log_event(&e, "%s: %s (%s port %u): %s%s%s", e.account,
		    f->phase, a->config->server.host, a->config->server.port,
		    f->text, sep, hint);
	else
		log_event(&e, "%s: waits for the %s: %s: %s%s%s", e.account,
		    f->scope == FAULT_US ? "state" : "destination", f->phase,
		    f->text, sep, hint);
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

static struct retry_terms
terms_now(const struct account *a)
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
	save_pause(a);
}

static void
note_failure(struct account *a, struct box *b, const struct worker_report *r)
{
	struct retry_terms terms = terms_now(a);
	struct store_pause *p = pause_of(a, b, r);
	int64_t next = retry_interval(&terms);
	bool tell = false;

	if (r->fault.scope == FAULT_ACCOUNT) {
		tell = retry_account(p, &r->fault, &terms);
		next = retry_wait(p, terms.now, false);
		if (p == &a->pause)
			save_pause(a);
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
settle(struct account *a, struct box *b, const struct worker_report *r)
{
	bool failed = r->failed && r->fault.scope == FAULT_ACCOUNT;

	if (r->last_login > 0) {
		a->pause.last_login = r->last_login;
		a->pause.login_delay = r->login_delay;
	}
	a->tally.polls++;
	a->tally.polls_failed += r->failed;
	if (!r->failed)
		a->last_success = time(NULL);
	b->asks = failed && r->fault.question;
	if (!failed)
		forgive(a, b);
	if (r->failed)
		note_failure(a, b, r);
	alert_pause(
	    a->ctx->alerts, &a->who, worst_pause(a), failed ? &r->fault : NULL);
}

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

static void
on_again(void *arg)
{
	struct box *b = arg;

	if (worker_watching(b->worker) && may_poll(b))
		worker_poll(b->worker, NULL);
}

/* The next look by the clock, and with it a new IDLE. */
static void
watch_on(struct box *b)
{
	struct account *a = b->account;
	struct retry_terms terms = terms_now(a);
	int64_t next = retry_interval(&terms);

	if (next > (int64_t)a->conf->idle_renew)
		next = (int64_t)a->conf->idle_renew;
	timer_set(&b->again, next * 1000);
	if (b->watching_since == 0)
		b->watching_since = now_ms(a);
}

static void
box_free(struct box *b)
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

static void
quiet_if_so(struct account *a)
{
	if (account_is_quiet(a))
		a->ctx->quiet(a->ctx->arg, a);
}

static void
end_round(struct account *a)
{
	struct retry_terms terms = terms_now(a);
	int64_t next = retry_wait(&a->pause, terms.now, false);
	struct box *b;

	a->in_round = false;
	source_close(&a->session);
	if (a->job.running)
		sched_done(a->ctx->sched, &a->job);
	TAILQ_FOREACH (b, &a->boxes, link)
		b->polled = false;
	if (next == 0)
		next = retry_interval(&terms);
	if (!a->ctx->once)
		plan(a, next * 1000);
	a->ctx->turn(a->ctx->arg);
	quiet_if_so(a);
}

/* After a mailbox of the round; ok: the account itself does well. */
static void
go_on(struct account *a, bool ok)
{
	if (!ok || a->retiring || next_due(a) == NULL)
		end_round(a);
	else if (a->job.running)
		next_box(a);
	else
		plan(a, 0); /* the place went to what is watched now */
}

static bool
lasted(const struct box *b)
{
	return b->watching_since > 0 &&
	       now_ms(b->account) - b->watching_since >= STEADY * 1000;
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
	struct retry_terms terms = terms_now(a);

	if (had_lasted)
		return SOON_MS;
	if (ok)
		return retry_interval(&terms) * 1000;
	return retry_wait(&a->pause, terms.now, false) * 1000;
}

static void
on_done(void *arg, const struct worker_report *r)
{
	struct box *b = arg;
	struct account *a = b->account;
	bool in_turn = a->current == b;
	bool steady = broke_in_time(b, r), had_lasted = lasted(b);
	bool ok = !r->failed || r->mailbox_only ||
	          r->fault.scope == FAULT_DESTINATION;

	a->session = r->session;
	if (in_turn)
		a->current = NULL;
	if (steady)
		log_line(LOG_INFO, "%s: %s: the watching session ended: %s",
		    a->config->name, b->name, r->fault.text);
	else
		settle(a, b, r);
	if (r->watching)
		watch_on(b);
	else
		end_watch(b);
	a->ctx->polled(a->ctx->arg, a, r);
	if (b->gone && !r->watching)
		box_free(b);
	if (in_turn)
		go_on(a, ok);
	else if (!r->watching && !a->in_round)
		plan(a, after_watch(a, had_lasted, ok));
	quiet_if_so(a);
}

static void
box_new(struct account *a, const char *name, const struct conf_folder *folder)
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
		end_round(a);
		return;
	}
	a->session = NULL;
	a->current = b;
	b->polled = true;
	worker_poll(b->worker, session);
}

/* --- which mailboxes there are */

static bool
must_find(const struct account *a)
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
			box_new(a, r->list[i].name, r->list[i].folder);
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
			box_free(b);
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
	settle(a, &none, &report);
	a->ctx->polled(a->ctx->arg, a, &report);
	go_on(a, false);
}

static void
find_folders(struct account *a)
{
	struct session_owner owner = {
		.net = a->ctx->net,
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
		plan(a, SOON_MS);
		return;
	}
	if (!a->in_round && must_find(a) &&
	    (now >= a->next_find || a->next_find > now + FIND_INTERVAL)) {
		a->in_round = true;
		find_folders(a);
		return;
	}
	a->in_round = true;
	next_box(a);
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
	a->sinks = mem_array(config->ndestinations, sizeof(struct sink *));
	for (size_t i = 0; i < config->ndestinations; i++)
		a->sinks[i] = sinks[i];
	a->worker = (struct worker_context){
		.net = ctx->net,
		.conf = conf,
		.store = ctx->store,
		.pool = ctx->pool,
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
	if (!must_find(a))
		for (size_t i = 0; i < config->nfolders; i++)
			box_new(
			    a, config->folders[i].name, &config->folders[i]);
	a->job.arg = a;
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
		box_free(b);
	free(a->sinks);
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
		plan(a, wait);
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
		end_round(a);
	else
		quiet_if_so(a);
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
		on_again(b);
	}
	if (!a->in_round)
		plan(a, 0);
	return true;
}

/* What was begun ends; what is watched is watched no longer. */
void
account_pause(struct account *a)
{
	struct box *b;

	a->pause.by_hand = true;
	save_pause(a);
	sched_cancel(a->ctx->sched, &a->job);
	TAILQ_FOREACH (b, &a->boxes, link)
		worker_retire(b->worker);
	finder_stop(&a->finder);
	if (a->in_round && a->current == NULL)
		end_round(a);
}

void
account_resume(struct account *a)
{
	struct box *b;

	a->pause = (struct store_pause){
		.last_login = a->pause.last_login,
		.login_delay = a->pause.login_delay,
	};
	save_pause(a);
	TAILQ_FOREACH (b, &a->boxes, link)
		b->pause = (struct store_pause){ 0 };
	if (!a->in_round)
		plan(a, wait_ms(a, false));
}

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

/* What the server will remember of the login is as if we had polled. */
void
account_visited(struct account *a, const struct probe_result *r)
{
	struct retry_terms terms = terms_now(a);
	bool tell;

	a->visited = false;
	if (r == NULL)
		return;
	if (r->logged_in && r->login_delay > 0) {
		a->pause.last_login = terms.now;
		a->pause.login_delay = (int64_t)r->login_delay;
		store_login(a->ctx->store, a->config->name, terms.now,
		    a->pause.login_delay, (struct store_done){ .run = NULL });
	}
	if (r->fault == NULL || !r->fault->login)
		return;
	tell = retry_account(&a->pause, r->fault, &terms);
	save_pause(a);
	tell_failure(
	    a, r->fault, tell, retry_wait(&a->pause, terms.now, false));
	alert_pause(a->ctx->alerts, &a->who, worst_pause(a), r->fault);
	if (!a->in_round && a->job.waiting)
		plan(a, retry_wait(&a->pause, terms.now, false) * 1000);
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

/* --- what people see */

static const char *
state_of(const struct account *a)
{
	const struct box *b;
	bool watching = false, asks = false;

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
		v_r->next_poll = time(NULL) + (a->job.due - now_ms(a)) / 1000;
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
