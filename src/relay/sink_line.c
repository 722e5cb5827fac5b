/* SPDX-License-Identifier: ISC */
/*
 * One connection of the sink that submits by SMTP, over relay/submission, and
 * what becomes of the jobs on it.
 *
 * A reply concerns the oldest of them, and as a rule that one alone.  When the
 * line is lost, or a refusal says that the server wants no more, this happens
 * to those that are still on it:
 *   it has ended: the dot or the last chunk may be on the wire
 *       its line was lost    FAULT_UNKNOWN: in doubt; and trouble, as below, if
 *                            the line never worked
 *       behind a 421         it was not accepted, nor was what is behind it: as
 *                            if it had not ended
 *       another refusal      it waits for its own reply
 *   it has not
 *       the line was good    another turn on another line, silently: the server
 *                            may just count messages a session
 *       what is routine      the same: an access token ran out
 *       it never worked      the destination is in trouble: everybody who waits
 *                            is told, nothing is recorded
 * A line on which a message stays unfinished, because it was withdrawn or
 * cannot be read, carries no other: those that have ended wait for their
 * replies, the rest goes elsewhere.
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

#define IDLE_MS (15 * 1000)
#define WORDS_MAX 560 /* code and text of a reply */
/* What is marked as in doubt is what goes into the next flight. */
#define AHEAD_MAX (1024 * 1024)

/* --- the jobs on it */

static unsigned
capacity(const struct sink_line *l)
{
	const struct smtp *m = &l->wire->smtp;
	unsigned window = l->sink->dest->window;

	if (window == 1 || !m->caps.pipelining)
		return 1;
	return smtp_can_chunk(m) ? window : 2;
}

bool
sink_line_has_room(const struct sink_line *l)
{
	if (l->state != LINE_OPEN || l->njobs == 0)
		return l->state == LINE_OPEN;
	/* A single one finds out whether the trouble is over. */
	if (l->njobs >= capacity(l) || l->sink->trouble.pause.failures > 0)
		return false;
	return smtp_can_chunk(&l->wire->smtp) ? l->ahead < AHEAD_MAX
	                                      : l->next == NULL;
}

void
sink_line_put(struct sink_line *l, struct sink_job *job)
{
	uint64_t size = parcel_size(job->parcel);
	struct fault f;

	job->permitted = job->ended = false;
	job->since = time(NULL);
	job->probe = l->sink->trouble.pause.failures > 0;
	if (!sink_judge_caps(
		&f, &l->wire->smtp.caps, size, parcel_eight_bit(job->parcel))) {
		job->verdict(job->arg, &f, "");
		return;
	}
	timer_cancel(&l->idle);
	job->line = l;
	TAILQ_INSERT_TAIL(&l->jobs, job, link);
	l->njobs++;
	l->ahead += size;
	if (l->next == NULL)
		l->next = job;
	job->begin(job->arg);
}

static void
note_ended(struct sink_line *l)
{
	l->ahead -= parcel_size(l->next->parcel);
	l->next = TAILQ_NEXT(l->next, link);
	l->feed = (struct sink_feed){ .mailed = false };
}

void
sink_line_ended(struct sink_line *l)
{
	l->next->ended = true;
	l->next->ended_at = loop_now_us(l->sink->net->loop);
	note_ended(l);
}

static void
take_off(struct sink_line *l, struct sink_job *job)
{
	if (job == l->next)
		note_ended(l);
	else if (!job->ended)
		l->ahead -= parcel_size(job->parcel);
	TAILQ_REMOVE(&l->jobs, job, link);
	l->njobs--;
	job->line = NULL;
	if (l->njobs == 0 && l->state == LINE_OPEN)
		timer_set(&l->idle, IDLE_MS);
	sink_turn(l->sink);
}

static void
end_job(struct sink_line *l, struct sink_job *job, const struct fault *f,
    const char *words)
{
	take_off(l, job);
	job->verdict(job->arg, f, words);
}

/* --- its end */

void
sink_line_end(struct sink_line *l)
{
	l->state = LINE_ENDING;
	timer_cancel(&l->idle);
	sink_turn(l->sink);
}

/* Those that have not ended get another turn. */
static void
give_back(struct sink_line *l)
{
	struct sink_job *job;

	while ((job = TAILQ_LAST(&l->jobs, sink_jobs)) != NULL && !job->ended) {
		take_off(l, job);
		lanes_add_first(&l->sink->queue, job);
	}
}

