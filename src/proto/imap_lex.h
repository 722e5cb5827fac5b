/* SPDX-License-Identifier: ISC */
/*
 * IMAP server bytes to tokens (RFC 3501 section 9, RFC 9051), one at a time.
 *
 * Pure, streaming: a SEARCH answer of ten megabytes is a million small tokens,
 * and a literal is handed through in pieces, so nothing here grows with what
 * the server sends.  Literals may stand wherever a string may stand; they are
 * never taken for lines.
 */
#ifndef PROTO_IMAP_LEX_H
#define PROTO_IMAP_LEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/span.h"

/* An atom, quoted string or text line.  The longest in earnest is a list of
 * keywords in a response code: 1,200 of 50 bytes. */
#define IMAP_TOKEN_MAX 65536
#define IMAP_LITERAL_MAX INT64_MAX /* RFC 9051: 63 bits */

enum imap_token_kind {
	IMAP_TOKEN_MORE,   /* input used up, no token yet */
	IMAP_TOKEN_ATOM,   /* also numbers, NIL, \Flags, BODY[] with its section
	                    */
	IMAP_TOKEN_STRING, /* quoted; escapes taken out */
	IMAP_TOKEN_LITERAL, /* size bytes follow as PIECEs; no PIECE if size 0
	                     */
	IMAP_TOKEN_PIECE, /* a view of literal bytes; left says how many remain
	                   */
	IMAP_TOKEN_OPEN,  /* ( */
	IMAP_TOKEN_CLOSE, /* ) */
	IMAP_TOKEN_TEXT,  /* the rest of the line, after imap_lex_text() */
	IMAP_TOKEN_EOL,   /* CRLF */
	IMAP_TOKEN_BAD,   /* text says why; the connection is lost */
};

struct imap_token {
	enum imap_token_kind kind;
	struct span text; /* valid until the next call */
	uint64_t size;    /* LITERAL: announced bytes */
	uint64_t left;    /* PIECE: bytes of the literal still to come */
};

struct imap_lex {
	/* private */
	struct buf part;
	unsigned state;
	bool text_mode;    /* imap_lex_text() was called */
	bool drop;         /* part was given out as a token */
	unsigned brackets; /* open ones in a BODY[...] */
	uint64_t left;     /* of the literal */
	const char *error;
};

void imap_lex_init(struct imap_lex *l);
void imap_lex_free(struct imap_lex *l);
/* Cuts what it used off *in. */
void imap_lex_next(
    struct imap_lex *l, struct span *in, struct imap_token *token_r);
/* The rest of this line is free text (resp-text): give it as one TEXT. */
void imap_lex_text(struct imap_lex *l);

#endif
