/* SPDX-License-Identifier: ISC */
#include "daemon/control_route.h"

#define SEGMENTS_MAX 4 /* of a path, without "v1" */

/* What a path is made of; TRACE and NAME stand for something. */
enum segment {
	SEGMENT_END, /* zero: behind the last one */
	SEGMENT_ACCOUNTS,
	SEGMENT_DESTINATIONS,
	SEGMENT_HELD,
	SEGMENT_NAME,
	SEGMENT_TRACE,
	SEGMENT_VERB, /* the last word, in the row */
};

enum parameter {
	TAKES_ACCOUNT = 1,
	TAKES_AFTER = 2,
	TAKES_BEFORE = 4,
	TAKES_AS = 8,
	NEEDS_ACCOUNT = 16,
	TAKES_LOGIN = 32,
};

struct route {
	enum segment path[SEGMENTS_MAX];
	const char *verb;
	bool post;
	enum control_action action;
	unsigned takes; /* enum parameter */
};

static const struct route routes[] = {
	{ { SEGMENT_VERB }, "status", false, CONTROL_STATUS, 0 },
	{ { SEGMENT_VERB }, "events", false, CONTROL_EVENTS, 0 },
	{ { SEGMENT_VERB }, "history", false, CONTROL_HISTORY,
	    TAKES_ACCOUNT | TAKES_BEFORE },
	{ { SEGMENT_VERB }, "held", false, CONTROL_HELD,
	    TAKES_ACCOUNT | TAKES_AFTER },
	{ { SEGMENT_HELD, SEGMENT_VERB }, "release", true, CONTROL_HELD_RELEASE,
	    TAKES_ACCOUNT | NEEDS_ACCOUNT },
	{ { SEGMENT_HELD, SEGMENT_VERB }, "drop", true, CONTROL_HELD_DROP,
	    TAKES_ACCOUNT | NEEDS_ACCOUNT },
	{ { SEGMENT_HELD, SEGMENT_TRACE }, NULL, false, CONTROL_HELD,
	    TAKES_ACCOUNT | TAKES_AFTER },
	{ { SEGMENT_HELD, SEGMENT_TRACE, SEGMENT_VERB }, "release", true,
	    CONTROL_HELD_RELEASE, TAKES_ACCOUNT },
	{ { SEGMENT_HELD, SEGMENT_TRACE, SEGMENT_VERB }, "drop", true,
	    CONTROL_HELD_DROP, TAKES_ACCOUNT },
	{ { SEGMENT_ACCOUNTS, SEGMENT_NAME, SEGMENT_VERB }, "poll", true,
	    CONTROL_POLL, 0 },
	{ { SEGMENT_ACCOUNTS, SEGMENT_NAME, SEGMENT_VERB }, "pause", true,
	    CONTROL_PAUSE, 0 },
	{ { SEGMENT_ACCOUNTS, SEGMENT_NAME, SEGMENT_VERB }, "resume", true,
	    CONTROL_RESUME, 0 },
	{ { SEGMENT_ACCOUNTS, SEGMENT_NAME, SEGMENT_VERB }, "accept", true,
	    CONTROL_ACCEPT, TAKES_AS },
	{ { SEGMENT_DESTINATIONS, SEGMENT_NAME, SEGMENT_VERB }, "pause", true,
	    CONTROL_PAUSE, 0 },
	{ { SEGMENT_DESTINATIONS, SEGMENT_NAME, SEGMENT_VERB }, "resume", true,
	    CONTROL_RESUME, 0 },
	{ { SEGMENT_ACCOUNTS, SEGMENT_NAME, SEGMENT_VERB }, "check", true,
	    CONTROL_CHECK, 0 },
	{ { SEGMENT_DESTINATIONS, SEGMENT_NAME, SEGMENT_VERB }, "check", true,
	    CONTROL_CHECK, 0 },
	{ { SEGMENT_VERB }, "check", true, CONTROL_CHECK, 0 },
	{ { SEGMENT_ACCOUNTS, SEGMENT_NAME, SEGMENT_VERB }, "login", true,
	    CONTROL_LOGIN, TAKES_LOGIN },
	{ { SEGMENT_ACCOUNTS, SEGMENT_NAME, SEGMENT_VERB }, "login", false,
	    CONTROL_LOGIN_LOOK, 0 },
	{ { SEGMENT_DESTINATIONS, SEGMENT_NAME, SEGMENT_VERB }, "login", true,
	    CONTROL_LOGIN, TAKES_LOGIN },
	{ { SEGMENT_DESTINATIONS, SEGMENT_NAME, SEGMENT_VERB }, "login", false,
	    CONTROL_LOGIN_LOOK, 0 },
	{ { SEGMENT_VERB }, "reload", true, CONTROL_RELOAD, 0 },
	{ { SEGMENT_VERB }, "backup", true, CONTROL_BACKUP, 0 },
};

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
is_name_char(char c)
{
	char l = ascii_lower(c);

	return (l >= 'a' && l <= 'z') || ascii_is_digit(c) || c == '-' ||
	       c == '_' || c == '.';
}

