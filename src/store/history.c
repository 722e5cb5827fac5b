/* SPDX-License-Identifier: ISC */
/*
 * What became of messages, for a person who looks for one: written in the
 * commit of the record itself, and forgotten after a while.  Nothing is decided
 * by it.
 */
#include "store/request.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/db.h"

#define STEP 1000 /* rows that are forgotten in one group */

/* A row that is gone meanwhile keeps a doubt about its only try (listing.c):
 * that one was not announced. */
void
history_add(struct db *db, int64_t id, int64_t now, int64_t usec,
    enum store_state state)
{
	struct query *q;

	if (db->no_history)
		return;
	q = db_query(db,
	    "INSERT INTO history (at, account, mailbox, uid, destination, size,"
	    "  usec, attempt, duplicate, state, trace, reply)"
	    " SELECT ?2, m.account, m.id, d.uid, d.destination, d.size, ?3,"
	    "  d.attempt, d.doubt AND d.attempt > 1, ?4, d.trace, d.reply"
	    " FROM delivery d JOIN mailbox m ON m.id = d.mailbox"
	    " WHERE d.id = ?1");
	query_int(q, 1, id);
	query_int(q, 2, now);
	query_int(q, 3, usec);
	query_text(q, 4, store_state_name(state));
	query_run(q);
}

static void
append(struct store_answer *a, const struct query *q)
{
	struct store_past *p;

	a->past = mem_grow(a->past, a->npast + 1, sizeof(*a->past));
	p = &a->past[a->npast++];
	*p = (struct store_past){
		.id = query_get(q, 0),
		.at = query_get(q, 1),
		.account = query_dup(q, 2),
		.folder = query_dup(q, 3),
		.uid = query_dup(q, 4),
		.destination = query_dup(q, 5),
		.size = (uint64_t)query_get(q, 6),
		.usec = query_get(q, 7),
		.attempt = (unsigned)query_get(q, 8),
		.duplicate = query_get(q, 9) != 0,
		.state = delivery_state(q, 10),
	};
	query_copy(q, 11, p->trace, sizeof(p->trace));
	query_copy(q, 12, p->reply, sizeof(p->reply));
}

/* CROSS JOIN keeps the history outside: its order is that of the answer. */
#define LIST(index, which)                                                     \
	"SELECT h.id, h.at, a.name, m.folder, h.uid, h.destination, h.size,"   \
	" h.usec, h.attempt, h.duplicate, h.state, h.trace, h.reply"           \
	" FROM history h " index " CROSS JOIN mailbox m ON m.id = h.mailbox"   \
	" CROSS JOIN account a ON a.id = h.account"                            \
	" WHERE h.id < ?1 " which " ORDER BY h.id DESC LIMIT ?2"

bool
history_list(struct db *db, struct request *r)
{
	static const char of_all[] = LIST("NOT INDEXED", "");
	static const char of_one[] = LIST("INDEXED BY history_account",
	    "AND h.account = (SELECT id FROM account WHERE name = ?3)");
	const struct request_report *p = &r->report;
	struct query *q = db_query(db, p->account[0] != '\0' ? of_one : of_all);

	query_int(q, 1, p->from > 0 ? p->from : INT64_MAX);
	query_int(q, 2, (int64_t)p->limit);
	if (p->account[0] != '\0')
		query_text(q, 3, p->account);
	while (query_row(q))
		append(&r->answer, q);
	return true;
}

void
store_history_free(struct store_past *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(rows[i].account);
		free(rows[i].folder);
		free(rows[i].uid);
		free(rows[i].destination);
	}
	free(rows);
}

/* Only the oldest are looked at.  What is of the future was written by a clock
 * that was wrong, and would keep those behind it for as long. */
bool
history_prune(struct db *db, struct request *r)
{
	struct query *q =
	    db_query(db, "DELETE FROM history WHERE id IN (SELECT id FROM"
			 " (SELECT id, at FROM history ORDER BY id LIMIT ?1)"
			 " WHERE at < ?2 OR at > ?3 OR ?4)");

	db->no_history = r->prune.keep == 0;
	query_int(q, 1, STEP);
	query_int(q, 2, r->now - r->prune.keep);
	query_int(q, 3, r->now);
	query_int(q, 4, db->no_history);
	r->again = query_run(q) == STEP;
	return true;
}
