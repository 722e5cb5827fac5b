/* SPDX-License-Identifier: ISC */
#include "relay/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "conf/conf.h"

static char host[] = "imap.example";
static char ca_file[] = "/etc/ca.pem";

static void
test_target(void **state)
{
	struct conf conf = { .connect_timeout = 30 };
	struct conf_server s = { .host = host, .port = 993 };
	struct conn_target t = server_target(&conf, &s, FAULT_ACCOUNT);

	(void)state;
	assert_ptr_equal(t.peer.host, host);
	assert_null(t.peer.ca_file);
	assert_null(t.peer.pin);
	assert_int_equal(t.peer.port, 993);
	assert_int_equal(t.scope, FAULT_ACCOUNT);
	assert_int_equal(t.connect_ms, 30000);
	assert_false(t.plain); /* TLS unless somebody says so */
}

/* A pin of 32 zero bytes is not the same as no pin. */
static void
test_trust(void **state)
{
	struct conf conf = { .connect_timeout = 1 };
	struct conf_server s = { .host = host, .ca_file = ca_file };
	struct conn_target t;

	(void)state;
	s.pinned = true;
	t = server_target(&conf, &s, FAULT_DESTINATION);
	assert_ptr_equal(t.peer.ca_file, ca_file);
	assert_ptr_equal(t.peer.pin, s.pin);
	assert_int_equal(t.scope, FAULT_DESTINATION);
}

/* RFC 5321 section 4.5.3.2, and what the configuration says. */
static void
test_patience(void **state)
{
	struct conf usual = { .reply_timeout = 300, .dot_timeout = 600 };
	struct conf hasty = { .reply_timeout = 20, .dot_timeout = 700 };
	static const struct {
		enum wait_class wait;
		int64_t usual, hasty; /* seconds */
	} table[] = {
		{ WAIT_NONE, 0, 0 },
		{ WAIT_GREETING, 300, 20 },
		{ WAIT_COMMAND, 300, 20 },
		{ WAIT_LOGIN, 300, 20 },
		{ WAIT_DATA, 120, 20 },
		{ WAIT_BODY, 180, 20 },
		{ WAIT_DOT, 600, 700 },
		{ WAIT_QUIT, 10, 10 },
	};

	(void)state;
	assert_int_equal(sizeof(table) / sizeof(table[0]), WAIT_CLASSES);
	for (size_t i = 0; i < WAIT_CLASSES; i++) {
		assert_int_equal(server_patience(table[i].wait, &usual),
		    table[i].usual * 1000);
		assert_int_equal(server_patience(table[i].wait, &hasty),
		    table[i].hasty * 1000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_patience),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
