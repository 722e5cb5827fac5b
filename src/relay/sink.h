/* SPDX-License-Identifier: ISC */
/*
 * Where mail goes: the contract between a transfer and a destination.
 *
 * A sink is one destination and serves every account that feeds it, by turns
 * (relay/lanes), over connections of its own that it keeps while there is work.
 * A connection, called a line, carries up to a window of messages at a time.
 *
 * A job is one message for that destination.  The sink alone knows when the
 * last byte may go out, and the job alone knows whether it may: begin() tells
 * the job that its turn has come, and the end of data is not written before the
 * job said sink_permit() (DURABILITY.md R1).
 *
 * Each job ends in exactly one verdict(), unless it is withdrawn.
 */
#ifndef RELAY_SINK_H
#define RELAY_SINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/fault.h"
#include "base/span.h"

struct conf;
struct conf_destination;
struct net;
struct parcel;
struct sink;
struct sink_line; /* one connection: private to the driver */
struct store_pause;
struct tally_destination;
struct tokens;

/* Of a letter of our own: not one message on its way through us.  What a
 * server thinks of it says nothing about the others. */
struct sink_envelope {
	const char *sender; /* empty: the null sender */
	const char *recipient;
};

struct sink_job {
	/* set by the owner */
	const struct sink_envelope *envelope; /* foreign; NULL: as configured */
	struct parcel *parcel;                /* foreign; outlives the job */
	const char *trace; /* foreign; to show in a delivery report */
	/* For people; accounts take turns.  Foreign; NULL: of our own. */
	const char *account, *uid;
	/* It is on a line, and will be in the next flight: make the in-doubt
	 * record durable.  Called again when it has another turn on another
	 * line, because its end of data was not on the wire of this one. */
	void (*begin)(void *arg);
	/* f NULL: accepted.  when FAULT_UNKNOWN: the end of data may have gone
	 * out and there was no complete reply.  words: the server's, cleaned.
	 */
	void (*verdict)(void *arg, const struct fault *f, const char *words);
	void *arg;
	/* private to the driver */
	TAILQ_ENTRY(sink_job) link;
	struct sink_line *line; /* that it is on; NULL: queued */
	bool permitted;
	bool ended;       /* the end of data may be on the wire ... */
	int64_t ended_at; /* ... since then; microseconds */
	int64_t since;    /* wall clock: on the line */
	bool probe;       /* the first after trouble */
};

/* t NULL: there are no tokens. */
struct sink *sink_open(struct net *n, struct tokens *t, const struct conf *conf,
    const struct conf_destination *d);
/* Says goodbye on lines that are idle, drops the others; jobs must be gone. */
void sink_close(struct sink **s);

/* Goes on from what is remembered of it; p NULL: nothing.  hurry: as in
 * retry_wait().  changed is told whenever that is something else. */
void sink_remember(struct sink *s, const struct store_pause *p, bool hurry,
    void (*changed)(void *arg, const struct store_pause *p), void *arg);

/* Why the destination cannot be used now, or NULL: for those who would
 * download in vain. */
const struct fault *sink_trouble(const struct sink *s);

/* Asked before a message is downloaded for it.  After trouble a single message
 * finds out whether it is over: who is given that probe says so when the
 * message has gone its way, or will not. */
enum sink_answer {
	SINK_OPEN,
	SINK_PROBE,
	SINK_CLOSED, /* in trouble, or another message is the probe */
};
enum sink_answer sink_ask(struct sink *s);
bool sink_closed(const struct sink *s); /* asks without taking the probe */
void sink_probe_over(struct sink *s);

/* Somebody will have about n messages for it soon: opens what connections they
 * are worth, unless they are there or it is in trouble.  They log in when the
 * first message is there. */
void sink_warm(struct sink *s, uint64_t n);
void sink_submit(struct sink *s, struct sink_job *job);
void sink_permit(struct sink *s, struct sink_job *job);
/* Takes the job back: no verdict will come.  Not once its end of data may be
 * on the wire (false): then wait for the verdict. */
bool sink_withdraw(struct sink *s, struct sink_job *job);

/* By hand, and until sink_resume(), which also ends what trouble began; what
 * changed is told as by sink_remember(). */
void sink_pause(struct sink *s);
void sink_resume(struct sink *s);

/* A check of its settings was refused, as a message would have been. */
void sink_login_refused(struct sink *s, const struct fault *f);

struct sink_status {
	const char *doing; /* static: "idle", "connecting", "sending" */
	const struct store_pause *pause;
	int64_t wait_ms;      /* it is left alone; 0: it is not */
	int64_t last_success; /* wall clock; 0: not since the start */
	unsigned connections;
	size_t queued;
	/* Of one that goes out now; uid NULL: none does. */
	const char *account, *uid;
	uint64_t size, done; /* bytes */
	int64_t since;       /* wall clock */
};
void sink_status(const struct sink *s, struct sink_status *st_r);

const struct conf_destination *sink_destination(const struct sink *s);

/* Counts a message that is on record as relayed, and how long it took. */
void sink_note_relayed(struct sink *s, int64_t us);
const struct tally_destination *sink_tally(const struct sink *s);

#endif
