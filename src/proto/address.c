/* SPDX-License-Identifier: ISC */
#include "proto/address.h"

#include "proto/words.h"

void
address_begin(struct address_list *l, struct span text, bool cut)
{
	*l = (struct address_list){ .rest = text, .cut = cut };
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && is_blank(s.p[0]))
		s = span_skip(s, 1);
	while (s.n > 0 && is_blank(s.p[s.n - 1]))
		s.n--;
	return s;
}

static size_t
skip_comment(struct span s)
{
	unsigned depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && --depth == 0)
			return i + 1;
	}
	return s.n;
}

static size_t
skip_to(struct span s, char end)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == end)
			return i + 1;
	}
	return s.n;
}

size_t
address_skip(struct span s)
{
	size_t n;

	switch (s.p[0]) {
	case '(':
		return skip_comment(s);
	case '"':
		return skip_to(s, '"');
	case '[':
		return skip_to(s, ']');
	case '\\':
		return s.n < 2 ? s.n : 2;
	case '=':
		/* Careless programs leave commas in them. */
		n = words_encoded_length(s);
		return n > 0 ? n : 1;
	default:
		return 1;
	}
}

/* --- one element: what stands between two commas */

struct element {
	struct span text;    /* without the comma */
	struct span angle;   /* between < and >; p NULL: there is none */
	struct span comment; /* the last one, without its brackets; or p NULL */
	char end;            /* ',', ';', ':', or NUL: the text's end */
};

static struct span
inside(struct span s, size_t n, char close)
{
	bool closed = n > 1 && s.p[n - 1] == close;

	return span_make(s.p + 1, n - 1 - closed);
}

/* Angle brackets that hold each other are nobody's address. */
static size_t
skip_angle(struct span s)
{
	size_t i = 1;

	while (i < s.n && s.p[i] != '>')
		i += address_skip(span_skip(s, i));
	return i < s.n ? i + 1 : s.n;
}

static struct element
cut_element(struct span *rest)
{
	struct element e = { .text = *rest };
	size_t i = 0;

	while (i < rest->n && e.end == '\0') {
		struct span s = span_skip(*rest, i);
		size_t n = address_skip(s);
		char c = s.p[0];

		if (c == '(') {
			e.comment = inside(s, n, ')');
		} else if (c == '<') {
			n = skip_angle(s);
			e.angle = inside(s, n, '>');
			e.angle.p = s.p + 1;
		} else if (c == ',' || c == ';' ||
			   (c == ':' && e.angle.p == NULL)) {
			e.end = c;
		}
		i += n;
	}
	e.text.n = e.end != '\0' ? i - 1 : i;
	*rest = span_skip(*rest, i);
	return e;
}

/* Where the source route ends that RFC 5322 section 4.4 wants ignored. */
static struct span
without_route(struct span s)
{
	if (s.n == 0 || s.p[0] != '@')
		return s;
	for (size_t i = 0; i < s.n; i += address_skip(span_skip(s, i)))
		if (s.p[i] == ':')
			return span_skip(s, i + 1);
	return s;
}

/* Copies local@domain without the blanks and comments that may stand in it.
 * False: it is none. */
static bool
read_addr(struct span s, char addr_r[ADDRESS_MAX + 1])
{
	size_t n = 0, at = 0;

	for (size_t i = 0, step; i < s.n; i += step) {
		struct span piece = span_skip(s, i);

		step = address_skip(piece);
		if (piece.p[0] == '(' || is_blank(piece.p[0]))
			continue;
		if (step == 1 &&
		    ((unsigned char)piece.p[0] < 0x21 || piece.p[0] == 0x7f ||
			strchr("<>()[],;:\\\"", piece.p[0]) != NULL))
			return false;
		if (piece.p[0] == '@' && at > 0)
			return false;
		if (piece.p[0] == '@')
			at = n;
		if (n + step > ADDRESS_MAX)
			return false;
		for (size_t k = 0; k < step; k++)
			if (!ascii_is_print(piece.p[k]) &&
			    (unsigned char)piece.p[k] < 0x80)
				return false;
		memcpy(addr_r + n, piece.p, step);
		n += step;
	}
	addr_r[n] = '\0';
	return at > 0 && at + 1 < n;
}

/* "Ann Lee ann@example.org", which many have written: the last word. */
static bool
read_last_word(struct span s, struct address *a)
{
	size_t last = 0;

	for (size_t i = 0; i < s.n; i += address_skip(span_skip(s, i)))
		if (is_blank(s.p[i]))
			last = i + 1;
	a->name = trim(span_make(s.p, last));
	return read_addr(span_skip(s, last), a->addr);
}

static bool
has_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i += address_skip(span_skip(s, i)))
		if (is_blank(s.p[i]))
			return true;
	return false;
}

/* Blanks may stand around "@" and ".", but not between two words. */
static bool
read_bare(struct span s, struct address *a)
{
	char last = '\0';
	bool blank = false;

	for (size_t i = 0; i < s.n; i += address_skip(span_skip(s, i))) {
		char c = s.p[i];

		if (is_blank(c) || c == '(') {
			blank = true;
			continue;
		}
		if (blank && last != '\0' && strchr("@.", c) == NULL &&
		    strchr("@.", last) == NULL)
			return read_last_word(s, a);
		blank = false;
		last = c;
	}
	return read_addr(s, a->addr);
}

static bool
read_mailbox(const struct element *e, struct address *a)
{
	bool good;

	if (e->angle.p != NULL) {
		a->name = trim(
		    span_make(e->text.p, (size_t)(e->angle.p - 1 - e->text.p)));
		good = read_addr(without_route(e->angle), a->addr);
	} else {
		good = read_bare(trim(e->text), a);
	}
	if (good && a->name.n == 0 && e->comment.p != NULL) {
		a->name = trim(e->comment);
		a->comment = true;
	}
	return good && !has_blank(span_str(a->addr));
}

static void
end_group(struct address_list *l)
{
	l->in_group = false;
	l->group = span_make(NULL, 0);
}

/* A group that nobody is in is worth its name: "Undisclosed:;" */
static bool
is_lonely(const struct address_list *l, struct address *a_r)
{
	*a_r = (struct address){ .group = l->group };
	return !l->members && l->group.n > 0;
}

bool
address_next(struct address_list *l, struct address *a_r)
{
	while (l->rest.n > 0) {
		struct element e = cut_element(&l->rest);
		bool found, lonely = false;

		if (e.end == '\0' && l->cut)
			return false;
		if (e.end == ':' && !l->in_group) {
			l->in_group = true;
			l->members = false;
			l->group = trim(e.text);
			continue;
		}
		*a_r = (struct address){ .group = l->group };
		found = read_mailbox(&e, a_r);
		l->members = l->members || found;
		if (e.end == ';' && l->in_group) {
			if (!found)
				lonely = is_lonely(l, a_r);
			end_group(l);
		}
		if (found || lonely)
			return true;
	}
	return false;
}
