/* SPDX-License-Identifier: ISC */
/*
 * What a sender policy must know of a message that it gives another sender:
 * where its From fields stand, and the values of a few fields, as they are.
 *
 * Pure, constant memory, fed with the header block of the normalised message in
 * pieces of any size.  What is larger than a ceiling here is cut and says so.
 */
#ifndef PROTO_ORIGINAL_H
#define PROTO_ORIGINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/field.h"

#define ORIGINAL_HEADER_MAX                                                    \
	(1024 * 1024)           /* a header need not be looked at              \
	                           any further */
#define ORIGINAL_FROM_MAX 16    /* From fields; RFC 5322 allows one */
#define ORIGINAL_VALUE_MAX 4096 /* bytes of a value, with its folds */
#define ORIGINAL_TRACE_MAX 160  /* ours are shorter */
#define ORIGINAL_TRACES 16      /* more is a loop */

struct original_value {
	bool found, cut;
	size_t n;
	char text[ORIGINAL_VALUE_MAX]; /* what follows the colon */
};

struct original_from {
	uint64_t at;   /* offset of its first byte */
	size_t lead;   /* bytes of its name, with the colon */
	uint64_t line; /* bytes of its first line, without the end */
	bool blank;    /* a blank follows the colon */
};

struct original {
	struct original_from from[ORIGINAL_FROM_MAX];
	unsigned nfrom; /* that there are; those above the maximum are lost */
	/* The first field of each name. */
	struct original_value sender, reply_to, subject, date;
	/* X-Mailhaul-Trace, from whomever. */
	char traces[ORIGINAL_TRACES][ORIGINAL_TRACE_MAX];
	unsigned ntraces; /* as nfrom */
	bool body;        /* the header is complete */

	/* private */
	struct field_scan scan;
	struct original_value *value; /* being read; NULL: none worth it */
	struct original_from *open;   /* in its first line ... */
	bool fresh;                   /* ... and nothing of it came */
	char *trace;
	size_t trace_len;
};

void original_init(struct original *o);
void original_feed(struct original *o, struct span in);
/* There is no more of the header, or none that will be looked at. */
void original_end(struct original *o);

struct span original_text(const struct original_value *v);

#endif
