/* SPDX-License-Identifier: ISC */
/*
 * The source that speaks POP3S: binds proto/pop3 to a connection.
 *
 *   greeting, CAPA, login          -> ready()
 *   STAT                           -> selected()
 *   LIST, UIDL                     -> entry()..., listed()
 *   RETR                           -> piece()..., fetched()
 *   TOP                            -> header_piece()..., header(), headed()
 *   DELE                           -> removed()
 *   QUIT                           -> down(NULL)
 *
 * With PIPELINING USER and PASS, STAT and the listings, all RETR, TOP and DELE,
 * and QUIT behind them are in one flight each; without it one command is
 * outstanding.
 */
#include "relay/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "proto/pop3.h"
#include "relay/retry.h"
#include "relay/session.h"
#include "relay/sizes.h"
#include "store/store.h"

#define AUTH_MAX 255 /* bytes of a command line (RFC 2449) */

struct source_pop3 {
	struct session session;
	struct pop3 pop3;
	uint64_t exists;
	struct sizes sizes;
	bool ahead;        /* the listings were asked for in select ... */
	bool unwanted;     /* ... and by nobody since: they are not for him */
	uint64_t unusable; /* entries whose UIDL is no key of ours */
	uint64_t received; /* bytes of the current message */
	/* RETR, TOP or DELE to come and outstanding */
	enum pop3_command doing;
	uint32_t *todo; /* owned */
	size_t ntodo, todo_cap, next;
	size_t answered, accepted;
	bool leaving; /* QUIT is to follow */
};

/* --- login */

/* Only [AUTH] says for certain that the credentials are wrong (RFC 3206); a
 * refusal without a code may be one, so it is treated as carefully. */
static void
on_refused(struct source_pop3 *s, const struct pop3_event *ev)
{
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "login", "refused");
	fault_quote(&f, ev->text);
	f.hint = "check user and password; many providers want POP switched on "
		 "in their settings, and an app password";
	f.login = true;
	switch (ev->code) {
	case POP3_CODE_AUTH:
		f.when = FAULT_NEVER;
		break;
	case POP3_CODE_LOGIN_DELAY:
	case POP3_CODE_IN_USE:
	case POP3_CODE_SYS_TEMP:
	case POP3_CODE_SYS_PERM:
		f.login = false;
		f.busy = ev->code == POP3_CODE_IN_USE;
		if (ev->code == POP3_CODE_LOGIN_DELAY)
			f.retry_after = s->pop3.caps.login_delay_seconds;
		f.hint = f.busy ? SESSION_IN_USE : SESSION_NOT_NOW;
		break;
	case POP3_CODE_NONE:
	case POP3_CODE_OTHER:
		break;
	}
	retry_hear(&f, ev->text);
	login_refused(&s->session.login, ev->text, &f);
	session_down(&s->session, &f);
}

/* RFC 5034: a longer line may not hold an initial response.  Outlook.com takes
 * none with XOAUTH2 at all. */
static void
authenticate(struct source_pop3 *s, const char *mechanism, struct span initial)
{
	if (strcmp(mechanism, "XOAUTH2") == 0 ||
	    strlen("AUTH  \r\n") + strlen(mechanism) + initial.n > AUTH_MAX) {
		login_hold(&s->session.login);
		initial = span_make("", 0);
	}
	pop3_auth(&s->pop3, mechanism, initial);
}

static void
say_password(struct source_pop3 *s)
{
	if (!pop3_pass(&s->pop3, login_secret(&s->session.login)))
		session_fail(&s->session, FAULT_NEVER,
		    "password cannot be written in POP3", span_make("", 0),
		    "check password");
}

/* SASL when there is a mechanism of ours, else USER and PASS, which say the
 * same inside TLS; an auth that is configured allows only itself. */
static void
log_in(struct session *session)
{
	struct source_pop3 *s = (struct source_pop3 *)session;
	const struct pop3_caps *caps = &s->pop3.caps;
	struct span initial;
	struct fault f;
	const char *mechanism =
	    login_mechanism(&s->session.login, caps->sasl, &initial, &f);

	if (mechanism != NULL)
		authenticate(s, mechanism, initial);
	else if (!login_allows_plain(&s->session.login) ||
		 (caps->known && !caps->user && caps->sasl[0] != '\0'))
		session_down(&s->session, &f);
	else if (!pop3_user(&s->pop3, login_user(&s->session.login)))
		session_fail(&s->session, FAULT_NEVER,
		    "user cannot be written in POP3", span_make("", 0),
		    "check user");
	else if (caps->pipelining)
		say_password(s);
}

