/* SPDX-License-Identifier: ISC */
/*
 * What a POP3 server may say is one of three things: a status line, the lines
 * of a listing, the bytes of a message.  The command at the head of the queue
 * tells which one is due; anything else is out of step.
 */
#include "proto/pop3.h"

#include "proto/sasl_list.h"

#define NUMBER_MAX INT32_MAX /* of a message; no maildrop has more */

enum reply {
	REPLY_LINE,    /* a status line is all */
	REPLY_LISTING, /* +OK is followed by lines up to "." */
	REPLY_MESSAGE, /* +OK is followed by a message up to CRLF.CRLF */
};

enum argument {
	ARG_NONE,
	ARG_NUMBER,
	ARG_TEXT,
	ARG_SECRET,
};

struct row {
	const char *word;  /* on the wire; NULL: nothing is sent */
	const char *phase; /* for a person */
	enum wait_class wait;
	enum argument argument;
	enum reply reply;
};

/* clang-format off */
static const struct row rows[] = {
	[POP3_GREETING] = { NULL, "greeting", WAIT_GREETING, ARG_TEXT, REPLY_LINE },
	[POP3_CAPA] = { "CAPA", "CAPA", WAIT_COMMAND, ARG_NONE, REPLY_LISTING },
	[POP3_USER] = { "USER", "login", WAIT_LOGIN, ARG_TEXT, REPLY_LINE },
	[POP3_PASS] = { "PASS", "login", WAIT_LOGIN, ARG_SECRET, REPLY_LINE },
	[POP3_AUTH] = { "AUTH", "login", WAIT_LOGIN, ARG_SECRET, REPLY_LINE },
	[POP3_STAT] = { "STAT", "STAT", WAIT_COMMAND, ARG_NONE, REPLY_LINE },
	[POP3_UIDL] = { "UIDL", "UIDL", WAIT_COMMAND, ARG_NONE, REPLY_LISTING },
	[POP3_LIST] = { "LIST", "LIST", WAIT_COMMAND, ARG_NONE, REPLY_LISTING },
	[POP3_RETR] = { "RETR", "RETR", WAIT_COMMAND, ARG_NUMBER, REPLY_MESSAGE },
	[POP3_DELE] = { "DELE", "DELE", WAIT_COMMAND, ARG_NUMBER, REPLY_LINE },
	[POP3_NOOP] = { "NOOP", "NOOP", WAIT_COMMAND, ARG_NONE, REPLY_LINE },
	[POP3_RSET] = { "RSET", "RSET", WAIT_COMMAND, ARG_NONE, REPLY_LINE },
	[POP3_QUIT] = { "QUIT", "QUIT", WAIT_QUIT, ARG_NONE, REPLY_LINE },
	[POP3_TOP] = { "TOP", "TOP", WAIT_COMMAND, ARG_NUMBER, REPLY_MESSAGE },
};
/* clang-format on */
_Static_assert(sizeof(rows) / sizeof(rows[0]) == POP3_COMMANDS,
    "every POP3 command has a row");

enum state { STATE_STATUS, STATE_LISTING, STATE_MESSAGE, STATE_FAILED, STATES };

void
pop3_init(struct pop3 *m)
{
	*m = (struct pop3){ .state = STATE_STATUS, .count = 1 };
	m->queue[0].cmd = POP3_GREETING;
	line_init(&m->line, POP3_LINE_MAX);
	buf_init(&m->out, POP3_OUT_MAX);
}

void
pop3_free(struct pop3 *m)
{
	line_free(&m->line);
	buf_free(&m->out);
}

/* --- what the server says ------------------------------------------------ */

/* An event of the command whose reply is being read. */
static struct pop3_event
new_event(const struct pop3 *m, enum pop3_event_kind kind)
{
	struct pop3_event e = { .kind = kind };

	if (m->count > 0) {
		e.cmd = m->queue[m->head].cmd;
		e.number = m->queue[m->head].number;
	}
	return e;
}

static void
give(struct pop3 *m, const struct pop3_event *e)
{
	m->event = *e;
	m->have_event = true;
}

static void
fail(struct pop3 *m, const char *why)
{
	struct pop3_event e = new_event(m, POP3_EV_ERROR);

	e.text = span_str(why);
	m->state = STATE_FAILED;
	give(m, &e);
}

