/* SPDX-License-Identifier: ISC */
#include "relay/session.h"

#include "conf/conf.h"
#include "relay/phrase.h"
#include "relay/retry.h"
#include "relay/server.h"

/* What lies between the two still finds the structure. */
static void
enter(struct session *s)
{
	s->in_callback = true;
}

static void
leave(struct session *s)
{
	s->in_callback = false;
	if (s->closed)
		s->machine->free(s);
}

static void
await(struct session *s)
{
	if (s->conn != NULL)
		conn_expect(s->conn,
		    server_patience(s->machine->wait_class(s), s->conf),
		    s->machine->phase(s));
}

void
session_send(struct session *s)
{
	await(s);
	if (s->conn != NULL)
		conn_send(s->conn);
}

void
session_down(struct session *s, const struct fault *f)
{
	if (f != NULL && f->when == FAULT_NOW && !f->login)
		login_expired(&s->login);
	login_clear(&s->login);
	conn_close(&s->conn);
	s->source.events->down(s->source.arg, f);
}

void
session_fail(struct session *s, enum fault_when when, const char *text,
    struct span words, const char *hint)
{
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, when, s->machine->phase(s), "%s", text);
	f.hint = hint;
	if (words.n > 0) {
		fault_quote(&f, words);
		retry_hear(&f, words);
	}
	session_down(s, &f);
}

void
session_passed(struct session *s, enum step step, struct span text)
{
	s->greeted = true;
	steps_passed(s->steps, step, text);
}

void
session_out_of_step(struct session *s, const char *protocol, struct span why)
{
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, s->machine->phase(s),
	    "the server does not speak %s as it should: %.*s", protocol,
	    (int)why.n, why.p);
	if (!s->greeted)
		f.hint = server_protocol_hint(s->machine->kind);
	session_down(s, &f);
}

bool
session_ended_by(struct session *s, struct span words)
{
	if (!phrase_ends_session(words))
		return false;
	session_fail(
	    s, FAULT_LATER, "the server ends the session", words, NULL);
	return true;
}

/* --- login */

static void
on_secret(void *arg, const struct fault *f)
{
	struct session *s = arg;

	enter(s);
	if (f != NULL)
		session_down(s, f);
	else
		s->machine->log_in(s);
	session_send(s);
	leave(s);
}

void
session_start_login(struct session *s)
{
	const struct login_terms terms = {
		.loop = s->net->loop,
		.tokens = s->tokens,
		.server = &s->account->server,
		.scope = FAULT_ACCOUNT,
		.ready = on_secret,
		.arg = s,
	};

	if (s->steps != NULL && s->steps->no_login != NULL)
		session_down(s, s->steps->no_login);
	else
		login_start(&s->login, &terms, s->conn);
}

void
session_challenge(struct session *s, struct span challenge)
{
	struct span response;
	struct fault f;

	if (!login_step(&s->login, challenge, &response, &f))
		session_down(s, &f);
	else
		s->machine->auth_line(s, response);
}

void
session_logged_in(struct session *s, unsigned delay)
{
	session_passed(s, STEP_LOGIN,
	    span_str(s->login.mechanism != NULL ? s->login.mechanism
						: s->machine->plain_login));
	login_done(&s->login);
	s->source.events->logged_in(s->source.arg, delay);
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
	struct session *s = arg;

	enter(s);
	while (in.n > 0 && s->conn != NULL) {
		in = span_skip(in, s->machine->recv(s, in));
		while (s->conn != NULL && s->machine->act(s))
			;
	}
	await(s);
	leave(s);
}

static struct span
on_out(void *arg)
{
	const struct session *s = arg;

	return s->machine->out(s);
}

static void
on_wrote(void *arg, size_t n)
{
	struct session *s = arg;

	s->machine->wrote(s, n);
}

static void
on_passed(void *arg, enum conn_step step, const char *text,
    const struct tls_facts *tls)
{
	const struct session *s = arg;

	steps_connected(s->steps, step, text, tls);
}

static void
on_down(void *arg, const struct fault *fault)
{
	struct session *s = arg;
	struct fault f = *fault;

	server_advise(&f, &s->account->server, s->machine->kind);
	session_down(s, &f);
}

static const struct conn_handler handler = {
	.passed = on_passed,
	.up = on_up,
	.data = on_data,
	.out = on_out,
	.wrote = on_wrote,
	.down = on_down,
};

void
session_open(struct session *s, const struct source_driver *driver,
    const struct session_machine *machine, const struct session_owner *owner)
{
	struct conn_target target =
	    server_target(owner->conf, &owner->account->server, FAULT_ACCOUNT);

	target.peer.afresh = owner->steps != NULL;
	s->source.driver = driver;
	s->source.events = owner->events;
	s->source.arg = owner->arg;
	s->machine = machine;
	s->net = owner->net;
	s->tokens = owner->tokens;
	s->conf = owner->conf;
	s->account = owner->account;
	s->steps = owner->steps;
	s->conn = conn_open(s->net, &target, &handler, s);
}

void
session_close(struct source *source)
{
	struct session *s = (struct session *)source;

	login_clear(&s->login);
	conn_close(&s->conn);
	s->closed = true;
	if (!s->in_callback)
		s->machine->free(s);
}

void
session_pause(struct source *source, bool paused)
{
	struct session *s = (struct session *)source;

	if (s->conn == NULL)
		return;
	if (paused)
		conn_pause(s->conn);
	else
		conn_resume(s->conn);
}
