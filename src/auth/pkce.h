/* SPDX-License-Identifier: ISC */
/*
 * Proof Key for Code Exchange (RFC 7636), method S256: a secret that only we
 * know, and its digest for the provider, so that a code which somebody else
 * gets hold of is worth nothing.  Also other random words for an address.
 */
#ifndef AUTH_PKCE_H
#define AUTH_PKCE_H

#include "base/span.h"

#define PKCE_SIZE 44 /* 43 characters of base64url and NUL */

void pkce_random(char word_r[PKCE_SIZE]); /* 256 bits */
void pkce_challenge(struct span verifier, char challenge_r[PKCE_SIZE]);

#endif
