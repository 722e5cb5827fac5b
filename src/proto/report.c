/* SPDX-License-Identifier: ISC */
#include "proto/report.h"

void
report_init(struct report_scan *r)
{
	*r = (struct report_scan){ .count = 0 };
}

/* Blanks, and the marks that some put in front of what they quote. */
static struct span
skip_quoting(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t' || s.p[0] == '>'))
		s = span_skip(s, 1);
	return s;
}

static bool
is_letter_of_id(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
}

static bool
is_kept(const struct report_scan *r, struct span id)
{
	for (unsigned i = 0; i < r->count; i++)
		if (span_is(id, r->ids[i]))
			return true;
	return false;
}

static void
keep(struct report_scan *r, struct span value)
{
	struct span id = span_make(value.p, 0);

	while (id.n < value.n && is_letter_of_id(value.p[id.n]))
		id.n++;
	/* What goes on in another way is another id. */
	if (id.n != REPORT_ID_LEN ||
	    (id.n < value.n && strchr(" \t;\r\n", value.p[id.n]) == NULL))
		return;
	if (r->count == REPORT_IDS || is_kept(r, id))
		return;
	memcpy(r->ids[r->count++], id.p, id.n); /* zeroed: the NUL is there */
}

static void
end_line(struct report_scan *r)
{
	struct span rest = skip_quoting(span_make(r->head, r->head_len));
	struct span name = span_cut(&rest, ':');

	r->head_len = 0;
	if (span_iis(name, "Original-Envelope-Id") ||
	    span_iis(name, "X-Mailhaul-Trace"))
		keep(r, skip_quoting(rest));
}

void
report_feed(struct report_scan *r, struct span s)
{
	while (s.n > 0) {
		const char *lf = memchr(s.p, '\n', s.n);
		size_t n = lf != NULL ? (size_t)(lf - s.p) : s.n;
		size_t room = sizeof(r->head) - r->head_len;
		size_t take = n < room ? n : room;

		memcpy(r->head + r->head_len, s.p, take);
		r->head_len += (unsigned)take;
		if (lf != NULL)
			end_line(r);
		s = span_skip(s, lf != NULL ? n + 1 : n);
	}
}

void
report_end(struct report_scan *r)
{
	end_line(r);
}
