/* SPDX-License-Identifier: ISC */
/*
 * One account and its mailboxes, with a clock that the test moves: when it is
 * polled, what is watched, when it is left alone, and what people are shown.
 */
#include "daemon/account.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake/fake_loop.h"
#include "../fake/fake_source.h"
#include "../fake/fake_worker.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/alert.h"
#include "daemon/sign_in_words.h"
#include "net/conn.h"
#include "relay/sched.h"
#include "relay/terms.h"

#define INTERVAL 600
#define JITTER (INTERVAL / 8) /* see relay/retry.h */
#define EARLY (INTERVAL / 10)
#define FOLDERS 3

struct stage {
	struct loop loop;
	struct net net;
	struct trail trail;
	struct conf conf;
	struct conf_account config;
	struct conf_folder folders[FOLDERS];
	char names[FOLDERS][16];
	struct sched sched;
	struct account_context context;
	struct account *account;
	struct store_pause saved;
	unsigned quiet, polled;
	bool no_room, alerted, signed_out;
};

static struct stage *stage; /* for what is linked in the place of others */

/* --- what the account asks of others */

struct conf *
conf_ref(struct conf *c)
{
	return c;
}

void
conf_free(struct conf **c)
{
	*c = NULL;
}

uint64_t
terms_of_account(const struct conf_account *a)
{
	(void)a;
	return 1;
}

const char *
sign_in_words(struct tokens *t, const struct conf_server *server,
    const char *name, char dst[SIGN_IN_WORDS_MAX], bool *soon_r)
{
	(void)t;
	(void)server;
	(void)name;
	*soon_r = false;
	snprintf(dst, SIGN_IN_WORDS_MAX, "sign in");
	return stage->signed_out ? dst : NULL;
}

const char *
store_install_tag(const struct store *s)
{
	(void)s;
	return "0000";
}

void
store_login(struct store *s, const char *account, int64_t now, int64_t delay,
    struct store_done done)
{
	(void)s;
	(void)account;
	(void)now;
	(void)delay;
	(void)done;
}

void
store_pause_save(struct store *s, const struct store_who *who,
    const struct store_pause *p, struct store_done done)
{
	(void)s;
	(void)who;
	(void)done;
	stage->saved = *p;
}

void
alert_pause(struct alerts *a, const struct store_who *who,
    const struct store_pause *p, const struct fault *f)
{
	(void)a;
	(void)who;
	(void)f;
	stage->alerted = p->alerted;
}

/* --- the supervisor */

static void
on_turn(void *arg)
{
	(void)arg;
}

static bool
may_poll(void *arg)
{
	return !((const struct stage *)arg)->no_room;
}

static void
on_polled(void *arg, struct account *a, const struct worker_report *r)
{
	struct stage *s = arg;

	(void)a;
	(void)r;
	s->polled++;
}

static void
on_quiet(void *arg, struct account *a)
{
	struct stage *s = arg;

	(void)a;
	s->quiet++;
}

static void
give_turns(struct stage *s)
{
	struct sched_job *j;
	int64_t wait;

	while (
	    (j = sched_next(&s->sched, loop_now_ms(&s->loop), &wait)) != NULL)
		account_run(account_of(j));
}

static void
pass(struct stage *s, int64_t seconds)
{
	fake_loop_pass(&s->loop, seconds);
	give_turns(s);
}

/* --- the stage */

