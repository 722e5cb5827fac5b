/* SPDX-License-Identifier: ISC */
#include "proto/line.h"

void
line_init(struct line *l, size_t max)
{
	*l = (struct line){ .max = max };
	buf_init(&l->part, max + 1); /* the CR may be there before its LF */
}

void
line_free(struct line *l)
{
	buf_free(&l->part);
}

static enum line_status
finish(struct line *l, struct span s, struct span *line_r)
{
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	else
		l->bare_lf = true;
	if (s.n > l->max)
		return LINE_TOO_LONG;
	*line_r = s;
	return LINE_DONE;
}

enum line_status
line_next(struct line *l, struct span *in, struct span *line_r)
{
	struct span piece = *in;
	const char *lf = in->n > 0 ? memchr(in->p, '\n', in->n) : NULL;

	if (l->returned)
		buf_drop(&l->part, l->part.len);
	l->returned = false;
	if (lf != NULL)
		piece.n = (size_t)(lf - in->p);
	*in = span_skip(*in, lf != NULL ? piece.n + 1 : piece.n);
	if (lf != NULL && l->part.len == 0)
		return finish(l, piece, line_r);
	if (!buf_add(&l->part, piece))
		return LINE_TOO_LONG;
	if (lf == NULL)
		return LINE_MORE;
	l->returned = true;
	return finish(l, buf_span(&l->part), line_r);
}
