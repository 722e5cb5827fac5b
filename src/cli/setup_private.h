/* SPDX-License-Identifier: ISC */
/*
 * What the files of mailhaul setup share: the answers, and what comes of them.
 *
 *   setup.c           the flags, and the order of it all
 *   setup_question.c  the questions, what is proposed, who is asked when
 *   setup_terminal.c  lines from a person, passwords without an echo
 *   setup_write.c     the files, all of them or none
 *   setup_seal.c      a secret that only systemd can read
 *   setup_rehearse.c  the test, before the service has the secrets
 *
 * Nothing is written before everything is known.
 */
#ifndef CLI_SETUP_PRIVATE_H
#define CLI_SETUP_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/cli.h"

struct conf;
struct conf_server;
struct provider;
struct secret;

/* In the order in which they are asked. */
enum setup_answer {
	SETUP_ADDRESS,
	SETUP_PROVIDER,
	SETUP_PROTOCOL,
	SETUP_HOST,
	SETUP_PORT,
	SETUP_CA_FILE,
	SETUP_PIN,
	SETUP_USER,
	SETUP_AUTH,
	SETUP_CLIENT_ID,
	SETUP_TENANT,
	SETUP_NAME,
	SETUP_FIRST,
	SETUP_AFTER,
	SETUP_DESTINATION,
	SETUP_TO, /* this and the next: of a new destination */
	SETUP_TO_PROVIDER,
	SETUP_TO_HOST,
	SETUP_TO_TLS,
	SETUP_TO_PORT,
	SETUP_TO_CA_FILE,
	SETUP_TO_PIN,
	SETUP_TO_USER,
	SETUP_TO_AUTH,
	SETUP_TO_CLIENT_ID,
	SETUP_TO_TENANT,
	SETUP_TO_MAIL_FROM,
	SETUP_TO_SENDER,
	SETUP_TO_NAME,
	SETUP_ANSWERS,
};

/* Where the password of one of both is. */
struct setup_password {
	const char *file, *command; /* as given; NULL: not */
	bool from_stdin;
	struct secret *secret; /* owned; NULL: none has to be kept */
};

struct setup {
	const struct cli_options *options;
	char *answers[SETUP_ANSWERS]; /* owned; NULL: none */
	struct setup_password password, to_password;
	struct setup_password client, to_client; /* its secret, for tokens */
	bool terminal;                           /* somebody can be asked */
	bool no_login, no_check;
	struct conf *have;           /* what there is; NULL: nothing */
	const struct provider *from; /* of the account */
	const struct provider *to;   /* of a new destination */
	bool makes_destination;
	char *path;  /* of the file that was written, owned */
	bool sealed; /* only systemd can read the secrets */
};

/* --- setup_question.c */

/* NULL: it is none of them. */
char **setup_flag(struct setup *s, const char *flag);
void setup_print_flags(void); /* to standard output, a line each */
/* Everything that is missing is asked for, or found out.  An exit code; what
 * was wrong has been said. */
int setup_ask(struct setup *s);
/* Whether the client of both is the same: then so is its secret. */
bool setup_shares_client(const struct setup *s);
/* Whether the login is with a token. */
bool setup_uses_token(const struct setup *s, bool destination);

/* --- setup_terminal.c */

/* A line from standard input without its end, the caller's; NULL: the input
 * has ended, or it is longer than a line may be. */
char *setup_line(const char *prompt);
/* The same for a secret, which is not shown. */
struct secret *setup_secret_line(const char *prompt);
/* The first line of a file. */
struct secret *setup_secret_file(const char *path);

/* --- setup_write.c */

/* An exit code; what was wrong has been said, and nothing is left of it. */
int setup_write(struct setup *s);
/* Whether secrets go where systemd finds them at the next start. */
bool setup_is_service(const struct setup *s);
/* Whether there are files that one of that name would have: a setup that was
 * killed leaves some, and nothing is written over. */
bool setup_has_files(const struct setup *s, const char *name);

/* --- setup_rehearse.c */

/* Tests what has a new password; an exit code, it was said how it went. */
int setup_rehearse(const struct setup *s);

/* --- setup_seal.c */

bool setup_can_seal(void);
/* What it is sealed into goes into out.  False: it could not be. */
bool setup_seal(const char *name, const struct secret *secret, int out);

#endif
