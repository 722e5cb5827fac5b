/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

static const char *const home[] = { "home" };

static const struct store_listing pop3_all = { .complete = true,
	.list_from = 1,
	.relay_all = true,
	.destinations = home,
	.ndestinations = 1 };
static const struct store_listing pop3_part = {
	.list_from = 1, .destinations = home, .ndestinations = 1
};

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
	disk_fails = false;
	world_free(*state);
	return 0;
}

/* --- baseline and listings -------------------------------------------- */

static void
what_was_there_is_known(void **state)
{
	struct world *w = *state;
	const struct store_answer *a = world_poll(w, UIDS("p", "q"));

	assert_true(a->ok);
	assert_int_equal(a->listed, 2);
	assert_int_equal(a->known, 2);
	assert_int_equal(a->added, 0);
	assert_int_equal(a->waiting, 0);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 0);
	a = world_poll(w, UIDS("p", "q", "r"));
	assert_int_equal(a->known, 0);
	assert_int_equal(a->added, 1);
	assert_int_equal(a->waiting, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "r");
	assert_int_equal(w->a.items[0].number, 3);
	assert_int_equal(w->a.items[0].size, 1003);
	assert_int_equal(w->a.items[0].state, STORE_NEW);
	assert_string_equal(w->a.items[0].destination, "home");
	assert_string_equal(w->a.items[0].trace, "");
	assert_false(w->a.items[0].doubt);
}

static void
relay_all_takes_what_was_there(void **state)
{
	struct world *w = *state;
	const struct store_answer *a;

	world_list(w, UIDS("p", "q"));
	a = world_end(w, &pop3_all);
	assert_int_equal(a->added, 2);
	assert_int_equal(a->known, 0);
	assert_int_equal(a->waiting, 2);
	assert_true(world_mailbox(w, "a", "u", "h")->baseline);
}

static void
first_listing_must_be_complete(void **state)
{
	struct world *w = *state;

	world_list(w, UIDS("p"));
	assert_refused(world_end(w, &pop3_part), FAULT_ACCOUNT, FAULT_LATER,
	    "not complete");
	assert_false(world_mailbox(w, "a", "u", "h")->baseline);
	world_close(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 0);
}

static void
incomplete_listing_buries_nothing(void **state)
{
	struct world *w = *state;

	world_one_new(w);
	for (int i = 0; i < 3; i++) {
		world_list(w, UIDS("y"));
		assert_int_equal(world_end(w, &pop3_part)->gone, 0);
	}
	assert_int_equal(w->a.waiting, 2);
}

/* An end without a begin must not look like an empty mailbox. */
static void
end_without_begin_is_refused(void **state)
{
	struct world *w = *state;

	world_one_new(w);
	store_listing_drop(w->store, w->mailbox);
	assert_refused(
	    world_end(w, &world_pop3), FAULT_US, FAULT_NEVER, "not begun");
	assert_int_equal(world_poll(w, UIDS("x"))->waiting, 1);
}

static void
a_listing_without_destination_is_refused(void **state)
{
	struct world *w = *state;
	struct store_listing nowhere = world_pop3;

	nowhere.ndestinations = 0;
	world_list(w, UIDS("x"));
	assert_refused(
	    world_end(w, &nowhere), FAULT_US, FAULT_NEVER, "nowhere");
}

static void
missing_once_is_a_hiccup(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_relayed(w, id, false)->complete);
	assert_int_equal(world_poll(w, NOTHING)->gone, 0);
	assert_int_equal(world_poll(w, UIDS("x"))->added, 0);
	assert_int_equal(world_poll(w, NOTHING)->gone, 0);
	assert_int_equal(world_poll(w, NOTHING)->gone, 1);
	assert_int_equal(world_poll(w, NOTHING)->gone, 0);
	world_close(w);
	assert_int_equal(
	    world_number(w, "SELECT count(*) FROM delivery WHERE state='gone'"
			    " AND hash IS NOT NULL AND missed=0"),
	    1);
}

static void
uid_listed_after_it_was_gone_is_new(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	world_in_doubt(w, id);
	world_relayed(w, id, true);
	assert_int_equal(world_poll(w, NOTHING)->gone, 1);
	assert_int_equal(world_poll(w, UIDS("x"))->added, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].attempt, 0);
	assert_string_equal(w->a.items[0].trace, "");
	assert_false(w->a.items[0].doubt);
	assert_false(w->a.items[0].removing);
}

/* R3: an in-doubt record is never forgotten. */
static void
doubt_outlives_a_tombstone(void **state)
{
	struct world *w = *state;

	world_in_doubt(w, world_one_new(w));
	world_poll(w, NOTHING);
	assert_int_equal(world_poll(w, NOTHING)->gone, 1);
	assert_int_equal(world_poll(w, UIDS("x"))->added, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].state, STORE_NEW);
	assert_true(w->a.items[0].doubt);
}

