/* SPDX-License-Identifier: ISC */
#include "relay/worker_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/loop.h"
#include "relay/session.h"
#include "relay/sink.h"
#include "relay/source.h"
#include "relay/spool.h"
#include "relay/trace.h"
#include "relay/transfer.h"
#include "store/store.h"

static const struct source_events source_events;

/* --- the end of a poll */

/* Ours before the account's before a destination's; the first of a kind. */
static int
weight(const struct fault *f)
{
	return f->scope == FAULT_US ? 2 : f->scope != FAULT_DESTINATION;
}

void
worker_note_fault(struct worker *w, const struct fault *f)
{
	if (!w->report.failed || weight(f) > weight(&w->report.fault))
		w->report.fault = *f;
	w->report.failed = true;
}

/* What the poll came to, in one line; nothing when nothing happened. */
static void
tell_counts(const struct worker *w)
{
	const struct worker_report *r = &w->report;
	bool look = r->held + r->in_doubt + r->duplicates > 0;
	struct log_event e = {
		.priority = look ? LOG_NOTICE : LOG_INFO,
		.message_id = LOG_ID_POLL_ENDED,
		.account = w->account->name,
		.mailbox = FOLDER,
	};

	if (r->relayed + r->deferred + r->held + r->in_doubt > 0)
		log_event(&e,
		    "%s: poll ended: relayed %u, deferred %u, held %u, in "
		    "doubt %u, possible duplicates %u",
		    e.account, r->relayed, r->deferred, r->held, r->in_doubt,
		    r->duplicates);
}

static void
on_ended(void *arg)
{
	struct worker *w = arg;
	struct worker_report r = w->report;

	w->state = WORKER_IDLE;
	tell_counts(w);
	w->done(w->arg, &r);
}

void
worker_end_poll(struct worker *w)
{
	w->state = WORKER_DRAINING;
	source_close(&w->source);
	spool_unref(&w->incoming);
	if (w->mailbox != 0)
		store_listing_drop(w->ctx->store, w->mailbox);
	timer_set(&w->ended, 0);
}

/* The session is gone, without a goodbye. */
void
worker_abandon(struct worker *w)
{
	spool_waiter_cancel(w->ctx->pool, &w->waiter);
	source_close(&w->source);
	spool_unref(&w->incoming);
	worker_forget_headers(w);
	w->incoming_failed = w->sizing = false;
	w->state = WORKER_DRAINING;
	worker_drop(w, MESSAGE_FETCHING);
	worker_advance(w);
}

void
worker_fail(struct worker *w, const struct fault *f)
{
	worker_note_fault(w, f);
	worker_abandon(w);
}

/* --- look up, open, list, settle */

static void
open_session(struct worker *w)
{
	bool read_only =
	    w->ctx->dry_run || w->account->after == CONF_AFTER_KEEP;

	struct session_owner owner = {
		.net = w->ctx->net,
		.conf = w->ctx->conf,
		.account = w->account,
		.events = &source_events,
		.arg = w,
	};

	w->state = WORKER_OPENING;
	w->no_quit = w->exhausted = false;
	w->after = 0;
	w->source = w->driver->open(&owner, read_only);
}

static void
on_mailbox(void *arg, struct store_answer *a)
{
	struct worker *w = arg;

	if (!a->ok) {
		worker_note_fault(w, &a->fault);
		worker_end_poll(w);
		return;
	}
	w->mailbox = a->mailbox;
	w->baseline = a->baseline;
	w->generation = a->generation;
	w->list_from = a->list_from;
	memcpy(w->uuid, a->account_uuid, sizeof(w->uuid));
	w->trace = (struct trace_source){
		.key = store_install_key(w->ctx->store),
		.account_uuid = w->uuid,
		.folder = FOLDER,
	};
	trace_token(&w->trace, w->token);
	if (w->stopping)
		worker_end_poll(w);
	else
		open_session(w);
}

static void
on_entry(void *arg, struct span uid, uint32_t number, uint64_t size)
{
	struct worker *w = arg;
	struct store_entry e = { .uid = uid, .number = number, .size = size };

	store_listing_add(w->ctx->store, w->mailbox, &e, 1);
}

