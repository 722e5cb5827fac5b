/* SPDX-License-Identifier: ISC */
/*
 * Replies are matched to what was sent by a queue of the stages that are due.
 * The table below says for each stage how a person calls it, how long its
 * reply is waited for, and which function takes the reply.
 *
 * The dot is written in two places only: smtp_dot(), and take_data() for the
 * data of a transaction that has no recipient.
 */
#include "proto/smtp.h"

#include <inttypes.h>

#include "proto/sasl_list.h"

#define DOT_ROOM 5       /* CRLF.CRLF: kept free, so that the dot has room */
#define FLIGHT_ROOM 2048 /* RSET, MAIL, RCPT and DATA at their longest */

enum {
	IDLE,
	CHALLENGED, /* AUTH goes on with smtp_auth_line() */
	COMMANDS,   /* RSET, MAIL, RCPT, DATA are on their way */
	BODY,       /* between 354 and the dot */
	ENDING,     /* the dot was given out: the outcome is the server's */
	CLOSED,     /* nothing more is written, and what comes is dropped */
	BROKEN,     /* out of step: nothing more is read either */
};

static void take_greeting(struct smtp *m);
static void take_ehlo(struct smtp *m);
static void take_auth(struct smtp *m);
static void take_envelope(struct smtp *m);
static void take_data(struct smtp *m);
static void take_early(struct smtp *m);
static void take_dot(struct smtp *m);
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
	    WAIT_DOT, take_dot },
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
	return m->state == BODY ? SMTP_BODY : SMTP_STAGES;
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
	m->count = 0;
	buf_drop(&m->out, m->out.len);
}

static void
out_of_step(struct smtp *m, const char *why)
{
	emit(m, SMTP_EV_ERROR, &m->reply);
	m->event.text = span_str(why);
	stop(m, BROKEN);
}

static void
push(struct smtp *m, enum smtp_stage stage)
{
	m->queue[(m->head + m->count++) % SMTP_WINDOW] = stage;
}

/* --- commands ------------------------------------------------------------ */

static bool
asks_report(const struct smtp *m)
{
	return m->caps.dsn && m->envid[0] != '\0';
}

static void
send_mail_from(struct smtp *m)
{
	const struct smtp_envelope *e = &m->envelope;

	buf_addf(&m->out, "MAIL FROM:<%s>", m->sender);
	if (m->caps.size && e->size > 0)
		buf_addf(&m->out, " SIZE=%" PRIu64, e->size);
	if (e->eight_bit)
		buf_addf(&m->out, " BODY=8BITMIME");
	if (e->utf8)
		buf_addf(&m->out, " SMTPUTF8");
	if (asks_report(m))
		buf_addf(&m->out, " RET=HDRS ENVID=%s", m->envid);
	buf_addf(&m->out, "\r\n");
}

static void
send_rcpt_to(struct smtp *m)
{
	buf_addf(&m->out, "RCPT TO:<%s>", m->recipient);
	if (asks_report(m))
		buf_addf(&m->out, " NOTIFY=%s",
		    m->envelope.no_report ? "NEVER" : "FAILURE");
	buf_addf(&m->out, "\r\n");
}

static void
send_command(struct smtp *m, enum smtp_stage stage)
{
	if (stage == SMTP_MAIL)
		send_mail_from(m);
	else if (stage == SMTP_RCPT)
		send_rcpt_to(m);
	else if (stage == SMTP_EHLO)
		buf_addf(&m->out, "EHLO %s\r\n", m->ehlo);
	else
		buf_addf(&m->out, "%s\r\n", stages[stage].name);
	push(m, stage);
}

bool
smtp_init(struct smtp *m, const char *ehlo, bool greeted)
{
	struct span name = span_str(ehlo);

	*m = (struct smtp){ .state = IDLE };
	line_init(&m->line, SMTP_LINE_MAX);
	buf_init(&m->out, SMTP_OUT_MAX);
	if (name.n == 0 || name.n >= sizeof(m->ehlo) || !span_is_visible(name))
		return false;
	memcpy(m->ehlo, name.p, name.n);
	if (greeted)
		send_command(m, SMTP_EHLO);
	else
		push(m, SMTP_GREETING);
	return true;
}

