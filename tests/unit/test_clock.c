/* SPDX-License-Identifier: ISC */
/* What is removed by its age, and a clock that is set. */
#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

#include "store_fixture.h"

#define HOUR (int64_t)3600
#define DAY (24 * HOUR)
#define START (int64_t)1700000000

static int64_t wall, boot;

/* In front of those of libc. */
time_t
time(time_t *t)
{
	if (t != NULL)
		*t = (time_t)wall;
	return (time_t)wall;
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	(void)clock;
	*ts = (struct timespec){ .tv_sec = (time_t)boot };
	return 0;
}

static void
pass(int64_t seconds)
{
	wall += seconds;
	boot += seconds;
}

static int
set_up(void **state)
{
	static struct world w;

	wall = START;
	boot = 1000;
	world_init(&w);
	world_open(&w);
	*state = &w;
	return 0;
}

static int
tear_down(void **state)
{
	world_free(*state);
	return 0;
}

static void
relay(struct world *w, size_t item)
{
	static const unsigned char bytes[32] = { 7 };
	struct store_attempt attempt = { .now = wall,
		.attempt = 1,
		.fingerprint = bytes,
		.hash = bytes,
		.trace = "T" };
	int64_t id = w->a.items[item].id;

	store_in_doubt(w->store, id, &attempt, world_done(w));
	assert_true(world_wait(w)->ok);
	store_relayed(w->store, id,
	    &(struct store_success){ .now = wall, .reply = "250" },
	    world_done(w));
	assert_true(world_wait(w)->ok);
}

static const char *const home[] = { "home" };
static const char *const both[] = { "home", "second" };

static struct store_listing policy = { .complete = true,
	.list_from = 1,
	.remove_after = (uint64_t)(30 * DAY),
	.destinations = home,
	.ndestinations = 1 };

static uint64_t
removing(struct world *w)
{
	world_list_for(w, &policy, UIDS("before", "x"));
	assert_true(world_end(w, &policy)->ok);
	return w->a.removing;
}

/* A message that was there before, and one that is relayed now. */
static void
one_relayed(struct world *w)
{
	assert_true(world_poll(w, UIDS("before"))->ok);
	assert_int_equal(removing(w), 0);
	assert_int_equal(world_work(w, wall, 0, 10)->nitems, 1);
	relay(w, 0);
}

/* Daily polls; a machine that is on. */
static void
days(struct world *w, int n)
{
	for (int i = 0; i < n; i++) {
		assert_int_equal(removing(w), 0);
		pass(DAY);
	}
}

static void
restart(struct world *w)
{
	world_close(w);
	world_open(w);
}

static void
removed_when_old_enough(void **state)
{
	struct world *w = *state;

	one_relayed(w);
	days(w, 30);
	pass(-1);
	assert_int_equal(removing(w), 0);
	pass(1);
	assert_int_equal(removing(w), 1);
	assert_int_equal(world_removals(w)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "x");
}

static void
not_before_all_have_it(void **state)
{
	struct world *w = *state;

	policy.destinations = both;
	policy.ndestinations = 2;
	assert_true(world_poll(w, UIDS("before"))->ok);
	assert_int_equal(removing(w), 0);
	assert_int_equal(world_work(w, wall, 0, 10)->nitems, 2);
	relay(w, 0);
	days(w, 31);
	assert_int_equal(world_work(w, wall, 0, 10)->nitems, 1);
	relay(w, 0);
	days(w, 30);
	assert_int_equal(removing(w), 2);
	policy.destinations = home;
	policy.ndestinations = 1;
}

/* D10, while it runs: +10 years, and back again. */
static void
clock_set_ahead(void **state)
{
	struct world *w = *state;

	one_relayed(w);
	days(w, 2);
	wall += 3650 * DAY;
	days(w, 2);
	restart(w);
	days(w, 20);
	wall -= 3650 * DAY;
	days(w, 30);
	assert_int_equal(removing(w), 1);
}

/* D10: while nothing ran.  Time since boot says nothing then. */
static void
clock_set_between_runs(void **state)
{
	struct world *w = *state;

	one_relayed(w);
	days(w, 2);
	world_close(w);
	wall += 3650 * DAY;
	boot = 5;
	world_open(w);
	days(w, 29);
	restart(w);
	days(w, 1);
	assert_int_equal(removing(w), 1);
}

