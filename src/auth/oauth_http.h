/* SPDX-License-Identifier: ISC */
/*
 * A POST to an endpoint of an OAuth provider: libcurl's multi interface in the
 * loop.  https only, the certificate is verified, redirects are not followed,
 * no proxy (what the environment says of one is ignored), no cookies, a
 * deadline and a ceiling.  Names are resolved by net/resolve, because libcurl
 * would wait for a thread of its own when it is told to stop.
 *
 * It knows neither JSON nor OAuth, and logs nothing.
 */
#ifndef AUTH_OAUTH_HTTP_H
#define AUTH_OAUTH_HTTP_H

#include "base/buf.h"
#include "base/fault.h"
#include "base/span.h"

#define OAUTH_HTTP_MS 30000 /* for all of it */

struct loop;
struct oauth_http;
struct oauth_post;

struct oauth_reply {
	unsigned status;
	int64_t retry_after; /* seconds; 0: not said */
	struct span body;    /* wiped when done() has returned */
};

struct oauth_http *oauth_http_new(struct loop *l);
void oauth_http_free(struct oauth_http **h); /* posts must be gone */

/* form (application/x-www-form-urlencoded) is taken and wiped.  done is called
 * once, never from inside this call, unless it is cancelled; r NULL: f says
 * why.  url and ca_file are copied. */
struct oauth_post *oauth_http_post(struct oauth_http *h, const char *url,
    const char *ca_file, struct buf *form,
    void (*done)(void *arg, const struct oauth_reply *r, const struct fault *f),
    void *arg);
void oauth_http_cancel(struct oauth_post **p);

#endif
