/* SPDX-License-Identifier: ISC */
/*
 * Each case is a configuration and the complete list of problems it must give,
 * one "line: text" each; "w" in front of the line marks a warning.
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

#include "conf/conf.h"

static char dir[64];

/* In a buffer that the next but three calls reuse. */
static const char *
path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static void
put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

/* What @ stands for in a configuration: the directory of the test. */
static void
put_conf(const char *name, const char *text)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	for (; *text != '\0'; text++)
		if (text[0] == '@' && text[1] == '/')
			fputs(dir, f);
		else
			fputc(*text, f);
	fclose(f);
}

static struct conf *
load(char **report_r)
{
	struct conf_problems p;
	size_t n, prefix = strlen(dir) + 1, errors = 0;
	FILE *out = open_memstream(report_r, &n);
	struct conf *c = conf_load(path_of("main.conf"), &p);

	assert_non_null(out);
	for (size_t i = 0; i < p.n; i++) {
		const char *name = p.list[i].file + prefix;

		assert_memory_equal(p.list[i].file, dir, prefix - 1);
		if (strcmp(name, "main.conf") != 0)
			fprintf(out, "%s:", name);
		fprintf(out, "%s%u: ", p.list[i].warning ? "w" : "",
		    p.list[i].line);
		/* The directory's name differs from run to run. */
		for (const char *t = p.list[i].text; *t != '\0'; t++)
			if (strncmp(t, dir, prefix - 1) == 0) {
				fputc('@', out);
				t += prefix - 2;
			} else {
				fputc(*t, out);
			}
		fputc('\n', out);
		errors += p.list[i].warning ? 0 : 1;
	}
	fclose(out);
	assert_int_equal(errors, p.errors);
	assert_true((c == NULL) == (errors > 0));
	conf_problems_free(&p);
	return c;
}

static void
expect(const char *conf, const char *report)
{
	char *got;
	struct conf *c;

	put_conf("main.conf", conf);
	c = load(&got);
	if (strcmp(got, report) != 0)
		print_error(
		    "of\n%s\n--- expected\n%s--- got\n%s", conf, report, got);
	assert_string_equal(got, report);
	free(got);
	conf_free(&c);
}

/* On lines 1 to 4: a destination and an account that are good. */
#define HOME                                                                   \
	"destinations = ( { name = \"home\"; host = \"smtp.example.net\";\n"   \
	"  user = \"me@example.net\"; password = \"env:PW\";\n"                \
	"  recipient = \"in@example.net\"; } );\n"
#define OLD                                                                    \
	"name = \"old\"; host = \"mail.example.org\"; user = \"u\"; "          \
	"password = \"env:PW\"; destination = \"home\"; "
#define IMAP "protocol = \"imap\"; "
#define ACCOUNT(rest) "accounts = ( { " OLD rest " } );\n"
#define GOOD HOME ACCOUNT(IMAP)
/* Account options on line 4. */
#define WITH(option) HOME ACCOUNT(IMAP option)

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
	put_conf("main.conf", GOOD);
	c = load(&report);
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
	d = &c->destinations[0];
	assert_int_equal(d->tls, CONF_TLS_IMPLICIT);
	assert_int_equal(d->server.port, 465);
	assert_string_equal(d->mail_from, "me@example.net");
	assert_null(d->ehlo);
	assert_null(d->server.ca_file);
	a = &c->accounts[0];
	assert_int_equal(a->protocol, CONF_IMAP);
	assert_int_equal(a->server.port, 993);
	assert_int_equal(a->server.auth, CONF_AUTH_AUTO);
	assert_false(a->server.pinned);
	assert_int_equal(a->after, CONF_AFTER_KEEP);
	assert_int_equal(a->first, CONF_FIRST_NEW);
	assert_int_equal(a->interval, 300);
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
	put("pw", "x", 0600);
	put_conf("main.conf",
	    "spool_max = \"1G\"; message_max = \"1G\"; shutdown_grace = \"1m\""
	    "; connect_timeout = \"1m\"; reply_timeout = \"10m\"; "
	    "dot_timeout = \"20m\";\n"
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
	c = load(&report);
	assert_string_equal(report, "");
	assert_non_null(c);
	assert_int_equal(c->dot_timeout, 1200);
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
	expect(GOOD "spoolmax = 1;\n\nacounts = ();\nzzzzzz = 1;\n",
	    "5: unknown option spoolmax; is spool_max meant?\n"
	    "7: unknown option acounts; is accounts meant?\n"
	    "8: unknown option zzzzzz\n");
	expect(WITH("intervall = \"5m\";"),
	    "4: unknown option intervall; is interval meant?\n");
	expect(WITH("recipient = \"a@b\";"),
	    "4: recipient is an option of a destination and does not belong "
	    "here\n");
	expect(GOOD "interval = \"5m\";\n",
	    "5: interval is an option of an account and does not belong "
	    "here\n");
	expect(WITH("spool_max = \"5M\";"),
	    "4: spool_max is an option of top level and does not belong "
	    "here\n");
}

