/* SPDX-License-Identifier: ISC */
#include "daemon/supervisor.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <sys/queue.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/account.h"
#include "daemon/alert.h"
#include "daemon/check.h"
#include "daemon/notify.h"
#include "daemon/view.h"
#include "net/conn.h"
#include "net/loop.h"
#include "relay/retry.h"
#include "relay/sched.h"
#include "relay/sink.h"
#include "relay/spool.h"
#include "relay/terms.h"
#include "relay/worker.h"
#include "store/statedir.h"
#include "store/store.h"

#define PRUNE_INTERVAL_MS (60 * 60 * 1000)
#define ROOM_INTERVAL 5 /* seconds from one look at a full disk to the next */

/* One destination and what is remembered of it. */
struct gate {
	TAILQ_ENTRY(gate) link;
	struct supervisor *supervisor;
	struct conf *conf; /* a reference, of which config is a part */
	const struct conf_destination *config;
	struct sink *sink; /* owned */
	struct store_who who;
	bool loaded; /* its pause was read */
};
TAILQ_HEAD(gates, gate);

/* One account and where it stands in the course of things. */
struct post {
	TAILQ_ENTRY(post) link;
	struct supervisor *supervisor;
	struct account *account; /* owned */
	struct gate **gates;     /* owned array of foreign gates */
	bool loaded;             /* its pause was read ... */
	bool begun;              /* ... and it is on duty */
	struct store_pause pause;
};
TAILQ_HEAD(posts, post);

struct supervisor {
	struct supervisor_options o;
	struct conf *conf; /* a reference */
	struct gates gates;
	struct posts posts;
	struct posts retired; /* still ending what they had begun */
	struct gates closing; /* used by some of those */
	struct account_context context;
	struct alerts *alerts;
	struct spool_pool *pool;
	struct sched sched;
	struct timer turn;
	const struct worker *suspect; /* of the workers */
	size_t loading;               /* pauses that the store was asked for */
	struct timer grace, reap, prune;
	int64_t started; /* wall clock */
	unsigned reloads, reloads_failed;
	char host[256];
	bool stopping;
	bool failed, deferred; /* some poll; for the exit code */
	bool state_failed;
	bool no_room; /* and it was said */
};

static bool
is_wanted(const struct supervisor_options *o, const char *name)
{
	for (size_t i = 0; i < o->nonly; i++)
		if (strcmp(o->only[i], name) == 0)
			return true;
	return o->nonly == 0;
}

/* --- the end of everything */

