/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

#define UIDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NOTHING ((const char *const[]){ NULL })

static const char *const home[] = { "home" };
static const char *const two[] = { "home", "archive" };

static const struct store_listing pop3 = { .complete = true,
	.list_from = 1,
	.destinations = home,
	.ndestinations = 1 };
static const struct store_listing pop3_all = { .complete = true,
	.list_from = 1,
	.relay_all = true,
	.destinations = home,
	.ndestinations = 1 };
static const struct store_listing pop3_part = {
	.list_from = 1, .destinations = home, .ndestinations = 1
};
static const struct store_listing pop3_two = { .complete = true,
	.list_from = 1,
	.relay_all = true,
	.destinations = two,
	.ndestinations = 2 };

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

static void
restart(struct world *w)
{
	world_close(w);
	world_open(w);
}

static const struct store_answer *
poll_box(struct world *w, const char *const *uids)
{
	world_list(w, uids);
	return world_end(w, &pop3);
}

/* One message, listed in a mailbox whose baseline was empty; its row. */
static int64_t
one_new(struct world *w)
{
	assert_true(poll_box(w, NOTHING)->ok);
	assert_int_equal(poll_box(w, UIDS("x"))->added, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	return w->a.items[0].id;
}

static void
refused_for(const struct store_answer *a, enum fault_scope scope,
    enum fault_when when, const char *words)
{
	assert_false(a->ok);
	assert_int_equal(a->fault.scope, scope);
	assert_int_equal(a->fault.when, when);
	if (strstr(a->fault.text, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, a->fault.text);
}

/* --- baseline and listings -------------------------------------------- */

static void
states_have_their_words(void **state)
{
	(void)state;
	assert_string_equal(store_state_name(STORE_KNOWN), "known");
	assert_string_equal(store_state_name(STORE_IN_DOUBT), "in_doubt");
	assert_string_equal(store_state_name(STORE_GONE), "gone");
}

static void
what_was_there_is_known(void **state)
{
	struct world *w = *state;
	const struct store_answer *a = poll_box(w, UIDS("p", "q"));

	assert_true(a->ok);
	assert_int_equal(a->listed, 2);
	assert_int_equal(a->known, 2);
	assert_int_equal(a->added, 0);
	assert_int_equal(a->waiting, 0);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 0);
	a = poll_box(w, UIDS("p", "q", "r"));
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
	refused_for(world_end(w, &pop3_part), FAULT_ACCOUNT, FAULT_LATER,
	    "not complete");
	assert_false(world_mailbox(w, "a", "u", "h")->baseline);
	world_close(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 0);
}

static void
incomplete_listing_buries_nothing(void **state)
{
	struct world *w = *state;

	one_new(w);
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

	one_new(w);
	store_listing_drop(w->store, w->mailbox);
	refused_for(world_end(w, &pop3), FAULT_US, FAULT_NEVER, "not begun");
	assert_int_equal(poll_box(w, UIDS("x"))->waiting, 1);
}

static void
a_listing_without_destination_is_refused(void **state)
{
	struct world *w = *state;
	struct store_listing nowhere = pop3;

	nowhere.ndestinations = 0;
	world_list(w, UIDS("x"));
	refused_for(world_end(w, &nowhere), FAULT_US, FAULT_NEVER, "nowhere");
}

static void
missing_once_is_a_hiccup(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_relayed(w, id, false)->complete);
	assert_int_equal(poll_box(w, NOTHING)->gone, 0);
	assert_int_equal(poll_box(w, UIDS("x"))->added, 0);
	assert_int_equal(poll_box(w, NOTHING)->gone, 0);
	assert_int_equal(poll_box(w, NOTHING)->gone, 1);
	assert_int_equal(poll_box(w, NOTHING)->gone, 0);
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
	int64_t id = one_new(w);

	world_in_doubt(w, id);
	world_relayed(w, id, true);
	assert_int_equal(poll_box(w, NOTHING)->gone, 1);
	assert_int_equal(poll_box(w, UIDS("x"))->added, 1);
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

	world_in_doubt(w, one_new(w));
	poll_box(w, NOTHING);
	assert_int_equal(poll_box(w, NOTHING)->gone, 1);
	assert_int_equal(poll_box(w, UIDS("x"))->added, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].state, STORE_NEW);
	assert_true(w->a.items[0].doubt);
}

