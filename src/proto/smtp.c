/* SPDX-License-Identifier: ISC */
/*
 * Replies are matched to what was sent by a queue of the stages that are due.
 * The table below says for each stage how a person calls it, how long its
 * reply is waited for, and which function takes the reply.
 */
#include "proto/smtp_private.h"

#include "proto/sasl_list.h"

static void take_greeting(struct smtp *m);
static void take_ehlo(struct smtp *m);
static void take_auth(struct smtp *m);
static void take_envelope(struct smtp *m);
static void take_data(struct smtp *m);
static void take_early(struct smtp *m);
static void take_end(struct smtp *m);
static void take_chunk(struct smtp *m);
static void take_rset(struct smtp *m);
static void take_quit(struct smtp *m);

/* In the order of enum smtp_stage. */
static const struct {
	const char *name; /* also the verb of a command without arguments */
	const char *phrase;
	enum wait_class wait;
	void (*take)(struct smtp *m);
} stages[] = {
	{ "greeting", "greeting", WAIT_GREETING, take_greeting },
	{ "EHLO", "EHLO", WAIT_COMMAND, take_ehlo },
	{ "AUTH", "login", WAIT_LOGIN, take_auth },
	{ "MAIL", "MAIL", WAIT_COMMAND, take_envelope },
	{ "RCPT", "RCPT", WAIT_COMMAND, take_envelope },
	{ "DATA", "DATA", WAIT_DATA, take_data },
	{ "body", "sending the message", WAIT_BODY, take_early },
	{ "end of data", "end of data (message may be sent more than once)",
	    WAIT_DOT, take_end },
	{ "BDAT", "BDAT", WAIT_DATA, take_chunk },
	{ "BDAT LAST", "end of data (message may be sent more than once)",
	    WAIT_DOT, take_end },
	{ "RSET", "RSET", WAIT_COMMAND, take_rset },
	{ "QUIT", "QUIT", WAIT_QUIT, take_quit },
};
_Static_assert(
    sizeof(stages) / sizeof(stages[0]) == SMTP_STAGES, "a row per stage");

static enum smtp_stage
due(const struct smtp *m)
{
	if (m->count > 0)
		return m->queue[m->head];
	return m->open > 0 ? SMTP_BODY : SMTP_STAGES;
}

static void
emit(struct smtp *m, enum smtp_event_kind kind, const struct smtp_reply *reply)
{
	m->event = (struct smtp_event){
		.kind = kind, .stage = m->stage, .reply = reply
	};
	m->have_event = true;
}

/* Nothing more may reach the wire, not even what waits for it already. */
static void
stop(struct smtp *m, unsigned state)
{
	m->state = state;
	m->count = m->open = 0;
	m->missing = 0;
	buf_drop(&m->out, m->out.len);
}

static void
out_of_step(struct smtp *m, const char *why)
{
	emit(m, SMTP_EV_ERROR, &m->reply);
	m->event.text = span_str(why);
	stop(m, SMTP_STATE_BROKEN);
}

bool
smtp_reply_begun(const struct smtp *m)
{
	return (m->reply.lines > 0 && !m->reply_done) ||
	       (m->line.part.len > 0 && !m->line.returned);
}

bool
smtp_init(struct smtp *m, const char *ehlo, bool greeted)
{
	struct span name = span_str(ehlo);

	*m = (struct smtp){ .state = SMTP_STATE_IDLE };
	line_init(&m->line, SMTP_LINE_MAX);
	buf_init(&m->out, SMTP_OUT_MAX);
	if (name.n == 0 || name.n >= sizeof(m->ehlo) || !span_is_visible(name))
		return false;
	memcpy(m->ehlo, name.p, name.n);
	if (greeted)
		smtp_send(m, SMTP_EHLO);
	else
		smtp_due(m, SMTP_GREETING);
	return true;
}

void
smtp_free(struct smtp *m)
{
	line_free(&m->line);
	buf_free(&m->out);
}

/* --- replies ------------------------------------------------------------- */

static unsigned
reply_class(const struct smtp *m)
{
	return m->reply.code / 100;
}

