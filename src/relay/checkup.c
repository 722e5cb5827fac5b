/* SPDX-License-Identifier: ISC */
#include "relay/checkup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/loop.h"
#include "relay/probe_json.h"
#include "relay/sched.h"
#include "store/store.h"

#define AGAIN_MS 500      /* from one look at a mailbox in use to the next */
#define LONG_WAIT 1000000 /* us for a place, from which on it is a step */
/* Nothing began or ended for so long: who still waits has waited in vain. */
#define PATIENCE_MS (120 * 1000)

struct part {
	struct checkup *checkup;
	struct checkup_part what;
	struct sched_job job;
	struct probe *probe; /* owned; NULL: not begun, or over */
	int64_t since;       /* loop time, us */
	bool begun, over;
};

struct checkup {
	struct checkup_owner o;
	struct part *parts; /* owned */
	size_t nparts, open;
	struct timer turn, patience;
	enum probe_outcome worst;
	bool planned; /* the first line was told */
};

static const char *
name_of(const struct part *p)
{
	return p->what.account != NULL ? p->what.account->name
	                               : p->what.destination->name;
}

static const struct conf_server *
server_of(const struct part *p)
{
	return p->what.account != NULL ? &p->what.account->server
	                               : &p->what.destination->server;
}

static bool
is_destination(const struct part *p)
{
	return p->what.destination != NULL;
}

static void
impatient(struct checkup *c)
{
	timer_set(&c->patience, PATIENCE_MS);
}

/* --- one part */

static void
tell(struct part *p, const struct probe_report *r)
{
	struct checkup *c = p->checkup;

	if (r->outcome > c->worst)
		c->worst = r->outcome;
	c->o.line(c->o.arg, probe_step_json(is_destination(p), name_of(p), r));
}

static void
end_part(struct part *p, enum probe_outcome outcome)
{
	struct checkup *c = p->checkup;

	sched_remove(c->o.sched, &p->job);
	p->probe = NULL;
	p->over = true;
	c->o.line(
	    c->o.arg, probe_end_json(is_destination(p), name_of(p), outcome));
	impatient(c);
	if (--c->open == 0)
		timer_set(&c->turn, 0);
	c->o.turn(c->o.arg);
}

static void
on_reported(void *arg, const struct probe_report *r)
{
	tell(arg, r);
}

static void
on_done(void *arg, const struct probe_result *r)
{
	struct part *p = arg;
	struct checkup *c = p->checkup;

	c->o.ended(c->o.arg, &p->what, r);
	end_part(p, r->outcome);
}

static void
tell_place(struct part *p)
{
	struct checkup *c = p->checkup;
	int64_t waited = loop_now_us(c->o.net->loop) - p->since;
	struct probe_report r = {
		.step = STEP_PLACE,
		.usec = waited,
		.text = "waited for a connection that is free",
	};

	if (waited > LONG_WAIT)
		tell(p, &r);
}

static void
on_place(void *arg)
{
	struct part *p = arg;
	struct checkup *c = p->checkup;
	struct store_pause pause = { 0 };
	struct probe_owner owner = {
		.net = c->o.net,
		.tokens = c->o.tokens,
		.conf = c->o.conf,
		.account = p->what.account,
		.destination = p->what.destination,
		.store = c->o.store,
		.pause = &pause,
		.reported = on_reported,
		.done = on_done,
		.arg = p,
	};

	if (!c->o.may_begin(c->o.arg, &p->what)) {
		sched_done(c->o.sched, &p->job);
		sched_at(c->o.sched, &p->job,
		    loop_now_ms(c->o.net->loop) + AGAIN_MS);
		c->o.turn(c->o.arg);
		return;
	}
	p->begun = true;
	impatient(c);
	tell_place(p);
	c->o.pause(c->o.arg, &p->what, &pause);
	p->probe = probe_start(&owner);
}

