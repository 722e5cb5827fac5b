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
		.mailbox = w->name,
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

	w->state = r.watching ? WORKER_WATCHING : WORKER_IDLE;
	tell_counts(w);
	/* The end of a watch is another report, and does not tell it again. */
	w->report = (struct worker_report){ 0 };
	w->owner.done(w->owner.arg, &r);
}

void
worker_end_poll(struct worker *w)
{
	w->state = WORKER_DRAINING;
	if (!w->report.watching) {
		w->selected = false;
		source_close(&w->source);
	}
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
	worker_list_on(w);
	w->selected = false;
	w->report.watching = false;
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

/* --- look up, open, select */

static void leave(struct worker *w, bool may_watch);

static void
open_session(struct worker *w)
{
	struct session_owner owner = {
		.net = w->ctx->net,
		.tokens = w->ctx->tokens,
		.conf = w->ctx->conf,
		.account = w->account,
		.events = &source_events,
		.arg = w,
		.keyword = w->ctx->keyword,
		.dir = spool_pool_dir(w->ctx->pool),
	};

	w->state = WORKER_OPENING;
	w->no_quit = false;
	w->source = w->driver->open(&owner);
}

static void
select_mailbox(struct worker *w)
{
	bool read_only =
	    w->ctx->dry_run ||
	    (w->folder->after == CONF_AFTER_KEEP && w->ctx->keyword == NULL);

	w->state = WORKER_SELECTING;
	source_select(w->source, w->name, w->folder, read_only);
}

/* What goes wrong with one mailbox is no reason to leave the others out. */
void
worker_skip_mailbox(struct worker *w, const struct fault *f)
{
	worker_note_fault(w, f);
	w->report.mailbox_only = f->scope == FAULT_ACCOUNT;
	if (w->source != NULL)
		leave(w, false);
	else
		worker_end_poll(w);
}

static void
on_mailbox(void *arg, struct store_answer *a)
{
	struct worker *w = arg;

	if (w->state != WORKER_LOOKUP) {
		worker_advance(w); /* the session broke meanwhile */
		return;
	}
	if (!a->ok) {
		worker_skip_mailbox(w, &a->fault);
		return;
	}
	w->mailbox = a->mailbox;
	w->baseline = a->baseline;
	w->generation = a->generation;
	w->list_from = a->list_from;
	w->new_from = a->new_from;
	memcpy(w->uuid, a->account_uuid, sizeof(w->uuid));
	w->trace = (struct trace_source){
		.key = store_install_key(w->ctx->store),
		.account_uuid = w->uuid,
		.folder = w->name,
		.generation = w->opened.generation,
	};
	trace_token(&w->trace, w->token);
	if (w->stopping)
		worker_abandon(w);
	else if (w->source == NULL)
		open_session(w);
	else if (w->selected)
		worker_list(w);
	else
		select_mailbox(w);
}

/* The server may count from here, whatever becomes of the poll. */
static void
on_logged_in(void *arg, unsigned delay)
{
	struct worker *w = arg;

	if (w->ctx->dry_run)
		return;
	/* What its documents say counts when it does not say it itself. */
	if (delay < w->account->login_delay)
		delay = (unsigned)w->account->login_delay;
	w->report.last_login = time(NULL);
	w->report.login_delay = delay;
	if (delay > 0)
		store_login(w->ctx->store, w->account->name,
		    w->report.last_login, delay,
		    (struct store_done){ .run = NULL });
}

void
worker_warm(const struct worker *w, uint64_t n)
{
	if (n == 0 || w->ctx->dry_run || w->stopping || w->removing_only)
		return;
	for (size_t i = 0; i < w->account->ndestinations; i++)
		sink_warm(w->ctx->sinks[i], n);
}

/* What SELECT said is enough to know that so much is to be relayed, at most. */
static uint64_t
promised(const struct worker *w, const struct source_mailbox *m)
{
	uint64_t n = 0;

	if (!w->baseline)
		return w->folder->first == CONF_FIRST_ALL ? m->exists : 0;
	if (m->generation == w->generation && m->next > w->new_from)
		n = m->next - w->new_from;
	return n < m->exists ? n : m->exists;
}

static void
on_ready(void *arg)
{
	select_mailbox(arg);
}

static void
on_selected(void *arg, const struct source_mailbox *m, const struct fault *f)
{
	struct worker *w = arg;

	if (m == NULL) {
		worker_skip_mailbox(w, f);
		return;
	}
	w->selected = true;
	w->opened = *m;
	w->trace.generation = m->generation;
	worker_warm(w, promised(w, m));
	worker_list(w);
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
			.mailbox = w->name,
			.destination = a->items[i].destination,
			.uid = a->items[i].uid,
		};

		log_event(&e, "%s: would %s %s uid %s (%s)", e.account,
		    hold ? "hold" : what, w->name, e.uid, e.destination);
	}
}

