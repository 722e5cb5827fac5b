/* SPDX-License-Identifier: ISC */
/*
 * What a poll would find new, for a person who only looks: nothing is recorded,
 * and the listing of a session that runs meanwhile is not touched.
 */
#include "store/request.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "store/db.h"
#include "store/schema.h"

void
store_compare(struct store *s, int64_t mailbox, const struct store_listing *l,
    const struct store_entry *entries, size_t n, struct store_done done)
{
	struct request *r = request_new(peek_compare, mailbox, done);
	size_t size = 0;
	char *at;

	for (size_t i = 0; i < n; i++)
		size += sizeof(struct request_entry) + entries[i].uid.n;
	r->owned = at = mem_alloc(size + 1);
	for (size_t i = 0; i < n; i++) {
		struct request_entry e = {
			.number = entries[i].number,
			.uid_len = (uint32_t)entries[i].uid.n,
		};

		memcpy(at, &e, sizeof(e));
		at += sizeof(e);
		memcpy(at, entries[i].uid.p, e.uid_len);
		at += e.uid_len;
	}
	r->compare = (struct request_compare){
		.imap = l->imap,
		.generation = l->generation,
		.used = size,
	};
	request_send(s, r);
}

static int64_t
highwater_of(struct db *db, int64_t mailbox)
{
	struct query *q =
	    db_query(db, "SELECT highwater FROM mailbox WHERE id = ?1");

	query_int(q, 1, mailbox);
	return query_number(q);
}

/* Of a message without a row, IMAP's mark says whether it was seen. */
static void
compare_one(struct db *db, struct request *r, struct span uid, int64_t high)
{
	struct query *q = db_query(db,
	    "SELECT count(*), count(*) FILTER (WHERE " SCHEMA_PENDING ")"
	    " FROM delivery WHERE mailbox = ?1 AND generation = ?2"
	    " AND uid = ?3 AND state <> 'gone'");
	uint64_t number = 0;

	if (r->compare.imap && !span_uint(uid, UINT32_MAX, &number))
		return;
	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->compare.generation);
	if (r->compare.imap)
		query_int(q, 3, (int64_t)number);
	else
		query_blob(q, 3, uid.p, uid.n);
	if (!query_row(q))
		return;
	if (query_get(q, 0) == 0)
		r->answer.added += !r->compare.imap || (int64_t)number > high;
	else if (query_get(q, 1) > 0)
		r->answer.waiting++;
}

bool
peek_compare(struct db *db, struct request *r)
{
	const char *at = r->owned, *end = at + r->compare.used;
	int64_t high = highwater_of(db, r->id);
	struct request_entry e;

	while (at < end && db->error == SQLITE_OK) {
		memcpy(&e, at, sizeof(e));
		at += sizeof(e);
		compare_one(db, r, span_make(at, e.uid_len), high);
		at += e.uid_len;
	}
	return true;
}
