/* SPDX-License-Identifier: ISC */
/*
 * The .fetchids of fetchmail, and how it gets into our state: what it lists
 * was fetched from a POP3 mailbox, so it is known and never relayed; what is
 * on the server besides is new, also at the first poll.
 */
#ifndef CLI_IMPORT_STATE_H
#define CLI_IMPORT_STATE_H

#include "cli/import_conf.h"

#define IMPORT_IDS_MAX ((size_t)16 << 20) /* bytes of the file */

struct import_id {
	struct span uid; /* into the text of the file */
	const struct import_account *account;
};

struct import_ids {
	const char *path; /* theirs */
	struct span text; /* theirs */
	struct import_id *list;
	size_t n;
};

/* Finds whose messages are listed, counts them in the accounts, and notes what
 * belongs to nobody.  path and text are set. */
void import_ids_match(struct import_ids *ids, struct import *im);
/* As the owner of the state, while no daemon runs; makes the state if there is
 * none.  All of an account or nothing of it; again, it changes nothing.
 * Returns a sysexits code, and has said why. */
int import_ids_store(
    const struct import_ids *ids, const struct import *im, const char *state);
void import_ids_free(struct import_ids *ids);

#endif
