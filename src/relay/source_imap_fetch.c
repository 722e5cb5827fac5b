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
 * One FETCH at a time, so that it is clear which answer belongs to which.
 */
#include "relay/source_imap.h"

#include <stdio.h>
#include <stdlib.h>

/* --- list and sizes */

static void
begin_search(struct source_imap *s, uint64_t from)
{
	s->list_from = from > 0 ? (uint32_t)from : 1;
	s->list_to = UINT32_MAX;
	s->list_whole = true;
}

void
source_imap_list(struct source *source, uint64_t from)
{
	struct source_imap *s = (struct source_imap *)source;

	s->fresh = false;
	begin_search(s, from);
	imap_search_from(&s->imap, s->list_from);
	session_send(&s->session);
}

/* Without a place for the keyword there is none of ours. */
bool
source_imap_marks(struct source *source, uint64_t from)
{
	struct source_imap *s = (struct source_imap *)source;

	begin_search(s, from);
	if (!s->imap.mailbox.keyword ||
	    !imap_search_keyword(&s->imap, s->list_from))
		return false;
	s->asking_marks = true;
	session_send(&s->session);
	return true;
}

void
source_imap_on_uid(struct source_imap *s, uint32_t uid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%lu", (unsigned long)uid);

	if (s->asking_marks) {
		s->session.source.events->marked(s->session.source.arg, uid);
		return;
	}
	s->session.source.events->entry(
	    s->session.source.arg, span_make(text, (size_t)n), uid, 0);
}

static void fetch_next(struct source_imap *s);

/* One FETCH at a time, so that it is clear which answer belongs to which; sizes
 * go first, for the worker fetches nothing without them. */
static void
sizes_next(struct source_imap *s)
{
	struct imap_set set;
	size_t n = 0;

	if (s->fetching || s->sizing || s->sizes.n == 0)
		return;
	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < s->sizes.n && imap_set_add(&set, s->sizes.list[n]))
		n++;
	uids_drop(&s->sizes, n);
	s->sizing = true;
	imap_fetch_sizes(&s->imap, imap_set_span(&set));
	session_send(&s->session);
}

void
source_imap_sizes(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	uids_add(&s->sizes, numbers, n);
	sizes_next(s);
}

/* A refusal is no matter: what has no size is fetched all the same. */
static void
on_sizes_done(struct source_imap *s)
{
	s->sizing = false;
	if (s->sizes.n == 0)
		s->session.source.events->sized(s->session.source.arg);
	if (s->session.conn != NULL)
		fetch_next(s);
}

/* --- fetch */

/* One command for all that waits, as soon as the last one is answered. */
static void
fetch_next(struct source_imap *s)
{
	struct imap_set set;
	size_t n = 0;

	sizes_next(s);
	if (s->fetching || s->todo.n == 0 || s->sizing)
		return;
	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < s->todo.n && imap_set_add(&set, s->todo.list[n])) {
		n++;
		if (s->one_by_one)
			break;
	}
	uids_add(&s->asked, s->todo.list, n);
	uids_drop(&s->todo, n);
	s->fetching = true;
	imap_fetch_bodies(&s->imap, imap_set_span(&set));
	session_send(&s->session);
}

void
source_imap_fetch(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	uids_add(&s->todo, numbers, n);
	fetch_next(s);
}

/* --- headers */

static void
headers_next(struct source_imap *s)
{
	struct imap_set set;
	size_t n = 0;

	if (s->todo.n == 0) {
		s->heading = s->one_by_one = false;
		s->session.source.events->headed(s->session.source.arg);
		return;
	}
	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < s->todo.n && imap_set_add(&set, s->todo.list[n])) {
		n++;
		if (s->one_by_one)
			break;
	}
	uids_add(&s->asked, s->todo.list, n);
	uids_drop(&s->todo, n);
	if (s->dating)
		imap_fetch_dates(&s->imap, imap_set_span(&set));
	else
		imap_fetch_headers(&s->imap, imap_set_span(&set));
	session_send(&s->session);
}

