/* SPDX-License-Identifier: ISC */
/*
 * A check of settings beside the polls and deliveries that go on: it has its
 * place in the timetable like they do, respects what is remembered of an
 * account or destination, and leaves there what became of its login.
 */
#include "daemon/view.h"

#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/account.h"
#include "daemon/supervisor_private.h"
#include "relay/checkup.h"
#include "relay/sink.h"

struct check {
	struct supervisor *supervisor; /* foreign */
	struct check_asker asker;
	struct checkup *checkup; /* owned */
};

/* A reload may have replaced it since; NULL also of a destination. */
static struct account *
account_of_part(const struct check *c, const struct checkup_part *p)
{
	const struct post *post =
	    p->account != NULL
		? supervisor_post(c->supervisor, p->account->name)
		: NULL;

	return post != NULL && post->begun &&
	               conf_account_equal(
			   account_config(post->account), p->account)
	           ? post->account
	           : NULL;
}

static struct sink *
sink_of_part(const struct check *c, const struct checkup_part *p)
{
	const struct gate *g =
	    p->destination != NULL
		? supervisor_gate(c->supervisor, p->destination->name)
		: NULL;

	return g != NULL && conf_destination_equal(g->config, p->destination)
	           ? g->sink
	           : NULL;
}

static void
on_turn(void *arg)
{
	const struct check *c = arg;

	supervisor_turn(c->supervisor);
}

static void
on_pause(void *arg, const struct checkup_part *p, struct store_pause *pause_r)
{
	const struct account *a = account_of_part(arg, p);
	const struct sink *s = sink_of_part(arg, p);
	struct sink_status st;

	if (a != NULL)
		*pause_r = *account_pause_of(a);
	if (s == NULL)
		return;
	sink_status(s, &st);
	*pause_r = *st.pause;
}

static bool
on_may_begin(void *arg, const struct checkup_part *p)
{
	struct account *a = account_of_part(arg, p);

	return a == NULL || account_visit(a);
}

static void
on_ended(void *arg, const struct checkup_part *p, const struct probe_result *r)
{
	struct account *a = account_of_part(arg, p);
	struct sink *s = sink_of_part(arg, p);

	if (a != NULL)
		account_visited(a, r);
	if (s != NULL && r != NULL && probe_login_refused(r))
		sink_login_refused(s, r->fault);
}

static void
on_line(void *arg, json_t *line)
{
	const struct check *c = arg;

	c->asker.line(c->asker.arg, line);
}

static void
on_done(void *arg, enum probe_outcome worst)
{
	struct check *c = arg;
	struct check_asker asker = c->asker;

	(void)worst; /* the lines said it */
	free(c);
	asker.done(asker.arg);
}

static struct checkup *
begin(struct check *c, const char *name, bool destination)
{
	struct supervisor *s = c->supervisor;
	const struct checkup_owner owner = {
		.net = s->o.net,
		.tokens = s->o.tokens,
		.conf = s->conf,
		.store = s->o.store,
		.sched = &s->sched,
		.turn = on_turn,
		.pause = on_pause,
		.may_begin = on_may_begin,
		.ended = on_ended,
		.line = on_line,
		.done = on_done,
		.arg = c,
	};

	return checkup_start(&owner, name, destination);
}

struct check *
ask_check(struct supervisor *s, const char *name, bool destination,
    const struct check_asker *asker, struct fault *why_r)
{
	struct check *c;

	if (s->stopping) {
		fault_set(why_r, FAULT_US, FAULT_LATER, "check",
		    "mailhauld is stopping");
		return NULL;
	}
	c = mem_alloc(sizeof(*c));
	c->supervisor = s;
	c->asker = *asker;
	c->checkup = begin(c, name, destination);
	if (c->checkup != NULL)
		return c;
	fault_set(why_r, FAULT_US, FAULT_NEVER, "check",
	    "the configuration has nothing of that name");
	free(c);
	return NULL;
}

void
ask_check_stop(struct check **c)
{
	if (*c == NULL)
		return;
	checkup_stop(&(*c)->checkup);
	free(*c);
	*c = NULL;
}
