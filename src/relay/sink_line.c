/* SPDX-License-Identifier: ISC */
/*
 * One connection of the sink that submits by SMTP: binds proto/starttls and
 * proto/smtp to it.  It carries one message after another.
 *
 * What happens to a job when its line breaks:
 *   the dot was written            FAULT_UNKNOWN: in doubt; and trouble, as
 *                                  below, if the line never worked
 *   not, and the line was good     another turn on a new line, silently: the
 *                                  server may just count messages a session
 *   not, for what is routine       the same: an access token ran out
 *   not, and it never worked       the destination is in trouble: everybody
 *                                  who waits is told, nothing is recorded
 */
#include "relay/sink_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "relay/parcel.h"
#include "relay/server.h"
#include "relay/sink_judge.h"

#define AUTH_MAX 512  /* bytes of a command line */
#define WORDS_MAX 560 /* code and text of a reply */

static void line_fail(struct sink_line *l, const struct fault *f);

static void
await(struct sink_line *l)
{
	const struct conf *conf = l->sink->conf;

	if (l->state == LINE_PLAIN)
		conn_expect(l->conn,
		    server_patience(starttls_wait_class(&l->starttls), conf),
		    starttls_phase(&l->starttls));
	/* While the state database is slow, the server owes us nothing. */
	else if (l->job != NULL && l->body_done && !l->job->permitted)
		conn_expect(l->conn, 0, "state database");
	else
		conn_expect(l->conn,
		    server_patience(smtp_wait_class(&l->smtp), conf),
		    smtp_phase(&l->smtp));
}

static void
count_reply(struct sink_line *l, const struct smtp_event *ev)
{
	struct tally_destination *t = &l->sink->tally;

	if (ev->kind == SMTP_EV_CHALLENGE || ev->kind == SMTP_EV_BYE ||
	    ev->kind == SMTP_EV_ERROR)
		return; /* they decide nothing */
	tally_reply(t, ev->stage, ev->reply->code);
	if (ev->kind == SMTP_EV_VERDICT && l->dot_sent)
		histogram_add(&t->dot, tally_bounds_us,
		    loop_now_us(l->sink->net->loop) - l->dot_at);
}

static bool
sends_letter(const struct sink_line *l)
{
	return l->job != NULL && l->job->envelope != NULL;
}

static void
judge(const struct sink_line *l, struct fault *f, enum smtp_stage stage,
    const struct smtp_reply *r)
{
	const struct sink_record record = {
		.letter = sends_letter(l),
		.worked = l->accepted > 0,
		.strangers = l->sink->stranger,
	};

	sink_judge(f, stage, r, &record);
}

/* --- one message */

static void
end_job(struct sink_line *l, const struct fault *f, const char *words)
{
	struct sink_job *job = l->job;

	l->job = NULL;
	l->going = l->body_done = l->dot_sent = false;
	l->piece = span_make("", 0);
	job->line = NULL;
	job->verdict(job->arg, f, words);
}

void
sink_line_send(struct sink_line *l, struct sink_job *job)
{
	const struct conf_destination *d = l->sink->dest;
	const struct sink_envelope usual = { d->mail_from, d->recipient };
	const struct sink_envelope *own =
	    job->envelope != NULL ? job->envelope : &usual;
	struct smtp_envelope e = {
		.sender = span_str(own->sender),
		.recipient = span_str(own->recipient),
		.eight_bit = parcel_eight_bit(job->parcel),
		.envid = span_str(job->trace),
		/* A report about a report could go round for ever. */
		.no_report =
		    job->envelope != NULL || parcel_null_sender(job->parcel),
	};
	struct fault f;

	l->job = job;
	job->line = l;
	job->permitted = false;
	l->piece = span_make("", 0);
	l->offset = 0;
	l->since = time(NULL);
	e.size = parcel_size(job->parcel);
	if (!sink_judge_caps(&f, &l->smtp.caps, e.size, e.eight_bit)) {
		end_job(l, &f, "");
		return;
	}
	l->state = LINE_SENDING;
	if (!smtp_mail(&l->smtp, &e)) {
		fault_set(&f, FAULT_DESTINATION, FAULT_NEVER, "MAIL",
		    "mail_from or recipient cannot be written in SMTP");
		line_fail(l, &f);
		return;
	}
	await(l);
	conn_send(l->conn);
	job->begin(job->arg);
}

