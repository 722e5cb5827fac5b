/* SPDX-License-Identifier: ISC */
/*
 * What providers say in words that no response code has (PROVIDERS.md): one
 * table of phrases, and what each means.  relay/retry decides what follows.
 *
 * Pure.  The words are a server's; a phrase is found anywhere in them, and
 * case does not count.
 */
#ifndef RELAY_PHRASE_H
#define RELAY_PHRASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum phrase_kind {
	PHRASE_BUSY,    /* too many of us are there at once: it passes */
	PHRASE_WAIT,    /* too much was asked for: wait, at least seconds */
	PHRASE_EXPIRED, /* the access token ran out: routine */
	PHRASE_LOGIN,   /* why a login was refused, for a person */
	PHRASE_SENDER,  /* why a message was refused, for a person */
};

struct phrase {
	const char *words; /* lower case */
	enum phrase_kind kind;
	unsigned seconds;
	const char *hint; /* NULL: none */
};

/* The first of the table that is in it; NULL: none. */
const struct phrase *phrase_find(struct span words);

/* "Suggested Backoff Time: 178755 milliseconds" in seconds, at most a day;
 * 0: it says nothing of that kind. */
int64_t phrase_backoff(struct span words);

/* Whether these words are about the whole session, whatever command they
 * answer. */
bool phrase_ends_session(struct span words);

#endif
