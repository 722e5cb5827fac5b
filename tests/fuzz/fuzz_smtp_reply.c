/* SPDX-License-Identifier: ISC */
#include "fuzz.h"

#include "proto/line.h"
#include "proto/smtp_reply.h"

struct run {
	struct line line;
	struct smtp_reply reply;
	bool over;
};

static void
start(void *ctx)
{
	struct run *r = ctx;

	r->over = false;
	line_init(&r->line, 600);
	smtp_reply_reset(&r->reply);
}

static void
take(struct run *r, struct span line, struct trail *t)
{
	enum smtp_reply_status status = smtp_reply_feed(&r->reply, line);

	fuzz_check(r->reply.text_len < sizeof(r->reply.text) &&
		       strlen(r->reply.text) == r->reply.text_len,
	    "the text has no end");
	if (status == SMTP_REPLY_MORE)
		return;
	trail_event(t, "%s %u %u %s", status == SMTP_REPLY_DONE ? "ok" : "bad",
	    r->reply.code, r->reply.lines, r->reply.text);
	r->over = status == SMTP_REPLY_BAD;
	smtp_reply_reset(&r->reply);
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	struct run *r = ctx;
	enum line_status status;
	struct span line;

	while (in.n > 0 && !r->over) {
		status = line_next(&r->line, &in, &line);
		if (status == LINE_DONE)
			take(r, line, t);
		r->over |= status == LINE_TOO_LONG;
	}
}

static void
finish(void *ctx, struct trail *t)
{
	struct run *r = ctx;

	if (r->over)
		trail_event(t, "over");
	line_free(&r->line);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r;
	const struct trail_machine m = { &r, start, feed, finish };

	return fuzz_run(&m, data, size);
}
