/* SPDX-License-Identifier: ISC */
/*
 * A session's listing against what is stored: what is new, what is known, what
 * is gone.
 *
 * Only a complete listing says that something is gone, and where we did not
 * ask for the removal ourselves only the second one in a row: a server that
 * shows an empty mailbox during an outage must not make us relay all of it
 * again (DURABILITY.md 4.2).  A UID that is listed again after it was gone is
 * a new message (CASES P12); a doubt about the old one stays, so that the copy
 * is announced if it was the same after all.
 *
 * Every statement changes only rows that differ: a poll that finds nothing new
 * writes nothing.
 */
#include "store/request.h"

#include <string.h>
#include <time.h>

#include "store/db.h"
#include "store/schema.h"

#define TOMBSTONE_DAYS 30

static const char phase[] = "state";

/* After a restore a few messages that are not on record are relayed, as
 * possible duplicates; more are a question. */
#define RESTORED_FEW 5

static bool
find_mailbox(struct db *db, int64_t id, struct mailbox_row *m_r)
{
	struct query *q = db_query(db,
	    "SELECT generation, highwater, baseline, restored, epoch"
	    " FROM meta, mailbox WHERE id = ?1");

	query_int(q, 1, id);
	if (!listed_find(db, id, &m_r->quiet) || !query_row(q))
		return false;
	m_r->generation = (uint64_t)query_get(q, 0);
	m_r->highwater = query_get(q, 1);
	m_r->baseline = query_get(q, 2) != 0;
	m_r->restored = (enum backup_rule)query_get(q, 3);
	/* A mailbox that the restored state never knew. */
	m_r->doubtful = !m_r->baseline && query_get(q, 4) > 0;
	return true;
}

static bool
refuse(struct request *r, enum fault_when when, const char *why)
{
	fault_set(&r->answer.fault, FAULT_ACCOUNT, when, phase, "%s", why);
	return false;
}

/* Nothing is concluded from UIDs without a generation (CASES I2), nor from one
 * that changed while not all is listed (I1). */
static bool
check_generation(struct request *r, const struct mailbox_row *m)
{
	const struct store_listing *l = &r->listing;

	if (l->imap && (l->generation == 0 || l->generation > UINT32_MAX))
		return refuse(
		    r, FAULT_NEVER, "the server gives no usable UIDVALIDITY");
	if (l->imap && m->baseline && m->generation != l->generation &&
	    (!l->complete || l->list_from > 1))
		return refuse(r, FAULT_LATER,
		    "the UIDVALIDITY changed and not all is listed");
	return true;
}

/* IMAP UIDs are numbers from here on.  One that is not its own decimal form,
 * or out of range, is a mistake of the caller or a lie of the server. */
static bool
make_numeric(struct db *db, struct request *r)
{
	struct query *q =
	    db_query(db, "SELECT count(*) FROM listing WHERE mailbox = ?1 AND"
			 " (CAST(CAST(CAST(uid AS TEXT) AS INTEGER) AS TEXT)"
			 "   IS NOT CAST(uid AS TEXT)"
			 "  OR CAST(CAST(uid AS TEXT) AS INTEGER)"
			 "   NOT BETWEEN 1 AND 4294967295)");

	query_int(q, 1, r->id);
	if (query_number(q) > 0)
		return refuse(r, FAULT_LATER, "a listed UID is not a number");
	q = db_query(
	    db, "DELETE FROM listing WHERE mailbox = ?1 AND duplicate > 0");
	query_int(q, 1, r->id);
	query_run(q);
	q = db_query(db,
	    "UPDATE listing SET uid = CAST(CAST(uid AS TEXT) AS INTEGER)"
	    " WHERE mailbox = ?1 AND typeof(uid) = 'blob'");
	query_int(q, 1, r->id);
	query_run(q);
	return true;
}

static void
set_targets(struct db *db, const struct store_listing *l)
{
	query_run(db_query(db, "DELETE FROM target"));
	for (size_t i = 0; i < l->ndestinations; i++) {
		struct query *q = db_query(db,
		    "INSERT OR IGNORE INTO target (destination) VALUES (?1)");

		query_text(q, 1, l->destinations[i]);
		query_run(q);
	}
}

/* What waits for a destination that the account no longer has goes to one of
 * those it has now and that has nothing of the message yet: a destination that
 * was renamed loses nothing.  Where every destination has its row, the old wish
 * is forgotten. */
