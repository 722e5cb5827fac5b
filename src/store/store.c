/* SPDX-License-Identifier: ISC */
/*
 * The database thread and the loop's side of it: requests go in, groups are
 * committed, answers come out in order.
 *
 * Requests collect until the loop comes round to store_dispatch(): what belongs
 * to one flight of replies shares a commit.  The thread takes everything that
 * waits, so a slow disk makes larger groups and not longer queues.  After the
 * first error of SQLite nothing is carried out any more: what a failed commit
 * left on the disk is not known until the next start reads it (CASES D3, D4).
 */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "base/log.h"
#include "base/mem.h"
#include "store/db.h"
#include "store/request.h"
#include "store/stamp.h"
#include "store/statedir.h"
#include "store/underway.h"

#define BATCH_SIZE ((size_t)8 << 10) /* of listed entries, in one request */

_Static_assert(STORE_KEY_SIZE == DB_KEY_SIZE, "one install key");

struct store {
	struct db db; /* the thread's while it runs */
	pthread_t thread;
	int fd; /* eventfd: requests or answers wait, or the backlog shrank */
	struct request_list sent; /* the loop's, until it comes round */

	pthread_mutex_t lock; /* over the next four */
	pthread_cond_t wake;
	struct request_list queue, answered;
	bool stop;
	struct store_stats stats;

	struct request_list copies; /* the thread's: backups wanted ... */
	struct backup *copy;        /* ... and the one that is being made */

	char tag[STORE_TAG_SIZE];

	TAILQ_HEAD(store_waiters, store_waiter) waiters; /* the loop's */

	struct stamp stamp;       /* the thread's */
	struct underway underway; /* the loop's */
	uint64_t killers;

	_Atomic size_t backlog;     /* bytes of listings in the queue */
	_Atomic int64_t busy_since; /* monotonic ms; 0: asleep */
};

const int64_t store_commit_bounds_us[HISTOGRAM_BUCKETS] = { 300, 1000, 3000,
	10000, 30000, 100000, 300000, 1000000, 3000000, 10000000, 30000000,
	INT64_MAX };
const int64_t store_group_bounds[HISTOGRAM_BUCKETS] = { 1, 2, 4, 8, 16, 32, 64,
	128, 256, 512, 1024, INT64_MAX };

static int64_t
now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t
now_ms(void)
{
	return now_us() / 1000;
}

static void
answer_free(struct store_answer *a)
{
	store_items_free(a->items, a->nitems);
	store_held_free(a->rows, a->nrows);
	store_summary_free(a->summary, a->nsummary);
	store_history_free(a->past, a->npast);
}

static void
request_free(struct request *r)
{
	answer_free(&r->answer);
	free(r->owned);
	free(r);
}

static void
free_all(struct request_list *list)
{
	struct request *r;

	while ((r = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, r, next);
		request_free(r);
	}
}

/* --- the thread ------------------------------------------------------- */

/* Everything that waits; false: nothing does and nothing will.  A backup that
 * is being made goes on between two groups, but holds up no stop. */
static bool
take(struct store *s, struct request_list *group)
{
	bool more;

	pthread_mutex_lock(&s->lock);
	if (TAILQ_EMPTY(&s->queue) && TAILQ_EMPTY(&s->copies)) {
		atomic_store(&s->busy_since, 0);
		while (TAILQ_EMPTY(&s->queue) && !s->stop)
			pthread_cond_wait(&s->wake, &s->lock);
	}
	atomic_store(&s->busy_since, now_ms());
	TAILQ_CONCAT(group, &s->queue, next);
	more = !TAILQ_EMPTY(group) || !s->stop;
	pthread_mutex_unlock(&s->lock);
	return more;
}

static void
carry_out(struct store *s, struct request *r)
{
	r->again = false;
	r->answer.ok = r->apply(&s->db, r);
	db_leave(&s->db, r->answer.ok);
	atomic_store(&s->busy_since, now_ms());
}

/* A group that was lost, or one that came after it. */
static void
fail_group(struct request_list *group, enum fault_when when, const char *why)
{
	struct request *r;

	TAILQ_FOREACH (r, group, next) {
		answer_free(&r->answer);
		r->answer = (struct store_answer){ .ok = false };
		fault_set(&r->answer.fault, FAULT_US, when, "state",
		    "state database failed: %s; restart", why);
	}
}

static void
count_commit(struct store *s, int64_t us, int64_t requests)
{
	pthread_mutex_lock(&s->lock);
	histogram_add(&s->stats.commit, store_commit_bounds_us, us);
	histogram_add(&s->stats.group, store_group_bounds, requests);
	pthread_mutex_unlock(&s->lock);
}

