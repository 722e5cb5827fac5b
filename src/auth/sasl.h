/* SPDX-License-Identifier: ISC */
/*
 * SASL steps (RFC 4422).  Through libgsasl: PLAIN (RFC 4616), LOGIN, and
 * SCRAM-SHA-1 and -256 (RFC 5802, 7677) with and without channel binding.
 * With an access token in place of a password, through auth/bearer: XOAUTH2
 * and OAUTHBEARER (RFC 7628).  Never APOP, CRAM-MD5, DIGEST-MD5 or NTLM.
 *
 * What goes in and out is base64, as it stands on the wire of all three
 * protocols, and what comes out is a secret.  A login has succeeded only when
 * the server said so and sasl_proved() agrees: with SCRAM the server has to
 * show that it knows the password, too.
 *
 * It chooses no fallback: the mechanism is fixed before the first byte.  SCRAM
 * computes in the caller's thread, for at most SASL_ITERATIONS_MAX.
 */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/secret.h"
#include "base/span.h"
#include "net/tls.h"

/* More than any server uses by default (4096 to 15000), and yet no more than
 * a tenth of a second: all accounts wait for it. */
#define SASL_ITERATIONS_MAX 100000

struct sasl;

/* Who logs in, and where; foreign. */
struct sasl_client {
	const char *user;
	const struct secret *secret; /* a password, or ... */
	bool token;                  /* ... an access token */
	const char *host;
	unsigned port;
	const struct tls_binding *binding; /* NULL: none */
};

enum sasl_status {
	SASL_STEP, /* send response_r, expect more */
	SASL_DONE, /* send response_r, then the server's verdict */
	SASL_FAIL, /* fault_r says why: close the connection */
};

/* The mechanism to use: the best of those that are configured ("auto", "plain",
 * "login", "scram", "xoauth2", "oauthbearer"), offered (space-separated names)
 * and possible with this secret and this connection; else NULL and a fault.
 * Of all the fields of c, token and binding count. */
const char *sasl_choose(const char *configured, const char *offered,
    const struct sasl_client *c, struct fault *fault_r);

/* The secret is copied into libgsasl and wiped there.  NULL: fault_r. */
struct sasl *sasl_new(
    const char *mechanism, const struct sasl_client *c, struct fault *fault_r);
void sasl_free(struct sasl **s);
bool sasl_client_first(const struct sasl *s); /* has an initial response */

/* One step: challenge is base64, empty at the start.  *response_r is base64,
 * valid until the next call, to be sent as a secret; it may be empty. */
enum sasl_status sasl_step(struct sasl *s, struct span challenge,
    struct span *response_r, struct fault *fault_r);

const char *sasl_name(const struct sasl *s); /* static */
/* All was said that had to be said, by the server too. */
bool sasl_proved(const struct sasl *s);
/* What the server said against the token, in words; NULL: nothing. */
const char *sasl_complaint(const struct sasl *s);

#endif
