/* SPDX-License-Identifier: ISC */
#include "relay/spool.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>

#define LIMIT (8 * 1024 * 1024)
#define BIG (SPOOL_MEMORY + 1)

static struct spool_pool *pool;
static int directory;

static int
setup(void **state)
{
	*state = NULL;
	directory = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	pool = spool_pool_new(directory, 1000);
	return directory < 0;
}

static int
teardown(void **state)
{
	(void)state;
	spool_pool_free(&pool);
	return close(directory);
}

static void
digest(struct span s, unsigned char hash_r[SPOOL_HASH])
{
	assert_int_equal(
	    EVP_Digest(s.p, s.n, hash_r, NULL, EVP_sha256(), NULL), 1);
}

static struct span
without_crlfs(struct span s)
{
	while (s.n > 0 && (s.p[s.n - 1] == '\r' || s.p[s.n - 1] == '\n'))
		s.n--;
	return s;
}

/* --- one message */

static struct spool *
spool_of(struct span raw, size_t cut)
{
	struct spool *s = spool_new(pool, "token", LIMIT);
	struct fault f;

	assert_true(spool_write(s, span_make(raw.p, cut), &f));
	assert_true(spool_write(s, span_skip(raw, cut), &f));
	assert_true(spool_finish(s, &f));
	return s;
}

static char room[SPOOL_PIECE];

/* Reads it back, from the front. */
static void
assert_holds(struct spool *s, struct span expected)
{
	uint64_t at = 0;
	struct span piece;
	struct fault f;

	assert_int_equal(spool_size(s), expected.n);
	do {
		assert_true(spool_read(s, at, room, &piece, &f));
		assert_true(piece.n <= SPOOL_PIECE);
		assert_true(piece.n <= expected.n - at);
		assert_true(
		    span_eq(piece, span_make(expected.p + at, piece.n)));
		at += piece.n;
	} while (piece.n > 0);
	assert_int_equal(at, expected.n);
}

static void
assert_digests(struct spool *s, struct span header, struct span all)
{
	unsigned char hash[SPOOL_HASH];

	digest(without_crlfs(header), hash);
	assert_memory_equal(spool_fingerprint(s), hash, SPOOL_FINGERPRINT);
	digest(without_crlfs(all), hash);
	assert_memory_equal(spool_hash(s), hash, SPOOL_HASH);
}

struct message {
	const char *raw, *header, *all; /* the last two are normalised */
};

static const struct message messages[] = {
	{ "A: b\r\n\r\nbody\r\n", "A: b\r\n\r\n", "A: b\r\n\r\nbody\r\n" },
	{ "A: b\r\n\r\n\r\n\r\nbody\r\n\r\n\r\n", "A: b\r\n\r\n",
	    "A: b\r\n\r\n\r\n\r\nbody\r\n\r\n\r\n" },
	/* bare LF, bare CR, no end */
	{ "A: b\nC: d\n\nx\ry\n.z", "A: b\r\nC: d\r\n\r\n",
	    "A: b\r\nC: d\r\n\r\nx\r\ny\r\n.z\r\n" },
	/* no body */
	{ "A: b\r\n", "A: b\r\n", "A: b\r\n" },
	{ "A: b\r\n\r\n", "A: b\r\n\r\n", "A: b\r\n\r\n" },
	{ "A: b", "A: b\r\n", "A: b\r\n" },
	/* no header */
	{ "\r\nbody\r\n", "\r\n", "\r\nbody\r\n" },
	{ "\r\n\r\n\r\n", "\r\n", "\r\n\r\n\r\n" },
	{ "", "", "" },
};

static void
check_every_cut(const struct message *m)
{
	struct span raw = span_str(m->raw);

	for (size_t cut = 0; cut <= raw.n; cut++) {
		struct spool *s = spool_of(raw, cut);

		assert_holds(s, span_str(m->all));
		assert_digests(s, span_str(m->header), span_str(m->all));
		spool_unref(&s);
		assert_null(s);
	}
}

static void
test_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
		check_every_cut(&messages[i]);
}

