/* SPDX-License-Identifier: ISC */
/*
 * Pauses and logins are there after a restart, under the same terms.
 */
#include "store_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const struct store_who account = { STORE_ACCOUNT, "a", 7 };
static const struct store_who destination = { STORE_DESTINATION, "a",
	UINT64_MAX };
static const struct store_pause refused = {
	.failures = 3,
	.since = 1000,
	.not_before = 5000000000,
	.firm = true,
	.alerted = true,
	.reply = "535 \"it's no\"",
};

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

static const struct store_pause *
load(struct world *w, const struct store_who *who)
{
	store_pause_load(w->store, who, world_done(w));
	assert_true(world_wait(w)->ok);
	return &w->a.pause;
}

static void
save(struct world *w, const struct store_who *who, const struct store_pause *p)
{
	store_pause_save(w->store, who, p, world_done(w));
	assert_true(world_wait(w)->ok);
}

static void
assert_same(const struct store_pause *a, const struct store_pause *b)
{
	assert_int_equal(a->failures, b->failures);
	assert_int_equal(a->since, b->since);
	assert_int_equal(a->not_before, b->not_before);
	assert_int_equal(a->firm, b->firm);
	assert_int_equal(a->alerted, b->alerted);
	assert_string_equal(a->reply, b->reply);
	assert_int_equal(a->last_login, b->last_login);
	assert_int_equal(a->login_delay, b->login_delay);
}

static void
reopen(struct world *w)
{
	world_close(w);
	world_open(w);
}

static void
test_survives(void **state)
{
	static const struct store_pause none = { 0 };
	struct world *w = *state;

	assert_same(load(w, &account), &none);
	save(w, &account, &refused);
	assert_same(load(w, &destination), &none); /* same name, not he */
	reopen(w);
	assert_same(load(w, &account), &refused);
	save(w, &account, &none);
	save(w, &destination, &refused);
	reopen(w);
	assert_same(load(w, &account), &none);
	assert_same(load(w, &destination), &refused);
}

static void
test_other_terms(void **state)
{
	struct store_pause expected = { .last_login = 77, .login_delay = 300 };
	struct store_who changed = account;
	struct world *w = *state;

	save(w, &account, &refused);
	store_login(w->store, "a", 77, 300, world_done(w));
	assert_true(world_wait(w)->ok);
	changed.terms++;
	assert_same(load(w, &changed), &expected);
}

/* A login and a pause do not write over each other. */
static void
test_login(void **state)
{
	struct store_pause expected = refused;
	struct world *w = *state;

	store_login(w->store, "a", 77, 300, world_done(w));
	assert_true(world_wait(w)->ok);
	save(w, &account, &refused);
	expected.last_login = 77;
	expected.login_delay = 300;
	assert_same(load(w, &account), &expected);
	store_login(w->store, "a", 78, 0, world_done(w));
	assert_true(world_wait(w)->ok);
	reopen(w);
	expected.last_login = 78;
	expected.login_delay = 0;
	assert_same(load(w, &account), &expected);
}

/* By a person: the failures are forgotten, the server's wish is not. */
static void
test_resume(void **state)
{
	struct store_pause expected = { .last_login = 77, .login_delay = 300 };
	struct world *w = *state;

	store_resume(w->store, "a", world_done(w));
	assert_int_equal(world_wait(w)->waiting, 0);
	save(w, &account, &refused);
	save(w, &destination, &refused);
	store_login(w->store, "a", 77, 300, world_done(w));
	assert_true(world_wait(w)->ok);
	store_resume(w->store, "b", world_done(w));
	assert_int_equal(world_wait(w)->waiting, 0);
	store_resume(w->store, "a", world_done(w));
	assert_int_equal(world_wait(w)->waiting, 2);
	assert_same(load(w, &account), &expected);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_survives, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    test_other_terms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_login, setup, teardown),
		cmocka_unit_test_setup_teardown(test_resume, setup, teardown),
	};

	return cmocka_run_group_tests_name("pause", tests, NULL, NULL);
}
