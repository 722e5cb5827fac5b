/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "store_fixture.h"

#define PRINT 16
#define MANY 24
#define YESTERDAY ((int64_t)time(NULL) - 86400)

static const char *const home[] = { "home" };

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

static struct store_listing
listing(uint64_t generation)
{
	return (struct store_listing){ .imap = generation > 0,
		.complete = true,
		.generation = generation,
		.list_from = 1,
		.guard = 50,
		.destinations = home,
		.ndestinations = 1 };
}

/* What a message is told apart by; 0: it has no header. */
static void
print_of(char name, unsigned char *print_r)
{
	memset(print_r, name, PRINT);
}

static void
give_headers(struct world *w, const char *names, int64_t date)
{
	for (uint32_t i = 0; names[i] != '\0'; i++) {
		struct store_header h = { .number = i + 1,
			.date = date,
			.identified = names[i] != '-' };

		print_of(names[i], h.fingerprint);
		store_headers(w->store, w->mailbox, &h, 1);
	}
}

static const struct store_answer *
end(struct world *w, const struct store_listing *l)
{
	store_listing_end(w->store, w->mailbox, l, world_done(w));
	return world_wait(w);
}

/* A poll that gives the headers, a letter each, if it is asked for them. */
static const struct store_answer *
poll_headers(struct world *w, uint64_t generation, const char *const *uids,
    const char *names, int64_t date)
{
	struct store_listing l = listing(generation);

	world_list(w, uids);
	if (end(w, &l)->unknown == 0)
		return &w->a;
	give_headers(w, names, date);
	l.recognised = true;
	return end(w, &l);
}

static void
relay(struct world *w, const struct store_item *item, char name, bool remove)
{
	unsigned char print[PRINT], hash[32] = { 1 };
	struct store_attempt a = { .now = 100,
		.attempt = 1,
		.size = 5,
		.fingerprint = print,
		.hash = hash };
	char trace[] = { 'T', name, '\0' };
	int64_t id = item->id;

	a.trace = trace;
	print_of(name, print);
	store_in_doubt(w->store, id, &a, world_done(w));
	assert_true(world_wait(w)->ok);
	assert_true(world_relayed(w, id, remove)->ok);
}

/* One message after the baseline, relayed. */
static void
relay_one(struct world *w, uint64_t generation, const char *uid, char name)
{
	poll_headers(w, generation, NOTHING, "", 0);
	poll_headers(w, generation, UIDS(uid), "", 0);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 1);
	relay(w, &w->a.items[0], name, false);
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

static const char *const *
many(const char *prefix)
{
	static char text[MANY][16];
	static const char *uids[MANY + 1];

	for (int i = 0; i < MANY; i++) {
		snprintf(text[i], sizeof(text[i]), "%s%d", prefix, 100 + i);
		uids[i] = text[i];
	}
	return uids;
}

static const char many_names[] = "abcdefghijklmnopqrstuvwx";
_Static_assert(sizeof(many_names) == MANY + 1, "a letter each");

/* --- UIDVALIDITY -------------------------------------------------------- */

static void
relayed_is_recognised(void **state)
{
	struct world *w = *state;
	struct store_listing l = listing(8);

	relay_one(w, 7, "5", 'a');
	world_list(w, UIDS("1", "2"));
	assert_int_equal(end(w, &l)->unknown, 2);
	store_unknown(w->store, w->mailbox, 1, 9, world_done(w));
	assert_int_equal(world_wait(w)->nitems, 1);
	assert_int_equal(w->a.items[0].number, 2);
	assert_int_equal(
	    poll_headers(w, 8, UIDS("1", "2"), "ba", 0)->recognised, 1);
	assert_int_equal(w->a.added, 1);
	assert_int_equal(w->a.as_known, 0);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "1");
	assert_int_equal(count(w, "generation = 8 AND uid = 2 AND"
				  " state = 'relayed' AND trace = 'Ta'"),
	    1);
	assert_int_equal(count(w, "generation <> 8"), 0);
	/* It may come back to the old value (I3). */
	assert_int_equal(
	    poll_headers(w, 7, UIDS("2", "5"), "ac", 0)->recognised, 1);
	assert_int_equal(count(w, "generation = 7 AND uid = 2 AND"
				  " state = 'relayed'"),
	    1);
}

