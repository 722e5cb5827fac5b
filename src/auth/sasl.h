/* SPDX-License-Identifier: ISC */
/*
 * SASL steps through libgsasl (RFC 4422): PLAIN (RFC 4616) and LOGIN.  Never
 * APOP, CRAM-MD5, DIGEST-MD5 or NTLM.  What goes in and out is base64, as it
 * stands on the wire of all three protocols, and what comes out is a secret.
 *
 * It chooses no fallback: the mechanism is fixed before the first byte.
 */
#ifndef AUTH_SASL_H
#define AUTH_SASL_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/secret.h"
#include "base/span.h"

struct sasl;

enum sasl_status {
	SASL_STEP, /* send response_r, expect more */
	SASL_DONE, /* send response_r, then the server's verdict */
	SASL_FAIL, /* fault_r says why: the server's challenge made no sense */
};

/* The mechanism to use: the configured one ("auto", "plain", "login") if the
 * server offers it (offered: space-separated names), else NULL and a fault.
 * "auto" prefers PLAIN. */
const char *sasl_choose(
    const char *configured, const char *offered, struct fault *fault_r);

/* secret is copied into libgsasl and wiped there.  NULL: fault_r. */
struct sasl *sasl_new(const char *mechanism, const char *user,
    const struct secret *secret, struct fault *fault_r);
void sasl_free(struct sasl **s);
bool sasl_client_first(const struct sasl *s); /* has an initial response */

/* One step: challenge is base64, empty at the start.  *response_r is base64,
 * valid until the next call, to be sent as a secret. */
enum sasl_status sasl_step(struct sasl *s, struct span challenge,
    struct span *response_r, struct fault *fault_r);

#endif
