/* SPDX-License-Identifier: ISC */
/*
 * One poll, as a trail: mailbox, state database and destination are fakes that
 * move when the test says so.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/mem.h"
#include "worker_stage.h"

#define LISTED                                                                 \
	"look up hotmail INBOX\nopen\nselect INBOX\nlist from 0\nlisted "      \
	"1\nsettle\n"

static void
test_nothing_new(void **state)
{
	struct stage *s = *state;

	list(s, 0);
	assert_trail(s, LISTED "removals behind 0\n");
	give_items(s, 0, 0, 0);
	assert_trail(s, "quit\n");
	down(NULL);
	run(s);
	assert_trail(s, "close\ndone: 0 relayed\n");
}

static void
test_relay_and_remove(void **state)
{
	struct stage *s = *state;

	list(s, 1);
	assert_trail(s, LISTED "warm 1\nwork behind 0\n");
	give_items(s, 1, 1, 20);
	assert_trail(s, "fetch 1\nwork behind 1\n");
	give_items(s, 0, 0, 0);
	fetched(1, "A: b\r\n\r\nx\r\n");
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	/* Not before the record is durable. */
	assert_trail(s,
	    "submit\nbegin\nrecord 1 in_doubt, attempt 1, 11 bytes\n"
	    "committed\npermit\ndot\n"
	    "verdict good\nrecord 1 relayed, remove: 250 ok\n");
	fake_store_commit(&s->store);
	assert_trail(s, "committed\nremovals behind 0\n");
	give_items(s, 1, 1, 20);
	assert_trail(s, "remove 1\nquit\n");
	fake_source.source.events->removed(fake_source.source.arg, 1);
	down(NULL);
	run(s);
	assert_trail(s, "close\ndone: 1 relayed\n");
	assert_int_equal(s->tally.relayed, 1);
	assert_int_equal(s->tally.held, 0);
	assert_int_equal(s->tally.fetched_bytes, 11);
	assert_int_equal(s->sink.relayed, 1);
}

/* R6: what was fetched and is not relayed forbids QUIT. */
static void
test_no_quit(void **state)
{
	struct stage *s = *state;
	struct fault f;

	s->folder.after = CONF_AFTER_KEEP;
	list(s, 1);
	give_items(s, 1, 1, 20);
	give_items(s, 0, 0, 0);
	fetched(1, "A: b\r\n\r\nx\r\n");
	fault_set(&f, FAULT_MESSAGE, FAULT_NEVER, "RCPT", "no");
	fake_sink_verdict(&s->sink, &f, "550 no");
	fake_store_commit(&s->store);
	run(s);
	assert_int_equal(s->tally.held, 1);
	assert_int_equal(s->sink.relayed, 0);
	assert_null(strstr(s->trail.text, "quit"));
	assert_non_null(strstr(s->trail.text, "close\ndone: 0 relayed\n"));
	assert_int_equal(s->report.held, 1);
}

/* I9: a server that gives nothing of a message that it says is long has not
 * given it; M1: an empty message is a message. */
static void
test_nothing_given(void **state)
{
	static const struct {
		uint64_t size;
		bool sent;
	} v[] = { { 20, false }, { 3, false }, { 2, true }, { 0, true } };
	struct stage *s = *state;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		bool sent;

		list(s, 1);
		give_items(s, 1, 1, v[i].size);
		if (v[i].size == 0)
			fake_source.source.events->sized(
			    fake_source.source.arg);
		give_items(s, 0, 0, 0);
		fake_source.source.events->fetched(
		    fake_source.source.arg, 1, NULL);
		sent = strstr(s->trail.text, "submit") != NULL;
		assert_int_equal(sent, v[i].sent);
		if (sent) {
			fake_sink_begin(&s->sink);
			fake_store_commit(&s->store);
			fake_sink_dot(&s->sink);
			fake_sink_verdict(&s->sink, NULL, "250 ok");
		} else {
			assert_non_null(
			    strstr(s->trail.text, "record 1 deferred"));
		}
		while (s->store.queued > 0)
			fake_store_commit(&s->store);
		if (fake_source.open)
			down(NULL);
		run(s);
		forget(s);
	}
}

/* Known from the listing: not a byte of it is fetched. */
static void
test_too_large(void **state)
{
	struct stage *s = *state;

	list(s, 1);
	give_items(s, 1, 1, 1001);
	assert_null(strstr(s->trail.text, "fetch"));
	assert_non_null(strstr(s->trail.text, "record 1 held: 1001 bytes"));
	fake_store_commit(&s->store);
	while (s->store.queued > 0)
		give_items(s, 0, 0, 0);
	if (fake_source.open)
		down(NULL);
	run(s);
	assert_int_equal(s->report.held, 1);
}

