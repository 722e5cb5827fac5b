/* SPDX-License-Identifier: ISC */
#include "fake_store.h"

const char *
store_state_name(enum store_state state)
{
	return state == STORE_DEFERRED ? "deferred"
	       : state == STORE_HELD   ? "held"
	                               : "another state";
}

static void
enqueue(struct store *s, struct store_done done)
{
	if (s->queued == FAKE_STORE_QUEUE)
		abort();
	s->queue[s->queued++] = done;
}

void
store_in_doubt(struct store *s, int64_t id, const struct store_attempt *a,
    struct store_done done)
{
	trail_event(s->trail, "record %lld in_doubt, attempt %u, %llu bytes",
	    (long long)id, a->attempt, (unsigned long long)a->size);
	enqueue(s, done);
}

void
store_relayed(struct store *s, int64_t id, const struct store_success *a,
    struct store_done done)
{
	trail_event(s->trail, "record %lld relayed%s: %s", (long long)id,
	    a->remove ? ", remove" : "", a->reply);
	enqueue(s, done);
}

void
store_refused(struct store *s, int64_t id, const struct store_refusal *r,
    struct store_done done)
{
	trail_event(s->trail, "record %lld %s%s: %s", (long long)id,
	    store_state_name(r->state), r->wrap ? ", wrap" : "", r->reply);
	enqueue(s, done);
}

const unsigned char *
store_install_key(const struct store *s)
{
	static const unsigned char key[STORE_KEY_SIZE];

	(void)s;
	return key;
}

void
store_mailbox(struct store *s, const struct store_account *account,
    const char *folder, struct store_done done)
{
	trail_event(s->trail, "look up %s %s", account->name, folder);
	enqueue(s, done);
}

void
store_listing_begin(
    struct store *s, int64_t mailbox, const struct store_listing *l)
{
	(void)s;
	(void)mailbox;
	(void)l;
}

void
store_listing_add(struct store *s, int64_t mailbox,
    const struct store_entry *entries, size_t n)
{
	(void)mailbox;
	for (size_t i = 0; i < n; i++)
		trail_event(s->trail, "listed %u", entries[i].number);
}

bool
store_wait(struct store *s, struct store_waiter *w)
{
	if (s->full)
		s->waiter = w;
	return s->full;
}

void
store_wait_cancel(struct store *s, struct store_waiter *w)
{
	if (s->waiter == w)
		s->waiter = NULL;
}

void
store_listing_end(struct store *s, int64_t mailbox,
    const struct store_listing *l, struct store_done done)
{
	(void)mailbox;
	trail_event(s->trail, "settle%s", l->complete ? "" : " incomplete");
	enqueue(s, done);
}

void
store_work(struct store *s, int64_t mailbox, int64_t now, uint32_t after,
    size_t limit, struct store_done done)
{
	(void)mailbox;
	(void)now;
	(void)limit;
	trail_event(s->trail, "work behind %u", after);
	enqueue(s, done);
}

void
store_removals(struct store *s, int64_t mailbox, uint32_t after, size_t limit,
    struct store_done done)
{
	(void)mailbox;
	(void)limit;
	trail_event(s->trail, "removals behind %u", after);
	enqueue(s, done);
}

void
store_listing_drop(struct store *s, int64_t mailbox)
{
	(void)s;
	(void)mailbox;
}

void
store_begin(struct store *s, int64_t id)
{
	s->underway++;
	(void)id;
}

void
store_end(struct store *s, int64_t id)
{
	s->underway--;
	(void)id;
}

void
store_login(struct store *s, const char *account, int64_t now, int64_t delay,
    struct store_done done)
{
	(void)now;
	(void)done; /* nobody waits for it */
	trail_event(s->trail, "record login of %s, %lld seconds", account,
	    (long long)delay);
}

void
store_items_free(struct store_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(items[i].uid);
		free(items[i].destination);
	}
	free(items);
}

static void
answer(struct store *s, struct store_answer *a)
{
	struct store_done done = s->queue[0];

	if (s->queued-- == 0)
		abort();
	memmove(s->queue, s->queue + 1, s->queued * sizeof(s->queue[0]));
	done.run(done.arg, a);
}

void
fake_store_commit(struct store *s)
{
	struct store_answer a = { .ok = true, .complete = true };

	trail_event(s->trail, "committed");
	answer(s, &a);
}

void
fake_store_fail(struct store *s)
{
	struct store_answer a = { .ok = false };

	trail_event(s->trail, "not committed");
	fault_set(
	    &a.fault, FAULT_US, FAULT_UNKNOWN, "state", "the disk is full");
	answer(s, &a);
}

void
fake_store_answer(struct store *s, struct store_answer *a)
{
	a->ok = true;
	answer(s, a);
	store_items_free(a->items, a->nitems);
}

void
store_unknown(struct store *s, int64_t mailbox, uint32_t after, size_t limit,
    struct store_done done)
{
	(void)mailbox;
	(void)limit;
	trail_event(s->trail, "unknown behind %u", after);
	enqueue(s, done);
}

void
store_headers(struct store *s, int64_t mailbox,
    const struct store_header *headers, size_t n)
{
	(void)mailbox;
	for (size_t i = 0; i < n; i++)
		trail_event(s->trail, "header %u", headers[i].number);
}

void
store_marked(struct store *s, int64_t mailbox, const uint32_t *uids, size_t n)
{
	(void)mailbox;
	for (size_t i = 0; i < n; i++)
		trail_event(s->trail, "marked %u", uids[i]);
}

void
store_find_trace(struct store *s, const char *const *traces, size_t n,
    struct store_done done)
{
	trail_event(s->trail, "find %zu: %s", n, traces[0]);
	enqueue(s, done);
}

void
fake_store_found(struct store *s, size_t which)
{
	struct store_answer a = { .ok = true, .on_record = which };

	trail_event(s->trail, "found: %zu", which);
	answer(s, &a);
}
