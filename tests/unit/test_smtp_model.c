/* SPDX-License-Identifier: ISC */
/*
 * The machine against a server that speaks SMTP and refuses by chance.
 *
 * Both sides act in an order that a seed decides: what is written is cut
 * anywhere, replies are held back and cut anywhere, and a refusal may come
 * before its chunk.  The server knows what became of each message, and the
 * machine has to say the same, in order.  The server also holds that no MAIL
 * comes while a transaction is open, and that what it accepts is one message
 * whole: the content of its sender for its recipient.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/smtp.h"

#define RUNS 600
#define MESSAGES_MAX 70
#define LONG_BODY (3 * SMTP_OUT_MAX)
#define NONE UINT64_MAX

struct dice {
	uint64_t state;
};

static unsigned
roll(struct dice *d, unsigned sides)
{
	d->state ^= d->state << 13;
	d->state ^= d->state >> 7;
	d->state ^= d->state << 17;
	return (unsigned)((d->state >> 20) % sides);
}

/* --- bytes on their way */

/* A part of what is there. */
static struct span
some_of(struct dice *d, struct span s)
{
	if (s.n > 0 && roll(d, 3) > 0)
		s.n = 1 + roll(d, (unsigned)(s.n < 40000 ? s.n : 40000));
	return s;
}

/* --- the message with a number */

struct text {
	char *p;
	size_t n;
};

static struct text
make_text(unsigned id, uint64_t seed)
{
	static const char *const lines[] = { "abc\r\n", ".\r\n", "\r\n",
		"..x\r\n", "MAIL FROM:<m1@x>\r\n", "BDAT 5 LAST\r\n" };
	struct dice d = { .state = seed * 1000 + id + 1 };
	size_t size = roll(&d, 80) == 0 ? LONG_BODY : roll(&d, 200);
	struct text t = { .p = malloc(size + 100) };

	assert_non_null(t.p);
	t.n = (size_t)sprintf(t.p, "id %u\r\n", id);
	while (t.n < size) {
		const char *line = lines[roll(&d, 6)];

		memcpy(t.p + t.n, line, strlen(line));
		t.n += strlen(line);
	}
	return t;
}

/* --- the server */

enum mode { COMMANDS, CHUNK, TEXT, GONE };

struct outcome {
	enum smtp_stage stage;
	unsigned code; /* 0: open */
};

struct server {
	struct dice dice;
	uint64_t seed;
	bool pipelining, chunking;
	/* What RFC 5321 and 3030 leave open, or forbid. */
	bool takes_any_rcpt, forgets_refused_chunk, ends_at_refused_last;
	unsigned refuses_one_in; /* 0: never */
	unsigned replies_left;   /* then 421 */
	struct buf in, out;
	enum mode mode;
	/* the transaction */
	bool mail, rcpt, chunk_refused;
	unsigned mail_id, rcpt_id;
	struct buf content;
	/* the chunk */
	uint64_t left;
	bool last, answered;
	/* the messages */
	unsigned id; /* of the last MAIL, or that RSET announces */
	bool reset;  /* announced by RSET */
	unsigned mails;
	struct outcome outcomes[MESSAGES_MAX + 1];
	bool accepted[MESSAGES_MAX + 1];
	bool out_of_step; /* it accepted what it had refused, or the like */
};

static void
forget(struct server *s)
{
	s->mail = s->rcpt = s->chunk_refused = false;
	buf_drop(&s->content, s->content.len);
}

/* The reply, which is a 421 when its time has come; false: not a good one. */
static bool
answer(struct server *s, enum smtp_stage stage, unsigned code)
{
	struct outcome *o = &s->outcomes[s->id];
	bool lines = roll(&s->dice, 4) == 0;

	if (s->replies_left-- == 0)
		code = 421;
	if (lines)
		buf_addf(&s->out, "%u-\r\n", code);
	buf_addf(&s->out, "%u id %u\r\n", code, s->id);
	if (code >= 400 && o->code == 0 && stage != SMTP_STAGES)
		*o = (struct outcome){ stage, code };
	if (code == 421)
		s->mode = GONE;
	return code < 400;
}

static unsigned
refusal(struct server *s)
{
	if (s->refuses_one_in == 0 || roll(&s->dice, s->refuses_one_in) > 0)
		return 0;
	return roll(&s->dice, 2) > 0 ? 450 : 550;
}

static unsigned
or_refusal(struct server *s, unsigned code)
{
	unsigned no = refusal(s);

	return no > 0 ? no : code;
}

