/* SPDX-License-Identifier: ISC */
#include "proto/rewrite.h"

#include "proto/address.h"
#include "proto/words.h"

#define NAME_MAX_BYTES 200 /* of a name, before "via" */
#define SUBJECT_MAX 900    /* of one that must be encoded */
#define DATE_MAX 100

/* --- who sent it */

/* Of several the first is named; a group by its name. */
static void
add_name(struct words *w, const struct original *o)
{
	struct address_list list;
	struct address first, other;

	address_begin(&list, original_text(&o->sender), o->sender.cut);
	if (!address_next(&list, &first)) {
		words_add(w, span_str("unknown sender"));
		return;
	}
	if (first.group.p != NULL && first.group.n > 0)
		words_add_phrase(w, first.group);
	else if (first.comment)
		words_add(w, first.name);
	else
		words_add_phrase(w, first.name);
	/* A name can be nothing but quotes. */
	if (w->run_len == 0 && !w->encoded)
		words_add(w, span_str(first.addr));
	if (first.group.p == NULL && address_next(&list, &other)) {
		w->left = NAME_MAX_BYTES;
		words_add(w, span_str("and others"));
	}
}

static bool
has_irregular_local(struct span local)
{
	for (size_t i = 0; i < local.n; i++)
		if (local.p[i] == '.' &&
		    (i == 0 || i + 1 == local.n || local.p[i + 1] == '.'))
			return true;
	return false;
}

static void
write_from(
    struct buf *b, const struct original *o, const struct rewrite_terms *t)
{
	struct span domain = span_str(t->address);
	struct span local = span_cut(&domain, '@');
	bool quoted = has_irregular_local(local);
	char mark[ADDRESS_MAX + 8];
	struct words w;
	size_t n = 0;

	buf_add(b, span_str("From:"));
	words_begin(&w, b, 5, true, NAME_MAX_BYTES);
	add_name(&w, o);
	w.left = NAME_MAX_BYTES;
	words_add(&w, span_str("via"));
	words_add(&w, span_str(t->account));
	/* The configuration holds it to ADDRESS_MAX; else it is left out. */
	if (local.n + domain.n < ADDRESS_MAX) {
		mark[n++] = '<';
		if (quoted)
			mark[n++] = '"';
		memcpy(mark + n, local.p, local.n);
		n += local.n;
		if (quoted)
			mark[n++] = '"';
		mark[n++] = '@';
		memcpy(mark + n, domain.p, domain.n);
		n += domain.n;
		mark[n++] = '>';
	}
	words_add_mark(&w, span_make(mark, n), true);
	words_end(&w);
	buf_add(b, span_str("\r\n"));
}

static void
write_mailbox(struct words *w, const struct address *a)
{
	char mark[ADDRESS_MAX + 3];
	size_t n = strlen(a->addr);

	w->left = NAME_MAX_BYTES;
	if (a->comment)
		words_add(w, a->name);
	else
		words_add_phrase(w, a->name);
	mark[0] = '<';
	memcpy(mark + 1, a->addr, n);
	mark[n + 1] = '>';
	words_add_mark(w, span_make(mark, n + 2), true);
}

/* The mailboxes of that field, those of groups too.  False: it has none, and
 * nothing was written. */
static bool
write_reply_to(struct buf *b, const struct original_value *v)
{
	struct address_list list;
	struct address a;
	struct words w;
	bool any = false;

	address_begin(&list, original_text(v), v->cut);
	while (address_next(&list, &a)) {
		if (a.addr[0] == '\0')
			continue;
		if (!any) {
			buf_add(b, span_str("Reply-To:"));
			words_begin(&w, b, 9, true, NAME_MAX_BYTES);
		} else {
			words_add_mark(&w, span_str(","), false);
		}
		any = true;
		write_mailbox(&w, &a);
	}
	if (any)
		buf_add(b, span_str("\r\n"));
	return any;
}

