/* SPDX-License-Identifier: ISC */
/*
 * What must survive: which message was seen, tried, is in doubt, was relayed,
 * is held.  In words of the domain; nobody outside knows it is SQLite.
 *
 * One thread owns the one connection.  Requests are queued in the loop and
 * answered in the loop, in order; the loop never waits for a disk.  The thread
 * takes all that is queued, applies it in one transaction, commits, and only
 * then answers: an answer with ok means durable (synchronous=FULL).  A request
 * that fails by itself is rolled back to its savepoint; a COMMIT that fails
 * makes every request of its group fail, with FAULT_UNKNOWN as their outcome
 * (DURABILITY.md 4.5, CASES D3), and the store then refuses everything until
 * the process is restarted.
 *
 * Listings go through a temporary table, so memory does not grow with the
 * mailbox.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/fault.h"
#include "base/histogram.h"
#include "base/span.h"

struct statedir;
struct store;

#define STORE_UID_MAX 512 /* bytes; a longer UIDL is not a key of ours */
#define STORE_KEY_SIZE 32
#define STORE_TRACE_MAX 32  /* with NUL */
#define STORE_REPLY_MAX 256 /* the server's words, cut */

/* The words of DESIGN section 5: in the database, the log, everywhere. */
enum store_state {
	STORE_KNOWN,
	STORE_NEW,
	STORE_DEFERRED,
	STORE_IN_DOUBT,
	STORE_RELAYED,
	STORE_HELD,
	STORE_GONE,
	STORE_STATES
};
const char *store_state_name(enum store_state state);

/* One message on its way to one destination. */
struct store_item {
	int64_t id;         /* of its row */
	char *uid;          /* UIDL or decimal UID, NUL-terminated, owned */
	uint32_t number;    /* POP3: message number of this session's listing;
	                       IMAP: the UID */
	uint32_t duplicate; /* 0, or 1.. for the same UIDL listed again */
	uint64_t size;      /* as listed; 0: not known */
	char *destination;  /* owned */
	enum store_state state;
	bool removing;     /* relayed everywhere and wanted off the source */
	unsigned attempt;  /* tries that were recorded so far */
	unsigned refusals; /* for now, of this message, in a row ... */
	int64_t first_refusal; /* ... the first of them; wall clock, 0: none */
	unsigned deaths;       /* of this process, while it was underway */
	bool doubt;            /* an earlier try may have been accepted */
	bool wrapped; /* it was refused as it is, and goes out enclosed */
	char trace[STORE_TRACE_MAX]; /* empty: not computed yet */
};

/* What is remembered of an account or destination that fails, so that a
 * restart forgets no pause; relay/retry decides.  All times are of the wall
 * clock; zeroed, all is well. */
struct store_pause {
	unsigned failures;  /* in a row */
	int64_t since;      /* the first of them */
	int64_t not_before; /* the next try */
	bool firm;          /* nobody's hurry ends it: it protects a login, or
	                       the server asked for it */
	bool alerted;       /* a person was told */
	bool by_hand;       /* until somebody ends it */
	bool asks;          /* read only: a person must decide about messages of
	                       the account, and has not yet */
	char reply[STORE_REPLY_MAX]; /* why */
	/* POP3: the last accepted login, and the time the server wants to pass
	 * before the next; 0: none */
	int64_t last_login, login_delay;
};

/* A message that waits for a person, for one destination. */
struct store_held {
	int64_t id; /* of its row: names it when it has no trace */
	char *account, *folder, *destination; /* owned */
	char *uid;     /* owned; bytes of the server: clean them before a person
	                  sees them */
	uint64_t size; /* 0: not known */
	unsigned attempt;
	bool doubt; /* it may have been accepted */
	int64_t first_seen, changed;
	char trace[STORE_TRACE_MAX]; /* empty: it was never downloaded */
	char reply[STORE_REPLY_MAX]; /* why */
};

/* A mailbox on record, in rows, of which a message has one for each of its
 * destinations. */
