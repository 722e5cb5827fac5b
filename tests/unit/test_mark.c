/* SPDX-License-Identifier: ISC */
/* What our keyword on the server proves, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/backup.h"
#include "store_fixture.h"

#define MANY 24

static const char *const home[] = { "home", "archive" };
static struct store_listing listing;

static int
set_up(void **state)
{
	static struct world w;

	world_init(&w);
	world_open(&w);
	listing = (struct store_listing){ .imap = true,
		.complete = true,
		.generation = 7,
		.list_from = 1,
		.guard = 50,
		.destinations = home,
		.ndestinations = 1 };
	*state = &w;
	return 0;
}

static int
tear_down(void **state)
{
	world_free(*state);
	return 0;
}

#define MARKS(...)                                                             \
	(const uint32_t[]){ __VA_ARGS__ },                                     \
	    sizeof((const uint32_t[]){ __VA_ARGS__ }) / sizeof(uint32_t)

/* Message numbers count from 1, as the UIDs of these tests do. */
static const struct store_answer *
poll_marked(
    struct world *w, const char *const *uids, const uint32_t *marks, size_t n)
{
	world_list(w, uids);
	store_marked(w->store, w->mailbox, marks, n);
	return world_end(w, &listing);
}

static const struct store_answer *
poll_plain(struct world *w, const char *const *uids)
{
	return poll_marked(w, uids, NULL, 0);
}

static int64_t
count(struct world *w, const char *where)
{
	char sql[256];
	int64_t n;

	snprintf(
	    sql, sizeof(sql), "SELECT count(*) FROM delivery WHERE %s", where);
	world_close(w);
	n = world_number(w, sql);
	world_open(w);
	return n;
}

static void
alter(struct world *w, const char *sql)
{
	world_close(w);
	world_sql(w, sql);
	world_open(w);
}

/* --- where there is no record ------------------------------------------- */

static void
known_at_the_baseline(void **state)
{
	struct world *w = *state;

	listing.relay_all = true;
	poll_marked(w, UIDS("1", "2", "3"), MARKS(2, 77));
	assert_int_equal(w->a.marked, 1);
	assert_int_equal(w->a.known, 1);
	assert_int_equal(w->a.added, 2);
	assert_int_equal(w->a.waiting, 2);
	/* For good, also when nobody says so any more. */
	assert_int_equal(poll_plain(w, UIDS("1", "2", "3"))->added, 0);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 2);
	assert_string_equal(w->a.items[1].uid, "3");
	assert_int_equal(world_removals(w)->nitems, 0);
}

static void
known_later(void **state)
{
	struct world *w = *state;

	poll_plain(w, UIDS("1"));
	poll_marked(w, UIDS("1", "2", "3"), MARKS(1, 3));
	assert_int_equal(w->a.marked, 1);
	assert_int_equal(w->a.added, 1);
	assert_int_equal(poll_plain(w, UIDS("1", "2", "3"))->added, 0);
	assert_int_equal(w->a.waiting, 1);
}

static void
known_from_half_a_listing(void **state)
{
	struct world *w = *state;

	poll_plain(w, UIDS("1"));
	listing.complete = false;
	assert_int_equal(poll_marked(w, UIDS("1", "2"), MARKS(2))->marked, 1);
	listing.complete = true;
	assert_int_equal(poll_plain(w, UIDS("1", "2", "3"))->added, 1);
	assert_int_equal(count(w, "uid = 2 AND state <> 'known'"), 0);
}

/* An old state was put back: five that are not on record would be announced,
 * six a question, and the marked ones are neither. */
static void
not_asked_about_after_a_restore(void **state)
{
	struct world *w = *state;

	poll_plain(w, UIDS("1"));
	alter(w, "UPDATE mailbox SET restored = 1; UPDATE meta SET epoch = 1");
	poll_marked(w, UIDS("1", "2", "3", "4", "5", "6", "7", "8"),
	    MARKS(2, 3, 4, 5, 6, 7));
	assert_false(w->a.paused);
	assert_int_equal(w->a.marked, 6);
	assert_int_equal(w->a.added, 1);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "8");
	assert_true(w->a.items[0].doubt);
}