/* POP3 and IMAP servers show one message with different ends. */
static void
test_end_does_not_count(void **state)
{
	static const char *const same[] = { "A: b\r\n\r\nx", "A: b\r\n\r\nx\n",
		"A: b\r\n\r\nx\r\n", "A: b\r\n\r\nx\r\n\r\n\r\n" };
	static const char *const other[] = { "A: b\r\n\r\nx\r\n\r\ny",
		"A: b\r\n\r\n\r\nx", "A: b\r\n\r\nx " };
	struct spool *first = spool_of(span_str(same[0]), 0), *s;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		s = spool_of(span_str(same[i]), 0);
		assert_memory_equal(
		    spool_hash(s), spool_hash(first), SPOOL_HASH);
		assert_memory_equal(spool_fingerprint(s),
		    spool_fingerprint(first), SPOOL_FINGERPRINT);
		spool_unref(&s);
	}
	for (size_t i = 0; i < 3; i++) {
		s = spool_of(span_str(other[i]), 0);
		assert_memory_not_equal(
		    spool_hash(s), spool_hash(first), SPOOL_HASH);
		spool_unref(&s);
	}
	spool_unref(&first);
}

static void
test_scan(void **state)
{
	struct spool *s = spool_of(
	    span_str("Received: a\r\nX-Mailhaul-Trace: t; account=token"), 20);

	(void)state;
	assert_int_equal(spool_scan(s)->received, 1);
	assert_true(spool_scan(s)->own_token); /* in a line without an end */
	spool_unref(&s);
}

static void
test_references(void **state)
{
	struct spool *s = spool_of(span_str("A: b\r\n"), 1), *t = spool_ref(s);

	(void)state;
	spool_unref(&s);
	assert_null(s);
	assert_holds(t, span_str("A: b\r\n"));
	spool_unref(&t);
	spool_unref(&t); /* of nothing: nothing */
}

/* Given up before it was complete. */
static void
test_unfinished(void **state)
{
	struct spool *s = spool_new(pool, "token", LIMIT);
	struct fault f;

	(void)state;
	assert_true(spool_write(s, span_str("half a mess"), &f));
	spool_unref(&s);
}

static void
test_limit(void **state)
{
	struct spool *s = spool_new(pool, "token", 10);
	struct fault f;

	(void)state;
	assert_true(spool_write(s, span_str("12345678\r\n"), &f));
	assert_false(spool_write(s, span_str("9"), &f));
	assert_int_equal(f.scope, FAULT_MESSAGE);
	assert_int_equal(f.when, FAULT_NEVER);
	assert_non_null(strstr(f.text, "message_max (10 bytes)"));
	spool_unref(&s);

	/* The line end that we put in counts too. */
	s = spool_new(pool, "token", 10);
	assert_true(spool_write(s, span_str("123456789"), &f));
	assert_false(spool_finish(s, &f));
	assert_int_equal(f.when, FAULT_NEVER);
	spool_unref(&s);
}

/* --- memory and files: seen by the descriptors that are open */

static unsigned
open_files(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static struct span
make_big(size_t n)
{
	char *p = malloc(n);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + i * 7 % 26);
	memcpy(p, "A: b\r\n\r\n", 8);
	for (size_t i = 99; i + 2 < n; i += 100)
		memcpy(p + i, "\r\n", 2);
	memcpy(p + n - 2, "\r\n", 2);
	return span_make(p, n);
}

static void
free_big(struct span s)
{
	free((void *)(uintptr_t)s.p);
}

static void
check_size(size_t n, bool in_file)
{
	struct span raw = make_big(n);
	size_t cuts[] = { 0, 1, 4095, 4096, n / 2, SPOOL_MEMORY - 1, n - 1 };
	unsigned before = open_files();

	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		struct spool *s;

		if (cuts[i] > n)
			continue;
		s = spool_of(raw, cuts[i]);
		assert_int_equal(open_files(), before + (in_file ? 1 : 0));
		assert_holds(s, raw);
		assert_digests(s, span_make(raw.p, 8), raw);
		spool_unref(&s);
		assert_int_equal(open_files(), before);
	}
	free_big(raw);
}

static void
test_memory_and_file(void **state)
{
	(void)state;
	check_size(4096, false);
	check_size(SPOOL_MEMORY, false);
	check_size(BIG, true);
	check_size(3 * SPOOL_MEMORY + 5, true);
}

/* In any order, and again: a message that has a second turn is read anew. */
static void
test_read_anywhere(void **state)
{
	struct span raw = make_big(BIG), piece;
	struct spool *s = spool_of(raw, 0);
	static const size_t at[] = { BIG - 1, 0, 70000, 0, BIG, BIG + 9, 1 };
	struct fault f;

	(void)state;
	for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		size_t left = at[i] < BIG ? BIG - at[i] : 0;

		assert_true(spool_read(s, at[i], room, &piece, &f));
		assert_int_equal(
		    piece.n, left < SPOOL_PIECE ? left : SPOOL_PIECE);
		if (left > 0)
			assert_memory_equal(piece.p, raw.p + at[i], piece.n);
	}
	spool_unref(&s);
	free_big(raw);
}

