/* SPDX-License-Identifier: ISC */
/*
 * A message as two sender policies make it: what stands in front, and what
 * instead of its From fields.  Its header comes in pieces; the unit test and
 * the fuzzer say the same of it however it is cut.
 */
#ifndef TESTS_RUN_REWRITE_H
#define TESTS_RUN_REWRITE_H

#include "trail.h"

#include "proto/rewrite.h"

static const struct rewrite_terms rewrite_run_terms = {
	.address = "me@home.example",
	.account = "hotmail",
	.recipient = "inbox@home.example",
	.date = "Thu, 1 Jan 1970 00:00:00 +0000",
	.id = "tr4ce",
};

static inline void
rewrite_run_start(void *ctx)
{
	original_init(ctx);
}

static inline void
rewrite_run_feed(void *ctx, struct span in, struct trail *t)
{
	(void)t;
	original_feed(ctx, in);
}

/* Each line of a header on one of the trail; what the manual promises of
 * them. */
static inline void
rewrite_run_show(struct trail *t, const char *name, struct span text)
{
	while (text.n > 0) {
		const char *lf = memchr(text.p, '\n', text.n);
		size_t n = lf != NULL ? (size_t)(lf - text.p) + 1 : text.n;

		if (lf == NULL || n < 2 || n > 1000 || lf[-1] != '\r') {
			fprintf(stderr, "a line of %zu bytes\n", n);
			abort();
		}
		trail_text(t, name, span_make(text.p, n - 2));
		text = span_skip(text, n);
	}
}

static inline void
rewrite_run_finish(void *ctx, struct trail *t)
{
	static const char last[] = "\r\nMessage-ID: <tr4ce.wrapped@";
	struct original *o = ctx;
	struct buf b;
	struct span end;

	original_end(o);
	buf_init(&b, REWRITE_FRONT_MAX);
	rewrite_front(&b, o, &rewrite_run_terms);
	rewrite_run_show(t, "rewrite", buf_span(&b));
	buf_free(&b);
	for (unsigned i = 0; i < o->nfrom && i < ORIGINAL_FROM_MAX; i++) {
		struct span instead;
		size_t n = rewrite_rename(&o->from[i], &instead);

		trail_event(t, "at %llu: %zu bytes are %.*s",
		    (unsigned long long)o->from[i].at, n, (int)instead.n,
		    instead.p);
	}
	wrap_front(&b, o, &rewrite_run_terms);
	end = buf_span(&b);
	/* The rest is always the same. */
	for (size_t i = 0; i + sizeof(last) <= end.n; i++)
		if (memcmp(end.p + i, last, sizeof(last) - 1) == 0)
			end.n = i + 2;
	rewrite_run_show(t, "wrap", end);
	buf_free(&b);
}

#endif
