/* SPDX-License-Identifier: ISC */
/*
 * What a source says without waiting, and what it waits for: a fake connection
 * shows each flight.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <event2/event.h>

#include "../fake/fake_conn.h"
#include "../fake/fake_token.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/session.h"

struct scene {
	struct trail trail;
	struct fake_net net;
	struct tokens tokens;
	struct conf conf;
	struct conf_account account;
	struct conf_folder folder;
	struct source *source;
	struct fault fault;
	bool list; /* as soon as it is selected */
};

static char host[] = "mx", user[] = "me@x", name[] = "a", inbox[] = "INBOX",
	    archive[] = "Archive", password[] = "env:SOURCE_SECRET";

/* --- the owner */

static void
on_logged_in(void *arg, unsigned delay)
{
	(void)arg;
	(void)delay;
}

static void
on_ready(void *arg)
{
	struct scene *s = arg;

	trail_event(&s->trail, "ready");
}

static void
on_selected(void *arg, const struct source_mailbox *m, const struct fault *f)
{
	struct scene *s = arg;

	(void)m;
	trail_event(&s->trail, "selected%s", f != NULL ? " (no)" : "");
	if (s->list)
		source_list(s->source, 1);
}

static void
on_entry(void *arg, struct span uid, uint32_t number, uint64_t size)
{
	struct scene *s = arg;

	trail_event(&s->trail, "entry %.*s %u %llu", (int)uid.n, uid.p, number,
	    (unsigned long long)size);
}

static void
on_listed(void *arg, bool complete)
{
	struct scene *s = arg;

	trail_event(&s->trail, "listed%s", complete ? "" : " (part)");
}

static void
on_size(void *arg, uint32_t number, uint64_t size)
{
	struct scene *s = arg;

	trail_event(
	    &s->trail, "size %u %llu", number, (unsigned long long)size);
}

static void
on_sized(void *arg)
{
	struct scene *s = arg;

	trail_event(&s->trail, "sized");
}

static bool
on_piece(void *arg, struct span bytes)
{
	(void)arg;
	(void)bytes;
	return true;
}

static void
on_fetched(void *arg, uint32_t number, const struct fault *f)
{
	struct scene *s = arg;

	trail_event(
	    &s->trail, "fetched %u%s", number, f != NULL ? " (no)" : "");
}

static void
on_removed(void *arg, size_t done)
{
	struct scene *s = arg;

	trail_event(&s->trail, "removed %zu", done);
}

static void
on_header_piece(void *arg, struct span bytes)
{
	(void)arg;
	(void)bytes;
}

static void
on_header(void *arg, uint32_t number, int64_t date)
{
	struct scene *s = arg;

	(void)date;
	trail_event(&s->trail, "header %u", number);
}

static void
on_headed(void *arg)
{
	struct scene *s = arg;

	trail_event(&s->trail, "headed");
}

static void
on_down(void *arg, const struct fault *f)
{
	struct scene *s = arg;

	if (f != NULL)
		s->fault = *f;
	trail_event(&s->trail, "down%s", f != NULL ? " (no)" : "");
	source_close(&s->source);
}

static const struct source_events events = {
	.logged_in = on_logged_in,
	.ready = on_ready,
	.selected = on_selected,
	.entry = on_entry,
	.listed = on_listed,
	.size = on_size,
	.sized = on_sized,
	.piece = on_piece,
	.fetched = on_fetched,
	.removed = on_removed,
	.header_piece = on_header_piece,
	.header = on_header,
	.headed = on_headed,
	.down = on_down,
};

static int
setup(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return -1;
	setenv("SOURCE_SECRET", "pw", 1);
	trail_raw(&s->trail, "", 0);
	s->net.trail = &s->trail;
	s->net.net.loop = loop_new();
	s->conf = (struct conf){ .connect_timeout = 30, .reply_timeout = 300 };
	s->account = (struct conf_account){
		.name = name,
		.server = { .host = host,
		    .port = 995,
		    .user = user,
		    .password = password },
	};
	s->folder.after = CONF_AFTER_DELETE;
	*state = s;
	return 0;
}

