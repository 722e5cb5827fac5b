/* SPDX-License-Identifier: ISC */
/*
 * What was asked for, on its way from the wire into a spool and from the spool
 * to the destinations.
 */
#include "relay/worker_private.h"

#include <stdlib.h>
#include <time.h>

#include "conf/conf.h"
#include "relay/sink.h"
#include "relay/tally.h"

/* --- what becomes of it */

static void
tally(struct tally_account *t, const struct store_item *item,
    enum transfer_end end)
{
	t->relayed += end == TRANSFER_RELAYED;
	t->deferred += end == TRANSFER_DEFERRED;
	t->held += end == TRANSFER_HELD;
	t->in_doubt += end == TRANSFER_IN_DOUBT;
	t->duplicates += end == TRANSFER_RELAYED && item->doubt;
}

static void
count(struct worker *w, const struct store_item *item,
    const struct transfer_result *r)
{
	enum transfer_end end = r->end;

	if (w->ctx->tally != NULL)
		tally(w->ctx->tally, item, end);
	w->report.duplicates += end == TRANSFER_RELAYED && item->doubt;
	w->report.relayed += end == TRANSFER_RELAYED;
	w->report.deferred += end == TRANSFER_DEFERRED;
	w->report.held += end == TRANSFER_HELD;
	w->report.quiet += end == TRANSFER_HELD && r->notice;
	w->report.in_doubt += end == TRANSFER_IN_DOUBT;
}

/* The second line of defence, should the record be lost (DURABILITY.md 4.8). */
static void
mark_relayed(struct message *m)
{
	struct worker *w = m->worker;

	if (w->ctx->keyword != NULL && w->state == WORKER_WORKING)
		source_mark(w->source, m->number, SOURCE_RELAYED);
}

/* It does not wait for the record, so that it can tell of a message whose
 * record was never made; only all destinations together make it true. */
void
worker_on_accepted(void *arg)
{
	struct message *m = arg;

	if (m->worker->account->ndestinations == 1)
		mark_relayed(m);
}

static void
on_transfer(void *arg, struct transfer *t, const struct transfer_result *r)
{
	struct message *m = arg;
	struct worker *w = m->worker;

	for (size_t i = 0; i < m->nlegs; i++)
		if (m->legs[i].transfer == t) {
			m->legs[i].transfer = NULL;
			count(w, &m->legs[i].item, r);
		}
	if (r->end == TRANSFER_RELAYED && r->complete)
		m->complete = true;
	if (m->complete && w->state == WORKER_WORKING &&
	    w->folder->after == CONF_AFTER_SEEN)
		source_mark(w->source, m->number, SOURCE_SEEN);
	if (m->complete && w->account->ndestinations > 1)
		mark_relayed(m);
	if (r->end == TRANSFER_UNTRIED && !w->stopping)
		worker_note_fault(w, &r->fault);
	if (--m->running > 0)
		return;
	worker_forget(m);
	if (w->report.failed && w->report.fault.scope == FAULT_US)
		worker_abandon(w); /* no state, no relaying */
	else
		worker_advance(w);
}

static void
refuse_leg(struct message *m, struct leg *leg, const struct fault *f)
{
	leg->transfer = transfer_refuse(
	    &m->worker->transfer, &leg->item, f, on_transfer, m);
}

void
worker_refuse(struct message *m, const struct fault *f)
{
	worker_set_state(m, MESSAGE_SENDING);
	m->running = m->nlegs;
	for (size_t i = 0; i < m->nlegs; i++)
		refuse_leg(m, &m->legs[i], f);
}

bool
worker_waits_for_decision(
    const struct worker *w, const struct store_item *item, struct fault *f)
{
	if (w->ctx->conf->in_doubt != CONF_IN_DOUBT_HOLD ||
	    item->state != STORE_IN_DOUBT)
		return false;
	fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "check",
	    "in doubt: attempt %u got no answer and may have been accepted",
	    item->attempt);
	f->hint = "mailhaul held release sends it again, drop does not";
	return true;
}

/* --- from the spool to the destinations */

static void
send_leg(struct message *m, struct leg *leg)
{
	const struct worker *w = m->worker;
	const struct transfer_route route = {
		.sink = leg->sink,
		.recipient = leg->recipient,
		.since = w->incoming_since,
	};

	leg->transfer = transfer_start(
	    &w->transfer, &route, &leg->item, w->incoming, on_transfer, m);
}

