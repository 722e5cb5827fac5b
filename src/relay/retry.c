/* SPDX-License-Identifier: ISC */
#include "relay/retry.h"

#define LOGIN_FIRST (15 * 60) /* seconds */
#define LOGIN_CAP (24 * 60 * 60)
#define DESTINATION_FIRST 30
#define DESTINATION_CAP (30 * 60)

enum retry_verdict
retry_message(const struct fault *f)
{
	if (f->when == FAULT_UNKNOWN)
		return RETRY_IN_DOUBT;
	if (f->scope != FAULT_MESSAGE)
		return RETRY_RESTORE;
	return f->when == FAULT_NEVER ? RETRY_HOLD : RETRY_DEFER;
}

static int64_t
doubled(int64_t first, unsigned failures, int64_t cap)
{
	int64_t t = first;

	while (--failures > 0 && t < cap)
		t *= 2;
	return t < cap ? t : cap;
}

int64_t
retry_account(const struct fault *f, unsigned failures, int64_t interval)
{
	int64_t pause;

	if (!f->login || failures == 0)
		return interval;
	pause = doubled(LOGIN_FIRST, failures, LOGIN_CAP);
	return pause > interval ? pause : interval;
}

int64_t
retry_destination(const struct fault *f, unsigned failures)
{
	if (f->when == FAULT_NOW || failures == 0)
		return 0;
	if (f->login || f->when == FAULT_NEVER)
		return doubled(LOGIN_FIRST, failures, LOGIN_CAP);
	return doubled(DESTINATION_FIRST, failures, DESTINATION_CAP);
}
