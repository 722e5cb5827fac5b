/* SPDX-License-Identifier: ISC */
/*
 * The options of a fetchmailrc, as fetchmail(1) lists them, and what we say of
 * those that have no place with us.  Private to fetchmail_rc.c.
 */
#ifndef CONF_FETCHMAIL_WORDS_H
#define CONF_FETCHMAIL_WORDS_H

#include <stdbool.h>

enum fetchmail_scope { FM_GLOBAL, FM_SERVER, FM_USER };

enum fetchmail_argument {
	FM_ARG_FLAG, /* none; into enum fetchmail_flag; "no" may stand before */
	FM_ARG_SWITCH,  /* the same, but nobody keeps it */
	FM_ARG_TEXT,    /* into enum fetchmail_text */
	FM_ARG_AUTH,    /* the same */
	FM_ARG_NUMBER,  /* the same, digits */
	FM_ARG_LIST,    /* into enum fetchmail_list */
	FM_ARG_SECRET,  /* into enum fetchmail_secret */
	FM_ARG_NAMES,   /* of user, is and to */
	FM_ARG_NUMBERS, /* of antispam */
	FM_ARG_ENVELOPE,
	FM_ARG_IDFILE,
	FM_ARG_DAEMON,
};

#define FM_NOBODY (-1)

/* What fetchmail(1) lists, and what we say of it. */
struct fetchmail_keyword {
	const char *word;
	enum fetchmail_scope scope;
	enum fetchmail_argument argument;
	int into;
	bool grave;
	const char *note; /* NULL: it is carried over, or changes nothing */
};

/* NULL: there is none of that name, of "set" or of an entry. */
const struct fetchmail_keyword *fetchmail_find_keyword(
    const char *word, bool global);
bool fetchmail_may_be_off(const struct fetchmail_keyword *k);
/* "nokeep" is one word or two. */
bool fetchmail_is_joined_no(const char *word);
bool fetchmail_is_keyword(const char *word);

#endif
