/* SPDX-License-Identifier: ISC */
/*
 * A POP3 listing of messages that have their records: they are looked up as
 * they come, and whatever needs something is found all the same.
 */
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const two[] = { "home", "archive" };
static const struct store_listing pop3_two = { .complete = true,
	.list_from = 1,
	.destinations = two,
	.ndestinations = 2 };
static const char *const home[] = { "home" };

static int
setup(void **state)
{
	static struct world w;

	world_init(&w);
	world_open(&w);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	world_free(*state);
	return 0;
}

static void
relay(struct world *w, int64_t id)
{
	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_relayed(w, id, false)->ok);
}

static void
test_counts(void **state)
{
	struct world *w = *state;

	assert_int_equal(world_poll(w, UIDS("a", "b", "c"))->known, 3);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(
		    world_poll(w, UIDS("a", "b", "c", "d"))->listed, 4);
		assert_int_equal(w->a.added, i == 0);
		assert_int_equal(w->a.waiting, 1);
		assert_int_equal(w->a.gone, 0);
	}
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].number, 4);
}

/* What is not listed among them is missed, and gone the second time. */
static void
test_absent(void **state)
{
	struct world *w = *state;

	world_poll(w, UIDS("a", "b", "c"));
	assert_int_equal(world_poll(w, UIDS("a", "c"))->gone, 0);
	assert_int_equal(world_poll(w, UIDS("a", "b"))->gone, 0);
	assert_int_equal(world_poll(w, UIDS("a", "b"))->gone, 1);
	world_close(w);
	assert_int_equal(
	    world_number(w, "SELECT count(*) FROM delivery"
			    " WHERE state = 'known' AND missed = 0"
			    " AND CAST(uid AS TEXT) IN ('a', 'b')"),
	    2);
}

/* One comes back as another one goes: as many are listed as there are rows. */
static void
test_absent_and_back(void **state)
{
	struct world *w = *state;

	world_poll(w, UIDS("a", "b", "x"));
	world_poll(w, UIDS("a", "b"));
	assert_int_equal(world_poll(w, UIDS("a", "b"))->gone, 1);
	world_poll(w, UIDS("a", "x"));
	world_close(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"
					 " WHERE missed = 1"
					 " AND CAST(uid AS TEXT) = 'b'"),
	    1);
}

/* The first of them has its record; the others are new, and stay told apart. */
static void
test_listed_twice(void **state)
{
	struct world *w = *state;

	world_poll(w, UIDS("a"));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    world_poll(w, UIDS("a", "a", "a"))->added, i == 0 ? 2 : 0);
		assert_int_equal(w->a.listed, 3);
		assert_int_equal(w->a.gone, 0);
	}
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 2);
	assert_int_equal(w->a.items[0].number, 2);
	assert_int_equal(w->a.items[0].duplicate, 1);
	assert_int_equal(w->a.items[1].number, 3);
	assert_int_equal(w->a.items[1].duplicate, 2);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    world_poll(w, UIDS("a"))->gone, i == 0 ? 0 : 2);
}

/* One of its rows needs nothing, the other waits. */
static void
test_two_destinations(void **state)
{
	struct world *w = *state;
	int64_t done;

	world_poll(w, NOTHING);
	world_list(w, UIDS("k", "x"));
	assert_int_equal(world_end(w, &pop3_two)->added, 2);
	done = world_work(w, 1, 1, 10)->items[0].id;
	relay(w, done);
	for (int i = 0; i < 2; i++) {
		world_list(w, UIDS("k", "x"));
		assert_int_equal(world_end(w, &pop3_two)->listed, 2);
		assert_int_equal(w->a.waiting, 3);
		assert_int_equal(world_work(w, 1, 1, 10)->nitems, 1);
		assert_int_equal(w->a.items[0].number, 2);
		assert_int_not_equal(w->a.items[0].id, done);
	}
	relay(w, w->a.items[0].id);
	/* Now both are quiet: one message, and no row is missed. */
	for (int i = 0; i < 3; i++) {
		world_list(w, UIDS("x"));
		world_end(w, &pop3_two);
		assert_int_equal(w->a.listed, 1);
		assert_int_equal(w->a.gone, i == 1 ? 2 : 0);
	}
}

