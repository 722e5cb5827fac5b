/* SPDX-License-Identifier: ISC */
#include "split.h"

#include "proto/header.h"

#define TOKEN "abcdefgh"

static void
start(void *ctx)
{
	header_init(ctx, TOKEN);
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	(void)t;
	header_feed(ctx, in);
}

static void
finish(void *ctx, struct trail *t)
{
	struct header_scan *h = ctx;

	header_end(h);
	trail_event(t, "%u %s%s%s%s%s%s%s%s%u %u %u", h->received,
	    h->own_token ? "own " : "", h->null_sender ? "null " : "",
	    h->report ? "report " : "", h->eight_bit ? "8bit " : "",
	    h->eight_bit_header ? "8head " : "", h->nul ? "NUL " : "",
	    h->starts_folded ? "folded " : "", h->body ? "body " : "",
	    (unsigned)h->bytes, (unsigned)h->header_bytes,
	    (unsigned)h->longest_line);
}

/* Received, flags, bytes, bytes of the header, longest line. */
static void
check(const char *in, size_t n, const char *expected)
{
	struct header_scan h;
	struct trail_machine m = { &h, start, feed, finish };

	split_check(&m, span_make(in, n), expected);
}

#define CHECK(in, expected) check(in, sizeof(in) - 1, expected)

static void
test_shape(void **state)
{
	(void)state;
	CHECK("", "0 0 0 0\n");
	CHECK("\r\n", "0 body 2 2 0\n");
	CHECK("\r\n\r\nx\r\n", "0 body 7 2 1\n");
	CHECK("A: b\r\n", "0 6 6 4\n");
	CHECK("A: b\r\n\r\nbody\r\n", "0 body 14 8 4\n");
	CHECK("A: b\r\n\r\na longer line\r\n", "0 body 23 8 13\n");
	CHECK("A: b", "0 4 4 4\n");
	CHECK(" A: b\r\n\r\n", "0 folded body 9 9 5\n");
	CHECK("\tA: b\r\n", "0 folded 7 7 5\n");
}

static void
test_bytes(void **state)
{
	(void)state;
	CHECK("A: \xe4\r\n\r\nx\r\n", "0 8bit 8head body 11 8 4\n");
	CHECK("A: b\r\n\r\n\x80\r\n", "0 8bit body 11 8 4\n");
	CHECK("A: b\r\n\r\n12345678\xff\r\n", "0 8bit body 19 8 9\n");
	CHECK("A: b\r\n\r\n12345678\x7f\r\n", "0 body 19 8 9\n");
	CHECK("A: \0\r\n\r\n", "0 NUL body 8 8 4\n");
	CHECK("A: b\r\n\r\n\0\r\n", "0 NUL body 11 8 4\n");
}

static void
test_received(void **state)
{
	(void)state;
	CHECK("Received: a\r\nrECEIVED: b\r\nReceived : c\r\n\r\n",
	    "3 body 42 42 12\n");
	/* Not these: folded, no colon, longer name, in the body. */
	CHECK("A: b\r\n Received: c\r\n\r\n", "0 body 22 22 12\n");
	CHECK("Received\r\nReceived-SPF: x\r\nX-Received: y\r\n\r\n"
	      "Received: z\r\n",
	    "0 body 57 44 15\n");
	CHECK("Received: last, without an end", "1 30 30 30\n");
}

static void
test_null_sender(void **state)
{
	(void)state;
	CHECK("Return-Path: <>\r\n\r\n", "0 null body 19 19 15\n");
	CHECK("return-path:<> \r\n\r\n", "0 null body 19 19 15\n");
	CHECK("Return-Path:\r\n\t<>\r\n\r\n", "0 null body 21 21 12\n");
	CHECK("Return-Path: <>", "0 null 15 15 15\n");
	CHECK("Return-Path: <a@b>\r\n\r\n", "0 body 22 22 18\n");
	CHECK("Return-Path: <>x\r\n\r\n", "0 body 20 20 16\n");
	CHECK("A: b\r\n\r\nReturn-Path: <>\r\n", "0 body 25 8 15\n");
}

