/* SPDX-License-Identifier: ISC */
/* The state in one file and back, and what the first listing behind it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <sys/stat.h>

#include <cmocka.h>

#include "store/backup.h"
#include "store_fixture.h"

static char file[128];

static int
set_up(void **state)
{
	static struct world w;

	world_init(&w);
	snprintf(file, sizeof(file), "%s/copy", w.base);
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

static bool
back_up(struct world *w)
{
	bool ok;

	assert_true(statedir_open(&w->dir, w->path, &w->exit, &w->fault));
	ok = backup_write(&w->dir, file, &w->exit, &w->fault);
	statedir_close(&w->dir);
	return ok;
}

static bool
restore(struct world *w, enum backup_rule rule, bool force)
{
	struct backup_restore r = {
		.file = file, .rule = rule, .force = force
	};
	bool ok;

	assert_true(statedir_open(&w->dir, w->path, &w->exit, &w->fault));
	ok = backup_restore(&w->dir, &r, &w->exit, &w->fault);
	statedir_close(&w->dir);
	assert_true(!ok || r.accounts == 1);
	return ok;
}

static void
assert_said(const struct world *w, int code, const char *words)
{
	assert_int_equal(w->exit, code);
	if (strstr(w->fault.text, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, w->fault.text);
}

static unsigned
files_in(const char *dir)
{
	char command[160], line[16] = "";
	FILE *f;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", dir);
	f = popen(command, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof(line), f));
	pclose(f);
	return (unsigned)atoi(line);
}

/* A mailbox with one message before us, one that was relayed, one that waits;
 * backed up and closed. */
static void
prepare(struct world *w)
{
	assert_true(world_poll(w, UIDS("before"))->ok);
	world_poll(w, UIDS("before", "done", "waits"));
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 2);
	{
		int64_t id = w->a.items[0].id;

		assert_true(world_in_doubt(w, id)->ok);
		assert_true(world_relayed(w, id, false)->ok);
	}
	world_close(w);
	if (!back_up(w))
		fail_msg("%s", w->fault.text);
}

/* --- the file --------------------------------------------------------- */

static void
private_whole_and_never_over_another(void **state)
{
	struct world *w = *state;
	struct stat st;
	unsigned n;

	prepare(w);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	n = files_in(w->base);
	assert_false(back_up(w));
	assert_said(w, EX_IOERR, "File exists");
	assert_int_equal(files_in(w->base), n);
	world_open(w);
}

static void
nothing_is_left_of_one_that_failed(void **state)
{
	struct world *w = *state;
	unsigned n;

	world_close(w);
	n = files_in(w->base);
	disk_fails = true;
	assert_false(back_up(w));
	disk_fails = false;
	assert_int_equal(files_in(w->base), n);
	snprintf(file, sizeof(file), "%s/no/copy", w->base);
	assert_false(back_up(w));
	assert_said(w, EX_IOERR, "No such file");
}

static void
no_state_no_backup(void **state)
{
	struct world *w = *state;

	world_close(w);
	snprintf(w->path, sizeof(w->path), "%s/other", w->base);
	assert_false(back_up(w));
	assert_said(w, EX_DATAERR, "no state here yet");
}

static void
another_machine_gets_the_same_key(void **state)
{
	struct world *w = *state;
	unsigned char key[STORE_KEY_SIZE];

	memcpy(key, store_install_key(w->store), sizeof(key));
	prepare(w);
	snprintf(w->path, sizeof(w->path), "%s/other", w->base);
	assert_true(restore(w, BACKUP_ASK, false));
	assert_int_equal(files_in(w->path), 4); /* LOCK too */
	world_open(w);
	assert_memory_equal(key, store_install_key(w->store), sizeof(key));
	assert_true(w->a.baseline);
}

/* --- while it is in use ------------------------------------------------ */

struct late {
	bool answered;
	struct store_answer a;
};

static void
on_copied(void *arg, struct store_answer *a)
{
	struct late *late = arg;

	late->answered = true;
	late->a = *a;
}

static struct late
copy_while_running(struct world *w)
{
	struct late late = { .answered = false };

	store_backup(w->store, file, (struct store_done){ on_copied, &late });
	while (!late.answered) {
		w->waiting = true;
		store_work(w->store, w->mailbox, 1, 0, 1, world_done(w));
		world_wait(w);
	}
	return late;
}

