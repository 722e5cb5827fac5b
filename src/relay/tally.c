/* SPDX-License-Identifier: ISC */
#include "relay/tally.h"

const int64_t tally_bounds_us[HISTOGRAM_BUCKETS] = {
	10000,
	30000,
	100000,
	300000,
	1000000,
	3000000,
	10000000,
	30000000,
	100000000,
	300000000,
	1000000000,
	INT64_MAX,
};

static const char *const stages[TALLY_STAGES] = {
	[TALLY_CONNECT] = "connect",
	[TALLY_AUTH] = "auth",
	[TALLY_ENVELOPE] = "envelope",
	[TALLY_DOT] = "dot",
};

/* A server that leaves while no reply is due ends a session. */
static const enum tally_stage of_smtp[SMTP_STAGES + 1] = {
	[SMTP_GREETING] = TALLY_CONNECT,
	[SMTP_EHLO] = TALLY_CONNECT,
	[SMTP_AUTH] = TALLY_AUTH,
	[SMTP_MAIL] = TALLY_ENVELOPE,
	[SMTP_RCPT] = TALLY_ENVELOPE,
	[SMTP_DATA] = TALLY_ENVELOPE,
	[SMTP_BODY] = TALLY_DOT,
	[SMTP_DOT] = TALLY_DOT,
	[SMTP_CHUNK] = TALLY_DOT,
	[SMTP_LAST] = TALLY_DOT,
	[SMTP_RSET] = TALLY_ENVELOPE,
	[SMTP_QUIT] = TALLY_CONNECT,
	[SMTP_STAGES] = TALLY_CONNECT,
};

const char *
tally_stage_name(enum tally_stage stage)
{
	return stages[stage];
}

void
tally_reply(struct tally_destination *t, enum smtp_stage stage, unsigned code)
{
	unsigned class = code / 100;

	if (class < 2 || class > 5)
		return; /* a fault of ours, no reply */
	t->replies[of_smtp[stage]][class < 4 ? 0 : class - 3]++;
}
