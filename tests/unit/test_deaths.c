/* SPDX-License-Identifier: ISC */
/*
 * A message that the process dies of is held, and no other (CASES R9).
 */
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static int
setup(void **state)
{
	static struct world w;

	world_init(&w);
	world_open(&w);
	*state = &w;
	return 0;
}

static int
teardown(void **state)
{
	world_free(*state);
	return 0;
}

static void
file_name(const struct world *w, char *name, size_t cap)
{
	snprintf(name, cap, "%s/underway", w->path);
}

/* The next start finds what a process that died would have left. */
static void
restart_after_death(struct world *w, const void *bytes, size_t n)
{
	char name[128];
	FILE *f;

	world_close(w);
	file_name(w, name, sizeof(name));
	f = fopen(name, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	world_open(w);
}

static void
die_with(struct world *w, int64_t id)
{
	restart_after_death(w, &id, sizeof(id));
}

static const struct store_item *
only_item(struct world *w)
{
	world_list(w, UIDS("x"));
	world_end(w, &world_pop3);
	assert_int_equal(world_work(w, 9, 0, 10)->nitems, 1);
	return &w->a.items[0];
}

static void
test_third_death(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	die_with(w, id);
	assert_int_equal(only_item(w)->deaths, 1);
	die_with(w, id);
	assert_int_equal(only_item(w)->deaths, 2);
	assert_int_equal(store_killers(w->store), 0);
	die_with(w, id);
	assert_int_equal(store_killers(w->store), 1);
	world_close(w);
	assert_int_equal(
	    world_number(w, "SELECT count(*) FROM delivery WHERE"
			    " state = 'held' AND doubt = 0 AND deaths = 0"),
	    1);
}

/* One that was in doubt stays doubtful. */
static void
test_in_doubt(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	assert_true(world_in_doubt(w, id)->ok);
	for (int i = 0; i < STORE_DEATHS_MAX; i++)
		die_with(w, id);
	world_close(w);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery WHERE"
					 " state = 'held' AND doubt = 1"),
	    1);
}

/* What went its way in between begins anew. */
static void
test_relayed(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);

	die_with(w, id);
	die_with(w, id);
	assert_true(world_refused(w, id, STORE_DEFERRED, 1)->ok);
	die_with(w, id);
	assert_int_equal(only_item(w)->deaths, 1);
	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_relayed(w, id, false)->ok);
	for (int i = 0; i < STORE_DEATHS_MAX; i++)
		die_with(w, id);
	assert_int_equal(store_killers(w->store), 0);
}

/* An end that was wanted leaves nothing, whatever was underway. */
static void
test_clean_end(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);
	char name[128];

	file_name(w, name, sizeof(name));
	store_begin(w->store, id);
	assert_int_equal(access(name, F_OK), 0);
	world_close(w);
	assert_int_not_equal(access(name, F_OK), 0);
	world_open(w);
	assert_int_equal(only_item(w)->deaths, 0);
}

/* What the file holds is what is underway; so many have their place. */
static void
test_file(void **state)
{
	struct world *w = *state;
	static int64_t ids[10000];
	int64_t sum = 0;
	char name[128];
	size_t n, noted = 0;
	FILE *f;

	for (int64_t id = 1; id <= 10000;
	     id++) /* more than there is room for */
		store_begin(w->store, id);
	for (int64_t id = 10000; id > 1000; id--)
		store_end(w->store, id);
	file_name(w, name, sizeof(name));
	f = fopen(name, "rb");
	assert_non_null(f);
	n = fread(ids, sizeof(ids[0]), 10000, f);
	fclose(f);
	assert_in_range(n, 1000, 9999);
	for (size_t i = 0; i < n; i++) {
		noted += ids[i] != 0;
		sum += ids[i];
	}
	assert_int_equal(noted, 1000);
	assert_int_equal(sum, 1000 * 1001 / 2);
}

static void
test_garbage(void **state)
{
	struct world *w = *state;
	char garbage[9000];

	world_one_new(w);
	memset(garbage, 0xff, sizeof(garbage));
	for (size_t n = 0; n < sizeof(garbage); n += 1001)
		restart_after_death(w, garbage, n);
	assert_int_equal(only_item(w)->deaths, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    test_third_death, setup, teardown),
		cmocka_unit_test_setup_teardown(test_in_doubt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_relayed, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_clean_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_garbage, setup, teardown),
	};

	return cmocka_run_group_tests_name("deaths", tests, NULL, NULL);
}
