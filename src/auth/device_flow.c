/* SPDX-License-Identifier: ISC */
#include "auth/device_flow.h"

#include "auth/oauth_answer.h"

#define SECOND INT64_C(1000)
#define INTERVAL 5          /* seconds, when none is said (3.2) */
#define SLOWER (5 * SECOND) /* for each slow_down (3.5) */
#define LIFE (15 * 60)      /* seconds, when none is said */

static int64_t
at_most(int64_t n, int64_t most)
{
	return n < most ? n : most;
}

static void
fail(struct device_flow *d, const struct fault *f)
{
	d->step = DEVICE_FAILED;
	d->fault = *f;
}

static void
fail_by(struct device_flow *d, enum oauth_outcome outcome)
{
	struct oauth_answer a = { .outcome = outcome };
	struct fault f;

	oauth_fault(&a, &f);
	fail(d, &f);
}

void
device_flow_init(struct device_flow *d)
{
	*d = (struct device_flow){ .step = DEVICE_ASK };
}

void
device_flow_code(struct device_flow *d, int64_t now,
    const struct oauth_answer *a, const struct fault *f)
{
	struct fault why;

	if (f != NULL) {
		fail(d, f);
		return;
	}
	if (a->outcome != OAUTH_GOOD) {
		oauth_fault(a, &why);
		why.sign_in = false; /* that is what is being done */
		fail(d, &why);
		return;
	}
	d->interval = at_most(a->interval > 0 ? a->interval : INTERVAL,
			  DEVICE_INTERVAL_MAX) *
	              SECOND;
	d->deadline = now + at_most(a->expires_in > 0 ? a->expires_in : LIFE,
				DEVICE_LIFE_MAX) *
	                        SECOND;
	d->next = now + d->interval;
	d->step = DEVICE_WAIT;
}

int64_t
device_flow_wait(struct device_flow *d, int64_t now)
{
	if (d->step != DEVICE_WAIT)
		return 0;
	if (now >= d->deadline) {
		/* Perhaps it was not the person who did not answer. */
		if (d->unheard)
			d->step = DEVICE_FAILED;
		else
			fail_by(d, OAUTH_EXPIRED);
		return 0;
	}
	if (now < d->next)
		return at_most(d->next, d->deadline) - now;
	d->step = DEVICE_POLL;
	return 0;
}

static void
wait_on(struct device_flow *d, int64_t now)
{
	d->unheard = false;
	d->interval = at_most(d->interval, DEVICE_INTERVAL_MAX * SECOND);
	d->next = now + d->interval;
	d->step = DEVICE_WAIT;
}

/* What may pass is asked less and less (3.5), until the code expires: the
 * person may have signed in already. */
static void
bear(struct device_flow *d, int64_t now, const struct fault *f)
{
	d->interval *= 2;
	wait_on(d, now);
	d->fault = *f;
	d->unheard = true;
}

void
device_flow_answer(struct device_flow *d, int64_t now,
    const struct oauth_answer *a, const struct fault *f)
{
	struct fault why;

	if (f != NULL) {
		bear(d, now, f);
		return;
	}
	switch (a->outcome) {
	case OAUTH_GOOD:
		d->step = DEVICE_DONE;
		return;
	case OAUTH_PENDING:
		wait_on(d, now);
		return;
	case OAUTH_SLOW_DOWN:
		d->interval += SLOWER;
		wait_on(d, now);
		return;
	case OAUTH_BUSY:
	case OAUTH_NONSENSE:
		oauth_fault(a, &why);
		bear(d, now, &why);
		return;
	case OAUTH_DECLINED:
	case OAUTH_EXPIRED:
	case OAUTH_BAD_CODE:
	case OAUTH_SIGN_IN:
	case OAUTH_CLIENT:
	case OAUTH_REFUSED:
		break;
	}
	oauth_fault(a, &why);
	why.sign_in = false;
	fail(d, &why);
}
