/* SPDX-License-Identifier: ISC */
/*
 * The only plaintext that mailhaul ever speaks: greeting, EHLO, STARTTLS, one
 * 220 (RFC 3207).  This machine holds no credential and no message, and what
 * the server said is forgotten with it: the capabilities that count are those
 * of the EHLO inside TLS.
 *
 * It ends in STARTTLS_READY only when exactly one 220 reply was the last thing
 * read and not a byte came behind it; a byte more is an attack (response
 * injection) and ends in STARTTLS_FAILED with injected set.
 */
#ifndef PROTO_STARTTLS_H
#define PROTO_STARTTLS_H

#include <stdbool.h>

#include "base/buf.h"
#include "proto/line.h"
#include "proto/smtp_reply.h"
#include "proto/wait.h"

enum starttls_status {
	STARTTLS_WAIT,   /* write starttls_out(), feed what comes */
	STARTTLS_READY,  /* hand the socket to TLS now */
	STARTTLS_FAILED, /* text says why; close, nothing was given away */
};

struct starttls {
	bool injected;
	bool refused_for_now;    /* the failure was a 4yz: worth another try */
	unsigned code;           /* of the reply that failed us, 0: none */
	const char *error;       /* static */
	struct smtp_reply reply; /* the last one, for the log */
	/* private */
	struct line line;
	struct buf out;
	unsigned state, failed_at;
	bool offered; /* EHLO listed STARTTLS */
	char ehlo[256];
};

/* ehlo: our name; false when it is no legal argument. */
bool starttls_init(struct starttls *s, const char *ehlo);
void starttls_free(struct starttls *s);
/* All of in is used.  Must be called with everything that was read before the
 * status is acted on. */
enum starttls_status starttls_recv(struct starttls *s, struct span in);
struct span starttls_out(const struct starttls *s);
void starttls_wrote(struct starttls *s, size_t n);
enum wait_class starttls_wait_class(const struct starttls *s);
/* What is being waited for, or what failed. */
const char *starttls_phase(const struct starttls *s);

#endif
