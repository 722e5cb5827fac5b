/* SPDX-License-Identifier: ISC */
/*
 * A submission client as a machine without I/O, inside TLS from its first byte
 * (RFC 5321, 4954, 2920, 1870, 3030, 6152, 6409, 3461; STARTTLS is starttls.h).
 *
 * A transaction begins with smtp_mail().  Its message goes by DATA: the machine
 * writes MAIL, RCPT and DATA in one flight where PIPELINING was offered and one
 * by one where not; on SMTP_EV_GO (354) the body is given with smtp_body(), and
 * then smtp_dot().  When the server says 354 although it refused every
 * recipient, the machine ends that data with a lone dot by itself (CASES S22).
 * Or it goes in chunks (BDAT), where smtp_can_chunk(): there is no GO, the body
 * is given at once with smtp_chunk() and smtp_body().
 *
 * It ends in exactly one SMTP_EV_VERDICT, the first refusal or the reply to the
 * end of data.  Replies come in order, so all of them up to that concern the
 * oldest transaction, while commands and data are those of the newest: the next
 * begins as soon as smtp_can_mail(), one behind a dot, many behind last chunks.
 * RSET goes in front of it where the one before failed or may fail yet, so that
 * no message rides in the transaction of another and a refusal concerns one
 * message only.
 *
 * A 421 is the last verdict: what is behind it was not accepted and gets none.
 * Behind SMTP_EV_ERROR nobody knows.
 *
 * A verdict is a fact (stage, code, text); whether to try again is for
 * relay/retry.  No clock, no TLS, no retry here.
 */
#ifndef PROTO_SMTP_H
#define PROTO_SMTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/dot.h"
#include "proto/line.h"
#include "proto/smtp_reply.h"
#include "proto/wait.h"

#define SMTP_LINE_MAX 4096
#define SMTP_OUT_MAX (64 * 1024) /* bytes waiting to be written */
#define SMTP_DUE_MAX 512         /* replies outstanding */
#define SMTP_OPEN_MAX 64         /* transactions without a verdict */
#define SMTP_ENVID_MAX 100       /* RFC 3461 section 4.4 */

enum smtp_stage {
	SMTP_GREETING,
	SMTP_EHLO,
	SMTP_AUTH,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BODY, /* it is our turn to send of it: no reply is due */
	SMTP_DOT,
	SMTP_CHUNK, /* BDAT, and more will follow */
	SMTP_LAST,  /* the BDAT that ends the message */
	SMTP_RSET,
	SMTP_QUIT,
	SMTP_STAGES
};

struct smtp_caps {
	bool pipelining, eight_bit_mime, smtputf8, chunking, dsn, size,
	    starttls;
	bool enhanced_codes;
	uint64_t size_max; /* 0: no limit known */
	char sasl[256];    /* mechanisms, space-separated, upper case */
};

struct smtp_envelope {
	struct span sender;    /* without <>; empty: the null sender */
	struct span recipient; /* without <> */
	uint64_t size;         /* of the whole message; 0: not known */
	bool eight_bit;        /* BODY=8BITMIME */
	bool utf8;             /* SMTPUTF8 */
	bool chunked;          /* by BDAT; only where smtp_can_chunk() */
	/* Where DSN was offered, a report about a failure is asked for that
	 * shows this id, letters and digits only; empty: nothing is asked. */
	struct span envid;
	bool no_report; /* not even about a failure: it is a report itself */
};

enum smtp_event_kind {
	SMTP_EV_READY,     /* the reply to EHLO came: caps are valid */
	SMTP_EV_CHALLENGE, /* 334 in AUTH: text is its base64 */
	SMTP_EV_AUTH,      /* the end of AUTH: reply (235: logged in) */
	SMTP_EV_GO,        /* 354 */
	SMTP_EV_VERDICT,   /* the end of a transaction: stage, reply */
	SMTP_EV_REFUSED,   /* greeting or EHLO was refused: stage, reply */
	SMTP_EV_CLOSING,   /* 421 while no reply was due: reply */
	SMTP_EV_BYE,       /* QUIT was answered: nothing depends on it */
	SMTP_EV_ERROR,     /* out of step: text says how; close */
};

struct smtp_event {
	enum smtp_event_kind kind;
	enum smtp_stage stage; /* that was due; SMTP_STAGES: nothing was */
	const struct smtp_reply *reply; /* valid until the next smtp_recv() */
	struct span text;               /* CHALLENGE, ERROR */
};

