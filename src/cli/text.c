/* SPDX-License-Identifier: ISC */
#include "cli/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

const char *
text_bytes(char buf[TEXT_MAX], uint64_t n)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB",
		"EB" };
	double v = (double)n;
	size_t unit = 0;

	if (n < 1000) {
		snprintf(buf, TEXT_MAX, "%.0f B", v);
		return buf;
	}
	v /= 1000;
	/* What would be written with four digits belongs to the next unit. */
	while (v >= 999.5 && unit < sizeof(units) / sizeof(*units) - 1) {
		v /= 1000;
		unit++;
	}
	snprintf(buf, TEXT_MAX, "%.*f %s", v < 9.95 ? 1 : 0, v, units[unit]);
	return buf;
}

const char *
text_span(char buf[TEXT_MAX], int64_t seconds)
{
	long long s = seconds > 0 ? seconds : 0; /* the clock went back */

	if (s < 60)
		snprintf(buf, TEXT_MAX, "%llds", s);
	else if (s < 60 * 60)
		snprintf(buf, TEXT_MAX, "%lldm", s / 60);
	else if (s < 24 * 60 * 60)
		snprintf(buf, TEXT_MAX, "%lldh", s / 3600);
	else
		snprintf(buf, TEXT_MAX, "%lldd", s / 86400);
	return buf;
}

const char *
text_left(char buf[TEXT_MAX], int64_t seconds)
{
	long long s = seconds > 0 ? seconds : 0;

	if (s < 60 * 60)
		snprintf(buf, TEXT_MAX, "%lld:%02lld", s / 60, s % 60);
	else
		snprintf(buf, TEXT_MAX, "%lldh %lldm", s / 3600, s / 60 % 60);
	return buf;
}

const char *
text_date(char buf[TEXT_MAX], int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(buf, TEXT_MAX, "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		snprintf(buf, TEXT_MAX, "%lld", (long long)when);
	return buf;
}

char *
text_quoted(const char *value)
{
	char *text = mem_alloc(4 * strlen(value) + 3), *p = text;

	*p++ = '"';
	for (; *value != '\0'; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\') {
			*p++ = '\\';
			*p++ = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			p += sprintf(p, "\\x%02x", c);
		} else {
			*p++ = (char)c;
		}
	}
	*p++ = '"';
	*p = '\0';
	return text;
}