static void
known_that_was_gone_is_new(void **state)
{
	struct world *w = *state;

	poll_box(w, UIDS("k"));
	poll_box(w, NOTHING);
	assert_int_equal(poll_box(w, NOTHING)->gone, 1);
	assert_int_equal(poll_box(w, UIDS("k"))->added, 1);
	assert_string_equal(
	    world_work(w, 1, 0, 9)->items[0].destination, "home");
}

static void
same_uidl_twice_is_two_messages(void **state)
{
	struct world *w = *state;

	poll_box(w, NOTHING);
	assert_int_equal(poll_box(w, UIDS("d", "e", "d", "d"))->added, 4);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 4);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(w->a.items[i].number, i + 1);
	assert_int_equal(w->a.items[0].duplicate, 0);
	assert_int_equal(w->a.items[1].duplicate, 0);
	assert_int_equal(w->a.items[2].duplicate, 1);
	assert_int_equal(w->a.items[3].duplicate, 2);
	assert_int_equal(poll_box(w, UIDS("d", "e", "d", "d"))->added, 0);
}

static void
uidls_are_opaque(void **state)
{
	struct world *w = *state;
	char longest[STORE_UID_MAX + 1];

	memset(longest, 0xe9, STORE_UID_MAX);
	longest[STORE_UID_MAX] = '\0';
	poll_box(w, NOTHING);
	assert_int_equal(
	    poll_box(w, UIDS("", " ", "1", "01", "'; --", longest))->added, 6);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 6);
	assert_string_equal(w->a.items[0].uid, "");
	assert_string_equal(w->a.items[3].uid, "01");
	assert_string_equal(w->a.items[5].uid, longest);
}

static void
only_what_is_listed_is_work(void **state)
{
	struct world *w = *state;

	one_new(w);
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

	one_new(w);
	assert_true(world_mailbox(w, "b", "v", "h")->ok);
	assert_int_not_equal(w->mailbox, first);
	assert_int_equal(poll_box(w, UIDS("x"))->known, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 0);
	w->mailbox = first;
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
}

static void
old_tombstones_are_purged(void **state)
{
	struct world *w = *state;

	one_new(w);
	poll_box(w, NOTHING);
	assert_int_equal(poll_box(w, UIDS("y"))->gone, 1);
	world_close(w);
	world_sql(w, "UPDATE delivery SET changed = changed - 31*24*60*60"
		     " WHERE state = 'gone'");
	world_open(w);
	poll_box(w, UIDS("y"));
	world_close(w);
	/* Nothing new, nothing written. */
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 2);
	world_open(w);
	poll_box(w, UIDS("y", "z"));
	world_close(w);
	assert_int_equal(
	    world_number(
		w, "SELECT count(*) FROM delivery WHERE state = 'gone'"),
	    0);
}

/* --- IMAP ------------------------------------------------------------- */

