/* SPDX-License-Identifier: ISC */
/*
 * Messages that come back under other UIDs.
 *
 * A server that was moved, a mailbox that was made anew, an account that
 * changed its protocol: nothing that is listed has a record any more, and all
 * of it would be relayed again.  So the headers are asked for, and what has
 * the fingerprint of a record gets that record, with its state and trace
 * (DESIGN section 5).  What was only known has no fingerprint; over IMAP the
 * date at which the server got it tells.  The rest is new; if that is most of
 * the mailbox, it may be another person's, and a person has to decide.
 *
 * It takes two ends of one listing: the first finds out that headers are
 * needed and changes nothing, the second compares.  What both conclude from
 * the listing and the records is the same.
 *
 * listing.found: 0 has its record, 1 unknown, 2 recognised, 3 known.
 *
 * A match is never a reason to remove anything: removing is cleared (CASES
 * I1).
 */
#include "store/request.h"

#include <time.h>

#include "store/db.h"
#include "store/schema.h"

#define MANY 20              /* fewer are relayed without a question */
#define HALF 50              /* percent, when the guard is off */
#define WATCH (30 * 86400LL) /* a move may take weeks to be complete */

static const char phase[] = "state";

/* What is on record besides the messages. */
struct memory {
	int64_t known_before; /* 0: the baseline was relayed */
	int64_t until;        /* look at headers up to then */
	bool decided, as_known;
};

struct facts {
	bool changed; /* the generation */
	bool mass;    /* most of a POP3 mailbox has other UIDLs */
	int64_t listed, unknown;
};

static int64_t
number(struct db *db, const struct request *r, const char *text)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, r->id);
	return query_number(q);
}

static uint64_t
run(struct db *db, const struct request *r, const char *text)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, r->id);
	return query_run(q);
}

/* The same with the generation that was listed as ?2. */
static uint64_t
run_generation(struct db *db, const struct request *r, const char *text)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	return query_run(q);
}

static int64_t
number_generation(struct db *db, const struct request *r, const char *text)
{
	struct query *q = db_query(db, text);

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	return query_number(q);
}

/* --- what is on record ------------------------------------------------- */

static struct memory
remember(struct db *db, const struct request *r)
{
	struct query *q =
	    db_query(db, "SELECT known_before, until, decision FROM recognition"
			 " WHERE mailbox = ?1");
	struct memory m = { .until = 0 };

	query_int(q, 1, r->id);
	if (!query_row(q))
		return m;
	m.known_before = query_get(q, 0);
	m.until = query_get(q, 1);
	m.decided = query_get(q, 2) != RECOGNISE_ASK;
	m.as_known = query_get(q, 2) == RECOGNISE_AS_KNOWN;
	return m;
}

void
recognise_baseline(struct db *db, const struct request *r, int64_t known_before)
{
	struct query *q = db_query(db,
	    "INSERT INTO recognition (mailbox, known_before) VALUES (?1, ?2)"
	    " ON CONFLICT DO UPDATE SET known_before = excluded.known_before");

	query_int(q, 1, r->id);
	query_int(q, 2, known_before);
	query_run(q);
}

bool
recognise_question(struct db *db, int64_t mailbox, struct fault *fault_r)
{
	struct query *q = db_query(db,
	    "SELECT r.asks, r.listed, m.folder, a.name FROM recognition r"
	    " JOIN mailbox m ON m.id = r.mailbox"
	    " JOIN account a ON a.id = m.account"
	    " WHERE r.mailbox = ?1 AND r.asks > 0 AND r.decision = 0");
	const char *name;

	query_int(q, 1, mailbox);
	if (!query_row(q))
		return false;
	name = (const char *)sqlite3_column_text(q->stmt, 3);
	fault_set(fault_r, FAULT_ACCOUNT, FAULT_NEVER, phase,
	    "%lld of the %lld messages in %s are unknown, as if it were "
	    "another mailbox now: paused; mailhaul accept %s --as-known "
	    "relays none of them, mailhaul accept %s --relay all",
	    (long long)query_get(q, 0), (long long)query_get(q, 1),
	    (const char *)sqlite3_column_text(q->stmt, 2), name, name);
	fault_r->question = true;
	return true;
}

