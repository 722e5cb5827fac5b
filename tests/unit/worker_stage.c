/* SPDX-License-Identifier: ISC */
#include "worker_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/mem.h"

static char account_name[] = "hotmail", host[] = "pop", user[] = "me",
	    home[] = "home", you[] = "you@y";

static void
on_idle(void *arg)
{
	loop_stop(arg);
}

static void
on_done(void *arg, const struct worker_report *r)
{
	struct stage *s = arg;

	s->report = *r;
	trail_event(&s->trail, "done%s: %u relayed",
	    r->failed ? ", failed" : "", r->relayed);
}

static enum worker_leave
on_leaving(void *arg, bool can_watch)
{
	struct stage *s = arg;

	trail_event(&s->trail, "leaving%s", can_watch ? ", can watch" : "");
	return s->leave;
}

static bool
may_poll(void *arg)
{
	return !((const struct stage *)arg)->no_room;
}

int
setup(void **state)
{
	struct stage *s = mem_alloc(sizeof(*s));

	log_open(-1);
	trail_raw(&s->trail, "", 0);
	s->loop = s->net.loop = loop_new();
	timer_init(&s->idle, s->loop, on_idle, s->loop);
	s->sink.trail = s->store.trail = fake_source.trail = &s->trail;
	s->sinks[0] = &s->sink;
	s->conf = (struct conf){ .message_max = 1000 };
	s->dest = (struct conf_destination){ .name = home, .recipient = you };
	s->sink.dest = &s->dest;
	s->dests[0] = &s->dest;
	s->names[0] = home;
	s->account = (struct conf_account){
		.name = account_name,
		.server = { .host = host, .user = user },
		.protocol = CONF_POP3,
		.destination_names = s->names,
		.destinations = s->dests,
		.ndestinations = 1,
	};
	s->context = (struct worker_context){
		.net = &s->net,
		.conf = &s->conf,
		.store = &s->store,
		.pool = spool_pool_new(-1, 10000),
		.holder = &s->holder,
		.our_host = "me.example",
		.sinks = s->sinks,
		.suspect = &s->suspect,
		.tally = &s->tally,
	};
	s->folder = (struct conf_folder){ .after = CONF_AFTER_DELETE };
	s->worker = worker_new(&s->context,
	    &(struct worker_mailbox){ &s->account, &s->folder, "INBOX" },
	    &(struct worker_owner){
		.done = on_done,
		.leaving = on_leaving,
		.may_poll = may_poll,
		.arg = s,
	    });
	*state = s;
	return 0;
}

int
teardown(void **state)
{
	struct stage *s = *state;

	assert_false(worker_busy(s->worker));
	assert_false(fake_source.open);
	worker_free(&s->worker);
	spool_pool_free(&s->context.pool);
	timer_free(&s->idle);
	loop_free(&s->loop);
	trail_free(&s->trail);
	free(s);
	return 0;
}

void
run(struct stage *s)
{
	timer_set(&s->idle, 1);
	loop_run(s->loop);
}

void
forget(struct stage *s)
{
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
}

void
assert_trail(struct stage *s, const char *expected)
{
	assert_string_equal(s->trail.text, expected);
	forget(s);
}

/* Answers with n messages, from number on. */
void
give_items(struct stage *s, uint32_t number, size_t n, uint64_t size)
{
	struct store_answer a = { .nitems = n };

	if (n > 0)
		a.items = mem_array(n, sizeof(*a.items));
	for (size_t i = 0; i < n; i++)
		a.items[i] = (struct store_item){
			.id = (int64_t)(number + i),
			.uid = mem_strdup("uid"),
			.number = number + (uint32_t)i,
			.size = size,
			.destination = mem_strdup(home),
			.state = STORE_NEW,
		};
	fake_store_answer(&s->store, &a);
}

/* Up to the question what there is to do. */
void
list(struct stage *s, uint64_t waiting)
{
	struct store_answer found = { .mailbox = 1, .baseline = true };
	struct store_answer settled = { .waiting = waiting };
	const struct source_mailbox m = { .exists = 1 };

	worker_poll(s->worker, NULL);
	assert_true(worker_busy(s->worker));
	fake_store_answer(&s->store, &found);
	fake_source.source.events->ready(fake_source.source.arg);
	fake_source.source.events->selected(fake_source.source.arg, &m, NULL);
	fake_source.source.events->entry(
	    fake_source.source.arg, span_str("uid"), 1, 20);
	fake_source.source.events->listed(fake_source.source.arg, true);
	fake_store_answer(&s->store, &settled);
}

void
fetched(uint32_t number, const char *text)
{
	assert_true(fake_source.source.events->piece(
	    fake_source.source.arg, span_str(text)));
	fake_source.source.events->fetched(
	    fake_source.source.arg, number, NULL);
}

void
down(const struct fault *f)
{
	fake_source.source.events->down(fake_source.source.arg, f);
}

void
as_imap(struct stage *s)
{
	s->account.protocol = CONF_IMAP;
	s->account.ndestinations = 1;
	worker_free(&s->worker);
	s->worker = worker_new(&s->context,
	    &(struct worker_mailbox){ &s->account, &s->folder, "Junk" },
	    &(struct worker_owner){
		.done = on_done,
		.leaving = on_leaving,
		.may_poll = may_poll,
		.arg = s,
	    });
	fake_source.can_watch = true;
	fake_source.has_news = false;
}

const struct source_events *
source_is(void)
{
	return fake_source.source.events;
}
