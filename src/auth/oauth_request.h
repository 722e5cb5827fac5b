/* SPDX-License-Identifier: ISC */
/*
 * One question to a provider: the client's secret is fetched when it has one,
 * the form is sent (RFC 6749 section 2.3.1: client_id and client_secret in it),
 * the answer is read.
 */
#ifndef AUTH_OAUTH_REQUEST_H
#define AUTH_OAUTH_REQUEST_H

#include "auth/oauth_answer.h"
#include "base/buf.h"

struct loop;
struct oauth_http;
struct oauth_request;
struct token_identity;

/* A form of questions: wiped. */
void oauth_form_init(struct buf *form);
void oauth_form_add(struct buf *form, const char *key, struct span value);

struct oauth_terms {
	struct loop *loop;
	struct oauth_http *http;
	const struct token_identity *id; /* outlives the request */
	const char *url;
	enum oauth_kind kind;
};

/* form is taken.  done is called once, never from inside this call, unless it
 * is cancelled.  a: the callee may take secrets out of it; NULL: f says why
 * there is no answer.  The request is gone then. */
struct oauth_request *oauth_ask(const struct oauth_terms *t, struct buf *form,
    void (*done)(void *arg, struct oauth_answer *a, const struct fault *f),
    void *arg);
void oauth_cancel(struct oauth_request **r);

#endif