/* The reply to the oldest command is complete. */
static void
pop(struct pop3 *m)
{
	m->head = (m->head + 1) % POP3_WINDOW;
	m->count--;
	m->challenged = false;
	m->state = STATE_STATUS;
}

static bool
take_line(struct pop3 *m, struct span *in, struct span *line_r)
{
	switch (line_next(&m->line, in, line_r)) {
	case LINE_DONE:
		return true;
	case LINE_TOO_LONG:
		fail(m, "line without an end");
		break;
	case LINE_MORE:
		break;
	}
	return false;
}

/* The first word of *rest, without the one space behind it. */
static struct span
word(struct span *rest)
{
	return span_cut(rest, ' ');
}

static struct span
after_prefix(struct span line, size_t n)
{
	struct span text = span_skip(line, n);

	return text.n > 0 && text.p[0] == ' ' ? span_skip(text, 1) : text;
}

/* Codes are hierarchical (RFC 2449 section 8): SYS/TEMP/QUOTA is a SYS/TEMP. */
static bool
code_is(struct span code, const char *name)
{
	size_t n = strlen(name);

	return span_istarts(code, name) && (code.n == n || code.p[n] == '/');
}

static enum pop3_code
parse_code(struct span text)
{
	static const struct {
		const char *name;
		enum pop3_code code;
	} names[] = {
		{ "AUTH", POP3_CODE_AUTH },
		{ "SYS/TEMP", POP3_CODE_SYS_TEMP },
		{ "SYS/PERM", POP3_CODE_SYS_PERM },
		{ "IN-USE", POP3_CODE_IN_USE },
		{ "LOGIN-DELAY", POP3_CODE_LOGIN_DELAY },
	};
	struct span code;

	if (text.n == 0 || text.p[0] != '[' ||
	    memchr(text.p, ']', text.n) == NULL)
		return POP3_CODE_NONE;
	text = span_skip(text, 1);
	code = span_cut(&text, ']');
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (code_is(code, names[i].name))
			return names[i].code;
	return POP3_CODE_OTHER;
}

/* What +OK begins; the event for the status line is given either way. */
static void
take_ok(struct pop3 *m, struct pop3_event *e)
{
	struct span rest = e->text;

	if (e->cmd == POP3_STAT &&
	    (!span_uint(word(&rest), NUMBER_MAX, &e->count) ||
		!span_uint(word(&rest), INT64_MAX, &e->size))) {
		fail(m, "reply to STAT without two numbers");
		return;
	}
	if (e->cmd == POP3_CAPA)
		m->caps = (struct pop3_caps){ .known = false };
	switch (rows[e->cmd].reply) {
	case REPLY_LINE:
		pop(m);
		break;
	case REPLY_LISTING:
		m->items = m->last = 0;
		m->state = STATE_LISTING;
		break;
	case REPLY_MESSAGE:
		dot_decode_init(&m->dot);
		m->state = STATE_MESSAGE;
		break;
	}
	give(m, e);
}

static void
take_challenge(struct pop3 *m, struct span line)
{
	struct pop3_event e = new_event(m, POP3_EV_CHALLENGE);

	e.text = after_prefix(line, 1);
	m->challenged = true;
	give(m, &e);
}

static void
take_status(struct pop3 *m, struct span *in)
{
	struct pop3_event e = new_event(m, POP3_EV_REPLY);
	struct span line;

	if (m->count == 0) {
		fail(m, "server speaks without being asked");
		return;
	}
	if (!take_line(m, in, &line))
		return;
	if (span_istarts(line, "+OK")) {
		e.ok = true;
		e.text = after_prefix(line, 3);
		take_ok(m, &e);
	} else if (span_istarts(line, "-ERR")) {
		e.text = after_prefix(line, 4);
		e.code = parse_code(e.text);
		pop(m);
		give(m, &e);
	} else if (e.cmd == POP3_AUTH && !m->challenged &&
		   (span_is(line, "+") || span_istarts(line, "+ "))) {
		take_challenge(m, line);
	} else {
		fail(m, "reply is neither +OK nor -ERR");
	}
}

