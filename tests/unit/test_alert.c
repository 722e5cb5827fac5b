/* SPDX-License-Identifier: ISC */
/*
 * Who is told what, and how often, by a clock that the test moves.  The store
 * remembers over restarts; commands and destinations are fakes that write down
 * what they were asked for.
 */
#include "daemon/alert.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../fake/fake_loop.h"
#include "../fake/fake_sink.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "net/program.h"
#include "relay/parcel.h"
#include "relay/trace.h"
#include "store/store.h"

#define RECORDS 8
#define HOUR 3600
#define DAY (24 * HOUR)

/* --- a state that answers when the loop turns */

struct store {
	struct loop *loop;
	bool broken;
	struct record {
		char key[64];
		struct store_pause pause;
	} records[RECORDS];
	struct pending {
		struct timer timer;
		struct store *store;
		struct store_done done;
		struct store_answer answer;
	} pending[RECORDS];
	size_t next;
	unsigned saves;
};

static void
on_answer(void *arg)
{
	struct pending *p = arg;

	timer_free(&p->timer);
	p->done.run(p->done.arg, &p->answer);
}

static void
answer(struct store *s, struct store_done done, const struct store_pause *pause)
{
	struct pending *p = &s->pending[s->next++ % RECORDS];

	assert_null(p->timer.event);
	p->done = done;
	p->answer = (struct store_answer){ .ok = !s->broken };
	if (pause != NULL)
		p->answer.pause = *pause;
	timer_init(&p->timer, s->loop, on_answer, p);
	timer_set(&p->timer, 0);
}

static struct store_pause *
find(struct store *s, const struct store_who *who)
{
	struct record *r = s->records;

	assert_int_equal(who->party, STORE_NOTICE);
	while (r->key[0] != '\0' && strcmp(r->key, who->name) != 0)
		r++;
	assert_true(r < s->records + RECORDS);
	strcpy(r->key, who->name);
	return &r->pause;
}

void
store_pause_load(
    struct store *s, const struct store_who *who, struct store_done done)
{
	answer(s, done, find(s, who));
}

void
store_pause_save(struct store *s, const struct store_who *who,
    const struct store_pause *p, struct store_done done)
{
	s->saves++;
	if (!s->broken)
		*find(s, who) = *p;
	if (done.run != NULL)
		answer(s, done, NULL);
}

const unsigned char *
store_install_key(const struct store *s)
{
	static const unsigned char key[STORE_KEY_SIZE];

	assert_non_null(s);
	return key;
}

/* --- the command */

struct program {
	void (*done)(void *arg, const struct program_result *r);
	void *arg;
};
static struct trail *the_trail;
static struct program *running;

