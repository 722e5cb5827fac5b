/* SPDX-License-Identifier: ISC */
/*
 * What waits to be relayed, and what is asked for ahead of it: pages of the
 * store, sizes, connections, and the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "worker_stage.h"

#define WORK_BATCH 256
#define WORK_LOW 128

static const char message[] = "A: b\r\n\r\nx\r\n";

/* From the last byte of its body to its record. */
static void
relay(struct stage *s, uint32_t number)
{
	fetched(number, message);
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	fake_store_commit(&s->store);
}

static bool
happened(const struct stage *s, const char *what)
{
	return strstr(s->trail.text, what) != NULL;
}

static void
stop(struct stage *s)
{
	worker_stop(s->worker);
	while (s->store.queued > 0)
		give_items(s, 0, 0, 0);
	run(s);
}

/* The next page is there before this one is fetched, and no more than that. */
static void
test_next_page(void **state)
{
	struct stage *s = *state;
	uint32_t done = 0;

	list(s, 1000);
	give_items(s, 1, WORK_BATCH, 10);
	assert_true(happened(s, "fetch 256\nwork behind 256\n"));
	forget(s);
	give_items(s, 257, WORK_BATCH, 10);
	assert_trail(s, ""); /* the window is full, the queue too */
	while (done < WORK_LOW - 1)
		relay(s, ++done);
	assert_true(happened(s, "fetch 383\n"));
	assert_false(happened(s, "work behind"));
	while (s->store.queued > 0)
		fake_store_commit(&s->store);
	forget(s);
	fetched(++done, message);
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	forget(s);
	fake_store_commit(&s->store);
	assert_trail(s, "committed\nfetch 384\nwork behind 512\n");
	stop(s);
}

/* The pool is the brake: what was asked for fits into it. */
static void
test_pool_is_full(void **state)
{
	struct stage *s = *state;

	list(s, 20);
	give_items(s, 1, 20, 999); /* of a pool of 10000, half is ours */
	assert_true(happened(s, "fetch 5\nwork behind 20\n"));
	assert_int_equal(spool_pool_used(s->context.pool), 5000);
	give_items(s, 0, 0, 0);
	forget(s);
	relay(s, 1);
	assert_true(happened(s, "fetch 6\n"));
	assert_int_equal(spool_pool_used(s->context.pool), 5000);
	stop(s);
	assert_int_equal(spool_pool_used(s->context.pool), 0);
}

/* Sizes of the next page come while the bodies of this one do. */
static void
test_sizes(void **state)
{
	struct stage *s = *state;

	as_imap(s);
	list(s, 4);
	forget(s);
	give_items(s, 1, 2, 0);
	assert_trail(s, "size of 1\nsize of 2\n");
	source_is()->size(fake_source.source.arg, 2, 30);
	source_is()->size(fake_source.source.arg, 1, 20);
	source_is()->size(fake_source.source.arg, 77, 20); /* nobody's */
	assert_trail(s, "");
	source_is()->sized(fake_source.source.arg);
	assert_trail(s, "fetch 2\nfetch 1\nwork behind 2\n");
	assert_int_equal(spool_pool_used(s->context.pool), 52);
	give_items(s, 3, 2, 0);
	assert_trail(s, "size of 3\nsize of 4\n");
	relay(s, 2);
	forget(s);
	/* What has none is fetched all the same. */
	source_is()->size(fake_source.source.arg, 4, 1001);
	source_is()->sized(fake_source.source.arg);
	assert_true(happened(s, "record 4 held: 1001 bytes"));
	assert_true(happened(s, "fetch 3\nwork behind 4\n"));
	stop(s);
}

/* What was listed with its size is not asked about again. */
static void
test_sizes_known(void **state)
{
	struct stage *s = *state;

	as_imap(s);
	list(s, 2);
	forget(s);
	give_items(s, 1, 2, 20);
	assert_trail(s, "fetch 1\nfetch 2\nwork behind 2\n");
	stop(s);
}

/* Nothing else is said to the source before it has told the sizes. */
static void
test_trouble_while_sizing(void **state)
{
	struct stage *s = *state;
	struct fault f;

	as_imap(s);
	s->folder.after = CONF_AFTER_KEEP;
	list(s, 1);
	give_items(s, 1, 1, 0);
	forget(s);
	fault_set(&f, FAULT_DESTINATION, FAULT_LATER, "connect", "refused");
	s->sink.trouble = &f;
	source_is()->size(fake_source.source.arg, 1, 20);
	worker_retire(s->worker);
	assert_trail(s, "");
	source_is()->sized(fake_source.source.arg);
	assert_trail(s, "quit\n");
	down(NULL);
	run(s);
	assert_true(s->report.failed);
}

/* --- a listing comes no faster than it can be stored */

static void
entry(uint32_t number)
{
	source_is()->entry(fake_source.source.arg, span_str("uid"), number, 20);
}

