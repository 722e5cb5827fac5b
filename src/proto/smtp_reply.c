/* SPDX-License-Identifier: ISC */
#include "proto/smtp_reply.h"

void
smtp_reply_reset(struct smtp_reply *r)
{
	r->code = r->lines = 0;
	r->text_len = 0;
	r->text[0] = '\0'; /* the rest is not worth a wipe for each reply */
}

/* What servers say ends in logs and on terminals: no control characters. */
static void
add_text(struct smtp_reply *r, struct span s)
{
	size_t room = sizeof(r->text) - 1 - r->text_len;

	if (s.n > room)
		s.n = room;
	for (size_t i = 0; i < s.n; i++)
		r->text[r->text_len++] = ascii_is_print(s.p[i]) ? s.p[i] : '?';
	r->text[r->text_len] = '\0';
}

enum smtp_reply_status
smtp_reply_feed(struct smtp_reply *r, struct span line)
{
	char sep = line.n > 3 ? line.p[3] : ' ';
	uint64_t code;

	if (line.n < 3 || !span_uint(span_make(line.p, 3), 599, &code))
		return SMTP_REPLY_BAD;
	if (code < 200 || (sep != ' ' && sep != '-'))
		return SMTP_REPLY_BAD;
	/* A second code means that we lost count of the replies. */
	if (r->lines > 0 && r->code != code)
		return SMTP_REPLY_BAD;
	if (r->lines == SMTP_REPLY_LINES_MAX)
		return SMTP_REPLY_BAD;
	r->code = (unsigned)code;
	if (r->lines++ > 0)
		add_text(r, span_str(" | "));
	add_text(r, span_skip(line, 4));
	return sep == '-' ? SMTP_REPLY_MORE : SMTP_REPLY_DONE;
}
