/* SPDX-License-Identifier: ISC */
/*
 * A list of addresses as a header field holds it, mailbox by mailbox (RFC 5322
 * section 3.4 with its obsolete forms, groups also in From as of RFC 6854, raw
 * UTF-8 as of RFC 6532).
 *
 * Forgiving: what people send is read as far as it can be, and what is no
 * address is passed over.  Names are only cut out, not decoded (proto/words).
 * Pure, one pass, no recursion: comments in comments are counted.
 */
#ifndef PROTO_ADDRESS_H
#define PROTO_ADDRESS_H

#include <stdbool.h>

#include "base/span.h"

#define ADDRESS_MAX 320 /* RFC 5321 section 4.5.3.1: 64 + 1 + 255 */

struct address {
	/* As written, a view of the text: words, quoted strings, folds.  Of
	 * "a@b (Ann)" the comment is the name.  Empty: none. */
	struct span name;
	bool comment; /* the name is what stands in a comment */
	/* local@domain without blanks and comments; empty: the group of that
	 * name has no member. */
	char addr[ADDRESS_MAX + 1];
	struct span group; /* its name; p NULL: in no group */
};

struct address_list {
	/* private */
	struct span rest;
	struct span group;
	bool in_group, members;
	bool cut;
};

/* text is the value of the field, folds and all; it outlives the list.  cut:
 * its end is missing, so the last of it is not trusted. */
void address_begin(struct address_list *l, struct span text, bool cut);
bool address_next(struct address_list *l, struct address *a_r);

/* Bytes of the quoted string, comment or literal that begins at s.p[0], to its
 * closing bracket or the end; of any other byte 1. */
size_t address_skip(struct span s);

#endif
