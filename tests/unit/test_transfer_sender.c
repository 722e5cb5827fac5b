/* SPDX-License-Identifier: ISC */
/*
 * In which form a message goes out, and when it goes out again in another.
 */
#include "transfer_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
assert_sent(struct stage *s, const char *part, bool there)
{
	char all[8192];

	fake_sink_read(&s->sink, all, sizeof(all));
	if ((strstr(all, part) != NULL) != there)
		fail_msg("%s%s in:\n%s", there ? "no " : "", part, all);
}

static void
stop(struct stage *s)
{
	transfer_stop(s->transfer);
	run(s);
	assert_null(s->transfer);
}

#define WRAPPED "\r\nContent-Type: message/rfc822\r\n"
#define FROM_US "\r\nFrom: unknown sender via hotmail <me@example.org>\r\n"

static void
test_sender(void **state)
{
	struct stage *s = *state;

	start(s);
	assert_sent(s, "attempt=1\r\n" BODY, true);
	stop(s);
	s->dest.sender = CONF_SENDER_REWRITE;
	start(s);
	assert_sent(s, "attempt=2" FROM_US BODY, true);
	stop(s);
	s->dest.sender = CONF_SENDER_WRAP;
	start(s);
	assert_sent(s, FROM_US, true);
	assert_sent(s, WRAPPED, true);
	stop(s);
}

static void
refuse_content(struct stage *s)
{
	struct fault f = fault(FAULT_MESSAGE, FAULT_NEVER);

	f.code = 550;
	f.subject = 7;
	fake_sink_verdict(&s->sink, &f, "words");
}

/* On record first, then again at once, and not a third time. */
static void
test_wrapped_when_refused(void **state)
{
	struct stage *s = *state;

	s->dest.on_reject = CONF_ON_REJECT_WRAP;
	go_to_dot(s);
	assert_sent(s, WRAPPED, false);
	refuse_content(s);
	assert_trail(s, "verdict never\nrecord 5 deferred, wrap: words\n");
	fake_store_commit(&s->store);
	assert_trail(s, "committed\nsubmit\n");
	assert_sent(s, WRAPPED, true);
	assert_sent(s, "attempt=2\r\n", true);
	fake_sink_begin(&s->sink);
	assert_false(s->sink.job->permitted);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	assert_trail(s, "begin\nrecord 5 in_doubt, attempt 2, 17 bytes\n"
			"committed\npermit\ndot\n");
	refuse_content(s);
	fake_store_commit(&s->store);
	assert_over(s, "verdict never\nrecord 5 held: words\n"
		       "committed\ndone: held\n");
}

static void
test_wrapped_and_relayed(void **state)
{
	struct stage *s = *state;

	s->dest.on_reject = CONF_ON_REJECT_WRAP;
	go_to_dot(s);
	refuse_content(s);
	fake_store_commit(&s->store);
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
	fake_store_commit(&s->store);
	assert_over(s, "committed\ndone: relayed, complete\n");
}

/* A process that died behind the record: the next one goes on from it. */
static void
test_wrapped_by_the_next(void **state)
{
	struct stage *s = *state;

	s->dest.on_reject = CONF_ON_REJECT_WRAP;
	s->item.state = STORE_DEFERRED;
	s->item.wrapped = true;
	start(s);
	assert_sent(s, WRAPPED, true);
	stop(s);
	/* ... and when it is not wanted any more, not. */
	s->dest.on_reject = CONF_ON_REJECT_HOLD;
	start(s);
	assert_sent(s, WRAPPED, false);
	stop(s);
}

static void
test_not_wrapped(void **state)
{
	struct stage *s = *state;

	/* What is no matter of content. */
	s->dest.on_reject = CONF_ON_REJECT_WRAP;
	go_to_dot(s);
	refuse(s, FAULT_MESSAGE, FAULT_NEVER);
	fake_store_commit(&s->store);
	assert_over(s, "verdict never\nrecord 5 held: words\n"
		       "committed\ndone: held\n");
	/* What is wrapped anyway. */
	s->dest.sender = CONF_SENDER_WRAP;
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
	go_to_dot(s);
	refuse_content(s);
	fake_store_commit(&s->store);
	assert_over(s, "verdict never\nrecord 5 held: words\n"
		       "committed\ndone: held\n");
}

/* A stop while "wrapped" is being written. */
static void
test_wrapped_and_stop(void **state)
{
	struct stage *s = *state;

	s->dest.on_reject = CONF_ON_REJECT_WRAP;
	go_to_dot(s);
	refuse_content(s);
	transfer_stop(s->transfer);
	fake_store_commit(&s->store);
	run(s);
	assert_over(s, "verdict never\nrecord 5 deferred, wrap: words\n"
		       "committed\n(loop)\ndone: untried\n");
}

/* No record, no second try. */
static void
test_wrapped_is_not_on_record(void **state)
{
	struct stage *s = *state;

	s->dest.on_reject = CONF_ON_REJECT_WRAP;
	go_to_dot(s);
	refuse_content(s);
	fake_store_fail(&s->store);
	assert_over(s, "verdict never\nrecord 5 deferred, wrap: words\n"
		       "not committed\ndone: untried\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sender),
		TEST(test_wrapped_when_refused),
		TEST(test_wrapped_and_relayed),
		TEST(test_wrapped_by_the_next),
		TEST(test_not_wrapped),
		TEST(test_wrapped_and_stop),
		TEST(test_wrapped_is_not_on_record),
	};

	return cmocka_run_group_tests_name("sender", tests, NULL, NULL);
}
