/* SPDX-License-Identifier: ISC */
/* Which folders an account means, of those that a fake server lists. */
#include "relay/finder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../fake/fake_source.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "relay/session.h"

#define ENTRIES 4

struct stage {
	struct trail trail;
	char names[ENTRIES][32];
	char moved[16];
	struct conf_folder folders[ENTRIES];
	struct conf_account account;
	struct finder *finder;
	struct source *session;
};

static int
setup(void **state)
{
	struct stage *s = mem_alloc(sizeof(*s));

	log_open(-1);
	trail_raw(&s->trail, "", 0);
	fake_source.trail = &s->trail;
	s->account = (struct conf_account){
		.protocol = CONF_IMAP,
		.folders = s->folders,
	};
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct stage *s = *state;

	if (s->session != NULL)
		s->session->driver->close(s->session);
	assert_false(fake_source.open);
	trail_free(&s->trail);
	free(s);
	return 0;
}

static void
assert_trail(struct stage *s, const char *expected)
{
	assert_string_equal(s->trail.text, expected);
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
}

/* What the configuration says, as conf_check.c leaves it. */
static struct conf_folder *
entry(struct stage *s, const char *name)
{
	size_t i = s->account.nfolders++;

	(void)snprintf(s->names[i], sizeof(s->names[i]), "%s", name);
	s->folders[i] = (struct conf_folder){
		.name = s->names[i],
		.special = name[0] == '\\',
		.pattern = strpbrk(name, "*%") != NULL,
	};
	return &s->folders[i];
}

static void
on_done(void *arg, const struct finder_result *r)
{
	struct stage *s = arg;

	s->finder = NULL;
	s->session = r->session;
	if (r->fault != NULL)
		trail_event(&s->trail, "failed: %s", r->fault->text);
	for (size_t i = 0; r->n < 10 && i < r->n; i++)
		trail_event(&s->trail, "found %s by %s", r->list[i].name,
		    r->list[i].folder->name);
	trail_event(&s->trail, "%zu folders", r->n);
}

static const struct source_events *
source_is(void)
{
	return fake_source.source.events;
}

static void
begin(struct stage *s)
{
	const struct session_owner owner = { .account = &s->account };

	s->finder = finder_start(&owner, on_done, s);
	source_is()->logged_in(fake_source.source.arg, 0);
	source_is()->ready(fake_source.source.arg);
}

static void
lists(const char *name, unsigned special)
{
	const struct source_folder f = { span_str(name), special };

	source_is()->folder(fake_source.source.arg, &f);
}

static void
listed(void)
{
	source_is()->foldered(fake_source.source.arg, NULL);
}

/* Names need no server; a folder belongs to the entry that says most. */
static void
test_ranks(void **state)
{
	struct stage *s = *state;

	entry(s, "*");
	entry(s, "\\Junk");
	entry(s, "Lists");
	begin(s);
	assert_trail(s, "open\nfolders *\n");
	lists("Spam", SOURCE_JUNK);
	lists("Lists", 0);
	lists("Other", 0);
	listed();
	assert_trail(s, "folders *\n");
	lists("Spam", 0); /* the server forgot what it is for */
	lists("Lists", 0);
	lists("inbox", 0);
	lists("INBOX", 0);
	listed();
	assert_trail(s, "found Lists by Lists\nfound Spam by \\\\Junk\n"
			"found INBOX by *\n3 folders\n");
	assert_ptr_equal(s->session, &fake_source.source);
}

/* Copies, and what nobody means by a pattern, must be named. */
static void
test_left_out(void **state)
{
	struct stage *s = *state;

	entry(s, "Bin");
	entry(s, "%");
	begin(s);
	assert_trail(s, "open\nfolders %\n");
	lists("All", SOURCE_ALL);
	lists("Stars", SOURCE_FLAGGED);
	lists("Drafts", SOURCE_DRAFTS);
	lists("Junk", SOURCE_JUNK);
	lists("Bin", SOURCE_TRASH);
	lists("Old", SOURCE_ARCHIVE);
	lists("Out", SOURCE_SENT);
	lists("Both", SOURCE_SENT | SOURCE_ALL);
	listed();
	assert_trail(s, "found Bin by Bin\nfound Old by %\nfound Out by %\n"
			"3 folders\n");
}

/* What is moved there would be found there, and moved again. */
static void
test_moved_to(void **state)
{
	struct stage *s = *state;
	struct conf_folder *f = entry(s, "*");

	f->after = CONF_AFTER_MOVE;
	f->after_folder = strcpy(s->moved, "Geh\xc3\xb6rt");
	begin(s);
	lists("Geh\xc3\xb6rt", 0);
	lists("New", 0);
	listed();
	assert_trail(s, "open\nfolders *\nfound New by *\n1 folders\n");
}

static void
test_none(void **state)
{
	struct stage *s = *state;

	entry(s, "A*");
	entry(s, "B*");
	begin(s);
	listed();
	lists("Bee", 0);
	listed();
	assert_trail(
	    s, "open\nfolders A*\nfolders B*\nfound Bee by B*\n1 folders\n");
}

static void
test_too_many(void **state)
{
	struct stage *s = *state;
	char name[16];

	entry(s, "*");
	begin(s);
	for (unsigned i = 0; i < FINDER_MAX + 10; i++) {
		(void)snprintf(name, sizeof(name), "f%u", i);
		lists(name, 0);
	}
	listed();
	assert_trail(s, "open\nfolders *\n2000 folders\n");
}

/* No list is better than half of one: what is not in it counts as gone. */
static void
test_refused(void **state)
{
	struct stage *s = *state;
	struct fault f;

	entry(s, "*");
	begin(s);
	lists("New", 0);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "LIST", "refused");
	source_is()->foldered(fake_source.source.arg, &f);
	assert_null(s->finder);
	assert_null(s->session);
	assert_non_null(strstr(s->trail.text, "failed: refused\n"));
	assert_non_null(strstr(s->trail.text, "close\n"));
}

static void
test_breaks(void **state)
{
	struct stage *s = *state;
	struct fault f;

	entry(s, "*");
	begin(s);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "LIST", "reset");
	source_is()->down(fake_source.source.arg, &f);
	assert_null(s->session);
	assert_non_null(strstr(s->trail.text, "failed: reset\n"));
}

static void
test_stop(void **state)
{
	struct stage *s = *state;

	entry(s, "*");
	begin(s);
	lists("New", 0);
	finder_stop(&s->finder);
	finder_stop(&s->finder);
	assert_trail(s, "open\nfolders *\nclose\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ranks),
		TEST(test_left_out),
		TEST(test_moved_to),
		TEST(test_none),
		TEST(test_too_many),
		TEST(test_refused),
		TEST(test_breaks),
		TEST(test_stop),
	};

	return cmocka_run_group_tests_name("finder", tests, NULL, NULL);
}