bool
recognise_accept(struct db *db, struct request *r)
{
	struct query *q = db_query(db,
	    "SELECT coalesce(sum(r.asks), 0) FROM recognition r"
	    " JOIN mailbox m ON m.id = r.mailbox"
	    " JOIN account a ON a.id = m.account WHERE a.name = ?1");

	query_text(q, 1, r->accept.account);
	r->answer.unknown = (uint64_t)query_number(q);
	q = db_query(db,
	    "UPDATE recognition SET decision = ?2 WHERE asks > 0"
	    " AND mailbox IN (SELECT m.id FROM mailbox m"
	    "  JOIN account a ON a.id = m.account WHERE a.name = ?1)");
	query_text(q, 1, r->accept.account);
	query_int(q, 2, r->accept.decision);
	query_run(q);
	/* The same answer to what a restored state asks (listing.c). */
	q = db_query(db, "UPDATE mailbox SET restored = ?2 WHERE restored = ?3 "
			 "AND account IN"
			 " (SELECT id FROM account WHERE name = ?1)");
	query_text(q, 1, r->accept.account);
	query_int(q, 2,
	    r->accept.decision == RECOGNISE_AS_KNOWN ? BACKUP_AS_KNOWN
						     : BACKUP_RELAY);
	query_int(q, 3, BACKUP_ASK);
	query_run(q);
	if (r->answer.unknown > 0)
		pause_answered(db, r->accept.account);
	return true;
}

/* --- headers ----------------------------------------------------------- */

bool
recognise_unknown(struct db *db, struct request *r)
{
	struct query *q =
	    db_query(db, "SELECT number FROM listing INDEXED BY listing_number"
			 " WHERE mailbox = ?1 AND number > ?2 AND found = 1"
			 " ORDER BY number LIMIT ?3");

	query_int(q, 1, r->id);
	query_int(q, 2, r->page.after);
	query_int(q, 3, (int64_t)r->page.limit);
	while (query_row(q))
		request_add_number(r, (uint32_t)query_get(q, 0));
	return true;
}

bool
recognise_headers(struct db *db, struct request *r)
{
	const struct store_header *h = r->owned;

	for (size_t i = 0; i < r->headers.n; i++) {
		struct query *q =
		    db_query(db, "UPDATE listing SET date = ?3,"
				 " fingerprint = CASE ?5 WHEN 1 THEN ?4 END"
				 " WHERE mailbox = ?1 AND number = ?2");

		query_int(q, 1, r->id);
		query_int(q, 2, h[i].number);
		query_int(q, 3, h[i].date);
		query_blob(q, 4, h[i].fingerprint, sizeof(h[i].fingerprint));
		query_int(q, 5, h[i].identified);
		query_run(q);
	}
	return true;
}

/* --- what is unknown --------------------------------------------------- */

/* A record of this generation that is alive. */
#define RECORD_OF_LISTED                                                       \
	"EXISTS (SELECT 1 FROM delivery d WHERE d.mailbox = ?1"                \
	" AND d.generation = ?2 AND d.uid = listing.uid"                       \
	" AND d.duplicate = listing.duplicate AND d.state <> 'gone')"

static void
mark_unknown(struct db *db, const struct request *r, int64_t above)
{
	struct query *q;

	run(db, r,
	    "UPDATE listing SET found = 0 WHERE mailbox = ?1 AND found <> 0");
	q = db_query(db, "UPDATE listing SET found = 1 WHERE mailbox = ?1"
			 " AND uid > ?3 AND NOT " RECORD_OF_LISTED);
	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, above);
	query_run(q);
}

/* Records of this generation that were not listed, though nobody wanted them
 * removed. */
#define VANISHED                                                               \
	"SELECT count(*) FROM delivery d WHERE d.mailbox = ?1"                 \
	" AND d.generation = ?2 AND d.state <> 'gone' AND d.removing = 0"
#define NOT_LISTED REQUEST_NOT_LISTED("d")