static void
equal_messages_are_counted(void **state)
{
	struct world *w = *state;

	relay_one(w, 7, "5", 'a');
	poll_headers(w, 8, UIDS("1", "2", "3"), "aaa", 0);
	assert_int_equal(w->a.recognised, 1);
	assert_int_equal(w->a.added, 2);
}

static void
no_header_is_no_match(void **state)
{
	struct world *w = *state;

	relay_one(w, 7, "5", '-');
	poll_headers(w, 8, UIDS("1"), "-", 0);
	assert_int_equal(w->a.added, 1);
}

/* A match by header is a reason not to relay, never one to remove (I1). */
static void
nothing_is_removed_for_a_match(void **state)
{
	struct world *w = *state;

	relay_one(w, 7, "5", 'a');
	world_close(w);
	world_sql(w, "UPDATE delivery SET removing = 1");
	world_open(w);
	assert_int_equal(world_removals(w)->nitems, 1);
	assert_int_equal(poll_headers(w, 8, UIDS("5"), "a", 0)->removing, 0);
	assert_int_equal(world_removals(w)->nitems, 0);
}

static void
doubt_and_refusal_are_kept(void **state)
{
	struct world *w = *state;

	relay_one(w, 7, "5", 'a');
	world_close(w);
	world_sql(w, "UPDATE delivery SET state = 'in_doubt', attempt = 3");
	world_open(w);
	poll_headers(w, 8, UIDS("9"), "a", 0);
	assert_int_equal(w->a.waiting, 1);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 1);
	assert_string_equal(w->a.items[0].uid, "9");
	assert_true(w->a.items[0].doubt);
	assert_int_equal(w->a.items[0].attempt, 3);
	world_close(w);
	world_sql(w, "UPDATE delivery SET state = 'held'");
	world_open(w);
	poll_headers(w, 9, UIDS("1"), "a", 0);
	assert_int_equal(w->a.held, 1);
	assert_int_equal(w->a.waiting, 0);
}

/* Held before it was ever in doubt: by its fingerprint it stays held. */
static void
refusal_outlives_new_uids(void **state)
{
	struct world *w = *state;
	unsigned char print[PRINT];
	struct store_refusal r = { .state = STORE_HELD,
		.now = 300,
		.reply = "550 never",
		.fingerprint = print };

	print_of('a', print);
	poll_headers(w, 7, NOTHING, "", 0);
	poll_headers(w, 7, UIDS("5"), "", 0);
	world_work(w, 1, 0, 9);
	store_refused(w->store, w->a.items[0].id, &r, world_done(w));
	assert_true(world_wait(w)->ok);
	poll_headers(w, 8, UIDS("1"), "a", 0);
	assert_int_equal(w->a.held, 1);
	assert_int_equal(w->a.waiting, 0);
}

static void
known_is_told_by_its_date(void **state)
{
	struct world *w = *state;

	assert_int_equal(poll_headers(w, 7, UIDS("5", "6"), "", 0)->known, 2);
	poll_headers(w, 8, UIDS("1", "2"), "ab", YESTERDAY);
	assert_int_equal(w->a.as_known, 2);
	assert_int_equal(w->a.added, 0);
	assert_int_equal(
	    poll_headers(w, 9, UIDS("1"), "a", YESTERDAY + 2 * 86400)->added,
	    1);
}

/* What was to be relayed at the first poll is not known. */
static void
date_says_nothing_when_all_was_relayed(void **state)
{
	struct world *w = *state;
	struct store_listing l = listing(7);

	l.relay_all = true;
	world_list(w, UIDS("5"));
	assert_int_equal(end(w, &l)->added, 1);
	poll_headers(w, 8, UIDS("1"), "a", YESTERDAY);
	assert_int_equal(w->a.as_known, 0);
	assert_int_equal(w->a.added, 1);
	assert_int_equal(w->a.waiting, 1);
}

static void
half_a_listing_concludes_nothing(void **state)
{
	struct world *w = *state;
	struct store_listing l = listing(8);

	relay_one(w, 7, "5", 'a');
	l.complete = false;
	world_list(w, UIDS("1"));
	assert_refused(
	    end(w, &l), FAULT_ACCOUNT, FAULT_LATER, "not all is listed");
	l.complete = true;
	l.list_from = 6;
	assert_refused(
	    end(w, &l), FAULT_ACCOUNT, FAULT_LATER, "not all is listed");
}

