/* SPDX-License-Identifier: ISC */
#include "daemon/control_route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct control_request r;
static const char *why;

static unsigned
ask(const char *method, const char *target, bool read_only)
{
	why = NULL;
	return control_route(
	    span_str(method), span_str(target), read_only, &r, &why);
}

static void
good(const char *method, const char *target, enum control_action action)
{
	const char *other = *method == 'G' ? "POST" : "GET";

	/* What changes something is not to be had by GET, and the other way
	 * round. */
	assert_int_equal(ask(other, target, false), 405);
	assert_int_equal(r.post, *method == 'P');
	assert_int_equal(ask("HEAD", target, false), 405);
	assert_int_equal(ask("get", target, false), 405);
	assert_int_equal(ask(method, target, false), 200);
	assert_int_equal(r.action, action);
}

static void
bad(unsigned code, const char *method, const char *target)
{
	assert_int_equal(ask(method, target, false), code);
	assert_non_null(why);
}

static void
test_actions(void **state)
{
	(void)state;
	good("GET", "/v1/status", CONTROL_STATUS);
	good("GET", "/metrics", CONTROL_METRICS);
	good("GET", "/v1/events", CONTROL_EVENTS);
	good("GET", "/v1/history", CONTROL_HISTORY);
	good("GET", "/v1/held", CONTROL_HELD);
	good("POST", "/v1/reload", CONTROL_RELOAD);
	good("POST", "/v1/backup", CONTROL_BACKUP);
	good("POST", "/v1/accounts/me/poll", CONTROL_POLL);
	good("POST", "/v1/accounts/me/pause", CONTROL_PAUSE);
	good("POST", "/v1/accounts/me/resume", CONTROL_RESUME);
	assert_string_equal(r.name, "me");
	assert_false(r.destination);
	good("POST", "/v1/destinations/home/pause", CONTROL_PAUSE);
	assert_true(r.destination);
	good("POST", "/v1/destinations/home/resume", CONTROL_RESUME);
	assert_string_equal(r.name, "home");
	bad(404, "POST", "/v1/destinations/home/poll");
	good("POST", "/v1/accounts/me/check", CONTROL_CHECK);
	assert_string_equal(r.name, "me");
	assert_false(r.destination);
	good("POST", "/v1/destinations/home/check", CONTROL_CHECK);
	assert_true(r.destination);
	good("POST", "/v1/check", CONTROL_CHECK);
	assert_string_equal(r.name, "");
	bad(405, "GET", "/v1/check");
	bad(400, "POST", "/v1/check?account=me");
}

static void
test_nothing(void **state)
{
	static const char *const targets[] = { "", "/", "*", "/v1", "/v1/",
		"/v1//status", "/v1/status/", "/v1/status/x", "/V2/status",
		"v1/status", "/v1/accounts", "/v1/accounts/me",
		"/v1/accounts/me/", "/v1/accounts//poll",
		"/v1/accounts/me/poll/", "/v1/accounts/me/poll/x",
		"/v1/accounts/me/delete", "/v1/accounts/a/b/poll",
		"/v1/%73tatus", "/metrics/", "http://localhost/v1/status" };

	(void)state;
	for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
		bad(404, "GET", targets[i]);
}

/* Names are decoded, bounded, and never anything but names. */
static void
test_names(void **state)
{
	char target[128] = "/v1/accounts/";

	(void)state;
	good("POST", "/v1/accounts/%6De%2d1/poll", CONTROL_POLL);
	assert_string_equal(r.name, "me-1");
	good("POST", "/v1/accounts/%2e%2E/poll", CONTROL_POLL);
	assert_string_equal(r.name, "..");
	bad(404, "POST", "/v1/accounts/a%2fb/poll");
	bad(404, "POST", "/v1/accounts/a%00/poll");
	bad(404, "POST", "/v1/accounts/a%0a/poll");
	bad(404, "POST", "/v1/accounts/a%/poll");
	bad(404, "POST", "/v1/accounts/a%6/poll");
	bad(404, "POST", "/v1/accounts/a%6g/poll");
	bad(404, "POST", "/v1/accounts/a%-1/poll");
	bad(404, "POST", "/v1/accounts/a+b/poll");
	memset(target + 13, 'n', 64);
	strcpy(target + 13 + 64, "/poll");
	good("POST", target, CONTROL_POLL);
	assert_int_equal(strlen(r.name), 64);
	strcpy(target + 13 + 64, "n/poll");
	bad(404, "POST", target);
}

static void
test_held(void **state)
{
	(void)state;
	good("GET", "/v1/held?account=me&after=7&limit=1000", CONTROL_HELD);
	assert_string_equal(r.name, "me");
	assert_int_equal(r.after, 7);
	assert_int_equal(r.limit, 1000);
	good("GET", "/v1/held/abcd2345", CONTROL_HELD);
	assert_string_equal(r.trace, "abcd2345");
	good("POST", "/v1/held/42/release", CONTROL_HELD_RELEASE);
	assert_string_equal(r.trace, "");
	assert_int_equal(r.id, 42);
	good("POST", "/v1/held/abcd2345/drop?account=me", CONTROL_HELD_DROP);
	good("POST", "/v1/held/release?account=me", CONTROL_HELD_RELEASE);
	assert_string_equal(r.trace, "");
	assert_int_equal(r.id, 0);
	good("POST", "/v1/held/drop?account=me", CONTROL_HELD_DROP);
	/* Everything of everybody must be a mistake. */
	bad(400, "POST", "/v1/held/drop");
	bad(400, "POST", "/v1/held/drop?");
	bad(400, "POST", "/v1/held/drop?account=");
	bad(405, "GET", "/v1/held/release?account=me");
	bad(404, "GET", "/v1/held/0");
	bad(404, "GET", "/v1/held/");
}

