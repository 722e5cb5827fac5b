/* SPDX-License-Identifier: ISC */
/*
 * What the tests of the store share: a state directory of their own, a pump
 * that waits for one answer, a mailbox listed from a table, and a disk that
 * counts its syncs and fails on request.
 */
#ifndef TESTS_UNIT_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/statedir.h"
#include "store/store.h"

struct world {
	char base[64]; /* a directory that is removed at the end */
	char path[80]; /* the state directory in it */
	struct statedir dir;
	struct store *store;
	int64_t mailbox;
	struct store_answer
	    a; /* the last one; its items and rows go with the next */
	bool waiting;
	int exit;
	struct fault fault;
};

void world_init(struct world *w);
void world_open(struct world *w); /* directory and store, for the account */
void world_close(struct world *w);
void world_free(struct world *w);

/* The request's answer goes to w->a. */
struct store_done world_done(struct world *w);
const struct store_answer *world_wait(struct world *w);

const struct store_answer *world_mailbox(
    struct world *w, const char *name, const char *user, const char *host);
/* NULL ends the list of UIDs; message numbers count from 1. */
void world_list(struct world *w, const char *const *uids);
void world_list_for(
    struct world *w, const struct store_listing *l, const char *const *uids);
/* Where the store wants headers it is told that there are none. */
const struct store_answer *world_end(
    struct world *w, const struct store_listing *l);
const struct store_answer *world_work(
    struct world *w, int64_t now, uint32_t after, size_t limit);
const struct store_answer *world_removals(struct world *w);
const struct store_answer *world_in_doubt(struct world *w, int64_t id);
const struct store_answer *world_relayed(
    struct world *w, int64_t id, bool remove);
const struct store_answer *world_refused(
    struct world *w, int64_t id, enum store_state state, int64_t next_try);

/* One destination, all of it, nothing of what was there before. */
extern const struct store_listing world_pop3;
#define UIDS(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define NOTHING ((const char *const[]){ NULL })

const struct store_answer *world_poll(struct world *w, const char *const *uids);
/* One message, listed in a mailbox whose baseline was empty; its row. */
int64_t world_one_new(struct world *w);
void assert_refused(const struct store_answer *a, enum fault_scope scope,
    enum fault_when when, const char *words);

/* One number from the closed database. */
int64_t world_number(const struct world *w, const char *sql);
/* All rows of all tables as text; to be freed. */
char *world_dump(const struct world *w);
void world_sql(const struct world *w, const char *sql);

extern unsigned disk_syncs; /* since it was last set to 0 */
extern bool disk_fails;     /* every sync from now on */

#endif