#define STRANDED                                                               \
	" WHERE mailbox = ?1 AND generation = ?2 AND " SCHEMA_PENDING          \
	" AND destination NOT IN (SELECT destination FROM target)"
#define FREE_TARGET                                                            \
	"(SELECT t.destination FROM target t WHERE NOT EXISTS ("               \
	"  SELECT 1 FROM delivery o WHERE o.mailbox = delivery.mailbox"        \
	"  AND o.generation = delivery.generation AND o.uid = delivery.uid"    \
	"  AND o.duplicate = delivery.duplicate"                               \
	"  AND o.destination = t.destination) ORDER BY 1 LIMIT 1)"

static void
retarget(struct db *db, const struct request *r)
{
	struct query *q = db_query(db,
	    "UPDATE OR IGNORE delivery SET destination = " FREE_TARGET STRANDED
	    " AND " FREE_TARGET " IS NOT NULL");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_run(q);
	q = db_query(db, "DELETE FROM delivery" STRANDED);
	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_run(q);
}

/* Rows for what has none, one per destination; a tombstone makes way.  The
 * answer is in rows. */
static uint64_t
add_new(struct db *db, const struct request *r, const struct mailbox_row *m)
{
	struct query *q = db_query(db,
	    "INSERT INTO delivery (mailbox, generation, uid, duplicate,"
	    "  destination, state, size, first_seen, changed, doubt, attempt)"
	    " SELECT ?1, ?2, l.uid, l.duplicate, t.destination, 'new',"
	    "  l.size, ?3, ?3, ?5, ?5 FROM listing l CROSS JOIN target t"
	    " WHERE l.mailbox = ?1 AND l.uid > ?4 AND l.found <> 3"
	    " AND NOT EXISTS ("
	    "  SELECT 1 FROM delivery d WHERE d.mailbox = ?1"
	    "  AND d.generation = ?2 AND d.uid = l.uid"
	    "  AND d.duplicate = l.duplicate AND d.state <> 'gone')"
	    " ON CONFLICT DO UPDATE SET state = 'new', removing = 0,"
	    "  was = '', missed = 0, attempt = excluded.attempt,"
	    "  doubt = doubt OR excluded.doubt, fingerprint = NULL, hash = "
	    "NULL,"
	    "  size = excluded.size, trace = '', reply = '',"
	    "  first_seen = excluded.first_seen, changed = excluded.changed,"
	    "  next_try = 0");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, r->now);
	query_int(q, 4, m->highwater);
	query_int(q, 5, m->doubtful);
	return query_run(q);
}

/* Never relayed, never removed: no destination.  IMAP needs no rows for it,
 * the high-water mark says it. */
static uint64_t
add_known(struct db *db, const struct request *r)
{
	struct query *q = db_query(db,
	    "INSERT INTO delivery (mailbox, generation, uid,"
	    "  duplicate, destination, state, size, first_seen, changed)"
	    " SELECT ?1, ?2, uid, duplicate, '', 'known', size, ?3, ?3"
	    " FROM listing l WHERE mailbox = ?1 AND NOT EXISTS ("
	    "  SELECT 1 FROM delivery d WHERE d.mailbox = ?1"
	    "  AND d.generation = ?2 AND d.uid = l.uid"
	    "  AND d.duplicate = l.duplicate AND d.state <> 'gone')"
	    " ON CONFLICT DO UPDATE SET state = 'known', missed = 0,"
	    "  changed = excluded.changed");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, r->now);
	return query_run(q);
}

/* What the listing does not show: binds it and runs. */
static uint64_t
run_absent(struct db *db, const struct request *r, const char *text)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, r->now);
	query_int(q, 4, (int64_t)r->listing.list_from);
	return query_run(q);
}

#define ABSENT                                                                 \
	" WHERE mailbox = ?1 AND generation = ?2 AND uid >= ?4"                \
	" AND state <> 'gone'" REQUEST_NOT_LISTED("delivery")

/* Absent for the second time, or once when we asked for the removal. */
#define BURY(index)                                                            \
	"UPDATE delivery INDEXED BY " index                                    \
	" SET state = 'gone', was = state, missed = 0, removing = 0,"          \
	" doubt = doubt OR state = 'in_doubt', changed = ?3" ABSENT