static const char *const *
many(void)
{
	static char text[MANY][16];
	static const char *uids[MANY + 1];

	for (int i = 0; i < MANY; i++) {
		snprintf(text[i], sizeof(text[i]), "%d", i + 1);
		uids[i] = text[i];
	}
	return uids;
}

/* Another UIDVALIDITY, and no header that is known: without the marks that is
 * another mailbox. */
static void
counts_in_the_guard(void **state)
{
	struct world *w = *state;
	uint32_t marks[MANY - 2];

	poll_plain(w, UIDS("1"));
	listing.generation = 8;
	for (uint32_t i = 0; i < MANY - 2; i++)
		marks[i] = i + 1;
	poll_marked(w, many(), marks, MANY - 2);
	assert_true(w->a.ok);
	assert_false(w->a.paused);
	assert_int_equal(w->a.marked, MANY - 2);
	assert_int_equal(w->a.recognised, 0);
	assert_int_equal(w->a.added, 2);
	assert_int_equal(poll_plain(w, many())->added, 0);
	listing.generation = 9;
	assert_true(poll_plain(w, many())->paused);
}

static void
fingerprint_comes_first(void **state)
{
	struct world *w = *state;
	struct store_header h = {
		.number = 1, .identified = true, .fingerprint = { 7 }
	};

	poll_plain(w, NOTHING);
	poll_plain(w, UIDS("5"));
	world_work(w, 1, 0, 9);
	assert_true(world_in_doubt(w, w->a.items[0].id)->ok);
	world_work(w, 1, 0, 9);
	assert_true(world_relayed(w, w->a.items[0].id, false)->ok);
	listing.generation = 8;
	world_list(w, UIDS("1", "2"));
	store_marked(w->store, w->mailbox, MARKS(1, 2));
	store_listing_end(w->store, w->mailbox, &listing, world_done(w));
	assert_int_equal(world_wait(w)->unknown, 2);
	store_headers(w->store, w->mailbox, &h, 1);
	listing.recognised = true;
	store_listing_end(w->store, w->mailbox, &listing, world_done(w));
	assert_int_equal(world_wait(w)->recognised, 1);
	assert_int_equal(w->a.marked, 1);
	assert_int_equal(w->a.added, 0);
	assert_int_equal(count(w, "uid = 1 AND state = 'relayed'"), 1);
}

/* --- where there is one --------------------------------------------------- */

/* Each of four messages in a state of its own. */
static void
four_states(struct world *w)
{
	int64_t ids[4];

	poll_plain(w, NOTHING);
	poll_plain(w, UIDS("1", "2", "3", "4"));
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 4);
	for (size_t i = 0; i < 4; i++)
		ids[i] = w->a.items[i].id;
	assert_true(world_in_doubt(w, ids[0])->ok);
	assert_true(world_refused(w, ids[1], STORE_DEFERRED, 0)->ok);
	assert_true(world_refused(w, ids[2], STORE_HELD, 0)->ok);
}

static void
settles_a_doubt_and_nothing_else(void **state)
{
	struct world *w = *state;

	four_states(w);
	/* By a process that died. */
	world_close(w);
	world_open(w);
	poll_marked(w, UIDS("1", "2", "3", "4"), MARKS(1, 2, 3, 4));
	assert_int_equal(w->a.settled, 1);
	assert_int_equal(w->a.marked, 0);
	assert_int_equal(w->a.waiting, 2);
	assert_int_equal(w->a.held, 1);
	assert_int_equal(w->a.removing, 0);
	store_history(w->store, NULL, 0, 9, world_done(w));
	assert_int_equal(world_wait(w)->npast, 2);
	assert_int_equal(w->a.past[0].state, STORE_RELAYED);
	assert_string_equal(w->a.past[0].uid, "1");
	assert_int_equal(count(w, "uid = 1 AND state = 'relayed'"), 1);
	assert_int_equal(count(w, "uid = 2 AND state = 'deferred'"), 1);
	assert_int_equal(count(w, "uid = 4 AND state = 'new'"), 1);
}

