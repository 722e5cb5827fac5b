/* SPDX-License-Identifier: ISC */
/*
 * What is written: commands, bodies and ends of messages.
 *
 * The end of a message is written in three places only: smtp_dot(),
 * smtp_chunk(), and smtp_send_dot() for the data of a transaction that has no
 * recipient.
 */
#include "proto/smtp_private.h"

#include <inttypes.h>

#define DOT_ROOM 5    /* CRLF.CRLF: kept free, so that the dot has room */
#define CHUNK_ROOM 40 /* BDAT n LAST: the same */
#define OUT_LOW (SMTP_OUT_MAX / 4)
#define FLIGHT_ROOM 2048 /* RSET, MAIL, RCPT, and DATA or BDAT: the most */
#define FLIGHT_DUE 4     /* their replies */

void
smtp_due(struct smtp *m, enum smtp_stage stage)
{
	m->queue[(m->head + m->count++) % SMTP_DUE_MAX] = (unsigned char)stage;
}

static void
put(struct smtp *m, const char *s)
{
	buf_add(&m->out, span_str(s));
}

static bool
asks_report(const struct smtp *m)
{
	return m->caps.dsn && m->envid[0] != '\0';
}

static void
put_mail_from(struct smtp *m)
{
	const struct smtp_envelope *e = &m->envelope;

	put(m, "MAIL FROM:<");
	put(m, m->sender);
	put(m, ">");
	if (m->caps.size && e->size > 0)
		buf_addf(&m->out, " SIZE=%" PRIu64, e->size);
	if (e->eight_bit)
		put(m, " BODY=8BITMIME");
	if (e->utf8)
		put(m, " SMTPUTF8");
	if (!asks_report(m))
		return;
	put(m, " RET=HDRS ENVID=");
	put(m, m->envid);
}

static void
put_rcpt_to(struct smtp *m)
{
	put(m, "RCPT TO:<");
	put(m, m->recipient);
	put(m, ">");
	if (asks_report(m))
		put(m, m->envelope.no_report ? " NOTIFY=NEVER"
					     : " NOTIFY=FAILURE");
}

void
smtp_send(struct smtp *m, enum smtp_stage stage)
{
	if (stage == SMTP_MAIL) {
		put_mail_from(m);
	} else if (stage == SMTP_RCPT) {
		put_rcpt_to(m);
	} else if (stage == SMTP_EHLO) {
		put(m, "EHLO ");
		put(m, m->ehlo);
	} else {
		put(m, smtp_stage_name(stage));
	}
	put(m, "\r\n");
	smtp_due(m, stage);
}

