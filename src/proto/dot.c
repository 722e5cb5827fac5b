/* SPDX-License-Identifier: ISC */
/*
 * What does not change is never copied and never looked at byte by byte: each
 * filter runs along with memchr() to the next place where it has work, and
 * gives out everything in front of it as one slice.  A place that is cut by
 * the end of the input is put off: its bytes become state and come out again
 * as a constant.
 */
#include "proto/dot.h"

static enum dot_status
give(struct span *out_r, const char *p, size_t n)
{
	*out_r = span_make(p, n);
	return n > 0 ? DOT_DATA : DOT_MORE;
}

/* Takes n bytes off *in and gives them out as they are. */
static enum dot_status
pass(struct span *in, size_t n, struct span *out_r)
{
	*out_r = span_make(in->p, n);
	*in = span_skip(*in, n);
	return DOT_DATA;
}

/*
 * Decoder.  In all states but DECODE_TEXT nothing is held back but what the
 * name says.
 */
enum {
	DECODE_START,  /* at the start of a line */
	DECODE_TEXT,   /* within a line */
	DECODE_CR,     /* behind a CR, which was given out */
	DECODE_DOT,    /* behind the first dot of a line, which is held back */
	DECODE_DOT_CR, /* behind the CR of ".CR", both held back */
	DECODE_ENDED,
};

void
dot_decode_init(struct dot_decoder *d)
{
	d->state = DECODE_START;
}

/* How much of s can be given out as it is; sets the state behind it.  Stops
 * behind a CRLF that a dot follows or may follow. */
static size_t
decode_run(struct dot_decoder *d, struct span s)
{
	const char *p = s.p, *end = s.p + s.n;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		bool crlf = p > s.p ? p[-1] == '\r' : d->state == DECODE_CR;

		p++;
		if (crlf && (p == end || *p == '.')) {
			d->state = DECODE_START;
			return (size_t)(p - s.p);
		}
	}
	d->state = end[-1] == '\r' ? DECODE_CR : DECODE_TEXT;
	return s.n;
}

/* Takes the bytes that are held back.  True: one was taken off *in. */
static bool
decode_held(struct dot_decoder *d, struct span *in)
{
	char c = in->p[0];

	if (d->state == DECODE_START && c == '.')
		d->state = DECODE_DOT;
	else if (d->state == DECODE_DOT && c == '\r')
		d->state = DECODE_DOT_CR;
	else if (d->state == DECODE_DOT_CR && c == '\n')
		d->state = DECODE_ENDED;
	else
		return false;
	*in = span_skip(*in, 1);
	return true;
}

enum dot_status
dot_decode(struct dot_decoder *d, struct span *in, struct span *out_r)
{
	*out_r = span_make("", 0);
	while (in->n > 0 && d->state != DECODE_ENDED) {
		if (decode_held(d, in))
			continue;
		if (d->state == DECODE_DOT_CR) {
			/* Not the end: the dot was stuffing, the CR is text. */
			d->state = DECODE_TEXT;
			return give(out_r, "\r", 1);
		}
		return pass(in, decode_run(d, *in), out_r);
	}
	return d->state == DECODE_ENDED ? DOT_END : DOT_MORE;
}

/*
 * Normaliser.  CRs are held back until the byte behind them says what they
 * are; all else passes at once.
 */
#define WINDOW                                                                 \
	1024 /* looked through for one line end at a time, so that a           \
	        message of CRs alone does not cost its square */

void
dot_normalise_init(struct dot_normaliser *n)
{
	*n = (struct dot_normaliser){ .line_empty = true };
}

static void
end_line(struct dot_normaliser *n)
{
	if (n->line_empty)
		n->body = true;
	n->line_empty = true;
}

/* A piece of what the held CRs became, none of them having an LF. */
static enum dot_status
lone_crs(struct dot_normaliser *n, struct span *out_r)
{
	size_t k = n->crs < 8 ? n->crs : 8;

	n->crs -= k;
	n->line_empty = n->body;
	if (n->body)
		return give(out_r, "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 2 * k);
	return give(out_r, "        ", k);
}

/* How much of s is normal already. */
static size_t
normal_run(struct dot_normaliser *n, struct span s)
{
	const char *p = s.p, *end = s.p + s.n;

	while (p < end) {
		size_t w = end - p < WINDOW ? (size_t)(end - p) : WINDOW;
		const char *lf = memchr(p, '\n', w);
		size_t line = lf != NULL ? (size_t)(lf - p) : w;
		const char *cr = memchr(p, '\r', line);

		if (cr != p && line > 0)
			n->line_empty = false;
		if (cr != NULL && cr + 1 == lf)
			end_line(n);
		else if (cr != NULL || lf != NULL)
			return (size_t)((cr != NULL ? cr : lf) - s.p);
		p = lf != NULL ? lf + 1 : p + w;
	}
	return s.n;
}

enum dot_status
dot_normalise(struct dot_normaliser *n, struct span *in, struct span *out_r)
{
	while (in->n > 0) {
		if (in->p[0] == '\n') {
			n->crs = 0;
			end_line(n);
			*in = span_skip(*in, 1);
			return give(out_r, "\r\n", 2);
		}
		if (in->p[0] == '\r' &&
		    (n->crs > 0 || in->n == 1 || in->p[1] != '\n')) {
			n->crs++;
			*in = span_skip(*in, 1);
			continue;
		}
		if (n->crs > 0)
			return lone_crs(n, out_r);
		return pass(in, normal_run(n, *in), out_r);
	}
	return give(out_r, "", 0);
}

enum dot_status
dot_normalise_end(struct dot_normaliser *n, struct span *out_r)
{
	if (n->crs > 0)
		return lone_crs(n, out_r);
	if (n->line_empty)
		return give(out_r, "", 0);
	n->line_empty = true;
	return give(out_r, "\r\n", 2);
}

/*
 * Encoder.  Stuffs behind every LF: input that was not normalised after all
 * still cannot end a message at a server that takes LF.LF for the end.
 */
enum {
	ENCODE_START, /* at the start of a line */
	ENCODE_TEXT,  /* within a line, or its dot has been stuffed */
};

void
dot_encode_init(struct dot_encoder *e)
{
	e->state = ENCODE_START;
}

enum dot_status
dot_encode(struct dot_encoder *e, struct span *in, struct span *out_r)
{
	const char *p = in->p, *end = in->p + in->n;

	if (in->n == 0)
		return give(out_r, "", 0);
	if (e->state == ENCODE_START && *p == '.') {
		e->state = ENCODE_TEXT;
		return give(out_r, ".", 1);
	}
	e->state = ENCODE_TEXT;
	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		p++;
		if (p == end || *p == '.') {
			e->state = ENCODE_START;
			return pass(in, (size_t)(p - in->p), out_r);
		}
	}
	return pass(in, in->n, out_r);
}

struct span
dot_encode_end(struct dot_encoder *e)
{
	bool start = e->state == ENCODE_START;

	e->state = ENCODE_START;
	return span_str(start ? ".\r\n" : "\r\n.\r\n");
}
