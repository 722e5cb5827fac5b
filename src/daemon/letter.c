/* SPDX-License-Identifier: ISC */
#include "daemon/letter.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/parcel.h"
#include "relay/sink.h"
#include "relay/spool.h"
#include "relay/trace.h"

struct letter {
	struct sink *(*next)(void *arg, size_t i);
	void *next_arg;
	char *avoid, *to; /* owned; avoid may be NULL */
	void (*done)(void *arg, const char *via, const struct fault *f);
	void *arg;
	struct spool_pool *pool; /* owned */
	struct spool *spool;     /* what is the same for all destinations */
	struct parcel *parcel;   /* with what is not */
	struct sink_envelope envelope;
	struct sink_job job;
	size_t number;     /* of the sink that is next */
	struct sink *sink; /* foreign; where it is; NULL: nowhere */
	bool again;        /* there, once more, with mail_from */
	char *via;         /* owned; who accepted it */
	char id[20];
	bool over;
	struct fault fault;
	struct timer turn;
};

static void
letter_free(struct letter *l)
{
	timer_free(&l->turn);
	parcel_free(&l->parcel);
	spool_unref(&l->spool);
	spool_pool_free(&l->pool);
	free(l->avoid);
	free(l->to);
	free(l->via);
	free(l);
}

/* There is no record to wait for: should it go out twice, it does. */
static void
on_begin(void *arg)
{
	struct letter *l = arg;

	sink_permit(l->sink, &l->job);
}

static void
on_verdict(void *arg, const struct fault *f, const char *words)
{
	struct letter *l = arg;

	(void)words;
	if (f == NULL)
		l->via = mem_strdup(sink_destination(l->sink)->name);
	else
		l->fault = *f;
	/* Perhaps accepted is good enough. */
	l->over = f == NULL || f->when == FAULT_UNKNOWN;
	l->again = f != NULL && f->scope == FAULT_MESSAGE &&
	           f->when == FAULT_NEVER && l->envelope.sender[0] == '\0';
	if (!l->again)
		l->sink = NULL;
	timer_set(&l->turn, 0);
}

static bool
takes_mail(struct sink *s)
{
	enum sink_answer answer = sink_ask(s);

	/* The probe is for a message that matters. */
	if (answer == SINK_PROBE)
		sink_probe_over(s);
	return answer == SINK_OPEN;
}

static void
find_sink(struct letter *l)
{
	struct sink *s;

	l->sink = NULL;
	while (
	    l->sink == NULL && (s = l->next(l->next_arg, l->number)) != NULL) {
		const char *name = sink_destination(s)->name;

		l->number++;
		if ((l->avoid == NULL || strcmp(name, l->avoid) != 0) &&
		    takes_mail(s))
			l->sink = s;
	}
}

static void
submit(struct letter *l)
{
	const struct conf_destination *d = sink_destination(l->sink);

	char from[400];

	/* Many servers want the address of the login there. */
	snprintf(from, sizeof(from), "From: mailhaul <%s>\r\n", d->mail_from);
	parcel_free(&l->parcel);
	l->parcel = parcel_new(l->spool, span_str(from));
	parcel_preserve(l->parcel);
	l->envelope = (struct sink_envelope){
		.sender = l->again ? d->mail_from : "",
		.recipient = l->to,
	};
	l->job = (struct sink_job){
		.envelope = &l->envelope,
		.parcel = l->parcel,
		.trace = l->id,
		.begin = on_begin,
		.verdict = on_verdict,
		.arg = l,
	};
	sink_submit(l->sink, &l->job);
}

static void
on_turn(void *arg)
{
	struct letter *l = arg;

	if (!l->over && !l->again)
		find_sink(l);
	if (!l->over && l->sink != NULL) {
		submit(l);
		l->again = false;
		return;
	}
	l->done(l->arg, l->via, l->via == NULL ? &l->fault : NULL);
	letter_free(l);
}

static void
write_line(struct letter *l, const char *name, const char *value)
{
	struct fault f;

	if (!spool_write(l->spool, span_str(name), &f) ||
	    !spool_write(l->spool, span_str(value), &f) ||
	    !spool_write(l->spool, span_str("\r\n"), &f))
		abort(); /* it is in memory, and its parts are bounded */
}

static void
write_letter(struct letter *l, const struct letter_terms *t)
{
	char date[TRACE_DATE_SIZE], id[320];
	uint64_t random = 0;
	struct fault f;

	trace_date(time(NULL), date);
	/* Few bytes never fail, and if they did the second still differs. */
	if (getrandom(&random, sizeof(random), 0) < 0)
		random = (uint64_t)loop_now_us(t->loop);
	snprintf(l->id, sizeof(l->id), "%016" PRIx64, random);
	snprintf(id, sizeof(id), "<%s.mailhaul@%s>", l->id, t->host);
	write_line(l, "Date: ", date);
	write_line(l, "To: ", t->to);
	write_line(l, "Subject: ", t->subject);
	write_line(l, "Message-ID: ", id);
	write_line(l, "Auto-Submitted: auto-generated", "");
	write_line(l, "X-Mailhaul-Notice: ", t->token);
	write_line(l, "MIME-Version: 1.0", "");
	write_line(l, "Content-Type: text/plain; charset=us-ascii", "");
	write_line(l, "", "");
	if (!spool_write(l->spool, span_str(t->text), &f) ||
	    !spool_finish(l->spool, &f))
		abort();
}

struct letter *
letter_send(const struct letter_terms *t,
    void (*done)(void *arg, const char *via, const struct fault *f), void *arg)
{
	struct letter *l = mem_alloc(sizeof(*l));

	l->next = t->sink;
	l->next_arg = t->arg;
	l->avoid = t->avoid != NULL ? mem_strdup(t->avoid) : NULL;
	l->to = mem_strdup(t->to);
	l->done = done;
	l->arg = arg;
	fault_set(&l->fault, FAULT_DESTINATION, FAULT_LATER, "notify",
	    "no destination works that is not the problem itself");
	l->pool = spool_pool_new(-1, LETTER_MAX);
	l->spool = spool_new(l->pool, "", LETTER_MAX);
	write_letter(l, t);
	timer_init(&l->turn, t->loop, on_turn, l);
	timer_set(&l->turn, 0);
	return l;
}

/* The job's memory must outlive a line that is behind its dot with it. */
static bool
withdraw(struct letter *l)
{
	return l->sink == NULL || l->again || sink_withdraw(l->sink, &l->job);
}

void
letter_leave(struct letter *l, const struct sink *s)
{
	if (l == NULL || l->sink != s)
		return;
	l->over = l->over || !withdraw(l);
	l->again = false;
	l->sink = NULL;
	timer_set(&l->turn, 0);
}

void
letter_cancel(struct letter **letter)
{
	struct letter *l = *letter;

	*letter = NULL;
	if (l == NULL)
		return;
	(void)withdraw(l);
	letter_free(l);
}
