/* SPDX-License-Identifier: ISC */
/*
 * The one file that decides what a failure means; all others report.
 *
 * Pure: a fault, what went before, and the time in; a verdict and the time of
 * the next try out.  The policy:
 *   a message refused for now     deferred: tried again at the next poll
 *   a message refused for good    held: a person decides; never deleted
 *   an unknown outcome            stays in doubt: sent again, announced
 *   the destination or we failed  nothing is said about the message: as before
 *   a login refused               one try, then a pause that doubles, for every
 *                                 provider counts failures against the user
 *   anything else of an account   the next poll at its interval
 */
#ifndef RELAY_RETRY_H
#define RELAY_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

enum retry_verdict {
	RETRY_DEFER,    /* record as deferred */
	RETRY_HOLD,     /* record as held */
	RETRY_IN_DOUBT, /* record stays in doubt */
	RETRY_RESTORE,  /* as if it had not been tried */
};

enum retry_verdict retry_message(const struct fault *f);

/* Seconds until the next poll of an account whose last `failures` polls in a
 * row failed, the last with f; interval is the configured one. */
int64_t retry_account(
    const struct fault *f, unsigned failures, int64_t interval);

/* Seconds during which a destination is left alone after f, its failure
 * number `failures` in a row. */
int64_t retry_destination(const struct fault *f, unsigned failures);

#endif