static void
on_login_reply(struct source_pop3 *s, const struct pop3_event *ev)
{
	struct fault f;

	if (!ev->ok) {
		on_refused(s, ev);
	} else if (!login_proved(&s->session.login, &f)) {
		session_down(&s->session, &f);
	} else if (ev->cmd == POP3_USER) {
		if (!s->pop3.caps.pipelining)
			say_password(s);
	} else {
		session_logged_in(
		    &s->session, s->pop3.caps.login_delay_seconds);
		s->session.source.events->ready(s->session.source.arg);
	}
}

/* --- the one mailbox there is */

/* The sizes first, so that an entry has its size. */
static void
ask_listings(struct source_pop3 *s)
{
	pop3_simple(&s->pop3, POP3_LIST);
	if (s->pop3.caps.pipelining)
		pop3_simple(&s->pop3, POP3_UIDL);
}

static void
pop3_select(struct source *source, const char *name,
    const struct conf_folder *folder, bool read_only)
{
	struct source_pop3 *s = (struct source_pop3 *)source;

	(void)name;
	(void)folder;
	(void)read_only; /* without DELE and QUIT nothing changes */
	pop3_simple(&s->pop3, POP3_STAT);
	s->ahead = s->pop3.caps.pipelining;
	if (s->ahead)
		ask_listings(s);
	session_send(&s->session);
}

/* --- list */

/* With PIPELINING they were asked for in select, and are wanted when that is
 * said inside selected(). */
static void
pop3_list(struct source *source, uint64_t from)
{
	struct source_pop3 *s = (struct source_pop3 *)source;

	(void)from; /* message numbers mean nothing across sessions */
	if (!s->ahead || s->unwanted)
		ask_listings(s);
	s->ahead = false;
	session_send(&s->session);
}

/* What a server lists out of order has no size, so its numbers never choose how
 * much we keep. */
static void
on_size(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (ev->number == s->sizes.count + 1)
		sizes_add(&s->sizes, ev->size);
}

static void
on_uid(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (ev->text.n == 0 || ev->text.n > STORE_UID_MAX ||
	    memchr(ev->text.p, '\0', ev->text.n) != NULL) {
		s->unusable++;
		return;
	}
	s->session.source.events->entry(s->session.source.arg, ev->text,
	    ev->number, sizes_get(&s->sizes, ev->number));
}

static void
on_item(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (s->unwanted)
		return;
	if (ev->number > s->exists)
		session_fail(&s->session, FAULT_LATER,
		    "a listing names more messages than STAT", span_make("", 0),
		    NULL);
	else if (ev->cmd == POP3_LIST)
		on_size(s, ev);
	else if (ev->cmd == POP3_UIDL)
		on_uid(s, ev);
}

/* True: it was of those that nobody wants. */
static bool
pass_over(struct source_pop3 *s, const struct pop3_event *ev)
{
	bool unwanted = s->unwanted;

	if (unwanted && ev->cmd == POP3_UIDL)
		s->unwanted = s->ahead = false;
	return unwanted;
}

static void
on_list_refused(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (pass_over(s, ev))
		return;
	if (ev->cmd == POP3_UIDL)
		session_fail(&s->session, FAULT_NEVER,
		    "the server has no UIDL, so what was relayed could not be "
		    "told from what is new",
		    ev->text, "use protocol = \"imap\" if the server has it");
	else
		session_fail(
		    &s->session, FAULT_LATER, "refused", ev->text, NULL);
}

static void
on_listed(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (pass_over(s, ev))
		return;
	if (s->unusable > 0)
		log_line(LOG_WARNING,
		    "%s: %llu messages have a UIDL that is empty, too long or "
		    "holds NUL; they are not relayed",
		    s->session.account->name, (unsigned long long)s->unusable);
	s->session.source.events->listed(
	    s->session.source.arg, ev->count == s->exists && s->unusable == 0);
}

/* --- fetch and remove */

/* QUIT makes the deletions come true, so it is behind the last of them. */
static void
leave_now(struct source_pop3 *s)
{
	if (!s->leaving || s->next < s->ntodo ||
	    (!s->pop3.caps.pipelining && pop3_outstanding(&s->pop3) > 0))
		return;
	s->leaving = !pop3_simple(&s->pop3, POP3_QUIT);
}

static void
push(struct source_pop3 *s)
{
	unsigned window = s->pop3.caps.pipelining ? POP3_WINDOW : 1;

	while (s->next < s->ntodo && pop3_outstanding(&s->pop3) < window &&
	       pop3_numbered(&s->pop3, s->doing, s->todo[s->next]))
		s->next++;
	if (s->answered == s->ntodo)
		s->ntodo = s->next = s->answered = 0;
	leave_now(s);
	session_send(&s->session);
}

static void
add_todo(struct source_pop3 *s, enum pop3_command doing,
    const uint32_t *numbers, size_t n)
{
	if (s->ntodo + n > s->todo_cap) {
		s->todo_cap = s->ntodo + n;
		s->todo = mem_grow(s->todo, s->todo_cap, sizeof(*s->todo));
	}
	memcpy(s->todo + s->ntodo, numbers, n * sizeof(*numbers));
	s->ntodo += n;
	s->doing = doing;
	push(s);
}

