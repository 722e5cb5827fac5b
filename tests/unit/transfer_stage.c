/* SPDX-License-Identifier: ISC */
#include "transfer_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay/spool.h"

static void
on_idle(void *arg)
{
	struct stage *s = arg;

	loop_stop(s->loop);
}

int
setup(void **state)
{
	struct stage *s = calloc(1, sizeof(*s));

	log_open(-1);
	if (s == NULL)
		return -1;
	s->loop = loop_new();
	timer_init(&s->idle, s->loop, on_idle, s);
	s->pool = spool_pool_new(-1, 1 << 20);
	s->sink.trail = s->store.trail = &s->trail;
	s->source = (struct trace_source){ s->key, s->uuid, "INBOX", 7 };
	strcpy(s->uid, "42");
	strcpy(s->destination, "home");
	strcpy(s->address, "me@example.org");
	s->dest = (struct conf_destination){ .name = s->destination,
		.mail_from = s->address };
	s->sink.dest = &s->dest;
	s->item = (struct store_item){
		.id = 5,
		.uid = s->uid,
		.destination = s->destination,
		.state = STORE_NEW,
	};
	s->context = (struct transfer_context){
		.loop = s->loop,
		.store = &s->store,
		.account = "hotmail",
		.mailbox = "INBOX",
		.source_host = "imap.example",
		.our_host = "me.example",
		.protocol = "IMAPS",
		.trace = &s->source,
		.token = "token",
	};
	*state = s;
	return 0;
}

int
teardown(void **state)
{
	struct stage *s = *state;

	timer_free(&s->idle);
	loop_free(&s->loop);
	spool_pool_free(&s->pool);
	trail_free(&s->trail);
	free(s);
	return 0;
}

void
on_done(void *arg, struct transfer *t, const struct transfer_result *r)
{
	static const char *const names[] = {
		[TRANSFER_RELAYED] = "relayed",
		[TRANSFER_DEFERRED] = "deferred",
		[TRANSFER_HELD] = "held",
		[TRANSFER_IN_DOUBT] = "in doubt",
		[TRANSFER_UNTRIED] = "untried",
	};
	struct stage *s = arg;

	assert_ptr_equal(t, s->transfer);
	s->transfer = NULL;
	s->result = *r;
	trail_event(&s->trail, "done: %s%s", names[r->end],
	    r->complete ? ", complete" : "");
}

void
start_with(struct stage *s, struct span message)
{
	struct transfer_route route = { .sink = &s->sink,
		.destination = "home",
		.recipient = "you@example.org" };
	struct spool *spool = spool_new(s->pool, "token", 1 << 20);
	struct fault f;

	assert_true(spool_write(spool, message, &f));
	assert_true(spool_finish(spool, &f));
	s->transfer =
	    transfer_start(&s->context, &route, &s->item, spool, on_done, s);
	spool_unref(&spool); /* it has its own reference */
}

void
start(struct stage *s)
{
	start_with(s, span_str(BODY));
}

void
run(struct stage *s)
{
	trail_event(&s->trail, "(loop)");
	timer_set(&s->idle, 1);
	loop_run(s->loop);
}

void
assert_trail(struct stage *s, const char *expected)
{
	assert_string_equal(s->trail.text, expected);
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
}

void
assert_over(struct stage *s, const char *expected)
{
	assert_trail(s, expected);
	assert_null(s->transfer);
	assert_null(s->sink.job);
	assert_int_equal(s->store.queued, 0);
}

struct fault
fault(enum fault_scope scope, enum fault_when when)
{
	struct fault f;

	fault_set(&f, scope, when, "RCPT", "words");
	return f;
}

void
refuse(struct stage *s, enum fault_scope scope, enum fault_when when)
{
	struct fault f = fault(scope, when);

	fake_sink_verdict(&s->sink, &f, "words");
}

void
go_to_dot(struct stage *s)
{
	start(s);
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
}
