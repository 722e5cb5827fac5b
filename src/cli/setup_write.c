/* SPDX-License-Identifier: ISC */
/*
 * The files: secrets, the main file when there is none, and conf.d/NAME.conf,
 * which appears at the end, complete, or not at all.  What there was is never
 * written over, and what was begun is taken back.
 */
#include "cli/setup_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "base/write.h"
#include "cli/text.h"
#include "conf/conf.h"
#include "conf/option_table.h"
#include "conf/provider.h"

#define INSTALLED SYSCONFDIR "/mailhaul/mailhaul.conf"
#define MADE_MAX 16
#define COLUMNS 76

struct made {
	char *paths[MADE_MAX]; /* owned; in this order */
	size_t n;
};

bool
setup_is_service(const struct setup *s)
{
	return strcmp(s->options->conf_file, INSTALLED) == 0;
}

static char *__attribute__((format(printf, 1, 2))) format(const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	return text;
}

bool
setup_has_files(const struct setup *s, const char *name)
{
	char *copy = mem_strdup(s->options->conf_file);
	const char *folder = dirname(copy);
	char *paths[] = { format("%s/conf.d/%s.conf", folder, name),
		format("%s/secrets/%s", folder, name),
		format("%s/sealed/%s", folder, name) };
	bool found = false;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		found = found || access(paths[i], F_OK) == 0;
		free(paths[i]);
	}
	free(copy);
	return found;
}

/* --- files ---------------------------------------------------------------- */

static int
complain(const char *path)
{
	int error = errno;

	fprintf(stderr, "mailhaul: %s: %s\n", path, strerror(error));
	return error == EACCES || error == EPERM || error == EROFS
	           ? EX_NOPERM
	           : EX_CANTCREAT;
}

static void
note_made(struct made *m, const char *path)
{
	if (m->n == MADE_MAX)
		abort();
	m->paths[m->n++] = mem_strdup(path);
}

/* The last first: a folder goes when it is empty. */
static void
take_back(struct made *m)
{
	for (size_t i = m->n; i > 0; i--)
		(void)remove(m->paths[i - 1]);
}

static int
make_folder(struct made *m, const char *path, mode_t mode)
{
	if (mkdir(path, mode) != 0)
		return errno == EEXIST ? EX_OK : complain(path);
	note_made(m, path);
	/* The user of the service gets in, whatever the mask of root is. */
	return chmod(path, mode) == 0 ? EX_OK : complain(path);
}

/* fd: of the new file, or -1 and errno says why there is none. */
static int
fill_file(
    struct made *m, int fd, const char *path, mode_t mode, struct span text)
{
	int code = EX_OK;

	if (fd < 0)
		return complain(path);
	note_made(m, path);
	if (fchmod(fd, mode) != 0 || !write_all(fd, text) || fsync(fd) != 0)
		code = complain(path);
	if (close(fd) != 0 && code == EX_OK)
		code = complain(path);
	return code;
}

static int
make_file(struct made *m, const char *path, mode_t mode, struct span text)
{
	int fd = open(
	    path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);

	return fill_file(m, fd, path, mode, text);
}

static int
sync_folder(const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int code = EX_OK;

	if (fd < 0 || fsync(fd) != 0)
		code = complain(path);
	if (fd >= 0)
		close(fd);
	return code;
}

/* --- secrets -------------------------------------------------------------- */

