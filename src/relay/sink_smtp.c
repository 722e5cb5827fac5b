/* SPDX-License-Identifier: ISC */
/*
 * The sink that submits by SMTP, over relay/submission.  One line (connection)
 * a destination; it carries many messages and is kept for IDLE_MS after the
 * last.
 *
 * What happens to a job when its line breaks:
 *   the dot was written            FAULT_UNKNOWN: in doubt; and trouble, as
 *                                  below, if the line never worked
 *   not, and the line was good     another turn on a new line, silently: the
 *                                  server may just count messages a session
 *   not, and it never worked       the destination is in trouble: everybody
 *                                  who waits is told, nothing is recorded
 *
 * After trouble, relay/retry says how long it is left alone.  Then one message
 * may try it; one that is accepted, or refused for what it is, ends the
 * trouble.
 */
#include "relay/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/loop.h"
#include "proto/smtp.h"
#include "relay/lanes.h"
#include "relay/retry.h"
#include "relay/spool.h"
#include "relay/submission.h"
#include "relay/tally.h"
#include "relay/trouble.h"

#define IDLE_MS (15 * 1000)
#define WORDS_MAX 560 /* code and text of a reply */

enum line_state {
	LINE_CONNECTING, /* until logged in */
	LINE_READY,      /* no transaction */
	LINE_SENDING,    /* job is set */
	LINE_LEAVING,    /* QUIT is out */
};

struct sink_line {
	struct sink *sink;       /* foreign */
	struct submission *wire; /* owned */
	enum line_state state;
	struct sink_job *job; /* foreign; in LINE_SENDING */
	struct span piece;    /* of the job, not yet with the machine */
	uint64_t offset;      /* of the spool: what piece ends at */
	int64_t since;        /* wall clock: when the job got its turn */
	bool going;           /* 354 came */
	bool body_done;       /* all of it is with the machine */
	bool dot_sent;        /* the end of data may be on the wire ... */
	int64_t dot_at;       /* ... since then; microseconds */
	unsigned accepted;    /* messages of this line */
	struct timer idle;
};

struct sink {
	struct net *net;                     /* foreign */
	const struct conf *conf;             /* foreign */
	const struct conf_destination *dest; /* foreign */
	struct lanes queue;
	struct sink_line *line; /* owned; NULL: none open */
	struct timer turn;
	struct trouble trouble;
	unsigned stranger;    /* refusals of the recipient in a row */
	int64_t last_success; /* wall clock */
	struct tally_destination tally;
};

static void line_fail(struct sink_line *l, const struct fault *f);
static void line_close(struct sink_line *l);

/* While the state database is slow, the server owes us nothing. */
static bool
on_is_ours(const void *arg)
{
	const struct sink_line *l = arg;

	return l->job != NULL && l->body_done && !l->job->permitted;
}

/* --- what replies mean */

static bool
sends_letter(const struct sink_line *l)
{
	return l->job != NULL && l->job->envelope != NULL;
}

static void
judge(const struct sink_line *l, struct fault *f, enum smtp_stage stage,
    const struct smtp_reply *r)
{
	const struct submission_past past = {
		.letter = sends_letter(l),
		.accepted = l->accepted,
		.stranger = l->sink->stranger,
	};

	submission_judge(f, stage, r, &past);
}

/* Known before a byte is sent: what this server cannot take. */
static bool
fits(struct sink_line *l, const struct sink_job *job, uint64_t size,
    struct fault *f)
{
	const struct smtp_caps *caps = &l->wire->smtp.caps;

	if (spool_scan(job->spool)->eight_bit && !caps->eight_bit_mime) {
		fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "EHLO",
		    "the destination takes no 8-bit messages (no 8BITMIME)");
		f->hint =
		    "relay it to a destination that does, then release it";
		return false;
	}
	if (caps->size_max > 0 && size > caps->size_max) {
		fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "EHLO",
		    "%llu bytes are more than the destination takes (%llu)",
		    (unsigned long long)size,
		    (unsigned long long)caps->size_max);
		return false;
	}
	return true;
}

/* --- one message */