static void
take_greeting(struct smtp *m)
{
	if (reply_class(m) == 2) {
		smtp_send(m, SMTP_EHLO);
		return;
	}
	emit(m, SMTP_EV_REFUSED, &m->reply);
	stop(m, SMTP_STATE_CLOSED);
}

/* No HELO when EHLO is refused: without AUTH there is nothing to say. */
static void
take_ehlo(struct smtp *m)
{
	m->ready = reply_class(m) == 2;
	emit(m, m->ready ? SMTP_EV_READY : SMTP_EV_REFUSED, &m->reply);
	if (!m->ready)
		stop(m, SMTP_STATE_CLOSED);
}

static bool
is_base64(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if ((c < 'a' || c > 'z') && !ascii_is_digit(c) && c != '+' &&
		    c != '/' && c != '=')
			return false;
	}
	return true;
}

static void
take_auth(struct smtp *m)
{
	struct span challenge = span_skip(m->last, 4);

	if (m->reply.code == 334) {
		if (m->reply.lines > 1 || !is_base64(challenge)) {
			out_of_step(m, "a challenge that is not base64");
			return;
		}
		m->state = SMTP_STATE_CHALLENGED;
		emit(m, SMTP_EV_CHALLENGE, &m->reply);
		m->event.text = challenge;
		return;
	}
	if (reply_class(m) == 3) {
		out_of_step(m, "an answer that AUTH does not have");
		return;
	}
	m->authenticated = reply_class(m) == 2;
	emit(m, SMTP_EV_AUTH, &m->reply);
	if (m->reply.code == 421)
		stop(m, SMTP_STATE_CLOSED);
}

/* The first refusal decides; those behind it only follow from it. */
static void
note_refusal(struct smtp *m)
{
	if (m->refused)
		return;
	m->refused = true;
	m->decisive = m->reply;
	m->decisive_stage = m->stage;
}

/* The oldest transaction has its verdict. */
static void
end_transaction(struct smtp *m, bool failed)
{
	m->open--;
	m->failed = failed;
	m->refused = m->recipient_taken = m->trial = false;
	if (m->open == 0)
		m->state = SMTP_STATE_IDLE;
}

static void
refuse(struct smtp *m)
{
	m->stage = m->decisive_stage;
	emit(m, SMTP_EV_VERDICT, &m->decisive);
	end_transaction(m, true);
}

/* All replies that the oldest transaction can have now are in. */
static bool
is_answered(const struct smtp *m)
{
	enum smtp_stage next = due(m);

	return m->count == 0 ||
	       (!m->trial && (next == SMTP_RSET || next == SMTP_MAIL));
}

/* Behind a refusal: a 421 ends the connection and with it all that was sent
 * behind; else the other replies of the transaction are still to come. */
static void
go_on_refused(struct smtp *m)
{
	bool leaving = m->reply.code == 421;

	if (!leaving && !is_answered(m))
		return;
	refuse(m);
	if (leaving)
		stop(m, SMTP_STATE_CLOSED);
}

static void
take_recipient(struct smtp *m)
{
	m->recipient_taken = true;
	if (m->refused || !m->trial)
		return;
	m->decisive = m->reply;
	m->decisive_stage = m->stage;
}

/* One by one: the next command of a transaction that goes well. */
static void
send_next(struct smtp *m)
{
	if (m->state != SMTP_STATE_COMMANDS || m->count > 0)
		return;
	if (m->stage == SMTP_MAIL)
		smtp_send(m, SMTP_RCPT);
	else
		smtp_send(m, m->trial ? SMTP_RSET : SMTP_DATA);
}

/* MAIL and RCPT.  With PIPELINING the next command has been sent. */
static void
take_envelope(struct smtp *m)
{
	if (reply_class(m) == 3) {
		out_of_step(m, "an answer that only DATA has");
		return;
	}
	if (reply_class(m) != 2)
		note_refusal(m);
	else if (m->stage == SMTP_RCPT)
		take_recipient(m);
	if (m->refused)
		go_on_refused(m);
	else
		send_next(m);
}

/* 354 to a transaction without a recipient is ended by a lone dot, which can
 * reach nobody.  With a recipient behind a refused MAIL it could. */