static void
take_mail(struct server *s, struct span line)
{
	uint64_t id = NONE;

	assert_true(s->out_of_step || (!s->mail && !s->rcpt));
	line = span_skip(line, strlen("MAIL FROM:<m"));
	assert_true(span_uint(span_cut(&line, '@'), MESSAGES_MAX, &id));
	assert_int_equal(id, s->mails);
	s->id = s->mails++;
	s->reset = false;
	s->mail = answer(s, SMTP_MAIL, or_refusal(s, 250));
	s->mail_id = s->id;
}

static void
take_rcpt(struct server *s, struct span line)
{
	bool good = s->mail || s->takes_any_rcpt;
	uint64_t id = NONE;

	line = span_skip(line, strlen("RCPT TO:<r"));
	assert_true(span_uint(span_cut(&line, '@'), MESSAGES_MAX, &id));
	assert_int_equal(id, s->id);
	s->rcpt = answer(s, SMTP_RCPT, good ? or_refusal(s, 250) : 503);
	s->rcpt_id = s->id;
}

static void
take_rset(struct server *s)
{
	bool refused = s->refuses_one_in > 0 && roll(&s->dice, 300) == 0;

	s->id = s->mails;
	s->reset = true;
	s->out_of_step |= refused && s->replies_left > 0;
	if (answer(s, SMTP_RSET, refused ? 502 : 250))
		forget(s);
}

static void
take_bdat(struct server *s, struct span args)
{
	assert_true(span_uint(span_cut(&args, ' '), UINT64_MAX, &s->left));
	assert_true(args.n == 0 || span_is(args, "LAST"));
	s->last = args.n > 0;
	s->mode = CHUNK;
	s->answered = false;
	if (s->left > 0 && refusal(s) > 0) {
		s->answered = true;
		s->chunk_refused |= !s->last;
		(void)answer(s, s->last ? SMTP_LAST : SMTP_CHUNK, 552);
	}
}

static void
take_data(struct server *s)
{
	bool good = s->mail && s->rcpt;
	unsigned code = good ? or_refusal(s, 354) : 503;

	/* Some say 354 first. */
	if (!s->rcpt && roll(&s->dice, 3) == 0)
		code = 354;
	if (answer(s, SMTP_DATA, code))
		s->mode = TEXT;
}

static bool
is_whole(const struct server *s)
{
	struct text t = make_text(s->mail_id, s->seed);
	bool whole = s->mail_id == s->rcpt_id &&
	             span_eq(buf_span(&s->content), span_make(t.p, t.n));

	free(t.p);
	return whole;
}

/* All of it is here. */
static void
end_message(struct server *s, enum smtp_stage stage, unsigned code)
{
	bool for_nobody = !s->rcpt && roll(&s->dice, 2) == 0;
	bool refused = s->outcomes[s->id].code > 0;

	/* An answer that deserves to be believed is about this message. */
	if (code < 400 && s->mail && s->rcpt && !refused && !s->out_of_step)
		assert_true(is_whole(s));
	if (!answer(s, stage, for_nobody ? 250 : code)) {
		if (stage == SMTP_DOT || s->ends_at_refused_last)
			forget(s);
		return;
	}
	s->out_of_step |= refused && s->rcpt;
	if (!refused) {
		s->outcomes[s->id] = (struct outcome){ stage, 250 };
		s->accepted[s->id] = true;
	}
	forget(s);
}

static void
end_chunk(struct server *s)
{
	bool lost = s->chunk_refused && !s->forgets_refused_chunk;
	bool good = (s->mail || s->takes_any_rcpt) && s->rcpt && !lost;
	unsigned code = good ? or_refusal(s, 250) : 503;

	s->mode = COMMANDS;
	if (s->answered) {
		if (s->last && s->ends_at_refused_last)
			forget(s);
	} else if (s->last) {
		end_message(s, SMTP_LAST, code);
	} else if (!answer(s, SMTP_CHUNK, code)) {
		s->chunk_refused = true;
	}
}

