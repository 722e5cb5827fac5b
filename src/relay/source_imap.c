/* SPDX-License-Identifier: ISC */
/*
 * The source that speaks IMAPS: binds proto/imap to a connection.
 *
 *   greeting, CAPABILITY, login, CAPABILITY, ID -> ready()
 *   LIST                          -> folder()..., foldered()
 *   SELECT or EXAMINE             -> selected()
 *   IDLE, DONE                    -> news(), unwatched()
 *   LOGOUT                        -> down(NULL)
 *
 * and what source_imap_fetch.c and source_imap_mark.c do in a mailbox.
 */
#include "relay/source_imap.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "proto/imap_name.h"
#include "relay/retry.h"

#include "config.h"

#define UIDVALIDITY_MAX UINT32_MAX

/* --- login */

/* RFC 5530 says what a refusal means; one without a code may be a wrong
 * password, so it is treated as carefully. */
static void
on_refused(struct source_imap *s, const struct imap_event *ev)
{
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "login", "refused");
	fault_quote(&f, ev->text);
	f.hint =
	    "check user and password; many providers want IMAP switched on "
	    "in their settings, and an app password";
	if (ev->code == IMAP_CODE_UNAVAILABLE || ev->code == IMAP_CODE_INUSE ||
	    ev->code == IMAP_CODE_LIMIT || ev->status == IMAP_BAD) {
		f.busy =
		    ev->code == IMAP_CODE_INUSE || ev->code == IMAP_CODE_LIMIT;
		f.hint = f.busy ? SESSION_IN_USE : SESSION_NOT_NOW;
	} else {
		f.login = true;
		if (ev->code == IMAP_CODE_AUTHENTICATIONFAILED ||
		    ev->code == IMAP_CODE_EXPIRED ||
		    ev->code == IMAP_CODE_AUTHORIZATIONFAILED)
			f.when = FAULT_NEVER;
	}
	retry_hear(&f, ev->text);
	login_refused(&s->session.login, ev->text, &f);
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
	char text[STEPS_TEXT_MAX];

	if (!s->logged_in) {
		steps_imap(&s->imap.caps, text);
		session_passed(&s->session, STEP_CAPABILITIES, span_str(text));
		session_start_login(&s->session);
		return;
	}
	if (s->imap.caps.id)
		imap_id(&s->imap, "mailhaul", PACKAGE_VERSION);
	s->session.source.events->ready(s->session.source.arg);
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
on_greeting(struct source_imap *s, const struct imap_event *ev)
{
	struct span words = ev->text;

	/* The code in front is for machines. */
	if (words.n > 0 && words.p[0] == '[' &&
	    memchr(words.p, ']', words.n) != NULL) {
		span_cut(&words, ']');
		words = span_skip(words, words.n > 0 && words.p[0] == ' ');
	}
	session_passed(&s->session, STEP_GREETING, words);
	need_capability(s);
}

/* --- one mailbox after the other */

static void
open_mailbox(struct source_imap *s)
{
	char name[IMAP_NAME_MAX];
	struct fault f;

	if (imap_name_encode(s->name, name, sizeof(name)) &&
	    imap_select(&s->imap, span_str(name), s->read_only)) {
		session_send(&s->session);
		return;
	}
	fault_set(&f, FAULT_ACCOUNT, FAULT_NEVER, "SELECT",
	    "the name of the folder cannot be written in IMAP");
	session_down(&s->session, &f);
}

/* Marks are for the mailbox that is open. */
static void
select_mailbox(struct source *source, const char *name,
    const struct conf_folder *folder, bool read_only)
{
	struct source_imap *s = (struct source_imap *)source;

	s->watch = false;
	s->name = name;
	s->next = folder;
	s->read_only = read_only;
	source_imap_go_on(s);
}

static void
quit(struct source *source)
{
	struct source_imap *s = (struct source_imap *)source;

	s->leaving = true;
	source_imap_go_on(s);
}

/* Not before all is answered that changes the mailbox: what is behind a LOGOUT
 * or SELECT is at the server's mercy. */
void
source_imap_go_on(struct source_imap *s)
{
	if (s->marking != 0 || s->left || s->removing)
		return;
	if (s->leaving) {
		s->left = imap_simple(&s->imap, IMAP_LOGOUT);
		session_send(&s->session);
	} else if (s->next != NULL) {
		s->folder = s->next;
		s->next = NULL;
		s->fresh = false;
		open_mailbox(s);
	} else if (s->watch) {
		s->watch = false;
		if (imap_idle(&s->imap))
			session_send(&s->session);
		else
			session_fail(&s->session, FAULT_LATER,
			    "IDLE cannot be said now", span_make("", 0), NULL);
	}
}

