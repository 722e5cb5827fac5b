/* SPDX-License-Identifier: ISC */
/* The database as a file: opening, refusing, committing, failing. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <sys/stat.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/db.h"
#include "store_fixture.h"

static const char *const home[] = { "home" };
static const struct store_listing all = { .complete = true,
	.list_from = 1,
	.relay_all = true,
	.destinations = home,
	.ndestinations = 1 };

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

/* Three messages that wait. */
static void
fill(struct world *w)
{
	static const char *const uids[] = { "x", "y", "z", NULL };

	world_list(w, uids);
	assert_int_equal(world_end(w, &all)->waiting, 3);
}

static void
write_file(const struct world *w, const char *bytes, size_t n)
{
	char file[128];
	FILE *f;

	snprintf(file, sizeof(file), "%s/state.db", w->path);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static char *
read_database(const struct world *w, size_t *n_r)
{
	char file[128], *bytes = calloc(1, 1 << 20);
	FILE *f;

	snprintf(file, sizeof(file), "%s/state.db", w->path);
	f = fopen(file, "r");
	assert_non_null(f);
	*n_r = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	return bytes;
}

static bool
exists(const struct world *w, const char *name)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/%s", w->path, name);
	return access(file, F_OK) == 0;
}

static void
remove_file(const struct world *w, const char *name)
{
	char file[128];

	snprintf(file, sizeof(file), "%s/%s", w->path, name);
	assert_int_equal(unlink(file), 0);
}

static void
refused(struct world *w, int code, const char *words)
{
	if (!statedir_open(&w->dir, w->path, &w->exit, &w->fault))
		fail_msg("%s", w->fault.text);
	w->store = store_open(&w->dir, false, &w->exit, &w->fault);
	assert_null(w->store);
	assert_int_equal(w->exit, code);
	if (strstr(w->fault.text, words) == NULL ||
	    strstr(w->fault.text, "/state/state.db") == NULL)
		fail_msg("no \"%s\" in: %s", words, w->fault.text);
	statedir_close(&w->dir);
}

/* --- what is refused -------------------------------------------------- */

static void
missing_though_initialised(void **state)
{
	struct world *w = *state;

	world_close(w);
	remove_file(w, "state.db");
	refused(w, EX_DATAERR, "is missing");
	assert_false(exists(w, "state.db"));
}

static void
empty_though_initialised(void **state)
{
	struct world *w = *state;

	world_close(w);
	write_file(w, "", 0);
	refused(w, EX_DATAERR, "is empty");
}

static void
not_a_database(void **state)
{
	struct world *w = *state;
	char junk[8192];

	world_close(w);
	memset(junk, 'j', sizeof(junk));
	write_file(w, junk, sizeof(junk));
	refused(w, EX_DATAERR, "not a database");
}

static void
torn_page(void **state)
{
	struct world *w = *state;
	size_t n;
	char *bytes;

	fill(w);
	world_close(w);
	bytes = read_database(w, &n);
	memset(bytes + 4096, 0x5a, n - 4096);
	write_file(w, bytes, n);
	free(bytes);
	refused(w, EX_DATAERR, "");
}

/* And not one byte of it is changed. */
static void
of_another_program(void **state)
{
	struct world *w = *state;
	char *before, *after;
	size_t n, m;

	world_close(w);
	remove_file(w, "state.db");
	world_sql(w, "CREATE TABLE t (a); PRAGMA application_id = 7;");
	before = read_database(w, &n);
	refused(w, EX_DATAERR, "another program");
	after = read_database(w, &m);
	assert_int_equal(n, m);
	assert_memory_equal(before, after, n);
	free(before);
	free(after);
}

static void
of_another_version(void **state)
{
	struct world *w = *state;

	world_close(w);
	world_sql(w, "PRAGMA user_version = 99");
	refused(w, EX_DATAERR,
	    "has schema version 99; this mailhauld knows version");
	world_sql(w, "PRAGMA user_version = 1");
	refused(w, EX_DATAERR, "has schema version 1;");
	world_sql(w, "PRAGMA user_version = 0");
	refused(w, EX_DATAERR, "has schema version 0;");
}

