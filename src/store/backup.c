/* SPDX-License-Identifier: ISC */
#include "store/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <sys/stat.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/schema.h"
#include "store/stamp.h"
#include "store/statedir.h"

#define DB_NAME "state.db"
#define LOG_NAME DB_NAME "-wal"
#define DRAFT_NAME "restore.new" /* directory in the state directory */

static const char phase[] = "backup";

static bool
refuse(
    struct fault *f, int *exit_r, int code, const char *file, const char *why)
{
	fault_set(f, FAULT_US, FAULT_NEVER, phase, "%s: %s", file, why);
	*exit_r = code;
	return false;
}

static bool
failed(struct fault *f, int *exit_r, const char *file)
{
	int error = errno;

	return refuse(f, exit_r,
	    error == EACCES || error == EPERM || error == EROFS ? EX_NOPERM
								: EX_IOERR,
	    file, strerror(error));
}

/* --- backup ----------------------------------------------------------- */

/* The place of a backup, and the name it has until it is whole. */
struct target {
	char folder[PATH_MAX]; /* real path: SQLite follows no link here */
	char draft[PATH_MAX];
	const char *name; /* in the folder */
	int dir;
	int fd;
};

static bool
open_target(struct target *t, const char *file)
{
	const char *slash = strrchr(file, '/');
	char folder[PATH_MAX] = ".";

	if (slash != NULL)
		snprintf(folder, sizeof(folder), "%.*s",
		    slash == file ? 1 : (int)(slash - file), file);
	t->name = slash != NULL ? slash + 1 : file;
	if (realpath(folder, t->folder) == NULL)
		return false;
	t->dir = open(t->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir < 0)
		return false;
	if (faccessat(t->dir, t->name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		errno = EEXIST;
		return false;
	}
	if ((size_t)snprintf(t->draft, sizeof(t->draft), "%s/.%s.XXXXXX",
		t->folder, t->name) >= sizeof(t->draft)) {
		errno = ENAMETOOLONG;
		return false;
	}
	t->fd = mkostemp(t->draft, O_CLOEXEC); /* mode 0600 */
	return t->fd >= 0;
}

/* Where a rename cannot keep off what is there, a second name can. */
static bool
publish(const struct target *t)
{
	const char *draft = strrchr(t->draft, '/') + 1;

	if (fsync(t->fd) != 0)
		return false;
	if (renameat2(t->dir, draft, t->dir, t->name, RENAME_NOREPLACE) != 0 &&
	    (errno != EINVAL || linkat(t->dir, draft, t->dir, t->name, 0) != 0))
		return false;
	unlinkat(t->dir, draft, 0);
	return fsync(t->dir) == 0;
}

static void
discard(const struct target *t)
{
	static const char *const also[] = { "-journal", "-wal" };

	for (size_t i = 0; i < sizeof(also) / sizeof(also[0]); i++) {
		char beside[sizeof(t->draft) + 16];

		snprintf(beside, sizeof(beside), "%s%s", t->draft, also[i]);
		unlink(beside);
	}
	unlink(t->draft);
}

/* Pages of a slice: its sync takes no longer than that of a large group. */
#define SLICE 256

struct backup {
	struct target target;
	struct db *db; /* foreign: what is copied */
	sqlite3 *copy;
	sqlite3_backup *run;
	char *file; /* as it was asked for */
};

/* Into an empty file that is there, so that its mode is ours.  It is nothing
 * before it is whole, so SQLite need not protect it meanwhile. */
static bool
open_copy(struct backup *b)
{
	return sqlite3_open_v2(b->target.draft, &b->copy,
		   SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW |
		       SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_NOMUTEX,
		   NULL) == SQLITE_OK &&
	       sqlite3_exec(b->copy,
		   "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=OFF;"
		   "PRAGMA synchronous=OFF",
		   NULL, NULL, NULL) == SQLITE_OK;
}

static bool
not_written(struct backup *b, int *exit_r, struct fault *fault_r)
{
	return refuse(fault_r, exit_r, EX_IOERR, "cannot write the backup",
	    sqlite3_errmsg(b->copy));
}

struct backup *
backup_begin(
    struct db *db, const char *file, int *exit_r, struct fault *fault_r)
{
	struct backup *b = mem_alloc(sizeof(*b));

	b->target = (struct target){ .dir = -1, .fd = -1 };
	b->db = db;
	b->file = mem_strdup(file);
	if (db->dry_run) {
		refuse(fault_r, exit_r, EX_USAGE, file,
		    "a dry run makes no backup");
	} else if (!open_target(&b->target, file)) {
		failed(fault_r, exit_r, file);
	} else {
		if (open_copy(b))
			b->run = sqlite3_backup_init(
			    b->copy, "main", db->sql, "main");
		if (b->run != NULL)
			return b;
		not_written(b, exit_r, fault_r);
	}
	backup_end(&b);
	return NULL;
}

/* Our file does not need a write-ahead log to be read. */
static bool
finish_copy(struct backup *b)
{
	int code = sqlite3_backup_finish(b->run);

	b->run = NULL;
	if (code != SQLITE_OK ||
	    sqlite3_exec(b->copy, "PRAGMA journal_mode=DELETE", NULL, NULL,
		NULL) != SQLITE_OK)
		return false;
	sqlite3_close(b->copy);
	b->copy = NULL;
	return true;
}

enum backup_progress
backup_step(struct backup *b, int *exit_r, struct fault *fault_r)
{
	int code = sqlite3_backup_step(b->run, SLICE);

	if (code != SQLITE_OK && code != SQLITE_DONE) {
		refuse(fault_r, exit_r, EX_IOERR, "cannot write the backup",
		    sqlite3_errstr(code));
		return BACKUP_FAILED;
	}
	if (fdatasync(b->target.fd) != 0) {
		failed(fault_r, exit_r, b->file);
		return BACKUP_FAILED;
	}
	if (code == SQLITE_OK)
		return BACKUP_MORE;
	if (!finish_copy(b)) {
		not_written(b, exit_r, fault_r);
		return BACKUP_FAILED;
	}
	if (!publish(&b->target)) {
		failed(fault_r, exit_r, b->file);
		return BACKUP_FAILED;
	}
	*exit_r = EX_OK;
	return BACKUP_DONE;
}

void
backup_end(struct backup **bp)
{
	struct backup *b = *bp;

	*bp = NULL;
	if (b == NULL)
		return;
	sqlite3_backup_finish(b->run);
	sqlite3_close(b->copy);
	if (b->target.fd >= 0) {
		discard(&b->target);
		close(b->target.fd);
	}
	if (b->target.dir >= 0)
		close(b->target.dir);
	free(b->file);
	free(b);
}

bool
backup_write(
    struct statedir *d, const char *file, int *exit_r, struct fault *fault_r)
{
	enum backup_progress progress = BACKUP_FAILED;
	struct db db = { .dry_run = false };
	struct backup *b;

	if (d->fresh)
		return refuse(fault_r, exit_r, EX_DATAERR, d->path,
		    "there is no state here yet");
	if (!db_open(&db, d, exit_r, fault_r))
		return false;
	b = backup_begin(&db, file, exit_r, fault_r);
	if (b != NULL)
		do
			progress = backup_step(b, exit_r, fault_r);
		while (progress == BACKUP_MORE);
	backup_end(&b);
	db_close(&db);
	return progress == BACKUP_DONE;
}

/* --- restore: a copy in a directory of its own ------------------------ */

static bool
open_draft(const struct statedir *d, struct statedir *draft)
{
	static const char *const files[] = { DB_NAME, LOG_NAME,
		DB_NAME "-journal" };

	if (mkdirat(d->dir, DRAFT_NAME, 0700) != 0 && errno != EEXIST)
		return false;
	draft->dir = openat(d->dir, DRAFT_NAME,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (draft->dir < 0)
		return false;
	/* What an attempt that died left behind. */
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (unlinkat(draft->dir, files[i], 0) != 0 && errno != ENOENT)
			return false;
	return asprintf(&draft->path, "%s/" DRAFT_NAME, d->path) > 0;
}

static void
close_draft(const struct statedir *d, struct statedir *draft)
{
	if (draft->dir >= 0) {
		unlinkat(draft->dir, DB_NAME, 0);
		unlinkat(draft->dir, LOG_NAME, 0);
		unlinkat(d->dir, DRAFT_NAME, AT_REMOVEDIR);
	}
	statedir_close(draft);
}

static bool
copy_bytes(int from, int to)
{
	char bytes[65536];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		for (ssize_t done = 0, w; done < n; done += w)
			if ((w = write(to, bytes + done, (size_t)(n - done))) <
			    0)
				return false;
	return n == 0 && fsync(to) == 0;
}

static bool
copy_file(const char *file, const struct statedir *draft)
{
	int from = open(file, O_RDONLY | O_CLOEXEC);
	int to = from < 0 ? -1
	                  : openat(draft->dir, DB_NAME,
				O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = to >= 0 && copy_bytes(from, to);
	int error = errno;

	if (to >= 0)
		close(to);
	if (from >= 0)
		close(from);
	errno = error;
	return ok;
}

/* --- restore: check and mark ------------------------------------------ */

/* The words of db_open() are about our copy: the person knows the original. */
static void
name_original(struct fault *f, const struct statedir *draft, const char *file)
{
	size_t n = strlen(draft->path);
	struct fault copy = *f;

	if (strncmp(copy.text, draft->path, n) == 0 &&
	    strncmp(copy.text + n, "/" DB_NAME, strlen("/" DB_NAME)) == 0)
		fault_set(f, copy.scope, copy.when, phase, "%s%s", file,
		    copy.text + n + strlen("/" DB_NAME));
}

static void
run(struct db *db, const char *text, int64_t value)
{
	struct query *q = db_query(db, text);

	if (value != 0)
		query_int(q, 1, value);
	query_run(q);
}

/* What waited when the backup was made may have been relayed since. */
void
backup_mark(struct db *db, enum backup_rule rule, int64_t tries)
{
	if (db->tries < tries)
		db->tries = tries;
	run(db, "UPDATE meta SET epoch = epoch + 1", 0);
	run(db, "UPDATE mailbox SET restored = ?1 WHERE baseline = 1", rule);
	run(db,
	    "UPDATE delivery SET doubt = 1, attempt = max(attempt, 1)"
	    " WHERE " SCHEMA_PENDING,
	    0);
}

static bool
mark(struct db *db, struct backup_restore *r, int64_t tries)
{
	db_begin(db);
	backup_mark(db, r->rule, tries);
	r->accounts = (unsigned long)query_number(
	    db_query(db, "SELECT count(*) FROM account"));
	r->mailboxes = (unsigned long)query_number(
	    db_query(db, "SELECT count(*) FROM mailbox"));
	return db_commit(db);
}

static bool
check_and_mark(struct statedir *draft, struct backup_restore *r, int64_t *tries,
    int *exit_r, struct fault *fault_r)
{
	struct db db = { .dry_run = false };
	bool ok;

	if (!db_open(&db, draft, exit_r, fault_r)) {
		name_original(fault_r, draft, r->file);
		return false;
	}
	ok = mark(&db, r, *tries);
	*tries = db.tries;
	if (!ok)
		refuse(fault_r, exit_r, EX_IOERR, "cannot prepare the state",
		    db.message);
	db_close(&db);
	return ok;
}

/* --- restore: the change ---------------------------------------------- */

static bool
exists(const struct statedir *d, const char *name)
{
	return faccessat(d->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The database goes first: without it nothing starts, while one without its
 * log would have forgotten the last records and start. */
static bool
move_aside(const struct statedir *d, struct backup_restore *r)
{
	char log[sizeof(r->aside) + 4];
	time_t now = time(NULL);
	struct tm tm;

	strftime(r->aside, sizeof(r->aside), DB_NAME ".before-%Y%m%dT%H%M%SZ",
	    gmtime_r(&now, &tm));
	snprintf(log, sizeof(log), "%s-wal", r->aside);
	if (exists(d, DB_NAME) &&
	    renameat2(d->dir, DB_NAME, d->dir, r->aside, RENAME_NOREPLACE) != 0)
		return false;
	if (exists(d, LOG_NAME) &&
	    renameat2(d->dir, LOG_NAME, d->dir, log, RENAME_NOREPLACE) != 0)
		return false;
	return fsync(d->dir) == 0;
}

static bool
change(
    struct statedir *d, const struct statedir *draft, struct backup_restore *r)
{
	if ((exists(d, DB_NAME) || exists(d, LOG_NAME)) && !move_aside(d, r))
		return false;
	return renameat(draft->dir, DB_NAME, d->dir, DB_NAME) == 0 &&
	       fsync(d->dir) == 0;
}

bool
backup_restore(struct statedir *d, struct backup_restore *r, int *exit_r,
    struct fault *fault_r)
{
	struct statedir draft = { .dir = -1, .lock = -1 };
	struct stamp stamp;
	bool ok = false;

	stamp_read(d->dir, &stamp);
	r->aside[0] = '\0';
	if (exists(d, DB_NAME) && !r->force)
		return refuse(fault_r, exit_r, EX_CANTCREAT, d->path,
		    "there is a " DB_NAME " already; --force moves it aside");
	if (!open_draft(d, &draft))
		failed(fault_r, exit_r, d->path);
	else if (!copy_file(r->file, &draft))
		failed(fault_r, exit_r, r->file);
	else if (check_and_mark(&draft, r, &stamp.tries, exit_r, fault_r))
		ok = change(d, &draft, r) || failed(fault_r, exit_r, d->path);
	if (ok) {
		snprintf(d->id, sizeof(d->id), "%s", draft.id);
		ok = stamp_open(&stamp, d->dir, d->id, stamp.tries) ||
		     failed(fault_r, exit_r, d->path);
		stamp_close(&stamp);
	}
	if (ok) {
		d->fresh = true; /* the marker is that of the restored one */
		*exit_r = EX_IOERR;
		ok = statedir_initialised(d, fault_r);
	}
	close_draft(d, &draft);
	return ok;
}
