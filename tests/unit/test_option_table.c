/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/folder_name.h"
#include "conf/option_table.h"

/* Room for the largest structure that an option is stored in. */
union target {
	struct conf globals;
	struct conf_account account;
	struct conf_destination destination;
	struct conf_folder folder;
};

static void
test_every_row(void **state)
{
	(void)state;
	for (const struct option *o = option_table; o->name != NULL; o++) {
		union target t = { .globals = { .accounts = NULL } };

		assert_non_null(o->help);
		assert_true(o->scopes != 0);
		assert_false(o->required && o->dflt != NULL);
		assert_true(o->offset < sizeof(t));
		assert_true(
		    (o->type == OPTION_CHOICE || o->type == OPTION_AFTER ||
			o->type == OPTION_FIRST) == (o->choices != NULL));
		assert_true(o->min <= o->max);
		if (o->dflt != NULL)
			assert_true(option_set(o, o->dflt, &t));
		assert_false(option_set(o, "", &t));
		assert_false(option_set(o, "a\nb", &t));
		assert_true(option_wants(o).s[0] != '\0');
		assert_true(
		    strlen(option_wants(o).s) < sizeof(struct option_text) - 1);
		assert_true(option_type_name(o->type)[0] != '\0');
		option_free(o, &t);
	}
}

struct guess {
	enum option_scope scope;
	const char *word, *nearest; /* NULL: none is close */
};

static const struct guess guesses[] = {
	{ OPTION_ACCOUNT, "intervall", "interval" },
	{ OPTION_ACCOUNT, "Interval", "interval" },
	{ OPTION_ACCOUNT, "pasword", "password" },
	{ OPTION_ACCOUNT, "passwd", "password" },
	{ OPTION_ACCOUNT, "username", "user" },
	{ OPTION_ACCOUNT, "hostname", "host" },
	{ OPTION_ACCOUNT, "prot", "port" },
	{ OPTION_DESTINATION, "recipients", "recipient" },
	{ OPTION_DESTINATION, "mailfrom", "mail_from" },
	{ OPTION_GLOBAL, "spoolmax", "spool_max" },
	{ OPTION_ACCOUNT, "x", NULL },
	{ OPTION_ACCOUNT, "quickness", NULL },
	{ OPTION_GLOBAL, "interval", NULL },
};

static void
test_nearest(void **state)
{
	char longest[200];
	const char *nearest;

	(void)state;
	for (size_t i = 0; i < sizeof(guesses) / sizeof(guesses[0]); i++) {
		const struct guess *g = &guesses[i];

		assert_null(option_find(g->scope, g->word, &nearest));
		if (g->nearest == NULL)
			assert_null(nearest);
		else
			assert_string_equal(nearest, g->nearest);
	}
	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_null(option_find(OPTION_ACCOUNT, longest, &nearest));
	assert_null(nearest);
}

static void
test_find(void **state)
{
	const struct option *a = option_find(OPTION_ACCOUNT, "port", NULL);
	const struct option *d = option_find(OPTION_DESTINATION, "port", NULL);

	(void)state;
	assert_non_null(a);
	assert_non_null(d);
	assert_ptr_not_equal(a, d);
	assert_null(option_find(OPTION_GLOBAL, "port", NULL));
	assert_null(option_find(OPTION_DESTINATION, "protocol", NULL));
}

static const struct option *
row(const char *name)
{
	const enum option_scope scopes[] = { OPTION_GLOBAL, OPTION_ACCOUNT,
		OPTION_DESTINATION };

	for (size_t i = 0; i < 3; i++) {
		const struct option *o = option_find(scopes[i], name, NULL);

		if (o != NULL)
			return o;
	}
	fail_msg("no option %s", name);
	return NULL;
}

struct number {
	const char *option, *text;
	uint64_t value; /* 0: refused */
};

