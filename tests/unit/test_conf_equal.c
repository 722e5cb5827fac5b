/* SPDX-License-Identifier: ISC */
/*
 * What a reload asks: whether something is as it was.  The table is walked, so
 * that a new option is in here without a line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/option_table.h"
#include "conf_fixture.h"

union target {
	struct conf globals;
	struct conf_account account;
	struct conf_destination destination;
	struct conf_folder folder;
};

/* One of these is legal for each type that is no number and no choice. */
static const char *const words[] = {
	"changed",
	"/changed",
	"changed@example.net",
	"env:CHANGED",
	"[::1]:42",
	"https://changed.example.net/",
	"delete",
	"all",
	"cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc",
};

static void
set(const struct option *o, const char *text, union target *t)
{
	if (!option_set(o, text, t))
		fail_msg("%s = %s", o->name, text);
}

/* To what is no option's default: the last choice, the largest number. */
static void
change(const struct option *o, union target *t)
{
	size_t i = 0;
	char text[32];

	if (o->type == OPTION_CHOICE) {
		while (o->choices[i + 1] != NULL)
			i++;
		set(o, o->choices[i], t);
	} else if (o->type == OPTION_BOOL) {
		set(o, strcmp(o->dflt, "true") == 0 ? "false" : "true", t);
	} else if (o->max > 0 && o->type != OPTION_AFTER) {
		const char *unit = o->type == OPTION_DURATION  ? "s"
		                   : o->type == OPTION_SIZE    ? "K"
		                   : o->type == OPTION_PERCENT ? "%"
		                                               : "";

		snprintf(text, sizeof(text), "%llu%s",
		    (unsigned long long)o->max >>
			(o->type == OPTION_SIZE ? 10 : 0),
		    unit);
		set(o, text, t);
	} else {
		while (!option_set(o, words[i], t))
			if (++i == sizeof(words) / sizeof(words[0]))
				fail_msg("no other value for %s", o->name);
	}
}

static void
fill(enum option_scope scope, union target *t)
{
	memset(t, 0, sizeof(*t));
	for (const struct option *o = option_table; o->name != NULL; o++)
		if ((o->scopes & scope) && o->dflt != NULL)
			set(o, o->dflt, t);
}

static void
check_option(enum option_scope scope, const struct option *o)
{
	union target a, b;

	fill(scope, &a);
	fill(scope, &b);
	assert_true(option_equal_all(scope, &a, &b));
	change(o, &b);
	if (option_equal_all(scope, &a, &b) || option_equal_all(scope, &b, &a))
		fail_msg("a change of %s is not seen", o->name);
	change(o, &a);
	assert_true(option_equal_all(scope, &a, &b));
	option_free_all(scope, &a);
	option_free_all(scope, &b);
}

static void
test_every_change(void **state)
{
	const enum option_scope scopes[] = { OPTION_GLOBAL, OPTION_ACCOUNT,
		OPTION_DESTINATION, OPTION_FOLDER };

	(void)state;
	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++)
		for (const struct option *o = option_table; o->name != NULL;
		     o++)
			if (o->scopes & scopes[i])
				check_option(scopes[i], o);
}

/* Values of one option, each unlike the others. */
static void
check_unlike(enum option_scope scope, const char *option,
    const char *const *values, size_t n)
{
	const struct option *o = option_find(scope, option, NULL);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++) {
			union target a, b;

			memset(&a, 0, sizeof(a));
			memset(&b, 0, sizeof(b));
			set(o, values[i], &a);
			set(o, values[j], &b);
			if (option_equal(o, &a, &b) != (i == j))
				fail_msg("%s, %s", values[i], values[j]);
			option_free(o, &a);
			option_free(o, &b);
		}
}

