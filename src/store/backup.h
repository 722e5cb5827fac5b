/* SPDX-License-Identifier: ISC */
/*
 * The state in one file, and the way back.
 *
 * A backup is a database like state.db, install key and all, so whoever has it
 * can forge traces: it is made with mode 0600.  A backup is always old: what
 * was relayed since it was made is not in it.  So a restored state is marked,
 * and the first listing of each mailbox decides what becomes of the messages
 * that it does not know (listing.c): nothing is relayed again without saying
 * so.
 */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

struct db;
struct statedir;

/* What is done with messages that a restored state does not know; kept in
 * mailbox.restored until the first complete listing. */
enum backup_rule {
	BACKUP_SETTLED,  /* not restored, or decided */
	BACKUP_ASK,      /* a few are relayed, more pause the account */
	BACKUP_AS_KNOWN, /* never relayed, never removed */
	BACKUP_RELAY,    /* relayed, announced as possible duplicates */
};

/* d is open and locked.  file must not exist.  false: *exit_r is a sysexits
 * code, fault_r one clear sentence. */
bool backup_write(
    struct statedir *d, const char *file, int *exit_r, struct fault *fault_r);

/* The same of an open database, in slices; between two of them it may be read
 * and changed, and what is changed is in the backup.  No transaction may be
 * open. */
struct backup;
enum backup_progress {
	BACKUP_MORE,
	BACKUP_DONE,
	BACKUP_FAILED,
};
struct backup *backup_begin(
    struct db *db, const char *file, int *exit_r, struct fault *fault_r);
enum backup_progress backup_step(
    struct backup *b, int *exit_r, struct fault *fault_r);
/* What is not DONE leaves nothing behind. */
void backup_end(struct backup **b);

struct backup_restore {
	const char *file;
	enum backup_rule rule; /* not BACKUP_SETTLED */
	bool force;            /* a database that is there is moved aside */
	char aside[48];        /* its new name in d; empty: there was none */
	unsigned long accounts, mailboxes; /* in the restored state */
};
/* In a transaction: this state is an old one.  tries: at least so many were
 * made. */
void backup_mark(struct db *db, enum backup_rule rule, int64_t tries);

/* Nothing in d is touched before file was copied and found good. */
bool backup_restore(struct statedir *d, struct backup_restore *r, int *exit_r,
    struct fault *fault_r);

#endif