/* As a file that needs no log beside it. */
static void
assert_plain_file(void)
{
	unsigned char head[20];
	FILE *f = fopen(file, "r");

	assert_non_null(f);
	assert_int_equal(fread(head, 1, sizeof(head), f), sizeof(head));
	fclose(f);
	assert_int_equal(head[18], 1);
	assert_int_equal(head[19], 1);
}

static void
made_while_in_use(void **state)
{
	struct world *w = *state;
	unsigned char key[STORE_KEY_SIZE];
	struct stat st;
	unsigned n;

	memcpy(key, store_install_key(w->store), sizeof(key));
	assert_true(world_poll(w, UIDS("before"))->ok);
	world_poll(w, UIDS("before", "waits"));
	disk_syncs = 0;
	assert_true(copy_while_running(w).a.ok);
	assert_true(disk_syncs >= 3); /* pages, file, folder */
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_plain_file();
	n = files_in(w->base);
	/* What comes later is not in it. */
	world_poll(w, UIDS("before", "waits", "later"));
	{
		struct late again = copy_while_running(w);

		assert_refused(&again.a, FAULT_US, FAULT_NEVER, "File exists");
	}
	assert_int_equal(files_in(w->base), n);
	world_close(w);
	assert_true(restore(w, BACKUP_ASK, true));
	world_open(w);
	assert_memory_equal(key, store_install_key(w->store), sizeof(key));
	assert_int_equal(
	    world_poll(w, UIDS("before", "waits", "later"))->added, 1);
	assert_int_equal(w->a.waiting, 2);
}

/* Records that come while it is made are in it, and are not held up: each is
 * answered before the backup of many slices is. */
static void
what_changes_meanwhile_is_in_it(void **state)
{
	struct world *w = *state;
	struct late late = { .answered = false };
	int between = 0;

	world_poll(w, NOTHING);
	world_close(w);
	world_sql(w, "CREATE TABLE ballast (x);"
		     "WITH n(i) AS (SELECT 1 UNION ALL"
		     " SELECT i + 1 FROM n WHERE i < 8000)"
		     "INSERT INTO ballast SELECT randomblob(3000) FROM n");
	world_open(w);
	store_backup(w->store, file, (struct store_done){ on_copied, &late });
	while (!late.answered) {
		char name[16];

		snprintf(name, sizeof(name), "m%d", between);
		assert_int_equal(world_poll(w, UIDS(name))->added, 1);
		between += !late.answered;
	}
	assert_true(late.a.ok);
	assert_true(between > 3);
	world_close(w);
	assert_true(restore(w, BACKUP_RELAY, true));
	assert_true(
	    world_number(w, "SELECT count(*) FROM delivery") >= between - 1);
	world_open(w); /* with a quick_check */
}

static void
closed_before_it_is_done(void **state)
{
	struct world *w = *state;
	struct late late = { .answered = false };
	unsigned n = files_in(w->base);

	store_backup(w->store, file, (struct store_done){ on_copied, &late });
	world_close(w);
	assert_false(late.answered);
	/* Whole, or not there. */
	assert_true(files_in(w->base) == n || access(file, F_OK) == 0);
	world_open(w);
	disk_fails = true;
	late = copy_while_running(w);
	disk_fails = false;
	assert_false(late.a.ok);
	assert_true(files_in(w->base) == n || access(file, F_OK) == 0);
}

/* --- what is refused -------------------------------------------------- */

static void
over_another_only_with_force(void **state)
{
	struct world *w = *state;
	char *before, *after;

	prepare(w);
	before = world_dump(w);
	assert_false(restore(w, BACKUP_ASK, false));
	assert_said(w, EX_CANTCREAT, "--force");
	after = world_dump(w);
	assert_string_equal(before, after);
	free(before);
	free(after);
	assert_true(restore(w, BACKUP_ASK, true));
	assert_int_equal(files_in(w->path), 5);
}

