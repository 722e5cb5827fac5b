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

	if (s->marking != 0 || u->n == 0)
		return;
	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < u->n && imap_set_add(&set, u->list[n]))
		n++;
	if (!store_marks(s, what, imap_set_span(&set)))
		return; /* no room on the way out: with the next one */
	s->marking = imap_tag(&s->imap);
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

	s->marking = 0;
	if (ev->status != IMAP_OK && !s->mark_refused[s->marking_as]) {
		s->mark_refused[s->marking_as] = true;
		log_line(LOG_WARNING,
		    "%s: relayed messages could not be marked as %s: %s",
		    s->session.account->name, keyword ? "relayed" : "read",
		    ascii_clean(words, sizeof(words), ev->text.p, ev->text.n));
	}
	marks_next(s);
	source_imap_go_on(s);
}

/* --- remove */

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

/* Both in one flight: should the STORE be refused, then the EXPUNGE removes at
 * most what somebody else has marked of those that are to go anyway. */
static bool
send_delete(struct source_imap *s, struct span set)
{
	return imap_store_deleted(&s->imap, set) &&
	       (!can_expunge(s) || imap_expunge(&s->imap, set));
}

static bool
send_removal(struct source_imap *s, struct span set)
{
	char name[IMAP_NAME_MAX];

	if (!is_moving(s))
		return send_delete(s, set);
	if (!imap_name_encode(s->folder->after_folder, name, sizeof(name)))
		return false;
	return can_move(s) ? imap_move(&s->imap, set, span_str(name))
	                   : imap_copy(&s->imap, set, span_str(name));
}

/* The commands for n messages are out; the last of them ends it. */
static void
expect_removal(struct source_imap *s, size_t n)
{
	s->removals[s->nremovals++] = (struct imap_removal){
		.tag = imap_tag(&s->imap),
		.n = n,
	};
}

/* Nothing is marked before its copy is made. */
static bool
is_copying(const struct source_imap *s)
{
	return is_moving(s) && !can_move(s);
}

static bool
remove_some(struct source_imap *s)
{
	struct imap_set set;
	struct fault f;
	size_t n = 0;

	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < s->todo.n && imap_set_add(&set, s->todo.list[n]))
		n++;
	if (!send_removal(s, imap_set_span(&set))) {
		fault_set(&f, FAULT_ACCOUNT, FAULT_NEVER, "MOVE",
		    "the name of the folder to move to cannot be written in "
		    "IMAP");
		session_down(&s->session, &f);
		return false;
	}
	if (is_copying(s))
		uids_add(&s->copied, s->todo.list, n);
	else
		expect_removal(s, n);
	uids_drop(&s->todo, n);
	return true;
}

static bool
may_remove_more(const struct source_imap *s)
{
	return s->todo.n > 0 && s->nremovals < IMAP_REMOVALS &&
	       (!is_copying(s) || (s->copied.n == 0 && s->nremovals == 0));
}

void
source_imap_remove_next(struct source_imap *s)
{
	while (may_remove_more(s))
		if (!remove_some(s))
			return;
	if (s->todo.n + s->copied.n + s->nremovals > 0) {
		session_send(&s->session);
		return;
	}
	s->removing = false;
	source_imap_go_on(s);
	s->session.source.events->removed(s->session.source.arg, s->removed);
}

void
source_imap_remove(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	s->removed = 0;
	s->removing = true;
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

/* By UID MOVE or UID EXPUNGE, or by the STORE that is all we can do; one that
 * has an EXPUNGE behind it ends nothing. */
void
source_imap_on_removed(struct source_imap *s, const struct imap_event *ev)
{
	unsigned i = 0;

	if (ev->status != IMAP_OK) {
		removal_refused(s, ev);
		return;
	}
	while (i < s->nremovals && s->removals[i].tag != ev->tag)
		i++;
	if (i == s->nremovals)
		return;
	if (ev->cmd == IMAP_UID_STORE)
		log_line(LOG_NOTICE,
		    "%s: the server has no UIDPLUS; %zu relayed messages are "
		    "marked \\Deleted and left for you to expunge",
		    s->session.account->name, s->removals[i].n);
	s->removed += s->removals[i].n;
	for (s->nremovals--; i < s->nremovals; i++)
		s->removals[i] = s->removals[i + 1];
	source_imap_remove_next(s);
}

void
source_imap_on_copied(struct source_imap *s, const struct imap_event *ev)
{
	struct imap_set set;

	if (ev->status != IMAP_OK) {
		removal_refused(s, ev);
		return;
	}
	imap_set_init(&set, 0);
	for (size_t i = 0; i < s->copied.n; i++)
		imap_set_add(&set, s->copied.list[i]);
	if (!send_delete(s, imap_set_span(&set))) {
		session_fail(&s->session, FAULT_LATER,
		    "STORE cannot be said now", span_make("", 0), NULL);
		return;
	}
	expect_removal(s, s->copied.n);
	s->copied.n = 0;
	session_send(&s->session);
}

void
source_imap_on_store(struct source_imap *s, const struct imap_event *ev)
{
	if (ev->tag == s->marking)
		on_marked(s, ev);
	else
		source_imap_on_removed(s, ev);
}
