/* SPDX-License-Identifier: ISC */
/*
 * What a client of the control socket may ask for: method, target and Host, as
 * evhttp cuts them out of the head of a request.
 */
#include "fuzz.h"

#include "daemon/control_route.h"

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
check_route(struct span method, struct span target, bool read_only)
{
	struct control_request r;
	const char *why;
	unsigned code = control_route(method, target, read_only, &r, &why);

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
	fuzz_check(!r.post || span_is(method, "POST"), "changed by GET");
	fuzz_check(!read_only || r.action == CONTROL_STATUS ||
		       r.action == CONTROL_METRICS,
	    "more than to be read");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(size > 0 ? (const void *)data : "", size);
	struct span line = span_cut(&in, '\n');
	struct span method = span_cut(&line, ' ');
	struct span target = span_cut(&line, ' ');

	check_route(method, target, false);
	check_route(method, target, true);
	while (in.n > 0) {
		struct span value = span_cut(&in, '\n');

		if (span_istarts(value, "Host: "))
			control_host_is_local(span_skip(value, 6));
	}
	return 0;
}
