/* SPDX-License-Identifier: ISC */
#include "relay/tally.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sink_play.h"

static void
test_bounds(void **state)
{
	(void)state;
	assert_int_equal(tally_bounds_us[0], 10000);
	for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_true(tally_bounds_us[i] > tally_bounds_us[i - 1]);
	assert_int_equal(tally_bounds_us[HISTOGRAM_BUCKETS - 1], INT64_MAX);
}

static void
test_reply(void **state)
{
	static const struct {
		unsigned code, class;
	} codes[] = { { 220, 0 }, { 354, 0 }, { 421, 1 }, { 550, 2 } };
	struct tally_destination t = { .dot = { .count = 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		uint64_t before = t.replies[TALLY_DOT][codes[i].class];

		tally_reply(&t, SMTP_DOT, codes[i].code);
		assert_int_equal(
		    t.replies[TALLY_DOT][codes[i].class], before + 1);
	}
	tally_reply(&t, SMTP_DOT, 0);
	tally_reply(&t, SMTP_DOT, 600);
	assert_int_equal(t.replies[TALLY_DOT][0], 2);
	assert_int_equal(t.replies[TALLY_DOT][2], 1);
	for (enum tally_stage s = 0; s < TALLY_STAGES; s++)
		assert_non_null(tally_stage_name(s));
}

/* --- what the sink counts */

static uint64_t
replies(const struct play *p, enum tally_stage stage, unsigned class)
{
	return sink_tally(p->sink)->replies[stage][class];
}

static void
test_sink(void **state)
{
	struct play *p = *state;

	work_once(p);
	assert_int_equal(replies(p, TALLY_CONNECT, 0), 1);
	assert_int_equal(replies(p, TALLY_AUTH, 0), 1);
	assert_int_equal(replies(p, TALLY_ENVELOPE, 0), 1);
	assert_int_equal(replies(p, TALLY_DOT, 0), 1);
	assert_int_equal(sink_tally(p->sink)->dot.count, 1);
	submit(p, 1, BODY);
	turn(p);
	say(p, "250 ok\r\n450 later\r\n503 no\r\n");
	assert_int_equal(replies(p, TALLY_ENVELOPE, 1), 1);
	assert_int_equal(replies(p, TALLY_ENVELOPE, 2), 0);
	submit(p, 2, BODY);
	turn(p);
	say(p, "250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	permit(p, 2);
	say(p, "554 spam\r\n");
	assert_int_equal(replies(p, TALLY_DOT, 2), 1);
	assert_int_equal(sink_tally(p->sink)->dot.count, 2);
	say(p, "421 bye\r\n");
	assert_int_equal(replies(p, TALLY_CONNECT, 1), 1);
	sink_note_relayed(p->sink, 20000);
	assert_int_equal(sink_tally(p->sink)->relay.bucket[1], 1);
}

static void
test_sink_starttls(void **state)
{
	struct play *p = *state;

	p->dest.tls = CONF_TLS_STARTTLS;
	submit(p, 0, BODY);
	turn(p);
	fake_conn_up(&p->net);
	say(p, "554 no\r\n");
	assert_int_equal(replies(p, TALLY_CONNECT, 2), 1);
}

static void
test_sink_login(void **state)
{
	struct play *p = *state;

	submit(p, 0, BODY);
	turn(p);
	fake_conn_up(&p->net);
	say(p, "220 mx\r\n");
	say(p, CAPS);
	say(p, "535 no\r\n");
	assert_int_equal(replies(p, TALLY_AUTH, 2), 1);
}

#define PLAY(f) cmocka_unit_test_setup_teardown(f, play_setup, play_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_reply),
		PLAY(test_sink),
		PLAY(test_sink_starttls),
		PLAY(test_sink_login),
	};

	return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
