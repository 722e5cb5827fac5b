/* SPDX-License-Identifier: ISC */
/*
 * What an IMAP source lists and fetches:
 *
 *   UID SEARCH                    -> entry()..., listed()
 *   UID SEARCH KEYWORD            -> marked()..., marks_told()
 *   UID FETCH (RFC822.SIZE)       -> size()..., sized()
 *   UID FETCH (BODY.PEEK[])       -> piece()..., fetched()
 *   UID FETCH (BODY.PEEK[HEADER]) -> header_piece()..., header(), headed()
 *   UID FETCH (INTERNALDATE)      -> header(), headed()
 *
 * A short listing is asked for together with its sizes.  Bodies are asked for
 * by several commands, and sizes beside them: what an answer is about, its
 * items and its UID say; which command is over, the tag.
 */
#include "relay/source_imap.h"

#include <stdio.h>
#include <stdlib.h>

#define HEADERS_MOST 512 /* in one command */

static void fetch_next(struct source_imap *s);

/* --- list */

static void
begin_search(struct source_imap *s, uint64_t from)
{
	s->list_from = from > 0 ? (uint32_t)from : 1;
	s->list_to = UINT32_MAX;
	s->list_whole = true;
	s->searching = true;
}

/* By what SELECT said; what came since then is not much. */
static bool
is_short(const struct source_imap *s)
{
	const struct imap_mailbox *box = &s->imap.mailbox;

	if (s->imap.caps.message_limit > 0)
		return false;
	return box->exists <= IMAP_LIST_SIZED ||
	       (box->have_uidnext &&
		   box->uidnext < (uint64_t)s->list_from + IMAP_LIST_SIZED);
}

static void
ask_listed_sizes(struct source_imap *s)
{
	char set[32];

	(void)snprintf(set, sizeof(set), "%lu:%lu", (unsigned long)s->list_from,
	    (unsigned long)UINT32_MAX);
	if (!imap_fetch_sizes(&s->imap, span_str(set)))
		return;
	s->sizes_tag = imap_tag(&s->imap);
	s->sizing_listing = true;
}

void
source_imap_list(struct source *source, uint64_t from)
{
	struct source_imap *s = (struct source_imap *)source;

	s->fresh = false;
	begin_search(s, from);
	imap_search_from(&s->imap, s->list_from);
	if (is_short(s))
		ask_listed_sizes(s);
	session_send(&s->session);
}

/* Without a place for the keyword there is none of ours. */
bool
source_imap_marks(struct source *source, uint64_t from)
{
	struct source_imap *s = (struct source_imap *)source;

	begin_search(s, from);
	if (!s->imap.mailbox.keyword ||
	    !imap_search_keyword(&s->imap, s->list_from)) {
		s->searching = false;
		return false;
	}
	s->asking_marks = true;
	session_send(&s->session);
	return true;
}

static void
give_entry(struct source_imap *s, uint32_t uid, uint64_t size)
{
	char digits[10];
	size_t at = sizeof(digits);

	for (uint32_t n = uid; n > 0; n /= 10)
		digits[--at] = (char)('0' + n % 10);
	s->session.source.events->entry(s->session.source.arg,
	    span_make(digits + at, sizeof(digits) - at), uid, size);
}

void
source_imap_on_uid(struct source_imap *s, uint32_t uid)
{
	if (s->asking_marks)
		s->session.source.events->marked(s->session.source.arg, uid);
	else if (s->sizing_listing && s->listed.n < IMAP_LIST_SIZED)
		uids_add(&s->listed, &uid, 1);
	else
		give_entry(s, uid, 0);
}

/* The server looked at the highest UIDs only, and at no more of them than it
 * likes: what lies below is asked for next.  True: it is. */
static bool
search_on(struct source_imap *s, const struct imap_event *ev)
{
	if (ev->lowest <= s->list_from || ev->lowest > s->list_to)
		return false;
	s->list_to = ev->lowest - 1;
	s->list_whole &= ev->has_size;
	if (!imap_search_rest(
		&s->imap, s->list_from, s->list_to, s->asking_marks))
		return false;
	session_send(&s->session);
	return true;
}

