/* SPDX-License-Identifier: ISC */
/*
 * Which account and mailbox of the database is meant.
 *
 * An account is known by its name; an unknown name with a stored user and host
 * was renamed and keeps its history.  A known name with another user may be
 * another person's mailbox, so that is for a person to settle.
 */
#include "store/request.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/db.h"
#include "store/schema.h"

struct account {
	int64_t id;
	unsigned char uuid[16];
};

static void
read_account(struct query *q, struct account *a_r)
{
	a_r->id = query_get(q, 0);
	if (sqlite3_column_bytes(q->stmt, 1) == (int)sizeof(a_r->uuid))
		memcpy(a_r->uuid, sqlite3_column_blob(q->stmt, 1),
		    sizeof(a_r->uuid));
}

static bool
column_is(struct query *q, int column, const char *s)
{
	const void *text = sqlite3_column_text(q->stmt, column);

	return text != NULL && strcmp(text, s) == 0;
}

/* The server may have got a new name: that is stored, not asked about. */
static void
move_account(struct db *db, const struct account *a, const char *host)
{
	struct query *q =
	    db_query(db, "UPDATE account SET host = ?2 WHERE id = ?1");

	query_int(q, 1, a->id);
	query_text(q, 2, host);
	query_run(q);
}

enum lookup { LOOKUP_FOUND, LOOKUP_NONE, LOOKUP_REFUSED };

static enum lookup
by_name(struct db *db, struct request *r, struct account *a_r)
{
	const struct request_mailbox *m = &r->mailbox;
	struct query *q = db_query(
	    db, "SELECT id, uuid, user, host FROM account WHERE name = ?1");

	query_text(q, 1, m->name);
	if (!query_row(q))
		return LOOKUP_NONE;
	if (!column_is(q, 2, m->user)) {
		fault_set(&r->answer.fault, FAULT_ACCOUNT, FAULT_NEVER, "state",
		    "account %s was used with another user before; give a new "
		    "mailbox a new account name",
		    m->name);
		return LOOKUP_REFUSED;
	}
	read_account(q, a_r);
	if (!column_is(q, 3, m->host))
		move_account(db, a_r, m->host);
	return LOOKUP_FOUND;
}

static bool
renamed(struct db *db, const struct request_mailbox *m, struct account *a_r)
{
	struct query *q = db_query(db,
	    "SELECT id, uuid FROM account WHERE user = ?1 AND host = ?2"
	    " ORDER BY id LIMIT 1");

	query_text(q, 1, m->user);
	query_text(q, 2, m->host);
	if (!query_row(q))
		return false;
	read_account(q, a_r);
	q = db_query(db, "UPDATE account SET name = ?2 WHERE id = ?1");
	query_int(q, 1, a_r->id);
	query_text(q, 2, m->name);
	query_run(q);
	return true;
}

static void
add_account(struct db *db, const struct request_mailbox *m, struct account *a_r)
{
	struct query *q =
	    db_query(db, "INSERT INTO account (uuid, name, user, host)"
			 " VALUES (?1, ?2, ?3, ?4)");

	if (getentropy(a_r->uuid, sizeof(a_r->uuid)) != 0)
		abort();
	query_blob(q, 1, a_r->uuid, sizeof(a_r->uuid));
	query_text(q, 2, m->name);
	query_text(q, 3, m->user);
	query_text(q, 4, m->host);
	query_run(q);
	a_r->id = sqlite3_last_insert_rowid(db->sql);
}

/* IMAP lists from here: above what is settled, but not above what is still to
 * be relayed or removed. */
static uint64_t
list_from(struct db *db, int64_t mailbox, int64_t generation, int64_t highwater)
{
	struct query *q = db_query(db,
	    "SELECT min(ifnull((SELECT min(uid) FROM delivery"
	    "   WHERE mailbox = ?1 AND generation = ?2 AND " SCHEMA_PENDING
	    "  ), ?3),"
	    " ifnull((SELECT min(uid) FROM delivery"
	    "   WHERE mailbox = ?1 AND generation = ?2 AND removing = 1"
	    "  ), ?3), ?3)");

	if (generation == 0)
		return 1;
	query_int(q, 1, mailbox);
	query_int(q, 2, generation);
	query_int(q, 3, highwater + 1);
	return (uint64_t)query_number(q);
}

static bool
stored(struct db *db, struct request *r, int64_t account)
{
	struct store_answer *a = &r->answer;
	struct query *q = db_query(db,
	    "SELECT id, generation, highwater, baseline FROM mailbox"
	    " WHERE account = ?1 AND folder = ?2");

	query_int(q, 1, account);
	query_text(q, 2, r->mailbox.folder);
	if (!query_row(q))
		return false;
	a->mailbox = query_get(q, 0);
	a->generation = (uint64_t)query_get(q, 1);
	a->baseline = query_get(q, 3) != 0;
	a->list_from =
	    list_from(db, a->mailbox, query_get(q, 1), query_get(q, 2));
	a->new_from = (uint64_t)query_get(q, 2) + 1;
	return true;
}

static void
add_mailbox(struct db *db, struct request *r, int64_t account)
{
	struct query *q = db_query(
	    db, "INSERT INTO mailbox (account, folder) VALUES (?1, ?2)");

	query_int(q, 1, account);
	query_text(q, 2, r->mailbox.folder);
	query_run(q);
	r->answer.mailbox = sqlite3_last_insert_rowid(db->sql);
	r->answer.list_from = r->answer.new_from = 1;
}

bool
mailbox_peek(struct db *db, struct request *r)
{
	const struct request_mailbox *m = &r->mailbox;
	struct query *q = db_query(
	    db, "SELECT id FROM account WHERE name = ?1 AND user = ?2");
	int64_t account;

	query_text(q, 1, m->name);
	query_text(q, 2, m->user);
	if (!query_row(q))
		return true;
	account = query_get(q, 0);
	(void)stored(db, r, account);
	return true;
}

bool
mailbox_find(struct db *db, struct request *r)
{
	struct account a = { .id = 0 };

	db_enter(db);
	switch (by_name(db, r, &a)) {
	case LOOKUP_REFUSED:
		return false;
	case LOOKUP_NONE:
		if (!renamed(db, &r->mailbox, &a))
			add_account(db, &r->mailbox, &a);
		break;
	case LOOKUP_FOUND:
		break;
	}
	memcpy(r->answer.account_uuid, a.uuid, sizeof(a.uuid));
	if (!stored(db, r, a.id))
		add_mailbox(db, r, a.id);
	return !recognise_question(db, r->answer.mailbox, &r->answer.fault);
}
