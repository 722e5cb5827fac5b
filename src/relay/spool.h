/* SPDX-License-Identifier: ISC */
/*
 * One downloaded message, whole, before the first byte of it is submitted: in
 * memory while it is small, else in a file of the state directory that has no
 * name and so cannot outlive the process.  Not synced: the original is still
 * on its server.
 *
 * What is written is normalised on the way in (proto/dot), scanned
 * (proto/header) and hashed; what is read is ready for the wire but for dots.
 * A pool bounds all spools together; whoever wants to download reserves the
 * listed size first, and that is the only brake on downloads.  It is shared
 * fairly: nobody fills it alone, so that a backlog leaves room for the first
 * message of somebody else, and the first of anybody who waits comes before the
 * next of one who holds some already.
 */
#ifndef RELAY_SPOOL_H
#define RELAY_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/fault.h"
#include "proto/header.h"
#include "proto/report.h"

#define SPOOL_MEMORY (256 * 1024)          /* a message above goes to a file */
#define SPOOL_MEMORY_ALL (4 * 1024 * 1024) /* all of them together */
#define SPOOL_MESSAGES 512                 /* fill a pool, however small */
#define SPOOL_PIECE (64 * 1024)            /* what spool_read() gives at most */
#define SPOOL_FINGERPRINT 16
#define SPOOL_HASH 32

struct spool;
struct spool_pool;

/* Whoever has a share of the pool: an account.  Zeroed by its owner; nothing
 * is held when it goes. */
struct spool_holder {
	uint64_t held; /* reserved bytes */
};

/* Somebody who waits for room. */
struct spool_waiter {
	void (*room)(void *arg);
	void *arg;
	struct spool_holder *holder; /* foreign; several may wait for one */
	bool waiting;
	TAILQ_ENTRY(spool_waiter) link;
};

/* dir: where files go (foreign descriptor; must stay open).  max in bytes. */
struct spool_pool *spool_pool_new(int dir, uint64_t max);
void spool_pool_resize(struct spool_pool *p, uint64_t max);
int spool_pool_dir(const struct spool_pool *p);
uint64_t spool_pool_used(const struct spool_pool *p); /* reserved bytes */
void spool_pool_free(struct spool_pool **p);

/* What a message of that size takes of the pool.  Small ones take more than
 * their bytes: each has records in memory, and may need a file. */
uint64_t spool_cost(const struct spool_pool *p, uint64_t size);
/* Room for size more bytes of w->holder, or false and w is called once when
 * some was given back.  An empty pool has room for anything; who holds nothing
 * may take all that is free, and else everybody leaves as much as he has: of n
 * who hold some, each takes no more than an (n+1)th part. */
bool spool_reserve(struct spool_pool *p, uint64_t size, struct spool_waiter *w);
void spool_release(
    struct spool_pool *p, uint64_t size, struct spool_holder *holder);
void spool_waiter_cancel(struct spool_pool *p, struct spool_waiter *w);

/* token: for the loop check (relay/trace).  limit: bytes after which writing
 * fails with FAULT_MESSAGE / FAULT_NEVER. */
struct spool *spool_new(
    struct spool_pool *p, const char *token, uint64_t limit);
struct spool *spool_ref(struct spool *s);
void spool_unref(struct spool **s); /* the last one frees memory and file */

bool spool_write(struct spool *s, struct span raw, struct fault *f);
bool spool_finish(struct spool *s, struct fault *f);

/* Valid once finished. */
uint64_t spool_size(const struct spool *s);
const struct header_scan *spool_scan(const struct spool *s);
/* What it is a delivery report about; empty when its header says that it is no
 * notification at all. */
const struct report_scan *spool_report(const struct spool *s);
const unsigned char *spool_fingerprint(const struct spool *s);
const unsigned char *spool_hash(const struct spool *s);
bool spool_in_memory(const struct spool *s);
/* Up to SPOOL_PIECE bytes at offset; empty at the end; false: the file could
 * not be read.  Of a file they are read into room, of SPOOL_PIECE bytes, which
 * is the caller's, because several may be reading; room may be NULL when the
 * spool is in memory. */
bool spool_read(const struct spool *s, uint64_t offset, char *room,
    struct span *piece_r, struct fault *f);

#endif
