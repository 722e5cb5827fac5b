/* SPDX-License-Identifier: ISC */
/*
 * A header block, cut into its fields while it streams by (RFC 5322 section
 * 2.2): where a field begins, its name, its value in pieces as they come.  What
 * the fields mean is not known here.
 *
 * Pure, constant memory, resumable at every byte; nothing is copied but a name.
 * A line that is no field (no colon, or a longer name than any we look for) and
 * what is folded onto it are passed over.
 */
#ifndef PROTO_FIELD_H
#define PROTO_FIELD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define FIELD_NAME_MAX 32 /* no name we look for is longer */

enum field_event {
	FIELD_MORE,  /* input used up */
	FIELD_NAME,  /* at, lead and field_name() are valid until FIELD_END */
	FIELD_VALUE, /* *text_r: a piece of the value, a view of the input; its
	                line ends are in it */
	FIELD_END,
	FIELD_BODY, /* the empty line was read; nothing comes any more */
};

struct field_scan {
	uint64_t offset; /* bytes read so far */
	uint64_t at;     /* of the first byte of the field */
	size_t lead;     /* bytes of its name, with the colon */
	/* private */
	char name[FIELD_NAME_MAX];
	unsigned name_len, state;
	bool open; /* NAME was told, END was not */
};

void field_init(struct field_scan *f);
/* Takes what it uses off *in, which is normalised (dot_normalise); call until
 * FIELD_MORE. */
enum field_event field_next(
    struct field_scan *f, struct span *in, struct span *text_r);
/* The message is complete: true when that ended a field, once. */
bool field_finish(struct field_scan *f);

struct span field_name(const struct field_scan *f);

#endif
