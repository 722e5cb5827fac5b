/* SPDX-License-Identifier: ISC */
/*
 * A queue of bytes with a ceiling that nothing passes: what does not fit is
 * refused whole, and the caller says what that means.  Bytes that were dropped
 * are wiped when the buffer was marked as holding a secret.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct buf {
	char *mem; /* owned */
	size_t head, len, cap;
	size_t ceiling; /* bytes; len never passes it */
	bool secret;    /* wipe what is dropped, grown out of, or freed */
};

void buf_init(struct buf *b, size_t ceiling);
void buf_free(struct buf *b); /* leaves it empty and usable */

/* All of s, or false and nothing. */
bool buf_add(struct buf *b, struct span s);
bool buf_addf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Valid until the next call that changes b. */
struct span buf_span(const struct buf *b);
size_t buf_room(const struct buf *b);
void buf_drop(struct buf *b, size_t n); /* from the front; n <= len */

#endif
