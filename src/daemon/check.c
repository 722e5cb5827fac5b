/* SPDX-License-Identifier: ISC */
#include "daemon/check.h"

#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/account.h"
#include "relay/checkup.h"
#include "relay/sink.h"
#include "store/store.h"

struct check {
	struct check_world world;
	struct check_asker asker;
	struct checkup *checkup; /* owned */
};

/* A reload may have replaced it since. */
static struct account *
account_of_part(const struct check *c, const struct checkup_part *p)
{
	struct account *a = c->world.account(c->world.arg, p->account->name);

	return a != NULL && conf_account_equal(account_config(a), p->account)
	           ? a
	           : NULL;
}

static struct sink *
sink_of_part(const struct check *c, const struct checkup_part *p)
{
	struct sink *s = c->world.sink(c->world.arg, p->destination->name);

	return s != NULL && conf_destination_equal(
				sink_destination(s), p->destination)
	           ? s
	           : NULL;
}

static void
on_turn(void *arg)
{
	const struct check *c = arg;

	c->world.ctx->turn(c->world.ctx->arg);
}

static void
on_pause(void *arg, const struct checkup_part *p, struct store_pause *pause_r)
{
	const struct account *a =
	    p->account != NULL ? account_of_part(arg, p) : NULL;
	const struct sink *s =
	    p->destination != NULL ? sink_of_part(arg, p) : NULL;
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
	struct account *a = p->account != NULL ? account_of_part(arg, p) : NULL;

	return a == NULL || account_visit(a);
}

static void
on_ended(void *arg, const struct checkup_part *p, const struct probe_result *r)
{
	struct account *a = p->account != NULL ? account_of_part(arg, p) : NULL;
	struct sink *s = p->destination != NULL ? sink_of_part(arg, p) : NULL;

	if (a != NULL)
		account_visited(a, r);
	if (s != NULL && r != NULL && r->fault != NULL && r->fault->login)
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

struct check *
check_start(const struct check_world *world, const char *name, bool destination,
    const struct check_asker *asker)
{
	struct check *c = mem_alloc(sizeof(*c));
	struct checkup_owner owner = {
		.net = world->ctx->net,
		.conf = world->conf,
		.store = world->ctx->store,
		.sched = world->ctx->sched,
		.turn = on_turn,
		.pause = on_pause,
		.may_begin = on_may_begin,
		.ended = on_ended,
		.line = on_line,
		.done = on_done,
		.arg = c,
	};

	c->world = *world;
	c->asker = *asker;
	c->checkup = checkup_start(&owner, name, destination);
	if (c->checkup == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

void
check_stop(struct check **c)
{
	if (*c == NULL)
		return;
	checkup_stop(&(*c)->checkup);
	free(*c);
	*c = NULL;
}
