/* SPDX-License-Identifier: ISC */
/*
 * The one file that decides what a failure means; all others report.
 *
 * Pure: a fault, what went before, and the time in; a verdict and the time of
 * the next try out.  The policy (RFC 5321 section 4.5.4.1):
 *
 *   a message refused for now     deferred: again at the next poll, after 30
 *                                 minutes, 1 and 2 hours, then every
 *                                 retry_max; held after give_up
 *   a message refused for good    held: a person decides; never deleted; with
 *                                 on_reject = wrap, once enclosed in another
 *                                 first, if its content or sender was refused
 *   an unknown outcome            stays in doubt: sent again, announced
 *   the destination or we failed  nothing is said about the message: as before
 *
 *   an account or destination
 *     whose login is refused      one try, then 15 minutes, doubling to a day,
 *                                 for every provider counts these against the
 *                                 user
 *     that is in use already      an account: 1 to 5 minutes
 *     that has its daily limit    a destination: an hour, doubling to 6
 *   whose access token ran out    routine: at once, a few times
 *   or was refused                at once, one time; then as a refused login
 *   an account that fails         the next polls at its interval, doubling to
 *                                 an hour
 *   a destination that refuses    everybody, until somebody changes something:
 *                                 15 minutes, doubling to 6 hours
 *     for now, in words           a minute, doubling to an hour
 *     or cannot be reached        30 seconds, doubling to 30 minutes
 *
 * What a server asks for ("Suggested Backoff Time", LOGIN-DELAY) is obeyed up
 * to a day.  Every pause is up to an eighth longer than that, differently for
 * everybody, so that what failed together does not come back together.
 *
 * One line tells of trouble as an error: at once when it takes a person, after
 * 10 minutes when it may pass.
 */
#ifndef RELAY_RETRY_H
#define RELAY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/span.h"
#include "store/store.h"

enum retry_verdict {
	RETRY_DEFER,    /* record as deferred; see retry_message_next() */
	RETRY_HOLD,     /* record as held */
	RETRY_IN_DOUBT, /* record stays in doubt */
	RETRY_RESTORE,  /* as if it had not been tried */
};

enum retry_verdict retry_message(const struct fault *f);

/* Held, it would be; but it was refused for what it says or whom it is from, so
 * that it may be taken enclosed in another message. */
bool retry_wrapped(const struct fault *f);

/* One message's refusals for now. */
struct retry_tries {
	unsigned refusals;  /* with this one */
	int64_t first, now; /* wall clock: of the first of them, and of this */
	int64_t cap, give_up; /* seconds; 0: the default, never */
	uint64_t seed;        /* the same gives the same */
};
/* The wall clock of the next try; 0: that was the last. */
int64_t retry_message_next(const struct fault *f, const struct retry_tries *t);

/* What is known when a poll or a connection to a destination failed. */
struct retry_terms {
	int64_t now;         /* wall clock */
	int64_t interval;    /* of the account's polls, seconds */
	int64_t login_delay; /* that its server wants between logins; 0: none */
	uint64_t seed;
};

/* Seconds from one poll to the next while all is well: the interval, give or
 * take a tenth, differently for everybody and at each poll, so that accounts
 * that began together do not stay together; never less than login_delay. */
int64_t retry_interval(const struct retry_terms *t);

/* One more failure in a row: sets pause->not_before and the rest.  True: this
 * is the moment to tell a person. */
bool retry_account(struct store_pause *pause, const struct fault *f,
    const struct retry_terms *t);
bool retry_destination(struct store_pause *pause, const struct fault *f,
    const struct retry_terms *t);

/* FAULT_NOW is routine: an access token ran out, or was refused and there may
 * be a better one.  True: try again at once, on a new connection; it is no
 * failure.  But nobody tries in circles: a token is refused once, and three
 * times in ten minutes is too often for anything; then f becomes one that
 * waits. */
struct retry_routine {
	int64_t since;           /* wall clock */
	unsigned count, refused; /* from then on */
};
bool retry_routine(struct retry_routine *r, struct fault *f, int64_t now);

/* Seconds that are left of a pause.  hurry: somebody asked for it now, which
 * ends the pauses that are only ours, not one that protects a login or that
 * the server asked for. */
int64_t retry_wait(const struct store_pause *pause, int64_t now, bool hurry);
/* Seconds until the server allows the next login (POP3 LOGIN-DELAY). */
int64_t retry_login_wait(const struct store_pause *pause, int64_t now);

/* Looks in the server's words for what it asks for and for what is no fault of
 * ours, and notes it in f. */
void retry_hear(struct fault *f, struct span words);

/* For seeds, and to see that something was changed. */
#define RETRY_HASH_START 14695981039346656037ULL
uint64_t retry_hash(uint64_t hash, const char *s);

#endif
