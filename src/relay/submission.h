/* SPDX-License-Identifier: ISC */
/*
 * One line to a submission server, from its name to an accepted login: binds
 * proto/starttls and proto/smtp to a connection.  What is submitted over it is
 * its owner's: a sink submits messages, a check only asks.
 *
 * It ends in exactly one down(), unless it is closed before; it may be closed
 * inside every callback.
 */
#ifndef RELAY_SUBMISSION_H
#define RELAY_SUBMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "net/conn.h"
#include "proto/smtp.h"
#include "proto/starttls.h"
#include "relay/login.h"
#include "relay/steps.h"

struct conf;
struct conf_destination;
struct tally_destination;
struct tokens;

struct submission_events {
	void (*ready)(void *arg); /* logged in */
	/* Of a transaction or of QUIT: GO, VERDICT, BYE. */
	void (*event)(void *arg, const struct smtp_event *ev);
	/* The next flight is asked for: give the machine what belongs in it.
	 * NULL: there never is anything. */
	void (*feed)(void *arg);
	/* The next step is ours: the server owes nothing meanwhile.  NULL: it
	 * never is. */
	bool (*is_ours)(const void *arg);
	void (*down)(void *arg, const struct fault *f);
};

struct submission {
	struct smtp smtp; /* the owner's once ready() was called */
	/* private */
	struct net *net;                     /* foreign */
	struct tokens *tokens;               /* foreign; NULL */
	const struct conf *conf;             /* foreign */
	const struct conf_destination *dest; /* foreign */
	struct tally_destination *tally;     /* foreign; NULL: nobody counts */
	const struct steps *steps;           /* foreign; NULL */
	const struct submission_events *events;
	void *arg;
	struct conn *conn; /* NULL: over */
	struct starttls starttls;
	bool in_plain;  /* greeting, EHLO and STARTTLS before TLS */
	bool have_smtp; /* inside TLS */
	bool greeted;
	bool hold; /* it is not to log in yet ... */
	bool held; /* ... but could */
	struct login login;
	unsigned busy; /* callbacks running */
	bool closed;   /* by its owner, while one ran */
};

struct submission_owner {
	struct net *net;
	struct tokens *tokens; /* NULL: none is kept here */
	const struct conf *conf;
	const struct conf_destination *dest;
	struct tally_destination *tally; /* NULL: nobody counts */
	const struct steps *steps; /* NULL: nobody wants to see; outlives it */
	bool hold; /* do not log in before submission_log_in() */
	const struct submission_events *events;
	void *arg;
};
struct submission *submission_open(const struct submission_owner *owner);
void submission_log_in(struct submission *s);
/* Without a goodbye. */
void submission_close(struct submission **s);

/* After commands were given to the machine: sends them, and waits for what is
 * due now; the second does not wait for the loop. */
void submission_send(struct submission *s);
void submission_send_now(struct submission *s);
/* What is due has changed without a command. */
void submission_await(struct submission *s);

#endif