static void
refuse_mailbox(struct source_imap *s, enum fault_when when, const char *text,
    struct span words, const char *hint)
{
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, when, "SELECT", "%s: %s", s->name, text);
	f.hint = hint;
	if (words.n > 0) {
		fault_quote(&f, words);
		retry_hear(&f, words);
	}
	s->session.source.events->selected(s->session.source.arg, NULL, &f);
}

static void
on_selected(struct source_imap *s, const struct imap_event *ev)
{
	const struct imap_mailbox *box = &s->imap.mailbox;
	struct source_mailbox m = {
		.generation = box->uidvalidity,
		.exists = box->exists,
		.next = box->have_uidnext ? box->uidnext : 0,
	};

	if (ev->status != IMAP_OK)
		refuse_mailbox(s, FAULT_NEVER,
		    ev->code == IMAP_CODE_NONEXISTENT
			? "the folder is not there"
			: "refused",
		    ev->text, "check that the mailbox exists and may be read");
	else if (!box->have_uidvalidity || box->uidvalidity == 0 ||
		 box->uidvalidity > UIDVALIDITY_MAX)
		refuse_mailbox(s, FAULT_NEVER,
		    "the server gives no usable UIDVALIDITY, so messages could "
		    "not be told apart safely",
		    span_make("", 0), "use protocol = \"pop3\" if it has it");
	else if (box->read_only && !s->read_only &&
		 s->folder->after != CONF_AFTER_KEEP)
		refuse_mailbox(s, FAULT_NEVER,
		    "the mailbox is read-only: nothing could be deleted",
		    span_make("", 0), "use after = \"keep\"");
	else
		s->session.source.events->selected(
		    s->session.source.arg, &m, NULL);
}

/* --- which folders there are */

static void
folders(struct source *source, const char *pattern)
{
	struct source_imap *s = (struct source_imap *)source;
	char name[IMAP_NAME_MAX];
	struct fault f;

	if (imap_name_encode(pattern, name, sizeof(name)) &&
	    imap_list(&s->imap, span_str(name))) {
		session_send(&s->session);
		return;
	}
	fault_set(&f, FAULT_ACCOUNT, FAULT_NEVER, "LIST",
	    "the pattern cannot be written in IMAP: %s", pattern);
	session_down(&s->session, &f);
}

/* A name that is no modified UTF-7 could not be asked for again. */
static void
on_folder(struct source_imap *s, const struct imap_event *ev)
{
	static const unsigned bits[][2] = {
		{ IMAP_SPECIAL_ALL, SOURCE_ALL },
		{ IMAP_SPECIAL_ARCHIVE, SOURCE_ARCHIVE },
		{ IMAP_SPECIAL_DRAFTS, SOURCE_DRAFTS },
		{ IMAP_SPECIAL_FLAGGED, SOURCE_FLAGGED },
		{ IMAP_SPECIAL_JUNK, SOURCE_JUNK },
		{ IMAP_SPECIAL_SENT, SOURCE_SENT },
		{ IMAP_SPECIAL_TRASH, SOURCE_TRASH },
	};
	char name[IMAP_NAME_MAX];
	struct source_folder folder = { .special = 0 };

	if (ev->noselect)
		return;
	if (ev->text.n == 0 ||
	    !imap_name_decode(ev->text, name, sizeof(name))) {
		s->unnamed++;
		return;
	}
	folder.name = span_str(name);
	for (size_t i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
		if (ev->special & bits[i][0])
			folder.special |= bits[i][1];
	s->session.source.events->folder(s->session.source.arg, &folder);
}

/* Once in a session: every pattern that meets them would say it again. */
static void
tell_unnamed(struct source_imap *s)
{
	if (s->unnamed > 0 && !s->told_unnamed) {
		s->told_unnamed = true;
		log_line(LOG_WARNING,
		    "%s: folders left out: %u, as their names are too long or "
		    "not in modified UTF-7, as IMAP wants it; rename them on "
		    "the server",
		    s->session.account->name, s->unnamed);
	}
	s->unnamed = 0;
}

static void
on_foldered(struct source_imap *s, const struct imap_event *ev)
{
	struct fault f;

	tell_unnamed(s);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "LIST", "refused");
	fault_quote(&f, ev->text);
	s->session.source.events->foldered(
	    s->session.source.arg, ev->status == IMAP_OK ? NULL : &f);
}

/* --- hear of news */

static bool
can_watch(const struct source *source)
{
	return ((const struct source_imap *)source)->imap.caps.idle;
}

static bool
watch(struct source *source)
{
	struct source_imap *s = (struct source_imap *)source;

	if (s->fresh)
		return false;
	s->unwatch = false;
	s->watch = true;
	source_imap_go_on(s);
	return true;
}

static void
end_watch(struct source_imap *s)
{
	if (s->unwatch && imap_idling(&s->imap) && imap_idle_done(&s->imap))
		session_send(&s->session);
}

