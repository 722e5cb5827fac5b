/* SPDX-License-Identifier: ISC */
#include "relay/trouble.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/log.h"
#include "conf/conf.h"
#include "net/loop.h"

static char name[] = "home", host[] = "mx";
static const struct conf_destination dest = { .name = name,
	.server = { .host = host, .port = 465 } };

struct stage {
	struct loop *loop;
	struct trouble t;
	unsigned changes;
	struct store_pause last; /* that was told */
};

static int
setup(void **state)
{
	static struct stage s;

	log_open(-1);
	s = (struct stage){ .loop = loop_new() };
	trouble_init(&s.t, s.loop, &dest);
	*state = &s;
	return 0;
}

static int
teardown(void **state)
{
	struct stage *s = *state;

	loop_free(&s->loop);
	return 0;
}

static void
on_changed(void *arg, const struct store_pause *p)
{
	struct stage *s = arg;

	s->changes++;
	s->last = *p;
}

/* What is remembered holds; in a hurry it takes a probe, and only one. */
static void
test_remember(void **state)
{
	struct store_pause pause = {
		.failures = 2, .not_before = time(NULL) + 1000, .reply = "gone"
	};
	struct stage *s = *state;

	trouble_remember(&s->t, &pause, false, on_changed, s);
	assert_non_null(strstr(trouble_now(&s->t)->text, "gone"));
	assert_int_equal(trouble_ask(&s->t), SINK_CLOSED);
	trouble_init(&s->t, s->loop, &dest);
	trouble_remember(&s->t, &pause, true, on_changed, s);
	assert_null(trouble_now(&s->t));
	assert_int_equal(trouble_ask(&s->t), SINK_PROBE);
	assert_int_equal(trouble_ask(&s->t), SINK_CLOSED);
	assert_null(trouble_now(&s->t));
	s->t.probing = false;
	assert_int_equal(trouble_ask(&s->t), SINK_PROBE);
	assert_int_equal(s->changes, 0);
}

/* Every change is told, and only changes are. */
static void
test_begin_and_end(void **state)
{
	struct stage *s = *state;
	struct fault f;

	fault_set(&f, FAULT_DESTINATION, FAULT_NEVER, "AUTH", "no");
	f.login = true;
	trouble_remember(&s->t, NULL, false, on_changed, s);
	assert_int_equal(trouble_ask(&s->t), SINK_OPEN);
	trouble_end(&s->t);
	assert_int_equal(s->changes, 0);
	trouble_begin(&s->t, &f);
	assert_int_equal(s->changes, 1);
	assert_int_equal(s->last.failures, 1);
	assert_true(s->last.firm && s->last.alerted);
	assert_true(s->last.not_before >= time(NULL) + 899);
	assert_true(trouble_closed(&s->t));
	assert_string_equal(trouble_now(&s->t)->text, "no");
	trouble_begin(&s->t, &f);
	assert_int_equal(s->last.failures, 2);
	trouble_end(&s->t);
	assert_int_equal(s->changes, 3);
	assert_int_equal(s->last.failures, 0);
	assert_int_equal(trouble_ask(&s->t), SINK_OPEN);
}

/* A routine failure is over at once, but the next message is a probe. */
static void
test_now(void **state)
{
	struct stage *s = *state;
	struct fault f;

	fault_set(&f, FAULT_DESTINATION, FAULT_NOW, "idle", "closed");
	trouble_begin(&s->t, &f);
	assert_null(trouble_now(&s->t));
	assert_int_equal(trouble_ask(&s->t), SINK_PROBE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_remember),
		TEST(test_begin_and_end),
		TEST(test_now),
	};

	return cmocka_run_group_tests_name("trouble", tests, NULL, NULL);
}
