/* SPDX-License-Identifier: ISC */
/*
 * The one SQLite connection: how it is opened (DURABILITY.md 4.6), its
 * transactions, and its prepared statements.
 *
 * An error sticks: after the first one every statement does nothing and finds
 * nothing, so that the code of a request reads straight through and whoever
 * began the transaction looks at db->error once.  There is no way on from an
 * error: what SQLite could not do may be on the disk all the same.
 */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/queue.h>

#include <sqlite3.h>

#include "base/fault.h"
#include "store/idset.h"

struct session;
struct statedir;

#define DB_KEY_SIZE 32
#define DB_ID_SIZE 33 /* as STATEDIR_ID_SIZE */

struct db;

/* A prepared statement.  Kept and used again; never freed by its user. */
struct query {
	LIST_ENTRY(query) next, opened;
	struct db *db;    /* foreign */
	const char *text; /* static: its address is the key */
	sqlite3_stmt *stmt;
	bool open; /* it stands on a row */
};
LIST_HEAD(query_list, query);

#define DB_BUCKETS 64

struct db {
	sqlite3 *sql;
	bool dry_run; /* one transaction for life, rolled back at the end */
	int error;    /* SQLITE_OK, or the code that ended it all */
	char message[160];                     /* what SQLite said to it */
	struct query_list queries[DB_BUCKETS]; /* owned */
	struct query_list opened;              /* those of them that are open */
	bool entered;
	int64_t changes; /* rows, before the request */
	char install_id[DB_ID_SIZE];
	unsigned char install_key[DB_KEY_SIZE];
	int64_t clock_wall, clock_boot; /* of clock.c; boot 0: not looked yet */
	int64_t tries; /* see stamp.h; a commit puts it on record */
	int64_t tries_saved;
	bool no_history;               /* of history.c: nothing is kept */
	struct idset trying;           /* of delivery.c; owned */
	LIST_HEAD(, session) sessions; /* of listed.c; owned */
	const struct idset *listed;    /* in the one that is compared */
};

/* db is zeroed but for dry_run.  d as in store_open(): NULL, or fresh in a dry
 * run, is a state that lives in memory only. */
bool db_open(
    struct db *db, struct statedir *d, int *exit_r, struct fault *fault_r);
void db_close(struct db *db);

/* A group.  false: see db->error. */
void db_begin(struct db *db);
bool db_commit(struct db *db);
/* Within it a request that may yet be refused when it has written something:
 * what was written since db_enter() is undone then.  That costs a copy of each
 * page, so a request that is refused first and writes then does not call it.
 * Each ends with db_leave(), which holds it to that. */
void db_enter(struct db *db);
void db_leave(struct db *db, bool keep);

/* The statement with this static text, reset and ready to be bound.  Besides
 * the functions of SQLite there are trying(id) and listed(id). */
struct query *db_query(struct db *db, const char *text);
/* Parameters count from 1.  What is bound must live until the last step. */
void query_int(struct query *q, int n, int64_t value);
void query_text(struct query *q, int n, const char *s);
void query_blob(struct query *q, int n, const void *p, size_t size);
/* The next row, or false.  The group's end resets what was not read out. */
bool query_row(struct query *q);
/* For a statement without rows: how many it changed. */
uint64_t query_run(struct query *q);
/* Columns count from 0. */
int64_t query_get(const struct query *q, int column);
/* Text, cut; and bytes with a NUL behind them, owned by the caller. */
void query_copy(const struct query *q, int column, char *dst, size_t cap);
char *query_dup(const struct query *q, int column);
/* One row of one number; 0 when there is none. */
int64_t query_number(struct query *q);

#endif
