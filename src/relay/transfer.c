/* SPDX-License-Identifier: ISC */
#include "relay/transfer.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "proto/imap_name.h"
#include "relay/parcel.h"
#include "relay/retry.h"
#include "relay/sink.h"
#include "relay/spool.h"
#include "relay/trace.h"
#include "store/store.h"

_Static_assert(TRACE_SIZE == REPORT_ID_LEN + 1, "a report shows a trace");

/* RFC 5321 section 6.3: more than this is a loop. */
#define RECEIVED_MAX 100
/* RFC 5322 section 2.1.1: no line of more than 998 bytes. */
#define FOLDER_MAX 900

struct transfer {
	const struct transfer_context *ctx; /* foreign */
	struct transfer_route route;
	struct store_item *item; /* foreign */
	struct spool *spool;     /* a reference; NULL: refused undownloaded */
	struct sink_job job;
	struct parcel *parcel; /* what goes out; NULL: not made yet */
	bool stopping;         /* do not submit it any more */
	bool submitted;        /* the sink has it */
	bool claimed;          /* the in-doubt record was asked for ... */
	bool in_doubt;         /* ... and is durable */
	bool rewrap;           /* refused: it is to go out again, enclosed */
	int64_t started;       /* microseconds */
	int64_t next_try;      /* wall clock; 0: whenever it is found again */
	struct transfer_result result;
	char words[STORE_REPLY_MAX];
	struct timer later;
	void (*done)(
	    void *arg, struct transfer *t, const struct transfer_result *r);
	void *arg;
};

static void on_begin(void *arg);
static void on_verdict(void *arg, const struct fault *f, const char *words);
static void fail_stopped(struct transfer *t);
static void go(struct transfer *t);

static void
finish(struct transfer *t)
{
	struct transfer_result r = t->result;

	t->done(t->arg, t, &r);
	timer_free(&t->later);
	spool_unref(&t->spool);
	parcel_free(&t->parcel);
	free(t);
}

static void
on_later(void *arg)
{
	finish(arg);
}

/* --- what is said about it */

static void
tell(const struct transfer *t, const char *id, enum store_state state)
{
	const struct transfer_context *ctx = t->ctx;
	const struct fault *f = &t->result.fault;
	bool good = state == STORE_RELAYED;
	struct log_event e = {
		.priority = good ? LOG_INFO : LOG_WARNING,
		.message_id = id,
		.account = ctx->account,
		.mailbox = ctx->mailbox,
		.destination = t->item->destination,
		.uid = t->item->uid,
		.trace = t->item->trace,
		.state = store_state_name(state),
		.attempt = t->item->attempt,
		.code = f->code,
		.bytes =
		    t->spool != NULL ? spool_size(t->spool) : t->item->size,
		.usec = loop_now_us(ctx->loop) - t->started,
	};
	double seconds = (double)e.usec / 1e6;

	if (good)
		log_event(&e,
		    "%s: relayed %s uid %s to %s, %llu bytes, %.3f s: %s%s%s",
		    ctx->account, ctx->mailbox, e.uid, e.destination,
		    (unsigned long long)e.bytes, seconds, t->words,
		    t->item->wrapped ? " (wrapped)" : "",
		    t->item->doubt ? " (possible duplicate)" : "");
	else
		log_event(&e,
		    "%s: %s %s uid %s to %s, %llu bytes, %.3f s: %s: %s%s%s",
		    ctx->account, e.state, ctx->mailbox, e.uid, e.destination,
		    (unsigned long long)e.bytes, seconds, f->phase, f->text,
		    f->hint != NULL ? "; " : "",
		    f->hint != NULL ? f->hint : "");
}

/* --- the record */

/* It is on record that it was refused as it is, and goes out enclosed from now
 * on: whoever comes to it next does that, and nobody does it twice. */
static void
send_wrapped(struct transfer *t)
{
	struct store_item *item = t->item;

	t->rewrap = t->claimed = t->in_doubt = false;
	t->next_try = 0;
	item->wrapped = true;
	item->state = STORE_DEFERRED;
	if (t->stopping)
		fail_stopped(t);
	else
		go(t);
}

static void
on_recorded(void *arg, struct store_answer *a)
{
	struct transfer *t = arg;

	if (!a->ok) {
		/* Accepted or refused, but not on record: it stays in doubt. */
		t->result.end = TRANSFER_UNTRIED;
		t->result.fault = a->fault;
	} else if (t->result.end == TRANSFER_RELAYED) {
		t->result.complete = a->complete;
		sink_note_relayed(
		    t->route.sink, loop_now_us(t->ctx->loop) - t->route.since);
		tell(t, LOG_ID_RELAYED, STORE_RELAYED);
	} else if (t->result.end == TRANSFER_HELD) {
		tell(t, LOG_ID_HELD, STORE_HELD);
	} else if (t->result.end == TRANSFER_DEFERRED) {
		tell(t, LOG_ID_DEFERRED, STORE_DEFERRED);
		if (t->rewrap) {
			send_wrapped(t);
			return;
		}
	}
	finish(t);
}

