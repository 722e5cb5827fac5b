/* SPDX-License-Identifier: ISC */
/*
 * What a session lists, as it comes from the source.
 *
 * Most of what a POP3 server lists has its record and needs nothing: it is
 * quiet.  That is found out here, while the next entries are on their way, and
 * only the rows are remembered, a bit each.  What is unknown, waits, is to be
 * removed or was missed is kept as it was listed (table listing), for the end
 * to compare and for the work to know its message number.  IMAP lists only what
 * is new, so all of that is kept.
 */
#include "store/request.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/schema.h"

#define ROWS_MAX 16 /* of a message; one with more is never quiet */

struct session {
	LIST_ENTRY(session) next;
	int64_t mailbox;
	bool records; /* some may be quiet */
	uint64_t quiet;
	struct idset busy;   /* rows that need something */
	struct idset listed; /* rows of what is quiet */
};

static struct session *
find_session(const struct db *db, int64_t mailbox)
{
	struct session *s;

	LIST_FOREACH (s, &db->sessions, next)
		if (s->mailbox == mailbox)
			return s;
	return NULL;
}

static void
end_session(struct db *db, struct session *s)
{
	if (db->listed == &s->listed)
		db->listed = NULL;
	LIST_REMOVE(s, next);
	idset_free(&s->busy);
	idset_free(&s->listed);
	free(s);
}

void
listed_forget(struct db *db)
{
	while (!LIST_EMPTY(&db->sessions))
		end_session(db, LIST_FIRST(&db->sessions));
}

bool
listing_drop(struct db *db, struct request *r)
{
	struct session *s = find_session(db, r->id);
	struct query *q =
	    db_query(db, "DELETE FROM listing WHERE mailbox = ?1");

	query_int(q, 1, r->id);
	query_run(q);
	if (s != NULL)
		end_session(db, s);
	return true;
}

/* --- the beginning ----------------------------------------------------- */

/* The mailbox is one of POP3, and we have been there before. */
static bool
has_records(struct db *db, int64_t mailbox)
{
	struct query *q = db_query(db, "SELECT generation = 0 AND baseline = 1 "
				       "FROM mailbox WHERE id = ?1");

	query_int(q, 1, mailbox);
	return query_number(q) != 0;
}

static void
add_busy(struct session *s, struct query *q)
{
	query_int(q, 1, s->mailbox);
	while (query_row(q))
		idset_add(&s->busy, query_get(q, 0));
}

