/* SPDX-License-Identifier: ISC */
#include "relay/worker_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "relay/sink.h"
#include "relay/tally.h"
#include "store/store.h"

static void
message_free(struct message *m)
{
	struct worker *w = m->worker;

	TAILQ_REMOVE(&w->messages, m, link);
	if (m->state != MESSAGE_QUEUED)
		w->open--;
	if (m->state != MESSAGE_QUEUED && !m->complete &&
	    w->driver->quit_commits)
		w->no_quit = true;
	if (m->reserved > 0)
		spool_release(w->ctx->pool, m->reserved, w->ctx->holder);
	for (size_t i = 0; i < m->nitems; i++)
		if (m->probes[i] != NULL)
			sink_probe_over(m->probes[i]);
	free(m->probes);
	if (m->underway != 0)
		store_end(w->ctx->store, m->underway);
	if (m->suspect)
		*w->ctx->suspect = NULL;
	store_items_free(m->items, m->nitems);
	free(m->transfers);
	free(m);
}

/* Forgets messages up to that state; they stay as they are on record, and the
 * next poll finds them again.  What is being sent goes its way. */
void
worker_drop(struct worker *w, enum message_state last)
{
	struct message *m, *next;

	for (m = TAILQ_FIRST(&w->messages); m != NULL; m = next) {
		next = TAILQ_NEXT(m, link);
		if (m->state <= last)
			message_free(m);
	}
	w->exhausted = true;
}

/* --- work: from the store into the queue */

static void on_transfer(
    void *arg, struct transfer *t, const struct transfer_result *r);

static struct sink *
find_sink(const struct worker *w, const char *destination)
{
	const struct conf_account *a = w->account;

	for (size_t d = 0; d < a->ndestinations; d++)
		if (strcmp(a->destinations[d]->name, destination) == 0)
			return w->ctx->sinks[d];
	return NULL;
}

/* Its destination does not take it now: it stays as it is on record. */
static void
leave_out(struct worker *w, struct store_item *item)
{
	const struct sink *s = find_sink(w, item->destination);
	const struct fault *f = s != NULL ? sink_trouble(s) : NULL;

	if (f != NULL)
		worker_note_fault(w, f);
	else
		w->left_out = true;
	free(item->uid);
	free(item->destination);
}

/* The rows of one message but for those that would be fetched in vain; how
 * many are left. */
static size_t
leave_out_closed(struct worker *w, struct store_item *items, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sink *s = find_sink(w, items[i].destination);

		if (s != NULL && sink_closed(s))
			leave_out(w, &items[i]);
		else
			items[kept++] = items[i];
	}
	return kept;
}

/* All rows of one message, moved out of the answer. */
static struct message *
message_new(struct worker *w, struct store_item *items, size_t n)
{
	struct message *m = mem_alloc(sizeof(*m));

	m->worker = w;
	m->items = mem_array(n, sizeof(*items));
	memcpy(m->items, items, n * sizeof(*items));
	m->nitems = n;
	m->number = items[0].number;
	m->transfers = mem_array(n, sizeof(*m->transfers));
	m->probes = mem_array(n, sizeof(struct sink *));
	TAILQ_INSERT_TAIL(&w->messages, m, link);
	return m;
}

static void
take_items(struct worker *w, struct store_answer *a)
{
	for (size_t i = 0, n; i < a->nitems; i += n) {
		size_t kept;

		for (n = 1; i + n < a->nitems &&
			    a->items[i + n].number == a->items[i].number;
		     n++)
			;
		w->after = a->items[i].number;
		kept = leave_out_closed(w, a->items + i, n);
		if (kept > 0)
			message_new(w, a->items + i, kept);
	}
	/* The strings belong to the messages now. */
	free(a->items);
	a->items = NULL;
	a->nitems = 0;
}

/* IMAP lists no sizes; what the store has none of is asked for before it is
 * fetched, so that the pool is never overrun. */
static void
ask_sizes(struct worker *w)
{
	uint32_t numbers[WORK_BATCH];
	struct message *m;
	size_t n = 0;

	TAILQ_FOREACH (m, &w->messages, link)
		if (m->state == MESSAGE_QUEUED && m->items[0].size == 0 &&
		    n < WORK_BATCH)
			numbers[n++] = m->number;
	if (n == 0 || w->driver->sizes == NULL) {
		worker_advance(w);
		return;
	}
	w->sizing = true;
	source_sizes(w->source, numbers, n);
}

void
worker_on_size(void *arg, uint32_t number, uint64_t size)
{
	struct worker *w = arg;
	struct message *m;

	TAILQ_FOREACH (m, &w->messages, link)
		for (size_t i = 0; m->number == number && i < m->nitems; i++)
			m->items[i].size = size;
}

void
worker_on_sized(void *arg)
{
	struct worker *w = arg;

	w->sizing = false;
	worker_advance(w);
}

