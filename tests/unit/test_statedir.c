/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <sys/stat.h>

#include <cmocka.h>

#include "store_fixture.h"

static int
set_up(void **state)
{
	static struct world w;

	world_init(&w);
	*state = &w;
	return 0;
}

static int
tear_down(void **state)
{
	world_free(*state);
	return 0;
}

static bool
open_dir(struct world *w)
{
	return statedir_open(&w->dir, w->path, &w->exit, &w->fault);
}

static void
refused(struct world *w, int code, const char *words)
{
	assert_false(open_dir(w));
	assert_int_equal(w->exit, code);
	if (strstr(w->fault.text, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, w->fault.text);
}

static void
made_private_and_fresh(void **state)
{
	struct world *w = *state;
	struct stat st;

	assert_true(open_dir(w));
	assert_true(w->dir.fresh);
	assert_int_equal(stat(w->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void
one_level_only(void **state)
{
	struct world *w = *state;

	snprintf(w->path, sizeof(w->path), "%s/a/b", w->base);
	refused(w, EX_CANTCREAT, "cannot make");
}

static void
remembers_that_it_was_initialised(void **state)
{
	struct world *w = *state;

	assert_true(open_dir(w));
	assert_true(statedir_initialised(&w->dir, &w->fault));
	assert_true(statedir_initialised(&w->dir, &w->fault));
	statedir_close(&w->dir);
	assert_true(open_dir(w));
	assert_false(w->dir.fresh);
}

static void
a_marker_that_cannot_be_synced_is_none(void **state)
{
	struct world *w = *state;

	assert_true(open_dir(w));
	disk_fails = true;
	assert_false(statedir_initialised(&w->dir, &w->fault));
	disk_fails = false;
	statedir_close(&w->dir);
	assert_true(open_dir(w));
	assert_true(w->dir.fresh);
}

static void
open_to_others_is_refused(void **state)
{
	struct world *w = *state;

	assert_int_equal(mkdir(w->path, 0700), 0);
	assert_int_equal(chmod(w->path, 0750), 0);
	refused(w, EX_NOPERM, "chmod 700");
}

static void
of_another_owner_is_refused(void **state)
{
	struct world *w = *state;

	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(w->path, 0700), 0);
	assert_int_equal(chown(w->path, 65534, (gid_t)-1), 0);
	refused(w, EX_NOPERM, "belongs to uid 65534");
}

static void
a_file_is_refused(void **state)
{
	struct world *w = *state;
	FILE *f = fopen(w->path, "w");

	assert_non_null(f);
	fclose(f);
	refused(w, EX_DATAERR, "Not a directory");
}

static void
a_link_is_followed_once(void **state)
{
	struct world *w = *state;
	char real[80];

	snprintf(real, sizeof(real), "%s/real", w->base);
	assert_int_equal(mkdir(real, 0700), 0);
	assert_int_equal(symlink("real", w->path), 0);
	assert_true(open_dir(w));
	assert_string_equal(w->dir.path, real);
}

/* flock() is of the open file, so a second open in this process competes. */
static void
a_second_instance_is_named(void **state)
{
	struct world *w = *state;
	struct statedir second;
	struct fault fault;
	char pid[32];
	int code;

	assert_true(open_dir(w));
	assert_false(statedir_open(&second, w->path, &code, &fault));
	assert_int_equal(code, EX_TEMPFAIL);
	snprintf(pid, sizeof(pid), "(pid %ld)", (long)getpid());
	assert_non_null(strstr(fault.text, pid));
	statedir_close(&w->dir);
	assert_true(statedir_open(&second, w->path, &code, &fault));
	statedir_close(&second);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(made_private_and_fresh),
		TEST(one_level_only),
		TEST(remembers_that_it_was_initialised),
		TEST(a_marker_that_cannot_be_synced_is_none),
		TEST(open_to_others_is_refused),
		TEST(of_another_owner_is_refused),
		TEST(a_file_is_refused),
		TEST(a_link_is_followed_once),
		TEST(a_second_instance_is_named),
	};

	return cmocka_run_group_tests_name("statedir", tests, NULL, NULL);
}
