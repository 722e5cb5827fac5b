/* SPDX-License-Identifier: ISC */
/*
 * Each case is a configuration and the complete list of problems it must give.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf_fixture.h"

#define WANTS_NAMES                                                            \
	"the name of a destination or a list of names such as ( \"home\", "    \
	"\"archive\" )\n"
#define WANTS_SECRET                                                           \
	"the place where the secret is kept, never the secret itself: "        \
	"\"file:/etc/mailhaul/secrets/NAME\" (mode 0600), "                    \
	"\"credential:NAME\", \"command:/PROGRAM ARGUMENTS\" or "              \
	"\"env:NAME\"\n"
#define WANTS_DURATION "a duration such as \"90s\", \"5m\" or \"2h\", "

static void
test_good(void **state)
{
	const struct conf_account *a;
	const struct conf_destination *d;
	char *report;
	struct conf *c;

	(void)state;
	conf_write("main.conf", GOOD);
	c = conf_read(&report);
	assert_string_equal(report, "");
	assert_non_null(c);
	assert_int_equal(c->naccounts, 1);
	assert_int_equal(c->ndestinations, 1);
	assert_int_equal(c->spool_max, 256 << 20);
	assert_int_equal(c->message_max, 100 << 20);
	assert_int_equal(c->connect_timeout, 30);
	assert_int_equal(c->reply_timeout, 300);
	assert_int_equal(c->dot_timeout, 600);
	assert_int_equal(c->shutdown_grace, 30);
	assert_int_equal(c->connections_per_host, 4);
	assert_int_equal(c->connections, 50);
	assert_int_equal(c->host_spacing, 1);
	assert_int_equal(c->idle_renew, 1440);
	assert_int_equal(c->history_keep, 2592000);
	assert_false(c->marker);
	assert_null(c->control_group);
	assert_null(c->listen);
	assert_null(c->alert_command);
	assert_null(c->notify);
	d = &c->destinations[0];
	assert_int_equal(d->tls, CONF_TLS_IMPLICIT);
	assert_int_equal(d->server.port, 465);
	assert_string_equal(d->mail_from, "me@example.net");
	assert_null(d->ehlo);
	assert_int_equal(d->window, 16);
	assert_int_equal(d->connections, 4);
	assert_null(d->server.ca_file);
	a = &c->accounts[0];
	assert_int_equal(a->protocol, CONF_IMAP);
	assert_int_equal(a->server.port, 993);
	assert_int_equal(a->server.auth, CONF_AUTH_AUTO);
	assert_false(a->server.pinned);
	assert_int_equal(a->after, CONF_AFTER_KEEP);
	assert_int_equal(a->first, CONF_FIRST_NEW);
	assert_int_equal(a->nfolders, 1);
	assert_string_equal(a->folders[0].name, "INBOX");
	assert_false(a->folders[0].pattern || a->folders[0].special);
	assert_int_equal(a->folders[0].after, CONF_AFTER_KEEP);
	assert_int_equal(a->folders[0].first, CONF_FIRST_NEW);
	assert_int_equal(a->interval, 300);
	assert_true(a->idle);
	assert_int_equal(a->ndestinations, 1);
	assert_ptr_equal(a->destinations[0], d);
	free(report);
	conf_free(&c);
	assert_null(c);
}

static void
test_every_option(void **state)
{
	const struct conf_account *a;
	const struct conf_destination *d;
	char *report;
	struct conf *c;

	(void)state;
	conf_put("pw", "x", 0600);
	conf_write("main.conf",
	    "spool_max = \"1G\"; message_max = \"1G\"; shutdown_grace = \"1m\""
	    "; connect_timeout = \"1m\"; reply_timeout = \"10m\"; "
	    "dot_timeout = \"20m\"; connections = 2; marker = true; "
	    "listen = \"[::1]:80\"; notify = \"x@example.net\"; "
	    "control_group = \"adm\"; history_keep = \"0s\"; "
	    "host_spacing = \"0s\"; connections_per_host = 1; "
	    "alert_command = ( \"/bin/sh\", \"-c\" );\n"
	    "destinations = ( { name = \"a\"; host = \"127.0.0.1\"; tls = "
	    "\"starttls\"; user = \"u\"; password = \"file:@/pw\"; auth = "
	    "\"login\"; mail_from = \"x@example.net\"; recipient = "
	    "\"in@example.net\"; ehlo = \"[127.0.0.1]\"; ca_file = \"@/pw\"; "
	    "pin_sha256 = \"00112233445566778899aabbccddeeff00112233445566778"
	    "899aabbccddeeff\"; },\n"
	    "{ name = \"b\"; host = \"::1\"; port = 2525; user = "
	    "\"b@example.net\"; password = \"credential:b\"; recipient = "
	    "\"in@example.net\"; } );\n"
	    "accounts = ( { name = \"p\"; protocol = \"pop3\"; host = \"h\"; "
	    "user = \"u\"; password = \"command:/bin/echo 'x y'\"; after = "
	    "\"delete\"; first = \"all\"; interval = \"10s\"; auth = "
	    "\"plain\"; destination = [ \"b\", \"a\" ]; } );\n");
	c = conf_read(&report);
	assert_string_equal(report, "");
	assert_non_null(c);
	assert_int_equal(c->dot_timeout, 1200);
	assert_true(c->marker);
	assert_int_equal(c->host_spacing, 0);
	assert_string_equal(c->listen, "[::1]:80");
	assert_string_equal(c->alert_command[0], "/bin/sh");
	assert_string_equal(c->alert_command[1], "-c");
	assert_null(c->alert_command[2]);
	d = &c->destinations[0];
	assert_int_equal(d->server.port, 587);
	assert_string_equal(d->ehlo, "[127.0.0.1]");
	assert_true(d->server.pinned);
	assert_int_equal(d->server.pin[31], 0xff);
	assert_false(d[1].server.pinned);
	assert_int_equal(d[1].server.port, 2525);
	a = &c->accounts[0];
	assert_int_equal(a->server.port, 995);
	assert_int_equal(a->after, CONF_AFTER_DELETE);
	assert_int_equal(a->first, CONF_FIRST_ALL);
	assert_false(a->idle);
	assert_int_equal(a->nfolders, 1);
	assert_string_equal(a->folders[0].name, "INBOX");
	assert_int_equal(a->folders[0].after, CONF_AFTER_DELETE);
	assert_int_equal(a->folders[0].first, CONF_FIRST_ALL);
	assert_int_equal(a->ndestinations, 2);
	assert_ptr_equal(a->destinations[0], &d[1]);
	assert_ptr_equal(a->destinations[1], &d[0]);
	free(report);
	conf_free(&c);
}

static void
test_unknown(void **state)
{
	(void)state;
	conf_expect(GOOD "spoolmax = 1;\n\nacounts = ();\nzzzzzz = 1;\n",
	    "5: unknown option spoolmax; is spool_max meant?\n"
	    "7: unknown option acounts; is accounts meant?\n"
	    "8: unknown option zzzzzz\n");
	conf_expect(WITH("intervall = \"5m\";"),
	    "4: unknown option intervall; is interval meant?\n");
	conf_expect(WITH("recipient = \"a@b\";"),
	    "4: recipient is an option of a destination and does not belong "
	    "here\n");
	conf_expect(GOOD "interval = \"5m\";\n",
	    "5: interval is an option of an account and does not belong "
	    "here\n");
	conf_expect(WITH("spool_max = \"5M\";"),
	    "4: spool_max is an option of top level and does not belong "
	    "here\n");
}

static void
test_types(void **state)
{
	(void)state;
	conf_expect(GOOD "spool_max = 256;\nmessage_max = 1.5;\n"
			 "dot_timeout = true;\nshutdown_grace = ( \"30s\" );\n",
	    "5: spool_max wants a size such as \"64K\", \"100M\" or \"1G\", "
	    "1M to 1T\n"
	    "6: message_max wants a size such as \"64K\", \"100M\" or "
	    "\"1G\", 64K to 1T\n"
	    "7: dot_timeout wants " WANTS_DURATION "10m to 1h\n"
	    "8: shutdown_grace wants " WANTS_DURATION "1s to 1h\n");
	conf_expect(WITH("port = \"993\";"),
	    "4: port wants a whole number without quotes, 1 to 65535\n");
	conf_expect(WITH("port = 993.0;"),
	    "4: port wants a whole number without quotes, 1 to 65535\n");
	conf_expect(WITH("interval = 300;\nafter = true;"),
	    "4: interval wants " WANTS_DURATION "10s to 30d\n"
	    "5: after wants \"keep\" or \"delete\" or "
	    "\"delete-after DURATION\" or \"move FOLDER\" or \"seen\", with "
	    "a duration from 1h to 3650d\n");
	conf_expect(GOOD "accounts2 = 1;",
	    "5: unknown option accounts2; is accounts meant?\n");
	conf_expect(HOME "accounts = { name = \"x\"; };\n",
	    "0: there are no accounts; add accounts = ( { ... } );\n"
	    "4: accounts wants a list of groups: accounts = ( { ... }, "
	    "{ ... } );\n");
	conf_expect(HOME "accounts = ( \"x\",\n { " OLD IMAP "} );\n",
	    "4: an entry of accounts is a group: { name = ...; ... }\n");
}

static void
test_range(void **state)
{
	(void)state;
	conf_expect(GOOD "dot_timeout = \"5m\";\nreply_timeout = \"2h\";\n",
	    "5: dot_timeout wants " WANTS_DURATION "10m to 1h\n"
	    "6: reply_timeout wants " WANTS_DURATION "1s to 1h\n");
	conf_expect(WITH("port = 0;"),
	    "4: port wants a whole number without quotes, 1 to 65535\n");
	conf_expect(WITH("port = -1;"),
	    "4: port wants a whole number without quotes, 1 to 65535\n");
	conf_expect(WITH("port = 993L;"), "");
	conf_expect(WITH("interval = \"9s\";"),
	    "4: interval wants " WANTS_DURATION "10s to 30d\n");
	conf_expect(GOOD "reply_timeout = \"299s\";\n",
	    "w5: reply_timeout is below the 5m that RFC 5321 4.5.3.2 asks "
	    "for; slow servers will be given up too early\n");
	conf_expect(GOOD "message_max = \"300M\";\n",
	    "5: message_max is larger than spool_max; such a message would "
	    "fit nowhere\n");
	conf_expect(GOOD "spool_max = \"50M\";\n",
	    "0: message_max is larger than spool_max; such a message would "
	    "fit nowhere\n");
}

#define TOO_LONG(n)                                                            \
	"this number is too long; no number here has more than " n " digits\n"

/* libconfig 1.5 reads 4294967297 as 1. */
static void
test_long_numbers(void **state)
{
	(void)state;
	conf_expect(WITH("port = 4294968289;"), "4: " TOO_LONG("9"));
	/* Would be read as 993. */
	conf_expect(WITH("port =\n -4294966303;"), "5: " TOO_LONG("9"));
	conf_expect(WITH("port = 0x1000003E1;"), "4: " TOO_LONG("7"));
	conf_expect(WITH("port = 4294968289L;"), "4: " TOO_LONG("9"));
	conf_expect(WITH("port = 000000993;"), "");
	conf_expect(WITH("port = 0x3e1;"), "");
	/* None of these is a number. */
	conf_expect(GOOD "# 4294967297\n// 4294967297\n/* 4294967297\n"
			 "4294967297 */\n",
	    "");
	conf_expect(WITH("user2 = \"4294967297 # // /* \\\" 4294967297\";"),
	    "4: unknown option user2; is user meant?\n");
	conf_expect(
	    GOOD "a4294967297 = 1;\n", "5: unknown option a4294967297\n");
	conf_expect(GOOD "x = \"/*\"; y = 4294967297; # */\n",
	    "5: " TOO_LONG("9") "5: unknown option x\n5: unknown option y\n");
	conf_expect(GOOD "spool_max = 12345678901.5;\n",
	    "5: spool_max wants a size such as \"64K\", \"100M\" or \"1G\", "
	    "1M to 1T\n");
}

