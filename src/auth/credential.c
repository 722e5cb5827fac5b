/* SPDX-License-Identifier: ISC */
#include "auth/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/loop.h"
#include "net/program.h"

#define COMMAND_MS 30000
#define PHASE "credential"

struct credential_job {
	struct loop *loop;
	void (*done)(void *arg, struct secret *secret, const struct fault *f);
	void *arg;
	struct timer timer; /* the answer is known and waits for the loop */
	struct program *program; /* owned; NULL: none runs */
	bool failed;
	struct fault fault;
	size_t n;
	char bytes[CREDENTIAL_MAX + 1]; /* one more tells "too long" */
};

static void __attribute__((format(printf, 3, 4)))
fail(struct credential_job *j, enum fault_when when, const char *fmt, ...)
{
	char text[FAULT_TEXT_MAX];
	va_list ap;

	if (j->failed)
		return; /* the first reason is the reason */
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fault_set(&j->fault, FAULT_ACCOUNT, when, PHASE, "%s", text);
	j->failed = true;
}

static void
job_free(struct credential_job *j)
{
	program_cancel(&j->program);
	timer_free(&j->timer);
	secret_wipe(j->bytes, sizeof(j->bytes));
	free(j);
}

/* The first line of what was read, without its end; NULL: failed. */
static struct secret *
make_secret(struct credential_job *j)
{
	struct span rest = span_make(j->bytes, j->n), line;

	if (j->n > CREDENTIAL_MAX)
		fail(j, FAULT_NEVER, "the secret is longer than %d bytes",
		    CREDENTIAL_MAX);
	line = span_cut(&rest, '\n');
	while (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		fail(j, FAULT_NEVER, "the secret is empty");
	else if (memchr(line.p, '\0', line.n) != NULL)
		fail(j, FAULT_NEVER, "the secret has a NUL byte in it");
	return j->failed ? NULL : secret_new(line);
}

static void
answer(struct credential_job *j)
{
	void (*done)(void *, struct secret *, const struct fault *) = j->done;
	void *arg = j->arg;
	struct secret *secret = j->failed ? NULL : make_secret(j);
	struct fault fault = j->fault;

	job_free(j);
	done(arg, secret, secret == NULL ? &fault : NULL);
}

/* --- file:, credential:, env: -------------------------------------------- */

/* systemd keeps these from others by other means than the mode. */
static bool
is_below_credentials(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t n = dir != NULL ? strlen(dir) : 0;

	return n > 0 && strncmp(path, dir, n) == 0 && path[n] == '/' &&
	       strstr(path, "/../") == NULL;
}

static void
read_all(struct credential_job *j, int fd, const char *path)
{
	while (j->n < sizeof(j->bytes)) {
		ssize_t got =
		    read(fd, j->bytes + j->n, sizeof(j->bytes) - j->n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			fail(j, FAULT_LATER, "cannot read %s: %s", path,
			    strerror(errno));
		if (got <= 0)
			return;
		j->n += (size_t)got;
	}
}

static void
read_open_file(struct credential_job *j, int fd, const char *path)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		fail(j, FAULT_LATER, "cannot look at %s: %s", path,
		    strerror(errno));
	else if (!S_ISREG(st.st_mode))
		fail(j, FAULT_NEVER, "%s is not a regular file", path);
	else if ((st.st_mode & 077) != 0 && !is_below_credentials(path))
		fail(j, FAULT_NEVER,
		    "others can get at %s (mode %04o), so it is not used; "
		    "chmod 600 it",
		    path, (unsigned)st.st_mode & 07777);
	else
		read_all(j, fd, path);
}

/* False: there is no such file, and nothing was said about it. */
static bool
read_file(struct credential_job *j, const char *path)
{
	/* O_NONBLOCK: a FIFO must not stop the loop. */
	int fd = open(
	    path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0 && errno == ENOENT)
		return false;
	if (fd >= 0) {
		read_open_file(j, fd, path);
		close(fd);
	} else if (errno == ELOOP) {
		fail(j, FAULT_NEVER,
		    "%s is a symbolic link, which is not followed", path);
	} else {
		fail(j, FAULT_NEVER, "cannot open %s: %s", path,
		    strerror(errno));
	}
	return true;
}

static void
fetch_file(struct credential_job *j, const char *path)
{
	if (*path != '/')
		fail(j, FAULT_NEVER, "file: wants an absolute path");
	else if (!read_file(j, path))
		fail(j, FAULT_NEVER,
		    "there is no file %s; put the password into it, mode "
		    "0600, owned by the user that runs mailhauld",
		    path);
}

static void
fetch_credential(struct credential_job *j, const char *name)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	/* The directory of secrets, and that of sealed ones, in the unit. */
	static const char *const prefixes[] = { "", "mailhaul.secrets_",
		"mailhaul.sealed_" };
	char *path;

	if (dir == NULL || *name == '\0' || strchr(name, '/') != NULL) {
		fail(j, FAULT_NEVER,
		    dir == NULL ? "CREDENTIALS_DIRECTORY is not set; systemd "
				  "sets it for a unit with LoadCredential="
				: "credential: wants a plain name");
		if (dir == NULL)
			j->fault.hint = "ask mailhauld, which has it, when it "
					"runs as a unit";
		return;
	}
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		bool there;

		if (asprintf(&path, "%s/%s%s", dir, prefixes[i], name) < 0)
			abort();
		there = read_file(j, path);
		free(path);
		if (there)
			return;
	}
	fail(j, FAULT_NEVER,
	    "there is neither %s/%s nor mailhaul.secrets_%s; name the secret "
	    "in a LoadCredential= of the unit, or put it into "
	    "/etc/mailhaul/secrets, and restart mailhauld",
	    dir, name, name);
}

