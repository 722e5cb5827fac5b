/* SPDX-License-Identifier: ISC */
/*
 * The source that speaks POP3S: binds proto/pop3 to a connection.
 *
 *   greeting, CAPA, login, STAT    -> ready()
 *   LIST, UIDL                     -> entry()..., listed()
 *   RETR                           -> piece()..., fetched()
 *   DELE                           -> removed()
 *   QUIT                           -> down(NULL)
 *
 * With PIPELINING several RETR and DELE are outstanding, without it one.
 */
#include "relay/source.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "proto/pop3.h"
#include "relay/login.h"
#include "relay/server.h"
#include "store/store.h"

#define WINDOW 32 /* RETR or DELE outstanding with PIPELINING */

struct source_pop3 {
	struct source source;
	struct net *net;                    /* foreign */
	const struct conf *conf;            /* foreign */
	const struct conf_account *account; /* foreign */
	struct conn *conn;
	struct pop3 pop3;
	struct login login;
	bool in_callback, closed;
	uint64_t exists;
	uint32_t *sizes; /* of message i + 1, 0: not known; owned */
	size_t nsizes, sizes_cap;
	uint64_t unusable; /* entries whose UIDL is no key of ours */
	uint64_t received; /* bytes of the current message */
	/* RETR or DELE to come and outstanding */
	enum pop3_command doing;
	uint32_t *todo; /* owned */
	size_t ntodo, todo_cap, next;
	size_t answered, accepted;
};

static void
free_source(struct source_pop3 *s)
{
	pop3_free(&s->pop3);
	free(s->sizes);
	free(s->todo);
	free(s);
}

/* The owner may close us in the middle of an event; what lies between enter()
 * and leave() still finds the structure. */
static void
enter(struct source_pop3 *s)
{
	s->in_callback = true;
}

static void
leave(struct source_pop3 *s)
{
	s->in_callback = false;
	if (s->closed)
		free_source(s);
}

static void
await(struct source_pop3 *s)
{
	conn_expect(s->conn,
	    server_patience(pop3_wait_class(&s->pop3), s->conf),
	    pop3_phase(&s->pop3));
}

static void
down(struct source_pop3 *s, const struct fault *f)
{
	login_clear(&s->login);
	conn_close(&s->conn);
	s->source.events->down(s->source.arg, f);
}

static void
fail(struct source_pop3 *s, enum fault_when when, const char *text,
    struct span words, const char *hint)
{
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, when, pop3_phase(&s->pop3), "%s", text);
	if (words.n > 0)
		fault_quote(&f, words);
	f.hint = hint;
	down(s, &f);
}

/* --- login */

/* Only [AUTH] says for certain that the credentials are wrong (RFC 3206); a
 * refusal without a code may be one, so it is treated as carefully. */
static void
login_refused(struct source_pop3 *s, const struct pop3_event *ev)
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
	case POP3_CODE_IN_USE:
	case POP3_CODE_LOGIN_DELAY:
	case POP3_CODE_SYS_TEMP:
	case POP3_CODE_SYS_PERM:
		f.login = false;
		f.hint = ev->code == POP3_CODE_IN_USE
		             ? "another session has the mailbox open"
		             : NULL;
		break;
	case POP3_CODE_NONE:
	case POP3_CODE_OTHER:
		break;
	}
	down(s, &f);
}

/* SASL when there is a mechanism of ours, else USER and PASS, which say the
 * same inside TLS; an auth that is configured allows only itself. */
static void
log_in(struct source_pop3 *s)
{
	const struct pop3_caps *caps = &s->pop3.caps;
	struct span initial;
	struct fault f;
	const char *mechanism =
	    login_mechanism(&s->login, caps->sasl, &initial, &f);

	if (mechanism != NULL)
		pop3_auth(&s->pop3, mechanism, initial);
	else if (!login_allows_plain(&s->login) ||
		 (caps->known && !caps->user && caps->sasl[0] != '\0'))
		down(s, &f);
	else if (!pop3_user(&s->pop3, login_user(&s->login)))
		fail(s, FAULT_NEVER, "user cannot be written in POP3",
		    span_make("", 0), "check user");
}