static int
setup(void **state)
{
	const struct sched_limits limits = { .per_host = 10, .total = 10 };
	struct stage *s = mem_alloc(sizeof(*s));

	stage = s;
	log_open(-1);
	trail_raw(&s->trail, "", 0);
	fake_loop_init(&s->loop);
	s->net.loop = &s->loop;
	fake_source.trail = fake_workers.trail = &s->trail;
	fake_source.open = false;
	s->conf = (struct conf){ .idle_renew = 1440 };
	s->config = (struct conf_account){
		.name = strcpy(mem_alloc(2), "a"),
		.server = { .host = strcpy(mem_alloc(2), "h") },
		.protocol = CONF_IMAP,
		.folders = s->folders,
		.interval = INTERVAL,
		.connections = 8,
	};
	sched_init(&s->sched, &limits);
	s->context = (struct account_context){
		.net = &s->net,
		.sched = &s->sched,
		.turn = on_turn,
		.may_poll = may_poll,
		.polled = on_polled,
		.quiet = on_quiet,
		.arg = s,
	};
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct stage *s = *state;

	account_stop(s->account);
	assert_true(account_is_quiet(s->account));
	account_free(&s->account);
	assert_false(fake_source.open);
	for (size_t i = 0; i < FAKE_WORKERS; i++)
		assert_null(fake_workers.all[i].name);
	assert_int_equal(s->sched.running + s->sched.holds, 0);
	sched_free(&s->sched);
	assert_true(TAILQ_EMPTY(&s->loop.timers));
	trail_free(&s->trail);
	free(s->config.name);
	free(s->config.server.host);
	free(s);
	return 0;
}

static void
assert_trail(struct stage *s, const char *expected)
{
	assert_string_equal(s->trail.text, expected);
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
}

static void
folder(struct stage *s, const char *name)
{
	size_t i = s->config.nfolders++;

	(void)snprintf(s->names[i], sizeof(s->names[i]), "%s", name);
	s->folders[i].name = s->names[i];
	s->folders[i].pattern = strchr(name, '*') != NULL;
}

static void
begin_after(struct stage *s, const struct store_pause *p)
{
	s->account = account_new(&s->context, &s->conf, &s->config, NULL);
	account_begin(s->account, p);
	give_turns(s);
}

static void
begin(struct stage *s)
{
	static const struct store_pause none = { 0 };

	begin_after(s, &none);
}

/* The session that a poll leaves behind. */
static struct source *
session(struct stage *s)
{
	(void)s;
	fake_source.open = true;
	fake_source.source.driver = &source_imap_driver;
	return &fake_source.source;
}

static void
done(struct stage *s, const char *name)
{
	fake_worker_done(name, &(struct worker_report){ .failed = false });
	give_turns(s);
}

static void
failed(struct stage *s, const char *name, struct worker_report r)
{
	r.failed = true;
	fault_set(&r.fault, FAULT_ACCOUNT, FAULT_LATER, "login", "no");
	fake_worker_done(name, &r);
	give_turns(s);
}

static const char *
shown(struct stage *s)
{
	struct view_account v;

	account_view(s->account, &v);
	return v.state;
}

/* --- rounds */

/* One after the other, in one session; and again at the interval. */
static void
test_round(void **state)
{
	struct stage *s = *state;
	struct worker_report kept = { .failed = false };

	folder(s, "INBOX");
	folder(s, "Junk");
	begin(s);
	assert_trail(s, "poll INBOX\n");
	assert_string_equal(shown(s), "polling");
	assert_int_equal(fake_worker_leave("INBOX", true), WORKER_KEEP);
	kept.session = session(s);
	fake_worker_done("INBOX", &kept);
	assert_trail(s, "poll Junk in the session\n");
	assert_int_equal(fake_worker_leave("Junk", true), WORKER_QUIT);
	fake_source.open = false;
	done(s, "Junk");
	assert_string_equal(shown(s), "waiting");
	assert_int_equal(s->polled, 2);
	pass(s, INTERVAL - EARLY - 1);
	assert_trail(s, "");
	pass(s, 1 + EARLY + JITTER);
	assert_trail(s, "poll INBOX\n");
	done(s, "INBOX");
	assert_trail(s, "poll Junk\n");
	done(s, "Junk");
}

/* A session that nobody needs any more is closed. */
static void
test_nothing_left(void **state)
{
	struct stage *s = *state;
	struct worker_report kept = { .failed = false };

	folder(s, "INBOX");
	folder(s, "Junk");
	begin(s);
	assert_int_equal(fake_worker_leave("INBOX", false), WORKER_KEEP);
	account_retire(s->account);
	kept.session = session(s);
	fake_worker_done("INBOX", &kept);
	assert_trail(s, "poll INBOX\nretire INBOX\nclose\n");
	assert_true(s->quiet > 0);
	pass(s, 10 * INTERVAL);
	assert_trail(s, "");
}