static void
test_syntax(void **state)
{
	(void)state;
	conf_expect("a = 1;\n\nb = ;\n", "3: syntax error\n");
	conf_expect(GOOD "spool_max = \"1G\"; spool_max = \"2G\";\n",
	    "5: duplicate setting name\n");
	conf_expect(GOOD "/* never\nclosed\n",
	    "5: this comment is never closed; close it with */\n");
	conf_expect(GOOD "spool_max = \"1G;\nmessage_max = \"1M\";\n",
	    "5: this string is not closed on its line; close it with \"\n");
	conf_expect(WITH("user2 = \"a\\x00b\";"),
	    "4: \\x00 would cut this string short\n"
	    "4: unknown option user2; is user meant?\n");
	conf_expect(
	    GOOD "\x01\n", "5: a control character; this is not a text file\n");
	conf_expect("",
	    "0: there are no accounts; add accounts = ( { ... } );\n"
	    "0: there are no destinations; add destinations = ( { ... } );\n");
}

static void
test_missing(void **state)
{
	(void)state;
	conf_expect("destinations = (\n{ } );\naccounts = (\n{ } );\n",
	    "2: host is missing; it wants a host name or IP address alone, "
	    "such as \"mail.example.net\"\n"
	    "2: name is missing; it wants a name of letters, digits, \"-\", "
	    "\"_\" and \".\" such as \"home\"\n"
	    "2: password is missing; it wants " WANTS_SECRET
	    "2: recipient is missing; it wants a mail address alone, such as "
	    "\"me@example.net\"\n"
	    "2: user is missing; it wants a string such as "
	    "\"me@example.net\", without control characters\n"
	    "4: destination is missing; it wants " WANTS_NAMES
	    "4: host is missing; it wants a host name or IP address alone, "
	    "such as \"mail.example.net\"\n"
	    "4: name is missing; it wants a name of letters, digits, \"-\", "
	    "\"_\" and \".\" such as \"home\"\n"
	    "4: password is missing; it wants " WANTS_SECRET
	    "4: protocol is missing; it wants \"imap\" or \"pop3\"\n"
	    "4: user is missing; it wants a string such as "
	    "\"me@example.net\", without control characters\n");
	conf_expect("destinations = (\n{ name = \"home\"; host = \"h\"; user = "
		    "\"u\"; password = \"env:P\"; recipient = \"a@b\"; } );\n"
		    "\n" ACCOUNT(IMAP),
	    "2: mail_from is missing, and user is no mail address that could "
	    "stand in for it\n");
	conf_expect("destinations = (\n{ name = \"home\"; host = \"h\"; user = "
		    "\"u\"; password = \"env:P\"; recipient = \"a@b\"; "
		    "sender = \"rewrite\"; } );\n"
		    "\n" ACCOUNT(IMAP),
	    "2: mail_from is missing, and user is no mail address that could "
	    "stand in for it; sender and on_reject put it in From\n");
}

