/* SPDX-License-Identifier: ISC */
/*
 * One sign-in of a person, whose tokens the keeper takes:
 *
 *   device    RFC 8628: the person types a code at an address, anywhere; the
 *             provider is asked until that has happened
 *   browser   authorization code with PKCE (RFC 6749 section 4.1, RFC 7636):
 * the person opens an address, and the provider sends the browser to a port of
 * the loopback (RFC 8252 section 7.3).  Who listens there, or the person who
 * copies the address that the browser shows then, hands it in with
 * sign_in_paste()
 *
 * It listens nowhere and shows nothing itself: auth/loopback listens for the
 * command, and sign_in_look() says what is to be shown.
 */
#ifndef AUTH_SIGN_IN_H
#define AUTH_SIGN_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/span.h"

struct sign_in;
struct token_identity;
struct tokens;

#define SIGN_IN_SECONDS (15 * 60) /* for a person with a browser */
#define SIGN_IN_PASTE_MAX 4096    /* bytes */

enum sign_in_how {
	SIGN_IN_ANY, /* device when the provider has it */
	SIGN_IN_DEVICE,
	SIGN_IN_BROWSER,
};

enum sign_in_state {
	SIGN_IN_STARTING,
	SIGN_IN_WAITING, /* for the person */
	SIGN_IN_ENDING,  /* tokens are fetched and kept */
	SIGN_IN_DONE,
	SIGN_IN_FAILED,
};

/* port: of the loopback, where the browser is sent; 0: one that nobody should
 * listen at.  NULL: f_r says why it cannot be begun. */
struct sign_in *sign_in_start(struct tokens *t, const struct token_identity *id,
    enum sign_in_how how, unsigned port, struct fault *f_r);
/* changed is told whenever the state is another; the sign-in may not be freed
 * in it. */
void sign_in_watch(struct sign_in *s, void (*changed)(void *arg), void *arg);
/* Whenever; what the keeper has taken stays. */
void sign_in_free(struct sign_in **s);

/* The address (or its end from the "?" on) that the browser was sent to, or a
 * bare code.  False: f_r says why it is not taken, and the sign-in goes on. */
bool sign_in_paste(struct sign_in *s, struct span text, struct fault *f_r);

struct sign_in_view {
	enum sign_in_how how; /* DEVICE or BROWSER */
	enum sign_in_state state;
	const char *address;       /* to open; NULL: not known yet */
	const char *full_address;  /* the same with the code in it; or NULL */
	const char *user_code;     /* to type there; or NULL */
	int64_t seconds;           /* that are left */
	const struct fault *fault; /* of FAILED */
};
/* Strings are valid until the loop turns. */
void sign_in_look(const struct sign_in *s, struct sign_in_view *v_r);
/* "starting", "waiting", "ending", "done", "failed" */
const char *sign_in_state_name(enum sign_in_state state);
const struct token_identity *sign_in_identity(const struct sign_in *s);

#endif
