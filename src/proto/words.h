/* SPDX-License-Identifier: ISC */
/*
 * Words of a header field on their way out: folded, and in ASCII whatever they
 * were made of (RFC 2047; RFC 5322 sections 2.2.3 and 3.2.5).
 *
 * Words that came encoded go out as they came: nothing is decoded, so no
 * charset must be known.  Raw 8-bit text is encoded, as UTF-8 when it is that,
 * else as windows-1252, which is what it most often is.  Pure; what is too long
 * is cut, which is not an error.
 */
#ifndef PROTO_WORDS_H
#define PROTO_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

#define WORDS_RUN_MAX 1000    /* bytes of text between two encoded words */
#define WORDS_ENCODED_MAX 300 /* of one encoded word; RFC 2047 says 75 */

struct words {
	/* private */
	struct buf *b; /* foreign; has room enough: see words_end() */
	size_t col;    /* of the line being written */
	bool phrase;
	bool encoded; /* the last word that was written is one */
	bool full;
	size_t left; /* bytes that may still be added */
	size_t run_len;
	char run[WORDS_RUN_MAX];
};

/* Bytes of the encoded word that s begins with; 0: with none. */
size_t words_encoded_length(struct span s);

/* col: bytes on the line so far, "From:".  phrase: of an address, where other
 * characters than letters need quotes.  max: bytes of words, about. */
void words_begin(
    struct words *w, struct buf *b, size_t col, bool phrase, size_t max);
/* One word, or several with blanks between; encoded words are recognised only
 * where they stand alone. */
void words_add(struct words *w, struct span text);
/* The words of a phrase as an address has it: atoms, quoted strings, comments
 * (which are dropped). */
void words_add_phrase(struct words *w, struct span phrase);
/* Not a word: "<a@b>", ",", which stays on the line of the word before if it
 * can. */
void words_add_mark(struct words *w, struct span mark, bool blank_before);
/* Writes what is left, without the line's end.  At most six times what was
 * added has then been written. */
void words_end(struct words *w);

/* ASCII text as it is, but for where it is folded; other bytes than printable
 * ones become "?". */
void words_fold(struct buf *b, size_t col, struct span text);
bool words_is_ascii(struct span text);

#endif
