/* SPDX-License-Identifier: ISC */
#include "conf/fetchmail_lex.h"

#include <stdio.h>

void
fetchmail_lex_init(struct fetchmail_lex *l, struct span text)
{
	*l = (struct fetchmail_lex){ .rest = text, .line = 1 };
}

static bool
is_one_of(char c, const char *set)
{
	return c != '\0' && strchr(set, c) != NULL;
}

static bool
is_in(struct span word, const char *const *list)
{
	for (; *list != NULL; list++)
		if (span_is(word, *list))
			return true;
	return false;
}

static void
go_on(struct fetchmail_lex *l, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (l->rest.p[i] == '\n')
			l->line++;
	l->rest = span_skip(l->rest, n);
}

/* --- what is between words ---------------------------------------------- */

static size_t
comment_length(struct span s)
{
	const char *end = memchr(s.p, '\n', s.n);

	return end != NULL ? (size_t)(end - s.p) : s.n;
}

/* Of what means nothing at the beginning of s. */
static size_t
blank_length(struct span s)
{
	if (s.n == 0)
		return 0;
	if (is_one_of(s.p[0], " \t\r\n;:,"))
		return 1;
	if (s.p[0] == '#')
		return comment_length(s);
	return s.n > 1 && s.p[0] == '\\' && s.p[1] == '\n' ? 2 : 0;
}

/* --- strings ------------------------------------------------------------ */

/* With its quotes; 0: it is not closed, or there is none. */
static size_t
quoted_length(struct span s)
{
	const char *end;

	if (s.n < 2 || (s.p[0] != '"' && s.p[0] != '\''))
		return 0;
	end = memchr(s.p + 1, s.p[0], s.n - 1);
	return end != NULL ? (size_t)(end - s.p) + 1 : 0;
}

static size_t
bare_length(struct span s)
{
	size_t n = 0;

	while (n < s.n && !is_one_of(s.p[n], "=;:, \t\r\n"))
		n++;
	return n;
}

static int
digit(char c, unsigned base)
{
	int v = ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10;

	if (!ascii_is_digit(c) &&
	    (ascii_lower(c) < 'a' || ascii_lower(c) > 'f'))
		return -1;
	return v < (int)base ? v : -1;
}

/* A character by its number: \x hexadecimal, \0 octal, else decimal; cuts it
 * off *s. */
static unsigned
take_number(struct span *s)
{
	unsigned base = s->p[0] == '0' ? 8 : 10, v = 0, max = 3;

	if (ascii_lower(s->p[0]) == 'x') {
		base = 16;
		max = 2;
		*s = span_skip(*s, 1);
	}
	for (unsigned i = 0; i < max && s->n > 0; i++) {
		int d = digit(s->p[0], base);

		if (d < 0)
			break;
		v = v * base + (unsigned)d;
		*s = span_skip(*s, 1);
	}
	return v & 0xff;
}

/* Behind the backslash; false: it stands for nothing. */
static bool
take_escape(struct span *s, char *c_r)
{
	static const char letters[] = "ntbr", meanings[] = "\n\t\b\r";
	const char *letter;
	char c;

	if (s->n == 0)
		return false;
	c = s->p[0];
	if (ascii_is_digit(c) || ascii_lower(c) == 'x') {
		*c_r = (char)take_number(s);
		return true;
	}
	*s = span_skip(*s, 1);
	letter = c != '\0' ? strchr(letters, c) : NULL;
	*c_r = letter != NULL ? meanings[letter - letters] : c;
	return c != '\n';
}

static void
bad(struct fetchmail_token *t, const char *why)
{
	t->kind = FETCHMAIL_BAD;
	snprintf(t->text, sizeof(t->text), "%s", why);
}

static void
unescape(struct fetchmail_token *t, struct span s)
{
	size_t n = 0;

	while (s.n > 0) {
		char c = s.p[0];

		s = span_skip(s, 1);
		if (c == '\\' && !take_escape(&s, &c))
			continue;
		if (c == '\0') {
			bad(t, "a NUL byte");
			return;
		}
		if (n == FETCHMAIL_TOKEN_MAX) {
			bad(t, "a word or string that is too long");
			return;
		}
		t->text[n++] = c;
	}
	t->text[n] = '\0';
}

/* --- words -------------------------------------------------------------- */

static bool
is_number(struct span s)
{
	if (s.n > 1 && s.p[0] == '-')
		s = span_skip(s, 1);
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_digit(s.p[i]))
			return false;
	return s.n > 0;
}

/* What a bare word is, and what it makes of the one behind it. */
static enum fetchmail_kind
classify(struct fetchmail_lex *l, struct span word)
{
	static const char *const before_names[] = { "user", "username", "pass",
		"password", "is", "to", NULL };
	static const char *const before_auth[] = { "auth", "authenticate",
		"preauth", "preauthenticate", NULL };
	bool is_name = l->wants_name, is_auth = l->wants_auth;

	l->wants_name = l->wants_auth = false;
	if (span_is(word, "*"))
		return FETCHMAIL_STAR;
	if (is_name)
		return FETCHMAIL_STRING;
	if (is_number(word))
		return FETCHMAIL_NUMBER;
	if (memchr(word.p, '\\', word.n) != NULL)
		return FETCHMAIL_STRING;
	if (!is_auth) {
		l->wants_name = is_in(word, before_names);
		l->wants_auth = is_in(word, before_auth);
	}
	return FETCHMAIL_WORD;
}

static bool
is_noise(const struct fetchmail_token *t)
{
	static const char *const noise[] = { "with", "and", "has", "wants",
		"options", NULL };

	return t->kind == FETCHMAIL_WORD && is_in(span_str(t->text), noise);
}

static void
take_token(struct fetchmail_lex *l, struct fetchmail_token *t)
{
	size_t blank, quoted, bare;

	while ((blank = blank_length(l->rest)) > 0)
		go_on(l, blank);
	t->line = l->line;
	t->kind = FETCHMAIL_END;
	t->text[0] = '\0';
	if (l->rest.n == 0)
		return;
	if (l->rest.p[0] == '=') {
		t->kind = FETCHMAIL_EQUALS;
		l->wants_name = true;
		go_on(l, 1);
		return;
	}
	quoted = quoted_length(l->rest);
	bare = bare_length(l->rest);
	if (quoted >= bare) { /* as of a lexer that takes the longest */
		t->kind = FETCHMAIL_STRING;
		l->wants_name = l->wants_auth = false;
		unescape(t, span_make(l->rest.p + 1, quoted - 2));
		go_on(l, quoted);
		return;
	}
	t->kind = classify(l, span_make(l->rest.p, bare));
	unescape(t, span_make(l->rest.p, bare));
	go_on(l, bare);
}

void
fetchmail_lex_next(struct fetchmail_lex *l, struct fetchmail_token *t)
{
	do
		take_token(l, t);
	while (is_noise(t));
}