struct store_summary {
	int64_t mailbox;
	char *account, *folder; /* owned */
	uint64_t waiting;       /* new or deferred */
	uint64_t in_doubt, held, removing;
	int64_t oldest; /* since when the oldest waits or is in doubt; wall
	                   clock, 0: none */
};

/* What became of a message, once and for all or until a person decides. */
struct store_past {
	int64_t id;                           /* ascends with time */
	int64_t at;                           /* wall clock, seconds */
	char *account, *folder, *destination; /* owned */
	char *uid; /* owned; bytes of the server, as in store_held */
	uint64_t size;
	int64_t usec; /* it took; 0: not known */
	unsigned attempt;
	bool duplicate;         /* announced as a possible one */
	enum store_state state; /* RELAYED or HELD */
	char trace[STORE_TRACE_MAX];
	char reply[STORE_REPLY_MAX];
};

/* What a request is answered with; fields are valid for the request that asks
 * for them.  Everything is freed when the callback returns, except that an
 * array may be taken by setting its pointer to NULL (then store_X_free()). */
struct store_answer {
	bool ok;
	struct fault fault; /* FAULT_US, when not ok */

	/* store_mailbox */
	int64_t mailbox;
	bool baseline;       /* a first complete listing was recorded */
	uint64_t generation; /* UIDVALIDITY on record, 0: none */
	uint64_t list_from;  /* IMAP: list from this UID on; what lies below is
	                        settled */
	uint64_t new_from;   /* IMAP: no UID from here on was listed yet */
	unsigned char account_uuid[16];

	/* store_listing_end: messages in the first three, rows in the rest */
	uint64_t listed, added, known, gone;
	/* By our keyword: unknown messages that are known now (at the baseline
	 * they are counted in known, too), rows in doubt that are relayed. */
	uint64_t marked, settled;
	uint64_t waiting; /* pending items, for store_work() */
	uint64_t removing;
	uint64_t held;

	/* store_work, store_removals */
	struct store_item *items;
	size_t nitems;

	/* store_listing_end: so many messages are unknown that may be old ones,
	 * with first = since at the baseline all that are not marked; nothing
	 * was compared, see store_unknown().  Or it was compared, and a person
	 * must decide first: fault says it. */
	uint64_t unknown;
	bool paused;
	/* Of the unknown ones those that have a record, and those that are as
	 * good as known; the rest is in added. */
	uint64_t recognised, as_known;

	/* store_relayed: no other destination of this message is outstanding */
	bool complete;

	/* store_pause_load */
	struct store_pause pause;

	/* store_find_trace */
	size_t on_record; /* which of them is: 1 the first; 0: none */

	/* store_held_list */
	struct store_held *rows;
	size_t nrows;

	/* store_held_release, store_held_drop: rows */
	uint64_t decided;

	/* store_summary */
	struct store_summary *summary;
	size_t nsummary;

	/* store_history */
	struct store_past *past;
	size_t npast;
};

/* ok or not, done is called exactly once, from store_dispatch(). */
struct store_done {
	void (*run)(void *arg, struct store_answer *a);
	void *arg;
};

/* Opens or creates state.db in d (see statedir_open()).  With dry_run nothing
 * is ever committed, and a directory that does not exist yet is not made: d is
 * then NULL and the state is empty.  *exit_r as in statedir_open(). */
struct store *store_open(
    struct statedir *d, bool dry_run, int *exit_r, struct fault *fault_r);
/* Applies what is queued, answers nothing more, closes. */
void store_close(struct store **s);

/* Readable when answers wait, or requests: then call store_dispatch().  Nothing
 * is carried out before, so that what is asked for in one round of the loop
 * shares a commit. */
int store_fd(const struct store *s);
void store_dispatch(struct store *s);
/* Milliseconds since the thread last went round, 0 while it sleeps without
 * work: for the watchdog. */
int64_t store_stalled_ms(const struct store *s);

