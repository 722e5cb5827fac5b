/* SPDX-License-Identifier: ISC */
/*
 * What fetchmail has: its configuration, the "fetchmailrc", and its memory of
 * POP3 mailboxes, ".fetchids".  Read once, by mailhaul import; both are files
 * that somebody else wrote.
 *
 * Pure: bytes in, a description out; no file is opened, nothing is looked up.
 * What the description says in our words is up to cli/import_conf.c.  The
 * grammar is that of fetchmail 6.4 (fetchmail(1), "Run Control Syntax"); words
 * of it that mean nothing to us become notes.  An option that neither knows is
 * an error, because what follows it could mean anything.
 *
 * All that is allocated belongs to the structure it is in.
 */
#ifndef CONF_FETCHMAIL_H
#define CONF_FETCHMAIL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/span.h"

struct secret;

/* Beyond these a file is an error. */
#define FETCHMAIL_RC_MAX ((size_t)1 << 20)
#define FETCHMAIL_TOKEN_MAX 2048
#define FETCHMAIL_QUERIES_MAX 1000
#define FETCHMAIL_ITEMS_MAX 200                 /* of one list */
#define FETCHMAIL_COPIED_MAX ((size_t)16 << 20) /* bytes out of defaults */
/* More of them are not kept: they say the same again. */
#define FETCHMAIL_NOTES_MAX 2000

enum fetchmail_text {
	FETCHMAIL_VIA,
	FETCHMAIL_PROTOCOL, /* lower case */
	FETCHMAIL_SERVICE,  /* port or name of it */
	FETCHMAIL_AUTH,
	FETCHMAIL_INTERVAL, /* in cycles, digits */
	FETCHMAIL_ESMTPNAME,
	FETCHMAIL_USER,
	FETCHMAIL_SMTPADDRESS,
	FETCHMAIL_SMTPNAME,
	FETCHMAIL_SSLPROTO,
	FETCHMAIL_FINGERPRINT,
	FETCHMAIL_CERTFILE,
	FETCHMAIL_MDA,
	FETCHMAIL_BSMTP,
	FETCHMAIL_TEXTS
};

enum fetchmail_flag {
	FETCHMAIL_KEEP,
	FETCHMAIL_FETCHALL,
	FETCHMAIL_SSL,
	FETCHMAIL_CERTCK,
	FETCHMAIL_IDLE,
	FETCHMAIL_UIDL,
	FETCHMAIL_LMTP,
	FETCHMAIL_FLAGS
};

enum fetchmail_list {
	FETCHMAIL_LOCALS, /* of a mapping the local side */
	FETCHMAIL_FOLDERS,
	FETCHMAIL_SMTPHOSTS,
	FETCHMAIL_LISTS
};

enum fetchmail_secret {
	FETCHMAIL_PASSWORD,
	FETCHMAIL_ESMTPPASSWORD,
	FETCHMAIL_SECRETS
};

/* Lines count from 1; 0: the option was not given. */
struct fetchmail_value {
	char *s;
	unsigned line;
};

struct fetchmail_items {
	char **s;
	size_t n;
	unsigned line;
};

struct fetchmail_switch {
	bool on;
	unsigned line;
};

struct fetchmail_word {
	struct secret *s; /* NULL: not given */
	unsigned line;
};

/* One mailbox of one user, with what "defaults" says where it says nothing. */
struct fetchmail_query {
	char *name; /* behind poll or skip */
	unsigned line;
	bool skip;
	bool wildcard; /* its local names have a "*" */
	struct fetchmail_value text[FETCHMAIL_TEXTS];
	struct fetchmail_switch flag[FETCHMAIL_FLAGS];
	struct fetchmail_items list[FETCHMAIL_LISTS];
	struct fetchmail_word secret[FETCHMAIL_SECRETS];
};

/* An option that has no place with us, in words that say so. */
struct fetchmail_note {
	unsigned line;
	bool grave; /* without it mail may be missed, or go elsewhere */
	char *text;
};

struct fetchmail_rc {
	unsigned daemon; /* seconds; 0: not given */
	struct fetchmail_value idfile;
	struct fetchmail_query *queries;
	size_t nqueries;
	struct fetchmail_note *notes;
	size_t nnotes;
	/* After false */
	unsigned error_line;
	char error[256]; /* printable; never a password */
};

/* False: it is no fetchmailrc, see error; rc is to be freed all the same. */
bool fetchmail_parse(struct fetchmail_rc *rc, struct span text);
void fetchmail_free(struct fetchmail_rc *rc);

/* The server's name as fetchmail uses it and as .fetchids has it. */
const char *fetchmail_host(const struct fetchmail_query *q);

/* One line of .fetchids: "user@host uidl".  The user may hold "@", or a blank
 * in front of the first "@"; the host ends at the blank behind that. */
struct fetchmail_id {
	struct span user, host, uid; /* into the line */
};
/* line: without its end.  False: it is none. */
bool fetchmail_id_parse(struct span line, struct fetchmail_id *id_r);
/* Whether the text is a .fetchids rather than a fetchmailrc. */
bool fetchmail_is_ids(struct span text);

#endif
