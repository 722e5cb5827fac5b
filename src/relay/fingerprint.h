/* SPDX-License-Identifier: ISC */
/*
 * What is the same of a message on every server and over every protocol: a
 * hash of its header block, and one of all of it.  Both leave out the CRLFs at
 * the very end, in which servers differ.
 *
 * relay/spool computes them while a message comes in, the first on the way to
 * the second; a struct fingerprint does it for a header that was fetched alone.
 */
#ifndef RELAY_FINGERPRINT_H
#define RELAY_FINGERPRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "proto/dot.h"
#include "proto/header.h"

#define FINGERPRINT_SIZE 16
#define DIGEST_SIZE 32

struct evp_md_ctx_st;

/* SHA-256 of normalised bytes. */
struct digest {
	struct evp_md_ctx_st *ctx; /* owned; NULL once finished */
	uint64_t held;             /* bytes of CRLFs not hashed yet */
};
void digest_init(struct digest *d);
/* Of what was added to from so far.  OpenSSL takes longer to find SHA-256 than
 * to hash a header, so this is also the way to begin another empty one. */
void digest_copy(struct digest *d, const struct digest *from);
void digest_add(struct digest *d, struct span s);
void digest_end(struct digest *d, unsigned char *hash_r); /* DIGEST_SIZE */
void digest_free(struct digest *d); /* also when it was ended */

struct fingerprint {
	struct dot_normaliser normaliser;
	struct header_scan scan;
	struct digest digest;
};
void fingerprint_init(struct fingerprint *f);
/* As the server gives it; what stands behind the header is left out. */
void fingerprint_add(struct fingerprint *f, struct span raw);
/* false: there was no header, which is no identity.  Ends f either way. */
bool fingerprint_end(
    struct fingerprint *f, unsigned char fingerprint_r[FINGERPRINT_SIZE]);

#endif