/* False: the line is gone. */
static bool
next_piece(struct sink_line *l)
{
	struct fault f;

	if (!parcel_read(l->job->parcel, l->offset, &l->piece, &f)) {
		line_fail(l, &f);
		return false;
	}
	l->offset += l->piece.n;
	l->body_done = l->piece.n == 0;
	return true;
}

/* Keeps the machine's output full while the body lasts, and writes the dot
 * when the body is through and the job may (rule R1). */
static void
feed(struct sink_line *l)
{
	while (l->going && !l->body_done) {
		if (l->piece.n == 0 && !next_piece(l))
			return;
		smtp_body(&l->smtp, &l->piece);
		if (l->piece.n > 0)
			return; /* full: more when some was written */
	}
	if (l->going && !l->dot_sent && l->job->permitted &&
	    smtp_dot(&l->smtp)) {
		l->dot_sent = true;
		l->dot_at = loop_now_us(l->sink->net->loop);
		await(l);
	}
}

/* The server took a message, or refused it for what it is: it works. */
static void
note_work(struct sink_line *l, enum smtp_stage stage, const struct fault *f)
{
	struct sink *s = l->sink;

	if (sends_letter(l))
		return;
	l->accepted += f == NULL;
	if (f == NULL)
		s->last_success = time(NULL);
	if (f == NULL)
		s->stranger = 0;
	else if (stage == SMTP_RCPT && f->when == FAULT_NEVER)
		s->stranger++;
	trouble_end(&s->trouble);
}

static void
on_verdict(struct sink_line *l, const struct smtp_event *ev)
{
	struct sink *s = l->sink;
	char words[WORDS_MAX];
	struct fault f;

	snprintf(
	    words, sizeof(words), "%u %s", ev->reply->code, ev->reply->text);
	timer_set(&s->turn, 0);
	if (ev->stage == SMTP_DOT && ev->reply->code / 100 == 2) {
		note_work(l, ev->stage, NULL);
		l->state = LINE_READY;
		end_job(l, NULL, words);
		return;
	}
	judge(l, &f, ev->stage, ev->reply);
	if (f.scope == FAULT_DESTINATION) {
		l->dot_sent = false; /* a complete reply: it was not accepted */
		line_fail(l, &f);
		return;
	}
	note_work(l, ev->stage, &f);
	l->state = LINE_READY;
	end_job(l, &f, words);
	/* Refused in the middle of the body: the rest of it cannot be taken
	 * back, so this line is of no more use (CASES S9). */
	if (!smtp_idle(&l->smtp))
		sink_line_close(l);
}

/* --- the connection */

static void
on_up(void *arg)
{
	struct sink_line *l = arg;
	char ehlo[256];

	server_ehlo(l->sink->dest, l->conn, ehlo, sizeof(ehlo));
	if (!conn_is_tls(l->conn)) {
		starttls_init(&l->starttls, ehlo);
	} else {
		l->have_smtp = true;
		smtp_init(&l->smtp, ehlo, l->state == LINE_PLAIN);
		l->state = LINE_HELLO;
	}
	await(l);
}

static void
on_secret(void *arg, const struct fault *fault)
{
	struct sink_line *l = arg;
	const char *mechanism;
	struct span initial;
	struct fault f;

	if (fault != NULL) {
		line_fail(l, fault);
		return;
	}
	mechanism = login_mechanism(&l->login, l->smtp.caps.sasl, &initial, &f);
	if (mechanism == NULL) {
		line_fail(l, &f);
		return;
	}
	/* RFC 4954: a longer line may not hold an initial response. */
	if (strlen("AUTH  \r\n") + strlen(mechanism) + initial.n > AUTH_MAX) {
		login_hold(&l->login);
		initial = span_make("", 0);
	}
	smtp_auth(&l->smtp, mechanism, initial);
	await(l);
	conn_send(l->conn);
}

