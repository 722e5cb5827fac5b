/* SPDX-License-Identifier: ISC */
/*
 * Responses.  One token at a time goes to the function of the state:
 *
 *   tag OK|NO|BAD text                          TAGGED TEXT TEXT_END
 *   + text                                      TEXT TEXT_END
 *   * OK|NO|BAD|BYE|PREAUTH text                UNTAGGED TEXT TEXT_END
 *   * CAPABILITY word...                        UNTAGGED CAPS
 *   * SEARCH uid...                             UNTAGGED SEARCH
 *   * LIST (flag...) delimiter name ...         UNTAGGED LIST_...
 *   * n EXISTS|EXPUNGE                          UNTAGGED NUMBERED NUMBER_END
 *   * n FETCH (name value ...)                  UNTAGGED NUMBERED FETCH_...
 *   * anything else                             UNTAGGED SKIP
 *
 * Nothing is kept of a response but what the table of states needs, so the
 * order and the nesting of what a server adds do not matter.
 */
#include "proto/imap.h"

#include "proto/imap_private.h"

/* A literal that is no body is read over, up to here. */
#define SKIP_MAX (1024 * 1024)
/* In one response other than SEARCH: more never ends. */
#define TOKENS_MAX 16384

void
imap_init(struct imap *m)
{
	*m = (struct imap){ .state = STATE_START, .count = 1, .next_tag = 1 };
	m->queue[0].cmd = IMAP_GREETING;
	imap_lex_init(&m->lex);
	buf_init(&m->out, IMAP_OUT_MAX);
	buf_init(&m->after_continue, IMAP_OUT_MAX);
	m->after_continue.secret = true;
}

void
imap_free(struct imap *m)
{
	imap_lex_free(&m->lex);
	buf_free(&m->out);
	buf_free(&m->after_continue);
}

/* --- the queue and the events -------------------------------------------- */

bool
imap_awaits(const struct imap *m, enum imap_command cmd)
{
	return m->count > 0 && m->queue[m->head].cmd == cmd;
}

bool
imap_selecting(const struct imap *m)
{
	return imap_awaits(m, IMAP_SELECT) || imap_awaits(m, IMAP_EXAMINE);
}

static bool
logging_in(const struct imap *m)
{
	return imap_awaits(m, IMAP_LOGIN) || imap_awaits(m, IMAP_AUTHENTICATE);
}

void
imap_begin(struct imap *m)
{
	m->fresh_caps = m->answered = m->challenged = false;
	m->idling = m->idle_ended = false;
	m->found = 0;
	m->lowest = m->lowest_found = 0;
	if (!imap_selecting(m))
		return;
	m->mailbox = (struct imap_mailbox){ .selected = false };
	m->pending = m->mailbox;
	m->pending.read_only = imap_awaits(m, IMAP_EXAMINE);
}

struct imap_event
imap_event_of(const struct imap *m, enum imap_event_kind kind)
{
	struct imap_event e = { .kind = kind };

	if (m->count > 0)
		e.cmd = m->queue[m->head].cmd;
	return e;
}

void
imap_give(struct imap *m, const struct imap_event *e)
{
	m->event = *e;
	m->have_event = true;
}

void
imap_fail(struct imap *m, const char *why)
{
	struct imap_event e = imap_event_of(m, IMAP_EV_ERROR);

	e.text = span_str(why);
	m->state = STATE_FAILED;
	imap_drop_parts(m);
	imap_give(m, &e);
}

bool
imap_failed(const struct imap *m)
{
	return m->state == STATE_FAILED;
}

bool
imap_token_is(const struct imap_token *t, const char *name)
{
	return t->kind == IMAP_TOKEN_ATOM && span_iis(t->text, name);
}

/* A response is read whole. */
void
imap_end_line(struct imap *m)
{
	m->state = STATE_START;
	m->tokens = 0;
}

void
imap_skip_line(struct imap *m)
{
	m->state = STATE_SKIP;
}

