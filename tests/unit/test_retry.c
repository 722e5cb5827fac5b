/* SPDX-License-Identifier: ISC */
#include "relay/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MINUTE INT64_C(60)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define INTERVAL (5 * MINUTE)
#define NOW INT64_C(1800000000)
#define A FAULT_ACCOUNT

/* Every scope with every when: nobody may leave a pair to chance. */
static void
test_message(void **state)
{
	static const struct {
		enum fault_scope scope;
		enum fault_when when;
		enum retry_verdict verdict;
	} table[] = {
		{ FAULT_MESSAGE, FAULT_NOW, RETRY_DEFER },
		{ FAULT_MESSAGE, FAULT_LATER, RETRY_DEFER },
		{ FAULT_MESSAGE, FAULT_NEVER, RETRY_HOLD },
		{ FAULT_MESSAGE, FAULT_UNKNOWN, RETRY_IN_DOUBT },
		{ FAULT_ACCOUNT, FAULT_NOW, RETRY_RESTORE },
		{ FAULT_ACCOUNT, FAULT_LATER, RETRY_RESTORE },
		{ FAULT_ACCOUNT, FAULT_NEVER, RETRY_RESTORE },
		{ FAULT_ACCOUNT, FAULT_UNKNOWN, RETRY_IN_DOUBT },
		{ FAULT_DESTINATION, FAULT_NOW, RETRY_RESTORE },
		{ FAULT_DESTINATION, FAULT_LATER, RETRY_RESTORE },
		{ FAULT_DESTINATION, FAULT_NEVER, RETRY_RESTORE },
		{ FAULT_DESTINATION, FAULT_UNKNOWN, RETRY_IN_DOUBT },
		{ FAULT_US, FAULT_NOW, RETRY_RESTORE },
		{ FAULT_US, FAULT_LATER, RETRY_RESTORE },
		{ FAULT_US, FAULT_NEVER, RETRY_RESTORE },
		{ FAULT_US, FAULT_UNKNOWN, RETRY_IN_DOUBT },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fault f = { .scope = table[i].scope,
			.when = table[i].when };

		assert_int_equal(retry_message(&f), table[i].verdict);
		f.login = true; /* speaks of the account, not of a message */
		assert_int_equal(retry_message(&f), table[i].verdict);
	}
}

/* What a server says, at which stage, and whether another form may help. */
static void
test_wrapped(void **state)
{
	static const struct {
		unsigned code;
		bool content; /* behind DATA */
		const char *words;
		bool wrapped;
	} table[] = {
		{ 554, true, "5.2.252 SendAsDenied; a not allowed", true },
		{ 550, true, "5.7.1 Message rejected", true },
		{ 550, true, "5.6.0 bad header", true },
		{ 554, true, "no", true },
		{ 550, true, "5.0.0 no", true },
		{ 550, true, "rejected as spam", true },
		{ 553, false, "5.7.1 sender not owned by user", true },
		{ 550, false, "5.1.8 sender's domain not found", true },
		{ 553, false, "5.1.7 bad sender", true },
		{ 550, false, "5.1.1 user unknown", false },
		{ 550, true, "5.1.1 user unknown", false },
		{ 552, true, "5.7.0 attachment", false },
		{ 552, true, "5.3.4 too big", false },
		{ 554, true, "5.3.4 too big", false },
		{ 554, true, "5.2.2 mailbox full", false },
		{ 554, true, "5.4.6 loop", false },
		{ 550, false, "no", false },
		{ 0, true, "5.7.1 nobody said that", false },
	};
	struct fault f;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		fault_set(&f, FAULT_MESSAGE, FAULT_NEVER, "x", "x");
		f.code = table[i].code;
		f.content = table[i].content;
		retry_hear(&f, span_str(table[i].words));
		if (retry_wrapped(&f) != table[i].wrapped)
			fail_msg("%s", table[i].words);
		f.when = FAULT_LATER;
		assert_false(retry_wrapped(&f));
		f.when = FAULT_UNKNOWN;
		assert_false(retry_wrapped(&f));
		f.when = FAULT_NEVER;
		f.scope = FAULT_DESTINATION;
		assert_false(retry_wrapped(&f));
	}
	fault_set(&f, FAULT_MESSAGE, FAULT_NEVER, "x", "x");
	retry_hear(&f, span_str("5.2.252 SendAsDenied; x"));
	assert_non_null(f.hint);
	assert_non_null(strstr(f.hint, "\"rewrite\" or \"wrap\""));
}