static const char *
variable(char *const *env, const char *name)
{
	for (size_t n = strlen(name); *env != NULL; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	fail_msg("no %s", name);
	return NULL;
}

struct program *
program_start(struct loop *l, const struct program_terms *t,
    void (*done)(void *arg, const struct program_result *r), void *arg,
    int *error_r)
{
	assert_non_null(l);
	assert_null(running);
	assert_int_equal(t->limit_ms, 60000);
	assert_int_equal(t->output_max, 0);
	trail_event(the_trail, "%s %s: %s [%s] [%s] x%s: %s", t->argv[0],
	    t->argv[1], variable(t->env, "MAILHAUL_EVENT"),
	    variable(t->env, "MAILHAUL_ACCOUNT"),
	    variable(t->env, "MAILHAUL_DESTINATION"),
	    variable(t->env, "MAILHAUL_COUNT"),
	    variable(t->env, "MAILHAUL_REASON"));
	if (strcmp(t->argv[0], "/missing") == 0) {
		*error_r = ENOENT;
		return NULL;
	}
	running = mem_alloc(sizeof(*running));
	*running = (struct program){ done, arg };
	return running;
}

void
program_cancel(struct program **p)
{
	if (*p != NULL)
		trail_event(the_trail, "kill");
	free(*p);
	*p = running = NULL;
}

/* --- the stage */

struct stage {
	struct trail trail;
	struct loop loop;
	struct store store;
	struct conf_destination dests[2];
	struct sink sinks[2];
	struct alerts *alerts;
};

static char home[] = "home", spare[] = "spare", me[] = "me@x", you[] = "you@y";

static struct sink *
on_sink(void *arg, size_t i)
{
	struct stage *s = arg;

	return i < 2 ? &s->sinks[i] : NULL;
}

static void
start(struct stage *s, const char *program, const char *notify)
{
	char path[32], word[] = "word", *argv[] = { path, word, NULL };
	struct alerts_options o = {
		.loop = &s->loop,
		.store = &s->store,
		.sink = on_sink,
		.arg = s,
		.host = "box.example",
	};

	s->alerts = alerts_new(&o);
	if (program != NULL)
		strcpy(path, program);
	alerts_configure(s->alerts, program != NULL ? argv : NULL, notify);
}

static int
setup(void **state)
{
	struct stage *s = mem_alloc(sizeof(*s));

	log_open(-1);
	fake_wall = 1700000000;
	fake_loop_init(&s->loop);
	the_trail = &s->trail;
	s->store.loop = &s->loop;
	for (int i = 0; i < 2; i++) {
		s->dests[i] = (struct conf_destination){
			.name = i == 0 ? home : spare,
			.mail_from = me,
			.recipient = you,
		};
		s->sinks[i].trail = &s->trail;
		s->sinks[i].dest = &s->dests[i];
	}
	trail_raw(&s->trail, "", 0);
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct stage *s = *state;

	alerts_free(&s->alerts);
	assert_true(TAILQ_EMPTY(&s->loop.timers));
	trail_free(&s->trail);
	free(s);
	return 0;
}

static void
assert_trail(struct stage *s, const char *expected)
{
	fake_loop_pass(&s->loop, 0);
	assert_string_equal(s->trail.text, expected);
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
}

static void
end_program(struct stage *s, int code)
{
	struct program_result r = { .end = PROGRAM_EXITED, .value = code };
	struct program *p = running;

	assert_non_null(p);
	running = NULL;
	p->done(p->arg, &r);
	free(p);
	fake_loop_pass(&s->loop, 0);
}

/* An account's or destination's poll ended; alerted: a person should know. */
static void
poll(struct stage *s, enum store_party party, const char *name, bool alerted)
{
	struct store_who who = { party, name, 7 };
	struct store_pause pause = {
		.failures = alerted, .since = 1700000000, .alerted = alerted
	};
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, FAULT_NEVER, "login", "no \x1b entry");
	f.hint = "knock";
	alert_pause(s->alerts, &who, &pause, alerted ? &f : NULL);
}

#define FAILED "/run word: account-failed [work] [] x1: login: no ? entry\n"
#define HELD_N(n)                                                              \
	"/run word: message-held [work] [] x" n                                \
	": refused for good, or not fit to be relayed\n"

/* --- the command */

static void
test_once_while_it_lasts(void **state)
{
	struct stage *s = *state;

	start(s, "/run", NULL);
	poll(s, STORE_ACCOUNT, "work", false);
	assert_trail(s, "");
	poll(s, STORE_ACCOUNT, "work", true);
	assert_trail(s, FAILED);
	end_program(s, 0);
	for (int i = 0; i < 50; i++) {
		fake_loop_pass(&s->loop, HOUR);
		poll(s, STORE_ACCOUNT, "work", true);
	}
	assert_trail(s, "");
	poll(s, STORE_ACCOUNT, "work", false);
	poll(s, STORE_ACCOUNT, "work", true);
	assert_trail(s, FAILED);
	end_program(s, 1);
}

static void
test_once_an_hour(void **state)
{
	struct stage *s = *state;

	start(s, "/run", NULL);
	alert_held(s->alerts, "work", 2);
	assert_trail(s, HELD_N("2"));
	end_program(s, 0);
	alert_held(s->alerts, "work", 0);
	alert_held(s->alerts, "work", 1);
	fake_loop_pass(&s->loop, HOUR / 2);
	alert_held(s->alerts, "work", 3);
	fake_loop_pass(&s->loop, HOUR / 2 - 1);
	assert_trail(s, "");
	fake_loop_pass(&s->loop, 1);
	assert_trail(s, HELD_N("4")); /* by itself */
	end_program(s, 0);
	fake_loop_pass(&s->loop, 10 * HOUR);
	assert_trail(s, "");
}