static void
take_capability(struct pop3_caps *caps, struct span line)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "UIDL", &caps->uidl },
		{ "USER", &caps->user },
		{ "PIPELINING", &caps->pipelining },
		{ "TOP", &caps->top },
		{ "RESP-CODES", &caps->resp_codes },
		{ "AUTH-RESP-CODE", &caps->auth_resp_code },
	};
	struct span name = word(&line);
	uint64_t n;

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (span_iis(name, flags[i].name))
			*flags[i].flag = true;
	if (span_iis(name, "EXPIRE") && span_uint(word(&line), UINT32_MAX, &n))
		caps->expire_zero = n == 0;
	if (span_iis(name, "LOGIN-DELAY") &&
	    span_uint(word(&line), UINT32_MAX, &n)) {
		caps->login_delay = true;
		caps->login_delay_seconds = (unsigned)n;
	}
	if (span_iis(name, "SASL"))
		while (line.n > 0)
			sasl_list_add(
			    caps->sasl, sizeof(caps->sasl), word(&line));
}

/* Numbers go up in a listing.  One that does not was repeated or invented, and
 * then none of them can be used to name a message. */
static void
take_item(struct pop3 *m, struct span line)
{
	struct pop3_event e = new_event(m, POP3_EV_ITEM);
	uint64_t number;

	if (!span_uint(word(&line), NUMBER_MAX, &number) || number <= m->last) {
		fail(m, "listing with a wrong message number");
		return;
	}
	e.number = (uint32_t)number;
	e.text = line;
	if (e.cmd == POP3_LIST && !span_uint(word(&line), INT64_MAX, &e.size)) {
		fail(m, "listing with a wrong size");
		return;
	}
	m->last = number;
	m->items++;
	give(m, &e);
}

static void
end_reply(struct pop3 *m)
{
	struct pop3_event e = new_event(m, POP3_EV_END);

	if (e.cmd == POP3_CAPA)
		m->caps.known = true;
	else if (rows[e.cmd].reply == REPLY_LISTING)
		e.count = m->items;
	pop(m);
	give(m, &e);
}

static void
take_listing(struct pop3 *m, struct span *in)
{
	struct span line;

	if (!take_line(m, in, &line))
		return;
	if (span_is(line, ".")) {
		end_reply(m);
		return;
	}
	if (line.n > 0 && line.p[0] == '.')
		line = span_skip(line, 1);
	if (m->queue[m->head].cmd == POP3_CAPA)
		take_capability(&m->caps, line);
	else
		take_item(m, line);
}

static void
take_message(struct pop3 *m, struct span *in)
{
	struct pop3_event e = new_event(m, POP3_EV_BODY);

	switch (dot_decode(&m->dot, in, &e.text)) {
	case DOT_DATA:
		give(m, &e);
		break;
	case DOT_END:
		end_reply(m);
		break;
	case DOT_MORE:
		break;
	}
}

static void
take_nothing(struct pop3 *m, struct span *in)
{
	(void)m;
	*in = span_skip(*in, in->n);
}

static void (*const takers[])(struct pop3 *m, struct span *in) = {
	[STATE_STATUS] = take_status,
	[STATE_LISTING] = take_listing,
	[STATE_MESSAGE] = take_message,
	[STATE_FAILED] = take_nothing,
};
_Static_assert(
    sizeof(takers) / sizeof(takers[0]) == STATES, "every state has a function");

size_t
pop3_recv(struct pop3 *m, struct span in)
{
	struct span rest = in;

	if (m->state == STATE_FAILED)
		return 0;
	while (rest.n > 0 && !m->have_event)
		takers[m->state](m, &rest);
	return in.n - rest.n;
}

bool
pop3_next(struct pop3 *m, struct pop3_event *event_r)
{
	if (!m->have_event)
		return false;
	*event_r = m->event;
	m->have_event = false;
	return true;
}

/* --- what we say --------------------------------------------------------- */

struct span
pop3_out(const struct pop3 *m)
{
	return buf_span(&m->out);
}

void
pop3_wrote(struct pop3 *m, size_t n)
{
	buf_drop(&m->out, n);
	m->secret_out -= n < m->secret_out ? n : m->secret_out;
	if (m->secret_out == 0)
		m->out.secret = false;
}

