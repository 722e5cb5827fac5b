/* SPDX-License-Identifier: ISC */
/* How the mailboxes stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/request.h"
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
summary(struct world *w, int64_t after, size_t limit)
{
	store_summary(w->store, after, limit, world_done(w));
	assert_true(world_wait(w)->ok);
	return &w->a;
}

static void
every_state_has_its_count(void **state)
{
	struct world *w = *state;
	int64_t ids[5];
	const struct store_summary *s;

	world_poll(w, UIDS("before"));
	world_poll(w, UIDS("before", "1", "2", "3", "4", "5"));
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 5);
	for (size_t i = 0; i < 5; i++)
		ids[i] = w->a.items[i].id;
	assert_true(world_in_doubt(w, ids[0])->ok);
	assert_true(world_refused(w, ids[1], STORE_HELD, 0)->ok);
	assert_true(world_refused(w, ids[2], STORE_DEFERRED, 900)->ok);
	assert_true(world_in_doubt(w, ids[3])->ok);
	assert_true(world_relayed(w, ids[3], true)->ok);
	world_close(w);
	world_sql(w, "UPDATE delivery SET first_seen = 70 WHERE uid = x'33'");
	world_open(w);
	assert_int_equal(summary(w, 0, 10)->nsummary, 1);
	s = w->a.summary;
	assert_int_equal(s->mailbox, w->mailbox);
	assert_string_equal(s->account, "a");
	assert_string_equal(s->folder, "INBOX");
	assert_int_equal(s->waiting, 2);
	assert_int_equal(s->in_doubt, 1);
	assert_int_equal(s->held, 1);
	assert_int_equal(s->removing, 1);
	assert_int_equal(s->oldest, 70);
}

static void
in_pages(void **state)
{
	struct world *w = *state;

	world_mailbox(w, "b", "u2", "h");
	world_mailbox(w, "c", "u3", "h");
	assert_int_equal(summary(w, 0, 2)->nsummary, 2);
	assert_string_equal(w->a.summary[1].account, "b");
	assert_int_equal(w->a.summary[1].waiting, 0);
	assert_int_equal(w->a.summary[1].oldest, 0);
	assert_int_equal(summary(w, w->a.summary[1].mailbox, 2)->nsummary, 1);
	assert_string_equal(w->a.summary[0].account, "c");
	assert_int_equal(summary(w, w->a.summary[0].mailbox, 2)->nsummary, 0);
}

/* What was relayed is not walked over, however much it is. */
static void
by_the_partial_indexes(void **state)
{
	static const char *const wanted[] = {
		"SEARCH delivery USING INDEX delivery_pending (mailbox=?)",
		"SEARCH delivery USING INDEX delivery_held"
		" (mailbox=?)",
		"SEARCH delivery USING INDEX delivery_removing"
		" (mailbox=?)",
	};
	struct world *w = *state;
	char file[128];
	sqlite3 *sql;

	world_close(w);
	snprintf(file, sizeof(file), "%s/state.db", w->path);
	assert_int_equal(sqlite3_open(file, &sql), SQLITE_OK);
	for (size_t i = 0; i < 3; i++) {
		char text[512];
		sqlite3_stmt *stmt;

		snprintf(text, sizeof(text), "EXPLAIN QUERY PLAN %s",
		    summary_sql[i]);
		assert_int_equal(
		    sqlite3_prepare_v2(sql, text, -1, &stmt, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
		assert_string_equal(
		    (const char *)sqlite3_column_text(stmt, 3), wanted[i]);
		assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
		sqlite3_finalize(stmt);
	}
	assert_int_equal(sqlite3_close(sql), SQLITE_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_state_has_its_count),
		TEST(in_pages),
		TEST(by_the_partial_indexes),
	};

	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