static void
test_once(void **state)
{
	struct stage *s = *state;

	s->context.once = true;
	s->config.idle = true;
	folder(s, "INBOX");
	begin(s);
	assert_int_equal(fake_worker_leave("INBOX", true), WORKER_QUIT);
	done(s, "INBOX");
	assert_true(s->quiet > 0);
	assert_true(account_is_quiet(s->account));
	pass(s, 10 * INTERVAL);
	assert_trail(s, "poll INBOX\n");
}

/* --- failures */

static void
test_backs_off(void **state)
{
	struct stage *s = *state;
	struct view_account v;

	folder(s, "INBOX");
	begin(s);
	failed(s, "INBOX", (struct worker_report){ 0 });
	account_view(s->account, &v);
	assert_string_equal(v.state, "failing");
	assert_string_equal(v.reason, "no");
	assert_int_equal(v.failures, 1);
	assert_int_equal(s->saved.failures, 1);
	pass(s, INTERVAL + JITTER + 1);
	failed(s, "INBOX", (struct worker_report){ 0 });
	assert_int_equal(s->saved.failures, 2);
	assert_true(s->alerted); /* longer than ten minutes */
	assert_trail(s, "poll INBOX\npoll INBOX\n");
	pass(s, 2 * INTERVAL - 1); /* twice as long */
	assert_trail(s, "");
	pass(s, 1 + 2 * JITTER);
	done(s, "INBOX");
	assert_trail(s, "poll INBOX\n");
	assert_int_equal(s->saved.failures, 0);
	assert_false(s->alerted);
	assert_string_equal(shown(s), "waiting");
}

/* The others of the account are polled, and it does well. */
static void
test_one_mailbox_fails(void **state)
{
	const struct worker_report only = { .mailbox_only = true };
	struct stage *s = *state;
	struct view_account v;

	folder(s, "Gone");
	folder(s, "INBOX");
	begin(s);
	failed(s, "Gone", only);
	done(s, "INBOX");
	assert_trail(s, "poll Gone\npoll INBOX\n");
	account_view(s->account, &v);
	assert_string_equal(v.state, "waiting");
	assert_string_equal(v.reason, "no");
	assert_int_equal(v.failures, 0);
	assert_int_equal(s->saved.failures, 0);
	pass(s, INTERVAL + JITTER);
	failed(s, "Gone", only);
	done(s, "INBOX");
	assert_trail(s, "poll Gone\npoll INBOX\n");
	/* It is left alone for two intervals now, and the other is not. */
	pass(s, INTERVAL + JITTER);
	assert_trail(s, "poll INBOX\n");
	done(s, "INBOX");
}

/* What all would meet ends the round. */
static void
test_account_fails(void **state)
{
	struct stage *s = *state;

	folder(s, "INBOX");
	folder(s, "Junk");
	begin(s);
	failed(s, "INBOX", (struct worker_report){ 0 });
	assert_trail(s, "poll INBOX\n");
	assert_string_equal(shown(s), "failing");
}

static void
test_remembers(void **state)
{
	struct stage *s = *state;
	struct store_pause p = {
		.failures = 3,
		.not_before = fake_wall + 1000,
		.firm = true,
		.reply = "535 no",
	};
	struct fault why;

	folder(s, "INBOX");
	begin_after(s, &p);
	assert_string_equal(shown(s), "failing");
	assert_false(account_poll_now(s->account, &why));
	assert_non_null(strstr(why.text, "another 1000 seconds"));
	pass(s, 999);
	assert_trail(s, "");
	pass(s, 1);
	assert_trail(s, "poll INBOX\n");
	done(s, "INBOX");
}

