/* SPDX-License-Identifier: ISC */
/*
 * What the keeper (token.c) and a sign-in (sign_in.c) share.
 */
#ifndef AUTH_TOKEN_PRIVATE_H
#define AUTH_TOKEN_PRIVATE_H

#include "auth/token.h"

struct oauth_answer;
struct oauth_http;

/* The strings of what these fill are owned. */
void token_identity_copy(
    struct token_identity *to, const struct token_identity *from);
void token_identity_clear(struct token_identity *id);

struct loop *tokens_loop(struct tokens *t);
struct oauth_http *tokens_http(struct tokens *t);

/* Takes new tokens (and the secrets out of a) in place of all that was known of
 * the identity.  done is called once, never from inside this call, when they
 * are on the disk (f NULL) or cannot be, unless tokens_leave() is called with
 * the same arg. */
void tokens_take(struct tokens *t, const struct token_identity *id,
    struct oauth_answer *a, void (*done)(void *arg, const struct fault *f),
    void *arg);
void tokens_leave(struct tokens *t, void *arg);

#endif
