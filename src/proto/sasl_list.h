/* SPDX-License-Identifier: ISC */
/*
 * The mechanisms that a server offers, as one string: upper case, separated by
 * one space, each once.
 */
#ifndef PROTO_SASL_LIST_H
#define PROTO_SASL_LIST_H

#include <stddef.h>

#include "base/span.h"

/* Appends name to the string in dst.  A name that is no mechanism (RFC 4422
 * section 3.1) or does not fit any more is left out: what is not on the list is
 * not used. */
void sasl_list_add(char *dst, size_t cap, struct span name);

#endif
