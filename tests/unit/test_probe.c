/* SPDX-License-Identifier: ISC */
/*
 * A probe on one side, a server and a state that the test is on the other: what
 * is said, what is not, and what is reported.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>
#include <event2/event.h>

#include "../fake/fake_conn.h"
#include "base/log.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/probe.h"
#include "store/store.h"

static char host[] = "mx", user[] = "me", password[] = "env:PROBE_SECRET",
	    me[] = "me@x", you[] = "you@y", ehlo[] = "here", name[] = "home",
	    inbox[] = "INBOX", done_folder[] = "Done";

struct play {
	struct trail trail;
	struct fake_net net;
	struct conf conf;
	struct conf_destination dest;
	struct conf_account account;
	struct conf_folder folders[2];
	struct store_pause pause;
	struct probe *probe;
	bool have_store, over, logged_in, failed;
	unsigned delay;
};

/* --- the state */

static struct store_done asked;
static size_t ncompared;

void
store_peek(struct store *s, const struct store_account *account,
    const char *folder, struct store_done done)
{
	(void)s;
	(void)account;
	(void)folder;
	asked = done;
}

void
store_compare(struct store *s, int64_t mailbox, const struct store_listing *l,
    const struct store_entry *entries, size_t n, struct store_done done)
{
	(void)s;
	(void)mailbox;
	(void)l;
	(void)entries;
	ncompared = n;
	asked = done;
}

static void
answer(struct store_answer a)
{
	a.ok = true;
	asked.run(asked.arg, &a);
}

/* --- the probe */

static void
on_reported(void *arg, const struct probe_report *r)
{
	struct play *p = arg;

	trail_event(&p->trail, "%s %s%s%s: %s%s%s", step_name(r->step),
	    probe_outcome_name(r->outcome), r->folder != NULL ? " " : "",
	    r->folder != NULL ? r->folder : "", r->text,
	    r->cure != NULL ? "; " : "", r->cure != NULL ? r->cure : "");
	if (r->words != NULL)
		trail_event(&p->trail, "words: %s", r->words);
}

static void
on_done(void *arg, const struct probe_result *r)
{
	struct play *p = arg;

	p->probe = NULL;
	p->over = true;
	p->logged_in = r->logged_in;
	p->delay = r->login_delay;
	p->failed = r->fault != NULL;
	trail_event(&p->trail, "done %s", probe_outcome_name(r->outcome));
}

static int
set_up(void **state)
{
	struct play *p = calloc(1, sizeof(*p));
	struct conf_server server = {
		.host = host, .port = 465, .user = user, .password = password
	};

	log_open(-1);
	if (p == NULL || setenv("PROBE_SECRET", "pw", 1) != 0)
		return -1;
	p->conf = (struct conf){ .connect_timeout = 30, .reply_timeout = 300 };
	p->dest = (struct conf_destination){
		.name = name,
		.server = server,
		.tls = CONF_TLS_IMPLICIT,
		.mail_from = me,
		.recipient = you,
		.ehlo = ehlo,
	};
	p->folders[0].name = inbox;
	p->folders[1].name = done_folder;
	p->account = (struct conf_account){
		.name = name,
		.server = server,
		.protocol = CONF_POP3,
		.folders = p->folders,
		.nfolders = 1,
	};
	p->net.trail = &p->trail;
	p->net.net.loop = loop_new();
	p->have_store = true;
	*state = p;
	return 0;
}

static int
tear_down(void **state)
{
	struct play *p = *state;

	probe_stop(&p->probe);
	loop_free(&p->net.net.loop);
	trail_free(&p->trail);
	free(p);
	return 0;
}

static void
turn(struct play *p)
{
	for (int i = 0; i < 8; i++) {
		event_base_loop(loop_base(p->net.net.loop), EVLOOP_NONBLOCK);
		fake_conn_flush(&p->net);
	}
}

static void
say(struct play *p, const char *text)
{
	fake_conn_say(&p->net, text);
	turn(p);
}

static void
start(struct play *p, bool account)
{
	static char no_store; /* only its address counts */
	const struct probe_owner owner = {
		.net = &p->net.net,
		.conf = &p->conf,
		.account = account ? &p->account : NULL,
		.destination = account ? NULL : &p->dest,
		.store =
		    p->have_store ? (struct store *)(void *)&no_store : NULL,
		.pause = &p->pause,
		.reported = on_reported,
		.done = on_done,
		.arg = p,
	};

	p->probe = probe_start(&owner);
	turn(p);
	fake_conn_up(&p->net);
}

