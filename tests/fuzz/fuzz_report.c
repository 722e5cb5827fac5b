/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "proto/report.h"

static void
start(void *ctx)
{
	report_init(ctx);
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	(void)t;
	report_feed(ctx, in);
}

static void
finish(void *ctx, struct trail *t)
{
	struct report_scan *r = ctx;

	report_end(r);
	for (unsigned i = 0; i < r->count; i++) {
		fuzz_check(
		    strlen(r->ids[i]) == REPORT_ID_LEN, "not as long as an id");
		trail_event(t, "%s", r->ids[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct report_scan r;
	const struct trail_machine m = { &r, start, feed, finish };

	return fuzz_run(&m, data, size);
}
