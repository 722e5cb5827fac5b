/* SPDX-License-Identifier: ISC */
/*
 * What imap.c (responses), imap_text.c (status texts and capabilities) and
 * imap_write.c (commands) know of each other, and nobody else may.
 */
#ifndef PROTO_IMAP_PRIVATE_H
#define PROTO_IMAP_PRIVATE_H

#include <stdbool.h>

#include "proto/imap.h"

struct imap_row {
	const char *word;  /* on the wire; NULL: nothing is sent */
	const char *phase; /* for a person */
	enum wait_class wait;
	bool secret; /* its bytes are credentials */
	bool simple; /* without arguments */
};

extern const struct imap_row imap_rows[IMAP_COMMANDS];

/* imap.c: ends the session with IMAP_EV_ERROR; why is static. */
void imap_fail(struct imap *m, const char *why);
bool imap_failed(const struct imap *m);
/* imap.c: a command came to the head of the queue. */
void imap_begin(struct imap *m);
bool imap_awaits(const struct imap *m, enum imap_command cmd);
/* imap.c: a SELECT or EXAMINE is being answered. */
bool imap_selecting(const struct imap *m);

/* imap_date.c: "17-Jul-1996 02:44:25 -0700" as seconds since 1970; 0 when it
 * is no date, or none after that. */
int64_t imap_date(struct span s);
/* imap_text.c: one capability; the end of a list. */
void imap_caps_add(struct imap_caps *caps, struct span word);
void imap_caps_end(struct imap *m);
/* imap_text.c: acts on the response code in front of a text, if there is one,
 * and keeps it in m->code. */
void imap_take_code(struct imap *m, struct span text);

/* imap_write.c: the server said "+": the next part goes out. */
bool imap_continue(struct imap *m);
/* imap_write.c: no part of the command will be asked for any more. */
void imap_drop_parts(struct imap *m);

#endif