/* The session breaks: what is half here is forgotten, and what is behind its
 * dot goes its way before the poll ends. */
static void
test_session_breaks(void **state)
{
	struct stage *s = *state;
	struct fault f;

	list(s, 2);
	give_items(s, 1, 2, 20);
	give_items(s, 0, 0, 0);
	fetched(1, "A: b\r\n\r\nx\r\n");
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	fake_source.source.events->piece(
	    fake_source.source.arg, span_str("A: b\r\nhalf"));
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "body", "lost");
	down(&f);
	run(s);
	assert_trail(s, "close\n");
	assert_true(worker_busy(s->worker));
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	fake_store_commit(&s->store);
	run(s);
	assert_trail(s, "verdict good\nrecord 1 relayed, remove: 250 ok\n"
			"committed\ndone, failed: 1 relayed\n");
	assert_string_equal(s->report.fault.text, "lost");
}

/* One message finds out whether the trouble is over; while it is on its way
 * nothing else is fetched for that destination, afterwards all of it. */
static void
test_probe(void **state)
{
	struct stage *s = *state;

	s->folder.after = CONF_AFTER_KEEP;
	s->sink.failed = true;
	list(s, 3);
	give_items(s, 1, 2, 20);
	assert_non_null(strstr(
	    s->trail.text, "work behind 0\nprobe\nfetch 1\nwork behind 2\n"));
	forget(s);
	give_items(s, 3, 1, 20); /* left out without a look */
	assert_trail(s, "work behind 3\n");
	give_items(s, 0, 0, 0);
	fetched(1, "A: b\r\n\r\nx\r\n");
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	s->sink.failed = false;
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	forget(s);
	fake_store_commit(&s->store);
	assert_trail(s, "committed\nprobe over\nwork behind 0\n");
	give_items(s, 2, 2, 20);
	assert_trail(s, "fetch 2\nfetch 3\nwork behind 3\n");
	worker_stop(s->worker);
	give_items(s, 0, 0, 0);
	run(s);
}

/* The probe failed: nothing more is fetched, and it is given back. */
static void
test_probe_fails(void **state)
{
	struct stage *s = *state;
	struct fault f;

	s->folder.after = CONF_AFTER_KEEP;
	s->sink.failed = true;
	list(s, 2);
	give_items(s, 1, 2, 20);
	give_items(s, 0, 0, 0);
	fetched(1, "A: b\r\n\r\nx\r\n");
	fault_set(&f, FAULT_DESTINATION, FAULT_LATER, "connect", "refused");
	s->sink.trouble = &f;
	fake_sink_verdict(&s->sink, &f, "");
	run(s);
	assert_null(strstr(s->trail.text, "fetch 2"));
	assert_non_null(strstr(
	    s->trail.text, "probe over\nclose\ndone, failed: 0 relayed\n"));
	assert_int_equal(s->report.fault.scope, FAULT_DESTINATION);
}

/* A destination in trouble hides no fault of the account. */
static void
test_fault_of_the_account(void **state)
{
	struct stage *s = *state;
	struct fault trouble, f;

	fault_set(&trouble, FAULT_DESTINATION, FAULT_LATER, "x", "y");
	s->sink.trouble = &trouble;
	list(s, 1);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "DELE", "lost");
	down(&f);
	give_items(s, 0, 0, 0);
	run(s);
	assert_string_equal(s->report.fault.text, "lost");
}

/* Where logins must be apart, there is no second session for deletions. */
static void
test_login_delay(void **state)
{
	struct stage *s = *state;
	struct store_answer found = { .mailbox = 1, .baseline = true };
	struct fault f;

	worker_poll(s->worker, NULL);
	fake_store_answer(&s->store, &found);
	fake_source.source.events->logged_in(fake_source.source.arg, 300);
	assert_trail(s, "look up hotmail INBOX\nopen\n"
			"record login of hotmail, 300 seconds\n");
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "STAT", "no");
	down(&f);
	run(s);
	assert_true(s->report.last_login > 0);
	assert_int_equal(s->report.login_delay, 300);
}

/* A preset knows of a delay that its server keeps to itself. */
static void
test_preset_delay(void **state)
{
	struct stage *s = *state;
	struct store_answer found = { .mailbox = 1, .baseline = true };
	struct fault f;

	s->account.login_delay = 600;
	worker_poll(s->worker, NULL);
	fake_store_answer(&s->store, &found);
	fake_source.source.events->logged_in(fake_source.source.arg, 0);
	assert_trail(s, "look up hotmail INBOX\nopen\n"
			"record login of hotmail, 600 seconds\n");
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "STAT", "no");
	down(&f);
	run(s);
	assert_int_equal(s->report.login_delay, 600);
}