static void
tell_listed(struct source_imap *s)
{
	if (!s->searching && !s->sizing_listing)
		s->session.source.events->listed(
		    s->session.source.arg, s->list_whole);
}

void
source_imap_on_listed(struct source_imap *s, const struct imap_event *ev)
{
	bool part = ev->lowest > s->list_from;
	/* A part was given, whatever the word for that is. */
	bool ok = ev->status == IMAP_OK || (ev->lowest > 0 && ev->has_size);
	bool marks = s->asking_marks;

	if (ok && part && search_on(s, ev))
		return;
	s->searching = s->asking_marks = false;
	/* An OK without a SEARCH answer does not say that nothing is there. */
	s->list_whole &= ev->has_size;
	if (marks) /* evidence, if there is any: a refusal is no matter */
		s->session.source.events->marks_told(s->session.source.arg);
	else if (ok && !part)
		tell_listed(s);
	else if (ok)
		session_fail(&s->session, FAULT_LATER,
		    "the server lists a part of the mailbox and will not list "
		    "the rest",
		    ev->text, NULL);
	else
		session_fail(
		    &s->session, FAULT_LATER, "refused", ev->text, NULL);
}

/* --- sizes */

/* The worker fetches nothing without them, so they go first. */
static void
sizes_next(struct source_imap *s)
{
	struct imap_set set;
	size_t n = 0;

	if (s->sizes_tag != 0 || s->sizes.n == 0)
		return;
	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < s->sizes.n && imap_set_add(&set, s->sizes.list[n]))
		n++;
	if (!imap_fetch_sizes(&s->imap, imap_set_span(&set)))
		return; /* no room on the way out: with the next one */
	uids_drop(&s->sizes, n);
	s->sizes_tag = imap_tag(&s->imap);
	session_send(&s->session);
}

void
source_imap_sizes(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	uids_add(&s->sizes, numbers, n);
	sizes_next(s);
}

static void
on_size(struct source_imap *s, uint32_t uid, uint64_t size)
{
	if (!s->sizing_listing)
		s->session.source.events->size(
		    s->session.source.arg, uid, size);
	else if (uids_remove(&s->listed, uid))
		give_entry(s, uid, size);
}

/* A refusal is no matter: what has no size is listed and fetched all the
 * same. */
static void
on_sizes_done(struct source_imap *s)
{
	s->sizes_tag = 0;
	if (s->sizing_listing) {
		for (size_t i = 0; i < s->listed.n; i++)
			give_entry(s, s->listed.list[i], 0);
		s->listed.n = 0;
		s->sizing_listing = false;
		tell_listed(s);
	} else if (s->sizes.n == 0) {
		s->session.source.events->sized(s->session.source.arg);
	}
	if (s->session.conn != NULL)
		fetch_next(s);
}

/* --- fetch */

/* One more command for what waits.  False: it could not be given. */
static bool
send_fetch(struct source_imap *s)
{
	size_t n = 0, most = s->heading ? HEADERS_MOST : IMAP_FETCH_MOST;
	struct imap_fetch *f = &s->fetches[s->nfetches];
	struct imap_set set;
	bool sent;

	if (s->one_by_one)
		most = 1;
	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < s->todo.n && n < most && imap_set_add(&set, s->todo.list[n]))
		n++;
	if (s->dating)
		sent = imap_fetch_dates(&s->imap, imap_set_span(&set));
	else if (s->heading)
		sent = imap_fetch_headers(&s->imap, imap_set_span(&set));
	else
		sent = imap_fetch_bodies(&s->imap, imap_set_span(&set));
	if (!sent)
		return false;
	*f = (struct imap_fetch){ .tag = imap_tag(&s->imap) };
	uids_add(&f->asked, s->todo.list, n);
	uids_drop(&s->todo, n);
	s->nfetches++;
	return true;
}

/* A few messages are held back until they are more, as long as the server has
 * enough to do: else each that is done would cause a command of its own. */
