/* SPDX-License-Identifier: ISC */
/* A first poll that relays what is not older than a date. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

#define SINCE 5000

static const char *const home[] = { "home" };
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
		.since = SINCE,
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

static const struct store_answer *
end(struct world *w, bool recognised)
{
	listing.recognised = recognised;
	store_listing_end(w->store, w->mailbox, &listing, world_done(w));
	return world_wait(w);
}

static void
dated(struct world *w, uint32_t number, int64_t date)
{
	struct store_header h = { .number = number, .date = date };

	store_headers(w->store, w->mailbox, &h, 1);
}

static void
older_ones_are_known(void **state)
{
	struct world *w = *state;

	world_list(w, UIDS("10", "20", "30", "40"));
	assert_int_equal(end(w, false)->unknown, 4);
	assert_true(w->a.ok);
	store_unknown(w->store, w->mailbox, 0, 3, world_done(w));
	assert_int_equal(world_wait(w)->nitems, 3);
	store_unknown(w->store, w->mailbox, 3, 3, world_done(w));
	assert_int_equal(world_wait(w)->nitems, 1);
	dated(w, 1, SINCE - 1);
	dated(w, 2, SINCE);
	dated(w, 3, SINCE + 9);
	end(w, true); /* the fourth has no date */
	assert_int_equal(w->a.unknown, 0);
	assert_int_equal(w->a.known, 1);
	assert_int_equal(w->a.added, 3);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 3);
	assert_string_equal(w->a.items[0].uid, "20");
	assert_string_equal(w->a.items[2].uid, "40");
	/* From now on everything that comes is new, whatever its date. */
	world_list(w, UIDS("10", "20", "30", "40", "41"));
	assert_int_equal(end(w, false)->unknown, 0);
	assert_int_equal(w->a.added, 1);
}

/* It was cut off in between: nothing was decided. */
static void
begins_anew(void **state)
{
	struct world *w = *state;

	world_list(w, UIDS("10", "20"));
	assert_int_equal(end(w, false)->unknown, 2);
	world_close(w);
	world_open(w);
	assert_false(w->a.baseline);
	world_list(w, UIDS("10", "20"));
	assert_int_equal(end(w, false)->unknown, 2);
	dated(w, 1, 1);
	dated(w, 2, 1);
	assert_int_equal(end(w, true)->known, 2);
	assert_int_equal(w->a.waiting, 0);
}

static void
empty_mailbox(void **state)
{
	struct world *w = *state;

	world_list(w, NOTHING);
	assert_int_equal(end(w, false)->unknown, 0);
	assert_true(w->a.ok);
	world_list(w, UIDS("10"));
	assert_int_equal(end(w, false)->added, 1);
}

/* What is marked needs no date. */
static void
marked_ones_are_known(void **state)
{
	struct world *w = *state;
	static const uint32_t marks[] = { 2 };

	world_list(w, UIDS("10", "20"));
	store_marked(w->store, w->mailbox, marks, 1);
	assert_int_equal(end(w, false)->unknown, 1);
	dated(w, 1, SINCE);
	assert_int_equal(end(w, true)->marked, 1);
	assert_int_equal(w->a.known, 1);
	assert_int_equal(w->a.added, 1);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "10");
}

/* What was known is still told by its date, and what was not is not. */
static void
another_uidvalidity(void **state)
{
	struct world *w = *state;

	world_list(w, UIDS("10", "20"));
	end(w, false);
	dated(w, 1, SINCE - 1);
	dated(w, 2, SINCE);
	assert_int_equal(end(w, true)->added, 1);
	listing.generation = 8;
	world_list(w, UIDS("1", "2"));
	assert_int_equal(end(w, false)->unknown, 2);
	dated(w, 1, SINCE - 1);
	dated(w, 2, SINCE);
	assert_int_equal(end(w, true)->as_known, 1);
	assert_int_equal(w->a.added, 1);
}

static void
not_for_pop3(void **state)
{
	struct world *w = *state;

	listing.imap = false;
	listing.generation = 0;
	world_list(w, UIDS("x"));
	assert_refused(end(w, false), FAULT_ACCOUNT, FAULT_NEVER, "dates");
}

/* Dates come in pages, and nothing of it stays in memory. */
static void
large_mailbox(void **state)
{
	enum { COUNT = 50000, PAGE = 500 };
	struct world *w = *state;
	struct store_header page[PAGE];
	uint32_t after = 0;

	store_listing_begin(w->store, w->mailbox, &listing);
	for (uint32_t n = 1; n <= COUNT; n++) {
		char uid[16];
		struct store_entry e = { .number = n };

		snprintf(uid, sizeof(uid), "%u", n);
		e.uid = span_str(uid);
		store_listing_add(w->store, w->mailbox, &e, 1);
	}
	assert_int_equal(end(w, false)->unknown, COUNT);
	for (;;) {
		size_t n;

		store_unknown(w->store, w->mailbox, after, PAGE, world_done(w));
		n = world_wait(w)->nitems;
		if (n == 0)
			break;
		for (size_t i = 0; i < n; i++)
			page[i] =
			    (struct store_header){ .number =
						       w->a.items[i].number,
				    .date = w->a.items[i].number };
		after = page[n - 1].number;
		store_headers(w->store, w->mailbox, page, n);
	}
	assert_int_equal(end(w, true)->known, SINCE - 1);
	assert_int_equal(w->a.added, COUNT - SINCE + 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(older_ones_are_known),
		TEST(begins_anew),
		TEST(empty_mailbox),
		TEST(marked_ones_are_known),
		TEST(another_uidvalidity),
		TEST(not_for_pop3),
		TEST(large_mailbox),
	};

	return cmocka_run_group_tests_name("since", tests, NULL, NULL);
}
