/* SPDX-License-Identifier: ISC */
/* A token in place of a password: what it needs, and what is in vain. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "conf_fixture.h"

#define ACCOUNT_WITHOUT                                                        \
	"accounts = ( { name = \"a\"; host = \"h\"; user = \"u\"; "            \
	"protocol = \"imap\"; destination = \"home\";\n"
#define CLIENT                                                                 \
	"oauth_client_id = \"id\"; oauth_scope = \"mail\"; "                   \
	"oauth_token_url = \"https://id.example/token\"; "                     \
	"oauth_device_url = \"https://id.example/device\"; "

static bool
uses_token(const char *options)
{
	char text[2048];
	struct conf *c;
	bool uses;

	(void)snprintf(text, sizeof(text), "%s%s%s } );\n", HOME,
	    ACCOUNT_WITHOUT, options);
	c = conf_read_good(text);
	uses = conf_server_uses_token(&c->accounts[0].server);
	conf_free(&c);
	return uses;
}

static void
test_who_uses_one(void **state)
{
	(void)state;
	assert_true(uses_token(CLIENT));
	assert_true(uses_token(CLIENT "auth = \"xoauth2\";"));
	assert_true(uses_token(CLIENT "auth = \"oauthbearer\";"));
	assert_false(uses_token("password = \"env:PW\";"));
	assert_false(uses_token("password = \"env:PW\"; auth = \"scram\";"));
}

static void
test_missing(void **state)
{
	(void)state;
	conf_expect(HOME ACCOUNT_WITHOUT "} );\n",
	    "4: password is missing; it wants the place where the secret is "
	    "kept, never the secret itself: "
	    "\"file:/etc/mailhaul/secrets/NAME\" (mode 0600), "
	    "\"credential:NAME\", \"command:/PROGRAM ARGUMENTS\" or "
	    "\"env:NAME\"\n");
	conf_expect(HOME ACCOUNT_WITHOUT "auth = \"xoauth2\"; } );\n",
	    "5: oauth_client_id is missing; without it no token can be "
	    "fetched\n"
	    "5: oauth_device_url and oauth_authorize_url are missing; without "
	    "one of them nobody can sign in\n"
	    "5: oauth_scope is missing; without it no token can be fetched\n"
	    "5: oauth_token_url is missing; without it no token can be "
	    "fetched\n");
}

static void
test_in_vain(void **state)
{
	(void)state;
	conf_expect(HOME ACCOUNT_WITHOUT CLIENT
	    "\npassword = \"env:P\"; } );\n",
	    "w6: password is not used: the login is with a token, because of "
	    "oauth_client_id\n");
	conf_expect(HOME ACCOUNT_WITHOUT
	    "password = \"env:P\";\noauth_scope = \"mail\"; } );\n",
	    "w6: oauth_scope is not used: there is no oauth_client_id\n");
	conf_expect(HOME ACCOUNT_WITHOUT "password = \"env:P\"; "
					 "auth = \"plain\";\n"
					 "oauth_client_id = \"id\"; } );\n",
	    "w6: oauth_client_id is not used: auth asks for a password\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_uses_one),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_in_vain),
	};

	return cmocka_run_group_tests(tests, conf_set_up, conf_tear_down);
}
