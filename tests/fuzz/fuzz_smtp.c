/* SPDX-License-Identifier: ISC */
/*
 * A server that says anything, and an owner that goes on as long as it may.
 * Only events are compared: what was written when the server broke the rules
 * depends on when it did.
 */
#include "fuzz.h"

#include "proto/smtp.h"

struct run {
	struct smtp m;
	unsigned open; /* transactions begun and not yet answered */
	unsigned messages;
	bool trial;
};

static void
start(void *ctx)
{
	struct run *r = ctx;

	r->open = r->messages = 0;
	r->trial = false;
	fuzz_check(smtp_init(&r->m, "me", false), "init");
}

static void
give(struct run *r)
{
	struct span body = span_str(".x\r\n");

	smtp_body(&r->m, &body);
}

/* Odd ones have no end, so that the next waits for their refusal; the last
 * byte of a third is given when there is a verdict. */
static void
send_chunks(struct run *r)
{
	struct span body = span_str("abcd");

	fuzz_check(smtp_chunk(&r->m, 3, false), "begun, but no chunk");
	smtp_body(&r->m, &body);
	if (r->messages % 4 == 3)
		return;
	fuzz_check(smtp_chunk(&r->m, 5, true), "begun, but no last chunk");
	give(r);
	if (r->messages % 4 != 2)
		smtp_body(&r->m, &body);
}

static void
send_one(struct run *r, bool trial)
{
	const struct smtp_envelope e = { .sender = span_str("me@x"),
		.recipient = span_str("you@y"),
		.eight_bit = true,
		.chunked = !trial && smtp_can_chunk(&r->m) };

	r->messages++;
	r->open++;
	r->trial = trial;
	if (trial)
		fuzz_check(smtp_try(&r->m, &e), "idle, but no trial");
	else
		fuzz_check(smtp_mail(&r->m, &e), "its turn, but no mail");
	if (e.chunked)
		send_chunks(r);
}

static void
send_next(struct run *r)
{
	if (smtp_idle(&r->m) && r->messages == 0 && r->m.caps.dsn)
		send_one(r, true);
	while (smtp_can_mail(&r->m) && r->messages < 8)
		send_one(r, false);
	if (smtp_idle(&r->m))
		fuzz_check(smtp_quit(&r->m), "idle, but no quit");
}

static void
on_verdict(struct run *r, const struct smtp_event *e)
{
	fuzz_check(r->open-- > 0, "a verdict on nothing");
	fuzz_check(e->reply->code >= 400 || e->stage == SMTP_DOT ||
		       e->stage == SMTP_LAST ||
		       (r->trial && e->stage == SMTP_RCPT),
	    "accepted before its end");
	r->trial = false;
	give(r); /* what is missing of a chunk */
	send_next(r);
}

static void
act(struct run *r, const struct smtp_event *e)
{
	switch (e->kind) {
	case SMTP_EV_READY:
		if (r->m.caps.sasl[0] == '\0')
			send_next(r);
		else
			fuzz_check(smtp_auth(&r->m, "LOGIN", span_str("")),
			    "ready, but no login");
		break;
	case SMTP_EV_CHALLENGE:
		fuzz_check(smtp_auth_line(&r->m, span_str("YQ==")),
		    "challenged, but no answer");
		break;
	case SMTP_EV_VERDICT:
		on_verdict(r, e);
		break;
	case SMTP_EV_GO:
		fuzz_check(r->open == 1 && !r->trial, "go for nothing");
		give(r);
		fuzz_check(smtp_dot(&r->m), "no dot");
		send_next(r);
		break;
	case SMTP_EV_AUTH:
		send_next(r);
		break;
	case SMTP_EV_REFUSED:
	case SMTP_EV_CLOSING:
	case SMTP_EV_BYE:
	case SMTP_EV_ERROR:
		fuzz_check(smtp_closed(&r->m), "not closed after the end");
		fuzz_check(!smtp_idle(&r->m), "idle after the end");
		fuzz_check(!smtp_chunk_open(&r->m), "owing after the end");
		fuzz_check(smtp_out(&r->m).n == 0, "output after the end");
		break;
	}
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	struct run *r = ctx;
	struct smtp_event e;
	size_t n;

	while (in.n > 0 && (n = smtp_recv(&r->m, in)) > 0) {
		in = span_skip(in, n);
		while (smtp_next(&r->m, &e)) {
			trail_event(t, "%d %s %u %s", (int)e.kind,
			    smtp_stage_name(e.stage), e.reply->code,
			    e.reply->text);
			trail_text(t, "text", e.text);
			act(r, &e);
		}
		smtp_wrote(&r->m, smtp_out(&r->m).n);
	}
}

static void
finish(void *ctx, struct trail *t)
{
	struct run *r = ctx;

	trail_event(t, "%s %d %s", smtp_phase(&r->m),
	    (int)smtp_wait_class(&r->m), r->m.caps.sasl);
	smtp_free(&r->m);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r;
	const struct trail_machine m = { &r, start, feed, finish };

	return fuzz_run(&m, data, size);
}