static void
assert_told(struct play *p, const char *part)
{
	trail_close(&p->trail);
	if (strstr(p->trail.text, part) == NULL)
		fail_msg("no \"%s\" in:\n%s", part, p->trail.text);
}

static void
assert_untold(struct play *p, const char *part)
{
	trail_close(&p->trail);
	if (strstr(p->trail.text, part) != NULL)
		fail_msg("\"%s\" in:\n%s", part, p->trail.text);
}

/* --- a destination */

#define HELLO "220 hi\r\n"
#define CAPS "250-mx\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n"

static void
log_in(struct play *p)
{
	start(p, false);
	say(p, HELLO);
	say(p, CAPS);
	say(p, "235 in\r\n");
}

static void
test_asks_and_takes_back(void **state)
{
	struct play *p = *state;

	log_in(p);
	assert_told(p, "greeting good: hi\n");
	assert_told(p, "capabilities good: PIPELINING; login by PLAIN\n");
	assert_told(p, "login good: PLAIN\n");
	assert_told(p, "C: MAIL FROM:<me@x>\\r\\nRCPT TO:<you@y>\\r\\n"
		       "RSET\\r\\n\n");
	say(p, "250 a\r\n250 b\r\n250 c\r\n");
	assert_told(p, "sender good: me@x\n");
	assert_told(p, "recipient good: you@y\n");
	say(p, "221 bye\r\n");
	assert_told(p, "goodbye good: \ndone good\n");
	assert_untold(p, "DATA");
	assert_true(p->over && p->logged_in && !p->failed);
}

static void
test_recipient_refused(void **state)
{
	struct play *p = *state;

	log_in(p);
	say(p, "250 a\r\n550 5.1.1 nobody\r\n250 c\r\n");
	assert_told(p, "sender good: me@x\n"
		       "recipient failed: refused with 550; check recipient\n"
		       "words: 5.1.1 nobody\n");
	say(p, "221 bye\r\n");
	assert_told(p, "done failed\n");
	assert_untold(p, "DATA");
	assert_true(p->failed);
}

/* A line that breaks is told where it broke, and once. */
static void
test_breaks(void **state)
{
	struct play *p = *state;

	log_in(p);
	fake_conn_break(&p->net);
	turn(p);
	assert_told(p, "sender failed: connection lost; ");
	assert_told(p, "done failed\n");
	assert_true(p->over);
}

static void
test_goodbye_does_not_count(void **state)
{
	struct play *p = *state;

	log_in(p);
	say(p, "250 a\r\n250 b\r\n250 c\r\n");
	fake_conn_break(&p->net);
	turn(p);
	assert_told(p, "done good\n");
}

/* --- what protects a login */

static void
protect(struct play *p)
{
	p->pause = (struct store_pause){
		.failures = 1,
		.not_before = time(NULL) + 600,
		.firm = true,
		.reply = "refused: \"no\"",
	};
}

static void
test_no_login_in_a_pause(void **state)
{
	struct play *p = *state;

	protect(p);
	start(p, false);
	say(p, HELLO);
	say(p, CAPS);
	assert_told(p, "login skipped: not tried, because home is left alone "
		       "for another 10 minutes after the last failure; mend "
		       "what it was, end the pause with mailhaul resume home, "
		       "and check again\nwords: refused: 'no'\n");
	assert_told(p, "done skipped\n");
	assert_untold(p, "AUTH PLAIN ");
	assert_true(p->over && !p->logged_in && !p->failed);
}

static void
test_login_delay(void **state)
{
	struct play *p = *state;

	p->pause.last_login = time(NULL) - 10;
	p->pause.login_delay = 300;
	start(p, true);
	say(p, "+OK hi\r\n");
	say(p, "+OK\r\nUSER\r\nLOGIN-DELAY 300\r\n.\r\n");
	assert_told(p, "login skipped: not tried: the server wants 300 seconds "
		       "between logins; check again");
	assert_untold(p, "C: USER");
	assert_true(p->over && !p->logged_in);
}