static void
test_secrets(void **state)
{
	(void)state;
	conf_expect(HOME
	    "accounts = ( { name = \"a\"; host = \"h\"; user = \"u\"; "
	    "protocol = \"imap\"; destination = \"home\";\n"
	    "password = \"hunter2\"; } );\n",
	    "5: password wants " WANTS_SECRET);
	conf_expect(HOME
	    "accounts = ( { name = \"a\"; host = \"h\"; user = \"u\"; "
	    "protocol = \"imap\"; destination = \"home\";\n"
	    "password = 12345; } );\n",
	    "5: password wants " WANTS_SECRET);
}

#define PASSWORD(reference)                                                    \
	HOME "accounts = ( { name = \"a\"; host = \"h\"; user = \"u\"; "       \
	     "protocol = \"imap\"; destination = \"home\";\n"                  \
	     "password = \"" reference "\"; } );\n"

static void
test_secret_files(void **state)
{
	(void)state;
	conf_put("open", "x", 0644);
	conf_put("group", "x", 0640);
	conf_put("shut", "x", 0600);
	unlink(conf_path("link"));
	assert_int_equal(symlink("shut", conf_path("link")), 0);
	conf_expect(PASSWORD("file:@/shut"), "");
	conf_expect(PASSWORD("file:@/open"),
	    "5: password: others can get at @/open (mode 0644); chmod 600 "
	    "it\n");
	conf_expect(PASSWORD("file:@/group"),
	    "5: password: others can get at @/group (mode 0640); chmod 600 "
	    "it\n");
	conf_expect(PASSWORD("file:@/link"),
	    "5: password: @/link is not a regular file\n");
	conf_expect(
	    PASSWORD("file:@/."), "5: password: @/. is not a regular file\n");
	conf_expect(PASSWORD("file:@/none"),
	    "5: password: @/none: No such file or directory\n");
	conf_expect(PASSWORD("file:secret"),
	    "5: password: file: wants an absolute path\n");
	conf_expect(PASSWORD("command:pass show x"),
	    "5: password: command: begins with the absolute path of a "
	    "program\n");
	conf_expect(PASSWORD("command:/bin/echo 'x"),
	    "5: password: command: has a quote that is not closed\n");
	conf_expect(WITH("ca_file = \"@/none\";"),
	    "4: ca_file: @/none: No such file or directory\n");
	/* The systemd way: the group's bits show an ACL. */
	setenv("CREDENTIALS_DIRECTORY", conf_directory(), 1);
	conf_expect(PASSWORD("file:@/group"), "");
	unsetenv("CREDENTIALS_DIRECTORY");
}

