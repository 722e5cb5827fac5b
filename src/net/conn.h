/* SPDX-License-Identifier: ISC */
/*
 * One connection to a server: name, TCP, TLS, bytes, deadlines.
 *
 * It knows no protocol.  What arrives is given to data() in pieces of at most
 * CONN_PIECE bytes, which must be used up there; what is to be sent is asked
 * for with out() whenever the socket takes more, so nothing is queued here and
 * a flight that stands ready in one piece leaves in one piece.
 *
 * It ends in exactly one down(), unless it is closed before.  A connection
 * that ended never means that a message did: end of file is a fault like any
 * other.  conn_close() may be called from inside every callback.
 *
 * TLS comes before the first byte, or after conn_starttls(); there is no way
 * back, and up() is only called when the peer is who it should be.
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/span.h"
#include "net/tls.h"

#define CONN_PIECE (64 * 1024)

struct conn;
struct loop;
struct resolver;

/* What all connections share. */
struct net {
	struct loop *loop;
	struct resolver *resolver;
	struct tls *tls;
	char piece[CONN_PIECE]; /* read buffer: only used inside a read */
};
struct net *net_new(struct loop *l);
/* Certificates are read again; open connections go on. */
void net_renew(struct net *n);
void net_free(struct net **n);

struct conn_target {
	struct tls_peer peer; /* host, ca_file, pin: must outlive the conn */
	bool plain;           /* no TLS until conn_starttls() */
	enum fault_scope scope;
	int64_t connect_ms; /* for name, TCP and TLS together */
};

/* How far it got, for a person who wants to see that. */
enum conn_step {
	CONN_NAMED,     /* text: the addresses of the host */
	CONN_CONNECTED, /* text: the address that answered */
	CONN_SECURED,   /* tls: as whom, and until when */
};

struct conn_handler {
	/* NULL: nobody wants to see.  It must not be closed in there. */
	void (*passed)(void *arg, enum conn_step step, const char *text,
	    const struct tls_facts *tls);
	void (*up)(void *arg); /* again after conn_starttls() */
	void (*data)(void *arg, struct span bytes);
	struct span (*out)(void *arg); /* empty: nothing to send now */
	void (*wrote)(void *arg, size_t n);
	void (*down)(void *arg, const struct fault *f);
};

/* Never calls back from inside this call. */
struct conn *conn_open(struct net *n, const struct conn_target *t,
    const struct conn_handler *handler, void *arg);
/* Only when plain, up, and nothing is left to send. */
void conn_starttls(struct conn *c);
bool conn_is_tls(const struct conn *c);
/* Of the TLS session; type TLS_BINDING_NONE when there is none. */
void conn_bind(const struct conn *c, struct tls_binding *binding_r);

/* out() has something: it is sent before the loop sleeps. */
void conn_send(struct conn *c);
/* The same without waiting for the loop, as far as the socket takes it: for a
 * last word before conn_close(). */
void conn_send_now(struct conn *c);

/* Reads nothing more until it is resumed, and then goes on from the loop; of
 * what was read already, the rest of one data() may still come.  Meanwhile
 * nothing is awaited: what conn_expect() says counts from then on. */
void conn_pause(struct conn *c);
void conn_resume(struct conn *c);

/* Our own end as an SMTP address literal, "[192.0.2.1]" (RFC 5321 4.1.3). */
void conn_local_literal(const struct conn *c, char *dst, size_t cap);

/* What is awaited now, for at most ms; phase (static) names it in the fault.
 * The wait starts anew each time CONN_PROGRESS bytes have moved: a transfer
 * may be long, but not slow.  ms 0: nothing is awaited, wait for ever. */
#define CONN_PROGRESS 16384
void conn_expect(struct conn *c, int64_t ms, const char *phase);

/* Says goodbye to TLS if it can do so at once; *c becomes NULL. */
void conn_close(struct conn **c);

#endif
