/* SPDX-License-Identifier: ISC */
/*
 * mailhaul backup FILE and mailhaul restore FILE.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/offline.h"
#include "store/backup.h"
#include "store/statedir.h"

/* --- backup */

/* Beside the file, so that it appears under its name whole or not at all. */
struct copy {
	char *path; /* owned */
	int fd;
};

static int
complain(const char *path)
{
	int error = errno;

	fprintf(stderr, "mailhaul: %s: %s\n", path, strerror(error));
	return error == EACCES || error == EPERM ? EX_NOPERM
	       : error == EEXIST                 ? EX_CANTCREAT
	                                         : EX_IOERR;
}

static int
begin_copy(struct copy *c, const char *file)
{
	struct stat st;

	if (lstat(file, &st) == 0) {
		errno = EEXIST;
		return complain(file);
	}
	if (asprintf(&c->path, "%s.XXXXXX", file) < 0)
		abort();
	c->fd = mkostemp(c->path, O_CLOEXEC);
	if (c->fd >= 0)
		return EX_OK;
	free(c->path);
	return complain(file);
}

static bool
sync_folder(const char *file)
{
	char *copy = strdup(file);
	int fd = copy != NULL ? open(dirname(copy), O_RDONLY | O_CLOEXEC) : -1;
	bool ok = fd >= 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	free(copy);
	return ok;
}

/* link() and not rename(): what is there is not replaced. */
static int
end_copy(struct copy *c, const char *file, int code)
{
	bool is_synced = code != EX_OK || fsync(c->fd) == 0;

	if (close(c->fd) != 0 || !is_synced)
		code = complain(file);
	if (code == EX_OK && link(c->path, file) != 0)
		code = complain(file);
	unlink(c->path);
	free(c->path);
	if (code == EX_OK && !sync_folder(file))
		code = complain(file);
	return code;
}

static int
back_up_state(const struct client *client, const char *file)
{
	struct offline offline;
	struct fault f;
	int code = EX_OK;

	if (!offline_open_dir(&offline, client, &code))
		return code;
	code = EX_OK;
	if (!backup_write(&offline.dir, file, &code, &f))
		fprintf(stderr, "mailhaul: %s\n", f.text);
	offline_close(&offline);
	return code;
}

/* The daemon sends it, and the file is made by who asked for it: in the
 * sandbox of its service the daemon cannot write there. */
static int
back_up(struct client *client, const char *file)
{
	struct client_call call = { .post = true, .path = "/v1/backup" };
	enum client_result result;
	struct copy copy;
	int code = begin_copy(&copy, file);

	if (code != EX_OK)
		return code;
	result = client_fetch(client, &call, copy.fd, &code);
	if (result == CLIENT_OK)
		return end_copy(&copy, file, EX_OK);
	end_copy(&copy, file, EX_UNAVAILABLE);
	return result == CLIENT_ABSENT ? back_up_state(client, file) : code;
}

int
cli_backup(const struct cli_options *o, int argc, char **argv)
{
	struct client *client;
	int code;

	if (argc != 2 || argv[1][0] == '-' || argv[1][0] == '\0')
		return cli_usage_error("backup wants a file");
	client = client_new(o);
	code = back_up(client, argv[1]);
	client_free(&client);
	return code;
}

/* --- restore */

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

	if (!statedir_open(&d, state, &code, &f)) {
		fprintf(stderr, "mailhaul: %s\n", f.text);
		if (code == EX_TEMPFAIL)
			fputs("mailhaul: stop mailhauld first: a state is "
			      "restored while nobody uses it\n",
			    stderr);
		return code;
	}
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
	return restore(o->place.state, &r);
}