static void
unwatch(struct source *source)
{
	struct source_imap *s = (struct source_imap *)source;

	s->unwatch = true;
	end_watch(s); /* or when the server has said "+" */
}

/* What comes before the listing that we asked for may be in it or not: another
 * listing tells. */
static void
on_exists(struct source_imap *s)
{
	s->fresh = true;
	if (imap_idling(&s->imap) && !s->unwatch)
		s->session.source.events->news(s->session.source.arg);
}

/* --- events */

static void
on_login_done(struct source_imap *s, const struct imap_event *ev)
{
	struct fault f;

	if (ev->status != IMAP_OK) {
		on_refused(s, ev);
		return;
	}
	if (!login_proved(&s->session.login, &f)) {
		session_down(&s->session, &f);
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

	/* A refused login has its own say about these words. */
	if (!ok && s->logged_in && session_ended_by(&s->session, ev->text))
		return;
	switch (ev->cmd) {
	case IMAP_GREETING:
	case IMAP_CAPABILITY:
		if (!ok)
			session_fail(&s->session, FAULT_LATER, "refused",
			    ev->text, SESSION_TURNED_AWAY);
		else if (ev->cmd == IMAP_GREETING)
			on_greeting(s, ev);
		else
			on_capability(s);
		break;
	case IMAP_LOGIN:
	case IMAP_AUTHENTICATE:
		on_login_done(s, ev);
		break;
	case IMAP_SELECT:
	case IMAP_EXAMINE:
		on_selected(s, ev);
		break;
	case IMAP_LIST:
		on_foldered(s, ev);
		break;
	case IMAP_IDLE:
		s->session.source.events->unwatched(s->session.source.arg);
		break;
	case IMAP_UID_SEARCH:
		source_imap_on_listed(s, ev);
		break;
	case IMAP_UID_FETCH:
		source_imap_on_fetch(s, ev);
		break;
	case IMAP_UID_STORE:
		source_imap_on_store(s, ev);
		break;
	case IMAP_UID_COPY:
	case IMAP_UID_MOVE:
	case IMAP_UID_EXPUNGE:
		source_imap_on_removed(s, ev);
		break;
	case IMAP_LOGOUT:
		session_down(&s->session, NULL);
		break;
	case IMAP_NOOP: /* it stood for a removal that cannot be */
		source_imap_remove_next(s);
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
		source_imap_on_uid(s, ev->uid);
		break;
	case IMAP_EV_BODY:
		source_imap_on_piece(s, ev->text);
		break;
	case IMAP_EV_FETCHED:
		source_imap_on_fetched(s, ev);
		break;
	case IMAP_EV_BYE:
		if (!s->left)
			session_fail(&s->session, FAULT_LATER,
			    "the server says goodbye", ev->text,
			    s->session.greeted ? NULL : SESSION_TURNED_AWAY);
		break;
	case IMAP_EV_ERROR:
		session_out_of_step(&s->session, "IMAP", ev->text);
		break;
	case IMAP_EV_MAILBOX:
		on_folder(s, ev);
		break;
	case IMAP_EV_IDLING:
		end_watch(s);
		break;
	case IMAP_EV_EXISTS:
		on_exists(s);
		break;
	case IMAP_EV_BODY_BEGIN:
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
	for (unsigned i = 0; i < s->nfetches; i++)
		free(s->fetches[i].asked.list);
	for (unsigned i = 0; i < s->nremovals; i++)
		free(s->removals[i].uids.list);
	free(s->listed.list);
	free(s->sizes.list);
	free(s->marks[SOURCE_SEEN].list);
	free(s->marks[SOURCE_RELAYED].list);
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
	.plain_login = "LOGIN",
	.kind = SERVER_IMAP,
	.auth_line = machine_auth_line,
	.free = machine_free,
};

static struct source *
open_source(const struct session_owner *owner)
{
	struct source_imap *s = mem_alloc(sizeof(*s));

	imap_init(&s->imap);
	if (owner->keyword != NULL)
		imap_keyword(&s->imap, owner->keyword);
	session_open(&s->session, &source_imap_driver, &machine, owner);
	return &s->session.source;
}

const struct source_driver source_imap_driver = {
	.open = open_source,
	.select = select_mailbox,
	.folders = folders,
	.can_watch = can_watch,
	.watch = watch,
	.unwatch = unwatch,
	.list = source_imap_list,
	.sizes = source_imap_sizes,
	.fetch = source_imap_fetch,
	.headers = source_imap_headers,
	.marks = source_imap_marks,
	.remove = source_imap_remove,
	.mark = source_imap_mark,
	.quit = quit,
	.pause = session_pause,
	.close = session_close,
	.quit_commits = false,
	.protocol = "IMAPS",
};