static void
on_secret(void *arg, const struct fault *f)
{
	struct source_pop3 *s = arg;

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
start_login(struct source_pop3 *s)
{
	login_start(&s->login, s->net->loop, s->conn, &s->account->server,
	    FAULT_ACCOUNT, on_secret, s);
}

static void
on_challenge(struct source_pop3 *s, struct span challenge)
{
	struct span response;
	struct fault f;

	if (!login_step(&s->login, challenge, &response, &f))
		down(s, &f);
	else
		pop3_auth_line(&s->pop3, response);
}

static void
on_login_reply(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (!ev->ok) {
		login_refused(s, ev);
	} else if (ev->cmd == POP3_USER) {
		if (!pop3_pass(&s->pop3, login_secret(&s->login)))
			fail(s, FAULT_NEVER,
			    "password cannot be written in POP3",
			    span_make("", 0), "check password");
	} else {
		login_clear(&s->login);
		pop3_simple(&s->pop3, POP3_STAT);
	}
}

/* --- list */

static void
pop3_list(struct source *source, uint64_t from)
{
	struct source_pop3 *s = (struct source_pop3 *)source;

	(void)from; /* message numbers mean nothing across sessions */
	pop3_simple(&s->pop3, POP3_LIST);
	if (s->pop3.caps.pipelining)
		pop3_simple(&s->pop3, POP3_UIDL);
	await(s);
	conn_send(s->conn);
}

/* Sizes are kept by position as they come; what a server lists out of order
 * has no size, so its numbers never choose how much memory we take. */
static void
on_size(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (ev->number != s->nsizes + 1)
		return;
	if (s->nsizes == s->sizes_cap) {
		s->sizes_cap = s->sizes_cap > 0 ? s->sizes_cap * 2 : 256;
		s->sizes = mem_grow(s->sizes, s->sizes_cap, sizeof(*s->sizes));
	}
	s->sizes[s->nsizes++] =
	    ev->size < UINT32_MAX ? (uint32_t)ev->size : UINT32_MAX;
}

static uint32_t
size_of(const struct source_pop3 *s, uint32_t number)
{
	return number > 0 && number <= s->nsizes ? s->sizes[number - 1] : 0;
}

static void
on_uid(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (ev->text.n == 0 || ev->text.n > STORE_UID_MAX ||
	    memchr(ev->text.p, '\0', ev->text.n) != NULL) {
		s->unusable++;
		return;
	}
	s->source.events->entry(
	    s->source.arg, ev->text, ev->number, size_of(s, ev->number));
}

static void
on_item(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (ev->number > s->exists)
		fail(s, FAULT_LATER, "a listing names more messages than STAT",
		    span_make("", 0), NULL);
	else if (ev->cmd == POP3_LIST)
		on_size(s, ev);
	else if (ev->cmd == POP3_UIDL)
		on_uid(s, ev);
}

static void
on_list_refused(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (ev->cmd == POP3_UIDL)
		fail(s, FAULT_NEVER,
		    "the server has no UIDL, so what was relayed could not be "
		    "told from what is new",
		    ev->text, "use protocol = \"imap\" if the server has it");
	else
		fail(s, FAULT_LATER, "refused", ev->text, NULL);
}

static void
on_listed(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (s->unusable > 0)
		log_line(LOG_WARNING,
		    "%s: %llu messages have a UIDL that is empty, too long or "
		    "holds NUL; they are not relayed",
		    s->account->name, (unsigned long long)s->unusable);
	s->source.events->listed(
	    s->source.arg, ev->count == s->exists && s->unusable == 0);
}

/* --- fetch and remove */

static void
push(struct source_pop3 *s)
{
	unsigned window = s->pop3.caps.pipelining ? WINDOW : 1;

	while (s->next < s->ntodo && pop3_outstanding(&s->pop3) < window &&
	       pop3_numbered(&s->pop3, s->doing, s->todo[s->next]))
		s->next++;
	if (s->answered == s->ntodo)
		s->ntodo = s->next = s->answered = 0;
	await(s);
	conn_send(s->conn);
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

/* The terminator decides where a message ends, not its listed size; but one
 * that lacks a tenth was cut off, perhaps by a server that forgot to stuff a
 * dot, and must not be taken for whole (CASES P18). */
static bool
looks_whole(const struct source_pop3 *s, uint32_t number, struct fault *fault_r)
{
	uint64_t listed = size_of(s, number);

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
	s->source.events->fetched(s->source.arg, ev->number, whole ? NULL : &f);
	if (s->conn != NULL)
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
	s->source.events->fetched(s->source.arg, ev->number, &f);
	if (s->conn != NULL)
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
		s->source.events->removed(s->source.arg, s->accepted);
}

static void
pop3_leave(struct source *source)
{
	struct source_pop3 *s = (struct source_pop3 *)source;

	pop3_simple(&s->pop3, POP3_QUIT);
	await(s);
	conn_send(s->conn);
}

/* --- events */

static void
on_greeting(struct source_pop3 *s, const struct pop3_event *ev)
{
	if (ev->ok)
		pop3_simple(&s->pop3, POP3_CAPA);
	else
		fail(s, FAULT_LATER, "refused", ev->text, NULL);
}

static void
on_stat(struct source_pop3 *s, const struct pop3_event *ev)
{
	struct source_mailbox m = { .exists = ev->count };

	if (!ev->ok) {
		fail(s, FAULT_LATER, "refused", ev->text, NULL);
		return;
	}
	s->exists = ev->count;
	s->source.events->ready(s->source.arg, &m);
}

static void
on_reply(struct source_pop3 *s, const struct pop3_event *ev)
{
	switch (ev->cmd) {
	case POP3_GREETING:
		on_greeting(s, ev);
		break;
	case POP3_CAPA:
		if (!ev->ok) /* an old server: go on without (CASES P5) */
			start_login(s);
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
	case POP3_QUIT:
		down(s, NULL);
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
		start_login(s);
	else if (ev->cmd == POP3_LIST && !s->pop3.caps.pipelining)
		pop3_simple(&s->pop3, POP3_UIDL);
	else if (ev->cmd == POP3_UIDL)
		on_listed(s, ev);
	else if (ev->cmd == POP3_RETR)
		on_retr_end(s, ev);
}

static void
on_event(struct source_pop3 *s, const struct pop3_event *ev)
{
	switch (ev->kind) {
	case POP3_EV_REPLY:
		on_reply(s, ev);
		break;
	case POP3_EV_CHALLENGE:
		on_challenge(s, ev->text);
		break;
	case POP3_EV_ITEM:
		on_item(s, ev);
		break;
	case POP3_EV_BODY:
		s->received += ev->text.n;
		s->source.events->piece(s->source.arg, ev->text);
		break;
	case POP3_EV_END:
		on_end(s, ev);
		break;
	case POP3_EV_ERROR:
		fail(s, FAULT_LATER,
		    "the server does not speak POP3 as it should", ev->text,
		    NULL);
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
	struct source_pop3 *s = arg;
	struct pop3_event ev;

	enter(s);
	while (in.n > 0 && s->conn != NULL) {
		in = span_skip(in, pop3_recv(&s->pop3, in));
		while (s->conn != NULL && pop3_next(&s->pop3, &ev))
			on_event(s, &ev);
	}
	if (s->conn != NULL)
		await(s);
	leave(s);
}

static struct span
on_out(void *arg)
{
	struct source_pop3 *s = arg;

	return pop3_out(&s->pop3);
}

static void
on_wrote(void *arg, size_t n)
{
	struct source_pop3 *s = arg;

	pop3_wrote(&s->pop3, n);
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
pop3_open(struct net *n, const struct conf *conf, const struct conf_account *a,
    bool read_only, const struct source_events *events, void *arg)
{
	struct source_pop3 *s = mem_alloc(sizeof(*s));
	struct conn_target target =
	    server_target(conf, &a->server, FAULT_ACCOUNT);

	(void)read_only; /* POP3 changes nothing without DELE and QUIT */
	s->source.driver = &source_pop3_driver;
	s->source.events = events;
	s->source.arg = arg;
	s->net = n;
	s->conf = conf;
	s->account = a;
	pop3_init(&s->pop3);
	s->conn = conn_open(n, &target, &handler, s);
	return &s->source;
}

static void
pop3_close(struct source *source)
{
	struct source_pop3 *s = (struct source_pop3 *)source;

	login_clear(&s->login);
	conn_close(&s->conn);
	s->closed = true;
	if (!s->in_callback)
		free_source(s);
}

const struct source_driver source_pop3_driver = {
	.open = pop3_open,
	.list = pop3_list,
	.sizes = NULL, /* every entry has one */
	.fetch = pop3_fetch,
	.remove = pop3_remove,
	.quit = pop3_leave,
	.close = pop3_close,
	.quit_commits = true,
	.protocol = "POP3S",
};