static const struct store_answer *
imap(struct world *w, uint64_t generation, uint64_t list_from, uint64_t highest,
    const char *const *uids)
{
	struct store_listing l = { .imap = true,
		.complete = true,
		.generation = generation,
		.list_from = list_from,
		.highest = highest,
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
	assert_int_equal(imap(w, 7, 1, 20, UIDS("3", "11"))->known, 2);
	assert_int_equal(list_from(w), 21);
	assert_int_equal(w->a.generation, 7);
	assert_true(w->a.baseline);
	world_close(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"), 0);
}

static void
imap_orders_by_number(void **state)
{
	struct world *w = *state;

	imap(w, 7, 1, 8, NOTHING);
	assert_int_equal(imap(w, 7, 9, 0, UIDS("100", "9", "20"))->added, 3);
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

	imap(w, 7, 1, 0, UIDS("5"));
	assert_int_equal(imap(w, 7, 6, 9, UIDS("5", "6"))->added, 1);
	assert_int_equal(list_from(w), 6);
	id = world_work(w, 1, 0, 10)->items[0].id;
	world_in_doubt(w, id);
	assert_int_equal(list_from(w), 6);
	world_relayed(w, id, true);
	assert_int_equal(list_from(w), 6);
	assert_int_equal(world_removals(w)->nitems, 1);
	assert_int_equal(w->a.items[0].number, 6);
	assert_true(w->a.items[0].removing);
	assert_int_equal(imap(w, 7, 6, 9, NOTHING)->gone, 1);
	assert_int_equal(list_from(w), 10);
	/* n:* answers with the last message although it is below n. */
	assert_int_equal(imap(w, 7, 10, 0, UIDS("5"))->added, 0);
	assert_int_equal(list_from(w), 10);
}

static void
imap_incomplete_moves_no_mark(void **state)
{
	struct world *w = *state;
	struct store_listing l = { .imap = true,
		.generation = 7,
		.list_from = 6,
		.highest = 50,
		.destinations = home,
		.ndestinations = 1 };

	imap(w, 7, 1, 5, NOTHING);
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

	imap(w, 7, 1, 5, NOTHING);
	imap(w, 7, 6, 9, UIDS("6"));
	for (int i = 0; i < 3; i++)
		assert_int_equal(imap(w, 7, 10, 12, NOTHING)->gone, 0);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
}

static void
imap_missing_message_is_no_work(void **state)
{
	struct world *w = *state;

	imap(w, 7, 1, 5, NOTHING);
	imap(w, 7, 6, 9, UIDS("6"));
	assert_int_equal(imap(w, 7, 6, 9, NOTHING)->waiting, 0);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 0);
	assert_int_equal(list_from(w), 6);
	assert_int_equal(imap(w, 7, 6, 9, UIDS("6"))->waiting, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
}

static void
imap_same_uid_twice_is_one_message(void **state)
{
	struct world *w = *state;

	imap(w, 7, 1, 5, NOTHING);
	assert_int_equal(imap(w, 7, 6, 0, UIDS("6", "6", "7"))->added, 2);
}

static void
imap_uid_must_be_a_number(void **state)
{
	static const char *const bad[] = { "0", "x", "7x", "08", "-1", "",
		"4294967296", "99999999999999999999" };
	struct world *w = *state;

	imap(w, 7, 1, 5, NOTHING);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused_for(imap(w, 7, 6, 9, UIDS(bad[i], "8")), FAULT_ACCOUNT,
		    FAULT_LATER, "not a number");
	assert_int_equal(imap(w, 7, 6, 9, UIDS("4294967295"))->added, 1);
}

static void
uidvalidity_change_concludes_nothing(void **state)
{
	struct world *w = *state;

	imap(w, 7, 1, 5, UIDS("5"));
	imap(w, 7, 6, 9, UIDS("6"));
	refused_for(imap(w, 8, 6, 99, UIDS("1", "2")), FAULT_ACCOUNT,
	    FAULT_NEVER, "changed from 7 to 8");
	refused_for(imap(w, 0, 6, 99, UIDS("1")), FAULT_ACCOUNT, FAULT_NEVER,
	    "no usable UIDVALIDITY");
	world_list(w, UIDS("x"));
	refused_for(
	    world_end(w, &pop3), FAULT_ACCOUNT, FAULT_NEVER, "other protocol");
	assert_int_equal(list_from(w), 6);
	assert_int_equal(imap(w, 7, 6, 9, UIDS("6"))->waiting, 1);
}

static void
pop3_mailbox_is_not_read_over_imap(void **state)
{
	struct world *w = *state;

	one_new(w);
	refused_for(imap(w, 8, 1, 9, UIDS("1")), FAULT_ACCOUNT, FAULT_NEVER,
	    "other protocol");
	assert_int_equal(poll_box(w, UIDS("x"))->waiting, 1);
}

/* --- steps of one message --------------------------------------------- */

static enum store_state
state_now(struct world *w)
{
	assert_int_equal(world_work(w, 1 << 30, 0, 10)->nitems, 1);
	return w->a.items[0].state;
}

static void
accepted_the_first_time(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_relayed(w, id, false)->ok);
	assert_true(w->a.complete);
	assert_int_equal(world_work(w, 1 << 30, 0, 10)->nitems, 0);
	assert_int_equal(world_removals(w)->nitems, 0);
	assert_int_equal(poll_box(w, UIDS("x"))->waiting, 0);
	world_close(w);
	assert_int_equal(
	    world_number(w,
		"SELECT count(*) FROM delivery WHERE state = 'relayed'"
		" AND attempt = 1 AND trace = 'TRACE' AND size = 5"
		" AND length(hash) = 32 AND length(fingerprint) = 16"
		" AND reply = '250 queued' AND changed = 200 AND doubt = 0"),
	    1);
}

/* R1, R3: no step without the one before it. */
static void
steps_keep_their_order(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	refused_for(world_relayed(w, id, true), FAULT_US, FAULT_NEVER,
	    "cannot become relayed: new");
	assert_false(w->a.complete);
	world_in_doubt(w, id);
	world_relayed(w, id, false);
	refused_for(world_in_doubt(w, id), FAULT_US, FAULT_NEVER,
	    "cannot become in_doubt: relayed");
	refused_for(world_refused(w, id, STORE_DEFERRED, 0), FAULT_US,
	    FAULT_NEVER, "cannot become deferred: relayed");
	refused_for(
	    world_in_doubt(w, id + 1), FAULT_US, FAULT_NEVER, "no such record");
}

static void
refused_before_the_dot(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	assert_true(world_refused(w, id, STORE_DEFERRED, 500)->ok);
	assert_int_equal(world_work(w, 499, 0, 10)->nitems, 0);
	assert_int_equal(world_work(w, 500, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].state, STORE_DEFERRED);
	assert_false(w->a.items[0].doubt);
	assert_int_equal(poll_box(w, UIDS("x"))->waiting, 1);
}

static void
first_try_refused_after_the_dot(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	world_in_doubt(w, id);
	assert_true(world_refused(w, id, STORE_DEFERRED, 0)->ok);
	assert_int_equal(state_now(w), STORE_DEFERRED);
	assert_false(w->a.items[0].doubt);
	assert_int_equal(w->a.items[0].attempt, 1);
	assert_string_equal(w->a.items[0].trace, "TRACE");
}

static void
held_waits_for_a_person(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	world_in_doubt(w, id);
	assert_true(world_refused(w, id, STORE_HELD, 0)->ok);
	assert_int_equal(world_work(w, 1 << 30, 0, 10)->nitems, 0);
	assert_int_equal(poll_box(w, UIDS("x"))->held, 1);
	assert_int_equal(w->a.waiting, 0);
	refused_for(world_in_doubt(w, id), FAULT_US, FAULT_NEVER, "held");
}

/* R2, R3: no reply, so it is handed out again as what it is. */
static void
no_reply_stays_in_doubt(void **state)
{
	struct world *w = *state;

	world_in_doubt(w, one_new(w));
	assert_int_equal(state_now(w), STORE_IN_DOUBT);
	assert_true(w->a.items[0].doubt);
	restart(w);
	poll_box(w, UIDS("x"));
	assert_int_equal(state_now(w), STORE_IN_DOUBT);
	assert_true(w->a.items[0].doubt);
	assert_int_equal(w->a.items[0].attempt, 1);
}

static void
doubtful_and_deferred(struct world *w)
{
	assert_int_equal(world_work(w, 499, 0, 10)->nitems, 0);
	assert_int_equal(world_work(w, 500, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].state, STORE_IN_DOUBT);
	assert_true(w->a.items[0].doubt);
}

/* R4: the first copy may have been accepted all the same. */
static void
refused_resend_stays_in_doubt(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	world_in_doubt(w, id);
	state_now(w);
	world_in_doubt(w, id);
	assert_true(world_refused(w, id, STORE_DEFERRED, 500)->ok);
	doubtful_and_deferred(w);
}

/* The same when the resend did not come as far as its own record. */
static void
refused_early_resend_stays_in_doubt(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	world_in_doubt(w, id);
	state_now(w);
	assert_true(world_refused(w, id, STORE_DEFERRED, 500)->ok);
	doubtful_and_deferred(w);
}

static void
refused_resend_after_restart_stays_in_doubt(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	world_in_doubt(w, id);
	restart(w);
	poll_box(w, UIDS("x"));
	assert_true(world_refused(w, id, STORE_DEFERRED, 500)->ok);
	doubtful_and_deferred(w);
}

static void
held_resend_keeps_its_doubt(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	world_in_doubt(w, id);
	state_now(w);
	assert_true(world_refused(w, id, STORE_HELD, 0)->ok);
	world_close(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"
					 " WHERE state = 'held' AND doubt = 1"),
	    1);
}