#define SECOND(name, host, user)                                               \
	"accounts = ( { " OLD IMAP "},\n{ name = \"" name "\"; host = \"" host \
	"\"; user = \"" user "\"; password = \"env:P\"; protocol = "           \
	"\"pop3\"; destination = \"home\"; } );\n"

static void
test_duplicates(void **state)
{
	(void)state;
	conf_expect(HOME SECOND("new", "MAIL.example.org", "U"),
	    "5: accounts \"new\" and \"old\" (@/main.conf:4) are the same "
	    "mailbox: same host, same user, folder INBOX\n");
	conf_expect(HOME SECOND("old", "mail.example.org", "u2"),
	    "5: there is an account \"old\" already, at @/main.conf:4\n");
	conf_expect(HOME SECOND("new", "mail.example.org", "u2"), "");
	conf_expect(
	    "destinations = ( { name = \"home\"; host = \"h\"; user = "
	    "\"a@b\"; password = \"env:P\"; recipient = \"c@d\"; },\n"
	    "{ name = \"home\"; host = \"h\"; user = \"a@b\"; password = "
	    "\"env:P\"; recipient = \"c@d\"; } );\n" ACCOUNT(IMAP),
	    "2: there is a destination \"home\" already, at @/main.conf:1\n");
}

#define TO(list)                                                               \
	HOME "accounts = ( { name = \"a\"; host = \"h\"; user = \"u\"; "       \
	     "protocol = \"imap\"; password = \"env:P\";\n"                    \
	     "destination = " list "; } );\n"

