/* SPDX-License-Identifier: ISC */
/*
 * What sink_smtp.c (one destination: its queue, and how many lines it has),
 * sink_line.c (one line: the jobs on it, and what becomes of them) and
 * sink_feed.c (what a line writes) share.
 */
#ifndef RELAY_SINK_PRIVATE_H
#define RELAY_SINK_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

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
	LINE_OPEN,       /* has jobs, or could have some */
	LINE_LEAVING,    /* QUIT is out */
	LINE_ENDING,     /* nothing more is written; closed with its last job */
};

/* How far the job is that is being written. */
struct sink_feed {
	bool mailed;        /* its transaction has begun */
	bool chunked;       /* by BDAT; else by DATA */
	bool going;         /* DATA: 354 came */
	bool last;          /* BDAT: the last chunk is announced */
	uint64_t announced; /* BDAT: bytes of it, in chunks */
	struct span piece;  /* of its parcel, not yet with the machine */
	uint64_t offset;    /* of the parcel: what piece ends at */
	bool held;          /* all that may go out is with the machine */
};

TAILQ_HEAD(sink_jobs, sink_job);

struct sink_line {
	TAILQ_ENTRY(sink_line) link;
	struct sink *sink;       /* foreign */
	struct submission *wire; /* owned */
	enum line_state state;
	/* Foreign; in the order of their transactions.  Those that have ended
	 * wait for their replies, next is being written, others wait for that.
	 */
	struct sink_jobs jobs;
	unsigned njobs;
	struct sink_job *next; /* NULL: all have ended */
	struct sink_feed feed; /* of next */
	uint64_t ahead;        /* bytes of those that have not ended */
	unsigned accepted;     /* messages of this line */
	struct timer idle;
};

struct sink {
	struct net *net;                     /* foreign */
	struct tokens *tokens;               /* foreign; NULL: none */
	const struct conf *conf;             /* foreign */
	const struct conf_destination *dest; /* foreign */
	struct lanes queue;
	TAILQ_HEAD(, sink_line) lines; /* owned */
	unsigned limit;                /* lines that the server allowed ... */
	int64_t limit_until;           /* ... until then; loop time */
	struct timer turn;
	struct trouble trouble;
	struct retry_routine routine;
	unsigned stranger;    /* refusals of the recipient in a row */
	int64_t last_success; /* wall clock */
	struct tally_destination tally;
};

/* sink_smtp.c */

/* The queue gets its turn, from the loop. */
void sink_turn(struct sink *s);
/* The next job for l, now on it; false: l has no room, or there is none. */
bool sink_fill(struct sink *s, struct sink_line *l);
/* A line failed for now: true, when others were there before, so that this one
 * was just one too many. */
bool sink_too_many(
    struct sink *s, const struct sink_line *l, const struct fault *f);
void sink_blame(struct sink *s, const struct fault *f);

/* sink_line.c */

/* It waits behind EHLO until it is to log in. */
struct sink_line *sink_line_open(struct sink *s);
void sink_line_log_in(struct sink_line *l);
void sink_line_close(struct sink_line *l); /* its jobs must be gone */
/* Nothing more is written.  It is gone when its jobs are, from the loop. */
void sink_line_end(struct sink_line *l);
bool sink_line_has_room(const struct sink_line *l);
void sink_line_put(struct sink_line *l, struct sink_job *job);
/* False: it may have ended. */
bool sink_line_withdraw(struct sink_line *l, struct sink_job *job);
/* What the feed has to tell: next has ended; cannot be written. */
void sink_line_ended(struct sink_line *l);
void sink_line_unwritten(struct sink_line *l, const struct fault *f);

/* sink_feed.c: gives the machine all that may go out now. */
void sink_feed(struct sink_line *l);

#endif
