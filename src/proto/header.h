/* SPDX-License-Identifier: ISC */
/*
 * What a relay must know about a message, found while it streams by: how often
 * it was received, whether we relayed it before, and what kind of bytes it
 * holds.  The header block is RFC 5322 section 2.2; nothing of MIME is parsed
 * but the type of a delivery report, no address is read, no field is kept.
 *
 * Pure, constant memory: a header field of any length is only compared with
 * names, and only a few of them have a value worth a look.
 */
#ifndef PROTO_HEADER_H
#define PROTO_HEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define HEADER_NAME_MAX 32   /* no name we look for is longer */
#define HEADER_VALUE_MAX 256 /* of a field, unfolded; the rest is cut */
#define HEADER_TOKEN_MAX 32

struct header_scan {
	/* facts, valid at any time for what was fed so far */
	unsigned received; /* Received: fields */
	bool own_token;    /* X-Mailhaul-Trace with account=<our token> */
	bool null_sender;  /* Return-Path: <> */
	char notice[HEADER_TOKEN_MAX]; /* X-Mailhaul-Notice; empty: none */
	bool report;    /* multipart/report of report-type delivery-status */
	bool eight_bit; /* a byte >= 0x80 anywhere */
	bool eight_bit_header;
	bool nul;           /* a NUL anywhere */
	bool starts_folded; /* the very first byte is SP or TAB */
	bool body;          /* the empty line was seen */
	uint64_t bytes;
	uint64_t header_bytes; /* up to and with the empty line */
	uint64_t longest_line; /* bytes without CRLF */

	/* private */
	char token[HEADER_TOKEN_MAX]; /* what own_token looks for */
	char name[HEADER_NAME_MAX];
	char value[HEADER_VALUE_MAX];
	unsigned name_len, value_len, state, field;
	uint64_t line_len;
	bool cr; /* the last byte was one */
};

/* token: the account's, as relay/trace writes it. */
void header_init(struct header_scan *h, const char *token);
/* Takes the next piece of the normalised message (dot_normalise). */
void header_feed(struct header_scan *h, struct span s);
/* The message is complete: judges a last field that no line followed. */
void header_end(struct header_scan *h);

#endif