/* Percent-decodes a name; false: it is none. */
static bool
take_name(struct span s, char name[CONTROL_NAME_MAX + 1])
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			int high = i + 2 < s.n ? hex_value(s.p[i + 1]) : -1;
			int low = i + 2 < s.n ? hex_value(s.p[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 2;
		}
		if (!is_name_char(c) || n == CONTROL_NAME_MAX)
			return false;
		name[n++] = c;
	}
	name[n] = '\0';
	return n > 0;
}

static bool
take_trace(struct span s, struct control_request *r)
{
	uint64_t id;

	if (!take_name(s, r->trace))
		return false;
	/* A trace is longer than any number. */
	if (!span_uint(span_str(r->trace), INT64_MAX, &id))
		return true;
	r->trace[0] = '\0';
	r->id = (int64_t)id;
	return id > 0;
}

static bool
take_segment(const struct route *route, enum segment kind, struct span s,
    struct control_request *r)
{
	switch (kind) {
	case SEGMENT_ACCOUNTS:
		return span_is(s, "accounts");
	case SEGMENT_DESTINATIONS:
		r->destination = true;
		return span_is(s, "destinations");
	case SEGMENT_HELD:
		return span_is(s, "held");
	case SEGMENT_NAME:
		return take_name(s, r->name);
	case SEGMENT_TRACE:
		return take_trace(s, r);
	case SEGMENT_VERB:
		return span_is(s, route->verb);
	case SEGMENT_END:
		break;
	}
	return false;
}

/* The next segment of a path; p NULL: it is over, which an empty last segment
 * is not. */
static bool
cut_segment(struct span *path, struct span *segment_r)
{
	bool last = path->n == 0 || memchr(path->p, '/', path->n) == NULL;

	if (path->p == NULL)
		return false;
	*segment_r = span_cut(path, '/');
	if (last)
		path->p = NULL;
	return true;
}

static bool
match(const struct route *route, struct span path, struct control_request *r)
{
	struct span segment;

	*r = (struct control_request){
		.action = route->action,
		.post = route->post,
	};
	for (unsigned i = 0; i < SEGMENTS_MAX; i++) {
		if (route->path[i] == SEGMENT_END)
			break;
		if (!cut_segment(&path, &segment) ||
		    !take_segment(route, route->path[i], segment, r))
			return false;
	}
	return path.p == NULL;
}

/* --- behind the question mark */

static bool
take_number(struct span s, uint64_t max, int64_t *n_r)
{
	uint64_t n;

	if (*n_r != 0 || !span_uint(s, max, &n) || n == 0)
		return false;
	*n_r = (int64_t)n;
	return true;
}

static bool
take_login(struct span key, struct span value, struct control_request *r)
{
	if (span_is(key, "how") && !r->by_device && !r->by_browser) {
		r->by_device = span_is(value, "device");
		r->by_browser = span_is(value, "browser");
		return r->by_device || r->by_browser;
	}
	if (span_is(key, "port"))
		return take_number(value, 65535, &r->port);
	if (!span_is(key, "paste") || r->paste.n > 0)
		return false;
	r->paste = value;
	return value.n > 0;
}