/* A person is asked: that is no failure, and not forgotten over a restart. */
static void
test_asks(void **state)
{
	struct stage *s = *state;
	struct store_pause p = {
		.failures = 1,
		.not_before = fake_wall + 1000,
		.asks = true,
	};
	struct worker_report r = { .failed = true };

	folder(s, "INBOX");
	begin_after(s, &p);
	assert_string_equal(shown(s), "asks");
	pass(s, 1000);
	fault_set(&r.fault, FAULT_ACCOUNT, FAULT_NEVER, "state", "which?");
	r.fault.question = true;
	fake_worker_done("INBOX", &r);
	assert_string_equal(shown(s), "asks");
	account_resume(s->account);
	give_turns(s);
	done(s, "INBOX");
	assert_string_equal(shown(s), "waiting");
}

/* Under other terms the pause is forgotten, but the question is not. */
static void
test_answered(void **state)
{
	struct stage *s = *state;

	folder(s, "INBOX");
	begin_after(s, &(struct store_pause){ .asks = true });
	done(s, "INBOX");
	assert_string_equal(shown(s), "waiting");
}

static void
test_login_delay(void **state)
{
	struct stage *s = *state;
	struct worker_report r = { .login_delay = 900 };
	struct fault why;

	folder(s, "INBOX");
	s->config.protocol = CONF_POP3;
	begin(s);
	pass(s, 50);
	r.last_login = fake_wall + 50;
	fake_worker_done("INBOX", &r);
	assert_false(account_poll_now(s->account, &why));
	pass(s, 899);
	assert_trail(s, "poll INBOX\n");
	pass(s, 1 + 900 / 8);
	assert_trail(s, "poll INBOX\n");
	done(s, "INBOX");
}

/* --- watching */

static void
watches(struct stage *s, const char *name)
{
	assert_int_equal(fake_worker_leave(name, true), WORKER_WATCH);
	fake_worker_done(name, &(struct worker_report){ .watching = true });
	give_turns(s);
}

/* Watched in a session of its own; the round goes on in another one. */
static void
test_watch(void **state)
{
	struct stage *s = *state;

	s->config.idle = true;
	folder(s, "INBOX");
	folder(s, "Junk");
	begin(s);
	watches(s, "INBOX");
	assert_trail(s, "poll INBOX\npoll Junk\n");
	watches(s, "Junk");
	assert_string_equal(shown(s), "watching");
	assert_int_equal(s->sched.holds, 2);
	assert_int_equal(s->sched.running, 0);
	/* By the clock too: servers forget to tell. */
	pass(s, INTERVAL + JITTER);
	assert_trail(s, "poll INBOX that is watched\n"
			"poll Junk that is watched\n");
	fake_worker_done("INBOX", &(struct worker_report){ .watching = true });
	fake_worker_done("Junk", &(struct worker_report){ .watching = true });
	account_retire(s->account);
	assert_trail(s, "retire INBOX\nretire Junk\n");
	done(s, "INBOX");
	assert_int_equal(s->quiet, 0);
	done(s, "Junk");
	assert_true(s->quiet > 0);
	assert_int_equal(s->sched.holds, 0);
}

/* No room on the disk: what is watched looks again by itself. */
static void
test_watch_without_room(void **state)
{
	struct stage *s = *state;

	s->config.idle = true;
	folder(s, "INBOX");
	begin(s);
	watches(s, "INBOX");
	s->no_room = true;
	pass(s, INTERVAL + JITTER);
	assert_trail(s, "poll INBOX\n");
	s->no_room = false;
	pass(s, 5);
	assert_trail(s, "poll INBOX that is watched\n");
	done(s, "INBOX");
}