static void
on_work(void *arg, struct store_answer *a)
{
	struct worker *w = arg;

	w->asked = false;
	if (w->state != WORKER_WORKING || w->stopping) {
		worker_advance(w);
		return;
	}
	if (!a->ok) {
		worker_fail(w, &a->fault);
		return;
	}
	w->exhausted = a->nitems == 0;
	if (w->ctx->dry_run && a->nitems > 0) {
		worker_tell_dry(w, a, "relay");
		w->after = a->items[a->nitems - 1].number;
		worker_advance(w);
		return;
	}
	take_items(w, a);
	ask_sizes(w);
}

/* --- work: from the queue into the spool */

static const struct fault *
destinations_trouble(const struct worker *w)
{
	const struct fault *f = NULL;

	for (size_t i = 0; i < w->account->ndestinations; i++) {
		f = sink_trouble(w->ctx->sinks[i]);
		if (f == NULL)
			return NULL; /* one of them takes mail */
	}
	return f;
}

/* Nothing is sent; relay/retry says what is recorded. */
static void
refuse(struct worker *w, struct message *m, const struct fault *f)
{
	if (m->state == MESSAGE_QUEUED)
		w->open++;
	m->state = MESSAGE_SENDING;
	m->running = m->nitems;
	for (size_t i = 0; i < m->nitems; i++)
		m->transfers[i] = transfer_refuse(
		    &w->transfer, &m->items[i], f, on_transfer, m);
}

/* Too large is known from the listing: not a byte of it is downloaded. */
static bool
too_large(struct worker *w, struct message *m)
{
	struct fault f;

	if (m->items[0].size <= w->ctx->conf->message_max)
		return false;
	fault_set(&f, FAULT_MESSAGE, FAULT_NEVER, "download",
	    "%llu bytes are more than message_max (%llu)",
	    (unsigned long long)m->items[0].size,
	    (unsigned long long)w->ctx->conf->message_max);
	f.hint = "raise message_max and release the message";
	refuse(w, m, &f);
	return true;
}

/* What was underway when the process died may be what it died of.  Such
 * messages go one at a time, so that the next death tells which it was. */
static bool
is_suspect(const struct message *m)
{
	for (size_t i = 0; i < m->nitems; i++)
		if (m->items[i].deaths > 0)
			return true;
	return false;
}

/* The last look before it is downloaded; false: for nobody, and it is gone. */
static bool
admit(struct worker *w, struct message *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->nitems; i++) {
		struct sink *s = find_sink(w, m->items[i].destination);
		enum sink_answer answer = s != NULL ? sink_ask(s) : SINK_OPEN;

		if (answer == SINK_CLOSED) {
			leave_out(w, &m->items[i]);
			continue;
		}
		m->probes[kept] = answer == SINK_PROBE ? s : NULL;
		m->items[kept++] = m->items[i];
	}
	m->nitems = kept;
	if (kept == 0) {
		message_free(m);
		return false;
	}
	m->suspect = is_suspect(m);
	if (m->suspect)
		*w->ctx->suspect = w;
	m->underway = m->items[0].id;
	store_begin(w->ctx->store, m->underway);
	return true;
}