static void
test_policies(void **state)
{
	const char *const afters[] = { "keep", "delete", "delete-after 1d",
		"delete-after 2d", "move a", "move b", "seen" };
	const char *const firsts[] = { "new", "all", "since 2026-01-01",
		"since 2026-01-02" };

	(void)state;
	check_unlike(OPTION_ACCOUNT, "after", afters, 7);
	check_unlike(OPTION_FOLDER, "after", afters, 7);
	check_unlike(OPTION_ACCOUNT, "first", firsts, 4);
	check_unlike(OPTION_FOLDER, "first", firsts, 4);
}

static bool
accounts_equal(const char *a, const char *b)
{
	struct conf *ca = conf_read_good(a), *cb = conf_read_good(b);
	bool equal = conf_account_equal(&ca->accounts[0], &cb->accounts[0]);

	assert_true(
	    conf_destination_equal(&ca->destinations[0], &cb->destinations[0]));
	assert_true(conf_globals_equal(ca, cb));
	conf_free(&ca);
	conf_free(&cb);
	return equal;
}

#define AB "folders = ( \"a\", \"b\" );"
#define TWO                                                                    \
	"{ name = \"two\"; host = \"h\"; user = \"a@b\"; password = "          \
	"\"env:P\"; recipient = \"c@d\"; }"

static void
test_lists(void **state)
{
	(void)state;
	assert_true(accounts_equal(WITH(AB), WITH(AB)));
	assert_true(
	    accounts_equal(GOOD, WITH("folders = [ \"inbox\" ]; port = 993;")));
	assert_false(accounts_equal(GOOD, WITH(AB)));
	assert_false(
	    accounts_equal(WITH(AB), WITH("folders = ( \"b\", \"a\" );")));
	assert_false(accounts_equal(WITH(AB), WITH("folders = \"a\";")));
	assert_false(accounts_equal(WITH(AB),
	    WITH("folders = ( \"a\", { name = \"b\"; after = \"seen\"; } );")));
	/* What all folders inherit, said by each. */
	assert_true(accounts_equal(WITH("folders = \"a\"; first = \"new\";"),
	    WITH("folders = { name = \"a\"; first = \"new\"; };")));
}

static const char base[] =
    "spool_max = \"1G\"; alert_command = ( \"/bin/sh\", \"x\" );\n"
    "destinations = ( " TWO " );\n"
    "accounts = ( { name = \"a\"; host = \"h\"; user = \"u\"; password = "
    "\"env:P\"; protocol = \"imap\"; destination = \"two\"; } );\n";
static const char other[] =
    "spool_max = \"1G\"; alert_command = ( \"/bin/sh\" );\n"
    "destinations = ( { name = \"two\"; host = \"h\"; user = \"a@b\"; "
    "password = \"env:P\"; recipient = \"c@e\"; } );\n"
    "accounts = ( { name = \"a\"; host = \"h\"; user = \"u\"; password = "
    "\"env:P\"; protocol = \"imap\"; destination = \"two\"; } );\n";

/* An account stays as it is when its destination changes. */
static void
test_independence(void **state)
{
	struct conf *a = conf_read_good(base), *b = conf_read_good(other);
	struct conf *c = conf_read_good(base);

	(void)state;
	assert_true(conf_account_equal(&a->accounts[0], &b->accounts[0]));
	assert_false(
	    conf_destination_equal(&a->destinations[0], &b->destinations[0]));
	assert_false(conf_globals_equal(a, b));
	assert_true(conf_globals_equal(a, c));
	assert_true(
	    conf_destination_equal(&a->destinations[0], &c->destinations[0]));
	conf_free(&a);
	conf_free(&b);
	conf_free(&c);
}

static void
test_reference(void **state)
{
	struct conf *a = conf_read_good(base), *b = conf_ref(a);

	(void)state;
	assert_ptr_equal(a, b);
	conf_free(&a);
	assert_null(a);
	assert_string_equal(b->accounts[0].destinations[0]->name, "two");
	conf_free(&b);
	assert_null(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_change),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_independence),
		cmocka_unit_test(test_reference),
	};

	return cmocka_run_group_tests(tests, conf_set_up, conf_tear_down);
}