/* Made anew and filled by and by: the rest of the old records still counts. */
static void
latecomers_are_recognised(void **state)
{
	struct world *w = *state;

	relay_one(w, 7, "5", 'a');
	poll_headers(w, 8, NOTHING, "", 0);
	assert_int_equal(poll_headers(w, 8, UIDS("1"), "a", 0)->recognised, 1);
	assert_int_equal(w->a.added, 0);
	assert_int_equal(count(w, "state = 'relayed' AND uid = 1"), 1);
}

/* --- POP3 ---------------------------------------------------------------- */

static void
protocol_may_change(void **state)
{
	struct world *w = *state;

	relay_one(w, 0, "x", 'a');
	poll_headers(w, 8, UIDS("1", "2"), "ba", 0);
	assert_int_equal(w->a.recognised, 1);
	assert_int_equal(w->a.added, 1);
	poll_headers(w, 0, UIDS("p", "q", "r"), "abc", 0);
	assert_int_equal(w->a.recognised, 1); /* b has no fingerprint yet */
	assert_int_equal(w->a.added, 2);
	assert_int_equal(count(w, "generation = 0 AND uid = x'70' AND"
				  " state = 'relayed'"),
	    1);
}

/* P12: a UIDL that was seen before is another message, or the same. */
static void
returning_uidl(void **state)
{
	struct world *w = *state;

	relay_one(w, 0, "x", 'a');
	poll_headers(w, 0, NOTHING, "", 0);
	assert_int_equal(poll_headers(w, 0, NOTHING, "", 0)->gone, 1);
	assert_int_equal(poll_headers(w, 0, UIDS("x"), "a", 0)->recognised, 1);
	assert_int_equal(w->a.added, 0);
	poll_headers(w, 0, NOTHING, "", 0);
	assert_int_equal(poll_headers(w, 0, NOTHING, "", 0)->gone, 1);
	assert_int_equal(poll_headers(w, 0, UIDS("x"), "b", 0)->added, 1);
}

/* Without a reason no headers are asked for. */
static void
new_mail_is_new(void **state)
{
	struct world *w = *state;
	struct store_listing l = listing(0);

	relay_one(w, 0, "x", 'a');
	world_list(w, UIDS("x", "y"));
	assert_int_equal(end(w, &l)->unknown, 0);
	assert_int_equal(w->a.added, 1);
}

static void
new_mail_over_imap_is_new(void **state)
{
	struct world *w = *state;
	struct store_listing l = listing(7);

	relay_one(w, 7, "5", 'a');
	l.list_from = 6;
	world_list(w, UIDS("6", "7"));
	assert_int_equal(end(w, &l)->unknown, 0);
	assert_int_equal(w->a.added, 2);
}

static void
mass_change_is_noticed(void **state)
{
	struct world *w = *state;

	poll_headers(w, 0, NOTHING, "", 0);
	poll_headers(w, 0, many("old"), "", 0);
	assert_int_equal(world_work(w, 1, 0, 99)->nitems, MANY);
	for (size_t i = 0; i < MANY; i++) {
		world_work(w, 1, 0, 99);
		relay(w, &w->a.items[0], many_names[i], false);
	}
	assert_int_equal(
	    poll_headers(w, 0, many("new"), many_names, 0)->recognised, MANY);
	assert_int_equal(w->a.added, 0);
	assert_false(w->a.paused);
	assert_int_equal(count(w, "state = 'relayed'"), MANY);
}

/* --- the question --------------------------------------------------------- */

static void
replace_mailbox(struct world *w)
{
	assert_int_equal(poll_headers(w, 0, many("old"), "", 0)->known, MANY);
	assert_true(poll_headers(w, 0, many("new"), many_names, 0)->paused);
	assert_int_equal(w->a.fault.when, FAULT_NEVER);
	assert_non_null(strstr(w->a.fault.text, "accept a --as-known"));
	world_close(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"
					 " WHERE state <> 'known'"),
	    0);
	assert_true(statedir_open(&w->dir, w->path, &w->exit, &w->fault));
	w->store = store_open(&w->dir, false, &w->exit, &w->fault);
	assert_refused(world_mailbox(w, "a", "u", "h"), FAULT_ACCOUNT,
	    FAULT_NEVER, "24 of the 24");
}

