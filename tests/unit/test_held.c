/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

#define LATER (1 << 30)

static int
set_up(void **state)
{
	static struct world w;

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

static const struct store_choice anything;

static const struct store_answer *
held(struct world *w, const struct store_choice *c)
{
	store_held_list(w->store, c, 0, 100, world_done(w));
	return world_wait(w);
}

static uint64_t
release(struct world *w, const struct store_choice *c)
{
	store_held_release(w->store, c, 700, world_done(w));
	assert_true(world_wait(w)->ok);
	return w->a.decided;
}

static uint64_t
drop(struct world *w, const struct store_choice *c)
{
	store_held_drop(w->store, c, 700, world_done(w));
	assert_true(world_wait(w)->ok);
	return w->a.decided;
}

/* Tried and refused for good. */
static int64_t
one_held(struct world *w)
{
	int64_t id = world_one_new(w);

	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_refused(w, id, STORE_HELD, 0)->ok);
	return id;
}

/* Refused as it is: from then on it goes out enclosed, also after a restart,
 * until a person releases it. */
static void
wrapped_is_remembered(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);
	struct store_refusal r = {
		.state = STORE_DEFERRED, .now = 600, .wrap = true, .reply = ""
	};

	assert_true(world_in_doubt(w, id)->ok);
	store_refused(w->store, id, &r, world_done(w));
	assert_true(world_wait(w)->ok);
	world_close(w);
	world_open(w);
	world_poll(w, UIDS("x"));
	assert_int_equal(world_work(w, LATER, 0, 10)->nitems, 1);
	assert_true(w->a.items[0].wrapped);
	/* Another refusal does not forget it. */
	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_refused(w, id, STORE_DEFERRED, 0)->ok);
	assert_int_equal(world_work(w, LATER, 0, 10)->nitems, 1);
	assert_true(w->a.items[0].wrapped);
	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_refused(w, id, STORE_HELD, 0)->ok);
	assert_int_equal(release(w, &anything), 1);
	assert_int_equal(world_work(w, LATER, 0, 10)->nitems, 1);
	assert_false(w->a.items[0].wrapped);
}

static void
held_is_listed(void **state)
{
	struct world *w = *state;
	int64_t id;

	assert_int_equal(held(w, &anything)->nrows, 0);
	id = one_held(w);
	assert_int_equal(held(w, &anything)->nrows, 1);
	assert_int_equal(w->a.rows[0].id, id);
	assert_string_equal(w->a.rows[0].account, "a");
	assert_string_equal(w->a.rows[0].folder, "INBOX");
	assert_string_equal(w->a.rows[0].uid, "x");
	assert_string_equal(w->a.rows[0].destination, "home");
	assert_string_equal(w->a.rows[0].trace, "TRACE");
	assert_int_equal(w->a.rows[0].attempt, 1);
	assert_int_equal(w->a.rows[0].size, 5);
	assert_false(w->a.rows[0].doubt);
	assert_true(w->a.rows[0].reply[0] != '\0');
	assert_true(w->a.rows[0].first_seen > 0);
}

static void
choices(void **state)
{
	const struct store_choice trace = { .trace = "TRACE" };
	const struct store_choice other = { .trace = "OTHER" };
	const struct store_choice mine = { .account = "a" };
	const struct store_choice yours = { .account = "b" };
	const struct store_choice both = { .account = "b", .trace = "TRACE" };
	struct world *w = *state;
	struct store_choice number = { .id = one_held(w) };

	assert_int_equal(held(w, &trace)->nrows, 1);
	assert_int_equal(held(w, &mine)->nrows, 1);
	assert_int_equal(held(w, &number)->nrows, 1);
	assert_int_equal(held(w, &other)->nrows, 0);
	assert_int_equal(held(w, &yours)->nrows, 0);
	assert_int_equal(held(w, &both)->nrows, 0);
	number.id++;
	assert_int_equal(held(w, &number)->nrows, 0);
	assert_int_equal(release(w, &both), 0);
	assert_int_equal(drop(w, &number), 0);
	assert_int_equal(held(w, &anything)->nrows, 1);
}