static int
teardown(void **state)
{
	struct scene *s = *state;

	source_close(&s->source);
	loop_free(&s->net.net.loop);
	trail_free(&s->trail);
	free(s);
	return 0;
}

static void
forget(struct scene *s)
{
	trail_free(&s->trail);
	trail_raw(&s->trail, "", 0);
}

static void
turn(struct scene *s)
{
	for (int i = 0; i < 4; i++) {
		event_base_loop(loop_base(s->net.net.loop), EVLOOP_NONBLOCK);
		fake_conn_flush(&s->net);
	}
	trail_close(&s->trail);
}

/* What happened since the last look. */
static void
assert_trail(struct scene *s, const char *expected)
{
	turn(s);
	assert_string_equal(s->trail.text, expected);
	forget(s);
}

/* The server says this; what follows is expected, unless that is NULL. */
static void
hear(struct scene *s, const char *text, const char *expected)
{
	forget(s);
	fake_conn_say(&s->net, text);
	turn(s);
	/* but for what it said */
	if (expected != NULL)
		assert_string_equal(strchr(s->trail.text, '\n') + 1, expected);
	forget(s);
}

static void
begin(struct scene *s, const struct source_driver *driver)
{
	const struct session_owner owner = {
		.net = &s->net.net,
		.conf = &s->conf,
		.account = &s->account,
		.events = &events,
		.arg = s,
	};

	s->source = driver->open(&owner);
	fake_conn_up(&s->net);
	forget(s);
}

/* --- POP3 */

static void
log_in_pop3(struct scene *s, const char *caps, const char *flight)
{
	char capa[128];

	begin(s, &source_pop3_driver);
	hear(s, "+OK ready\r\n", "C: CAPA\\r\\n\n");
	snprintf(
	    capa, sizeof(capa), "+OK\r\nUSER\r\nUIDL\r\nTOP\r\n%s.\r\n", caps);
	hear(s, capa, flight);
}

static void
list_pop3(struct scene *s)
{
	log_in_pop3(s, "PIPELINING\r\n", "C: USER me@x\\r\\nPASS pw\\r\\n\n");
	hear(s, "+OK\r\n+OK in\r\n", "ready\n");
	source_select(s->source, inbox, &s->folder, false);
	assert_trail(s, "C: STAT\\r\\nLIST\\r\\nUIDL\\r\\n\n");
	s->list = true;
	hear(s, "+OK 2 90\r\n", "selected\n");
	hear(s, "+OK\r\n1 40\r\n2 50\r\n.\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n",
	    "entry a 1 40\nentry b 2 50\nlisted\n");
}

static void
test_pop3_flights(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 1, 2 };

	list_pop3(s);
	source_fetch(s->source, numbers, 2);
	assert_trail(s, "C: RETR 1\\r\\nRETR 2\\r\\n\n");
	hear(s,
	    "+OK\r\n0123456789012345678901234567890123456789\r\n.\r\n"
	    "-ERR no\r\n",
	    "fetched 1\nfetched 2 (no)\n");
	source_remove(s->source, numbers, 2);
	source_quit(s->source);
	assert_trail(s, "C: DELE 1\\r\\nDELE 2\\r\\nQUIT\\r\\n\n");
	hear(s, "+OK\r\n-ERR\r\n+OK bye\r\n", "removed 1\nclose\ndown\n");
}

/* The password is on its way when the name is refused. */
static void
test_pop3_user_refused(void **state)
{
	struct scene *s = *state;

	log_in_pop3(s, "PIPELINING\r\n", "C: USER me@x\\r\\nPASS pw\\r\\n\n");
	hear(s, "-ERR who\r\n-ERR what\r\n", "close\ndown (no)\n");
	assert_true(s->fault.login);
}