static void
pop3_fetch(struct source *source, const uint32_t *numbers, size_t n)
{
	add_todo((struct source_pop3 *)source, POP3_RETR, numbers, n);
}

static void
pop3_remove(struct source *source, const uint32_t *numbers, size_t n)
{
	struct source_pop3 *s = (struct source_pop3 *)source;

	s->accepted = 0;
	add_todo(s, POP3_DELE, numbers, n);
}

static bool
pop3_headers(struct source *source, const uint32_t *numbers, size_t n,
    enum source_headers what)
{
	struct source_pop3 *s = (struct source_pop3 *)source;

	(void)what; /* it has no dates */
	if (!s->pop3.caps.top)
		return false;
	add_todo(s, POP3_TOP, numbers, n);
	return true;
}

/* One is answered; push() forgets them all with the last. */
static void
on_header(struct source_pop3 *s, uint32_t number, bool ok)
{
	const struct session *session = &s->session;

	s->answered++;
	if (ok)
		session->source.events->header(session->source.arg, number, 0);
	if (session->conn == NULL)
		return;
	push(s);
	if (s->answered == 0)
		session->source.events->headed(session->source.arg);
}

/* The terminator decides where a message ends, not its listed size; but one
 * that lacks a tenth was cut off, perhaps by a server that forgot to stuff a
 * dot, and must not be taken for whole (CASES P18). */
static bool
looks_whole(struct source_pop3 *s, uint32_t number, struct fault *fault_r)
{
	uint64_t listed = sizes_get(&s->sizes, number);

	if (s->received >= listed - listed / 10)
		return true;
	fault_set(fault_r, FAULT_MESSAGE, FAULT_NEVER, "RETR",
	    "the server listed %llu bytes but sent %llu: the message may be "
	    "cut "
	    "off",
	    (unsigned long long)listed, (unsigned long long)s->received);
	fault_r->hint = "look at it on the server; release it if it is whole";
	return false;
}

static void
on_retr_end(struct source_pop3 *s, const struct pop3_event *ev)
{
	struct fault f;
	bool whole = looks_whole(s, ev->number, &f);

	s->answered++;
	s->received = 0;
	s->session.source.events->fetched(
	    s->session.source.arg, ev->number, whole ? NULL : &f);
	if (s->session.conn != NULL)
		push(s);
}

static void
on_retr_refused(struct source_pop3 *s, const struct pop3_event *ev)
{
	struct fault f;

	fault_set(&f, FAULT_MESSAGE, FAULT_LATER, "RETR",
	    "the server does not hand it out");
	fault_quote(&f, ev->text);
	s->answered++;
	s->session.source.events->fetched(
	    s->session.source.arg, ev->number, &f);
	if (s->session.conn != NULL)
		push(s);
}

static void
on_dele(struct source_pop3 *s, bool ok)
{
	size_t all = s->ntodo;

	s->answered++;
	s->accepted += ok;
	push(s);
	if (s->answered == 0 && all > 0)
		s->session.source.events->removed(
		    s->session.source.arg, s->accepted);
}

static void
pop3_leave(struct source *source)
{
	struct source_pop3 *s = (struct source_pop3 *)source;

	s->leaving = true;
	leave_now(s);
	session_send(&s->session);
}

/* --- events */

static void
on_greeting(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (!ev->ok) {
		session_fail(&s->session, FAULT_LATER, "refused", ev->text,
		    SESSION_TURNED_AWAY);
		return;
	}
	session_passed(&s->session, STEP_GREETING, ev->text);
	pop3_simple(&s->pop3, POP3_CAPA);
}

static void
on_capa(struct source_pop3 *s)
{
	char text[STEPS_TEXT_MAX];

	steps_pop3(&s->pop3.caps, text);
	session_passed(&s->session, STEP_CAPABILITIES, span_str(text));
	session_start_login(&s->session);
}

static void
on_stat(struct source_pop3 *s, const struct pop3_event *ev)
{
	struct source_mailbox m = { .exists = ev->count };

	if (!ev->ok) {
		session_fail(
		    &s->session, FAULT_LATER, "refused", ev->text, NULL);
		return;
	}
	s->exists = ev->count;
	s->session.source.events->selected(s->session.source.arg, &m, NULL);
	s->unwanted = s->ahead;
}

static bool
is_login(enum pop3_command cmd)
{
	return cmd == POP3_USER || cmd == POP3_PASS || cmd == POP3_AUTH;
}

