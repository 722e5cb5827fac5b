/* SPDX-License-Identifier: ISC */
#include "conf/fetchmail.h"

#include <stdint.h>

static struct span
trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' ||
			      s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

/* The place of c in s from there on; SIZE_MAX: nowhere. */
static size_t
find(struct span s, size_t from, char c)
{
	for (size_t i = from; i < s.n; i++)
		if (s.p[i] == c)
			return i;
	return SIZE_MAX;
}

static size_t
find_last(struct span s, char c)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == c)
			found = i;
	return found;
}

/* UIDLs are 0x21 to 0x7e (RFC 1939 section 7), but servers are not asked to
 * keep to it: only what would end one on the wire ends it here. */
static bool
is_uid(struct span s)
{
	return s.n > 0 && find(s, 0, ' ') == SIZE_MAX &&
	       find(s, 0, '\t') == SIZE_MAX && find(s, 0, '\0') == SIZE_MAX;
}

bool
fetchmail_id_parse(struct span line, struct fetchmail_id *id_r)
{
	size_t at, blank;
	struct span who;

	line = trim(line);
	at = find(line, 0, '@');
	blank = at != SIZE_MAX ? find(line, at, ' ') : SIZE_MAX;
	if (blank == SIZE_MAX)
		return false;
	who = trim(span_make(line.p, blank));
	at = find_last(who, '@');
	id_r->user = span_make(who.p, at);
	id_r->host = span_skip(who, at + 1);
	id_r->uid = trim(span_skip(line, blank));
	return id_r->user.n > 0 && id_r->host.n > 0 && is_uid(id_r->uid);
}

/* No statement of a fetchmailrc has an "@" in its first word. */
bool
fetchmail_is_ids(struct span text)
{
	struct fetchmail_id id;
	struct span line;

	do {
		line = span_cut(&text, '\n');
	} while (trim(line).n == 0 && text.n > 0);
	line = trim(line);
	if (line.n == 0 || line.p[0] == '#' || !fetchmail_id_parse(line, &id))
		return false;
	return !span_istarts(line, "poll ") && !span_istarts(line, "skip ") &&
	       !span_istarts(line, "server ") &&
	       !span_istarts(line, "defaults ") && !span_istarts(line, "set ");
}
