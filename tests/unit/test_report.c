/* SPDX-License-Identifier: ISC */
#include "split.h"

#include "proto/report.h"

#define A "abcdefghijklmnopqrstuvwxyz"
#define B "234567abcdefghijklmnopqrst"
#define C "cccccccccccccccccccccccccc"
#define D "dddddddddddddddddddddddddd"
#define E "eeeeeeeeeeeeeeeeeeeeeeeeee"

static void
start(void *ctx)
{
	report_init(ctx);
}

static void
feed(void *ctx, struct span in, struct trail *t)
{
	(void)t;
	report_feed(ctx, in);
}

static void
finish(void *ctx, struct trail *t)
{
	struct report_scan *r = ctx;

	report_end(r);
	for (unsigned i = 0; i < r->count; i++)
		trail_event(t, "%s", r->ids[i]);
}

/* The ids that are found, a line each. */
static void
check(const char *in, const char *expected)
{
	struct report_scan r;
	struct trail_machine m = { &r, start, feed, finish };

	split_check(&m, span_str(in), expected);
}

static void
test_found(void **state)
{
	(void)state;
	check("Original-Envelope-Id: " A "\r\n", A "\n");
	check("text\r\n\r\nORIGINAL-envelope-id:" A "\r\nmore\r\n", A "\n");
	check("X-Mailhaul-Trace: " B "; account=x; attempt=2\r\n", B "\n");
	check("> x-mailhaul-trace:\t" B ";\r\n", B "\n");
	check("  Original-Envelope-Id: " A " \r\n", A "\n");
	check("Original-Envelope-Id: " A, A "\n");
	check("Original-Envelope-Id: " A "\r\nX-Mailhaul-Trace: " A
	      "; x\r\nX-Mailhaul-Trace: " B "\r\n",
	    A "\n" B "\n");
}

static void
test_not_found(void **state)
{
	(void)state;
	check("", "");
	check(":\r\n:" A "\r\n\n\n", "");
	check("Original-Envelope-Id:\r\n " A "\r\n", "");
	check("Original-Envelope-Id: " A "a\r\n", "");
	check("Original-Envelope-Id: " A "8\r\n", "");
	check("Original-Envelope-Id: " A "+41\r\n", "");
	check("Original-Envelope-Id: abc\r\n", "");
	check("Original-Envelope-Id: ABCDEFGHIJKLMNOPQRSTUVWXYZ\r\n", "");
	check("the Original-Envelope-Id: " A "\r\n", "");
	check("Original-Envelope-Idx: " A "\r\n", "");
	check("Original-Envelope-Id " A "\r\n", "");
	check("Final-Recipient: " A "\r\n", "");
}

/* Behind the head of a line nothing is seen, and a head cut in the middle of
 * an id is no id. */
static void
test_bounds(void **state)
{
	char line[512];

	(void)state;
	for (int pad = 0; pad < 120; pad++) {
		bool whole = pad + 22 + REPORT_ID_LEN <= REPORT_HEAD_MAX;

		snprintf(line, sizeof(line), "%*sOriginal-Envelope-Id: " A "\n",
		    pad, "");
		check(line, whole ? A "\n" : "");
	}
	check("X-Mailhaul-Trace: " A "\nX-Mailhaul-Trace: " B
	      "\nX-Mailhaul-Trace: " C "\nX-Mailhaul-Trace: " D
	      "\nX-Mailhaul-Trace: " E "\n",
	    A "\n" B "\n" C "\n" D "\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
