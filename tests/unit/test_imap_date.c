/* SPDX-License-Identifier: ISC */
#include "proto/imap.h"

#include "../run_imap.h"
#include "proto/imap_private.h"
#include "split.h"

static void
test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t date;
	} dates[] = {
		{ " 1-Jan-1970 00:00:01 +0000", 1 },
		{ "17-Jul-1996 02:44:25 -0700", 837596665 },
		{ "29-feb-2024 23:59:60 +0000", 1709251200 },
		{ "01-Mar-2000 00:00:00 +0130", 951863400 },
		{ "1-Dec-2026 12:00:00 +0000", 1796126400 },
		{ "31-Dec-1969 12:00:00 +0000", 0 },
		{ "17-Jul-1996 02:44:25 0700", 0 },
		{ "17-Jux-1996 02:44:25 +0700", 0 },
		{ "17-Jul-1996 24:44:25 +0700", 0 },
		{ "17-Jul-1996 02:44:25 +0700x", 0 },
		{ "17-Jul-96 02:44:25 +0700", 0 },
		{ "-Jul-1996 02:44:25 +0700", 0 },
		{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++)
		assert_int_equal(
		    imap_date(span_str(dates[i].text)), dates[i].date);
}

#define SELECT                                                                 \
	"* OK hi\r\nA1 OK in\r\n* 9 EXISTS\r\n"                                \
	"* OK [UIDVALIDITY 7] x\r\nA2 OK sel\r\n"

/* Whatever stands between them, in any order. */
static void
test_headers(void **state)
{
	struct run_imap r = { .script = "lsh" };
	struct trail_machine m = run_imap_machine(&r);

	(void)state;
	split_check(&m,
	    span_str(
		SELECT "* 1 FETCH (UID 4 INTERNALDATE "
		       "\" 1-Jan-1970 00:01:00 +0000\" BODY[HEADER] {4}\r\n"
		       "a: b)\r\n"
		       "* 2 FETCH (BODY[HEADER] \"\" INTERNALDATE NIL UID "
		       "5)\r\nA3 OK x\r\n"),
	    "done 0 ok 0: hi\ndone 2 ok 0: in\ndone 5 ok 0: sel\n"
	    "begin 4 4\nbody: a: b\nfetched 4 date=60 body\n"
	    "begin 0 0\nfetched 5 body\ndone 8 ok 0: x\n"
	    "box validity=1:7 next=0:0 9\nleft 0\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests_name("imap_date", tests, NULL, NULL);
}
