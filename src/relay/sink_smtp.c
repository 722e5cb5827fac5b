/* SPDX-License-Identifier: ISC */
/*
 * The sink that submits by SMTP: binds proto/starttls and proto/smtp to a
 * connection.  One line (connection) a destination; it carries many messages
 * and is kept for IDLE_MS after the last.
 *
 * What happens to a job when its line breaks:
 *   the dot was written            FAULT_UNKNOWN: in doubt; and trouble, as
 *                                  below, if the line never worked
 *   not, and the line was good     another turn on a new line, silently: the
 *                                  server may just count messages a session
 *   not, and it never worked       the destination is in trouble: everybody
 *                                  who waits is told, nothing is recorded
 *
 * After trouble, relay/retry says how long it is left alone.  Then one message
 * may try it; one that is accepted, or refused for what it is, ends the
 * trouble.
 */
#include "relay/sink.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/loop.h"
#include "proto/smtp.h"
#include "proto/starttls.h"
#include "relay/lanes.h"
#include "relay/login.h"
#include "relay/retry.h"
#include "relay/server.h"
#include "relay/spool.h"
#include "relay/tally.h"
#include "relay/trouble.h"

#define IDLE_MS (15 * 1000)
#define WORDS_MAX 560  /* code and text of a reply */
#define STRANGER_MAX 2 /* refusals of the recipient that may be by chance */

enum line_state {
	LINE_PLAIN, /* greeting, EHLO, STARTTLS */
	LINE_HELLO, /* inside TLS: greeting, EHLO */
	LINE_LOGIN,
	LINE_READY,   /* no transaction */
	LINE_SENDING, /* job is set */
	LINE_LEAVING, /* QUIT is out */
};

struct sink_line {
	struct sink *sink; /* foreign */
	struct conn *conn;
	enum line_state state;
	struct starttls starttls;
	struct smtp smtp;
	bool have_smtp;
	struct login login;
	struct sink_job *job; /* foreign; in LINE_SENDING */
	struct span piece;    /* of the job, not yet with the machine */
	uint64_t offset;      /* of the spool: what piece ends at */
	int64_t since;        /* wall clock: when the job got its turn */
	bool going;           /* 354 came */
	bool body_done;       /* all of it is with the machine */
	bool dot_sent;        /* the end of data may be on the wire ... */
	int64_t dot_at;       /* ... since then; microseconds */
	unsigned accepted;    /* messages of this line */
	struct timer idle;
};

struct sink {
	struct net *net;                     /* foreign */
	const struct conf *conf;             /* foreign */
	const struct conf_destination *dest; /* foreign */
	struct lanes queue;
	struct sink_line *line; /* owned; NULL: none open */
	struct timer turn;
	struct trouble trouble;
	unsigned stranger;    /* refusals of the recipient in a row */
	int64_t last_success; /* wall clock */
	struct tally_destination tally;
};

static void line_fail(struct sink_line *l, const struct fault *f);
static void line_close(struct sink_line *l);

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

/* --- what replies mean */

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

static void
judge_login(struct fault *f, unsigned code)
{
	f->scope = FAULT_DESTINATION;
	if (code / 100 != 5 && code != 432)
		return;
	f->when = FAULT_NEVER;
	f->login = code == 535 || code == 534 || code == 432;
	f->hint = "check user and password of the destination; many providers "
		  "want an app password";
}

/* MAIL speaks of our sender, which is the same for every message: refused
 * before anything was accepted here, every message would be (CASES S4).  After
 * that, it can only be about this one. */
static void
judge_sender(struct fault *f, unsigned code, bool worked)
{
	if (worked || code == 552 || code == 452)
		return;
	f->scope = FAULT_DESTINATION;
	if (code / 100 == 5)
		f->hint = "check mail_from: it must be an address that this "
			  "login may send from";
}

/* The recipient is the same for every message, too; one refusal may be about
 * the message all the same (CASES S5). */
static void
judge_recipient(struct fault *f, unsigned code, unsigned stranger)
{
	if (code == 552)
		f->when = FAULT_LATER; /* RFC 5321 4.5.3.1.10 */
	else if (code / 100 == 5 && stranger >= STRANGER_MAX) {
		f->scope = FAULT_DESTINATION;
		f->hint = "check recipient";
	}
}