/* What is over is not told late. */
static void
test_over(void **state)
{
	struct stage *s = *state;

	start(s, "/run", NULL);
	for (int i = 0; i < 3; i++) {
		poll(s, STORE_ACCOUNT, "work", true);
		fake_loop_pass(&s->loop, 60);
		poll(s, STORE_ACCOUNT, "work", false);
	}
	assert_trail(s, FAILED);
	end_program(s, 0);
	fake_loop_pass(&s->loop, 2 * HOUR);
	assert_trail(s, "");
}

static void
test_one_at_a_time(void **state)
{
	struct stage *s = *state;

	start(s, "/run", NULL);
	poll(s, STORE_ACCOUNT, "work", true);
	poll(s, STORE_DESTINATION, "home", true);
	alert_state(s->alerts, true, "no room");
	assert_trail(s, FAILED);
	alert_state(s->alerts, true, "no room");
	assert_trail(s, "");
	end_program(s, 0);
	assert_trail(s, "/run word: destination-failed [] [home] x1: "
			"login: no ? entry\n");
	end_program(s, 0);
	assert_trail(s, "/run word: state-trouble [] [] x1: no room\n");
	end_program(s, 0);
	assert_trail(s, "");
}

static void
test_restart(void **state)
{
	struct stage *s = *state;

	start(s, "/run", NULL);
	poll(s, STORE_ACCOUNT, "work", true);
	alert_held(s->alerts, "work", 1);
	assert_trail(s, FAILED);
	end_program(s, 0);
	assert_trail(s, HELD_N("1"));
	end_program(s, 0);
	alerts_free(&s->alerts);
	start(s, "/run", NULL);
	fake_loop_pass(&s->loop, 60);
	poll(s, STORE_ACCOUNT, "work", true);
	alert_held(s->alerts, "work", 1);
	assert_trail(s, "");
	fake_loop_pass(&s->loop, HOUR);
	assert_trail(s, HELD_N("1"));
	end_program(s, 0);
	/* It was mended while we were away. */
	alerts_free(&s->alerts);
	start(s, "/run", NULL);
	poll(s, STORE_ACCOUNT, "work", false);
	assert_trail(s, "");
	/* And before we were. */
	alerts_free(&s->alerts);
	start(s, "/run", NULL);
	poll(s, STORE_ACCOUNT, "work", true);
	assert_trail(s, FAILED);
}

/* A state that fails is told of all the same. */
static void
test_broken_state(void **state)
{
	struct stage *s = *state;

	s->store.broken = true;
	start(s, "/run", "boss@z");
	alert_state(s->alerts, true, "disk I/O error");
	assert_trail(s, "/run word: state-trouble [] [] x1: disk I/O error\n");
	end_program(s, 0);
}

static void
test_clock(void **state)
{
	struct stage *s = *state;

	start(s, "/run", NULL);
	alert_held(s->alerts, "work", 1);
	assert_trail(s, HELD_N("1"));
	end_program(s, 0);
	fake_wall -= 10 * 365 * DAY;
	alert_held(s->alerts, "work", 1);
	fake_loop_pass(&s->loop, HOUR + 1);
	assert_trail(s, HELD_N("1"));
	end_program(s, 0);
}

static void
test_cannot_run(void **state)
{
	struct stage *s = *state;

	start(s, "/missing", NULL);
	alert_held(s->alerts, "work", 1);
	alert_held(s->alerts, "old", 1);
	assert_trail(s,
	    "/missing word: message-held [work] [] x1: refused for good, or "
	    "not fit to be relayed\n"
	    "/missing word: message-held [old] [] x1: refused for good, or "
	    "not fit to be relayed\n");
}

static void
test_nobody_listens(void **state)
{
	struct stage *s = *state;

	start(s, NULL, NULL);
	poll(s, STORE_ACCOUNT, "work", true);
	alert_held(s->alerts, "work", 1);
	alert_state(s->alerts, true, "x");
	assert_trail(s, "");
	assert_int_equal(s->store.next, 0);
	alert_held(NULL, "work", 1);
}

/* --- the end */

