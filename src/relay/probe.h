/* SPDX-License-Identifier: ISC */
/*
 * Tests the settings of one account or destination: goes there as a poll or a
 * delivery would, step by step up to the last one before something happens,
 * and reports each.  Nothing is sent, fetched, marked or removed (EXAMINE; no
 * RETR and no DELE; RSET instead of DATA), and nothing is recorded; one login
 * is tried, and none while a pause protects it.
 *
 * Reports come in order; the last one is followed by done().  A step that
 * failed ends it, but for a folder, which says nothing of the next.
 */
#ifndef RELAY_PROBE_H
#define RELAY_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "relay/steps.h"

struct conf;
struct conf_account;
struct conf_destination;
struct net;
struct probe;
struct store;
struct store_pause;
struct tokens;

enum probe_outcome {
	PROBE_GOOD,
	PROBE_WARNING, /* it works, but not for ever, or not all of it */
	PROBE_SKIPPED, /* not tried, for a reason that passes */
	PROBE_FAILED,
};
const char *probe_outcome_name(enum probe_outcome outcome);

/* Texts are printable but for folder, which is as configured; NULL: none. */
struct probe_report {
	enum step step;
	enum probe_outcome outcome;
	const char *folder;          /* of STEP_FOLDER, IMAP: which */
	int64_t usec;                /* it took */
	const char *text;            /* what was found, or what is wrong */
	const char *cure;            /* what a person can do */
	const char *words;           /* the server's */
	const struct tls_facts *tls; /* of STEP_TLS */
	/* of STEP_FOLDER */
	bool counted; /* messages is known */
	uint64_t messages;
	bool compared;  /* ... and how many of them are new ... */
	bool at_least;  /* ... or more: there were too many to compare */
	uint64_t fresh; /* new */
};

#define PROBE_WARN_DAYS 14 /* that a certificate must last */

struct probe_result {
	enum probe_outcome outcome; /* the worst of all steps */
	bool logged_in;
	unsigned login_delay;      /* seconds that the server wants then */
	const struct fault *fault; /* what ended it; NULL: nothing did */
};

/* The login counts as one that a poll tried.  A token that may just have run
 * out does not. */
static inline bool
probe_login_refused(const struct probe_result *r)
{
	return r->fault != NULL && r->fault->login &&
	       r->fault->when != FAULT_NOW;
}

struct probe_owner {
	struct net *net;
	struct tokens *tokens; /* NULL: there are none */
	const struct conf *conf;
	const struct conf_account *account;         /* one of these two */
	const struct conf_destination *destination; /* the other is NULL */
	struct store *store; /* NULL: the state cannot be read */
	const struct store_pause
	    *pause; /* of it, copied; NULL: none is known */
	void (*reported)(void *arg, const struct probe_report *r);
	void (*done)(void *arg, const struct probe_result *r);
	void *arg;
};

/* Neither is called from inside this call; the probe is gone when done()
 * returns. */
struct probe *probe_start(const struct probe_owner *owner);
void probe_stop(struct probe **p); /* done() is not called */

#endif
