/* SPDX-License-Identifier: ISC */
/*
 * The response LIST (RFC 3501 7.2.2, RFC 5258, RFC 6154):
 *
 *   * LIST (flag...) delimiter name [extended data]
 *
 * The name is kept aside until the line is whole; one that is too long for us
 * is left out.
 */
#include "proto/imap_private.h"

#include <string.h>

void
imap_begin_list(struct imap *m)
{
	memset(&m->listed, 0, sizeof(m->listed));
	m->state = STATE_LIST_OPEN;
}

void
imap_take_list_open(struct imap *m, const struct imap_token *t)
{
	m->state = STATE_LIST_FLAGS;
	if (t->kind != IMAP_TOKEN_OPEN)
		imap_fail(m, "LIST without flags");
}

static void
add_flag(struct imap *m, const struct imap_token *t)
{
	static const struct {
		const char *name;
		unsigned bit;
	} uses[] = {
		{ "\\All", IMAP_SPECIAL_ALL },
		{ "\\Archive", IMAP_SPECIAL_ARCHIVE },
		{ "\\Drafts", IMAP_SPECIAL_DRAFTS },
		{ "\\Flagged", IMAP_SPECIAL_FLAGGED },
		{ "\\Junk", IMAP_SPECIAL_JUNK },
		{ "\\Sent", IMAP_SPECIAL_SENT },
		{ "\\Trash", IMAP_SPECIAL_TRASH },
	};

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (imap_token_is(t, uses[i].name))
			m->listed.special |= uses[i].bit;
	if (imap_token_is(t, "\\Noselect") || imap_token_is(t, "\\NonExistent"))
		m->listed.noselect = true;
}

void
imap_take_list_flags(struct imap *m, const struct imap_token *t)
{
	if (t->kind == IMAP_TOKEN_CLOSE)
		m->state = STATE_LIST_DELIMITER;
	else if (t->kind == IMAP_TOKEN_OPEN || t->kind == IMAP_TOKEN_EOL)
		imap_fail(m, "bad flags in a LIST response");
	else
		add_flag(m, t);
}

/* A string in any form, or NIL; patterns are the server's to match, so nobody
 * asks what it is. */
void
imap_take_list_delimiter(struct imap *m, const struct imap_token *t)
{
	bool literal = t->kind == IMAP_TOKEN_LITERAL;
	bool piece = t->kind == IMAP_TOKEN_PIECE;

	if (!literal && !piece && t->kind != IMAP_TOKEN_STRING &&
	    !imap_token_is(t, "NIL"))
		imap_fail(m, "bad delimiter in a LIST response");
	else if (!(literal && t->size > 0) && !(piece && t->left > 0))
		m->state = STATE_LIST_NAME;
}

static void
add_name(struct imap *m, struct span s)
{
	size_t room = sizeof(m->listed.name) - m->listed.len;

	if (s.n > room)
		m->listed.too_long = true;
	if (m->listed.too_long || s.n == 0)
		return;
	memcpy(m->listed.name + m->listed.len, s.p, s.n);
	m->listed.len += s.n;
}

void
imap_take_list_name(struct imap *m, const struct imap_token *t)
{
	m->state = STATE_LIST_REST;
	if (t->kind == IMAP_TOKEN_LITERAL && t->size > 0)
		m->state = STATE_LIST_LITERAL;
	else if (t->kind == IMAP_TOKEN_ATOM || t->kind == IMAP_TOKEN_STRING)
		add_name(m, t->text);
	else if (t->kind != IMAP_TOKEN_LITERAL)
		imap_fail(m, "LIST without a name");
}

void
imap_take_list_literal(struct imap *m, const struct imap_token *t)
{
	add_name(m, t->text);
	if (t->left == 0)
		m->state = STATE_LIST_REST;
}

/* Extended data may hold anything, literals too. */
void
imap_take_list_rest(struct imap *m, const struct imap_token *t)
{
	struct imap_event e = imap_event_of(m, IMAP_EV_MAILBOX);

	if (t->kind != IMAP_TOKEN_EOL)
		return;
	imap_end_line(m);
	if (!m->listed.too_long && m->listed.len == 0)
		return;
	if (!m->listed.too_long)
		e.text = span_make(m->listed.name, m->listed.len);
	e.special = m->listed.special;
	e.noselect = m->listed.noselect;
	imap_give(m, &e);
}