/* The secret part is added without a formatter, which might keep a copy. */
static bool
send_auth(struct smtp *m, const char *verb, struct span secret)
{
	if (!span_is_visible(secret) ||
	    strlen(verb) + secret.n + 2 > buf_room(&m->out))
		return false;
	m->out.secret = true;
	put(m, verb);
	buf_add(&m->out, secret);
	put(m, "\r\n");
	smtp_due(m, SMTP_AUTH);
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
	if (m->state != SMTP_STATE_CHALLENGED || !send_auth(m, "", base64))
		return false;
	m->state = SMTP_STATE_IDLE;
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

bool
smtp_can_chunk(const struct smtp *m)
{
	return m->caps.chunking && m->caps.pipelining;
}

/* All of those before is given, and they are not answered yet. */
static bool
can_overlap(const struct smtp *m)
{
	return m->caps.pipelining && m->state == SMTP_STATE_IDLE &&
	       m->missing == 0 && m->open > 0 && m->open < SMTP_OPEN_MAX &&
	       m->count + FLIGHT_DUE <= SMTP_DUE_MAX;
}

bool
smtp_can_mail(const struct smtp *m)
{
	return (smtp_idle(m) || can_overlap(m)) &&
	       buf_room(&m->out) >= FLIGHT_ROOM;
}

/* A transaction that failed, or that may yet fail, can still be open at the
 * server: our MAIL would be nested in it.  A dot ends one whatever the answer,
 * the last chunk does not if another was refused. */
static bool
needs_rset(const struct smtp *m)
{
	return m->open > 0 ? m->envelope.chunked : m->failed;
}

static void
send_flight(struct smtp *m, bool reset)
{
	if (reset)
		smtp_send(m, SMTP_RSET);
	if (!reset || m->caps.pipelining)
		smtp_send(m, SMTP_MAIL);
	if (!m->caps.pipelining)
		return;
	smtp_send(m, SMTP_RCPT);
	if (!m->envelope.chunked)
		smtp_send(m, m->trial ? SMTP_RSET : SMTP_DATA);
}

static bool
begin(struct smtp *m, const struct smtp_envelope *e, bool trial)
{
	bool reset = needs_rset(m);

	if (!smtp_can_mail(m) || e->recipient.n == 0 ||
	    (e->chunked && !smtp_can_chunk(m)) ||
	    !keep_address(m->sender, sizeof(m->sender), e->sender, e->utf8) ||
	    !keep_address(
		m->recipient, sizeof(m->recipient), e->recipient, e->utf8) ||
	    !keep_envid(m, e->envid))
		return false;
	m->envelope = *e;
	m->trial = trial;
	m->state = e->chunked ? SMTP_STATE_CHUNKS : SMTP_STATE_COMMANDS;
	m->begun++;
	m->open++;
	send_flight(m, reset);
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
	return smtp_idle(m) && !m->failed && !e->chunked && begin(m, e, true);
}

/* What is given to the encoder at a time fits even if it comes out whole; a
 * dot that is put in is a step of its own. */
static void
stuff(struct smtp *m, struct span *in)
{
	while (in->n > 0 && buf_room(&m->out) > DOT_ROOM) {
		size_t room = buf_room(&m->out) - DOT_ROOM;
		size_t n = in->n < room ? in->n : room;
		struct span piece = span_make(in->p, n), stuffed;

		dot_encode(&m->dot, &piece, &stuffed);
		buf_add(&m->out, stuffed);
		*in = span_skip(*in, n - piece.n);
	}
}

/* Room is left for the announcement of the next chunk. */
static void
fill(struct smtp *m, struct span *in)
{
	size_t room = buf_room(&m->out);
	size_t n = in->n < m->missing ? in->n : (size_t)m->missing;

	room = room > CHUNK_ROOM ? room - CHUNK_ROOM : 0;
	if (n > room)
		n = room;
	buf_add(&m->out, span_make(in->p, n));
	*in = span_skip(*in, n);
	m->missing -= n;
}

/* A buffer that was full is drained first: to top it up after each write would
 * be to move most of it each time. */
void
smtp_body(struct smtp *m, struct span *in)
{
	if (m->out.len > OUT_LOW && m->full)
		return;
	if (m->missing > 0)
		fill(m, in);
	else if (m->state == SMTP_STATE_BODY)
		stuff(m, in);
	m->full = buf_room(&m->out) <= CHUNK_ROOM;
}

/* The end of the newest transaction, n bytes of data behind what is queued. */
static void
due_end(struct smtp *m, enum smtp_stage stage, uint64_t n)
{
	*smtp_end(m, 1) = m->written + m->out.len + n;
	smtp_due(m, stage);
}

bool
smtp_chunk(struct smtp *m, uint64_t n, bool last)
{
	bool refused =
	    m->open == 1 && m->refused; /* the newest is the oldest */
	bool room = m->count + (last ? 0 : 1) < SMTP_DUE_MAX;

	if (m->state != SMTP_STATE_CHUNKS || m->missing > 0 || refused ||
	    !room || (n == 0 && !last))
		return false;
	buf_addf(&m->out, "BDAT %" PRIu64 "%s\r\n", n, last ? " LAST" : "");
	m->missing = n;
	if (!last) {
		smtp_due(m, SMTP_CHUNK);
		return true;
	}
	due_end(m, SMTP_LAST, n);
	m->state = SMTP_STATE_IDLE;
	return true;
}

bool
smtp_chunk_open(const struct smtp *m)
{
	return m->missing > 0;
}

bool
smtp_dot(struct smtp *m)
{
	if (m->state != SMTP_STATE_BODY || smtp_reply_begun(m))
		return false;
	buf_add(&m->out, dot_encode_end(&m->dot));
	due_end(m, SMTP_DOT, 0);
	m->state = SMTP_STATE_IDLE;
	return true;
}

bool
smtp_quit(struct smtp *m)
{
	if (!smtp_idle(m))
		return false;
	smtp_send(m, SMTP_QUIT);
	return true;
}

void
smtp_send_dot(struct smtp *m)
{
	put(m, ".\r\n");
	due_end(m, SMTP_DOT, 0);
}