/* More than fit into the window. */
static void
test_pop3_window(void **state)
{
	struct scene *s = *state;
	uint32_t numbers[600];

	for (uint32_t i = 0; i < 600; i++)
		numbers[i] = i + 1;
	list_pop3(s);
	source_remove(s->source, numbers, 600);
	source_quit(s->source);
	turn(s);
	assert_non_null(strstr(s->trail.text, "DELE 512\\r\\n\n"));
	for (int i = 0; i < 87; i++)
		hear(s, "+OK\r\n", i == 0 ? "C: DELE 513\\r\\n\n" : NULL);
	hear(s, "+OK\r\n", "C: DELE 600\\r\\n\n");
	hear(s, "+OK\r\n", "C: QUIT\\r\\n\n");
}

/* Who asks later, or twice, hears a listing for each question. */
static void
test_pop3_listed_late(void **state)
{
	struct scene *s = *state;

	for (int late = 0; late < 2; late++) {
		log_in_pop3(
		    s, "PIPELINING\r\n", "C: USER me@x\\r\\nPASS pw\\r\\n\n");
		hear(s, "+OK\r\n+OK in\r\n", "ready\n");
		source_select(s->source, inbox, &s->folder, false);
		turn(s);
		hear(s, "+OK 1 40\r\n", "selected\n");
		hear(s, "+OK\r\n1 40\r\n.\r\n+OK\r\n1 a\r\n", "");
		if (late)
			hear(s, ".\r\n", "");
		source_list(s->source, 1);
		assert_trail(s, "C: LIST\\r\\nUIDL\\r\\n\n");
		if (!late)
			hear(s, ".\r\n", "");
		hear(s, "+OK\r\n1 40\r\n.\r\n+OK\r\n1 a\r\n.\r\n",
		    "entry a 1 40\nlisted\n");
		source_list(s->source, 1);
		assert_trail(s, "C: LIST\\r\\nUIDL\\r\\n\n");
		source_close(&s->source);
	}
}

static void
test_pop3_one_at_a_time(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 1, 2 };

	log_in_pop3(s, "", "C: USER me@x\\r\\n\n");
	hear(s, "+OK\r\n", "C: PASS pw\\r\\n\n");
	hear(s, "+OK\r\n", "ready\n");
	source_select(s->source, inbox, &s->folder, false);
	assert_trail(s, "C: STAT\\r\\n\n");
	hear(s, "+OK 2 90\r\n", "selected\n");
	source_list(s->source, 1);
	assert_trail(s, "C: LIST\\r\\n\n");
	hear(s, "+OK\r\n1 40\r\n2 50\r\n.\r\n", "C: UIDL\\r\\n\n");
	hear(s, "+OK\r\n1 a\r\n2 b\r\n.\r\n",
	    "entry a 1 40\nentry b 2 50\nlisted\n");
	source_fetch(s->source, numbers, 1);
	assert_trail(s, "C: RETR 1\\r\\n\n");
	hear(s, "-ERR\r\n", "fetched 1 (no)\n");
	source_remove(s->source, numbers, 2);
	source_quit(s->source);
	assert_trail(s, "C: DELE 1\\r\\n\n");
	hear(s, "+OK\r\n", "C: DELE 2\\r\\n\n");
	hear(s, "+OK\r\n", "removed 2\nC: QUIT\\r\\n\n");
	hear(s, "+OK\r\n", "close\ndown\n");
}

/* --- IMAP */

#define CAPS "IMAP4rev1 AUTH=PLAIN SASL-IR "

static void
open_imap(struct scene *s, const char *caps, const char *box)
{
	char in[256];

	begin(s, &source_imap_driver);
	snprintf(in, sizeof(in), "* OK [CAPABILITY " CAPS "%s] hi\r\n", caps);
	hear(s, in, "C: A1 AUTHENTICATE PLAIN AG1lQHgAcHc=\\r\\n\n");
	snprintf(in, sizeof(in), "A1 OK [CAPABILITY " CAPS "%s] in\r\n", caps);
	hear(s, in, "ready\n");
	source_select(s->source, inbox, &s->folder, false);
	assert_trail(s, "C: A2 SELECT INBOX\\r\\n\n");
	snprintf(
	    in, sizeof(in), "* OK [UIDVALIDITY 7] x\r\n%sA2 OK x\r\n", box);
	hear(s, in, "selected\n");
}

