/* SPDX-License-Identifier: ISC */
#include "store_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/syscall.h>

#include <cmocka.h>
#include <sqlite3.h>

/* --- the disk: in front of those of libc, for SQLite too -------------- */

unsigned disk_syncs;
bool disk_fails;

static int
sync_with(long number, int fd)
{
	__atomic_add_fetch(&disk_syncs, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&disk_fails, __ATOMIC_SEQ_CST)) {
		errno = EIO;
		return -1;
	}
	return (int)syscall(number, fd);
}

int
fdatasync(int fd)
{
	return sync_with(SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return sync_with(SYS_fsync, fd);
}

/* --- the world -------------------------------------------------------- */

void
world_init(struct world *w)
{
	const char *tmp = getenv("TMPDIR");

	memset(w, 0, sizeof(*w));
	snprintf(w->base, sizeof(w->base), "%.32s/mailhaul-XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(w->base));
	snprintf(w->path, sizeof(w->path), "%s/state", w->base);
	w->dir = (struct statedir){ .dir = -1, .lock = -1 };
}

void
world_open(struct world *w)
{
	if (!statedir_open(&w->dir, w->path, &w->exit, &w->fault))
		fail_msg("%s", w->fault.text);
	w->store = store_open(&w->dir, false, &w->exit, &w->fault);
	if (w->store == NULL)
		fail_msg("%s", w->fault.text);
	assert_true(world_mailbox(w, "a", "u", "h")->ok);
}

static void
forget_answer(struct world *w)
{
	store_items_free(w->a.items, w->a.nitems);
	store_held_free(w->a.rows, w->a.nrows);
	store_summary_free(w->a.summary, w->a.nsummary);
	store_history_free(w->a.past, w->a.npast);
	w->a = (struct store_answer){ .ok = false };
}

void
world_close(struct world *w)
{
	forget_answer(w);
	store_close(&w->store);
	statedir_close(&w->dir);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
world_free(struct world *w)
{
	if (w->store != NULL || w->dir.dir >= 0)
		world_close(w);
	nftw(w->base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- requests --------------------------------------------------------- */

static void
take_answer(void *arg, struct store_answer *a)
{
	struct world *w = arg;

	forget_answer(w);
	w->a = *a;
	/* Taken. */
	*a = (struct store_answer){ .ok = a->ok };
	w->waiting = false;
}

struct store_done
world_done(struct world *w)
{
	w->waiting = true;
	return (struct store_done){ .run = take_answer, .arg = w };
}

const struct store_answer *
world_wait(struct world *w)
{
	struct pollfd p = { .fd = store_fd(w->store), .events = POLLIN };

	while (w->waiting) {
		assert_int_equal(poll(&p, 1, 60000), 1);
		store_dispatch(w->store);
	}
	return &w->a;
}

const struct store_answer *
world_mailbox(
    struct world *w, const char *name, const char *user, const char *host)
{
	struct store_account account = { name, user, host };

	store_mailbox(w->store, &account, "INBOX", world_done(w));
	world_wait(w);
	if (w->a.ok)
		w->mailbox = w->a.mailbox;
	return &w->a;
}

void
world_list(struct world *w, const char *const *uids)
{
	world_list_for(w, &world_pop3, uids);
}

void
world_list_for(
    struct world *w, const struct store_listing *l, const char *const *uids)
{
	store_listing_begin(w->store, w->mailbox, l);
	for (uint32_t n = 1; *uids != NULL; n++, uids++) {
		struct store_entry e = {
			.uid = span_str(*uids), .number = n, .size = 1000 + n
		};

		store_listing_add(w->store, w->mailbox, &e, 1);
	}
}

const struct store_answer *
world_end(struct world *w, const struct store_listing *l)
{
	struct store_listing again = *l;

	store_listing_end(w->store, w->mailbox, l, world_done(w));
	if (world_wait(w)->unknown == 0 || l->recognised)
		return &w->a;
	/* Without headers. */
	again.recognised = true;
	store_listing_end(w->store, w->mailbox, &again, world_done(w));
	return world_wait(w);
}

const struct store_answer *
world_work(struct world *w, int64_t now, uint32_t after, size_t limit)
{
	store_work(w->store, w->mailbox, now, after, limit, world_done(w));
	return world_wait(w);
}

const struct store_answer *
world_removals(struct world *w)
{
	store_removals(w->store, w->mailbox, 0, 100, world_done(w));
	return world_wait(w);
}

const struct store_answer *
world_in_doubt(struct world *w, int64_t id)
{
	static const unsigned char bytes[32] = { 7 };
	struct store_attempt attempt = { .now = 100,
		.attempt = 1,
		.size = 5,
		.fingerprint = bytes,
		.hash = bytes,
		.trace = "TRACE" };

	store_in_doubt(w->store, id, &attempt, world_done(w));
	return world_wait(w);
}

const struct store_answer *
world_relayed(struct world *w, int64_t id, bool remove_it)
{
	struct store_success a = { .now = 200,
		.usec = 1500000,
		.remove = remove_it,
		.reply = "250 queued" };

	store_relayed(w->store, id, &a, world_done(w));
	return world_wait(w);
}

const struct store_answer *
world_refused(
    struct world *w, int64_t id, enum store_state state, int64_t next_try)
{
	struct store_refusal r = { .state = state,
		.now = 300,
		.next_try = next_try,
		.reply = "451 later" };

	store_refused(w->store, id, &r, world_done(w));
	return world_wait(w);
}

/* --- whole polls ------------------------------------------------------- */

static const char *const home[] = { "home" };

const struct store_listing world_pop3 = { .complete = true,
	.list_from = 1,
	.destinations = home,
	.ndestinations = 1 };

const struct store_answer *
world_poll(struct world *w, const char *const *uids)
{
	world_list(w, uids);
	return world_end(w, &world_pop3);
}

int64_t
world_one_new(struct world *w)
{
	assert_true(world_poll(w, NOTHING)->ok);
	assert_int_equal(world_poll(w, UIDS("x"))->added, 1);
	assert_int_equal(world_work(w, 1, 0, 10)->nitems, 1);
	return w->a.items[0].id;
}

void
assert_refused(const struct store_answer *a, enum fault_scope scope,
    enum fault_when when, const char *words)
{
	assert_false(a->ok);
	assert_int_equal(a->fault.scope, scope);
	assert_int_equal(a->fault.when, when);
	if (strstr(a->fault.text, words) == NULL)
		fail_msg("no \"%s\" in: %s", words, a->fault.text);
}

/* --- the database from outside ---------------------------------------- */

static sqlite3 *
open_database(const struct world *w)
{
	char file[128];
	sqlite3 *sql;

	snprintf(file, sizeof(file), "%s/state.db", w->path);
	assert_int_equal(sqlite3_open(file, &sql), SQLITE_OK);
	return sql;
}

void
world_sql(const struct world *w, const char *text)
{
	sqlite3 *sql = open_database(w);

	assert_int_equal(sqlite3_exec(sql, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(sql), SQLITE_OK);
}

static int
keep_number(void *arg, int n, char **values, char **names)
{
	(void)n;
	(void)names;
	*(int64_t *)arg = values[0] != NULL ? atoll(values[0]) : 0;
	return 0;
}

int64_t
world_number(const struct world *w, const char *text)
{
	sqlite3 *sql = open_database(w);
	int64_t value = -1;

	assert_int_equal(
	    sqlite3_exec(sql, text, keep_number, &value, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(sql), SQLITE_OK);
	return value;
}

static int
print_row(void *arg, int n, char **values, char **names)
{
	(void)names;
	for (int i = 0; i < n; i++)
		fprintf(arg, "%s|", values[i] != NULL ? values[i] : "NULL");
	fputc('\n', arg);
	return 0;
}

char *
world_dump(const struct world *w)
{
	static const char *const tables[] = { "meta", "account", "mailbox",
		"delivery" };
	sqlite3 *sql = open_database(w);
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (size_t i = 0; i < 4; i++) {
		char select[64];

		snprintf(select, sizeof(select), "SELECT * FROM %s", tables[i]);
		assert_int_equal(
		    sqlite3_exec(sql, select, print_row, out, NULL), SQLITE_OK);
	}
	fclose(out);
	assert_int_equal(sqlite3_close(sql), SQLITE_OK);
	return text;
}
