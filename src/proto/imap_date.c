/* SPDX-License-Identifier: ISC */
/*
 * The date-time of RFC 3501 section 9, of fixed width but for the day, which
 * some servers write with one digit.
 */
#include "proto/imap_private.h"

#define DAY 86400

static bool
take_number(struct span *s, size_t digits, uint64_t max, int64_t *n_r)
{
	uint64_t n;

	if (s->n < digits || !span_uint(span_make(s->p, digits), max, &n))
		return false;
	*s = span_skip(*s, digits);
	*n_r = (int64_t)n;
	return true;
}

static bool
take_char(struct span *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = span_skip(*s, 1);
	return true;
}

/* From 0. */
static bool
take_month(struct span *s, int64_t *month_r)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (size_t i = 0; i < 12 && s->n >= 3; i++)
		if (span_iis(span_make(s->p, 3),
			(const char[4]){ names[3 * i], names[3 * i + 1],
			    names[3 * i + 2], '\0' })) {
			*month_r = (int64_t)i;
			*s = span_skip(*s, 3);
			return true;
		}
	return false;
}

static bool
take_time(struct span *s, int64_t *seconds_r)
{
	int64_t hour, minute, second;

	if (!take_number(s, 2, 23, &hour) || !take_char(s, ':') ||
	    !take_number(s, 2, 59, &minute) || !take_char(s, ':') ||
	    !take_number(s, 2, 60, &second))
		return false;
	*seconds_r = (hour * 60 + minute) * 60 + second;
	return true;
}

static bool
take_zone(struct span *s, int64_t *seconds_r)
{
	int64_t hours, minutes;
	bool west = s->n > 0 && s->p[0] == '-';

	if (!take_char(s, west ? '-' : '+') || !take_number(s, 2, 99, &hours) ||
	    !take_number(s, 2, 59, &minutes))
		return false;
	*seconds_r = (hours * 60 + minutes) * (west ? -60 : 60);
	return true;
}

/* Of the Gregorian calendar since 1970; the year begins with March, so that
 * the day that comes and goes is its last. */
static int64_t
days_since_1970(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month < 2 ? year - 1 : year;
	int64_t m = (month + 10) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day -
	       719469;
}

int64_t
imap_date(struct span s)
{
	int64_t day, month, year, time, zone, date;

	while (take_char(&s, ' '))
		;
	if (!take_number(&s, s.n > 1 && s.p[1] == '-' ? 1 : 2, 31, &day) ||
	    !take_char(&s, '-') || !take_month(&s, &month) ||
	    !take_char(&s, '-') || !take_number(&s, 4, 9999, &year) ||
	    !take_char(&s, ' ') || !take_time(&s, &time) ||
	    !take_char(&s, ' ') || !take_zone(&s, &zone) || s.n > 0)
		return 0;
	date = days_since_1970(year, month, day) * DAY + time - zone;
	return date > 0 ? date : 0;
}