static void
test_finish(void **state)
{
	struct stage *s = *state;

	start(s, "/run", NULL);
	alert_held(s->alerts, "work", 1);
	poll(s, STORE_DESTINATION, "home", true);
	alerts_finish(s->alerts);
	alerts_finish(s->alerts);
	assert_trail(s, HELD_N("1"));
	assert_false(s->loop.stopped);
	end_program(s, 0);
	assert_false(s->loop.stopped);
	end_program(s, 0);
	assert_true(s->loop.stopped);
}

static void
test_finish_in_time(void **state)
{
	struct stage *s = *state;

	start(s, "/run", NULL);
	alerts_finish(s->alerts);
	fake_loop_pass(&s->loop, 0);
	assert_true(s->loop.stopped);
	s->loop.stopped = false;
	alert_held(s->alerts, "work", 1);
	fake_loop_pass(&s->loop, 59);
	assert_false(s->loop.stopped);
	fake_loop_pass(&s->loop, 1);
	assert_true(s->loop.stopped);
	alerts_free(&s->alerts);
	assert_trail(s, HELD_N("1") "kill\n");
}

/* --- the mail */

static void
read_letter(struct sink *s, char *dst, size_t cap)
{
	fake_sink_read(s, dst, cap);
}

static void
test_letter(void **state)
{
	static const char *const lines[] = {
		"From: mailhaul <me@x>\r\n",
		"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
		"To: boss@z\r\n",
		"Subject: mailhaul on box.example: destination home takes ",
		"Message-ID: <",
		"@box.example>\r\n",
		"Auto-Submitted: auto-generated\r\n",
		"Since:  Tue, 14 Nov 2023 22:13:20 +0000\r\n",
		"Reason: login: no ? entry\r\n",
		"Hint:   knock\r\n",
		"resume home.\r\n",
	};
	struct stage *s = *state;
	char text[4096], notice[64], token[TRACE_TOKEN_SIZE];
	struct sink *via = &s->sinks[1];

	start(s, NULL, "boss@z");
	poll(s, STORE_DESTINATION, "home", true);
	assert_trail(s, "submit\n");
	assert_null(s->sinks[0].job); /* not through what fails */
	fake_sink_begin(via);
	assert_trail(s, "begin\npermit\n");
	assert_string_equal(via->job->envelope->sender, "");
	assert_string_equal(via->job->envelope->recipient, "boss@z");
	read_letter(via, text, sizeof(text));
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (strstr(text, lines[i]) == NULL)
			fail_msg("no %s in:\n%s", lines[i], text);
	trace_notice(store_install_key(&s->store), token);
	snprintf(notice, sizeof(notice), "X-Mailhaul-Notice: %s\r\n", token);
	assert_non_null(strstr(text, notice));
	assert_false(parcel_eight_bit(via->job->parcel));
	fake_sink_verdict(via, NULL, "250 ok");
	assert_trail(s, "verdict good\n");
}

static void
accept_letter(struct stage *s, struct sink *via)
{
	assert_trail(s, "submit\n");
	fake_sink_begin(via);
	fake_sink_verdict(via, NULL, "250 ok");
	assert_trail(s, "begin\npermit\nverdict good\n");
}

/* Once a day while it lasts, over a restart. */
static void
test_letter_a_day(void **state)
{
	struct stage *s = *state;

	start(s, NULL, "boss@z");
	poll(s, STORE_ACCOUNT, "work", true);
	accept_letter(s, &s->sinks[0]);
	for (int i = 0; i < 23; i++) {
		fake_loop_pass(&s->loop, HOUR);
		poll(s, STORE_ACCOUNT, "work", true);
	}
	assert_trail(s, "");
	alerts_free(&s->alerts);
	start(s, NULL, "boss@z");
	poll(s, STORE_ACCOUNT, "work", true);
	assert_trail(s, "");
	fake_loop_pass(&s->loop, HOUR);
	accept_letter(s, &s->sinks[0]);
	/* It is over, and no reminder comes. */
	fake_loop_pass(&s->loop, HOUR);
	poll(s, STORE_ACCOUNT, "work", true);
	poll(s, STORE_ACCOUNT, "work", false);
	fake_loop_pass(&s->loop, 3 * DAY);
	assert_trail(s, "");
}