static void
fetch_env(struct credential_job *j, const char *name)
{
	const char *value = getenv(name);

	if (value == NULL) {
		fail(j, FAULT_NEVER, "the environment variable %s is not set",
		    name);
		return;
	}
	j->n = strnlen(value, sizeof(j->bytes));
	memcpy(j->bytes, value, j->n);
}

/* --- command: ------------------------------------------------------------ */

/* Copies the word at *s to *out without its quotes.  False: one is open. */
static bool
copy_word(char **s, char **out)
{
	char quote = '\0';

	for (; **s != '\0'; (*s)++) {
		char c = **s;

		if (quote == '\0' && (c == ' ' || c == '\t'))
			break;
		if (quote == '\0' && (c == '"' || c == '\''))
			quote = c;
		else if (quote != '\0' && c == quote)
			quote = '\0';
		else
			*(*out)++ = c;
	}
	/* First past the blank: the end of the word may be written onto it. */
	if (**s != '\0')
		(*s)++;
	*(*out)++ = '\0';
	return quote == '\0';
}

/* In place; argv has room for all and a NULL. */
static bool
split_words(char *s, char **argv)
{
	char *out = s;

	for (s += strspn(s, " \t"); *s != '\0'; s += strspn(s, " \t")) {
		*argv++ = out;
		if (!copy_word(&s, &out))
			return false;
	}
	*argv = NULL;
	return true;
}

static void
on_command(void *arg, const struct program_result *r)
{
	struct credential_job *j = arg;

	j->program = NULL;
	switch (r->end) {
	case PROGRAM_EXITED:
		if (r->value != 0)
			fail(j, FAULT_LATER,
			    "the command ended with exit code %d", r->value);
		break;
	case PROGRAM_SIGNALLED:
		fail(j, FAULT_LATER, "the command was ended by signal %d",
		    r->value);
		break;
	case PROGRAM_TOO_LATE:
		fail(j, FAULT_LATER, "the command took longer than %d seconds",
		    COMMAND_MS / 1000);
		break;
	case PROGRAM_TOO_MUCH:
		fail(j, FAULT_NEVER, "the command printed more than %d bytes",
		    CREDENTIAL_MAX);
		break;
	case PROGRAM_LOST:
		fail(j, FAULT_LATER, "how the command ended is not known: %s",
		    strerror(r->value));
		break;
	}
	j->n = r->output.n;
	memcpy(j->bytes, r->output.p, j->n);
	answer(j);
}

static void
start_command(struct credential_job *j, char **argv)
{
	struct program_terms t = {
		.argv = argv,
		.limit_ms = COMMAND_MS,
		.output_max = CREDENTIAL_MAX,
	};
	int error;

	j->program = program_start(j->loop, &t, on_command, j, &error);
	/* Too few processes or descriptors pass; a missing program does not. */
	if (j->program == NULL)
		fail(j,
		    error == EAGAIN || error == EMFILE || error == ENFILE
			? FAULT_LATER
			: FAULT_NEVER,
		    "cannot run %s: %s", argv[0], strerror(error));
}

static void
fetch_command(struct credential_job *j, const char *command)
{
	char *words = mem_strdup(command);
	char **argv = mem_array(strlen(command) / 2 + 2, sizeof(*argv));

	if (!split_words(words, argv))
		fail(j, FAULT_NEVER, "command: has a quote that is not closed");
	else if (argv[0] == NULL || argv[0][0] != '/')
		fail(j, FAULT_NEVER,
		    "command: begins with the absolute path of a program");
	else
		start_command(j, argv);
	free(argv);
	free(words);
}

/* ------------------------------------------------------------------------- */

static void
on_timer(void *arg)
{
	answer(arg);
}

struct scheme {
	const char *prefix;
	void (*fetch)(struct credential_job *j, const char *rest);
};

static const struct scheme schemes[] = {
	{ "credential:", fetch_credential },
	{ "file:", fetch_file },
	{ "command:", fetch_command },
	{ "env:", fetch_env },
	{ NULL, NULL },
};

struct credential_job *
credential_fetch(struct loop *l, const char *reference,
    void (*done)(void *arg, struct secret *secret, const struct fault *f),
    void *arg)
{
	struct credential_job *j = mem_alloc(sizeof(*j));
	const struct scheme *s = schemes;

	j->loop = l;
	j->done = done;
	j->arg = arg;
	timer_init(&j->timer, l, on_timer, j);
	while (s->prefix != NULL &&
	       strncmp(reference, s->prefix, strlen(s->prefix)) != 0)
		s++;
	/* Who knows what it is: a password itself, perhaps. */
	if (s->prefix == NULL)
		fail(j, FAULT_NEVER,
		    "the reference to the secret has no "
		    "scheme");
	else
		s->fetch(j, reference + strlen(s->prefix));
	if (j->program == NULL)
		timer_set(&j->timer, 0);
	return j;
}

void
credential_cancel(struct credential_job **job)
{
	struct credential_job *j = *job;

	if (j == NULL)
		return;
	*job = NULL;
	job_free(j);
}
