/* SPDX-License-Identifier: ISC */
/*
 * mailhaul backup FILE and mailhaul restore FILE.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "store/backup.h"
#include "store/statedir.h"

static bool
open_state(struct statedir *d, const char *path, int *exit_r)
{
	struct fault f;

	if (statedir_open(d, path, exit_r, &f))
		return true;
	fprintf(stderr, "mailhaul: %s\n", f.text);
	if (*exit_r == EX_TEMPFAIL)
		fputs("mailhaul: stop mailhauld first: this command works on "
		      "the state itself\n",
		    stderr);
	return false;
}

int
cli_backup(const struct cli_options *o, int argc, char **argv)
{
	struct statedir d;
	struct fault f;
	int code = EX_OK;

	if (argc != 2 || argv[1][0] == '-' || argv[1][0] == '\0')
		return cli_usage_error("backup wants a file");
	/* Opening would make it. */
	if (access(o->state, F_OK) != 0) {
		fprintf(stderr, "mailhaul: there is no state directory %s\n",
		    o->state);
		return EX_DATAERR;
	}
	if (!open_state(&d, o->state, &code))
		return code;
	if (backup_write(&d, argv[1], &code, &f))
		code = EX_OK;
	else
		fprintf(stderr, "mailhaul: %s\n", f.text);
	statedir_close(&d);
	return code;
}

static const char *const next_poll[] = {
	[BACKUP_ASK] =
	    "The next poll of a mailbox relays a few messages that this state "
	    "does not know,\nmarked as possible duplicates; when there are "
	    "more it stops that account and asks.",
	[BACKUP_AS_KNOWN] =
	    "The next poll of a mailbox notes messages that this state does "
	    "not know as known:\nthey are not relayed.",
	[BACKUP_RELAY] =
	    "The next poll of a mailbox relays all messages that this state "
	    "does not know,\nmarked as possible duplicates.",
};

static int
restore(const char *state, struct backup_restore *r)
{
	struct statedir d;
	struct fault f;
	int code = EX_OK;

	if (!open_state(&d, state, &code))
		return code;
	if (backup_restore(&d, r, &code, &f)) {
		code = EX_OK;
		printf("restored: %lu accounts, %lu mailboxes\n%s\n",
		    r->accounts, r->mailboxes, next_poll[r->rule]);
		if (r->aside[0] != '\0')
			printf("The state before is kept as %s/%s.\n", d.path,
			    r->aside);
	} else {
		fprintf(stderr, "mailhaul: %s\n", f.text);
	}
	statedir_close(&d);
	return code;
}

int
cli_restore(const struct cli_options *o, int argc, char **argv)
{
	struct backup_restore r = { .rule = BACKUP_ASK };

	for (int i = 1; i < argc; i++) {
		bool decided = r.rule != BACKUP_ASK;

		if (strcmp(argv[i], "--force") == 0)
			r.force = true;
		else if (strcmp(argv[i], "--as-known") == 0 && !decided)
			r.rule = BACKUP_AS_KNOWN;
		else if (strcmp(argv[i], "--relay") == 0 && !decided)
			r.rule = BACKUP_RELAY;
		else if (argv[i][0] != '-' && r.file == NULL)
			r.file = argv[i];
		else
			return cli_usage_error("restore: what is %s?", argv[i]);
	}
	if (r.file == NULL)
		return cli_usage_error("restore wants a file");
	return restore(o->state, &r);
}