/* "452 4.5.3" counts recipients, "550 5.4.5" messages a day (CASES A4). */
static bool
is_daily_limit(const struct smtp_reply *r)
{
	return r->text_len >= 5 && (r->text[0] == '4' || r->text[0] == '5') &&
	       memcmp(r->text + 1, ".4.5", 4) == 0 &&
	       !ascii_is_digit(r->text[5]);
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
	enum fault_when when = r->code / 100 == 5 ? FAULT_NEVER : FAULT_LATER;

	fault_set(
	    f, FAULT_MESSAGE, when, smtp_stage_name(stage), "%u", r->code);
	f->code = r->code;
	fault_quote(f, span_make(r->text, r->text_len));
	if (r->code == 421 || stage == SMTP_GREETING || stage == SMTP_EHLO)
		f->scope = FAULT_DESTINATION;
	else if (stage == SMTP_AUTH || r->code == 530 || r->code == 535)
		judge_login(f, r->code);
	else if (stage == SMTP_MAIL && !sends_letter(l))
		judge_sender(f, r->code, l->accepted > 0);
	else if (stage == SMTP_RCPT && !sends_letter(l))
		judge_recipient(f, r->code, l->sink->stranger);
	if (is_daily_limit(r)) {
		f->scope = FAULT_DESTINATION;
		f->when = FAULT_LATER;
		f->busy = true;
	}
	retry_hear(f, span_make(r->text, r->text_len));
}

/* Known before a byte is sent: what this server cannot take. */
static bool
fits(struct sink_line *l, const struct sink_job *job, uint64_t size,
    struct fault *f)
{
	const struct smtp_caps *caps = &l->smtp.caps;

	if (spool_scan(job->spool)->eight_bit && !caps->eight_bit_mime) {
		fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "EHLO",
		    "the destination takes no 8-bit messages (no 8BITMIME)");
		f->hint =
		    "relay it to a destination that does, then release it";
		return false;
	}
	if (caps->size_max > 0 && size > caps->size_max) {
		fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "EHLO",
		    "%llu bytes are more than the destination takes (%llu)",
		    (unsigned long long)size,
		    (unsigned long long)caps->size_max);
		return false;
	}
	return true;
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

