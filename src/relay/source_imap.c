/* SPDX-License-Identifier: ISC */
/*
 * The source that speaks IMAPS: binds proto/imap to a connection.
 *
 *   greeting, CAPABILITY, login, ID, SELECT or EXAMINE -> ready()
 *   UID SEARCH                    -> entry()..., listed()
 *   UID FETCH (RFC822.SIZE)       -> size()..., sized()
 *   UID FETCH (BODY.PEEK[])       -> piece()..., fetched()
 *   UID STORE, UID EXPUNGE        -> removed()
 *   LOGOUT                        -> down(NULL)
 *
 * Never a plain EXPUNGE or CLOSE: both remove what other clients have marked.
 */
#include "relay/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "proto/imap.h"
#include "relay/login.h"
#include "relay/server.h"

#include "config.h"

#define FOLDER "INBOX"
#define UIDVALIDITY_MAX UINT32_MAX

/* UIDs that a command is made for; order is kept. */
struct uids {
	uint32_t *list; /* owned */
	size_t n, cap;
};

struct source_imap {
	struct source source;
	struct net *net;                    /* foreign */
	const struct conf *conf;            /* foreign */
	const struct conf_account *account; /* foreign */
	bool read_only;
	struct conn *conn;
	struct imap imap;
	struct login login;
	bool in_callback, closed;
	bool logged_in;
	bool sizing;       /* a FETCH for sizes is outstanding */
	bool fetching;     /* one for bodies is; all may be in before its OK */
	bool leaving;      /* LOGOUT is out */
	struct uids todo;  /* to be fetched or removed, not asked for yet */
	struct uids asked; /* of the command that is outstanding */
	struct uids sizes; /* whose size is wanted, not asked for yet */
	bool one_by_one;   /* a FETCH of several was refused: find out which */
	size_t removed;
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

static void
free_source(struct source_imap *s)
{
	imap_free(&s->imap);
	free(s->todo.list);
	free(s->asked.list);
	free(s->sizes.list);
	free(s);
}

/* As in source_pop3.c: between the two the structure stays, whatever the owner
 * does in an event. */
static void
enter(struct source_imap *s)
{
	s->in_callback = true;
}

static void
leave(struct source_imap *s)
{
	s->in_callback = false;
	if (s->closed)
		free_source(s);
}

static void
await(struct source_imap *s)
{
	conn_expect(s->conn,
	    server_patience(imap_wait_class(&s->imap), s->conf),
	    imap_phase(&s->imap));
}

static void
down(struct source_imap *s, const struct fault *f)
{
	login_clear(&s->login);
	conn_close(&s->conn);
	s->source.events->down(s->source.arg, f);
}

static void
fail(struct source_imap *s, enum fault_when when, const char *text,
    struct span words, const char *hint)
{
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, when, imap_phase(&s->imap), "%s", text);
	if (words.n > 0)
		fault_quote(&f, words);
	f.hint = hint;
	down(s, &f);
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
	} else {
		f.login = true;
		if (ev->code == IMAP_CODE_AUTHENTICATIONFAILED ||
		    ev->code == IMAP_CODE_EXPIRED ||
		    ev->code == IMAP_CODE_AUTHORIZATIONFAILED)
			f.when = FAULT_NEVER;
	}
	down(s, &f);
}

static void
log_in(struct source_imap *s)
{
	const struct imap_caps *caps = &s->imap.caps;
	struct span initial;
	struct fault f;
	const char *mechanism =
	    login_mechanism(&s->login, caps->sasl, &initial, &f);

	if (mechanism != NULL)
		imap_authenticate(&s->imap, mechanism, initial);
	else if (!login_allows_plain(&s->login) || caps->login_disabled)
		down(s, &f);
	else if (!imap_login(
		     &s->imap, login_user(&s->login), login_secret(&s->login)))
		fail(s, FAULT_NEVER,
		    "user or password cannot be written in IMAP",
		    span_make("", 0), "check user and password");
}

static void
on_secret(void *arg, const struct fault *f)
{
	struct source_imap *s = arg;

	enter(s);
	if (f != NULL)
		down(s, f);
	else
		log_in(s);
	if (s->conn != NULL) {
		await(s);
		conn_send(s->conn);
	}
	leave(s);
}

static void
on_challenge(struct source_imap *s, struct span challenge)
{
	struct span response;
	struct fault f;

	if (!login_step(&s->login, challenge, &response, &f))
		down(s, &f);
	else
		imap_auth_line(&s->imap, response);
}