static void
read_text(struct imap *m, enum line line)
{
	m->line = line;
	m->state = STATE_TEXT;
	imap_lex_text(&m->lex);
}

/* --- start of a response ------------------------------------------------- */

static unsigned
place(const struct imap *m, unsigned i)
{
	return (m->head + i) % IMAP_WINDOW;
}

/* Whose tag it is; what is not free has its turn, and is overtaken by none. */
static bool
find_tag(struct imap *m, const struct imap_token *t)
{
	uint64_t tag;

	if (t->kind != IMAP_TOKEN_ATOM || t->text.n < 2 ||
	    ascii_lower(t->text.p[0]) != 'a' || t->text.p[1] == '0' ||
	    !span_uint(span_skip(t->text, 1), UINT32_MAX, &tag))
		return false;
	for (unsigned i = 0; i < m->count; i++) {
		m->answering = i;
		if (m->queue[place(m, i)].tag == tag)
			return i == 0 ||
			       imap_rows[m->queue[place(m, i)].cmd].free;
		if (!imap_rows[m->queue[place(m, i)].cmd].free)
			return false;
	}
	return false;
}

static void
take_start(struct imap *m, const struct imap_token *t)
{
	if (imap_token_is(t, "*"))
		m->state = STATE_UNTAGGED;
	else if (imap_awaits(m, IMAP_GREETING))
		imap_fail(m, "no IMAP greeting");
	else if (imap_token_is(t, "+"))
		read_text(m, LINE_CONTINUE);
	else if (find_tag(m, t))
		m->state = STATE_TAGGED;
	else
		imap_fail(m, "response with a wrong tag");
}

static bool
parse_condition(const struct imap_token *t, unsigned *condition_r)
{
	static const char *const names[] = {
		[CONDITION_OK] = "OK",
		[CONDITION_NO] = "NO",
		[CONDITION_BAD] = "BAD",
		[CONDITION_BYE] = "BYE",
		[CONDITION_PREAUTH] = "PREAUTH",
	};

	for (unsigned i = 0; i < CONDITIONS; i++)
		if (imap_token_is(t, names[i])) {
			*condition_r = i;
			return true;
		}
	return false;
}

static void
take_tagged(struct imap *m, const struct imap_token *t)
{
	if (!parse_condition(t, &m->condition) || m->condition > CONDITION_BAD)
		imap_fail(m, "tagged response is neither OK nor NO nor BAD");
	else
		read_text(m, LINE_TAGGED);
}

static void
begin_search(struct imap *m)
{
	m->state = STATE_SEARCH;
	m->answered = true;
	if (!imap_awaits(m, IMAP_UID_SEARCH))
		imap_fail(m, "SEARCH answer to no question");
}

static void
begin_number(struct imap *m, struct span digits)
{
	uint64_t n;

	m->state = STATE_NUMBERED;
	if (span_uint(digits, UINT32_MAX, &n))
		m->number = (uint32_t)n;
	else
		imap_fail(m, "bad number in a response");
}

/* Before the login nothing counts but what the server can do. */
static void
take_untagged(struct imap *m, const struct imap_token *t)
{
	if (parse_condition(t, &m->condition)) {
		read_text(m, LINE_UNTAGGED);
	} else if (t->kind != IMAP_TOKEN_ATOM ||
		   imap_awaits(m, IMAP_GREETING)) {
		imap_fail(m, "no IMAP response");
	} else if (imap_token_is(t, "CAPABILITY")) {
		m->caps = (struct imap_caps){ .known = false };
		m->state = STATE_CAPS;
	} else if (!m->authenticated) {
		imap_skip_line(m);
	} else if (imap_token_is(t, "SEARCH")) {
		begin_search(m);
	} else if (imap_token_is(t, "LIST") && imap_awaits(m, IMAP_LIST)) {
		imap_begin_list(m);
	} else if (ascii_is_digit(t->text.p[0])) {
		begin_number(m, t->text);
	} else {
		imap_skip_line(m);
	}
}

