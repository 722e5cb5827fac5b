/* SPDX-License-Identifier: ISC */
/*
 * The sink that submits by SMTP: one destination, whose turn it is there, and
 * how many lines (connections, sink_line.c) it has.
 *
 * The first line is opened as soon as somebody has a message, and a further one
 * for each full window of messages that waits: while the records of one window
 * are committed, or its replies travel, another is on the wire.  A server that
 * turns one of those away has said how many it allows.
 *
 * After trouble, relay/retry says how long it is left alone.  Then one message
 * may try it; one that is accepted, or refused for what it is, ends the
 * trouble.
 */
#include "relay/sink_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/parcel.h"

/* A login takes about so many round trips: in them, the lines that are open
 * carry a message each at least. */
#define LOGIN_TURNS 8
/* How long it is remembered that the server allows fewer lines. */
#define LIMIT_MS (10 * 60 * 1000)

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

void
sink_blame(struct sink *s, const struct fault *f)
{
	/* What several lines say at a time is one failure. */
	if (sink_trouble(s) == NULL)
		trouble_begin(&s->trouble, f);
	s->limit_until = 0; /* the others were no better */
}

/* --- lines */

static unsigned
count_lines(const struct sink *s, enum line_state from, enum line_state to)
{
	const struct sink_line *l;
	unsigned n = 0;

	TAILQ_FOREACH (l, &s->lines, link)
		n += l->state >= from && l->state <= to;
	return n;
}

static bool
holds(const struct sink_line *l)
{
	return l->state == LINE_CONNECTING && l->wire->hold;
}

bool
sink_too_many(struct sink *s, const struct sink_line *l, const struct fault *f)
{
	struct log_event e = {
		.priority = LOG_INFO,
		.destination = s->dest->name,
		.code = f->code,
	};
	bool first = !holds(l) && count_lines(s, LINE_OPEN, LINE_OPEN) == 0;
	unsigned others = count_lines(s, LINE_CONNECTING, LINE_OPEN) - 1;

	if (l->state != LINE_CONNECTING || first || others == 0)
		return false;
	s->limit = others;
	s->limit_until = loop_now_ms(s->net->loop) + LIMIT_MS;
	log_event(&e,
	    "destination %s: more than %u connections at a time are refused: "
	    "%s: %s",
	    s->dest->name, others, f->phase, f->text);
	return true;
}

static unsigned
lines_allowed(const struct sink *s)
{
	unsigned most = s->dest->connections;

	if (s->limit_until > loop_now_ms(s->net->loop) && s->limit < most)
		most = s->limit;
	return most;
}

static unsigned
login_worth(const struct sink *s)
{
	return s->dest->window > LOGIN_TURNS ? s->dest->window : LOGIN_TURNS;
}

/* To be open, or on their way there, for what waits and what open ones have. */
static unsigned
lines_wanted(const struct sink *s, unsigned open, uint64_t waiting)
{
	uint64_t n = open + waiting / login_worth(s);

	if (waiting == 0)
		return 0;
	if (n == 0 || s->trouble.pause.failures > 0)
		return 1;
	return n < s->dest->connections ? (unsigned)n : s->dest->connections;
}

static void
open_lines(struct sink *s, unsigned wanted)
{
	unsigned usable = count_lines(s, LINE_CONNECTING, LINE_OPEN);
	unsigned all = count_lines(s, LINE_CONNECTING, LINE_ENDING);
	unsigned allowed = lines_allowed(s);

	for (; usable < wanted && all < allowed; usable++, all++) {
		struct sink_line *l = sink_line_open(s);

		TAILQ_INSERT_TAIL(&s->lines, l, link);
	}
}

/* Nobody logs in before there is a message.  Then one line does, and the others
 * when it has: a password that is wrong is tried once. */
static void
let_log_in(struct sink *s)
{
	bool proved = count_lines(s, LINE_OPEN, LINE_OPEN) > 0;
	bool tried = proved;
	struct sink_line *l;

	if (s->queue.count == 0)
		return;
	TAILQ_FOREACH (l, &s->lines, link)
		tried |= l->state == LINE_CONNECTING && !holds(l);
	TAILQ_FOREACH (l, &s->lines, link) {
		if (!holds(l) || (tried && !proved))
			continue;
		sink_line_log_in(l);
		tried = true;
	}
}

