/* SPDX-License-Identifier: ISC */
/*
 *   atom     any bytes but CTL SP ( ) " {   and in BODY[...] also SP ( )
 *   quoted   "..." with \" and \\
 *   literal  {n} CRLF n bytes, or ~{n} CRLF n bytes
 *
 * The byte that ends an atom is used up with it and becomes the state behind
 * it, so a token never waits for input that is already here, and no byte is
 * looked at twice.
 */
#include "proto/imap_lex.h"

#define SIZE_DIGITS_MAX 20 /* 63 bits have 19 */
#define BRACKETS_MAX 8

enum state {
	STATE_BETWEEN,
	STATE_OPEN,  /* a ( was read, its token not given */
	STATE_CLOSE, /* the same for ) */
	STATE_ATOM,
	STATE_QUOTED,
	STATE_ESCAPE, /* behind a \ in a quoted string */
	STATE_TILDE,  /* at the start of a token: literal8 or an atom */
	STATE_SIZE,   /* in {n} */
	STATE_SIZE_CR,
	STATE_SIZE_LF,
	STATE_LITERAL,
	STATE_TEXT,
	STATE_LF, /* behind the CR that ends a line */
	STATE_BAD,
};

void
imap_lex_init(struct imap_lex *l)
{
	*l = (struct imap_lex){ .state = STATE_BETWEEN };
	buf_init(&l->part, IMAP_TOKEN_MAX);
}

void
imap_lex_free(struct imap_lex *l)
{
	buf_free(&l->part);
}

void
imap_lex_text(struct imap_lex *l)
{
	l->text_mode = true;
}

/* --- results ------------------------------------------------------------- */

static void
bad(struct imap_lex *l, struct imap_token *t, const char *why)
{
	l->state = STATE_BAD;
	l->error = why;
	t->kind = IMAP_TOKEN_BAD;
	t->text = span_str(why);
}

/* Puts a run aside until its token is complete. */
static bool
keep(struct imap_lex *l, struct imap_token *t, struct span run)
{
	if (buf_add(&l->part, run))
		return true;
	bad(l, t, "token or line too long");
	return false;
}

/* The token is what was put aside and the run that ends it; a view of the
 * input when nothing was put aside. */
static void
give_text(struct imap_lex *l, struct imap_token *t, enum imap_token_kind kind,
    struct span run)
{
	if (l->part.len == 0 && run.n <= IMAP_TOKEN_MAX) {
		t->text = run;
	} else {
		if (!keep(l, t, run))
			return;
		t->text = buf_span(&l->part);
		l->drop = true;
	}
	t->kind = kind;
}

static struct span
cut(struct span *in, size_t n)
{
	struct span head = span_make(in->p, n);

	*in = span_skip(*in, n);
	return head;
}

/* --- atoms --------------------------------------------------------------- */

static bool
is_control(char c)
{
	return (c >= 0 && c < 0x20) || c == 0x7f;
}

static bool
ends_atom(char c)
{
	return is_control(c) || c == ' ' || c == '(' || c == ')' || c == '"' ||
	       c == '{';
}

/* What the first byte of a token or the byte behind an atom leads to. */
static void
enter(struct imap_lex *l, struct imap_token *t, char c)
{
	switch (c) {
	case ' ':
		l->state = STATE_BETWEEN;
		break;
	case '(':
		l->state = STATE_OPEN;
		break;
	case ')':
		l->state = STATE_CLOSE;
		break;
	case '"':
		l->state = STATE_QUOTED;
		break;
	case '{':
		l->state = STATE_SIZE;
		break;
	case '\r':
		l->state = STATE_LF;
		break;
	default:
		bad(l, t, "control character outside a string");
		break;
	}
}

/* Only these names have a section behind them; a [ in a keyword is a byte like
 * any other, and nobody promised that a ] follows. */
static bool
has_section(struct span name)
{
	return span_iis(name, "BODY") || span_iis(name, "BINARY") ||
	       span_iis(name, "BINARY.SIZE");
}

/* Length of the run that needs no decision. */
static size_t
atom_run(const struct imap_lex *l, struct span in)
{
	size_t n = 0;

	while (n < in.n && in.p[n] != '[' && in.p[n] != ']' &&
	       (l->brackets > 0 ? !is_control(in.p[n]) : !ends_atom(in.p[n])))
		n++;
	return n;
}

/* A bracket in an atom, after everything in front of it was put aside. */
static void
take_bracket(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	struct span c = cut(in, 1);

	if (*c.p == '[' && (l->brackets > 0 || has_section(buf_span(&l->part))))
		l->brackets++;
	else if (*c.p == ']' && l->brackets > 0)
		l->brackets--;
	if (l->brackets > BRACKETS_MAX)
		bad(l, t, "too many brackets");
	else
		(void)keep(l, t, c);
}

static void
take_atom(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	struct span run = cut(in, atom_run(l, *in));
	char c;

	if (in->n == 0) {
		(void)keep(l, t, run);
		return;
	}
	c = in->p[0];
	if (c == '[' || c == ']') {
		if (keep(l, t, run))
			take_bracket(l, t, in);
		return;
	}
	(void)cut(in, 1);
	if (l->brackets > 0)
		bad(l, t, "line ends in a section");
	else
		enter(l, t, c);
	if (l->state != STATE_BAD)
		give_text(l, t, IMAP_TOKEN_ATOM, run);
}

/* --- strings ------------------------------------------------------------- */