/* What may have killed us goes alone; the others wait behind it. */
static void
test_suspects(void **state)
{
	struct stage *s = *state;
	struct store_answer a = { .nitems = 0 };

	list(s, 2);
	for (uint32_t i = 1; i <= 2; i++) {
		a.items = mem_grow(a.items, i, sizeof(*a.items));
		a.items[a.nitems++] = (struct store_item){
			.id = i,
			.uid = mem_strdup("uid"),
			.number = i,
			.size = 20,
			.deaths = 1,
			.destination = mem_strdup("home"),
			.state = STORE_NEW,
		};
	}
	fake_store_answer(&s->store, &a);
	assert_trail(
	    s, LISTED "warm 2\nwork behind 0\nfetch 1\nwork behind 2\n");
	give_items(s, 0, 0, 0);
	assert_int_equal(s->store.underway, 1);
	fetched(1, "A: b\r\n\r\nx\r\n");
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	forget(s);
	fake_store_commit(&s->store);
	assert_trail(s, "committed\nfetch 2\n");
	assert_int_equal(s->store.underway, 1);
	worker_stop(s->worker);
	run(s);
	assert_int_equal(s->store.underway, 0);
	assert_null(s->suspect);
}

/* Nobody is told of a letter of ours that is held. */
static void
test_notice(void **state)
{
	struct stage *s = *state;
	char token[TRACE_TOKEN_SIZE], text[128];
	struct fault f;

	trace_notice(store_install_key(&s->store), token);
	snprintf(text, sizeof(text), "X-Mailhaul-Notice: %s\r\n\r\n", token);
	s->account.after = CONF_AFTER_KEEP;
	list(s, 2);
	give_items(s, 1, 2, 20);
	give_items(s, 0, 0, 0);
	fault_set(&f, FAULT_MESSAGE, FAULT_NEVER, "RCPT", "no");
	fetched(1, text);
	fake_sink_verdict(&s->sink, &f, "550 no");
	fake_store_commit(&s->store);
	fetched(2, "A: b\r\n\r\n");
	fake_sink_verdict(&s->sink, &f, "550 no");
	fake_store_commit(&s->store);
	down(NULL);
	run(s);
	assert_int_equal(s->report.held, 2);
	assert_int_equal(s->report.quiet, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* --- IMAP: many mailboxes, news, marks */

/* Up to the end of a poll that finds nothing. */
static void
poll_nothing(struct stage *s)
{
	list(s, 0);
	give_items(s, 0, 0, 0); /* removals */
}

/* The session of one mailbox serves the next. */
static void
test_session_given_back(void **state)
{
	struct stage *s = *state;
	struct store_answer found = { .mailbox = 1, .baseline = true };
	struct source *session;

	as_imap(s);
	s->leave = WORKER_KEEP;
	poll_nothing(s);
	run(s);
	session = s->report.session;
	assert_non_null(session);
	assert_false(worker_busy(s->worker));
	forget(s);
	worker_poll(s->worker, session);
	fake_store_answer(&s->store, &found);
	assert_trail(s, "look up hotmail Junk\nselect Junk\n");
	s->leave = WORKER_QUIT;
	source_is()->down(fake_source.source.arg, NULL);
	run(s);
}

/* A mailbox that cannot be opened ends neither the session nor the account. */
static void
test_mailbox_refused(void **state)
{
	struct stage *s = *state;
	struct store_answer found = { .mailbox = 1, .baseline = true };
	struct fault f;

	as_imap(s);
	s->leave = WORKER_KEEP;
	worker_poll(s->worker, NULL);
	fake_store_answer(&s->store, &found);
	source_is()->ready(fake_source.source.arg);
	fault_set(&f, FAULT_ACCOUNT, FAULT_NEVER, "SELECT", "no such");
	forget(s);
	source_is()->selected(fake_source.source.arg, NULL, &f);
	run(s);
	assert_trail(s, "leaving\ndone, failed: 0 relayed\n");
	assert_true(s->report.mailbox_only);
	assert_non_null(s->report.session);
	source_close(&s->report.session);
}

static void
test_news(void **state)
{
	struct stage *s = *state;
	struct store_answer found = { .mailbox = 1, .baseline = true };
	struct store_answer settled = { .waiting = 0 };

	as_imap(s);
	s->leave = WORKER_WATCH;
	poll_nothing(s);
	run(s);
	assert_true(s->report.watching);
	assert_true(worker_watching(s->worker));
	forget(s);
	/* No room on the disk: not now. */
	s->no_room = true;
	source_is()->news(fake_source.source.arg);
	assert_trail(s, "");
	s->no_room = false;
	source_is()->news(fake_source.source.arg);
	assert_trail(s, "unwatch\n");
	source_is()->unwatched(fake_source.source.arg);
	fake_store_answer(&s->store, &found);
	source_is()->listed(fake_source.source.arg, true);
	fake_store_answer(&s->store, &settled);
	give_items(s, 0, 0, 0);
	run(s);
	assert_trail(s,
	    "look up hotmail Junk\nlist from 0\nsettle\nremovals behind 0\n"
	    "leaving, can watch\nwatch\ndone: 0 relayed\n");
	/* The server ends it by itself: it is asked, and not watched again. */
	source_is()->unwatched(fake_source.source.arg);
	fake_store_answer(&s->store, &found);
	source_is()->listed(fake_source.source.arg, true);
	fake_store_answer(&s->store, &settled);
	s->leave = WORKER_QUIT;
	give_items(s, 0, 0, 0);
	assert_trail(s, "look up hotmail Junk\nlist from 0\nsettle\n"
			"removals behind 0\nleaving\nquit\n");
	source_is()->down(fake_source.source.arg, NULL);
	run(s);
}

/* News that came during the poll are looked at before it watches. */
static void
test_news_in_time(void **state)
{
	struct stage *s = *state;
	struct fault f;

	as_imap(s);
	s->leave = WORKER_WATCH;
	fake_source.has_news = true;
	poll_nothing(s);
	assert_non_null(strstr(s->trail.text,
	    "leaving, can watch\nwatch\nlook up hotmail Junk\n"));
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "LIST", "gone");
	source_is()->down(fake_source.source.arg, &f);
	fake_store_answer(&s->store, &(struct store_answer){ .mailbox = 1 });
	run(s);
	assert_false(worker_busy(s->worker));
}

static void
test_watch_breaks(void **state)
{
	struct stage *s = *state;
	struct fault f;

	as_imap(s);
	s->leave = WORKER_WATCH;
	poll_nothing(s);
	run(s);
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "IDLE", "gone");
	source_is()->down(fake_source.source.arg, &f);
	run(s);
	assert_true(s->report.failed);
	assert_true(s->report.watched);
	assert_false(worker_watching(s->worker));
	/* And the end of one by our own wish. */
	poll_nothing(s);
	run(s);
	worker_retire(s->worker);
	run(s);
	assert_false(worker_watching(s->worker));
}