static const struct number numbers[] = {
	{ "interval", "10s", 10 },
	{ "interval", "9s", 0 },
	{ "interval", "2h", 7200 },
	{ "interval", "30d", 2592000 },
	{ "interval", "31d", 0 },
	{ "interval", "99999999999999999999d", 0 },
	{ "interval", "5", 0 },
	{ "interval", "m", 0 },
	{ "interval", "-5m", 0 },
	{ "interval", "+5m", 0 },
	{ "interval", " 5m", 0 },
	{ "interval", "5m ", 0 },
	{ "interval", "5M", 0 },
	{ "interval", "5.5m", 0 },
	{ "interval", "5mm", 0 },
	{ "dot_timeout", "9m", 0 },
	{ "dot_timeout", "600s", 600 },
	{ "dot_timeout", "61m", 0 },
	{ "reply_timeout", "1s", 1 },
	{ "reply_timeout", "0s", 0 },
	{ "spool_max", "1M", 1048576 },
	{ "spool_max", "1023K", 0 },
	{ "spool_max", "1T", 1ULL << 40 },
	{ "spool_max", "1025G", 0 },
	{ "spool_max", "256m", 0 },
	{ "spool_max", "256MB", 0 },
	{ "spool_max", "18446744073709551616K", 0 },
};

static void
test_numbers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct number *n = &numbers[i];
		const struct option *o = row(n->option);
		union target t = { .globals = { .accounts = NULL } };
		uint64_t got;

		if (option_set(o, n->text, &t) != (n->value > 0))
			fail_msg("%s = %s", n->option, n->text);
		memcpy(&got, (char *)&t + o->offset, sizeof(got));
		assert_int_equal(got, n->value);
	}
}

struct text {
	const char *option, *text;
	bool good;
};

static const struct text texts[] = {
	{ "name", "home-1_a.b", true },
	{ "name", "my home", false },
	{ "name", "a/b", false },
	{ "host", "imap.example.net", true },
	{ "host", "localhost", true },
	{ "host", "127.0.0.1", true },
	{ "host", "::1", true },
	{ "host", "fe80::1:2", true },
	{ "host", "127.0.0", false },
	{ "host", "1.2.3.256", false },
	{ "host", "imaps://imap.example.net", false },
	{ "host", "imap.example.net:993", false },
	{ "host", "imap.example.net.", false },
	{ "host", ".example.net", false },
	{ "host", "a..b", false },
	{ "host", "-c.example.net", false },
	{ "host", "me@example.net", false },
	{ "host", "[::1]", false },
	{ "ehlo", "relay.example.net", true },
	{ "ehlo", "[192.0.2.1]", true },
	{ "ehlo", "[IPv6:2001:db8::1]", true },
	{ "ehlo", "192.0.2.1", false },
	{ "ehlo", "[2001:db8::1]", false },
	{ "ehlo", "[]", false },
	{ "ehlo", "[", false },
	{ "ehlo", "a b", false },
	{ "recipient", "me@example.net", true },
	{ "recipient", "me+tag=x@mail.example.net", true },
	{ "recipient", "me", false },
	{ "recipient", "@example.net", false },
	{ "recipient", "me@", false },
	{ "recipient", "<me@example.net>", false },
	{ "recipient", "Me <me@example.net>", false },
	{ "recipient", "me@a@example.net", false },
	{ "recipient", "a,b@example.net", false },
	{ "recipient", "m\xc3\xa9@example.net", false },
	{ "recipient", "me@example.net\r\nRCPT TO:<x@y>", false },
	{ "user", "j\xc3\xbcrgen", true },
	{ "user", "a\x7f", false },
	{ "ca_file", "/etc/ssl/ca.pem", true },
	{ "ca_file", "ca.pem", false },
	{ "password", "file:/etc/x", true },
	{ "password", "credential:home", true },
	{ "password", "env:MAIL_PW", true },
	{ "password", "command:/usr/bin/pass show mail", true },
	{ "password", "hunter2", false },
	{ "password", "pass:word", false },
	{ "password", "File:/etc/x", false },
	{ "password", "file:", false },
	{ "password", "command:", false },
	{ "password", "env:", false },
	{ "password", "env:1X", false },
	{ "password", "credential:", false },
	{ "password", "credential:../etc/passwd", false },
	{ "password", "credential:..", false },
	{ "protocol", "imap", true },
	{ "protocol", "IMAP", false },
	{ "protocol", "ima", false },
	{ "tls", "starttls", true },
	{ "tls", "none", false },
	{ "after", "delete", true },
	{ "after", "seen", true },
	{ "after", "Seen", false },
	{ "after", "delete-after 30d", true },
	{ "after", "delete-after 30m", false },
	{ "after", "delete-after 30", false },
	{ "after", "delete-after", false },
	{ "after", "delete-after DURATION", false },
	{ "after", "delete-after  30d", false },
	{ "after", "delete 30d", false },
	{ "after", "move Archive/2026", true },
	{ "after", "move Old mail", true },
	{ "after", "move", false },
	{ "after", "move ", false },
	{ "after", "move  x", false },
	{ "after", "move a\r\nb", false },
	{ "after", "move \xc3\xa4", true },
	{ "after", "move \xc3", false },
	{ "after", "move \\Junk", false },
	{ "first", "new", true },
	{ "first", "since 2026-01-31", true },
	{ "first", "since 2024-02-29", true },
	{ "first", "since 2026-02-29", false },
	{ "first", "since 2026-13-01", false },
	{ "first", "since 2026-00-01", false },
	{ "first", "since 2026-01-00", false },
	{ "first", "since 2026-01-99", false },
	{ "first", "since 2026-99-01", false },
	{ "first", "since 1969-12-31", false },
	{ "first", "since 26-01-01", false },
	{ "first", "since 2026-1-1", false },
	{ "first", "since 2026-01-01-", false },
	{ "first", "since 2026-01-01 ", false },
	{ "first", "since  2026-01-01", false },
	{ "first", "since 2026-01", false },
	{ "first", "since DATE", false },
	{ "first", "since", false },
	{ "first", "since ", false },
	{ "oauth_token_url", "https://a.example/t", true },
	{ "oauth_token_url", "https://a.example:8443/t?x=y", true },
	{ "oauth_token_url", "https://a.example", false },
	{ "oauth_token_url", "http://a.example/t", false },
	{ "oauth_token_url", "https://me@a.example/t", false },
	{ "oauth_token_url", "https://a.example:0/t", false },
	{ "oauth_token_url", "https://a.example:99999/t", false },
	{ "oauth_token_url", "https://a.example/t#x", false },
	{ "oauth_token_url", "https:///t", false },
	{ "oauth_token_url", "https://a.example/t t", false },
	{ "listen", "127.0.0.1:9810", true },
	{ "listen", "127.8.9.10:1", true },
	{ "listen", "[::1]:65535", true },
	{ "listen", "[0:0:0:0:0:0:0:1]:80", true },
	{ "listen", "0.0.0.0:9810", false },
	{ "listen", "192.0.2.1:9810", false },
	{ "listen", "[::]:9810", false },
	{ "listen", "[::ffff:127.0.0.1]:9810", false },
	{ "listen", "[2001:db8::1]:9810", false },
	{ "listen", "::1:9810", false },
	{ "listen", "[127.0.0.1]:9810", false },
	{ "listen", "[]:9810", false },
	{ "listen", "localhost:9810", false },
	{ "listen", ":9810", false },
	{ "listen", "9810", false },
	{ "listen", "127.0.0.1", false },
	{ "listen", "127.0.0.1:", false },
	{ "listen", "127.0.0.1:0", false },
	{ "listen", "127.0.0.1:65536", false },
	{ "listen", "127.0.0.1:000080", false },
	{ "listen", "127.0.0.1:80 ", false },
	{ "listen",
	    "127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1.127.0.0.1:80",
	    false },
	{ "control_group", "mailhaul", true },
	{ "control_group", "a:b", false },
	{ "notify", "me@example.net", true },
	{ "notify", "me", false },
	{ "port", "65535", true },
	{ "port", "65536", false },
	{ "port", "0", false },
};

