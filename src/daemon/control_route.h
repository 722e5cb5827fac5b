/* SPDX-License-Identifier: ISC */
/*
 * What a request to the control socket asks for: method and target in, one
 * checked structure out.  Pure; whoever may connect is not trusted to send
 * anything sensible (CASES: the control socket is hostile input).
 *
 * Everything stands in the target, nothing in a body.  Names are what
 * mailhaul.conf lets a name be, so none can be a path or surprise a log.
 */
#ifndef DAEMON_CONTROL_ROUTE_H
#define DAEMON_CONTROL_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

#define CONTROL_NAME_MAX 64 /* bytes, as in the configuration */

enum control_action {
	CONTROL_STATUS,
	CONTROL_METRICS,
	CONTROL_EVENTS,
	CONTROL_HISTORY,
	CONTROL_HELD,
	CONTROL_HELD_RELEASE,
	CONTROL_HELD_DROP,
	CONTROL_POLL,
	CONTROL_PAUSE,
	CONTROL_RESUME,
	CONTROL_ACCEPT,
	CONTROL_RELOAD,
	CONTROL_BACKUP,
	CONTROL_CHECK,
	CONTROL_LOGIN, /* begins a sign-in, or hands in what it waits for */
	CONTROL_LOGIN_LOOK, /* how it goes */
};

struct control_request {
	enum control_action action;
	bool post;        /* the method that it wants; else GET */
	bool destination; /* name is one; else of an account */
	char name[CONTROL_NAME_MAX + 1]; /* CHECK: empty: everything */
	/* HELD, HELD_...: one message, by trace or else by number; empty and
	 * 0: all */
	char trace[CONTROL_NAME_MAX + 1];
	int64_t id;
	/* HELD and HISTORY: go on behind this number or in front of it, and at
	 * most so many; 0: not said.  name empty: of all accounts. */
	int64_t after, before, limit;
	bool as_known; /* ACCEPT: else they are relayed */
	/* LOGIN: which way (neither: either), the port of the loopback that
	 * somebody listens at (0: nobody), and what the browser was sent to,
	 * still percent-encoded, a view of the target; empty: a new sign-in */
	bool by_device, by_browser;
	int64_t port;
	struct span paste;
};

#define CONTROL_LIMIT_MAX 1000

/* 200, or the code of an answer (400, 403, 404, 405) that *why_r is the text
 * of.  read_only: the listener that everybody on this machine can reach. */
unsigned control_route(struct span method, struct span target, bool read_only,
    struct control_request *r, const char **why_r);

/* Whether Host names this machine's loopback: what a browser sends that was
 * led here by a name of somebody else's (DNS rebinding) does not. */
bool control_host_is_local(struct span host);

#endif
