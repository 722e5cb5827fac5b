/* SPDX-License-Identifier: ISC */
/* The timetable, with a clock that the test moves. */
#include "relay/sched.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/retry.h"

#define MANY 1000
#define ACCOUNTS 50

static const struct sched_limits few = { .per_host = 2, .total = 3 };

static void
add(struct sched *s, struct sched_job *j, const char *host, int64_t due)
{
	*j = (struct sched_job){ 0 };
	sched_add(s, j, host, true);
	sched_at(s, j, due);
}

static void
test_longest_first(void **state)
{
	struct sched s;
	struct sched_job a, b, c;
	int64_t wait;

	(void)state;
	sched_init(&s, &few);
	add(&s, &a, "one", 30);
	add(&s, &b, "two", 10);
	add(&s, &c, "one", 20);
	assert_null(sched_next(&s, 5, &wait));
	assert_int_equal(wait, 5);
	assert_ptr_equal(sched_next(&s, 30, &wait), &b);
	assert_ptr_equal(sched_next(&s, 30, &wait), &c);
	assert_ptr_equal(sched_next(&s, 30, &wait), &a);
	assert_null(sched_next(&s, 30, &wait));
	assert_true(wait == INT64_MAX);
	sched_remove(&s, &a);
	sched_remove(&s, &b);
	sched_remove(&s, &c);
	assert_int_equal(s.running, 0);
	sched_free(&s);
}

/* A host that is full keeps nobody of another one waiting. */
static void
test_limits(void **state)
{
	struct sched s;
	struct sched_job j[5];
	int64_t wait;

	(void)state;
	sched_init(&s, &few);
	for (size_t i = 0; i < 3; i++)
		add(&s, &j[i], "ONE", (int64_t)i);
	add(&s, &j[3], "two", 10);
	add(&s, &j[4], "three", 11);
	assert_ptr_equal(sched_next(&s, 20, &wait), &j[0]);
	assert_ptr_equal(sched_next(&s, 20, &wait), &j[1]);
	assert_ptr_equal(sched_next(&s, 20, &wait), &j[3]);
	assert_null(sched_next(&s, 20, &wait)); /* in all */
	sched_done(&s, &j[3]);
	assert_ptr_equal(sched_next(&s, 20, &wait), &j[4]);
	sched_done(&s, &j[4]);
	assert_null(sched_next(&s, 20, &wait)); /* of the host */
	sched_done(&s, &j[0]);
	assert_ptr_equal(sched_next(&s, 20, &wait), &j[2]);
	for (size_t i = 0; i < 5; i++)
		sched_remove(&s, &j[i]);
	sched_free(&s);
}

static void
test_spacing(void **state)
{
	const struct sched_limits l = { 10, 10, 1000 };
	struct sched s;
	struct sched_job a, b, c;
	int64_t wait;

	(void)state;
	sched_init(&s, &l);
	add(&s, &a, "one", 0);
	add(&s, &b, "one", 0);
	add(&s, &c, "two", 5);
	assert_ptr_equal(sched_next(&s, 100, &wait), &a);
	assert_ptr_equal(sched_next(&s, 100, &wait), &c);
	assert_null(sched_next(&s, 100, &wait));
	assert_int_equal(wait, 1000);
	assert_null(sched_next(&s, 1099, &wait));
	assert_ptr_equal(sched_next(&s, 1100, &wait), &b);
	sched_remove(&s, &a);
	sched_remove(&s, &b);
	sched_remove(&s, &c);
	sched_free(&s);
}

/* One place of a host is never given away for good, and everybody's first
 * mailbox comes before anybody's second. */
static void
test_holds(void **state)
{
	const struct sched_limits l = { .per_host = 4, .total = 100 };
	struct sched s;
	struct sched_job a, b;
	int64_t wait;

	(void)state;
	sched_init(&s, &l);
	add(&s, &a, "one", 0);
	add(&s, &b, "one", 1);
	assert_ptr_equal(sched_next(&s, 1, &wait), &a);
	assert_true(sched_hold(&s, &a));
	assert_false(a.running);
	sched_at(&s, &a, 1);
	assert_ptr_equal(sched_next(&s, 1, &wait), &b);
	assert_ptr_equal(sched_next(&s, 1, &wait), &a);
	assert_true(sched_hold(&s, &a)); /* two are left: b's, and a free one */
	sched_at(&s, &a, 1);
	assert_ptr_equal(sched_next(&s, 1, &wait), &a);
	assert_false(sched_hold(&s, &a));
	sched_done(&s, &a);
	assert_true(sched_hold(&s, &b));
	assert_int_equal(s.holds, 3);
	sched_at(&s, &a, 1);
	assert_ptr_equal(sched_next(&s, 1, &wait), &a);
	assert_false(sched_hold(&s, &a));
	sched_drop(&s, &a);
	assert_true(sched_hold(&s, &a));
	sched_remove(&s, &a);
	assert_int_equal(s.holds, 1);
	sched_remove(&s, &b);
	assert_int_equal(s.holds + s.running, 0);
	sched_free(&s);
}