static void
what_is_settled_may_be_removed(void **state)
{
	struct world *w = *state;

	four_states(w);
	world_close(w);
	world_open(w);
	listing.remove = true;
	poll_marked(w, UIDS("1", "2", "3", "4"), MARKS(1, 2, 3, 4));
	assert_int_equal(world_removals(w)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "1");
}

/* What waits in a restored state has a doubt: it may have been relayed since,
 * and the mark says that it was. */
static void
settles_what_waited_in_a_backup(void **state)
{
	struct world *w = *state;

	four_states(w);
	alter(w, "UPDATE delivery SET doubt = 1, attempt = max(attempt, 1)"
		 " WHERE state IN ('new', 'deferred', 'in_doubt')");
	poll_marked(w, UIDS("1", "2", "3", "4"), MARKS(2, 3, 4));
	assert_int_equal(w->a.settled, 2);
	assert_int_equal(w->a.waiting, 1);
	assert_int_equal(w->a.held, 1);
}

/* Its reply is still to come, or is just being recorded. */
static void
not_what_is_being_tried(void **state)
{
	struct world *w = *state;

	four_states(w);
	poll_marked(w, UIDS("1", "2", "3", "4"), MARKS(1));
	assert_int_equal(w->a.settled, 0);
	assert_int_equal(w->a.waiting, 3);
}

static void
several_destinations_are_not_told_apart(void **state)
{
	struct world *w = *state;

	listing.ndestinations = 2;
	poll_plain(w, NOTHING);
	poll_plain(w, UIDS("1"));
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 2);
	assert_true(world_in_doubt(w, w->a.items[0].id)->ok);
	world_close(w);
	world_open(w);
	poll_marked(w, UIDS("1"), MARKS(1));
	assert_int_equal(w->a.settled, 0);
	assert_int_equal(w->a.waiting, 2);
}

/* It gets its record under the new UID first. */
static void
settles_behind_another_uidvalidity(void **state)
{
	struct world *w = *state;
	struct store_header h = {
		.number = 1, .identified = true, .fingerprint = { 7 }
	};

	four_states(w);
	world_close(w);
	world_open(w);
	listing.generation = 8;
	world_list(w, UIDS("9"));
	store_marked(w->store, w->mailbox, MARKS(1));
	store_listing_end(w->store, w->mailbox, &listing, world_done(w));
	assert_int_equal(world_wait(w)->unknown, 1);
	store_headers(w->store, w->mailbox, &h, 1);
	listing.recognised = true;
	store_listing_end(w->store, w->mailbox, &listing, world_done(w));
	assert_int_equal(world_wait(w)->recognised, 1);
	assert_int_equal(w->a.settled, 1);
	assert_int_equal(w->a.waiting, 0);
}

static void
tag_of_the_installation(void **state)
{
	struct world *w = *state;
	char tag[STORE_TAG_SIZE];

	snprintf(tag, sizeof(tag), "%s", store_install_tag(w->store));
	assert_int_equal(strspn(tag, "0123456789abcdef"), 4);
	world_close(w);
	world_open(w);
	assert_string_equal(tag, store_install_tag(w->store));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(known_at_the_baseline),
		TEST(known_later),
		TEST(known_from_half_a_listing),
		TEST(not_asked_about_after_a_restore),
		TEST(counts_in_the_guard),
		TEST(fingerprint_comes_first),
		TEST(settles_a_doubt_and_nothing_else),
		TEST(what_is_settled_may_be_removed),
		TEST(settles_what_waited_in_a_backup),
		TEST(not_what_is_being_tried),
		TEST(several_destinations_are_not_told_apart),
		TEST(settles_behind_another_uidvalidity),
		TEST(tag_of_the_installation),
	};

	return cmocka_run_group_tests_name("mark", tests, NULL, NULL);
}