void
rewrite_front(
    struct buf *b, const struct original *o, const struct rewrite_terms *t)
{
	write_from(b, o, t);
	if (!o->reply_to.found)
		write_reply_to(b, &o->sender);
}

size_t
rewrite_rename(const struct original_from *f, struct span *instead_r)
{
	static const char prefix[] = "X-Original-";

	*instead_r = span_str(prefix);
	if (f->line + sizeof(prefix) - 1 <= REWRITE_LINE_MAX)
		return 0;
	/* The line would get too long: its value goes on the next. */
	*instead_r = span_str(
	    f->blank ? "X-Original-From:\r\n" : "X-Original-From:\r\n ");
	return f->lead;
}

/* --- inside another message */

static void
write_subject(struct buf *b, const struct original_value *v)
{
	struct span text = original_text(v);
	struct words w;

	if (!v->found)
		return;
	buf_add(b, span_str("Subject:"));
	if (words_is_ascii(text)) {
		words_fold(b, 8, text);
	} else {
		words_begin(&w, b, 8, false, SUBJECT_MAX);
		words_add(&w, text);
		words_end(&w);
	}
	buf_add(b, span_str("\r\n"));
}

static bool
is_date(struct span s)
{
	bool digit = false, colon = false;

	if (s.n == 0 || s.n > DATE_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i], l = ascii_lower(c);

		digit = digit || ascii_is_digit(c);
		colon = colon || c == ':';
		if (!ascii_is_digit(c) && (l < 'a' || l > 'z') &&
		    (c == '\0' || strchr(" \t,:+-()", c) == NULL))
			return false;
	}
	return digit && colon;
}

/* That of the original, by which people sort their mail. */
static void
write_date(struct buf *b, const struct original_value *v, const char *otherwise)
{
	struct span date = original_text(v);

	buf_add(b, span_str("Date:"));
	words_fold(b, 5, is_date(date) ? date : span_str(otherwise));
	buf_add(b, span_str("\r\n"));
}

/* The fields by which loops are seen would be out of sight. */
static void
write_traces(struct buf *b, const struct original *o)
{
	for (unsigned i = 0; i < o->ntraces && i < ORIGINAL_TRACES; i++) {
		buf_add(b, span_str("X-Mailhaul-Trace:"));
		words_fold(b, 17, span_str(o->traces[i]));
		buf_add(b, span_str("\r\n"));
	}
}

void
wrap_front(
    struct buf *b, const struct original *o, const struct rewrite_terms *t)
{
	const char *coding = t->eight_bit ? "8bit" : "7bit";

	write_traces(b, o);
	write_date(b, &o->date, t->date);
	write_from(b, o, t);
	if (!o->reply_to.found || !write_reply_to(b, &o->reply_to))
		write_reply_to(b, &o->sender);
	buf_addf(b, "To: <%s>\r\n", t->recipient);
	write_subject(b, &o->subject);
	buf_addf(b,
	    "Message-ID: <%s.wrapped@%s>\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: multipart/mixed;\r\n"
	    "\tboundary=\"=_mailhaul_%s\"\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "\r\n"
	    "--=_mailhaul_%s\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n"
	    "Content-Disposition: inline\r\n"
	    "\r\n"
	    "This message came to the account \"%s\", from where it was\r\n"
	    "relayed to you.  It is enclosed as it was received, so that "
	    "the\r\n"
	    "signatures of those who sent it can still be checked.\r\n"
	    "\r\n"
	    "--=_mailhaul_%s\r\n"
	    "Content-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: %s\r\n"
	    "Content-Disposition: inline; filename=\"original.eml\"\r\n"
	    "\r\n",
	    t->id, strchr(t->address, '@') + 1, t->id, coding, t->id,
	    t->account, t->id, coding);
}

void
wrap_back(struct buf *b, const struct rewrite_terms *t)
{
	buf_addf(b, "\r\n--=_mailhaul_%s--\r\n", t->id);
}
