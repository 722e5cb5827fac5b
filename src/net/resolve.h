/* SPDX-License-Identifier: ISC */
/*
 * Names to addresses without blocking, through evdns: /etc/hosts, then the
 * servers of resolv.conf, both read again when they have changed.  "localhost"
 * is answered here when /etc/hosts does not.  Nothing is cached: negative
 * answers least of all.  Every failure is temporary, NXDOMAIN too.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include <sys/socket.h>

#include "base/fault.h"

#define RESOLVE_MAX 16 /* addresses taken of an answer */

struct loop;
struct resolver;
struct resolve_job;

struct resolve_address {
	struct sockaddr_storage addr;
	socklen_t len;
};

struct resolver *resolver_new(struct loop *l);
void resolver_free(struct resolver **r);

/* done is called once, never from inside this call; n == 0: fault says why. */
struct resolve_job *resolve_start(struct resolver *r, const char *host,
    unsigned port,
    void (*done)(void *arg, const struct resolve_address *list, size_t n,
	const struct fault *f),
    void *arg);
void resolve_cancel(struct resolve_job **job);

#endif
