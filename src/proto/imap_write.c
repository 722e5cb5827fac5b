/* SPDX-License-Identifier: ISC */
/*
 * Commands.  A command is put together aside, whole, and then either all of it
 * is queued or nothing.  Strings go through put_string() and UID sets through
 * put_set(); nothing else here takes bytes from outside, so no argument can
 * end its line.  EXPUNGE and CLOSE do not exist: they remove messages that
 * others marked (I13).
 */
#include <stdio.h>
#include <string.h>

#include "proto/imap_private.h"

/* clang-format off */
const struct imap_row imap_rows[] = {
	[IMAP_GREETING] = { NULL, "greeting", WAIT_GREETING, false, false, false },
	[IMAP_CAPABILITY] = { "CAPABILITY", "CAPABILITY", WAIT_COMMAND, false, true, false },
	[IMAP_LOGIN] = { "LOGIN", "login", WAIT_LOGIN, true, false, false },
	[IMAP_AUTHENTICATE] = { "AUTHENTICATE", "login", WAIT_LOGIN, true, false, false },
	[IMAP_ID] = { "ID", "ID", WAIT_COMMAND, false, false, false },
	[IMAP_SELECT] = { "SELECT", "SELECT", WAIT_COMMAND, false, false, false },
	[IMAP_EXAMINE] = { "EXAMINE", "EXAMINE", WAIT_COMMAND, false, false, false },
	[IMAP_UID_SEARCH] = { "UID SEARCH", "SEARCH", WAIT_COMMAND, false, false, true },
	[IMAP_UID_FETCH] = { "UID FETCH", "FETCH", WAIT_COMMAND, false, false, true },
	[IMAP_UID_STORE] = { "UID STORE", "STORE", WAIT_COMMAND, false, false, true },
	[IMAP_UID_EXPUNGE] = { "UID EXPUNGE", "EXPUNGE", WAIT_COMMAND, false, false, false },
	[IMAP_NOOP] = { "NOOP", "NOOP", WAIT_COMMAND, false, true, false },
	[IMAP_UNSELECT] = { "UNSELECT", "UNSELECT", WAIT_COMMAND, false, true, false },
	[IMAP_LOGOUT] = { "LOGOUT", "LOGOUT", WAIT_QUIT, false, true, false },
	[IMAP_UID_COPY] = { "UID COPY", "COPY", WAIT_COMMAND, false, false, false },
	[IMAP_LIST] = { "LIST", "LIST", WAIT_COMMAND, false, false, false },
	[IMAP_IDLE] = { "IDLE", "IDLE", WAIT_COMMAND, false, false, false },
	[IMAP_UID_MOVE] = { "UID MOVE", "MOVE", WAIT_COMMAND, false, false, false },
};
/* clang-format on */
_Static_assert(sizeof(imap_rows) / sizeof(imap_rows[0]) == IMAP_COMMANDS,
    "every IMAP command has a row");

/* In the command line, of which servers need not take more than 8192 bytes
 * (RFC 9051 section 4). */
#define INITIAL_MAX 8000

/* --- one command --------------------------------------------------------- */

struct command {
	enum imap_command cmd;
	uint32_t from;
	struct buf text;
	size_t end[IMAP_PARTS]; /* of what is followed by waiting for "+" */
	unsigned ends;
	bool plus; /* literals need not wait */
	bool bad;
};

static void
put(struct command *c, struct span s)
{
	if (!buf_add(&c->text, s))
		c->bad = true;
}

static void
put_text(struct command *c, const char *s)
{
	put(c, span_str(s));
}

static void
command_init(struct command *c, const struct imap *m, enum imap_command cmd)
{
	*c = (struct command){ .cmd = cmd, .plus = m->caps.literal_plus };
	buf_init(&c->text, IMAP_OUT_MAX);
	c->text.secret = imap_rows[cmd].secret;
	c->bad =
	    !buf_addf(&c->text, "A%u %s", m->next_tag, imap_rows[cmd].word);
}

/* What comes now is sent only after a "+". */
static void
put_wait(struct command *c)
{
	if (c->ends == IMAP_PARTS)
		c->bad = true;
	else
		c->end[c->ends++] = c->text.len;
}

static bool
has_only(struct span s, bool (*good)(char c))
{
	for (size_t i = 0; i < s.n; i++)
		if (!good(s.p[i]))
			return false;
	return true;
}

static bool
in_line(char c)
{
	return c != '\0' && c != '\r' && c != '\n';
}

static bool
in_quotes(char c)
{
	return in_line(c) && ((unsigned char)c & 0x80) == 0;
}