static uint64_t
bury(struct db *db, const struct request *r)
{
	return run_absent(
		   db, r, BURY("delivery_removing") " AND removing = 1") +
	       run_absent(db, r, BURY("delivery_missed") " AND missed = 1");
}

/* As many rows are listed as there are: then none is missed, and nobody has to
 * look for it.  Only worth it where most messages are quiet. */
static bool
all_listed(struct db *db, const struct request *r)
{
	struct query *q = db_query(db,
	    "SELECT (SELECT count(*) FROM delivery"
	    "  WHERE mailbox = ?1 AND generation = 0)"
	    " - (SELECT count(*) FROM delivery INDEXED BY delivery_gone"
	    "  WHERE mailbox = ?1 AND generation = 0 AND state = 'gone')"
	    " - (SELECT count(*) FROM listing l CROSS JOIN delivery d"
	    "  ON d.mailbox = ?1 AND d.generation = 0 AND d.uid = l.uid"
	    "  AND d.duplicate = l.duplicate"
	    "  WHERE l.mailbox = ?1 AND d.state <> 'gone')");

	query_int(q, 1, r->id);
	return query_number(q) == (int64_t)db->listed->n;
}

static void
mark_missed(struct db *db, const struct request *r)
{
	run_absent(db, r,
	    "UPDATE delivery SET missed = 1, changed = ?3" ABSENT
	    " AND missed = 0");
}

static void
forget_missed(struct db *db, const struct request *r)
{
	struct query *q = db_query(db,
	    "UPDATE delivery SET missed = 0"
	    " WHERE mailbox = ?1 AND generation = ?2 AND missed = 1"
	    " AND EXISTS (SELECT 1 FROM listing l WHERE l.mailbox = ?1"
	    "  AND l.uid = delivery.uid AND l.duplicate = delivery.duplicate)");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_run(q);
}

/* Nothing that any destination lacks, or got later than that. */
static void
expire(struct db *db, const struct request *r, int64_t since)
{
	int64_t limit = r->now - (int64_t)r->listing.remove_after;
	struct query *q;

	if (r->listing.remove_after == 0 || since > limit)
		return;
	q = db_query(db,
	    "UPDATE delivery INDEXED BY delivery_relayed SET removing = 1"
	    " WHERE mailbox = ?1 AND generation = ?2 AND state = 'relayed'"
	    " AND removing = 0 AND changed <= ?3 AND first_seen <= ?3"
	    " AND missed = 0 AND NOT EXISTS ("
	    "  SELECT 1 FROM delivery o WHERE o.mailbox = ?1"
	    "  AND o.generation = ?2 AND o.uid = delivery.uid"
	    "  AND o.duplicate = delivery.duplicate"
	    "  AND (o.state NOT IN ('relayed', 'gone')"
	    "   OR (o.state = 'relayed' AND o.changed > ?3)))");
	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, limit);
	query_run(q);
}

static int64_t
of_mailbox(struct db *db, const struct request *r, const char *text)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	return query_number(q);
}

#define COUNT "SELECT count(*) FROM delivery WHERE mailbox = ?1"
#define OURS " AND generation = ?2 AND "

static void
count_rest(struct db *db, struct request *r)
{
	struct store_answer *a = &r->answer;

	a->waiting = (uint64_t)of_mailbox(
	    db, r, COUNT OURS SCHEMA_PENDING " AND missed = 0");
	a->removing = (uint64_t)of_mailbox(db, r, COUNT OURS "removing = 1");
	a->held = (uint64_t)of_mailbox(db, r, COUNT OURS "state = 'held'");
}

static void
purge_tombstones(struct db *db, const struct request *r)
{
	struct query *q = db_query(db,
	    "DELETE FROM delivery"
	    " WHERE mailbox = ?1 AND state = 'gone' AND changed < ?2");

	query_int(q, 1, r->id);
	query_int(q, 2, r->now - (int64_t)TOMBSTONE_DAYS * 24 * 60 * 60);
	query_run(q);
}

/* Messages, also the quiet ones. */
static uint64_t
count_listed(
    struct db *db, const struct request *r, const struct mailbox_row *m)
{
	struct query *q =
	    db_query(db, "SELECT count(*) FROM listing WHERE mailbox = ?1");