static void
give_up(struct part *p)
{
	char text[512];
	struct probe_report r = {
		.step = STEP_PLACE,
		.outcome = PROBE_SKIPPED,
		.usec = loop_now_us(p->checkup->o.net->loop) - p->since,
		.text = text,
		.cure = "check again later, or allow more with "
			"connections_per_host and connections",
	};

	snprintf(text, sizeof(text),
	    "not tried: all connections that %s may have are in use",
	    server_of(p)->host);
	tell(p, &r);
	end_part(p, r.outcome);
}

static void
on_impatient(void *arg)
{
	struct checkup *c = arg;

	for (size_t i = 0; i < c->nparts; i++)
		if (!c->parts[i].begun && !c->parts[i].over)
			give_up(&c->parts[i]);
}

/* --- all of them */

static void
checkup_free(struct checkup *c)
{
	timer_free(&c->turn);
	timer_free(&c->patience);
	conf_free(&c->o.conf);
	free(c->parts);
	free(c);
}

static void
tell_plan(struct checkup *c)
{
	const struct conf_account **accounts =
	    mem_array(c->nparts + 1, sizeof(*accounts));
	const struct conf_destination **destinations =
	    mem_array(c->nparts + 1, sizeof(*destinations));
	size_t na = 0, nd = 0;

	for (size_t i = 0; i < c->nparts; i++)
		if (c->parts[i].what.account != NULL)
			accounts[na++] = c->parts[i].what.account;
		else
			destinations[nd++] = c->parts[i].what.destination;
	c->planned = true;
	c->o.line(c->o.arg, probe_plan_json(accounts, na, destinations, nd));
	free(accounts);
	free(destinations);
}

/* From the loop: at the beginning, and when all is over. */
static void
on_turn(void *arg)
{
	struct checkup *c = arg;

	if (!c->planned)
		tell_plan(c);
	if (c->open > 0) {
		c->o.turn(c->o.arg);
		return;
	}
	c->o.done(c->o.arg, c->worst);
	checkup_free(c);
}

static void
add_part(struct checkup *c, const char *wanted, const char *name,
    struct checkup_part what)
{
	struct part *p = &c->parts[c->nparts];

	if (wanted != NULL && strcmp(wanted, name) != 0)
		return;
	c->nparts++;
	c->open++;
	*p = (struct part){
		.checkup = c,
		.what = what,
		.since = loop_now_us(c->o.net->loop),
		.job = { .arg = p, .run = on_place },
	};
	sched_add(c->o.sched, &p->job, server_of(p)->host, false);
	sched_at(c->o.sched, &p->job, loop_now_ms(c->o.net->loop));
}

struct checkup *
checkup_start(
    const struct checkup_owner *owner, const char *name, bool destination)
{
	struct checkup *c = mem_alloc(sizeof(*c));
	const struct conf *conf = owner->conf;

	c->o = *owner;
	conf_ref(c->o.conf);
	c->parts = mem_array(
	    conf->naccounts + conf->ndestinations + 1, sizeof(*c->parts));
	timer_init(&c->turn, owner->net->loop, on_turn, c);
	timer_init(&c->patience, owner->net->loop, on_impatient, c);
	for (size_t i = 0; i < conf->naccounts; i++)
		if (name == NULL || !destination)
			add_part(c, name, conf->accounts[i].name,
			    (struct checkup_part){
				.account = &conf->accounts[i] });
	for (size_t i = 0; i < conf->ndestinations; i++)
		if (name == NULL || destination)
			add_part(c, name, conf->destinations[i].name,
			    (struct checkup_part){
				.destination = &conf->destinations[i] });
	if (c->nparts == 0) {
		checkup_free(c);
		return NULL;
	}
	timer_set(&c->turn, 0);
	impatient(c);
	return c;
}

void
checkup_stop(struct checkup **checkup)
{
	struct checkup *c = *checkup;

	*checkup = NULL;
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->nparts; i++) {
		struct part *p = &c->parts[i];

		if (p->over)
			continue;
		if (p->probe != NULL)
			c->o.ended(c->o.arg, &p->what, NULL);
		probe_stop(&p->probe);
		sched_remove(c->o.sched, &p->job);
	}
	checkup_free(c);
}