static void
stop_when_quiet(struct supervisor *s)
{
	const struct post *p;

	if (s->loading > 0 || !TAILQ_EMPTY(&s->retired))
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

static void
fail_state(struct supervisor *s)
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

static void
turn(void *arg)
{
	struct supervisor *s = arg;

	if (!s->stopping)
		timer_set(&s->turn, 0);
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
	fail_state(s);
}

static void
on_quiet(void *arg, struct account *a)
{
	struct supervisor *s = arg;

	(void)a;
	timer_set(&s->reap, 0);
}

/* --- destinations */

static void
on_trouble(void *arg, const struct store_pause *pause)
{
	struct gate *g = arg;

	alert_pause(
	    g->supervisor->alerts, &g->who, pause, sink_trouble(g->sink));
	store_pause_save(g->supervisor->o.store, &g->who, pause,
	    (struct store_done){ .run = NULL });
}

static struct gate *
gate_new(
    struct supervisor *s, struct conf *conf, const struct conf_destination *d)
{
	struct gate *g = mem_alloc(sizeof(*g));

	g->supervisor = s;
	g->conf = conf_ref(conf);
	g->config = d;
	g->sink = sink_open(s->o.net, conf, d);
	g->who = (struct store_who){ STORE_DESTINATION, d->name,
		terms_of_destination(d) };
	return g;
}

static void
gate_free(struct gate *g)
{
	alerts_leave(g->supervisor->alerts, g->sink);
	sink_close(&g->sink);
	conf_free(&g->conf);
	free(g);
}

static struct gate *
find_gate(const struct gates *gates, const char *name)
{
	struct gate *g;

	TAILQ_FOREACH (g, gates, link)
		if (strcmp(g->config->name, name) == 0)
			return g;
	return NULL;
}

/* --- accounts */

static struct post *
post_new(struct supervisor *s, struct conf *conf, const struct conf_account *a,
    const struct gates *gates)
{
	struct post *p = mem_alloc(sizeof(*p));
	struct sink **sinks =
	    mem_array(a->ndestinations, sizeof(struct sink *));

	p->supervisor = s;
	p->gates = mem_array(a->ndestinations, sizeof(struct gate *));
	for (size_t i = 0; i < a->ndestinations; i++) {
		struct gate *g = find_gate(gates, a->destinations[i]->name);

		if (g == NULL)
			abort(); /* the configuration was checked */
		p->gates[i] = g;
		sinks[i] = g->sink;
	}
	p->account = account_new(&s->context, conf, a, sinks);
	free(sinks);
	return p;
}

static void
post_free(struct post *p)
{
	account_free(&p->account);
	free(p->gates);
	free(p);
}

static struct post *
find_post(const struct posts *posts, const char *name)
{
	struct post *p;

	TAILQ_FOREACH (p, posts, link)
		if (strcmp(account_config(p->account)->name, name) == 0)
			return p;
	return NULL;
}

/* Both would work on the same records. */
static bool
is_same_mailbox(const struct conf_account *a, const struct conf_account *b)
{
	return strcmp(a->name, b->name) == 0 ||
	       (strcmp(a->server.user, b->server.user) == 0 &&
		   strcmp(a->server.host, b->server.host) == 0);
}

static bool
has_predecessor(const struct supervisor *s, const struct post *p)
{
	const struct post *old;

	TAILQ_FOREACH (old, &s->retired, link)
		if (is_same_mailbox(account_config(old->account),
			account_config(p->account)))
			return true;
	return false;
}

static void
begin(struct supervisor *s)
{
	struct post *p;

	if (s->loading > 0 || s->stopping)
		return;
	TAILQ_FOREACH (p, &s->posts, link) {
		if (p->begun || !p->loaded || has_predecessor(s, p))
			continue;
		p->begun = true;
		account_begin(p->account, &p->pause);
	}
	turn(s);
}

/* There may be nothing that --once waits for. */
static void
begin_loaded(struct supervisor *s)
{
	begin(s);
	if (s->o.once)
		timer_set(&s->reap, 0);
}

static void
on_loaded(struct supervisor *s, const struct store_answer *a)
{
	s->loading--;
	if (!a->ok)
		fail_state(s);
	if (!TAILQ_EMPTY(&s->retired) || !TAILQ_EMPTY(&s->closing))
		timer_set(&s->reap, 0); /* some waited for this */
	begin_loaded(s);
}

static void
on_account_loaded(void *arg, struct store_answer *a)
{
	struct post *p = arg;

	p->pause = a->pause;
	p->loaded = true;
	on_loaded(p->supervisor, a);
}

static void
on_destination_loaded(void *arg, struct store_answer *a)
{
	struct gate *g = arg;
	struct supervisor *s = g->supervisor;

	g->loaded = true;
	if (!s->o.dry_run)
		sink_remember(g->sink, &a->pause, s->o.once, on_trouble, g);
	on_loaded(s, a);
}

static void
load_pauses(struct supervisor *s)
{
	struct gate *g;
	struct post *p;

	s->loading++; /* until all are asked for */
	TAILQ_FOREACH (g, &s->gates, link) {
		if (g->loaded)
			continue;
		s->loading++;
		store_pause_load(s->o.store, &g->who,
		    (struct store_done){ on_destination_loaded, g });
	}
	TAILQ_FOREACH (p, &s->posts, link) {
		if (p->loaded)
			continue;
		s->loading++;
		store_pause_load(s->o.store, account_who(p->account),
		    (struct store_done){ on_account_loaded, p });
	}
	s->loading--;
	begin_loaded(s);
}

/* --- what has ended */

static bool
is_used(const struct posts *posts, const struct gate *g)
{
	const struct post *p;

	TAILQ_FOREACH (p, posts, link)
		for (size_t i = 0;
		     i < account_config(p->account)->ndestinations; i++)
			if (p->gates[i] == g)
				return true;
	return false;
}

static void
on_reap(void *arg)
{
	struct supervisor *s = arg;
	struct post *p, *next_post;
	struct gate *g, *next_gate;

	for (p = TAILQ_FIRST(&s->retired); p != NULL; p = next_post) {
		next_post = TAILQ_NEXT(p, link);
		if (!p->loaded || !account_is_quiet(p->account))
			continue;
		TAILQ_REMOVE(&s->retired, p, link);
		post_free(p);
	}
	for (g = TAILQ_FIRST(&s->closing); g != NULL; g = next_gate) {
		next_gate = TAILQ_NEXT(g, link);
		if (!g->loaded || is_used(&s->retired, g))
			continue;
		TAILQ_REMOVE(&s->closing, g, link);
		gate_free(g);
	}
	begin(s);
	if (s->stopping || s->o.once)
		stop_when_quiet(s);
}

/* --- reload */

static bool
gate_may_stay(const struct gate *g, const struct conf *fresh,
    const struct conf_destination *d)
{
	return g != NULL && g->loaded && conf_globals_equal(g->conf, fresh) &&
	       conf_destination_equal(g->config, d);
}

/* Destinations of the new world; those that may stay move over. */
static void
fill_gates(struct supervisor *s, struct conf *fresh, struct gates *gates)
{
	for (size_t i = 0; i < fresh->ndestinations; i++) {
		const struct conf_destination *d = &fresh->destinations[i];
		struct gate *g = find_gate(&s->gates, d->name);

		if (gate_may_stay(g, fresh, d))
			TAILQ_REMOVE(&s->gates, g, link);
		else
			g = gate_new(s, fresh, d);
		TAILQ_INSERT_TAIL(gates, g, link);
	}
}

static bool
post_may_stay(const struct post *p, const struct conf_account *a,
    const struct gates *gates)
{
	if (p == NULL || !p->loaded ||
	    !conf_account_equal(account_config(p->account), a))
		return false;
	for (size_t i = 0; i < a->ndestinations; i++)
		if (find_gate(gates, a->destinations[i]->name) != p->gates[i])
			return false;
	return true;
}

static void
fill_posts(struct supervisor *s, struct conf *fresh, const struct gates *gates,
    struct posts *posts)
{
	for (size_t i = 0; i < fresh->naccounts; i++) {
		const struct conf_account *a = &fresh->accounts[i];
		struct post *p = find_post(&s->posts, a->name);

		if (!is_wanted(&s->o, a->name))
			continue;
		if (post_may_stay(p, a, gates))
			TAILQ_REMOVE(&s->posts, p, link);
		else
			p = post_new(s, fresh, a, gates);
		TAILQ_INSERT_TAIL(posts, p, link);
	}
}

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

/* What is left in the old lists goes, when it has ended what it began. */
static void
retire_old(struct supervisor *s)
{
	struct post *p;
	struct gate *g;

	while ((p = TAILQ_FIRST(&s->posts)) != NULL) {
		TAILQ_REMOVE(&s->posts, p, link);
		TAILQ_INSERT_TAIL(&s->retired, p, link);
		account_retire(p->account);
	}
	while ((g = TAILQ_FIRST(&s->gates)) != NULL) {
		TAILQ_REMOVE(&s->gates, g, link);
		TAILQ_INSERT_TAIL(&s->closing, g, link);
	}
}

/* Who stays may have failed for what was just mended: a file with a password,
 * a certificate. */
static void
try_again(struct supervisor *s)
{
	struct post *p;

	TAILQ_FOREACH (p, &s->posts, link)
		if (p->begun)
			account_try_again(p->account);
}

bool
ask_reload(struct supervisor *s, struct conf *fresh, struct fault *why_r)
{
	struct gates gates = TAILQ_HEAD_INITIALIZER(gates);
	struct posts posts = TAILQ_HEAD_INITIALIZER(posts);
	struct sched_limits limits;

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
	fill_gates(s, fresh, &gates);
	fill_posts(s, fresh, &gates, &posts);
	retire_old(s);
	TAILQ_CONCAT(&s->gates, &gates, link);
	TAILQ_CONCAT(&s->posts, &posts, link);
	conf_free(&s->conf);
	s->conf = fresh;
	limits = limits_of(s);
	sched_limit(&s->sched, &limits);
	spool_pool_resize(s->pool, fresh->spool_max);
	set_alerts(s);
	timer_set(&s->prune, 0);
	s->reloads++;
	try_again(s);
	load_pauses(s);
	timer_set(&s->reap, 0);
	return true;
}

/* --- what people see and ask for */

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
}

