/* SPDX-License-Identifier: ISC */
/*
 * What libgsasl does not have: how an access token (RFC 6750) is shown to a
 * mail server, and what the server has against it.
 *
 *   XOAUTH2      of Google and Microsoft; never an RFC
 *   OAUTHBEARER  RFC 7628
 *
 * Both say everything in one response.  A server that refuses it explains
 * itself in a challenge, as JSON, and wants an answer that means nothing
 * before it says no.  Neither base64 nor the order of steps is known here.
 */
#ifndef AUTH_BEARER_H
#define AUTH_BEARER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/span.h"

struct sasl_client;

/* XOAUTH2, else OAUTHBEARER.  False: user or token hold what cannot be
 * written, or the buffer is full. */
bool bearer_write(struct buf *to, bool xoauth2, const struct sasl_client *c);

/* What answers the server's complaint. */
struct span bearer_farewell(bool xoauth2);

/* The complaint in words, printable: "status 401, scope mail". */
void bearer_explain(struct span json, char *dst, size_t cap);

#endif
