/* SPDX-License-Identifier: ISC */
#include "store/db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/schema.h"
#include "store/statedir.h"

#define NAME "state.db"

static const char phase[] = "state";
_Static_assert(DB_ID_SIZE == STATEDIR_ID_SIZE, "one install id");

/* --- errors ----------------------------------------------------------- */

static void
fail_with(struct db *db, int code, const char *words)
{
	if (db->error != SQLITE_OK)
		return;
	db->error = code;
	snprintf(db->message, sizeof(db->message), "%s (%d)", words, code);
}

/* SQLite calls a page that the disk would not give a malformed one. */
static bool
is_unreadable(sqlite3 *sql)
{
	sqlite3_file *log = NULL;
	int error = 0;

	sqlite3_file_control(sql, "main", SQLITE_FCNTL_LAST_ERRNO, &error);
	if (error == EIO)
		return true;
	sqlite3_file_control(sql, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (log != NULL && log->pMethods != NULL)
		log->pMethods->xFileControl(
		    log, SQLITE_FCNTL_LAST_ERRNO, &error);
	return error == EIO;
}

static void
fail(struct db *db, int code)
{
	if ((code & 0xff) == SQLITE_CORRUPT && is_unreadable(db->sql))
		fail_with(db, SQLITE_IOERR_READ, sqlite3_errstr(SQLITE_IOERR));
	else
		fail_with(db, code,
		    db->sql != NULL ? sqlite3_errmsg(db->sql)
				    : sqlite3_errstr(code));
}

static void
log_sqlite(void *arg, int code, const char *text)
{
	int primary = code & 0xff;
	int priority = primary == SQLITE_NOTICE ? LOG_INFO : LOG_WARNING;

	(void)arg;
	log_line(priority, "SQLite: %s (%d)", text, code);
}

/* Of the library, hence of the process, and only before its first use.  Memory
 * is counted under a lock, and nobody asks for the sum. */
static void
configure_library(void)
{
	sqlite3_config(SQLITE_CONFIG_LOG, log_sqlite, NULL);
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

/* A file that cannot be opened may be forbidden, or there is no room for its
 * log; of the reasons SQLite keeps only the last. */
static bool
is_forbidden(const struct statedir *d)
{
	return d != NULL &&
	       (faccessat(d->dir, ".", W_OK, AT_EACCESS) != 0 ||
		   faccessat(d->dir, NAME, R_OK | W_OK, AT_EACCESS) != 0);
}

static int
exit_code(int error, const struct statedir *d)
{
	switch (error & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return EX_TEMPFAIL;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return EX_DATAERR;
	case SQLITE_CANTOPEN:
		return is_forbidden(d) ? EX_NOPERM : EX_IOERR;
	case SQLITE_PERM:
	case SQLITE_READONLY:
	case SQLITE_AUTH:
		return EX_NOPERM;
	default:
		return EX_IOERR;
	}
}

/* --- statements ------------------------------------------------------- */

/* Texts are static, and seldom begin in the same 64 bytes. */
static struct query_list *
bucket(struct db *db, const char *text)
{
	return &db->queries[((uintptr_t)text >> 6) % DB_BUCKETS];
}

static struct query *
prepare(struct db *db, const char *text)
{
	struct query *q = mem_alloc(sizeof(*q));
	int code = sqlite3_prepare_v3(
	    db->sql, text, -1, SQLITE_PREPARE_PERSISTENT, &q->stmt, NULL);

	if (code != SQLITE_OK)
		fail(db, code);
	q->db = db;
	q->text = text;
	LIST_INSERT_HEAD(bucket(db, text), q, next);
	return q;
}

static void
reset(struct query *q)
{
	sqlite3_reset(q->stmt);
	if (q->open)
		LIST_REMOVE(q, opened);
	q->open = false;
}

struct query *
db_query(struct db *db, const char *text)
{
	struct query *q;

	LIST_FOREACH (q, bucket(db, text), next)
		if (q->text == text)
			break;
	if (q == NULL)
		q = prepare(db, text);
	reset(q);
	return q;
}

void
query_int(struct query *q, int n, int64_t value)
{
	if (q->db->error == SQLITE_OK &&
	    sqlite3_bind_int64(q->stmt, n, value) != SQLITE_OK)
		fail(q->db, sqlite3_errcode(q->db->sql));
}

void
query_text(struct query *q, int n, const char *s)
{
	if (q->db->error == SQLITE_OK &&
	    sqlite3_bind_text(q->stmt, n, s, -1, SQLITE_STATIC) != SQLITE_OK)
		fail(q->db, sqlite3_errcode(q->db->sql));
}

void
query_blob(struct query *q, int n, const void *p, size_t size)
{
	/* No bytes are not NULL: a UIDL may be empty. */
	const void *bytes = size > 0 ? p : "";

	if (q->db->error == SQLITE_OK && sqlite3_bind_blob64(q->stmt, n, bytes,
					     size, SQLITE_STATIC) != SQLITE_OK)
		fail(q->db, sqlite3_errcode(q->db->sql));
}

bool
query_row(struct query *q)
{
	int code;

	if (q->db->error != SQLITE_OK)
		return false;
	code = sqlite3_step(q->stmt);
	if (code == SQLITE_ROW && !q->open) {
		LIST_INSERT_HEAD(&q->db->opened, q, opened);
		q->open = true;
	}
	if (code == SQLITE_ROW)
		return true;
	if (code != SQLITE_DONE)
		fail(q->db, code);
	reset(q);
	return false;
}

uint64_t
query_run(struct query *q)
{
	while (query_row(q))
		continue;
	if (q->db->error != SQLITE_OK)
		return 0;
	return (uint64_t)sqlite3_changes64(q->db->sql);
}

int64_t
query_get(const struct query *q, int column)
{
	return sqlite3_column_int64(q->stmt, column);
}

void
query_copy(const struct query *q, int column, char *dst, size_t cap)
{
	const void *s = sqlite3_column_text(q->stmt, column);

	snprintf(dst, cap, "%s", s != NULL ? (const char *)s : "");
}

/* A UIDL is bytes, to which SQLite puts no NUL. */
char *
query_dup(const struct query *q, int column)
{
	const void *bytes = sqlite3_column_blob(q->stmt, column);
	size_t n = (size_t)sqlite3_column_bytes(q->stmt, column);
	char *s = mem_alloc(n + 1);

	if (n > 0)
		memcpy(s, bytes, n);
	return s;
}

int64_t
query_number(struct query *q)
{
	int64_t value = query_row(q) ? query_get(q, 0) : 0;

	reset(q);
	return value;
}

static void
reset_all(struct db *db)
{
	while (!LIST_EMPTY(&db->opened))
		reset(LIST_FIRST(&db->opened));
}

/* --- transactions ----------------------------------------------------- */

static void
run(struct db *db, const char *text)
{
	query_run(db_query(db, text));
}

void
db_begin(struct db *db)
{
	static const char begin[] = "BEGIN IMMEDIATE";

	if (!db->dry_run)
		run(db, begin);
	db->changes = sqlite3_total_changes64(db->sql);
}

/* Once for all of a group. */
static void
save_tries(struct db *db)
{
	struct query *q;

	if (db->tries == db->tries_saved)
		return;
	q = db_query(db, "UPDATE meta SET tries = ?1");
	query_int(q, 1, db->tries);
	query_run(q);
	db->tries_saved = db->tries;
}

/* Errors before or in COMMIT end alike: nothing is tried again, and what is
 * still open is rolled back. */
bool
db_commit(struct db *db)
{
	static const char commit[] = "COMMIT";

	save_tries(db);
	if (!db->dry_run)
		run(db, commit);
	if (db->error == SQLITE_OK)
		return true;
	reset_all(db);
	if (sqlite3_get_autocommit(db->sql) == 0)
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	return false;
}

void
db_enter(struct db *db)
{
	static const char enter[] = "SAVEPOINT request";

	run(db, enter);
	db->entered = true;
}

void
db_leave(struct db *db, bool keep)
{
	static const char undo[] = "ROLLBACK TO request";
	static const char leave[] = "RELEASE request";

	reset_all(db);
	if (!keep && !db->entered &&
	    sqlite3_total_changes64(db->sql) != db->changes)
		fail_with(db, SQLITE_MISUSE, "what was refused is written");
	if (db->entered && !keep)
		run(db, undo);
	if (db->entered)
		run(db, leave);
	db->entered = false;
	db->changes = sqlite3_total_changes64(db->sql);
}

/* --- opening ---------------------------------------------------------- */

/* SQL without results; several statements at once. */
static void
script(struct db *db, const char *text)
{
	int code;

	if (db->error != SQLITE_OK)
		return;
	code = sqlite3_exec(db->sql, text, NULL, NULL, NULL);
	if (code != SQLITE_OK)
		fail(db, code);
}

static bool
answers(struct db *db, const char *text, const char *wanted)
{
	struct query *q = db_query(db, text);
	bool same = false;

	if (query_row(q)) {
		const void *got = sqlite3_column_text(q->stmt, 0);

		same = got != NULL && strcmp(got, wanted) == 0;
	}
	/* What the statement changes is committed here, behind its row. */
	if (db->error == SQLITE_OK && sqlite3_reset(q->stmt) != SQLITE_OK)
		fail(db, sqlite3_extended_errcode(db->sql));
	reset(q);
	return same && db->error == SQLITE_OK;
}

static bool
refuse(struct fault *fault_r, const char *dir, const char *why)
{
	fault_set(
	    fault_r, FAULT_US, FAULT_NEVER, phase, "%s/" NAME " %s", dir, why);
	return false;
}

/* Whose file is it?  Asked before anything is written to it. */
static bool
identify(struct db *db, const struct statedir *d, bool *empty_r,
    struct fault *fault_r)
{
	int64_t id, version;
	char why[160];

	id = query_number(db_query(db, "PRAGMA application_id"));
	version = query_number(db_query(db, "PRAGMA user_version"));
	*empty_r = query_number(db_query(
		       db, "SELECT count(*) FROM sqlite_schema")) == 0 &&
	           id == 0 && version == 0;
	if (db->error != SQLITE_OK) {
		*empty_r = false;
		return true; /* has its own words */
	}
	if (*empty_r && d->fresh)
		return true;
	if (*empty_r)
		return refuse(fault_r, d->path,
		    "is empty, but this installation was initialised: restore "
		    "a backup");
	if (id != SCHEMA_APPLICATION_ID)
		return refuse(fault_r, d->path,
		    "is a database of another program, not of mailhaul");
	if (version >= SCHEMA_OLDEST && version <= SCHEMA_VERSION)
		return true;
	snprintf(why, sizeof(why),
	    "has schema version %lld; this mailhauld knows version %d only: "
	    "install the one that made it, or restore a backup",
	    (long long)version, SCHEMA_VERSION);
	return refuse(fault_r, d->path, why);
}

/* DURABILITY.md 4.6, in its order; locking_mode came before. */
static void
settle(struct db *db)
{
	script(db, "PRAGMA synchronous=FULL;"
		   "PRAGMA mmap_size=0;"
		   "PRAGMA cell_size_check=ON;"
		   "PRAGMA trusted_schema=OFF;"
		   "PRAGMA foreign_keys=ON;"
		   "PRAGMA journal_size_limit=4194304;");
	if (db->error == SQLITE_OK)
		sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
}

static void
random_bytes(void *p, size_t n)
{
	if (getentropy(p, n) != 0)
		abort(); /* no kernel we run on has none */
}

static void
create(struct db *db)
{
	struct query *q;
	unsigned char key[DB_KEY_SIZE];

	random_bytes(key, sizeof(key));
	script(db, "BEGIN IMMEDIATE");
	script(db, schema_sql);
	q = db_query(db,
	    "INSERT INTO meta (one, install_id, install_key, created)"
	    " VALUES (1, lower(hex(randomblob(16))), ?1, ?2)");
	query_blob(q, 1, key, sizeof(key));
	query_int(q, 2, time(NULL));
	query_run(q);
	script(db, "COMMIT");
}

/* All of it or nothing; a dry run has its own transaction around it. */
static void
upgrade(struct db *db)
{
	int64_t version = query_number(db_query(db, "PRAGMA user_version"));
	char text[64];

	if (db->error != SQLITE_OK || version < SCHEMA_OLDEST ||
	    version >= SCHEMA_VERSION)
		return;
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 0, NULL);
	if (!db->dry_run)
		script(db, "BEGIN IMMEDIATE");
	for (; version < SCHEMA_VERSION; version++)
		script(db, schema_upgrades[version]);
	snprintf(
	    text, sizeof(text), "PRAGMA user_version = %d", SCHEMA_VERSION);
	script(db, text);
	if (!db->dry_run)
		script(db, "COMMIT");
	sqlite3_db_config(db->sql, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
}

static bool
read_meta(struct db *db)
{
	struct query *q =
	    db_query(db, "SELECT install_id, install_key, tries FROM meta");
	bool found =
	    query_row(q) && sqlite3_column_bytes(q->stmt, 1) == DB_KEY_SIZE;

	if (found) {
		memcpy(db->install_key, sqlite3_column_blob(q->stmt, 1),
		    DB_KEY_SIZE);
		db->tries = db->tries_saved = query_get(q, 2);
		query_copy(q, 0, db->install_id, sizeof(db->install_id));
	}
	reset(q);
	return found;
}

/* Never opened by SQLite with CREATE: a database that is missing later must
 * not be made again without a word.  Asked with stat, because closing another
 * descriptor of the file would drop the locks of SQLite. */
static bool
ensure_file(struct statedir *d, int *exit_r, struct fault *fault_r)
{
	int fd;

	if (faccessat(d->dir, NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	if (errno == ENOENT && !d->fresh) {
		*exit_r = EX_DATAERR;
		return refuse(fault_r, d->path,
		    "is missing, but this installation was initialised: "
		    "restore a backup; starting anew (remove INSTALL-ID) "
		    "forgets what was relayed");
	}
	fd = errno != ENOENT
	         ? -1
	         : openat(d->dir, NAME, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		       0600);
	if (fd < 0) {
		*exit_r =
		    errno == EACCES || errno == EPERM ? EX_NOPERM : EX_IOERR;
		return refuse(fault_r, d->path, strerror(errno));
	}
	close(fd);
	return true;
}

/* A page that cannot be read is a finding to it, and no error: but then there
 * may be nothing wrong with the contents. */
static bool
is_sound(struct db *db)
{
	struct query *q = db_query(db, "PRAGMA quick_check(1)");
	char found[160] = "";
	const char *at;
	int code;

	if (query_row(q))
		query_copy(q, 0, found, sizeof(found));
	reset(q);
	at = strstr(found, "error code=");
	code = at != NULL ? atoi(at + strlen("error code=")) : SQLITE_OK;
	if (code != SQLITE_OK)
		fail_with(db, code, sqlite3_errstr(code));
	return db->error == SQLITE_OK && strcmp(found, "ok") == 0;
}

static bool
check_contents(struct db *db, struct statedir *d, struct fault *fault_r)
{
	if (!is_sound(db) || !read_meta(db))
		return db->error != SQLITE_OK ||
		       refuse(fault_r, d->path, "is damaged: restore a backup");
	memcpy(d->id, db->install_id, sizeof(d->id));
	return true;
}

/* false: fault_r is set.  true: what SQLite could not do is in db->error. */
static bool
open_file(struct db *db, struct statedir *d, struct fault *fault_r)
{
	bool empty;

	script(db, "PRAGMA locking_mode=EXCLUSIVE");
	if (!identify(db, d, &empty, fault_r))
		return false;
	if (!answers(db, "PRAGMA journal_mode=WAL", "wal") &&
	    db->error == SQLITE_OK)
		return refuse(fault_r, d->path, "cannot use a write-ahead log");
	settle(db);
	if (!db->dry_run)
		script(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	if (empty)
		create(db);
	return check_contents(db, d, fault_r);
}

/* After a sync that failed the log may hold pages that can be read and are not
 * on the disk, and that no further sync writes, for they count as written.
 * Written once more they reach it, before anybody builds on them. */
static bool
write_anew(int fd)
{
	char piece[64 * 1024];
	off_t at = 0;
	ssize_t n;

	while ((n = pread(fd, piece, sizeof(piece), at)) > 0) {
		if (pwrite(fd, piece, (size_t)n, at) != n)
			return false;
		at += n;
	}
	return n == 0 && fsync(fd) == 0;
}

static void
secure_log(struct db *db, const struct statedir *d)
{
	int fd = openat(d->dir, NAME "-wal", O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0 && errno == ENOENT)
		return;
	if (fd < 0 || !write_anew(fd))
		fail_with(db, SQLITE_IOERR, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void
connect_file(struct db *db, const struct statedir *d)
{
	size_t size = strlen(d->path) + sizeof("/" NAME);
	char *file = mem_alloc(size);
	int code;

	snprintf(file, size, "%s/" NAME, d->path);
	code = sqlite3_open_v2(file, &db->sql,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW |
		SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_EXRESCODE,
	    NULL);
	free(file);
	if (code != SQLITE_OK)
		fail(db, code);
}

static void
is_trying(sqlite3_context *context, int n, sqlite3_value **values)
{
	const struct db *db = sqlite3_user_data(context);

	(void)n;
	sqlite3_result_int(
	    context, idset_has(&db->trying, sqlite3_value_int64(values[0])));
}

static void
is_listed(sqlite3_context *context, int n, sqlite3_value **values)
{
	const struct db *db = sqlite3_user_data(context);

	(void)n;
	sqlite3_result_int(
	    context, idset_has(db->listed, sqlite3_value_int64(values[0])));
}

static void
add_function(struct db *db, const char *name,
    void (*f)(sqlite3_context *context, int n, sqlite3_value **values))
{
	int code;

	if (db->error != SQLITE_OK)
		return;
	code = sqlite3_create_function(db->sql, name, 1,
	    SQLITE_UTF8 | SQLITE_DIRECTONLY, db, f, NULL, NULL);
	if (code != SQLITE_OK)
		fail(db, code);
}

static void
open_memory(struct db *db)
{
	int code = sqlite3_open_v2(":memory:", &db->sql,
	    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
		SQLITE_OPEN_EXRESCODE,
	    NULL);

	if (code != SQLITE_OK)
		fail(db, code);
	settle(db);
	create(db);
	read_meta(db);
}

bool
db_open(struct db *db, struct statedir *d, int *exit_r, struct fault *fault_r)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, configure_library);
	if (d == NULL || (d->fresh && db->dry_run)) {
		open_memory(db);
	} else {
		if (!ensure_file(d, exit_r, fault_r))
			return false;
		if (!db->dry_run)
			secure_log(db, d);
		connect_file(db, d);
		*exit_r = EX_DATAERR;
		if (db->error == SQLITE_OK && !open_file(db, d, fault_r))
			goto refused;
	}
	add_function(db, "trying", is_trying);
	add_function(db, "listed", is_listed);
	script(db, schema_temp_sql);
	if (db->dry_run)
		script(db, "BEGIN IMMEDIATE");
	upgrade(db);
	if (db->error == SQLITE_OK)
		return true;
	*exit_r = exit_code(db->error, d);
	refuse(fault_r, d != NULL ? d->path : "", db->message);
refused:
	fail(db, SQLITE_ABORT); /* so that its log is left alone, too */
	db_close(db);
	return false;
}

static void
finish(struct db *db)
{
	reset_all(db);
	if (db->dry_run)
		sqlite3_exec(db->sql, "ROLLBACK", NULL, NULL, NULL);
	else if (db->error == SQLITE_OK)
		script(db, "PRAGMA wal_checkpoint(TRUNCATE)");
	/* After a failed commit the log stays as it is: the next start reads
	 * it with its checksums and learns what was written. */
	if (db->error != SQLITE_OK)
		sqlite3_db_config(
		    db->sql, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static void
forget_queries(struct query_list *list)
{
	struct query *q;

	while ((q = LIST_FIRST(list)) != NULL) {
		LIST_REMOVE(q, next);
		sqlite3_finalize(q->stmt);
		free(q);
	}
}

void
db_close(struct db *db)
{
	if (db->sql != NULL)
		finish(db);
	for (size_t i = 0; i < DB_BUCKETS; i++)
		forget_queries(&db->queries[i]);
	LIST_INIT(&db->opened);
	idset_free(&db->trying);
	sqlite3_close(db->sql);
	db->sql = NULL;
}
