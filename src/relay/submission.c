/* SPDX-License-Identifier: ISC */
#include "relay/submission.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/server.h"
#include "relay/sink_judge.h"
#include "relay/tally.h"

#define AUTH_MAX 512 /* bytes of a command line */

/* --- the line */

static enum server_kind
kind_of(const struct submission *s)
{
	return s->dest->tls == CONF_TLS_STARTTLS ? SERVER_STARTTLS
	                                         : SERVER_SUBMISSION;
}

/* What lies between the two still finds the structure. */
static void
enter(struct submission *s)
{
	s->busy++;
}

static void
leave(struct submission *s)
{
	if (--s->busy > 0 || !s->closed)
		return;
	starttls_free(&s->starttls);
	if (s->have_smtp)
		smtp_free(&s->smtp);
	free(s);
}

/* No callback comes from here on. */
static void
end(struct submission *s)
{
	login_clear(&s->login);
	conn_close(&s->conn);
}

static void
fail(struct submission *s, const struct fault *f)
{
	s->events->down(s->arg, f);
	end(s);
}

void
submission_await(struct submission *s)
{
	if (s->conn == NULL)
		return;
	if (s->in_plain)
		conn_expect(s->conn,
		    server_patience(starttls_wait_class(&s->starttls), s->conf),
		    starttls_phase(&s->starttls));
	else if (s->events->is_ours != NULL && s->events->is_ours(s->arg))
		conn_expect(s->conn, 0, "state database");
	else
		conn_expect(s->conn,
		    server_patience(smtp_wait_class(&s->smtp), s->conf),
		    smtp_phase(&s->smtp));
}

void
submission_send(struct submission *s)
{
	submission_await(s);
	if (s->conn != NULL)
		conn_send(s->conn);
}

void
submission_send_now(struct submission *s)
{
	if (s->conn != NULL)
		conn_send_now(s->conn);
}

static void
on_up(void *arg)
{
	struct submission *s = arg;
	char ehlo[256];

	server_ehlo(s->dest, s->conn, ehlo, sizeof(ehlo));
	if (!conn_is_tls(s->conn)) {
		starttls_init(&s->starttls, ehlo);
	} else {
		s->have_smtp = true;
		smtp_init(&s->smtp, ehlo, s->in_plain);
		s->in_plain = false;
	}
	submission_await(s);
}

/* --- login */

static void
log_in(struct submission *s)
{
	const char *mechanism;
	struct span initial;
	struct fault f;

	mechanism = login_mechanism(&s->login, s->smtp.caps.sasl, &initial, &f);
	if (mechanism == NULL) {
		if (f.hint == NULL && s->smtp.caps.sasl[0] == '\0')
			f.hint = "check port: 587 and 465 are for who logs "
				 "in, 25 is for servers";
		fail(s, &f);
		return;
	}
	/* RFC 4954: a longer line may not hold an initial response. */
	if (strlen("AUTH  \r\n") + strlen(mechanism) + initial.n > AUTH_MAX) {
		login_hold(&s->login);
		initial = span_make("", 0);
	}
	smtp_auth(&s->smtp, mechanism, initial);
	submission_send(s);
}

static void
on_secret(void *arg, const struct fault *fault)
{
	struct submission *s = arg;

	enter(s);
	if (fault != NULL)
		fail(s, fault);
	else
		log_in(s);
	leave(s);
}

static void
start_login(struct submission *s)
{
	const struct login_terms terms = {
		.loop = s->net->loop,
		.tokens = s->tokens,
		.server = &s->dest->server,
		.scope = FAULT_DESTINATION,
		.ready = on_secret,
		.arg = s,
	};

	if (s->steps != NULL && s->steps->no_login != NULL)
		fail(s, s->steps->no_login);
	else
		login_start(&s->login, &terms, s->conn);
}

void
submission_log_in(struct submission *s)
{
	bool held = s->held;

	s->hold = s->held = false;
	enter(s);
	if (held && s->conn != NULL)
		start_login(s);
	leave(s);
}

