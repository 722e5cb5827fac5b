/* SPDX-License-Identifier: ISC */
/*
 * What goes out for one message to one destination: our fields in front, the
 * message as the spool has it, and what the destination's sender policy puts in
 * between or behind (doc/decisions).  The spool is never changed: other
 * destinations read it, and what identifies the message is its original.
 *
 * A parcel reads the spool through a buffer of its own, because another one may
 * be reading it elsewhere at the same time.
 */
#ifndef RELAY_PARCEL_H
#define RELAY_PARCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/span.h"

struct parcel;
struct spool;

/* head (copied) stands in front; a reference to the spool is taken. */
struct parcel *parcel_new(struct spool *spool, struct span head);
void parcel_free(struct parcel **p);

struct parcel_sender {
	const char *address; /* ours at the destination */
	const char *account, *recipient, *trace;
	int64_t now; /* wall clock */
};
/* One of these, once.  False: it cannot be done to this message
 * (FAULT_MESSAGE), or the spool cannot be read. */
void parcel_preserve(struct parcel *p);
bool parcel_rewrite(
    struct parcel *p, const struct parcel_sender *s, struct fault *f);
bool parcel_wrap(
    struct parcel *p, const struct parcel_sender *s, struct fault *f);

uint64_t parcel_size(const struct parcel *p); /* exactly what is read */
bool parcel_eight_bit(const struct parcel *p);
bool parcel_null_sender(const struct parcel *p); /* of the original */
/* A piece at offset, valid until the next call for this parcel; empty at the
 * end; false: the spool could not be read. */
bool parcel_read(
    struct parcel *p, uint64_t offset, struct span *piece_r, struct fault *f);

#endif
