/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include <inttypes.h>

#include "proto/header.h"

static void
start(void *ctx)
{
	header_init(ctx, "token");
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	(void)t;
	header_feed(ctx, in);
}

static void
finish(void *ctx, struct trail *t)
{
	struct header_scan *h = ctx;

	header_end(h);
	fuzz_check(h->header_bytes <= h->bytes, "more header than message");
	fuzz_check(h->longest_line <= h->bytes, "more line than message");
	trail_event(t, "%u %d%d%d%d%d%d%d%d", h->received, h->own_token,
	    h->null_sender, h->report, h->eight_bit, h->eight_bit_header,
	    h->nul, h->starts_folded, h->body);
	trail_event(t, "%" PRIu64 " %" PRIu64 " %" PRIu64, h->bytes,
	    h->header_bytes, h->longest_line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header_scan h;
	const struct trail_machine m = { &h, start, feed, finish };

	return fuzz_run(&m, data, size);
}
