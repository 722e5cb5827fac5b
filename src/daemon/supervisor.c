/* SPDX-License-Identifier: ISC */
#include "daemon/supervisor_private.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/alert.h"
#include "daemon/notify.h"
#include "net/conn.h"
#include "relay/sink.h"
#include "relay/spool.h"
#include "relay/worker.h"
#include "store/statedir.h"

#define PRUNE_INTERVAL_MS (60 * 60 * 1000)
#define ROOM_INTERVAL 5 /* seconds from one look at a full disk to the next */

/* --- the end of everything */

void
supervisor_stop_when_quiet(struct supervisor *s)
{
	const struct post *p;

	if (s->loading > 0 || !TAILQ_EMPTY(&s->retired) ||
	    tokens_busy(s->o.tokens))
		return;
	TAILQ_FOREACH (p, &s->posts, link)
		if (!account_is_quiet(p->account))
			return;
	alerts_finish(s->alerts);
}

static void
on_grace_over(void *arg)
{
	struct supervisor *s = arg;

	log_line(LOG_WARNING,
	    "stopping without the replies to some final dots; those messages "
	    "stay in doubt");
	loop_stop(s->o.net->loop);
}

void
supervisor_stop(struct supervisor *s)
{
	struct post *p;

	if (s->stopping) {
		loop_stop(s->o.net->loop);
		return;
	}
	s->stopping = true;
	notify_stopping(s->conf->shutdown_grace);
	timer_set(&s->grace, (int64_t)s->conf->shutdown_grace * 1000);
	timer_cancel(&s->turn);
	TAILQ_FOREACH (p, &s->posts, link)
		account_stop(p->account);
	TAILQ_FOREACH (p, &s->retired, link)
		account_stop(p->account);
	timer_set(&s->reap, 0);
}

void
supervisor_fail_state(struct supervisor *s)
{
	if (s->stopping)
		return;
	s->state_failed = true;
	supervisor_stop(s);
}

/* --- turns */

/* A disk that is nearly full is left to those who need the rest of it: what
 * begins there would end in doubt (CASES D1). */
static bool
has_room(struct supervisor *s)
{
	struct log_event e = { .message_id = LOG_ID_STATE };
	uint64_t room = statedir_room(s->o.state_dir);
	bool is_short = room < s->conf->min_free && !s->o.dry_run;

	e.priority = is_short ? LOG_ERR : LOG_NOTICE;
	if (is_short && !s->no_room)
		log_event(&e,
		    "the disk of the state directory has %llu bytes free, less "
		    "than min_free (%llu): nothing is polled until it has",
		    (unsigned long long)room,
		    (unsigned long long)s->conf->min_free);
	if (!is_short && s->no_room)
		log_event(&e, "the disk of the state directory has room again: "
			      "polling goes on");
	alert_state(s->alerts, is_short,
	    "the state's disk has less room than min_free");
	s->no_room = is_short;
	return !is_short;
}

static bool
may_poll(void *arg)
{
	struct supervisor *s = arg;

	return !s->stopping && has_room(s);
}

static void
on_turn(void *arg)
{
	struct supervisor *s = arg;
	struct sched_job *j;
	int64_t wait;

	if (s->stopping)
		return;
	while ((j = sched_next(
		    &s->sched, loop_now_ms(s->o.net->loop), &wait)) != NULL) {
		if (j->run != NULL) {
			j->run(j->arg); /* a check writes no mail */
			continue;
		}
		if (has_room(s)) {
			account_run(account_of(j));
			continue;
		}
		sched_done(&s->sched, j);
		if (s->o.once) {
			s->deferred = true;
			timer_set(&s->reap, 0);
			continue;
		}
		sched_at(&s->sched, j,
		    loop_now_ms(s->o.net->loop) + ROOM_INTERVAL * 1000);
	}
	if (wait < INT64_MAX)
		timer_set(&s->turn, wait);
}

/* What is too old for the history goes, now and then. */
static void
on_prune(void *arg)
{
	struct supervisor *s = arg;

	if (!s->o.dry_run)
		store_history_prune(
		    s->o.store, (int64_t)s->conf->history_keep, time(NULL));
	timer_set(&s->prune, PRUNE_INTERVAL_MS);
}

void
supervisor_turn(struct supervisor *s)
{
	if (!s->stopping)
		timer_set(&s->turn, 0);
}

static void
on_timetable(void *arg)
{
	supervisor_turn(arg);
}

static void
on_polled(void *arg, struct account *a, const struct worker_report *r)
{
	struct supervisor *s = arg;

	alert_held(s->alerts, account_config(a)->name, r->held - r->quiet);
	s->failed = s->failed || r->failed;
	s->deferred = s->deferred || r->deferred > 0 || r->in_doubt > 0;
	if (!r->failed || r->fault.scope != FAULT_US || s->stopping)
		return;
	/* Without its records it must not relay (CASES D3). */
	alert_state(s->alerts, true, r->fault.text);
	supervisor_fail_state(s);
}

static void
on_reap(void *arg)
{
	supervisor_reap(arg);
}

static void
on_quiet(void *arg, struct account *a)
{
	struct supervisor *s = arg;

	(void)a;
	timer_set(&s->reap, 0);
}