static void
take_data(struct smtp *m)
{
	if (reply_class(m) == 2 ||
	    (reply_class(m) == 3 && m->recipient_taken && m->refused)) {
		out_of_step(m, "an answer that does not fit DATA");
	} else if (reply_class(m) != 3) {
		note_refusal(m);
		go_on_refused(m);
	} else if (m->refused) {
		smtp_send_dot(m);
	} else {
		dot_encode_init(&m->dot);
		m->state = SMTP_STATE_BODY;
		emit(m, SMTP_EV_GO, &m->reply);
	}
}

/* A reply while the body is sent.  The data cannot be ended without the dot,
 * and the dot is not to be sent: the connection is of no more use. */
static void
take_early(struct smtp *m)
{
	if (reply_class(m) < 4) {
		out_of_step(m, "an answer to data that has not ended");
		return;
	}
	note_refusal(m);
	refuse(m);
	stop(m, SMTP_STATE_CLOSED);
}

/* With a recipient behind a refused MAIL or a refused chunk, something that is
 * not the message could have reached somebody. */
static void
take_end(struct smtp *m)
{
	bool all_written = *smtp_end(m, m->open) <= m->written;

	if (reply_class(m) == 3) {
		out_of_step(m, "an answer that the end of data does not have");
	} else if (reply_class(m) != 2) {
		note_refusal(m);
		go_on_refused(m);
	} else if (m->refused && m->recipient_taken) {
		out_of_step(m, "a message was accepted that was refused");
	} else if (m->refused) {
		go_on_refused(m);
	} else if (!all_written) {
		out_of_step(m, "an answer to data that has not ended");
	} else {
		emit(m, SMTP_EV_VERDICT, &m->reply);
		end_transaction(m, false);
	}
}

/* A refusal may come before the chunk is written. */
static void
take_chunk(struct smtp *m)
{
	bool early = m->count == 0 && m->missing > 0;

	if (reply_class(m) == 3 || (reply_class(m) == 2 && early)) {
		out_of_step(m, "an answer that does not fit BDAT");
		return;
	}
	if (reply_class(m) != 2)
		note_refusal(m);
	if (m->refused)
		go_on_refused(m);
}

/* The end of a trial: its verdict is in, whatever is said to RSET. */
static void
end_trial(struct smtp *m)
{
	if (m->refused) {
		go_on_refused(m);
		return;
	}
	m->stage = m->decisive_stage;
	emit(m, SMTP_EV_VERDICT, &m->decisive);
	end_transaction(m, false);
	if (reply_class(m) != 2)
		stop(m, SMTP_STATE_CLOSED);
}

static void
take_rset(struct smtp *m)
{
	if (m->trial) {
		end_trial(m);
	} else if (m->reply.code == 421) {
		note_refusal(m);
		go_on_refused(m);
	} else if (reply_class(m) != 2) {
		/* Who knows which recipients that transaction still has. */
		out_of_step(m, "RSET was refused");
	} else if (m->count == 0) {
		smtp_send(m, SMTP_MAIL);
	}
}

static void
take_quit(struct smtp *m)
{
	emit(m, SMTP_EV_BYE, &m->reply);
	stop(m, SMTP_STATE_CLOSED);
}

/* One line of the reply to EHLO: a keyword and its parameters. */
static void
take_keyword(struct smtp_caps *c, struct span rest)
{
	struct span word = span_cut(&rest, ' ');
	uint64_t max;

	c->pipelining |= span_iis(word, "PIPELINING");
	c->eight_bit_mime |= span_iis(word, "8BITMIME");
	c->smtputf8 |= span_iis(word, "SMTPUTF8");
	c->chunking |= span_iis(word, "CHUNKING");
	c->dsn |= span_iis(word, "DSN");
	c->starttls |= span_iis(word, "STARTTLS");
	c->enhanced_codes |= span_iis(word, "ENHANCEDSTATUSCODES");
	if (span_iis(word, "SIZE")) {
		c->size = true;
		if (span_uint(span_cut(&rest, ' '), UINT64_MAX, &max))
			c->size_max = max;
	}
	/* "AUTH=LOGIN" is what servers said before RFC 2554. */
	if (span_istarts(word, "AUTH=")) {
		sasl_list_add(c->sasl, sizeof(c->sasl), span_skip(word, 5));
		word.n = 4;
	}
	while (span_iis(word, "AUTH") && rest.n > 0)
		sasl_list_add(c->sasl, sizeof(c->sasl), span_cut(&rest, ' '));
}