/* The keyword is set with the reply, before the record. */
static void
test_marks(void **state)
{
	struct stage *s = *state;

	s->context.keyword = "Mailhaul-Relayed-0000";
	as_imap(s);
	s->folder.after = CONF_AFTER_SEEN;
	worker_poll(s->worker, NULL);
	fake_store_answer(&s->store,
	    &(struct store_answer){ .mailbox = 1, .baseline = true });
	source_is()->ready(fake_source.source.arg);
	source_is()->selected(fake_source.source.arg,
	    &(struct source_mailbox){ .exists = 1 }, NULL);
	source_is()->listed(fake_source.source.arg, true);
	forget(s);
	source_is()->marked(fake_source.source.arg, 7);
	source_is()->marks_told(fake_source.source.arg);
	fake_store_answer(&s->store, &(struct store_answer){ .waiting = 1 });
	give_items(s, 8, 1, 20);
	give_items(s, 0, 0, 0);
	fetched(8, "a: b\r\n\r\nhello\r\n");
	fake_sink_begin(&s->sink);
	fake_store_commit(&s->store);
	fake_sink_dot(&s->sink);
	assert_non_null(strstr(s->trail.text, "marked 7\nsettle\n"));
	forget(s);
	fake_sink_verdict(&s->sink, NULL, "250 ok");
	assert_non_null(strstr(s->trail.text, "mark 8 as relayed\n"));
	assert_null(strstr(s->trail.text, "mark 8 as read\n"));
	fake_store_commit(&s->store);
	assert_non_null(strstr(s->trail.text, "mark 8 as read\n"));
	source_is()->down(fake_source.source.arg, NULL);
	run(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_nothing_new),
		TEST(test_relay_and_remove),
		TEST(test_no_quit),
		TEST(test_nothing_given),
		TEST(test_too_large),
		TEST(test_session_breaks),
		TEST(test_probe),
		TEST(test_probe_fails),
		TEST(test_fault_of_the_account),
		TEST(test_login_delay),
		TEST(test_preset_delay),
		TEST(test_suspects),
		TEST(test_notice),
		TEST(test_session_given_back),
		TEST(test_mailbox_refused),
		TEST(test_news),
		TEST(test_news_in_time),
		TEST(test_watch_breaks),
		TEST(test_marks),
	};

	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