#define LIST                                                                   \
	"C: A3 UID SEARCH UID 5:*\\r\\nA4 UID FETCH 5:4294967295 (UID "        \
	"RFC822.SIZE)\\r\\n\n"

static void
test_imap_list(void **state)
{
	static const struct {
		const char *caps, *box, *flight;
	} v[] = {
		{ "", "* 512 EXISTS\r\n", LIST },
		{ "", "* 999 EXISTS\r\n* OK [UIDNEXT 516] x\r\n", LIST },
		{ "", "* 513 EXISTS\r\n* OK [UIDNEXT 517] x\r\n",
		    "C: A3 UID SEARCH UID 5:*\\r\\n\n" },
		{ "", "* 513 EXISTS\r\n", "C: A3 UID SEARCH UID 5:*\\r\\n\n" },
		{ "MESSAGELIMIT=9", "* 1 EXISTS\r\n",
		    "C: A3 UID SEARCH UID 5:*\\r\\n\n" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		open_imap(s, v[i].caps, v[i].box);
		source_list(s->source, 5);
		assert_trail(s, v[i].flight);
		source_close(&s->source);
	}
}

/* Whatever the order: listed only when both are answered. */
static void
test_imap_listed(void **state)
{
	static const struct {
		const char *in, *trail;
	} v[] = {
		{ "* SEARCH 6 5 8\r\nA3 OK x\r\n"
		  "* 1 FETCH (UID 5 RFC822.SIZE 50)\r\n"
		  "* 2 FETCH (UID 6 RFC822.SIZE 60)\r\n"
		  "* 3 FETCH (UID 7 RFC822.SIZE 70)\r\nA4 OK x\r\n",
		    "entry 5 5 50\nentry 6 6 60\nentry 8 8 0\nlisted\n" },
		{ "* 1 FETCH (UID 5 RFC822.SIZE 50)\r\nA4 OK x\r\n"
		  "* SEARCH 5 6\r\nA3 OK x\r\n",
		    "entry 5 5 0\nentry 6 6 0\nlisted\n" },
		{ "* SEARCH 5\r\n* 1 FETCH (UID 5 RFC822.SIZE 50)\r\n"
		  "A4 OK x\r\nA3 OK x\r\n",
		    "entry 5 5 50\nlisted\n" },
		{ "* SEARCH 5\r\nA3 OK x\r\nA4 NO x\r\n",
		    "entry 5 5 0\nlisted\n" },
		/* No answer is not the answer that nothing is there. */
		{ "A3 OK x\r\nA4 OK x\r\n", "listed (part)\n" },
	};
	struct scene *s = *state;

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		open_imap(s, "", "* 3 EXISTS\r\n");
		source_list(s->source, 5);
		turn(s);
		hear(s, v[i].in, v[i].trail);
		source_close(&s->source);
	}
}

/* A part of the listing, and no word of it before: the rest is asked for. */
static void
test_imap_listed_in_parts(void **state)
{
	struct scene *s = *state;

	open_imap(s, "", "* 3 EXISTS\r\n");
	source_list(s->source, 5);
	assert_trail(s, LIST);
	hear(s, "* SEARCH 8\r\nA3 OK [MESSAGELIMIT 1 8] x\r\n",
	    "C: A5 UID SEARCH UID 5:7\\r\\n\n");
	hear(s, "* 9 FETCH (UID 8 RFC822.SIZE 80)\r\nA4 OK x\r\n",
	    "entry 8 8 80\n");
	hear(s, "* SEARCH 6\r\nA5 OK x\r\n", "entry 6 6 0\nlisted\n");
}

