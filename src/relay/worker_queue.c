/* SPDX-License-Identifier: ISC */
/*
 * What is to be relayed, on its way from the records to the source: asked of
 * the store in pages, sized, and fetched as far as there is room for it.
 */
#include "relay/worker_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "relay/sink.h"

/* --- the messages of a session */

void
worker_set_state(struct message *m, enum message_state state)
{
	struct worker *w = m->worker;

	TAILQ_REMOVE(&w->messages[m->state], m, link);
	w->count[m->state]--;
	m->state = state;
	TAILQ_INSERT_TAIL(&w->messages[state], m, link);
	w->count[state]++;
}

/* Answers come in the order of the questions, or nearly so. */
struct message *
worker_find(const struct worker *w, enum message_state state, uint32_t number)
{
	struct message *m;

	TAILQ_FOREACH (m, &w->messages[state], link)
		if (m->number == number)
			return m;
	return NULL;
}

static size_t
waiting(const struct worker *w)
{
	return w->count[MESSAGE_UNSIZED] + w->count[MESSAGE_QUEUED];
}

static size_t
underway(const struct worker *w)
{
	return w->count[MESSAGE_FETCHING] + w->count[MESSAGE_SENDING];
}

bool
worker_has_messages(const struct worker *w)
{
	return waiting(w) + underway(w) > 0;
}

static void
free_leg(struct leg *leg)
{
	if (leg->probe)
		sink_probe_over(leg->sink);
	free(leg->item.uid);
	free(leg->item.destination);
}

void
worker_forget(struct message *m)
{
	struct worker *w = m->worker;

	TAILQ_REMOVE(&w->messages[m->state], m, link);
	w->count[m->state]--;
	if (m->state > MESSAGE_QUEUED && !m->complete &&
	    w->driver->quit_commits)
		w->no_quit = true;
	if (m->reserved > 0)
		spool_release(w->ctx->pool, m->reserved, w->ctx->holder);
	for (size_t i = 0; i < m->nlegs; i++)
		free_leg(&m->legs[i]);
	if (m->underway != 0)
		store_end(w->ctx->store, m->underway);
	if (m->suspect)
		*w->ctx->suspect = NULL;
	free(m);
}

/* Forgets messages up to that state; they stay as they are on record, and the
 * next poll finds them again.  What is being sent goes its way. */
void
worker_drop(struct worker *w, enum message_state last)
{
	struct message *m;

	for (int state = MESSAGE_UNSIZED; state <= (int)last; state++)
		while ((m = TAILQ_FIRST(&w->messages[state])) != NULL)
			worker_forget(m);
	w->exhausted = true;
}

/* --- from the store into the queue */

static void
find_sink(const struct worker *w, struct leg *leg)
{
	const struct conf_account *a = w->account;

	for (size_t d = 0; d < a->ndestinations; d++)
		if (strcmp(a->destinations[d]->name, leg->item.destination) ==
		    0) {
			leg->sink = w->ctx->sinks[d];
			leg->recipient = a->destinations[d]->recipient;
			return;
		}
}

/* Its destination does not take it now: it stays as it is on record. */
static void
leave_out(struct worker *w, const struct sink *s)
{
	const struct fault *f = sink_trouble(s);

	if (f != NULL)
		worker_note_fault(w, f);
	else
		w->left_out = true;
}

/* The rows of one message, moved out of the answer, but for those that would be
 * fetched in vain; NULL: all of them would. */
static struct message *
new_message(struct worker *w, const struct store_item *items, size_t n)
{
	struct message *m = mem_alloc(sizeof(*m) + n * sizeof(struct leg));

	m->worker = w;
	m->number = items[0].number;
	m->size = items[0].size;
	for (size_t i = 0; i < n; i++) {
		struct leg leg = { .item = items[i] };

		find_sink(w, &leg);
		if (leg.sink != NULL && !sink_closed(leg.sink)) {
			m->legs[m->nlegs++] = leg;
			continue;
		}
		if (leg.sink != NULL)
			leave_out(w, leg.sink);
		free_leg(&leg);
	}
	if (m->nlegs > 0)
		return m;
	free(m);
	return NULL;
}

static void
add_message(struct worker *w, struct message *m)
{
	m->state = m->size == 0 && w->driver->sizes != NULL ? MESSAGE_UNSIZED
	                                                    : MESSAGE_QUEUED;
	TAILQ_INSERT_TAIL(&w->messages[m->state], m, link);
	w->count[m->state]++;
}

static void
take_items(struct worker *w, struct store_answer *a)
{
	for (size_t i = 0, n; i < a->nitems; i += n) {
		struct message *m;

		for (n = 1; i + n < a->nitems &&
			    a->items[i + n].number == a->items[i].number;
		     n++)
			;
		w->after = a->items[i].number;
		m = new_message(w, a->items + i, n);
		if (m != NULL)
			add_message(w, m);
	}
	/* The strings belong to the messages now. */
	free(a->items);
	a->items = NULL;
	a->nitems = 0;
}

/* What neither the listing nor the store has a size of is asked for before it
 * is fetched, so that the pool is never overrun. */
static void
ask_sizes(struct worker *w)
{
	size_t n = 0, all = w->count[MESSAGE_UNSIZED];
	uint32_t *numbers;
	struct message *m;

	if (all == 0)
		return;
	numbers = mem_array(all, sizeof(*numbers));
	TAILQ_FOREACH (m, &w->messages[MESSAGE_UNSIZED], link)
		numbers[n++] = m->number;
	w->sizing = true;
	source_sizes(w->source, numbers, n);
	free(numbers);
}