/* Before the login, to know how; after it, because it may differ then. */
static void
on_capability(struct source_imap *s)
{
	if (!s->logged_in) {
		login_start(&s->login, s->net->loop, s->conn,
		    &s->account->server, FAULT_ACCOUNT, on_secret, s);
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
		fail(s, FAULT_NEVER,
		    "the server gives no usable UIDVALIDITY, so messages could "
		    "not be told apart safely",
		    span_make("", 0), "use protocol = \"pop3\" if it has it");
	else if (box->read_only && !s->read_only)
		fail(s, FAULT_NEVER,
		    "the mailbox is read-only: nothing could be deleted",
		    span_make("", 0), "use after = \"keep\"");
	else
		s->source.events->ready(s->source.arg, &m);
}

/* --- list and sizes */

static void
list(struct source *source, uint64_t from)
{
	struct source_imap *s = (struct source_imap *)source;

	imap_search_from(&s->imap, from > 0 ? (uint32_t)from : 1);
	await(s);
	conn_send(s->conn);
}

static void
on_uid(struct source_imap *s, uint32_t uid)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%lu", (unsigned long)uid);

	s->source.events->entry(
	    s->source.arg, span_make(text, (size_t)n), uid, 0);
}

static void fetch_next(struct source_imap *s);

/* One FETCH at a time, so that it is clear which answer belongs to which; sizes
 * go first, for the worker fetches nothing without them. */
static void
sizes_next(struct source_imap *s)
{
	struct imap_set set;

	if (s->fetching || s->sizes.n == 0)
		return;
	imap_set_init(&set);
	for (size_t i = 0; i < s->sizes.n; i++)
		if (!imap_set_add(&set, s->sizes.list[i]))
			break;
	s->sizes.n = 0;
	s->sizing = true;
	imap_fetch_sizes(&s->imap, imap_set_span(&set));
	await(s);
	conn_send(s->conn);
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
	s->source.events->sized(s->source.arg);
	if (s->conn != NULL)
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
	await(s);
	conn_send(s->conn);
}

static void
fetch(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	uids_add(&s->todo, numbers, n);
	fetch_next(s);
}

/* A FETCH response is over.  Those that carry no body are somebody's flags; a
 * body that nobody asked for is reported all the same, to be forgotten. */
static void
on_fetched(struct source_imap *s, const struct imap_event *ev)
{
	if (s->sizing && ev->has_size && ev->uid != 0)
		s->source.events->size(s->source.arg, ev->uid, ev->size);
	if (!ev->has_body)
		return;
	s->source.events->fetched(
	    s->source.arg, uids_remove(&s->asked, ev->uid) ? ev->uid : 0, NULL);
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
	for (size_t i = 0; i < rest.n && s->conn != NULL; i++)
		s->source.events->fetched(s->source.arg, rest.list[i], &f);
	free(rest.list);
	if (s->conn != NULL)
		fetch_next(s);
}

/* --- remove */

static void
store_next(struct source_imap *s)
{
	struct imap_set set;
	size_t n = 0;

	if (s->todo.n == 0) {
		s->source.events->removed(s->source.arg, s->removed);
		return;
	}
	imap_set_init(&set);
	while (n < s->todo.n && imap_set_add(&set, s->todo.list[n]))
		n++;
	uids_add(&s->asked, s->todo.list, n);
	uids_drop(&s->todo, n);
	imap_store_deleted(&s->imap, imap_set_span(&set));
	await(s);
	conn_send(s->conn);
}

static void
remove_messages(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_imap *s = (struct source_imap *)source;

	s->removed = 0;
	uids_add(&s->todo, numbers, n);
	store_next(s);
}

static void
on_stored(struct source_imap *s, const struct imap_event *ev)
{
	struct imap_set set;

	if (ev->status != IMAP_OK) {
		fail(s, FAULT_LATER, "refused", ev->text, NULL);
		return;
	}
	if (!s->imap.caps.uidplus && !s->imap.caps.imap4rev2) {
		log_line(LOG_NOTICE,
		    "%s: the server has no UIDPLUS; %zu relayed messages are "
		    "marked \\Deleted and left for you to expunge",
		    s->account->name, s->asked.n);
		s->removed += s->asked.n;
		s->asked.n = 0;
		store_next(s);
		return;
	}
	imap_set_init(&set);
	for (size_t i = 0; i < s->asked.n; i++)
		imap_set_add(&set, s->asked.list[i]);
	imap_expunge(&s->imap, imap_set_span(&set));
}

static void
on_expunged(struct source_imap *s, const struct imap_event *ev)
{
	if (ev->status != IMAP_OK) {
		fail(s, FAULT_LATER, "refused", ev->text, NULL);
		return;
	}
	s->removed += s->asked.n;
	s->asked.n = 0;
	store_next(s);
}

