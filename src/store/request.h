/* SPDX-License-Identifier: ISC */
/*
 * What travels from the loop to the database thread and back: a request with
 * its arguments copied, the function that carries it out, and the answer.
 * Private to store/.
 */
#ifndef STORE_REQUEST_H
#define STORE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/queue.h>

#include "store/backup.h"
#include "store/store.h"

struct db;
struct query;

/* recognition.decision */
enum recognise_decision {
	RECOGNISE_ASK,
	RECOGNISE_AS_KNOWN,
	RECOGNISE_RELAY,
};

struct request_mailbox {
	const char *name, *user, *host, *folder; /* in owned */
};

/* Entries of a listing, one behind the other in owned: this head and the bytes
 * of the UID.  Requests still in the queue take more of them. */
struct request_entry {
	uint64_t size;
	uint32_t number;
	uint32_t uid_len;
};

struct request_entries {
	size_t used, room; /* bytes */
};

struct request_compare {
	bool imap;
	uint64_t generation;
	size_t used; /* bytes in owned, as of request_entries */
};

struct request_traces {
	size_t n; /* strings, their pointers in owned */
};

struct request_choice {
	const char *account, *trace; /* in owned; empty: any */
	int64_t id;                  /* 0: any */
	int64_t after;
	size_t limit;
};

struct request_page {
	uint32_t after;
	size_t limit;
};

struct request_report {
	int64_t from;        /* a mailbox, or a row of the history */
	const char *account; /* in owned; empty: any */
	size_t limit;
};

struct request_prune {
	int64_t keep;
};

struct request_attempt {
	unsigned attempt;
	uint64_t size;
	unsigned char fingerprint[16];
	unsigned char hash[32];
	char trace[STORE_TRACE_MAX];
};

struct request_verdict {
	enum store_state state;
	int64_t next_try, usec;
	bool remove, counted, wrap;
	char trace[STORE_TRACE_MAX];
	char reply[STORE_REPLY_MAX];
	bool identified;
	unsigned char fingerprint[16];
};

struct request_headers {
	size_t n; /* of struct store_header, in owned */
};

struct request_marks {
	size_t n; /* of uint32_t, in owned */
};

struct request_accept {
	const char *account; /* in owned */
	enum recognise_decision decision;
};

struct request_pause {
	struct store_who who; /* name in owned */
	struct store_pause pause;
};

struct request {
	TAILQ_ENTRY(request) next;
	/* In the database thread, inside a transaction.  false: refused, with
	 * the fault set, and nothing written but behind db_enter(); an error of
	 * SQLite is seen in db->error instead.
	 * NULL: a backup (store.c), to the file in owned. */
	bool (*apply)(struct db *db, struct request *r);
	struct store_done done; /* run is NULL where nobody asks */
	struct store_answer answer;
	size_t weight; /* bytes it holds in the queue */
	bool again;    /* it wants to be carried out once more; done is NULL */

	int64_t id; /* of the mailbox or of the row */
	int64_t now;
	union {
		struct request_mailbox mailbox;
		struct request_entries entries;
		struct request_compare compare;
		struct store_listing listing; /* destinations in owned */
		struct request_traces traces;
		struct request_choice choice;
		struct request_page page;
		struct request_report report;
		struct request_prune prune;
		struct request_attempt attempt;
		struct request_verdict verdict;
		struct request_headers headers;
		struct request_marks marks;
		struct request_accept accept;
		struct request_pause pause;
	};
	void *owned; /* one block behind the pointers above */
};

TAILQ_HEAD(request_list, request);

/* store.c: in the loop. */
struct request *request_new(bool (*apply)(struct db *db, struct request *r),
    int64_t id, struct store_done done);
void request_send(struct store *s, struct request *r);

/* What a listing is compared with. */
struct mailbox_row {
	uint64_t generation;
	int64_t highwater;
	bool baseline;
	enum backup_rule restored;
	bool doubtful;  /* what seems new may have been relayed before */
	uint64_t quiet; /* messages of its listing that need nothing */
};