/* Fewer than the grammar allows: those that no server has trouble with. */
static bool
in_atom(char c)
{
	char l = ascii_lower(c);

	return (l >= 'a' && l <= 'z') || ascii_is_digit(c) ||
	       (c != '\0' && strchr("-_.@/", c) != NULL);
}

static bool
in_base64(char c)
{
	char l = ascii_lower(c);

	return (l >= 'a' && l <= 'z') || ascii_is_digit(c) ||
	       (c != '\0' && strchr("+/=*", c) != NULL);
}

static bool
in_set(char c)
{
	return ascii_is_digit(c) || c == ':' || c == ',';
}

static void
put_quoted(struct command *c, struct span s)
{
	if (!has_only(s, in_quotes)) {
		c->bad = true;
		return;
	}
	put_text(c, "\"");
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			put_text(c, "\\");
		put(c, span_make(s.p + i, 1));
	}
	put_text(c, "\"");
}

static void
put_literal(struct command *c, struct span s)
{
	if (!buf_addf(&c->text, c->plus ? "{%zu+}\r\n" : "{%zu}\r\n", s.n))
		c->bad = true;
	if (!c->plus)
		put_wait(c);
	put(c, s);
}

/* The one string writer: an argument, with the space in front of it. */
static void
put_string(struct command *c, struct span s)
{
	put_text(c, " ");
	if (!has_only(s, in_line))
		c->bad = true;
	else if (!has_only(s, in_quotes))
		put_literal(c, s);
	else if (s.n == 0 || !has_only(s, in_atom) || span_iis(s, "NIL"))
		put_quoted(c, s);
	else
		put(c, s);
}

static void
put_set(struct command *c, struct span set)
{
	if (set.n == 0 || set.n > IMAP_SET_MAX || !has_only(set, in_set))
		c->bad = true;
	put_text(c, " ");
	put(c, set);
}

/* --- the queue ----------------------------------------------------------- */

/* Nothing is said before the greeting, nor behind a command that waits for a
 * "+", which would be taken for its argument. */
static bool
may_send(const struct imap *m, const struct command *c)
{
	if (imap_failed(m) || m->count == IMAP_WINDOW ||
	    imap_awaits(m, IMAP_GREETING) ||
	    imap_awaits(m, IMAP_AUTHENTICATE) || imap_awaits(m, IMAP_IDLE) ||
	    m->parts > 0)
		return false;
	return m->count == 0 || (c->ends == 0 && c->cmd != IMAP_AUTHENTICATE &&
				    c->cmd != IMAP_IDLE);
}

static bool
write_out(struct imap *m, struct span s, bool secret)
{
	if (s.n > buf_room(&m->out))
		return false;
	if (secret)
		m->out.secret = true;
	(void)buf_add(&m->out, s);
	if (secret)
		m->secret_out = m->out.len;
	return true;
}

static void
enqueue(struct imap *m, const struct command *c)
{
	unsigned at = (m->head + m->count++) % IMAP_WINDOW;

	m->queue[at].cmd = c->cmd;
	m->queue[at].from = c->from;
	m->queue[at].tag = m->next_tag++;
	if (m->count == 1)
		imap_begin(m);
}

static void
set_aside(struct imap *m, const struct command *c)
{
	struct span all = buf_span(&c->text);

	for (unsigned i = 0; i < c->ends; i++) {
		size_t end = i + 1 < c->ends ? c->end[i + 1] : all.n;

		m->part[i] = end - c->end[i];
	}
	m->parts = c->ends;
	if (c->ends > 0)
		(void)buf_add(&m->after_continue, span_skip(all, c->end[0]));
}

/* Ends the command either way. */
static bool
command_send(struct imap *m, struct command *c)
{
	struct span first;
	bool sent;

	put_text(c, "\r\n");
	first = buf_span(&c->text);
	if (c->ends > 0)
		first.n = c->end[0];
	sent = !c->bad && may_send(m, c) &&
	       write_out(m, first, imap_rows[c->cmd].secret);
	if (sent) {
		enqueue(m, c);
		set_aside(m, c);
	}
	buf_free(&c->text);
	return sent;
}

bool
imap_continue(struct imap *m)
{
	struct span s = buf_span(&m->after_continue);

	if (m->parts == 0)
		return false;
	s.n = m->part[0];
	if (!write_out(m, s, imap_rows[m->queue[m->head].cmd].secret))
		return false;
	buf_drop(&m->after_continue, s.n);
	m->parts--;
	memmove(m->part, m->part + 1, m->parts * sizeof(m->part[0]));
	return true;
}

void
imap_drop_parts(struct imap *m)
{
	buf_drop(&m->after_continue, m->after_continue.len);
	m->parts = 0;
}

struct span
imap_out(const struct imap *m)
{
	return buf_span(&m->out);
}

