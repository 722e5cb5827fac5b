/* SPDX-License-Identifier: ISC */
/*
 * What an IMAP source changes on the server:
 *
 *   UID STORE (\Deleted), UID EXPUNGE  -> removed()
 *   UID MOVE, or UID COPY and these two -> removed()
 *   UID STORE (\Seen), (our keyword)   -> nothing
 *
 * Never a plain EXPUNGE or CLOSE: both remove what other clients have marked.
 *
 * A removal sends one command when the one before is answered; several removals
 * run side by side.  What was not copied must not be marked.  And Dovecot,
 * which puts off what a STORE changes while it sees more commands, then says OK
 * to an EXPUNGE that was right behind it and found nothing marked.
 */
#include "relay/source_imap.h"

#include <stdlib.h>

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

static enum imap_command
first_command(const struct source_imap *s)
{
	if (!is_moving(s))
		return IMAP_UID_STORE;
	return can_move(s) ? IMAP_UID_MOVE : IMAP_UID_COPY;
}

/* Behind the one that was answered; IMAP_COMMANDS: none. */
static enum imap_command
next_command(const struct source_imap *s, enum imap_command cmd)
{
	if (cmd == IMAP_UID_COPY)
		return IMAP_UID_STORE;
	if (cmd == IMAP_UID_STORE && can_expunge(s))
		return IMAP_UID_EXPUNGE;
	return IMAP_COMMANDS;
}

static bool
say(struct source_imap *s, enum imap_command cmd, struct span set)
{
	char name[IMAP_NAME_MAX];

	if (cmd == IMAP_UID_STORE)
		return imap_store_deleted(&s->imap, set);
	if (cmd == IMAP_UID_EXPUNGE)
		return imap_expunge(&s->imap, set);
	if (!imap_name_encode(s->folder->after_folder, name, sizeof(name)))
		return false;
	return cmd == IMAP_UID_MOVE ? imap_move(&s->imap, set, span_str(name))
	                            : imap_copy(&s->imap, set, span_str(name));
}

/* False: the session is down. */
static bool
send_removal(
    struct source_imap *s, struct imap_removal *r, enum imap_command cmd)
{
	struct imap_set set;

	imap_set_init(&set, 0);
	for (size_t i = 0; i < r->uids.n; i++)
		imap_set_add(&set, r->uids.list[i]);
	if (say(s, cmd, imap_set_span(&set))) {
		r->tag = imap_tag(&s->imap);
		return true;
	}
	session_fail(&s->session, FAULT_NEVER,
	    "what was relayed cannot be removed: the command cannot be written",
	    span_make("", 0),
	    is_moving(s) ? "check the name of the folder of \"move\"" : NULL);
	return false;
}

/* As many as fit into a command. */
static bool
begin_removal(struct source_imap *s)
{
	struct imap_removal *r = &s->removals[s->nremovals++];
	struct imap_set set;
	size_t n = 0;

	imap_set_init(&set, s->imap.caps.message_limit);
	while (n < s->todo.n && imap_set_add(&set, s->todo.list[n]))
		n++;
	uids_add(&r->uids, s->todo.list, n);
	uids_drop(&s->todo, n);
	return send_removal(s, r, first_command(s));
}

void
source_imap_remove_next(struct source_imap *s)
{
	while (s->todo.n > 0 && s->nremovals < IMAP_REMOVALS)
		if (!begin_removal(s))
			return;
	if (s->nremovals > 0) {
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

static void
end_removal(struct source_imap *s, struct imap_removal *r)
{
	s->removed += r->uids.n;
	free(r->uids.list);
	*r = s->removals[--s->nremovals];
	s->removals[s->nremovals] = (struct imap_removal){ .tag = 0 };
	source_imap_remove_next(s);
}

/* One command of a removal is done. */
void
source_imap_on_removed(struct source_imap *s, const struct imap_event *ev)
{
	enum imap_command next = next_command(s, ev->cmd);
	struct imap_removal *r = s->removals;

	if (ev->status != IMAP_OK) {
		removal_refused(s, ev);
		return;
	}
	while (r < &s->removals[s->nremovals] && r->tag != ev->tag)
		r++;
	if (r == &s->removals[s->nremovals])
		return;
	if (next != IMAP_COMMANDS) {
		if (send_removal(s, r, next))
			session_send(&s->session);
		return;
	}
	if (ev->cmd == IMAP_UID_STORE)
		log_line(LOG_NOTICE,
		    "%s: the server has no UIDPLUS; %zu relayed messages are "
		    "marked \\Deleted and left for you to expunge",
		    s->session.account->name, r->uids.n);
	end_removal(s, r);
}

void
source_imap_on_store(struct source_imap *s, const struct imap_event *ev)
{
	if (ev->tag == s->marking)
		on_marked(s, ev);
	else
		source_imap_on_removed(s, ev);
}
