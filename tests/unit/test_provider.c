/* SPDX-License-Identifier: ISC */
/* The table of providers: each row makes sense, and is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/option_table.h"
#include "conf/provider.h"

static void
check_value(enum option_scope scope, const char *option, const char *text)
{
	union {
		struct conf_account account;
		struct conf_destination destination;
	} t;
	const struct option *o = option_find(scope, option, NULL);

	memset(&t, 0, sizeof(t));
	if (text == NULL)
		return;
	if (!option_set(o, text, &t))
		fail_msg("%s is no %s", text, option);
	option_free(o, &t);
}

static void
check_url(const char *option, const char *url, const char *tenant)
{
	char *full = provider_url(url, tenant);

	assert_true((full == NULL) == (url == NULL));
	check_value(OPTION_ACCOUNT, option, full);
	free(full);
}

static void
check_oauth(const struct provider_oauth *o)
{
	check_url("oauth_token_url", o->token_url, o->tenant);
	check_url("oauth_device_url", o->device_url, o->tenant);
	check_url("oauth_authorize_url", o->authorize_url, o->tenant);
	check_value(OPTION_ACCOUNT, "oauth_scope", o->scope);
	check_value(OPTION_ACCOUNT, "oauth_tenant", o->tenant);
	/* All or nothing. */
	assert_true((o->token_url == NULL) == (o->scope == NULL));
	assert_true((o->token_url == NULL) ==
		    (o->device_url == NULL && o->authorize_url == NULL));
	assert_true((o->tenant != NULL) ==
		    (o->token_url != NULL && strchr(o->token_url, '{')));
}

static void
test_every_row(void **state)
{
	(void)state;
	for (const struct provider *p = provider_table; p->name != NULL; p++) {
		check_value(OPTION_ACCOUNT, "provider", p->name);
		assert_ptr_equal(provider_find(p->name, NULL), p);
		assert_non_null(p->title);
		check_oauth(&p->oauth);
		for (int i = 0; i < PROVIDER_SERVICES; i++) {
			const struct provider_server *s = &p->servers[i];

			check_value(OPTION_ACCOUNT, "host", s->host);
			assert_true((s->host == NULL) == (s->port == 0));
			if (i != PROVIDER_SMTP)
				assert_int_equal(s->tls, CONF_TLS_IMPLICIT);
		}
		/* One that is for tokens knows where they come from. */
		if (p->auth == CONF_AUTH_XOAUTH2)
			assert_non_null(p->oauth.token_url);
		for (size_t i = 0; p->domains[i] != NULL; i++) {
			char address[256] = "x@";

			strcat(address, p->domains[i]);
			assert_ptr_equal(provider_of_address(address), p);
		}
	}
}

/* NULL: nobody's. */
static void
is(const struct provider *p, const char *name)
{
	if (name == NULL)
		assert_null(p);
	else
		assert_string_equal(p != NULL ? p->name : "", name);
}

static void
test_addresses(void **state)
{
	(void)state;
	is(provider_of_address("me@hotmail.com"), "outlook");
	is(provider_of_address("me@Live.COM"), "outlook");
	is(provider_of_address("me@outlook.com"), "outlook");
	is(provider_of_address("me@msn.com"), "outlook");
	is(provider_of_address("me@googlemail.com"), "gmail");
	is(provider_of_address("me@gmx.de"), "gmx");
	is(provider_of_address("me@web.de"), "webde");
	is(provider_of_address("me@me.com"), "icloud");
	is(provider_of_address("me@proton.me"), "proton-bridge");
	is(provider_of_address("a@gmail.com@example.net"), NULL);
	is(provider_of_address("me@notgmail.com"), NULL);
	is(provider_of_address("me@gmail.com.example.net"), NULL);
	is(provider_of_address("me@example.net"), NULL);
	is(provider_of_address("gmail.com"), NULL);
	is(provider_of_address("me@"), NULL);
	is(provider_of_address(""), NULL);
}

static void
test_hosts(void **state)
{
	(void)state;
	is(provider_of_host("imap.gmail.com"), "gmail");
	is(provider_of_host("IMAP.Gmail.com"), "gmail");
	is(provider_of_host("smtp-mail.outlook.com"), "outlook");
	is(provider_of_host("smtp.office365.com"), "exchange");
	is(provider_of_host("127.0.0.1"), NULL);
	is(provider_of_host("imap.example.net"), NULL);
	is(provider_of_old_host("pop3.live.com"), "outlook");
	is(provider_of_old_host("POP3.live.com"), "outlook");
	is(provider_of_old_host("pod51005.outlook.com"), "outlook");
	is(provider_of_old_host("pod1.outlook.com"), "outlook");
	is(provider_of_old_host("pod.outlook.com"), NULL);
	is(provider_of_old_host("pod5x.outlook.com"), NULL);
	is(provider_of_old_host("pod51005.outlook.com.example"), NULL);
	is(provider_of_old_host("pod51005.outlook.co"), NULL);
	is(provider_of_old_host("outlook.office365.com"), NULL);
	is(provider_of_old_host(""), NULL);
}

static void
test_names(void **state)
{
	const char *nearest;

	(void)state;
	assert_null(provider_find("outlok", &nearest));
	assert_string_equal(nearest, "outlook");
	assert_null(provider_find("Gmail", &nearest));
	assert_string_equal(nearest, "gmail");
	assert_null(provider_find("elsewhere", &nearest));
	assert_null(nearest);
	assert_null(provider_find("", NULL));
}

static void
check_expanded(const char *url, const char *tenant, const char *want)
{
	char *got = provider_url(url, tenant);

	assert_string_equal(got, want);
	free(got);
}

static void
test_urls(void **state)
{
	(void)state;
	check_expanded("https://h/{tenant}/t", "x", "https://h/x/t");
	check_expanded("https://h/{tenant}", "x", "https://h/x");
	check_expanded("https://h/t", "x", "https://h/t");
	check_expanded("https://h/t", NULL, "https://h/t");
	assert_null(provider_url(NULL, "x"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