static void
test_own_token(void **state)
{
	(void)state;
	CHECK("X-Mailhaul-Trace: t; account=" TOKEN "\r\n\r\n",
	    "0 own body 41 41 37\n");
	CHECK("x-mailhaul-trace: t;\r\n account=" TOKEN " ; attempt=2\r\n\r\n",
	    "0 own body 55 55 29\n");
	CHECK("X-Mailhaul-Trace: t; account=" TOKEN "x\r\n\r\n",
	    "0 body 42 42 38\n");
	CHECK("X-Mailhaul-Trace: t; account=abcdefg\r\n\r\n",
	    "0 body 40 40 36\n");
	CHECK("X-Mailhaul-Trace: " TOKEN "; xaccount=" TOKEN "\r\n\r\n",
	    "0 body 49 49 45\n");
	CHECK("X-Mailhaul-Trace: t; account=other\r\n"
	      "X-Mailhaul-Trace: u; account=" TOKEN "\r\nA: b\r\n\r\n",
	    "0 own body 83 83 37\n");
	CHECK("X-Other: account=" TOKEN "\r\n\r\n", "0 body 29 29 25\n");
}

#define TYPE "Content-Type: multipart/report; "

static void
test_report(void **state)
{
	(void)state;
	CHECK(TYPE "report-type=delivery-status\r\n\r\n",
	    "0 report body 63 63 59\n");
	CHECK("content-type:MULTIPART/REPORT ; boundary=\"a;b\";\r\n"
	      "\tReport-Type = \"Delivery-Status\"\r\n\r\n",
	    "0 report body 85 85 47\n");
	CHECK(TYPE "report-type=delivery-status", "0 report 59 59 59\n");
	CHECK(TYPE "report-type=disposition-notification\r\n\r\n",
	    "0 body 72 72 68\n");
	CHECK(TYPE "boundary=x\r\n\r\n", "0 body 46 46 42\n");
	CHECK("Content-Type: multipart/mixed; report-type=delivery-status"
	      "\r\n\r\n",
	    "0 body 62 62 58\n");
	CHECK("A: b\r\n\r\n" TYPE "report-type=delivery-status\r\n",
	    "0 body 69 8 59\n");
}

/* Memory is constant, and what is beyond it is not misread. */
static void
test_long_fields(void **state)
{
	static char text[100000];
	struct header_scan h;

	(void)state;
	memset(text, 'n', sizeof(text));
	memcpy(text + sizeof(text) - 13, "Received: x\r\n", 13);
	header_init(&h, TOKEN);
	header_feed(&h, span_make(text, sizeof(text)));
	header_feed(&h, span_str("Received: y\r\n\r\n"));
	header_end(&h);
	assert_int_equal(h.received, 1);
	assert_true(h.body);
	header_init(&h, TOKEN);
	header_feed(&h, span_str("X-Mailhaul-Trace: "));
	for (int i = 0; i < 1000; i++)
		header_feed(&h, span_str("padding; \r\n "));
	header_feed(&h, span_str("account=" TOKEN "\r\n\r\n"));
	assert_false(h.own_token);
	assert_int_equal(h.value_len, HEADER_VALUE_MAX);
	/* Without a token nothing is ours, not even an empty one. */
	header_init(&h, "");
	header_feed(&h, span_str("X-Mailhaul-Trace: t; account=\r\n\r\n"));
	header_end(&h);
	assert_false(h.own_token);
}

static void
test_notice(void **state)
{
	static const char text[] = "Subject: x\r\nx-mailhaul-NOTICE:\r\n"
				   "\tabc \r\n\r\nX-Mailhaul-Notice: b\r\n";
	struct header_scan h;

	(void)state;
	header_init(&h, "t");
	header_feed(&h, span_str(text));
	assert_string_equal(h.notice, "abc");
	header_init(&h, "t");
	header_feed(&h, span_str("Subject: x\r\n\r\n"));
	assert_string_equal(h.notice, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notice),
		cmocka_unit_test(test_shape),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_received),
		cmocka_unit_test(test_null_sender),
		cmocka_unit_test(test_own_token),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_long_fields),
	};

	return cmocka_run_group_tests_name("header", tests, NULL, NULL);
}
