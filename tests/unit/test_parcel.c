/* SPDX-License-Identifier: ISC */
#include "relay/parcel.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/spool.h"

#define HEAD "T: 1\r\n"
#define BIG (2 * SPOOL_MEMORY)

static const struct parcel_sender us = {
	.address = "me@home.example",
	.account = "hotmail",
	.recipient = "you@home.example",
	.trace = "tr4ce",
	.now = 1700000000,
};

static int dir = -1;
static struct spool_pool *pool;

static int
setup(void **state)
{
	(void)state;
	dir = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pool = spool_pool_new(dir, 64 << 20);
	return dir < 0;
}

static int
teardown(void **state)
{
	(void)state;
	spool_pool_free(&pool);
	return close(dir);
}

static struct parcel *
parcel_of(struct span message)
{
	struct spool *s = spool_new(pool, "token", 64 << 20);
	struct parcel *p;
	struct fault f;

	assert_true(spool_write(s, message, &f));
	assert_true(spool_finish(s, &f));
	p = parcel_new(s, span_str(HEAD));
	spool_unref(&s);
	return p;
}

/* All of it, freed by the caller; as long as was said. */
static char *
contents(struct parcel *p)
{
	uint64_t size = parcel_size(p), at = 0;
	char *all = malloc(size + 1);
	struct span piece;
	struct fault f;

	assert_non_null(all);
	do {
		assert_true(parcel_read(p, at, &piece, &f));
		assert_true(at + piece.n <= size);
		memcpy(all + at, piece.p, piece.n);
		at += piece.n;
	} while (piece.n > 0);
	assert_int_equal(at, size);
	all[size] = '\0';
	return all;
}

static void
assert_contents(struct parcel *p, const char *expected)
{
	char *all = contents(p);

	assert_string_equal(all, expected);
	/* From any byte on, too. */
	for (uint64_t at = 0; at <= parcel_size(p); at++) {
		struct span piece;
		struct fault f;

		assert_true(parcel_read(p, at, &piece, &f));
		assert_memory_equal(piece.p, expected + at, piece.n);
		assert_true(piece.n > 0 || at == parcel_size(p));
	}
	free(all);
	parcel_free(&p);
}

static void
test_preserve(void **state)
{
	struct parcel *p = parcel_of(span_str("A: b\r\n\r\nx\r\n"));

	(void)state;
	parcel_preserve(p);
	assert_contents(p, HEAD "A: b\r\n\r\nx\r\n");
	p = parcel_of(span_str(" A: b\r\n"));
	parcel_preserve(p);
	assert_contents(
	    p, HEAD "X-Mailhaul-Original: (begins with a blank)\r\n A: b\r\n");
	p = parcel_of(span_str(""));
	parcel_preserve(p);
	assert_contents(p, HEAD);
}

static void
check_rewrite(const char *message, const char *expected)
{
	struct parcel *p = parcel_of(span_str(message));
	struct fault f;

	assert_true(parcel_rewrite(p, &us, &f));
	assert_contents(p, expected);
}

#define UNKNOWN "From: unknown sender via hotmail <me@home.example>\r\n"
#define ANN "From: Ann via hotmail <me@home.example>\r\nReply-To: Ann <a@b>\r\n"

static void
test_rewrite(void **state)
{
	(void)state;
	check_rewrite("A: b\r\nFrom: Ann <a@b>\r\nTo: c\r\n\r\nFrom: x\r\n",
	    HEAD ANN "A: b\r\nX-Original-From: Ann <a@b>\r\nTo: c\r\n\r\n"
		     "From: x\r\n");
	check_rewrite("From: Ann <a@b>\r\nfrom : <c@d>\r\nReply-To: e@f\r\n",
	    HEAD "From: Ann via hotmail <me@home.example>\r\n"
		 "X-Original-From: Ann <a@b>\r\nX-Original-from : <c@d>\r\n"
		 "Reply-To: e@f\r\n");
	check_rewrite("", HEAD UNKNOWN);
	check_rewrite("\r\nx\r\n", HEAD UNKNOWN "\r\nx\r\n");
	check_rewrite(" x\r\n", HEAD UNKNOWN
	    "X-Mailhaul-Original: (begins with a blank)\r\n x\r\n");
}

/* A line must not get longer than the standard allows. */
static void
test_rewrite_of_a_long_line(void **state)
{
	char line[1200], expected[2400];
	struct parcel *p;
	struct fault f;
	char *all;

	(void)state;
	snprintf(line, sizeof(line), "From:%0*d <a@b>\r\n\r\n", 900, 0);
	p = parcel_of(span_str(line));
	assert_true(parcel_rewrite(p, &us, &f));
	all = contents(p);
	snprintf(expected, sizeof(expected), "\r\nX-Original-%s", line);
	assert_non_null(strstr(all, expected));
	free(all);
	parcel_free(&p);
	snprintf(line, sizeof(line), "From:%0*d <a@b>\r\n\r\n", 985, 0);
	p = parcel_of(span_str(line));
	assert_true(parcel_rewrite(p, &us, &f));
	all = contents(p);
	snprintf(expected, sizeof(expected), "\r\nX-Original-From:\r\n %s",
	    line + 5);
	assert_non_null(strstr(all, expected));
	free(all);
	parcel_free(&p);
}