/* Page by page, every row once. */
static void
pages(void **state)
{
	struct world *w = *state;
	int64_t after = 0;
	size_t n = 0;

	world_poll(w, NOTHING);
	world_poll(w, UIDS("u", "v", "w", "x", "y"));
	for (int64_t id = 1; id <= 5; id++)
		assert_true(world_refused(w, id, STORE_HELD, 0)->ok);
	do {
		store_held_list(w->store, &anything, after, 2, world_done(w));
		assert_true(world_wait(w)->nrows <= 2);
		n += w->a.nrows;
		for (size_t i = 0; i < w->a.nrows; i++) {
			assert_true(w->a.rows[i].id > after);
			after = w->a.rows[i].id;
		}
	} while (w->a.nrows == 2);
	assert_int_equal(n, 5);
}

static void
released_is_tried_again(void **state)
{
	struct world *w = *state;
	struct store_choice c = { .id = one_held(w) };

	assert_int_equal(release(w, &c), 1);
	assert_int_equal(release(w, &c), 0); /* it is held no more */
	assert_int_equal(held(w, &anything)->nrows, 0);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].state, STORE_DEFERRED);
	assert_int_equal(w->a.items[0].attempt, 1);
	assert_false(w->a.items[0].doubt);
	assert_string_equal(w->a.items[0].trace, "TRACE");
}

static void
released_untried_is_new(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	world_refused(w, id, STORE_HELD, 0);
	assert_int_equal(release(w, &anything), 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].state, STORE_NEW);
}

/* R4 through a decision: whatever happens to the copy that was released, its
 * doubt stays; a refusal for now does not ask the person again, a lost reply
 * does. */
static void
released_keeps_its_doubt(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	world_in_doubt(w, id);
	world_work(w, LATER, 0, 10); /* no reply came */
	world_refused(w, id, STORE_HELD, 0);
	assert_true(held(w, &anything)->rows[0].doubt);
	release(w, &anything);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(world_work(w, LATER, 0, 10)->nitems, 1);
		assert_int_equal(w->a.items[0].state, STORE_DEFERRED);
		assert_true(w->a.items[0].doubt);
		world_in_doubt(w, id);
		world_refused(w, id, STORE_DEFERRED, 0);
	}
	world_refused(w, id, STORE_DEFERRED, 0); /* refused before the claim */
	assert_int_equal(world_work(w, LATER, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].state, STORE_DEFERRED);
	assert_true(w->a.items[0].doubt);
	world_in_doubt(w, id);
	world_work(w, LATER, 0, 10);
	assert_int_equal(w->a.items[0].state, STORE_IN_DOUBT);
	assert_true(w->a.items[0].doubt);
}

/* Neither relayed nor removed, though another destination has it. */
static void
dropped_is_left_alone(void **state)
{
	static const char *const two[] = { "home", "archive" };
	static const struct store_listing both = { .complete = true,
		.list_from = 1,
		.relay_all = true,
		.destinations = two,
		.ndestinations = 2 };
	struct world *w = *state;
	int64_t id[2];

	world_list(w, UIDS("x"));
	world_end(w, &both);
	world_work(w, 1, 0, 10);
	id[0] = w->a.items[0].id;
	id[1] = w->a.items[1].id;
	world_refused(w, id[0], STORE_HELD, 0);
	assert_int_equal(drop(w, &anything), 1);
	world_in_doubt(w, id[1]);
	assert_false(world_relayed(w, id[1], true)->complete);
	for (int i = 0; i < 3; i++) {
		world_list(w, UIDS("x"));
		assert_int_equal(world_end(w, &both)->waiting, 0);
		assert_int_equal(w->a.added, 0);
		assert_int_equal(w->a.held, 0);
		assert_int_equal(world_removals(w)->nitems, 0);
	}
	assert_int_equal(release(w, &anything), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(held_is_listed),
		TEST(wrapped_is_remembered),
		TEST(choices),
		TEST(pages),
		TEST(released_is_tried_again),
		TEST(released_untried_is_new),
		TEST(released_keeps_its_doubt),
		TEST(dropped_is_left_alone),
	};

	return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