static void
say_unknown(struct fault *why_r, const char *what, const char *name)
{
	fault_set(why_r, FAULT_US, FAULT_NEVER, "ask",
	    "the configuration has no %s of the name %s", what, name);
}

bool
ask_poll(struct supervisor *s, const char *account, struct fault *why_r)
{
	struct post *p = find_post(&s->posts, account);

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
	struct post *p = find_post(&s->posts, name);
	struct gate *g = find_gate(&s->gates, name);

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
	struct post *p = find_post(&s->posts, name);
	struct gate *g = find_gate(&s->gates, name);

	if (p != NULL)
		account_resume(p->account);
	if (g != NULL)
		sink_resume(g->sink);
	if (p == NULL && g == NULL)
		say_unknown(why_r, "account or destination", name);
	return p != NULL || g != NULL;
}

static struct account *
account_named(void *arg, const char *name)
{
	struct supervisor *s = arg;
	struct post *p = find_post(&s->posts, name);

	return p != NULL && p->begun ? p->account : NULL;
}

static struct sink *
sink_named(void *arg, const char *name)
{
	struct supervisor *s = arg;
	struct gate *g = find_gate(&s->gates, name);

	return g != NULL ? g->sink : NULL;
}

struct check *
ask_check(struct supervisor *s, const char *name, bool destination,
    const struct check_asker *asker, struct fault *why_r)
{
	const struct check_world world = {
		.ctx = &s->context,
		.conf = s->conf,
		.account = account_named,
		.sink = sink_named,
		.arg = s,
	};
	struct check *c =
	    s->stopping ? NULL : check_start(&world, name, destination, asker);

	if (c == NULL && s->stopping)
		fault_set(why_r, FAULT_US, FAULT_LATER, "check",
		    "mailhauld is stopping");
	else if (c == NULL)
		say_unknown(why_r, "account or destination",
		    name != NULL ? name : "at all");
	return c;
}