static void
resend_is_accepted(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	world_in_doubt(w, id);
	state_now(w);
	world_in_doubt(w, id);
	assert_true(world_relayed(w, id, true)->complete);
	assert_int_equal(world_removals(w)->nitems, 1);
}

/* --- several destinations --------------------------------------------- */

static void
pages_do_not_cut_a_message(void **state)
{
	struct world *w = *state;

	world_list(w, UIDS("x", "y", "z"));
	assert_int_equal(world_end(w, &pop3_two)->added, 3);
	assert_int_equal(w->a.waiting, 6);
	assert_int_equal(world_work(w, 1, 0, 3)->nitems, 2);
	assert_int_equal(w->a.items[1].number, 1);
	assert_int_equal(world_work(w, 1, 1, 4)->nitems, 4);
	assert_int_equal(w->a.items[3].number, 3);
	assert_int_equal(world_work(w, 1, 0, 1)->nitems, 2);
	assert_int_equal(world_work(w, 1, 2, 1)->nitems, 2);
	assert_int_equal(world_work(w, 1, 3, 1)->nitems, 0);
	assert_int_equal(world_work(w, 1, 0, 0)->nitems, 0);
	assert_int_equal(world_work(w, 1, 0, 100)->nitems, 6);
}

static void
removed_when_all_have_it(void **state)
{
	struct world *w = *state;
	int64_t id[2];

	world_list(w, UIDS("x"));
	world_end(w, &pop3_two);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 2);
	assert_string_not_equal(
	    w->a.items[0].destination, w->a.items[1].destination);
	id[0] = w->a.items[0].id;
	id[1] = w->a.items[1].id;
	world_in_doubt(w, id[0]);
	assert_false(world_relayed(w, id[0], true)->complete);
	assert_int_equal(world_removals(w)->nitems, 0);
	world_refused(w, id[1], STORE_DEFERRED, 0);
	world_in_doubt(w, id[1]);
	assert_true(world_relayed(w, id[1], true)->complete);
	assert_int_equal(world_removals(w)->nitems, 1);
	assert_int_equal(poll_box(w, UIDS("x"))->removing, 2);
	assert_int_equal(poll_box(w, NOTHING)->gone, 2);
	assert_int_equal(w->a.removing, 0);
}

