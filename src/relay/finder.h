/* SPDX-License-Identifier: ISC */
/*
 * Which folders of a server an account means: turns the configured names,
 * patterns and special uses (RFC 6154) into a list, in a session of its own
 * that its owner may go on with.
 *
 * Which entry a folder belongs to says conf/conf.h.  Patterns leave out what
 * holds copies or what nobody means by them (\All, \Flagged, \Drafts, \Trash,
 * \Junk): these must be named.
 */
#ifndef RELAY_FINDER_H
#define RELAY_FINDER_H

#include <stddef.h>

#include "base/fault.h"

struct conf_folder;
struct finder;
struct session_owner;
struct source;

#define FINDER_MAX 2000 /* folders; what a server lists beyond is left out */

struct finder_folder {
	char *name;                       /* UTF-8; owned by the finder */
	const struct conf_folder *folder; /* foreign */
};

struct finder_result {
	const struct finder_folder *list;
	size_t n;
	struct source *session;    /* logged in; the callee's from here on */
	const struct fault *fault; /* NULL: all is well; else no session */
};

/* owner: where; its events and arg are not used.  done is called once, from the
 * loop; the finder is gone when it returns. */
struct finder *finder_start(const struct session_owner *owner,
    void (*done)(void *arg, const struct finder_result *r), void *arg);
void finder_stop(struct finder **f); /* done is not called */

#endif
