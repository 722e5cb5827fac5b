/* SPDX-License-Identifier: ISC */
/*
 * The database thread and the loop's side of it: requests go in, groups are
 * committed, answers come out in order.
 *
 * The thread takes everything that waits, so a slow disk makes larger groups
 * and not longer queues.  After the first error of SQLite nothing is carried
 * out any more: what a failed commit left on the disk is not known until the
 * next start reads it (CASES D3, D4).
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
#include "store/statedir.h"
#include "store/underway.h"

#define BATCH_SIZE ((size_t)8 << 10) /* of listed entries, in one request */

_Static_assert(STORE_KEY_SIZE == DB_KEY_SIZE, "one install key");

struct store {
	struct db db; /* the thread's while it runs */
	pthread_t thread;
	int fd; /* eventfd: answers wait, or the backlog shrank */

	pthread_mutex_t lock; /* over the next four */
	pthread_cond_t wake;
	struct request_list queue, answered;
	bool stop;
	struct store_stats stats;

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
request_free(struct request *r)
{
	store_items_free(r->answer.items, r->answer.nitems);
	store_held_free(r->answer.rows, r->answer.nrows);
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

/* Everything that waits; false: nothing does and nothing will. */
static bool
take(struct store *s, struct request_list *group)
{
	pthread_mutex_lock(&s->lock);
	if (TAILQ_EMPTY(&s->queue))
		atomic_store(&s->busy_since, 0);
	while (TAILQ_EMPTY(&s->queue) && !s->stop)
		pthread_cond_wait(&s->wake, &s->lock);
	atomic_store(&s->busy_since, now_ms());
	TAILQ_CONCAT(group, &s->queue, next);
	pthread_mutex_unlock(&s->lock);
	return !TAILQ_EMPTY(group);
}

static void
carry_out(struct store *s, struct request *r)
{
	db_enter(&s->db);
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
		store_items_free(r->answer.items, r->answer.nitems);
		store_held_free(r->answer.rows, r->answer.nrows);
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
		else
			request_free(r);
	}
	pthread_mutex_lock(&s->lock);
	TAILQ_CONCAT(&s->answered, &answered, next);
	pthread_mutex_unlock(&s->lock);
	if (tell)
		ring(s);
}

static void *
run(void *arg)
{
	struct store *s = arg;
	struct request_list group = TAILQ_HEAD_INITIALIZER(group);

	while (take(s, &group)) {
		apply_group(s, &group);
		give_back(s, &group);
	}
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
	TAILQ_INIT(&s->queue);
	TAILQ_INIT(&s->answered);
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
	db_close(&s->db);
	underway_close(&s->underway);
	if (s->fd >= 0)
		close(s->fd);
	pthread_cond_destroy(&s->wake);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

struct store *
store_open(struct statedir *d, bool dry_run, int *exit_r, struct fault *fault_r)
{
	struct store *s = mem_alloc(sizeof(*s));

	s->db.dry_run = dry_run;
	if (!db_open(&s->db, d, exit_r, fault_r)) {
		free(s);
		return NULL;
	}
	underway_load(&s->underway, d != NULL && !dry_run ? d->dir : -1);
	s->killers = deaths_count(&s->db, &s->underway);
	underway_reset(&s->underway);
	*exit_r = EX_IOERR;
	if ((dry_run || statedir_initialised(d, fault_r)) && start(s, fault_r))
		return s;
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
store_dispatch(struct store *s)
{
	struct request_list answered = TAILQ_HEAD_INITIALIZER(answered);
	struct request *r;
	uint64_t count;

	/* Nothing to read is no error: somebody was quicker. */
	if (read(s->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_line(LOG_WARNING, "eventfd: %s", strerror(errno));
	pthread_mutex_lock(&s->lock);
	TAILQ_CONCAT(&answered, &s->answered, next);
	pthread_mutex_unlock(&s->lock);
	while ((r = TAILQ_FIRST(&answered)) != NULL) {
		TAILQ_REMOVE(&answered, r, next);
		r->done.run(r->done.arg, &r->answer);
		request_free(r);
	}
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

static struct request *
request_new(bool (*apply)(struct db *db, struct request *r), int64_t id,
    struct store_done done)
{
	struct request *r = mem_alloc(sizeof(*r));

	r->apply = apply;
	r->id = id;
	r->done = done;
	return r;
}

static void
send_request(struct store *s, struct request *r)
{
	pthread_mutex_lock(&s->lock);
	TAILQ_INSERT_TAIL(&s->queue, r, next);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

static const struct store_done nobody = { .run = NULL };

/* n strings behind their pointers, in one block. */
static char **
copy_strings(const char *const *strings, size_t n)
{
	size_t size = n * sizeof(char *);
	char **copy;
	char *at;

	for (size_t i = 0; i < n; i++)
		size += strlen(strings[i]) + 1;
	copy = mem_alloc(size);
	at = (char *)(copy + n);
	for (size_t i = 0; i < n; i++) {
		copy[i] = at;
		at = stpcpy(at, strings[i]) + 1;
	}
	return copy;
}

void
store_mailbox(struct store *s, const struct store_account *account,
    const char *folder, struct store_done done)
{
	const char *const strings[] = { account->name, account->user,
		account->host, folder };
	struct request *r = request_new(mailbox_find, 0, done);
	char **copy = copy_strings(strings, 4);

	r->owned = copy;
	r->mailbox = (struct request_mailbox){
		.name = copy[0],
		.user = copy[1],
		.host = copy[2],
		.folder = copy[3],
	};
	send_request(s, r);
}

void
store_listing_begin(struct store *s, int64_t mailbox)
{
	send_request(s, request_new(listing_begin, mailbox, nobody));
}

void
store_listing_drop(struct store *s, int64_t mailbox)
{
	send_request(s, request_new(listing_drop, mailbox, nobody));
}

/* The last request in the queue, if it still has room for so much more of the
 * same listing.  Under the lock. */
static struct request *
open_batch(struct store *s, int64_t mailbox, size_t size)
{
	struct request *r = TAILQ_LAST(&s->queue, request_list);

	if (r == NULL || r->apply != listing_add || r->id != mailbox ||
	    r->entries.room - r->entries.used < size)
		return NULL;
	return r;
}

static struct request *
new_batch(struct store *s, int64_t mailbox, size_t size)
{
	struct request *r = request_new(listing_add, mailbox, nobody);

	r->entries.room = size > BATCH_SIZE ? size : BATCH_SIZE;
	r->owned = mem_alloc(r->entries.room);
	r->weight = sizeof(*r) + r->entries.room;
	atomic_fetch_add(&s->backlog, r->weight);
	TAILQ_INSERT_TAIL(&s->queue, r, next);
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
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < n; i++)
		add_entry(s, mailbox, &entries[i]);
	pthread_cond_signal(&s->wake);
	pthread_mutex_unlock(&s->lock);
}

void
store_listing_end(struct store *s, int64_t mailbox,
    const struct store_listing *l, struct store_done done)
{
	struct request *r = request_new(listing_end, mailbox, done);
	char **copy = copy_strings(l->destinations, l->ndestinations);

	r->owned = copy;
	r->listing = *l;
	r->listing.destinations = (const char *const *)copy;
	send_request(s, r);
}

void
store_work(struct store *s, int64_t mailbox, int64_t now, uint32_t after,
    size_t limit, struct store_done done)
{
	struct request *r = request_new(work_pending, mailbox, done);

	r->now = now;
	r->page = (struct request_page){ .after = after, .limit = limit };
	send_request(s, r);
}

void
store_removals(struct store *s, int64_t mailbox, uint32_t after, size_t limit,
    struct store_done done)
{
	struct request *r = request_new(work_removals, mailbox, done);

	r->page = (struct request_page){ .after = after, .limit = limit };
	send_request(s, r);
}

void
store_in_doubt(struct store *s, int64_t id, const struct store_attempt *a,
    struct store_done done)
{
	struct request *r = request_new(delivery_in_doubt, id, done);
	struct request_attempt *copy = &r->attempt;

	r->now = a->now;
	copy->attempt = a->attempt;
	copy->size = a->size;
	memcpy(copy->fingerprint, a->fingerprint, sizeof(copy->fingerprint));
	memcpy(copy->hash, a->hash, sizeof(copy->hash));
	snprintf(copy->trace, sizeof(copy->trace), "%s", a->trace);
	send_request(s, r);
}

static void
copy_reply(struct request *r, const char *reply)
{
	snprintf(r->verdict.reply, sizeof(r->verdict.reply), "%s",
	    reply != NULL ? reply : "");
}

void
store_relayed(struct store *s, int64_t id, int64_t now, bool remove,
    const char *reply, struct store_done done)
{
	struct request *r = request_new(delivery_relayed, id, done);

	r->now = now;
	r->verdict.remove = remove;
	copy_reply(r, reply);
	send_request(s, r);
}

void
store_refused(struct store *s, int64_t id, const struct store_refusal *refusal,
    struct store_done done)
{
	struct request *r = request_new(delivery_refused, id, done);

	r->now = refusal->now;
	r->verdict.state = refusal->state;
	r->verdict.next_try = refusal->next_try;
	r->verdict.counted = refusal->counted;
	snprintf(r->verdict.trace, sizeof(r->verdict.trace), "%s",
	    refusal->trace != NULL ? refusal->trace : "");
	r->verdict.identified = refusal->fingerprint != NULL;
	if (r->verdict.identified)
		memcpy(r->verdict.fingerprint, refusal->fingerprint,
		    sizeof(r->verdict.fingerprint));
	copy_reply(r, refusal->reply);
	send_request(s, r);
}

void
store_unknown(struct store *s, int64_t mailbox, uint32_t after, size_t limit,
    struct store_done done)
{
	struct request *r = request_new(recognise_unknown, mailbox, done);

	r->page = (struct request_page){ .after = after, .limit = limit };
	send_request(s, r);
}

void
store_headers(struct store *s, int64_t mailbox,
    const struct store_header *headers, size_t n)
{
	struct request *r = request_new(recognise_headers, mailbox, nobody);
	struct store_header *copy = mem_array(n, sizeof(*copy));

	memcpy(copy, headers, n * sizeof(*copy));
	r->owned = copy;
	r->headers.n = n;
	send_request(s, r);
}

void
store_accept(
    struct store *s, const char *account, bool as_known, struct store_done done)
{
	struct request *r = request_new(recognise_accept, 0, done);

	r->owned = mem_strdup(account);
	r->accept.account = r->owned;
	r->accept.decision = as_known ? RECOGNISE_AS_KNOWN : RECOGNISE_RELAY;
	send_request(s, r);
}

void
store_find_trace(struct store *s, const char *const *traces, size_t n,
    struct store_done done)
{
	struct request *r = request_new(trace_find, 0, done);

	r->owned = copy_strings(traces, n);
	r->traces.n = n;
	send_request(s, r);
}

static struct request *
choice_new(bool (*apply)(struct db *db, struct request *r),
    const struct store_choice *c, struct store_done done)
{
	const char *const strings[] = { c->account != NULL ? c->account : "",
		c->trace != NULL ? c->trace : "" };
	struct request *r = request_new(apply, 0, done);
	char **copy = copy_strings(strings, 2);

	r->owned = copy;
	r->choice = (struct request_choice){
		.account = copy[0],
		.trace = copy[1],
		.id = c->id,
	};
	return r;
}

void
store_held_list(struct store *s, const struct store_choice *c, int64_t after,
    size_t limit, struct store_done done)
{
	struct request *r = choice_new(held_list, c, done);

	r->choice.after = after;
	r->choice.limit = limit;
	send_request(s, r);
}

void
store_held_release(struct store *s, const struct store_choice *c, int64_t now,
    struct store_done done)
{
	struct request *r = choice_new(held_release, c, done);

	r->now = now;
	send_request(s, r);
}

void
store_held_drop(struct store *s, const struct store_choice *c, int64_t now,
    struct store_done done)
{
	struct request *r = choice_new(held_drop, c, done);

	r->now = now;
	send_request(s, r);
}

static struct request *
pause_request(bool (*apply)(struct db *db, struct request *r),
    const struct store_who *who, struct store_done done)
{
	struct request *r = request_new(apply, 0, done);
	char **copy = copy_strings(&who->name, 1);

	r->owned = copy;
	r->pause.who = *who;
	r->pause.who.name = copy[0];
	return r;
}

void
store_pause_load(
    struct store *s, const struct store_who *who, struct store_done done)
{
	send_request(s, pause_request(pause_load, who, done));
}

void
store_pause_save(struct store *s, const struct store_who *who,
    const struct store_pause *p, struct store_done done)
{
	struct request *r = pause_request(pause_save, who, done);

	r->pause.pause = *p;
	send_request(s, r);
}

void
store_resume(struct store *s, const char *name, struct store_done done)
{
	struct store_who who = { .name = name };

	send_request(s, pause_request(pause_end, &who, done));
}

void
store_login(struct store *s, const char *account, int64_t now, int64_t delay,
    struct store_done done)
{
	struct store_who who = { .party = STORE_ACCOUNT, .name = account };
	struct request *r = pause_request(pause_login, &who, done);

	r->pause.pause.last_login = now;
	r->pause.pause.login_delay = delay;
	send_request(s, r);
}
