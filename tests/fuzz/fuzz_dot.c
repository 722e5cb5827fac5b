/* SPDX-License-Identifier: ISC */
/*
 * The three dot filters on the same input, and that a message which was
 * normalised and encoded comes back from the decoder as it was.
 */
#include "fuzz.h"

#include "base/buf.h"
#include "proto/dot.h"

struct run {
	struct dot_decoder decoder;
	struct dot_normaliser normaliser;
	struct dot_encoder encoder;
	bool ended;
	struct buf normal, wire;
};

static void
start(void *ctx)
{
	struct run *r = ctx;

	r->ended = false;
	dot_decode_init(&r->decoder);
	dot_normalise_init(&r->normaliser);
	dot_encode_init(&r->encoder);
	buf_init(&r->normal, SIZE_MAX / 4);
	buf_init(&r->wire, SIZE_MAX / 4);
}

static void
encode(struct run *r, struct span s)
{
	struct span out;

	buf_add(&r->normal, s);
	while (dot_encode(&r->encoder, &s, &out) == DOT_DATA)
		buf_add(&r->wire, out);
	fuzz_check(s.n == 0, "the encoder left something");
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	struct run *r = ctx;
	struct span rest = in, out;
	enum dot_status status;

	while (!r->ended &&
	       (status = dot_decode(&r->decoder, &rest, &out)) != DOT_MORE) {
		if (status == DOT_DATA)
			trail_piece(t, "decoded", out);
		r->ended = status == DOT_END;
	}
	if (r->ended)
		trail_piece(t, "behind", rest);
	while (dot_normalise(&r->normaliser, &in, &out) == DOT_DATA)
		encode(r, out);
	fuzz_check(in.n == 0, "the normaliser left something");
}

static void
check_round_trip(struct run *r)
{
	struct span in = buf_span(&r->wire), out;
	enum dot_status status;
	struct buf back;

	buf_init(&back, SIZE_MAX / 4);
	dot_decode_init(&r->decoder);
	while ((status = dot_decode(&r->decoder, &in, &out)) == DOT_DATA)
		buf_add(&back, out);
	fuzz_check(status == DOT_END && in.n == 0, "no end, or too early");
	fuzz_check(span_eq(buf_span(&back), buf_span(&r->normal)),
	    "the message changed");
	buf_free(&back);
}

static void
finish(void *ctx, struct trail *t)
{
	struct run *r = ctx;
	struct span out;

	while (dot_normalise_end(&r->normaliser, &out) == DOT_DATA)
		encode(r, out);
	buf_add(&r->wire, dot_encode_end(&r->encoder));
	trail_text(t, "wire", buf_span(&r->wire));
	check_round_trip(r);
	buf_free(&r->normal);
	buf_free(&r->wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r;
	const struct trail_machine m = { &r, start, feed, finish };

	return fuzz_run(&m, data, size);
}