static void
record_relayed(struct transfer *t)
{
	struct store_success a = {
		.now = time(NULL),
		.usec = loop_now_us(t->ctx->loop) - t->started,
		.remove = t->ctx->remove,
		.reply = t->words,
	};

	t->result.end = TRANSFER_RELAYED;
	if (t->ctx->accepted != NULL)
		t->ctx->accepted(t->arg);
	store_relayed(t->ctx->store, t->item->id, &a,
	    (struct store_done){ on_recorded, t });
}

static void
record_refused(struct transfer *t, enum store_state state)
{
	int64_t now = time(NULL);
	struct store_refusal r = {
		.state = state,
		.now = now,
		.next_try = t->next_try > 0 ? t->next_try : now,
		.usec = loop_now_us(t->ctx->loop) - t->started,
		.counted = t->next_try > 0,
		.wrap = t->rewrap,
		.reply = t->result.fault.text,
		.trace = t->item->trace,
		.fingerprint =
		    t->spool != NULL ? spool_fingerprint(t->spool) : NULL,
	};

	store_refused(t->ctx->store, t->item->id, &r,
	    (struct store_done){ on_recorded, t });
}

/* Refused for now: there is a next try, or there was the last. */
static void
record_deferral(struct transfer *t)
{
	const struct store_item *item = t->item;
	int64_t now = time(NULL);
	struct retry_tries tries = {
		.refusals = item->refusals + 1,
		.first = item->first_refusal > 0 ? item->first_refusal : now,
		.now = now,
		.cap = t->ctx->retry_max,
		.give_up = t->ctx->give_up,
		.seed = (uint64_t)item->id,
	};

	t->next_try = retry_message_next(&t->result.fault, &tries);
	if (t->next_try > 0) {
		t->result.end = TRANSFER_DEFERRED;
		record_refused(t, STORE_DEFERRED);
	} else {
		t->result.fault.hint = "it was refused until give_up was over; "
				       "it stays where it is";
		t->result.end = TRANSFER_HELD;
		record_refused(t, STORE_HELD);
	}
}

static bool
may_wrap(const struct transfer *t)
{
	const struct conf_destination *d;

	if (t->spool == NULL || t->item->wrapped)
		return false;
	d = sink_destination(t->route.sink);
	return d->on_reject == CONF_ON_REJECT_WRAP &&
	       d->sender != CONF_SENDER_WRAP && retry_wrapped(&t->result.fault);
}

/* For good; but there may be another form of it to try. */
static void
record_refusal(struct transfer *t)
{
	t->rewrap = may_wrap(t);
	if (t->rewrap) {
		t->result.fault.hint = "it is sent again, enclosed in another "
				       "message (on_reject)";
		t->result.end = TRANSFER_DEFERRED;
		record_refused(t, STORE_DEFERRED);
	} else {
		t->result.end = TRANSFER_HELD;
		record_refused(t, STORE_HELD);
	}
}

/* relay/retry decides, this writes it down. */
static void
record_failure(struct transfer *t)
{
	switch (retry_message(&t->result.fault)) {
	case RETRY_IN_DOUBT:
		/* It is on record as in doubt since before the dot. */
		t->result.end = TRANSFER_IN_DOUBT;
		tell(t, LOG_ID_IN_DOUBT, STORE_IN_DOUBT);
		finish(t);
		break;
	case RETRY_HOLD:
		record_refusal(t);
		break;
	case RETRY_DEFER:
		record_deferral(t);
		break;
	case RETRY_RESTORE:
		t->result.end = TRANSFER_UNTRIED;
		if (t->claimed) /* provably not sent: take the doubt back */
			record_refused(t, STORE_DEFERRED);
		else
			timer_set(&t->later, 0);
		break;
	}
}

/* --- the way */

/* What we refuse ourselves, before any server can. */
static bool
acceptable(const struct transfer *t, struct fault *f)
{
	const struct header_scan *h = spool_scan(t->spool);
	const char *why = NULL;

	if (h->nul)
		why = "it holds a NUL byte, which servers cut or misread";
	else if (h->own_token)
		why =
		    "it comes back to the account it was relayed from: a loop";
	else if (h->received >= RECEIVED_MAX)
		why = "it was received 100 times: a loop";
	if (why == NULL)
		return true;
	fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "check", "%s", why);
	if (!h->nul)
		f->hint = "see where the destination forwards to";
	return false;
}

