/* SPDX-License-Identifier: ISC */
/*
 * The server is polite in one respect, which the machine insists on: a line
 * comes only after what we had to say was written.
 */
#include "fuzz.h"

#include "proto/starttls.h"

struct run {
	struct starttls s;
	enum starttls_status status;
	bool stls; /* STARTTLS was written */
};

static void
start(void *ctx)
{
	struct run *r = ctx;

	r->status = STARTTLS_WAIT;
	r->stls = false;
	fuzz_check(starttls_init(&r->s, "me"), "init");
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	struct run *r = ctx;

	while (in.n > 0) {
		const char *lf = memchr(in.p, '\n', in.n);
		size_t n = lf != NULL ? (size_t)(lf - in.p) + 1 : in.n;
		struct span out;

		r->status = starttls_recv(&r->s, span_make(in.p, n));
		in = span_skip(in, n);
		out = starttls_out(&r->s);
		r->stls |= span_is(out, "STARTTLS\r\n");
		if (out.n > 0)
			trail_text(t, "C", out);
		starttls_wrote(&r->s, out.n);
	}
}

static void
finish(void *ctx, struct trail *t)
{
	struct run *r = ctx;

	if (r->status == STARTTLS_READY)
		fuzz_check(r->stls && r->s.reply.code == 220, "not ready");
	trail_event(t, "%d %u %d %d %s", (int)r->status, r->s.code,
	    r->s.injected, r->s.refused_for_now,
	    r->s.error != NULL ? r->s.error : "");
	starttls_free(&r->s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r;
	const struct trail_machine m = { &r, start, feed, finish };

	return fuzz_run(&m, data, size);
}
