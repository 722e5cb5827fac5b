/* SPDX-License-Identifier: ISC */
/*
 * What is to be done in a mailbox now: messages to relay, messages to remove.
 *
 * A POP3 row is work only when this session's listing shows it, because only
 * the listing knows its message number.  Over IMAP the UID and the UIDVALIDITY
 * on record are enough.  Both walk an index in the order of the answer, so
 * that a page costs what it holds and not what the mailbox holds.
 */
#include "store/request.h"

#include <stdlib.h>

#include "base/mem.h"
#include "store/db.h"
#include "store/schema.h"

#define COLUMNS(number, size)                                                  \
	"SELECT d.id, d.uid, " number ", d.duplicate, " size                   \
	", d.destination, d.state, d.removing, d.attempt, d.doubt, d.trace"    \
	", d.refusals, d.first_refusal, d.deaths, d.wrapped"

/* CROSS JOIN keeps the listing outside: its index gives the order. */
#define FROM_LISTING                                                           \
	" FROM listing l INDEXED BY listing_number CROSS JOIN delivery d"      \
	" WHERE l.mailbox = ?1 AND l.number > ?2"                              \
	" AND d.mailbox = ?1 AND d.generation = ?3 AND d.uid = l.uid"          \
	" AND d.duplicate = l.duplicate"
#define LISTING_ORDER " ORDER BY l.mailbox, l.number"

#define FROM_UIDS                                                              \
	" FROM delivery d WHERE d.mailbox = ?1 AND d.generation = ?3"          \
	" AND d.uid > ?2 AND d.missed = 0"
#define UID_ORDER " ORDER BY d.uid"

#define PENDING " AND " SCHEMA_PENDING " AND d.next_try <= ?4"
#define REMOVING " AND d.removing = 1"

static const char pending_listed[] =
    COLUMNS("l.number", "l.size") FROM_LISTING PENDING LISTING_ORDER;
static const char pending_uids[] =
    COLUMNS("d.uid", "d.size") FROM_UIDS PENDING UID_ORDER;
static const char removing_listed[] =
    COLUMNS("l.number", "l.size") FROM_LISTING REMOVING LISTING_ORDER;
static const char removing_uids[] =
    COLUMNS("d.uid", "d.size") FROM_UIDS REMOVING UID_ORDER;

static void
read_item(struct query *q, struct store_item *item_r)
{
	*item_r = (struct store_item){
		.id = query_get(q, 0),
		.uid = query_dup(q, 1),
		.number = (uint32_t)query_get(q, 2),
		.duplicate = (uint32_t)query_get(q, 3),
		.size = (uint64_t)query_get(q, 4),
		.destination = query_dup(q, 5),
		.state = delivery_state(q, 6),
		.removing = query_get(q, 7) != 0,
		.attempt = (unsigned)query_get(q, 8),
		.refusals = (unsigned)query_get(q, 11),
		.first_refusal = query_get(q, 12),
		.deaths = (unsigned)query_get(q, 13),
		.wrapped = query_get(q, 14) != 0,
	};
	item_r->doubt = query_get(q, 9) != 0 || item_r->state == STORE_IN_DOUBT;
	query_copy(q, 10, item_r->trace, sizeof(item_r->trace));
}

static void
forget_item(struct store_item *item)
{
	free(item->uid);
	free(item->destination);
}

void
store_items_free(struct store_item *items, size_t n)
{
	for (size_t i = 0; i < n; i++)
		forget_item(&items[i]);
	free(items);
}

static void
append(struct store_answer *a, const struct store_item *item)
{
	a->items = mem_grow(a->items, a->nitems + 1, sizeof(*item));
	a->items[a->nitems++] = *item;
}

void
request_add_number(struct request *r, uint32_t number)
{
	append(&r->answer, &(struct store_item){ .number = number });
}

static bool
same_message(const struct store_answer *a, const struct store_item *item)
{
	return a->nitems > 0 && a->items[a->nitems - 1].number == item->number;
}

static void
cut_back(struct store_answer *a, size_t n)
{
	while (a->nitems > n)
		forget_item(&a->items[--a->nitems]);
}

/* A page ends between two messages; one that is longer than a page is let
 * through whole when it is alone. */
static void
read_messages(struct query *q, struct store_answer *a, size_t limit)
{
	size_t first = 0; /* item of the message being read */
	struct store_item item;

	while (query_row(q)) {
		read_item(q, &item);
		if (!same_message(a, &item))
			first = a->nitems;
		if (a->nitems >= limit && first > 0) {
			forget_item(&item);
			cut_back(a, first);
			return;
		}
		append(a, &item);
	}
}

/* A message is removed once, however many destinations it had. */
static void
read_removals(struct query *q, struct store_answer *a, size_t limit)
{
	struct store_item item;

	while (a->nitems < limit && query_row(q)) {
		read_item(q, &item);
		if (same_message(a, &item))
			forget_item(&item);
		else
			append(a, &item);
	}
}

/* A doubtful row that is handed out again: its try is over without a verdict,
 * and what is refused from now on is a resend (rule R4). */
static void
give_up_tries(struct db *db, const struct store_answer *a)
{
	for (size_t i = 0; i < a->nitems; i++)
		if (a->items[i].state == STORE_IN_DOUBT)
			idset_remove(&db->trying, a->items[i].id);
}

/* POP3 has no generation, IMAP always has one. */
static struct query *
open_page(struct db *db, const struct request *r, const char *listed,
    const char *uids)
{
	struct query *q =
	    db_query(db, "SELECT generation FROM mailbox WHERE id = ?1");
	int64_t generation;

	query_int(q, 1, r->id);
	generation = query_number(q);
	q = db_query(db, generation == 0 ? listed : uids);
	query_int(q, 1, r->id);
	query_int(q, 2, r->page.after);
	query_int(q, 3, generation);
	return q;
}

bool
work_pending(struct db *db, struct request *r)
{
	struct query *q = open_page(db, r, pending_listed, pending_uids);

	query_int(q, 4, r->now);
	if (r->page.limit > 0)
		read_messages(q, &r->answer, r->page.limit);
	give_up_tries(db, &r->answer);
	return true;
}

bool
work_removals(struct db *db, struct request *r)
{
	struct query *q = open_page(db, r, removing_listed, removing_uids);

	read_removals(q, &r->answer, r->page.limit);
	return true;
}