static void
take_line(struct server *s, struct span line)
{
	struct span rest = line, verb = span_cut(&rest, ' ');

	if (s->mode == TEXT && span_is(line, ".")) {
		s->mode = COMMANDS;
		end_message(s, SMTP_DOT, or_refusal(s, 250));
	} else if (s->mode == TEXT) {
		if (line.n > 0 && line.p[0] == '.')
			line = span_skip(line, 1);
		assert_true(buf_add(&s->content, line));
		assert_true(buf_add(&s->content, span_str("\r\n")));
	} else if (span_is(verb, "MAIL")) {
		take_mail(s, line);
	} else if (span_is(verb, "RCPT")) {
		take_rcpt(s, line);
	} else if (span_is(verb, "BDAT")) {
		take_bdat(s, rest);
	} else if (span_is(line, "RSET")) {
		take_rset(s);
	} else {
		assert_true(span_is(line, "DATA"));
		take_data(s);
	}
}

/* A line, or some of a chunk; false: nothing to do. */
static bool
serve_one(struct server *s)
{
	struct span in = buf_span(&s->in);
	const char *lf;

	if (s->mode == GONE)
		buf_drop(&s->in, in.n);
	if (s->mode == GONE || (in.n == 0 && s->mode != CHUNK))
		return false;
	if (s->mode == CHUNK) {
		if (in.n > s->left)
			in.n = s->left;
		assert_true(buf_add(&s->content, in));
		s->left -= in.n;
		buf_drop(&s->in, in.n);
		if (s->left == 0)
			end_chunk(s);
		return s->mode != CHUNK;
	}
	lf = memchr(in.p, '\n', in.n);
	if (lf == NULL)
		return false;
	in.n = (size_t)(lf - in.p) + 1;
	assert_true(in.n >= 2 && lf[-1] == '\r');
	take_line(s, span_make(in.p, in.n - 2));
	buf_drop(&s->in, in.n);
	return true;
}

static void
serve(struct server *s)
{
	unsigned n = roll(&s->dice, 30);

	while (n-- > 0 && serve_one(s))
		;
}

/* --- the owner */

struct run {
	struct dice dice;
	struct smtp m;
	struct server server;
	unsigned messages, window, chunked_one_in;
	unsigned begun, verdicts, accepted;
	struct text text; /* of the newest message */
	struct span left;
	bool chunked, given, going, error;
};

static void
send_mail(struct run *r)
{
	char sender[32], recipient[32];
	struct smtp_envelope e = { .size = 5 };
	unsigned id = r->begun;

	if (!smtp_can_mail(&r->m) || r->begun == r->messages ||
	    r->begun - r->verdicts >= r->window)
		return;
	(void)snprintf(sender, sizeof(sender), "m%u@x", id);
	(void)snprintf(recipient, sizeof(recipient), "r%u@x", id);
	e.sender = span_str(sender);
	e.recipient = span_str(recipient);
	e.chunked = smtp_can_chunk(&r->m) && r->chunked_one_in > 0 &&
	            roll(&r->dice, r->chunked_one_in) == 0;
	assert_true(smtp_mail(&r->m, &e));
	free(r->text.p);
	r->text = make_text(id, r->server.seed);
	r->left = span_make(r->text.p, r->text.n);
	r->chunked = e.chunked;
	r->given = r->going = false;
	r->begun++;
}

static void
announce(struct run *r)
{
	size_t n = some_of(&r->dice, r->left).n;
	bool last = n == r->left.n && roll(&r->dice, 4) > 0;

	if (n == 0 && !last)
		return;
	if (smtp_chunk(&r->m, n, last))
		r->given = last;
	else
		assert_true(r->server.outcomes[r->begun - 1].code > 0);
}

static void
send_text(struct run *r)
{
	struct span piece = some_of(&r->dice, r->left);
	size_t n = piece.n;

	if (r->begun == 0)
		return;
	if (r->chunked && !r->given && !smtp_chunk_open(&r->m)) {
		announce(r);
	} else if (smtp_chunk_open(&r->m) || r->going) {
		smtp_body(&r->m, &piece);
		r->left = span_skip(r->left, n - piece.n);
	}
	assert_true(smtp_out(&r->m).n <= SMTP_OUT_MAX);
	if (r->going && r->left.n == 0 && roll(&r->dice, 2) == 0) {
		assert_true(smtp_dot(&r->m));
		r->going = false;
	}
}

static void
write_some(struct run *r)
{
	struct span out = some_of(&r->dice, smtp_out(&r->m));

	assert_true(buf_add(&r->server.in, out));
	smtp_wrote(&r->m, out.n);
}