/* False: there is none of it, and the secret has to be kept in another way. */
static bool
make_sealed(struct setup *s, struct made *m, const char *name,
    const struct secret *secret)
{
	const char *folder = SYSCONFDIR "/mailhaul/sealed";
	char *path = format("%s/%s", folder, name);
	int fd = -1;
	bool ok;

	if (make_folder(m, folder, 0700) == EX_OK)
		fd = open(path,
		    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ok = fd >= 0 && setup_seal(name, secret, fd);
	if (ok)
		note_made(m, path);
	else if (fd >= 0)
		unlink(path);
	if (fd >= 0)
		close(fd);
	free(path);
	s->sealed = ok;
	return ok && sync_folder(folder) == EX_OK;
}

/* One that is there already would be taken instead of what is sealed. */
static int
make_secret(struct setup *s, struct made *m, const char *folder,
    const char *name, const struct secret *secret)
{
	char *path = format("%s/%s", folder, name);
	int code = EX_OK;

	if (!setup_is_service(s) || !setup_can_seal() ||
	    access(path, F_OK) == 0 || !make_sealed(s, m, name, secret))
		code = make_file(m, path, 0600, secret_reveal(secret));
	free(path);
	return code;
}

/* Of the client, beside the password. */
static char *
client_name(const struct setup *s, enum setup_answer name)
{
	return format("%s.client", s->answers[name]);
}

static int
make_secrets(struct setup *s, struct made *m, const char *folder)
{
	char *client = client_name(s, SETUP_NAME);
	char *to_client =
	    s->makes_destination ? client_name(s, SETUP_TO_NAME) : NULL;
	const struct {
		const char *name;
		const struct secret *secret;
	} all[] = {
		{ s->answers[SETUP_NAME], s->password.secret },
		{ s->answers[SETUP_TO_NAME], s->to_password.secret },
		{ client, s->client.secret },
		{ to_client, s->to_client.secret },
	};
	bool any = false;
	int code = EX_OK;

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (all[i].secret == NULL)
			continue;
		if (!any)
			code = make_folder(m, folder, 0700);
		any = true;
		if (code == EX_OK)
			code = make_secret(
			    s, m, folder, all[i].name, all[i].secret);
	}
	free(client);
	free(to_client);
	return any && code == EX_OK ? sync_folder(folder) : code;
}

/* As the option wants it; the caller's. */
static char *
reference(const struct setup *s, const struct setup_password *p,
    const char *folder, const char *name)
{
	if (p->command != NULL)
		return format("command:%s", p->command);
	if (p->secret == NULL)
		return NULL;
	if (setup_is_service(s))
		return format("credential:%s", name);
	return format("file:%s/%s", folder, name);
}

/* --- the text ------------------------------------------------------------- */

static void
comment(FILE *out, const char *text)
{
	struct span rest = span_str(text);
	size_t column = 0;

	while (rest.n > 0) {
		struct span word = span_cut(&rest, ' ');

		if (word.n == 0)
			continue;
		if (column > 0 && column + 1 + word.n > COLUMNS)
			column = 0;
		fprintf(out, "%s%.*s", column > 0 ? " " : "\n# ", (int)word.n,
		    word.p);
		column += 1 + word.n;
	}
	fputc('\n', out);
}

/* NULL: the line is left out. */
static void
line(FILE *out, enum option_scope scope, const char *name, const char *value)
{
	const struct option *o = option_find(scope, name, NULL);
	char *text;
	int n;

	if (value == NULL)
		return;
	text =
	    o->type == OPTION_INTEGER ? mem_strdup(value) : text_quoted(value);
	n = fprintf(out, "    %s = %s;", name, text);
	fprintf(out, "%*s# %s\n", n < 40 ? 40 - n : 1, "", o->help);
	free(text);
}

/* A default, for who wants to change it. */
static void
spare(FILE *out, enum option_scope scope, const char *name)
{
	const struct option *o = option_find(scope, name, NULL);
	const char *quote = o->type == OPTION_BOOL ? "" : "\"";
	int n = fprintf(out, "    # %s = %s%s%s;", name, quote, o->dflt, quote);

	fprintf(out, "%*s# %s\n", n < 40 ? 40 - n : 1, "", o->help);
}

struct row {
	const char *option;
	enum setup_answer answer;
};

static void
lines(FILE *out, const struct setup *s, enum option_scope scope,
    const struct row *rows)
{
	for (; rows->option != NULL; rows++) {
		const char *value = s->answers[rows->answer];

		if (value != NULL && strcmp(rows->option, "provider") == 0 &&
		    strcmp(value, "custom") == 0)
			continue;
		line(out, scope, rows->option, value);
	}
}

