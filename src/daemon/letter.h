/* SPDX-License-Identifier: ISC */
/*
 * A short mail of our own to the operator (RFC 5322, 3834), sent through the
 * first destination that takes it.
 *
 * At most two tries for each destination: with the null sender, and when that
 * is refused for good, as submission servers do, with mail_from.  A letter is
 * never kept, never counted as a message, and never tried again.
 */
#ifndef DAEMON_LETTER_H
#define DAEMON_LETTER_H

#include <stddef.h>

#include "base/fault.h"

struct letter;
struct loop;
struct sink;

#define LETTER_MAX 8192 /* bytes */

struct letter_terms {
	struct loop *loop;
	/* The destinations, by number; NULL: no more. */
	struct sink *(*sink)(void *arg, size_t i);
	void *arg;
	const char *avoid; /* a destination; NULL: none */
	const char *to;
	const char *host;    /* ours */
	const char *token;   /* trace_notice() */
	const char *subject; /* this and the next: printable ASCII */
	const char *text;    /* lines that end in LF */
};

/* done is called once, never from inside this call, unless the letter is
 * cancelled; it is gone then.  via: the destination that accepted it, or NULL,
 * and f says what the last one said.  Strings of t are not kept. */
struct letter *letter_send(const struct letter_terms *t,
    void (*done)(void *arg, const char *via, const struct fault *f), void *arg);
/* All sinks are about to be closed, before the loop turns; or this one. */
void letter_cancel(struct letter **l);
void letter_leave(struct letter *l, const struct sink *s);

#endif