	query_int(q, 1, r->id);
	return (uint64_t)query_number(q) + m->quiet;
}

static int64_t
of_listing(struct db *db, const struct request *r, const char *text)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, r->id);
	return query_number(q);
}

static uint64_t
run_listing(struct db *db, const struct request *r, const char *text)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, r->id);
	return query_run(q);
}

/* What is settled now: never lower than before, and only as far as a complete
 * listing reaches. */
static int64_t
new_highwater(
    struct db *db, const struct request *r, const struct mailbox_row *m)
{
	const struct store_listing *l = &r->listing;
	int64_t high = m->highwater;
	int64_t listed;

	if (!l->imap)
		return 0;
	listed = of_listing(
	    db, r, "SELECT max(uid) FROM listing WHERE mailbox = ?1");
	if (listed > high)
		high = listed;
	return high;
}

static void
save_mailbox(
    struct db *db, const struct request *r, const struct mailbox_row *m)
{
	struct query *q = db_query(db,
	    "UPDATE mailbox SET generation = ?2, highwater = ?3, baseline = 1"
	    " WHERE id = ?1 AND (highwater <> ?3 OR baseline = 0)");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, new_highwater(db, r, m));
	query_run(q);
}

/* The first complete listing: everything that is there gets its place. */
static void
set_baseline(struct db *db, struct request *r, const struct mailbox_row *m)
{
	const struct store_listing *l = &r->listing;
	struct store_answer *a = &r->answer;

	if (l->relay_all || l->since > 0) {
		a->added = add_new(db, r, m) / l->ndestinations;
	} else if (!l->imap) {
		add_known(db, r);
	}
	if (!l->relay_all)
		recognise_baseline(db, r, l->since > 0 ? l->since : r->now);
	a->known = a->listed - a->added;
	save_mailbox(db, r, m);
}

/* first = since: the dates of all are wanted, and then compared.  What has none
 * is new. */
static void
tell_by_date(struct db *db, struct request *r)
{
	struct query *q;

	if (!r->listing.recognised) {
		r->answer.unknown = run_listing(db, r,
		    "UPDATE listing SET found = 1"
		    " WHERE mailbox = ?1 AND found = 0");
		return;
	}
	q = db_query(db, "UPDATE listing SET found = 3 WHERE mailbox = ?1"
			 " AND date > 0 AND date < ?2");
	query_int(q, 1, r->id);
	query_int(q, 2, r->listing.since);
	query_run(q);
}

/* Answers whether there is something to compare yet. */
static bool
look_closer(struct db *db, struct request *r, struct mailbox_row *m)
{
	const struct store_listing *l = &r->listing;

	if (!m->baseline)
		run_listing(db, r,
		    "UPDATE listing SET found = 0"
		    " WHERE mailbox = ?1 AND found <> 0");
	else if (recognise(db, r, m) == RECOGNITION_WAIT)
		return false;
	mark_unknown_as_known(db, r, m->highwater);
	if (!m->baseline && l->since > 0 && !l->relay_all)
		tell_by_date(db, r);
	if (r->answer.unknown > 0)
		return false;
	mark_settle_doubts(db, r);
	return true;
}

static void
compare(struct db *db, struct request *r, const struct mailbox_row *m)
{
	int64_t before = sqlite3_total_changes64(db->sql);

	retarget(db, r);
	forget_missed(db, r);
	if (r->listing.complete) {
		r->answer.gone = bury(db, r);
		if (m->quiet == 0 || !all_listed(db, r))
			mark_missed(db, r);
	}
	r->answer.added = add_new(db, r, m) / r->listing.ndestinations;
	if (r->listing.complete)
		save_mailbox(db, r, m);
	else
		recognise_add_known(db, r);
	if (sqlite3_total_changes64(db->sql) != before)
		purge_tombstones(db, r);
}

/* --- the first listing after a restore --------------------------------- */

static int64_t
count_unknown(
    struct db *db, const struct request *r, const struct mailbox_row *m)
{
	struct query *q = db_query(db,
	    "SELECT count(*) FROM listing l WHERE l.mailbox = ?1"
	    " AND l.uid > ?3 AND l.found <> 3 AND NOT EXISTS ("
	    "  SELECT 1 FROM delivery d WHERE d.mailbox = ?1"
	    "  AND d.generation = ?2 AND d.uid = l.uid"
	    "  AND d.duplicate = l.duplicate AND d.state <> 'gone')");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, m->highwater);
	return query_number(q);
}