/* Pauses are given without their jitter, which adds up to an eighth. */
static void
assert_pause(int64_t pause, int64_t expected)
{
	assert_in_range(pause, expected, expected + expected / 8);
}

/* Refused for now, again and again, on a clock that only the tries move. */
static void
test_message_schedule(void **state)
{
	static const int64_t schedule[] = { 0, 30 * MINUTE, HOUR, 2 * HOUR,
		3 * HOUR, 3 * HOUR, 3 * HOUR };
	const struct fault f = { .scope = FAULT_MESSAGE, .when = FAULT_LATER };

	(void)state;
	for (uint64_t seed = 0; seed < 500; seed++) {
		struct retry_tries t = { .first = NOW,
			.now = NOW,
			.give_up = 5 * DAY,
			.seed = seed };
		int64_t next;

		for (t.refusals = 1;; t.refusals++) {
			size_t i = t.refusals < 7 ? t.refusals - 1 : 6;

			next = retry_message_next(&f, &t);
			if (next == 0)
				break;
			assert_pause(next - t.now, schedule[i]);
			/* RFC 5321: two tries in the first hour */
			if (t.refusals == 2)
				assert_true(next - NOW <= HOUR);
			t.now = next;
		}
		assert_in_range(t.now - NOW, 5 * DAY, 5 * DAY + 4 * HOUR);
		assert_in_range(t.refusals, 35, 45);
	}
}

static void
test_message_limits(void **state)
{
	struct fault f = { .scope = FAULT_MESSAGE, .when = FAULT_LATER };
	struct retry_tries t = { .refusals = 9, .first = 1, .now = NOW };

	(void)state;
	/* give_up 0: never; cap 0: the default */
	assert_pause(retry_message_next(&f, &t) - NOW, 3 * HOUR);
	t.cap = 20 * MINUTE;
	assert_pause(retry_message_next(&f, &t) - NOW, 20 * MINUTE);
	t.refusals = 1;
	assert_pause(retry_message_next(&f, &t) - NOW, 0);
	f.retry_after = HOUR;
	assert_pause(retry_message_next(&f, &t) - NOW, HOUR);
	f.retry_after = INT64_MAX;
	assert_pause(retry_message_next(&f, &t) - NOW, DAY);
	t.give_up = NOW - 1;
	assert_int_equal(retry_message_next(&f, &t), 0);
}