/* What had lasted is taken up again soon, and is nobody's fault. */
static void
test_watch_ends(void **state)
{
	const struct worker_report broke = { .watched = true };
	struct stage *s = *state;

	s->config.idle = true;
	folder(s, "INBOX");
	begin(s);
	pass(s, 1); /* no clock stands at 0 */
	watches(s, "INBOX");
	pass(s, 60);
	failed(s, "INBOX", broke);
	assert_int_equal(s->saved.failures, 0);
	assert_string_equal(shown(s), "waiting");
	pass(s, 2);
	assert_trail(s, "poll INBOX\npoll INBOX\n");
	watches(s, "INBOX");
	pass(s, 59);
	failed(s, "INBOX", broke);
	assert_int_equal(s->saved.failures, 1);
	assert_string_equal(shown(s), "failing");
	pass(s, INTERVAL - 1);
	assert_trail(s, "");
	pass(s, 1 + JITTER);
	assert_trail(s, "poll INBOX\n");
	done(s, "INBOX");
}

/* A server that ends it at once is polled by the clock. */
static void
test_watch_refused(void **state)
{
	struct stage *s = *state;

	s->config.idle = true;
	folder(s, "INBOX");
	begin(s);
	watches(s, "INBOX");
	pass(s, 1);
	done(s, "INBOX");
	pass(s, INTERVAL - EARLY - 1);
	assert_trail(s, "poll INBOX\n");
	pass(s, 1 + EARLY + JITTER);
	assert_trail(s, "poll INBOX\n");
	done(s, "INBOX");
}

static void
test_few_connections(void **state)
{
	struct stage *s = *state;

	s->config.idle = true;
	s->config.connections = 2;
	folder(s, "INBOX");
	folder(s, "A");
	folder(s, "B");
	begin(s);
	watches(s, "INBOX");
	assert_int_equal(fake_worker_leave("A", true), WORKER_KEEP);
	done(s, "A");
	assert_int_equal(fake_worker_leave("B", true), WORKER_QUIT);
	done(s, "B");
	assert_trail(s, "poll INBOX\npoll A\npoll B\n");
	assert_int_equal(s->sched.holds, 1);
	account_stop(s->account);
	assert_trail(s, "stop INBOX\n");
	done(s, "INBOX");
}

/* --- people */

static void
test_pause(void **state)
{
	struct stage *s = *state;
	struct fault why;

	s->config.idle = true;
	folder(s, "INBOX");
	folder(s, "Junk");
	begin(s);
	watches(s, "INBOX");
	account_pause(s->account);
	assert_true(s->saved.by_hand);
	assert_string_equal(shown(s), "paused");
	assert_trail(s, "poll INBOX\npoll Junk\nretire INBOX\nretire Junk\n");
	assert_int_equal(fake_worker_leave("Junk", true), WORKER_QUIT);
	done(s, "INBOX");
	done(s, "Junk");
	assert_false(account_poll_now(s->account, &why));
	pass(s, 10 * INTERVAL);
	assert_trail(s, "");
	account_resume(s->account);
	assert_false(s->saved.by_hand);
	give_turns(s);
	assert_trail(s, "poll INBOX\n");
	done(s, "INBOX");
	done(s, "Junk");
}

static void
test_paused_before(void **state)
{
	struct stage *s = *state;

	folder(s, "INBOX");
	begin_after(s, &(struct store_pause){ .failures = 1, .by_hand = true });
	account_try_again(s->account); /* a reload ends no such pause */
	pass(s, 10 * INTERVAL);
	assert_trail(s, "");
	assert_string_equal(shown(s), "paused");
}

static void
test_poll_now(void **state)
{
	struct stage *s = *state;
	struct fault why;

	folder(s, "INBOX");
	begin(s);
	done(s, "INBOX");
	assert_true(account_poll_now(s->account, &why));
	give_turns(s);
	assert_trail(s, "poll INBOX\npoll INBOX\n");
	assert_true(account_poll_now(s->account, &why)); /* it is */
	failed(s, "INBOX", (struct worker_report){ 0 });
	assert_true(account_poll_now(s->account, &why)); /* ends a back-off */
	give_turns(s);
	assert_trail(s, "poll INBOX\n");
	done(s, "INBOX");
}

static void
test_try_again(void **state)
{
	struct stage *s = *state;

	folder(s, "INBOX");
	begin(s);
	failed(s, "INBOX", (struct worker_report){ 0 });
	account_try_again(s->account);
	give_turns(s);
	assert_trail(s, "poll INBOX\npoll INBOX\n");
	done(s, "INBOX");
	account_try_again(s->account); /* does well: nothing to mend */
	give_turns(s);
	assert_trail(s, "");
}

