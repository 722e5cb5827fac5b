/* SPDX-License-Identifier: ISC */
/*
 * Every option there is, once: its name, where it may stand, its type, default,
 * range or choices, unit and one line of help.  conf.c fills its structures by
 * this table, defaults as text through the same parser as the user's input;
 * mailhaul.conf(5), the sample in etc/ and the completion are held against it
 * by a test ("mailhaul check --options" prints it).
 */
#ifndef CONF_OPTION_TABLE_H
#define CONF_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_scope {
	OPTION_GLOBAL = 1,
	OPTION_ACCOUNT = 2,
	OPTION_DESTINATION = 4,
	OPTION_FOLDER = 8,
};

enum option_type {
	OPTION_NAME,       /* a label: letters, digits, "-", "_", "." */
	OPTION_STRING,     /* printable, no control characters */
	OPTION_HOST,       /* host name or IP address, no brackets */
	OPTION_EHLO,       /* host name or address literal: "[192.0.2.1]" */
	OPTION_ADDRESS,    /* local@domain, ASCII, no spaces or <> */
	OPTION_FILE,       /* absolute path */
	OPTION_URL,        /* https://host[:port]/path, nothing else */
	OPTION_CREDENTIAL, /* credential: file: command: env: */
	OPTION_CHOICE,     /* one of choices; stored as its index (int) */
	OPTION_BOOL,
	OPTION_INTEGER,  /* unsigned, min..max */
	OPTION_DURATION, /* "90s" "5m" "2h" "30d"; uint64_t, in seconds */
	OPTION_SIZE,     /* "64K" "100M" "1G"; uint64_t, in bytes */
	OPTION_PERCENT,  /* "50%"; unsigned, min..max */
	OPTION_PIN,      /* SHA-256 of a certificate, hex, colons allowed */
	OPTION_NAMES,    /* a name or a list of names; char **, NULL ends it */
	OPTION_ARGV,     /* a program or a list of it and its arguments; as
	                    OPTION_NAMES */
	OPTION_LOOPBACK, /* "127.0.0.1:9810" or "[::1]:9810" */
	OPTION_AFTER,    /* CHOICE with an argument */
	OPTION_FIRST,    /* the same */
	OPTION_FOLDER_NAME,
	OPTION_FOLDERS, /* a folder's name, a group, or a list of these */
};

struct option {
	const char *name;
	unsigned scopes; /* OPTION_GLOBAL | ... */
	enum option_type type;
	const char *dflt; /* as text; NULL: none; required says whether it must
	                     be given */
	bool required;
	uint64_t min, max;          /* INTEGER, DURATION, SIZE */
	const char *const *choices; /* of CHOICE, AFTER, FIRST; NULL ends it */
	size_t offset;              /* in the structure of its scope */
	const char *help;
};

/* Ends with a row whose name is NULL. */
extern const struct option option_table[];

/* The row, or NULL; nearest_r (may be NULL) then gets the closest name of that
 * scope, or NULL when none is close. */
const struct option *option_find(
    enum option_scope scope, const char *name, const char **nearest_r);

/* For "did you mean": whether candidate is close to word and closer than the
 * best so far, which it then becomes.  *best starts as SIZE_MAX. */
bool option_closer(const char *word, const char *candidate, size_t *best);

/* Stores text as the value of o at its offset in structure (which owns strings
 * and lists from then on; what was there is freed; a name, or that of a folder,
 * is appended to its list).  False, and nothing stored, when the text is not a
 * legal value. */
bool option_set(const struct option *o, const char *text, void *structure);
/* What option_set() stored, of one option and of all of a scope. */
void option_free(const struct option *o, void *structure);
void option_free_all(enum option_scope scope, void *structure);
/* Whether two structures have the same value of an option, of all of a scope.
 * Lists are equal when they have the same in the same order. */
bool option_equal(const struct option *o, const void *a, const void *b);
bool option_equal_all(enum option_scope scope, const void *a, const void *b);
bool option_is_address(const char *text); /* local@domain */

/* Text of a bounded size, so that it needs no owner. */
struct option_text {
	char s[240];
};
/* What o wants, with an example: "a duration such as \"5m\", 10s to 30d".  It
 * never repeats what was given: that may be a password in the wrong place. */
struct option_text option_wants(const struct option *o);
/* Its range or choices: "10s..30d", "imap|pop3", or "-". */
struct option_text option_range(const struct option *o);
const char *option_type_name(enum option_type type);

#endif