#define FILL (SPOOL_MEMORY_ALL / SPOOL_MEMORY)

/* What comes when memory is used up goes to files, however small; and comes
 * into memory again when there is some. */
static void
test_memory_of_all(void **state)
{
	struct span raw = make_big(SPOOL_MEMORY);
	struct spool *full[FILL], *s;
	unsigned before = open_files();

	(void)state;
	for (size_t i = 0; i < FILL; i++)
		full[i] = spool_of(raw, 0);
	assert_int_equal(open_files(), before);
	s = spool_of(span_str("A: b\r\n"), 0);
	assert_int_equal(open_files(), before + 1);
	assert_holds(s, span_str("A: b\r\n"));
	spool_unref(&s);
	spool_unref(&full[0]);
	s = spool_of(span_str("A: b\r\n"), 0);
	assert_int_equal(open_files(), before);
	spool_unref(&s);
	for (size_t i = 1; i < FILL; i++)
		spool_unref(&full[i]);
	free_big(raw);
}

/* A disk that takes no file is no reason to hold a message for good. */
static void
test_no_file(void **state)
{
	int dir = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct spool_pool *bad = spool_pool_new(dir, 1000);
	struct spool *s = spool_new(bad, "token", LIMIT);
	struct span raw = make_big(BIG);
	struct fault f;

	(void)state;
	assert_false(spool_write(s, raw, &f));
	assert_int_equal(f.scope, FAULT_MESSAGE);
	assert_int_equal(f.when, FAULT_LATER);
	assert_string_equal(f.phase, "spool");
	spool_unref(&s);
	/* What fits in memory needs no disk. */
	s = spool_new(bad, "token", LIMIT);
	assert_true(spool_write(s, span_str("A: b\r\n"), &f));
	assert_true(spool_finish(s, &f));
	spool_unref(&s);
	spool_pool_free(&bad);
	assert_null(bad);
	close(dir);
	free_big(raw);
}

/* --- room */

#define WAITERS 4

struct queue {
	struct spool_waiter waiter[WAITERS];
	struct spool_holder holder[WAITERS]; /* unless the test shares them */
	uint64_t want[WAITERS];              /* 0: is content */
	char order[16];                      /* who was called */
	size_t calls;
};

static struct queue queue;

static void
on_room(void *arg)
{
	struct spool_waiter *w = arg;
	size_t i = (size_t)(w - queue.waiter);

	queue.order[queue.calls++] = (char)('a' + i);
	assert_false(w->waiting);
	if (queue.want[i] > 0 && spool_reserve(pool, queue.want[i], w))
		queue.want[i] = 0;
}

static int
setup_queue(void **state)
{
	(void)state;
	queue = (struct queue){ .calls = 0 };
	for (size_t i = 0; i < WAITERS; i++)
		queue.waiter[i] = (struct spool_waiter){
			.room = on_room,
			.arg = &queue.waiter[i],
			.holder = &queue.holder[i],
		};
	return 0;
}

static bool
reserve(size_t i, uint64_t size)
{
	return spool_reserve(pool, size, &queue.waiter[i]);
}

static void
release(size_t i, uint64_t size)
{
	spool_release(pool, size, queue.waiter[i].holder);
}

static void
wait_for(size_t i, uint64_t size)
{
	queue.want[i] = size;
	assert_false(reserve(i, size));
	assert_true(queue.waiter[i].waiting);
}

static void
assert_called(const char *order)
{
	queue.order[queue.calls] = '\0';
	assert_string_equal(queue.order, order);
	queue.calls = 0;
}

static void
test_room(void **state)
{
	(void)state;
	assert_true(reserve(2, 1000));
	wait_for(0, 1);
	wait_for(1, UINT64_MAX);     /* no sum wraps */
	assert_false(reserve(0, 1)); /* once only */
	release(2, 400);
	assert_called("ab");
	assert_false(queue.waiter[0].waiting);
	assert_true(queue.waiter[1].waiting);
	release(0, 1);
	assert_called("b");
	/* An empty pool takes anything: else it would wait for ever. */
	release(2, 600);
	assert_called("b");
	assert_false(queue.waiter[1].waiting);
	release(1, UINT64_MAX);
	assert_called("");
	assert_int_equal(spool_pool_used(pool), 0);
}

/* Each is asked once for a release, in the order in which they came, and who
 * still finds no room joins the end. */
