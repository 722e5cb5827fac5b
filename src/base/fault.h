/* SPDX-License-Identifier: ISC */
/*
 * The one currency for failure.  A fault says whom it concerns and when it is
 * worth trying again; relay/retry turns it into a decision, everybody else
 * only reports.  Local failures (name not found, certificate refused, disk
 * full) are faults like the replies of a server.
 *
 * Text is printable, bounded, and written for a person: the server's words in
 * it are cleaned and cut.
 */
#ifndef BASE_FAULT_H
#define BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define FAULT_TEXT_MAX 320

enum fault_scope {
	FAULT_MESSAGE,     /* this message; the next one may do well */
	FAULT_ACCOUNT,     /* the source: its server, login or mailbox */
	FAULT_DESTINATION, /* the submission server or its login */
	FAULT_US,          /* this machine: disk, memory, state */
};

enum fault_when {
	FAULT_NOW,     /* routine: try again at once */
	FAULT_LATER,   /* try again after a while */
	FAULT_NEVER,   /* not until somebody changes something */
	FAULT_UNKNOWN, /* the outcome itself is unknown: in doubt */
};

/* What went wrong on the way to a server, for those who know how it was
 * configured and can say what to change. */
enum fault_cause {
	FAULT_CAUSE_OTHER,
	FAULT_CAUSE_NAME,        /* the host has no address */
	FAULT_CAUSE_CONNECT,     /* no connection to any of its addresses */
	FAULT_CAUSE_SILENT,      /* a deadline passed */
	FAULT_CAUSE_NOT_TLS,     /* what answered does not speak TLS */
	FAULT_CAUSE_CERTIFICATE, /* it is not who it should be */
};

struct fault {
	enum fault_scope scope;
	enum fault_when when;
	enum fault_cause cause;
	const char *phase; /* static: "TLS", "login", "RCPT" ... */
	unsigned code;     /* of the server, 0: it gave none */
	/* Of its enhanced code, "5.subject.detail" (RFC 3463); 0.0: none. */
	unsigned subject, detail;
	bool content; /* it answered the message itself, no envelope */
	bool login;   /* the credentials were refused */
	/* Too many of us are there at once, or too much was sent today: nothing
	 * is wrong, and it passes. */
	bool busy;
	bool question;       /* a person must decide first: mailhaul accept */
	bool sign_in;        /* a person must sign in first: mailhaul login */
	int64_t retry_after; /* seconds that the server asks for; 0: none */
	const char *hint;    /* static or NULL: what the person can do */
	unsigned quoted; /* where in text the server's words begin; 0: none */
	char text[FAULT_TEXT_MAX];
};

void fault_set(struct fault *f, enum fault_scope scope, enum fault_when when,
    const char *phase, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* Adds what the server said, cleaned, in quotes, behind the text. */
void fault_quote(struct fault *f, struct span words);

/* What follows the text: "; check the password", or how name signs in again;
 * empty when there is nothing to do.  Returns dst. */
char *fault_hint(
    const struct fault *f, const char *name, char *dst, size_t cap);

const char *fault_scope_name(enum fault_scope scope);
const char *fault_when_name(enum fault_when when);

#endif
