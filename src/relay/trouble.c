/* SPDX-License-Identifier: ISC */
#include "relay/trouble.h"

#include <time.h>

#include "base/log.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/retry.h"

#define HINT_MAX 320

void
trouble_init(
    struct trouble *t, const struct loop *l, const struct conf_destination *d)
{
	*t = (struct trouble){ .loop = l, .dest = d };
}

/* What those hear who would download for it. */
static void
say_paused(struct trouble *t)
{
	fault_set(&t->fault, FAULT_DESTINATION, FAULT_LATER, "pause",
	    "it is paused by hand");
	t->fault.hint = "mailhaul resume ends that";
}

void
trouble_remember(struct trouble *t, const struct store_pause *p, bool hurry,
    void (*changed)(void *arg, const struct store_pause *p), void *arg)
{
	int64_t wait;

	t->changed = changed;
	t->arg = arg;
	if (p == NULL)
		return;
	t->pause = *p;
	if (p->by_hand)
		say_paused(t);
	if (p->by_hand || p->failures == 0)
		return;
	wait = retry_wait(p, time(NULL), hurry);
	if (wait == 0)
		return;
	t->until = loop_now_ms(t->loop) + wait * 1000;
	fault_set(&t->fault, FAULT_DESTINATION, FAULT_LATER, "pause",
	    "it failed %u times, the last with: %s", p->failures, p->reply);
	log_line(LOG_NOTICE,
	    "destination %s: left alone for another %lld seconds: %s",
	    t->dest->name, (long long)wait, t->fault.text);
}

const struct fault *
trouble_now(const struct trouble *t)
{
	return trouble_wait_ms(t) > 0 ? &t->fault : NULL;
}

int64_t
trouble_wait_ms(const struct trouble *t)
{
	int64_t now = loop_now_ms(t->loop);

	if (t->pause.by_hand)
		return INT64_MAX;
	return t->until > now ? t->until - now : 0;
}

bool
trouble_closed(const struct trouble *t)
{
	return trouble_now(t) != NULL || (t->pause.failures > 0 && t->probing);
}

enum sink_answer
trouble_ask(struct trouble *t)
{
	if (trouble_closed(t))
		return SINK_CLOSED;
	if (t->pause.failures == 0)
		return SINK_OPEN;
	t->probing = true;
	return SINK_PROBE;
}

static void
note_change(struct trouble *t)
{
	if (t->changed != NULL)
		t->changed(t->arg, &t->pause);
}

void
trouble_begin(struct trouble *t, const struct fault *f)
{
	const struct conf_destination *d = t->dest;
	struct retry_terms terms = {
		.now = time(NULL),
		.seed = retry_hash(RETRY_HASH_START, d->name),
	};
	bool tell = retry_destination(&t->pause, f, &terms);
	int64_t wait = retry_wait(&t->pause, terms.now, false);
	bool first = t->pause.failures == 1;
	char hint[HINT_MAX];
	struct log_event e = {
		.priority = tell    ? LOG_ERR
		            : first ? LOG_INFO
		                    : LOG_DEBUG,
		.message_id = LOG_ID_DESTINATION_FAILED,
		.destination = d->name,
		.code = f->code,
	};

	t->fault = *f;
	t->until = loop_now_ms(t->loop) + wait * 1000;
	note_change(t);
	log_event(&e,
	    "destination %s: %s (%s port %u): %s%s; nothing is lost, next "
	    "try in %lld seconds at the earliest",
	    d->name, f->phase, d->server.host, d->server.port, f->text,
	    fault_hint(f, d->name, hint, sizeof(hint)), (long long)wait);
}

void
trouble_end(struct trouble *t)
{
	struct log_event e = {
		.priority = t->pause.alerted ? LOG_NOTICE : LOG_INFO,
		.destination = t->dest->name,
	};

	if (t->pause.failures == 0)
		return;
	log_event(&e, "destination %s: works again", t->dest->name);
	t->pause = (struct store_pause){ .by_hand = t->pause.by_hand };
	t->until = 0;
	note_change(t);
}

void
trouble_pause(struct trouble *t)
{
	t->pause.by_hand = true;
	say_paused(t);
	note_change(t);
}

void
trouble_resume(struct trouble *t)
{
	if (t->pause.failures == 0 && !t->pause.by_hand)
		return;
	t->pause = (struct store_pause){ 0 };
	t->until = 0;
	note_change(t);
}