/* One argument cannot end its line and begin another command. */
static bool
is_harmless(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return true;
}

/* The parts, a space between two of them, CRLF: all of it or nothing. */
static bool
write_line(struct pop3 *m, const struct span *parts, size_t n, bool secret)
{
	size_t len = n + 1;

	for (size_t i = 0; i < n; i++) {
		if (!is_harmless(parts[i]) || parts[i].n > POP3_OUT_MAX)
			return false;
		len += parts[i].n;
	}
	if (len > buf_room(&m->out))
		return false;
	if (secret)
		m->out.secret = true;
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_add(&m->out, span_str(" "));
		buf_add(&m->out, parts[i]);
	}
	buf_add(&m->out, span_str("\r\n"));
	if (secret)
		m->secret_out = buf_span(&m->out).n;
	return true;
}

/* Nothing is said before the greeting, nor into the middle of an AUTH. */
static bool
may_send(const struct pop3 *m)
{
	enum pop3_command last;

	if (m->state == STATE_FAILED || m->count == POP3_WINDOW)
		return false;
	if (m->count == 0)
		return true;
	last = m->queue[(m->head + m->count - 1) % POP3_WINDOW].cmd;
	return last != POP3_GREETING && last != POP3_AUTH;
}

static bool
send_command(
    struct pop3 *m, enum pop3_command cmd, struct span a, struct span b)
{
	struct span parts[] = { { NULL, 0 }, a, b };
	size_t n = b.n > 0 ? 3 : rows[cmd].argument != ARG_NONE ? 2 : 1;
	unsigned at = (m->head + m->count) % POP3_WINDOW;

	if (!may_send(m))
		return false;
	parts[0] = span_str(rows[cmd].word);
	if (!write_line(m, parts, n, rows[cmd].argument == ARG_SECRET))
		return false;
	m->queue[at].cmd = cmd;
	m->queue[at].number = 0;
	m->count++;
	return true;
}

bool
pop3_simple(struct pop3 *m, enum pop3_command cmd)
{
	struct span none = span_make("", 0);

	return cmd < POP3_COMMANDS && rows[cmd].argument == ARG_NONE &&
	       send_command(m, cmd, none, none);
}

bool
pop3_numbered(struct pop3 *m, enum pop3_command cmd, uint32_t number)
{
	char digits[10];
	size_t at = sizeof(digits);

	if (cmd >= POP3_COMMANDS || rows[cmd].argument != ARG_NUMBER ||
	    number == 0 || number > NUMBER_MAX)
		return false;
	for (uint32_t n = number; n > 0; n /= 10)
		digits[--at] = (char)('0' + n % 10);
	/* No line of the body is wanted behind the header. */
	if (!send_command(m, cmd, span_make(digits + at, sizeof(digits) - at),
		cmd == POP3_TOP ? span_str("0") : span_make("", 0)))
		return false;
	m->queue[(m->head + m->count - 1) % POP3_WINDOW].number = number;
	return true;
}

bool
pop3_user(struct pop3 *m, struct span user)
{
	return send_command(m, POP3_USER, user, span_make("", 0));
}

bool
pop3_pass(struct pop3 *m, struct span secret)
{
	return send_command(m, POP3_PASS, secret, span_make("", 0));
}

bool
pop3_auth(struct pop3 *m, const char *mechanism, struct span initial)
{
	return send_command(m, POP3_AUTH, span_str(mechanism), initial);
}

bool
pop3_auth_line(struct pop3 *m, struct span base64)
{
	if (m->state == STATE_FAILED || !m->challenged ||
	    !write_line(m, &base64, 1, true))
		return false;
	m->challenged = false;
	return true;
}

unsigned
pop3_outstanding(const struct pop3 *m)
{
	return m->count;
}

enum wait_class
pop3_wait_class(const struct pop3 *m)
{
	if (m->count == 0)
		return WAIT_NONE;
	if (m->state == STATE_MESSAGE)
		return WAIT_BODY;
	return rows[m->queue[m->head].cmd].wait;
}

const char *
pop3_phase(const struct pop3 *m)
{
	return m->count == 0 ? "idle" : rows[m->queue[m->head].cmd].phase;
}
