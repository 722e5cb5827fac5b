/* SPDX-License-Identifier: ISC */
/*
 * What the endpoints of an OAuth provider answer: tokens (RFC 6749 section
 * 5.1), a device code (RFC 8628 section 3.2) or an error (5.2 and 3.5).
 *
 * Pure: bytes in, fields out.  The provider is not trusted: what is not
 * printable, too long or no https address makes the answer nonsense.  Words are
 * cleaned and bounded; a token never gets into them.
 */
#ifndef AUTH_OAUTH_ANSWER_H
#define AUTH_OAUTH_ANSWER_H

#include <stdint.h>

#include "base/fault.h"
#include "base/secret.h"
#include "base/span.h"

#define OAUTH_BODY_MAX (64 * 1024)  /* bytes of an answer: more is an error */
#define OAUTH_TOKEN_MAX (16 * 1024) /* of one token: more is an error */
#define OAUTH_TEXT_MAX 512          /* of an address or a code to be shown */
#define OAUTH_LIFE_MAX (366 * INT64_C(86400)) /* seconds; longer is cut */

enum oauth_outcome {
	OAUTH_GOOD,      /* what was asked for is there */
	OAUTH_PENDING,   /* this and the next: poll again */
	OAUTH_SLOW_DOWN, /* ... with five seconds more between */
	OAUTH_DECLINED,  /* the person said no */
	OAUTH_EXPIRED,   /* the person took too long */
	OAUTH_BAD_CODE,  /* the provider does not know the code */
	OAUTH_SIGN_IN,   /* invalid_grant: a person must sign in */
	OAUTH_CLIENT,    /* it does not know our client id */
	OAUTH_REFUSED,   /* another error that does not pass by itself */
	OAUTH_BUSY,      /* one that does */
	OAUTH_NONSENSE,  /* no answer in the meaning of the RFCs */
};

struct oauth_answer {
	enum oauth_outcome outcome;
	char words[FAULT_TEXT_MAX]; /* of an error; empty: none */
	/* OAUTH_GOOD, of tokens; owned; refresh NULL: the old one stays */
	struct secret *access, *refresh;
	/* Seconds; 0: not said. */
	int64_t expires_in, refresh_expires_in;
	/* OAUTH_GOOD, of a device code; owned */
	struct secret *device_code;
	char user_code[OAUTH_TEXT_MAX];
	char address[OAUTH_TEXT_MAX];      /* verification_uri */
	char full_address[OAUTH_TEXT_MAX]; /* with the code; empty: none */
	int64_t interval;                  /* seconds; 0: not said */
	/* Of the HTTP reply, seconds; set by the caller. */
	int64_t retry_after;
};

enum oauth_kind {
	OAUTH_TOKENS,
	OAUTH_DEVICE,
};

/* status: of HTTP.  a_r is filled in any case and ended by oauth_clear(). */
void oauth_read(enum oauth_kind kind, unsigned status, struct span body,
    struct oauth_answer *a_r);
/* The same of an error that came by way of a browser. */
void oauth_read_error(
    struct span name, struct span description, struct oauth_answer *a_r);
void oauth_clear(struct oauth_answer *a);

/* What an outcome that is not OAUTH_GOOD means. */
void oauth_fault(const struct oauth_answer *a, struct fault *f_r);

#endif
