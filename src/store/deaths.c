/* SPDX-License-Identifier: ISC */
/*
 * At the start after a death: counts it for the messages that were underway,
 * and holds the one that it happened with too often (CASES R9).
 */
#include "store/request.h"

#include <time.h>

#include "store/db.h"
#include "store/schema.h"
#include "store/underway.h"

#define SAME_MESSAGE                                                           \
	" WHERE (mailbox, generation, uid, duplicate) ="                       \
	" (SELECT mailbox, generation, uid, duplicate FROM delivery"           \
	"   WHERE id = ?1) AND " SCHEMA_PENDING

static void
run(struct db *db, const char *text, int64_t id)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, id);
	query_run(q);
}

static uint64_t
count(struct db *db, int64_t id)
{
	uint64_t held = 0;
	struct query *q;

	run(db, "UPDATE delivery SET deaths = deaths + 1" SAME_MESSAGE, id);
	q = db_query(db,
	    "UPDATE delivery SET doubt = iif(state = 'in_doubt', 1, doubt),"
	    " state = 'held', deaths = 0,"
	    " reply = 'the process died each time it was tried'" SAME_MESSAGE
	    " AND deaths >= ?2 RETURNING id");
	query_int(q, 1, id);
	query_int(q, 2, STORE_DEATHS_MAX);
	while (query_row(q)) {
		history_add(db, query_get(q, 0), time(NULL), 0, STORE_HELD);
		held++;
	}
	return held;
}

/* How many rows were held.  One that fails leaves its mark in the database, as
 * any group does. */
uint64_t
deaths_count(struct db *db, const struct underway *u)
{
	uint64_t held = 0;
	bool any = false;

	for (size_t i = 0; i < UNDERWAY_SLOTS; i++) {
		if (u->ids[i] == 0)
			continue;
		if (!any)
			db_begin(db);
		any = true;
		held += count(db, u->ids[i]);
	}
	if (any)
		db_commit(db);
	return held;
}