static bool
is_worth_it(const struct source_imap *s)
{
	size_t out = 0;

	for (unsigned i = 0; i < s->nfetches; i++)
		out += s->fetches[i].asked.n;
	return s->todo.n >= IMAP_FETCH_LOW || out < IMAP_FETCH_LOW;
}

static void
fetch_next(struct source_imap *s)
{
	bool any = false;

	sizes_next(s);
	while (s->todo.n > 0 && s->nfetches < IMAP_FETCHES && is_worth_it(s) &&
	       send_fetch(s))
		any = true;
	if (any)
		session_send(&s->session);
}

void
source_imap_fetch(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	uids_add(&s->todo, numbers, n);
	fetch_next(s);
}

bool
source_imap_headers(struct source *source, const uint32_t *numbers, size_t n,
    enum source_headers what)
{
	struct source_imap *s = (struct source_imap *)source;

	s->heading = true;
	s->dating = what == SOURCE_DATES;
	source_imap_fetch(source, numbers, n);
	return true;
}

/* --- what FETCH gives */

/* False: nobody asked for it. */
static bool
was_asked(struct source_imap *s, uint32_t uid)
{
	for (unsigned i = 0; i < s->nfetches; i++)
		if (uids_remove(&s->fetches[i].asked, uid))
			return true;
	return false;
}

/* A FETCH response is over.  Those that carry no body are somebody's flags; a
 * body that nobody asked for is reported all the same, to be forgotten. */
void
source_imap_on_fetched(struct source_imap *s, const struct imap_event *ev)
{
	const struct source *source = &s->session.source;
	uint32_t uid;

	if (s->sizes_tag != 0 && ev->has_size && ev->uid != 0)
		on_size(s, ev->uid, ev->size);
	if (!ev->has_body && !(s->dating && ev->date != 0))
		return;
	uid = was_asked(s, ev->uid) ? ev->uid : 0;
	if (s->heading)
		source->events->header(source->arg, uid, ev->date);
	else
		source->events->fetched(source->arg, uid, NULL);
}

void
source_imap_on_piece(struct source_imap *s, struct span bytes)
{
	const struct source *source = &s->session.source;

	if (s->heading)
		source->events->header_piece(source->arg, bytes);
	else
		source->events->piece(source->arg, bytes);
}

/* Perhaps one of them is the trouble, and the others do well alone. */
static void
ask_one_by_one(struct source_imap *s, struct uids *rest)
{
	s->one_by_one = true;
	uids_add(rest, s->todo.list, s->todo.n);
	free(s->todo.list);
	s->todo = *rest;
	*rest = (struct uids){ 0 };
}

static void
did_not_come(struct source_imap *s, const struct uids *rest, struct span words)
{
	const struct source *source = &s->session.source;
	struct fault f;

	fault_set(&f, FAULT_MESSAGE, FAULT_LATER, "FETCH",
	    "the server did not hand it out; perhaps it was just removed");
	fault_quote(&f, words);
	for (size_t i = 0; i < rest->n && s->session.conn != NULL; i++)
		source->events->fetched(source->arg, rest->list[i], &f);
}

/* What is still in asked did not come.  Of headers that says nothing. */
static void
on_fetch_done(struct source_imap *s, unsigned i, const struct imap_event *ev)
{
	struct uids rest = s->fetches[i].asked;

	s->nfetches--;
	for (; i < s->nfetches; i++)
		s->fetches[i] = s->fetches[i + 1];
	if (ev->status != IMAP_OK && rest.n > 1)
		ask_one_by_one(s, &rest);
	else if (!s->heading)
		did_not_come(s, &rest, ev->text);
	free(rest.list);
	if (s->session.conn == NULL)
		return;
	fetch_next(s);
	if (s->heading && s->nfetches == 0) {
		s->heading = s->dating = s->one_by_one = false;
		s->session.source.events->headed(s->session.source.arg);
	}
}

void
source_imap_on_fetch(struct source_imap *s, const struct imap_event *ev)
{
	if (ev->tag == s->sizes_tag)
		on_sizes_done(s);
	for (unsigned i = 0; i < s->nfetches; i++)
		if (s->fetches[i].tag == ev->tag) {
			on_fetch_done(s, i, ev);
			return;
		}
}
