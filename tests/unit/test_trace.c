/* SPDX-License-Identifier: ISC */
#include "relay/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "config.h"

static unsigned char key[32], uuid[16], hash[32];

static struct trace_source
source(const char *folder)
{
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (unsigned char)i;
	for (size_t i = 0; i < sizeof(uuid); i++)
		uuid[i] = (unsigned char)(0x40 + i);
	memset(hash, 0xaa, sizeof(hash));
	return (struct trace_source){
		.key = key,
		.account_uuid = uuid,
		.folder = folder,
		.generation = 7,
	};
}

static void
check_trace(const struct trace_source *t, const char *uid, const char *expected)
{
	char trace[TRACE_SIZE];

	trace_compute(t, uid, hash, trace);
	assert_string_equal(trace, expected);
}

/* Computed elsewhere: a trace that changes with a release is a message that
 * is not recognised any more. */
static void
test_stable(void **state)
{
	struct trace_source t = source("INBOX");
	char token[TRACE_TOKEN_SIZE];

	(void)state;
	check_trace(&t, "42", "f6bqae7ay2zakez4gadkmlaq34");
	trace_token(&t, token);
	assert_string_equal(token, "53ijud6jieo6kdu3");
	t.generation = UINT64_MAX;
	check_trace(&t, "42", "u4kbdniuftx6ftlcpotaba2w4c");
}

#define TRACES 10

static void
test_every_part_counts(void **state)
{
	struct trace_source t = source("INBOX");
	char trace[TRACES][TRACE_SIZE];

	(void)state;
	trace_compute(&t, "42", hash, trace[0]);
	trace_compute(&t, "43", hash, trace[1]);
	t.generation = 8;
	trace_compute(&t, "42", hash, trace[2]);
	t = source("INBOX2");
	trace_compute(&t, "42", hash, trace[3]);
	hash[31] ^= 1;
	trace_compute(&t, "42", hash, trace[4]);
	uuid[0] ^= 1;
	trace_compute(&t, "42", hash, trace[5]);
	key[31] ^= 1;
	trace_compute(&t, "42", hash, trace[6]);
	/* The end of one part is not the beginning of the next. */
	t = source("ab");
	trace_compute(&t, "c", hash, trace[7]);
	t = source("a");
	trace_compute(&t, "bc", hash, trace[8]);
	t = source("INBOX"), t.generation = 74;
	trace_compute(&t, "2", hash, trace[9]);
	for (size_t i = 0; i < TRACES; i++)
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(trace[i], trace[k]);
}

/* Of the account alone: the folder or a new UIDVALIDITY do not hide a loop. */
/* One for the installation, and no account's. */
static void
test_notice(void **state)
{
	static const unsigned char zero[32], other[32] = { 1 };
	char a[TRACE_TOKEN_SIZE], b[TRACE_TOKEN_SIZE];

	(void)state;
	trace_notice(zero, a);
	assert_int_equal(strlen(a), TRACE_TOKEN_SIZE - 1);
	trace_notice(zero, b);
	assert_string_equal(a, b);
	trace_notice(other, b);
	assert_string_not_equal(a, b);
}

static void
test_token(void **state)
{
	struct trace_source t = source("INBOX");
	char one[TRACE_TOKEN_SIZE], other[TRACE_TOKEN_SIZE];

	(void)state;
	trace_token(&t, one);
	t.folder = "Archive";
	t.generation = 9;
	trace_token(&t, other);
	assert_string_equal(one, other);
	uuid[15] ^= 1;
	trace_token(&t, other);
	assert_string_not_equal(one, other);
}

static void
check_head(const struct trace_head *h, const char *expected)
{
	struct buf b;

	buf_init(&b, TRACE_HEAD_MAX);
	trace_head(&b, h);
	assert_true(buf_add(&b, span_make("", 1)));
	assert_string_equal(buf_span(&b).p, expected);
	buf_free(&b);
}

#define RECEIVED                                                               \
	"Received: from imap.example by me.example (mailhaul " PACKAGE_VERSION \
	")\r\n"                                                                \
	"\twith IMAPS id thetrace\r\n"                                         \
	"\tfor <you@example.org>; Tue, 14 Nov 2023 22:13:20 +0000\r\n"
#define TRACE "X-Mailhaul-Trace: thetrace; account=thetoken; "

static void
test_head(void **state)
{
	struct trace_head h = {
		.source_host = "imap.example",
		.our_host = "me.example",
		.protocol = "IMAPS",
		.recipient = "you@example.org",
		.trace = "thetrace",
		.token = "thetoken",
		.date = 1700000000,
		.attempt = 1,
	};

	(void)state;
	check_head(&h, RECEIVED TRACE "attempt=1\r\n");
	h.attempt = 2;
	check_head(&h, RECEIVED TRACE "attempt=2\r\n");
	h.possible_duplicate = true;
	check_head(&h, RECEIVED TRACE "attempt=2; possible-duplicate=yes\r\n");
}

/* The longest that configuration and protocol let through still fits. */
static void
test_head_at_its_longest(void **state)
{
	char host[256], recipient[320];
	struct trace_head h = {
		.source_host = host,
		.our_host = host,
		.protocol = "POP3S",
		.recipient = recipient,
		.trace = "abcdefghijklmnopqrstuvwxyz",
		.token = "abcdefghijklmnop",
		.date = 1700000000,
		.attempt = (unsigned)-1,
		.possible_duplicate = true,
	};
	struct buf b;

	(void)state;
	memset(host, 'h', sizeof(host));
	host[sizeof(host) - 1] = '\0';
	memset(recipient, 'r', sizeof(recipient));
	recipient[sizeof(recipient) - 1] = '\0';
	buf_init(&b, TRACE_HEAD_MAX);
	trace_head(&b, &h);
	assert_true(b.len > 2 * sizeof(host) + sizeof(recipient));
	assert_memory_equal(b.mem + b.head + b.len - strlen("=yes\r\n"),
	    "=yes\r\n", strlen("=yes\r\n"));
	buf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stable),
		cmocka_unit_test(test_every_part_counts),
		cmocka_unit_test(test_notice),
		cmocka_unit_test(test_token),
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_head_at_its_longest),
	};

	return cmocka_run_group_tests_name("trace", tests, NULL, NULL);
}