static void
test_types(void **state)
{
	(void)state;
	expect(GOOD "spool_max = 256;\nmessage_max = 1.5;\n"
		    "dot_timeout = true;\nshutdown_grace = ( \"30s\" );\n",
	    "5: spool_max wants a size such as \"64K\", \"100M\" or \"1G\", "
	    "1M to 1T\n"
	    "6: message_max wants a size such as \"64K\", \"100M\" or "
	    "\"1G\", 64K to 1T\n"
	    "7: dot_timeout wants " WANTS_DURATION "10m to 1h\n"
	    "8: shutdown_grace wants " WANTS_DURATION "1s to 1h\n");
	expect(WITH("port = \"993\";"),
	    "4: port wants a whole number without quotes, 1 to 65535\n");
	expect(WITH("port = 993.0;"),
	    "4: port wants a whole number without quotes, 1 to 65535\n");
	expect(WITH("interval = 300;\nafter = true;"),
	    "4: interval wants " WANTS_DURATION "10s to 30d\n"
	    "5: after wants \"keep\" or \"delete\" or "
	    "\"delete-after DURATION\" or \"move FOLDER\" or \"seen\", with "
	    "a duration from 1h to 3650d\n");
	expect(GOOD "accounts2 = 1;",
	    "5: unknown option accounts2; is accounts meant?\n");
	expect(HOME "accounts = { name = \"x\"; };\n",
	    "0: there are no accounts; add accounts = ( { ... } );\n"
	    "4: accounts wants a list of groups: accounts = ( { ... }, "
	    "{ ... } );\n");
	expect(HOME "accounts = ( \"x\",\n { " OLD IMAP "} );\n",
	    "4: an entry of accounts is a group: { name = ...; ... }\n");
}