static void
tell_all(struct sink_line *l, const struct fault *f)
{
	while (l->next != NULL)
		end_job(l, l->next, f, "");
}

/* Behind a complete 421 nothing was accepted. */
static void
take_back_ends(struct sink_line *l)
{
	struct sink_job *job;

	TAILQ_FOREACH (job, &l->jobs, link) {
		if (job->ended)
			l->ahead += parcel_size(job->parcel);
		job->ended = false;
	}
	l->next = TAILQ_FIRST(&l->jobs);
}

/* Blames the destination, or not.  True: what the line had to do is done on
 * another. */
static bool
forgive(struct sink_line *l, struct fault *f)
{
	struct sink *s = l->sink;
	bool idle =
	    (l->state != LINE_CONNECTING || l->wire->held) && l->njobs == 0;

	if (f->scope != FAULT_DESTINATION)
		return false;
	if (f->when == FAULT_NOW && !f->login)
		login_expired(&l->wire->login);
	if (retry_routine(&s->routine, f, time(NULL)) ||
	    (f->when != FAULT_NEVER &&
		(l->accepted > 0 || sink_too_many(s, l, f))))
		return true;
	/* A server that just leaves an idle line is no trouble. */
	if (idle && f->when == FAULT_LATER && f->code == 0)
		return true;
	sink_blame(s, f);
	return false;
}

/* The connection is lost. */
static void
line_fail(struct sink_line *l, const struct fault *fault)
{
	struct sink *s = l->sink;
	struct fault f = *fault, doubt = *fault;
	bool again = forgive(l, &f);
	struct sink_job *job;

	sink_line_end(l);
	doubt.scope = FAULT_MESSAGE;
	doubt.when = FAULT_UNKNOWN;
	while ((job = TAILQ_FIRST(&l->jobs)) != NULL && job->ended) {
		/* The probe told nothing good. */
		if (s->trouble.pause.failures > 0)
			sink_blame(s, &f);
		end_job(l, job, &doubt, "");
	}
	if (again)
		give_back(l);
	else
		tell_all(l, &f);
}

/* The oldest job was refused, or cannot be begun, for what the server, or the
 * configuration of it, is. */
static void
give_up_line(struct sink_line *l, struct sink_job *job, struct fault *f)
{
	bool again = forgive(l, f);

	sink_line_end(l);
	take_off(l, job);
	if (again) {
		give_back(l);
		lanes_add_first(&l->sink->queue, job);
	} else {
		job->verdict(job->arg, f, "");
		tell_all(l, f);
	}
}

/* The message is the reason; unfinished: what was written of it cannot be taken
 * back. */
static void
drop_job(struct sink_line *l, struct sink_job *job, bool unfinished,
    const struct fault *f, const char *words)
{
	if (unfinished)
		sink_line_end(l);
	end_job(l, job, f, words);
	if (unfinished)
		give_back(l);
}

void
sink_line_unwritten(struct sink_line *l, const struct fault *fault)
{
	struct fault f = *fault;

	if (f.scope == FAULT_DESTINATION)
		give_up_line(l, l->next, &f);
	else
		drop_job(l, l->next, l->feed.mailed, &f, "");
}

bool
sink_line_withdraw(struct sink_line *l, struct sink_job *job)
{
	bool unfinished = job == l->next && l->feed.mailed;

	if (job->ended)
		return false;
	take_off(l, job);
	if (unfinished) {
		sink_line_end(l);
		give_back(l);
	}
	return true;
}

/* --- replies */

static void
reply_words(const struct smtp_reply *r, char words[WORDS_MAX])
{
	snprintf(words, WORDS_MAX, "%u %s", r->code, r->text);
}

/* The server took a message, or refused it for what it is: it works. */
static void
note_work(struct sink_line *l, const struct sink_job *job,
    enum smtp_stage stage, const struct fault *f)
{
	struct sink *s = l->sink;

	if (job->envelope != NULL)
		return;
	if (f == NULL) {
		l->accepted++;
		s->last_success = time(NULL);
		s->stranger = 0;
	} else if (stage == SMTP_RCPT && f->when == FAULT_NEVER) {
		s->stranger++;
	}
	/* Others may have been on their way before it began. */
	if (job->probe)
		trouble_end(&s->trouble);
}