static void
test_texts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		const struct option *o = row(texts[i].option);
		union target t = { .globals = { .accounts = NULL } };
		char *stored;

		if (option_set(o, texts[i].text, &t) != texts[i].good)
			fail_msg("%s = %s", o->name, texts[i].text);
		if (o->choices != NULL || o->type == OPTION_INTEGER) {
			option_free(o, &t);
			continue;
		}
		memcpy(&stored, (char *)&t + o->offset, sizeof(stored));
		if (texts[i].good)
			assert_string_equal(stored, texts[i].text);
		else
			assert_null(stored);
		free(stored);
	}
}

static void
test_argv(void **state)
{
	const struct option *o = row("alert_command");
	struct conf c = { .accounts = NULL };

	(void)state;
	assert_false(option_set(o, "alert", &c));
	assert_false(option_set(o, "./alert", &c));
	assert_null(c.alert_command);
	assert_true(option_set(o, "/bin/alert", &c));
	assert_true(option_set(o, "-t me", &c));
	assert_true(option_set(o, "j\xc3\xbcrgen", &c));
	assert_false(option_set(o, "a\tb", &c));
	assert_string_equal(c.alert_command[0], "/bin/alert");
	assert_string_equal(c.alert_command[1], "-t me");
	assert_string_equal(c.alert_command[2], "j\xc3\xbcrgen");
	assert_null(c.alert_command[3]);
	option_free(o, &c);
	assert_null(c.alert_command);
}