bool
source_imap_headers(struct source *source, const uint32_t *numbers, size_t n,
    enum source_headers what)
{
	struct source_imap *s = (struct source_imap *)source;

	s->heading = true;
	s->dating = what == SOURCE_DATES;
	uids_add(&s->todo, numbers, n);
	headers_next(s);
	return true;
}

/* The rest of a set that was refused is asked for one by one; what does not
 * come even then has no header. */
static void
on_headers_done(struct source_imap *s, const struct imap_event *ev)
{
	struct uids rest = s->asked;

	s->asked = (struct uids){ 0 };
	if (ev->status != IMAP_OK && rest.n > 1) {
		s->one_by_one = true;
		uids_add(&rest, s->todo.list, s->todo.n);
		free(s->todo.list);
		s->todo = rest;
	} else {
		free(rest.list);
	}
	headers_next(s);
}

/* --- what FETCH gives */

/* A FETCH response is over.  Those that carry no body are somebody's flags; a
 * body that nobody asked for is reported all the same, to be forgotten. */
void
source_imap_on_fetched(struct source_imap *s, const struct imap_event *ev)
{
	if (s->sizing && ev->has_size && ev->uid != 0)
		s->session.source.events->size(
		    s->session.source.arg, ev->uid, ev->size);
	if (!ev->has_body && !(s->heading && s->dating && ev->date != 0))
		return;
	if (s->heading) {
		s->session.source.events->header(s->session.source.arg,
		    uids_remove(&s->asked, ev->uid) ? ev->uid : 0, ev->date);
		return;
	}
	s->session.source.events->fetched(s->session.source.arg,
	    uids_remove(&s->asked, ev->uid) ? ev->uid : 0, NULL);
}

/* What is still in asked did not come. */
static void
on_fetch_done(struct source_imap *s, const struct imap_event *ev)
{
	struct uids rest = s->asked;
	struct fault f;

	s->asked = (struct uids){ 0 };
	s->fetching = false;
	if (ev->status != IMAP_OK && rest.n > 1) {
		/* One of them is the trouble; the others may do well alone. */
		s->one_by_one = true;
		uids_add(&rest, s->todo.list, s->todo.n);
		free(s->todo.list);
		s->todo = rest;
		fetch_next(s);
		return;
	}
	fault_set(&f, FAULT_MESSAGE, FAULT_LATER, "FETCH",
	    "the server did not hand it out; perhaps it was just removed");
	fault_quote(&f, ev->text);
	for (size_t i = 0; i < rest.n && s->session.conn != NULL; i++)
		s->session.source.events->fetched(
		    s->session.source.arg, rest.list[i], &f);
	free(rest.list);
	if (s->session.conn != NULL)
		fetch_next(s);
}

/* --- events */

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

void
source_imap_on_listed(struct source_imap *s, const struct imap_event *ev)
{
	bool part = ev->lowest > s->list_from;
	/* A part was given, whatever the word for that is. */
	bool ok = ev->status == IMAP_OK || (ev->lowest > 0 && ev->has_size);
	bool marks = s->asking_marks;

	if (ok && part && search_on(s, ev))
		return;
	s->asking_marks = false;
	/* An OK without a SEARCH answer does not say that nothing is there. */
	if (marks) /* evidence, if there is any: a refusal is no matter */
		s->session.source.events->marks_told(s->session.source.arg);
	else if (ok && !part)
		s->session.source.events->listed(
		    s->session.source.arg, s->list_whole && ev->has_size);
	else if (ok)
		session_fail(&s->session, FAULT_LATER,
		    "the server lists a part of the mailbox and will not list "
		    "the rest",
		    ev->text, NULL);
	else
		session_fail(
		    &s->session, FAULT_LATER, "refused", ev->text, NULL);
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

void
source_imap_on_fetch(struct source_imap *s, const struct imap_event *ev)
{
	if (s->heading)
		on_headers_done(s, ev);
	else if (s->sizing)
		on_sizes_done(s);
	else
		on_fetch_done(s, ev);
}