/* More than are looked at one by one. */
static void
test_many_destinations(void **state)
{
	struct world *w = *state;
	char names[20][16];
	const char *list[20];
	struct store_listing l = world_pop3;

	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "d%d", i);
		list[i] = names[i];
	}
	l.destinations = list;
	l.ndestinations = 20;
	world_poll(w, NOTHING);
	world_list(w, UIDS("x"));
	assert_int_equal(world_end(w, &l)->waiting, 20);
	world_work(w, 1, 0, 100);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(world_work(w, 1, 0, 100)->nitems, 20 - i);
		relay(w, w->a.items[0].id);
	}
	for (int i = 0; i < 3; i++) {
		world_list(w, UIDS("x"));
		assert_int_equal(world_end(w, &l)->listed, 1);
		assert_int_equal(w->a.added + w->a.gone + w->a.waiting, 0);
	}
}

/* What its age removes is removed in the session that finds it out: its number
 * is known. */
static void
test_expired(void **state)
{
	struct world *w = *state;
	struct store_listing expiring = world_pop3;
	int64_t id;

	world_poll(w, UIDS("k"));
	world_poll(w, UIDS("k", "x"));
	id = world_work(w, 1, 0, 10)->items[0].id;
	relay(w, id);
	world_close(w);
	world_sql(w,
	    "UPDATE delivery SET first_seen = 1, changed = 1"
	    " WHERE state = 'relayed';"
	    "UPDATE meta SET clock_seen = unixepoch(), clock_since = 0");
	world_open(w);
	expiring.remove_after = 60;
	world_list_for(w, &expiring, UIDS("k", "x"));
	assert_int_equal(world_end(w, &expiring)->removing, 1);
	assert_int_equal(w->a.listed, 2);
	assert_int_equal(world_removals(w)->nitems, 1);
	assert_int_equal(w->a.items[0].id, id);
	assert_int_equal(w->a.items[0].number, 2);
}

/* A removal that did not come about is asked for again, by today's number. */
static void
test_removed_later(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_relayed(w, id, true)->ok);
	world_poll(w, UIDS("y", "x"));
	assert_int_equal(w->a.removing, 1);
	assert_int_equal(world_removals(w)->nitems, 1);
	assert_int_equal(w->a.items[0].number, 2);
}

/* UIDs that look like UIDLs on record are nothing of the kind; who takes them
 * for that is out of step. */
static void
test_becomes_imap(void **state)
{
	struct world *w = *state;
	struct store_listing imap = { .imap = true,
		.complete = true,
		.generation = 9,
		.list_from = 1,
		.destinations = home,
		.ndestinations = 1 };

	world_poll(w, UIDS("1", "2", "07"));
	world_list(w, UIDS("2", "1"));
	assert_refused(
	    world_end(w, &imap), FAULT_US, FAULT_NEVER, "not begun so");
	world_list_for(w, &imap, UIDS("2", "1"));
	assert_int_equal(world_end(w, &imap)->listed, 2);
	world_close(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"
					 " WHERE generation = 9"
					 " AND typeof(uid) = 'integer'"),
	    2);
}

/* Two mailboxes at a time do not see each other's. */
static void
test_two_mailboxes(void **state)
{
	struct world *w = *state;
	int64_t first = w->mailbox, second;

	world_poll(w, UIDS("a", "b"));
	world_mailbox(w, "other", "u2", "h");
	second = w->mailbox;
	world_poll(w, UIDS("a", "b"));
	world_list(w, UIDS("a", "b"));
	w->mailbox = first;
	world_list(w, UIDS("b"));
	assert_int_equal(world_end(w, &world_pop3)->listed, 1);
	w->mailbox = second;
	assert_int_equal(world_end(w, &world_pop3)->listed, 2);
	world_close(w);
	assert_int_equal(
	    world_number(w, "SELECT sum(missed) FROM delivery"), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counts),
		TEST(test_absent),
		TEST(test_absent_and_back),
		TEST(test_listed_twice),
		TEST(test_two_destinations),
		TEST(test_many_destinations),
		TEST(test_expired),
		TEST(test_removed_later),
		TEST(test_becomes_imap),
		TEST(test_two_mailboxes),
	};

	return cmocka_run_group_tests_name("listed", tests, NULL, NULL);
}