static void
quit(struct source *source)
{
	struct source_imap *s = (struct source_imap *)source;

	s->leaving = true;
	imap_simple(&s->imap, IMAP_LOGOUT);
	await(s);
	conn_send(s->conn);
}

/* --- events */

static void
on_listed(struct source_imap *s, const struct imap_event *ev)
{
	/* An OK without a SEARCH answer does not say that nothing is there. */
	if (ev->status == IMAP_OK)
		s->source.events->listed(s->source.arg, ev->has_size);
	else
		fail(s, FAULT_LATER, "refused", ev->text, NULL);
}

static void
on_login_done(struct source_imap *s, const struct imap_event *ev)
{
	if (ev->status != IMAP_OK) {
		login_refused(s, ev);
		return;
	}
	login_clear(&s->login);
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
			fail(s, FAULT_LATER, "refused", ev->text, NULL);
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
			fail(s, FAULT_NEVER, "refused", ev->text,
			    "check that the mailbox exists and may be read");
		break;
	case IMAP_UID_SEARCH:
		on_listed(s, ev);
		break;
	case IMAP_UID_FETCH:
		if (s->sizing)
			on_sizes_done(s);
		else
			on_fetch_done(s, ev);
		break;
	case IMAP_UID_STORE:
		on_stored(s, ev);
		break;
	case IMAP_UID_EXPUNGE:
		on_expunged(s, ev);
		break;
	case IMAP_LOGOUT:
		down(s, NULL);
		break;
	case IMAP_ID:
	case IMAP_NOOP:
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
		fail(s, FAULT_LATER, "the UIDVALIDITY changed in mid-session",
		    span_make("", 0), NULL);
		return;
	}
	switch (ev->kind) {
	case IMAP_EV_DONE:
		on_done(s, ev);
		break;
	case IMAP_EV_CHALLENGE:
		on_challenge(s, ev->text);
		break;
	case IMAP_EV_UID:
		on_uid(s, ev->uid);
		break;
	case IMAP_EV_BODY:
		s->source.events->piece(s->source.arg, ev->text);
		break;
	case IMAP_EV_FETCHED:
		on_fetched(s, ev);
		break;
	case IMAP_EV_BYE:
		if (!s->leaving)
			fail(s, FAULT_LATER, "the server says goodbye",
			    ev->text, NULL);
		break;
	case IMAP_EV_ERROR:
		fail(s, FAULT_LATER,
		    "the server does not speak IMAP as it should", ev->text,
		    NULL);
		break;
	case IMAP_EV_BODY_BEGIN:
	case IMAP_EV_EXISTS:
	case IMAP_EV_EXPUNGED:
		break;
	}
}

/* --- connection */

static void
on_up(void *arg)
{
	await(arg);
}

static void
on_data(void *arg, struct span in)
{
	struct source_imap *s = arg;
	struct imap_event ev;

	enter(s);
	while (in.n > 0 && s->conn != NULL) {
		in = span_skip(in, imap_recv(&s->imap, in));
		while (s->conn != NULL && imap_next(&s->imap, &ev))
			on_event(s, &ev);
	}
	if (s->conn != NULL)
		await(s);
	leave(s);
}

static struct span
on_out(void *arg)
{
	struct source_imap *s = arg;

	return imap_out(&s->imap);
}

static void
on_wrote(void *arg, size_t n)
{
	struct source_imap *s = arg;

	imap_wrote(&s->imap, n);
}

static void
on_down(void *arg, const struct fault *f)
{
	down(arg, f);
}

static const struct conn_handler handler = {
	.up = on_up,
	.data = on_data,
	.out = on_out,
	.wrote = on_wrote,
	.down = on_down,
};

static struct source *
open_source(struct net *n, const struct conf *conf,
    const struct conf_account *a, bool read_only,
    const struct source_events *events, void *arg)
{
	struct source_imap *s = mem_alloc(sizeof(*s));
	struct conn_target target =
	    server_target(conf, &a->server, FAULT_ACCOUNT);

	s->source.driver = &source_imap_driver;
	s->source.events = events;
	s->source.arg = arg;
	s->net = n;
	s->conf = conf;
	s->account = a;
	s->read_only = read_only;
	imap_init(&s->imap);
	s->conn = conn_open(n, &target, &handler, s);
	return &s->source;
}

static void
close_source(struct source *source)
{
	struct source_imap *s = (struct source_imap *)source;

	login_clear(&s->login);
	conn_close(&s->conn);
	s->closed = true;
	if (!s->in_callback)
		free_source(s);
}

const struct source_driver source_imap_driver = {
	.open = open_source,
	.list = list,
	.sizes = sizes,
	.fetch = fetch,
	.remove = remove_messages,
	.quit = quit,
	.close = close_source,
	.quit_commits = false,
	.protocol = "IMAPS",
};