static void
test_wrap(void **state)
{
	static const char message[] =
	    "From: Ann <a@b>\r\nSubject: hi\r\n"
	    "X-Mailhaul-Trace: x; account=y; attempt=1\r\n\r\n.x\r\n";
	struct parcel *p = parcel_of(span_str(message));
	struct fault f;

	(void)state;
	assert_true(parcel_wrap(p, &us, &f));
	assert_contents(p,
	    HEAD "X-Mailhaul-Trace: x; account=y; attempt=1\r\n"
		 "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n" ANN
		 "To: <you@home.example>\r\n"
		 "Subject: hi\r\n"
		 "Message-ID: <tr4ce.wrapped@home.example>\r\n"
		 "MIME-Version: 1.0\r\n"
		 "Content-Type: multipart/mixed;\r\n"
		 "\tboundary=\"=_mailhaul_tr4ce\"\r\n"
		 "Content-Transfer-Encoding: 7bit\r\n"
		 "\r\n"
		 "--=_mailhaul_tr4ce\r\n"
		 "Content-Type: text/plain; charset=us-ascii\r\n"
		 "Content-Disposition: inline\r\n"
		 "\r\n"
		 "This message came to the account \"hotmail\", from where it "
		 "was\r\n"
		 "relayed to you.  It is enclosed as it was received, so that "
		 "the\r\n"
		 "signatures of those who sent it can still be checked.\r\n"
		 "\r\n"
		 "--=_mailhaul_tr4ce\r\n"
		 "Content-Type: message/rfc822\r\n"
		 "Content-Transfer-Encoding: 7bit\r\n"
		 "Content-Disposition: inline; filename=\"original.eml\"\r\n"
		 "\r\n"
		 "From: Ann <a@b>\r\nSubject: hi\r\n"
		 "X-Mailhaul-Trace: x; account=y; attempt=1\r\n\r\n.x\r\n"
		 "\r\n"
		 "--=_mailhaul_tr4ce--\r\n");
}

static void
test_eight_bit(void **state)
{
	struct parcel *p = parcel_of(span_str("A: b\r\n\r\n\xfc\r\n"));
	struct fault f;
	char *all;

	(void)state;
	assert_true(parcel_wrap(p, &us, &f));
	assert_true(parcel_eight_bit(p));
	all = contents(p);
	assert_non_null(strstr(all, "\r\nContent-Transfer-Encoding: 8bit\r\n"
				    "\r\n--=_mailhaul"));
	assert_non_null(strstr(all, "rfc822\r\nContent-Transfer-Encoding: "
				    "8bit\r\n"));
	free(all);
	parcel_free(&p);
}

/* n times one line, in front of the rest. */
static struct parcel *
repeated(const char *line, size_t n, const char *rest)
{
	size_t len = strlen(line), m = strlen(rest);
	char *text = malloc(n * len + m);
	struct parcel *p;

	assert_non_null(text);
	for (size_t i = 0; i < n; i++)
		memcpy(text + i * len, line, len);
	memcpy(text + n * len, rest, m);
	p = parcel_of(span_make(text, n * len + m));
	free(text);
	return p;
}

static void
assert_refused(struct parcel *p, bool wrap, const char *why)
{
	struct fault f;

	assert_false(
	    wrap ? parcel_wrap(p, &us, &f) : parcel_rewrite(p, &us, &f));
	assert_int_equal(f.scope, FAULT_MESSAGE);
	assert_int_equal(f.when, FAULT_NEVER);
	assert_non_null(strstr(f.text, why));
	parcel_free(&p);
}

static void
test_ceilings(void **state)
{
	struct parcel *p;
	struct fault f;

	(void)state;
	assert_refused(repeated("From: a@b\r\n", 17, "\r\n"), false, "16 From");
	p = repeated("From: a@b\r\n", 16, "\r\n");
	assert_true(parcel_rewrite(p, &us, &f));
	parcel_free(&p);
	assert_refused(repeated("X: 345678901234\r\n", 70000, "\r\n"), false,
	    "larger than 1 MiB");
	p = repeated("X: 345678901234\r\n", 70000, "Subject: x\r\n\r\nx\r\n");
	assert_true(parcel_wrap(p, &us, &f));
	parcel_free(&p);
	assert_refused(
	    repeated("X-Mailhaul-Trace: a\r\n", 17, "\r\n"), true, "a loop");
	/* A body is of any size. */
	p = repeated("\r\n", BIG, "x");
	assert_true(parcel_rewrite(p, &us, &f));
	parcel_free(&p);
}

/* One spool goes to two destinations, one of which is slower. */
static void
test_two_readers(void **state)
{
	char *text = malloc(BIG);
	struct spool *s = spool_new(pool, "token", 64 << 20);
	struct parcel *p[2];
	struct span first, second;
	struct fault f;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < BIG; i++)
		text[i] = i % 64 == 62   ? '\r'
		          : i % 64 == 63 ? '\n'
		                         : (char)('a' + i / 4096 % 26);
	assert_true(spool_write(s, span_make(text, BIG), &f));
	assert_true(spool_finish(s, &f));
	assert_false(spool_in_memory(s));
	for (size_t i = 0; i < 2; i++) {
		p[i] = parcel_new(s, span_str(""));
		parcel_preserve(p[i]);
	}
	spool_unref(&s);
	assert_true(parcel_read(p[0], 0, &first, &f));
	assert_true(parcel_read(p[1], BIG / 2, &second, &f));
	assert_memory_equal(first.p, text, first.n);
	assert_memory_equal(second.p, text + BIG / 2, second.n);
	parcel_free(&p[0]);
	parcel_free(&p[1]);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_preserve),
		cmocka_unit_test(test_rewrite),
		cmocka_unit_test(test_rewrite_of_a_long_line),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_eight_bit),
		cmocka_unit_test(test_ceilings),
		cmocka_unit_test(test_two_readers),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
