/* SPDX-License-Identifier: ISC */
/*
 * From a host name to a connected socket (RFC 8305, in small): all addresses
 * are tried, the families in turn, a new attempt each 250 ms or as soon as one
 * fails; the first to connect wins.  No deadline of its own: the caller
 * cancels.
 */
#ifndef NET_DIAL_H
#define NET_DIAL_H

#include <stddef.h>

#include "base/fault.h"

struct dial;
struct loop;
struct resolver;

/* done is called once, never from inside this call; the socket is the callee's
 * then, non-blocking, close-on-exec, without Nagle; -1: fault says why. */
struct dial *dial_start(struct loop *l, struct resolver *r, const char *host,
    unsigned port, void (*done)(void *arg, int fd, const struct fault *f),
    void *arg);
/* Once the name is known, before done: tells its addresses.  Nothing may be
 * cancelled in there. */
struct resolve_address;
void dial_watch(struct dial *d,
    void (*named)(void *arg, const struct resolve_address *list, size_t n));
void dial_cancel(struct dial **d);

#endif
