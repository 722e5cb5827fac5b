/* SPDX-License-Identifier: ISC */
/*
 * The order of DURABILITY.md 4.4, as a trail of who asked whom for what: the
 * destination and the state database are fakes that move when the test says
 * so, and every text below is the whole of what happened, in order.
 */
#include "transfer_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "relay/spool.h"

/* --- the good way */

static void
test_relayed(void **state)
{
	struct stage *s = *state;

	start(s);
	fake_sink_begin(&s->sink);
	run(s);
	/* However long the disk takes: no permission before it answered. */
	assert_trail(s, "submit\n"
			"begin\n"
			"record 5 in_doubt, attempt 1, 17 bytes\n"
			"(loop)\n");
	assert_false(s->sink.job->permitted);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	run(s);
	/* "Relayed" is not written before the server said so (R3). */
	assert_trail(s, "committed\npermit\ndot\n(loop)\n");
	fake_sink_verdict(&s->sink, NULL, "250 queued\x01");
	assert_trail(s, "verdict good\nrecord 5 relayed: 250 queued?\n");
	assert_non_null(s->transfer);
	fake_store_commit(&s->store);
	assert_over(s, "committed\ndone: relayed, complete\n");
}

static void
test_remove(void **state)
{
	struct stage *s = *state;

	s->context.remove = true;
	go_to_dot(s);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	fake_store_commit(&s->store);
	assert_over(s, "verdict good\nrecord 5 relayed, remove: 250 ok\n"
		       "committed\ndone: relayed, complete\n");
}

/* --- what stands in front */

static void
assert_head(struct stage *s, const char *trace_field)
{
	char head[TRACE_HEAD_MAX], *at;

	fake_sink_head(&s->sink, head, sizeof(head));
	assert_memory_equal(head, "Received: from imap.example by me.example ",
	    strlen("Received: from imap.example by me.example "));
	assert_non_null(strstr(head, "\r\n\tfor <you@example.org>; "));
	at = strstr(head, "X-Mailhaul-Trace: ");
	assert_non_null(at);
	assert_string_equal(at, trace_field);
	transfer_stop(s->transfer);
	run(s);
	assert_null(s->transfer);
}

static void
test_head(void **state)
{
	struct stage *s = *state;
	char expected[128];

	start(s);
	assert_int_equal(strlen(s->item.trace), TRACE_SIZE - 1);
	snprintf(expected, sizeof(expected),
	    "X-Mailhaul-Trace: %s; account=token; attempt=1\r\n",
	    s->item.trace);
	assert_head(s, expected);
}

/* Deferred twice: a third attempt, but no second copy. */
static void
test_head_of_a_retry(void **state)
{
	struct stage *s = *state;

	s->item.state = STORE_DEFERRED;
	s->item.attempt = 2;
	strcpy(s->item.trace, TRACE);
	start(s);
	assert_head(
	    s, "X-Mailhaul-Trace: " TRACE "; account=token; attempt=3\r\n");
	assert_false(s->item.doubt);
}

/* Left in doubt: the copy says so and has the trace of the first. */
static void
test_head_of_a_resend(void **state)
{
	struct stage *s = *state;

	s->item.state = STORE_IN_DOUBT;
	s->item.attempt = 1;
	strcpy(s->item.trace, TRACE);
	start(s);
	assert_true(s->item.doubt);
	assert_head(s,
	    "X-Mailhaul-Trace: " TRACE
	    "; account=token; attempt=2; possible-duplicate=yes\r\n");
}

/* The doubt is older than the last refusal: it is said all the same. */
static void
test_head_of_old_doubt(void **state)
{
	struct stage *s = *state;

	s->item.state = STORE_DEFERRED;
	s->item.doubt = true;
	s->item.attempt = 6;
	strcpy(s->item.trace, TRACE);
	start(s);
	assert_head(s,
	    "X-Mailhaul-Trace: " TRACE
	    "; account=token; attempt=7; possible-duplicate=yes\r\n");
}

static void
test_head_of_a_folded_message(void **state)
{
	struct stage *s = *state;

	strcpy(s->item.trace, TRACE);
	start_with(s, span_str(" folded\r\n\r\nx\r\n"));
	assert_head(s,
	    "X-Mailhaul-Trace: " TRACE "; account=token; attempt=1\r\n"
	    "X-Mailhaul-Original: (begins with a blank)\r\n");
}

/* --- R1: no record, no dot */