/* n messages from number on are wanted. */
static void
fetch(struct scene *s, uint32_t number, size_t n)
{
	uint32_t numbers[300];

	for (size_t i = 0; i < n; i++)
		numbers[i] = number + (uint32_t)i;
	source_fetch(s->source, numbers, n);
}

static void
give(struct scene *s, uint32_t uid)
{
	char in[80], out[32];

	snprintf(
	    in, sizeof(in), "* 1 FETCH (UID %u BODY[] {3}\r\nabc)\r\n", uid);
	snprintf(out, sizeof(out), "fetched %u\n", uid);
	hear(s, in, out);
}

/* The next command is there before the last one is done, and none is for a
 * single message while the server has enough to do. */
static void
test_imap_fetch(void **state)
{
	struct scene *s = *state;

	open_imap(s, "", "* 3 EXISTS\r\n");
	fetch(s, 1, 256);
	assert_trail(s, "C: A3 UID FETCH 1:64 (UID BODY.PEEK[])\\r\\n"
			"A4 UID FETCH 65:128 (UID BODY.PEEK[])\\r\\n"
			"A5 UID FETCH 129:192 (UID BODY.PEEK[])\\r\\n"
			"A6 UID FETCH 193:256 (UID BODY.PEEK[])\\r\\n\n");
	for (uint32_t uid = 1; uid <= 63; uid++)
		give(s, uid);
	fetch(s, 301, 20);
	assert_trail(s, "");
	give(s, 64);
	hear(s, "A3 OK x\r\n",
	    "C: A7 UID FETCH 301:320 (UID BODY.PEEK[])\\r\\n\n");
	fetch(s, 321, 15);
	for (uint32_t uid = 65; uid <= 128; uid++)
		give(s, uid);
	hear(s, "A4 OK x\r\n", ""); /* too few */
	fetch(s, 336, 1);
	assert_trail(s, "C: A8 UID FETCH 321:336 (UID BODY.PEEK[])\\r\\n\n");
}

/* What does not come is told, what was refused together is asked for alone. */
static void
test_imap_fetch_refused(void **state)
{
	struct scene *s = *state;

	open_imap(s, "", "* 3 EXISTS\r\n");
	fetch(s, 1, 80);
	assert_trail(s, "C: A3 UID FETCH 1:64 (UID BODY.PEEK[])\\r\\n"
			"A4 UID FETCH 65:80 (UID BODY.PEEK[])\\r\\n\n");
	for (uint32_t uid = 1; uid <= 62; uid++)
		give(s, uid);
	/* The second first, as a server may. */
	for (uint32_t uid = 66; uid <= 80; uid++)
		give(s, uid);
	hear(s, "A4 OK x\r\n", "fetched 65 (no)\n");
	hear(s, "A3 NO x\r\n",
	    "C: A5 UID FETCH 63 (UID BODY.PEEK[])\\r\\n"
	    "A6 UID FETCH 64 (UID BODY.PEEK[])\\r\\n\n");
	hear(s, "A5 NO x\r\n", "fetched 63 (no)\n");
	give(s, 64);
	hear(s, "* 1 FETCH (UID 9 BODY[] {3}\r\nabc)\r\nA6 OK x\r\n",
	    "fetched 0\n");
}

/* Sizes come between bodies. */
static void
test_imap_sizes(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 7, 8 };

	open_imap(s, "", "* 3 EXISTS\r\n");
	fetch(s, 1, 1);
	source_sizes(s->source, numbers, 2);
	assert_trail(s, "C: A3 UID FETCH 1 (UID BODY.PEEK[])\\r\\n"
			"A4 UID FETCH 7:8 (UID RFC822.SIZE)\\r\\n\n");
	hear(s, "* 7 FETCH (UID 7 RFC822.SIZE 70)\r\n", "size 7 70\n");
	give(s, 1);
	hear(s, "A3 OK x\r\n", "");
	hear(s, "A4 OK x\r\n", "sized\n");
}