static void
end_job(struct sink_line *l, const struct fault *f, const char *words)
{
	struct sink_job *job = l->job;

	l->job = NULL;
	l->going = l->body_done = l->dot_sent = false;
	l->piece = span_make("", 0);
	job->line = NULL;
	job->verdict(job->arg, f, words);
}

static void
start_job(struct sink_line *l, struct sink_job *job)
{
	const struct conf_destination *d = l->sink->dest;
	const struct sink_envelope usual = { d->mail_from, d->recipient };
	const struct sink_envelope *own =
	    job->envelope != NULL ? job->envelope : &usual;
	struct smtp_envelope e = {
		.sender = span_str(own->sender),
		.recipient = span_str(own->recipient),
		.eight_bit = spool_scan(job->spool)->eight_bit,
		.envid = span_str(job->trace),
		/* A report about a report could go round for ever. */
		.no_report = job->envelope != NULL ||
		             spool_scan(job->spool)->null_sender,
	};
	struct fault f;

	l->job = job;
	job->line = l;
	job->permitted = false;
	l->piece = job->head(job->arg);
	l->offset = 0;
	l->since = time(NULL);
	e.size = l->piece.n + spool_size(job->spool);
	if (!fits(l, job, e.size, &f)) {
		end_job(l, &f, "");
		return;
	}
	l->state = LINE_SENDING;
	if (!smtp_mail(&l->wire->smtp, &e)) {
		fault_set(&f, FAULT_DESTINATION, FAULT_NEVER, "MAIL",
		    "mail_from or recipient cannot be written in SMTP");
		line_fail(l, &f);
		return;
	}
	submission_send(l->wire);
	job->begin(job->arg);
}

/* False: the line is gone. */
static bool
next_piece(struct sink_line *l)
{
	struct fault f;

	if (!spool_read(l->job->spool, l->offset, &l->piece, &f)) {
		line_fail(l, &f);
		return false;
	}
	l->offset += l->piece.n;
	l->body_done = l->piece.n == 0;
	return true;
}

/* Keeps the machine's output full while the body lasts, and writes the dot
 * when the body is through and the job may (rule R1). */
static void
feed(struct sink_line *l)
{
	while (l->going && !l->body_done) {
		if (l->piece.n == 0 && !next_piece(l))
			return;
		smtp_body(&l->wire->smtp, &l->piece);
		if (l->piece.n > 0)
			return; /* full: more when some was written */
	}
	if (l->going && !l->dot_sent && l->job->permitted &&
	    smtp_dot(&l->wire->smtp)) {
		l->dot_sent = true;
		l->dot_at = loop_now_us(l->sink->net->loop);
		submission_await(l->wire);
	}
}

/* The server took a message, or refused it for what it is: it works. */
static void
note_work(struct sink_line *l, enum smtp_stage stage, const struct fault *f)
{
	struct sink *s = l->sink;

	if (sends_letter(l))
		return;
	l->accepted += f == NULL;
	if (f == NULL)
		s->last_success = time(NULL);
	if (f == NULL)
		s->stranger = 0;
	else if (stage == SMTP_RCPT && f->when == FAULT_NEVER)
		s->stranger++;
	trouble_end(&s->trouble);
}

static void
on_verdict(struct sink_line *l, const struct smtp_event *ev)
{
	struct sink *s = l->sink;
	char words[WORDS_MAX];
	struct fault f;

	if (l->dot_sent)
		histogram_add(&s->tally.dot, tally_bounds_us,
		    loop_now_us(s->net->loop) - l->dot_at);
	snprintf(
	    words, sizeof(words), "%u %s", ev->reply->code, ev->reply->text);
	timer_set(&s->turn, 0);
	if (ev->stage == SMTP_DOT && ev->reply->code / 100 == 2) {
		note_work(l, ev->stage, NULL);
		l->state = LINE_READY;
		end_job(l, NULL, words);
		return;
	}
	judge(l, &f, ev->stage, ev->reply);
	if (f.scope == FAULT_DESTINATION) {
		l->dot_sent = false; /* a complete reply: it was not accepted */
		line_fail(l, &f);
		return;
	}
	note_work(l, ev->stage, &f);
	l->state = LINE_READY;
	end_job(l, &f, words);
	/* Refused in the middle of the body: the rest of it cannot be taken
	 * back, so this line is of no more use (CASES S9). */
	if (!smtp_idle(&l->wire->smtp))
		line_close(l);
}