static void
test_references(void **state)
{
	(void)state;
	conf_expect(TO("\"hmoe\""),
	    "5: there is no destination \"hmoe\"; is \"home\" meant?\n");
	conf_expect(TO("( \"home\", \"elsewhere\" )"),
	    "5: there is no destination \"elsewhere\"\n");
	conf_expect(TO("( \"home\", \"home\" )"),
	    "5: destination \"home\" is listed twice\n");
	conf_expect(TO("()"), "5: destination wants " WANTS_NAMES);
	conf_expect(TO("( \"home\", 5 )"), "5: destination wants " WANTS_NAMES);
	conf_expect(TO("[ \"home\" ]"), "");
}

static void
test_loops(void **state)
{
	(void)state;
	conf_expect(HOME SECOND("new", "h", "IN@example.NET"),
	    "3: mail to this recipient would be fetched again by account "
	    "\"new\" and go round in a circle\n");
	conf_expect(HOME SECOND("new", "h", "me@example.net"),
	    "w1: delivery reports to this sender come back through account "
	    "\"new\"; better is an address that is not fetched\n");
}

#define WANTS_ARGV                                                             \
	"alert_command wants the absolute path of a program, or a list of it " \
	"and its arguments such as ( \"/usr/bin/logger\", \"-t\", "            \
	"\"mail\" )\n"