static bool
is_notice(const struct transfer *t)
{
	const char *notice = spool_scan(t->spool)->notice;
	char token[TRACE_TOKEN_SIZE];

	if (notice[0] == '\0')
		return false;
	trace_notice(t->ctx->trace->key, token);
	return strcmp(notice, token) == 0;
}

/* Where it lay, for those who sort by it: a message of \Junk should not come as
 * if it were none.  NULL: in INBOX, or in what has no place in one line. */
static const char *
folder_of(const struct transfer_context *ctx, char name[IMAP_NAME_MAX])
{
	if (strcmp(ctx->mailbox, "INBOX") == 0 ||
	    !imap_name_encode(ctx->mailbox, name, IMAP_NAME_MAX) ||
	    strlen(name) > FOLDER_MAX)
		return NULL;
	return name;
}

static void
write_head(struct transfer *t, struct buf *b)
{
	const struct transfer_context *ctx = t->ctx;
	char folder[IMAP_NAME_MAX];
	struct trace_head h = {
		.source_host = ctx->source_host,
		.our_host = ctx->our_host,
		.protocol = ctx->protocol,
		.recipient = t->route.recipient,
		.folder = folder_of(ctx, folder),
		.trace = t->item->trace,
		.token = ctx->token,
		.date = time(NULL),
		.attempt = t->item->attempt,
		.possible_duplicate = t->item->doubt,
	};

	trace_head(b, &h);
}

/* The form it goes out in.  False: this message cannot have that. */
static bool
make_parcel(struct transfer *t, struct fault *f)
{
	const struct conf_destination *d = sink_destination(t->route.sink);
	struct parcel_sender s = {
		.address = d->mail_from,
		.account = t->ctx->account,
		.recipient = t->route.recipient,
		.trace = t->item->trace,
		.now = time(NULL),
	};
	bool good = true;
	struct buf head;

	buf_init(&head, TRACE_HEAD_MAX);
	write_head(t, &head);
	parcel_free(&t->parcel);
	t->parcel = parcel_new(t->spool, buf_span(&head));
	buf_free(&head);
	if (d->sender == CONF_SENDER_WRAP ||
	    (t->item->wrapped && d->on_reject == CONF_ON_REJECT_WRAP))
		good = parcel_wrap(t->parcel, &s, f);
	else if (d->sender == CONF_SENDER_REWRITE)
		good = parcel_rewrite(t->parcel, &s, f);
	else
		parcel_preserve(t->parcel);
	return good;
}

static void
submit(struct transfer *t)
{
	t->job = (struct sink_job){
		.parcel = t->parcel,
		.trace = t->item->trace,
		.account = t->ctx->account,
		.uid = t->item->uid,
		.begin = on_begin,
		.verdict = on_verdict,
		.arg = t,
	};
	t->submitted = true;
	sink_submit(t->route.sink, &t->job);
}

static void
fail_stopped(struct transfer *t)
{
	fault_set(&t->result.fault, FAULT_US, FAULT_NOW, "stop",
	    "the daemon is stopping");
	record_failure(t);
}

/* A report about one of our relays would be relayed, fail, and be reported in
 * its turn (CASES M26, RFC 5321 section 6.1). */
static void
on_looked_up(void *arg, struct store_answer *a)
{
	struct transfer *t = arg;

	if (!a->ok) {
		t->result.fault = a->fault;
		t->result.end = TRANSFER_UNTRIED;
		finish(t);
	} else if (a->on_record > 0) {
		fault_set(&t->result.fault, FAULT_MESSAGE, FAULT_NEVER, "check",
		    "it is a delivery report about a message that was relayed "
		    "from here (trace %s)",
		    spool_report(t->spool)->ids[a->on_record - 1]);
		t->result.fault.hint = "read it where it is; reports about our "
				       "own relays are never relayed";
		record_failure(t);
	} else if (t->stopping) {
		fail_stopped(t);
	} else {
		submit(t);
	}
}

static void
look_up(struct transfer *t)
{
	const struct report_scan *r = spool_report(t->spool);
	const char *ids[REPORT_IDS];

	for (unsigned i = 0; i < r->count; i++)
		ids[i] = r->ids[i];
	store_find_trace(t->ctx->store, ids, r->count,
	    (struct store_done){ on_looked_up, t });
}

/* A row that is in doubt when we come to it was left so by a process that
 * died, or a connection that did: this copy may be the second. */