/* As version 2 was: without the column that version 3 has, and with the states
 * in the words of before version 4. */
static void
make_old(const struct world *w)
{
	world_sql(w,
	    "ALTER TABLE delivery DROP COLUMN wrapped;"
	    "DROP INDEX delivery_pending;"
	    "CREATE INDEX delivery_pending ON delivery"
	    " (mailbox, generation, uid, missed)"
	    " WHERE state IN ('new', 'deferred', 'in_doubt');"
	    "PRAGMA writable_schema = ON;"
	    "UPDATE sqlite_schema SET sql = replace(sql, '(state = ''relayed'' "
	    "OR state = ''in_doubt'' OR state = ''new'' OR state = "
	    "''deferred'' OR state = ''known'' OR state = ''held'' OR state = "
	    "''gone'')', '(state IN (''known'', ''new'', ''deferred'', "
	    " ''in_doubt'', ''relayed'', ''held'', ''gone''))')"
	    " WHERE name = 'delivery';"
	    "PRAGMA user_version = 2");
	assert_int_equal(world_number(w, "SELECT count(*) FROM sqlite_schema"
					 " WHERE sql LIKE '%state IN%'"),
	    2);
}

static void
of_the_version_before(void **state)
{
	struct world *w = *state;
	int64_t id = world_one_new(w);
	char *before, *after;

	assert_true(world_in_doubt(w, id)->ok);
	world_close(w);
	make_old(w);
	before = world_dump(w);
	/* A dry run reads it and changes nothing. */
	assert_true(statedir_open(&w->dir, w->path, &w->exit, &w->fault));
	w->store = store_open(&w->dir, true, &w->exit, &w->fault);
	assert_non_null(w->store);
	assert_true(world_mailbox(w, "a", "u", "h")->ok);
	world_close(w);
	after = world_dump(w);
	assert_string_equal(before, after);
	free(after);
	free(before);
	world_open(w);
	world_close(w);
	assert_int_equal(world_number(w, "PRAGMA user_version"), 4);
	assert_int_equal(world_number(w, "SELECT count(*) FROM sqlite_schema"
					 " WHERE sql LIKE '%state IN%'"),
	    0);
	assert_int_equal(world_number(w, "SELECT count(*) FROM sqlite_schema"
					 " WHERE sql LIKE '%state = %'"),
	    5);
	assert_int_equal(world_number(w, "SELECT count(*) FROM delivery"
					 " WHERE state = 'in_doubt' AND"
					 " wrapped = 0"),
	    1);
}

static void
opened_by_somebody_else(void **state)
{
	struct world *w = *state;
	struct statedir same = w->dir;
	struct store *second;

	second = store_open(&same, false, &w->exit, &w->fault);
	assert_null(second);
	assert_int_equal(w->exit, EX_TEMPFAIL);
}

/* --- what survives ---------------------------------------------------- */

static void
private_file_and_one_key(void **state)
{
	struct world *w = *state;
	unsigned char key[STORE_KEY_SIZE];
	char file[128];
	struct stat st;

	memcpy(key, store_install_key(w->store), sizeof(key));
	snprintf(file, sizeof(file), "%s/state.db", w->path);
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(exists(w, "state.db-shm"));
	world_close(w);
	assert_false(exists(w, "state.db-wal"));
	world_open(w);
	assert_memory_equal(key, store_install_key(w->store), sizeof(key));
}

/* The process died between making the database and writing the marker. */
static void
marker_is_made_up_for(void **state)
{
	struct world *w = *state;

	fill(w);
	world_close(w);
	remove_file(w, "INSTALL-ID");
	world_open(w);
	assert_true(w->a.baseline);
	assert_true(exists(w, "INSTALL-ID"));
}

