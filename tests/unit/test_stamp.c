/* SPDX-License-Identifier: ISC */
/* An old database in the place of the new one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/stamp.h"
#include "store_fixture.h"

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
copy(const struct world *w, const char *from, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp %s/%s %s/%s", w->path, from,
	    w->path, to);
	assert_int_equal(system(command), 0);
}

static int64_t
tries_in_file(const struct world *w)
{
	char name[128], id[64] = "";
	long long tries = -1;
	FILE *f;

	snprintf(name, sizeof(name), "%s/STAMP", w->path);
	f = fopen(name, "r");
	if (f == NULL)
		return -1;
	assert_int_equal(fscanf(f, "%32s %lld", id, &tries), 2);
	fclose(f);
	return tries;
}

static int64_t
number(struct world *w, const char *sql)
{
	int64_t n;

	world_close(w);
	n = world_number(w, sql);
	world_open(w);
	return n;
}

static int64_t
restored(struct world *w)
{
	return number(w, "SELECT epoch FROM meta");
}

/* A try of one message, which is in doubt then. */
static void
try_one(struct world *w, const char *name)
{
	assert_int_equal(world_poll(w, UIDS(name))->added, 1);
	world_work(w, 1, 0, 99);
	for (size_t i = 0; i < w->a.nitems; i++)
		if (strcmp(w->a.items[i].uid, name) == 0) {
			assert_true(world_in_doubt(w, w->a.items[i].id)->ok);
			return;
		}
	fail_msg("no %s", name);
}

static void
follows_each_try(void **state)
{
	struct world *w = *state;

	assert_int_equal(tries_in_file(w), 0);
	world_poll(w, NOTHING);
	disk_syncs = 0;
	try_one(w, "x");
	assert_int_equal(disk_syncs, 2); /* two records, none for the file */
	assert_int_equal(tries_in_file(w), 1);
	assert_int_equal(restored(w), 0);
	assert_int_equal(number(w, "SELECT tries FROM meta"), 1);
	try_one(w, "y");
	assert_int_equal(tries_in_file(w), 2);
}

/* The process died between the commit and the file, or the power did after a
 * hundred that were not synced: nobody put anything anywhere. */
static void
behind_is_in_order(void **state)
{
	struct world *w = *state;

	world_poll(w, NOTHING);
	copy(w, "STAMP", "OLD");
	for (int i = 0; i < 5; i++) {
		char name[16];

		snprintf(name, sizeof(name), "m%d", i);
		try_one(w, name);
	}
	world_close(w);
	copy(w, "OLD", "STAMP");
	assert_int_equal(tries_in_file(w), 0);
	world_open(w);
	assert_int_equal(tries_in_file(w), 5);
	assert_int_equal(restored(w), 0);
}

static void
put_old_one_back(struct world *w)
{
	world_poll(w, UIDS("before"));
	world_close(w);
	copy(w, "state.db", "OLD");
	world_open(w);
	try_one(w, "x");
	world_close(w);
	copy(w, "OLD", "state.db");
}

static void
old_one_is_like_a_restored_one(void **state)
{
	struct world *w = *state;

	put_old_one_back(w);
	world_open(w);
	assert_int_equal(world_poll(w, UIDS("before", "x"))->added, 1);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 1);
	assert_true(w->a.items[0].doubt);
	/* Noticed once, and what comes from now on is counted on. */
	assert_int_equal(restored(w), 1);
	assert_int_equal(number(w, "SELECT tries FROM meta"), 1);
	try_one(w, "y");
	assert_int_equal(tries_in_file(w), 2);
	assert_int_equal(number(w, "SELECT restored FROM mailbox"), 0);
}

static void
many_are_a_question(void **state)
{
	struct world *w = *state;

	put_old_one_back(w);
	world_open(w);
	assert_true(world_poll(w, UIDS("1", "2", "3", "4", "5", "6"))->paused);
}

/* It was stopped before it had settled what it noticed. */
static void
not_noticed_is_noticed_again(void **state)
{
	struct world *w = *state;

	put_old_one_back(w);
	assert_true(statedir_open(&w->dir, w->path, &w->exit, &w->fault));
	disk_fails = true;
	w->store = store_open(&w->dir, false, &w->exit, &w->fault);
	disk_fails = false;
	store_close(&w->store);
	statedir_close(&w->dir);
	world_open(w);
	assert_int_equal(restored(w), 1);
}

static void
dry_run_leaves_it(void **state)
{
	struct world *w = *state;
	char *before, *after;

	put_old_one_back(w);
	before = world_dump(w);
	assert_true(statedir_open(&w->dir, w->path, &w->exit, &w->fault));
	w->store = store_open(&w->dir, true, &w->exit, &w->fault);
	assert_non_null(w->store);
	world_mailbox(w, "a", "u", "h");
	assert_int_equal(world_poll(w, UIDS("before", "x"))->added, 1);
	assert_true(world_work(w, 1, 0, 9)->items[0].doubt);
	world_close(w);
	after = world_dump(w);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_int_equal(tries_in_file(w), 1);
	world_open(w);
	assert_int_equal(restored(w), 1);
}

static void
write_stamp(const struct world *w, const char *text)
{
	char name[128];
	FILE *f;

	snprintf(name, sizeof(name), "%s/STAMP", w->path);
	f = fopen(name, "w");
	fputs(text, f);
	fclose(f);
}

/* Without it nobody knows. */
static void
missing_or_torn(void **state)
{
	static const char *const texts[] = { "", "0123456789abcdef01234567",
		"0123456789abcdef0123456789abcdef 0000000000000000001",
		"0123456789abcdef0123456789abcdef 00000000000000000001 \n",
		"0123456789abcdef0123456789abcdef 00000000000000000001\n" };
	struct world *w = *state;
	char name[128];
	int64_t times = 1;

	world_poll(w, UIDS("before"));
	world_close(w);
	snprintf(name, sizeof(name), "%s/STAMP", w->path);
	assert_int_equal(unlink(name), 0);
	world_open(w);
	assert_int_equal(restored(w), times);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		world_close(w);
		write_stamp(w, texts[i]);
		world_open(w);
		assert_int_equal(restored(w), ++times);
		assert_int_equal(tries_in_file(w), 0);
	}
}

/* INSTALL-ID says that all is there, so it comes last. */
static void
cannot_be_written(void **state)
{
	struct world *w = *state;
	char name[128];

	world_close(w);
	snprintf(name, sizeof(name), "%s/STAMP", w->path);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(symlink("nowhere", name), 0);
	assert_true(statedir_open(&w->dir, w->path, &w->exit, &w->fault));
	assert_null(store_open(&w->dir, false, &w->exit, &w->fault));
	assert_int_equal(w->exit, EX_IOERR);
	assert_non_null(strstr(w->fault.text, "cannot use STAMP in"));
	statedir_close(&w->dir);
	assert_int_equal(unlink(name), 0);
	world_open(w);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(follows_each_try),
		TEST(behind_is_in_order),
		TEST(old_one_is_like_a_restored_one),
		TEST(many_are_a_question),
		TEST(not_noticed_is_noticed_again),
		TEST(dry_run_leaves_it),
		TEST(missing_or_torn),
		TEST(cannot_be_written),
	};

	return cmocka_run_group_tests_name("stamp", tests, NULL, NULL);
}
