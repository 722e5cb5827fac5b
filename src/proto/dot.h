/* SPDX-License-Identifier: ISC */
/*
 * The three filters between a message and the wire, each resumable at every
 * byte: taking the dots out of what a POP3 server sends (RFC 1939 section 3),
 * making its line ends those of RFC 5322, and putting the dots in for SMTP
 * (RFC 5321 section 4.5.2).
 *
 * Pure and without copies: each call cuts a piece off *in and answers with the
 * next piece of output, which is a view of the input or a constant.  Call
 * until the answer is DOT_MORE.
 */
#ifndef PROTO_DOT_H
#define PROTO_DOT_H

#include <stdbool.h>

#include "base/span.h"

enum dot_status {
	DOT_MORE, /* input used up, nothing to give */
	DOT_DATA, /* *out_r is valid until the input goes away */
	DOT_END,  /* (decoder) CRLF.CRLF was read; *in holds what follows it */
};

/* Decoder.  Only CRLF.CRLF ends a message: LF.LF and CR.CR are content.  The
 * CRLF in front of the final dot belongs to the message. */
struct dot_decoder {
	unsigned state; /* private to dot.c */
};
void dot_decode_init(struct dot_decoder *d);
enum dot_status dot_decode(
    struct dot_decoder *d, struct span *in, struct span *out_r);

/* Normaliser: CR*LF becomes one CRLF; a CR with no LF behind it becomes a
 * space in the header and CRLF in the body; the header ends with the first
 * empty line.  A last line without an end gets one from dot_normalise_end().
 * NUL passes: who relays must refuse it (proto/header finds it). */
struct dot_normaliser {
	size_t crs;      /* CRs read whose meaning is not known yet */
	bool body;       /* the empty line was seen */
	bool line_empty; /* nothing on the current line yet */
};
void dot_normalise_init(struct dot_normaliser *n);
enum dot_status dot_normalise(
    struct dot_normaliser *n, struct span *in, struct span *out_r);
/* Call until DOT_MORE, once the input is complete. */
enum dot_status dot_normalise_end(struct dot_normaliser *n, struct span *out_r);

/* Encoder: input must be normalised (every CR has its LF), output is stuffed.
 * dot_encode_end() gives what makes the end: ".\r\n", with a CRLF in front
 * when the last line had none; an empty message ends in ".\r\n" alone. */
struct dot_encoder {
	unsigned state; /* private to dot.c */
};
void dot_encode_init(struct dot_encoder *e);
enum dot_status dot_encode(
    struct dot_encoder *e, struct span *in, struct span *out_r);
struct span dot_encode_end(struct dot_encoder *e);

#endif
