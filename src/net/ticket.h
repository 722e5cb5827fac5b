/* SPDX-License-Identifier: ISC */
/*
 * TLS sessions that can be resumed (RFC 8446 section 2.2), by peer and by what
 * says that he is the right one: another ca_file, another pin is another peer.
 *
 * In memory only, bounded in number and age.  Each is given out once (RFC 8446
 * appendix C.4): whoever watches the wire cannot tell that two connections
 * belong together.  OpenSSL wipes the secret of what is freed.
 */
#ifndef NET_TICKET_H
#define NET_TICKET_H

#include <stdint.h>

#include <openssl/ssl.h>

#define TICKET_PEERS 64        /* the one unused for longest goes */
#define TICKETS_EACH 4         /* the oldest goes */
#define TICKET_AGE (24 * 3600) /* seconds; the server may say less */

struct tickets;
struct tls_peer;

struct tickets *tickets_new(void);
void tickets_free(struct tickets **t);

/* Keeps session, which is the cache's from now on. */
void tickets_put(
    struct tickets *t, const struct tls_peer *peer, SSL_SESSION *session);
/* The newest, which is the caller's from now on; NULL: none that is good at
 * this time (wall clock, seconds). */
SSL_SESSION *tickets_take(
    struct tickets *t, const struct tls_peer *peer, int64_t now);
/* All of this peer, or with NULL all there are. */
void tickets_drop(struct tickets *t, const struct tls_peer *peer);

#endif