static void
clock_set_back(void **state)
{
	struct world *w = *state;

	one_relayed(w);
	days(w, 25);
	world_close(w);
	wall -= DAY + 2 * HOUR;
	world_open(w);
	days(w, 30);
	assert_int_equal(removing(w), 1);
}

/* Off for a weekend is no jump; for two weeks it might be one. */
static void
machine_was_off(void **state)
{
	struct world *w = *state;

	one_relayed(w);
	days(w, 24);
	world_close(w);
	pass(5 * DAY);
	boot = 5;
	world_open(w);
	days(w, 1);
	assert_int_equal(removing(w), 1);
}

static void
machine_was_off_for_long(void **state)
{
	struct world *w = *state;

	one_relayed(w);
	world_close(w);
	pass(60 * DAY);
	boot = 5;
	world_open(w);
	days(w, 30);
	assert_int_equal(removing(w), 1);
}

/* Refused for now by a clock of ten years ahead: not left alone for as long. */
static void
next_try_in_a_time_to_come(void **state)
{
	struct world *w = *state;
	struct store_refusal later = {
		.state = STORE_DEFERRED, .counted = true, .reply = "451"
	};

	assert_true(world_poll(w, UIDS("before"))->ok);
	assert_int_equal(removing(w), 0);
	wall += 3650 * DAY;
	assert_int_equal(removing(w), 0);
	assert_int_equal(world_work(w, wall, 0, 10)->nitems, 1);
	later.now = wall;
	later.next_try = wall + HOUR;
	store_refused(w->store, w->a.items[0].id, &later, world_done(w));
	assert_true(world_wait(w)->ok);
	assert_int_equal(world_work(w, wall, 0, 10)->nitems, 0);
	wall -= 3650 * DAY;
	assert_int_equal(removing(w), 0);
	assert_int_equal(world_work(w, wall, 0, 10)->nitems, 1);
	assert_true(w->a.items[0].first_refusal == wall);
	/* The next one is left alone as it should be, and counts from there. */
	later.now = wall;
	later.next_try = wall + HOUR;
	store_refused(w->store, w->a.items[0].id, &later, world_done(w));
	assert_true(world_wait(w)->ok);
	pass(HOUR - 1);
	assert_int_equal(removing(w), 0);
	assert_int_equal(world_work(w, wall, 0, 10)->nitems, 0);
	pass(1);
	assert_int_equal(world_work(w, wall, 0, 10)->nitems, 1);
	/* Not given up because the clock leapt. */
	wall += 3650 * DAY;
	assert_int_equal(removing(w), 0);
	assert_int_equal(world_work(w, wall, 0, 10)->nitems, 1);
	assert_true(w->a.items[0].first_refusal == wall);
	assert_int_equal(w->a.items[0].refusals, 2);
}

/* NTP's steps are none. */
static void
small_steps(void **state)
{
	struct world *w = *state;

	one_relayed(w);
	for (int i = 0; i < 30; i++) {
		assert_int_equal(removing(w), 0);
		pass(DAY);
		wall += i % 2 == 0 ? 600 : -600;
	}
	assert_int_equal(removing(w), 1);
}

static void
seen_once_a_day_at_most(void **state)
{
	struct world *w = *state;

	one_relayed(w);
	assert_int_equal(removing(w), 0);
	disk_syncs = 0;
	for (int i = 0; i < 20; i++) {
		pass(HOUR);
		assert_int_equal(removing(w), 0);
	}
	assert_int_equal(disk_syncs, 0);
	pass(5 * HOUR);
	assert_int_equal(removing(w), 0);
	assert_int_equal(disk_syncs, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(removed_when_old_enough),
		TEST(not_before_all_have_it),
		TEST(clock_set_ahead),
		TEST(clock_set_between_runs),
		TEST(clock_set_back),
		TEST(machine_was_off),
		TEST(machine_was_off_for_long),
		TEST(next_try_in_a_time_to_come),
		TEST(small_steps),
		TEST(seen_once_a_day_at_most),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
