/* SPDX-License-Identifier: ISC */
/*
 * Names of mailboxes as they travel: modified UTF-7 (RFC 3501 section 5.1.3).
 * People and records have them in UTF-8.
 *
 * Pure and strict: what one direction makes, the other undoes, and whatever
 * could be written in two ways is taken in one of them only.
 */
#ifndef PROTO_IMAP_NAME_H
#define PROTO_IMAP_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

#define IMAP_NAME_MAX 1024 /* bytes with NUL, in either form */

/* From UTF-8.  False: it is none, holds control characters (also those of
 * U+0080 to U+009F), or has no room. */
bool imap_name_encode(const char *utf8, char *dst, size_t cap);
/* To UTF-8. */
bool imap_name_decode(struct span name, char *dst, size_t cap);

#endif
