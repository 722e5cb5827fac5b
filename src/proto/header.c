/* SPDX-License-Identifier: ISC */
#include "proto/header.h"

enum {
	NAME,  /* collecting the name of a field */
	VALUE, /* behind its colon */
	SKIP,  /* a line that is no field, or none we look for */
};

enum {
	OTHER,
	RECEIVED,
	RETURN_PATH,
	TRACE,
	NOTICE,
	CONTENT_TYPE,
};

void
header_init(struct header_scan *h, const char *token)
{
	*h = (struct header_scan){ .state = SKIP };
	ascii_clean(h->token, sizeof(h->token), token, strlen(token));
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

static struct span
unquote(struct span s)
{
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		s = span_make(s.p + 1, s.n - 2);
	return s;
}

/* RFC 6522 section 3.  A boundary with a semicolon in it only adds parameters
 * that nobody knows. */
static bool
names_a_report(struct span rest)
{
	if (!span_iis(trim(span_cut(&rest, ';')), "multipart/report"))
		return false;
	while (rest.n > 0) {
		struct span value = trim(span_cut(&rest, ';'));
		struct span key = trim(span_cut(&value, '='));

		if (span_iis(key, "report-type") &&
		    span_iis(unquote(trim(value)), "delivery-status"))
			return true;
	}
	return false;
}

/* The parameters of the field stand between semicolons. */
static bool
names_our_account(const struct header_scan *h)
{
	struct span rest = span_make(h->value, h->value_len);

	while (rest.n > 0) {
		struct span value = trim(span_cut(&rest, ';'));
		struct span key = trim(span_cut(&value, '='));

		if (span_iis(key, "account") && h->token[0] != '\0' &&
		    span_is(trim(value), h->token))
			return true;
	}
	return false;
}

/* The next field begins, so this one is whole. */
static void
end_field(struct header_scan *h)
{
	struct span value = trim(span_make(h->value, h->value_len));

	if (h->state == VALUE && h->field == TRACE && names_our_account(h))
		h->own_token = true;
	if (h->state == VALUE && h->field == RETURN_PATH &&
	    span_is(value, "<>"))
		h->null_sender = true;
	if (h->state == VALUE && h->field == NOTICE)
		ascii_clean(h->notice, sizeof(h->notice), value.p, value.n);
	if (h->state == VALUE && h->field == CONTENT_TYPE &&
	    names_a_report(value))
		h->report = true;
	h->state = SKIP;
}

/* The colon was read; blanks in front of it are the old syntax of RFC 5322
 * section 4.5. */
static void
end_name(struct header_scan *h)
{
	struct span name = trim(span_make(h->name, h->name_len));

	h->state = VALUE;
	h->value_len = 0;
	h->field = OTHER;
	if (span_iis(name, "Received")) {
		h->field = RECEIVED;
		h->received++;
	} else if (span_iis(name, "Return-Path")) {
		h->field = RETURN_PATH;
	} else if (span_iis(name, "X-Mailhaul-Trace")) {
		h->field = TRACE;
	} else if (span_iis(name, "X-Mailhaul-Notice")) {
		h->field = NOTICE;
	} else if (span_iis(name, "Content-Type")) {
		h->field = CONTENT_TYPE;
	}
}

static void
feed_name(struct header_scan *h, struct span *s)
{
	while (s->n > 0 && h->state == NAME) {
		char c = s->p[0];

		*s = span_skip(*s, 1);
		if (c == ':')
			end_name(h);
		else if (c == '\n' || h->name_len == sizeof(h->name))
			h->state = SKIP;
		else
			h->name[h->name_len++] = c;
	}
}

static void
feed_value(struct header_scan *h, struct span s)
{
	for (size_t i = 0; i < s.n && h->value_len < sizeof(h->value); i++)
		if (s.p[i] != '\r' && s.p[i] != '\n')
			h->value[h->value_len++] = s.p[i];
}

/* A piece of a header line, its LF included when it has come. */
static void
feed_header(struct header_scan *h, struct span s)
{
	bool folded = s.p[0] == ' ' || s.p[0] == '\t';

	if (h->line_len == 0 && !folded) {
		end_field(h);
		h->state = NAME;
		h->name_len = 0;
	}
	feed_name(h, &s);
	if (h->state == VALUE && h->field >= RETURN_PATH)
		feed_value(h, s);
}

static bool
has_eight_bit(struct span s)
{
	size_t i = 0;
	uint64_t word;

	for (; s.n - i >= sizeof(word); i += sizeof(word)) {
		memcpy(&word, s.p + i, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			return true;
	}
	for (; i < s.n; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return true;
	return false;
}

static void
look_for_eight_bit(struct header_scan *h, struct span s)
{
	if (!has_eight_bit(s))
		return;
	h->eight_bit = true;
	h->eight_bit_header |= !h->body;
}

/* Counts a piece of a line.  A CR at its end belongs to the ending, of which
 * the LF may still be to come. */
static void
count_line(struct header_scan *h, struct span s)
{
	bool ended = s.p[s.n - 1] == '\n';
	bool cr = s.n > 1 ? s.p[s.n - 2] == '\r' : h->cr;
	uint64_t len = h->line_len + s.n;

	h->line_len = ended ? 0 : len;
	h->cr = s.p[s.n - 1] == '\r';
	if (ended)
		len -= cr ? 2 : 1;
	else if (h->cr)
		len--;
	if (len > h->longest_line)
		h->longest_line = len;
	if (!h->body) {
		h->header_bytes += s.n;
		h->body = ended && len == 0;
	}
}

void
header_feed(struct header_scan *h, struct span s)
{
	if (s.n == 0)
		return;
	if (h->bytes == 0)
		h->starts_folded = s.p[0] == ' ' || s.p[0] == '\t';
	h->bytes += s.n;
	if (!h->nul)
		h->nul = memchr(s.p, '\0', s.n) != NULL;
	while (s.n > 0) {
		const char *lf = memchr(s.p, '\n', s.n);
		size_t n = lf != NULL ? (size_t)(lf - s.p) + 1 : s.n;
		struct span piece = span_make(s.p, n);

		if (!h->eight_bit)
			look_for_eight_bit(h, piece);
		if (!h->body)
			feed_header(h, piece);
		count_line(h, piece);
		s = span_skip(s, n);
	}
}

void
header_end(struct header_scan *h)
{
	if (!h->body)
		end_field(h);
}