/* R12, D5: and what is there stays as it is, also with force. */
static void
bad_files(void **state)
{
	static const struct {
		const char *make, *said;
	} cases[] = {
		{ "PRAGMA user_version = 9", "copy has schema version 9" },
		{ "PRAGMA application_id = 9",
		    "copy is a database of another" },
		{ "PRAGMA writable_schema = 1; DELETE FROM sqlite_schema"
		  " WHERE name = 'meta'",
		    "copy" },
		{ NULL, "copy file is not a database" },
	};
	struct world *w = *state, other;

	prepare(w);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *before = world_dump(w), *after;
		FILE *f;

		assert_int_equal(unlink(file), 0);
		assert_true(back_up(w));
		other = *w;
		/* world_sql() wants a directory with a state.db. */
		snprintf(
		    other.path, sizeof(other.path), "%s/bad%zu", w->base, i);
		assert_int_equal(mkdir(other.path, 0700), 0);
		if (cases[i].make != NULL) {
			char there[128];

			snprintf(
			    there, sizeof(there), "%s/state.db", other.path);
			assert_int_equal(rename(file, there), 0);
			world_sql(&other, cases[i].make);
			assert_int_equal(rename(there, file), 0);
		} else {
			f = fopen(file, "w");
			for (int n = 0; n < 1000; n++)
				fputs("From me\n", f);
			fclose(f);
		}
		assert_false(restore(w, BACKUP_ASK, true));
		assert_said(w, EX_DATAERR, cases[i].said);
		assert_null(strstr(w->fault.text, "restore.new"));
		assert_int_equal(files_in(w->path), 4);
		after = world_dump(w);
		assert_string_equal(before, after);
		free(before);
		free(after);
	}
}

/* An attempt that died is swept away by the next. */
static void
after_an_attempt_that_died(void **state)
{
	struct world *w = *state;
	char name[128];
	FILE *f;

	prepare(w);
	snprintf(name, sizeof(name), "%s/restore.new", w->path);
	assert_int_equal(mkdir(name, 0700), 0);
	snprintf(name, sizeof(name), "%s/restore.new/state.db-wal", w->path);
	f = fopen(name, "w");
	fputs("half a log", f);
	fclose(f);
	snprintf(name, sizeof(name), "%s/state.db", w->path);
	assert_int_equal(unlink(name), 0); /* it died between two renames */
	assert_true(restore(w, BACKUP_ASK, false));
	assert_int_equal(files_in(w->path), 4);
}

/* --- the first listing behind it --------------------------------------- */

static void
restored(struct world *w, enum backup_rule rule)
{
	prepare(w);
	assert_true(restore(w, rule, true));
	world_open(w);
}

/* It is older than the file beside it was; and it is not marked twice, which
 * would forget what was decided. */
static void
not_taken_for_an_old_one(void **state)
{
	struct world *w = *state;
	int64_t id;

	prepare(w);
	world_open(w);
	world_poll(w, UIDS("before", "done", "waits"));
	id = world_work(w, 1, 0, 9)->items[0].id;
	assert_true(world_in_doubt(w, id)->ok);
	world_close(w);
	assert_true(restore(w, BACKUP_AS_KNOWN, true));
	world_open(w);
	world_close(w);
	assert_int_equal(world_number(w, "SELECT epoch FROM meta"), 1);
	assert_int_equal(world_number(w, "SELECT tries FROM meta"), 2);
	assert_int_equal(
	    world_number(w, "SELECT restored FROM mailbox"), BACKUP_AS_KNOWN);
	world_open(w);
}

#define FEW UIDS("before", "done", "waits", "n1", "n2")
#define MANY UIDS("before", "done", "waits", "n1", "n2", "n3", "n4", "n5", "n6")

static void
a_few_are_announced(void **state)
{
	struct world *w = *state;

	restored(w, BACKUP_ASK);
	assert_int_equal(world_poll(w, FEW)->added, 2);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(w->a.items[i].doubt);
		assert_int_equal(w->a.items[i].attempt, 1);
	}
	/* What comes later is not in doubt. */
	assert_int_equal(
	    world_poll(w, UIDS("before", "done", "waits", "n1", "n2", "later"))
		->added,
	    1);
	assert_int_equal(world_work(w, 1, 5, 10)->nitems, 1);
	assert_false(w->a.items[0].doubt);
	assert_int_equal(w->a.items[0].attempt, 0);
}