/* --- remove and leave */

static bool
removes(const struct conf_folder *f)
{
	return f->after == CONF_AFTER_DELETE ||
	       f->after == CONF_AFTER_DELETE_AFTER ||
	       f->after == CONF_AFTER_MOVE;
}

/* SELECT told what UID comes next; that is not so any more. */
static void
watch(struct worker *w)
{
	w->opened.next = 0;
	if (!source_watch(w->source)) {
		worker_look_up(w);
		return;
	}
	if (w->source == NULL)
		return; /* the session broke over it */
	w->report.watching = true;
	worker_end_poll(w);
}

static void
give_back(struct worker *w)
{
	w->report.session = w->source;
	w->source = NULL;
	worker_end_poll(w);
}

static enum worker_leave
ask_owner(struct worker *w, bool may_watch)
{
	if (w->stopping || w->driver->folders == NULL)
		return WORKER_QUIT;
	return w->owner.leaving(w->owner.arg,
	    may_watch && !w->cannot_watch && source_can_watch(w->source));
}

static void
say_goodbye(struct worker *w)
{
	w->state = WORKER_LEAVING;
	source_quit(w->source);
}

static void
leave(struct worker *w, bool may_watch)
{
	if (w->no_quit) {
		/* R6: QUIT would let the server forget what it showed us.  The
		 * deletions are made in a session of their own; where logins
		 * must be apart, that is the next poll's. */
		source_close(&w->source);
		store_listing_drop(w->ctx->store, w->mailbox);
		if (removes(w->folder) && !w->removing_only && !w->stopping &&
		    w->report.login_delay == 0 &&
		    (w->removals > 0 || w->report.relayed > 0)) {
			w->removing_only = true;
			open_session(w);
		} else {
			worker_end_poll(w);
		}
		return;
	}
	switch (ask_owner(w, may_watch)) {
	case WORKER_WATCH:
		watch(w);
		break;
	case WORKER_KEEP:
		give_back(w);
		break;
	case WORKER_QUIT:
		say_goodbye(w);
		break;
	}
}

/* The goodbye of POP3 is in the flight of the last of them. */
static void
remove_these(struct worker *w, const uint32_t *numbers, size_t n)
{
	w->removing = true;
	source_remove(w->source, numbers, n);
	if (w->state == WORKER_REMOVING && w->last_page &&
	    ask_owner(w, true) == WORKER_QUIT)
		say_goodbye(w);
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
	w->last_page = a->nitems < REMOVE_BATCH;
	if (n == 0)
		leave(w, true);
	else if (w->ctx->dry_run)
		worker_remove_next(w);
	else
		remove_these(w, numbers, n);
}

