/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store_fixture.h"

static const char *const two[] = { "home", "archive" };

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

static void
states_have_their_words(void **state)
{
	(void)state;
	assert_string_equal(store_state_name(STORE_KNOWN), "known");
	assert_string_equal(store_state_name(STORE_IN_DOUBT), "in_doubt");
	assert_string_equal(store_state_name(STORE_GONE), "gone");
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
	int64_t id = world_one_new(w);

	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_relayed(w, id, false)->ok);
	assert_true(w->a.complete);
	assert_int_equal(world_work(w, 1 << 30, 0, 10)->nitems, 0);
	assert_int_equal(world_removals(w)->nitems, 0);
	assert_int_equal(world_poll(w, UIDS("x"))->waiting, 0);
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
	int64_t id = world_one_new(w);

	assert_refused(world_relayed(w, id, true), FAULT_US, FAULT_NEVER,
	    "cannot become relayed: new");
	assert_false(w->a.complete);
	world_in_doubt(w, id);
	world_relayed(w, id, false);
	assert_refused(world_in_doubt(w, id), FAULT_US, FAULT_NEVER,
	    "cannot become in_doubt: relayed");
	assert_refused(world_refused(w, id, STORE_DEFERRED, 0), FAULT_US,
	    FAULT_NEVER, "cannot become deferred: relayed");
	assert_refused(
	    world_in_doubt(w, id + 1), FAULT_US, FAULT_NEVER, "no such record");
}

static void
refused_before_the_dot(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	assert_true(world_refused(w, id, STORE_DEFERRED, 500)->ok);
	assert_int_equal(world_work(w, 499, 0, 10)->nitems, 0);
	assert_int_equal(world_work(w, 500, 0, 10)->nitems, 1);
	assert_int_equal(w->a.items[0].state, STORE_DEFERRED);
	assert_false(w->a.items[0].doubt);
	assert_int_equal(world_poll(w, UIDS("x"))->waiting, 1);
}

static void
first_try_refused_after_the_dot(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

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
	int64_t id = world_one_new(w);

	world_in_doubt(w, id);
	assert_true(world_refused(w, id, STORE_HELD, 0)->ok);
	assert_int_equal(world_work(w, 1 << 30, 0, 10)->nitems, 0);
	assert_int_equal(world_poll(w, UIDS("x"))->held, 1);
	assert_int_equal(w->a.waiting, 0);
	assert_refused(world_in_doubt(w, id), FAULT_US, FAULT_NEVER, "held");
}

/* R2, R3: no reply, so it is handed out again as what it is. */
static void
no_reply_stays_in_doubt(void **state)
{
	struct world *w = *state;

	world_in_doubt(w, world_one_new(w));
	assert_int_equal(state_now(w), STORE_IN_DOUBT);
	assert_true(w->a.items[0].doubt);
	restart(w);
	world_poll(w, UIDS("x"));
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
	int64_t id = world_one_new(w);

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
	int64_t id = world_one_new(w);

	world_in_doubt(w, id);
	state_now(w);
	assert_true(world_refused(w, id, STORE_DEFERRED, 500)->ok);
	doubtful_and_deferred(w);
}

static void
refused_resend_after_restart_stays_in_doubt(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	world_in_doubt(w, id);
	restart(w);
	world_poll(w, UIDS("x"));
	assert_true(world_refused(w, id, STORE_DEFERRED, 500)->ok);
	doubtful_and_deferred(w);
}

static void
held_resend_keeps_its_doubt(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

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
	int64_t id = world_one_new(w);

	world_in_doubt(w, id);
	state_now(w);
	world_in_doubt(w, id);
	assert_true(world_relayed(w, id, true)->complete);
	assert_int_equal(world_removals(w)->nitems, 1);
}

/* A trace of whatever account and state; none is the empty one. */
static void
traces_are_found(void **state)
{
	static const char *const traces[] = { "OTHER", "", "TRACE" };
	struct world *w = *state;
	int64_t id = world_one_new(w);

	store_find_trace(w->store, traces, 3, world_done(w));
	assert_int_equal(world_wait(w)->on_record, 0);
	world_in_doubt(w, id);
	store_find_trace(w->store, traces, 3, world_done(w));
	assert_int_equal(world_wait(w)->on_record, 3);
	store_find_trace(w->store, traces, 2, world_done(w));
	assert_int_equal(world_wait(w)->on_record, 0);
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
	assert_int_equal(world_poll(w, UIDS("x"))->removing, 2);
	assert_int_equal(world_poll(w, NOTHING)->gone, 2);
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

	world_one_new(w);
	world_list(w, UIDS("x", "y"));
	assert_int_equal(world_end(w, &pop3_two)->added, 1);
	assert_int_equal(w->a.waiting, 3);
}

/* The message was taken off the source while its dot waited. */
static void
accepted_after_it_was_gone(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	world_in_doubt(w, id);
	world_poll(w, NOTHING);
	assert_int_equal(world_poll(w, NOTHING)->gone, 1);
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
	world_one_new(w);
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

	assert_refused(world_mailbox(w, "a", "v", "h"), FAULT_ACCOUNT,
	    FAULT_NEVER, "account a was used with another user");
	assert_true(world_mailbox(w, "c", "v", "h")->ok);
	assert_true(world_mailbox(w, "a", "u", "h")->ok);
}

static void
commits_are_counted(void **state)
{
	struct world *w = *state;
	struct store_stats before, after;
	int64_t id = world_one_new(w);

	store_stats(w->store, &before);
	assert_true(before.commit.count > 0);
	assert_int_equal(before.commit.count, before.group.count);
	world_in_doubt(w, id);
	store_stats(w->store, &after);
	assert_int_equal(after.commit.count, before.commit.count + 1);
	assert_int_equal(after.group.bucket[0], before.group.bucket[0] + 1);
	assert_int_equal(after.group.sum, before.group.sum + 1);
	assert_true(after.commit.sum > before.commit.sum);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_have_their_words),
		TEST(accepted_the_first_time),
		TEST(steps_keep_their_order),
		TEST(refused_before_the_dot),
		TEST(first_try_refused_after_the_dot),
		TEST(held_waits_for_a_person),
		TEST(no_reply_stays_in_doubt),
		TEST(traces_are_found),
		TEST(refused_resend_stays_in_doubt),
		TEST(refused_early_resend_stays_in_doubt),
		TEST(refused_resend_after_restart_stays_in_doubt),
		TEST(held_resend_keeps_its_doubt),
		TEST(resend_is_accepted),
		TEST(pages_do_not_cut_a_message),
		TEST(removed_when_all_have_it),
		TEST(held_for_one_is_not_complete),
		TEST(new_destination_gets_new_messages_only),
		TEST(accepted_after_it_was_gone),
		TEST(renamed_account_keeps_its_mailbox),
		TEST(another_user_is_refused),
		TEST(commits_are_counted),
	};

	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
