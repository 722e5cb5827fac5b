/* SPDX-License-Identifier: ISC */
/*
 * A connection without a network, linked in the place of net/conn: the test is
 * the server.  What the owner does, and each flight that it writes, goes into
 * a trail.  One connection at a time.
 */
#ifndef TESTS_FAKE_CONN_H
#define TESTS_FAKE_CONN_H

#include "../trail.h"

#include "net/conn.h"

struct fake_net {
	struct net net; /* first: what the code under test is given */
	struct trail *trail;
	struct conn *conn;          /* NULL: none is open */
	size_t window;              /* bytes the socket takes at a time */
	struct tls_binding binding; /* of the session that there is not */
};

/* Connected, and inside TLS unless the owner wanted it plain. */
void fake_conn_up(struct fake_net *n);
/* The server says this, in one piece. */
void fake_conn_say(struct fake_net *n, const char *text);
void fake_conn_break(struct fake_net *n);
/* What conn_send() has asked for. */
void fake_conn_flush(struct fake_net *n);

#endif