static uint64_t
accept(struct world *w, const char *name, bool as_known)
{
	store_accept(w->store, name, as_known, world_done(w));
	assert_true(world_wait(w)->ok);
	return w->a.unknown;
}

/* What an account is shown as after a restart. */
static bool
asks(struct world *w, enum store_party party, const char *name)
{
	const struct store_who who = { party, name, 1 };

	store_pause_load(w->store, &who, world_done(w));
	assert_true(world_wait(w)->ok);
	return w->a.pause.asks;
}

static void
waits_for_an_answer(void **state)
{
	const struct store_who who = { STORE_ACCOUNT, "a", 1 };
	const struct store_pause pause = { .failures = 2, .not_before = 9 };
	struct world *w = *state;

	assert_false(asks(w, STORE_ACCOUNT, "a"));
	replace_mailbox(w);
	assert_true(asks(w, STORE_ACCOUNT, "a"));
	assert_false(asks(w, STORE_DESTINATION, "a"));
	assert_false(asks(w, STORE_ACCOUNT, "b"));
	store_pause_save(w->store, &who, &pause, world_done(w));
	assert_true(world_wait(w)->ok);
	assert_int_equal(accept(w, "a", true), MANY);
	assert_false(asks(w, STORE_ACCOUNT, "a"));
	assert_int_equal(w->a.pause.failures, 0); /* polled at once */
}

/* What came after the question was not asked about. */
static void
accepted_as_known(void **state)
{
	struct world *w = *state;
	const char *uids[MANY + 2];
	char names[MANY + 2];

	replace_mailbox(w);
	assert_int_equal(accept(w, "b", true), 0);
	assert_false(world_mailbox(w, "a", "u", "h")->ok);
	assert_int_equal(accept(w, "a", true), MANY);
	assert_true(world_mailbox(w, "a", "u", "h")->ok);
	memcpy(uids, many("new"), MANY * sizeof(*uids));
	uids[MANY] = "late";
	uids[MANY + 1] = NULL;
	snprintf(names, sizeof(names), "%sZ", many_names);
	poll_headers(w, 0, uids, names, 0);
	assert_false(w->a.paused);
	assert_int_equal(w->a.as_known, MANY);
	assert_int_equal(w->a.added, 1);
	assert_int_equal(accept(w, "a", true), 0);
}

static void
accepted_to_be_relayed(void **state)
{
	struct world *w = *state;

	replace_mailbox(w);
	assert_int_equal(accept(w, "a", false), MANY);
	assert_int_equal(
	    poll_headers(w, 0, many("new"), many_names, 0)->added, MANY);
	assert_int_equal(world_work(w, 1, 0, 99)->nitems, MANY);
	assert_true(world_mailbox(w, "a", "u", "h")->ok);
}

static void
guard_can_be_off(void **state)
{
	struct world *w = *state;
	struct store_listing l = listing(0);

	poll_headers(w, 0, many("old"), "", 0);
	l.guard = 0;
	world_list(w, many("new"));
	assert_int_equal(world_end(w, &l)->added, MANY);
	assert_false(w->a.paused);
}

static void
many_new_messages_are_no_question(void **state)
{
	struct world *w = *state;

	poll_headers(w, 0, NOTHING, "", 0);
	assert_int_equal(poll_headers(w, 0, many("x"), "", 0)->added, MANY);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(relayed_is_recognised),
		TEST(equal_messages_are_counted),
		TEST(no_header_is_no_match),
		TEST(nothing_is_removed_for_a_match),
		TEST(doubt_and_refusal_are_kept),
		TEST(refusal_outlives_new_uids),
		TEST(known_is_told_by_its_date),
		TEST(date_says_nothing_when_all_was_relayed),
		TEST(half_a_listing_concludes_nothing),
		TEST(latecomers_are_recognised),
		TEST(protocol_may_change),
		TEST(returning_uidl),
		TEST(new_mail_is_new),
		TEST(new_mail_over_imap_is_new),
		TEST(mass_change_is_noticed),
		TEST(waits_for_an_answer),
		TEST(accepted_as_known),
		TEST(accepted_to_be_relayed),
		TEST(guard_can_be_off),
		TEST(many_new_messages_are_no_question),
	};

	return cmocka_run_group_tests_name("recognise", tests, NULL, NULL);
}
