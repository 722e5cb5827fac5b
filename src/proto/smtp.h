/* SPDX-License-Identifier: ISC */
/*
 * A submission client as a machine without I/O, inside TLS from its first byte
 * (RFC 5321, 4954, 2920, 1870, 6152, 6409, 3461; STARTTLS is starttls.h).
 *
 * A transaction is one call, smtp_mail(): the machine writes MAIL, RCPT and
 * DATA in one flight where PIPELINING was offered and one by one where not,
 * and answers with exactly one of
 *   SMTP_EV_GO       354: give the body with smtp_body(), then smtp_dot()
 *   SMTP_EV_VERDICT  refused on the way; the first negative reply decides
 * and after smtp_dot() with SMTP_EV_VERDICT, the reply to the dot.  When the
 * server says 354 although it refused every recipient, the machine ends that
 * data with a lone dot by itself (CASES S22).  A transaction that failed is
 * followed by RSET in the flight of the next.
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
#define SMTP_WINDOW 16           /* replies outstanding */
#define SMTP_ENVID_MAX 100       /* RFC 3461 section 4.4 */

enum smtp_stage {
	SMTP_GREETING,
	SMTP_EHLO,
	SMTP_AUTH,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BODY, /* while the body is sent: no reply is due */
	SMTP_DOT,
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
	enum smtp_stage stage;              /* of the reply being handled */
	enum smtp_stage queue[SMTP_WINDOW]; /* replies due, oldest at head */
	unsigned head, count;
	unsigned state;
	struct span last; /* line that ended the reply, while it is handled */
	struct smtp_event event;
	bool have_event, reply_done;
	bool ready, authenticated, need_rset;
	bool refused, recipient_taken, ignore_dot; /* of the transaction */
	bool trial; /* it ends with RSET where others have DATA */
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
void smtp_wrote(struct smtp *m, size_t n);

/* Commands: false when it is not their turn or an argument holds a byte that
 * no command line may hold. */
bool smtp_auth(struct smtp *m, const char *mechanism, struct span initial);
bool smtp_auth_line(struct smtp *m, struct span base64);
bool smtp_mail(struct smtp *m, const struct smtp_envelope *e);
/* MAIL and RCPT of a message that there is none of, then RSET instead of DATA:
 * SMTP_EV_VERDICT with the first refusal, or with the reply to RCPT, which is
 * then a 2yz.  Only before the first transaction. */
bool smtp_try(struct smtp *m, const struct smtp_envelope *e);
/* Stuffs and queues as much of *in as there is room for and cuts it off; more
 * when smtp_wrote() has made room.  Input is normalised. */
void smtp_body(struct smtp *m, struct span *in);
/* The end of data.  Until this call the machine cannot have written it.  False
 * when a reply came, or began to come, before it: the dot will never be
 * written, the verdict follows. */
bool smtp_dot(struct smtp *m);
bool smtp_quit(struct smtp *m);

/* READY, logged in or not, and no transaction open. */
bool smtp_idle(const struct smtp *m);
enum wait_class smtp_wait_class(const struct smtp *m);
/* What is being waited for, for a person: "end of data (message may be sent
 * more than once)". */
const char *smtp_phase(const struct smtp *m);
const char *smtp_stage_name(enum smtp_stage stage);

#endif