static bool
is_share(int64_t part, int64_t whole, unsigned percent)
{
	return part * 100 >= whole * (int64_t)percent;
}

/* Many new messages alone are no reason for doubt: the old ones must have
 * gone, too. */
static bool
most_is_new(struct db *db, const struct request *r, const struct facts *f)
{
	unsigned percent = r->listing.guard > 0 ? r->listing.guard : HALF;
	int64_t vanished, all;

	if (f->unknown < MANY || !is_share(f->unknown, f->listed, percent))
		return false;
	vanished = number_generation(db, r, VANISHED NOT_LISTED);
	all = number_generation(db, r, VANISHED);
	return vanished > 0 && is_share(vanished, all, percent);
}

/* Only a UIDL that was seen before: is it the old message (CASES P12)? */
static void
keep_returning(struct db *db, const struct request *r)
{
	run_generation(db, r,
	    "UPDATE listing SET found = 0 WHERE mailbox = ?1 AND found = 1"
	    " AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.mailbox = ?1"
	    "  AND d.generation = ?2 AND d.uid = listing.uid"
	    "  AND d.duplicate = listing.duplicate AND d.state = 'gone'"
	    "  AND d.was <> '')");
}

#define COUNT_UNKNOWN                                                          \
	"SELECT count(*) FROM listing WHERE mailbox = ?1 AND found = 1"

static void
find_out(struct db *db, const struct request *r, const struct mailbox_row *m,
    const struct memory *memory, struct facts *f)
{
	bool imap = r->listing.imap;

	f->changed = m->generation != r->listing.generation;
	mark_unknown(db, r, imap && !f->changed ? m->highwater : 0);
	f->listed = (int64_t)r->answer.listed;
	f->unknown = number(db, r, COUNT_UNKNOWN);
	f->mass = !imap && !f->changed && most_is_new(db, r, f);
	if (f->unknown == 0 || f->changed || f->mass || memory->decided ||
	    r->now < memory->until)
		return;
	if (!imap) /* new UIDs of the same UIDVALIDITY are new */
		keep_returning(db, r);
	f->unknown = imap ? 0 : number(db, r, COUNT_UNKNOWN);
}

/* --- what is recognised ------------------------------------------------ */

/* Equal fingerprints are equal messages, as many of them as there are.  Dead
 * records count as well, for what they were; those that are alive come first.
 */
static void
match(struct db *db, const struct request *r)
{
	query_run(db_query(db, "DELETE FROM matched"));
	run_generation(db, r,
	    "INSERT INTO matched (id, uid, duplicate)"
	    " WITH sought AS MATERIALIZED ("
	    "  SELECT uid, duplicate, fingerprint, row_number() OVER"
	    "   (PARTITION BY fingerprint ORDER BY number) AS place"
	    "  FROM listing WHERE mailbox = ?1 AND found = 1"
	    "  AND fingerprint IS NOT NULL),"
	    " message AS MATERIALIZED ("
	    "  SELECT generation, uid, duplicate,"
	    "   max(fingerprint) AS fingerprint, max(state <> 'gone') AS alive,"
	    "   max(changed) AS changed"
	    "  FROM delivery WHERE mailbox = ?1 AND fingerprint IS NOT NULL"
	    "  AND (state <> 'gone' OR was <> '')"
	    "  AND (generation <> ?2 OR state = 'gone' OR "
	    "(1" REQUEST_NOT_LISTED(
		"delivery") "))"
			    "  GROUP BY generation, uid, duplicate),"
			    " recorded AS MATERIALIZED ("
			    "  SELECT generation, uid, duplicate, fingerprint, "
			    "row_number()"
			    "   OVER (PARTITION BY fingerprint"
			    "    ORDER BY alive DESC, changed DESC, uid) AS "
			    "place"
			    "  FROM message)"
			    " SELECT d.id, s.uid, s.duplicate FROM sought s"
			    " JOIN recorded c ON c.fingerprint = s.fingerprint"
			    "  AND c.place = s.place"
			    " JOIN delivery d ON d.mailbox = ?1"
			    "  AND d.generation = c.generation AND d.uid = "
			    "c.uid"
			    "  AND d.duplicate = c.duplicate");
	/* What was known has no fingerprint; one that is back under its own
	 * UIDL and in its old size is the same. */
	run_generation(db, r,
	    "INSERT OR IGNORE INTO matched (id, uid, duplicate)"
	    " SELECT d.id, l.uid, l.duplicate FROM listing l"
	    " JOIN delivery d ON d.mailbox = ?1 AND d.generation = ?2"
	    "  AND d.uid = l.uid AND d.duplicate = l.duplicate"
	    " WHERE l.mailbox = ?1 AND l.found = 1 AND d.state = 'gone'"
	    "  AND d.was = 'known' AND d.fingerprint IS NULL"
	    "  AND d.size = l.size");
	run(db, r,
	    "UPDATE listing SET found = 2 WHERE mailbox = ?1 AND found = 1"
	    " AND EXISTS (SELECT 1 FROM matched m WHERE m.uid = listing.uid"
	    "  AND m.duplicate = listing.duplicate)");
}