/* They are few, and each kind has its index. */
static void
find_busy(struct db *db, struct session *s)
{
	static const char *const kinds[] = {
		"SELECT id FROM delivery INDEXED BY delivery_pending"
		" WHERE mailbox = ?1 AND generation = 0 AND " SCHEMA_PENDING,
		"SELECT id FROM delivery INDEXED BY delivery_removing"
		" WHERE mailbox = ?1 AND generation = 0 AND removing = 1",
		"SELECT id FROM delivery INDEXED BY delivery_missed"
		" WHERE mailbox = ?1 AND generation = 0 AND missed = 1",
		"SELECT id FROM delivery INDEXED BY delivery_gone"
		" WHERE mailbox = ?1 AND state = 'gone'",
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		add_busy(s, db_query(db, kinds[i]));
}

/* What is to be removed at the end, for its age (listing.c). */
static void
find_expired(struct db *db, struct session *s, uint64_t age)
{
	struct query *q = db_query(db,
	    "SELECT id FROM delivery INDEXED BY delivery_relayed"
	    " WHERE mailbox = ?1 AND generation = 0 AND changed <= ?2"
	    " AND state = 'relayed' AND removing = 0");

	query_int(q, 2, time(NULL) - (int64_t)age);
	add_busy(s, q);
}

bool
listing_begin(struct db *db, struct request *r)
{
	const struct store_listing *l = &r->listing;
	struct session *s = mem_alloc(sizeof(*s));

	listing_drop(db, r);
	s->mailbox = r->id;
	LIST_INSERT_HEAD(&db->sessions, s, next);
	s->records = !l->imap && has_records(db, r->id);
	if (s->records)
		find_busy(db, s);
	if (s->records && l->remove_after > 0)
		find_expired(db, s, l->remove_after);
	return true;
}

/* --- the entries ------------------------------------------------------- */

static void
bind_entry(struct query *q, int64_t mailbox, const struct request_entry *e,
    const char *uid)
{
	query_int(q, 1, mailbox);
	query_blob(q, 2, uid, e->uid_len);
	query_int(q, 3, e->number);
	query_int(q, 4, e->size > INT64_MAX ? INT64_MAX : (int64_t)e->size);
}

/* The same UIDL twice is two messages (CASES P8), counted in listed order. */
static void
add_again(struct db *db, int64_t mailbox, const struct request_entry *e,
    const char *uid)
{
	struct query *q = db_query(db,
	    "INSERT INTO listing (mailbox, uid, duplicate, number, size)"
	    " SELECT ?1, ?2, ifnull(max(duplicate), 0) + 1, ?3, ?4 FROM listing"
	    " WHERE mailbox = ?1 AND uid = ?2");

	bind_entry(q, mailbox, e, uid);
	query_run(q);
}

static void
add_entry(struct db *db, int64_t mailbox, const struct request_entry *e,
    const char *uid)
{
	struct query *q =
	    db_query(db, "INSERT OR IGNORE INTO listing"
			 " (mailbox, uid, duplicate, number, size)"
			 " VALUES (?1, ?2, 0, ?3, ?4)");

	bind_entry(q, mailbox, e, uid);
	if (query_run(q) == 0)
		add_again(db, mailbox, e, uid);
}

/* The rows of a message that is quiet; 0: it is not, or has none. */
static size_t
quiet_rows(struct db *db, const struct session *s,
    const struct request_entry *e, const char *uid, int64_t ids_r[ROWS_MAX])
{
	struct query *q =
	    db_query(db, "SELECT id FROM delivery WHERE mailbox = ?1"
			 " AND generation = 0 AND uid = ?2 AND duplicate = 0");
	size_t n = 0;

	query_int(q, 1, s->mailbox);
	query_blob(q, 2, uid, e->uid_len);
	while (query_row(q)) {
		int64_t id = query_get(q, 0);

		if (n == ROWS_MAX || idset_has(&s->busy, id))
			return 0;
		ids_r[n++] = id;
	}
	return n;
}

static void
add_of_many(struct db *db, struct session *s, const struct request_entry *e,
    const char *uid)
{
	int64_t ids[ROWS_MAX];
	size_t n = quiet_rows(db, s, e, uid, ids);

	if (n == 0) {
		add_entry(db, s->mailbox, e, uid);
		return;
	}
	for (size_t i = 0; i < n; i++)
		if (!idset_add(&s->listed, ids[i])) {
			add_again(db, s->mailbox, e, uid);
			return;
		}
	s->quiet++;
}

bool
listing_add(struct db *db, struct request *r)
{
	const char *at = r->owned, *end = at + r->entries.used;
	struct session *s = find_session(db, r->id);
	struct request_entry e;

	while (at < end && db->error == SQLITE_OK) {
		memcpy(&e, at, sizeof(e));
		at += sizeof(e);
		if (s != NULL && s->records)
			add_of_many(db, s, &e, at);
		else
			add_entry(db, r->id, &e, at);
		at += e.uid_len;
	}
	return true;
}

/* --- the end ----------------------------------------------------------- */

bool
listed_find(struct db *db, int64_t mailbox, uint64_t *quiet_r)
{
	struct session *s = find_session(db, mailbox);

	if (s == NULL)
		return false;
	*quiet_r = s->quiet;
	db->listed = &s->listed;
	return true;
}
