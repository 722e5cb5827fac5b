/* SPDX-License-Identifier: ISC */
/*
 * What a client of the control socket may send: the head of a request, and what
 * it is taken for.
 */
#include "fuzz.h"

#include "daemon/control_route.h"
#include "proto/http.h"

static void
check_name(const char *name)
{
	size_t n = strlen(name);

	fuzz_check(n <= CONTROL_NAME_MAX, "a name is too long");
	for (size_t i = 0; i < n; i++)
		fuzz_check(ascii_is_print(name[i]) && name[i] != '/' &&
			       name[i] != ' ' && name[i] != '%',
		    "a name is none");
}

static void
check_route(const struct http_request *h, bool read_only)
{
	struct control_request r;
	const char *why;
	unsigned code =
	    control_route(h->method, h->target, read_only, &r, &why);

	fuzz_check(code == 200 || code == 400 || code == 403 || code == 404 ||
		       code == 405,
	    "no such code");
	if (code != 200) {
		fuzz_check(why != NULL, "no reason given");
		return;
	}
	check_name(r.name);
	check_name(r.trace);
	fuzz_check(r.limit >= 0 && r.limit <= CONTROL_LIMIT_MAX, "no limit");
	fuzz_check(!r.post || span_is(h->method, "POST"), "changed by GET");
	fuzz_check(!read_only || r.action == CONTROL_STATUS ||
		       r.action == CONTROL_METRICS,
	    "more than to be read");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(size > 0 ? (const void *)data : "", size);
	struct http_request whole, part;
	enum http_status status = http_parse(in, &whole);
	size_t cut = fuzz_hash(data, size) % (size + 1);
	enum http_status earlier = http_parse(span_make(in.p, cut), &part);

	/* What was decided is not changed by what comes behind it. */
	if (earlier != HTTP_MORE)
		fuzz_check(earlier == status, "the cut matters");
	if (status == HTTP_BAD)
		fuzz_check(whole.code >= 400 && whole.why != NULL, "no reason");
	if (status != HTTP_DONE)
		return 0;
	fuzz_check(whole.head <= in.n && whole.head <= HTTP_HEAD_MAX &&
		       whole.body <= HTTP_BODY_MAX,
	    "beyond the end");
	check_route(&whole, false);
	check_route(&whole, true);
	control_host_is_local(whole.host);
	return 0;
}