static void
take_skip(struct imap *m, const struct imap_token *t)
{
	if (t->kind == IMAP_TOKEN_EOL)
		imap_end_line(m);
}

/* --- status texts -------------------------------------------------------- */

static void
take_text(struct imap *m, const struct imap_token *t)
{
	size_t n = t->text.n < IMAP_TEXT_MAX ? t->text.n : IMAP_TEXT_MAX;

	if (t->kind != IMAP_TOKEN_TEXT) {
		imap_fail(m, "response without a text");
		return;
	}
	/* A cut challenge would be answered as if it were whole. */
	if (m->line == LINE_CONTINUE && n < t->text.n) {
		imap_fail(m, "challenge too long");
		return;
	}
	if (n > 0)
		memcpy(m->text, t->text.p, n);
	m->text_len = n;
	m->state = STATE_TEXT_END;
	if (m->line != LINE_CONTINUE)
		imap_take_code(m, t->text);
}

static void
give_text(struct imap *m, enum imap_event_kind kind)
{
	struct imap_event e = imap_event_of(m, kind);

	e.text = span_make(m->text, m->text_len);
	if (m->line != LINE_CONTINUE)
		e.code = m->code;
	imap_give(m, &e);
}

/* An IDLE whose "+" has not come. */
static bool
idle_asked(const struct imap *m)
{
	return imap_awaits(m, IMAP_IDLE) && !m->idling && !m->idle_ended;
}

static void
end_continue(struct imap *m)
{
	if (imap_continue(m))
		return;
	if (idle_asked(m)) {
		m->idling = true;
		give_text(m, IMAP_EV_IDLING);
		return;
	}
	if (!imap_awaits(m, IMAP_AUTHENTICATE) || m->challenged) {
		imap_fail(m, "\"+\" that nobody waits for");
		return;
	}
	m->challenged = true;
	give_text(m, IMAP_EV_CHALLENGE);
}

/* What a command changed, if it was done. */
static void
settle(struct imap *m)
{
	if (logging_in(m)) {
		m->authenticated = true;
		/* What was offered to a stranger is not what we get. */
		if (!m->fresh_caps)
			m->caps = (struct imap_caps){ .known = false };
	} else if (imap_selecting(m)) {
		m->mailbox = m->pending;
		m->mailbox.selected = true;
	} else if (imap_awaits(m, IMAP_UNSELECT)) {
		m->mailbox = (struct imap_mailbox){ .selected = false };
	}
}

/* What was sent before it moves up to its place. */
static void
take_out(struct imap *m)
{
	for (unsigned i = m->answering; i > 0; i--)
		m->queue[place(m, i)] = m->queue[place(m, i - 1)];
	m->head = place(m, 1);
	m->count--;
}

/* A command is answered before an older one, whose answer goes on. */
static void
complete_early(struct imap *m)
{
	struct imap_event *e = &m->event;

	give_text(m, IMAP_EV_DONE);
	e->cmd = m->queue[place(m, m->answering)].cmd;
	e->tag = m->queue[place(m, m->answering)].tag;
	e->status = (enum imap_status)m->condition;
	take_out(m);
}

/* The oldest command is answered. */
static void
complete(struct imap *m)
{
	if (m->condition == CONDITION_OK && (m->parts > 0 || idle_asked(m))) {
		imap_fail(m, "OK to half a command");
		return;
	}
	imap_drop_parts(m);
	if (m->condition == CONDITION_OK)
		settle(m);
	give_text(m, IMAP_EV_DONE);
	m->event.tag = m->queue[m->head].tag;
	m->event.status = (enum imap_status)m->condition;
	m->event.has_size = m->answered;
	m->event.size = m->found;
	m->event.lowest = m->lowest;
	if (m->lowest == UINT32_MAX && m->lowest_found > 0)
		m->event.lowest = m->lowest_found;
	take_out(m);
	imap_begin(m);
}

