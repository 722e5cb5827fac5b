/* SPDX-License-Identifier: ISC */
/*
 * The TLS policy, in one place (RFC 8314, RFC 9325): TLS 1.2 or later, chain
 * and name verified by OpenSSL itself, SNI sent, no compression, no
 * renegotiation, security level 2.  There is no way to switch verification
 * off; a certificate can be pinned instead, and then nothing but the pin
 * counts.
 *
 * Contexts are shared by everybody with the same ca_file and made on first
 * use.
 *
 * TLS 1.3 sessions are resumed (net/ticket.h), always with a fresh key exchange
 * and without early data.  A server that resumes shows no certificate, so the
 * one that he showed before is verified again, as if it had just come, before
 * the session is offered; otherwise, and whenever the server does not like it,
 * it is a full handshake.  TLS 1.2 is never resumed: a resumed session has no
 * forward secrecy there, and no tls-unique that is worth its name.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/types.h>

#include "base/fault.h"

#define TLS_PIN_SIZE 32 /* SHA-256 of the certificate as DER */

struct tls;

/* What a person wants to know of a session. */
enum tls_trust { TLS_BY_SYSTEM, TLS_BY_CA_FILE, TLS_BY_PIN };
struct tls_facts {
	const char *version;            /* static: "TLSv1.3" */
	char subject[128], issuer[128]; /* printable; empty: none */
	int64_t not_before, not_after;  /* wall clock, seconds */
	enum tls_trust trust;           /* what says that it is the right one */
};

struct tls_peer {
	const char *host; /* name or address literal */
	unsigned port;
	bool afresh;              /* a full handshake: somebody wants to see */
	const char *ca_file;      /* NULL: the system's certificates */
	const unsigned char *pin; /* NULL: verify chain and name */
};

struct tls *tls_new(void);
void tls_free(struct tls **t);
/* Certificates are read again, and what was trusted so far is not resumed:
 * whoever connects from now on is judged anew. */
void tls_renew(struct tls *t);

/* A client session on a connected socket, not yet shaken hands.  peer must
 * outlive it.  NULL: fault_r (text and hint only: scope and phase are the
 * caller's). */
SSL *tls_session(
    struct tls *t, const struct tls_peer *peer, int fd, struct fault *fault_r);
void tls_end(SSL **ssl);
/* After the handshake and before a byte is sent: true when this is the peer we
 * wanted.  The result of the chain is looked at again, on resumption too. */
bool tls_accept_peer(
    SSL *ssl, const struct tls_peer *peer, struct fault *fault_r);
/* After the handshake. */
void tls_describe(
    SSL *ssl, const struct tls_peer *peer, struct tls_facts *facts_r);
/* What both ends know of this session and nobody between them can have made
 * equal (RFC 5929, 9266): tls-exporter with TLS 1.3, resumed or not; tls-unique
 * with TLS 1.2, but only with the extended master secret (RFC 7627), without
 * which two sessions could be made to share it. */
#define TLS_BINDING_MAX 64
enum tls_binding_type { TLS_BINDING_NONE, TLS_EXPORTER, TLS_UNIQUE };
struct tls_binding {
	enum tls_binding_type type;
	size_t n;
	unsigned char bytes[TLS_BINDING_MAX];
};
/* After the handshake. */
void tls_bind(SSL *ssl, struct tls_binding *binding_r);

/* Why a handshake or transfer failed, from OpenSSL's error queue (emptied)
 * and errno, and, when the certificate was the reason, what is wrong with it.
 */
void tls_explain(SSL *ssl, const struct tls_peer *peer, int ssl_error,
    struct fault *fault_r);

#endif