static void
test_alerts(void **state)
{
	(void)state;
	conf_expect(GOOD "alert_command = \"/bin/sh\";\n", "");
	conf_expect(GOOD "alert_command = \"sh\";\n", "5: " WANTS_ARGV);
	conf_expect(GOOD "alert_command = ();\n", "5: " WANTS_ARGV);
	conf_expect(
	    GOOD "alert_command = ( \"/bin/sh\", 5 );\n", "5: " WANTS_ARGV);
	conf_expect(GOOD "alert_command = \"@/none\";\n",
	    "w5: alert_command: @/none: No such file or directory\n");
	conf_expect(HOME
	    "notify = \"U@example.net\";\n" SECOND("new", "h", "u@example.net"),
	    "w4: what is written to this address is fetched by account "
	    "\"new\"; better is an address that needs no fetching\n");
	conf_expect(GOOD "listen = \"0.0.0.0:80\";\n",
	    "5: listen wants an address that only this machine can reach, "
	    "because what listens there has no TLS and asks for no password: "
	    "\"127.0.0.1:9810\" or \"[::1]:9810\"\n");
}

static void
test_idle(void **state)
{
	(void)state;
	conf_expect(WITH("idle = false;"), "");
	conf_expect(HOME ACCOUNT("protocol = \"pop3\"; idle = false;"), "");
	conf_expect(HOME ACCOUNT("protocol = \"pop3\";\nidle = true;"),
	    "5: over POP3 a server tells no news; leave idle out\n");
}

static void
test_ports(void **state)
{
	(void)state;
	conf_expect(WITH("port = 110;"),
	    "4: port 110 is POP3 without TLS; IMAP inside TLS has port 993\n");
	conf_expect(WITH("port = 143;"),
	    "4: port 143 is IMAP without TLS; IMAP inside TLS has port 993\n");
	conf_expect(WITH("port = 995;"),
	    "4: port 995 is POP3; IMAP inside TLS has port 993\n");
	conf_expect(HOME ACCOUNT("protocol = \"pop3\"; port = 993;"),
	    "4: port 993 is IMAP; POP3 inside TLS has port 995\n");
	conf_expect(HOME ACCOUNT("protocol = \"pop3\"; port = 110;"),
	    "4: port 110 is POP3 without TLS; POP3 inside TLS has port 995\n");
}

#define SUBMIT(rest)                                                           \
	"destinations = ( { name = \"home\"; host = \"h\"; user = \"a@b\"; "   \
	"password = \"env:P\"; recipient = \"c@d\";\n" rest                    \
	" } );\n" ACCOUNT(IMAP)