/* Asked and answered as in recognise.c. */
static void
ask(struct db *db, struct request *r, int64_t unknown)
{
	struct query *q =
	    db_query(db, "INSERT INTO recognition (mailbox, asks, listed)"
			 " VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET"
			 " asks = excluded.asks, listed = excluded.listed");

	query_int(q, 1, r->id);
	query_int(q, 2, unknown);
	query_int(q, 3, (int64_t)r->answer.listed);
	query_run(q);
	fault_set(&r->answer.fault, FAULT_ACCOUNT, FAULT_NEVER, phase,
	    "%lld messages are not in the restored state; they may have been "
	    "relayed after the backup was made",
	    (long long)unknown);
	r->answer.fault.hint =
	    "run: mailhaul accept NAME --as-known (not relayed), or --relay "
	    "(relayed, marked as possible duplicates)";
	r->answer.fault.question = true;
	r->answer.paused = true;
}

/* What a backup does not know was relayed after it was made, or came later;
 * nothing tells which (CASES D8). */
static bool
settle_restored(struct db *db, struct request *r, struct mailbox_row *m)
{
	struct query *q;
	int64_t unknown;

	unknown = count_unknown(db, r, m);
	if (m->restored == BACKUP_ASK && unknown > RESTORED_FEW)
		ask(db, r, unknown);
	if (r->answer.paused)
		return false;
	if (m->restored != BACKUP_AS_KNOWN)
		m->doubtful = true;
	else if (r->listing.imap)
		m->highwater = new_highwater(db, r, m);
	else
		add_known(db, r);
	q = db_query(db, "UPDATE mailbox SET restored = 0 WHERE id = ?1");
	query_int(q, 1, r->id);
	query_run(q);
	return true;
}

/* What another program had fetched (store_listing_import()).  The baseline has
 * no date: what was there and is not in the list is new, whatever its age. */
bool
listing_import(struct db *db, struct request *r)
{
	struct mailbox_row m = { .highwater = 0 };

	r->now = time(NULL);
	if (!find_mailbox(db, r->id, &m)) {
		fault_set(&r->answer.fault, FAULT_US, FAULT_NEVER, phase,
		    "an import ended that was not begun");
		return false;
	}
	if (m.generation != 0)
		return refuse(r, FAULT_NEVER,
		    "this mailbox was polled over IMAP, where UIDLs mean "
		    "nothing");
	r->answer.listed = count_listed(db, r, &m);
	r->answer.baseline = m.baseline;
	r->answer.known = add_known(db, r);
	if (!m.baseline)
		save_mailbox(db, r, &m);
	return listing_drop(db, r);
}

bool
listing_end(struct db *db, struct request *r)
{
	struct mailbox_row m = { .highwater = 0 };
	int64_t since;

	r->now = time(NULL);
	if (!find_mailbox(db, r->id, &m) || r->listing.ndestinations == 0 ||
	    (r->listing.imap && m.quiet > 0)) {
		fault_set(&r->answer.fault, FAULT_US, FAULT_NEVER, phase,
		    "a listing ended that was not begun so, or leads nowhere");
		return false;
	}
	if (!check_generation(r, &m))
		return false;
	if (!m.baseline && !r->listing.complete)
		return refuse(r, FAULT_LATER,
		    "the first listing of this mailbox is not complete");
	if (!m.baseline && r->listing.since > 0 && !r->listing.imap)
		return refuse(r, FAULT_NEVER,
		    "first = since needs dates, which POP3 does not tell");
	if (m.restored != BACKUP_SETTLED && !r->listing.complete)
		return refuse(r, FAULT_LATER,
		    "the first listing after a restore is not complete");
	if (r->listing.imap && !make_numeric(db, r))
		return false;
	since = clock_since(db, r->now);
	r->answer.listed = count_listed(db, r, &m);
	if (!look_closer(db, r, &m))
		return true;
	set_targets(db, &r->listing);
	if (m.restored != BACKUP_SETTLED && !settle_restored(db, r, &m))
		return true; /* a person is asked */
	if (m.baseline)
		compare(db, r, &m);
	else
		set_baseline(db, r, &m);
	expire(db, r, since);
	count_rest(db, r);
	return true;
}
