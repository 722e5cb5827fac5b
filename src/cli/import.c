/* SPDX-License-Identifier: ISC */
/*
 * mailhaul import fetchmail: everything is read and understood before anything
 * is written.  Then the files of secrets, then the state, and the configuration
 * at the end: where it can be seen, all of it was done.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/write.h"
#include "cli/cli.h"
#include "cli/import_conf.h"
#include "cli/import_state.h"
#include "conf/option_table.h"

#define FILES_MAX 16
#define CREDENTIALS SYSCONFDIR "/mailhaul/secrets"

struct job {
	struct import im;
	struct import_file files[FILES_MAX];
	const char *paths[FILES_MAX + 1];
	size_t npaths;
	const char *output, *secrets; /* as given; NULL: not */
	struct import_ids ids;        /* path NULL: none */
	struct buf ids_bytes;
	char *secrets_path; /* owned */
	int secrets_dir;    /* -1: none */
	size_t nwritten;    /* of im.to_write */
	int out;            /* -1: standard output */
};

static int
complain(const char *path)
{
	int error = errno;

	fprintf(stderr, "mailhaul: %s: %s\n", path, strerror(error));
	return error == ENOENT                     ? EX_NOINPUT
	       : error == EACCES || error == EPERM ? EX_NOPERM
	       : error == EEXIST                   ? EX_CANTCREAT
	                                           : EX_IOERR;
}

/* --- what is read ------------------------------------------------------- */

static int
read_all(int fd, struct buf *b)
{
	char piece[16384];
	ssize_t got;

	while ((got = read(fd, piece, sizeof(piece))) != 0) {
		bool ok;

		if (got < 0 && errno == EINTR)
			continue;
		ok = got > 0 && buf_add(b, span_make(piece, (size_t)got));
		secret_wipe(piece, sizeof(piece));
		if (!ok) {
			errno = got > 0 ? EFBIG : errno;
			return -1;
		}
	}
	return 0;
}

static int
read_file(const char *path, struct buf *b)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int code = EX_OK;

	buf_init(b, IMPORT_IDS_MAX);
	b->secret = true;
	if (fd < 0)
		return complain(path);
	if (read_all(fd, b) != 0)
		code = complain(path);
	close(fd);
	return code;
}

static char *
folder_of(const char *path)
{
	char *real = realpath(path, NULL);
	char *copy = mem_strdup(real != NULL ? real : path);
	char *folder = mem_strdup(dirname(copy));

	free(copy);
	free(real);
	return folder;
}

static int
parse_rc(struct job *j, const char *path, const struct buf *b)
{
	struct import_file *f = &j->files[j->im.nfiles++];

	f->path = path;
	f->folder = folder_of(path);
	if (fetchmail_parse(&f->rc, buf_span(b)))
		return EX_OK;
	fprintf(stderr, "mailhaul: %s:%u: %s\n", path, f->rc.error_line,
	    f->rc.error);
	return EX_DATAERR;
}

static int
take_ids(struct job *j, const char *path, struct buf *b)
{
	if (j->ids.path != NULL)
		return cli_usage_error("import: one .fetchids is enough");
	j->ids.path = path;
	j->ids_bytes = *b;
	j->ids.text = buf_span(&j->ids_bytes);
	buf_init(b, 0);
	return EX_OK;
}

static int
take_file(struct job *j, const char *path, bool is_ids)
{
	struct buf b;
	int code = read_file(path, &b);

	if (code == EX_OK && (is_ids || fetchmail_is_ids(buf_span(&b))))
		code = take_ids(j, path, &b);
	else if (code == EX_OK && j->im.nfiles == FILES_MAX)
		code = cli_usage_error("import: too many files");
	else if (code == EX_OK)
		code = parse_rc(j, path, &b);
	buf_free(&b);
	return code;
}

static int
take_files(struct job *j, const char *ids)
{
	int code = ids != NULL ? take_file(j, ids, true) : EX_OK;

	for (size_t i = 0; i < j->npaths && code == EX_OK; i++)
		code = take_file(j, j->paths[i], false);
	if (code == EX_OK && j->im.nfiles == 0)
		return cli_usage_error("import: which fetchmailrc?");
	return code;
}

/* --- what is written ---------------------------------------------------- */