static void
nothing_new_costs_no_sync(void **state)
{
	static const char *const uids[] = { "x", "y", "z", NULL };
	struct world *w = *state;

	fill(w);
	disk_syncs = 0;
	for (int i = 0; i < 3; i++) {
		world_mailbox(w, "a", "u", "h");
		world_list(w, uids);
		assert_true(world_end(w, &all)->ok);
		world_work(w, 0, 0, 10);
		world_removals(w);
		store_listing_drop(w->store, w->mailbox);
	}
	assert_int_equal(disk_syncs, 0);
	world_work(w, 1, 0, 10);
}

static void
each_step_costs_one_sync(void **state)
{
	static const char *const uids[] = { "x", NULL };
	struct world *w = *state;
	int64_t id;

	fill(w);
	world_list(w, uids);
	id = world_work(w, 1, 0, 1)->nitems == 1 ? w->a.items[0].id : 0;
	world_in_doubt(w, id);
	disk_syncs = 0;
	world_relayed(w, id, false);
	assert_int_equal(disk_syncs, 1);
}

static unsigned answered;

static void
held(void *arg, struct store_answer *a)
{
	(void)arg;
	assert_true(a->ok);
	answered++;
}

/* However long the loop is busy: what it asks for in one round is one group. */
static void
one_round_costs_one_sync(void **state)
{
	struct world *w = *state;
	struct store_refusal r = { .state = STORE_HELD, .reply = "" };
	struct store_done done = { .run = held };
	int64_t id[3];

	fill(w);
	world_work(w, 1, 0, 3);
	for (int i = 0; i < 3; i++)
		id[i] = w->a.items[i].id;
	answered = 0;
	disk_syncs = 0;
	for (int i = 0; i < 3; i++) {
		store_refused(w->store, id[i], &r, done);
		usleep(20000);
	}
	assert_int_equal(disk_syncs, 0);
	world_work(w, 1, 0, 3);
	assert_int_equal(answered, 3);
	assert_int_equal(disk_syncs, 1);
}

/* --- what fails ------------------------------------------------------- */

static void
lost(void *arg, struct store_answer *a)
{
	(void)arg;
	answered++;
	assert_false(a->ok);
	assert_int_equal(a->fault.scope, FAULT_US);
	assert_int_equal(a->fault.when, FAULT_UNKNOWN);
}

/* The first error ends it: also reads are refused, and the disk working again
 * changes nothing. */
static void
failed_commit_ends_it(void **state)
{
	struct world *w = *state;
	int64_t id;

	fill(w);
	id = world_work(w, 1, 0, 1)->items[0].id;
	disk_fails = true;
	assert_false(world_in_doubt(w, id)->ok);
	assert_int_equal(w->a.fault.scope, FAULT_US);
	assert_int_equal(w->a.fault.when, FAULT_UNKNOWN);
	disk_fails = false;
	assert_false(world_work(w, 1, 0, 1)->ok);
	assert_int_equal(w->a.fault.when, FAULT_NEVER);
	assert_non_null(strstr(w->a.fault.text, "restart"));
	assert_false(world_in_doubt(w, id)->ok);
	world_close(w);
	world_open(w);
	assert_true(w->a.baseline);
}

static void
one_group_fails_together(void **state)
{
	struct world *w = *state;
	struct store_refusal r = { .state = STORE_HELD, .reply = "" };
	struct store_done done = { .run = lost };
	int64_t id[3];

	fill(w);
	world_work(w, 1, 0, 3);
	for (int i = 0; i < 3; i++)
		id[i] = w->a.items[i].id;
	answered = 0;
	disk_fails = true;
	store_refused(w->store, id[0], &r, done);
	world_mailbox(w, "a", "u", "h");
	assert_false(w->a.ok);
	assert_int_equal(answered, 1);
	disk_fails = false;
	world_close(w);
	/* Not known; but one or the other, and whole. */
	assert_in_range(world_number(w, "SELECT count(*) FROM delivery"
					" WHERE state = 'held'"),
	    0, 1);
}

/* --- dry run ---------------------------------------------------------- */