void
ask_check_stop(struct check **c)
{
	check_stop(c);
}

/* --- the supervisor */

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
		.store = o->store,
		.pool = s->pool,
		.sched = &s->sched,
		.our_host = s->host,
		.suspect = &s->suspect,
		.once = o->once,
		.dry_run = o->dry_run,
		.turn = turn,
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
	set_alerts(s);
	fill_gates(s, s->conf, &s->gates);
	fill_posts(s, s->conf, &s->gates, &s->posts);
	tell_killers(s);
	load_pauses(s);
	return s;
}

/* An account that is still busy when the grace is over goes down with the
 * process: what it knows is on record, or in doubt on record. */
void
supervisor_free(struct supervisor **supervisor)
{
	struct supervisor *s = *supervisor;
	struct post *p;
	struct gate *g;

	*supervisor = NULL;
	TAILQ_CONCAT(&s->posts, &s->retired, link);
	TAILQ_CONCAT(&s->gates, &s->closing, link);
	TAILQ_FOREACH (p, &s->posts, link)
		if (!account_is_quiet(p->account))
			return;
	while ((p = TAILQ_FIRST(&s->posts)) != NULL) {
		TAILQ_REMOVE(&s->posts, p, link);
		post_free(p);
	}
	while ((g = TAILQ_FIRST(&s->gates)) != NULL) {
		TAILQ_REMOVE(&s->gates, g, link);
		gate_free(g);
	}
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