/* in_doubt = hold: what an earlier poll left in doubt waits for a person. */
static bool
waits_for_decision(
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

/* Not downloaded when no destination would get it. */
static bool
all_wait(struct worker *w, struct message *m)
{
	struct fault f;

	for (size_t i = 0; i < m->nitems; i++)
		if (!waits_for_decision(w, &m->items[i], &f))
			return false;
	refuse(w, m, &f);
	return true;
}

static void
fetch_more(struct worker *w)
{
	uint32_t numbers[WORKER_WINDOW];
	struct message *m, *next;
	size_t n = 0;

	for (m = TAILQ_FIRST(&w->messages); m != NULL; m = next) {
		next = TAILQ_NEXT(m, link);
		if (m->state != MESSAGE_QUEUED)
			continue;
		if (w->open >= WORKER_WINDOW)
			break;
		if (all_wait(w, m) || too_large(w, m))
			continue;
		if (is_suspect(m) && *w->ctx->suspect == w)
			break; /* comes behind the one before */
		if (is_suspect(m) && *w->ctx->suspect != NULL) {
			w->left_out = true; /* another account's is first */
			message_free(m);
			continue;
		}
		/* An empty pool lets anything in; one byte keeps it counted. */
		m->reserved = m->items[0].size + 1;
		if (!spool_reserve(w->ctx->pool, m->reserved, &w->waiter)) {
			m->reserved = 0;
			break;
		}
		if (!admit(w, m))
			continue;
		m->state = MESSAGE_FETCHING;
		w->open++;
		numbers[n++] = m->number;
	}
	if (n > 0)
		source_fetch(w->source, numbers, n);
}

void
worker_on_room(void *arg)
{
	worker_advance(arg);
}

/* A probe that was under way is over now: what was left out meanwhile may go,
 * from the beginning, for nothing of this session is on its way. */
static void
look_again(struct worker *w)
{
	if (!w->left_out || w->again || w->stopping || w->report.in_doubt > 0)
		return;
	w->again = true;
	w->exhausted = false;
	w->after = 0;
}

static bool
has_queued(const struct worker *w)
{
	const struct message *last = TAILQ_LAST(&w->messages, messages);

	return last != NULL && last->state == MESSAGE_QUEUED;
}

/* The one place that decides what comes next. */
void
worker_advance(struct worker *w)
{
	const struct fault *trouble;

	if (w->asked || w->sizing)
		return;
	if (w->state == WORKER_DRAINING && TAILQ_EMPTY(&w->messages))
		worker_end_poll(w);
	if (w->state != WORKER_WORKING)
		return;
	trouble = destinations_trouble(w);
	if (trouble != NULL && (has_queued(w) || !w->exhausted))
		worker_note_fault(w, trouble);
	if (trouble != NULL || w->stopping)
		worker_drop(w, MESSAGE_QUEUED);
	fetch_more(w);
	if (trouble == NULL && TAILQ_EMPTY(&w->messages) && w->exhausted)
		look_again(w);
	if (!has_queued(w) && !w->exhausted) {
		w->asked = true;
		store_work(w->ctx->store, w->mailbox, time(NULL), w->after,
		    WORK_BATCH, (struct store_done){ on_work, w });
	} else if (TAILQ_EMPTY(&w->messages)) {
		worker_remove_next(w);
	}
}

/* --- work: from the wire into a spool, from the spool to the destinations */

/* The first of those that were asked for is the one that comes in. */
void
worker_incoming(const struct worker *w, struct worker_status *st_r)
{
	const struct message *m;

	if (w->incoming == NULL)
		return;
	TAILQ_FOREACH (m, &w->messages, link)
		if (m->state == MESSAGE_FETCHING)
			break;
	if (m == NULL)
		return;
	st_r->uid = m->items[0].uid;
	st_r->size = m->items[0].size;
	st_r->done = w->incoming_bytes;
	st_r->since =
	    time(NULL) -
	    (loop_now_us(w->transfer.loop) - w->incoming_since) / 1000000;
}

static struct message *
find_fetching(struct worker *w, uint32_t number)
{
	struct message *m;

	TAILQ_FOREACH (m, &w->messages, link)
		if (m->state == MESSAGE_FETCHING && m->number == number)
			return m;
	return NULL;
}

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

	for (size_t i = 0; i < m->nitems; i++)
		if (m->transfers[i] == t) {
			m->transfers[i] = NULL;
			count(w, &m->items[i], r);
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
	message_free(m);
	if (w->report.failed && w->report.fault.scope == FAULT_US)
		worker_abandon(w); /* no state, no relaying */
	else
		worker_advance(w);
}

static void
send_message(struct worker *w, struct message *m)
{
	const struct conf_account *a = w->account;

	m->state = MESSAGE_SENDING;
	m->running = m->nitems;
	for (size_t i = 0; i < m->nitems; i++) {
		struct transfer_route route = { 0 };
		struct fault f;

		if (waits_for_decision(w, &m->items[i], &f)) {
			m->transfers[i] = transfer_refuse(
			    &w->transfer, &m->items[i], &f, on_transfer, m);
			continue;
		}
		for (size_t d = 0; d < a->ndestinations; d++)
			if (strcmp(a->destinations[d]->name,
				m->items[i].destination) == 0)
				route = (struct transfer_route){
					.sink = w->ctx->sinks[d],
					.recipient =
					    a->destinations[d]->recipient,
					.since = w->incoming_since,
				};
		m->transfers[i] = transfer_start(&w->transfer, &route,
		    &m->items[i], w->incoming, on_transfer, m);
	}
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
	if (m == NULL || m->items[0].size <= EMPTY_MAX || w->incoming != NULL ||
	    w->incoming_failed)
		return;
	fault_set(&w->incoming_fault, FAULT_MESSAGE, FAULT_LATER, "FETCH",
	    "the server hands out nothing of it, and says that it has %llu "
	    "bytes",
	    (unsigned long long)m->items[0].size);
	w->incoming_failed = true;
}

void
worker_on_fetched(void *arg, uint32_t number, const struct fault *fault)
{
	struct worker *w = arg;
	struct message *m = find_fetching(w, number);

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
		send_message(w, m);
	else if (m != NULL)
		refuse(w, m, fault);
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

	TAILQ_FOREACH (m, &w->messages, link)
		for (size_t i = 0; i < m->nitems; i++)
			if (m->transfers[i] != NULL)
				transfer_stop(m->transfers[i]);
}