/* --- one line */

static void
on_ready(void *arg)
{
	struct sink_line *l = arg;

	l->state = LINE_READY;
	timer_set(&l->sink->turn, 0);
}

static void
on_event(void *arg, const struct smtp_event *ev)
{
	struct sink_line *l = arg;

	if (ev->kind == SMTP_EV_GO)
		l->going = true;
	else if (ev->kind == SMTP_EV_VERDICT)
		on_verdict(l, ev);
	else if (ev->kind == SMTP_EV_BYE)
		line_close(l);
}

static void
on_feed(void *arg)
{
	struct sink_line *l = arg;

	if (l->job != NULL)
		feed(l);
}

static void
on_down(void *arg, const struct fault *f)
{
	line_fail(arg, f);
}

static const struct submission_events line_events = {
	.ready = on_ready,
	.event = on_event,
	.feed = on_feed,
	.is_ours = on_is_ours,
	.down = on_down,
};

static void
on_idle(void *arg)
{
	struct sink_line *l = arg;

	if (l->state != LINE_READY)
		return;
	l->state = LINE_LEAVING;
	smtp_quit(&l->wire->smtp);
	submission_send(l->wire);
}

static struct sink_line *
line_open(struct sink *s)
{
	struct sink_line *l = mem_alloc(sizeof(*l));

	l->sink = s;
	l->state = LINE_CONNECTING;
	timer_init(&l->idle, s->net->loop, on_idle, l);
	l->wire = submission_open(&(struct submission_owner){
	    .net = s->net,
	    .conf = s->conf,
	    .dest = s->dest,
	    .tally = &s->tally,
	    .events = &line_events,
	    .arg = l,
	});
	return l;
}

static void
line_close(struct sink_line *l)
{
	l->sink->line = NULL;
	submission_close(&l->wire);
	timer_free(&l->idle);
	free(l);
}

/* The table in the head comment. */
static void
line_fail(struct sink_line *l, const struct fault *fault)
{
	struct sink *s = l->sink;
	struct sink_job *job = l->job;
	struct fault f = *fault;
	bool worked = l->accepted > 0 && f.when != FAULT_NEVER;
	bool idle = l->state == LINE_READY || l->state == LINE_LEAVING;

	/* A server that just leaves an idle line is no trouble. */
	if (!worked && f.scope == FAULT_DESTINATION &&
	    !(idle && f.when == FAULT_LATER && f.code == 0))
		trouble_begin(&s->trouble, &f);
	if (job != NULL && l->dot_sent) {
		if (s->trouble.pause.failures >
		    0) /* the probe told nothing good */
			trouble_begin(&s->trouble, fault);
		f.scope = FAULT_MESSAGE;
		f.when = FAULT_UNKNOWN;
		end_job(l, &f, "");
	} else if (job != NULL && worked && f.scope == FAULT_DESTINATION) {
		job->line = NULL;
		lanes_add_first(&s->queue, job);
	} else if (job != NULL) {
		end_job(l, &f, "");
	}
	line_close(l);
	timer_set(&s->turn, 0);
}

/* --- the sink */

void
sink_remember(struct sink *s, const struct store_pause *p, bool hurry,
    void (*changed)(void *arg, const struct store_pause *p), void *arg)
{
	trouble_remember(&s->trouble, p, hurry, changed, arg);
}

const struct fault *
sink_trouble(const struct sink *s)
{
	return trouble_now(&s->trouble);
}

bool
sink_closed(const struct sink *s)
{
	return trouble_closed(&s->trouble);
}

enum sink_answer
sink_ask(struct sink *s)
{
	return trouble_ask(&s->trouble);
}

void
sink_probe_over(struct sink *s)
{
	s->trouble.probing = false;
}

