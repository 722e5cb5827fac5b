/* SPDX-License-Identifier: ISC */
#include "proto/http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* What becomes of it when it comes byte by byte: the same, at its last byte or
 * earlier. */
static struct http_request
check(const char *text, enum http_status expected)
{
	struct span in = span_str(text);
	struct http_request r, whole;
	enum http_status status = http_parse(in, &whole);

	assert_int_equal(status, expected);
	for (size_t n = 0; n < in.n; n++) {
		status = http_parse(span_make(in.p, n), &r);
		if (status == HTTP_BAD)
			assert_int_equal(expected, HTTP_BAD);
		else if (status == HTTP_DONE)
			assert_true(expected == HTTP_DONE && n >= whole.head);
	}
	return whole;
}

static void
good(const char *text, const char *method, const char *target, const char *host,
    uint64_t body)
{
	struct http_request r = check(text, HTTP_DONE);

	assert_true(span_is(r.method, method));
	assert_true(span_is(r.target, target));
	assert_true(host == NULL ? r.host.p == NULL : span_is(r.host, host));
	assert_int_equal(r.body, body);
}

static void
test_good(void **state)
{
	(void)state;
	good("GET / HTTP/1.1\r\n\r\n", "GET", "/", NULL, 0);
	good("GET /v1/status HTTP/1.1\r\nHost: localhost\r\n"
	     "User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n",
	    "GET", "/v1/status", "localhost", 0);
	good("POST /x?a=b HTTP/1.0\r\nhost:\t a:1 \t\r\n"
	     "content-LENGTH: 4096\r\n\r\nbody",
	    "POST", "/x?a=b", "a:1", 4096);
	good("GET / HTTP/1.1\r\nHost:\r\nX-Empty:\r\n\r\n", "GET", "/", "", 0);
}

static void
bad(unsigned code, const char *text)
{
	struct http_request r = check(text, HTTP_BAD);

	assert_int_equal(r.code, code);
	assert_non_null(r.why);
	assert_string_not_equal(http_reason(code), "Error");
}

static void
test_bad(void **state)
{
	(void)state;
	bad(400, "GET  / HTTP/1.1\r\n\r\n");
	bad(400, " GET / HTTP/1.1\r\n\r\n");
	bad(400, "\r\nGET / HTTP/1.1\r\n\r\n");
	bad(400, "\r\n\r\n");
	bad(400, "GET\r\n\r\n");
	bad(400, "GET /\r\n\r\n");
	bad(400, "GET / HTTP/1.1 \r\n\r\n");
	bad(400, "G(T / HTTP/1.1\r\n\r\n");
	bad(400, "GET /\x80 HTTP/1.1\r\n\r\n");
	bad(400, "GET / HTTP/x.1\r\n\r\n");
	bad(505, "GET / HTTP/2.0\r\n\r\n");
	bad(400, "GET / HTTP/1.1\nHost: a\n\n");
	bad(400, "GET / HTTP/1.1\r\nA: b\rc\r\n\r\n");
	bad(400, "\x16\x03\x01\x02");
	bad(400, "GET / HTTP/1.1\r\nno colon\r\n\r\n");
	bad(400, "GET / HTTP/1.1\r\n: empty\r\n\r\n");
	bad(400, "GET / HTTP/1.1\r\nHost : a\r\n\r\n");
	bad(400, "GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n");
	bad(400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
	bad(501, "GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void
test_lengths(void **state)
{
	(void)state;
	bad(400, "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n");
	bad(400, "GET / HTTP/1.1\r\nContent-Length: 0x1\r\n\r\n");
	bad(400, "GET / HTTP/1.1\r\nContent-Length: 1, 1\r\n\r\n");
	bad(400, "GET / HTTP/1.1\r\nContent-Length:\r\n\r\n");
	bad(400, "GET / HTTP/1.1\r\nContent-Length: 0\r\n"
		 "Content-Length: 0\r\n\r\n");
	bad(400, "GET / HTTP/1.1\r\n"
		 "Content-Length: 18446744073709551616\r\n\r\n");
	bad(413, "GET / HTTP/1.1\r\nContent-Length: 4097\r\n\r\n");
	bad(413, "GET / HTTP/1.1\r\n"
		 "Content-Length: 18446744073709551615\r\n\r\n");
}

/* The empty line must end at the ceiling at the latest. */
static void
test_ceiling(void **state)
{
	static char head[HTTP_HEAD_MAX + 2];
	struct http_request r;
	size_t n = (size_t)snprintf(head, sizeof(head), "GET /");

	(void)state;
	memset(head + n, 'a', sizeof(head) - n - 1);
	assert_int_equal(
	    http_parse(span_make(head, HTTP_HEAD_MAX - 1), &r), HTTP_MORE);
	assert_int_equal(
	    http_parse(span_make(head, HTTP_HEAD_MAX), &r), HTTP_BAD);
	assert_int_equal(r.code, 431);
	memcpy(head + HTTP_HEAD_MAX - 13, " HTTP/1.1\r\n\r\n", 13);
	assert_int_equal(
	    http_parse(span_make(head, HTTP_HEAD_MAX), &r), HTTP_DONE);
	assert_int_equal(r.head, HTTP_HEAD_MAX);
	memcpy(head + HTTP_HEAD_MAX - 13, "a HTTP/1.1\r\n\r\n", 14);
	assert_int_equal(
	    http_parse(span_make(head, HTTP_HEAD_MAX + 1), &r), HTTP_BAD);
	assert_int_equal(r.code, 431);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