static void
assert_asked(struct world *w, const char *words)
{
	assert_true(w->a.ok);
	assert_true(w->a.paused);
	if (strstr(w->a.fault.text, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, w->a.fault.text);
}

static void
decide(struct world *w, bool as_known)
{
	store_accept(w->store, "a", as_known, world_done(w));
	assert_int_equal(world_wait(w)->unknown, 6);
}

static void
more_are_a_question(void **state)
{
	struct world *w = *state;
	struct store_listing l = world_pop3;

	restored(w, BACKUP_ASK);
	world_poll(w, MANY);
	assert_asked(w, "6 messages are not in the restored state");
	assert_non_null(strstr(w->a.fault.hint, "mailhaul accept"));
	/* From then on before anything is listed. */
	assert_refused(world_mailbox(w, "a", "u", "h"), FAULT_ACCOUNT,
	    FAULT_NEVER, "mailhaul accept a --as-known");
	decide(w, false);
	assert_true(world_mailbox(w, "a", "u", "h")->ok);
	l.recognised = true; /* no header is one that we know */
	world_list(w, MANY);
	assert_int_equal(world_end(w, &l)->added, 6);
	assert_int_equal(world_poll(w, MANY)->added, 0);
	assert_int_equal(world_work(w, 1, 0, 20)->nitems, 7);
	assert_true(w->a.items[6].doubt);
}

static void
as_known_relays_none(void **state)
{
	struct world *w = *state;

	restored(w, BACKUP_AS_KNOWN);
	assert_int_equal(world_poll(w, MANY)->added, 0);
	/* What waited in the backup still does, announced. */
	assert_int_equal(world_work(w, 1, 0, 20)->nitems, 1);
	assert_true(w->a.items[0].doubt);
	assert_int_equal(world_poll(w, MANY)->added, 0);
	assert_int_equal(world_removals(w)->nitems, 0);
}

static void
relay_announces_all(void **state)
{
	struct world *w = *state;

	restored(w, BACKUP_RELAY);
	assert_int_equal(world_poll(w, MANY)->added, 6);
	assert_int_equal(world_work(w, 1, 0, 20)->nitems, 7);
	for (size_t i = 0; i < 7; i++)
		assert_true(w->a.items[i].doubt);
}

static void
incomplete_decides_nothing(void **state)
{
	struct world *w = *state;
	struct store_listing part = world_pop3;

	restored(w, BACKUP_AS_KNOWN);
	part.complete = false;
	world_list(w, FEW);
	assert_refused(
	    world_end(w, &part), FAULT_ACCOUNT, FAULT_LATER, "not complete");
	assert_int_equal(world_poll(w, MANY)->added, 0);
	assert_int_equal(world_work(w, 1, 0, 20)->nitems, 1);
}

static void
imap(void **state)
{
	struct world *w = *state;
	struct store_listing l = world_pop3;

	l.imap = true;
	l.generation = 7;
	world_list(w, UIDS("3", "5"));
	assert_true(world_end(w, &l)->ok);
	world_close(w);
	assert_true(back_up(w));
	assert_true(restore(w, BACKUP_ASK, true));
	world_open(w);
	world_list(w, UIDS("3", "5", "6", "7", "8", "9", "10", "11"));
	world_end(w, &l);
	assert_asked(w, "6 messages");
	decide(w, true);
	world_list(w, UIDS("3", "5", "6", "7", "8", "9", "10", "11"));
	assert_int_equal(world_end(w, &l)->added, 0);
	world_list(w, UIDS("11", "12"));
	assert_int_equal(world_end(w, &l)->added, 1);
	assert_false(world_work(w, 1, 0, 20)->items[0].doubt);
}

/* An account that is younger than the backup: its first poll may be one of
 * many, so what it relays is announced. */
static void
unknown_mailbox_is_announced(void **state)
{
	struct world *w = *state;
	struct store_listing all = world_pop3;

	restored(w, BACKUP_ASK);
	all.relay_all = true;
	world_mailbox(w, "younger", "u2", "h");
	world_list(w, FEW);
	assert_int_equal(world_end(w, &all)->added, 5);
	assert_int_equal(world_work(w, 1, 0, 20)->nitems, 5);
	assert_true(w->a.items[0].doubt);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(private_whole_and_never_over_another),
		TEST(nothing_is_left_of_one_that_failed),
		TEST(no_state_no_backup),
		TEST(another_machine_gets_the_same_key),
		TEST(made_while_in_use),
		TEST(what_changes_meanwhile_is_in_it),
		TEST(closed_before_it_is_done),
		TEST(over_another_only_with_force),
		TEST(bad_files),
		TEST(after_an_attempt_that_died),
		TEST(not_taken_for_an_old_one),
		TEST(a_few_are_announced),
		TEST(more_are_a_question),
		TEST(as_known_relays_none),
		TEST(relay_announces_all),
		TEST(incomplete_decides_nothing),
		TEST(imap),
		TEST(unknown_mailbox_is_announced),
	};

	return cmocka_run_group_tests_name("backup", tests, NULL, NULL);
}
