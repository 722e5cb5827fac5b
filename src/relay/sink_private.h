/* SPDX-License-Identifier: ISC */
/*
 * What sink_smtp.c (one destination: who has the next turn) and sink_line.c
 * (one connection to it, and the message that it carries) share.
 */
#ifndef RELAY_SINK_PRIVATE_H
#define RELAY_SINK_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "net/loop.h"
#include "relay/lanes.h"
#include "relay/retry.h"
#include "relay/sink.h"
#include "relay/submission.h"
#include "relay/tally.h"
#include "relay/trouble.h"

enum line_state {
	LINE_CONNECTING, /* until logged in */
	LINE_READY,      /* no transaction */
	LINE_SENDING,    /* job is set */
	LINE_LEAVING,    /* QUIT is out */
};

struct sink_line {
	struct sink *sink;       /* foreign */
	struct submission *wire; /* owned */
	enum line_state state;
	struct sink_job *job; /* foreign; in LINE_SENDING */
	struct span piece;    /* of the job, not yet with the machine */
	uint64_t offset;      /* of the parcel: what piece ends at */
	int64_t since;        /* wall clock: when the job got its turn */
	bool going;           /* 354 came */
	bool body_done;       /* all of it is with the machine */
	bool dot_sent;        /* the end of data may be on the wire ... */
	int64_t dot_at;       /* ... since then; microseconds */
	unsigned accepted;    /* messages of this line */
	struct timer idle;
};

struct sink {
	struct net *net;                     /* foreign */
	struct tokens *tokens;               /* foreign; NULL: none */
	const struct conf *conf;             /* foreign */
	const struct conf_destination *dest; /* foreign */
	struct lanes queue;
	struct sink_line *line; /* owned; NULL: none open */
	struct timer turn;
	struct trouble trouble;
	struct retry_routine routine;
	unsigned stranger;    /* refusals of the recipient in a row */
	int64_t last_success; /* wall clock */
	struct tally_destination tally;
};

/* sink_line.c.  A line that ends takes itself out of the sink and is gone. */
struct sink_line *sink_line_open(struct sink *s);
void sink_line_close(struct sink_line *l);
bool sink_line_free(const struct sink_line *l); /* for the next job */
void sink_line_send(struct sink_line *l, struct sink_job *job);

#endif