void
smtp_free(struct smtp *m)
{
	line_free(&m->line);
	buf_free(&m->out);
}

/* The secret part is added without a formatter, which might keep a copy. */
static bool
send_auth(struct smtp *m, const char *verb, struct span secret)
{
	if (!span_is_visible(secret) ||
	    strlen(verb) + secret.n + 2 > buf_room(&m->out))
		return false;
	m->out.secret = true;
	buf_add(&m->out, span_str(verb));
	buf_add(&m->out, secret);
	buf_add(&m->out, span_str("\r\n"));
	push(m, SMTP_AUTH);
	return true;
}

bool
smtp_auth(struct smtp *m, const char *mechanism, struct span initial)
{
	struct span name = span_str(mechanism);
	char verb[64] = "AUTH ";
	size_t at = strlen(verb);

	if (!smtp_idle(m) || m->authenticated || !span_is_visible(name) ||
	    at + name.n + 2 > sizeof(verb))
		return false;
	memcpy(verb + at, name.p, name.n);
	if (initial.n > 0)
		verb[at + name.n] = ' ';
	return send_auth(m, verb, initial);
}

bool
smtp_auth_line(struct smtp *m, struct span base64)
{
	if (m->state != CHALLENGED || !send_auth(m, "", base64))
		return false;
	m->state = IDLE;
	return true;
}

/* Our own configured address: what would need quoting is refused. */
static bool
keep_address(char *dst, size_t cap, struct span a, bool utf8)
{
	if (a.n >= cap)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		bool eight_bit = (unsigned char)a.p[i] >= 0x80;

		if (eight_bit ? !utf8 : !span_is_visible(span_make(a.p + i, 1)))
			return false;
		if (a.p[i] == '<' || a.p[i] == '>')
			return false;
		dst[i] = a.p[i];
	}
	dst[a.n] = '\0';
	return true;
}

/* What would have to be written as xtext (RFC 3461 section 4) is refused. */
static bool
keep_envid(struct smtp *m, struct span id)
{
	if (id.n > SMTP_ENVID_MAX)
		return false;
	for (size_t i = 0; i < id.n; i++) {
		char c = ascii_lower(id.p[i]);

		if ((c < 'a' || c > 'z') && !ascii_is_digit(c))
			return false;
		m->envid[i] = id.p[i];
	}
	m->envid[id.n] = '\0';
	return true;
}

static bool
begin(struct smtp *m, const struct smtp_envelope *e, bool trial)
{
	if (!smtp_idle(m) || e->recipient.n == 0 ||
	    buf_room(&m->out) < FLIGHT_ROOM ||
	    !keep_address(m->sender, sizeof(m->sender), e->sender, e->utf8) ||
	    !keep_address(
		m->recipient, sizeof(m->recipient), e->recipient, e->utf8) ||
	    !keep_envid(m, e->envid))
		return false;
	m->envelope = *e;
	m->trial = trial;
	m->refused = m->recipient_taken = m->ignore_dot = false;
	m->state = COMMANDS;
	if (m->need_rset)
		send_command(m, SMTP_RSET);
	if (!m->need_rset || m->caps.pipelining)
		send_command(m, SMTP_MAIL);
	m->need_rset = false;
	if (m->caps.pipelining) {
		send_command(m, SMTP_RCPT);
		send_command(m, m->trial ? SMTP_RSET : SMTP_DATA);
	}
	return true;
}

bool
smtp_mail(struct smtp *m, const struct smtp_envelope *e)
{
	return begin(m, e, false);
}

bool
smtp_try(struct smtp *m, const struct smtp_envelope *e)
{
	return !m->need_rset && begin(m, e, true);
}

/* What is given to the encoder at a time fits even if it comes out whole; a
 * dot that is put in is a step of its own. */
void
smtp_body(struct smtp *m, struct span *in)
{
	while (m->state == BODY && in->n > 0 && buf_room(&m->out) > DOT_ROOM) {
		size_t room = buf_room(&m->out) - DOT_ROOM;
		size_t n = in->n < room ? in->n : room;
		struct span piece = span_make(in->p, n), stuffed;

		dot_encode(&m->dot, &piece, &stuffed);
		buf_add(&m->out, stuffed);
		*in = span_skip(*in, n - piece.n);
	}
}