static void
tell_baseline(const struct worker *w, const struct store_answer *a)
{
	struct log_event e = {
		.priority = LOG_NOTICE,
		.message_id = LOG_ID_BASELINE,
		.account = w->account->name,
		.mailbox = FOLDER,
	};

	if (w->baseline)
		return;
	if (w->account->first == CONF_FIRST_ALL)
		log_event(&e,
		    "%s: first poll of %s: all %llu messages will be relayed "
		    "(first = all)",
		    e.account, FOLDER, (unsigned long long)a->added);
	else
		log_event(&e,
		    "%s: first poll of %s: %llu messages that are there "
		    "already "
		    "are noted as known and not relayed (first = new)",
		    e.account, FOLDER, (unsigned long long)a->known);
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
		worker_fail(w, &a->fault);
		return;
	}
	if (a->unknown > 0) {
		w->unknown = a->unknown;
		worker_recognise(w);
		return;
	}
	tell_baseline(w, a);
	worker_tell_recognised(w, a);
	w->baseline = true;
	w->generation = w->opened.generation;
	w->removals = a->removing;
	w->state = WORKER_WORKING;
	w->exhausted = w->removing_only || a->waiting == 0;
	worker_advance(w);
}

void
worker_end_listing(struct worker *w, bool recognised)
{
	const struct conf_account *a = w->account;
	struct store_listing l = {
		.imap = a->protocol == CONF_IMAP,
		.complete = w->complete_listing,
		.generation = w->opened.generation,
		.list_from = w->list_from,
		.relay_all = a->first == CONF_FIRST_ALL,
		.remove_after =
		    a->after == CONF_AFTER_DELETE_AFTER ? a->after_period : 0,
		.recognised = recognised,
		.guard = w->ctx->conf->guard,
		.destinations = (const char *const *)a->destination_names,
		.ndestinations = a->ndestinations,
	};

	w->state = WORKER_SETTLING;
	w->asked = true;
	w->after = 0; /* the headers' pages were counted with it */
	store_listing_end(w->ctx->store, w->mailbox, &l,
	    (struct store_done){ on_settled, w });
}

static void
on_listed(void *arg, bool complete)
{
	struct worker *w = arg;

	if (!complete)
		log_line(LOG_NOTICE,
		    "%s: the server's listings of %s disagree; nothing that is "
		    "missing is taken for removed",
		    w->account->name, FOLDER);
	w->complete_listing = complete;
	w->unknown = 0;
	worker_end_listing(w, false);
}

/* The server may count from here, whatever becomes of the poll. */
static void
on_logged_in(void *arg, unsigned delay)
{
	struct worker *w = arg;

	if (w->ctx->dry_run)
		return;
	w->report.last_login = time(NULL);
	w->report.login_delay = delay;
	if (delay > 0)
		store_login(w->ctx->store, w->account->name,
		    w->report.last_login, delay,
		    (struct store_done){ .run = NULL });
}

static void
on_ready(void *arg, const struct source_mailbox *m)
{
	struct worker *w = arg;

	w->opened = *m;
	w->trace.generation = m->generation;
	w->state = WORKER_LISTING;
	store_listing_begin(w->ctx->store, w->mailbox);
	/* Other UIDs than those on record: all of it is looked at. */
	if (m->generation != w->generation)
		w->list_from = 1;
	/* UIDNEXT tells without a listing that nothing is new. */
	if (w->baseline && m->next > 0 && w->list_from >= m->next)
		on_listed(w, true);
	else
		source_list(w->source, w->list_from);
}

void
worker_tell_dry(
    struct worker *w, const struct store_answer *a, const char *what)
{
	for (size_t i = 0; i < a->nitems; i++) {
		bool hold = w->ctx->conf->in_doubt == CONF_IN_DOUBT_HOLD &&
		            a->items[i].state == STORE_IN_DOUBT;
		struct log_event e = {
			.priority = LOG_NOTICE,
			.account = w->account->name,
			.mailbox = FOLDER,
			.destination = a->items[i].destination,
			.uid = a->items[i].uid,
		};

		log_event(&e, "%s: would %s %s uid %s (%s)", e.account,
		    hold ? "hold" : what, FOLDER, e.uid, e.destination);
	}
}

/* --- remove and leave */

static bool
removes(const struct conf_account *a)
{
	return a->after == CONF_AFTER_DELETE ||
	       a->after == CONF_AFTER_DELETE_AFTER ||
	       a->after == CONF_AFTER_MOVE;
}

static void
leave(struct worker *w)
{
	if (w->no_quit) {
		/* R6: QUIT would let the server forget what it showed us.  The
		 * deletions are made in a session of their own; where logins
		 * must be apart, that is the next poll's. */
		source_close(&w->source);
		store_listing_drop(w->ctx->store, w->mailbox);
		if (removes(w->account) && !w->removing_only && !w->stopping &&
		    w->report.login_delay == 0 &&
		    (w->removals > 0 || w->report.relayed > 0)) {
			w->removing_only = true;
			open_session(w);
		} else {
			worker_end_poll(w);
		}
		return;
	}
	w->state = WORKER_LEAVING;
	source_quit(w->source);
}

