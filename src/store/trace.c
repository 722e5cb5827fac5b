/* SPDX-License-Identifier: ISC */
/*
 * Whether one of these traces is ours: on record for a message of any account,
 * relayed or not, until its tombstone is purged.
 */
#include "store/request.h"

#include "store/db.h"

bool
trace_find(struct db *db, struct request *r)
{
	const char *const *traces = r->owned;

	for (size_t i = 0; i < r->traces.n && r->answer.on_record == 0; i++) {
		struct query *q =
		    db_query(db, "SELECT EXISTS (SELECT 1 FROM delivery"
				 " WHERE trace = ?1 AND trace <> '')");

		query_text(q, 1, traces[i]);
		if (query_number(q) != 0)
			r->answer.on_record = i + 1;
	}
	return true;
}
