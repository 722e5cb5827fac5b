/* SPDX-License-Identifier: ISC */
/*
 * What a preset fills, that what is given wins, and what is said of hosts and
 * ports that a provider does not have.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf_fixture.h"

/* An account with its options on line 4, a destination with them on line 1. */
#define FETCH(options)                                                         \
	HOME "accounts = ( { name = \"a\"; destination = \"home\"; user = "    \
	     "\"u@example.org\"; " options " } );\n"
#define SUBMIT(options)                                                        \
	"destinations = ( { name = \"home\"; user = \"me@example.net\"; "      \
	"recipient = \"in@example.net\"; " options " } );\n" ACCOUNT(IMAP)
#define PASSWORD "password = \"env:P\"; "
#define CLIENT "oauth_client_id = \"id\"; "
#define POP3 "protocol = \"pop3\"; "
#define MICROSOFT "https://login.microsoftonline.com/"

static struct conf *conf;

static const struct conf_account *
account(const char *text)
{
	conf_free(&conf);
	conf = conf_read_good(text);
	return &conf->accounts[0];
}

static const struct conf_destination *
destination(const char *text)
{
	conf_free(&conf);
	conf = conf_read_good(text);
	return &conf->destinations[0];
}

static void
check_server(const struct conf_server *s, const char *host, unsigned port)
{
	assert_string_equal(s->host, host);
	assert_int_equal(s->port, port);
}

static void
test_outlook(void **state)
{
	const struct conf_account *a;
	const struct conf_destination *d;

	(void)state;
	a = account(FETCH("provider = \"outlook\"; " IMAP CLIENT));
	check_server(&a->server, "outlook.office365.com", 993);
	assert_int_equal(a->server.auth, CONF_AUTH_XOAUTH2);
	assert_true(conf_server_uses_token(&a->server));
	assert_string_equal(a->server.oauth_scope,
	    "https://outlook.office.com/IMAP.AccessAsUser.All "
	    "https://outlook.office.com/POP.AccessAsUser.All "
	    "https://outlook.office.com/SMTP.Send offline_access");
	assert_string_equal(
	    a->server.oauth_token_url, MICROSOFT "consumers/oauth2/v2.0/token");
	assert_string_equal(a->server.oauth_device_url,
	    MICROSOFT "consumers/oauth2/v2.0/devicecode");
	assert_string_equal(a->server.oauth_authorize_url,
	    MICROSOFT "consumers/oauth2/v2.0/authorize");
	a = account(FETCH("provider = \"outlook\"; " POP3 CLIENT));
	check_server(&a->server, "outlook.office365.com", 995);
	a = account(FETCH("provider = \"exchange\"; " IMAP CLIENT
			  "oauth_tenant = \"example.net\";"));
	assert_string_equal(a->server.oauth_token_url,
	    MICROSOFT "example.net/oauth2/v2.0/token");
	d = destination(SUBMIT("provider = \"outlook\"; " CLIENT));
	check_server(&d->server, "smtp-mail.outlook.com", 587);
	assert_int_equal(d->tls, CONF_TLS_STARTTLS);
	assert_int_equal(d->sender, CONF_SENDER_REWRITE);
	d = destination(SUBMIT("provider = \"exchange\"; " CLIENT));
	check_server(&d->server, "smtp.office365.com", 587);
	assert_int_equal(d->connections, 3);
	d = destination(
	    SUBMIT("provider = \"outlook\"; connections = 2; " CLIENT));
	assert_int_equal(d->connections, 2);
	conf_free(&conf);
}

static void
test_gmail(void **state)
{
	const struct conf_account *a;

	(void)state;
	a = account(FETCH("provider = \"gmail\"; " IMAP PASSWORD));
	check_server(&a->server, "imap.gmail.com", 993);
	assert_false(conf_server_uses_token(&a->server));
	assert_null(a->server.oauth_token_url);
	assert_int_equal(a->login_delay, 0);
	assert_int_equal(a->interval, 300);
	assert_int_equal(a->connections, 8);
	a = account(FETCH("provider = \"gmail\"; " IMAP CLIENT));
	assert_true(conf_server_uses_token(&a->server));
	assert_string_equal(a->server.oauth_scope, "https://mail.google.com/");
	assert_null(a->server.oauth_device_url);
	a = account(FETCH("provider = \"gmail\"; " POP3 PASSWORD));
	assert_int_equal(a->login_delay, 300);
	conf_expect(FETCH("provider = \"gmail\"; " POP3 PASSWORD
			  "interval = \"1m\"; connections = 16;"),
	    "w4: Gmail allows 15 connections, those of other programs "
	    "included\n"
	    "w4: Gmail wants 300 seconds between logins, so polls will be "
	    "that far apart\n");
	conf_free(&conf);
}