/* Transactions since the start: the microseconds until they were durable, and
 * the requests that shared one.  One that changes nothing syncs nothing. */
struct store_stats {
	struct histogram commit, group;
};
extern const int64_t store_commit_bounds_us[HISTOGRAM_BUCKETS];
extern const int64_t store_group_bounds[HISTOGRAM_BUCKETS];
void store_stats(struct store *s, struct store_stats *stats_r);
const char *store_engine_version(void); /* of SQLite */

/* Bytes of listings that were added and are not stored yet. */
#define STORE_BACKLOG_MAX ((size_t)1 << 20)
size_t store_backlog(const struct store *s);

/* Somebody who adds to a listing and has to wait. */
struct store_waiter {
	void (*room)(void *arg);
	void *arg;
	bool waiting;
	TAILQ_ENTRY(store_waiter) link;
};
/* Is the backlog above STORE_BACKLOG_MAX?  Then w is called once, from
 * store_dispatch(), when it is half of that or less; false: go on. */
bool store_wait(struct store *s, struct store_waiter *w);
void store_wait_cancel(struct store *s, struct store_waiter *w);

/* Random key of this installation: traces are HMACs under it. */
const unsigned char *store_install_key(const struct store *s);

/* Four hexadecimal digits that tell this installation from another one of the
 * same mailbox; no secret. */
#define STORE_TAG_SIZE 5
const char *store_install_tag(const struct store *s);

/* Who logs in where: an unknown name with a stored user and host is a renamed
 * account; a known name with another user is a fault (FAULT_NEVER): it may be
 * another person's mailbox. */
struct store_account {
	const char *name, *user, *host;
};
void store_mailbox(struct store *s, const struct store_account *account,
    const char *folder, struct store_done done);

/* The same, but records nothing: mailbox 0 when there is no record of it. */
void store_peek(struct store *s, const struct store_account *account,
    const char *folder, struct store_done done);

/* One entry of a listing.  uid is opaque for POP3 (at most STORE_UID_MAX
 * bytes without NUL), decimal for IMAP. */
struct store_entry {
	struct span uid;
	uint32_t number;
	uint64_t size; /* 0: not known */
};

struct store_listing {
	bool imap;           /* UIDs are ordered numbers */
	bool complete;       /* everything from list_from on was listed: what is
	                        missing is gone */
	uint64_t generation; /* UIDVALIDITY; 0 for POP3 */
	uint64_t list_from;  /* as answered by store_mailbox() */
	bool relay_all;      /* first = all: the baseline is relayed too */
	int64_t since;       /* IMAP, first = since: of the baseline what the
	                        server got from then on is relayed, and what
	                        has no date; wall clock, 0: not so */
	bool remove;     /* as in store_relayed(), for what a mark settles */
	bool recognised; /* the headers of what is unknown were given, as
	                    far as they are to be had */
	unsigned guard;  /* percent that must be unknown to ask; 0: never */
	uint64_t remove_after; /* seconds from relayed to removed; 0: not so */
	const char *const *destinations;
	size_t ndestinations;
};
/* begin, add ..., end; a begin drops what an earlier one left.  What is listed
 * is looked up as it comes: of l only imap and remove_after count for that, and
 * they must be those of the end.  add copies. */
void store_listing_begin(
    struct store *s, int64_t mailbox, const struct store_listing *l);
void store_listing_add(struct store *s, int64_t mailbox,
    const struct store_entry *entries, size_t n);

/* Without a baseline and relay_all, what is listed becomes known (IMAP: by the
 * high-water mark, without rows; with since only what is older), but only when
 * the listing is complete; an incomplete one before the baseline is a fault.
 * With one, what has no row is recorded as new, a row per destination.  What a
 * complete listing does not show is gone: at once when it was being removed,
 * else the second time in a row (DURABILITY.md 4.2).  remove_after sets
 * removing on messages that all their destinations had for so long, by a clock
 * that did not jump meanwhile (clock.c). */
void store_listing_end(struct store *s, int64_t mailbox,
    const struct store_listing *l, struct store_done done);