static const struct row account_rows[] = {
	{ "name", SETUP_NAME },
	{ "provider", SETUP_PROVIDER },
	{ "protocol", SETUP_PROTOCOL },
	{ "host", SETUP_HOST },
	{ "port", SETUP_PORT },
	{ "ca_file", SETUP_CA_FILE },
	{ "pin_sha256", SETUP_PIN },
	{ "user", SETUP_USER },
	{ "auth", SETUP_AUTH },
	{ "oauth_client_id", SETUP_CLIENT_ID },
	{ "oauth_tenant", SETUP_TENANT },
	{ "first", SETUP_FIRST },
	{ "after", SETUP_AFTER },
	{ NULL, SETUP_ANSWERS },
};
static const struct row destination_rows[] = {
	{ "name", SETUP_TO_NAME },
	{ "provider", SETUP_TO_PROVIDER },
	{ "host", SETUP_TO_HOST },
	{ "tls", SETUP_TO_TLS },
	{ "port", SETUP_TO_PORT },
	{ "ca_file", SETUP_TO_CA_FILE },
	{ "pin_sha256", SETUP_TO_PIN },
	{ "user", SETUP_TO_USER },
	{ "auth", SETUP_TO_AUTH },
	{ "oauth_client_id", SETUP_TO_CLIENT_ID },
	{ "oauth_tenant", SETUP_TO_TENANT },
	{ "recipient", SETUP_TO },
	{ "mail_from", SETUP_TO_MAIL_FROM },
	{ "sender", SETUP_TO_SENDER },
	{ NULL, SETUP_ANSWERS },
};

static void
write_client(FILE *out, const struct setup *s, const char *secrets, bool to)
{
	bool shared =
	    to && s->to_client.secret == NULL && setup_shares_client(s);
	char *name = client_name(s, to && !shared ? SETUP_TO_NAME : SETUP_NAME);
	char *text = reference(
	    s, to && !shared ? &s->to_client : &s->client, secrets, name);

	line(out, to ? OPTION_DESTINATION : OPTION_ACCOUNT,
	    "oauth_client_secret", text);
	free(text);
	free(name);
}

static void
write_destination(FILE *out, const struct setup *s, const char *secrets)
{
	char *password =
	    reference(s, &s->to_password, secrets, s->answers[SETUP_TO_NAME]);

	if (s->to->login != NULL)
		comment(out, s->to->login);
	fputs("\ndestinations = (\n  {\n", out);
	lines(out, s, OPTION_DESTINATION, destination_rows);
	line(out, OPTION_DESTINATION, "password", password);
	write_client(out, s, secrets, true);
	fputs("  }\n);\n", out);
	free(password);
}

static void
write_account(FILE *out, const struct setup *s, const char *secrets)
{
	char *password =
	    reference(s, &s->password, secrets, s->answers[SETUP_NAME]);

	if (s->from->login != NULL)
		comment(out, s->from->login);
	if (s->from->note != NULL)
		comment(out, s->from->note);
	fputs("\naccounts = (\n  {\n", out);
	lines(out, s, OPTION_ACCOUNT, account_rows);
	line(out, OPTION_ACCOUNT, "password", password);
	write_client(out, s, secrets, false);
	line(out, OPTION_ACCOUNT, "destination",
	    s->answers[s->makes_destination ? SETUP_TO_NAME
					    : SETUP_DESTINATION]);
	spare(out, OPTION_ACCOUNT, "interval");
	if (strcmp(s->answers[SETUP_PROTOCOL], "imap") == 0) {
		spare(out, OPTION_ACCOUNT, "folders");
		spare(out, OPTION_ACCOUNT, "idle");
	}
	fputs("  }\n);\n", out);
	free(password);
}

