/* SPDX-License-Identifier: ISC */
#include "relay/lanes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/sink.h"

static const char a[] = "a", b[] = "b", c[] = "c";

static struct sink_job
of(const char *account)
{
	return (struct sink_job){ .account = account };
}

/* A backlog does not delay the letter of another account. */
static void
test_turns(void **state)
{
	struct sink_job ja[3] = { of(a), of(a), of(a) };
	struct sink_job jb = of(b), jc = of(c);
	struct lanes l;

	(void)state;
	lanes_init(&l);
	for (size_t i = 0; i < 3; i++)
		lanes_add(&l, &ja[i]);
	lanes_add(&l, &jb);
	lanes_add(&l, &jc);
	assert_int_equal(l.count, 5);
	assert_ptr_equal(lanes_take(&l), &ja[0]);
	assert_ptr_equal(lanes_take(&l), &jb);
	assert_ptr_equal(lanes_take(&l), &jc);
	assert_ptr_equal(lanes_take(&l), &ja[1]);
	assert_ptr_equal(lanes_take(&l), &ja[2]);
	assert_null(lanes_take(&l));
	assert_int_equal(l.count, 0);
}

static void
test_again_and_away(void **state)
{
	struct sink_job ja[2] = { of(a), of(a) };
	struct sink_job jb = of(b), letter = of(NULL);
	struct lanes l;

	(void)state;
	lanes_init(&l);
	lanes_add(&l, &ja[1]);
	lanes_add(&l, &jb);
	lanes_add(&l, &letter);
	lanes_add_first(&l, &ja[0]); /* its line broke */
	lanes_remove(&l, &jb);
	assert_ptr_equal(lanes_take(&l), &ja[0]);
	assert_ptr_equal(lanes_take(&l), &letter);
	assert_ptr_equal(lanes_take(&l), &ja[1]);
	assert_null(lanes_take(&l));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_again_and_away),
	};

	return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