/* For a person who only looks: of these messages added have no record, and
 * waiting are on record as not yet relayed.  Of l only imap and generation
 * count; copied, nothing is recorded.  Where messages were numbered anew, all
 * are without a record. */
void store_compare(struct store *s, int64_t mailbox,
    const struct store_listing *l, const struct store_entry *entries, size_t n,
    struct store_done done);

/* In the place of store_listing_end(), POP3: what was added was not listed by
 * the server but fetched from it by another program.  It is known from then on,
 * but for what has a record already, and the mailbox has its baseline: what the
 * next listing shows besides is new, whatever "first" says.  listed and known
 * count, baseline says whether there was one before.  All of it or nothing, and
 * the same again changes nothing. */
void store_listing_import(
    struct store *s, int64_t mailbox, struct store_done done);

/* Those of the listed messages that carry our keyword (IMAP); copied, in as
 * many pieces as one likes, behind store_listing_add() and before the first
 * store_listing_end().  One that no record knows, also not by its fingerprint,
 * was relayed by a state that is lost: it is known from then on, and asked
 * about by nobody.  One that is in doubt, or waits with a doubt, and has one
 * destination was accepted there.  Another record is stronger than the mark. */
void store_marked(
    struct store *s, int64_t mailbox, const uint32_t *uids, size_t n);

/* The next at most limit messages of this session's listing that are unknown:
 * items with a number and nothing else, ascending. */
void store_unknown(struct store *s, int64_t mailbox, uint32_t after,
    size_t limit, struct store_done done);

struct store_header {
	uint32_t number;
	int64_t date;    /* when the server got it; 0: not known */
	bool identified; /* it has a header */
	unsigned char fingerprint[16];
};
/* Theirs; copied.  When all are in, store_listing_end() with recognised set
 * compares what is listed. */
void store_headers(struct store *s, int64_t mailbox,
    const struct store_header *headers, size_t n);

/* What a person decided about the unknown messages of a paused account: those
 * that were there when he was asked are known from now on, or all are to be
 * relayed.  The next poll acts on it.  unknown says how many; 0: nothing was
 * asked. */
void store_accept(struct store *s, const char *account, bool as_known,
    struct store_done done);

/* The next at most limit items that wait to be relayed now (new, in_doubt,
 * deferred with next_try <= now), by number, all rows of one message together
 * and never cut apart; after: the number to go on behind, 0 at the start. */
void store_work(struct store *s, int64_t mailbox, int64_t now, uint32_t after,
    size_t limit, struct store_done done);
/* Items with removing set, by number; POP3: that this session's listing showed.
 * One per message, however many destinations it had. */
void store_removals(struct store *s, int64_t mailbox, uint32_t after,
    size_t limit, struct store_done done);
/* The mailbox's session is over: forgets its listing. */
void store_listing_drop(struct store *s, int64_t mailbox);

/* From before the first byte of a message is fetched until it has gone its way,
 * one row of it is noted as underway; costs no commit and no sync.  A start
 * after a death counts it for each message that was, and holds what was there
 * STORE_DEATHS_MAX times (CASES R9). */
#define STORE_DEATHS_MAX 3
uint64_t store_killers(const struct store *s); /* held by this start */
void store_begin(struct store *s, int64_t id);
void store_end(struct store *s, int64_t id);

/* Before the dot.  A row that is in doubt already keeps that as doubt. */
struct store_attempt {
	int64_t now; /* wall clock, seconds */
	unsigned attempt;
	uint64_t size;
	const unsigned char *fingerprint; /* 16 bytes */
	const unsigned char *hash;        /* 32 bytes */
	const char *trace;
};
void store_in_doubt(struct store *s, int64_t id, const struct store_attempt *a,
    struct store_done done);

/* After a 2yz. */
struct store_success {
	int64_t now;
	int64_t usec; /* it took, for the history; 0: not known */
	bool remove;  /* after = delete: the removing flag is set on all rows of
	                 the message when this was the last destination */
	const char *reply;
};
void store_relayed(struct store *s, int64_t id, const struct store_success *a,
    struct store_done done);