/* Where nothing is less than that. */
static void
test_nought(void **state)
{
	struct conf c = { .host_spacing = 1, .history_keep = 1 };

	(void)state;
	assert_true(option_set(row("host_spacing"), "0s", &c));
	assert_int_equal(c.host_spacing, 0);
	assert_true(option_set(row("history_keep"), "0d", &c));
	assert_int_equal(c.history_keep, 0);
	assert_false(option_set(row("idle_renew"), "0s", &c));
	assert_false(option_set(row("host_spacing"), "0", &c));
	assert_string_equal(option_range(row("host_spacing")).s, "0s..1h");
	assert_string_equal(option_range(row("history_keep")).s, "0s..3650d");
}

/* What is stored; NULL: refused. */
struct folder_name {
	const char *text, *name;
	bool pattern, special;
};

static const struct folder_name folder_names[] = {
	{ "INBOX", "INBOX", false, false },
	{ "inbox", "INBOX", false, false },
	{ "Inbox/sub", "Inbox/sub", false, false },
	{ "Archive/2025", "Archive/2025", false, false },
	{ "Old & new", "Old & new", false, false },
	{ "Entw\xc3\xbcrfe", "Entw\xc3\xbcrfe", false, false },
	{ "\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac", false,
	    false },
	{ "\xf0\x9f\x93\xa7", "\xf0\x9f\x93\xa7", false, false },
	{ "*", "*", true, false },
	{ "Work/%", "Work/%", true, false },
	{ "\\Junk", "\\Junk", false, true },
	{ "\\jUNK", "\\Junk", false, true },
	{ "\\all", "\\All", false, true },
	{ "\\Archive", "\\Archive", false, true },
	{ "\\Sent", "\\Sent", false, true },
	{ "\\Drafts", "\\Drafts", false, true },
	{ "\\Trash", "\\Trash", false, true },
	{ "\\Flagged", "\\Flagged", false, true },
	{ .text = "" },
	{ .text = "\\Spam" },
	{ .text = "\\" },
	{ .text = " INBOX" },
	{ .text = "INBOX " },
	{ .text = "a\rb" },
	{ .text = "a\x7f" },
	{ .text = "\xfc" },
	{ .text = "\xc3" },
	{ .text = "\xc3z" },
	{ .text = "\x80" },
	{ .text = "\xc0\x80" },
	{ .text = "\xc2\x80" },
	{ .text = "\xe0\x80\xaf" },
	{ .text = "\xed\xa0\x80" },
	{ .text = "\xf0\x80\x80\x80" },
	{ .text = "\xf4\x90\x80\x80" },
	{ .text = "\xf8\x88\x80\x80\x80" },
};

static void
test_folder_names(void **state)
{
	const struct option *o = option_find(OPTION_FOLDER, "name", NULL);
	char longest[514];

	(void)state;
	for (size_t i = 0; i < sizeof(folder_names) / sizeof(folder_names[0]);
	     i++) {
		const struct folder_name *n = &folder_names[i];
		struct conf_folder f = { .name = NULL };

		if (option_set(o, n->text, &f) != (n->name != NULL))
			fail_msg("%s", n->text);
		if (n->name == NULL) {
			assert_null(f.name);
			continue;
		}
		assert_string_equal(f.name, n->name);
		assert_true(f.pattern == n->pattern);
		assert_true(f.special == n->special);
		option_free(o, &f);
	}
	memset(longest, 'a', sizeof(longest));
	longest[513] = '\0';
	assert_false(folder_name_is_legal(longest));
	longest[512] = '\0';
	assert_true(folder_name_is_legal(longest));
}

struct pair {
	const char *a, *b;
	bool meet;
};

static const struct pair pairs[] = {
	{ "INBOX", "inbox", true },
	{ "INBOX", "Inbox2", false },
	{ "a", "ab", false },
	{ "*", "INBOX", true },
	{ "a*", "a", true },
	{ "a*", "b", false },
	{ "*c", "abc", true },
	{ "*c", "abd", false },
	{ "a*c", "ac", true },
	{ "a*c*e", "abcde", true },
	{ "a*c*e", "abcd", false },
	{ "Work/*", "Home/*", false },
	{ "Work/*", "*/2025", true },
	{ "*a", "*b", false },
	{ "*a*", "*b*", true },
	{ "%", "a/b", true },
	{ "\\Junk", "\\junk", true },
	{ "\\Junk", "\\Sent", false },
	{ "\\Junk", "INBOX", false },
	{ "\\Junk", "*", true },
	{ "\\Junk", "Work/*", false },
};