/* --- folders that are looked for */

static void
lists(const char *name)
{
	const struct source_folder f = { span_str(name), 0 };

	fake_source.source.events->folder(fake_source.source.arg, &f);
}

static void
listed(struct stage *s)
{
	fake_source.source.events->foldered(fake_source.source.arg, NULL);
	give_turns(s);
}

/* A new look each hour; what is gone goes when it has ended. */
/* The login is refused until somebody signs in; then there is no waiting. */
static void
test_sign_in(void **state)
{
	struct stage *s = *state;
	struct worker_report r = { .fault.login = true, .fault.sign_in = true };

	folder(s, "INBOX");
	begin(s);
	s->signed_out = true;
	assert_string_equal(shown(s), "polling");
	failed(s, "INBOX", r);
	assert_string_equal(shown(s), "sign-in");
	pass(s, INTERVAL);
	assert_trail(s, "poll INBOX\n");
	s->signed_out = false;
	account_signed_in(s->account);
	give_turns(s);
	assert_trail(s, "poll INBOX\n");
	done(s, "INBOX");
	account_signed_in(s->account); /* does well: nothing to do */
	give_turns(s);
	assert_trail(s, "");
	account_pause(s->account);
	s->signed_out = true;
	assert_string_equal(shown(s), "paused");
	account_signed_in(s->account);
	give_turns(s);
	assert_trail(s, "");
}

static void
test_finds(void **state)
{
	struct stage *s = *state;
	struct view_account v;

	folder(s, "*");
	begin(s);
	fake_source.source.events->ready(fake_source.source.arg);
	lists("A");
	lists("B");
	listed(s);
	assert_trail(s, "open\nfolders *\npoll A in the session\n");
	fake_source.open = false;
	done(s, "A");
	done(s, "B");
	account_view(s->account, &v);
	assert_int_equal(v.nmailboxes, 2);
	pass(s, INTERVAL + JITTER);
	assert_trail(s, "poll B\npoll A\n");
	done(s, "A");
	done(s, "B");
	pass(s, 3600);
	assert_trail(s, "poll B\nopen\n");
	fake_source.source.events->ready(fake_source.source.arg);
	lists("B");
	lists("C");
	listed(s);
	assert_trail(s, "folders *\nfree A\npoll B in the session\n");
	fake_source.open = false;
	done(s, "B");
	done(s, "C");
	assert_trail(s, "poll C\n");
}

/* Nothing is known of the folders: the account fails. */
static void
test_cannot_find(void **state)
{
	struct stage *s = *state;
	struct fault f;

	folder(s, "*");
	begin(s);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "login", "no");
	fake_source.source.events->down(fake_source.source.arg, &f);
	assert_trail(s, "open\nclose\n");
	assert_string_equal(shown(s), "failing");
	assert_int_equal(s->polled, 1);
	pass(s, INTERVAL + JITTER);
	assert_trail(s, "open\n");
	account_stop(s->account); /* in the middle of it */
	assert_trail(s, "close\n");
	assert_true(s->quiet > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_round),
		TEST(test_nothing_left),
		TEST(test_once),
		TEST(test_backs_off),
		TEST(test_one_mailbox_fails),
		TEST(test_account_fails),
		TEST(test_remembers),
		TEST(test_asks),
		TEST(test_answered),
		TEST(test_login_delay),
		TEST(test_watch),
		TEST(test_watch_without_room),
		TEST(test_watch_ends),
		TEST(test_watch_refused),
		TEST(test_few_connections),
		TEST(test_pause),
		TEST(test_paused_before),
		TEST(test_poll_now),
		TEST(test_try_again),
		TEST(test_sign_in),
		TEST(test_finds),
		TEST(test_cannot_find),
	};

	return cmocka_run_group_tests_name("account", tests, NULL, NULL);
}