static void
test_order_of_waiters(void **state)
{
	(void)state;
	assert_true(reserve(3, 1000));
	wait_for(0, 500);
	wait_for(1, 900);
	wait_for(2, 100);
	release(3, 100);
	assert_called("abc"); /* c has it, a and b wait again */
	assert_false(queue.waiter[2].waiting);
	release(2, 100);
	assert_called("ab");
	wait_for(2, 300);
	spool_waiter_cancel(pool, &queue.waiter[1]);
	spool_waiter_cancel(pool, &queue.waiter[1]);
	release(3, 450);
	assert_called("ac"); /* a has it, 50 bytes are left */
	assert_true(queue.waiter[2].waiting);
	release(3, 450);
	assert_called("c");
	assert_false(queue.waiter[2].waiting);
	release(0, 500);
	release(2, 300);
	assert_called("");
	assert_int_equal(spool_pool_used(pool), 0);
}

/* A backlog leaves room for others, and less of it the fewer they are. */
static void
test_shares(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_true(reserve(0, 100));
	wait_for(0, 100); /* a half is the most */
	for (unsigned i = 0; i < 3; i++)
		assert_true(reserve(1, 100));
	wait_for(1, 100);             /* a third */
	assert_true(reserve(2, 200)); /* the first: all that is there */
	release(0, 100);
	assert_called("ab"); /* both hold more than a quarter */
	release(2, 200);
	assert_called("ab");
	release(0, 300);
	assert_called("ab"); /* a takes one more, b has its share */
	assert_int_equal(queue.holder[0].held, 200);
	assert_int_equal(queue.holder[1].held, 300);
	release(0, 200);
	assert_called("b"); /* alone again */
	assert_int_equal(queue.holder[1].held, 400);
	release(1, 400);
	assert_int_equal(spool_pool_used(pool), 0);
}

/* A large first message is not kept waiting by the small ones of others. */
static void
test_first_before_next(void **state)
{
	(void)state;
	assert_true(reserve(0, 100));
	assert_true(reserve(1, 100));
	wait_for(2, 960);
	wait_for(0, 1);
	wait_for(1, 1);
	assert_true(reserve(3, 50)); /* who holds nothing, too, goes on */
	release(0, 100);
	assert_called("cab"); /* a is a first now */
	assert_false(queue.waiter[0].waiting);
	release(1, 100);
	assert_called("cb");
	assert_false(queue.waiter[1].waiting);
	release(0, 1);
	release(1, 1);
	assert_called("cc");
	release(3, 50);
	assert_called("c");
	assert_int_equal(queue.holder[2].held, 960);
	release(2, 960);
	assert_int_equal(spool_pool_used(pool), 0);
}

/* Folders of an account have one share. */
static void
test_one_holder(void **state)
{
	(void)state;
	queue.waiter[1].holder = &queue.holder[0];
	assert_true(reserve(0, 300));
	assert_true(reserve(1, 200));
	wait_for(1, 1);
	wait_for(0, 1);
	assert_true(reserve(2, 500));
	release(2, 500);
	assert_called("ba");
	release(1, 200);
	assert_called("ba");
	assert_int_equal(queue.holder[0].held, 302);
	release(0, 302);
	assert_int_equal(spool_pool_used(pool), 0);
}

/* Small messages fill a pool by their number. */
static void
test_cost(void **state)
{
	unsigned n = 0;

	(void)state;
	spool_pool_resize(pool, 512 * 1000);
	assert_int_equal(spool_cost(pool, 0), 1000);
	assert_int_equal(spool_cost(pool, 999), 1000);
	assert_int_equal(spool_cost(pool, 1000), 1001);
	while (reserve(n % 3, 1000))
		n++;
	assert_in_range(n, SPOOL_MESSAGES / 2, SPOOL_MESSAGES);
	while (n-- > 0)
		release(n % 3, 1000);
	assert_int_equal(spool_pool_used(pool), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_end_does_not_count),
		cmocka_unit_test(test_scan),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_memory_and_file),
		cmocka_unit_test(test_read_anywhere),
		cmocka_unit_test(test_memory_of_all),
		cmocka_unit_test(test_no_file),
		cmocka_unit_test_setup(test_room, setup_queue),
		cmocka_unit_test_setup(test_order_of_waiters, setup_queue),
		cmocka_unit_test_setup(test_shares, setup_queue),
		cmocka_unit_test_setup(test_first_before_next, setup_queue),
		cmocka_unit_test_setup(test_one_holder, setup_queue),
		cmocka_unit_test_setup(test_cost, setup_queue),
	};

	return cmocka_run_group_tests_name("spool", tests, setup, teardown);
}
