/* SPDX-License-Identifier: ISC */
#include "proto/sasl_list.h"

#define SASL_NAME_MAX 20 /* RFC 4422 */

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
}

static bool
is_name(struct span s)
{
	if (s.n == 0 || s.n > SASL_NAME_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = upper(s.p[i]);

		if ((c < 'A' || c > 'Z') && !ascii_is_digit(c) && c != '-' &&
		    c != '_')
			return false;
	}
	return true;
}

static bool
contains(const char *list, struct span name)
{
	struct span rest = span_str(list);

	while (rest.n > 0)
		if (span_ieq(span_cut(&rest, ' '), name))
			return true;
	return false;
}

void
sasl_list_add(char *dst, size_t cap, struct span name)
{
	size_t at = strlen(dst);

	if (!is_name(name) || contains(dst, name) || at + name.n + 2 > cap)
		return;
	if (at > 0)
		dst[at++] = ' ';
	for (size_t i = 0; i < name.n; i++)
		dst[at++] = upper(name.p[i]);
	dst[at] = '\0';
}
