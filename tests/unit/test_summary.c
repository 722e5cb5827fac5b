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

/* --- what a poll would find, without recording it */

static const struct store_answer *
peek(struct world *w, const char *user)
{
	const struct store_account account = { "a", user, "h" };

	store_peek(w->store, &account, "INBOX", world_done(w));
	return world_wait(w);
}

static const struct store_answer *
compare(
    struct world *w, bool imap, uint64_t generation, const char *const *uids)
{
	const struct store_listing l = { .imap = imap,
		.generation = generation };
	struct store_entry entries[8];
	size_t n = 0;

	for (; uids[n] != NULL; n++)
		entries[n] = (struct store_entry){ .uid = span_str(uids[n]) };
	store_compare(w->store, w->mailbox, &l, entries, n, world_done(w));
	return world_wait(w);
}

static void
a_look_records_nothing(void **state)
{
	struct world *w = *state;
	char *before, *after;
	const struct store_answer *a;

	world_poll(w, UIDS("before"));
	world_poll(w, UIDS("before", "1", "2"));
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 2);
	assert_true(world_refused(w, w->a.items[0].id, STORE_HELD, 0)->ok);
	world_close(w);
	before = world_dump(w);
	world_open(w);
	a = compare(w, false, 0, UIDS("before", "1", "2", "3", "4"));
	assert_true(a->ok);
	assert_int_equal(a->added, 2);
	assert_int_equal(a->waiting, 1);
	a = compare(w, false, 0, NOTHING);
	assert_true(a->ok && a->added == 0 && a->waiting == 0);
	a = peek(w, "somebody else");
	assert_true(a->ok && a->mailbox == 0);
	a = peek(w, "u");
	assert_true(a->ok && a->mailbox == w->mailbox && a->baseline);
	world_close(w);
	after = world_dump(w);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void
a_mark_stands_for_rows(void **state)
{
	struct world *w = *state;
	const struct store_answer *a;

	world_close(w);
	world_sql(w, "UPDATE mailbox SET generation = 7, highwater = 40,"
		     " baseline = 1");
	world_open(w);
	a = compare(w, true, 7, UIDS("1", "40", "41", "99", "x"));
	assert_true(a->ok);
	assert_int_equal(a->added, 2);
	assert_int_equal(a->waiting, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_state_has_its_count),
		TEST(in_pages),
		TEST(by_the_partial_indexes),
		TEST(a_look_records_nothing),
		TEST(a_mark_stands_for_rows),
	};

	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