static void
on_refused(
    struct sink_line *l, struct sink_job *job, const struct smtp_event *ev)
{
	const struct sink_record record = {
		.letter = job->envelope != NULL,
		.worked = l->accepted > 0,
		.strangers = l->sink->stranger,
	};
	/* The server is leaving; what it refused is said by ev alone. */
	bool leaving = smtp_closed(&l->wire->smtp);
	/* In the middle of its data: the line is of no more use (CASES S9). */
	bool unfinished =
	    leaving ||
	    (!job->ended && (l->feed.going || smtp_chunk_open(&l->wire->smtp)));
	char words[WORDS_MAX];
	struct fault f;

	sink_judge(&f, ev->stage, ev->reply, &record);
	if (leaving)
		take_back_ends(l);
	if (f.scope == FAULT_DESTINATION) {
		give_up_line(l, job, &f);
		return;
	}
	note_work(l, job, ev->stage, &f);
	reply_words(ev->reply, words);
	drop_job(l, job, unfinished, &f, words);
}

static void
on_verdict(struct sink_line *l, const struct smtp_event *ev)
{
	struct sink_job *job = TAILQ_FIRST(&l->jobs);
	struct sink *s = l->sink;
	char words[WORDS_MAX];

	if (job == NULL)
		return; /* of one that was taken off */
	if (job->ended)
		histogram_add(&s->tally.dot, tally_bounds_us,
		    loop_now_us(s->net->loop) - job->ended_at);
	if (ev->reply->code / 100 != 2) {
		on_refused(l, job, ev);
		return;
	}
	note_work(l, job, ev->stage, NULL);
	reply_words(ev->reply, words);
	end_job(l, job, NULL, words);
}

/* --- the connection */

static void
on_ready(void *arg)
{
	struct sink_line *l = arg;

	l->state = LINE_OPEN;
	timer_set(&l->idle, IDLE_MS);
	sink_turn(l->sink);
}

static void
on_event(void *arg, const struct smtp_event *ev)
{
	struct sink_line *l = arg;

	if (ev->kind == SMTP_EV_GO)
		l->feed.going = l->feed.mailed;
	else if (ev->kind == SMTP_EV_VERDICT)
		on_verdict(l, ev);
	else if (ev->kind == SMTP_EV_BYE)
		sink_line_end(l);
}

/* What is due changes with what is written. */
static void
on_feed(void *arg)
{
	struct sink_line *l = arg;
	enum wait_class due = smtp_wait_class(&l->wire->smtp);
	bool held = l->feed.held;

	do
		sink_feed(l);
	while (sink_fill(l->sink, l));
	if (smtp_wait_class(&l->wire->smtp) != due || l->feed.held != held)
		submission_await(l->wire);
}

/* While the state database is slow, the server owes us nothing. */
static bool
on_is_ours(const void *arg)
{
	const struct sink_line *l = arg;
	enum wait_class due = smtp_wait_class(&l->wire->smtp);

	return l->feed.held && !l->next->permitted &&
	       (due == WAIT_BODY || due == WAIT_NONE);
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

	if (!smtp_quit(&l->wire->smtp)) {
		sink_line_end(l); /* on its way, and nobody waits for it */
		return;
	}
	l->state = LINE_LEAVING;
	submission_send(l->wire);
}

void
sink_line_log_in(struct sink_line *l)
{
	timer_cancel(&l->idle);
	submission_log_in(l->wire);
}

struct sink_line *
sink_line_open(struct sink *s)
{
	struct sink_line *l = mem_alloc(sizeof(*l));

	l->sink = s;
	l->state = LINE_CONNECTING;
	TAILQ_INIT(&l->jobs);
	timer_init(&l->idle, s->net->loop, on_idle, l);
	timer_set(&l->idle, IDLE_MS);
	l->wire = submission_open(&(struct submission_owner){
	    .net = s->net,
	    .tokens = s->tokens,
	    .conf = s->conf,
	    .dest = s->dest,
	    .tally = &s->tally,
	    .hold = true,
	    .events = &line_events,
	    .arg = l,
	});
	return l;
}

void
sink_line_close(struct sink_line *l)
{
	if (l->state == LINE_OPEN && smtp_quit(&l->wire->smtp))
		submission_send_now(l->wire);
	submission_close(&l->wire);
	timer_free(&l->idle);
	free(l);
}