/* The one place with two methods. */
static void
test_login(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/v1/accounts/me/login", false), 200);
	assert_int_equal(r.action, CONTROL_LOGIN_LOOK);
	assert_false(r.destination);
	assert_int_equal(ask("POST", "/v1/destinations/me/login", false), 200);
	assert_int_equal(r.action, CONTROL_LOGIN);
	assert_true(r.destination && r.paste.n == 0 && r.port == 0);
	assert_false(r.by_device || r.by_browser);
	assert_int_equal(
	    ask("POST", "/v1/accounts/me/login?how=browser&port=65535", false),
	    200);
	assert_true(r.by_browser);
	assert_int_equal(r.port, 65535);
	assert_int_equal(
	    ask("POST", "/v1/accounts/me/login?how=device", false), 200);
	assert_true(r.by_device);
	assert_int_equal(
	    ask("POST", "/v1/accounts/me/login?paste=%3Fcode%3Da", false), 200);
	assert_true(span_is(r.paste, "%3Fcode%3Da"));
	bad(405, "PUT", "/v1/accounts/me/login");
	bad(400, "GET", "/v1/accounts/me/login?how=device");
	bad(400, "POST", "/v1/accounts/me/login?how=mail");
	bad(400, "POST", "/v1/accounts/me/login?how=device&how=browser");
	bad(400, "POST", "/v1/accounts/me/login?port=65536");
	bad(400, "POST", "/v1/accounts/me/login?port=0");
	bad(400, "POST", "/v1/accounts/me/login?paste=");
	bad(400, "POST", "/v1/accounts/me/login?paste=a&paste=b");
	bad(400, "POST", "/v1/accounts/me/poll?paste=a");
	assert_int_equal(ask("GET", "/v1/accounts/me/login", true), 403);
	assert_int_equal(ask("POST", "/v1/accounts/me/login", true), 403);
}

static void
test_parameters(void **state)
{
	(void)state;
	good("POST", "/v1/accounts/me/accept?as=known", CONTROL_ACCEPT);
	assert_true(r.as_known);
	good("POST", "/v1/accounts/me/accept?as=relay", CONTROL_ACCEPT);
	assert_false(r.as_known);
	bad(400, "POST", "/v1/accounts/me/accept");
	bad(400, "POST", "/v1/accounts/me/accept?as=all");
	bad(400, "POST", "/v1/accounts/me/accept?as");
	good("GET", "/v1/history?before=9223372036854775807", CONTROL_HISTORY);
	assert_int_equal(r.before, INT64_MAX);
	bad(400, "GET", "/v1/history?before=9223372036854775808");
	bad(400, "GET", "/v1/history?before=0");
	bad(400, "GET", "/v1/history?before=-1");
	bad(400, "GET", "/v1/history?before=1&before=2");
	bad(400, "GET", "/v1/history?after=1");
	bad(400, "GET", "/v1/history?limit=1001");
	bad(400, "GET", "/v1/history?account=a&account=b");
	bad(400, "GET", "/v1/history?account=a%20b");
	bad(400, "GET", "/v1/status?x=y");
	bad(400, "GET", "/v1/held?&");
}

static void
test_read_only(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/v1/status", true), 200);
	assert_int_equal(ask("GET", "/metrics", true), 200);
	assert_int_equal(ask("POST", "/metrics", true), 405);
	assert_int_equal(ask("GET", "/v1/held", true), 403);
	assert_int_equal(ask("GET", "/v1/history", true), 403);
	assert_int_equal(ask("GET", "/v1/events", true), 403);
	assert_int_equal(ask("POST", "/v1/reload", true), 403);
	assert_int_equal(ask("GET", "/v1/reload", true), 403);
	assert_int_equal(ask("POST", "/v1/accounts/me/poll", true), 403);
	assert_int_equal(ask("GET", "/v1/x", true), 404);
}

static void
test_host(void **state)
{
	static const char *const ours[] = { "localhost", "LOCALHOST:9125",
		"127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:9125" };
	static const char *const others[] = { "", "localhost.evil.test",
		"localhost:", "localhost:x", "localhost:70000", "evil.test",
		"127.0.0.1.evil.test", "::1", "[::1]x", "localhost:1:2" };

	(void)state;
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		assert_true(control_host_is_local(span_str(ours[i])));
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		assert_false(control_host_is_local(span_str(others[i])));
	assert_false(control_host_is_local((struct span){ NULL, 0 }));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_login),
		cmocka_unit_test(test_parameters),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