static void
apply_group(struct store *s, struct request_list *group)
{
	struct request *r;
	int64_t requests = 0, start;

	if (TAILQ_EMPTY(group))
		return;
	if (s->db.error != 0) {
		fail_group(group, FAULT_NEVER, s->db.message);
		return;
	}
	db_begin(&s->db);
	TAILQ_FOREACH (r, group, next) {
		carry_out(s, r);
		requests++;
	}
	start = now_us();
	if (db_commit(&s->db)) {
		count_commit(s, now_us() - start, requests);
		stamp_advance(&s->stamp, s->db.tries);
		return;
	}
	log_event(&(struct log_event){ .priority = LOG_CRIT,
		      .message_id = LOG_ID_STATE },
	    "state database failed: %s; nothing more is recorded or relayed "
	    "until a restart",
	    s->db.message);
	fail_group(group, FAULT_UNKNOWN, s->db.message);
}

static void
ring(const struct store *s)
{
	static const uint64_t one = 1;
	ssize_t n;

	do
		n = write(s->fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

/* Behind what came meanwhile, unless it is time to go. */
static void
queue_again(struct store *s, struct request *r)
{
	bool go_on;

	pthread_mutex_lock(&s->lock);
	go_on = !s->stop;
	if (go_on)
		TAILQ_INSERT_TAIL(&s->queue, r, next);
	pthread_mutex_unlock(&s->lock);
	if (!go_on)
		request_free(r);
}

/* Requests that nobody waits for end here; the rest goes back to the loop. */
static void
give_back(struct store *s, struct request_list *group)
{
	struct request_list answered = TAILQ_HEAD_INITIALIZER(answered);
	struct request *r;
	bool tell = false;

	while ((r = TAILQ_FIRST(group)) != NULL) {
		TAILQ_REMOVE(group, r, next);
		tell = tell || r->weight > 0 || r->done.run != NULL;
		atomic_fetch_sub(&s->backlog, r->weight);
		if (r->done.run != NULL)
			TAILQ_INSERT_TAIL(&answered, r, next);
		else if (r->again && r->answer.ok)
			queue_again(s, r);
		else
			request_free(r);
	}
	pthread_mutex_lock(&s->lock);
	TAILQ_CONCAT(&s->answered, &answered, next);
	pthread_mutex_unlock(&s->lock);
	if (tell)
		ring(s);
}

/* Backups are not made in a transaction, and take longer than a group. */
static void
set_copies_aside(struct store *s, struct request_list *group)
{
	struct request *r, *next;

	for (r = TAILQ_FIRST(group); r != NULL; r = next) {
		next = TAILQ_NEXT(r, next);
		if (r->apply != NULL)
			continue;
		TAILQ_REMOVE(group, r, next);
		TAILQ_INSERT_TAIL(&s->copies, r, next);
	}
}

/* One slice of the first one. */
static enum backup_progress
go_on_copying(struct store *s, struct request *r)
{
	struct fault *f = &r->answer.fault;
	int code;

	if (s->db.error != 0) {
		fault_set(f, FAULT_US, FAULT_NEVER, "backup",
		    "state database failed: %s; restart", s->db.message);
		return BACKUP_FAILED;
	}
	if (s->copy == NULL)
		s->copy = backup_begin(&s->db, r->owned, &code, f);
	return s->copy != NULL ? backup_step(s->copy, &code, f) : BACKUP_FAILED;
}

static void
copy_some(struct store *s)
{
	struct request_list done = TAILQ_HEAD_INITIALIZER(done);
	struct request *r = TAILQ_FIRST(&s->copies);
	enum backup_progress progress;

	if (r == NULL)
		return;
	progress = go_on_copying(s, r);
	if (progress == BACKUP_MORE)
		return;
	backup_end(&s->copy);
	r->answer.ok = progress == BACKUP_DONE;
	TAILQ_REMOVE(&s->copies, r, next);
	TAILQ_INSERT_TAIL(&done, r, next);
	give_back(s, &done);
}

static void *
run(void *arg)
{
	struct store *s = arg;
	struct request_list group = TAILQ_HEAD_INITIALIZER(group);

	while (take(s, &group)) {
		set_copies_aside(s, &group);
		apply_group(s, &group);
		give_back(s, &group);
		copy_some(s);
	}
	backup_end(&s->copy);
	free_all(&s->copies);
	return NULL;
}

/* Signals are for the loop. */
static int
start_thread(struct store *s)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&s->thread, NULL, run, s);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

/* --- open, close, dispatch -------------------------------------------- */

static bool
start(struct store *s, struct fault *fault_r)
{
	int error;

	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->wake, NULL);
	TAILQ_INIT(&s->sent);
	TAILQ_INIT(&s->queue);
	TAILQ_INIT(&s->answered);
	TAILQ_INIT(&s->copies);
	TAILQ_INIT(&s->waiters);
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = s->fd < 0 ? errno : start_thread(s);
	if (error == 0)
		return true;
	fault_set(fault_r, FAULT_US, FAULT_LATER, "state",
	    "cannot start the database thread: %s", strerror(error));
	return false;
}