static void
test_destination_ports(void **state)
{
	(void)state;
	conf_expect(SUBMIT("port = 25;"),
	    "2: port 25 is for mail between servers; submission with tls = "
	    "\"implicit\" has port 465\n");
	conf_expect(SUBMIT("port = 25; tls = \"starttls\";"),
	    "2: port 25 is for mail between servers; submission with tls = "
	    "\"starttls\" has port 587\n");
	conf_expect(SUBMIT("port = 587;"),
	    "2: port 587 is for STARTTLS; submission with tls = \"implicit\" "
	    "has port 465\n");
	conf_expect(SUBMIT("port = 465; tls = \"starttls\";"),
	    "2: port 465 is for TLS from the first byte; submission with tls "
	    "= \"starttls\" has port 587\n");
	conf_expect(SUBMIT("port = 587; tls = \"starttls\";"), "");
	conf_expect(SUBMIT("port = 465;"), "");
}

static void
test_includes(void **state)
{
	(void)state;
	conf_write("part.inc", ACCOUNT(IMAP "port = 110;"));
	conf_expect(HOME "@include \"part.inc\"\n",
	    "part.inc:1: port 110 is POP3 without TLS; IMAP inside TLS has "
	    "port 993\n");
	conf_write("part.inc", "\nspool_max = ;\n");
	conf_expect(
	    GOOD "@include \"part.inc\"\n", "part.inc:2: syntax error\n");
	conf_write("part.inc", "x = 99999999999;\n");
	conf_expect(GOOD " @include \"part.inc\"\n",
	    "part.inc:1: " TOO_LONG("9") "part.inc:1: unknown option x\n");
	conf_expect(GOOD "@include \"none.inc\"\n",
	    "5: cannot include @/none.inc: No such file or directory\n");
	/* libconfig would end the process. */
	conf_expect(GOOD "@include \".\"\n",
	    "5: cannot include @/.: not a regular file\n");
	conf_expect(
	    GOOD "@include\n", "5: @include wants a file name in quotes\n");
	conf_write("part.inc", "@include \"part.inc\"\n");
	conf_expect(GOOD "@include \"part.inc\"\n",
	    "part.inc:1: cannot include @/part.inc: included too deep, "
	    "perhaps by itself\n");
	unlink(conf_path("part.inc"));
}

static void
test_directory(void **state)
{
	(void)state;
	assert_int_equal(mkdir(conf_path("conf.d"), 0700), 0);
	conf_write("conf.d/20.conf", SECOND("b", "h", "u"));
	conf_write("conf.d/10.conf", "spool_max = \"1G\";\n");
	conf_write("conf.d/.30.conf", "nonsense");
	conf_write("conf.d/40.conf~", "nonsense");
	conf_expect(HOME, "");
	conf_expect(GOOD "spool_max = \"1G\";\n",
	    "conf.d/10.conf:1: spool_max was given already, at "
	    "@/main.conf:5\n"
	    "conf.d/20.conf:1: accounts \"old\" and \"old\" (@/main.conf:4) "
	    "are the same mailbox: same host, same user, folder INBOX\n"
	    "conf.d/20.conf:1: there is an account \"old\" already, at "
	    "@/main.conf:4\n");
	conf_write("conf.d/10.conf", "\nspool_max = \"1G\"\nx");
	conf_expect(HOME, "conf.d/10.conf:3: syntax error\n");
	unlink(conf_path("conf.d/10.conf"));
	unlink(conf_path("conf.d/20.conf"));
	unlink(conf_path("conf.d/.30.conf"));
	unlink(conf_path("conf.d/40.conf~"));
	rmdir(conf_path("conf.d"));
}

static void
test_unreadable(void **state)
{
	char *report;

	(void)state;
	unlink(conf_path("main.conf"));
	assert_null(conf_read(&report));
	assert_string_equal(
	    report, "0: cannot read this file: No such file or directory\n");
	free(report);
	assert_int_equal(mkdir(conf_path("main.conf"), 0700), 0);
	assert_null(conf_read(&report));
	assert_string_equal(
	    report, "0: cannot read this file: not a regular file\n");
	free(report);
	rmdir(conf_path("main.conf"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_every_option),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_long_numbers),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_secret_files),
		cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_loops),
		cmocka_unit_test(test_alerts),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_destination_ports),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, conf_set_up, conf_tear_down);
}