static void
test_imap_headers(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 7, 8, 9 };

	open_imap(s, "", "* 3 EXISTS\r\n");
	source_headers(s->source, numbers, 3, SOURCE_HEADERS);
	assert_trail(s, "C: A3 UID FETCH 7:9 (UID INTERNALDATE "
			"BODY.PEEK[HEADER])\\r\\n\n");
	hear(s, "* 7 FETCH (UID 7 BODY[HEADER] {4}\r\n\r\n\r\n)\r\n",
	    "header 7\n");
	hear(s, "A3 NO x\r\n",
	    "C: A4 UID FETCH 8 (UID INTERNALDATE BODY.PEEK[HEADER])\\r\\n"
	    "A5 UID FETCH 9 (UID INTERNALDATE BODY.PEEK[HEADER])\\r\\n\n");
	hear(s, "A4 NO x\r\n", "");
	hear(s, "* 9 FETCH (UID 9 BODY[HEADER] {4}\r\n\r\n\r\n)\r\nA5 OK x\r\n",
	    "header 9\nheaded\n");
}

/* --- IMAP: the end */

/* What stands behind a STORE or EXPUNGE could leave it undone. */
static void
test_imap_remove(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 1, 2, 3, 9 };

	open_imap(s, "UIDPLUS", "* 3 EXISTS\r\n");
	source_remove(s->source, numbers, 4);
	source_quit(s->source);
	assert_trail(
	    s, "C: A3 UID STORE 1:3,9 +FLAGS.SILENT (\\\\Deleted)\\r\\n\n");
	hear(s, "A3 OK x\r\n", "C: A4 UID EXPUNGE 1:3,9\\r\\n\n");
	hear(s, "A4 OK x\r\n", "removed 4\nC: A5 LOGOUT\\r\\n\n");
	hear(s, "* BYE x\r\nA5 OK x\r\n", "close\ndown\n");
}

static void
test_imap_remove_refused(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 1 };

	open_imap(s, "UIDPLUS", "* 3 EXISTS\r\n");
	source_remove(s->source, numbers, 1);
	source_quit(s->source);
	turn(s);
	hear(s, "A3 NO x\r\n", "close\ndown (no)\n");
}

/* In sets of what the server takes, some of them in flight. */
static void
test_imap_remove_in_sets(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 1, 2, 3, 4, 5, 6, 7 };

	open_imap(s, "UIDPLUS MESSAGELIMIT=2", "* 3 EXISTS\r\n");
	source_remove(s->source, numbers, 7);
	source_quit(s->source);
	assert_trail(s, "C: A3 UID STORE 1:2 +FLAGS.SILENT (\\\\Deleted)\\r\\n"
			"A4 UID STORE 3:4 +FLAGS.SILENT (\\\\Deleted)\\r\\n"
			"A5 UID STORE 5:6 +FLAGS.SILENT (\\\\Deleted)\\r\\n\n");
	hear(s, "A3 OK x\r\n", "C: A6 UID EXPUNGE 1:2\\r\\n\n");
	hear(s, "A5 OK x\r\nA4 OK x\r\n",
	    "C: A7 UID EXPUNGE 5:6\\r\\nA8 UID EXPUNGE 3:4\\r\\n\n");
	hear(s, "A6 OK x\r\n",
	    "C: A9 UID STORE 7 +FLAGS.SILENT (\\\\Deleted)\\r\\n\n");
	hear(s, "A7 OK x\r\nA8 OK x\r\nA9 OK x\r\n",
	    "C: A10 UID EXPUNGE 7\\r\\n\n");
	hear(s, "A10 OK x\r\n", "removed 7\nC: A11 LOGOUT\\r\\n\n");
}

