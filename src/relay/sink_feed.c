/* SPDX-License-Identifier: ISC */
/*
 * What a line writes: the messages of its jobs, one behind the other.
 *
 * By BDAT the commands of a message follow the last chunk of the one before,
 * and nothing is waited for but permission: the last chunk is not even
 * announced before (rule R1).  By DATA they follow the dot of the one before,
 * and the body waits for 354.
 */
#include "base/fault.h"
#include "conf/conf.h"
#include "relay/parcel.h"
#include "relay/sink_private.h"

/* What is announced has to be written, even when it is refused meanwhile. */
#define CHUNK_MAX (256 * 1024)

static bool
begin(struct sink_line *l)
{
	const struct conf_destination *d = l->sink->dest;
	const struct sink_envelope usual = { d->mail_from, d->recipient };
	const struct sink_job *job = l->next;
	const struct sink_envelope *own =
	    job->envelope != NULL ? job->envelope : &usual;
	struct smtp *m = &l->wire->smtp;
	struct smtp_envelope e = {
		.sender = span_str(own->sender),
		.recipient = span_str(own->recipient),
		.size = parcel_size(job->parcel),
		.eight_bit = parcel_eight_bit(job->parcel),
		.envid = span_str(job->trace),
		/* A report about a report could go round for ever. */
		.no_report =
		    job->envelope != NULL || parcel_null_sender(job->parcel),
		.chunked = d->window > 1 && smtp_can_chunk(m),
	};
	struct fault f;

	if (!smtp_can_mail(m))
		return false;
	if (!smtp_mail(m, &e)) {
		fault_set(&f,
		    job->envelope != NULL ? FAULT_MESSAGE : FAULT_DESTINATION,
		    FAULT_NEVER, "MAIL",
		    "mail_from or recipient cannot be written in SMTP");
		sink_line_unwritten(l, &f);
		return false;
	}
	l->feed.mailed = true;
	l->feed.chunked = e.chunked;
	return true;
}

/* False: it cannot be read. */
static bool
next_piece(struct sink_line *l)
{
	struct sink_feed *feed = &l->feed;
	struct fault f;

	if (!parcel_read(l->next->parcel, feed->offset, &feed->piece, &f)) {
		sink_line_unwritten(l, &f);
		return false;
	}
	feed->offset += feed->piece.n;
	return true;
}

/* --- by DATA */

/* True: the dot is written. */
static bool
feed_data(struct sink_line *l)
{
	struct sink_feed *feed = &l->feed;
	uint64_t size = parcel_size(l->next->parcel);

	if (!feed->going)
		return false;
	while (feed->piece.n > 0 || feed->offset < size) {
		if (feed->piece.n == 0 && !next_piece(l))
			return false;
		smtp_body(&l->wire->smtp, &feed->piece);
		if (feed->piece.n > 0)
			return false; /* full: more when some was written */
	}
	feed->held = !l->next->permitted;
	return !feed->held && smtp_dot(&l->wire->smtp);
}

/* --- by BDAT */

/* False: not yet, or no more of it is wanted. */
static bool
announce_chunk(struct sink_line *l)
{
	struct sink_feed *feed = &l->feed;
	uint64_t left = parcel_size(l->next->parcel) - feed->announced;
	bool last = left <= CHUNK_MAX;
	uint64_t n = last ? left : CHUNK_MAX;

	feed->held = last && !l->next->permitted;
	if (feed->held || !smtp_chunk(&l->wire->smtp, n, last))
		return false;
	feed->announced += n;
	feed->last = last;
	return true;
}

/* True: nothing is missing of the chunk. */
static bool
fill_chunk(struct sink_line *l)
{
	struct sink_feed *feed = &l->feed;
	struct smtp *m = &l->wire->smtp;

	while (smtp_chunk_open(m)) {
		if (feed->piece.n == 0 && !next_piece(l))
			return false;
		smtp_body(m, &feed->piece);
		if (feed->piece.n > 0 && smtp_chunk_open(m))
			return false; /* full: more when some was written */
	}
	return true;
}

/* True: the last chunk is written. */
static bool
feed_chunks(struct sink_line *l)
{
	while (fill_chunk(l)) {
		if (l->feed.last)
			return true;
		if (!announce_chunk(l))
			return false;
	}
	return false;
}

/* --- one behind the other */

static bool
feed_next(struct sink_line *l)
{
	if (!l->feed.mailed && !begin(l))
		return false;
	return l->feed.chunked ? feed_chunks(l) : feed_data(l);
}

void
sink_feed(struct sink_line *l)
{
	while (l->state == LINE_OPEN && l->next != NULL && feed_next(l))
		sink_line_ended(l);
}
