/* SPDX-License-Identifier: ISC */
/*
 * One message on its way to one destination: the steps of DURABILITY.md 4.4
 * that must be on disk before the next one happens.
 *
 *   new, deferred --in_doubt--> in_doubt --relayed--> relayed
 *   in_doubt --refused--> deferred or held, when the try that was refused is
 *     the only one that is in doubt; else the doubt stays (R3, R4):
 *     in_doubt again, or held with doubt.
 *
 * A step that does not follow from the row's state is refused: the caller is
 * out of step and must not send a dot.
 *
 * db->trying are the rows that this process tries and that were not in doubt
 * before, until the try is given up (work.c): only the refusal of such a try
 * ends the state in_doubt, and only without an earlier doubt does it clear the
 * doubt (rule R4).  It needs no undoing: an error of SQLite ends all work, and
 * the steps are refused before they change anything.
 */
#include "store/request.h"

#include <string.h>

#include "store/db.h"

static const char *const names[] = {
	[STORE_KNOWN] = "known",
	[STORE_NEW] = "new",
	[STORE_DEFERRED] = "deferred",
	[STORE_IN_DOUBT] = "in_doubt",
	[STORE_RELAYED] = "relayed",
	[STORE_HELD] = "held",
	[STORE_GONE] = "gone",
};
_Static_assert(sizeof(names) / sizeof(names[0]) == STORE_STATES,
    "every state has its word");

const char *
store_state_name(enum store_state state)
{
	return names[state];
}

/* The schema lets no other word in; were there one, the row is left alone. */
enum store_state
delivery_state(const struct query *q, int column)
{
	const void *name = sqlite3_column_text(q->stmt, column);
	enum store_state state = STORE_KNOWN;

	while (state < STORE_GONE &&
	       (name == NULL || strcmp(name, names[state]) != 0))
		state++;
	return state;
}

struct row {
	enum store_state state;
	bool doubt;
	bool trying; /* in doubt by a try of this process alone */
};

static bool
refuse(struct request *r, const char *what, const struct row *row)
{
	fault_set(&r->answer.fault, FAULT_US, FAULT_NEVER, "state",
	    "record %lld cannot become %s: %s", (long long)r->id, what,
	    row != NULL ? store_state_name(row->state) : "no such record");
	return false;
}

static bool
find(struct db *db, struct request *r, const char *what, struct row *row_r)
{
	struct query *q =
	    db_query(db, "SELECT state, doubt FROM delivery WHERE id = ?1");

	query_int(q, 1, r->id);
	if (!query_row(q))
		return refuse(r, what, NULL);
	row_r->state = delivery_state(q, 0);
	row_r->doubt = query_get(q, 1) != 0;
	row_r->trying = idset_has(&db->trying, r->id);
	return true;
}

static bool
is_pending(const struct row *row)
{
	return row->state == STORE_NEW || row->state == STORE_DEFERRED ||
	       row->state == STORE_IN_DOUBT;
}

/* An earlier try may have been accepted. */
static bool
is_doubtful(const struct row *row)
{
	return row->doubt || (row->state == STORE_IN_DOUBT && !row->trying);
}

static void
run_with_id(struct db *db, const struct request *r, const char *text)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, r->id);
	query_run(q);
}

/* --- in doubt --------------------------------------------------------- */

bool
delivery_in_doubt(struct db *db, struct request *r)
{
	const struct request_attempt *a = &r->attempt;
	bool doubt;
	struct query *q;
	struct row row;

	if (!find(db, r, "in_doubt", &row))
		return false;
	if (!is_pending(&row))
		return refuse(r, "in_doubt", &row);
	doubt = row.doubt || row.state == STORE_IN_DOUBT;
	q = db_query(db,
	    "UPDATE delivery SET state = 'in_doubt', doubt = ?2,"
	    " attempt = ?3, size = ?4, fingerprint = ?5, hash = ?6,"
	    " trace = ?7, changed = ?8 WHERE id = ?1");
	query_int(q, 1, r->id);
	query_int(q, 2, doubt);
	query_int(q, 3, a->attempt);
	query_int(q, 4, (int64_t)a->size);
	query_blob(q, 5, a->fingerprint, sizeof(a->fingerprint));
	query_blob(q, 6, a->hash, sizeof(a->hash));
	query_text(q, 7, a->trace);
	query_int(q, 8, r->now);
	query_run(q);
	if (row.state != STORE_IN_DOUBT)
		idset_add(&db->trying, r->id);
	db->tries++;
	return true;
}

/* --- relayed ---------------------------------------------------------- */

/* The rows o of the message that row ?1 belongs to, without that one. */
#define FROM_OTHERS                                                            \
	" FROM delivery d JOIN delivery o ON o.mailbox = d.mailbox"            \
	" AND o.generation = d.generation AND o.uid = d.uid"                   \
	" AND o.duplicate = d.duplicate AND o.id <> d.id WHERE d.id = ?1"