static void
on_reply(struct source_pop3 *s, const struct pop3_event *ev)
{
	/* A refused login has its own say about these words. */
	if (!ev->ok && !is_login(ev->cmd) &&
	    session_ended_by(&s->session, ev->text))
		return;
	switch (ev->cmd) {
	case POP3_GREETING:
		on_greeting(s, ev);
		break;
	case POP3_CAPA:
		if (!ev->ok) /* an old server: go on without (CASES P5) */
			on_capa(s);
		break;
	case POP3_USER:
	case POP3_PASS:
	case POP3_AUTH:
		on_login_reply(s, ev);
		break;
	case POP3_STAT:
		on_stat(s, ev);
		break;
	case POP3_UIDL:
	case POP3_LIST:
		if (!ev->ok)
			on_list_refused(s, ev);
		break;
	case POP3_RETR:
		if (!ev->ok)
			on_retr_refused(s, ev);
		break;
	case POP3_DELE:
		on_dele(s, ev->ok);
		break;
	case POP3_TOP:
		if (!ev->ok)
			on_header(s, ev->number, false);
		break;
	case POP3_QUIT:
		session_down(&s->session, NULL);
		break;
	case POP3_NOOP:
	case POP3_RSET:
	case POP3_COMMANDS:
		break;
	}
}

static void
on_end(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (ev->cmd == POP3_CAPA)
		on_capa(s);
	else if (ev->cmd == POP3_LIST && !s->pop3.caps.pipelining)
		pop3_simple(&s->pop3, POP3_UIDL);
	else if (ev->cmd == POP3_UIDL)
		on_listed(s, ev);
	else if (ev->cmd == POP3_RETR)
		on_retr_end(s, ev);
	else if (ev->cmd == POP3_TOP)
		on_header(s, ev->number, true);
}

static void
on_body(struct source_pop3 *s, const struct pop3_event *ev)
{
	const struct source *source = &s->session.source;

	if (ev->cmd == POP3_TOP) {
		source->events->header_piece(source->arg, ev->text);
		return;
	}
	s->received += ev->text.n;
	source->events->piece(source->arg, ev->text);
}

static void
on_event(struct source_pop3 *s, const struct pop3_event *ev)
{
	switch (ev->kind) {
	case POP3_EV_REPLY:
		on_reply(s, ev);
		break;
	case POP3_EV_CHALLENGE:
		session_challenge(&s->session, ev->text);
		break;
	case POP3_EV_ITEM:
		on_item(s, ev);
		break;
	case POP3_EV_BODY:
		on_body(s, ev);
		break;
	case POP3_EV_END:
		on_end(s, ev);
		break;
	case POP3_EV_ERROR:
		session_out_of_step(&s->session, "POP3", ev->text);
		break;
	}
}

/* --- machine */

static size_t
machine_recv(struct session *session, struct span in)
{
	struct source_pop3 *s = (struct source_pop3 *)session;

	return pop3_recv(&s->pop3, in);
}

static bool
machine_act(struct session *session)
{
	struct source_pop3 *s = (struct source_pop3 *)session;
	struct pop3_event ev;

	if (!pop3_next(&s->pop3, &ev))
		return false;
	on_event(s, &ev);
	return true;
}

static struct span
machine_out(const struct session *session)
{
	return pop3_out(&((const struct source_pop3 *)session)->pop3);
}

static void
machine_wrote(struct session *session, size_t n)
{
	pop3_wrote(&((struct source_pop3 *)session)->pop3, n);
}

static enum wait_class
machine_wait_class(const struct session *session)
{
	return pop3_wait_class(&((const struct source_pop3 *)session)->pop3);
}

static const char *
machine_phase(const struct session *session)
{
	return pop3_phase(&((const struct source_pop3 *)session)->pop3);
}

static bool
machine_auth_line(struct session *session, struct span base64)
{
	return pop3_auth_line(&((struct source_pop3 *)session)->pop3, base64);
}

static void
machine_free(struct session *session)
{
	struct source_pop3 *s = (struct source_pop3 *)session;

	pop3_free(&s->pop3);
	sizes_free(&s->sizes);
	free(s->todo);
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
	.plain_login = "USER",
	.kind = SERVER_POP3,
	.auth_line = machine_auth_line,
	.free = machine_free,
};

static struct source *
pop3_open(const struct session_owner *owner)
{
	struct source_pop3 *s = mem_alloc(sizeof(*s));

	pop3_init(&s->pop3);
	sizes_init(&s->sizes, owner->dir);
	session_open(&s->session, &source_pop3_driver, &machine, owner);
	return &s->session.source;
}

const struct source_driver source_pop3_driver = {
	.open = pop3_open,
	.select = pop3_select,
	.list = pop3_list,
	.sizes = NULL, /* every entry has one */
	.fetch = pop3_fetch,
	.headers = pop3_headers,
	.remove = pop3_remove,
	.quit = pop3_leave,
	.pause = session_pause,
	.close = session_close,
	.quit_commits = true,
	.protocol = "POP3S",
};
