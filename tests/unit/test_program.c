/* SPDX-License-Identifier: ISC */
#include "net/program.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/loop.h"

static struct loop *loop;
static bool inside; /* program_start() is running */
static struct {
	unsigned calls;
	struct program_result r;
	char output[256];
} got;

static void
on_done(void *arg, const struct program_result *r)
{
	assert_ptr_equal(arg, &got);
	assert_false(inside);
	got.calls++;
	got.r = *r;
	memcpy(got.output, r->output.p, r->output.n);
	got.output[r->output.n] = '\0';
	loop_stop(loop);
}

static struct program *
start(const struct program_terms *t, int *error_r)
{
	struct program *p;

	got.calls = 0;
	inside = true;
	p = program_start(loop, t, on_done, &got, error_r);
	inside = false;
	return p;
}

/* A line of shell, for want of many small programs. */
static void
run(const char *script, int64_t limit, size_t output_max)
{
	char sh[] = "/bin/sh", c[] = "-c", line[256], env[] = "COLOUR=blue";
	char *argv[] = { sh, c, line, NULL }, *envp[] = { env, NULL };
	struct program_terms t = { argv, envp, limit, output_max };
	int error;

	strcpy(line, script);
	assert_non_null(start(&t, &error));
	assert_int_equal(error, 0);
	loop_run(loop);
	assert_int_equal(got.calls, 1);
}

static void
assert_end(enum program_end end, int value, const char *output)
{
	assert_int_equal(got.r.end, end);
	assert_int_equal(got.r.value, value);
	assert_string_equal(got.output, output);
}

static void
test_ends(void **state)
{
	(void)state;
	run("echo out; echo err >&2", 60000, 100);
	assert_end(PROGRAM_EXITED, 0, "out\n");
	run("exit 3", 60000, 100);
	assert_end(PROGRAM_EXITED, 3, "");
	run("kill -9 $$", 60000, 100);
	assert_end(PROGRAM_SIGNALLED, SIGKILL, "");
	run("exec sleep 60", 10, 100);
	assert_end(PROGRAM_TOO_LATE, 0, "");
	run("exec >&-; sleep 60", 100, 100);
	assert_end(PROGRAM_TOO_LATE, 0, "");
	run("echo 12345", 60000, 5);
	assert_end(PROGRAM_TOO_MUCH, 0, "");
	run("head -c 1000000 /dev/zero; exit 4", 60000, 0);
	assert_end(PROGRAM_EXITED, 4, "");
}

/* Dead, and perhaps not reaped by who inherited it. */
static bool
is_dead(const char *pid)
{
	char path[300], line[256] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return true;
	if (fgets(line, sizeof(line), f) == NULL)
		line[0] = '\0';
	fclose(f);
	return strstr(line, ") Z ") != NULL || strstr(line, ") X ") != NULL ||
	       line[0] == '\0';
}

/* What it started is killed too. */
static void
test_group(void **state)
{
	(void)state;
	run("sleep 60 & printf %s $!; exec sleep 60", 100, 100);
	assert_int_equal(got.r.end, PROGRAM_TOO_LATE);
	assert_true(atoi(got.output) > 1);
	for (int i = 0; i < 1000 && !is_dead(got.output); i++)
		usleep(10000);
	assert_true(is_dead(got.output));
	run("sleep 60 & exit 0", 10, 100);
	assert_int_equal(got.calls, 1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* It has our descriptors, signal settings and variables not. */
static void
test_inherits_nothing(void **state)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, before;
	int fd = open("/dev/null", O_RDONLY);

	(void)state;
	assert_true(fd > 2);
	assert_int_equal(setenv("SECRET", "x", 1), 0);
	assert_int_equal(sigaction(SIGPIPE, &ignore, &before), 0);
	run("for i in 3 4 5 6 7 8 9; do test -e /proc/$$/fd/$i && echo $i; "
	    "done; echo $COLOUR$SECRET; kill -PIPE $$",
	    60000, 200);
	assert_end(PROGRAM_SIGNALLED, SIGPIPE, "blue\n");
	assert_int_equal(sigaction(SIGPIPE, &before, NULL), 0);
	close(fd);
}

static void
test_cannot_start(void **state)
{
	char name[] = "/nonexistent/x", *argv[] = { name, NULL };
	struct program_terms t = { .argv = argv, .limit_ms = 1000 };
	int error;

	(void)state;
	assert_null(start(&t, &error));
	assert_int_equal(error, ENOENT);
}

static void
test_cancel(void **state)
{
	char name[] = "/bin/sleep", time[] = "60",
	     *argv[] = { name, time, NULL };
	struct program_terms t = { .argv = argv, .limit_ms = 60000 };
	struct program *p;
	int error;

	(void)state;
	p = start(&t, &error);
	assert_non_null(p);
	program_cancel(&p);
	assert_null(p);
	program_cancel(&p);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	run("echo x", 60000, 100);
	assert_int_equal(got.calls, 1);
}

static int
set_up(void **state)
{
	(void)state;
	loop = loop_new();
	return loop != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	(void)state;
	loop_free(&loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_inherits_nothing),
		cmocka_unit_test(test_cannot_start),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests_name("program", tests, set_up, tear_down);
}
