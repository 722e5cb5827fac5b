/* SPDX-License-Identifier: ISC */
/*
 * How the mailboxes stand, for a person who asks.  The counts walk the partial
 * indexes alone: a million messages that were relayed cost nothing.
 */
#include "store/request.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/schema.h"

const char *const summary_sql[3] = {
	"SELECT count(*) FILTER (WHERE state <> 'in_doubt'),"
	" count(*) FILTER (WHERE state = 'in_doubt'), min(first_seen)"
	" FROM delivery INDEXED BY delivery_pending"
	" WHERE mailbox = ?1 AND missed = 0 AND " SCHEMA_PENDING,
	"SELECT count(*) FROM delivery INDEXED BY delivery_held"
	" WHERE mailbox = ?1 AND state = 'held'",
	"SELECT count(*) FROM delivery INDEXED BY delivery_removing"
	" WHERE mailbox = ?1 AND removing = 1",
};

static uint64_t
count(struct db *db, const char *text, int64_t mailbox)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, mailbox);
	return (uint64_t)query_number(q);
}

static void
count_rows(struct db *db, struct store_summary *s)
{
	struct query *q = db_query(db, summary_sql[0]);

	query_int(q, 1, s->mailbox);
	if (query_row(q)) {
		s->waiting = (uint64_t)query_get(q, 0);
		s->in_doubt = (uint64_t)query_get(q, 1);
		s->oldest = query_get(q, 2);
	}
	s->held = count(db, summary_sql[1], s->mailbox);
	s->removing = count(db, summary_sql[2], s->mailbox);
}

bool
summary_list(struct db *db, struct request *r)
{
	struct store_answer *a = &r->answer;
	struct query *q =
	    db_query(db, "SELECT m.id, a.name, m.folder FROM mailbox m"
			 " JOIN account a ON a.id = m.account"
			 " WHERE m.id > ?1 ORDER BY m.id LIMIT ?2");

	query_int(q, 1, r->report.from);
	query_int(q, 2, (int64_t)r->report.limit);
	while (query_row(q)) {
		a->summary =
		    mem_grow(a->summary, a->nsummary + 1, sizeof(*a->summary));
		a->summary[a->nsummary++] = (struct store_summary){
			.mailbox = query_get(q, 0),
			.account = query_dup(q, 1),
			.folder = query_dup(q, 2),
		};
	}
	for (size_t i = 0; i < a->nsummary; i++)
		count_rows(db, &a->summary[i]);
	return true;
}

void
store_summary_free(struct store_summary *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(rows[i].account);
		free(rows[i].folder);
	}
	free(rows);
}
