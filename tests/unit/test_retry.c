/* SPDX-License-Identifier: ISC */
#include "relay/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define INTERVAL (5 * MINUTE)

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

static void
test_account(void **state)
{
	static const struct {
		bool login;
		unsigned failures;
		int64_t interval, pause;
	} table[] = {
		{ false, 0, INTERVAL, INTERVAL },
		{ false, 1, INTERVAL, INTERVAL },
		{ false, 1000, INTERVAL, INTERVAL },
		{ true, 0, INTERVAL, INTERVAL },
		{ true, 1, INTERVAL, 15 * MINUTE },
		{ true, 2, INTERVAL, 30 * MINUTE },
		{ true, 3, INTERVAL, HOUR },
		{ true, 7, INTERVAL, 16 * HOUR },
		{ true, 8, INTERVAL, 24 * HOUR },
		{ true, 9, INTERVAL, 24 * HOUR },
		/* a pause never makes polls more frequent */
		{ true, 1, HOUR, HOUR },
		{ true, 9, 48 * HOUR, 48 * HOUR },
	};
	struct fault f = { .scope = FAULT_ACCOUNT, .when = FAULT_LATER };

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		f.login = table[i].login;
		assert_int_equal(
		    retry_account(&f, table[i].failures, table[i].interval),
		    table[i].pause);
	}
}

static void
test_destination(void **state)
{
	static const struct {
		enum fault_when when;
		bool login;
		unsigned failures;
		int64_t pause;
	} table[] = {
		{ FAULT_NOW, false, 1, 0 },
		{ FAULT_NOW, true, 50, 0 },
		{ FAULT_LATER, false, 0, 0 },
		{ FAULT_LATER, false, 1, 30 },
		{ FAULT_LATER, false, 2, 60 },
		{ FAULT_LATER, false, 6, 16 * MINUTE },
		{ FAULT_LATER, false, 7, 30 * MINUTE },
		{ FAULT_UNKNOWN, false, 1, 30 },
		{ FAULT_NEVER, false, 1, 15 * MINUTE },
		{ FAULT_NEVER, false, 2, 30 * MINUTE },
		{ FAULT_LATER, true, 1, 15 * MINUTE },
		{ FAULT_LATER, true, 8, 24 * HOUR },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fault f = { .scope = FAULT_DESTINATION,
			.when = table[i].when,
			.login = table[i].login };

		assert_int_equal(
		    retry_destination(&f, table[i].failures), table[i].pause);
	}
}

/* However long it lasts, the pause never gets shorter again. */
static void
test_pause_only_grows(void **state)
{
	struct fault f = { .scope = FAULT_DESTINATION, .when = FAULT_LATER };
	int64_t pause, before = 0;

	(void)state;
	for (unsigned failures = 1; failures < 200; failures++) {
		pause = retry_destination(&f, failures);
		assert_true(pause >= before);
		before = pause;
	}
	assert_int_equal(before, 30 * MINUTE);
	assert_int_equal(retry_destination(&f, (unsigned)-1), 30 * MINUTE);
	f.login = true;
	assert_int_equal(retry_account(&f, (unsigned)-1, 1), 24 * HOUR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_account),
		cmocka_unit_test(test_destination),
		cmocka_unit_test(test_pause_only_grows),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
