/* SPDX-License-Identifier: ISC */
/*
 * Which of our messages a delivery report is about (RFC 3464): the ids behind
 * Original-Envelope-Id: and, where the header of the message came back with
 * it, behind X-Mailhaul-Trace:, at the beginning of any line of the body.
 * Nothing of MIME is parsed, so the reports of servers that know no RFC 3464
 * are read as well.
 *
 * Pure, constant memory: only the head of a line is looked at, and only the
 * first few different ids are kept.  That one of them is really ours is for
 * the caller to find out; anybody can write such a line.
 */
#ifndef PROTO_REPORT_H
#define PROTO_REPORT_H

#include "base/span.h"

#define REPORT_ID_LEN 26 /* of a trace: letters a-z and digits 2-7 */
#define REPORT_IDS 4     /* more are not kept */
#define REPORT_HEAD_MAX 96

struct report_scan {
	unsigned count;
	char ids[REPORT_IDS][REPORT_ID_LEN + 1];

	/* private */
	char head[REPORT_HEAD_MAX]; /* of the current line */
	unsigned head_len;
};

void report_init(struct report_scan *r);
/* Takes the next piece of the normalised body. */
void report_feed(struct report_scan *r, struct span s);
/* The message is complete: judges a last line without an end. */
void report_end(struct report_scan *r);

#endif
