/* SPDX-License-Identifier: ISC */
/*
 * Characters as the mail protocols mean them: ASCII, no locale, and safe for
 * bytes of 0x80 and above whatever the sign of char.
 */
#ifndef BASE_ASCII_H
#define BASE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline bool
ascii_is_print(char c)
{
	return c >= 0x20 && c < 0x7f;
}

static inline bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static inline char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Writes at most cap - 1 bytes of the n at p, each unprintable one as '?', and
 * a NUL.  A text that does not fit ends in "...".  Returns dst. */
char *ascii_clean(char *dst, size_t cap, const char *p, size_t n);

#endif