static void
take_quoted(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	size_t n = 0;
	struct span run;
	char c;

	while (n < in->n && in->p[n] != '"' && in->p[n] != '\\' &&
	       in->p[n] != '\r' && in->p[n] != '\n' && in->p[n] != '\0')
		n++;
	run = cut(in, n);
	if (in->n == 0) {
		(void)keep(l, t, run);
		return;
	}
	c = *cut(in, 1).p;
	if (c == '"') {
		l->state = STATE_BETWEEN;
		give_text(l, t, IMAP_TOKEN_STRING, run);
	} else if (c == '\\') {
		l->state = STATE_ESCAPE;
		(void)keep(l, t, run);
	} else {
		bad(l, t, "line ends in a quoted string");
	}
}

/* Only " and \ are to be escaped.  What else is, is meant literally. */
static void
take_escape(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	struct span c = cut(in, 1);

	l->state = STATE_QUOTED;
	if (*c.p == '\r' || *c.p == '\n' || *c.p == '\0')
		bad(l, t, "line ends in a quoted string");
	else
		(void)keep(l, t, c);
}

static void
take_size(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	struct span c = cut(in, 1);

	if (ascii_is_digit(*c.p) && l->part.len < SIZE_DIGITS_MAX) {
		(void)keep(l, t, c);
		return;
	}
	l->state = STATE_SIZE_CR;
	l->drop = true;
	if (*c.p != '}' ||
	    !span_uint(buf_span(&l->part), IMAP_LITERAL_MAX, &l->left))
		bad(l, t, "bad literal size");
}

static void
take_size_end(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	char wanted = l->state == STATE_SIZE_CR ? '\r' : '\n';

	if (*cut(in, 1).p != wanted) {
		bad(l, t, "no line end behind a literal size");
	} else if (l->state == STATE_SIZE_CR) {
		l->state = STATE_SIZE_LF;
	} else {
		l->state = l->left > 0 ? STATE_LITERAL : STATE_BETWEEN;
		t->size = l->left;
		t->kind = IMAP_TOKEN_LITERAL;
	}
}

static void
take_literal(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	t->text = cut(in, l->left < in->n ? (size_t)l->left : in->n);
	l->left -= t->text.n;
	t->left = l->left;
	if (l->left == 0)
		l->state = STATE_BETWEEN;
	t->kind = IMAP_TOKEN_PIECE;
}

/* --- lines --------------------------------------------------------------- */

static void
take_text(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	size_t n = 0;
	struct span run;

	while (n < in->n && in->p[n] != '\r' && in->p[n] != '\n' &&
	       in->p[n] != '\0')
		n++;
	run = cut(in, n);
	if (in->n == 0) {
		(void)keep(l, t, run);
	} else if (*cut(in, 1).p == '\r') {
		l->state = STATE_LF;
		give_text(l, t, IMAP_TOKEN_TEXT, run);
	} else {
		bad(l, t, "NUL or bare LF in a line");
	}
}

static void
take_lf(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	if (*cut(in, 1).p != '\n') {
		bad(l, t, "CR without LF");
		return;
	}
	l->state = STATE_BETWEEN;
	t->kind = IMAP_TOKEN_EOL;
}

static void
take_first(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	char c = in->p[0];

	if (!ends_atom(c)) {
		l->state = c == '~' ? STATE_TILDE : STATE_ATOM;
		if (c == '~')
			(void)cut(in, 1);
		return;
	}
	(void)cut(in, 1);
	enter(l, t, c);
}

static void
take_tilde(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	l->state = STATE_ATOM;
	if (in->p[0] != '{') {
		(void)keep(l, t, span_str("~"));
		return;
	}
	l->state = STATE_SIZE;
	(void)cut(in, 1);
}

/* The tokens that need no more input. */
static bool
give_waiting(struct imap_lex *l, struct imap_token *t)
{
	if (l->state == STATE_BAD) {
		bad(l, t, l->error);
	} else if (l->text_mode) {
		l->text_mode = false;
		if (l->state == STATE_LF)
			t->kind = IMAP_TOKEN_TEXT;
		else if (l->state == STATE_BETWEEN)
			l->state = STATE_TEXT;
		else
			bad(l, t, "no space in front of a text");
		return l->state != STATE_TEXT;
	} else if (l->state == STATE_OPEN || l->state == STATE_CLOSE) {
		t->kind =
		    l->state == STATE_OPEN ? IMAP_TOKEN_OPEN : IMAP_TOKEN_CLOSE;
		l->state = STATE_BETWEEN;
	} else {
		return false;
	}
	return true;
}

static void
step(struct imap_lex *l, struct imap_token *t, struct span *in)
{
	switch ((enum state)l->state) {
	case STATE_BETWEEN:
		take_first(l, t, in);
		break;
	case STATE_ATOM:
		take_atom(l, t, in);
		break;
	case STATE_QUOTED:
		take_quoted(l, t, in);
		break;
	case STATE_ESCAPE:
		take_escape(l, t, in);
		break;
	case STATE_TILDE:
		take_tilde(l, t, in);
		break;
	case STATE_SIZE:
		take_size(l, t, in);
		break;
	case STATE_SIZE_CR:
	case STATE_SIZE_LF:
		take_size_end(l, t, in);
		break;
	case STATE_LITERAL:
		take_literal(l, t, in);
		break;
	case STATE_TEXT:
		take_text(l, t, in);
		break;
	case STATE_LF:
		take_lf(l, t, in);
		break;
	case STATE_OPEN:
	case STATE_CLOSE:
	case STATE_BAD:
		(void)give_waiting(l, t);
		break;
	}
}

void
imap_lex_next(struct imap_lex *l, struct span *in, struct imap_token *token_r)
{
	*token_r = (struct imap_token){ .kind = IMAP_TOKEN_MORE };
	if (l->drop)
		buf_drop(&l->part, l->part.len);
	l->drop = false;
	while (token_r->kind == IMAP_TOKEN_MORE && !give_waiting(l, token_r) &&
	       in->n > 0)
		step(l, token_r, in);
}