/* It is known again, unless its size says that the UIDL was used again. */
static void
known_that_was_gone_is_known(void **state)
{
	struct world *w = *state;

	world_poll(w, UIDS("k"));
	world_poll(w, NOTHING);
	assert_int_equal(world_poll(w, NOTHING)->gone, 1);
	assert_int_equal(world_poll(w, UIDS("k"))->added, 0);
	world_poll(w, NOTHING);
	assert_int_equal(world_poll(w, NOTHING)->gone, 1);
	assert_int_equal(world_poll(w, UIDS("j", "k"))->added, 2);
	assert_string_equal(
	    world_work(w, 1, 0, 9)->items[0].destination, "home");
}

static void
same_uidl_twice_is_two_messages(void **state)
{
	struct world *w = *state;

	world_poll(w, NOTHING);
	assert_int_equal(world_poll(w, UIDS("d", "e", "d", "d"))->added, 4);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(w->a.items[i].number, i + 1);
	assert_int_equal(w->a.items[0].duplicate, 0);
	assert_int_equal(w->a.items[1].duplicate, 0);
	assert_int_equal(w->a.items[2].duplicate, 1);
	assert_int_equal(w->a.items[3].duplicate, 2);
	assert_int_equal(world_poll(w, UIDS("d", "e", "d", "d"))->added, 0);
}

static void
uidls_are_opaque(void **state)
{
	struct world *w = *state;
	char longest[STORE_UID_MAX + 1];

	memset(longest, 0xe9, STORE_UID_MAX);
	longest[STORE_UID_MAX] = '\0';
	world_poll(w, NOTHING);
	assert_int_equal(
	    world_poll(w, UIDS("", " ", "1", "01", "'; --", longest))->added,
	    6);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 6);
	assert_string_equal(w->a.items[0].uid, "");
	assert_string_equal(w->a.items[3].uid, "01");
	assert_string_equal(w->a.items[5].uid, longest);
}

static void
only_what_is_listed_is_work(void **state)
{
	struct world *w = *state;

	world_one_new(w);
	world_list(w, UIDS("y"));
	assert_int_equal(world_end(w, &pop3_part)->added, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "y");
	store_listing_drop(w->store, w->mailbox);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 0);
}

static void
mailboxes_do_not_mix(void **state)
{
	struct world *w = *state;
	int64_t first = w->mailbox;

	world_one_new(w);
	assert_true(world_mailbox(w, "b", "v", "h")->ok);
	assert_int_not_equal(w->mailbox, first);
	assert_int_equal(world_poll(w, UIDS("x"))->known, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 0);
	w->mailbox = first;
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
}

static void
old_tombstones_are_purged(void **state)
{
	struct world *w = *state;

	world_one_new(w);
	world_poll(w, NOTHING);
	assert_int_equal(world_poll(w, UIDS("y"))->gone, 1);
	world_close(w);
	world_sql(w, "UPDATE delivery SET changed = changed - 31*24*60*60"
		     " WHERE state = 'gone'");
	world_open(w);
	world_poll(w, UIDS("y"));
	world_close(w);
	/* Nothing new, nothing written. */
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 2);
	world_open(w);
	world_poll(w, UIDS("y", "z"));
	world_close(w);
	assert_int_equal(
	    world_number(
		w, "SELECT count(*) FROM delivery WHERE state = 'gone'"),
	    0);
}

/* --- IMAP ------------------------------------------------------------- */

static const struct store_answer *
imap(struct world *w, uint64_t generation, uint64_t list_from,
    const char *const *uids)
{
	struct store_listing l = { .imap = true,
		.complete = true,
		.generation = generation,
		.list_from = list_from,
		.destinations = home,
		.ndestinations = 1 };

	world_list(w, uids);
	return world_end(w, &l);
}

static uint64_t
list_from(struct world *w)
{
	return world_mailbox(w, "a", "u", "h")->list_from;
}

static void
imap_baseline_needs_no_rows(void **state)
{
	struct world *w = *state;

	assert_int_equal(list_from(w), 1);
	assert_int_equal(imap(w, 7, 1, UIDS("3", "11"))->known, 2);
	assert_int_equal(list_from(w), 12);
	assert_int_equal(w->a.generation, 7);
	assert_true(w->a.baseline);
	world_close(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 0);
}

