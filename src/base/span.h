/* SPDX-License-Identifier: ISC */
/*
 * A view: pointer and length of bytes that somebody else owns.
 *
 * What a server sends is only ever looked at through a span; it is never a C
 * string, because it may hold NUL and has no end of its own.  Numbers from the
 * net go through span_uint() and nothing else: digits only, no sign, an
 * explicit maximum, no wrap.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/ascii.h"

struct span {
	const char *p;
	size_t n;
};

static inline struct span
span_make(const void *p, size_t n)
{
	return (struct span){ p, n };
}

static inline struct span
span_str(const char *s)
{
	return (struct span){ s, strlen(s) };
}

static inline bool
span_eq(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Case is ignored as in ASCII, whatever the locale says. */
static inline bool
span_ieq(struct span a, struct span b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

static inline bool
span_is(struct span a, const char *s)
{
	return span_eq(a, span_str(s));
}

static inline bool
span_iis(struct span a, const char *s)
{
	return span_ieq(a, span_str(s));
}

static inline bool
span_istarts(struct span a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.n >= n && span_ieq(span_make(a.p, n), span_make(prefix, n));
}

/* Only what may stand in an argument of a command line: 0x21 to 0x7e. */
static inline bool
span_is_visible(struct span a)
{
	for (size_t i = 0; i < a.n; i++)
		if (!ascii_is_print(a.p[i]) || a.p[i] == ' ')
			return false;
	return true;
}

static inline struct span
span_skip(struct span a, size_t n)
{
	if (n > a.n)
		n = a.n;
	return n > 0 ? span_make(a.p + n, a.n - n) : a; /* a.p may be NULL */
}

/* Cuts the part before the first sep off *rest and returns it; the separator
 * itself is dropped.  Without a sep the whole rest is returned. */
static inline struct span
span_cut(struct span *rest, char sep)
{
	const char *at = rest->n > 0 ? memchr(rest->p, sep, rest->n) : NULL;
	size_t n = at != NULL ? (size_t)(at - rest->p) : rest->n;
	struct span head = span_make(rest->p, n);

	*rest = span_skip(*rest, at != NULL ? n + 1 : n);
	return head;
}

/* False and *v_r untouched unless all of a is digits and the value <= max. */
static inline bool
span_uint(struct span a, uint64_t max, uint64_t *v_r)
{
	uint64_t v = 0;

	if (a.n == 0)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		unsigned digit = (unsigned char)a.p[i] - (unsigned)'0';

		if (digit > 9 || v > (max - digit) / 10 || digit > max)
			return false;
		v = v * 10 + digit;
	}
	*v_r = v;
	return true;
}

#endif
