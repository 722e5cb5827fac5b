/* SPDX-License-Identifier: ISC */
#include "daemon/supervisor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/alert.h"
#include "daemon/notify.h"
#include "net/conn.h"
#include "net/loop.h"
#include "relay/retry.h"
#include "relay/sink.h"
#include "relay/spool.h"
#include "relay/worker.h"
#include "store/statedir.h"
#include "store/store.h"

#define ROOM_INTERVAL 5 /* seconds from one look at a full disk to the next */

/* One account and its place in the timetable. */
struct post {
	struct supervisor *supervisor;
	const struct conf_account *account;
	struct worker_context context;
	struct sink **sinks; /* owned array of foreign sinks */
	struct worker *worker;
	struct timer due;
	struct store_who who;
	struct store_pause pause;
};

/* One destination and what is remembered of it. */
struct gate {
	struct supervisor *supervisor;
	struct sink *sink; /* owned */
	struct store_who who;
};

struct supervisor {
	struct supervisor_options o;
	struct gate *gates; /* owned, as conf->destinations */
	struct spool_pool *pool;
	struct alerts *alerts;
	struct post *posts; /* owned */
	size_t nposts;
	const struct worker *suspect; /* of the workers */
	size_t loading;               /* pauses that the store was asked for */
	struct timer grace;
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

static void
stop_when_quiet(struct supervisor *s)
{
	for (size_t i = 0; i < s->nposts; i++)
		if (worker_busy(s->posts[i].worker))
			return;
	alerts_finish(s->alerts);
}

/* What waits for a destination is told of by the destination. */
static int
priority(const struct post *p, const struct fault *f, bool tell)
{
	if (tell)
		return LOG_ERR;
	if (p->supervisor->o.once || f->scope == FAULT_US)
		return LOG_WARNING;
	return f->scope == FAULT_ACCOUNT && p->pause.failures == 1 ? LOG_INFO
	                                                           : LOG_DEBUG;
}

static void
tell_failure(
    const struct post *p, const struct fault *f, bool tell, int64_t next)
{
	struct log_event e = {
		.priority = priority(p, f, tell),
		.message_id = LOG_ID_ACCOUNT_FAILED,
		.account = p->account->name,
		.code = f->code,
	};
	const char *hint = f->hint != NULL ? f->hint : "";
	const char *sep = f->hint != NULL ? "; " : "";

	if (f->scope == FAULT_ACCOUNT)
		log_event(&e, "%s: %s (%s port %u): %s%s%s", e.account,
		    f->phase, p->account->server.host, p->account->server.port,
		    f->text, sep, hint);
	else
		log_event(&e, "%s: waits for the %s: %s: %s%s%s", e.account,
		    f->scope == FAULT_US ? "state" : "destination", f->phase,
		    f->text, sep, hint);
	if (!p->supervisor->o.once)
		log_event(&e, "%s: next poll in %lld seconds", e.account,
		    (long long)next);
}

static void
save_pause(struct post *p)
{
	store_pause_save(p->supervisor->o.store, &p->who, &p->pause,
	    (struct store_done){ .run = NULL });
}

static void
tell_recovery(struct post *p)
{
	struct log_event e = {
		.priority = p->pause.alerted ? LOG_NOTICE : LOG_INFO,
		.account = p->account->name,
	};

	log_event(&e, "%s: works again", e.account);
}

/* Notes how the account did; seconds until its next poll. */
static int64_t
settle_account(struct post *p, const struct worker_report *r)
{
	bool failed = r->failed && r->fault.scope == FAULT_ACCOUNT;
	bool tell = false;
	struct retry_terms terms = {
		.now = time(NULL),
		.interval = (int64_t)p->account->interval,
		.seed = p->who.terms,
	};
	int64_t next;

	if (r->last_login > 0) {
		p->pause.last_login = r->last_login;
		p->pause.login_delay = r->login_delay;
	}
	terms.login_delay = p->pause.login_delay;
	next = retry_interval(&terms);
	if (failed) {
		tell = retry_account(&p->pause, &r->fault, &terms);
		next = retry_wait(&p->pause, terms.now, false);
	} else if (p->pause.failures > 0) {
		tell_recovery(p);
		p->pause = (struct store_pause){
			.last_login = p->pause.last_login,
			.login_delay = p->pause.login_delay,
		};
		save_pause(p);
	}
	if (failed)
		save_pause(p);
	alert_pause(p->supervisor->alerts, &p->who, &p->pause,
	    failed ? &r->fault : NULL);
	if (r->failed)
		tell_failure(p, &r->fault, tell, next);
	return next;
}

static void
on_polled(void *arg, const struct worker_report *r)
{
	struct post *p = arg;
	struct supervisor *s = p->supervisor;
	int64_t next = settle_account(p, r);

	alert_held(s->alerts, p->account->name, r->held - r->quiet);
	s->failed = s->failed || r->failed;
	s->deferred = s->deferred || r->deferred > 0 || r->in_doubt > 0;
	if (r->failed && r->fault.scope == FAULT_US && !s->stopping) {
		/* Without its records it must not relay (CASES D3). */
		alert_state(s->alerts, true, r->fault.text);
		s->state_failed = true;
		supervisor_stop(s);
		return;
	}
	if (s->stopping || s->o.once)
		stop_when_quiet(s);
	else
		timer_set(&p->due, next * 1000);
}

/* A disk that is nearly full is left to those who need the rest of it: what
 * begins there would end in doubt (CASES D1). */
static bool
has_room(struct supervisor *s)
{
	struct log_event e = { .message_id = LOG_ID_STATE };
	uint64_t room = statedir_room(s->o.state_dir);
	bool is_short = room < s->o.conf->min_free && !s->o.dry_run;

	e.priority = is_short ? LOG_ERR : LOG_NOTICE;
	if (is_short && !s->no_room)
		log_event(&e,
		    "the disk of the state directory has %llu bytes free, less "
		    "than min_free (%llu): nothing is polled until it has",
		    (unsigned long long)room,
		    (unsigned long long)s->o.conf->min_free);
	if (!is_short && s->no_room)
		log_event(&e, "the disk of the state directory has room again: "
			      "polling goes on");
	alert_state(s->alerts, is_short,
	    "the state's disk has less room than min_free");
	s->no_room = is_short;
	return !is_short;
}

static void
on_due(void *arg)
{
	struct post *p = arg;
	struct supervisor *s = p->supervisor;

	if (has_room(s)) {
		worker_poll(p->worker);
	} else if (s->o.once) {
		s->deferred = true;
		stop_when_quiet(s);
	} else {
		timer_set(&p->due, (int64_t)ROOM_INTERVAL * 1000);
	}
}

/* --- pauses from before the start */

/* false: it is to be left alone still, and there is no hurry that counts. */
static bool
may_poll(struct post *p, int64_t *wait_r)
{
	int64_t now = time(NULL);
	int64_t pause = retry_wait(&p->pause, now, p->supervisor->o.once);
	int64_t login = retry_login_wait(&p->pause, now);

	*wait_r = pause > login ? pause : login;
	if (*wait_r == 0)
		return true;
	if (pause >= login)
		log_line(LOG_NOTICE,
		    "%s: not polled for another %lld seconds, after: %s",
		    p->account->name, (long long)pause, p->pause.reply);
	else
		log_line(LOG_NOTICE,
		    "%s: not polled for another %lld seconds: its server wants "
		    "%lld between logins",
		    p->account->name, (long long)login,
		    (long long)p->pause.login_delay);
	return false;
}

static void
begin(struct supervisor *s)
{
	int64_t wait;

	for (size_t i = 0; i < s->nposts; i++) {
		struct post *p = &s->posts[i];

		if (may_poll(p, &wait))
			on_due(p);
		else if (!s->o.once)
			timer_set(&p->due, wait * 1000);
	}
	if (s->o.once)
		stop_when_quiet(s);
}

static void
on_loaded(struct supervisor *s, const struct store_answer *a)
{
	if (!a->ok && !s->stopping) {
		s->state_failed = true;
		supervisor_stop(s);
	}
	if (--s->loading == 0 && !s->stopping)
		begin(s);
}

static void
on_account_loaded(void *arg, struct store_answer *a)
{
	struct post *p = arg;

	p->pause = a->pause;
	on_loaded(p->supervisor, a);
}

static void
on_trouble(void *arg, const struct store_pause *pause)
{
	struct gate *g = arg;

	alert_pause(
	    g->supervisor->alerts, &g->who, pause, sink_trouble(g->sink));
	store_pause_save(g->supervisor->o.store, &g->who, pause,
	    (struct store_done){ .run = NULL });
}

static void
on_destination_loaded(void *arg, struct store_answer *a)
{
	struct gate *g = arg;
	struct supervisor *s = g->supervisor;

	if (!s->o.dry_run)
		sink_remember(g->sink, &a->pause, s->o.once, on_trouble, g);
	on_loaded(s, a);
}

static uint64_t
hash_number(uint64_t hash, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return retry_hash(hash, text);
}

/* Whatever a person would change to end a pause. */
static uint64_t
server_terms(const struct conf_server *c, const char *name)
{
	uint64_t hash = retry_hash(RETRY_HASH_START, name);

	hash = retry_hash(hash, c->host);
	hash = hash_number(hash, c->port);
	hash = retry_hash(hash, c->user);
	hash = retry_hash(hash, c->password);
	hash = hash_number(hash, (uint64_t)c->auth);
	hash = retry_hash(hash, c->ca_file != NULL ? c->ca_file : "");
	for (size_t i = 0; c->pinned && i < sizeof(c->pin); i++)
		hash = hash_number(hash, c->pin[i]);
	return hash;
}

static uint64_t
destination_terms(const struct conf_destination *d)
{
	uint64_t hash = server_terms(&d->server, d->name);

	hash = hash_number(hash, (uint64_t)d->tls);
	hash = retry_hash(hash, d->mail_from);
	hash = retry_hash(hash, d->recipient);
	return retry_hash(hash, d->ehlo != NULL ? d->ehlo : "");
}

static void
load_pauses(struct supervisor *s)
{
	s->loading = s->o.conf->ndestinations + s->nposts;
	for (size_t i = 0; i < s->o.conf->ndestinations; i++) {
		struct gate *g = &s->gates[i];

		store_pause_load(s->o.store, &g->who,
		    (struct store_done){ on_destination_loaded, g });
	}
	for (size_t i = 0; i < s->nposts; i++) {
		struct post *p = &s->posts[i];

		store_pause_load(s->o.store, &p->who,
		    (struct store_done){ on_account_loaded, p });
	}
}

/* --- the supervisor */

static struct sink *
find_sink(const struct supervisor *s, const struct conf_destination *d)
{
	return s->gates[d - s->o.conf->destinations].sink;
}

static void
open_gate(struct supervisor *s, size_t i)
{
	const struct conf_destination *d = &s->o.conf->destinations[i];

	s->gates[i] = (struct gate){
		.supervisor = s,
		.sink = sink_open(s->o.net, s->o.conf, d),
		.who = { STORE_DESTINATION, d->name, destination_terms(d) },
	};
}

static void
man_post(struct supervisor *s, const struct conf_account *a)
{
	struct post *p = &s->posts[s->nposts++];

	p->supervisor = s;
	p->account = a;
	p->sinks = mem_array(a->ndestinations, sizeof(struct sink *));
	for (size_t i = 0; i < a->ndestinations; i++)
		p->sinks[i] = find_sink(s, a->destinations[i]);
	p->context = (struct worker_context){
		.net = s->o.net,
		.conf = s->o.conf,
		.store = s->o.store,
		.pool = s->pool,
		.our_host = s->host,
		.sinks = p->sinks,
		.suspect = &s->suspect,
		.dry_run = s->o.dry_run,
	};
	p->worker = worker_new(&p->context, a, on_polled, p);
	timer_init(&p->due, s->o.net->loop, on_due, p);
	p->who = (struct store_who){ STORE_ACCOUNT, a->name,
		hash_number(
		    server_terms(&a->server, a->name), (uint64_t)a->protocol) };
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

static struct sink *
sink_at(void *arg, size_t i)
{
	struct supervisor *s = arg;

	return i < s->o.conf->ndestinations ? s->gates[i].sink : NULL;
}

/* A dry run tells nobody. */
static void
listen_for_trouble(struct supervisor *s)
{
	struct alerts_options o = {
		.loop = s->o.net->loop,
		.store = s->o.store,
		.sink = sink_at,
		.arg = s,
		.host = s->host,
	};

	s->alerts = alerts_new(&o);
	if (!s->o.dry_run)
		alerts_configure(
		    s->alerts, s->o.conf->alert_command, s->o.conf->notify);
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

struct supervisor *
supervisor_new(const struct supervisor_options *o)
{
	struct supervisor *s = mem_alloc(sizeof(*s));
	const struct conf *conf = o->conf;

	s->o = *o;
	if (gethostname(s->host, sizeof(s->host) - 1) != 0)
		strcpy(s->host, "localhost");
	s->pool = spool_pool_new(o->state_dir, conf->spool_max);
	s->gates = mem_array(conf->ndestinations, sizeof(*s->gates));
	for (size_t i = 0; i < conf->ndestinations; i++)
		open_gate(s, i);
	timer_init(&s->grace, o->net->loop, on_grace_over, s);
	s->posts = mem_array(conf->naccounts, sizeof(*s->posts));
	for (size_t i = 0; i < conf->naccounts; i++)
		if (is_wanted(o, conf->accounts[i].name))
			man_post(s, &conf->accounts[i]);
	listen_for_trouble(s);
	tell_killers(s);
	load_pauses(s);
	return s;
}

void
supervisor_stop(struct supervisor *s)
{
	if (s->stopping) {
		loop_stop(s->o.net->loop);
		return;
	}
	s->stopping = true;
	notify_stopping(s->o.conf->shutdown_grace);
	timer_set(&s->grace, (int64_t)s->o.conf->shutdown_grace * 1000);
	for (size_t i = 0; i < s->nposts; i++) {
		timer_cancel(&s->posts[i].due);
		worker_stop(s->posts[i].worker);
	}
	stop_when_quiet(s);
}

/* A worker that is still busy when the grace is over goes down with the
 * process: what it knows is on record, or in doubt on record. */
void
supervisor_free(struct supervisor **supervisor)
{
	struct supervisor *s = *supervisor;

	*supervisor = NULL;
	for (size_t i = 0; i < s->nposts; i++)
		if (worker_busy(s->posts[i].worker))
			return;
	for (size_t i = 0; i < s->nposts; i++) {
		worker_free(&s->posts[i].worker);
		timer_free(&s->posts[i].due);
		free(s->posts[i].sinks);
	}
	alerts_free(&s->alerts);
	for (size_t i = 0; i < s->o.conf->ndestinations; i++)
		sink_close(&s->gates[i].sink);
	spool_pool_free(&s->pool);
	timer_free(&s->grace);
	free(s->gates);
	free(s->posts);
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