static void
on_challenge(struct submission *s, struct span challenge)
{
	struct span response;
	struct fault f;

	if (!login_step(&s->login, challenge, &response, &f))
		fail(s, &f);
	else
		smtp_auth_line(&s->smtp, response);
}

/* --- replies */

static void
refused(struct submission *s, enum smtp_stage stage, const struct smtp_reply *r)
{
	const struct sink_record none = { .letter = false };
	struct fault f;

	sink_judge(&f, stage, r, &none);
	fail(s, &f);
}

static void
on_auth(struct submission *s, const struct smtp_reply *r)
{
	const struct sink_record none = { .letter = false };
	const char *mechanism = s->login.mechanism;
	struct fault f;

	if (r->code / 100 != 2) {
		sink_judge(&f, SMTP_AUTH, r, &none);
		login_refused(&s->login, span_make(r->text, r->text_len), &f);
		fail(s, &f);
		return;
	}
	if (!login_proved(&s->login, &f)) {
		fail(s, &f);
		return;
	}
	login_done(&s->login);
	steps_passed(s->steps, STEP_LOGIN, span_str(mechanism));
	s->events->ready(s->arg);
}

static void
count_reply(struct submission *s, const struct smtp_event *ev)
{
	if (s->tally == NULL || ev->kind == SMTP_EV_CHALLENGE ||
	    ev->kind == SMTP_EV_BYE || ev->kind == SMTP_EV_ERROR)
		return; /* they decide nothing */
	/* By DATA the envelope has its own event. */
	if (ev->stage == SMTP_CHUNK || ev->stage == SMTP_LAST)
		tally_reply(s->tally, SMTP_MAIL, 250);
	tally_reply(s->tally, ev->stage, ev->reply->code);
}

static void
on_event(struct submission *s, const struct smtp_event *ev)
{
	char text[STEPS_TEXT_MAX];
	struct fault f;

	count_reply(s, ev);
	switch (ev->kind) {
	case SMTP_EV_READY:
		steps_smtp(&s->smtp.caps, text);
		steps_passed(s->steps, STEP_CAPABILITIES, span_str(text));
		s->held = s->hold;
		if (!s->hold)
			start_login(s);
		break;
	case SMTP_EV_CHALLENGE:
		on_challenge(s, ev->text);
		break;
	case SMTP_EV_AUTH:
		on_auth(s, ev->reply);
		break;
	case SMTP_EV_GO:
	case SMTP_EV_VERDICT:
	case SMTP_EV_BYE:
		s->events->event(s->arg, ev);
		break;
	case SMTP_EV_REFUSED:
	case SMTP_EV_CLOSING:
		refused(s, ev->stage, ev->reply);
		break;
	case SMTP_EV_ERROR:
		fault_set(&f, FAULT_DESTINATION, FAULT_LATER,
		    smtp_stage_name(ev->stage),
		    "the server does not speak SMTP as it should: %.*s",
		    (int)ev->text.n, ev->text.p);
		if (ev->stage == SMTP_GREETING)
			f.hint = server_protocol_hint(kind_of(s));
		fail(s, &f);
		break;
	}
}

static const char *
starttls_hint(const struct submission *s)
{
	if (s->starttls.injected)
		return "somebody between here and the server tampers with the "
		       "connection; nothing was sent";
	if (!s->greeted)
		return server_protocol_hint(SERVER_STARTTLS);
	return "use tls = \"implicit\" with port 465 if the server has it";
}

static void
starttls_failed(struct submission *s)
{
	const struct starttls *m = &s->starttls;
	struct fault f;

	fault_set(&f, FAULT_DESTINATION,
	    m->refused_for_now ? FAULT_LATER : FAULT_NEVER, starttls_phase(m),
	    "%s", m->error);
	f.code = m->code;
	if (s->tally != NULL)
		tally_reply(s->tally, SMTP_EHLO, m->code);
	if (m->reply.text_len > 0)
		fault_quote(&f, span_make(m->reply.text, m->reply.text_len));
	f.hint = starttls_hint(s);
	fail(s, &f);
}

