/* SPDX-License-Identifier: ISC */
#include "proto/imap_name.h"

#include <stdint.h>
#include <string.h>

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

struct out {
	char *p;
	size_t n, cap;
	bool bad;
};

static void
put(struct out *o, char c)
{
	if (o->n + 1 >= o->cap)
		o->bad = true;
	else
		o->p[o->n++] = c;
}

static bool
end(struct out *o)
{
	if (o->cap == 0)
		return false;
	o->p[o->n] = '\0';
	return !o->bad;
}

static bool
is_plain(uint32_t c)
{
	return c >= 0x20 && c <= 0x7e;
}

/* Those of U+0080 to U+009F too: a terminal obeys them. */
static bool
is_control(uint32_t c)
{
	return c < 0x20 || (c > 0x7e && c < 0xa0);
}

/* The next character of UTF-8, without overlong forms and surrogates. */
static bool
next_character(const unsigned char **at, uint32_t *c_r)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = *at;
	unsigned more = p[0] < 0x80                   ? 0
	                : p[0] >= 0xc2 && p[0] < 0xe0 ? 1
	                : p[0] >= 0xe0 && p[0] < 0xf0 ? 2
	                : p[0] >= 0xf0 && p[0] < 0xf5 ? 3
	                                              : 4;
	uint32_t c;

	if (more > 3)
		return false;
	c = more == 0 ? p[0] : p[0] & (0x3fu >> more);
	for (unsigned i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return false;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return false;
	*at = p + more + 1;
	*c_r = c;
	return true;
}

/* --- encode */

/* Sixteen bits at a time into digits of six. */
struct bits {
	uint32_t value;
	unsigned n;
	bool open; /* behind "&" */
};

static void
put_unit(struct out *o, struct bits *b, uint32_t unit)
{
	if (!b->open)
		put(o, '&');
	b->open = true;
	b->value = b->value << 16 | unit;
	for (b->n += 16; b->n >= 6; b->n -= 6)
		put(o, digits[b->value >> (b->n - 6) & 0x3f]);
	b->value &= (1u << b->n) - 1;
}

static void
close_bits(struct out *o, struct bits *b)
{
	if (!b->open)
		return;
	if (b->n > 0)
		put(o, digits[b->value << (6 - b->n) & 0x3f]);
	put(o, '-');
	*b = (struct bits){ 0 };
}

bool
imap_name_encode(const char *utf8, char *dst, size_t cap)
{
	const unsigned char *at = (const unsigned char *)utf8;
	struct out o = { .p = dst, .cap = cap };
	struct bits b = { 0 };
	uint32_t c;

	while (*at != '\0') {
		if (!next_character(&at, &c) || is_control(c))
			return false;
		if (is_plain(c)) {
			close_bits(&o, &b);
			put(&o, (char)c);
			if (c == '&')
				put(&o, '-');
		} else if (c < 0x10000) {
			put_unit(&o, &b, c);
		} else {
			put_unit(&o, &b, 0xd800 + ((c - 0x10000) >> 10));
			put_unit(&o, &b, 0xdc00 + ((c - 0x10000) & 0x3ff));
		}
	}
	close_bits(&o, &b);
	return end(&o);
}

/* --- decode */

static void
put_character(struct out *o, uint32_t c)
{
	if (c < 0x80) {
		put(o, (char)c);
	} else if (c < 0x800) {
		put(o, (char)(0xc0 | c >> 6));
		put(o, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		put(o, (char)(0xe0 | c >> 12));
		put(o, (char)(0x80 | (c >> 6 & 0x3f)));
		put(o, (char)(0x80 | (c & 0x3f)));
	} else {
		put(o, (char)(0xf0 | c >> 18));
		put(o, (char)(0x80 | (c >> 12 & 0x3f)));
		put(o, (char)(0x80 | (c >> 6 & 0x3f)));
		put(o, (char)(0x80 | (c & 0x3f)));
	}
}

static void
put_utf16(struct out *o, uint32_t *high, uint32_t unit)
{
	if (*high != 0 && unit >= 0xdc00 && unit < 0xe000) {
		put_character(
		    o, 0x10000 + ((*high - 0xd800) << 10) + (unit - 0xdc00));
		*high = 0;
	} else if (*high != 0 || (unit >= 0xdc00 && unit < 0xe000)) {
		o->bad = true; /* half a pair */
	} else if (unit >= 0xd800 && unit < 0xdc00) {
		*high = unit;
	} else {
		put_character(o, unit);
	}
}

/* What stands between "&" and "-".  Spare bits and a first half of a pair that
 * is the last are left to is_canonical(). */
static void
decode_run(struct out *o, struct span run)
{
	uint32_t value = 0, high = 0;
	unsigned n = 0;

	for (size_t i = 0; i < run.n; i++) {
		const char *digit =
		    run.p[i] != '\0' ? strchr(digits, run.p[i]) : NULL;

		if (digit == NULL) {
			o->bad = true;
			return;
		}
		value = value << 6 | (uint32_t)(digit - digits);
		n += 6;
		if (n >= 16) {
			n -= 16;
			put_utf16(o, &high, value >> n);
			value &= (1u << n) - 1;
		}
	}
}

/* Only what imap_name_encode() would have written, so that a name that is
 * listed can be asked for. */
static bool
is_canonical(const char *utf8, struct span name)
{
	char again[IMAP_NAME_MAX];

	return imap_name_encode(utf8, again, sizeof(again)) &&
	       span_is(name, again);
}

bool
imap_name_decode(struct span name, char *dst, size_t cap)
{
	struct out o = { .p = dst, .cap = cap };
	struct span whole = name;

	while (name.n > 0 && !o.bad) {
		const char *minus;
		struct span run;

		if (*name.p != '&') {
			o.bad = !is_plain((unsigned char)*name.p);
			put(&o, *name.p);
			name = span_skip(name, 1);
			continue;
		}
		name = span_skip(name, 1);
		minus = name.n > 0 ? memchr(name.p, '-', name.n) : NULL;
		if (minus == NULL)
			return false;
		run = span_make(name.p, (size_t)(minus - name.p));
		name = span_skip(name, run.n + 1);
		if (run.n == 0)
			put(&o, '&');
		else
			decode_run(&o, run);
	}
	return end(&o) && is_canonical(dst, whole);
}