static void
claim(struct transfer *t)
{
	struct store_item *item = t->item;

	if (item->state == STORE_IN_DOUBT)
		item->doubt = true;
	item->attempt++;
	if (item->trace[0] == '\0')
		trace_compute(t->ctx->trace, item->uid, spool_hash(t->spool),
		    item->trace);
}

static struct transfer *
transfer_new(const struct transfer_context *ctx, struct store_item *item,
    void (*done)(
	void *arg, struct transfer *t, const struct transfer_result *r),
    void *arg)
{
	struct transfer *t = mem_alloc(sizeof(*t));

	t->ctx = ctx;
	t->item = item;
	t->done = done;
	t->arg = arg;
	t->started = loop_now_us(ctx->loop);
	timer_init(&t->later, ctx->loop, on_later, t);
	return t;
}

static void
go(struct transfer *t)
{
	claim(t);
	if (!acceptable(t, &t->result.fault) ||
	    !make_parcel(t, &t->result.fault))
		record_failure(t);
	else if (spool_report(t->spool)->count > 0)
		look_up(t);
	else
		submit(t);
}

struct transfer *
transfer_start(const struct transfer_context *ctx,
    const struct transfer_route *route, struct store_item *item,
    struct spool *spool,
    void (*done)(
	void *arg, struct transfer *t, const struct transfer_result *r),
    void *arg)
{
	struct transfer *t = transfer_new(ctx, item, done, arg);

	t->route = *route;
	t->spool = spool_ref(spool);
	t->result.notice = is_notice(t);
	go(t);
	return t;
}

struct transfer *
transfer_refuse(const struct transfer_context *ctx, struct store_item *item,
    const struct fault *f,
    void (*done)(
	void *arg, struct transfer *t, const struct transfer_result *r),
    void *arg)
{
	struct transfer *t = transfer_new(ctx, item, done, arg);

	t->result.fault = *f;
	record_failure(t);
	return t;
}

/* The in-doubt record is durable: now, and only now, may the dot go out. */
static void
on_in_doubt(void *arg, struct store_answer *a)
{
	struct transfer *t = arg;

	t->in_doubt = a->ok;
	if (!t->submitted)
		return; /* the verdict overtook it; its record comes behind */
	if (a->ok) {
		sink_permit(t->route.sink, &t->job);
		return;
	}
	/* R1: no record, no dot. */
	t->result.fault = a->fault;
	t->result.end = TRANSFER_UNTRIED;
	sink_withdraw(t->route.sink, &t->job);
	finish(t);
}

/* A second copy never goes out silently (DURABILITY.md 4.7). */
static void
announce(const struct transfer *t)
{
	const struct transfer_context *ctx = t->ctx;
	struct log_event e = {
		.priority = LOG_WARNING,
		.message_id = LOG_ID_POSSIBLE_DUPLICATE,
		.account = ctx->account,
		.mailbox = ctx->mailbox,
		.destination = t->item->destination,
		.uid = t->item->uid,
		.trace = t->item->trace,
		.state = store_state_name(t->item->state),
		.attempt = t->item->attempt,
		.bytes = spool_size(t->spool),
	};

	log_event(&e,
	    "%s: sending %s uid %s to %s again, attempt %u, trace %s: an "
	    "earlier try may have been accepted (possible duplicate)",
	    ctx->account, ctx->mailbox, e.uid, e.destination, e.attempt,
	    e.trace);
}

static void
on_begin(void *arg)
{
	struct transfer *t = arg;
	struct store_attempt attempt = {
		.now = time(NULL),
		.attempt = t->item->attempt,
		.size = spool_size(t->spool),
		.fingerprint = spool_fingerprint(t->spool),
		.hash = spool_hash(t->spool),
		.trace = t->item->trace,
	};

	if (t->in_doubt)
		sink_permit(t->route.sink, &t->job);
	if (t->claimed)
		return; /* a second turn: the record of the first stands */
	t->claimed = true;
	if (t->item->doubt)
		announce(t);
	store_in_doubt(t->ctx->store, t->item->id, &attempt,
	    (struct store_done){ on_in_doubt, t });
}

static void
on_verdict(void *arg, const struct fault *f, const char *words)
{
	struct transfer *t = arg;

	t->submitted = false;
	ascii_clean(t->words, sizeof(t->words), words, strlen(words));
	if (f == NULL) {
		record_relayed(t);
		return;
	}
	t->result.fault = *f;
	record_failure(t);
}

void
transfer_stop(struct transfer *t)
{
	t->stopping = true;
	if (!t->submitted || !sink_withdraw(t->route.sink, &t->job))
		return;
	t->submitted = false;
	fail_stopped(t);
}
