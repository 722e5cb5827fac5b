/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "proto/line.h"

#define MAX 16 /* small: most inputs shall meet the limit */

struct run {
	struct line line;
	bool over;
};

static void
start(void *ctx)
{
	struct run *r = ctx;

	r->over = false;
	line_init(&r->line, MAX);
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	struct run *r = ctx;
	enum line_status status;
	struct span line;

	while (in.n > 0 && !r->over) {
		status = line_next(&r->line, &in, &line);
		fuzz_check(r->line.part.len <= MAX + 1, "too much is kept");
		if (status == LINE_DONE) {
			fuzz_check(line.n <= MAX, "line too long");
			trail_text(t, "line", line);
		} else if (status == LINE_TOO_LONG) {
			trail_event(t, "too long");
			r->over = true;
		}
	}
}

static void
finish(void *ctx, struct trail *t)
{
	struct run *r = ctx;

	if (!r->over && r->line.bare_lf)
		trail_event(t, "bare LF");
	line_free(&r->line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r;
	const struct trail_machine m = { &r, start, feed, finish };

	return fuzz_run(&m, data, size);
}
