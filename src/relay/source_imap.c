/* SPDX-License-Identifier: ISC */
/*
 * The source that speaks IMAPS: binds proto/imap to a connection.
 *
 *   greeting, CAPABILITY, login, ID, SELECT or EXAMINE -> ready()
 *   UID SEARCH                    -> entry()..., listed()
 *   UID FETCH (RFC822.SIZE)       -> size()..., sized()
 *   UID FETCH (BODY.PEEK[])       -> piece()..., fetched()
 *   UID FETCH (BODY.PEEK[HEADER]) -> header_piece()..., header(), headed()
 *   UID STORE, UID EXPUNGE        -> removed()
 *   UID MOVE, or UID COPY and these two -> removed()
 *   UID STORE (\Seen)             -> nothing
 *   LOGOUT                        -> down(NULL)
 *
 * Never a plain EXPUNGE or CLOSE: both remove what other clients have marked.
 */
#include "relay/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "proto/imap.h"
#include "relay/retry.h"
#include "relay/session.h"

#include "config.h"

#define FOLDER "INBOX"
#define UIDVALIDITY_MAX UINT32_MAX

/* UIDs that a command is made for; order is kept. */
struct uids {
	uint32_t *list; /* owned */
	size_t n, cap;
};

struct source_imap {
	struct session session;
	bool read_only;
	struct imap imap;
	bool logged_in;
	bool sizing;       /* a FETCH for sizes is outstanding */
	bool fetching;     /* one for bodies is; all may be in before its OK */
	bool heading;      /* headers are wanted, and nothing else */
	bool leaving;      /* LOGOUT is out */
	struct uids todo;  /* to be fetched or removed, not asked for yet */
	struct uids asked; /* of the command that is outstanding */
	struct uids sizes; /* whose size is wanted, not asked for yet */
	bool one_by_one;   /* a FETCH of several was refused: find out which */
	size_t removed;
	struct uids seen; /* to be marked, not asked for yet */
	bool marking;     /* a STORE for some is outstanding */
	bool mark_told;   /* that it was refused */
};

static void
uids_add(struct uids *u, const uint32_t *list, size_t n)
{
	if (u->n + n > u->cap) {
		u->cap = u->n + n;
		u->list = mem_grow(u->list, u->cap, sizeof(*u->list));
	}
	if (n > 0)
		memcpy(u->list + u->n, list, n * sizeof(*list));
	u->n += n;
}

static void
uids_drop(struct uids *u, size_t n)
{
	u->n -= n;
	memmove(u->list, u->list + n, u->n * sizeof(*u->list));
}

static bool
uids_remove(struct uids *u, uint32_t uid)
{
	for (size_t i = 0; i < u->n; i++) {
		if (u->list[i] != uid)
			continue;
		u->n--;
		memmove(u->list + i, u->list + i + 1,
		    (u->n - i) * sizeof(*u->list));
		return true;
	}
	return false;
}

/* --- login */

/* RFC 5530 says what a refusal means; one without a code may be a wrong
 * password, so it is treated as carefully. */
static void
login_refused(struct source_imap *s, const struct imap_event *ev)
{
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "login", "refused");
	fault_quote(&f, ev->text);
	f.hint =
	    "check user and password; many providers want IMAP switched on "
	    "in their settings, and an app password";
	if (ev->code == IMAP_CODE_UNAVAILABLE || ev->code == IMAP_CODE_INUSE ||
	    ev->code == IMAP_CODE_LIMIT || ev->status == IMAP_BAD) {
		f.hint = NULL;
		f.busy =
		    ev->code == IMAP_CODE_INUSE || ev->code == IMAP_CODE_LIMIT;
	} else {
		f.login = true;
		if (ev->code == IMAP_CODE_AUTHENTICATIONFAILED ||
		    ev->code == IMAP_CODE_EXPIRED ||
		    ev->code == IMAP_CODE_AUTHORIZATIONFAILED)
			f.when = FAULT_NEVER;
	}
	retry_hear(&f, ev->text);
	session_down(&s->session, &f);
}

static void
log_in(struct session *session)
{
	struct source_imap *s = (struct source_imap *)session;
	const struct imap_caps *caps = &s->imap.caps;
	struct span initial;
	struct fault f;
	const char *mechanism =
	    login_mechanism(&s->session.login, caps->sasl, &initial, &f);

	if (mechanism != NULL)
		imap_authenticate(&s->imap, mechanism, initial);
	else if (!login_allows_plain(&s->session.login) || caps->login_disabled)
		session_down(&s->session, &f);
	else if (!imap_login(&s->imap, login_user(&s->session.login),
		     login_secret(&s->session.login)))
		session_fail(&s->session, FAULT_NEVER,
		    "user or password cannot be written in IMAP",
		    span_make("", 0), "check user and password");
}

