/* SPDX-License-Identifier: ISC */
/*
 * What happened since the start, counted where it happens and shown in status
 * and metrics.  Counters only grow and live as long as their owner; durations
 * are microseconds.  Nothing is decided by them.
 */
#ifndef RELAY_TALLY_H
#define RELAY_TALLY_H

#include <stdint.h>

#include "proto/smtp.h"

#define TALLY_BUCKETS 12

/* Durations by size: bucket i counts what took at most tally_bound_us(i), the
 * last bucket everything else. */
struct tally_times {
	uint64_t bucket[TALLY_BUCKETS];
	uint64_t count, sum_us;
};
/* 10 ms, then times about three: 10 ms, 30 ms, 100 ms ... 1000 s; the last one
 * has no bound and answers INT64_MAX. */
int64_t tally_bound_us(unsigned bucket);
void tally_time(struct tally_times *t, int64_t us);

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
	struct tally_times
	    relay;              /* from the first byte fetched to the record */
	struct tally_times dot; /* from the dot to its reply */
};
void tally_reply(
    struct tally_destination *t, enum smtp_stage stage, unsigned code);

#endif