static void
dry_run_changes_nothing(void **state)
{
	struct world *w = *state;
	char *before, *after;
	int64_t id;

	fill(w);
	world_close(w);
	before = world_dump(w);
	assert_true(statedir_open(&w->dir, w->path, &w->exit, &w->fault));
	w->store = store_open(&w->dir, true, &w->exit, &w->fault);
	assert_non_null(w->store);
	disk_syncs = 0;
	assert_true(world_mailbox(w, "a", "u", "h")->baseline);
	world_list(w, (const char *const[]){ "y", "new", NULL });
	assert_int_equal(world_end(w, &all)->added, 1);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 2);
	id = w->a.items[0].id;
	assert_true(world_in_doubt(w, id)->ok);
	assert_true(world_relayed(w, id, true)->complete);
	/* A request that is refused takes nothing else with it. */
	assert_false(world_relayed(w, id, true)->ok);
	assert_int_equal(world_removals(w)->nitems, 1);
	assert_int_equal(disk_syncs, 0);
	world_close(w);
	after = world_dump(w);
	assert_string_equal(before, after);
	free(before);
	free(after);
}

static void
dry_run_without_a_directory(void **state)
{
	struct world *w = *state;

	world_close(w);
	w->store = store_open(NULL, true, &w->exit, &w->fault);
	assert_non_null(w->store);
	assert_true(world_mailbox(w, "n", "u", "h")->ok);
	assert_false(w->a.baseline);
	fill(w);
	assert_int_equal(world_work(w, 1, 0, 9)->nitems, 3);
}

static void
dry_run_in_a_fresh_directory(void **state)
{
	struct world *w = *state;

	world_close(w);
	remove_file(w, "state.db");
	remove_file(w, "INSTALL-ID");
	assert_true(statedir_open(&w->dir, w->path, &w->exit, &w->fault));
	w->store = store_open(&w->dir, true, &w->exit, &w->fault);
	assert_non_null(w->store);
	assert_true(world_mailbox(w, "n", "u", "h")->ok);
	world_close(w);
	assert_false(exists(w, "state.db"));
	assert_false(exists(w, "INSTALL-ID"));
}

/* --- a request that is refused ---------------------------------------- */

static int64_t
epoch(struct db *db)
{
	return query_number(db_query(db, "SELECT epoch FROM meta"));
}

static void
set_epoch(struct db *db)
{
	query_run(db_query(db, "UPDATE meta SET epoch = 7"));
}

static void
refused_leaves_nothing(void **state)
{
	struct world *w = *state;
	struct db db = { .dry_run = true };

	assert_true(db_open(&db, NULL, &w->exit, &w->fault));
	db_begin(&db);
	db_enter(&db);
	set_epoch(&db);
	db_leave(&db, false);
	assert_int_equal(epoch(&db), 0);
	db_enter(&db);
	set_epoch(&db);
	db_leave(&db, true);
	assert_int_equal(epoch(&db), 7);
	db_leave(&db, false); /* it only looked */
	assert_int_equal(db.error, SQLITE_OK);
	db_close(&db);
}

/* Nothing may be committed then. */
static void
refused_after_writing(void **state)
{
	struct world *w = *state;
	struct db db = { .dry_run = true };

	assert_true(db_open(&db, NULL, &w->exit, &w->fault));
	db_begin(&db);
	set_epoch(&db);
	db_leave(&db, false);
	assert_int_equal(db.error, SQLITE_MISUSE);
	assert_false(db_commit(&db));
	db_close(&db);
}

/* --- many ------------------------------------------------------------- */

/* What SQLite holds, which does not count it itself. */
static sqlite3_mem_methods plain;
static atomic_long in_use, most_in_use;

static void *
count(void *p)
{
	long now;

	if (p == NULL)
		return NULL;
	now = atomic_fetch_add(&in_use, plain.xSize(p)) + plain.xSize(p);
	if (now > atomic_load(&most_in_use))
		atomic_store(&most_in_use, now);
	return p;
}

