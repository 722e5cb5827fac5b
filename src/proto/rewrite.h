/* SPDX-License-Identifier: ISC */
/*
 * A message under another sender, for servers that take no foreign From: either
 * with other fields in front of it and the old From renamed, or whole inside
 * another message (RFC 5322 section 3.6, RFC 2046 sections 5.1 and 5.2.1).
 *
 * Pure text: what is written in front, behind and in between.  Not one byte of
 * the original is changed or left out; the caller joins the parts.
 */
#ifndef PROTO_REWRITE_H
#define PROTO_REWRITE_H

#include "base/buf.h"
#include "proto/original.h"

#define REWRITE_FRONT_MAX (64 * 1024) /* enough for either */
#define REWRITE_LINE_MAX 998          /* RFC 5322 section 2.1.1 */

struct rewrite_terms {
	const char *address;   /* the sender from now on: local@domain, ASCII */
	const char *account;   /* "Ann Lee via ACCOUNT" */
	const char *recipient; /* the rest: for a wrapped one */
	const char *date;      /* now, if the original has none */
	const char *id;        /* letters and digits; the same each time */
	bool eight_bit;        /* the original holds such bytes */
};

/* From, and Reply-To unless there is one. */
void rewrite_front(
    struct buf *b, const struct original *o, const struct rewrite_terms *t);
/* What stands at f->at instead of so many of its bytes: the first From of the
 * message is X-Original-From then. */
size_t rewrite_rename(const struct original_from *f, struct span *instead_r);

/* All that stands in front of a message that is enclosed, and behind it. */
void wrap_front(
    struct buf *b, const struct original *o, const struct rewrite_terms *t);
void wrap_back(struct buf *b, const struct rewrite_terms *t);

#endif