/* The machines answer a greeting by themselves. */
static void
note_greeting(struct submission *s, const char *phase, struct span text)
{
	if (s->greeted || strcmp(phase, "greeting") == 0)
		return;
	s->greeted = true;
	steps_passed(s->steps, STEP_GREETING, text);
}

static void
on_plain_data(struct submission *s, struct span in)
{
	enum starttls_status status = starttls_recv(&s->starttls, in);

	/* What it said is forgotten with it. */
	note_greeting(s, starttls_phase(&s->starttls), span_make("", 0));
	switch (status) {
	case STARTTLS_WAIT:
		submission_await(s);
		break;
	case STARTTLS_READY:
		steps_passed(s->steps, STEP_STARTTLS, span_make("", 0));
		conn_starttls(s->conn);
		break;
	case STARTTLS_FAILED:
		starttls_failed(s);
		break;
	}
}

static void
on_smtp_data(struct submission *s, struct span in)
{
	struct smtp_event ev;

	while (in.n > 0 && s->conn != NULL) {
		in = span_skip(in, smtp_recv(&s->smtp, in));
		if (smtp_wait_class(&s->smtp) == WAIT_COMMAND)
			note_greeting(s, smtp_phase(&s->smtp),
			    span_make(
				s->smtp.reply.text, s->smtp.reply.text_len));
		while (s->conn != NULL && smtp_next(&s->smtp, &ev))
			on_event(s, &ev);
	}
	submission_await(s);
}

static void
on_data(void *arg, struct span in)
{
	struct submission *s = arg;

	enter(s);
	if (s->in_plain)
		on_plain_data(s, in);
	else
		on_smtp_data(s, in);
	leave(s);
}

static struct span
on_out(void *arg)
{
	struct submission *s = arg;
	struct span out = span_make("", 0);

	if (s->in_plain)
		return starttls_out(&s->starttls);
	if (!s->have_smtp)
		return out;
	enter(s);
	if (s->events->feed != NULL)
		s->events->feed(s->arg);
	if (s->conn != NULL)
		out = smtp_out(&s->smtp);
	leave(s);
	return out;
}

static void
on_wrote(void *arg, size_t n)
{
	struct submission *s = arg;

	if (s->in_plain)
		starttls_wrote(&s->starttls, n);
	else
		smtp_wrote(&s->smtp, n);
}

static void
on_passed(void *arg, enum conn_step step, const char *text,
    const struct tls_facts *tls)
{
	const struct submission *s = arg;

	steps_connected(s->steps, step, text, tls);
}

static void
on_down(void *arg, const struct fault *fault)
{
	struct submission *s = arg;
	struct fault f = *fault;

	enter(s);
	server_advise(&f, &s->dest->server, kind_of(s));
	fail(s, &f);
	leave(s);
}

static const struct conn_handler handler = {
	.passed = on_passed,
	.up = on_up,
	.data = on_data,
	.out = on_out,
	.wrote = on_wrote,
	.down = on_down,
};

struct submission *
submission_open(const struct submission_owner *owner)
{
	const struct conf_destination *d = owner->dest;
	struct submission *s = mem_alloc(sizeof(*s));
	struct conn_target target =
	    server_target(owner->conf, &d->server, FAULT_DESTINATION);

	target.peer.afresh = owner->steps != NULL;
	target.plain = d->tls == CONF_TLS_STARTTLS;
	s->net = owner->net;
	s->tokens = owner->tokens;
	s->conf = owner->conf;
	s->dest = d;
	s->tally = owner->tally;
	s->steps = owner->steps;
	s->events = owner->events;
	s->arg = owner->arg;
	s->hold = owner->hold;
	s->in_plain = target.plain;
	s->conn = conn_open(s->net, &target, &handler, s);
	return s;
}

void
submission_close(struct submission **submission)
{
	struct submission *s = *submission;

	*submission = NULL;
	if (s == NULL)
		return;
	enter(s);
	end(s);
	s->closed = true;
	leave(s);
}