/* Also what only follows from it. */
static void
test_given_wins(void **state)
{
	const struct conf_destination *d;
	const struct conf_account *a;

	(void)state;
	a = account(FETCH("provider = \"outlook\"; host = \"127.0.0.1\"; "
			  "port = 4000; auth = \"plain\"; " IMAP PASSWORD));
	check_server(&a->server, "127.0.0.1", 4000);
	assert_int_equal(a->server.auth, CONF_AUTH_PLAIN);
	assert_null(a->server.oauth_token_url);
	a = account(FETCH("provider = \"outlook\"; " IMAP CLIENT
			  "oauth_token_url = \"https://h/t\"; oauth_scope = "
			  "\"mail\";"));
	assert_string_equal(a->server.oauth_token_url, "https://h/t");
	assert_string_equal(a->server.oauth_scope, "mail");
	d = destination(
	    SUBMIT("provider = \"gmail\"; sender = \"preserve\"; " PASSWORD));
	assert_int_equal(d->sender, CONF_SENDER_PRESERVE);
	check_server(&d->server, "smtp.gmail.com", 465);
	d = destination(
	    SUBMIT("provider = \"gmail\"; tls = \"starttls\"; " PASSWORD));
	check_server(&d->server, "smtp.gmail.com", 587);
	d = destination(SUBMIT("provider = \"gmail\"; port = 587; " PASSWORD));
	assert_int_equal(d->tls, CONF_TLS_STARTTLS);
	d = destination(
	    SUBMIT("provider = \"gmail\"; host = \"h\"; port = 2525; "
		   "tls = \"starttls\"; " PASSWORD));
	check_server(&d->server, "h", 2525);
	assert_int_equal(d->tls, CONF_TLS_STARTTLS);
	conf_free(&conf);
}

static void
test_none(void **state)
{
	const struct conf_account *a;

	(void)state;
	a = account(
	    FETCH("provider = \"custom\"; host = \"h\"; " POP3 PASSWORD));
	check_server(&a->server, "h", 995);
	assert_int_equal(a->login_delay, 0);
	conf_free(&conf);
	conf_expect(FETCH("provider = \"custom\"; " IMAP PASSWORD),
	    "4: host is missing; it wants a host name or IP address alone, "
	    "such as \"mail.example.net\"\n");
	conf_expect(FETCH("provider = \"outlok\"; " IMAP PASSWORD),
	    "4: there is no provider \"outlok\"; is \"outlook\" meant?\n");
	conf_expect(SUBMIT("provider = \"elsewhere\"; " PASSWORD),
	    "1: there is no provider \"elsewhere\"; mailhaul providers lists "
	    "them\n");
	conf_expect(FETCH("provider = \"icloud\"; " POP3 PASSWORD),
	    "4: iCloud Mail has no POP3; use protocol = \"imap\"\n");
	conf_expect(
	    FETCH("provider = \"gmail\"; oauth_tenant = \"x\"; " IMAP CLIENT),
	    "w4: oauth_tenant is not used: the addresses of provider "
	    "\"gmail\" have none\n");
	conf_expect(FETCH("provider = \"outlook\"; " IMAP PASSWORD),
	    "4: oauth_client_id is missing; without it no token can be "
	    "fetched\n"
	    "w4: password is not used: the login is with a token, because of "
	    "provider\n");
}

#define PIN                                                                    \
	"pin_sha256 = "                                                        \
	"\"00112233445566778899aabbccddeeff00112233445566778899aa"             \
	"bbccddeeff\"; "

