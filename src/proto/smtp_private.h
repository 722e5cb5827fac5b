/* SPDX-License-Identifier: ISC */
/*
 * What smtp.c (replies, and whose they are) and smtp_write.c (commands, bodies
 * and ends of messages) know of each other, and nobody else may.
 */
#ifndef PROTO_SMTP_PRIVATE_H
#define PROTO_SMTP_PRIVATE_H

#include "proto/smtp.h"

/* smtp.state: what the newest transaction has still to give. */
enum smtp_state {
	SMTP_STATE_IDLE,       /* nothing: its end was given, or it is over */
	SMTP_STATE_CHALLENGED, /* AUTH goes on with smtp_auth_line() */
	SMTP_STATE_COMMANDS,   /* RSET, MAIL, RCPT, DATA are on their way */
	SMTP_STATE_BODY,       /* between 354 and the dot */
	SMTP_STATE_CHUNKS,     /* chunks, until the last is announced */
	SMTP_STATE_CLOSED,     /* no more is written; what comes is dropped */
	SMTP_STATE_BROKEN,     /* out of step: no more is read either */
};

/* A reply of that stage is due. */
void smtp_due(struct smtp *m, enum smtp_stage stage);
/* One command of that stage, whose reply is due from now on. */
void smtp_send(struct smtp *m, enum smtp_stage stage);
/* The lone dot that ends data of a transaction without a recipient. */
void smtp_send_dot(struct smtp *m);
/* Some bytes of a reply have come, but not all. */
bool smtp_reply_begun(const struct smtp *m);

/* Where the data of the transaction that is n before the newest ends in all
 * that we write. */
static inline uint64_t *
smtp_end(struct smtp *m, unsigned n)
{
	return &m->ends[(m->begun - n) % SMTP_OPEN_MAX];
}

#endif