static void
close_line(struct sink *s, struct sink_line *l)
{
	TAILQ_REMOVE(&s->lines, l, link);
	sink_line_close(l);
}

/* Nobody tries now what may be wrong. */
static void
give_up(struct sink *s)
{
	struct sink_line *l;

	refuse_all(s);
	TAILQ_FOREACH (l, &s->lines, link)
		if (holds(l))
			sink_line_end(l);
}

static void
close_ended(struct sink *s)
{
	struct sink_line *l = TAILQ_FIRST(&s->lines), *next;

	for (; l != NULL; l = next) {
		next = TAILQ_NEXT(l, link);
		if (l->state == LINE_ENDING && l->njobs == 0)
			close_line(s, l);
	}
}

bool
sink_fill(struct sink *s, struct sink_line *l)
{
	if (s->queue.count == 0 || !sink_line_has_room(l) ||
	    sink_trouble(s) != NULL)
		return false;
	sink_line_put(l, lanes_take(&s->queue));
	return true;
}

/* Runs from the loop, never inside a callback of a job or a line. */
static void
on_turn(void *arg)
{
	struct sink *s = arg;
	struct sink_line *l;

	if (sink_trouble(s) != NULL)
		give_up(s);
	close_ended(s);
	TAILQ_FOREACH (l, &s->lines, link) {
		if (!sink_fill(s, l))
			continue;
		while (sink_fill(s, l))
			;
		submission_send(l->wire);
	}
	open_lines(s, lines_wanted(s, count_lines(s, LINE_OPEN, LINE_OPEN),
			  s->queue.count));
	let_log_in(s);
}

void
sink_turn(struct sink *s)
{
	timer_set(&s->turn, 0);
}

/* --- what the owner asks */

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
	TAILQ_INIT(&s->lines);
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
	while (!TAILQ_EMPTY(&s->lines))
		close_line(s, TAILQ_FIRST(&s->lines));
	timer_free(&s->turn);
	free(s);
}

void
sink_warm(struct sink *s, uint64_t n)
{
	if (sink_trouble(s) == NULL)
		open_lines(s, lines_wanted(s, 0, n));
}

void
sink_submit(struct sink *s, struct sink_job *job)
{
	job->line = NULL;
	lanes_add(&s->queue, job);
	sink_turn(s);
}

void
sink_permit(struct sink *s, struct sink_job *job)
{
	struct sink_line *l = job->line;

	(void)s;
	job->permitted = true;
	/* Others wait for this one anyway. */
	if (l != NULL && l->next == job)
		submission_send(l->wire);
}

bool
sink_withdraw(struct sink *s, struct sink_job *job)
{
	if (job->line != NULL)
		return sink_line_withdraw(job->line, job);
	lanes_remove(&s->queue, job);
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

/* The line whose message is shown; NULL: none has one. */
static const struct sink_line *
sending(const struct sink *s)
{
	const struct sink_line *l, *any = NULL;

	TAILQ_FOREACH (l, &s->lines, link) {
		if (l->next != NULL)
			return l;
		if (l->njobs > 0)
			any = l;
	}
	return any;
}

static const char *
doing(const struct sink *s)
{
	if (sending(s) != NULL)
		return "sending";
	return s->queue.count > 0 ||
	               count_lines(s, LINE_CONNECTING, LINE_CONNECTING) > 0
	           ? "connecting"
	           : "idle";
}

void
sink_status(const struct sink *s, struct sink_status *st_r)
{
	const struct sink_line *l = sending(s);
	const struct sink_job *job;

	*st_r = (struct sink_status){
		.doing = doing(s),
		.pause = &s->trouble.pause,
		.wait_ms = trouble_wait_ms(&s->trouble),
		.last_success = s->last_success,
		.connections = count_lines(s, LINE_CONNECTING, LINE_ENDING),
		.queued = s->queue.count,
	};
	if (l == NULL)
		return;
	job = l->next != NULL ? l->next : TAILQ_FIRST(&l->jobs);
	st_r->account = job->account;
	st_r->uid = job->uid;
	st_r->size = parcel_size(job->parcel);
	st_r->done =
	    l->next != NULL ? l->feed.offset - l->feed.piece.n : st_r->size;
	st_r->since = job->since;
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
