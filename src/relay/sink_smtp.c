/* SPDX-License-Identifier: ISC */
/*
 * The sink that submits by SMTP: one destination, and whose turn it is there.
 * It has one line (connection), which carries many messages and is kept for
 * IDLE_MS after the last (sink_line.c).
 *
 * After trouble, relay/retry says how long it is left alone.  Then one message
 * may try it; one that is accepted, or refused for what it is, ends the
 * trouble.
 */
#include "relay/sink_private.h"

#include <stdlib.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/parcel.h"

#define IDLE_MS (15 * 1000)

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
			s->line = sink_line_open(s);
		if (!sink_line_free(s->line))
			return;
		timer_cancel(&s->line->idle);
		sink_line_send(s->line, lanes_take(&s->queue));
	}
	if (s->line != NULL && s->line->state == LINE_READY)
		timer_set(&s->line->idle, IDLE_MS);
}

struct sink *
sink_open(struct net *n, struct tokens *t, const struct conf *conf,
    const struct conf_destination *d)
{
	struct sink *s = mem_alloc(sizeof(*s));

	s->net = n;
	s->tokens = t;
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
		sink_line_close(s->line);
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
	sink_line_close(l);
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
	st_r->size = parcel_size(l->job->parcel);
	st_r->done = l->offset - l->piece.n;
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