/* mailbox.c */
bool mailbox_find(struct db *db, struct request *r);
bool mailbox_peek(struct db *db, struct request *r);

/* listed.c */
bool listing_begin(struct db *db, struct request *r);
bool listing_add(struct db *db, struct request *r);
bool listing_drop(struct db *db, struct request *r);
/* From now on listed(id) tells the rows of the messages in this listing that
 * are quiet, and need not be looked at; so many they are.  false: none was
 * begun. */
bool listed_find(struct db *db, int64_t mailbox, uint64_t *quiet_r);
void listed_forget(struct db *db); /* all listings */

/* The listing of mailbox ?1 does not show this row of delivery. */
#define REQUEST_NOT_LISTED(row)                                                \
	" AND NOT listed(" row ".id)"                                          \
	" AND NOT EXISTS (SELECT 1 FROM listing l WHERE l.mailbox = ?1"        \
	"  AND l.uid = " row ".uid AND l.duplicate = " row ".duplicate)"

/* listing.c */
bool listing_end(struct db *db, struct request *r);
bool listing_import(struct db *db, struct request *r);

/* clock.c: the wall clock can be believed since then; 0: always could. */
int64_t clock_since(struct db *db, int64_t now);

/* work.c */
bool work_pending(struct db *db, struct request *r);
bool work_removals(struct db *db, struct request *r);

void request_add_number(struct request *r, uint32_t number);

/* recognise.c */
enum recognition {
	RECOGNITION_NONE, /* no reason to look closer */
	RECOGNITION_WAIT, /* for headers, or for a person: compare nothing */
	RECOGNITION_DONE, /* *m is as it is stored now */
};
enum recognition recognise(
    struct db *db, struct request *r, struct mailbox_row *m);
/* The first listing was recorded as known, as far as it is older than that. */
void recognise_baseline(
    struct db *db, const struct request *r, int64_t known_before);
/* A person was asked and has not decided: the fault says it. */
bool recognise_question(struct db *db, int64_t mailbox, struct fault *fault_r);
bool recognise_unknown(struct db *db, struct request *r);
bool recognise_headers(struct db *db, struct request *r);
bool recognise_accept(struct db *db, struct request *r);

/* POP3 has no high-water mark, and that of IMAP is not moved by half a listing:
 * what is known has a row. */
void recognise_add_known(struct db *db, const struct request *r);

/* mark.c */
bool mark_listed(struct db *db, struct request *r);
void mark_unknown_as_known(struct db *db, struct request *r, int64_t above);
void mark_settle_doubts(struct db *db, struct request *r);

/* delivery.c */
enum store_state delivery_state(const struct query *q, int column);
bool delivery_in_doubt(struct db *db, struct request *r);
bool delivery_relayed(struct db *db, struct request *r);
bool delivery_refused(struct db *db, struct request *r);

/* deaths.c */
struct underway;
uint64_t deaths_count(struct db *db, const struct underway *u);

/* pause.c */
bool pause_load(struct db *db, struct request *r);
bool pause_save(struct db *db, struct request *r);
bool pause_end(struct db *db, struct request *r);
/* What it was left alone for is answered; not what protects a login. */
void pause_answered(struct db *db, const char *account);
bool pause_login(struct db *db, struct request *r);

/* peek.c */
bool peek_compare(struct db *db, struct request *r);

/* held.c */
bool held_list(struct db *db, struct request *r);
bool held_release(struct db *db, struct request *r);
bool held_drop(struct db *db, struct request *r);

/* summary.c; the statements are for the test that asks how they are done. */
extern const char *const summary_sql[3];
bool summary_list(struct db *db, struct request *r);

/* history.c */
void history_add(struct db *db, int64_t id, int64_t now, int64_t usec,
    enum store_state state);
bool history_list(struct db *db, struct request *r);
bool history_prune(struct db *db, struct request *r);

/* trace.c */
bool trace_find(struct db *db, struct request *r);

#endif