static void
test_record_fails(void **state)
{
	struct stage *s = *state;

	start(s);
	fake_sink_begin(&s->sink);
	fake_store_fail(&s->store);
	assert_over(s, "submit\nbegin\nrecord 5 in_doubt, attempt 1, 17 bytes\n"
		       "not committed\nwithdraw\ndone: untried\n");
	assert_int_equal(s->result.fault.scope, FAULT_US);
}

/* --- R2: no reply behind the dot */

static void
test_unknown(void **state)
{
	struct stage *s = *state;

	go_to_dot(s);
	refuse(s, FAULT_MESSAGE, FAULT_UNKNOWN);
	assert_over(s, "verdict unknown\ndone: in doubt\n");
	assert_int_equal(s->result.fault.when, FAULT_UNKNOWN);
}

/* Accepted, but the record of it fails: it stays in doubt, no more is said. */
static void
test_relayed_but_not_on_record(void **state)
{
	struct stage *s = *state;

	go_to_dot(s);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	fake_store_fail(&s->store);
	assert_over(s, "verdict good\nrecord 5 relayed: 250 ok\n"
		       "not committed\ndone: untried\n");
	assert_int_equal(s->result.fault.scope, FAULT_US);
}

/* --- refusals */

static void
test_refused_behind_the_dot(void **state)
{
	static const struct {
		enum fault_when when;
		const char *trail;
	} table[] = {
		{ FAULT_LATER, "verdict later\nrecord 5 deferred: words\n"
			       "committed\ndone: deferred\n" },
		{ FAULT_NOW, "verdict now\nrecord 5 deferred: words\n"
			     "committed\ndone: deferred\n" },
		{ FAULT_NEVER, "verdict never\nrecord 5 held: words\n"
			       "committed\ndone: held\n" },
	};
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		go_to_dot(s);
		refuse(s, FAULT_MESSAGE, table[i].when);
		fake_store_commit(&s->store);
		assert_over(s, table[i].trail);
		assert_string_equal(s->result.fault.text, "words");
	}
}

/* The refusal is there before the disk is: both records are written, in this
 * order, the late answer permits nothing, and it ends once. */
static void
test_refused_before_the_record(void **state)
{
	struct stage *s = *state;

	start(s);
	fake_sink_begin(&s->sink);
	refuse(s, FAULT_MESSAGE, FAULT_LATER);
	fake_store_commit(&s->store);
	assert_trail(s,
	    "submit\nbegin\nrecord 5 in_doubt, attempt 1, 17 bytes\n"
	    "verdict later\nrecord 5 deferred: words\n"
	    "committed\n");
	fake_store_commit(&s->store);
	assert_over(s, "committed\ndone: deferred\n");

	start(s);
	fake_sink_begin(&s->sink);
	refuse(s, FAULT_MESSAGE, FAULT_NEVER);
	fake_store_fail(&s->store);
	fake_store_fail(&s->store);
	assert_over(s, "submit\nbegin\nrecord 5 in_doubt, attempt 2, 17 bytes\n"
		       "verdict never\nrecord 5 held: words\n"
		       "not committed\nnot committed\ndone: untried\n");
}

/* Refused in the queue, before its turn: there is nothing to take back. */
static void
test_refused_unclaimed(void **state)
{
	struct stage *s = *state;

	start(s);
	refuse(s, FAULT_MESSAGE, FAULT_NEVER);
	fake_store_commit(&s->store);
	assert_over(s, "submit\nverdict never\nrecord 5 held: words\n"
		       "committed\ndone: held\n");
}

/* --- the destination is in trouble: nothing is said about the message */

static void
test_destination_before_claim(void **state)
{
	struct stage *s = *state;

	start(s);
	refuse(s, FAULT_DESTINATION, FAULT_LATER);
	assert_trail(s, "submit\nverdict later\n");
	assert_non_null(s->transfer); /* it ends from the loop */
	run(s);
	assert_over(s, "(loop)\ndone: untried\n");
}

static void
test_destination_after_claim(void **state)
{
	struct stage *s = *state;

	start(s);
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	refuse(s, FAULT_DESTINATION, FAULT_NEVER);
	fake_store_commit(&s->store);
	assert_over(s, "submit\nbegin\nrecord 5 in_doubt, attempt 1, 17 bytes\n"
		       "committed\npermit\n"
		       "verdict never\nrecord 5 deferred: words\n"
		       "committed\ndone: untried\n");
	assert_int_equal(s->result.fault.scope, FAULT_DESTINATION);
}

