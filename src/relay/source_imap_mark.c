/* SPDX-License-Identifier: ISC */
/*
 * What an IMAP source changes on the server:
 *
 *   UID STORE (\Deleted), UID EXPUNGE  -> removed()
 *   UID MOVE, or UID COPY and these two -> removed()
 *   UID STORE (\Seen), (our keyword)   -> nothing
 *
 * Never a plain EXPUNGE or CLOSE: both remove what other clients have marked.
 */
#include "relay/source_imap.h"

#include "base/ascii.h"
#include "base/log.h"
#include "proto/imap_name.h"

/* --- marks */

static bool
store_marks(struct source_imap *s, enum source_mark what, struct span set)
{
	return what == SOURCE_SEEN ? imap_store_seen(&s->imap, set)
	                           : imap_store_keyword(&s->imap, set);
}

/* Flags and bodies do not mix, so this may run beside a FETCH. */
static void
marks_next(struct source_imap *s)
{
	enum source_mark what =
	    s->marks[SOURCE_RELAYED].n > 0 ? SOURCE_RELAYED : SOURCE_SEEN;
	struct uids *u = &s->marks[what];
	struct imap_set set;
	size_t n = 0;

	if (s->marking || u->n == 0)
		return;
	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < u->n && imap_set_add(&set, u->list[n]))
		n++;
	s->marking = store_marks(s, what, imap_set_span(&set));
	if (!s->marking)
		return; /* no room on the way out: with the next one */
	s->marking_as = what;
	uids_drop(u, n);
	session_send(&s->session);
}

void
source_imap_mark(struct source *source, uint32_t number, enum source_mark what)
{
	struct source_imap *s = (struct source_imap *)source;

	if (what == SOURCE_RELAYED &&
	    (!s->imap.mailbox.keyword || s->imap.mailbox.read_only ||
		s->mark_refused[what]))
		return;
	uids_add(&s->marks[what], &number, 1);
	marks_next(s);
}

/* Neither mark is worth more than a line (CASES I18, I19). */
static void
on_marked(struct source_imap *s, const struct imap_event *ev)
{
	char words[128];
	bool keyword = s->marking_as == SOURCE_RELAYED;

	s->marking = false;
	if (ev->status != IMAP_OK && !s->mark_refused[s->marking_as]) {
		s->mark_refused[s->marking_as] = true;
		log_line(LOG_WARNING,
		    "%s: relayed messages could not be marked as %s: %s",
		    s->session.account->name, keyword ? "relayed" : "read",
		    ascii_clean(words, sizeof(words), ev->text.p, ev->text.n));
	}
	marks_next(s);
	if (!s->marking)
		source_imap_marks_done(s);
}

/* --- remove */

static void
asked_set(const struct source_imap *s, struct imap_set *set)
{
	imap_set_init(set, 0);
	for (size_t i = 0; i < s->asked.n; i++)
		imap_set_add(set, s->asked.list[i]);
}

static bool
is_moving(const struct source_imap *s)
{
	return s->folder->after == CONF_AFTER_MOVE;
}

static bool
can_expunge(const struct source_imap *s)
{
	return s->imap.caps.uidplus || s->imap.caps.imap4rev2;
}

static bool
can_move(const struct source_imap *s)
{
	return s->imap.caps.move || s->imap.caps.imap4rev2;
}

static bool
send_move(struct source_imap *s, struct span set)
{
	char name[IMAP_NAME_MAX];

	if (!imap_name_encode(s->folder->after_folder, name, sizeof(name)))
		return false;
	return can_move(s) ? imap_move(&s->imap, set, span_str(name))
	                   : imap_copy(&s->imap, set, span_str(name));
}

static bool
send_removal(struct source_imap *s, struct span set)
{
	return is_moving(s) ? send_move(s, set)
	                    : imap_store_deleted(&s->imap, set);
}

void
source_imap_remove_next(struct source_imap *s)
{
	struct imap_set set;
	struct fault f;
	size_t n = 0;

	if (s->todo.n == 0) {
		s->session.source.events->removed(
		    s->session.source.arg, s->removed);
		return;
	}
	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < s->todo.n && imap_set_add(&set, s->todo.list[n]))
		n++;
	uids_add(&s->asked, s->todo.list, n);
	uids_drop(&s->todo, n);
	if (send_removal(s, imap_set_span(&set))) {
		session_send(&s->session);
		return;
	}
	fault_set(&f, FAULT_ACCOUNT, FAULT_NEVER, "MOVE",
	    "the name of the folder to move to cannot be written in IMAP");
	session_down(&s->session, &f);
}

void
source_imap_remove(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	s->removed = 0;
	if (!is_moving(s) || can_move(s) || can_expunge(s)) {
		uids_add(&s->todo, numbers, n);
		source_imap_remove_next(s);
		return;
	}
	/* A copy whose original cannot be taken away alone would be made again
	 * at every poll. */
	log_line(LOG_WARNING,
	    "%s: the server has neither MOVE nor UIDPLUS; %zu relayed messages "
	    "stay where they are",
	    s->session.account->name, n);
	imap_simple(&s->imap, IMAP_NOOP); /* its answer is ours */
	session_send(&s->session);
}

static void
removal_refused(struct source_imap *s, const struct imap_event *ev)
{
	if (is_moving(s))
		session_fail(&s->session, FAULT_LATER,
		    "moving relayed messages was refused", ev->text,
		    "check that the folder of \"move\" exists");
	else
		session_fail(&s->session, FAULT_LATER,
		    "removing relayed messages was refused", ev->text, NULL);
}

static void
asked_are_removed(struct source_imap *s)
{
	s->removed += s->asked.n;
	s->asked.n = 0;
	source_imap_remove_next(s);
}

static void
on_stored(struct source_imap *s, const struct imap_event *ev)
{
	struct imap_set set;

	if (ev->status != IMAP_OK) {
		removal_refused(s, ev);
		return;
	}
	if (!can_expunge(s)) {
		log_line(LOG_NOTICE,
		    "%s: the server has no UIDPLUS; %zu relayed messages are "
		    "marked \\Deleted and left for you to expunge",
		    s->session.account->name, s->asked.n);
		asked_are_removed(s);
		return;
	}
	asked_set(s, &set);
	imap_expunge(&s->imap, imap_set_span(&set));
}

/* By UID MOVE or UID EXPUNGE. */
void
source_imap_on_removed(struct source_imap *s, const struct imap_event *ev)
{
	if (ev->status != IMAP_OK)
		removal_refused(s, ev);
	else
		asked_are_removed(s);
}

void
source_imap_on_copied(struct source_imap *s, const struct imap_event *ev)
{
	struct imap_set set;

	if (ev->status != IMAP_OK) {
		removal_refused(s, ev);
		return;
	}
	asked_set(s, &set);
	imap_store_deleted(&s->imap, imap_set_span(&set));
}

void
source_imap_on_store(struct source_imap *s, const struct imap_event *ev)
{
	if (s->marking)
		on_marked(s, ev);
	else
		on_stored(s, ev);
}