/* A definite refusal, or one of our own (loop, NUL, too large).  state is
 * STORE_DEFERRED (with next_try) or STORE_HELD; a row with doubt stays in doubt
 * when it is only deferred (rule R4). */
struct store_refusal {
	enum store_state state;
	int64_t now, next_try;
	int64_t usec; /* as above */
	bool counted; /* DEFERRED: it is about this message */
	bool wrap; /* DEFERRED: from now on it goes out enclosed, until a person
	              releases it */
	const char *reply; /* words of the server, or ours */
	const char
	    *trace; /* for a row that has none yet; NULL or empty: none */
	const unsigned char *fingerprint; /* 16 bytes; NULL: not downloaded */
};
void store_refused(struct store *s, int64_t id, const struct store_refusal *r,
    struct store_done done);

/* Whose pause it is.  terms: a digest of what it is configured as; a pause that
 * was noted under other terms is over, because somebody changed something. */
enum store_party {
	STORE_ACCOUNT,
	STORE_DESTINATION,
	/* What people are told of (daemon/alert): since and not_before are when
	 * they were, alerted says that it lasts; the rest is not used. */
	STORE_NOTICE,
};
struct store_who {
	enum store_party party;
	const char *name;
	uint64_t terms;
};
void store_pause_load(
    struct store *s, const struct store_who *who, struct store_done done);
/* All but last_login and login_delay, which only a login changes. */
void store_pause_save(struct store *s, const struct store_who *who,
    const struct store_pause *p, struct store_done done);
/* Ends the pauses of that name, for accounts and destinations; waiting in the
 * answer says how many there were. */
void store_resume(struct store *s, const char *name, struct store_done done);
/* The server accepted a login and wants delay seconds to pass. */
void store_login(struct store *s, const char *account, int64_t now,
    int64_t delay, struct store_done done);

/* Whether one of these traces is that of a message on record, of whatever
 * account and in whatever state. */
void store_find_trace(struct store *s, const char *const *traces, size_t n,
    struct store_done done);

/* Which of the held messages; what is NULL or 0 leaves the choice open. */
struct store_choice {
	const char *account, *trace;
	int64_t id;
};
/* At most limit rows by id, behind the id after. */
void store_held_list(struct store *s, const struct store_choice *c,
    int64_t after, size_t limit, struct store_done done);
/* They are tried again at the next poll. */
void store_held_release(struct store *s, const struct store_choice *c,
    int64_t now, struct store_done done);
/* They are never relayed to that destination, and never removed. */
void store_held_drop(struct store *s, const struct store_choice *c, int64_t now,
    struct store_done done);
void store_held_free(struct store_held *rows, size_t n);

/* Mailboxes by number, behind after, at most limit; for a page that is shown,
 * not for each poll: it costs what waits, but not what was relayed. */
void store_summary(
    struct store *s, int64_t after, size_t limit, struct store_done done);
void store_summary_free(struct store_summary *rows, size_t n);

/* What was relayed and held, the newest first, at most limit rows older than
 * the row before (0: from the newest on); account may be NULL.  It is written
 * with the record itself.  Addresses and subjects are never stored. */
void store_history(struct store *s, const char *account, int64_t before,
    size_t limit, struct store_done done);
void store_history_free(struct store_past *rows, size_t n);
/* Forgets what is older than keep seconds, in steps that hold nobody up.  With
 * keep 0 everything is forgotten, and nothing is written from now on. */
void store_history_prune(struct store *s, int64_t keep, int64_t now);

/* A backup as that of backup_write(): what was answered before is in it.  It
 * is made in slices between the groups, so its answer comes late, out of order
 * and, when the store is closed before, never; then nothing is left of it. */
void store_backup(struct store *s, const char *file, struct store_done done);

void store_items_free(struct store_item *items, size_t n);

#endif