/* --- another turn, because the line broke before the dot */

static void
test_second_turn(void **state)
{
	struct stage *s = *state;

	start(s);
	fake_sink_begin(&s->sink);
	fake_sink_begin(&s->sink); /* the disk is still busy */
	assert_trail(s,
	    "submit\nbegin\nrecord 5 in_doubt, attempt 1, 17 bytes\n"
	    "begin\n");
	fake_store_commit(&s->store);
	fake_sink_begin(&s->sink); /* it is durable: at once */
	assert_trail(s, "committed\npermit\nbegin\npermit\n");
	fake_sink_dot(&s->sink);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	fake_store_commit(&s->store);
	assert_over(s, "dot\nverdict good\nrecord 5 relayed: 250 ok\n"
		       "committed\ndone: relayed, complete\n");
}

/* --- what we refuse ourselves */

static void
check_own_refusal(struct stage *s, struct span message, const char *word)
{
	start_with(s, message);
	assert_non_null(strstr(s->trail.text, "record 5 held: "));
	assert_non_null(strstr(s->trail.text, word));
	assert_null(strstr(s->trail.text, "submit"));
	assert_non_null(s->transfer);
	fake_store_commit(&s->store);
	assert_null(s->transfer);
	assert_int_equal(s->result.end, TRANSFER_HELD);
	trail_free(&s->trail);
}

static void
received(char *dst, unsigned n)
{
	for (*dst = '\0'; n > 0; n--)
		strcat(dst, "Received: x\r\n");
	strcat(dst, "\r\n");
}

static void
test_own_refusals(void **state)
{
	struct stage *s = *state;
	char loop[100 * 16];

	check_own_refusal(s, span_make("A: b\r\n\r\nx\0y\r\n", 13), "NUL");
	check_own_refusal(s,
	    span_str("X-Mailhaul-Trace: other; account=token; attempt=1\r\n"
		     "\r\n"),
	    "loop");
	received(loop, 100);
	check_own_refusal(s, span_str(loop), "received 100 times");
	received(loop, 99);
	start_with(s, span_str(loop));
	assert_trail(s, "submit\n");
	transfer_stop(s->transfer);
	run(s);
}

/* A letter of ours goes its way as any other, but nobody is told of it. */
static void
test_notice(void **state)
{
	struct stage *s = *state;
	char token[TRACE_TOKEN_SIZE], text[128];
	struct fault f;

	trace_notice(s->key, token);
	for (int i = 0; i < 2; i++) {
		token[0] ^= (char)i;
		snprintf(text, sizeof(text),
		    "X-Mailhaul-Notice: %s\r\n\r\nx\r\n", token);
		start_with(s, span_str(text));
		fault_set(&f, FAULT_MESSAGE, FAULT_NEVER, "RCPT", "no");
		fake_sink_verdict(&s->sink, &f, "550 no");
		fake_store_commit(&s->store);
		assert_null(s->transfer);
		assert_int_equal(s->result.end, TRANSFER_HELD);
		assert_int_equal(s->result.notice, i == 0);
	}
}

#define REPORT                                                                 \
	"Return-Path: <>\r\n\r\nOriginal-Envelope-Id: " OTHER                  \
	"\r\nX-Mailhaul-Trace: " TRACE "\r\n"
#define OTHER "aaaaaaaaaaaaaaaaaaaaaaaaaa"
#define FIND "find 2: " OTHER "\n"

/* Nothing is submitted before it is known whose report it is. */
static void
test_report_about_us(void **state)
{
	struct stage *s = *state;

	start_with(s, span_str(REPORT));
	assert_trail(s, FIND);
	fake_store_found(&s->store, 2);
	fake_store_commit(&s->store);
	assert_over(s,
	    "found: 2\n"
	    "record 5 held: it is a delivery report about a message that was "
	    "relayed from here (trace " TRACE ")\n"
	    "committed\ndone: held\n");
}

static void
test_report_about_others(void **state)
{
	struct stage *s = *state;

	start_with(s, span_str(REPORT));
	fake_store_found(&s->store, 0);
	assert_trail(s, FIND "found: 0\nsubmit\n");
	transfer_stop(s->transfer);
	run(s);
	assert_over(s, "withdraw\n(loop)\ndone: untried\n");
}

