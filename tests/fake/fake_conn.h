/* SPDX-License-Identifier: ISC */
/*
 * A connection without a network, linked in the place of net/conn: the test is
 * the server.  What the owner does, and each flight that it writes, goes into
 * a trail.
 */
#ifndef TESTS_FAKE_CONN_H
#define TESTS_FAKE_CONN_H

#include <sys/queue.h>

#include "../trail.h"

#include "net/conn.h"

struct fake_net {
	struct net net; /* first: what the code under test is given */
	struct trail *trail;
	/* Whom the test plays the server of: the one that was opened last;
	 * NULL: none is open. */
	struct conn *conn;
	/* Many may be open at a time, and the trail shows their numbers, in the
	 * order of opening; else one. */
	bool numbered;
	unsigned opened;
	TAILQ_HEAD(fake_conns, conn) conns;
	int64_t patience;           /* of what is awaited now; ms */
	bool full;                  /* the socket takes no more than ... */
	size_t room;                /* ... so many bytes */
	size_t window;              /* bytes the socket takes at a time */
	struct tls_binding binding; /* of the session that there is not */
};

/* The test plays the server of that one; false: it is closed. */
bool fake_conn_pick(struct fake_net *n, unsigned number);
/* Connected, and inside TLS unless the owner wanted it plain. */
void fake_conn_up(struct fake_net *n);
/* The server says this, in one piece. */
void fake_conn_say(struct fake_net *n, const char *text);
void fake_conn_break(struct fake_net *n);
void fake_conn_fail(struct fake_net *n, enum fault_when when);
/* What conn_send() has asked for. */
void fake_conn_flush(struct fake_net *n);

#endif
