/* SPDX-License-Identifier: ISC */
#include "proto/starttls.h"

#define LINE_MAX_BYTES 4096
#define OUT_MAX 512

enum stage {
	AWAIT_GREETING,
	AWAIT_EHLO,
	AWAIT_STARTTLS,
	READY,
	FAILED,
	STAGES
};

static const struct {
	const char *phrase;
	enum wait_class wait;
	const char *refused; /* what a reply that is no success means */
} stages[] = {
	{ "greeting", WAIT_GREETING, "the server refused the connection" },
	{ "EHLO", WAIT_COMMAND, "the server refused EHLO" },
	{ "STARTTLS", WAIT_COMMAND, "the server refused STARTTLS" },
	{ "TLS", WAIT_NONE, NULL },
	{ NULL, WAIT_NONE, NULL },
};
_Static_assert(sizeof(stages) / sizeof(stages[0]) == STAGES, "a row per stage");

bool
starttls_init(struct starttls *s, const char *ehlo)
{
	struct span name = span_str(ehlo);

	*s = (struct starttls){ .state = AWAIT_GREETING };
	line_init(&s->line, LINE_MAX_BYTES);
	buf_init(&s->out, OUT_MAX);
	if (name.n == 0 || name.n >= sizeof(s->ehlo) || !span_is_visible(name))
		return false;
	memcpy(s->ehlo, name.p, name.n);
	return true;
}

void
starttls_free(struct starttls *s)
{
	line_free(&s->line);
	buf_free(&s->out);
}

static void
fail(struct starttls *s, const char *error)
{
	s->failed_at = s->state;
	s->state = FAILED;
	s->error = error;
	buf_drop(&s->out, s->out.len);
}

static void
refuse(struct starttls *s)
{
	s->code = s->reply.code;
	s->refused_for_now = s->code / 100 == 4;
	fail(s, stages[s->state].refused);
}

/* One complete reply.  There is no second way: no HELO after a refused EHLO,
 * no mail without TLS. */
static void
take_reply(struct starttls *s)
{
	bool good = s->reply.code / 100 == 2;

	if (s->state == AWAIT_STARTTLS)
		good = s->reply.code == 220;
	if (s->out.len > 0) {
		fail(s, "the server answered before it was asked");
	} else if (!good) {
		refuse(s);
	} else if (s->state == AWAIT_GREETING) {
		s->state = AWAIT_EHLO;
		buf_addf(&s->out, "EHLO %s\r\n", s->ehlo);
	} else if (s->state == AWAIT_STARTTLS) {
		s->state = READY;
	} else if (!s->offered) {
		fail(s, "the server does not offer STARTTLS");
	} else {
		s->state = AWAIT_STARTTLS;
		buf_addf(&s->out, "STARTTLS\r\n");
	}
}

static void
take_line(struct starttls *s, struct span line)
{
	struct span rest = span_skip(line, 4);
	enum smtp_reply_status status;

	status = smtp_reply_feed(&s->reply, line);
	/* The first line of a reply to EHLO is a greeting, not a keyword. */
	if (s->state == AWAIT_EHLO && s->reply.lines > 1 &&
	    span_iis(span_cut(&rest, ' '), "STARTTLS"))
		s->offered = true;
	if (status == SMTP_REPLY_BAD)
		fail(s, "what the server said is not SMTP");
	if (status != SMTP_REPLY_DONE)
		return;
	take_reply(s);
	if (s->state == AWAIT_EHLO || s->state == AWAIT_STARTTLS)
		smtp_reply_reset(&s->reply);
}

enum starttls_status
starttls_recv(struct starttls *s, struct span in)
{
	struct span line;

	while (in.n > 0 && s->state < READY) {
		enum line_status status = line_next(&s->line, &in, &line);

		if (status == LINE_DONE)
			take_line(s, line);
		else if (status == LINE_TOO_LONG)
			fail(s, "what the server said is too long");
	}
	if (s->state == READY && in.n > 0) {
		s->injected = true;
		fail(s, "bytes came behind the reply to STARTTLS");
	}
	if (s->state == FAILED)
		return STARTTLS_FAILED;
	return s->state == READY ? STARTTLS_READY : STARTTLS_WAIT;
}

struct span
starttls_out(const struct starttls *s)
{
	return buf_span(&s->out);
}

void
starttls_wrote(struct starttls *s, size_t n)
{
	buf_drop(&s->out, n);
}

enum wait_class
starttls_wait_class(const struct starttls *s)
{
	return stages[s->state].wait;
}

const char *
starttls_phase(const struct starttls *s)
{
	return stages[s->state == FAILED ? s->failed_at : s->state].phrase;
}
