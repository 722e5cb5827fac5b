/* SPDX-License-Identifier: ISC */
/*
 * A play: the turns of an SMTP server, separated by '|', and an owner with
 * simple habits.  It logs in when the play says how, sends as many messages as
 * the play has, as many at a time as the play and the machine want, ends each
 * one but those the play leaves without an end, and then says QUIT.
 */
#ifndef TESTS_UNIT_SMTP_PLAY_H
#define TESTS_UNIT_SMTP_PLAY_H

#include "split.h"

#include "proto/smtp.h"

struct play {
	const char *turns;
	const char *mechanism; /* NULL: no login */
	const char *initial;
	bool greeted, trial, chunked;
	int messages, window; /* window 0: one at a time */
	int unended;          /* so many, from the first, are given no end */
	/* private */
	struct smtp m;
	size_t at;
	int sent, open;
};

static const struct smtp_envelope envelope = {
	.sender = { "me@x", 4 },
	.recipient = { "you@y", 5 },
	.size = 10,
};

static inline void
start(void *ctx)
{
	struct play *p = ctx;

	p->at = 0;
	p->sent = p->open = 0;
	assert_true(smtp_init(&p->m, "me.example", p->greeted));
}

static inline void
say(struct play *p, struct trail *t)
{
	struct span out = smtp_out(&p->m);

	if (out.n == 0)
		return;
	trail_text(t, "C", out);
	smtp_wrote(&p->m, out.n);
}

static inline bool
is_unended(const struct play *p)
{
	return p->sent <= p->unended;
}

static inline void
send_chunks(struct play *p)
{
	struct span body = span_str("abcde");

	assert_true(smtp_chunk(&p->m, 3, false));
	assert_false(smtp_chunk(&p->m, 2, true));
	smtp_body(&p->m, &body);
	assert_int_equal(body.n, 2);
	if (is_unended(p))
		return;
	assert_true(smtp_chunk(&p->m, 2, true));
	assert_false(smtp_can_mail(&p->m));
	smtp_body(&p->m, &body);
	assert_int_equal(body.n, 0);
	assert_false(smtp_chunk(&p->m, 2, true));
}

static inline void
send_one(struct play *p)
{
	struct smtp_envelope e = envelope;

	e.chunked = p->chunked;
	p->sent++;
	p->open++;
	assert_true(p->trial ? smtp_try(&p->m, &e) : smtp_mail(&p->m, &e));
	if (p->chunked)
		send_chunks(p);
}

static inline void
send_or_quit(struct play *p)
{
	while (smtp_can_mail(&p->m) && p->sent < p->messages &&
	       p->open < (p->window > 0 ? p->window : 1))
		send_one(p);
	if (smtp_idle(&p->m))
		assert_true(smtp_quit(&p->m));
}

static inline void
send_body(struct play *p)
{
	struct span body = span_str("a\r\n.b\r\n");

	smtp_body(&p->m, &body);
	assert_int_equal(body.n, 0);
	if (is_unended(p))
		return;
	assert_true(smtp_dot(&p->m));
	send_or_quit(p);
}

static inline void
act(struct play *p, const struct smtp_event *e)
{
	p->open -= e->kind == SMTP_EV_VERDICT;
	if (e->kind == SMTP_EV_READY && p->mechanism != NULL)
		assert_true(
		    smtp_auth(&p->m, p->mechanism, span_str(p->initial)));
	else if (e->kind == SMTP_EV_READY || e->kind == SMTP_EV_VERDICT ||
		 (e->kind == SMTP_EV_AUTH && e->reply->code == 235))
		send_or_quit(p);
	else if (e->kind == SMTP_EV_CHALLENGE)
		assert_true(smtp_auth_line(&p->m, span_str("c2VjcmV0")));
	else if (e->kind == SMTP_EV_GO)
		send_body(p);
}

static inline void
write_down(const struct smtp_event *e, struct trail *t)
{
	static const char *const name[] = {
		[SMTP_EV_READY] = "ready",
		[SMTP_EV_CHALLENGE] = "challenge",
		[SMTP_EV_AUTH] = "auth",
		[SMTP_EV_GO] = "go",
		[SMTP_EV_VERDICT] = "verdict",
		[SMTP_EV_REFUSED] = "refused",
		[SMTP_EV_CLOSING] = "closing",
		[SMTP_EV_BYE] = "bye",
		[SMTP_EV_ERROR] = "error",
	};

	if (e->kind == SMTP_EV_CHALLENGE)
		trail_text(t, name[e->kind], e->text);
	else if (e->kind == SMTP_EV_ERROR)
		trail_event(t, "error at %s: %.*s", smtp_stage_name(e->stage),
		    (int)e->text.n, e->text.p);
	else
		trail_event(t, "%s %s %u", name[e->kind],
		    smtp_stage_name(e->stage), e->reply->code);
}

static inline void
feed_turn(struct play *p, struct span in, struct trail *t)
{
	struct smtp_event e;
	size_t n;

	while (in.n > 0 && (n = smtp_recv(&p->m, in)) > 0) {
		in = span_skip(in, n);
		while (smtp_next(&p->m, &e)) {
			write_down(&e, t);
			act(p, &e);
			say(p, t);
		}
	}
	say(p, t);
}

/* The input has no bars: it is cut where the turns end. */
static inline void
feed(void *ctx, struct span in, struct trail *t)
{
	struct play *p = ctx;

	if (p->at == 0 && in.n > 0)
		say(p, t);
	while (in.n > 0) {
		size_t n = 0;

		while (n < in.n && p->turns[p->at + n] != '|')
			n++;
		feed_turn(p, span_make(in.p, n), t);
		in = span_skip(in, n);
		p->at += n;
		if (p->turns[p->at] == '|')
			p->at++;
	}
}

static inline void
finish(void *ctx, struct trail *t)
{
	struct play *p = ctx;

	trail_event(t, "%s", smtp_phase(&p->m));
	smtp_free(&p->m);
}

static inline void
check(struct play p, const char *expected)
{
	struct trail_machine m = { &p, start, feed, finish };
	char in[2048];
	size_t n = 0;

	for (const char *c = p.turns; *c != '\0'; c++)
		if (*c != '|')
			in[n++] = *c;
	split_check(&m, span_make(in, n), expected);
}

/* What most plays begin with: EHLO with or without PIPELINING. */
#define GREET "220 hi\r\n|"
#define ONE_BY_ONE GREET "250-me\r\n250 SIZE\r\n|"
#define PIPELINED GREET "250-me\r\n250-PIPELINING\r\n250 SIZE 999\r\n|"
#define EHLO "C: EHLO me.example\\r\\n\n"
#define READY EHLO "ready EHLO 250\n"
#define MAIL "MAIL FROM:<me@x> SIZE=10\\r\\n"
#define RCPT "RCPT TO:<you@y>\\r\\n"
#define FLIGHT MAIL RCPT "DATA\\r\\n\n"
#define TRIAL MAIL RCPT "RSET\\r\\n\n"
#define BODY "go DATA 354\nC: a\\r\\n..b\\r\\n.\\r\\n\n"
#define DOT "end of data (message may be sent more than once)\n"
#define QUIT "C: QUIT\\r\\n\n"
#define BYE QUIT "bye QUIT 221\nidle\n"

#endif
