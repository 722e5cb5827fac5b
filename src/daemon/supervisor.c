/* SPDX-License-Identifier: ISC */
#include "daemon/supervisor.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/notify.h"
#include "net/conn.h"
#include "net/loop.h"
#include "relay/retry.h"
#include "relay/sink.h"
#include "relay/spool.h"
#include "relay/worker.h"
#include "store/statedir.h"

#define ROOM_INTERVAL 5 /* seconds from one look at a full disk to the next */

/* One account and its place in the timetable. */
struct post {
	struct supervisor *supervisor;
	const struct conf_account *account;
	struct worker_context context;
	struct sink **sinks; /* owned array of foreign sinks */
	struct worker *worker;
	struct timer due;
	unsigned failures; /* polls in a row */
};

struct supervisor {
	struct supervisor_options o;
	struct sink **sinks; /* owned, as conf->destinations */
	struct spool_pool *pool;
	struct post *posts; /* owned */
	size_t nposts;
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
	loop_stop(s->o.net->loop);
}

static void
tell_failure(const struct post *p, const struct fault *f, int64_t next)
{
	struct log_event e = {
		.priority = LOG_WARNING,
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
on_polled(void *arg, const struct worker_report *r)
{
	struct post *p = arg;
	struct supervisor *s = p->supervisor;
	int64_t next = (int64_t)p->account->interval;

	p->failures = r->failed ? p->failures + 1 : 0;
	if (r->failed) {
		next = retry_account(&r->fault, p->failures, next);
		tell_failure(p, &r->fault, next);
	}
	s->failed = s->failed || r->failed;
	s->deferred = s->deferred || r->deferred > 0 || r->in_doubt > 0;
	if (r->failed && r->fault.scope == FAULT_US && !s->stopping) {
		/* Without its records it must not relay (CASES D3). */
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

static struct sink *
find_sink(const struct supervisor *s, const struct conf_destination *d)
{
	return s->sinks[d - s->o.conf->destinations];
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
		.dry_run = s->o.dry_run,
	};
	p->worker = worker_new(&p->context, a, on_polled, p);
	timer_init(&p->due, s->o.net->loop, on_due, p);
	timer_set(&p->due, 0);
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

struct supervisor *
supervisor_new(const struct supervisor_options *o)
{
	struct supervisor *s = mem_alloc(sizeof(*s));
	const struct conf *conf = o->conf;

	s->o = *o;
	if (gethostname(s->host, sizeof(s->host) - 1) != 0)
		strcpy(s->host, "localhost");
	s->pool = spool_pool_new(o->state_dir, conf->spool_max);
	s->sinks = mem_array(conf->ndestinations, sizeof(struct sink *));
	for (size_t i = 0; i < conf->ndestinations; i++)
		s->sinks[i] = sink_open(o->net, conf, &conf->destinations[i]);
	timer_init(&s->grace, o->net->loop, on_grace_over, s);
	s->posts = mem_array(conf->naccounts, sizeof(*s->posts));
	for (size_t i = 0; i < conf->naccounts; i++)
		if (is_wanted(o, conf->accounts[i].name))
			man_post(s, &conf->accounts[i]);
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
	for (size_t i = 0; i < s->o.conf->ndestinations; i++)
		sink_close(&s->sinks[i]);
	spool_pool_free(&s->pool);
	timer_free(&s->grace);
	free(s->sinks);
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
