/* SPDX-License-Identifier: ISC */
/*
 * What fetchmail was told, said in our words: the text of a configuration, what
 * is to be written as secrets, and notes on what could not be said.
 *
 * It opens and writes no file and asks nobody.  Everything here comes from
 * foreign files: what gets into the text is checked as an option or escaped.
 */
#ifndef CLI_IMPORT_CONF_H
#define CLI_IMPORT_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "conf/fetchmail.h"

#define IMPORT_NAME_MAX 65 /* bytes with NUL */
/* Where nobody said the user. */
#define IMPORT_NO_USER "CHANGE-ME"
#define IMPORT_TEXT_MAX ((size_t)16 << 20)

struct import_file {
	const char *path; /* as a person gave it */
	char *folder; /* absolute, owned: relative paths in it begin there */
	struct fetchmail_rc rc;
};

/* A mailbox that fetchmail was told of. */
struct import_account {
	const struct import_file *file;
	const struct fetchmail_query *q;
	char name[IMPORT_NAME_MAX];
	const char *host, *user; /* theirs; user NULL: not said */
	bool pop3;
	bool left_out; /* it cannot be an account of ours */
	bool aside;    /* written, but as a comment */
	/* Messages of it that .fetchids lists; set before import_write() */
	size_t ids;
};

struct import_note {
	const char *path;
	unsigned line; /* 0: none */
	bool grave;
	char *text; /* printable */
};

/* A password that goes into a file of this name. */
struct import_secret {
	char name[IMPORT_NAME_MAX + 8];
	const struct secret *secret; /* theirs */
};

struct import_destination;

struct import {
	struct import_file *files; /* theirs */
	size_t nfiles;
	const char *destination; /* relay to this one, define none; or NULL */
	const char *secrets;     /* folder, absolute; NULL: passwords stay */
	bool credentials;        /* ... whose files systemd passes on */
	bool has_ids;            /* a .fetchids was given */

	struct import_account *accounts;
	size_t naccounts;
	struct import_destination *destinations;
	size_t ndestinations;
	struct import_note *notes;
	size_t nnotes;
	struct import_secret *to_write;
	size_t nto_write;
	struct buf text;
	bool full; /* and something had no room in it */
};

/* The fields above the gap are set, accounts are what comes of it. */
void import_plan(struct import *im);
/* Whose messages these are; NULL: nobody's. */
struct import_account *import_find(
    struct import *im, const struct fetchmail_id *id);
/* Makes text, secrets and notes.  False: the text has no room. */
bool import_write(struct import *im);
void import_free(struct import *im);

void import_add_note(struct import *im, const struct import_file *f,
    unsigned line, bool grave, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
bool import_is_grave(const struct import *im);

/* import_destination.c: where the mail of an account goes; its name. */
const char *import_destination_of(
    struct import *im, const struct import_account *a);
void import_write_destinations(struct import *im);
void import_free_destinations(struct import *im);

/* For both: to the text, and a line of it. */
void import_add(struct import *im, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void import_line(struct import *im, const char *before, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void import_quote(struct import *im, const char *value);
void import_string(struct import *im, const char *before, const char *option,
    const char *value);
/* The password's line; name: of the file. */
struct import_login {
	const struct import_file *file;
	const struct fetchmail_word *word;
	const char *name, *user;
	unsigned line;
	bool quiet; /* nobody needs it yet: no note */
};
void import_password(
    struct import *im, const char *before, const struct import_login *login);
/* A name of ours out of any text; not empty. */
void import_make_name(char name[IMPORT_NAME_MAX], const char *text);
void import_number_name(char name[IMPORT_NAME_MAX], unsigned n);
/* Whether the text is a legal value of that option. */
bool import_fits(unsigned scope, const char *option, const char *text);

#endif
