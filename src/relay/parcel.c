/* SPDX-License-Identifier: ISC */
#include "relay/parcel.h"

#include <stdlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "proto/rewrite.h"
#include "relay/spool.h"
#include "relay/trace.h"

/* The front, each From field and what lies before it, the rest, the back. */
#define PARTS_MAX (3 + 2 * ORIGINAL_FROM_MAX)

struct part {
	struct span text; /* p NULL: of the spool */
	uint64_t from, size;
};

struct parcel {
	struct spool *spool; /* a reference */
	struct buf front, back;
	struct part parts[PARTS_MAX];
	unsigned nparts;
	char *room; /* owned: the piece read last; NULL: none from a file */
};

static void
add_text(struct parcel *p, struct span text)
{
	if (text.n > 0)
		p->parts[p->nparts++] =
		    (struct part){ .text = text, .size = text.n };
}

static void
add_spool(struct parcel *p, uint64_t from, uint64_t to)
{
	if (to > from)
		p->parts[p->nparts++] =
		    (struct part){ .from = from, .size = to - from };
}

/* A message that begins with a blank would continue our last field; give it one
 * of no meaning to continue (CASES M13). */
static void
shield(struct parcel *p)
{
	if (spool_scan(p->spool)->starts_folded)
		buf_addf(&p->front,
		    "X-Mailhaul-Original: (begins with a blank)\r\n");
}

struct parcel *
parcel_new(struct spool *spool, struct span head)
{
	struct parcel *p = mem_alloc(sizeof(*p));

	p->spool = spool_ref(spool);
	buf_init(&p->front, TRACE_HEAD_MAX + REWRITE_FRONT_MAX);
	buf_init(&p->back, TRACE_HEAD_MAX);
	buf_add(&p->front, head);
	return p;
}

void
parcel_free(struct parcel **parcel)
{
	struct parcel *p = *parcel;

	*parcel = NULL;
	if (p == NULL)
		return;
	spool_unref(&p->spool);
	buf_free(&p->front);
	buf_free(&p->back);
	free(p->room);
	free(p);
}

/* --- from the spool */

static bool
read_spool(
    struct parcel *p, uint64_t offset, struct span *piece_r, struct fault *f)
{
	if (p->room == NULL && !spool_in_memory(p->spool))
		p->room = mem_alloc(SPOOL_PIECE);
	return spool_read(p->spool, offset, p->room, piece_r, f);
}

/* Its header block, as far as a policy looks at it. */
static bool
look(struct parcel *p, struct original *o, struct fault *f)
{
	uint64_t end = spool_scan(p->spool)->header_bytes, at = 0;

	original_init(o);
	if (end > ORIGINAL_HEADER_MAX)
		end = ORIGINAL_HEADER_MAX;
	while (at < end) {
		struct span piece;

		if (!read_spool(p, at, &piece, f))
			return false;
		if (piece.n > end - at)
			piece.n = (size_t)(end - at);
		original_feed(o, piece);
		at += piece.n;
	}
	original_end(o);
	return true;
}

/* --- the policies */

void
parcel_preserve(struct parcel *p)
{
	shield(p);
	add_text(p, buf_span(&p->front));
	add_spool(p, 0, spool_size(p->spool));
}

static bool
refuse(struct fault *f, const char *why)
{
	fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "sender", "%s", why);
	f->hint = "sender = \"wrap\" relays it as it is, enclosed";
	return false;
}

static void
rename_from(struct parcel *p, const struct original *o)
{
	uint64_t at = 0;

	for (unsigned i = 0; i < o->nfrom; i++) {
		const struct original_from *from = &o->from[i];
		struct span instead;
		size_t n = rewrite_rename(from, &instead);

		add_spool(p, at, from->at);
		add_text(p, instead);
		at = from->at + n;
	}
	add_spool(p, at, spool_size(p->spool));
}

static struct rewrite_terms
terms_of(const struct parcel *p, const struct parcel_sender *s)
{
	return (struct rewrite_terms){
		.address = s->address,
		.account = s->account,
		.recipient = s->recipient,
		.id = s->trace,
		.eight_bit = parcel_eight_bit(p),
	};
}

static bool
can_rewrite(const struct parcel *p, const struct original *o, struct fault *f)
{
	if (spool_scan(p->spool)->header_bytes > ORIGINAL_HEADER_MAX)
		return refuse(
		    f, "its header is larger than 1 MiB: no place to rewrite");
	if (o->nfrom > ORIGINAL_FROM_MAX)
		return refuse(f, "it has more than 16 From fields");
	return true;
}

bool
parcel_rewrite(struct parcel *p, const struct parcel_sender *s, struct fault *f)
{
	struct original *o = mem_alloc(sizeof(*o));
	struct rewrite_terms t = terms_of(p, s);
	bool good = look(p, o, f) && can_rewrite(p, o, f);

	if (good) {
		rewrite_front(&p->front, o, &t);
		shield(p);
		add_text(p, buf_span(&p->front));
		rename_from(p, o);
	}
	free(o);
	return good;
}

bool
parcel_wrap(struct parcel *p, const struct parcel_sender *s, struct fault *f)
{
	struct original *o = mem_alloc(sizeof(*o));
	struct rewrite_terms t = terms_of(p, s);
	char date[TRACE_DATE_SIZE];
	bool good = look(p, o, f);

	if (good && o->ntraces > ORIGINAL_TRACES) {
		fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "sender",
		    "it went through mailhaul more than 16 times: a loop");
		good = false;
	}
	if (good) {
		trace_date(s->now, date);
		t.date = date;
		wrap_front(&p->front, o, &t);
		wrap_back(&p->back, &t);
		add_text(p, buf_span(&p->front));
		add_spool(p, 0, spool_size(p->spool));
		add_text(p, buf_span(&p->back));
	}
	free(o);
	return good;
}

/* --- what the sink asks */

uint64_t
parcel_size(const struct parcel *p)
{
	uint64_t size = 0;

	for (unsigned i = 0; i < p->nparts; i++)
		size += p->parts[i].size;
	return size;
}

bool
parcel_eight_bit(const struct parcel *p)
{
	return spool_scan(p->spool)->eight_bit;
}

bool
parcel_null_sender(const struct parcel *p)
{
	return spool_scan(p->spool)->null_sender;
}

bool
parcel_read(
    struct parcel *p, uint64_t offset, struct span *piece_r, struct fault *f)
{
	const struct part *part = p->parts, *end = p->parts + p->nparts;

	while (part < end && offset >= part->size)
		offset -= part++->size;
	*piece_r = span_make("", 0);
	if (part == end)
		return true;
	if (part->text.p != NULL) {
		*piece_r = span_skip(part->text, (size_t)offset);
		return true;
	}
	if (!read_spool(p, part->from + offset, piece_r, f))
		return false;
	if (piece_r->n > part->size - offset)
		piece_r->n = (size_t)(part->size - offset);
	return true;
}