static void
take_reply(struct smtp *m)
{
	if (m->stage == SMTP_STAGES) {
		if (m->reply.code != 421) {
			out_of_step(m, "a reply that nobody asked for");
			return;
		}
		emit(m, SMTP_EV_CLOSING, &m->reply);
		stop(m, SMTP_STATE_CLOSED);
		return;
	}
	if (m->count > 0) {
		m->head = (m->head + 1) % SMTP_DUE_MAX;
		m->count--;
	}
	stages[m->stage].take(m);
}

static void
take_line(struct smtp *m, struct span line)
{
	enum smtp_reply_status status;

	if (m->reply_done)
		smtp_reply_reset(&m->reply);
	status = smtp_reply_feed(&m->reply, line);
	m->reply_done = status == SMTP_REPLY_DONE;
	m->stage = due(m);
	/* The first line of a reply to EHLO is a greeting, not a keyword. */
	if (m->stage == SMTP_EHLO && m->reply.lines > 1)
		take_keyword(&m->caps, span_skip(line, 4));
	m->last = line;
	if (status == SMTP_REPLY_BAD)
		out_of_step(m, "what the server said is not SMTP");
	else if (status == SMTP_REPLY_DONE)
		take_reply(m);
}

size_t
smtp_recv(struct smtp *m, struct span in)
{
	struct span rest = in, line;
	enum line_status status;

	if (m->state == SMTP_STATE_CLOSED && !m->have_event)
		return in.n;
	while (m->state < SMTP_STATE_CLOSED && !m->have_event) {
		status = line_next(&m->line, &rest, &line);
		if (status == LINE_MORE)
			break;
		if (status == LINE_DONE) {
			take_line(m, line);
		} else {
			m->stage = due(m);
			out_of_step(m, "what the server said is too long");
		}
	}
	return in.n - rest.n;
}

/* --- what the owner asks ------------------------------------------------- */

bool
smtp_next(struct smtp *m, struct smtp_event *event_r)
{
	if (!m->have_event)
		return false;
	*event_r = m->event;
	m->have_event = false;
	return true;
}

struct span
smtp_out(const struct smtp *m)
{
	return buf_span(&m->out);
}

void
smtp_wrote(struct smtp *m, size_t n)
{
	buf_drop(&m->out, n);
	m->written += n;
	if (m->out.len == 0)
		m->out.secret = false;
}

bool
smtp_idle(const struct smtp *m)
{
	return m->ready && m->state == SMTP_STATE_IDLE && m->count == 0 &&
	       m->open == 0 && m->missing == 0 && !m->have_event;
}

bool
smtp_closed(const struct smtp *m)
{
	return m->state >= SMTP_STATE_CLOSED;
}

/* The bytes of a chunk are owed even when it was refused. */
static enum smtp_stage
awaited(const struct smtp *m)
{
	enum smtp_stage stage = due(m);

	return stage == SMTP_STAGES && m->missing > 0 ? SMTP_BODY : stage;
}

/* Half a reply that nobody asked for: its rest is due like any other. */
enum wait_class
smtp_wait_class(const struct smtp *m)
{
	enum smtp_stage stage = awaited(m);

	if (stage != SMTP_STAGES)
		return stages[stage].wait;
	return m->state < SMTP_STATE_CLOSED && smtp_reply_begun(m)
	           ? WAIT_COMMAND
	           : WAIT_NONE;
}

const char *
smtp_phase(const struct smtp *m)
{
	enum smtp_stage stage = awaited(m);

	return stage != SMTP_STAGES ? stages[stage].phrase : "idle";
}

const char *
smtp_stage_name(enum smtp_stage stage)
{
	return stage < SMTP_STAGES ? stages[stage].name : "idle";
}
