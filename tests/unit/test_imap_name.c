/* SPDX-License-Identifier: ISC */
#include "proto/imap_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void
test_names(void **state)
{
	static const struct {
		const char *utf8, *name;
	} names[] = {
		{ "", "" },
		{ "INBOX", "INBOX" },
		{ "[Gmail]/All Mail", "[Gmail]/All Mail" },
		{ "a\"b\\c*%~", "a\"b\\c*%~" },
		/* The examples of RFC 3501. */
		{ "~peter/mail/\xe5\x8f\xb0\xe5\x8c\x97/"
		  "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e",
		    "~peter/mail/&U,BTFw-/&ZeVnLIqe-" },
		{ "\xe2\x98\xba!", "&Jjo-!" },
		/* "&" is no part of what is coded. */
		{ "&", "&-" },
		{ "&&", "&-&-" },
		{ "&-", "&--" },
		{ "R&D", "R&-D" },
		{ "\xc3\xa9&\xc3\xa9", "&AOk-&-&AOk-" },
		{ "-\xc3\xa9-", "-&AOk--" },
		/* Bits left over: 2, 4, 0. */
		{ "Entw\xc3\xbcrfe", "Entw&APw-rfe" },
		{ "\xc3\xa9\xc3\xa9", "&AOkA6Q-" },
		{ "\xc3\xa9\xc3\xa9\xc3\xa9", "&AOkA6QDp-" },
		/* Ends of the ranges of UTF-8. */
		{ "\xc2\xa0", "&AKA-" },
		{ "\xdf\xbf", "&B,8-" },
		{ "\xe0\xa0\x80", "&CAA-" },
		{ "\xed\x9f\xbf", "&1,8-" },
		{ "\xee\x80\x80", "&4AA-" },
		{ "\xef\xbf\xbf", "&,,8-" },
		{ "\xf0\x90\x80\x80", "&2ADcAA-" },
		{ "\xf0\x9f\x98\x80", "&2D3eAA-" },
		{ "\xf4\x8f\xbf\xbf", "&2,,f,w-" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_true(imap_name_encode(names[i].utf8, out, sizeof(out)));
		assert_string_equal(out, names[i].name);
		assert_true(imap_name_decode(
		    span_str(names[i].name), out, sizeof(out)));
		assert_string_equal(out, names[i].utf8);
	}
}

static void
test_bad_utf8(void **state)
{
	static const char *const bad[] = { "a\x01", "a\tb", "\x7f", "a\r\nb",
		"\x80", "a\xbf", "\xc3", "\xc3z", "\xe2\x98", "\xe2\x98z",
		"\xf0\x9f\x98", "\xff", "\xf8\x88\x80\x80\x80",
		/* too long for what they say */
		"\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
		/* surrogates, and more than Unicode */
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xf4\x90\x80\x80",
		/* control characters of two bytes */
		"\xc2\x80", "\xc2\x9f" };
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_false(imap_name_encode(bad[i], out, sizeof(out)));
	}
}

static void
test_bad_names(void **state)
{
	static const char *const bad[] = { "a\x01", "\x7f", "\xc3\xa9",
		/* no end */
		"&", "a&", "&AOk", "&Jjo!",
		/* no base64, or not this one */
		"&AO k-", "&U/BTFw-", "&AOk=-", "&\xc3-", "&AO&-",
		/* too few bits, too many, spare ones that are set */
		"&A-", "&AO-", "&AOkA-", "&AOkAA-", "&AOkA6QD-", "&AOl-",
		"&AOkA6R-",
		/* what stands for itself: A, &, ~ */
		"&AEE-", "&ACY-", "&AH4-",
		/* control characters */
		"&AAA-", "&AAo-", "&AH8-", "&AIA-", "&AJ8-",
		/* halves of pairs, and two of the same half */
		"&2D0-", "&3gA-", "&2D0A6Q-", "&2D3YPQ-", "&3gDYPQ-",
		"&2D0-&3gA-",
		/* the second shift adds nothing (RFC 3501) */
		"&U,BTFw-&ZeVnLIqe-", "&AOk-&AOk-" };
	char out[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (imap_name_decode(span_str(bad[i]), out, sizeof(out)))
			print_error("%s\n", bad[i]);
		assert_false(
		    imap_name_decode(span_str(bad[i]), out, sizeof(out)));
	}
	assert_false(imap_name_decode(span_make("a\0b", 3), out, sizeof(out)));
	assert_false(
	    imap_name_decode(span_make("&AO\0k-", 6), out, sizeof(out)));
}

static void
test_sizes(void **state)
{
	char name[IMAP_NAME_MAX], utf8[2 * IMAP_NAME_MAX], out[6];

	(void)state;
	assert_true(imap_name_encode("\xc3\xa9", out, 6));
	assert_string_equal(out, "&AOk-");
	assert_false(imap_name_encode("\xc3\xa9", out, 5));
	assert_true(imap_name_decode(span_str("&AOk-"), out, 3));
	assert_string_equal(out, "\xc3\xa9");
	assert_false(imap_name_decode(span_str("&AOk-"), out, 2));
	assert_false(imap_name_encode("a", out, 1));
	assert_true(imap_name_decode(span_str(""), out, 1));
	/* The longest, of nothing but what needs three bytes of UTF-8. */
	name[0] = '&';
	for (size_t i = 1; i + 8 < sizeof(name); i += 8)
		memcpy(name + i, "ZeVnLIqe", 8);
	name[1017] = '-';
	assert_true(
	    imap_name_decode(span_make(name, 1018), utf8, sizeof(utf8)));
	assert_int_equal(strlen(utf8), 1016 / 8 * 9);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_bad_utf8),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests_name("imap_name", tests, NULL, NULL);
}
