/* SPDX-License-Identifier: ISC */
/* What became of messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

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

static const struct store_answer *
history(struct world *w, const char *account, int64_t before, size_t limit)
{
	store_history(w->store, account, before, limit, world_done(w));
	assert_true(world_wait(w)->ok);
	return &w->a;
}

static void
relayed_and_held(void **state)
{
	struct world *w = *state;
	const struct store_past *p;
	int64_t id = world_one_new(w);

	assert_true(world_in_doubt(w, id)->ok);
	assert_int_equal(history(w, NULL, 0, 9)->npast, 0);
	disk_syncs = 0;
	assert_true(world_relayed(w, id, false)->ok);
	assert_int_equal(disk_syncs, 1); /* the record's own */
	world_poll(w, UIDS("x", "y", "z"));
	world_work(w, 1, 0, 9);
	assert_int_equal(w->a.nitems, 2);
	id = w->a.items[1].id;
	assert_true(
	    world_refused(w, w->a.items[0].id, STORE_DEFERRED, 400)->ok);
	assert_true(world_refused(w, id, STORE_HELD, 0)->ok);
	assert_int_equal(history(w, NULL, 0, 9)->npast, 2);
	p = w->a.past;
	assert_string_equal(p->uid, "z");
	assert_int_equal(p->state, STORE_HELD);
	assert_int_equal(p->at, 300);
	assert_string_equal(p->reply, "451 later");
	p++;
	assert_string_equal(p->account, "a");
	assert_string_equal(p->folder, "INBOX");
	assert_string_equal(p->uid, "x");
	assert_string_equal(p->destination, "home");
	assert_int_equal(p->state, STORE_RELAYED);
	assert_int_equal(p->at, 200);
	assert_int_equal(p->size, 5);
	assert_int_equal(p->usec, 1500000);
	assert_int_equal(p->attempt, 1);
	assert_false(p->duplicate);
	assert_string_equal(p->trace, "TRACE");
	assert_string_equal(p->reply, "250 queued");
}

static void
second_copy_says_so(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	assert_true(world_in_doubt(w, id)->ok);
	world_close(w);
	world_sql(w, "UPDATE delivery SET doubt = 1, attempt = 2");
	world_open(w);
	assert_true(world_relayed(w, id, false)->ok);
	assert_int_equal(history(w, NULL, 0, 9)->npast, 1);
	assert_true(w->a.past->duplicate);
	assert_int_equal(w->a.past->attempt, 2);
}

/* So much for one account, and less for another. */
static void
fill(struct world *w, int n, int m)
{
	char sql[512];

	world_mailbox(w, "b", "u2", "h");
	world_close(w);
	snprintf(sql, sizeof(sql),
	    "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
	    "  WHERE i < %d)"
	    "INSERT INTO history (at, account, mailbox, uid, destination, size,"
	    " usec, attempt, duplicate, state, trace, reply) SELECT 1000 + i,"
	    " iif(i > %d, 2, 1), iif(i > %d, 2, 1), i, 'home', 1, 1, 1, 0,"
	    " 'relayed', '', '' FROM n",
	    n + m, n, n);
	world_sql(w, sql);
	world_open(w);
}

static void
in_pages_of_one_account_or_all(void **state)
{
	struct world *w = *state;

	fill(w, 5, 3);
	assert_int_equal(history(w, NULL, 0, 4)->npast, 4);
	assert_int_equal(w->a.past[0].id, 8);
	assert_string_equal(w->a.past[3].account, "a");
	assert_int_equal(history(w, NULL, w->a.past[3].id, 9)->npast, 4);
	assert_int_equal(history(w, "a", 0, 2)->npast, 2);
	assert_int_equal(w->a.past[0].id, 5);
	assert_int_equal(history(w, "a", 4, 9)->npast, 3);
	assert_int_equal(history(w, "b", 0, 9)->npast, 3);
	assert_int_equal(history(w, "nobody", 0, 9)->npast, 0);
}

static int64_t
rows(struct world *w)
{
	int64_t n;

	world_close(w);
	n = world_number(w, "SELECT count(*) FROM history");
	world_open(w);
	return n;
}

/* Until a step found less than it might. */
static void
prune(struct world *w, int64_t keep, int64_t now)
{
	int64_t before, after = -1;

	store_history_prune(w->store, keep, now);
	do {
		before = after;
		history(w, NULL, 0, 9999);
		after = (int64_t)w->a.npast;
	} while (after != before);
}

static void
old_rows_are_forgotten(void **state)
{
	struct world *w = *state;

	fill(w, 3500, 10);
	prune(w, 100, 1000 + 3400);
	assert_int_equal(rows(w), 100 + 1); /* those of the future go last */
	assert_int_equal(history(w, NULL, 0, 999)->past[0].at, 4400);
}

/* A clock that was ten years ahead. */
static void
rows_of_the_future_go(void **state)
{
	struct world *w = *state;

	fill(w, 5, 0);
	prune(w, 1000, 1000);
	assert_int_equal(rows(w), 0);
}

static void
none_are_kept(void **state)
{
	struct world *w = *state;
	int64_t id;

	fill(w, 5, 1);
	prune(w, 0, 500);
	assert_int_equal(history(w, NULL, 0, 9)->npast, 0);
	world_mailbox(w, "a", "u", "h");
	id = world_one_new(w);
	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_relayed(w, id, false)->ok);
	assert_int_equal(history(w, NULL, 0, 9)->npast, 0);
	prune(w, 3600, 500);
	world_poll(w, UIDS("x", "y"));
	id = world_work(w, 1, 0, 9)->items[0].id;
	assert_true(world_refused(w, id, STORE_HELD, 0)->ok);
	assert_int_equal(history(w, NULL, 0, 9)->npast, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(relayed_and_held),
		TEST(second_copy_says_so),
		TEST(in_pages_of_one_account_or_all),
		TEST(old_rows_are_forgotten),
		TEST(rows_of_the_future_go),
		TEST(none_are_kept),
	};

	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