/* NO and BAD without a tag are warnings: a throttled session goes on. */
static void
end_untagged(struct imap *m)
{
	bool greeting = imap_awaits(m, IMAP_GREETING);

	if (m->condition == CONDITION_BYE)
		give_text(m, IMAP_EV_BYE);
	else if (m->condition == CONDITION_PREAUTH)
		imap_fail(m, "PREAUTH: logged in before we said who we are");
	else if (greeting && m->condition == CONDITION_OK)
		complete(m);
	else if (greeting)
		imap_fail(m, "no IMAP greeting");
}

static void
take_text_end(struct imap *m, const struct imap_token *t)
{
	if (t->kind != IMAP_TOKEN_EOL) {
		imap_fail(m, "response without an end");
		return;
	}
	imap_end_line(m);
	if (m->line == LINE_CONTINUE)
		end_continue(m);
	else if (m->line == LINE_TAGGED && m->answering > 0)
		complete_early(m);
	else if (m->line == LINE_TAGGED)
		complete(m);
	else
		end_untagged(m);
}

/* --- lists --------------------------------------------------------------- */

static void
take_caps(struct imap *m, const struct imap_token *t)
{
	if (t->kind == IMAP_TOKEN_ATOM) {
		imap_caps_add(&m->caps, t->text);
	} else if (t->kind == IMAP_TOKEN_EOL) {
		imap_caps_end(m);
		imap_end_line(m);
	} else {
		imap_fail(m, "bad capability list");
	}
}

bool
imap_parse_uid(struct span s, uint32_t *uid_r)
{
	uint64_t n;

	if (!span_uint(s, UINT32_MAX, &n) || n == 0)
		return false;
	*uid_r = (uint32_t)n;
	return true;
}

/* "n:*" means the last message too when all are below n (I5). */
static void
take_search(struct imap *m, const struct imap_token *t)
{
	struct imap_event e = imap_event_of(m, IMAP_EV_UID);

	m->tokens = 0;
	if (t->kind == IMAP_TOKEN_EOL) {
		imap_end_line(m);
	} else if (t->kind == IMAP_TOKEN_OPEN) {
		imap_skip_line(m); /* (MODSEQ n) */
	} else if (t->kind != IMAP_TOKEN_ATOM ||
		   !imap_parse_uid(t->text, &e.uid)) {
		imap_fail(m, "bad UID in a SEARCH answer");
	} else if (e.uid >= m->queue[m->head].from) {
		if (m->found++ == 0 || e.uid < m->lowest_found)
			m->lowest_found = e.uid;
		imap_give(m, &e);
	}
}

static void
take_numbered(struct imap *m, const struct imap_token *t)
{
	bool selected = m->mailbox.selected;

	if (imap_token_is(t, "EXISTS") && (selected || imap_selecting(m))) {
		m->item = ITEM_EXISTS;
		m->state = STATE_NUMBER_END;
	} else if (imap_token_is(t, "EXPUNGE") && selected) {
		m->item = ITEM_EXPUNGE;
		m->state = STATE_NUMBER_END;
	} else if (imap_token_is(t, "FETCH") && selected) {
		m->fetch = imap_event_of(m, IMAP_EV_FETCHED);
		m->state = STATE_FETCH_OPEN;
	} else if (t->kind == IMAP_TOKEN_ATOM) {
		imap_skip_line(m);
	} else {
		imap_fail(m, "number without a word");
	}
}

static void
take_number_end(struct imap *m, const struct imap_token *t)
{
	struct imap_event e = imap_event_of(m, IMAP_EV_EXPUNGED);

	if (t->kind != IMAP_TOKEN_EOL) {
		imap_fail(m, "EXISTS or EXPUNGE without an end");
		return;
	}
	imap_end_line(m);
	if (m->item == ITEM_EXISTS && imap_selecting(m)) {
		m->pending.exists = m->number;
		return;
	}
	if (m->item == ITEM_EXISTS) {
		e.kind = IMAP_EV_EXISTS;
		m->mailbox.exists = m->number;
	} else if (m->mailbox.exists > 0) {
		m->mailbox.exists--;
	}
	imap_give(m, &e);
}

