/* SPDX-License-Identifier: ISC */
#include "fake_sink.h"

#include "relay/parcel.h"

bool
sink_closed(const struct sink *s)
{
	return s->trouble != NULL || (s->failed && s->probing);
}

enum sink_answer
sink_ask(struct sink *s)
{
	if (sink_closed(s))
		return SINK_CLOSED;
	if (!s->failed)
		return SINK_OPEN;
	trail_event(s->trail, "probe");
	s->probing = true;
	return SINK_PROBE;
}

void
sink_probe_over(struct sink *s)
{
	trail_event(s->trail, "probe over");
	s->probing = false;
}

void
sink_warm(struct sink *s, uint64_t n)
{
	trail_event(s->trail, "warm %llu", (unsigned long long)n);
}

void
sink_submit(struct sink *s, struct sink_job *job)
{
	trail_event(s->trail, "submit");
	if (s->job != NULL)
		abort();
	s->job = job;
	s->dot_sent = false;
}

const struct fault *
sink_trouble(const struct sink *s)
{
	return s->trouble;
}

void
sink_permit(struct sink *s, struct sink_job *job)
{
	trail_event(s->trail, "permit");
	if (s->job != job)
		abort();
	job->permitted = true;
}

bool
sink_withdraw(struct sink *s, struct sink_job *job)
{
	trail_event(s->trail, "withdraw%s", s->dot_sent ? " (no)" : "");
	if (s->job != job)
		abort();
	if (s->dot_sent)
		return false;
	s->job = NULL;
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
	(void)us;
	s->relayed++;
}

void
fake_sink_begin(struct sink *s)
{
	trail_event(s->trail, "begin");
	s->job->permitted = false; /* each turn asks anew */
	s->job->begin(s->job->arg);
}

void
fake_sink_dot(struct sink *s)
{
	if (!s->job->permitted)
		abort();
	trail_event(s->trail, "dot");
	s->dot_sent = true;
}

void
fake_sink_verdict(struct sink *s, const struct fault *f, const char *words)
{
	struct sink_job *job = s->job;

	trail_event(s->trail, "verdict %s",
	    f != NULL ? fault_when_name(f->when) : "good");
	s->job = NULL;
	job->verdict(job->arg, f, words);
}

void
fake_sink_head(struct sink *s, char *dst, size_t cap)
{
	struct span head;
	struct fault f;

	if (!parcel_read(s->job->parcel, 0, &head, &f) || head.n >= cap)
		abort();
	memcpy(dst, head.p, head.n);
	dst[head.n] = '\0';
}

void
fake_sink_read(struct sink *s, char *dst, size_t cap)
{
	uint64_t at = 0;
	struct span piece;
	struct fault f;

	do {
		if (!parcel_read(s->job->parcel, at, &piece, &f) ||
		    at + piece.n >= cap)
			abort();
		memcpy(dst + at, piece.p, piece.n);
		at += piece.n;
	} while (piece.n > 0);
	if (at != parcel_size(s->job->parcel))
		abort();
	dst[at] = '\0';
}