static char *
make_text(const struct setup *s, const char *secrets)
{
	char *text;
	size_t n;
	FILE *out = open_memstream(&text, &n);

	if (out == NULL)
		abort();
	fputs("# Made by mailhaul setup, and yours to change.  "
	      "mailhaul.conf(5) explains it,\n# \"mailhaul check\" reads "
	      "it.\n",
	    out);
	if (s->makes_destination)
		write_destination(out, s, secrets);
	write_account(out, s, secrets);
	if (fclose(out) != 0)
		abort();
	return text;
}

/* --- all together --------------------------------------------------------- */

/* What there was has been found good: what is wrong is wrong with what was
 * answered. */
static int
examine(const struct setup *s, const char *draft)
{
	struct conf_problems p;
	struct conf *c =
	    conf_load_draft(&(struct conf_draft){ .file = s->options->conf_file,
				.also = draft },
		&p);
	int code = c != NULL ? EX_OK : EX_CONFIG;

	for (size_t i = 0; i < p.n; i++)
		if (!p.list[i].warning || strcmp(p.list[i].file, draft) == 0)
			fprintf(stderr, "mailhaul: %s%s\n",
			    p.list[i].warning ? "warning: " : "",
			    p.list[i].text);
	conf_problems_free(&p);
	conf_free(&c);
	return code;
}

/* Not rename(): that would write over what is there. */
static int
put_in_place(
    struct setup *s, struct made *m, const char *folder, const char *draft)
{
	s->path = format("%s/%s.conf", folder, s->answers[SETUP_NAME]);
	if (link(draft, s->path) != 0)
		return complain(s->path);
	note_made(m, s->path);
	if (unlink(draft) != 0)
		return complain(draft);
	return sync_folder(folder);
}

static int
make_draft(
    struct setup *s, struct made *m, const char *folder, const char *secrets)
{
	/* One that a death left there is not in the way. */
	char *draft = format("%s/.setup-XXXXXX", folder);
	char *text = make_text(s, secrets);
	int fd = mkostemp(draft, O_CLOEXEC);
	int code = fill_file(m, fd, draft, 0644, span_str(text));

	if (code == EX_OK)
		code = examine(s, draft);
	if (code == EX_OK)
		code = put_in_place(s, m, folder, draft);
	free(text);
	free(draft);
	return code;
}

static int
make_main(struct made *m, const char *path, const char *folder)
{
	int code = make_folder(m, folder, 0755);

	if (code != EX_OK || access(path, F_OK) == 0)
		return code;
	code = make_file(m, path, 0644,
	    span_str("# Options for all accounts stand here, see "
		     "mailhaul.conf(5); accounts and\n# destinations are in "
		     "conf.d.\n"));
	return code == EX_OK ? sync_folder(folder) : code;
}

static int
make_all(struct setup *s, struct made *m)
{
	char *copy = mem_strdup(s->options->conf_file), *folder, *parts;
	char *secrets, *real;
	int code;

	folder = dirname(copy);
	code = make_main(m, s->options->conf_file, folder);
	real = code == EX_OK ? realpath(folder, NULL) : NULL;
	if (code == EX_OK && real == NULL)
		code = complain(folder);
	parts = format("%s/conf.d", folder);
	secrets = format("%s/secrets", real != NULL ? real : folder);
	if (code == EX_OK)
		code = make_folder(m, parts, 0755);
	if (code == EX_OK)
		code = make_secrets(s, m, secrets);
	if (code == EX_OK)
		code = make_draft(s, m, parts, secrets);
	free(real);
	free(secrets);
	free(parts);
	free(copy);
	return code;
}

int
setup_write(struct setup *s)
{
	struct made m = { .n = 0 };
	struct sigaction quiet = { .sa_handler = SIG_IGN }, pipe;
	sigset_t all, old;
	int code;

	/* Not in the middle. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	sigaction(SIGPIPE, &quiet, &pipe);
	code = make_all(s, &m);
	if (code != EX_OK) {
		take_back(&m);
		fputs("mailhaul: nothing was written\n", stderr);
	}
	for (size_t i = 0; i < m.n; i++)
		free(m.paths[i]);
	sigaction(SIGPIPE, &pipe, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return code;
}