void
worker_on_size(void *arg, uint32_t number, uint64_t size)
{
	struct worker *w = arg;
	struct message *m = worker_find(w, MESSAGE_UNSIZED, number);

	if (m == NULL)
		return;
	m->size = size;
	for (size_t i = 0; i < m->nlegs; i++)
		m->legs[i].item.size = size;
	worker_set_state(m, MESSAGE_QUEUED);
}

/* What has none then is fetched all the same. */
void
worker_on_sized(void *arg)
{
	struct worker *w = arg;
	struct message *m;

	w->sizing = false;
	while ((m = TAILQ_FIRST(&w->messages[MESSAGE_UNSIZED])) != NULL)
		worker_set_state(m, MESSAGE_QUEUED);
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
	} else {
		take_items(w, a);
		ask_sizes(w);
	}
	worker_advance(w);
}

/* The next page comes while what is left of this one is fetched. */
static void
ask_work(struct worker *w)
{
	w->asked = true;
	store_work(w->ctx->store, w->mailbox, time(NULL), w->after, WORK_BATCH,
	    (struct store_done){ on_work, w });
}

/* --- from the queue to the source */

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

/* Too large is known from the listing: not a byte of it is downloaded. */
static bool
too_large(struct message *m)
{
	const struct conf *conf = m->worker->ctx->conf;
	struct fault f;

	if (m->size <= conf->message_max)
		return false;
	fault_set(&f, FAULT_MESSAGE, FAULT_NEVER, "download",
	    "%llu bytes are more than message_max (%llu)",
	    (unsigned long long)m->size, (unsigned long long)conf->message_max);
	f.hint = "raise message_max and release the message";
	worker_refuse(m, &f);
	return true;
}

/* What was underway when the process died may be what it died of.  Such
 * messages go one at a time, so that the next death tells which it was. */
static bool
is_suspect(const struct message *m)
{
	for (size_t i = 0; i < m->nlegs; i++)
		if (m->legs[i].item.deaths > 0)
			return true;
	return false;
}

/* The last look before it is downloaded; false: for nobody, and it is gone. */
static bool
admit(struct message *m)
{
	struct worker *w = m->worker;
	size_t kept = 0;

	for (size_t i = 0; i < m->nlegs; i++) {
		struct leg leg = m->legs[i];
		enum sink_answer answer = sink_ask(leg.sink);

		if (answer == SINK_CLOSED) {
			leave_out(w, leg.sink);
			free_leg(&leg);
			continue;
		}
		leg.probe = answer == SINK_PROBE;
		m->legs[kept++] = leg;
	}
	m->nlegs = kept;
	if (kept == 0) {
		worker_forget(m);
		return false;
	}
	m->suspect = is_suspect(m);
	if (m->suspect)
		*w->ctx->suspect = w;
	m->underway = m->legs[0].item.id;
	store_begin(w->ctx->store, m->underway);
	worker_set_state(m, MESSAGE_FETCHING);
	return true;
}

/* Not downloaded when no destination would get it. */
static bool
all_wait(struct message *m)
{
	struct fault f;

	for (size_t i = 0; i < m->nlegs; i++)
		if (!worker_waits_for_decision(m->worker, &m->legs[i].item, &f))
			return false;
	worker_refuse(m, &f);
	return true;
}

static bool
reserve(struct message *m)
{
	struct worker *w = m->worker;
	uint64_t cost = spool_cost(w->ctx->pool, m->size);

	if (!spool_reserve(w->ctx->pool, cost, &w->waiter))
		return false;
	m->reserved = cost;
	return true;
}

static void
fetch_more(struct worker *w)
{
	uint32_t numbers[WORKER_WINDOW];
	struct message *m;
	size_t n = 0;

	while (underway(w) < WORKER_WINDOW &&
	       (m = TAILQ_FIRST(&w->messages[MESSAGE_QUEUED])) != NULL) {
		if (all_wait(m) || too_large(m))
			continue;
		if (is_suspect(m) && *w->ctx->suspect == w)
			break; /* comes behind the one before */
		if (is_suspect(m) && *w->ctx->suspect != NULL) {
			w->left_out = true; /* another account's is first */
			worker_forget(m);
			continue;
		}
		if (!reserve(m))
			break;
		if (admit(m))
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

/* The one place that decides what comes next. */
void
worker_advance(struct worker *w)
{
	const struct fault *trouble;

	if (w->state == WORKER_DRAINING && !w->asked && !worker_has_messages(w))
		worker_end_poll(w);
	if (w->state != WORKER_WORKING)
		return;
	trouble = destinations_trouble(w);
	if (trouble != NULL && (waiting(w) > 0 || !w->exhausted))
		worker_note_fault(w, trouble);
	if (trouble != NULL || w->stopping)
		worker_drop(w, MESSAGE_QUEUED);
	fetch_more(w);
	if (w->asked || w->sizing)
		return;
	if (trouble == NULL && !worker_has_messages(w) && w->exhausted)
		look_again(w);
	if (!w->exhausted && waiting(w) <= WORK_LOW)
		ask_work(w);
	else if (!worker_has_messages(w))
		worker_remove_next(w);
}
