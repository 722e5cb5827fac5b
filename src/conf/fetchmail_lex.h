/* SPDX-License-Identifier: ISC */
/*
 * The words of a fetchmailrc.  Private to fetchmail_rc.c and its tests.
 *
 * A word is a keyword or a string by where it stands: behind "user", "pass",
 * "is", "to" and "=" the next one is a string whatever it says.  Words of
 * politeness ("with", "has") and the punctuation ",;:" are dropped here.
 */
#ifndef CONF_FETCHMAIL_LEX_H
#define CONF_FETCHMAIL_LEX_H

#include <stdbool.h>

#include "base/span.h"
#include "conf/fetchmail.h"

enum fetchmail_kind {
	FETCHMAIL_END,
	FETCHMAIL_WORD, /* may be a keyword */
	FETCHMAIL_STRING,
	FETCHMAIL_NUMBER,
	FETCHMAIL_STAR,
	FETCHMAIL_EQUALS,
	FETCHMAIL_BAD, /* text says why */
};

struct fetchmail_lex {
	struct span rest;
	unsigned line;
	bool wants_name, wants_auth; /* of the next word */
};

struct fetchmail_token {
	enum fetchmail_kind kind;
	unsigned line;
	char text[FETCHMAIL_TOKEN_MAX + 1]; /* escapes done; NUL-terminated */
};

void fetchmail_lex_init(struct fetchmail_lex *l, struct span text);
void fetchmail_lex_next(struct fetchmail_lex *l, struct fetchmail_token *t);

#endif
