/* SPDX-License-Identifier: ISC */
/*
 * One login, the same for all three protocols: fetch the secret, which is a
 * password or an access token, choose the mechanism, take SASL steps, wipe.
 * It exists only while a login is under way on a connection that is inside
 * TLS: login_start() asserts that, so no code that talks before TLS can hold a
 * credential.  An access token alone is kept until the connection ends, for
 * its keeper is to know which one ran out.
 *
 * When a server refuses a token, the keeper hears of it and the fault is
 * FAULT_NOW: retry_routine() gives the next one a chance, once.
 */
#ifndef RELAY_LOGIN_H
#define RELAY_LOGIN_H

#include <stdbool.h>

#include "base/fault.h"
#include "base/span.h"
#include "net/tls.h"

struct conf_server;
struct conn;
struct credential_job;
struct loop;
struct sasl;
struct secret;
struct token_job;
struct tokens;

/* Who logs in, and who is told. */
struct login_terms {
	struct loop *loop;     /* foreign, as are ... */
	struct tokens *tokens; /* NULL: none is kept here */
	const struct conf_server *server;
	enum fault_scope scope;
	void (*ready)(void *arg, const struct fault *f); /* f NULL: go on */
	void *arg;
};

struct login {
	struct login_terms terms;
	struct credential_job *password_job;
	struct token_job *token_job;
	struct secret *secret;      /* owned */
	struct sasl *sasl;          /* owned */
	struct tls_binding binding; /* of the connection */
	struct span initial;        /* of sasl; to be given while it is held */
	bool held;
	const char *mechanism; /* that was chosen; static; NULL: none */
};

/* Fetches the secret; ready is called once, never from inside this call. */
void login_start(
    struct login *l, const struct login_terms *t, const struct conn *conn);
/* Wipes; may be called at any time, also on zeroed memory. */
void login_clear(struct login *l);

/* The mechanism of ours that is among those offered, with its initial response
 * (base64; empty: the server speaks first); NULL: f. */
const char *login_mechanism(struct login *l, const char *offered,
    struct span *initial_r, struct fault *f);
/* The initial response is not sent with the command: it answers the first
 * challenge, which is to be empty. */
void login_hold(struct login *l);
/* Answers a challenge; false: f. */
bool login_step(struct login *l, struct span challenge, struct span *response_r,
    struct fault *f);

/* The server says that the login has succeeded: did it say all that the
 * mechanism wants, as the proof that it knows the password?  false: f. */
bool login_proved(const struct login *l, struct fault *f);
/* The login is over and was good: wipes all but the access token. */
void login_done(struct login *l);
/* The server refused, in these words, and f says so: what is known of it here
 * is added. */
void login_refused(struct login *l, struct span words, struct fault *f);
/* The server ends the session because the token ran out. */
void login_expired(struct login *l);

/* For USER/PASS and LOGIN, where the server has no SASL for us. */
struct span login_user(const struct login *l);
struct span login_secret(const struct login *l);
/* May the plain commands of the protocol be used in place of SASL? */
bool login_allows_plain(const struct login *l);

#endif