static void
held_for_one_is_not_complete(void **state)
{
	struct world *w = *state;
	int64_t id[2];

	world_list(w, UIDS("x"));
	world_end(w, &pop3_two);
	world_work(w, 1, 0, 10);
	id[0] = w->a.items[0].id;
	id[1] = w->a.items[1].id;
	world_refused(w, id[0], STORE_HELD, 0);
	world_in_doubt(w, id[1]);
	assert_false(world_relayed(w, id[1], true)->complete);
	assert_int_equal(world_removals(w)->nitems, 0);
}

static void
new_destination_gets_new_messages_only(void **state)
{
	struct world *w = *state;

	one_new(w);
	world_list(w, UIDS("x", "y"));
	assert_int_equal(world_end(w, &pop3_two)->added, 1);
	assert_int_equal(w->a.waiting, 3);
}

static void
vanished_takes_all_rows(void **state)
{
	struct world *w = *state;

	world_list(w, UIDS("x", "y"));
	world_end(w, &pop3_two);
	world_work(w, 1, 0, 10);
	store_vanished(w->store, w->a.items[0].id, 50, world_done(w));
	assert_true(world_wait(w)->ok);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 2);
	assert_int_equal(w->a.items[0].number, 2);
}

/* The message was taken off the source while its dot waited. */
static void
accepted_after_it_was_gone(void **state)
{
	struct world *w = *state;
	int64_t id = one_new(w);

	world_in_doubt(w, id);
	poll_box(w, NOTHING);
	assert_int_equal(poll_box(w, NOTHING)->gone, 1);
	assert_true(world_relayed(w, id, true)->ok);
	assert_true(w->a.complete);
	assert_int_equal(world_removals(w)->nitems, 0);
}