/* --- the supervisor */

static struct sched_limits
limits_of(const struct supervisor *s)
{
	return (struct sched_limits){
		.per_host = s->conf->connections_per_host,
		.total = s->conf->connections,
		.spacing =
		    s->o.once ? 0 : (int64_t)s->conf->host_spacing * 1000,
	};
}

/* A dry run tells nobody. */
static void
set_alerts(struct supervisor *s)
{
	if (!s->o.dry_run)
		alerts_configure(
		    s->alerts, s->conf->alert_command, s->conf->notify);
}

static struct sink *
nth_sink(void *arg, size_t i)
{
	const struct supervisor *s = arg;
	const struct gate *g = TAILQ_FIRST(&s->gates);

	while (g != NULL && i-- > 0)
		g = TAILQ_NEXT(g, link);
	return g != NULL ? g->sink : NULL;
}

void
supervisor_replace(struct supervisor *s, struct conf *fresh)
{
	struct sched_limits limits;

	supervisor_build(s, fresh);
	conf_free(&s->conf);
	s->conf = fresh;
	limits = limits_of(s);
	sched_limit(&s->sched, &limits);
	spool_pool_resize(s->pool, fresh->spool_max);
	net_renew(s->o.net);
	set_alerts(s);
	timer_set(&s->prune, 0);
	supervisor_try_again(s);
	supervisor_load(s);
	timer_set(&s->reap, 0);
}

static void
tell_killers(const struct supervisor *s)
{
	struct log_event e = { .priority = LOG_ERR, .message_id = LOG_ID_HELD };
	unsigned long long n = store_killers(s->o.store);

	if (n > 0)
		log_event(&e,
		    "%llu held: the process died %d times while it was "
		    "underway; this is a bug, please report it",
		    n, STORE_DEATHS_MAX);
	alert_held(s->alerts, "", (unsigned)n);
}

/* A provider that was asked may have taken back what we have. */
static void
on_settled(void *arg)
{
	struct supervisor *s = arg;

	if (s->stopping || s->o.once)
		timer_set(&s->reap, 0);
}

struct supervisor *
supervisor_new(const struct supervisor_options *o)
{
	struct supervisor *s = mem_alloc(sizeof(*s));
	struct loop *loop = o->net->loop;
	struct sched_limits limits;

	s->o = *o;
	s->conf = conf_ref(o->conf);
	s->started = time(NULL);
	if (gethostname(s->host, sizeof(s->host) - 1) != 0)
		strcpy(s->host, "localhost");
	TAILQ_INIT(&s->gates);
	TAILQ_INIT(&s->posts);
	TAILQ_INIT(&s->retired);
	TAILQ_INIT(&s->closing);
	s->pool = spool_pool_new(o->state_dir, s->conf->spool_max);
	limits = limits_of(s);
	sched_init(&s->sched, &limits);
	timer_init(&s->turn, loop, on_turn, s);
	timer_init(&s->grace, loop, on_grace_over, s);
	timer_init(&s->reap, loop, on_reap, s);
	timer_init(&s->prune, loop, on_prune, s);
	timer_set(&s->prune, 0);
	s->context = (struct account_context){
		.net = o->net,
		.tokens = o->tokens,
		.store = o->store,
		.pool = s->pool,
		.sched = &s->sched,
		.our_host = s->host,
		.suspect = &s->suspect,
		.once = o->once,
		.dry_run = o->dry_run,
		.turn = on_timetable,
		.may_poll = may_poll,
		.polled = on_polled,
		.quiet = on_quiet,
		.arg = s,
	};
	s->alerts = alerts_new(&(struct alerts_options){
	    .loop = loop,
	    .store = o->store,
	    .sink = nth_sink,
	    .arg = s,
	    .host = s->host,
	});
	s->context.alerts = s->alerts;
	tokens_watch(
	    o->tokens, &(struct tokens_watcher){ .seen = supervisor_seen,
			   .ending = supervisor_ending,
			   .settled = on_settled,
			   .arg = s });
	set_alerts(s);
	supervisor_build(s, s->conf);
	tell_killers(s);
	supervisor_load(s);
	return s;
}

/* An account that is still busy when the grace is over goes down with the
 * process: what it knows is on record, or in doubt on record. */
void
supervisor_free(struct supervisor **supervisor)
{
	struct supervisor *s = *supervisor;

	*supervisor = NULL;
	tokens_watch(s->o.tokens, &(struct tokens_watcher){ .arg = NULL });
	if (!supervisor_raze(s))
		return;
	alerts_free(&s->alerts);
	sched_free(&s->sched);
	spool_pool_free(&s->pool);
	timer_free(&s->turn);
	timer_free(&s->grace);
	timer_free(&s->reap);
	timer_free(&s->prune);
	conf_free(&s->conf);
	free(s);
}

int
supervisor_exit_code(const struct supervisor *s)
{
	if (s->state_failed)
		return EX_IOERR;
	if (!s->o.once)
		return EX_OK;
	if (s->failed)
		return EX_UNAVAILABLE;
	return s->deferred ? EX_TEMPFAIL : EX_OK;
}
