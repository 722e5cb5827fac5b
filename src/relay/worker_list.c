/* SPDX-License-Identifier: ISC */
/*
 * The listing of a poll: what the server has in the mailbox, for the store to
 * compare with its records; and what came of that.
 */
#include "relay/worker_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "conf/conf.h"
#include "store/store.h"

void
worker_on_entry(void *arg, struct span uid, uint32_t number, uint64_t size)
{
	struct worker *w = arg;
	struct store_entry e = { .uid = uid, .number = number, .size = size };

	store_listing_add(w->ctx->store, w->mailbox, &e, 1);
	if (w->paused || !store_wait(w->ctx->store, &w->backlog))
		return;
	w->paused = true;
	source_pause(w->source, true);
}

void
worker_list_on(struct worker *w)
{
	store_wait_cancel(w->ctx->store, &w->backlog);
	if (w->paused && w->source != NULL)
		source_pause(w->source, false);
	w->paused = false;
}

void
worker_on_backlog(void *arg)
{
	worker_list_on(arg);
}

static void
tell_baseline(const struct worker *w, const struct store_answer *a)
{
	struct log_event e = {
		.priority = LOG_NOTICE,
		.message_id = LOG_ID_BASELINE,
		.account = w->account->name,
		.mailbox = w->name,
	};

	if (w->baseline)
		return;
	if (w->folder->first == CONF_FIRST_ALL)
		log_event(&e,
		    "%s: first poll of %s: all %llu messages will be relayed "
		    "(first = all)%s",
		    e.account, w->name, (unsigned long long)a->added,
		    a->marked > 0 ? " but for those with our mark" : "");
	else if (w->folder->first == CONF_FIRST_SINCE)
		log_event(&e,
		    "%s: first poll of %s: %llu messages will be relayed, %llu "
		    "older ones are noted as known (first = since)",
		    e.account, w->name, (unsigned long long)a->added,
		    (unsigned long long)a->known);
	else
		log_event(&e,
		    "%s: first poll of %s: %llu messages that are there "
		    "already "
		    "are noted as known and not relayed (first = new)",
		    e.account, w->name, (unsigned long long)a->known);
}

/* What the marks changed: it should be rare, and somebody may wonder. */
static void
tell_marks(const struct worker *w, const struct store_answer *a)
{
	struct log_event e = {
		.priority = LOG_NOTICE,
		.account = w->account->name,
		.mailbox = w->name,
	};

	if (a->marked > 0)
		log_event(&e,
		    "%s: %llu messages in %s that are not on record carry our "
		    "mark: they were relayed before and are not again",
		    e.account, (unsigned long long)a->marked, w->name);
	if (a->settled > 0)
		log_event(&e,
		    "%s: %llu messages in %s that were in doubt carry our "
		    "mark: they were accepted",
		    e.account, (unsigned long long)a->settled, w->name);
}

static void
on_settled(void *arg, struct store_answer *a)
{
	struct worker *w = arg;

	w->asked = false;
	if (w->state != WORKER_SETTLING) {
		worker_advance(w); /* the session broke meanwhile */
		return;
	}
	if (!a->ok) {
		worker_fail(w, &a->fault);
		return;
	}
	if (a->paused) {
		worker_skip_mailbox(w, &a->fault);
		return;
	}
	if (a->unknown > 0) {
		w->unknown = a->unknown;
		worker_recognise(w);
		return;
	}
	tell_baseline(w, a);
	tell_marks(w, a);
	worker_tell_recognised(w, a);
	w->baseline = true;
	w->generation = w->opened.generation;
	w->removals = a->removing;
	w->state = WORKER_WORKING;
	w->exhausted = w->removing_only || a->waiting == 0;
	if (!w->exhausted)
		worker_warm(w, a->waiting);
	worker_advance(w);
}

static struct store_listing
listing(const struct worker *w, bool recognised)
{
	const struct conf_account *a = w->account;
	const struct conf_folder *f = w->folder;

	return (struct store_listing){
		.imap = a->protocol == CONF_IMAP,
		.complete = w->complete_listing,
		.generation = w->opened.generation,
		.list_from = w->list_from,
		.relay_all = f->first == CONF_FIRST_ALL,
		.since = f->first == CONF_FIRST_SINCE ? f->first_since : 0,
		.remove = w->transfer.remove,
		.remove_after =
		    f->after == CONF_AFTER_DELETE_AFTER ? f->after_period : 0,
		.recognised = recognised,
		.guard = w->ctx->conf->guard,
		.destinations = (const char *const *)a->destination_names,
		.ndestinations = a->ndestinations,
	};
}

void
worker_end_listing(struct worker *w, bool recognised)
{
	struct store_listing l = listing(w, recognised);

	w->state = WORKER_SETTLING;
	w->asked = true;
	w->after = 0; /* the headers' pages were counted with it */
	store_listing_end(w->ctx->store, w->mailbox, &l,
	    (struct store_done){ on_settled, w });
}

void
worker_on_listed(void *arg, bool complete)
{
	struct worker *w = arg;

	if (!complete)
		log_line(LOG_NOTICE,
		    "%s: the server's listings of %s disagree; nothing that is "
		    "missing is taken for removed",
		    w->account->name, w->name);
	worker_list_on(w);
	w->complete_listing = complete;
	w->unknown = 0;
	if (w->state != WORKER_LISTING || w->ctx->keyword == NULL ||
	    !source_marks(w->source, w->list_from))
		worker_end_listing(w, false);
}

static void
give_marks(struct worker *w)
{
	if (w->marked.n > 0)
		store_marked(
		    w->ctx->store, w->mailbox, w->marked.list, w->marked.n);
	free(w->marked.list);
	w->marked = (struct uids){ 0 };
}

/* Evidence of what a lost or older state had relayed. */
void
worker_on_marked(void *arg, uint32_t number)
{
	struct worker *w = arg;

	uids_add(&w->marked, &number, 1);
	if (w->marked.n == LISTING_BATCH)
		give_marks(w);
}

void
worker_on_marks_told(void *arg)
{
	struct worker *w = arg;

	give_marks(w);
	worker_end_listing(w, false);
}

void
worker_list(struct worker *w)
{
	const struct source_mailbox *m = &w->opened;
	struct store_listing l = listing(w, false);

	w->state = WORKER_LISTING;
	w->marked.n = 0;
	w->exhausted = false;
	w->after = 0;
	store_listing_begin(w->ctx->store, w->mailbox, &l);
	/* Other UIDs than those on record: all of it is looked at. */
	if (m->generation != w->generation)
		w->list_from = 1;
	/* UIDNEXT tells without a listing that nothing is new. */
	if (w->baseline && m->next > 0 && w->list_from >= m->next) {
		w->state = WORKER_SETTLING;
		worker_on_listed(w, true);
	} else {
		source_list(w->source, w->list_from);
	}
}