static void
refuse_all(struct sink *s)
{
	struct sink_job *job;

	while ((job = lanes_take(&s->queue)) != NULL)
		job->verdict(job->arg, &s->trouble.fault, "");
}

/* Gives the next job its turn; runs from the loop, never inside a callback of
 * a job or a line. */
static void
on_turn(void *arg)
{
	struct sink *s = arg;

	while (s->queue.count > 0) {
		if (sink_trouble(s) != NULL) {
			refuse_all(s);
			return;
		}
		if (s->line == NULL)
			s->line = line_open(s);
		if (s->line->state != LINE_READY ||
		    !smtp_idle(&s->line->wire->smtp))
			return;
		timer_cancel(&s->line->idle);
		start_job(s->line, lanes_take(&s->queue));
	}
	if (s->line != NULL && s->line->state == LINE_READY)
		timer_set(&s->line->idle, IDLE_MS);
}

struct sink *
sink_open(
    struct net *n, const struct conf *conf, const struct conf_destination *d)
{
	struct sink *s = mem_alloc(sizeof(*s));

	s->net = n;
	s->conf = conf;
	s->dest = d;
	trouble_init(&s->trouble, n->loop, d);
	lanes_init(&s->queue);
	timer_init(&s->turn, n->loop, on_turn, s);
	return s;
}

void
sink_close(struct sink **sink)
{
	struct sink *s = *sink;

	*sink = NULL;
	if (s == NULL)
		return;
	if (s->line != NULL && s->line->state == LINE_READY) {
		smtp_quit(&s->line->wire->smtp);
		submission_send_now(s->line->wire);
	}
	if (s->line != NULL)
		line_close(s->line);
	timer_free(&s->turn);
	free(s);
}

void
sink_submit(struct sink *s, struct sink_job *job)
{
	job->line = NULL;
	lanes_add(&s->queue, job);
	timer_set(&s->turn, 0);
}

void
sink_permit(struct sink *s, struct sink_job *job)
{
	(void)s;
	job->permitted = true;
	if (job->line != NULL)
		submission_send(job->line->wire);
}

bool
sink_withdraw(struct sink *s, struct sink_job *job)
{
	struct sink_line *l = job->line;

	if (l == NULL) {
		lanes_remove(&s->queue, job);
		return true;
	}
	if (l->dot_sent)
		return false;
	l->job = NULL;
	line_close(l);
	timer_set(&s->turn, 0);
	return true;
}

const struct conf_destination *
sink_destination(const struct sink *s)
{
	return s->dest;
}

void
sink_note_relayed(struct sink *s, int64_t us)
{
	histogram_add(&s->tally.relay, tally_bounds_us, us);
}

const struct tally_destination *
sink_tally(const struct sink *s)
{
	return &s->tally;
}

/* --- for people */

static const char *
doing(const struct sink *s)
{
	if (s->line == NULL)
		return s->queue.count > 0 ? "connecting" : "idle";
	if (s->line->job != NULL)
		return "sending";
	return s->line->state < LINE_READY ? "connecting" : "idle";
}

void
sink_status(const struct sink *s, struct sink_status *st_r)
{
	const struct sink_line *l = s->line;

	*st_r = (struct sink_status){
		.doing = doing(s),
		.pause = &s->trouble.pause,
		.wait_ms = trouble_wait_ms(&s->trouble),
		.last_success = s->last_success,
		.connections = l != NULL,
		.queued = s->queue.count,
	};
	if (l == NULL || l->job == NULL)
		return;
	st_r->account = l->job->account;
	st_r->uid = l->job->uid;
	st_r->size = spool_size(l->job->spool);
	st_r->done = l->offset - (l->offset > 0 ? l->piece.n : 0);
	st_r->since = l->since;
}

void
sink_pause(struct sink *s)
{
	trouble_pause(&s->trouble);
}

void
sink_login_refused(struct sink *s, const struct fault *f)
{
	trouble_begin(&s->trouble, f);
}

void
sink_resume(struct sink *s)
{
	trouble_resume(&s->trouble);
}