static void
test_bridge(void **state)
{
	const struct conf_account *a;
	const struct conf_destination *d;

	(void)state;
	a = account(FETCH("provider = \"proton-bridge\"; " IMAP PASSWORD PIN));
	check_server(&a->server, "127.0.0.1", 1143);
	assert_true(a->server.pinned);
	d = destination(SUBMIT("provider = \"proton-bridge\"; " PASSWORD PIN));
	check_server(&d->server, "127.0.0.1", 1025);
	assert_int_equal(d->tls, CONF_TLS_IMPLICIT);
	conf_free(&conf);
	conf_expect(FETCH("provider = \"proton-bridge\"; " IMAP PASSWORD),
	    "4: pin_sha256 is missing: the certificate of Proton Mail Bridge "
	    "is signed by nobody, so it has to be pinned\n");
}

#define OLD_NAME(host, service)                                                \
	host " is a name of old; " service " of Outlook.com, Hotmail, Live, "  \
	     "MSN is "
#define INSTEAD " now: use provider = \"outlook\" and leave host out\n"

static void
test_old_hosts(void **state)
{
	(void)state;
	conf_expect(FETCH("host = \"pop3.live.com\"; " POP3 PASSWORD),
	    "w4: " OLD_NAME(
		"pop3.live.com", "POP3") "outlook.office365.com" INSTEAD);
	conf_expect(FETCH("host = \"pod51005.outlook.com\"; " IMAP PASSWORD),
	    "w4: " OLD_NAME("pod51005.outlook.com",
		"IMAP") "outlook.office365.com" INSTEAD);
	conf_expect(SUBMIT("host = \"smtp.live.com\"; port = 25; " PASSWORD),
	    "1: port 25 is for mail between servers; submission with tls = "
	    "\"implicit\" has port 465\n"
	    "w1: " OLD_NAME(
		"smtp.live.com", "SMTP") "smtp-mail.outlook.com" INSTEAD);
}

static void
test_wrong_ports(void **state)
{
	(void)state;
	conf_expect(SUBMIT("provider = \"outlook\"; port = 25; " CLIENT),
	    "1: port 25 is for mail between servers; smtp-mail.outlook.com "
	    "has port 587 with tls = \"starttls\"\n");
	conf_expect(SUBMIT("host = \"smtp-mail.outlook.com\"; " PASSWORD),
	    "w1: port 465 is not one of smtp-mail.outlook.com, which has port "
	    "587 with tls = \"starttls\"\n");
	conf_expect(SUBMIT("host = \"smtp.gmail.com\"; port = 587; tls = "
			   "\"starttls\"; " PASSWORD),
	    "");
	conf_expect(FETCH("provider = \"gmail\"; port = 143; " IMAP PASSWORD),
	    "4: port 143 is IMAP without TLS; IMAP inside TLS has port "
	    "993\n");
	conf_expect(FETCH("provider = \"gmail\"; port = 9930; " IMAP PASSWORD),
	    "w4: IMAP inside TLS has port 993 at imap.gmail.com\n");
	conf_expect(FETCH("host = \"imap.gmail.com\"; " POP3 PASSWORD),
	    "w4: this is another server; for POP3, Gmail has "
	    "pop.gmail.com\n");
	conf_expect(FETCH("host = \"imap.mail.me.com\"; " POP3 PASSWORD),
	    "w4: iCloud Mail has no POP3, and this is another server\n");
}

/* What a reload compares. */
static void
test_equal(void **state)
{
	struct conf *a, *b;

	(void)state;
	a = conf_read_good(FETCH("provider = \"gmail\"; " IMAP PASSWORD));
	b = conf_read_good(FETCH("provider = \"gmail\"; " IMAP PASSWORD));
	assert_true(conf_account_equal(&a->accounts[0], &b->accounts[0]));
	conf_free(&b);
	b = conf_read_good(FETCH("provider = \"yahoo\"; " IMAP PASSWORD));
	assert_false(conf_account_equal(&a->accounts[0], &b->accounts[0]));
	conf_free(&a);
	conf_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outlook),
		cmocka_unit_test(test_gmail),
		cmocka_unit_test(test_given_wins),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_old_hosts),
		cmocka_unit_test(test_wrong_ports),
		cmocka_unit_test(test_equal),
	};

	return cmocka_run_group_tests(tests, conf_set_up, conf_tear_down);
}
