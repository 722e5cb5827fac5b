/* SPDX-License-Identifier: ISC */
#include "base/ascii.h"

char *
ascii_clean(char *dst, size_t cap, const char *p, size_t n)
{
	size_t room = cap > 0 ? cap - 1 : 0;
	size_t len = n < room ? n : room;

	if (cap == 0)
		return dst;
	for (size_t i = 0; i < len; i++)
		dst[i] = ascii_is_print(p[i]) ? p[i] : '?';
	if (n > room)
		for (size_t i = 0; i < 3 && i < len; i++)
			dst[len - 1 - i] = '.';
	dst[len] = '\0';
	return dst;
}