static void
test_meeting(void **state)
{
	const struct option *o = option_find(OPTION_FOLDER, "name", NULL);

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		const struct pair *p = &pairs[i];
		struct conf_folder a = { .name = NULL }, b = { .name = NULL };

		assert_true(option_set(o, p->a, &a));
		assert_true(option_set(o, p->b, &b));
		if (folder_names_meet(&a, &b) != p->meet ||
		    folder_names_meet(&b, &a) != p->meet)
			fail_msg("%s and %s", p->a, p->b);
		option_free(o, &a);
		option_free(o, &b);
	}
}

/* The day begins where the machine is. */
static void
test_since(void **state)
{
	const struct option *a = row("first");
	const struct option *f = option_find(OPTION_FOLDER, "first", NULL);
	struct conf_account account = { .name = NULL };
	struct conf_folder folder = { .name = NULL };

	(void)state;
	setenv("TZ", "Europe/Berlin", 1);
	assert_true(option_set(a, "since 2026-01-31", &account));
	assert_int_equal(account.first, CONF_FIRST_SINCE);
	assert_int_equal(account.first_since, 1769814000);
	assert_true(option_set(a, "since 2026-07-31", &account));
	assert_int_equal(account.first_since, 1785448800);
	/* Midnight was left out there. */
	setenv("TZ", "America/Sao_Paulo", 1);
	assert_true(option_set(f, "since 2018-11-04", &folder));
	assert_int_equal(folder.first_since, 1541300400);
	setenv("TZ", "UTC0", 1);
	assert_true(option_set(f, "since 1970-01-01", &folder));
	assert_int_equal(folder.first_since, 0);
	assert_true(option_set(a, "all", &account));
	assert_int_equal(account.first, CONF_FIRST_ALL);
	assert_int_equal(account.first_since, 0);
	unsetenv("TZ");
}

#define HEX32 "00112233445566778899aabbccddeeff"

static void
test_pin(void **state)
{
	const struct option *o = row("pin_sha256");
	struct conf_account a = { .name = NULL };

	(void)state;
	assert_true(option_set(o, HEX32 HEX32, &a));
	assert_int_equal(a.server.pin[1], 0x11);
	assert_int_equal(a.server.pin[31], 0xff);
	assert_true(option_set(o,
	    "FF:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:"
	    "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FE",
	    &a));
	assert_int_equal(a.server.pin[0], 0xff);
	assert_int_equal(a.server.pin[31], 0xfe);
	assert_false(option_set(o, HEX32, &a));
	assert_false(option_set(o,
	    "0000000000000000000000000000000000000000000000000000000000000000",
	    &a));
	assert_false(option_set(o, HEX32 HEX32 "0", &a));
	assert_false(option_set(o, HEX32 HEX32 ":", &a));
	assert_false(option_set(o, ":" HEX32 HEX32, &a));
	assert_false(option_set(o, HEX32 "g" HEX32, &a));
	assert_false(option_set(o, "sha256:" HEX32 HEX32, &a));
}

/* What is wanted is told without what was given. */
static void
test_wants(void **state)
{
	(void)state;
	assert_string_equal(option_wants(row("interval")).s,
	    "a duration such as \"90s\", \"5m\" or \"2h\", 10s to 30d");
	assert_string_equal(
	    option_wants(row("protocol")).s, "\"imap\" or \"pop3\"");
	assert_string_equal(option_range(row("message_max")).s, "64K..1T");
	assert_string_equal(option_range(row("dot_timeout")).s, "10m..1h");
	assert_string_equal(option_range(row("port")).s, "1..65535");
	assert_string_equal(option_range(row("auth")).s,
	    "auto|plain|login|scram|xoauth2|oauthbearer");
	assert_string_equal(option_range(row("user")).s, "-");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_argv),
		cmocka_unit_test(test_nought),
		cmocka_unit_test(test_folder_names),
		cmocka_unit_test(test_meeting),
		cmocka_unit_test(test_since),
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
