/* SPDX-License-Identifier: ISC */
/*
 * The head of one HTTP request (RFC 9112), as little of it as the control
 * socket needs: method, target, Host and the length of the body.
 *
 * Pure.  The caller keeps what a client sent since it connected and asks again
 * whenever there is more, so this has no state; HTTP_HEAD_MAX bounds both.  It
 * is strict where the standard lets a server be: lines end in CRLF, no folded
 * headers, no transfer coding, nothing twice.  A request is the only one of its
 * connection, so nothing can be smuggled behind it.
 */
#ifndef PROTO_HTTP_H
#define PROTO_HTTP_H

#include <stdint.h>

#include "base/span.h"

#define HTTP_HEAD_MAX 8192 /* bytes, with the empty line */
#define HTTP_BODY_MAX 4096

enum http_status {
	HTTP_MORE, /* so far, so good */
	HTTP_DONE,
	HTTP_BAD, /* code and why say what to answer */
};

/* Views of what was given in; empty: not there. */
struct http_request {
	struct span method, target, host;
	uint64_t body;   /* bytes that follow the head; at most HTTP_BODY_MAX */
	size_t head;     /* bytes of the head */
	unsigned code;   /* HTTP_BAD: 400, 413, 431, 501, 505 */
	const char *why; /* static */
};

enum http_status http_parse(struct span in, struct http_request *r);

/* The words of a status line. */
const char *http_reason(unsigned code);

#endif