/* --- accounts --------------------------------------------------------- */

static void
renamed_account_keeps_its_mailbox(void **state)
{
	struct world *w = *state;
	int64_t mailbox = w->mailbox;
	unsigned char uuid[16];

	memcpy(uuid, w->a.account_uuid, sizeof(uuid));
	one_new(w);
	assert_true(world_mailbox(w, "b", "u", "h")->ok);
	assert_int_equal(w->a.mailbox, mailbox);
	assert_memory_equal(w->a.account_uuid, uuid, sizeof(uuid));
	assert_true(world_mailbox(w, "b", "u", "h2")->ok);
	assert_int_equal(w->a.mailbox, mailbox);
}

static void
another_user_is_refused(void **state)
{
	struct world *w = *state;

	refused_for(world_mailbox(w, "a", "v", "h"), FAULT_ACCOUNT, FAULT_NEVER,
	    "account a was used with another user");
	assert_true(world_mailbox(w, "c", "v", "h")->ok);
	assert_true(world_mailbox(w, "a", "u", "h")->ok);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_have_their_words),
		TEST(what_was_there_is_known),
		TEST(relay_all_takes_what_was_there),
		TEST(first_listing_must_be_complete),
		TEST(incomplete_listing_buries_nothing),
		TEST(end_without_begin_is_refused),
		TEST(a_listing_without_destination_is_refused),
		TEST(missing_once_is_a_hiccup),
		TEST(uid_listed_after_it_was_gone_is_new),
		TEST(doubt_outlives_a_tombstone),
		TEST(known_that_was_gone_is_new),
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
		TEST(uidvalidity_change_concludes_nothing),
		TEST(pop3_mailbox_is_not_read_over_imap),
		TEST(accepted_the_first_time),
		TEST(steps_keep_their_order),
		TEST(refused_before_the_dot),
		TEST(first_try_refused_after_the_dot),
		TEST(held_waits_for_a_person),
		TEST(no_reply_stays_in_doubt),
		TEST(refused_resend_stays_in_doubt),
		TEST(refused_early_resend_stays_in_doubt),
		TEST(refused_resend_after_restart_stays_in_doubt),
		TEST(held_resend_keeps_its_doubt),
		TEST(resend_is_accepted),
		TEST(pages_do_not_cut_a_message),
		TEST(removed_when_all_have_it),
		TEST(held_for_one_is_not_complete),
		TEST(new_destination_gets_new_messages_only),
		TEST(vanished_takes_all_rows),
		TEST(accepted_after_it_was_gone),
		TEST(renamed_account_keeps_its_mailbox),
		TEST(another_user_is_refused),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
