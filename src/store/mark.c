/* SPDX-License-Identifier: ISC */
/*
 * What our own keyword on the server proves (DURABILITY.md 4.8): we set it
 * after the destination had accepted the message, so it was relayed.  Its
 * absence proves nothing.
 *
 * It is believed where there is no record, and settles a record that is in
 * doubt: there it says what nobody else can.  A record that knows better, also
 * one that says new, deferred or held, is never overridden.
 */
#include "store/request.h"

#include "store/db.h"
#include "store/schema.h"

bool
mark_listed(struct db *db, struct request *r)
{
	const uint32_t *uids = r->owned;

	for (size_t i = 0; i < r->marks.n; i++) {
		struct query *q =
		    db_query(db, "UPDATE listing SET marked = 1"
				 " WHERE mailbox = ?1 AND number = ?2");

		query_int(q, 1, r->id);
		query_int(q, 2, uids[i]);
		query_run(q);
	}
	return true;
}

void
mark_unknown_as_known(struct db *db, struct request *r, int64_t above)
{
	struct query *q = db_query(db,
	    "UPDATE listing SET found = 3 WHERE mailbox = ?1 AND marked = 1"
	    " AND found < 2 AND uid > ?3 AND NOT EXISTS ("
	    "  SELECT 1 FROM delivery d WHERE d.mailbox = ?1"
	    "  AND d.generation = ?2 AND d.uid = listing.uid"
	    "  AND d.duplicate = listing.duplicate AND d.state <> 'gone')");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, above);
	r->answer.marked += query_run(q);
}

/* Not for a message that has several destinations: the mark does not say which
 * of them accepted it.  Nor for one that this process is trying now. */
void
mark_settle_doubts(struct db *db, struct request *r)
{
	struct query *q = db_query(db,
	    "UPDATE delivery INDEXED BY delivery_pending SET state = 'relayed',"
	    " removing = ?3, next_try = 0, deaths = 0, changed = ?4,"
	    " reply = 'accepted, as the mark on the server says'"
	    " WHERE mailbox = ?1 AND generation = ?2 AND " SCHEMA_PENDING
	    " AND (state = 'in_doubt' OR doubt = 1)"
	    " AND NOT trying(id)"
	    " AND EXISTS (SELECT 1 FROM listing l WHERE l.mailbox = ?1"
	    "  AND l.uid = delivery.uid AND l.duplicate = delivery.duplicate"
	    "  AND l.marked = 1)"
	    " AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.mailbox = ?1"
	    "  AND o.generation = ?2 AND o.uid = delivery.uid"
	    "  AND o.duplicate = delivery.duplicate AND o.id <> delivery.id)"
	    " RETURNING id");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, r->listing.remove);
	query_int(q, 4, r->now);
	while (query_row(q)) {
		history_add(db, query_get(q, 0), r->now, 0, STORE_RELAYED);
		r->answer.settled++;
	}
}