/* A message has one key in the question, whatever becomes of its UID. */
#define QUESTION_KEY "CAST(ifnull(fingerprint, uid) AS BLOB)"

static uint64_t
mark_known(struct db *db, const struct request *r, const struct memory *memory)
{
	struct query *q = db_query(db,
	    "UPDATE listing SET found = 3 WHERE mailbox = ?1 AND found = 1"
	    " AND date > 0 AND date < ?2");
	uint64_t n;

	query_int(q, 1, r->id);
	query_int(q, 2, memory->known_before);
	n = query_run(q);
	if (memory->as_known)
		n += run(db, r,
		    "UPDATE listing SET found = 3 WHERE mailbox = ?1"
		    " AND found = 1 AND " QUESTION_KEY " IN ("
		    "  SELECT key FROM question WHERE mailbox = ?1)");
	return n;
}

/* Known messages that cannot be recognised at all: POP3 tells no dates. */
static int64_t
hopeless(struct db *db, const struct request *r, const struct mailbox_row *m,
    const struct memory *memory)
{
	if (r->listing.imap)
		return 0;
	if (m->generation != 0)
		return memory->known_before > 0 ? INT64_MAX : 0;
	return number_generation(db, r,
	    VANISHED
	    " AND d.state = 'known' AND d.fingerprint IS NULL" NOT_LISTED);
}

/* --- the question ------------------------------------------------------ */

static bool
is_doubtful(struct db *db, const struct request *r, const struct mailbox_row *m,
    const struct memory *memory, const struct facts *f, int64_t left)
{
	unsigned guard = r->listing.guard;

	if (memory->decided || guard == 0 || left < MANY ||
	    (!f->changed && !f->mass))
		return false;
	return is_share(left, f->listed, guard) ||
	       hopeless(db, r, m, memory) >= MANY;
}

/* Durable: the next poll does not even log in. */
static void
ask(struct db *db, struct request *r, const struct facts *f, int64_t left)
{
	struct query *q =
	    db_query(db, "INSERT INTO recognition (mailbox, asks, listed)"
			 " VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET"
			 " asks = excluded.asks, listed = excluded.listed");

	query_int(q, 1, r->id);
	query_int(q, 2, left);
	query_int(q, 3, f->listed);
	query_run(q);
	run(db, r, "DELETE FROM question WHERE mailbox = ?1");
	run(db, r,
	    "INSERT OR IGNORE INTO question (mailbox, key)"
	    " SELECT ?1, " QUESTION_KEY
	    " FROM listing WHERE mailbox = ?1 AND found = 1");
	r->answer.paused = recognise_question(db, r->id, &r->answer.fault);
}

static void
forget_question(struct db *db, const struct request *r, const struct facts *f)
{
	struct query *q;

	run(db, r, "DELETE FROM question WHERE mailbox = ?1");
	q = db_query(db,
	    "UPDATE recognition SET asks = 0, listed = 0, decision = 0"
	    " WHERE mailbox = ?1 AND asks > 0");
	query_int(q, 1, r->id);
	query_run(q);
	if (!f->changed && !f->mass)
		return;
	q = db_query(db,
	    "INSERT INTO recognition (mailbox, until) VALUES (?1, ?2)"
	    " ON CONFLICT DO UPDATE SET until = excluded.until");
	query_int(q, 1, r->id);
	query_int(q, 2, r->now + WATCH);
	query_run(q);
}