static void
refuse(struct sink *via, enum fault_scope scope, enum fault_when when)
{
	struct fault f;

	fault_set(&f, scope, when, "MAIL", "no");
	fake_sink_verdict(via, &f, "550 no");
}

/* Null sender, mail_from, the next destination; then never mind. */
static void
test_letter_refused(void **state)
{
	struct stage *s = *state;

	start(s, NULL, "boss@z");
	alert_held(s->alerts, "work", 1);
	assert_trail(s, "submit\n");
	refuse(&s->sinks[0], FAULT_MESSAGE, FAULT_NEVER);
	assert_trail(s, "verdict never\nsubmit\n");
	assert_string_equal(s->sinks[0].job->envelope->sender, "me@x");
	refuse(&s->sinks[0], FAULT_MESSAGE, FAULT_NEVER);
	assert_trail(s, "verdict never\nsubmit\n");
	assert_string_equal(s->sinks[1].job->envelope->sender, "");
	refuse(&s->sinks[1], FAULT_DESTINATION, FAULT_LATER);
	assert_trail(s, "verdict later\n");
	fake_loop_pass(&s->loop, 3 * DAY);
	assert_trail(s, "");
}

static void
test_letter_unknown(void **state)
{
	struct stage *s = *state;

	start(s, NULL, "boss@z");
	alert_held(s->alerts, "work", 1);
	assert_trail(s, "submit\n");
	refuse(&s->sinks[0], FAULT_MESSAGE, FAULT_UNKNOWN);
	assert_trail(s, "verdict unknown\n");
}

/* It is no probe, and waits for no destination. */
static void
test_letter_without_destination(void **state)
{
	struct fault f;
	struct stage *s = *state;

	fault_set(&f, FAULT_DESTINATION, FAULT_LATER, "connect", "no");
	s->sinks[0].trouble = &f;
	s->sinks[1].failed = true;
	start(s, NULL, "boss@z");
	alert_held(s->alerts, "work", 1);
	assert_trail(s, "probe\nprobe over\n");
	alerts_finish(s->alerts);
	fake_loop_pass(&s->loop, 0);
	assert_true(s->loop.stopped);
}

/* R1 of letters: not on record, not sent. */
static void
test_letter_not_on_record(void **state)
{
	struct stage *s = *state;

	start(s, NULL, "boss@z");
	s->store.broken = true;
	alert_held(s->alerts, "work", 1);
	assert_trail(s, "");
	assert_true(s->store.saves > 0);
}

static void
test_letter_leaves(void **state)
{
	struct stage *s = *state;

	start(s, NULL, "boss@z");
	alert_held(s->alerts, "work", 1);
	assert_trail(s, "submit\n");
	alerts_leave(s->alerts, &s->sinks[1]);
	assert_trail(s, "");
	alerts_leave(s->alerts, &s->sinks[0]);
	assert_trail(s, "withdraw\nsubmit\n"); /* to the other */
	fake_sink_begin(&s->sinks[1]);
	fake_sink_dot(&s->sinks[1]);
	alerts_leave(s->alerts, &s->sinks[1]);
	s->sinks[1].job = NULL; /* closed */
	assert_trail(s, "begin\npermit\ndot\nwithdraw (no)\n");
	/* And at the very end. */
	alert_held(s->alerts, "old", 1);
	assert_trail(s, "submit\n");
	alerts_free(&s->alerts);
	assert_trail(s, "withdraw\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_once_while_it_lasts),
		TEST(test_once_an_hour),
		TEST(test_over),
		TEST(test_one_at_a_time),
		TEST(test_restart),
		TEST(test_broken_state),
		TEST(test_clock),
		TEST(test_cannot_run),
		TEST(test_nobody_listens),
		TEST(test_finish),
		TEST(test_finish_in_time),
		TEST(test_letter),
		TEST(test_letter_a_day),
		TEST(test_letter_refused),
		TEST(test_letter_unknown),
		TEST(test_letter_without_destination),
		TEST(test_letter_not_on_record),
		TEST(test_letter_leaves),
	};

	return cmocka_run_group_tests_name("alert", tests, NULL, NULL);
}
