/* SPDX-License-Identifier: ISC */
/*
 * One connection of the sink that submits by SMTP, over relay/submission.  It
 * carries one message after another.
 *
 * What happens to a job when its line breaks:
 *   the dot was written            FAULT_UNKNOWN: in doubt; and trouble, as
 *                                  below, if the line never worked
 *   not, and the line was good     another turn on a new line, silently: the
 *                                  server may just count messages a session
 *   not, for what is routine       the same: an access token ran out
 *   not, and it never worked       the destination is in trouble: everybody
 *                                  who waits is told, nothing is recorded
 */
#include "relay/sink_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "relay/parcel.h"
#include "relay/sink_judge.h"

#define WORDS_MAX 560 /* code and text of a reply */

static void line_fail(struct sink_line *l, const struct fault *f);

/* While the state database is slow, the server owes us nothing. */
static bool
on_is_ours(const void *arg)
{
	const struct sink_line *l = arg;

	return l->job != NULL && l->body_done && !l->job->permitted;
}

static bool
sends_letter(const struct sink_line *l)
{
	return l->job != NULL && l->job->envelope != NULL;
}

static void
judge(const struct sink_line *l, struct fault *f, enum smtp_stage stage,
    const struct smtp_reply *r)
{
	const struct sink_record record = {
		.letter = sends_letter(l),
		.worked = l->accepted > 0,
		.strangers = l->sink->stranger,
	};

	sink_judge(f, stage, r, &record);
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

void
sink_line_send(struct sink_line *l, struct sink_job *job)
{
	const struct conf_destination *d = l->sink->dest;
	const struct sink_envelope usual = { d->mail_from, d->recipient };
	const struct sink_envelope *own =
	    job->envelope != NULL ? job->envelope : &usual;
	struct smtp_envelope e = {
		.sender = span_str(own->sender),
		.recipient = span_str(own->recipient),
		.eight_bit = parcel_eight_bit(job->parcel),
		.envid = span_str(job->trace),
		/* A report about a report could go round for ever. */
		.no_report =
		    job->envelope != NULL || parcel_null_sender(job->parcel),
	};
	struct fault f;

	l->job = job;
	job->line = l;
	job->permitted = false;
	l->piece = span_make("", 0);
	l->offset = 0;
	l->since = time(NULL);
	e.size = parcel_size(job->parcel);
	if (!sink_judge_caps(&f, &l->wire->smtp.caps, e.size, e.eight_bit)) {
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

	if (!parcel_read(l->job->parcel, l->offset, &l->piece, &f)) {
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
		sink_line_close(l);
}

/* --- the connection */

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
		sink_line_close(l);
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

struct sink_line *
sink_line_open(struct sink *s)
{
	struct sink_line *l = mem_alloc(sizeof(*l));

	l->sink = s;
	l->state = LINE_CONNECTING;
	timer_init(&l->idle, s->net->loop, on_idle, l);
	l->wire = submission_open(&(struct submission_owner){
	    .net = s->net,
	    .tokens = s->tokens,
	    .conf = s->conf,
	    .dest = s->dest,
	    .tally = &s->tally,
	    .events = &line_events,
	    .arg = l,
	});
	return l;
}

void
sink_line_close(struct sink_line *l)
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
	bool routine = f.scope == FAULT_DESTINATION &&
	               retry_routine(&s->routine, &f, time(NULL));
	bool worked = routine || (l->accepted > 0 && f.when != FAULT_NEVER);
	bool idle = l->state == LINE_READY || l->state == LINE_LEAVING;

	if (fault->when == FAULT_NOW && !fault->login)
		login_expired(&l->wire->login);
	/* A server that just leaves an idle line is no trouble. */
	if (!worked && f.scope == FAULT_DESTINATION &&
	    !(idle && f.when == FAULT_LATER && f.code == 0))
		trouble_begin(&s->trouble, &f);
	if (job != NULL && l->dot_sent) {
		if (s->trouble.pause.failures >
		    0) /* the probe told nothing good */
			trouble_begin(&s->trouble, &f);
		f.scope = FAULT_MESSAGE;
		f.when = FAULT_UNKNOWN;
		end_job(l, &f, "");
	} else if (job != NULL && worked && f.scope == FAULT_DESTINATION) {
		job->line = NULL;
		lanes_add_first(&s->queue, job);
	} else if (job != NULL) {
		end_job(l, &f, "");
	}
	sink_line_close(l);
	timer_set(&s->turn, 0);
}

bool
sink_line_free(const struct sink_line *l)
{
	return l->state == LINE_READY && smtp_idle(&l->wire->smtp);
}