static void
on_removals(void *arg, struct store_answer *a)
{
	struct worker *w = arg;
	uint32_t numbers[REMOVE_BATCH];
	size_t n = 0;

	w->asked = false;
	if (w->state != WORKER_REMOVING) {
		worker_advance(w); /* the session broke meanwhile */
		return;
	}
	if (!a->ok) {
		worker_fail(w, &a->fault);
		return;
	}
	/* A row per destination: the message is removed once. */
	for (size_t i = 0; i < a->nitems && n < REMOVE_BATCH; i++)
		if (n == 0 || numbers[n - 1] != a->items[i].number)
			numbers[n++] = a->items[i].number;
	if (w->ctx->dry_run)
		worker_tell_dry(w, a, "remove");
	if (n > 0)
		w->after = numbers[n - 1];
	if (n == 0)
		leave(w);
	else if (w->ctx->dry_run)
		worker_remove_next(w);
	else
		source_remove(w->source, numbers, n);
}

/* Only what this session listed and the record says every destination has. */
void
worker_remove_next(struct worker *w)
{
	if (w->state == WORKER_WORKING) {
		w->state = WORKER_REMOVING;
		w->after = 0;
	}
	if (!removes(w->account) || w->no_quit || w->stopping) {
		leave(w);
		return;
	}
	w->asked = true;
	store_removals(w->ctx->store, w->mailbox, w->after, REMOVE_BATCH,
	    (struct store_done){ on_removals, w });
}

static void
on_removed(void *arg, size_t done)
{
	struct worker *w = arg;

	log_line(
	    LOG_DEBUG, "%s: %zu removals accepted", w->account->name, done);
	worker_remove_next(w);
}

static void
on_down(void *arg, const struct fault *f)
{
	struct worker *w = arg;

	if (f != NULL && w->state == WORKER_LEAVING)
		f = NULL; /* nothing depends on the goodbye */
	if (f != NULL)
		worker_note_fault(w, f);
	worker_abandon(w);
}

static const struct source_events source_events = {
	.logged_in = on_logged_in,
	.ready = on_ready,
	.entry = on_entry,
	.listed = on_listed,
	.size = worker_on_size,
	.sized = worker_on_sized,
	.piece = worker_on_piece,
	.fetched = worker_on_fetched,
	.header_piece = worker_on_header_piece,
	.header = worker_on_header,
	.headed = worker_on_headed,
	.removed = on_removed,
	.down = on_down,
};

/* --- the worker */

struct worker *
worker_new(const struct worker_context *ctx, const struct conf_account *a,
    void (*done)(void *arg, const struct worker_report *r), void *arg)
{
	struct worker *w = mem_alloc(sizeof(*w));

	w->ctx = ctx;
	w->account = a;
	w->done = done;
	w->arg = arg;
	w->driver = a->protocol == CONF_POP3 ? &source_pop3_driver
	                                     : &source_imap_driver;
	TAILQ_INIT(&w->messages);
	timer_init(&w->ended, ctx->net->loop, on_ended, w);
	w->waiter = (struct spool_waiter){ .room = worker_on_room, .arg = w };
	w->transfer = (struct transfer_context){
		.loop = ctx->net->loop,
		.store = ctx->store,
		.account = a->name,
		.mailbox = FOLDER,
		.source_host = a->server.host,
		.our_host = ctx->our_host,
		.protocol = w->driver->protocol,
		.trace = &w->trace,
		.token = w->token,
		.remove = a->after == CONF_AFTER_DELETE ||
		          a->after == CONF_AFTER_MOVE,
		.retry_max = (int64_t)ctx->conf->retry_max,
		.give_up = (int64_t)ctx->conf->give_up,
	};
	return w;
}

void
worker_free(struct worker **w)
{
	if (*w == NULL)
		return;
	timer_free(&(*w)->ended);
	free(*w);
	*w = NULL;
}

void
worker_poll(struct worker *w)
{
	struct store_account who = {
		.name = w->account->name,
		.user = w->account->server.user,
		.host = w->account->server.host,
	};

	memset(&w->report, 0, sizeof(w->report));
	w->state = WORKER_LOOKUP;
	w->removing_only = w->stopping = false;
	w->left_out = w->again = false;
	store_mailbox(
	    w->ctx->store, &who, FOLDER, (struct store_done){ on_mailbox, w });
}

bool
worker_busy(const struct worker *w)
{
	return w->state != WORKER_IDLE;
}

void
worker_stop(struct worker *w)
{
	w->stopping = true;
	if (w->state == WORKER_IDLE || w->state == WORKER_LOOKUP)
		return;
	if (w->state != WORKER_DRAINING)
		worker_abandon(w);
	worker_stop_transfers(w);
}
