/* SPDX-License-Identifier: ISC */
/*
 * The keeper of OAuth2 tokens (RFC 6749): one per process, for every account
 * and destination.
 *
 * An identity is (user, client_id, token_url): who shares these shares tokens,
 * one sign-in and one refresh at a time.  An access token is handed out until
 * shortly before it expires; then the refresh token buys another.  What the
 * provider answers is on the disk (auth/token_file) before any of it is used,
 * because a provider that rotates refresh tokens takes the old one back.
 *
 * When the provider does not take the refresh token any more, the identity
 * needs a person: every fetch fails with the same fault (sign_in is set, and
 * nothing is asked of the provider) until somebody has (auth/sign_in).  Faults
 * have the scope FAULT_ACCOUNT; the caller changes it when it serves a
 * destination. What a token is never appears in a fault.
 */
#ifndef AUTH_TOKEN_H
#define AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/secret.h"

struct loop;
struct token_job;
struct tokens;

/* As the configuration has it; foreign strings, copied where they are kept. */
struct token_identity {
	const char *user;
	const char *client_id;
	const char *client_secret; /* a reference; NULL: a public client */
	const char *scope;         /* blanks between */
	const char *token_url;     /* all URLs https */
	const char *device_url, *authorize_url; /* NULL: not offered */
	const char *ca_file;                    /* NULL: the system's */
};

/* The directory of tokens in the state directory. */
#define TOKENS_DIR "tokens"

/* Both name the same tokens. */
bool token_identity_same(
    const struct token_identity *a, const struct token_identity *b);

/* They are kept in TOKENS_DIR of the state directory, which is made when there
 * is one to keep; state NULL: nothing is kept. */
struct tokens *tokens_new(struct loop *l, const char *state);
/* Jobs must be gone.  What is being written is waited for. */
void tokens_free(struct tokens **t);

/* done is called exactly once, never from inside this call, unless the job is
 * cancelled; access is the callee's to free; NULL: fault says why.  The job is
 * gone when done is called. */
struct token_job *token_fetch(struct tokens *t, const struct token_identity *id,
    void (*done)(void *arg, struct secret *access, const struct fault *f),
    void *arg);
void token_cancel(struct token_job **job);

/* A server did not take it: the next fetch refreshes.  That helps once; a
 * token that is refused again soon is handed out again, so that the server's
 * own words reach a person and nobody asks in circles. */
void token_refused(struct tokens *t, const struct token_identity *id,
    const struct secret *access);

/* Whether a person must sign in before anything else helps. */
enum token_standing {
	TOKEN_GOOD,
	TOKEN_NONE, /* nobody has signed in yet; this and the next: f_r */
	TOKEN_OVER, /* the provider wants it again */
};
enum token_standing token_standing(
    struct tokens *t, const struct token_identity *id, struct fault *f_r);
/* When the refresh token ends, if that is near (wall clock); 0: it is not, or
 * the provider did not say. */
#define TOKEN_ENDS_SOON (3 * 86400) /* seconds */
int64_t token_ends(struct tokens *t, const struct token_identity *id);

/* Who wants to know, told from the loop; each may be NULL. */
struct tokens_watcher {
	/* An identity has signed in, or needs to (told once, until it has);
	 * id is valid in the call. */
	void (*seen)(
	    void *arg, const struct token_identity *id, bool signed_in);
	/* It works still, but the provider said that it ends at that time (wall
	 * clock), which is near; told once. */
	void (*ending)(
	    void *arg, const struct token_identity *id, int64_t when);
	/* Nothing is under way any more. */
	void (*settled)(void *arg);
	void *arg;
};
void tokens_watch(struct tokens *t, const struct tokens_watcher *w);
/* A provider is asked or an answer written: what ends now may cost somebody the
 * sign-in. */
bool tokens_busy(const struct tokens *t);

#endif