static void
start_login(struct sink_line *l)
{
	const struct login_terms terms = {
		.loop = l->sink->net->loop,
		.tokens = l->sink->tokens,
		.server = &l->sink->dest->server,
		.scope = FAULT_DESTINATION,
		.ready = on_secret,
		.arg = l,
	};

	login_start(&l->login, &terms, l->conn);
}

static void
on_auth(struct sink_line *l, const struct smtp_reply *reply)
{
	struct fault f;

	if (reply->code / 100 != 2) {
		judge(l, &f, SMTP_AUTH, reply);
		login_refused(
		    &l->login, span_make(reply->text, reply->text_len), &f);
		line_fail(l, &f);
		return;
	}
	if (!login_proved(&l->login, &f)) {
		line_fail(l, &f);
		return;
	}
	login_done(&l->login);
	l->state = LINE_READY;
	timer_set(&l->sink->turn, 0);
}

static void
on_challenge(struct sink_line *l, struct span challenge)
{
	struct span response;
	struct fault f;

	if (!login_step(&l->login, challenge, &response, &f))
		line_fail(l, &f);
	else
		smtp_auth_line(&l->smtp, response);
}

static void
on_event(struct sink_line *l, const struct smtp_event *ev)
{
	struct fault f;

	count_reply(l, ev);
	switch (ev->kind) {
	case SMTP_EV_READY:
		l->state = LINE_LOGIN;
		start_login(l);
		break;
	case SMTP_EV_CHALLENGE:
		on_challenge(l, ev->text);
		break;
	case SMTP_EV_AUTH:
		on_auth(l, ev->reply);
		break;
	case SMTP_EV_GO:
		l->going = true;
		break;
	case SMTP_EV_VERDICT:
		on_verdict(l, ev);
		break;
	case SMTP_EV_REFUSED:
	case SMTP_EV_CLOSING:
		judge(l, &f, ev->stage, ev->reply);
		line_fail(l, &f);
		break;
	case SMTP_EV_BYE:
		sink_line_close(l);
		break;
	case SMTP_EV_ERROR:
		fault_set(&f, FAULT_DESTINATION, FAULT_LATER,
		    smtp_stage_name(ev->stage),
		    "the server does not speak SMTP as it "
		    "should");
		fault_quote(&f, ev->text);
		line_fail(l, &f);
		break;
	}
}

static void
on_plain_data(struct sink_line *l, struct span in)
{
	struct starttls *s = &l->starttls;
	struct fault f;

	switch (starttls_recv(s, in)) {
	case STARTTLS_WAIT:
		await(l);
		break;
	case STARTTLS_READY:
		conn_starttls(l->conn);
		break;
	case STARTTLS_FAILED:
		fault_set(&f, FAULT_DESTINATION,
		    s->refused_for_now ? FAULT_LATER : FAULT_NEVER,
		    starttls_phase(s), "%s", s->error);
		f.code = s->code;
		tally_reply(&l->sink->tally, SMTP_EHLO, s->code);
		if (s->reply.text_len > 0)
			fault_quote(
			    &f, span_make(s->reply.text, s->reply.text_len));
		f.hint = s->injected ? "somebody between here and the server "
		                       "tampers with the "
		                       "connection; nothing was sent"
		                     : "use tls = \"implicit\" with port 465 "
		                       "if the server has it";
		line_fail(l, &f);
		break;
	}
}

/* A line that failed is taken out of the sink at once and freed here, behind
 * the last use of its machine. */
