/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/option_table.h"

/* Room for the largest structure that an option is stored in. */
union target {
	struct conf globals;
	struct conf_account account;
	struct conf_destination destination;
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
		    (o->type == OPTION_CHOICE || o->type == OPTION_AFTER) ==
		    (o->choices != NULL));
		assert_true(o->min <= o->max);
		if (o->dflt != NULL)
			assert_true(option_set(o, o->dflt, &t));
		assert_false(option_set(o, "", &t));
		assert_false(option_set(o, "a\nb", &t));
		assert_true(option_wants(o).s[0] != '\0');
		assert_true(
		    strlen(option_wants(o).s) < sizeof(struct option_text) - 1);
		assert_true(option_type_name(o->type)[0] != '\0');
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
	{ "after", "move \xc3\xa4", false },
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
		if (o->type == OPTION_AFTER)
			free(t.account.after_folder);
		if (o->type == OPTION_CHOICE || o->type == OPTION_INTEGER ||
		    o->type == OPTION_AFTER)
			continue;
		memcpy(&stored, (char *)&t + o->offset, sizeof(stored));
		if (texts[i].good)
			assert_string_equal(stored, texts[i].text);
		else
			assert_null(stored);
		free(stored);
	}
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
	assert_string_equal(option_range(row("auth")).s, "auto|plain|login");
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
		cmocka_unit_test(test_pin),
		cmocka_unit_test(test_wants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
