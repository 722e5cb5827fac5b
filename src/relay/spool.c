/* SPDX-License-Identifier: ISC */
#include "relay/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "proto/dot.h"
#include "relay/fingerprint.h"

struct spool_pool {
	int dir; /* foreign */
	uint64_t max, reserved;
	unsigned holders; /* who hold some of that */
	size_t memory;    /* of all spools */
	struct digest empty;
	TAILQ_HEAD(spool_waiters, spool_waiter) waiters;
};

struct spool {
	struct spool_pool *pool; /* foreign */
	unsigned refs;
	struct dot_normaliser normaliser;
	struct header_scan scan;
	struct report_scan report;
	struct digest content;
	unsigned char fingerprint[SPOOL_HASH], hash[SPOOL_HASH];
	uint64_t size, limit;
	char *mem; /* owned: the message; NULL: it is in a file */
	size_t cap;
	size_t counted; /* of cap, in pool->memory */
	int fd;         /* -1: in memory */
};

struct spool_pool *
spool_pool_new(int dir, uint64_t max)
{
	struct spool_pool *p = mem_alloc(sizeof(*p));

	p->dir = dir;
	p->max = max;
	TAILQ_INIT(&p->waiters);
	digest_init(&p->empty);
	return p;
}

void
spool_pool_resize(struct spool_pool *p, uint64_t max)
{
	p->max = max;
}

int
spool_pool_dir(const struct spool_pool *p)
{
	return p->dir;
}

uint64_t
spool_pool_used(const struct spool_pool *p)
{
	return p->reserved;
}

void
spool_pool_free(struct spool_pool **p)
{
	if (*p == NULL)
		return;
	digest_free(&(*p)->empty);
	free(*p);
	*p = NULL;
}

/* Who holds something will give it back, and looks again then; who holds
 * nothing might wait for ever behind those. */
static bool
somebody_has_nothing(const struct spool_pool *p)
{
	const struct spool_waiter *w;

	TAILQ_FOREACH (w, &p->waiters, link)
		if (w->holder->held == 0)
			return true;
	return false;
}

static bool
has_room(
    const struct spool_pool *p, uint64_t size, const struct spool_holder *h)
{
	uint64_t share = p->max / (p->holders + 1);

	if (p->reserved == 0)
		return true;
	if (size > p->max || p->reserved > p->max - size)
		return false;
	return h->held == 0 || (size <= share && h->held <= share - size &&
				   !somebody_has_nothing(p));
}

uint64_t
spool_cost(const struct spool_pool *p, uint64_t size)
{
	uint64_t least = p->max / SPOOL_MESSAGES;

	/* One byte keeps even an empty one counted. */
	return size + 1 > least ? size + 1 : least;
}

bool
spool_reserve(struct spool_pool *p, uint64_t size, struct spool_waiter *w)
{
	if (has_room(p, size, w->holder)) {
		p->holders += w->holder->held == 0;
		p->reserved += size;
		w->holder->held += size;
		return true;
	}
	if (!w->waiting) {
		w->waiting = true;
		TAILQ_INSERT_TAIL(&p->waiters, w, link);
	}
	return false;
}

/* Everybody who waits now looks again, in the order in which they came; who
 * still finds no room joins the end. */
void
spool_release(struct spool_pool *p, uint64_t size, struct spool_holder *holder)
{
	struct spool_waiter *w;
	size_t n = 0;

	p->reserved -= size;
	holder->held -= size;
	p->holders -= holder->held == 0;
	TAILQ_FOREACH (w, &p->waiters, link)
		n++;
	for (; n > 0 && (w = TAILQ_FIRST(&p->waiters)) != NULL; n--) {
		spool_waiter_cancel(p, w);
		w->room(w->arg);
	}
}

void
spool_waiter_cancel(struct spool_pool *p, struct spool_waiter *w)
{
	if (!w->waiting)
		return;
	TAILQ_REMOVE(&p->waiters, w, link);
	w->waiting = false;
}

struct spool *
spool_new(struct spool_pool *p, const char *token, uint64_t limit)
{
	struct spool *s = mem_alloc(sizeof(*s));

	s->pool = p;
	s->refs = 1;
	s->limit = limit;
	s->fd = -1;
	dot_normalise_init(&s->normaliser);
	header_init(&s->scan, token);
	report_init(&s->report);
	digest_copy(&s->content, &p->empty);
	return s;
}

struct spool *
spool_ref(struct spool *s)
{
	s->refs++;
	return s;
}

void
spool_unref(struct spool **spool)
{
	struct spool *s = *spool;

	*spool = NULL;
	if (s == NULL || --s->refs > 0)
		return;
	digest_free(&s->content);
	s->pool->memory -= s->counted;
	if (s->fd >= 0)
		close(s->fd);
	free(s->mem);
	free(s);
}

static bool
fail_disk(struct fault *f, const char *what)
{
	/* This message only: a smaller one may still find room (CASES D11). */
	fault_set(f, FAULT_MESSAGE, FAULT_LATER, "spool",
	    "cannot %s a spool file in the state directory: %s", what,
	    strerror(errno));
	f->hint = errno == ENOSPC || errno == EDQUOT
	              ? "make room on the disk of the state directory"
	              : NULL;
	return false;
}