static void
imap_orders_by_number(void **state)
{
	struct world *w = *state;

	imap(w, 7, 1, UIDS("8"));
	assert_int_equal(imap(w, 7, 9, UIDS("100", "9", "20"))->added, 3);
	assert_int_equal(list_from(w), 9);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 3);
	assert_int_equal(w->a.items[0].number, 9);
	assert_int_equal(w->a.items[1].number, 20);
	assert_int_equal(w->a.items[2].number, 100);
	assert_string_equal(w->a.items[2].uid, "100");
	assert_int_equal(world_work(w, 1, 9, 1)->nitems, 1);
	assert_int_equal(w->a.items[0].number, 20);
}

static void
imap_highwater_follows_what_is_settled(void **state)
{
	struct world *w = *state;
	int64_t id;

	imap(w, 7, 1, UIDS("5"));
	assert_int_equal(imap(w, 7, 6, UIDS("5", "6"))->added, 1);
	assert_int_equal(list_from(w), 6);
	id = world_work(w, 1, 0, 10)->items[0].id;
	world_in_doubt(w, id);
	assert_int_equal(list_from(w), 6);
	world_relayed(w, id, true);
	assert_int_equal(list_from(w), 6);
	assert_int_equal(world_removals(w)->nitems, 1);
	assert_int_equal(w->a.items[0].number, 6);
	assert_true(w->a.items[0].removing);
	assert_int_equal(imap(w, 7, 6, NOTHING)->gone, 1);
	assert_int_equal(list_from(w), 7);
	/* n:* answers with the last message although it is below n. */
	assert_int_equal(imap(w, 7, 7, UIDS("5"))->added, 0);
	assert_int_equal(list_from(w), 7);
}

static void
imap_incomplete_moves_no_mark(void **state)
{
	struct world *w = *state;
	struct store_listing l = { .imap = true,
		.generation = 7,
		.list_from = 6,
		.destinations = home,
		.ndestinations = 1 };

	imap(w, 7, 1, UIDS("5"));
	world_list(w, UIDS("8"));
	assert_int_equal(world_end(w, &l)->added, 1);
	assert_int_equal(list_from(w), 6);
	world_list(w, UIDS("8"));
	assert_int_equal(world_end(w, &l)->added, 0);
}