/* Only what this session listed and the record says every destination has. */
void
worker_remove_next(struct worker *w)
{
	if (w->state == WORKER_WORKING) {
		w->state = WORKER_REMOVING;
		w->after = 0;
	}
	if (!removes(w->folder) || w->no_quit || w->stopping) {
		leave(w, true);
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
	w->removing = false;
	if (w->state == WORKER_LEAVING)
		return; /* and is answered next */
	if (w->last_page)
		leave(w, true);
	else
		worker_remove_next(w);
}

static void
on_down(void *arg, const struct fault *f)
{
	struct worker *w = arg;

	if (f != NULL && w->state == WORKER_LEAVING && !w->removing)
		f = NULL; /* nothing depends on the goodbye */
	if (f != NULL)
		worker_note_fault(w, f);
	w->report.watched =
	    w->state == WORKER_WATCHING || w->state == WORKER_WAKING;
	worker_abandon(w);
}

/* --- watching */

void
worker_look_up(struct worker *w)
{
	struct store_account who = {
		.name = w->account->name,
		.user = w->account->server.user,
		.host = w->account->server.host,
	};

	w->state = WORKER_LOOKUP;
	store_mailbox(
	    w->ctx->store, &who, w->name, (struct store_done){ on_mailbox, w });
}

static void
begin_poll(struct worker *w)
{
	memset(&w->report, 0, sizeof(w->report));
	w->removing_only = false;
	w->left_out = w->again = w->removing = false;
}

static void
wake(struct worker *w)
{
	begin_poll(w);
	w->state = WORKER_WAKING;
	source_unwatch(w->source);
}

static void
on_news(void *arg)
{
	struct worker *w = arg;

	if (w->state == WORKER_WATCHING && w->owner.may_poll(w->owner.arg))
		wake(w);
}

/* Also when the server ends it by itself: then it is asked how things are. */
static void
on_unwatched(void *arg)
{
	struct worker *w = arg;

	if (w->state == WORKER_WATCHING) {
		begin_poll(w);
		w->cannot_watch = true;
	}
	worker_look_up(w);
}

static const struct source_events source_events = {
	.logged_in = on_logged_in,
	.ready = on_ready,
	.selected = on_selected,
	.entry = worker_on_entry,
	.listed = worker_on_listed,
	.size = worker_on_size,
	.sized = worker_on_sized,
	.piece = worker_on_piece,
	.fetched = worker_on_fetched,
	.header_piece = worker_on_header_piece,
	.header = worker_on_header,
	.headed = worker_on_headed,
	.marked = worker_on_marked,
	.marks_told = worker_on_marks_told,
	.removed = on_removed,
	.news = on_news,
	.unwatched = on_unwatched,
	.down = on_down,
};

/* --- the worker */

struct worker *
worker_new(const struct worker_context *ctx, const struct worker_mailbox *m,
    const struct worker_owner *owner)
{
	const struct conf_account *a = m->account;
	struct worker *w = mem_alloc(sizeof(*w));

	w->ctx = ctx;
	w->account = a;
	w->folder = m->folder;
	w->name = m->name;
	w->owner = *owner;
	w->driver = a->protocol == CONF_POP3 ? &source_pop3_driver
	                                     : &source_imap_driver;
	for (int i = 0; i < MESSAGE_STATES; i++)
		TAILQ_INIT(&w->messages[i]);
	timer_init(&w->ended, ctx->net->loop, on_ended, w);
	w->waiter = (struct spool_waiter){
		.room = worker_on_room,
		.arg = w,
		.holder = ctx->holder,
	};
	w->backlog = (struct store_waiter){
		.room = worker_on_backlog,
		.arg = w,
	};
	w->transfer = (struct transfer_context){
		.loop = ctx->net->loop,
		.store = ctx->store,
		.account = a->name,
		.mailbox = w->name,
		.source_host = a->server.host,
		.our_host = ctx->our_host,
		.protocol = w->driver->protocol,
		.trace = &w->trace,
		.token = w->token,
		.remove = m->folder->after == CONF_AFTER_DELETE ||
		          m->folder->after == CONF_AFTER_MOVE,
		.retry_max = (int64_t)ctx->conf->retry_max,
		.give_up = (int64_t)ctx->conf->give_up,
		.accepted = worker_on_accepted,
	};
	return w;
}

void
worker_free(struct worker **w)
{
	if (*w == NULL)
		return;
	timer_free(&(*w)->ended);
	free((*w)->marked.list);
	free(*w);
	*w = NULL;
}

void
worker_poll(struct worker *w, struct source *session)
{
	w->stopping = false;
	if (w->state == WORKER_WATCHING) {
		wake(w);
		return;
	}
	begin_poll(w);
	w->cannot_watch = false;
	w->source = session;
	if (session != NULL)
		source_give(session, &source_events, w);
	worker_look_up(w);
}

bool
worker_busy(const struct worker *w)
{
	return w->state != WORKER_IDLE && w->state != WORKER_WATCHING;
}

bool
worker_watching(const struct worker *w)
{
	return w->state == WORKER_WATCHING;
}

/* Nothing was begun that must end. */
static bool
may_abandon(const struct worker *w)
{
	return w->state != WORKER_IDLE && w->state != WORKER_LOOKUP &&
	       w->state != WORKER_WORKING && w->state != WORKER_DRAINING;
}

void
worker_retire(struct worker *w)
{
	w->stopping = true;
	if (may_abandon(w))
		worker_abandon(w);
	else
		worker_advance(w);
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

/* --- for people */

void
worker_status(const struct worker *w, struct worker_status *st_r)
{
	static const char *const doing[WORKER_STATES] = {
		[WORKER_IDLE] = "idle",
		[WORKER_WATCHING] = "watching",
		[WORKER_WAKING] = "listing",
		[WORKER_LOOKUP] = "connecting",
		[WORKER_OPENING] = "connecting",
		[WORKER_SELECTING] = "listing",
		[WORKER_LISTING] = "listing",
		[WORKER_SETTLING] = "listing",
		[WORKER_RECOGNISING] = "comparing",
		[WORKER_WORKING] = "relaying",
		[WORKER_REMOVING] = "removing",
		[WORKER_LEAVING] = "leaving",
		[WORKER_DRAINING] = "finishing",
	};

	*st_r = (struct worker_status){ .doing = doing[w->state] };
	worker_incoming(w, st_r);
}