static void
send_message(struct message *m)
{
	worker_set_state(m, MESSAGE_SENDING);
	m->running = m->nlegs;
	for (size_t i = 0; i < m->nlegs; i++) {
		struct leg *leg = &m->legs[i];
		struct fault f;

		if (worker_waits_for_decision(m->worker, &leg->item, &f))
			refuse_leg(m, leg, &f);
		else
			send_leg(m, leg);
	}
}

/* --- from the wire into a spool */

/* The first of those that were asked for is the one that comes in. */
void
worker_incoming(const struct worker *w, struct worker_status *st_r)
{
	const struct message *m = TAILQ_FIRST(&w->messages[MESSAGE_FETCHING]);

	if (w->incoming == NULL || m == NULL)
		return;
	st_r->uid = m->legs[0].item.uid;
	st_r->size = m->size;
	st_r->done = w->incoming_bytes;
	st_r->since =
	    time(NULL) -
	    (loop_now_us(w->transfer.loop) - w->incoming_since) / 1000000;
}

/* Bytes of a message that we will not keep are read on to its end, so that the
 * session stays in step; but not for ever. */
static bool
discard(struct worker *w, size_t n)
{
	struct fault f;

	w->discarded += n;
	if (w->discarded <= w->ctx->conf->message_max)
		return true;
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "download",
	    "a message does not end: more than twice message_max was sent");
	worker_fail(w, &f);
	return false;
}

static void
begin_incoming(struct worker *w)
{
	w->incoming =
	    spool_new(w->ctx->pool, w->token, w->ctx->conf->message_max);
	w->incoming_since = loop_now_us(w->transfer.loop);
}

bool
worker_on_piece(void *arg, struct span bytes)
{
	struct worker *w = arg;

	if (w->ctx->tally != NULL)
		w->ctx->tally->fetched_bytes += bytes.n;
	if (w->incoming_failed)
		return discard(w, bytes.n);
	if (w->incoming == NULL)
		begin_incoming(w);
	w->incoming_bytes += bytes.n;
	if (!spool_write(w->incoming, bytes, &w->incoming_fault)) {
		w->incoming_failed = true;
		w->discarded = 0;
		spool_unref(&w->incoming);
	}
	return true;
}

#define EMPTY_MAX 2 /* some count a line end in a message without any */

/* Who says how long a message is and then gives nothing has not given it: an
 * empty one would be our invention (CASES I9). */
static void
expect_something(struct worker *w, const struct message *m)
{
	if (m == NULL || m->size <= EMPTY_MAX || w->incoming != NULL ||
	    w->incoming_failed)
		return;
	fault_set(&w->incoming_fault, FAULT_MESSAGE, FAULT_LATER, "FETCH",
	    "the server hands out nothing of it, and says that it has %llu "
	    "bytes",
	    (unsigned long long)m->size);
	w->incoming_failed = true;
}

void
worker_on_fetched(void *arg, uint32_t number, const struct fault *fault)
{
	struct worker *w = arg;
	struct message *m = worker_find(w, MESSAGE_FETCHING, number);

	if (fault == NULL)
		expect_something(w, m);
	if (fault == NULL && !w->incoming_failed && w->incoming == NULL)
		begin_incoming(w); /* an empty message */
	if (fault == NULL && !w->incoming_failed &&
	    !spool_finish(w->incoming, &w->incoming_fault))
		w->incoming_failed = true;
	if (fault == NULL && w->incoming_failed)
		fault = &w->incoming_fault;
	if (m != NULL && fault == NULL)
		send_message(m);
	else if (m != NULL)
		worker_refuse(m, fault);
	spool_unref(&w->incoming);
	w->incoming_failed = false;
	worker_advance(w);
}

/* Called when the session is over and only MESSAGE_SENDING is left.  None of
 * these ends inside transfer_stop(), so the list stays as it is. */
void
worker_stop_transfers(struct worker *w)
{
	struct message *m;

	TAILQ_FOREACH (m, &w->messages[MESSAGE_SENDING], link)
		for (size_t i = 0; i < m->nlegs; i++)
			if (m->legs[i].transfer != NULL)
				transfer_stop(m->legs[i].transfer);
}
