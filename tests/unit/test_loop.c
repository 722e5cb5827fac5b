/* SPDX-License-Identifier: ISC */
#include "net/loop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TICK_MS 10

struct scene {
	struct loop *loop;
	struct timer a, b, end;
	struct watch watch;
	struct signal_watch signal;
	int fds[2];
	char trail[32]; /* a letter for each call */
};

static struct scene scene;

static void
note(char c)
{
	size_t n = strlen(scene.trail);

	assert_true(n + 1 < sizeof(scene.trail));
	scene.trail[n] = c;
}

static void
on_a(void *arg)
{
	assert_ptr_equal(arg, &scene);
	note('a');
}

static void
on_b(void *arg)
{
	(void)arg;
	note('b');
}

static void
on_end(void *arg)
{
	(void)arg;
	loop_stop(scene.loop);
}

static int
setup(void **state)
{
	(void)state;
	memset(&scene, 0, sizeof(scene));
	scene.loop = loop_new();
	timer_init(&scene.a, scene.loop, on_a, &scene);
	timer_init(&scene.b, scene.loop, on_b, &scene);
	timer_init(&scene.end, scene.loop, on_end, &scene);
	return scene.loop == NULL || pipe(scene.fds) != 0;
}

static int
teardown(void **state)
{
	(void)state;
	timer_free(&scene.a);
	timer_free(&scene.b);
	timer_free(&scene.end);
	watch_free(&scene.watch);
	signal_free(&scene.signal);
	loop_free(&scene.loop);
	close(scene.fds[0]);
	close(scene.fds[1]);
	return scene.loop != NULL;
}

static void
run(int64_t ms)
{
	timer_set(&scene.end, ms);
	loop_run(scene.loop);
}

static void
test_timers(void **state)
{
	int64_t before = loop_now_ms(scene.loop);

	(void)state;
	timer_set(&scene.a, 20);
	timer_set(&scene.b, 10);
	run(40);
	assert_string_equal(scene.trail, "ba");
	/* libevent's clock is the coarse one: a tick of the kernel less. */
	assert_true(loop_now_ms(scene.loop) - before >= 40 - TICK_MS);
	run(30); /* each runs once */
	assert_string_equal(scene.trail, "ba");
	timer_set(&scene.a, -5); /* the past is now */
	run(10);
	assert_string_equal(scene.trail, "baa");
}

static void
test_timer_moved_and_cancelled(void **state)
{
	(void)state;
	timer_set(&scene.a, 1);
	timer_set(&scene.a, 10 * 1000);
	timer_set(&scene.b, 10 * 1000);
	timer_set(&scene.b, 1);
	run(20);
	assert_string_equal(scene.trail, "b");
	timer_set(&scene.b, 1);
	timer_cancel(&scene.b);
	timer_cancel(&scene.b);
	run(20);
	assert_string_equal(scene.trail, "b");
}

static void
on_first(void *arg)
{
	(void)arg;
	note('1');
	assert_int_equal(write(scene.fds[1], "x", 1), 1);
	timer_soon(&scene.b);
	timer_soon(&scene.b);
}

static void
on_word(void *arg)
{
	char c;

	(void)arg;
	note('w');
	assert_int_equal(read(scene.fds[0], &c, 1), 1);
}

/* Before what comes from a descriptor, and once. */
static void
test_soon(void **state)
{
	(void)state;
	timer_free(&scene.a);
	timer_init(&scene.a, scene.loop, on_first, &scene.a);
	timer_soon(&scene.a);
	watch_init(
	    &scene.watch, scene.loop, scene.fds[0], WATCH_READ, on_word, NULL);
	watch_set(&scene.watch, true);
	run(10);
	assert_string_equal(scene.trail, "1bw");
	timer_soon(&scene.b);
	timer_cancel(&scene.b);
	timer_set(&scene.b, 10 * 1000);
	timer_soon(&scene.b); /* it need not wait any more */
	run(10);
	assert_int_equal(strlen(scene.trail), 4);
}

static void
test_zeroed_timer(void **state)
{
	struct timer none = { .event = NULL };

	(void)state;
	timer_cancel(&none);
	timer_free(&none);
}

static void
on_free_a(void *arg)
{
	note('f');
	timer_free(arg);
}

/* An owner may go away in the call of his own timer. */
static void
test_free_inside(void **state)
{
	(void)state;
	timer_free(&scene.a);
	timer_init(&scene.a, scene.loop, on_free_a, &scene.a);
	timer_set(&scene.a, 0);
	run(5);
	assert_string_equal(scene.trail, "f");
	assert_null(scene.a.event);
}

static void
on_again(void *arg)
{
	note('g');
	if (strlen(scene.trail) < 4)
		timer_set(arg, 0);
}

static void
test_set_inside(void **state)
{
	(void)state;
	timer_free(&scene.a);
	timer_init(&scene.a, scene.loop, on_again, &scene.a);
	timer_set(&scene.a, 0);
	run(20);
	assert_string_equal(scene.trail, "gggg");
}

static void
on_readable(void *arg)
{
	char c;

	(void)arg;
	assert_int_equal(read(scene.fds[0], &c, 1), 1);
	note(c);
}

static void
test_watch(void **state)
{
	(void)state;
	watch_init(&scene.watch, scene.loop, scene.fds[0], WATCH_READ,
	    on_readable, NULL);
	assert_int_equal(write(scene.fds[1], "xyz", 3), 3);
	run(5);
	assert_string_equal(scene.trail, ""); /* at first it is off */
	watch_set(&scene.watch, true);
	watch_set(&scene.watch, true);
	run(20); /* and then it is called again and again */
	assert_string_equal(scene.trail, "xyz");
	watch_set(&scene.watch, false);
	watch_set(&scene.watch, false);
	assert_int_equal(write(scene.fds[1], "x", 1), 1);
	run(5);
	assert_string_equal(scene.trail, "xyz");
}

static void
on_writable(void *arg)
{
	note('w');
	watch_free(arg);
}

static void
test_watch_write(void **state)
{
	(void)state;
	watch_init(&scene.watch, scene.loop, scene.fds[1], WATCH_WRITE,
	    on_writable, &scene.watch);
	watch_set(&scene.watch, true);
	run(10);
	assert_string_equal(scene.trail, "w");
}

static void
on_signal(void *arg, int number)
{
	assert_ptr_equal(arg, &scene);
	assert_int_equal(number, SIGUSR1);
	note('s');
}

static void
test_signal(void **state)
{
	(void)state;
	signal_init(&scene.signal, scene.loop, SIGUSR1, on_signal, &scene);
	raise(SIGUSR1);
	run(10);
	raise(SIGUSR1);
	run(10);
	assert_string_equal(scene.trail, "ss");
}

static void
test_clock(void **state)
{
	int64_t us = loop_now_us(scene.loop), ms = loop_now_ms(scene.loop);

	(void)state;
	assert_true(us > 0);
	assert_true(ms >= us / 1000 && ms - us / 1000 < 1000);
	assert_true(loop_now_us(scene.loop) >= us);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_timers),
		TEST(test_timer_moved_and_cancelled),
		TEST(test_soon),
		TEST(test_zeroed_timer),
		TEST(test_free_inside),
		TEST(test_set_inside),
		TEST(test_watch),
		TEST(test_watch_write),
		TEST(test_signal),
		TEST(test_clock),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