static void *
count_malloc(int n)
{
	return count(plain.xMalloc(n));
}

static void
count_free(void *p)
{
	atomic_fetch_sub(&in_use, plain.xSize(p));
	plain.xFree(p);
}

static void *
count_realloc(void *p, int n)
{
	int before = plain.xSize(p);
	void *moved = plain.xRealloc(p, n);

	if (moved != NULL)
		atomic_fetch_sub(&in_use, before);
	return count(moved);
}

static void
count_memory(void)
{
	static sqlite3_mem_methods counting;

	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &plain);
	counting = plain;
	counting.xMalloc = count_malloc;
	counting.xFree = count_free;
	counting.xRealloc = count_realloc;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &counting);
}

#define MANY 100000U
#define BATCH 1000U

static void
wait_for_room(struct world *w)
{
	struct pollfd p = { .fd = store_fd(w->store), .events = POLLIN };

	assert_int_equal(poll(&p, 1, 60000), 1);
	store_dispatch(w->store);
}

static void
on_room(void *arg)
{
	++*(unsigned *)arg;
}

static void
add_many(struct world *w)
{
	unsigned calls = 0, waits = 0;
	struct store_waiter waiter = { .room = on_room, .arg = &calls };
	static char uids[BATCH][24];
	static struct store_entry entries[BATCH];

	store_listing_begin(w->store, w->mailbox, &all);
	for (uint32_t n = 0; n < MANY; n++) {
		char *uid = uids[n % BATCH];

		snprintf(uid, sizeof(uids[0]), "%08x%08x", n * 2654435761U, n);
		entries[n % BATCH] = (struct store_entry){ .uid = span_str(uid),
			.number = n + 1 };
		if (n % BATCH < BATCH - 1)
			continue;
		store_listing_add(w->store, w->mailbox, entries, BATCH);
		waits += store_wait(w->store, &waiter);
		while (waiter.waiting)
			wait_for_room(w);
		assert_int_equal(calls, waits);
		assert_true(store_backlog(w->store) <= STORE_BACKLOG_MAX);
	}
}

/* P28: what is listed lies on the disk, and what is on its way there is known
 * to the source. */
static void
large_mailbox(void **state)
{
	struct world *w = *state;

	atomic_store(&most_in_use, 0);
	add_many(w);
	assert_int_equal(world_end(w, &all)->added, MANY);
	assert_int_equal(store_backlog(w->store), 0);
	disk_syncs = 0;
	add_many(w);
	assert_int_equal(world_end(w, &all)->listed, MANY);
	assert_int_equal(w->a.added, 0);
	assert_int_equal(disk_syncs, 0);
	assert_int_equal(world_work(w, 1, MANY - 5, 16)->nitems, 5);
	assert_in_range(atomic_load(&most_in_use), 1, 12 << 20);
}

static void
stalled_is_only_who_works(void **state)
{
	struct world *w = *state;

	world_work(w, 1, 0, 1);
	for (int i = 0; i < 1000 && store_stalled_ms(w->store) != 0; i++)
		usleep(1000);
	usleep(20000);
	assert_int_equal(store_stalled_ms(w->store), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(missing_though_initialised),
		TEST(empty_though_initialised),
		TEST(not_a_database),
		TEST(torn_page),
		TEST(of_another_program),
		TEST(of_another_version),
		TEST(of_the_version_before),
		TEST(opened_by_somebody_else),
		TEST(private_file_and_one_key),
		TEST(marker_is_made_up_for),
		TEST(nothing_new_costs_no_sync),
		TEST(each_step_costs_one_sync),
		TEST(failed_commit_ends_it),
		TEST(one_round_costs_one_sync),
		TEST(one_group_fails_together),
		TEST(dry_run_changes_nothing),
		TEST(dry_run_without_a_directory),
		TEST(dry_run_in_a_fresh_directory),
		TEST(refused_leaves_nothing),
		TEST(refused_after_writing),
		TEST(large_mailbox),
		TEST(stalled_is_only_who_works),
	};

	count_memory();
	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
