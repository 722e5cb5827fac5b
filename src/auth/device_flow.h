/* SPDX-License-Identifier: ISC */
/*
 * The device flow (RFC 8628): when to ask the provider whether the person has
 * signed in elsewhere, and when to stop asking.
 *
 * Pure: the clock (milliseconds, monotonic) and the answers come in, what to do
 * next comes out.  Deadlines have ceilings, whatever the provider says.
 */
#ifndef AUTH_DEVICE_FLOW_H
#define AUTH_DEVICE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

struct oauth_answer;

#define DEVICE_LIFE_MAX (60 * 60) /* seconds */
#define DEVICE_INTERVAL_MAX 60    /* seconds from one poll to the next */

enum device_step {
	DEVICE_ASK,  /* for a device code */
	DEVICE_WAIT, /* device_flow_wait() */
	DEVICE_POLL, /* for tokens */
	DEVICE_DONE,
	DEVICE_FAILED, /* fault says why */
};

struct device_flow {
	enum device_step step;
	int64_t interval, next, deadline; /* ms */
	struct fault fault;
	bool unheard; /* the last poll had no answer: fault */
};

void device_flow_init(struct device_flow *d);
/* The answer to DEVICE_ASK; f: there was none. */
void device_flow_code(struct device_flow *d, int64_t now,
    const struct oauth_answer *a, const struct fault *f);
/* Milliseconds; 0: the step is DEVICE_POLL or an end now. */
int64_t device_flow_wait(struct device_flow *d, int64_t now);
/* The answer to DEVICE_POLL; f: there was none. */
void device_flow_answer(struct device_flow *d, int64_t now,
    const struct oauth_answer *a, const struct fault *f);

#endif
