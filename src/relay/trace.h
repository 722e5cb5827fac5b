/* SPDX-License-Identifier: ISC */
/*
 * The key by which a message is recognised on every attempt, the token by which
 * an account knows its own mail again, and the two header fields that carry
 * them (RFC 5321 section 4.4 for Received).  Both are HMACs under the key of
 * this installation: nobody else can make or read them.
 */
#ifndef RELAY_TRACE_H
#define RELAY_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

#define TRACE_SIZE 27 /* 26 characters and NUL */
#define TRACE_TOKEN_SIZE 17
#define TRACE_HEAD_MAX 4096 /* bytes of what stands in front */

struct trace_source {
	const unsigned char *key;          /* 32 bytes, of the installation */
	const unsigned char *account_uuid; /* 16 bytes */
	const char *folder;
	uint64_t generation;
};

void trace_compute(const struct trace_source *t, const char *uid,
    const unsigned char *hash, char trace_r[TRACE_SIZE]);
void trace_token(const struct trace_source *t, char token_r[TRACE_TOKEN_SIZE]);

/* By this a letter of ours to the operator is known again, in
 * X-Mailhaul-Notice. */
void trace_notice(const unsigned char *key, char token_r[TRACE_TOKEN_SIZE]);
/* RFC 5322 section 3.3 */
#define TRACE_DATE_SIZE 64
void trace_date(int64_t when, char date_r[TRACE_DATE_SIZE]);

struct trace_head {
	const char *source_host; /* where it was fetched */
	const char *our_host;
	const char *protocol;  /* "POP3S" */
	const char *recipient; /* envelope */
	const char *folder;    /* as the server writes it; NULL: INBOX */
	const char *trace, *token;
	int64_t date; /* wall clock, seconds */
	unsigned attempt;
	bool possible_duplicate;
};

/* Appends Received:, X-Mailhaul-Folder: for a folder that is not INBOX, and
 * X-Mailhaul-Trace:, each ending in CRLF. */
void trace_head(struct buf *b, const struct trace_head *h);

#endif