/* Before the login, to know how; after it, because it may differ then. */
static void
on_capability(struct source_imap *s)
{
	if (!s->logged_in) {
		session_start_login(&s->session);
		return;
	}
	if (s->imap.caps.id)
		imap_id(&s->imap, "mailhaul", PACKAGE_VERSION);
	imap_select(&s->imap, span_str(FOLDER), s->read_only);
}

static void
need_capability(struct source_imap *s)
{
	if (s->imap.caps.known)
		on_capability(s);
	else
		imap_simple(&s->imap, IMAP_CAPABILITY);
}

static void
on_selected(struct source_imap *s)
{
	const struct imap_mailbox *box = &s->imap.mailbox;
	struct source_mailbox m = {
		.generation = box->uidvalidity,
		.exists = box->exists,
		.next = box->have_uidnext ? box->uidnext : 0,
	};

	if (!box->have_uidvalidity || box->uidvalidity == 0 ||
	    box->uidvalidity > UIDVALIDITY_MAX)
		session_fail(&s->session, FAULT_NEVER,
		    "the server gives no usable UIDVALIDITY, so messages could "
		    "not be told apart safely",
		    span_make("", 0), "use protocol = \"pop3\" if it has it");
	else if (box->read_only && !s->read_only)
		session_fail(&s->session, FAULT_NEVER,
		    "the mailbox is read-only: nothing could be deleted",
		    span_make("", 0), "use after = \"keep\"");
	else
		s->session.source.events->ready(s->session.source.arg, &m);
}

/* --- list and sizes */

static void
list(struct source *source, uint64_t from)
{
	struct source_imap *s = (struct source_imap *)source;

	imap_search_from(&s->imap, from > 0 ? (uint32_t)from : 1);
	session_send(&s->session);
}

static void
on_uid(struct source_imap *s, uint32_t uid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%lu", (unsigned long)uid);

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
	imap_set_init(&set);
	while (n < s->sizes.n && imap_set_add(&set, s->sizes.list[n]))
		n++;
	uids_drop(&s->sizes, n);
	s->sizing = true;
	imap_fetch_sizes(&s->imap, imap_set_span(&set));
	session_send(&s->session);
}

static void
sizes(struct source *source, const uint32_t *numbers, size_t n)
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
	imap_set_init(&set);
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

static void
fetch(struct source *source, const uint32_t *numbers, size_t n)
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
	imap_set_init(&set);
	while (n < s->todo.n && imap_set_add(&set, s->todo.list[n])) {
		n++;
		if (s->one_by_one)
			break;
	}
	uids_add(&s->asked, s->todo.list, n);
	uids_drop(&s->todo, n);
	imap_fetch_headers(&s->imap, imap_set_span(&set));
	session_send(&s->session);
}