static void
take_nothing(struct imap *m, const struct imap_token *t)
{
	(void)m;
	(void)t;
}

/* --- the loop ------------------------------------------------------------ */

static void (*const takers[])(struct imap *m, const struct imap_token *t) = {
	[STATE_START] = take_start,
	[STATE_TAGGED] = take_tagged,
	[STATE_UNTAGGED] = take_untagged,
	[STATE_TEXT] = take_text,
	[STATE_TEXT_END] = take_text_end,
	[STATE_CAPS] = take_caps,
	[STATE_SEARCH] = take_search,
	[STATE_NUMBERED] = take_numbered,
	[STATE_NUMBER_END] = take_number_end,
	[STATE_FETCH_OPEN] = imap_take_fetch_open,
	[STATE_FETCH_NAME] = imap_take_fetch_name,
	[STATE_FETCH_VALUE] = imap_take_fetch_value,
	[STATE_FETCH_FLAGS] = imap_take_fetch_flags,
	[STATE_FETCH_NESTED] = imap_take_fetch_nested,
	[STATE_FETCH_LITERAL] = imap_take_fetch_literal,
	[STATE_FETCH_END] = imap_take_fetch_end,
	[STATE_LIST_OPEN] = imap_take_list_open,
	[STATE_LIST_FLAGS] = imap_take_list_flags,
	[STATE_LIST_DELIMITER] = imap_take_list_delimiter,
	[STATE_LIST_NAME] = imap_take_list_name,
	[STATE_LIST_LITERAL] = imap_take_list_literal,
	[STATE_LIST_REST] = imap_take_list_rest,
	[STATE_SKIP] = take_skip,
	[STATE_FAILED] = take_nothing,
};
_Static_assert(
    sizeof(takers) / sizeof(takers[0]) == STATES, "every state has a function");

static bool
is_body(const struct imap *m)
{
	return m->item == ITEM_BODY && (m->state == STATE_FETCH_VALUE ||
					   m->state == STATE_FETCH_LITERAL);
}

static void
take(struct imap *m, const struct imap_token *t)
{
	if (t->kind == IMAP_TOKEN_BAD)
		imap_fail(m, t->text.p);
	else if (t->kind == IMAP_TOKEN_LITERAL && t->size > SKIP_MAX &&
		 !is_body(m))
		imap_fail(m, "long literal that is no body");
	else if (t->kind != IMAP_TOKEN_PIECE && ++m->tokens > TOKENS_MAX)
		imap_fail(m, "response without an end");
	else
		takers[m->state](m, t);
}

size_t
imap_recv(struct imap *m, struct span in)
{
	struct span rest = in;
	struct imap_token t;

	if (imap_failed(m))
		return 0;
	while (rest.n > 0 && !m->have_event) {
		imap_lex_next(&m->lex, &rest, &t);
		if (t.kind != IMAP_TOKEN_MORE)
			take(m, &t);
	}
	return in.n - rest.n;
}

bool
imap_next(struct imap *m, struct imap_event *event_r)
{
	if (!m->have_event)
		return false;
	*event_r = m->event;
	m->have_event = false;
	if (m->quoted.n > 0) {
		struct imap_event e =
		    imap_body_event(m, IMAP_EV_BODY, m->quoted);

		m->quoted.n = 0;
		imap_give(m, &e);
	}
	return true;
}

unsigned
imap_outstanding(const struct imap *m)
{
	return m->count;
}

unsigned
imap_tag(const struct imap *m)
{
	return m->next_tag - 1;
}

enum wait_class
imap_wait_class(const struct imap *m)
{
	if (m->count == 0 || m->idling)
		return WAIT_NONE;
	if (m->state == STATE_FETCH_LITERAL && m->item == ITEM_BODY)
		return WAIT_BODY;
	return imap_rows[m->queue[m->head].cmd].wait;
}

const char *
imap_phase(const struct imap *m)
{
	return m->count == 0 ? "idle" : imap_rows[m->queue[m->head].cmd].phase;
}