static void
on_data(void *arg, struct span in)
{
	struct sink_line *l = arg;
	struct sink *s = l->sink;
	struct smtp_event ev;

	if (l->state == LINE_PLAIN) {
		on_plain_data(l, in);
		return;
	}
	while (in.n > 0 && s->line == l) {
		in = span_skip(in, smtp_recv(&l->smtp, in));
		while (s->line == l && smtp_next(&l->smtp, &ev)) {
			on_event(l, &ev);
			if (s->line == l)
				await(l);
		}
	}
}

static struct span
on_out(void *arg)
{
	struct sink_line *l = arg;
	struct sink *s = l->sink;

	if (l->state == LINE_PLAIN)
		return starttls_out(&l->starttls);
	if (!l->have_smtp)
		return span_make("", 0);
	if (l->job != NULL)
		feed(l);
	return s->line == l ? smtp_out(&l->smtp) : span_make("", 0);
}

static void
on_wrote(void *arg, size_t n)
{
	struct sink_line *l = arg;

	if (l->state == LINE_PLAIN)
		starttls_wrote(&l->starttls, n);
	else
		smtp_wrote(&l->smtp, n);
}

static void
on_down(void *arg, const struct fault *f)
{
	line_fail(arg, f);
}

static const struct conn_handler line_handler = {
	.up = on_up,
	.data = on_data,
	.out = on_out,
	.wrote = on_wrote,
	.down = on_down,
};

static void
on_idle(void *arg)
{
	struct sink_line *l = arg;

	if (l->state != LINE_READY)
		return;
	l->state = LINE_LEAVING;
	smtp_quit(&l->smtp);
	await(l);
	conn_send(l->conn);
}

struct sink_line *
sink_line_open(struct sink *s)
{
	const struct conf_destination *d = s->dest;
	struct sink_line *l = mem_alloc(sizeof(*l));
	struct conn_target target =
	    server_target(s->conf, &d->server, FAULT_DESTINATION);

	target.plain = d->tls == CONF_TLS_STARTTLS;
	l->sink = s;
	l->state = target.plain ? LINE_PLAIN : LINE_HELLO;
	timer_init(&l->idle, s->net->loop, on_idle, l);
	l->conn = conn_open(s->net, &target, &line_handler, l);
	return l;
}

void
sink_line_close(struct sink_line *l)
{
	l->sink->line = NULL;
	conn_close(&l->conn);
	timer_free(&l->idle);
	login_clear(&l->login);
	starttls_free(&l->starttls);
	if (l->have_smtp)
		smtp_free(&l->smtp);
	free(l);
}

/* The table in the head comment. */
static void
line_fail(struct sink_line *l, const struct fault *fault)
{
	struct sink *s = l->sink;
	struct sink_job *job = l->job;
	struct fault f = *fault;
	bool routine = f.scope == FAULT_DESTINATION &&
	               retry_routine(&s->routine, &f, time(NULL));
	bool worked = routine || (l->accepted > 0 && f.when != FAULT_NEVER);
	bool idle = l->state == LINE_READY || l->state == LINE_LEAVING;

	if (fault->when == FAULT_NOW && !fault->login)
		login_expired(&l->login);
	/* A server that just leaves an idle line is no trouble. */
	if (!worked && f.scope == FAULT_DESTINATION &&
	    !(idle && f.when == FAULT_LATER && f.code == 0))
		trouble_begin(&s->trouble, &f);
	if (job != NULL && l->dot_sent) {
		if (s->trouble.pause.failures >
		    0) /* the probe told nothing good */
			trouble_begin(&s->trouble, &f);
		f.scope = FAULT_MESSAGE;
		f.when = FAULT_UNKNOWN;
		end_job(l, &f, "");
	} else if (job != NULL && worked && f.scope == FAULT_DESTINATION) {
		job->line = NULL;
		lanes_add_first(&s->queue, job);
	} else if (job != NULL) {
		end_job(l, &f, "");
	}
	sink_line_close(l);
	timer_set(&s->turn, 0);
}

bool
sink_line_free(const struct sink_line *l)
{
	return l->state == LINE_READY && smtp_idle(&l->smtp);
}