static bool
take_parameter(unsigned takes, struct span key, struct span value,
    struct control_request *r)
{
	if (span_is(key, "account") && (takes & TAKES_ACCOUNT))
		return r->name[0] == '\0' && take_name(value, r->name);
	if (span_is(key, "after") && (takes & TAKES_AFTER))
		return take_number(value, INT64_MAX, &r->after);
	if (span_is(key, "before") && (takes & TAKES_BEFORE))
		return take_number(value, INT64_MAX, &r->before);
	if (span_is(key, "limit") && (takes & (TAKES_AFTER | TAKES_BEFORE)))
		return take_number(value, CONTROL_LIMIT_MAX, &r->limit);
	if (span_is(key, "as") && (takes & TAKES_AS)) {
		r->as_known = span_is(value, "known");
		return r->as_known || span_is(value, "relay");
	}
	if (takes & TAKES_LOGIN)
		return take_login(key, value, r);
	return false;
}

static unsigned
take_query(const struct route *route, struct span query,
    struct control_request *r, const char **why_r)
{
	bool any = false;

	while (query.n > 0) {
		struct span value = span_cut(&query, '&');
		struct span key = span_cut(&value, '=');

		any = true;
		if (!take_parameter(route->takes, key, value, r)) {
			*why_r = "a parameter is unknown or wrong";
			return 400;
		}
	}
	if ((route->takes & NEEDS_ACCOUNT) && r->name[0] == '\0') {
		*why_r = "which? name one message, or ?account=NAME for all";
		return 400;
	}
	if ((route->takes & TAKES_AS) && !any) {
		*why_r = "say ?as=known or ?as=relay";
		return 400;
	}
	return 200;
}

/* GET alone must never change anything: links are followed, and what reads is
 * repeated. */
static unsigned
check_method(struct span method, bool post, const char **why_r)
{
	if (span_is(method, post ? "POST" : "GET"))
		return 200;
	*why_r = post ? "this wants POST" : "this wants GET";
	return 405;
}

/* The next row is the same thing with another method. */
static bool
has_twin(size_t i)
{
	const struct route *a = &routes[i], *b = a + 1;

	return i + 1 < sizeof(routes) / sizeof(*routes) && a->verb != NULL &&
	       b->verb != NULL && strcmp(a->verb, b->verb) == 0 &&
	       memcmp(a->path, b->path, sizeof(a->path)) == 0;
}

static unsigned
route_v1(struct span method, struct span path, struct span query,
    struct control_request *r, const char **why_r)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		unsigned code;

		if (!match(&routes[i], path, r))
			continue;
		code = check_method(method, routes[i].post, why_r);
		if (code == 200)
			return take_query(&routes[i], query, r, why_r);
		if (!has_twin(i))
			return code;
	}
	*why_r = "there is nothing here; see mailhaul-control(7)";
	return 404;
}

unsigned
control_route(struct span method, struct span target, bool read_only,
    struct control_request *r, const char **why_r)
{
	struct span query = target, path = span_cut(&query, '?');
	unsigned code = 404;

	*r = (struct control_request){ .action = CONTROL_STATUS };
	*why_r = "there is nothing here; see mailhaul-control(7)";
	if (span_is(path, "/metrics")) {
		r->action = CONTROL_METRICS;
		code = check_method(method, false, why_r);
	} else if (span_istarts(path, "/v1/")) {
		code = route_v1(method, span_skip(path, 4), query, r, why_r);
	}
	if (read_only && (code == 200 || code == 405) &&
	    r->action != CONTROL_STATUS && r->action != CONTROL_METRICS) {
		*why_r = "only /metrics and /v1/status can be read here";
		code = 403;
	}
	return code;
}

bool
control_host_is_local(struct span host)
{
	static const char *const names[] = { "localhost", "127.0.0.1",
		"[::1]" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t n = strlen(names[i]);
		uint64_t port;

		if (!span_istarts(host, names[i]))
			continue;
		if (host.n == n ||
		    (host.p[n] == ':' &&
			span_uint(span_skip(host, n + 1), 65535, &port)))
			return true;
	}
	return false;
}