struct smtp {
	struct smtp_caps caps;
	/* private */
	struct line line;
	struct buf out;             /* wipes itself while it holds AUTH lines */
	struct smtp_reply reply;    /* the one being read, or the last */
	struct smtp_reply decisive; /* first refusal of the transaction */
	enum smtp_stage decisive_stage;
	enum smtp_stage stage;       /* of the reply being handled */
	uint8_t queue[SMTP_DUE_MAX]; /* stages of the replies due, oldest at
	                                head */
	unsigned head, count;
	unsigned state;
	struct span last; /* line that ended the reply, while it is handled */
	struct smtp_event event;
	bool have_event, reply_done;
	bool ready, authenticated;
	bool failed;          /* the transaction that ended last did */
	unsigned begun, open; /* transactions: all, and without a verdict */
	uint64_t written;     /* bytes; and where in them each of those ends */
	uint64_t ends[SMTP_OPEN_MAX];
	/* Of the oldest, whose replies come next. */
	bool refused, recipient_taken;
	bool trial; /* it ends with RSET where others have DATA */
	/* Of the newest, which is being given. */
	bool full;        /* the output was, and has not been drained */
	uint64_t missing; /* bytes of the chunk that was announced */
	struct dot_encoder dot;
	struct smtp_envelope envelope; /* its spans are the arrays below */
	char ehlo[256];
	char sender[320], recipient[320], envid[SMTP_ENVID_MAX + 1];
};

/* Awaits the greeting (465); with greeted, sends EHLO at once (587: inside
 * TLS there is no second greeting).  ehlo as in starttls_init(). */
bool smtp_init(struct smtp *m, const char *ehlo, bool greeted);
void smtp_free(struct smtp *m);

size_t smtp_recv(struct smtp *m, struct span in);
bool smtp_next(struct smtp *m, struct smtp_event *event_r);
struct span smtp_out(const struct smtp *m);
/* Said before a reply to these bytes is read: good news of a message that was
 * not written is out of step. */
void smtp_wrote(struct smtp *m, size_t n);

/* Commands: false when it is not their turn or an argument holds a byte that
 * no command line may hold. */
bool smtp_auth(struct smtp *m, const char *mechanism, struct span initial);
bool smtp_auth_line(struct smtp *m, struct span base64);
bool smtp_can_chunk(const struct smtp *m); /* CHUNKING and PIPELINING */
/* Idle; or with PIPELINING all of the transaction before was given, its dot or
 * the last byte of its last chunk, and there is room. */
bool smtp_can_mail(const struct smtp *m);
bool smtp_mail(struct smtp *m, const struct smtp_envelope *e);
/* MAIL and RCPT of a message that there is none of, then RSET instead of DATA:
 * SMTP_EV_VERDICT with the first refusal, or with the reply to RCPT, which is
 * then a 2yz.  Only before the first transaction. */
bool smtp_try(struct smtp *m, const struct smtp_envelope *e);
/* Queues as much of *in as there is room for and cuts it off; more when
 * smtp_wrote() has made room.  Behind 354 it stuffs; input is normalised.  Of a
 * chunk it takes what is missing, as it is. */
void smtp_body(struct smtp *m, struct span *in);
/* The end of data.  Until this call the machine cannot have written it.  False
 * when a reply came, or began to come, before it: the dot will never be
 * written, the verdict follows. */
bool smtp_dot(struct smtp *m);
/* Announces the next n bytes of a chunked message; 0 only with last.  They must
 * then be given, even behind the verdict.  Until the call with last the machine
 * cannot have ended the message.  False: bytes of the chunk before are missing;
 * or the message was refused, no more of it is written, the verdict follows; or
 * SMTP_DUE_MAX replies are due, and one must come first. */
bool smtp_chunk(struct smtp *m, uint64_t n, bool last);
bool smtp_chunk_open(const struct smtp *m); /* bytes of it are missing */
bool smtp_quit(struct smtp *m);

/* READY, logged in or not, no transaction open, no byte missing. */
bool smtp_idle(const struct smtp *m);
/* Nothing more is written and no event comes: a 421, or out of step. */
bool smtp_closed(const struct smtp *m);
enum wait_class smtp_wait_class(const struct smtp *m);
/* What is being waited for, for a person: "end of data (message may be sent
 * more than once)". */
const char *smtp_phase(const struct smtp *m);
const char *smtp_stage_name(enum smtp_stage stage);

#endif