static void
destroy(struct store *s)
{
	listed_forget(&s->db);
	db_close(&s->db);
	stamp_close(&s->stamp);
	underway_close(&s->underway);
	if (s->fd >= 0)
		close(s->fd);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static bool
refuse_stamp(const struct statedir *d, struct fault *fault_r)
{
	fault_set(fault_r, FAULT_US, FAULT_NEVER, "state",
	    "cannot use STAMP in %s: %s", d->path, strerror(errno));
	return false;
}

/* Was the database put there behind our back?  Then it is like a restored one;
 * without the file that would say so it may be. */
static bool
look_back(struct store *s, const struct statedir *d, bool *old_r,
    struct fault *fault_r)
{
	struct stamp seen;
	bool whole, ours;

	if (d == NULL || d->fresh)
		return true;
	whole = stamp_read(d->dir, &seen);
	if (!whole && errno != 0)
		return refuse_stamp(d, fault_r);
	ours = whole && strcmp(seen.id, d->id) == 0;
	*old_r = !ours || seen.tries > s->db.tries;
	if (!*old_r)
		return true;
	log_event(&(struct log_event){ .priority = LOG_WARNING,
		      .message_id = LOG_ID_STATE },
	    "%s/state.db %s: it is treated as a backup that was restored, see "
	    "mailhaul(1); what it does not know may have been relayed",
	    d->path,
	    ours    ? "is older than the last one that was used here"
	    : whole ? "is not the one that was used here last"
		    : "may be an old one, STAMP is missing or damaged");
	db_begin(&s->db);
	backup_mark(&s->db, BACKUP_ASK, ours ? seen.tries : 0);
	db_commit(&s->db);
	return true;
}

static bool
remember(struct store *s, struct statedir *d, struct fault *fault_r)
{
	return stamp_open(&s->stamp, d->dir, d->id, s->db.tries)
	           ? statedir_initialised(d, fault_r)
	           : refuse_stamp(d, fault_r);
}

/* What was underway is on record by the numbers of its rows, which an old
 * database gave to others. */
static void
count_deaths(struct store *s, int dir, bool old)
{
	underway_load(&s->underway, dir);
	if (!old)
		s->killers = deaths_count(&s->db, &s->underway);
	underway_reset(&s->underway);
}

struct store *
store_open(struct statedir *d, bool dry_run, int *exit_r, struct fault *fault_r)
{
	struct store *s = mem_alloc(sizeof(*s));
	bool old = false;

	s->db.dry_run = dry_run;
	s->stamp.fd = s->underway.fd = -1;
	if (!db_open(&s->db, d, exit_r, fault_r)) {
		free(s);
		return NULL;
	}
	snprintf(s->tag, sizeof(s->tag), "%.*s", STORE_TAG_SIZE - 1,
	    s->db.install_id);
	*exit_r = EX_IOERR;
	if (!look_back(s, d, &old, fault_r))
		goto refused;
	count_deaths(s, d != NULL && !dry_run ? d->dir : -1, old);
	if ((dry_run || remember(s, d, fault_r)) && start(s, fault_r))
		return s;
refused:
	destroy(s);
	return NULL;
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;

	*sp = NULL;
	if (s == NULL)
		return;
	pthread_mutex_lock(&s->lock);
	TAILQ_CONCAT(&s->queue, &s->sent, next);
	s->stop = true;
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
	pthread_join(s->thread, NULL);
	free_all(&s->answered);
	destroy(s);
}

int
store_fd(const struct store *s)
{
	return s->fd;
}

void
store_wait_cancel(struct store *s, struct store_waiter *w)
{
	if (!w->waiting)
		return;
	TAILQ_REMOVE(&s->waiters, w, link);
	w->waiting = false;
}

bool
store_wait(struct store *s, struct store_waiter *w)
{
	if (store_backlog(s) <= STORE_BACKLOG_MAX)
		return false;
	if (!w->waiting)
		TAILQ_INSERT_TAIL(&s->waiters, w, link);
	w->waiting = true;
	return true;
}

/* The thread rings whenever the backlog shrinks. */
static void
tell_room(struct store *s)
{
	struct store_waiter *w;

	while (store_backlog(s) <= STORE_BACKLOG_MAX / 2 &&
	       (w = TAILQ_FIRST(&s->waiters)) != NULL) {
		store_wait_cancel(s, w);
		w->room(w->arg);
	}
}

/* Answers first: what is asked for because of them goes along. */
static void
give_answers(struct store *s)
{
	struct request_list answered = TAILQ_HEAD_INITIALIZER(answered);
	struct request *r;

	pthread_mutex_lock(&s->lock);
	TAILQ_CONCAT(&answered, &s->answered, next);
	pthread_mutex_unlock(&s->lock);
	while ((r = TAILQ_FIRST(&answered)) != NULL) {
		TAILQ_REMOVE(&answered, r, next);
		r->done.run(r->done.arg, &r->answer);
		request_free(r);
	}
}

static void
hand_over(struct store *s)
{
	if (TAILQ_EMPTY(&s->sent))
		return;
	pthread_mutex_lock(&s->lock);
	TAILQ_CONCAT(&s->queue, &s->sent, next);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void
store_dispatch(struct store *s)
{
	uint64_t count;

	/* Nothing to read is no error: somebody was quicker. */
	if (read(s->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_line(LOG_WARNING, "eventfd: %s", strerror(errno));
	give_answers(s);
	tell_room(s);
	hand_over(s);
}

int64_t
store_stalled_ms(const struct store *s)
{
	int64_t since = atomic_load(&s->busy_since);

	return since == 0 ? 0 : now_ms() - since;
}

void
store_stats(struct store *s, struct store_stats *stats_r)
{
	pthread_mutex_lock(&s->lock);
	*stats_r = s->stats;
	pthread_mutex_unlock(&s->lock);
}

const char *
store_engine_version(void)
{
	return sqlite3_libversion();
}

size_t
store_backlog(const struct store *s)
{
	return atomic_load(&s->backlog);
}

const unsigned char *
store_install_key(const struct store *s)
{
	return s->db.install_key;
}

const char *
store_install_tag(const struct store *s)
{
	return s->tag;
}

uint64_t
store_killers(const struct store *s)
{
	return s->killers;
}

void
store_begin(struct store *s, int64_t id)
{
	underway_begin(&s->underway, id);
}

void
store_end(struct store *s, int64_t id)
{
	underway_end(&s->underway, id);
}

/* --- requests --------------------------------------------------------- */

struct request *
request_new(bool (*apply)(struct db *db, struct request *r), int64_t id,
    struct store_done done)
{
	struct request *r = mem_alloc(sizeof(*r));

	r->apply = apply;
	r->id = id;
	r->done = done;
	return r;
}

/* The first one calls for store_dispatch(). */
void
request_send(struct store *s, struct request *r)
{
	if (TAILQ_EMPTY(&s->sent))
		ring(s);
	TAILQ_INSERT_TAIL(&s->sent, r, next);
}

/* The last request, if it still has room for so much more of the same listing.
 */
static struct request *
open_batch(struct store *s, int64_t mailbox, size_t size)
{
	struct request *r = TAILQ_LAST(&s->sent, request_list);

	if (r == NULL || r->apply != listing_add || r->id != mailbox ||
	    r->entries.room - r->entries.used < size)
		return NULL;
	return r;
}

static struct request *
new_batch(struct store *s, int64_t mailbox, size_t size)
{
	struct request *r = request_new(
	    listing_add, mailbox, (struct store_done){ .run = NULL });

	r->entries.room = size > BATCH_SIZE ? size : BATCH_SIZE;
	r->owned = mem_alloc(r->entries.room);
	r->weight = sizeof(*r) + r->entries.room;
	atomic_fetch_add(&s->backlog, r->weight);
	request_send(s, r);
	return r;
}

static void
add_entry(struct store *s, int64_t mailbox, const struct store_entry *e)
{
	struct request_entry head = { .size = e->size,
		.number = e->number,
		.uid_len = (uint32_t)e->uid.n };
	size_t size = sizeof(head) + e->uid.n;
	struct request *r = open_batch(s, mailbox, size);
	char *at;

	if (r == NULL)
		r = new_batch(s, mailbox, size);
	at = (char *)r->owned + r->entries.used;
	memcpy(at, &head, sizeof(head));
	if (e->uid.n > 0)
		memcpy(at + sizeof(head), e->uid.p, e->uid.n);
	r->entries.used += size;
}

void
store_listing_add(struct store *s, int64_t mailbox,
    const struct store_entry *entries, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add_entry(s, mailbox, &entries[i]);
}
