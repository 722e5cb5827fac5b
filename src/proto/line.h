/* SPDX-License-Identifier: ISC */
/*
 * Bytes to lines, for protocols that talk in lines (RFC 1939, RFC 5321; IMAP
 * has literals and uses imap_lex instead).
 *
 * Pure.  A line ends at LF; one CR in front of it belongs to the ending.  A
 * line that lies whole in the input is returned as a view of it, without a
 * copy; one that arrives in pieces is put together in a buffer of its own.
 */
#ifndef PROTO_LINE_H
#define PROTO_LINE_H

#include "base/buf.h"
#include "base/span.h"

enum line_status {
	LINE_MORE,     /* input used up, no line yet */
	LINE_DONE,     /* *line_r is valid until the next call */
	LINE_TOO_LONG, /* the peer sent max bytes without an end: close */
};

struct line {
	struct buf part;
	size_t max;
	bool returned; /* part holds a line that was given out: drop it */
	bool bare_lf;  /* seen a line that ended without CR */
};

void line_init(struct line *l, size_t max); /* max: bytes without ending */
void line_free(struct line *l);
/* Cuts what it used off *in. */
enum line_status line_next(
    struct line *l, struct span *in, struct span *line_r);

#endif