/* --- an account */

static void
open_mailbox(struct play *p, const char *stat)
{
	start(p, true);
	say(p, "+OK hi\r\n");
	say(p, "+OK\r\nUSER\r\nUIDL\r\nLOGIN-DELAY 60\r\n.\r\n");
	say(p, "+OK\r\n"); /* USER */
	say(p, "+OK\r\n"); /* PASS */
	say(p, stat);
}

static void
leave(struct play *p)
{
	say(p, "+OK bye\r\n");
	assert_told(p, "C: QUIT\\r\\n\n");
	assert_told(p, "goodbye good: \ndone good\n");
	assert_untold(p, "RETR");
	assert_untold(p, "DELE");
	assert_untold(p, "TOP ");
	assert_true(p->over && p->logged_in);
	assert_int_equal(p->delay, 60);
}

static void
test_counts_what_is_new(void **state)
{
	struct play *p = *state;

	open_mailbox(p, "+OK 3 300\r\n");
	answer((struct store_answer){
	    .mailbox = 7, .baseline = true, .list_from = 1 });
	turn(p);
	say(p, "+OK\r\n1 100\r\n2 100\r\n3 100\r\n.\r\n");
	say(p, "+OK\r\n1 a\r\n2 b\r\n3 c\r\n.\r\n");
	assert_int_equal(ncompared, 3);
	answer((struct store_answer){ .added = 1, .waiting = 1 });
	turn(p);
	assert_told(p, "folder good: 3 messages, 2 new\n");
	leave(p);
}

static void
test_first_time(void **state)
{
	struct play *p = *state;

	p->folders[0].first = CONF_FIRST_ALL;
	open_mailbox(p, "+OK 1 100\r\n");
	answer((struct store_answer){ .mailbox = 0 });
	turn(p);
	assert_told(p, "folder good: 1 message, 1 new (first = \"all\")\n");
	assert_untold(p, "C: UIDL");
	leave(p);
}

static void
test_without_a_state(void **state)
{
	struct play *p = *state;

	p->have_store = false;
	open_mailbox(p, "+OK 2 100\r\n");
	assert_told(p, "folder good: 2 messages; the state is not readable\n");
	leave(p);
}

/* The state answers somebody who has gone. */
static void
test_stopped_while_the_state_is_asked(void **state)
{
	struct play *p = *state;

	open_mailbox(p, "+OK 2 100\r\n");
	probe_stop(&p->probe);
	answer((struct store_answer){ .mailbox = 7, .baseline = true });
	turn(p);
	assert_false(p->over);
	assert_untold(p, "folder");
}

/* One folder that is not there says nothing of the next. */
static void
test_folders(void **state)
{
	struct play *p = *state;

	p->have_store = false;
	p->account.protocol = CONF_IMAP;
	p->folders[0].name = done_folder;
	p->folders[1].name = inbox;
	p->account.nfolders = 2;
	start(p, true);
	say(p, "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hi\r\n");
	say(p, "A1 OK [CAPABILITY IMAP4rev1] in\r\n");
	assert_told(p, "EXAMINE Done");
	assert_untold(p, "SELECT");
	say(p, "A2 NO [NONEXISTENT] what?\r\n");
	assert_told(p, "LIST ");
	say(p,
	    "* LIST () \"/\" INBOX\r\n* LIST () \"/\" Old\r\nA3 OK done\r\n");
	assert_told(p, "folder failed Done: the folder is not there; there "
		       "are: INBOX, Old\n");
	assert_told(p, "EXAMINE INBOX");
	say(p, "* 4 EXISTS\r\n* OK [UIDVALIDITY 9] x\r\nA4 OK done\r\n");
	assert_told(p, "folder good INBOX: 4 messages;");
	say(p, "* BYE\r\nA5 OK done\r\n");
	assert_told(p, "done failed\n");
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_asks_and_takes_back),
		TEST(test_recipient_refused),
		TEST(test_breaks),
		TEST(test_goodbye_does_not_count),
		TEST(test_no_login_in_a_pause),
		TEST(test_login_delay),
		TEST(test_counts_what_is_new),
		TEST(test_first_time),
		TEST(test_without_a_state),
		TEST(test_stopped_while_the_state_is_asked),
		TEST(test_folders),
	};

	return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