/* --- the records get their new names ----------------------------------- */

/* Old and new names may be the same ones in another order, so the records step
 * aside first. */
static void
rename_records(struct db *db, const struct request *r)
{
	query_run(db_query(db, "UPDATE delivery SET generation = -1, uid = id"
			       " WHERE id IN (SELECT id FROM matched)"));
	run_generation(db, r,
	    "DELETE FROM delivery WHERE mailbox = ?1 AND generation = ?2"
	    " AND state = 'gone' AND EXISTS (SELECT 1 FROM matched m"
	    "  WHERE m.uid = delivery.uid"
	    "  AND m.duplicate = delivery.duplicate)");
	run_generation(db, r,
	    "UPDATE delivery SET generation = ?2, uid = m.uid,"
	    " duplicate = m.duplicate, removing = 0, missed = 0, was = '',"
	    " state = CASE state WHEN 'gone' THEN was ELSE state END"
	    " FROM matched m WHERE delivery.id = m.id"
	    " AND delivery.mailbox = ?1");
}

/* Records of another generation name nothing any more. */
static void
bury_others(struct db *db, const struct request *r)
{
	struct query *q = db_query(db,
	    "UPDATE delivery SET state = 'gone', was = state, removing = 0,"
	    " missed = 0, doubt = doubt OR state = 'in_doubt', changed = ?3"
	    " WHERE mailbox = ?1 AND generation <> ?2 AND state <> 'gone'");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, r->now);
	query_run(q);
	run_generation(db, r,
	    "UPDATE mailbox SET generation = ?2, highwater = 0"
	    " WHERE id = ?1");
}

void
recognise_add_known(struct db *db, const struct request *r)
{
	struct query *q = db_query(db,
	    "INSERT INTO delivery (mailbox, generation, uid, duplicate,"
	    "  destination, state, fingerprint, size, first_seen, changed)"
	    " SELECT ?1, ?2, uid, duplicate, '', 'known', fingerprint, size,"
	    "  ?3, ?3 FROM listing WHERE mailbox = ?1 AND found = 3"
	    " ON CONFLICT DO UPDATE SET state = 'known', was = '', missed = 0,"
	    "  fingerprint = excluded.fingerprint, size = excluded.size,"
	    "  changed = excluded.changed");

	query_int(q, 1, r->id);
	query_int(q, 2, (int64_t)r->listing.generation);
	query_int(q, 3, r->now);
	query_run(q);
}

enum recognition
recognise(struct db *db, struct request *r, struct mailbox_row *m)
{
	struct store_answer *a = &r->answer;
	struct memory memory = remember(db, r);
	struct facts f;
	int64_t left;

	find_out(db, r, m, &memory, &f);
	if (f.unknown == 0 && !f.changed && !memory.decided)
		return RECOGNITION_NONE;
	if (f.unknown > 0 && !r->listing.recognised) {
		a->unknown = (uint64_t)f.unknown;
		return RECOGNITION_WAIT;
	}
	match(db, r);
	mark_unknown_as_known(db, r, f.changed ? 0 : m->highwater);
	a->as_known = mark_known(db, r, &memory);
	left = number(db, r, COUNT_UNKNOWN);
	a->recognised = (uint64_t)(f.unknown - left) - a->as_known - a->marked;
	if (is_doubtful(db, r, m, &memory, &f, left)) {
		ask(db, r, &f, left);
		return RECOGNITION_WAIT;
	}
	rename_records(db, r);
	if (f.changed) {
		bury_others(db, r);
		m->generation = r->listing.generation;
		m->highwater = 0;
	}
	if (!r->listing.imap)
		recognise_add_known(db, r);
	forget_question(db, r, &f);
	return RECOGNITION_DONE;
}