void
imap_wrote(struct imap *m, size_t n)
{
	buf_drop(&m->out, n);
	m->secret_out -= n < m->secret_out ? n : m->secret_out;
	if (m->secret_out == 0)
		m->out.secret = false;
}

/* --- the commands -------------------------------------------------------- */

bool
imap_simple(struct imap *m, enum imap_command cmd)
{
	struct command c;

	if (cmd >= IMAP_COMMANDS || !imap_rows[cmd].simple)
		return false;
	command_init(&c, m, cmd);
	return command_send(m, &c);
}

bool
imap_login(struct imap *m, struct span user, struct span secret)
{
	struct command c;

	command_init(&c, m, IMAP_LOGIN);
	put_string(&c, user);
	put_string(&c, secret);
	return command_send(m, &c);
}

bool
imap_authenticate(struct imap *m, const char *mechanism, struct span initial)
{
	struct command c;

	command_init(&c, m, IMAP_AUTHENTICATE);
	c.bad |= *mechanism == '\0' ||
	         !has_only(span_str(mechanism), in_atom) ||
	         !has_only(initial, in_base64);
	put_text(&c, " ");
	put_text(&c, mechanism);
	if (initial.n > 0 && m->caps.sasl_ir && initial.n <= INITIAL_MAX) {
		put_text(&c, " ");
		put(&c, initial);
	} else if (initial.n > 0) {
		put_text(&c, "\r\n");
		put_wait(&c);
		put(&c, initial);
	}
	return command_send(m, &c);
}

bool
imap_auth_line(struct imap *m, struct span base64)
{
	if (!m->challenged || imap_failed(m) || !has_only(base64, in_base64) ||
	    base64.n + 2 < base64.n || base64.n + 2 > buf_room(&m->out))
		return false;
	m->challenged = false;
	return write_out(m, base64, true) &&
	       write_out(m, span_str("\r\n"), true);
}

bool
imap_id(struct imap *m, const char *name, const char *version)
{
	struct command c;

	command_init(&c, m, IMAP_ID);
	put_text(&c, " (\"name\" ");
	put_quoted(&c, span_str(name));
	put_text(&c, " \"version\" ");
	put_quoted(&c, span_str(version));
	put_text(&c, ")");
	return command_send(m, &c);
}

bool
imap_select(struct imap *m, struct span mailbox, bool read_only)
{
	struct command c;

	command_init(&c, m, read_only ? IMAP_EXAMINE : IMAP_SELECT);
	put_string(&c, mailbox);
	return command_send(m, &c);
}

bool
imap_search_from(struct imap *m, uint32_t from)
{
	struct command c;

	command_init(&c, m, IMAP_UID_SEARCH);
	c.from = from;
	c.bad |= from == 0 || !buf_addf(&c.text, " UID %u:*", from);
	return command_send(m, &c);
}

bool
imap_search_rest(struct imap *m, uint32_t from, uint32_t to, bool keyword)
{
	struct command c;

	command_init(&c, m, IMAP_UID_SEARCH);
	c.from = from;
	c.bad |= from == 0 || to < from ||
	         !buf_addf(&c.text, " UID %u:%u", from, to);
	if (keyword) {
		c.bad |= m->keyword[0] == '\0';
		put_text(&c, " KEYWORD ");
		put_text(&c, m->keyword);
	}
	return command_send(m, &c);
}

bool
imap_list(struct imap *m, struct span pattern)
{
	struct command c;

	command_init(&c, m, IMAP_LIST);
	put_text(&c, " \"\"");
	put_string(&c, pattern);
	if (m->caps.special_use && m->caps.list_extended)
		put_text(&c, " RETURN (SPECIAL-USE)");
	return command_send(m, &c);
}

bool
imap_idle(struct imap *m)
{
	struct command c;

	if (!m->caps.idle)
		return false;
	command_init(&c, m, IMAP_IDLE);
	return command_send(m, &c);
}

bool
imap_idle_done(struct imap *m)
{
	if (!imap_idling(m) || !write_out(m, span_str("DONE\r\n"), false))
		return false;
	m->idling = false;
	m->idle_ended = true;
	return true;
}

bool
imap_idling(const struct imap *m)
{
	return m->idling && !imap_failed(m);
}

bool
imap_keyword(struct imap *m, const char *keyword)
{
	size_t n = strlen(keyword);

	if (n == 0 || n >= sizeof(m->keyword) ||
	    !has_only(span_str(keyword), in_atom))
		return false;
	memcpy(m->keyword, keyword, n + 1);
	return true;
}