static void
test_listing_waits(void **state)
{
	struct stage *s = *state;
	struct store_answer found = { .mailbox = 1, .baseline = true };
	const struct source_mailbox m = { .exists = 9 };
	struct fault f;

	for (int round = 0; round < 2; round++) {
		worker_poll(s->worker, NULL);
		fake_store_answer(&s->store, &found);
		source_is()->ready(fake_source.source.arg);
		source_is()->selected(fake_source.source.arg, &m, NULL);
		forget(s);
		s->store.full = true;
		entry(1);
		entry(2); /* was here already */
		assert_trail(s, "listed 1\npause\nlisted 2\n");
		s->store.full = false;
		s->store.waiter->room(s->store.waiter->arg);
		assert_trail(s, "resume\n");
		s->store.full = true;
		entry(3);
		assert_trail(s, "listed 3\npause\n");
		if (round == 0) {
			/* The rest of the session has nothing to wait for. */
			source_is()->listed(fake_source.source.arg, true);
			assert_trail(s, "resume\nsettle\n");
		} else {
			fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "x", "y");
			down(&f);
		}
		assert_null(s->store.waiter);
		s->store.full = false;
		stop(s);
		forget(s);
	}
}

/* --- the connection to the destination is there in time */

static void
select_with(struct stage *s, const struct store_answer *found,
    const struct source_mailbox *m)
{
	struct store_answer a = *found;

	worker_poll(s->worker, NULL);
	fake_store_answer(&s->store, &a);
	source_is()->ready(fake_source.source.arg);
	forget(s);
	source_is()->selected(fake_source.source.arg, m, NULL);
}

static void
test_warm(void **state)
{
	static const struct {
		struct store_answer found;
		struct source_mailbox box;
		enum conf_first first;
		unsigned warm; /* for so many */
	} v[] = {
		{ { .mailbox = 1,
		      .baseline = true,
		      .generation = 7,
		      .list_from = 3,
		      .new_from = 9 },
		    { .generation = 7, .exists = 9, .next = 10 },
		    CONF_FIRST_ALL, 1 },
		/* Something waits, but nothing came. */
		{ { .mailbox = 1,
		      .baseline = true,
		      .generation = 7,
		      .list_from = 3,
		      .new_from = 9 },
		    { .generation = 7, .exists = 9, .next = 9 }, CONF_FIRST_ALL,
		    0 },
		{ { .mailbox = 1,
		      .baseline = true,
		      .generation = 7,
		      .new_from = 9 },
		    { .generation = 8, .exists = 9, .next = 10 },
		    CONF_FIRST_ALL, 0 },
		{ { .mailbox = 1, .new_from = 1 },
		    { .generation = 7, .exists = 9, .next = 10 },
		    CONF_FIRST_ALL, 9 },
		{ { .mailbox = 1, .new_from = 1 },
		    { .generation = 7, .exists = 9, .next = 10 },
		    CONF_FIRST_NEW, 0 },
		{ { .mailbox = 1, .new_from = 1 },
		    { .generation = 7, .next = 10 }, CONF_FIRST_ALL, 0 },
	};
	struct stage *s = *state;
	char want[32];

	as_imap(s);
	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		s->folder.first = v[i].first;
		select_with(s, &v[i].found, &v[i].box);
		snprintf(want, sizeof(want), "warm %u\n", v[i].warm);
		assert_int_equal(happened(s, want), v[i].warm > 0);
		assert_int_equal(happened(s, "warm"), v[i].warm > 0);
		stop(s);
	}
}

static void
test_not_warm(void **state)
{
	struct stage *s = *state;

	list(s, 0);
	assert_false(happened(s, "warm"));
	give_items(s, 0, 0, 0);
	down(NULL);
	run(s);
	s->context.dry_run = true;
	list(s, 1);
	assert_false(happened(s, "warm"));
	stop(s);
}

/* --- the end of a session */

/* Up to the answer what is to be removed. */
static void
remove_one(struct stage *s)
{
	list(s, 0);
	forget(s);
	give_items(s, 4, 1, 20);
}

static void
test_goodbye_behind_removal(void **state)
{
	struct stage *s = *state;
	struct fault f;

	remove_one(s);
	assert_trail(s, "remove 4\nquit\n");
	source_is()->removed(fake_source.source.arg, 1);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "QUIT", "closed");
	down(&f); /* nothing depends on it */
	run(s);
	assert_trail(s, "close\ndone: 0 relayed\n");
	remove_one(s);
	down(&f); /* but the removal is not known to be done */
	run(s);
	assert_true(happened(s, "close\ndone, failed: 0 relayed\n"));
}

static void
test_session_stays(void **state)
{
	struct stage *s = *state;

	as_imap(s);
	s->leave = WORKER_KEEP;
	remove_one(s);
	assert_trail(s, "remove 4\nleaving, can watch\n");
	source_is()->removed(fake_source.source.arg, 1);
	run(s);
	assert_trail(s, "leaving, can watch\ndone: 0 relayed\n");
	assert_non_null(s->report.session);
	source_close(&s->report.session);
}

static void
test_many_removals(void **state)
{
	struct stage *s = *state;

	list(s, 0);
	give_items(s, 1, 2048, 20);
	assert_false(happened(s, "quit"));
	forget(s);
	source_is()->removed(fake_source.source.arg, 2048);
	assert_trail(s, "removals behind 2048\n");
	give_items(s, 0, 0, 0);
	assert_trail(s, "quit\n");
	down(NULL);
	run(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_next_page),
		TEST(test_pool_is_full),
		TEST(test_sizes),
		TEST(test_sizes_known),
		TEST(test_trouble_while_sizing),
		TEST(test_listing_waits),
		TEST(test_warm),
		TEST(test_not_warm),
		TEST(test_goodbye_behind_removal),
		TEST(test_session_stays),
		TEST(test_many_removals),
	};

	return cmocka_run_group_tests_name("worker_queue", tests, NULL, NULL);
}
