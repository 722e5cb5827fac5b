/* SPDX-License-Identifier: ISC */
/*
 * The response FETCH: what was asked for of a message, and whatever else the
 * server puts beside it, in whatever order.
 */
#include "proto/imap_private.h"

#define DEPTH_MAX 32

void
imap_take_fetch_open(struct imap *m, const struct imap_token *t)
{
	m->state = STATE_FETCH_NAME;
	if (t->kind != IMAP_TOKEN_OPEN)
		imap_fail(m, "FETCH without a list");
}

static bool
fetching(const struct imap *m)
{
	for (unsigned i = 0; i < m->count; i++)
		if (m->queue[(m->head + i) % IMAP_WINDOW].cmd == IMAP_UID_FETCH)
			return true;
	return false;
}

void
imap_take_fetch_name(struct imap *m, const struct imap_token *t)
{
	m->state = STATE_FETCH_VALUE;
	if (t->kind == IMAP_TOKEN_CLOSE)
		m->state = STATE_FETCH_END;
	else if (t->kind != IMAP_TOKEN_ATOM)
		imap_fail(m, "FETCH item without a name");
	else if (imap_token_is(t, "UID"))
		m->item = ITEM_UID;
	else if (imap_token_is(t, "RFC822.SIZE"))
		m->item = ITEM_SIZE;
	else if (imap_token_is(t, "FLAGS"))
		m->item = ITEM_FLAGS;
	else if (imap_token_is(t, "BODY[]") || imap_token_is(t, "BODY[HEADER]"))
		m->item = ITEM_BODY;
	else if (imap_token_is(t, "INTERNALDATE"))
		m->item = ITEM_DATE;
	else
		m->item = ITEM_OTHER;
	if (m->state == STATE_FETCH_VALUE && m->item == ITEM_BODY &&
	    (!fetching(m) || m->fetch.has_body))
		imap_fail(m, "body that was not asked for");
}

struct imap_event
imap_body_event(
    const struct imap *m, enum imap_event_kind kind, struct span text)
{
	struct imap_event e = imap_event_of(m, kind);

	e.uid = m->fetch.uid;
	e.text = text;
	return e;
}

/* Any string is a body, an empty one too; NIL and whatever else is none. */
static void
begin_body(struct imap *m, const struct imap_token *t)
{
	struct imap_event e =
	    imap_body_event(m, IMAP_EV_BODY_BEGIN, span_make("", 0));

	if (t->kind == IMAP_TOKEN_STRING) {
		e.size = t->text.n;
		m->quoted = t->text;
	} else if (t->kind == IMAP_TOKEN_LITERAL) {
		e.size = t->size;
	} else {
		return;
	}
	m->fetch.has_body = true;
	imap_give(m, &e);
}

static void
take_uid(struct imap *m, const struct imap_token *t)
{
	uint32_t uid;

	if (t->kind != IMAP_TOKEN_ATOM || !imap_parse_uid(t->text, &uid))
		imap_fail(m, "bad UID in a FETCH response");
	else if (m->fetch.uid != 0 && m->fetch.uid != uid)
		imap_fail(m, "two UIDs in a FETCH response");
	else
		m->fetch.uid = uid;
}

static void
take_size(struct imap *m, const struct imap_token *t)
{
	if (imap_token_is(t, "NIL"))
		return;
	if (t->kind != IMAP_TOKEN_ATOM ||
	    !span_uint(t->text, INT64_MAX, &m->fetch.size))
		imap_fail(m, "bad RFC822.SIZE");
	else
		m->fetch.has_size = true;
}

/* Where the kind of the token leads, whatever the item. */
static void
enter_value(struct imap *m, const struct imap_token *t)
{
	if (t->kind == IMAP_TOKEN_OPEN && m->item == ITEM_FLAGS) {
		m->state = STATE_FETCH_FLAGS;
	} else if (t->kind == IMAP_TOKEN_OPEN) {
		m->depth = 1;
		m->state = STATE_FETCH_NESTED;
	} else if (t->kind == IMAP_TOKEN_LITERAL && t->size > 0) {
		m->state = STATE_FETCH_LITERAL;
	} else {
		m->state = STATE_FETCH_NAME;
	}
}

void
imap_take_fetch_value(struct imap *m, const struct imap_token *t)
{
	if (t->kind == IMAP_TOKEN_CLOSE || t->kind == IMAP_TOKEN_EOL) {
		imap_fail(m, "FETCH item without a value");
		return;
	}
	enter_value(m, t);
	if (m->item == ITEM_UID)
		take_uid(m, t);
	else if (m->item == ITEM_SIZE)
		take_size(m, t);
	else if (m->item == ITEM_BODY)
		begin_body(m, t);
	else if (m->item == ITEM_DATE && t->kind == IMAP_TOKEN_STRING)
		m->fetch.date = imap_date(t->text);
}

void
imap_take_fetch_flags(struct imap *m, const struct imap_token *t)
{
	if (imap_token_is(t, "\\Deleted"))
		m->fetch.deleted = true;
	else if (t->kind == IMAP_TOKEN_CLOSE)
		m->state = STATE_FETCH_NAME;
	else if (t->kind == IMAP_TOKEN_OPEN || t->kind == IMAP_TOKEN_EOL)
		imap_fail(m, "bad FLAGS in a FETCH response");
}

void
imap_take_fetch_nested(struct imap *m, const struct imap_token *t)
{
	if (t->kind == IMAP_TOKEN_EOL)
		imap_fail(m, "line ends in a list");
	else if (t->kind == IMAP_TOKEN_OPEN && ++m->depth > DEPTH_MAX)
		imap_fail(m, "lists nested too deep");
	else if (t->kind == IMAP_TOKEN_CLOSE && --m->depth == 0)
		m->state = STATE_FETCH_NAME;
}

void
imap_take_fetch_literal(struct imap *m, const struct imap_token *t)
{
	struct imap_event e = imap_body_event(m, IMAP_EV_BODY, t->text);

	if (t->left == 0)
		m->state = STATE_FETCH_NAME;
	if (m->item == ITEM_BODY)
		imap_give(m, &e);
}

void
imap_take_fetch_end(struct imap *m, const struct imap_token *t)
{
	if (t->kind != IMAP_TOKEN_EOL) {
		imap_fail(m, "FETCH response without an end");
		return;
	}
	imap_end_line(m);
	imap_give(m, &m->fetch);
}