bool
imap_search_keyword(struct imap *m, uint32_t from)
{
	struct command c;

	command_init(&c, m, IMAP_UID_SEARCH);
	c.from = from;
	c.bad |= from == 0 || m->keyword[0] == '\0' ||
	         m->mailbox.uidvalidity_changed ||
	         !buf_addf(&c.text, " UID %u:* KEYWORD %s", from, m->keyword);
	return command_send(m, &c);
}

bool
imap_search_deleted(struct imap *m, struct span set)
{
	struct command c;

	command_init(&c, m, IMAP_UID_SEARCH);
	put_text(&c, " UID");
	put_set(&c, set);
	put_text(&c, " DELETED");
	return command_send(m, &c);
}

static bool
send_set(
    struct imap *m, enum imap_command cmd, struct span set, const char *behind)
{
	struct command c;

	command_init(&c, m, cmd);
	put_set(&c, set);
	put_text(&c, behind);
	return command_send(m, &c);
}

bool
imap_fetch_sizes(struct imap *m, struct span set)
{
	return send_set(m, IMAP_UID_FETCH, set, " (UID RFC822.SIZE)");
}

bool
imap_fetch_bodies(struct imap *m, struct span set)
{
	return send_set(m, IMAP_UID_FETCH, set, " (UID BODY.PEEK[])");
}

bool
imap_fetch_headers(struct imap *m, struct span set)
{
	return send_set(
	    m, IMAP_UID_FETCH, set, " (UID INTERNALDATE BODY.PEEK[HEADER])");
}

bool
imap_fetch_dates(struct imap *m, struct span set)
{
	return send_set(m, IMAP_UID_FETCH, set, " (UID INTERNALDATE)");
}

bool
imap_store_deleted(struct imap *m, struct span set)
{
	return !m->mailbox.uidvalidity_changed &&
	       send_set(m, IMAP_UID_STORE, set, " +FLAGS.SILENT (\\Deleted)");
}

bool
imap_expunge(struct imap *m, struct span set)
{
	return !m->mailbox.uidvalidity_changed &&
	       send_set(m, IMAP_UID_EXPUNGE, set, "");
}

bool
imap_store_seen(struct imap *m, struct span set)
{
	return !m->mailbox.uidvalidity_changed &&
	       send_set(m, IMAP_UID_STORE, set, " +FLAGS.SILENT (\\Seen)");
}

bool
imap_store_keyword(struct imap *m, struct span set)
{
	char behind[IMAP_KEYWORD_MAX + 24];

	(void)snprintf(
	    behind, sizeof(behind), " +FLAGS.SILENT (%s)", m->keyword);
	return m->keyword[0] != '\0' && !m->mailbox.uidvalidity_changed &&
	       send_set(m, IMAP_UID_STORE, set, behind);
}

static bool
send_away(
    struct imap *m, enum imap_command cmd, struct span set, struct span mailbox)
{
	struct command c;

	if (m->mailbox.uidvalidity_changed)
		return false;
	command_init(&c, m, cmd);
	put_set(&c, set);
	put_string(&c, mailbox);
	return command_send(m, &c);
}

bool
imap_copy(struct imap *m, struct span set, struct span mailbox)
{
	return send_away(m, IMAP_UID_COPY, set, mailbox);
}

bool
imap_move(struct imap *m, struct span set, struct span mailbox)
{
	return send_away(m, IMAP_UID_MOVE, set, mailbox);
}

/* --- UID sets ------------------------------------------------------------ */

void
imap_set_init(struct imap_set *s, uint32_t most)
{
	s->most = most > 0 ? most : UINT32_MAX;
	s->len = s->range_at = 0;
	s->count = 0;
	s->first = s->last = 0;
}

/* The open range is written anew each time, behind those that are closed. */
bool
imap_set_add(struct imap_set *s, uint32_t uid)
{
	bool extends =
	    s->count > 0 && s->last < UINT32_MAX && uid == s->last + 1;
	size_t at = extends ? s->range_at : s->len;
	const char *comma = at > 0 ? "," : "";
	char range[24];
	int n;

	if (uid == 0)
		return false;
	if (s->count > 0 && uid == s->last)
		return true;
	if (s->count >= s->most)
		return false;
	if (extends)
		n = snprintf(
		    range, sizeof(range), "%s%u:%u", comma, s->first, uid);
	else
		n = snprintf(range, sizeof(range), "%s%u", comma, uid);
	if (n < 0 || at + (size_t)n > sizeof(s->text))
		return false;
	memcpy(s->text + at, range, (size_t)n);
	s->len = at + (size_t)n;
	s->range_at = at;
	s->first = extends ? s->first : uid;
	s->last = uid;
	s->count++;
	return true;
}

struct span
imap_set_span(const struct imap_set *s)
{
	return span_make(s->text, s->len);
}