static void
test_report_and_stop(void **state)
{
	struct stage *s = *state;

	start_with(s, span_str(REPORT));
	transfer_stop(s->transfer);
	fake_store_found(&s->store, 0);
	run(s);
	assert_over(s, FIND "found: 0\n(loop)\ndone: untried\n");
	start_with(s, span_str(REPORT));
	fake_store_fail(&s->store);
	assert_over(s, FIND "not committed\ndone: untried\n");
}

/* Such lines in a message that is no notification mean nothing. */
static void
test_no_report(void **state)
{
	struct stage *s = *state;

	start_with(s, span_str("Return-Path: <a@b>\r\n\r\n"
			       "X-Mailhaul-Trace: " TRACE "\r\n"));
	assert_trail(s, "submit\n");
	transfer_stop(s->transfer);
	run(s);
}

static void
test_refused_undownloaded(void **state)
{
	struct fault f = fault(FAULT_MESSAGE, FAULT_NEVER);
	struct stage *s = *state;

	s->transfer = transfer_refuse(&s->context, &s->item, &f, on_done, s);
	fake_store_commit(&s->store);
	assert_over(s, "record 5 held: words\ncommitted\ndone: held\n");
	f.when = FAULT_LATER;
	s->transfer = transfer_refuse(&s->context, &s->item, &f, on_done, s);
	fake_store_commit(&s->store);
	assert_over(s, "record 5 deferred: words\ncommitted\ndone: deferred\n");
	f.scope = FAULT_US;
	s->transfer = transfer_refuse(&s->context, &s->item, &f, on_done, s);
	run(s);
	assert_over(s, "(loop)\ndone: untried\n");
}

/* --- stop */

static void
test_stop_in_the_queue(void **state)
{
	struct stage *s = *state;

	start(s);
	transfer_stop(s->transfer);
	transfer_stop(s->transfer); /* again: nothing more */
	run(s);
	assert_over(s, "submit\nwithdraw\n(loop)\ndone: untried\n");
}

static void
test_stop_before_the_record(void **state)
{
	struct stage *s = *state;

	start(s);
	fake_sink_begin(&s->sink);
	transfer_stop(s->transfer);
	fake_store_commit(&s->store);
	fake_store_commit(&s->store);
	assert_over(s, "submit\nbegin\nrecord 5 in_doubt, attempt 1, 17 bytes\n"
		       "withdraw\nrecord 5 deferred: the daemon is stopping\n"
		       "committed\ncommitted\ndone: untried\n");
}

static void
test_stop_before_the_dot(void **state)
{
	struct stage *s = *state;

	start(s);
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	transfer_stop(s->transfer);
	fake_store_commit(&s->store);
	assert_over(s, "submit\nbegin\nrecord 5 in_doubt, attempt 1, 17 bytes\n"
		       "committed\npermit\n"
		       "withdraw\nrecord 5 deferred: the daemon is stopping\n"
		       "committed\ndone: untried\n");
}

static void
test_stop_behind_the_dot(void **state)
{
	struct stage *s = *state;

	go_to_dot(s);
	transfer_stop(s->transfer);
	run(s);
	assert_trail(s, "withdraw (no)\n(loop)\n");
	assert_non_null(s->transfer);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	transfer_stop(s->transfer); /* the record is being written */
	fake_store_commit(&s->store);
	assert_over(s, "verdict good\nrecord 5 relayed: 250 ok\n"
		       "committed\ndone: relayed, complete\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_relayed),
		TEST(test_remove),
		TEST(test_head),
		TEST(test_head_of_a_retry),
		TEST(test_head_of_a_resend),
		TEST(test_head_of_old_doubt),
		TEST(test_head_of_a_folded_message),
		TEST(test_record_fails),
		TEST(test_unknown),
		TEST(test_relayed_but_not_on_record),
		TEST(test_refused_behind_the_dot),
		TEST(test_refused_before_the_record),
		TEST(test_refused_unclaimed),
		TEST(test_destination_before_claim),
		TEST(test_destination_after_claim),
		TEST(test_second_turn),
		TEST(test_own_refusals),
		TEST(test_notice),
		TEST(test_report_about_us),
		TEST(test_report_about_others),
		TEST(test_report_and_stop),
		TEST(test_no_report),
		TEST(test_refused_undownloaded),
		TEST(test_stop_in_the_queue),
		TEST(test_stop_before_the_record),
		TEST(test_stop_before_the_dot),
		TEST(test_stop_behind_the_dot),
	};

	return cmocka_run_group_tests_name("transfer", tests, NULL, NULL);
}
