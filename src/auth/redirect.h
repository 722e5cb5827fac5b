/* SPDX-License-Identifier: ISC */
/*
 * The two addresses of the authorization code flow: the one that a person
 * opens, and the one that the provider sends the browser to (RFC 6749 section
 * 4.1.1 and 4.1.2).  Pure.
 */
#ifndef AUTH_REDIRECT_H
#define AUTH_REDIRECT_H

#include <stdbool.h>

#include "auth/oauth_answer.h"
#include "auth/pkce.h"
#include "base/fault.h"
#include "base/span.h"

#define REDIRECT_URI_SIZE 32 /* "http://127.0.0.1:65535/" and NUL */

struct token_identity;

struct redirect {
	char uri[REDIRECT_URI_SIZE];
	char state[PKCE_SIZE], verifier[PKCE_SIZE];
};
void redirect_init(struct redirect *r, unsigned port);

/* Owned by the caller; for free(). */
char *redirect_address(
    const struct redirect *r, const struct token_identity *id);

enum redirect_result {
	REDIRECT_CODE,   /* code_r: the caller's */
	REDIRECT_ERROR,  /* the provider says no: a_r */
	REDIRECT_OTHERS, /* it is none of ours: f_r */
};
/* text: the address, its end from the "?" on, or a bare code. */
enum redirect_result redirect_read(const struct redirect *r, struct span text,
    struct secret **code_r, struct oauth_answer *a_r, struct fault *f_r);

#endif
