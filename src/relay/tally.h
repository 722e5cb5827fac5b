/* SPDX-License-Identifier: ISC */
/*
 * What happened since the start, counted where it happens and shown in status
 * and metrics.  Counters only grow and live as long as their owner; durations
 * are microseconds.  Nothing is decided by them.
 */
#ifndef RELAY_TALLY_H
#define RELAY_TALLY_H

#include <stdint.h>

#include "base/histogram.h"
#include "proto/smtp.h"

/* 10 ms, then times about three: 30 ms, 100 ms ... 1000 s, and all else. */
extern const int64_t tally_bounds_us[HISTOGRAM_BUCKETS];

struct tally_account {
	uint64_t relayed, deferred, held, in_doubt, duplicates;
	uint64_t polls, polls_failed;
	uint64_t fetched_bytes; /* of messages, as they came in */
};

enum tally_stage {
	TALLY_CONNECT, /* greeting, EHLO, STARTTLS */
	TALLY_AUTH,
	TALLY_ENVELOPE, /* MAIL, RCPT, DATA */
	TALLY_DOT,
	TALLY_STAGES
};
const char *tally_stage_name(enum tally_stage stage);

struct tally_destination {
	/* The replies that decide a step: of the flight MAIL, RCPT, DATA one.
	 * replies[stage][class]: class 0 is 2yz and 3yz, 1 is 4yz, 2 is 5yz */
	uint64_t replies[TALLY_STAGES][3];
	struct histogram relay; /* from the first byte fetched to the record */
	struct histogram dot;   /* from the dot to its reply */
};
void tally_reply(
    struct tally_destination *t, enum smtp_stage stage, unsigned code);

#endif