static void
test_account(void **state)
{
	static const struct {
		enum fault_scope scope;
		bool login, busy;
		int64_t retry_after;
		unsigned failures;
		int64_t interval, login_delay, pause;
	} table[] = {
		{ A, 0, 0, 0, 1, INTERVAL, 0, INTERVAL },
		{ A, 0, 0, 0, 2, INTERVAL, 0, 2 * INTERVAL },
		{ A, 0, 0, 0, 4, INTERVAL, 0, 8 * INTERVAL },
		{ A, 0, 0, 0, 5, INTERVAL, 0, HOUR },
		{ A, 0, 0, 0, 1000, INTERVAL, 0, HOUR },
		{ A, 0, 0, 0, 9, 2 * HOUR, 0, 2 * HOUR },
		{ A, 0, 0, 0, 1, MINUTE, INTERVAL, INTERVAL },
		{ A, 1, 0, 0, 1, INTERVAL, 0, 15 * MINUTE },
		{ A, 1, 0, 0, 2, INTERVAL, 0, 30 * MINUTE },
		{ A, 1, 0, 0, 3, INTERVAL, 0, HOUR },
		{ A, 1, 0, 0, 7, INTERVAL, 0, 16 * HOUR },
		{ A, 1, 0, 0, 8, INTERVAL, 0, DAY },
		{ A, 1, 0, 0, 9, INTERVAL, 0, DAY },
		/* a pause never makes polls more frequent */
		{ A, 1, 0, 0, 1, HOUR, 0, HOUR },
		{ A, 1, 0, 0, 9, 2 * DAY, 0, 2 * DAY },
		/* but for a mailbox that is only in use */
		{ A, 0, 1, 0, 1, HOUR, 0, MINUTE },
		{ A, 0, 1, 0, 3, HOUR, 0, 4 * MINUTE },
		{ A, 0, 1, 0, 50, HOUR, 0, 5 * MINUTE },
		{ A, 0, 1, 0, 1, HOUR, INTERVAL, INTERVAL },
		{ A, 0, 0, 179, 1, MINUTE, 0, 179 },
		{ A, 0, 0, 10 * DAY, 1, MINUTE, 0, DAY },
		/* whom the failure does not concern */
		{ FAULT_DESTINATION, 1, 1, 0, 9, INTERVAL, 0, INTERVAL },
		{ FAULT_US, 0, 0, 0, 9, INTERVAL, 0, INTERVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fault f = { .scope = table[i].scope,
			.when = FAULT_LATER,
			.login = table[i].login,
			.busy = table[i].busy,
			.retry_after = table[i].retry_after };
		struct store_pause p = { .failures = table[i].failures - 1 };
		struct retry_terms t = { .now = NOW,
			.interval = table[i].interval,
			.login_delay = table[i].login_delay,
			.seed = i };

		retry_account(&p, &f, &t);
		assert_int_equal(p.failures, table[i].failures);
		assert_pause(p.not_before - NOW, table[i].pause);
		assert_int_equal(
		    p.firm, table[i].login || table[i].retry_after > 0);
	}
}

static void
test_destination(void **state)
{
	static const struct {
		enum fault_when when;
		bool login, busy;
		unsigned code, failures;
		int64_t pause;
	} table[] = {
		{ FAULT_NOW, 0, 0, 0, 1, 0 },
		{ FAULT_NOW, 1, 0, 0, 50, 0 },
		/* cannot be reached */
		{ FAULT_LATER, 0, 0, 0, 1, 30 },
		{ FAULT_LATER, 0, 0, 0, 2, 60 },
		{ FAULT_LATER, 0, 0, 0, 6, 16 * MINUTE },
		{ FAULT_LATER, 0, 0, 0, 7, 30 * MINUTE },
		{ FAULT_UNKNOWN, 0, 0, 0, 1, 30 },
		/* says not now */
		{ FAULT_LATER, 0, 0, 421, 1, MINUTE },
		{ FAULT_LATER, 0, 0, 454, 6, 32 * MINUTE },
		{ FAULT_LATER, 0, 0, 421, 7, HOUR },
		/* daily limit */
		{ FAULT_LATER, 0, 1, 550, 1, HOUR },
		{ FAULT_LATER, 0, 1, 452, 3, 4 * HOUR },
		{ FAULT_LATER, 0, 1, 452, 4, 6 * HOUR },
		/* sender refused, login demanded, certificate */
		{ FAULT_NEVER, 0, 0, 550, 1, 15 * MINUTE },
		{ FAULT_NEVER, 0, 0, 530, 2, 30 * MINUTE },
		{ FAULT_NEVER, 0, 0, 0, 9, 6 * HOUR },
		{ FAULT_NEVER, 1, 0, 535, 1, 15 * MINUTE },
		{ FAULT_LATER, 1, 0, 535, 8, DAY },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fault f = { .scope = FAULT_DESTINATION,
			.when = table[i].when,
			.code = table[i].code,
			.busy = table[i].busy,
			.login = table[i].login };
		struct store_pause p = { .failures = table[i].failures - 1 };
		struct retry_terms t = { .now = NOW, .seed = i };

		retry_destination(&p, &f, &t);
		assert_pause(p.not_before - NOW, table[i].pause);
	}
}

/* However long it lasts, nothing overflows and no pause is shorter than the
 * one of the failure before. */
static void
test_pause_only_grows(void **state)
{
	struct fault f = { .scope = FAULT_DESTINATION, .when = FAULT_LATER };
	struct store_pause p = { .failures = 0 };
	struct retry_terms t = { .now = NOW };
	int64_t before = 0;

	(void)state;
	for (unsigned i = 1; i < 200; i++) {
		retry_destination(&p, &f, &t);
		assert_true(p.not_before - NOW >= before - before / 8);
		before = p.not_before - NOW;
	}
	p.failures = (unsigned)-2;
	retry_destination(&p, &f, &t);
	assert_pause(p.not_before - NOW, 30 * MINUTE);
}

/* A person is told once: at once of what takes one, else after a while. */
static void
test_alert(void **state)
{
	struct fault f = { .scope = FAULT_DESTINATION, .when = FAULT_LATER };
	struct store_pause p = { .failures = 0 };
	struct retry_terms t = { .now = NOW };
	unsigned told = 0;

	(void)state;
	while (t.now < NOW + 6 * HOUR) {
		if (retry_destination(&p, &f, &t)) {
			told++;
			assert_in_range(t.now - NOW, 10 * MINUTE, 20 * MINUTE);
		}
		t.now = p.not_before;
	}
	assert_int_equal(told, 1);
	assert_int_equal(p.since, NOW);

	p = (struct store_pause){ .failures = 0 };
	f.when = FAULT_NEVER;
	assert_true(retry_destination(&p, &f, &t));
	assert_false(retry_destination(&p, &f, &t));
	p = (struct store_pause){ .failures = 0 };
	f = (struct fault){ .scope = FAULT_ACCOUNT, .login = true };
	assert_true(retry_account(&p, &f, &t));
	assert_false(retry_account(&p, &f, &t));
	p = (struct store_pause){ .failures = 0 };
	f = (struct fault){ .scope = FAULT_ACCOUNT, .busy = true };
	assert_false(retry_account(&p, &f, &t));
}

/* The same seed gives the same; what failed together comes back apart. */
static void
test_jitter(void **state)
{
	const struct fault f = { .scope = FAULT_ACCOUNT, .login = true };
	unsigned same = 0;
	int64_t last = 0;

	(void)state;
	for (uint64_t i = 0; i < 200; i++) {
		struct retry_terms t = { .now = NOW, .seed = i };
		struct store_pause p = { .failures = 0 }, q = p;

		retry_account(&p, &f, &t);
		retry_account(&q, &f, &t);
		assert_int_equal(p.not_before, q.not_before);
		same += p.not_before == last;
		last = p.not_before;
	}
	assert_true(same < 20);
}

static void
test_wait(void **state)
{
	struct store_pause p = { .failures = 1, .not_before = NOW + HOUR };

	(void)state;
	assert_int_equal(retry_wait(&p, NOW, false), HOUR);
	assert_int_equal(retry_wait(&p, NOW, true), 0);
	assert_int_equal(retry_wait(&p, NOW + HOUR, false), 0);
	p.firm = true;
	assert_int_equal(retry_wait(&p, NOW, true), HOUR);
	p.failures = 0;
	assert_int_equal(retry_wait(&p, NOW, false), 0);
	/* the clock was set back by years */
	p.failures = 1;
	assert_true(retry_wait(&p, 1, false) <= DAY + DAY / 8);
	p.since = NOW - 60;
	assert_int_equal(retry_wait(&p, NOW - DAY, false), HOUR + 60);
	assert_int_equal(retry_wait(&p, NOW + 1, false), HOUR - 1);
	p.not_before = 0;
	assert_int_equal(retry_wait(&p, NOW, false), 0);
}

static void
test_login_wait(void **state)
{
	struct store_pause p = { .last_login = NOW, .login_delay = 300 };

	(void)state;
	assert_int_equal(retry_login_wait(&p, NOW), 300);
	assert_int_equal(retry_login_wait(&p, NOW + 299), 1);
	assert_int_equal(retry_login_wait(&p, NOW + 300), 0);
	assert_int_equal(retry_login_wait(&p, 1), 300);
	p.login_delay = INT64_MAX;
	assert_true(retry_login_wait(&p, NOW) <= DAY);
	p.login_delay = 0;
	assert_int_equal(retry_login_wait(&p, NOW), 0);
	p = (struct store_pause){ .login_delay = 300 };
	assert_int_equal(retry_login_wait(&p, 100), 0);
}

static void
test_interval(void **state)
{
	struct retry_terms t = {
		.now = NOW, .interval = 60, .login_delay = 300
	};
	int64_t sum = 0, least = INT64_MAX, most = 0;

	(void)state;
	assert_int_equal(retry_interval(&t), 300);
	t.login_delay = 0;
	for (unsigned i = 0; i < 1000; i++) {
		int64_t next;

		t.seed = i % 20;
		t.now = NOW + i / 20;
		next = retry_interval(&t);
		assert_int_equal(retry_interval(&t), next);
		least = next < least ? next : least;
		most = next > most ? next : most;
		sum += next;
	}
	assert_int_equal(least, 54);
	assert_int_equal(most, 66);
	assert_in_range(sum, 59 * 1000, 61 * 1000);
	/* Never sooner than the server allows. */
	t.login_delay = 60;
	for (unsigned i = 0; i < 100; i++) {
		t.now++;
		assert_in_range(retry_interval(&t), 60, 66);
	}
	t = (struct retry_terms){ .now = NOW, .interval = 9 };
	assert_int_equal(retry_interval(&t), 9);
}

static void
test_hear(void **state)
{
	static const struct {
		const char *words;
		enum fault_when when;
		bool login, busy;
		int64_t retry_after;
	} table[] = {
		{ "Request is throttled. Suggested Backoff Time: 178755 "
		  "milliseconds",
		    FAULT_LATER, false, false, 179 },
		{ "suggested backoff time:1 milliseconds", FAULT_LATER, false,
		    false, 1 },
		{ "Suggested Backoff Time: 0 milliseconds", FAULT_LATER, true,
		    false, 0 },
		{ "Suggested Backoff Time: soon", FAULT_LATER, true, false, 0 },
		{ "Suggested Backoff Time:", FAULT_LATER, true, false, 0 },
		{ "", FAULT_LATER, true, false, 0 },
		{ "LOGIN failed", FAULT_LATER, true, false, 0 },
		{ "[ALERT] Too many simultaneous connections. (Failure)",
		    FAULT_LATER, false, true, 0 },
		{ "User is authenticated but not connected.", FAULT_LATER,
		    false, true, 0 },
		/* it said for certain that the password is wrong */
		{ "too many connections", FAULT_NEVER, true, true, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fault f = { .scope = FAULT_ACCOUNT,
			.when = table[i].when,
			.login = true };

		retry_hear(&f, span_str(table[i].words));
		assert_int_equal(f.login, table[i].login);
		assert_int_equal(f.busy, table[i].busy);
		assert_int_equal(f.retry_after, table[i].retry_after);
	}
}

/* What a provider's own words change, and whom they do not concern. */
static void
test_hear_meaning(void **state)
{
	static const char expired[] =
	    "Session invalidated - AccessTokenExpired";
	static const char basic[] = "Basic authentication is disabled";
	static const char denied[] = "554 5.2.252 SendAsDenied; a@b not c@d";
	static const struct {
		enum fault_scope scope;
		const char *phase, *words;
		bool login;
		enum fault_when when, when_r;
		bool login_r, hint_r;
	} table[] = {
		{ A, "idle", expired, 0, FAULT_LATER, FAULT_NOW, 0, 0 },
		{ A, "login", expired, 1, FAULT_NEVER, FAULT_NOW, 0, 0 },
		{ FAULT_DESTINATION, "MAIL", expired, 0, FAULT_LATER, FAULT_NOW,
		    0, 0 },
		{ FAULT_MESSAGE, "end of data", expired, 0, FAULT_NEVER,
		    FAULT_NEVER, 0, 0 },
		{ A, "login", basic, 0, FAULT_LATER, FAULT_NEVER, 1, 1 },
		{ FAULT_DESTINATION, "AUTH", basic, 1, FAULT_NEVER, FAULT_NEVER,
		    1, 1 },
		{ FAULT_MESSAGE, "end of data", basic, 0, FAULT_NEVER,
		    FAULT_NEVER, 0, 0 },
		{ FAULT_MESSAGE, "end of data", denied, 0, FAULT_NEVER,
		    FAULT_NEVER, 0, 1 },
		{ A, "login", denied, 1, FAULT_LATER, FAULT_LATER, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fault f = { .scope = table[i].scope,
			.when = table[i].when,
			.phase = table[i].phase,
			.login = table[i].login };

		retry_hear(&f, span_str(table[i].words));
		assert_int_equal(f.when, table[i].when_r);
		assert_int_equal(f.login, table[i].login_r);
		assert_int_equal(f.hint != NULL, table[i].hint_r);
		assert_false(f.busy);
	}
}

static bool
routine(
    struct retry_routine *r, bool login, int64_t now, enum fault_when when_r)
{
	struct fault f = { .scope = A, .when = FAULT_NOW, .login = login };
	bool yes = retry_routine(r, &f, now);

	assert_int_equal(f.when, when_r);
	return yes;
}

/* A session that ran out, the token that is refused then, the next one. */
static void
test_routine(void **state)
{
	struct retry_routine r = { .since = 0 };
	struct fault f = { .scope = A, .when = FAULT_LATER };

	(void)state;
	assert_false(retry_routine(&r, &f, NOW));
	assert_true(routine(&r, false, NOW, FAULT_NOW));
	assert_true(routine(&r, true, NOW + 1, FAULT_NOW));
	assert_false(routine(&r, true, NOW + 2, FAULT_NEVER));
	assert_true(routine(&r, false, NOW + 3, FAULT_NOW));
	assert_false(routine(&r, false, NOW + 4, FAULT_LATER));
	assert_false(routine(&r, false, NOW + 10 * MINUTE - 1, FAULT_LATER));
	assert_true(routine(&r, true, NOW + 10 * MINUTE, FAULT_NOW));
	assert_false(routine(&r, true, NOW + 10 * MINUTE, FAULT_NEVER));
	/* the clock was set back */
	assert_true(routine(&r, true, 1000, FAULT_NOW));
}

static void
test_hear_absurd(void **state)
{
	struct fault f = { .scope = FAULT_ACCOUNT };

	(void)state;
	retry_hear(&f, span_str("Suggested Backoff Time: 99999999999999999999"
				"99999999999999999999 milliseconds"));
	assert_true(f.retry_after >= DAY && f.retry_after < 100 * DAY);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_wrapped),
		cmocka_unit_test(test_message_schedule),
		cmocka_unit_test(test_message_limits),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_destination),
		cmocka_unit_test(test_pause_only_grows),
		cmocka_unit_test(test_alert),
		cmocka_unit_test(test_jitter),
		cmocka_unit_test(test_wait),
		cmocka_unit_test(test_login_wait),
		cmocka_unit_test(test_interval),
		cmocka_unit_test(test_hear),
		cmocka_unit_test(test_hear_meaning),
		cmocka_unit_test(test_routine),
		cmocka_unit_test(test_hear_absurd),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