static void
test_range(void **state)
{
	(void)state;
	expect(GOOD "dot_timeout = \"5m\";\nreply_timeout = \"2h\";\n",
	    "5: dot_timeout wants " WANTS_DURATION "10m to 1h\n"
	    "6: reply_timeout wants " WANTS_DURATION "1s to 1h\n");
	expect(WITH("port = 0;"),
	    "4: port wants a whole number without quotes, 1 to 65535\n");
	expect(WITH("port = -1;"),
	    "4: port wants a whole number without quotes, 1 to 65535\n");
	expect(WITH("port = 993L;"), "");
	expect(WITH("interval = \"9s\";"),
	    "4: interval wants " WANTS_DURATION "10s to 30d\n");
	expect(GOOD "reply_timeout = \"299s\";\n",
	    "w5: reply_timeout is below the 5m that RFC 5321 4.5.3.2 asks "
	    "for; slow servers will be given up too early\n");
	expect(GOOD "message_max = \"300M\";\n",
	    "5: message_max is larger than spool_max; such a message would "
	    "fit nowhere\n");
	expect(GOOD "spool_max = \"50M\";\n",
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
	expect(WITH("port = 4294968289;"), "4: " TOO_LONG("9"));
	/* Would be read as 993. */
	expect(WITH("port =\n -4294966303;"), "5: " TOO_LONG("9"));
	expect(WITH("port = 0x1000003E1;"), "4: " TOO_LONG("7"));
	expect(WITH("port = 4294968289L;"), "4: " TOO_LONG("9"));
	expect(WITH("port = 000000993;"), "");
	expect(WITH("port = 0x3e1;"), "");
	/* None of these is a number. */
	expect(GOOD "# 4294967297\n// 4294967297\n/* 4294967297\n"
		    "4294967297 */\n",
	    "");
	expect(WITH("user2 = \"4294967297 # // /* \\\" 4294967297\";"),
	    "4: unknown option user2; is user meant?\n");
	expect(GOOD "a4294967297 = 1;\n", "5: unknown option a4294967297\n");
	expect(GOOD "x = \"/*\"; y = 4294967297; # */\n",
	    "5: " TOO_LONG("9") "5: unknown option x\n5: unknown option y\n");
	expect(GOOD "spool_max = 12345678901.5;\n",
	    "5: spool_max wants a size such as \"64K\", \"100M\" or \"1G\", "
	    "1M to 1T\n");
}

static void
test_syntax(void **state)
{
	(void)state;
	expect("a = 1;\n\nb = ;\n", "3: syntax error\n");
	expect(GOOD "spool_max = \"1G\"; spool_max = \"2G\";\n",
	    "5: duplicate setting name\n");
	expect(GOOD "/* never\nclosed\n",
	    "5: this comment is never closed; close it with */\n");
	expect(GOOD "spool_max = \"1G;\nmessage_max = \"1M\";\n",
	    "5: this string is not closed on its line; close it with \"\n");
	expect(WITH("user2 = \"a\\x00b\";"),
	    "4: \\x00 would cut this string short\n"
	    "4: unknown option user2; is user meant?\n");
	expect(
	    GOOD "\x01\n", "5: a control character; this is not a text file\n");
	expect("",
	    "0: there are no accounts; add accounts = ( { ... } );\n"
	    "0: there are no destinations; add destinations = ( { ... } );\n");
}

static void
test_missing(void **state)
{
	(void)state;
	expect("destinations = (\n{ } );\naccounts = (\n{ } );\n",
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
	expect("destinations = (\n{ name = \"home\"; host = \"h\"; user = "
	       "\"u\"; password = \"env:P\"; recipient = \"a@b\"; } );\n"
	       "\n" ACCOUNT(IMAP),
	    "2: mail_from is missing, and user is no mail address that could "
	    "stand in for it\n");
}

static void
test_secrets(void **state)
{
	(void)state;
	expect(HOME "accounts = ( { name = \"a\"; host = \"h\"; user = \"u\"; "
		    "protocol = \"imap\"; destination = \"home\";\n"
		    "password = \"hunter2\"; } );\n",
	    "5: password wants " WANTS_SECRET);
	expect(HOME "accounts = ( { name = \"a\"; host = \"h\"; user = \"u\"; "
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
	put("open", "x", 0644);
	put("group", "x", 0640);
	put("shut", "x", 0600);
	unlink(path_of("link"));
	assert_int_equal(symlink("shut", path_of("link")), 0);
	expect(PASSWORD("file:@/shut"), "");
	expect(PASSWORD("file:@/open"),
	    "5: password: others can get at @/open (mode 0644); chmod 600 "
	    "it\n");
	expect(PASSWORD("file:@/group"),
	    "5: password: others can get at @/group (mode 0640); chmod 600 "
	    "it\n");
	expect(PASSWORD("file:@/link"),
	    "5: password: @/link is not a regular file\n");
	expect(
	    PASSWORD("file:@/."), "5: password: @/. is not a regular file\n");
	expect(PASSWORD("file:@/none"),
	    "5: password: @/none: No such file or directory\n");
	expect(PASSWORD("file:secret"),
	    "5: password: file: wants an absolute path\n");
	expect(PASSWORD("command:pass show x"),
	    "5: password: command: begins with the absolute path of a "
	    "program\n");
	expect(PASSWORD("command:/bin/echo 'x"),
	    "5: password: command: has a quote that is not closed\n");
	expect(WITH("ca_file = \"@/none\";"),
	    "4: ca_file: @/none: No such file or directory\n");
	/* The systemd way: the group's bits show an ACL. */
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	expect(PASSWORD("file:@/group"), "");
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
	expect(HOME SECOND("new", "MAIL.example.org", "U"),
	    "5: accounts \"new\" and \"old\" (@/main.conf:4) are the same "
	    "mailbox: same host, same user\n");
	expect(HOME SECOND("old", "mail.example.org", "u2"),
	    "5: there is an account \"old\" already, at @/main.conf:4\n");
	expect(HOME SECOND("new", "mail.example.org", "u2"), "");
	expect("destinations = ( { name = \"home\"; host = \"h\"; user = "
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
	expect(TO("\"hmoe\""),
	    "5: there is no destination \"hmoe\"; is \"home\" meant?\n");
	expect(TO("( \"home\", \"elsewhere\" )"),
	    "5: there is no destination \"elsewhere\"\n");
	expect(TO("( \"home\", \"home\" )"),
	    "5: destination \"home\" is listed twice\n");
	expect(TO("()"), "5: destination wants " WANTS_NAMES);
	expect(TO("( \"home\", 5 )"), "5: destination wants " WANTS_NAMES);
	expect(TO("[ \"home\" ]"), "");
}

static void
test_loops(void **state)
{
	(void)state;
	expect(HOME SECOND("new", "h", "IN@example.NET"),
	    "3: mail to this recipient would be fetched again by account "
	    "\"new\" and go round in a circle\n");
	expect(HOME SECOND("new", "h", "me@example.net"),
	    "w1: delivery reports to this sender come back through account "
	    "\"new\"; better is an address that is not fetched\n");
}

static void
test_ports(void **state)
{
	(void)state;
	expect(WITH("port = 110;"),
	    "4: port 110 is POP3 without TLS; IMAP inside TLS has port 993\n");
	expect(WITH("port = 143;"),
	    "4: port 143 is IMAP without TLS; IMAP inside TLS has port 993\n");
	expect(WITH("port = 995;"),
	    "4: port 995 is POP3; IMAP inside TLS has port 993\n");
	expect(HOME ACCOUNT("protocol = \"pop3\"; port = 993;"),
	    "4: port 993 is IMAP; POP3 inside TLS has port 995\n");
	expect(HOME ACCOUNT("protocol = \"pop3\"; port = 110;"),
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
	expect(SUBMIT("port = 25;"),
	    "2: port 25 is for mail between servers; submission with tls = "
	    "\"implicit\" has port 465\n");
	expect(SUBMIT("port = 25; tls = \"starttls\";"),
	    "2: port 25 is for mail between servers; submission with tls = "
	    "\"starttls\" has port 587\n");
	expect(SUBMIT("port = 587;"),
	    "2: port 587 is for STARTTLS; submission with tls = \"implicit\" "
	    "has port 465\n");
	expect(SUBMIT("port = 465; tls = \"starttls\";"),
	    "2: port 465 is for TLS from the first byte; submission with tls "
	    "= \"starttls\" has port 587\n");
	expect(SUBMIT("port = 587; tls = \"starttls\";"), "");
	expect(SUBMIT("port = 465;"), "");
}

static void
test_includes(void **state)
{
	(void)state;
	put_conf("part.inc", ACCOUNT(IMAP "port = 110;"));
	expect(HOME "@include \"part.inc\"\n",
	    "part.inc:1: port 110 is POP3 without TLS; IMAP inside TLS has "
	    "port 993\n");
	put_conf("part.inc", "\nspool_max = ;\n");
	expect(GOOD "@include \"part.inc\"\n", "part.inc:2: syntax error\n");
	put_conf("part.inc", "x = 99999999999;\n");
	expect(GOOD " @include \"part.inc\"\n",
	    "part.inc:1: " TOO_LONG("9") "part.inc:1: unknown option x\n");
	expect(GOOD "@include \"none.inc\"\n",
	    "5: cannot include @/none.inc: No such file or directory\n");
	/* libconfig would end the process. */
	expect(GOOD "@include \".\"\n",
	    "5: cannot include @/.: not a regular file\n");
	expect(GOOD "@include\n", "5: @include wants a file name in quotes\n");
	put_conf("part.inc", "@include \"part.inc\"\n");
	expect(GOOD "@include \"part.inc\"\n",
	    "part.inc:1: cannot include @/part.inc: included too deep, "
	    "perhaps by itself\n");
	unlink(path_of("part.inc"));
}

static void
test_directory(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("conf.d"), 0700), 0);
	put_conf("conf.d/20.conf", SECOND("b", "h", "u"));
	put_conf("conf.d/10.conf", "spool_max = \"1G\";\n");
	put_conf("conf.d/.30.conf", "nonsense");
	put_conf("conf.d/40.conf~", "nonsense");
	expect(HOME, "");
	expect(GOOD "spool_max = \"1G\";\n",
	    "conf.d/10.conf:1: spool_max was given already, at "
	    "@/main.conf:5\n"
	    "conf.d/20.conf:1: accounts \"old\" and \"old\" (@/main.conf:4) "
	    "are the same mailbox: same host, same user\n"
	    "conf.d/20.conf:1: there is an account \"old\" already, at "
	    "@/main.conf:4\n");
	put_conf("conf.d/10.conf", "\nspool_max = \"1G\"\nx");
	expect(HOME, "conf.d/10.conf:3: syntax error\n");
	unlink(path_of("conf.d/10.conf"));
	unlink(path_of("conf.d/20.conf"));
	unlink(path_of("conf.d/.30.conf"));
	unlink(path_of("conf.d/40.conf~"));
	rmdir(path_of("conf.d"));
}

static void
test_unreadable(void **state)
{
	char *report;

	(void)state;
	unlink(path_of("main.conf"));
	assert_null(load(&report));
	assert_string_equal(
	    report, "0: cannot read this file: No such file or directory\n");
	free(report);
	assert_int_equal(mkdir(path_of("main.conf"), 0700), 0);
	assert_null(load(&report));
	assert_string_equal(
	    report, "0: cannot read this file: not a regular file\n");
	free(report);
	rmdir(path_of("main.conf"));
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_conf.XXXXXX");
	unsetenv("CREDENTIALS_DIRECTORY");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	const char *const names[] = { "main.conf", "pw", "open", "group",
		"shut", "link" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(path_of(names[i]));
	return rmdir(dir);
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
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_destination_ports),
		cmocka_unit_test(test_includes),
		cmocka_unit_test(test_directory),
		cmocka_unit_test(test_unreadable),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
