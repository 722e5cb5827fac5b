/* SPDX-License-Identifier: ISC */
/*
 * Accounts and destinations that are left alone for a while, and the last
 * logins where a server wants time to pass between two.
 */
#include "store/request.h"

#include <stdio.h>

#include "store/db.h"

static void
bind_who(struct query *q, const struct store_who *who)
{
	query_int(q, 1, who->party);
	query_text(q, 2, who->name);
}

static void
read_pause(struct query *q, struct store_pause *p_r)
{
	const void *reply = sqlite3_column_text(q->stmt, 6);

	p_r->failures = (unsigned)query_get(q, 1);
	p_r->since = query_get(q, 2);
	p_r->not_before = query_get(q, 3);
	p_r->firm = query_get(q, 4) != 0;
	p_r->alerted = query_get(q, 5) != 0;
	snprintf(p_r->reply, sizeof(p_r->reply), "%s",
	    reply != NULL ? (const char *)reply : "");
}

/* Told apart from other failures also before the next poll asks again. */
static bool
asks(struct db *db, const struct store_who *who)
{
	struct query *q = db_query(db,
	    "SELECT EXISTS (SELECT 1 FROM recognition r"
	    " JOIN mailbox m ON m.id = r.mailbox"
	    " JOIN account a ON a.id = m.account"
	    " WHERE a.name = ?1 AND r.asks > 0 AND r.decision = 0)");

	query_text(q, 1, who->name);
	return query_number(q) != 0;
}

/* The server's wish for a delay holds under any terms, and a person's too. */
bool
pause_load(struct db *db, struct request *r)
{
	const struct store_who *who = &r->pause.who;
	struct store_pause *p = &r->answer.pause;
	struct query *q;

	p->asks = who->party == STORE_ACCOUNT && asks(db, who);
	q = db_query(db,
	    "SELECT terms, failures, since, not_before, firm, alerted, reply,"
	    " last_login, login_delay, by_hand FROM pause WHERE party = ?1 AND "
	    "name = "
	    "?2");

	bind_who(q, who);
	if (!query_row(q))
		return true;
	if (query_get(q, 0) == (int64_t)who->terms)
		read_pause(q, p);
	p->by_hand = query_get(q, 9) != 0;
	p->last_login = query_get(q, 7);
	p->login_delay = query_get(q, 8);
	return true;
}

bool
pause_save(struct db *db, struct request *r)
{
	const struct store_pause *p = &r->pause.pause;
	struct query *q = db_query(db,
	    "INSERT INTO pause (party, name, terms, failures, since,"
	    " not_before, firm, alerted, reply, by_hand)"
	    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"
	    " ON CONFLICT DO UPDATE SET terms = ?3, failures = ?4,"
	    " since = ?5, not_before = ?6, firm = ?7, alerted = ?8,"
	    " reply = ?9, by_hand = ?10");

	bind_who(q, &r->pause.who);
	query_int(q, 3, (int64_t)r->pause.who.terms);
	query_int(q, 4, p->failures);
	query_int(q, 5, p->since);
	query_int(q, 6, p->not_before);
	query_int(q, 7, p->firm);
	query_int(q, 8, p->alerted);
	query_text(q, 9, p->reply);
	query_int(q, 10, p->by_hand);
	query_run(q);
	return true;
}

bool
pause_end(struct db *db, struct request *r)
{
	struct query *q = db_query(db,
	    "UPDATE pause SET failures = 0, since = 0, not_before = 0,"
	    " firm = 0, alerted = 0, reply = '', by_hand = 0"
	    " WHERE name = ?1 AND (failures > 0 OR by_hand = 1)");

	query_text(q, 1, r->pause.who.name);
	r->answer.waiting = query_run(q);
	return true;
}

void
pause_answered(struct db *db, const char *account)
{
	struct query *q = db_query(db,
	    "UPDATE pause SET failures = 0, since = 0, not_before = 0,"
	    " alerted = 0, reply = ''"
	    " WHERE party = ?1 AND name = ?2 AND firm = 0");

	query_int(q, 1, STORE_ACCOUNT);
	query_text(q, 2, account);
	query_run(q);
}

bool
pause_login(struct db *db, struct request *r)
{
	const struct store_pause *p = &r->pause.pause;
	struct query *q = db_query(db,
	    "INSERT INTO pause (party, name, terms, last_login, login_delay)"
	    " VALUES (?1, ?2, 0, ?3, ?4)"
	    " ON CONFLICT DO UPDATE SET last_login = ?3, login_delay = ?4");

	bind_who(q, &r->pause.who);
	query_int(q, 3, p->last_login);
	query_int(q, 4, p->login_delay);
	query_run(q);
	return true;
}
