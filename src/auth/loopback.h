/* SPDX-License-Identifier: ISC */
/*
 * The port of the loopback that a provider sends the browser to (RFC 8252
 * section 7.3): an evhttp server on 127.0.0.1, at a port that the kernel
 * chooses, for as long as one sign-in takes.
 *
 * Everybody on this machine can reach it: what comes is only handed on, and
 * whoever gets it (sign_in_paste()) says whether it was the right one.
 */
#ifndef AUTH_LOOPBACK_H
#define AUTH_LOOPBACK_H

#include <stdbool.h>

#include "base/span.h"

struct loop;
struct loopback;

/* came is given the target of a request; it answers whether that was the one
 * waited for, and on true no other is given.  NULL: it cannot listen. */
struct loopback *loopback_new(
    struct loop *l, bool (*came)(void *arg, struct span target), void *arg);
unsigned loopback_port(const struct loopback *b);
void loopback_free(struct loopback **b); /* not from within came */

#endif
