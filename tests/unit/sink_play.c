/* SPDX-License-Identifier: ISC */
#include "sink_play.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "relay/parcel.h"
#include "relay/spool.h"

static char host[] = "mx", user[] = "me", password[] = "env:SINK_SECRET",
	    me[] = "me@x", you[] = "you@y", ehlo[] = "here", name[] = "home";

void
forget(struct play *p)
{
	trail_free(&p->trail);
	trail_raw(&p->trail, "", 0);
}

int
play_setup(void **state)
{
	struct play *p = calloc(1, sizeof(*p));

	log_open(-1);
	if (p == NULL || setenv("SINK_SECRET", "pw", 1) != 0)
		return -1;
	p->conf = (struct conf){
		.connect_timeout = 30, .reply_timeout = 300, .dot_timeout = 600
	};
	p->dest = (struct conf_destination){
		.name = name,
		.server = { .host = host,
		    .port = 465,
		    .user = user,
		    .password = password },
		.tls = CONF_TLS_IMPLICIT,
		.mail_from = me,
		.recipient = you,
		.ehlo = ehlo,
		.window = 16,
		.connections = 4,
	};
	forget(p);
	p->net.trail = &p->trail;
	fake_loop_init(&p->loop);
	fake_wall = 1000000000;
	p->net.net.loop = &p->loop;
	p->dir = open("/tmp", O_RDONLY | O_DIRECTORY);
	p->pool = spool_pool_new(p->dir, 8 << 20);
	p->sink = sink_open(&p->net.net, p->tokens, &p->conf, &p->dest);
	*state = p;
	return 0;
}

int
play_teardown(void **state)
{
	struct play *p = *state;

	sink_close(&p->sink);
	for (size_t i = 0; i < JOBS; i++)
		parcel_free(&p->jobs[i].job.parcel);
	spool_pool_free(&p->pool);
	close(p->dir);
	trail_free(&p->trail);
	free(p);
	return 0;
}

void
turn(struct play *p)
{
	for (int i = 0; i < 8; i++) {
		fake_loop_pass(&p->loop, 0);
		fake_conn_flush(&p->net);
	}
}

void
say(struct play *p, const char *text)
{
	fake_conn_say(&p->net, text);
	turn(p);
}

void
assert_play(struct play *p, const char *expected)
{
	trail_close(&p->trail);
	assert_string_equal(p->trail.text, expected);
	forget(p);
}

void
assert_said(struct play *p, const char *part)
{
	trail_close(&p->trail);
	assert_non_null(strstr(p->trail.text, part));
}

void
assert_unsaid(struct play *p, const char *part)
{
	assert_null(strstr(p->trail.text, part));
}

/* --- jobs */

static void
on_begin(void *arg)
{
	struct part *j = arg;

	trail_event(&j->play->trail, "begin %u", j->number);
}

static void
on_verdict(void *arg, const struct fault *f, const char *words)
{
	struct part *j = arg;

	if (f == NULL) {
		trail_event(
		    &j->play->trail, "%u accepted: %s", j->number, words);
		return;
	}
	j->fault = *f;
	trail_event(&j->play->trail, "%u failed: %s, %s, %s", j->number,
	    fault_scope_name(f->scope), fault_when_name(f->when), f->phase);
}

void
submit(struct play *p, unsigned number, const char *message)
{
	struct part *j = &p->jobs[number];
	struct spool *spool = spool_new(p->pool, "token", 1 << 20);
	struct fault f;

	assert_true(spool_write(spool, span_str(message), &f));
	assert_true(spool_finish(spool, &f));
	parcel_free(&j->job.parcel);
	*j = (struct part){ .play = p, .number = number };
	j->job = (struct sink_job){
		.parcel = parcel_new(spool, span_str(HEAD)),
		.trace = "tr4ce",
		.begin = on_begin,
		.verdict = on_verdict,
		.arg = j,
	};
	parcel_preserve(j->job.parcel);
	spool_unref(&spool); /* the parcel has its own reference */
	sink_submit(p->sink, &j->job);
}

void
submit_unreadable(struct play *p, unsigned number, const char *message)
{
	int file = dup(p->dir), nothing = open("/dev/null", O_RDONLY);

	close(file); /* this number is the next one that is free */
	submit(p, number, message);
	assert_int_equal(dup2(nothing, file), file);
	close(nothing);
}

void
permit(struct play *p, unsigned number)
{
	trail_event(&p->trail, "permit %u", number);
	sink_permit(p->sink, &p->jobs[number].job);
	turn(p);
}

bool
withdraw(struct play *p, unsigned number)
{
	bool yes = sink_withdraw(p->sink, &p->jobs[number].job);

	trail_event(&p->trail, "withdraw %u%s", number, yes ? "" : " (no)");
	turn(p);
	return yes;
}

void
log_in(struct play *p, const char *caps)
{
	turn(p);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, caps);
	say(p, "235 ok\r\n");
}

void
work_once(struct play *p)
{
	submit(p, 0, BODY);
	log_in(p, CAPS);
	say(p, GO);
	permit(p, 0);
	say(p, "250 queued\r\n");
	forget(p);
}

void
go_to_dot(struct play *p, unsigned number)
{
	submit(p, number, BODY);
	turn(p);
	say(p, GO);
	forget(p);
}