static int
open_secrets(struct job *j)
{
	if (j->secrets == NULL)
		return EX_OK;
	if (mkdir(j->secrets, 0700) != 0 && errno != EEXIST)
		return complain(j->secrets);
	j->secrets_path = realpath(j->secrets, NULL);
	if (j->secrets_path == NULL)
		return complain(j->secrets);
	j->secrets_dir =
	    open(j->secrets_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (j->secrets_dir < 0)
		return complain(j->secrets);
	j->im.secrets = j->secrets_path;
	j->im.credentials = strcmp(j->secrets_path, CREDENTIALS) == 0;
	return EX_OK;
}

static bool
write_secret(const struct job *j, const struct import_secret *s)
{
	int fd = openat(j->secrets_dir, s->name,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok;
	int error;

	if (fd < 0)
		return false;
	/* The mask of the caller may have taken away what is needed. */
	ok = fchmod(fd, 0600) == 0 && write_all(fd, secret_reveal(s->secret)) &&
	     write_all(fd, span_str("\n")) && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	if (ok)
		return true;
	error = errno;
	unlinkat(j->secrets_dir, s->name, 0);
	errno = error;
	return false;
}

static int
write_secrets(struct job *j)
{
	for (; j->nwritten < j->im.nto_write; j->nwritten++) {
		const struct import_secret *s = &j->im.to_write[j->nwritten];
		char path[PATH_MAX];

		if (write_secret(j, s))
			continue;
		snprintf(path, sizeof(path), "%s/%s", j->secrets, s->name);
		return complain(path);
	}
	if (j->secrets_dir >= 0 && fsync(j->secrets_dir) != 0)
		return complain(j->secrets);
	return EX_OK;
}

/* It did not come to an end: as if nothing had been begun. */
static void
take_back(struct job *j)
{
	for (size_t i = 0; i < j->nwritten; i++)
		unlinkat(j->secrets_dir, j->im.to_write[i].name, 0);
	if (j->out >= 0)
		unlink(j->output);
}

static int
open_output(struct job *j)
{
	if (j->output == NULL)
		return EX_OK;
	j->out = open(j->output,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return j->out < 0 ? complain(j->output) : EX_OK;
}

static int
write_output(struct job *j)
{
	struct span text = buf_span(&j->im.text);

	if (j->out < 0) {
		fwrite(text.p, 1, text.n, stdout);
		return EX_OK; /* main() looks for errors */
	}
	if (!write_all(j->out, text) || fsync(j->out) != 0)
		return complain(j->output);
	return EX_OK;
}

static int
write_everything(struct job *j, const char *state)
{
	int code = open_output(j);

	if (code == EX_OK)
		code = write_secrets(j);
	if (code == EX_OK && j->ids.path != NULL)
		code = import_ids_store(&j->ids, &j->im, state);
	if (code == EX_OK)
		code = write_output(j);
	if (code != EX_OK)
		take_back(j);
	return code;
}

/* --- what is said ------------------------------------------------------- */

static int
report(const struct import *im)
{
	size_t grave = 0;

	for (size_t i = 0; i < im->nnotes; i++) {
		const struct import_note *n = &im->notes[i];

		fprintf(stderr, "%s:%u: %s%s\n", n->path, n->line,
		    n->grave ? "" : "note: ", n->text);
		if (n->grave)
			grave++;
	}
	if (grave == 0)
		return EX_OK;
	fprintf(stderr,
	    "mailhaul: %zu things are to be settled before the first start: "
	    "those without \"note:\"\n",
	    grave);
	return EX_CONFIG;
}

static int
run(struct job *j, const struct cli_options *o, const char *ids)
{
	int code = take_files(j, ids);

	if (code == EX_OK)
		code = open_secrets(j);
	if (code != EX_OK)
		return code;
	j->im.files = j->files;
	j->im.has_ids = j->ids.path != NULL;
	import_plan(&j->im);
	if (j->ids.path != NULL)
		import_ids_match(&j->ids, &j->im);
	if (!import_write(&j->im)) {
		fputs(
		    "mailhaul: the configuration would be too long\n", stderr);
		return EX_DATAERR;
	}
	code = write_everything(j, o->place.state);
	return code == EX_OK ? report(&j->im) : code;
}

static void
clear(struct job *j)
{
	for (size_t i = 0; i < j->im.nfiles; i++) {
		fetchmail_free(&j->files[i].rc);
		free(j->files[i].folder);
	}
	import_ids_free(&j->ids);
	buf_free(&j->ids_bytes);
	import_free(&j->im);
	free(j->secrets_path);
	if (j->secrets_dir >= 0)
		close(j->secrets_dir);
	if (j->out >= 0)
		close(j->out);
}

int
cli_import(const struct cli_options *o, int argc, char **argv)
{
	struct job j = { .secrets_dir = -1, .out = -1 };
	const char *ids = NULL;
	const struct {
		const char *name;
		const char **value;
	} options[] = { { "--fetchids", &ids }, { "--secrets", &j.secrets },
		{ "--destination", &j.im.destination },
		{ "--output", &j.output } };
	const size_t noptions = sizeof(options) / sizeof(options[0]);
	int code;

	if (argc < 2 || strcmp(argv[1], "fetchmail") != 0)
		return cli_usage_error("import fetchmail wants files");
	for (int i = 2; i < argc; i++) {
		size_t k = 0;

		while (k < noptions && strcmp(argv[i], options[k].name) != 0)
			k++;
		if (k < noptions && i + 1 < argc)
			*options[k].value = argv[++i];
		else if (k < noptions || argv[i][0] == '-')
			return cli_usage_error("import: what is %s?", argv[i]);
		else if (j.npaths > FILES_MAX)
			return cli_usage_error("import: too many files");
		else
			j.paths[j.npaths++] = argv[i];
	}
	if (j.im.destination != NULL &&
	    !import_fits(OPTION_DESTINATION, "name", j.im.destination))
		return cli_usage_error(
		    "import: %s is no name of a destination", j.im.destination);
	code = run(&j, o, ids);
	clear(&j);
	return code;
}