struct others {
	int64_t rows, outstanding;
};

static struct others
count_others(struct db *db, const struct request *r)
{
	struct query *q = db_query(db, "SELECT count(*),"
				       " count(*) FILTER (WHERE o.state NOT IN "
				       "('relayed', 'gone'))" FROM_OTHERS);
	struct others n = { .rows = 0 };

	query_int(q, 1, r->id);
	if (query_row(q))
		n = (struct others){ query_get(q, 0), query_get(q, 1) };
	return n;
}

/* A row that is gone meanwhile stays gone: the message was taken off the
 * source by somebody else while its dot was waiting. */
bool
delivery_relayed(struct db *db, struct request *r)
{
	struct others others;
	struct query *q;
	struct row row;
	bool gone, remove;

	if (!find(db, r, "relayed", &row))
		return false;
	if (row.state != STORE_IN_DOUBT && row.state != STORE_GONE)
		return refuse(r, "relayed", &row);
	gone = row.state == STORE_GONE;
	others = count_others(db, r);
	r->answer.complete = others.outstanding == 0;
	remove = r->answer.complete && r->verdict.remove;
	q = db_query(db,
	    "UPDATE delivery SET state = ?2, was = ?3, removing = ?4,"
	    " reply = ?5, changed = ?6, next_try = 0, deaths = 0"
	    " WHERE id = ?1");
	query_int(q, 1, r->id);
	query_text(q, 2, gone ? "gone" : "relayed");
	query_text(q, 3, gone ? "relayed" : "");
	query_int(q, 4, remove && !gone);
	query_text(q, 5, r->verdict.reply);
	query_int(q, 6, r->now);
	query_run(q);
	if (remove && others.rows > 0)
		run_with_id(db, r,
		    "UPDATE delivery SET removing = 1 WHERE id IN"
		    " (SELECT o.id" FROM_OTHERS " AND o.state = 'relayed')");
	idset_remove(&db->trying, r->id);
	history_add(db, r->id, r->now, r->verdict.usec, STORE_RELAYED);
	return true;
}

/* --- refused ------------------------------------------------ */

/* By it the refusal outlives a change of the UIDs. */
static void
keep_fingerprint(struct db *db, const struct request *r)
{
	struct query *q = db_query(db, "UPDATE delivery SET fingerprint = ?2"
				       " WHERE id = ?1");

	query_int(q, 1, r->id);
	query_blob(
	    q, 2, r->verdict.fingerprint, sizeof(r->verdict.fingerprint));
	query_run(q);
}

/* What was held and is released starts from the beginning. */
static void
count_refusal(struct db *db, const struct request *r)
{
	struct query *q;

	if (r->verdict.state == STORE_HELD) {
		run_with_id(db, r,
		    "UPDATE delivery SET refusals = 0, first_refusal = 0"
		    " WHERE id = ?1");
	} else if (r->verdict.counted) {
		q = db_query(db, "UPDATE delivery SET refusals = refusals + 1,"
				 " first_refusal = iif(first_refusal = 0, ?2,"
				 " first_refusal) WHERE id = ?1");
		query_int(q, 1, r->id);
		query_int(q, 2, r->now);
		query_run(q);
	}
}

bool
delivery_refused(struct db *db, struct request *r)
{
	const struct request_verdict *v = &r->verdict;
	enum store_state state = v->state;
	struct query *q;
	struct row row;

	if (!find(db, r, store_state_name(state), &row))
		return false;
	if (row.state == STORE_GONE)
		return true; /* nothing left to try again */
	if (!is_pending(&row) ||
	    (state != STORE_DEFERRED && state != STORE_HELD))
		return refuse(r, store_state_name(state), &row);
	/* What a person released stays released: its doubt is kept apart. */
	if (state == STORE_DEFERRED && is_doubtful(&row) &&
	    row.state == STORE_IN_DOUBT && !row.trying)
		state = STORE_IN_DOUBT;
	q = db_query(db,
	    "UPDATE delivery SET state = ?2, doubt = ?3, next_try = ?4,"
	    " reply = ?5, changed = ?6,"
	    " trace = iif(trace = '', ?7, trace), deaths = 0,"
	    " wrapped = max(wrapped, ?8) WHERE id = ?1");
	query_int(q, 1, r->id);
	query_text(q, 2, store_state_name(state));
	query_int(q, 3, is_doubtful(&row));
	query_int(q, 4, v->next_try);
	query_text(q, 5, v->reply);
	query_int(q, 6, r->now);
	query_text(q, 7, v->trace);
	query_int(q, 8, v->wrap);
	query_run(q);
	if (v->identified)
		keep_fingerprint(db, r);
	count_refusal(db, r);
	if (state == STORE_HELD)
		history_add(db, r->id, r->now, v->usec, state);
	idset_remove(&db->trying, r->id);
	return true;
}
