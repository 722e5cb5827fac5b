/* SPDX-License-Identifier: ISC */
#include "base/fault.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/ascii.h"

#define QUOTE_MIN 8 /* with less room than this a quote says nothing */

void
fault_set(struct fault *f, enum fault_scope scope, enum fault_when when,
    const char *phase, const char *fmt, ...)
{
	char raw[2 * FAULT_TEXT_MAX]; /* the arguments may lie in f->text */
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n >= sizeof(raw))
		n = sizeof(raw) - 1;
	*f = (struct fault){ .scope = scope, .when = when, .phase = phase };
	ascii_clean(f->text, sizeof(f->text), raw, (size_t)n);
}

/* The closing quote is always there, and only we can write one: nothing that
 * the server says can pass for our own words. */
void
fault_quote(struct fault *f, struct span words)
{
	size_t at = strlen(f->text), room = sizeof(f->text) - at;
	char *p = f->text + at;

	if (words.n == 0 || room < QUOTE_MIN)
		return;
	if (at > 0) {
		*p++ = ':';
		*p++ = ' ';
		room -= 2;
	}
	*p++ = '"';
	f->quoted = (unsigned)(p - f->text);
	ascii_clean(p, room - 2, words.p, words.n);
	for (; *p != '\0'; p++)
		if (*p == '"')
			*p = '\'';
	*p++ = '"';
	*p = '\0';
}

char *
fault_hint(const struct fault *f, const char *name, char *dst, size_t cap)
{
	dst[0] = '\0';
	if (f->hint != NULL)
		(void)snprintf(dst, cap, "; %s", f->hint);
	else if (f->sign_in)
		(void)snprintf(
		    dst, cap, "; sign in again: mailhaul login %s", name);
	return dst;
}

const char *
fault_scope_name(enum fault_scope scope)
{
	static const char *const name[] = {
		[FAULT_MESSAGE] = "message",
		[FAULT_ACCOUNT] = "account",
		[FAULT_DESTINATION] = "destination",
		[FAULT_US] = "us",
	};

	return name[scope];
}

const char *
fault_when_name(enum fault_when when)
{
	static const char *const name[] = {
		[FAULT_NOW] = "now",
		[FAULT_LATER] = "later",
		[FAULT_NEVER] = "never",
		[FAULT_UNKNOWN] = "unknown",
	};

	return name[when];
}