/* Some bytes of a reply have come, but not all. */
static bool
reply_begun(const struct smtp *m)
{
	return (m->reply.lines > 0 && !m->reply_done) ||
	       (m->line.part.len > 0 && !m->line.returned);
}

bool
smtp_dot(struct smtp *m)
{
	if (m->state != BODY || reply_begun(m))
		return false;
	buf_add(&m->out, dot_encode_end(&m->dot));
	push(m, SMTP_DOT);
	m->state = ENDING;
	return true;
}

bool
smtp_quit(struct smtp *m)
{
	if (!smtp_idle(m))
		return false;
	send_command(m, SMTP_QUIT);
	return true;
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
		send_command(m, SMTP_EHLO);
		return;
	}
	emit(m, SMTP_EV_REFUSED, &m->reply);
	stop(m, CLOSED);
}

/* No HELO when EHLO is refused: without AUTH there is nothing to say. */
static void
take_ehlo(struct smtp *m)
{
	m->ready = reply_class(m) == 2;
	emit(m, m->ready ? SMTP_EV_READY : SMTP_EV_REFUSED, &m->reply);
	if (!m->ready)
		stop(m, CLOSED);
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
		m->state = CHALLENGED;
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
		stop(m, CLOSED);
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

static void
refuse(struct smtp *m)
{
	m->stage = m->decisive_stage;
	emit(m, SMTP_EV_VERDICT, &m->decisive);
	m->state = IDLE;
	m->need_rset = true;
}

/* Behind a refusal: a 421 ends the connection and with it all that was sent
 * behind; else the other replies of the flight are still to come. */
static void
go_on_refused(struct smtp *m)
{
	if (m->reply.code != 421 && m->count > 0)
		return;
	refuse(m);
	if (m->reply.code == 421)
		stop(m, CLOSED);
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
	if (reply_class(m) != 2)
		go_on_refused(m);
	else if (m->count == 0 && m->stage == SMTP_MAIL)
		send_command(m, SMTP_RCPT);
	else if (m->count == 0)
		send_command(m, m->trial ? SMTP_RSET : SMTP_DATA);
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
		m->ignore_dot = true;
		buf_add(&m->out, span_str(".\r\n"));
		push(m, SMTP_DOT);
	} else {
		dot_encode_init(&m->dot);
		m->state = BODY;
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
	stop(m, CLOSED);
}

static void
take_dot(struct smtp *m)
{
	if (reply_class(m) == 3) {
		out_of_step(m, "an answer that the end of data does not have");
	} else if (reply_class(m) == 2 && !m->ignore_dot) {
		emit(m, SMTP_EV_VERDICT, &m->reply);
		m->state = IDLE;
	} else {
		note_refusal(m);
		go_on_refused(m);
	}
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
	m->state = IDLE;
	if (reply_class(m) != 2)
		stop(m, CLOSED);
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
		send_command(m, SMTP_MAIL);
	}
}

static void
take_quit(struct smtp *m)
{
	emit(m, SMTP_EV_BYE, &m->reply);
	stop(m, CLOSED);
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
		stop(m, CLOSED);
		return;
	}
	if (m->count > 0) {
		m->head = (m->head + 1) % SMTP_WINDOW;
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

	if (m->state == CLOSED && !m->have_event)
		return in.n;
	while (m->state < CLOSED && !m->have_event) {
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
	if (m->out.len == 0)
		m->out.secret = false;
}

bool
smtp_idle(const struct smtp *m)
{
	return m->ready && m->state == IDLE && m->count == 0 && !m->have_event;
}

/* Half a reply that nobody asked for: its rest is due like any other. */
enum wait_class
smtp_wait_class(const struct smtp *m)
{
	enum smtp_stage stage = due(m);

	if (stage != SMTP_STAGES)
		return stages[stage].wait;
	return m->state < CLOSED && reply_begun(m) ? WAIT_COMMAND : WAIT_NONE;
}

const char *
smtp_phase(const struct smtp *m)
{
	enum smtp_stage stage = due(m);

	return stage != SMTP_STAGES ? stages[stage].phrase : "idle";
}

const char *
smtp_stage_name(enum smtp_stage stage)
{
	return stage < SMTP_STAGES ? stages[stage].name : "idle";
}