/* Without UIDPLUS the mark is all, and whose is answered first is no matter. */
static void
test_imap_remove_without_uidplus(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 1, 2, 3 };

	open_imap(s, "MESSAGELIMIT=2", "* 3 EXISTS\r\n");
	source_remove(s->source, numbers, 3);
	assert_trail(s, "C: A3 UID STORE 1:2 +FLAGS.SILENT (\\\\Deleted)\\r\\n"
			"A4 UID STORE 3 +FLAGS.SILENT (\\\\Deleted)\\r\\n\n");
	hear(s, "A4 OK x\r\n", "");
	hear(s, "A3 OK x\r\n", "removed 3\n");
	source_quit(s->source);
	assert_trail(s, "C: A5 LOGOUT\\r\\n\n");
}

/* Nothing is marked before its copy is there. */
static void
test_imap_copy(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 1, 2, 3 };

	s->folder.after = CONF_AFTER_MOVE;
	s->folder.after_folder = archive;
	open_imap(s, "UIDPLUS MESSAGELIMIT=2", "* 3 EXISTS\r\n");
	source_remove(s->source, numbers, 3);
	source_quit(s->source);
	assert_trail(s, "C: A3 UID COPY 1:2 Archive\\r\\n"
			"A4 UID COPY 3 Archive\\r\\n\n");
	hear(s, "A3 OK x\r\n",
	    "C: A5 UID STORE 1:2 +FLAGS.SILENT (\\\\Deleted)\\r\\n\n");
	hear(s, "A4 NO x\r\n", "close\ndown (no)\n");
}

static void
test_imap_move(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 1, 2, 3 };

	s->folder.after = CONF_AFTER_MOVE;
	s->folder.after_folder = archive;
	open_imap(s, "MOVE MESSAGELIMIT=2", "* 3 EXISTS\r\n");
	source_remove(s->source, numbers, 3);
	source_quit(s->source);
	assert_trail(s, "C: A3 UID MOVE 1:2 Archive\\r\\n"
			"A4 UID MOVE 3 Archive\\r\\n\n");
	hear(s, "A3 OK x\r\nA4 OK x\r\n", "removed 3\nC: A5 LOGOUT\\r\\n\n");
}

/* Marks are made before the goodbye, a removal beside them. */
static void
test_imap_marks(void **state)
{
	struct scene *s = *state;
	static const uint32_t numbers[] = { 1 };

	open_imap(s, "UIDPLUS", "* 3 EXISTS\r\n");
	source_mark(s->source, 1, SOURCE_SEEN);
	source_mark(s->source, 2, SOURCE_SEEN);
	source_remove(s->source, numbers, 1);
	source_quit(s->source);
	assert_trail(s, "C: A3 UID STORE 1 +FLAGS.SILENT (\\\\Seen)\\r\\n"
			"A4 UID STORE 1 +FLAGS.SILENT (\\\\Deleted)\\r\\n\n");
	hear(s, "A4 OK x\r\nA3 OK x\r\n",
	    "C: A5 UID EXPUNGE 1\\r\\n"
	    "A6 UID STORE 2 +FLAGS.SILENT (\\\\Seen)\\r\\n\n");
	hear(s, "A5 OK x\r\n", "removed 1\n");
	hear(s, "A6 OK x\r\n", "C: A7 LOGOUT\\r\\n\n");
}

int
main(void)
{
#define SCENE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		SCENE(test_pop3_flights),
		SCENE(test_pop3_user_refused),
		SCENE(test_pop3_window),
		SCENE(test_pop3_listed_late),
		SCENE(test_pop3_one_at_a_time),
		SCENE(test_imap_list),
		SCENE(test_imap_listed),
		SCENE(test_imap_listed_in_parts),
		SCENE(test_imap_fetch),
		SCENE(test_imap_fetch_refused),
		SCENE(test_imap_sizes),
		SCENE(test_imap_headers),
		SCENE(test_imap_remove),
		SCENE(test_imap_remove_refused),
		SCENE(test_imap_remove_in_sets),
		SCENE(test_imap_remove_without_uidplus),
		SCENE(test_imap_copy),
		SCENE(test_imap_move),
		SCENE(test_imap_marks),
	};

	return cmocka_run_group_tests_name("source_flight", tests, NULL, NULL);
}