static void
start_job(struct sink_line *l, struct sink_job *job)
{
	const struct conf_destination *d = l->sink->dest;
	const struct sink_envelope usual = { d->mail_from, d->recipient };
	const struct sink_envelope *own =
	    job->envelope != NULL ? job->envelope : &usual;
	struct smtp_envelope e = {
		.sender = span_str(own->sender),
		.recipient = span_str(own->recipient),
		.eight_bit = spool_scan(job->spool)->eight_bit,
		.envid = span_str(job->trace),
		/* A report about a report could go round for ever. */
		.no_report = job->envelope != NULL ||
		             spool_scan(job->spool)->null_sender,
	};
	struct fault f;

	l->job = job;
	job->line = l;
	job->permitted = false;
	l->piece = job->head(job->arg);
	l->offset = 0;
	l->since = time(NULL);
	e.size = l->piece.n + spool_size(job->spool);
	if (!fits(l, job, e.size, &f)) {
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

	if (!spool_read(l->job->spool, l->offset, &l->piece, &f)) {
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
		line_close(l);
}

/* --- one line */

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
	smtp_auth(&l->smtp, mechanism, initial);
	await(l);
	conn_send(l->conn);
}

static void
on_auth(struct sink_line *l, const struct smtp_reply *reply)
{
	bool good = reply->code / 100 == 2, proved;
	struct fault f;

	if (!good)
		judge(l, &f, SMTP_AUTH, reply);
	proved = good && login_proved(&l->login, &f);
	login_clear(&l->login);
	if (!proved) {
		line_fail(l, &f);
		return;
	}
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
		login_start(&l->login, l->sink->net->loop, l->conn,
		    &l->sink->dest->server, FAULT_DESTINATION, on_secret, l);
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
		line_close(l);
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

static struct sink_line *
line_open(struct sink *s)
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

static void
line_close(struct sink_line *l)
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
	bool worked = l->accepted > 0 && f.when != FAULT_NEVER;
	bool idle = l->state == LINE_READY || l->state == LINE_LEAVING;

	/* A server that just leaves an idle line is no trouble. */
	if (!worked && f.scope == FAULT_DESTINATION &&
	    !(idle && f.when == FAULT_LATER && f.code == 0))
		trouble_begin(&s->trouble, &f);
	if (job != NULL && l->dot_sent) {
		if (s->trouble.pause.failures >
		    0) /* the probe told nothing good */
			trouble_begin(&s->trouble, fault);
		f.scope = FAULT_MESSAGE;
		f.when = FAULT_UNKNOWN;
		end_job(l, &f, "");
	} else if (job != NULL && worked && f.scope == FAULT_DESTINATION) {
		job->line = NULL;
		lanes_add_first(&s->queue, job);
	} else if (job != NULL) {
		end_job(l, &f, "");
	}
	line_close(l);
	timer_set(&s->turn, 0);
}

/* --- the sink */

void
sink_remember(struct sink *s, const struct store_pause *p, bool hurry,
    void (*changed)(void *arg, const struct store_pause *p), void *arg)
{
	trouble_remember(&s->trouble, p, hurry, changed, arg);
}

const struct fault *
sink_trouble(const struct sink *s)
{
	return trouble_now(&s->trouble);
}

bool
sink_closed(const struct sink *s)
{
	return trouble_closed(&s->trouble);
}

enum sink_answer
sink_ask(struct sink *s)
{
	return trouble_ask(&s->trouble);
}

void
sink_probe_over(struct sink *s)
{
	s->trouble.probing = false;
}

static void
refuse_all(struct sink *s)
{
	struct sink_job *job;

	while ((job = lanes_take(&s->queue)) != NULL)
		job->verdict(job->arg, &s->trouble.fault, "");
}

/* Gives the next job its turn; runs from the loop, never inside a callback of
 * a job or a line. */
static void
on_turn(void *arg)
{
	struct sink *s = arg;

	while (s->queue.count > 0) {
		if (sink_trouble(s) != NULL) {
			refuse_all(s);
			return;
		}
		if (s->line == NULL)
			s->line = line_open(s);
		if (s->line->state != LINE_READY || !smtp_idle(&s->line->smtp))
			return;
		timer_cancel(&s->line->idle);
		start_job(s->line, lanes_take(&s->queue));
	}
	if (s->line != NULL && s->line->state == LINE_READY)
		timer_set(&s->line->idle, IDLE_MS);
}

struct sink *
sink_open(
    struct net *n, const struct conf *conf, const struct conf_destination *d)
{
	struct sink *s = mem_alloc(sizeof(*s));

	s->net = n;
	s->conf = conf;
	s->dest = d;
	trouble_init(&s->trouble, n->loop, d);
	lanes_init(&s->queue);
	timer_init(&s->turn, n->loop, on_turn, s);
	return s;
}

void
sink_close(struct sink **sink)
{
	struct sink *s = *sink;

	*sink = NULL;
	if (s == NULL)
		return;
	if (s->line != NULL && s->line->state == LINE_READY) {
		smtp_quit(&s->line->smtp);
		conn_send_now(s->line->conn);
	}
	if (s->line != NULL)
		line_close(s->line);
	timer_free(&s->turn);
	free(s);
}

void
sink_submit(struct sink *s, struct sink_job *job)
{
	job->line = NULL;
	lanes_add(&s->queue, job);
	timer_set(&s->turn, 0);
}

void
sink_permit(struct sink *s, struct sink_job *job)
{
	(void)s;
	job->permitted = true;
	if (job->line != NULL)
		conn_send(job->line->conn);
}

bool
sink_withdraw(struct sink *s, struct sink_job *job)
{
	struct sink_line *l = job->line;

	if (l == NULL) {
		lanes_remove(&s->queue, job);
		return true;
	}
	if (l->dot_sent)
		return false;
	l->job = NULL;
	line_close(l);
	timer_set(&s->turn, 0);
	return true;
}

const struct conf_destination *
sink_destination(const struct sink *s)
{
	return s->dest;
}

void
sink_note_relayed(struct sink *s, int64_t us)
{
	histogram_add(&s->tally.relay, tally_bounds_us, us);
}

const struct tally_destination *
sink_tally(const struct sink *s)
{
	return &s->tally;
}

/* --- for people */

static const char *
doing(const struct sink *s)
{
	if (s->line == NULL)
		return s->queue.count > 0 ? "connecting" : "idle";
	if (s->line->job != NULL)
		return "sending";
	return s->line->state < LINE_READY ? "connecting" : "idle";
}

void
sink_status(const struct sink *s, struct sink_status *st_r)
{
	const struct sink_line *l = s->line;

	*st_r = (struct sink_status){
		.doing = doing(s),
		.pause = &s->trouble.pause,
		.wait_ms = trouble_wait_ms(&s->trouble),
		.last_success = s->last_success,
		.connections = l != NULL,
		.queued = s->queue.count,
	};
	if (l == NULL || l->job == NULL)
		return;
	st_r->account = l->job->account;
	st_r->uid = l->job->uid;
	st_r->size = spool_size(l->job->spool);
	st_r->done = l->offset - (l->offset > 0 ? l->piece.n : 0);
	st_r->since = l->since;
}

void
sink_pause(struct sink *s)
{
	trouble_pause(&s->trouble);
}

void
sink_resume(struct sink *s)
{
	trouble_resume(&s->trouble);
}