static void
imap_below_the_listing_is_not_missed(void **state)
{
	struct world *w = *state;

	imap(w, 7, 1, UIDS("5"));
	imap(w, 7, 6, UIDS("6"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(imap(w, 7, 10, NOTHING)->gone, 0);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
}

static void
imap_missing_message_is_no_work(void **state)
{
	struct world *w = *state;

	imap(w, 7, 1, UIDS("5"));
	imap(w, 7, 6, UIDS("6"));
	assert_int_equal(imap(w, 7, 6, NOTHING)->waiting, 0);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 0);
	assert_int_equal(list_from(w), 6);
	assert_int_equal(imap(w, 7, 6, UIDS("6"))->waiting, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
}

static void
imap_same_uid_twice_is_one_message(void **state)
{
	struct world *w = *state;

	imap(w, 7, 1, UIDS("5"));
	assert_int_equal(imap(w, 7, 6, UIDS("6", "6", "7"))->added, 2);
}

static void
imap_uid_must_be_a_number(void **state)
{
	static const char *const bad[] = { "0", "x", "7x", "08", "-1", "",
		"4294967296", "99999999999999999999" };
	struct world *w = *state;

	imap(w, 7, 1, UIDS("5"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused(imap(w, 7, 6, UIDS(bad[i], "8")), FAULT_ACCOUNT,
		    FAULT_LATER, "not a number");
	assert_int_equal(imap(w, 7, 6, UIDS("4294967295"))->added, 1);
}

static void
no_uidvalidity_concludes_nothing(void **state)
{
	struct world *w = *state;

	imap(w, 7, 1, UIDS("5"));
	imap(w, 7, 6, UIDS("6"));
	assert_refused(imap(w, 0, 6, UIDS("1")), FAULT_ACCOUNT, FAULT_NEVER,
	    "no usable UIDVALIDITY");
	assert_int_equal(list_from(w), 6);
	assert_int_equal(imap(w, 7, 6, UIDS("6"))->waiting, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* --- destinations that come and go --------------------------------------- */

static const char *const renamed[] = { "house" };

static void
renamed_destination_loses_nothing(void **state)
{
	struct world *w = *state;
	struct store_listing l = {
		.complete = true, .relay_all = true, .ndestinations = 1
	};
	int64_t id;

	l.destinations = home;
	world_list(w, UIDS("x", "y"));
	assert_int_equal(world_end(w, &l)->added, 2);
	id = world_work(w, 1, 0, 10)->items[0].id;
	world_in_doubt(w, id);
	world_relayed(w, id, false);
	l.destinations = renamed;
	world_list(w, UIDS("x", "y"));
	assert_int_equal(world_end(w, &l)->waiting, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "y");
	assert_string_equal(w->a.items[0].destination, "house");
}

static void
dropped_destination_is_forgotten(void **state)
{
	static const char *const two[] = { "home", "archive" };
	struct world *w = *state;
	struct store_listing l = {
		.complete = true, .relay_all = true, .ndestinations = 2
	};

	l.destinations = two;
	world_list(w, UIDS("x"));
	world_end(w, &l);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 2);
	l.destinations = home;
	l.ndestinations = 1;
	world_list(w, UIDS("x"));
	assert_int_equal(world_end(w, &l)->waiting, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_string_equal(w->a.items[0].destination, "home");
}

/* --- what another program fetched ---------------------------------------- */

static const struct store_answer *
import(struct world *w, const char *const *uids)
{
	world_list(w, uids);
	store_listing_import(w->store, w->mailbox, world_done(w));
	return world_wait(w);
}

static void
imported_is_known_and_the_rest_new(void **state)
{
	struct world *w = *state;
	const struct store_answer *a = import(w, UIDS("p", "q", "q", "x"));

	assert_true(a->ok);
	assert_int_equal(a->listed, 4);
	assert_int_equal(a->known, 4);
	assert_false(a->baseline);
	/* It is there after a restart, and the first listing is not the
	 * baseline, although nothing of what was there is wanted. */
	world_close(w);
	world_open(w);
	a = world_poll(w, UIDS("p", "q", "q", "q", "r"));
	assert_true(a->ok);
	assert_int_equal(a->known, 0);
	assert_int_equal(a->added, 2);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 2);
	assert_string_equal(w->a.items[0].uid, "q");
	assert_int_equal(w->a.items[0].duplicate, 2);
	assert_string_equal(w->a.items[1].uid, "r");
	assert_false(w->a.items[1].doubt);
}

static void
an_import_changes_no_record(void **state)
{
	struct world *w = *state;
	const struct store_answer *a;
	char *before, *after;

	world_one_new(w);
	a = import(w, UIDS("x", "b"));
	assert_true(a->ok);
	assert_true(a->baseline);
	assert_int_equal(a->listed, 2);
	assert_int_equal(a->known, 1);
	world_close(w);
	before = world_dump(w);
	world_open(w);
	a = import(w, UIDS("x", "b"));
	assert_true(a->ok);
	assert_int_equal(a->known, 0);
	world_close(w);
	after = world_dump(w);
	assert_string_equal(before, after);
	free(before);
	free(after);
	world_open(w);
	assert_int_equal(world_poll(w, UIDS("x", "b"))->waiting, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "x");
}

static void
an_import_needs_a_mailbox_of_pop3(void **state)
{
	struct world *w = *state;
	struct store_listing imap = world_pop3;

	store_listing_drop(w->store, w->mailbox);
	store_listing_import(w->store, w->mailbox, world_done(w));
	assert_refused(world_wait(w), FAULT_US, FAULT_NEVER, "not begun");
	imap.imap = true;
	imap.generation = 7;
	world_list(w, UIDS("1"));
	assert_true(world_end(w, &imap)->ok);
	assert_refused(import(w, UIDS("1")), FAULT_ACCOUNT, FAULT_NEVER,
	    "polled over IMAP");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_there_is_known),
		TEST(relay_all_takes_what_was_there),
		TEST(first_listing_must_be_complete),
		TEST(incomplete_listing_buries_nothing),
		TEST(end_without_begin_is_refused),
		TEST(a_listing_without_destination_is_refused),
		TEST(missing_once_is_a_hiccup),
		TEST(uid_listed_after_it_was_gone_is_new),
		TEST(doubt_outlives_a_tombstone),
		TEST(known_that_was_gone_is_known),
		TEST(same_uidl_twice_is_two_messages),
		TEST(uidls_are_opaque),
		TEST(only_what_is_listed_is_work),
		TEST(mailboxes_do_not_mix),
		TEST(old_tombstones_are_purged),
		TEST(imap_baseline_needs_no_rows),
		TEST(imap_orders_by_number),
		TEST(imap_highwater_follows_what_is_settled),
		TEST(imap_incomplete_moves_no_mark),
		TEST(imap_below_the_listing_is_not_missed),
		TEST(imap_missing_message_is_no_work),
		TEST(imap_same_uid_twice_is_one_message),
		TEST(imap_uid_must_be_a_number),
		TEST(no_uidvalidity_concludes_nothing),
		TEST(renamed_destination_loses_nothing),
		TEST(dropped_destination_is_forgotten),
		TEST(imported_is_known_and_the_rest_new),
		TEST(an_import_changes_no_record),
		TEST(an_import_needs_a_mailbox_of_pop3),
	};

	return cmocka_run_group_tests_name("listing", tests, NULL, NULL);
}
