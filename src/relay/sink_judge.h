/* SPDX-License-Identifier: ISC */
/*
 * What the replies of a submission server mean: whom a refusal concerns, and
 * whether it is for good (RFC 5321, RFC 3463).  relay/retry says what follows
 * from that.
 *
 * Pure: no socket, no clock, no memory of its own.
 */
#ifndef RELAY_SINK_JUDGE_H
#define RELAY_SINK_JUDGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "proto/smtp.h"

/* What was seen of the server before. */
struct sink_record {
	bool letter; /* it is about one of our own, not about a message */
	bool worked; /* the connection has carried a message */
	unsigned strangers; /* refusals of the recipient in a row */
};

/* r: complete, and no success. */
void sink_judge(struct fault *f, enum smtp_stage stage,
    const struct smtp_reply *r, const struct sink_record *record);

/* Known before a byte is sent: false, what this server cannot take. */
bool sink_judge_caps(struct fault *f, const struct smtp_caps *caps,
    uint64_t size, bool eight_bit);

#endif