static bool
headers(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	s->heading = true;
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
static void
on_fetched(struct source_imap *s, const struct imap_event *ev)
{
	if (s->sizing && ev->has_size && ev->uid != 0)
		s->session.source.events->size(
		    s->session.source.arg, ev->uid, ev->size);
	if (!ev->has_body)
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

/* --- mark as read */

/* Flags and bodies do not mix, so this may run beside a FETCH. */
static void
seen_next(struct source_imap *s)
{
	struct imap_set set;
	size_t n = 0;

	if (s->marking || s->seen.n == 0)
		return;
	imap_set_init(&set);
	while (n < s->seen.n && imap_set_add(&set, s->seen.list[n]))
		n++;
	s->marking = imap_store_seen(&s->imap, imap_set_span(&set));
	if (!s->marking)
		return; /* no room on the way out: with the next one */
	uids_drop(&s->seen, n);
	session_send(&s->session);
}

static void
mark_seen(struct source *source, uint32_t number)
{
	struct source_imap *s = (struct source_imap *)source;

	uids_add(&s->seen, &number, 1);
	seen_next(s);
}

static void
leave(struct source_imap *s)
{
	imap_simple(&s->imap, IMAP_LOGOUT);
	session_send(&s->session);
}

static void
on_marked(struct source_imap *s, const struct imap_event *ev)
{
	char words[128];

	s->marking = false;
	if (ev->status != IMAP_OK && !s->mark_told) {
		s->mark_told = true;
		log_line(LOG_WARNING,
		    "%s: relayed messages could not be marked as read: %s",
		    s->session.account->name,
		    ascii_clean(words, sizeof(words), ev->text.p, ev->text.n));
	}
	seen_next(s);
	if (s->leaving && !s->marking)
		leave(s);
}

/* --- remove */

static void
asked_set(const struct source_imap *s, struct imap_set *set)
{
	imap_set_init(set);
	for (size_t i = 0; i < s->asked.n; i++)
		imap_set_add(set, s->asked.list[i]);
}

static bool
is_moving(const struct source_imap *s)
{
	return s->session.account->after == CONF_AFTER_MOVE;
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

static void
send_removal(struct source_imap *s, struct span set)
{
	struct span folder;

	if (!is_moving(s)) {
		imap_store_deleted(&s->imap, set);
		return;
	}
	folder = span_str(s->session.account->after_folder);
	if (can_move(s))
		imap_move(&s->imap, set, folder);
	else
		imap_copy(&s->imap, set, folder);
}

static void
remove_next(struct source_imap *s)
{
	struct imap_set set;
	size_t n = 0;

	if (s->todo.n == 0) {
		s->session.source.events->removed(
		    s->session.source.arg, s->removed);
		return;
	}
	imap_set_init(&set);
	while (n < s->todo.n && imap_set_add(&set, s->todo.list[n]))
		n++;
	uids_add(&s->asked, s->todo.list, n);
	uids_drop(&s->todo, n);
	send_removal(s, imap_set_span(&set));
	session_send(&s->session);
}

static void
remove_messages(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	s->removed = 0;
	if (!is_moving(s) || can_move(s) || can_expunge(s)) {
		uids_add(&s->todo, numbers, n);
		remove_next(s);
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
	remove_next(s);
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
static void
on_removed(struct source_imap *s, const struct imap_event *ev)
{
	if (ev->status != IMAP_OK)
		removal_refused(s, ev);
	else
		asked_are_removed(s);
}

static void
on_copied(struct source_imap *s, const struct imap_event *ev)
{
	struct imap_set set;

	if (ev->status != IMAP_OK) {
		removal_refused(s, ev);
		return;
	}
	asked_set(s, &set);
	imap_store_deleted(&s->imap, imap_set_span(&set));
}

static void
quit(struct source *source)
{
	struct source_imap *s = (struct source_imap *)source;

	s->leaving = true;
	if (!s->marking)
		leave(s);
}

/* --- events */

static void
on_listed(struct source_imap *s, const struct imap_event *ev)
{
	/* An OK without a SEARCH answer does not say that nothing is there. */
	if (ev->status == IMAP_OK)
		s->session.source.events->listed(
		    s->session.source.arg, ev->has_size);
	else
		session_fail(
		    &s->session, FAULT_LATER, "refused", ev->text, NULL);
}

static void
on_login_done(struct source_imap *s, const struct imap_event *ev)
{
	if (ev->status != IMAP_OK) {
		login_refused(s, ev);
		return;
	}
	session_logged_in(&s->session, 0);
	s->logged_in = true;
	need_capability(s);
}

static void
on_done(struct source_imap *s, const struct imap_event *ev)
{
	bool ok = ev->status == IMAP_OK;

	switch (ev->cmd) {
	case IMAP_GREETING:
	case IMAP_CAPABILITY:
		if (!ok)
			session_fail(&s->session, FAULT_LATER, "refused",
			    ev->text, NULL);
		else if (ev->cmd == IMAP_GREETING)
			need_capability(s);
		else
			on_capability(s);
		break;
	case IMAP_LOGIN:
	case IMAP_AUTHENTICATE:
		on_login_done(s, ev);
		break;
	case IMAP_SELECT:
	case IMAP_EXAMINE:
		if (ok)
			on_selected(s);
		else
			session_fail(&s->session, FAULT_NEVER, "refused",
			    ev->text,
			    "check that the mailbox exists and may be read");
		break;
	case IMAP_UID_SEARCH:
		on_listed(s, ev);
		break;
	case IMAP_UID_FETCH:
		if (s->heading)
			on_headers_done(s, ev);
		else if (s->sizing)
			on_sizes_done(s);
		else
			on_fetch_done(s, ev);
		break;
	case IMAP_UID_STORE:
		if (s->marking)
			on_marked(s, ev);
		else
			on_stored(s, ev);
		break;
	case IMAP_UID_COPY:
		on_copied(s, ev);
		break;
	case IMAP_UID_MOVE:
	case IMAP_UID_EXPUNGE:
		on_removed(s, ev);
		break;
	case IMAP_LOGOUT:
		session_down(&s->session, NULL);
		break;
	case IMAP_NOOP:
		remove_next(s);
		break;
	case IMAP_ID:
	case IMAP_UNSELECT:
	case IMAP_COMMANDS:
		break;
	}
}

static void
on_event(struct source_imap *s, const struct imap_event *ev)
{
	if (s->imap.mailbox.uidvalidity_changed) {
		/* From here on the UIDs name other messages (CASES I4). */
		session_fail(&s->session, FAULT_LATER,
		    "the UIDVALIDITY changed in mid-session", span_make("", 0),
		    NULL);
		return;
	}
	switch (ev->kind) {
	case IMAP_EV_DONE:
		on_done(s, ev);
		break;
	case IMAP_EV_CHALLENGE:
		session_challenge(&s->session, ev->text);
		break;
	case IMAP_EV_UID:
		on_uid(s, ev->uid);
		break;
	case IMAP_EV_BODY:
		if (s->heading)
			s->session.source.events->header_piece(
			    s->session.source.arg, ev->text);
		else
			s->session.source.events->piece(
			    s->session.source.arg, ev->text);
		break;
	case IMAP_EV_FETCHED:
		on_fetched(s, ev);
		break;
	case IMAP_EV_BYE:
		if (!s->leaving)
			session_fail(&s->session, FAULT_LATER,
			    "the server says goodbye", ev->text, NULL);
		break;
	case IMAP_EV_ERROR:
		session_fail(&s->session, FAULT_LATER,
		    "the server does not speak IMAP as it should", ev->text,
		    NULL);
		break;
	case IMAP_EV_BODY_BEGIN:
	case IMAP_EV_EXISTS:
	case IMAP_EV_EXPUNGED:
		break;
	}
}

/* --- machine */

static size_t
machine_recv(struct session *session, struct span in)
{
	struct source_imap *s = (struct source_imap *)session;

	return imap_recv(&s->imap, in);
}

static bool
machine_act(struct session *session)
{
	struct source_imap *s = (struct source_imap *)session;
	struct imap_event ev;

	if (!imap_next(&s->imap, &ev))
		return false;
	on_event(s, &ev);
	return true;
}

static struct span
machine_out(const struct session *session)
{
	return imap_out(&((const struct source_imap *)session)->imap);
}

static void
machine_wrote(struct session *session, size_t n)
{
	imap_wrote(&((struct source_imap *)session)->imap, n);
}

static enum wait_class
machine_wait_class(const struct session *session)
{
	return imap_wait_class(&((const struct source_imap *)session)->imap);
}

static const char *
machine_phase(const struct session *session)
{
	return imap_phase(&((const struct source_imap *)session)->imap);
}

static bool
machine_auth_line(struct session *session, struct span base64)
{
	return imap_auth_line(&((struct source_imap *)session)->imap, base64);
}

static void
machine_free(struct session *session)
{
	struct source_imap *s = (struct source_imap *)session;

	imap_free(&s->imap);
	free(s->todo.list);
	free(s->asked.list);
	free(s->sizes.list);
	free(s->seen.list);
	free(s);
}

static const struct session_machine machine = {
	.recv = machine_recv,
	.act = machine_act,
	.out = machine_out,
	.wrote = machine_wrote,
	.wait_class = machine_wait_class,
	.phase = machine_phase,
	.log_in = log_in,
	.auth_line = machine_auth_line,
	.free = machine_free,
};

static struct source *
open_source(const struct session_owner *owner, bool read_only)
{
	struct source_imap *s = mem_alloc(sizeof(*s));

	s->read_only = read_only;
	imap_init(&s->imap);
	session_open(&s->session, &source_imap_driver, &machine, owner);
	return &s->session.source;
}

const struct source_driver source_imap_driver = {
	.open = open_source,
	.list = list,
	.sizes = sizes,
	.fetch = fetch,
	.headers = headers,
	.remove = remove_messages,
	.mark_seen = mark_seen,
	.quit = quit,
	.close = session_close,
	.quit_commits = false,
	.protocol = "IMAPS",
};