static void
on_verdict(struct run *r, const struct smtp_event *e)
{
	unsigned id = r->verdicts++;
	const struct outcome *o = &r->server.outcomes[id];
	char text[32];

	assert_true(id < r->begun);
	assert_int_equal(e->reply->code, o->code);
	assert_int_equal(e->stage, o->stage);
	(void)snprintf(text, sizeof(text), "id %u", id);
	assert_non_null(strstr(e->reply->text, text));
	if (id + 1 == r->begun)
		r->given = true; /* no more of it is wanted */
	r->accepted += e->reply->code / 100 == 2;
}

static void
read_some(struct run *r)
{
	struct span in = some_of(&r->dice, buf_span(&r->server.out));
	struct smtp_event e;
	size_t n = smtp_recv(&r->m, in);

	buf_drop(&r->server.out, n);
	if (!smtp_next(&r->m, &e))
		return;
	assert_false(r->error);
	if (e.kind == SMTP_EV_VERDICT)
		on_verdict(r, &e);
	else if (e.kind == SMTP_EV_GO)
		r->going = true;
	else if (e.kind == SMTP_EV_ERROR)
		r->error = true;
	else
		assert_int_equal(e.kind, SMTP_EV_READY);
}

static void
start(struct run *r, uint64_t seed)
{
	static const unsigned rates[] = { 0, 3, 10, 40 };
	static const unsigned chunked[] = { 0, 1, 1, 2 };
	struct server *s = &r->server;

	*r = (struct run){ .dice.state = seed * 7919 + 1 };
	for (int i = 0; i < 20; i++)
		(void)roll(&r->dice, 2);
	*s = (struct server){ .dice.state = r->dice.state + 1, .seed = seed };
	buf_init(&s->in, 1 << 20);
	buf_init(&s->out, 1 << 20);
	buf_init(&s->content, 1 << 20);
	s->pipelining = roll(&r->dice, 8) > 0;
	s->chunking = roll(&r->dice, 5) > 0;
	s->takes_any_rcpt = roll(&r->dice, 4) == 0;
	s->forgets_refused_chunk = roll(&r->dice, 4) == 0;
	s->ends_at_refused_last = roll(&r->dice, 2) == 0;
	s->refuses_one_in = rates[roll(&r->dice, 4)];
	s->replies_left =
	    roll(&r->dice, 3) == 0 ? roll(&r->dice, 150) : UINT32_MAX;
	r->messages = 1 + roll(&r->dice, MESSAGES_MAX);
	r->window = 1 + roll(&r->dice, roll(&r->dice, 2) > 0 ? 4 : 70);
	r->chunked_one_in = chunked[roll(&r->dice, 4)];
	assert_true(smtp_init(&r->m, "me", true));
	smtp_wrote(&r->m, smtp_out(&r->m).n);
	buf_addf(&s->out, "250-me\r\n%s%s250 SIZE\r\n",
	    s->pipelining ? "250-PIPELINING\r\n" : "",
	    s->chunking ? "250-CHUNKING\r\n" : "");
}

/* What the server accepted has that verdict, or was not answered in a way that
 * can be understood. */
static void
finish(struct run *r)
{
	struct server *s = &r->server;
	unsigned accepted = 0;

	for (unsigned i = 0; i < MESSAGES_MAX; i++)
		accepted += s->accepted[i];
	if (r->error)
		assert_true(s->out_of_step && accepted >= r->accepted);
	else
		assert_int_equal(accepted, r->accepted);
	if (s->mode == GONE && !r->error)
		assert_true(smtp_closed(&r->m) && r->verdicts == s->id + 1);
	smtp_free(&r->m);
	buf_free(&s->in);
	buf_free(&s->out);
	buf_free(&s->content);
	free(r->text.p);
}

static bool
is_over(const struct run *r)
{
	return smtp_closed(&r->m) ||
	       (r->verdicts == r->messages && smtp_idle(&r->m));
}

static void
play(uint64_t seed)
{
	struct run r;
	unsigned steps = 0;

	start(&r, seed);
	while (!is_over(&r)) {
		/* It never stands still. */
		assert_true(steps++ < 1000000);
		switch (roll(&r.dice, 6)) {
		case 0:
			send_mail(&r);
			break;
		case 1:
		case 2:
			send_text(&r);
			break;
		case 3:
			write_some(&r);
			break;
		case 4:
			serve(&r.server);
			break;
		default:
			read_some(&r);
			break;
		}
	}
	finish(&r);
}

static void
test_model(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= RUNS; seed++)
		play(seed);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
	};

	return cmocka_run_group_tests_name("smtp_model", tests, NULL, NULL);
}