static bool
write_file(struct spool *s, struct span bytes, struct fault *f)
{
	while (bytes.n > 0) {
		ssize_t n = write(s->fd, bytes.p, bytes.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail_disk(f, "write");
		bytes = span_skip(bytes, (size_t)n);
	}
	return true;
}

static void
set_memory(struct spool *s, size_t cap)
{
	s->mem = mem_grow(s->mem, cap, 1);
	s->pool->memory = s->pool->memory - s->counted + cap;
	s->cap = s->counted = cap;
}

/* From here on the message lives in a file that has no name. */
static bool
move_to_file(struct spool *s, struct fault *f)
{
	s->fd = openat(s->pool->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return fail_disk(f, "make");
	if (!write_file(s, span_make(s->mem, s->size), f))
		return false;
	free(s->mem);
	s->mem = NULL;
	s->pool->memory -= s->counted;
	s->cap = s->counted = 0;
	return true;
}

static bool
has_memory_for(const struct spool *s, size_t cap)
{
	return cap <= SPOOL_MEMORY &&
	       s->pool->memory - s->counted + cap <= SPOOL_MEMORY_ALL;
}

static bool
store_bytes(struct spool *s, struct span bytes, struct fault *f)
{
	size_t need = s->size + bytes.n, cap = s->cap > 0 ? s->cap : 4096;

	if (s->fd < 0 && need > s->cap) {
		while (cap < need)
			cap *= 2;
		if (has_memory_for(s, cap))
			set_memory(s, cap);
		else if (!move_to_file(s, f))
			return false;
	}
	if (s->fd >= 0)
		return write_file(s, bytes, f);
	memcpy(s->mem + s->size, bytes.p, bytes.n);
	return true;
}

/* The digest stands behind the header, which is the beginning of all. */
static void
take_fingerprint(struct spool *s)
{
	struct digest header;

	digest_copy(&header, &s->content);
	digest_end(&header, s->fingerprint);
}

/* Looks at each byte once: the header first, and the body only of what the
 * header says is a notification. */
static void
scan(struct spool *s, struct span bytes)
{
	uint64_t before = s->scan.bytes;
	bool in_header = !s->scan.body;

	header_feed(&s->scan, bytes);
	if (in_header && s->scan.body) {
		size_t n = (size_t)(s->scan.header_bytes - before);

		digest_add(&s->content, span_make(bytes.p, n));
		take_fingerprint(s);
		bytes = span_skip(bytes, n);
	}
	digest_add(&s->content, bytes);
	if (s->scan.body && (s->scan.null_sender || s->scan.report))
		report_feed(&s->report, bytes);
}

static bool
take(struct spool *s, struct span bytes, struct fault *f)
{
	if (bytes.n > s->limit - s->size) {
		fault_set(f, FAULT_MESSAGE, FAULT_NEVER, "download",
		    "larger than message_max (%llu bytes)",
		    (unsigned long long)s->limit);
		f->hint = "raise message_max and release the message";
		return false;
	}
	if (!store_bytes(s, bytes, f))
		return false;
	s->size += bytes.n;
	scan(s, bytes);
	return true;
}

bool
spool_write(struct spool *s, struct span raw, struct fault *f)
{
	struct span out;

	while (dot_normalise(&s->normaliser, &raw, &out) == DOT_DATA)
		if (!take(s, out, f))
			return false;
	return true;
}

bool
spool_finish(struct spool *s, struct fault *f)
{
	struct span out;

	while (dot_normalise_end(&s->normaliser, &out) == DOT_DATA)
		if (!take(s, out, f))
			return false;
	header_end(&s->scan);
	report_end(&s->report);
	if (!s->scan.body)
		take_fingerprint(s);
	digest_end(&s->content, s->hash);
	return true;
}

uint64_t
spool_size(const struct spool *s)
{
	return s->size;
}

const struct header_scan *
spool_scan(const struct spool *s)
{
	return &s->scan;
}

const struct report_scan *
spool_report(const struct spool *s)
{
	return &s->report;
}

const unsigned char *
spool_fingerprint(const struct spool *s)
{
	return s->fingerprint;
}

const unsigned char *
spool_hash(const struct spool *s)
{
	return s->hash;
}

bool
spool_in_memory(const struct spool *s)
{
	return s->fd < 0;
}

bool
spool_read(const struct spool *s, uint64_t offset, char *room,
    struct span *piece_r, struct fault *f)
{
	uint64_t left = offset < s->size ? s->size - offset : 0;
	size_t want = left < SPOOL_PIECE ? (size_t)left : SPOOL_PIECE;
	ssize_t n;

	if (want == 0) {
		*piece_r = span_make("", 0);
		return true;
	}
	if (s->fd < 0) {
		*piece_r = span_make(s->mem + offset, want);
		return true;
	}
	do
		n = pread(s->fd, room, want, (off_t)offset);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return fail_disk(f, "read");
	*piece_r = span_make(room, (size_t)n);
	return true;
}
