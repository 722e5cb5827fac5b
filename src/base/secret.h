/* SPDX-License-Identifier: ISC */
/*
 * Bytes of a password or token: wiped when freed, kept out of core dumps, and
 * with no way into a format string.  secret_reveal() is the only door; whoever
 * calls it writes to the wire or to libgsasl, never to a log.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/span.h"

struct secret;

struct secret *secret_new(struct span bytes); /* copies */
void secret_free(struct secret **s);          /* wipes; *s becomes NULL */
struct span secret_reveal(const struct secret *s);

/* Wipes memory in a way that the compiler may not leave out. */
void secret_wipe(void *p, size_t n);

#endif