/* An account has a limit of its own, of which one place is for its polls; who
 * has none left keeps nobody else from watching. */
static void
test_limit_of_an_account(void **state)
{
	const struct sched_limits l = { .per_host = 10, .total = 100 };
	struct sched s;
	struct sched_job a, b;
	int64_t wait;

	(void)state;
	sched_init(&s, &l);
	add(&s, &a, "one", 0);
	a.max = 3;
	for (unsigned i = 0; i < 2; i++) {
		sched_at(&s, &a, 0);
		assert_ptr_equal(sched_next(&s, 0, &wait), &a);
		assert_true(sched_hold(&s, &a));
	}
	sched_at(&s, &a, 0);
	assert_ptr_equal(sched_next(&s, 0, &wait), &a);
	assert_int_equal(a.holds + a.running, a.max);
	assert_false(sched_hold(&s, &a));
	add(&s, &b, "one", 1);
	assert_ptr_equal(sched_next(&s, 1, &wait), &b);
	assert_true(sched_hold(&s, &b));
	sched_drop(&s, &a);
	assert_true(sched_hold(&s, &a));
	sched_remove(&s, &a);
	sched_at(&s, &b, 2);
	b.max = 1; /* it has more, of an older limit: none is added */
	assert_ptr_equal(sched_next(&s, 2, &wait), &b);
	assert_false(sched_hold(&s, &b));
	sched_remove(&s, &b);
	sched_free(&s);
}

/* A thousand accounts of one host, each busy for a while and due again at once:
 * each has its turn before anybody has the next one. */
static void
test_nobody_starves(void **state)
{
	const struct sched_limits l = { .per_host = 4, .total = 50 };
	static struct sched_job j[MANY];
	static unsigned turns[MANY];
	struct sched_job *running[4];
	struct sched s;
	int64_t wait;
	size_t n = 0;

	(void)state;
	sched_init(&s, &l);
	for (size_t i = 0; i < MANY; i++)
		add(&s, &j[i], "one", 0);
	for (int64_t now = 0; now < 3 * MANY / 4; now++) {
		unsigned least = 1000, most = 0;

		for (n = 0; n < 4; n++) {
			running[n] = sched_next(&s, now, &wait);
			assert_non_null(running[n]);
			turns[running[n] - j]++;
		}
		assert_null(sched_next(&s, now, &wait));
		for (n = 0; n < 4; n++) {
			sched_done(&s, running[n]);
			sched_at(&s, running[n], now + 1);
		}
		for (size_t i = 0; i < MANY; i++) {
			least = turns[i] < least ? turns[i] : least;
			most = turns[i] > most ? turns[i] : most;
		}
		assert_true(most - least <= 1);
	}
	for (size_t i = 0; i < MANY; i++)
		sched_remove(&s, &j[i]);
	sched_free(&s);
}

/* Fifty accounts of one host that begin together, for twelve hours: no two log
 * in within the spacing, none has more or fewer turns than its interval makes,
 * and they do not stay in step. */
static void
test_twelve_hours(void **state)
{
	const struct sched_limits l = {
		.per_host = 4, .total = 50, .spacing = 1000
	};
	const int64_t end = INT64_C(12) * 3600 * 1000;
	static struct sched_job j[ACCOUNTS];
	unsigned turns[ACCOUNTS] = { 0 }, asked = 0, neighbours = 0;
	int64_t now = 0, last = -1000, wait;
	struct sched_job *before = NULL, *one;
	struct sched s;

	(void)state;
	sched_init(&s, &l);
	for (size_t i = 0; i < ACCOUNTS; i++)
		add(&s, &j[i], "one", 0);
	for (; now<end; now += wait> 0 ? wait : 0) {
		struct retry_terms t = { .now = now / 1000, .interval = 300 };

		asked++;
		one = sched_next(&s, now, &wait);
		if (one == NULL)
			continue;
		wait = 0;
		assert_true(now - last >= l.spacing);
		last = now;
		neighbours += before != NULL && one == before + 1;
		before = one;
		turns[one - j]++;
		t.seed = (uint64_t)(one - j);
		sched_done(&s, one);
		sched_at(&s, one, now + retry_interval(&t) * 1000);
	}
	for (size_t i = 0; i < ACCOUNTS; i++) {
		assert_in_range(turns[i], end / 330000, end / 270000 + 1);
		sched_remove(&s, &j[i]);
	}
	/* At most two looks for each session: no loop that is busy. */
	assert_in_range(asked, 1, 3 * ACCOUNTS * (end / 270000 + 1));
	assert_in_range(neighbours, 0, ACCOUNTS * (end / 300000) / 4);
	sched_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longest_first),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_spacing),
		cmocka_unit_test(test_holds),
		cmocka_unit_test(test_limit_of_an_account),
		cmocka_unit_test(test_nobody_starves),
		cmocka_unit_test(test_twelve_hours),
	};

	return cmocka_run_group_tests_name("sched", tests, NULL, NULL);
}
