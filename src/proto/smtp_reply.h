/* SPDX-License-Identifier: ISC */
/*
 * One SMTP reply, assembled line by line (RFC 5321 section 4.2).
 *
 * Pure: no socket, no clock, no allocation, no logging.  The caller cuts the
 * input at CRLF (line.h) and feeds each line without its ending.  This module
 * says what the server said; fault.h says what that means for the retry.
 */
#ifndef PROTO_SMTP_REPLY_H
#define PROTO_SMTP_REPLY_H

#include <stddef.h>

#include "base/span.h"

/* Enough for the log; longer text is cut, which is not an error. */
#define SMTP_REPLY_TEXT_MAX 512
/* A reply with more lines than this is hostile or looping: an error. */
#define SMTP_REPLY_LINES_MAX 128

enum smtp_reply_status {
	SMTP_REPLY_MORE, /* continuation line: feed the next one */
	SMTP_REPLY_DONE, /* reply complete: the fields are valid */
	SMTP_REPLY_BAD,  /* not SMTP: give up on this connection */
};

struct smtp_reply {
	unsigned code; /* 200..599, the class is code / 100; 0: no line yet */
	unsigned lines;
	size_t text_len;
	char text[SMTP_REPLY_TEXT_MAX]; /* printable, NUL-terminated */
};

void smtp_reply_reset(struct smtp_reply *r);

/* Takes one line without its ending and keeps no reference to it.  After
 * SMTP_REPLY_BAD the reply may only be reset. */
enum smtp_reply_status smtp_reply_feed(struct smtp_reply *r, struct span line);

#endif
