/* SPDX-License-Identifier: ISC */
/*
 * Held messages and what a person decides about them.
 *
 *   held --release--> new or deferred: tried again at the next poll, with its
 *     attempts and its doubt, so that a second copy is announced
 *   held --drop--> known: never relayed; and as the message is then not
 *     relayed everywhere, never removed either
 */
#include "store/request.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/db.h"

/* ?1 account or "", ?2 trace or "", ?3 id or 0. */
#define CHOSEN                                                                 \
	" d.state = 'held' AND (?1 = '' OR a.name = ?1)"                       \
	" AND (?2 = '' OR d.trace = ?2) AND (?3 = 0 OR d.id = ?3)"
#define FROM_HELD                                                              \
	" FROM delivery d INDEXED BY delivery_held"                            \
	" CROSS JOIN mailbox m ON m.id = d.mailbox"                            \
	" CROSS JOIN account a ON a.id = m.account WHERE" CHOSEN

static struct query *
open_choice(struct db *db, const struct request *r, const char *text)
{
	const struct request_choice *c = &r->choice;
	struct query *q = db_query(db, text);

	query_text(q, 1, c->account);
	query_text(q, 2, c->trace);
	query_int(q, 3, c->id);
	return q;
}

static void
append(struct store_answer *a, const struct query *q)
{
	struct store_held *h;

	a->rows = mem_grow(a->rows, a->nrows + 1, sizeof(*a->rows));
	h = &a->rows[a->nrows++];
	*h = (struct store_held){
		.id = query_get(q, 0),
		.account = query_dup(q, 1),
		.folder = query_dup(q, 2),
		.uid = query_dup(q, 3),
		.destination = query_dup(q, 4),
		.size = (uint64_t)query_get(q, 5),
		.attempt = (unsigned)query_get(q, 6),
		.doubt = query_get(q, 7) != 0,
		.first_seen = query_get(q, 8),
		.changed = query_get(q, 9),
	};
	query_copy(q, 10, h->trace, sizeof(h->trace));
	query_copy(q, 11, h->reply, sizeof(h->reply));
}

void
store_held_free(struct store_held *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(rows[i].account);
		free(rows[i].folder);
		free(rows[i].uid);
		free(rows[i].destination);
	}
	free(rows);
}

bool
held_list(struct db *db, struct request *r)
{
	struct query *q = open_choice(db, r,
	    "SELECT d.id, a.name, m.folder, d.uid, d.destination, d.size,"
	    " d.attempt, d.doubt, d.first_seen, d.changed, d.trace,"
	    " d.reply" FROM_HELD " AND d.id > ?4 ORDER BY d.id LIMIT ?5");

	query_int(q, 4, r->choice.after);
	query_int(q, 5, (int64_t)r->choice.limit);
	while (query_row(q))
		append(&r->answer, q);
	return true;
}

static void
decide(struct db *db, struct request *r, const char *text)
{
	struct query *q = open_choice(db, r, text);

	query_int(q, 4, r->now);
	r->answer.decided = query_run(q);
}

bool
held_release(struct db *db, struct request *r)
{
	decide(db, r,
	    "UPDATE delivery SET"
	    " state = iif(attempt > 0, 'deferred', 'new'),"
	    " refusals = 0, first_refusal = 0, deaths = 0, wrapped = 0,"
	    " next_try = 0, changed = ?4 WHERE id IN (SELECT d.id" FROM_HELD
	    ")");
	return true;
}

bool
held_drop(struct db *db, struct request *r)
{
	decide(db, r,
	    "UPDATE delivery SET state = 'known', removing = 0,"
	    " next_try = 0, changed = ?4 WHERE id IN (SELECT d.id" FROM_HELD
	    ")");
	return true;
}
