/* SPDX-License-Identifier: ISC */
#include "auth/credential.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/loop.h"

#define COMMAND_MS 30000
#define REAP_MS 20 /* between two looks at a child that is about to end */
#define PHASE "credential"

enum stage {
	STAGE_READY,   /* the answer is known and waits for the loop */
	STAGE_READING, /* the command runs and may print */
	STAGE_REAPING, /* its output is complete or it was killed */
};

struct credential_job {
	struct loop *loop;
	void (*done)(void *arg, struct secret *secret, const struct fault *f);
	void *arg;
	enum stage stage;
	struct timer timer;
	struct watch output;
	int fd;    /* of the command's output, -1: none */
	pid_t pid; /* 0: none, or reaped */
	int64_t deadline;
	bool failed;
	struct fault fault;
	size_t n;
	char bytes[CREDENTIAL_MAX + 1]; /* one more tells "too long" */
};

extern char **environ;

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
close_output(struct credential_job *j)
{
	watch_free(&j->output);
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
}

static void
job_free(struct credential_job *j)
{
	close_output(j);
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
	char *plain, *from_directory;

	if (dir == NULL || *name == '\0' || strchr(name, '/') != NULL) {
		fail(j, FAULT_NEVER,
		    dir == NULL ? "CREDENTIALS_DIRECTORY is not set; systemd "
				  "sets it for a unit with LoadCredential="
				: "credential: wants a plain name");
		return;
	}
	if (asprintf(&plain, "%s/%s", dir, name) < 0 ||
	    asprintf(&from_directory, "%s/mailhaul.secrets_%s", dir, name) < 0)
		abort();
	if (!read_file(j, plain) && !read_file(j, from_directory))
		fail(j, FAULT_NEVER,
		    "there is neither %s nor %s; name the secret in a "
		    "LoadCredential= of the unit, or put it into "
		    "/etc/mailhaul/secrets, and restart mailhauld",
		    plain, from_directory);
	free(plain);
	free(from_directory);
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

/* A process group of its own, so that what it starts dies with it, and none of
 * our signal settings. */
static void
spawn_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_init(attr);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setsigdefault(attr, &all);
	posix_spawnattr_setpgroup(attr, 0);
	posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK |
					   POSIX_SPAWN_SETSIGDEF |
					   POSIX_SPAWN_SETPGROUP);
}

/* Returns an errno. */
static int
spawn(char **argv, int out, pid_t *pid_r)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int rc;

	spawn_attributes(&attr);
	posix_spawn_file_actions_init(&files);
	/* First: out may be one of the other two. */
	posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	posix_spawn_file_actions_addopen(
	    &files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(
	    &files, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	/* Whatever a library forgot to mark. */
	posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
	rc = posix_spawn(pid_r, argv[0], &files, &attr, argv, environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

static void
kill_command(struct credential_job *j)
{
	if (j->pid > 0)
		kill(-j->pid, SIGKILL);
}

static void
judge_exit(struct credential_job *j, int status)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
		fail(j, FAULT_LATER, "the command ended with exit code %d",
		    WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		fail(j, FAULT_LATER, "the command was ended by signal %d",
		    WTERMSIG(status));
}

static void
out_of_time(struct credential_job *j)
{
	fail(j, FAULT_LATER, "the command took longer than %d seconds",
	    COMMAND_MS / 1000);
	kill_command(j);
}

/* Without a handler for SIGCHLD, which would be the whole program's. */
static void
reap(struct credential_job *j)
{
	int status = 0;
	pid_t r = waitpid(j->pid, &status, WNOHANG);

	if (r == 0) {
		if (loop_now_ms(j->loop) >= j->deadline)
			out_of_time(j);
		timer_set(&j->timer, REAP_MS);
		return;
	}
	j->pid = 0;
	if (r < 0)
		fail(j, FAULT_LATER, "how the command ended is not known: %s",
		    strerror(errno));
	else
		judge_exit(j, status);
	answer(j);
}

static void
output_over(struct credential_job *j)
{
	close_output(j);
	j->stage = STAGE_REAPING;
	reap(j);
}

static void
on_output(void *arg)
{
	struct credential_job *j = arg;
	ssize_t got = read(j->fd, j->bytes + j->n, sizeof(j->bytes) - j->n);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0)
		j->n += (size_t)got;
	if (j->n > CREDENTIAL_MAX) {
		fail(j, FAULT_NEVER, "the command printed more than %d bytes",
		    CREDENTIAL_MAX);
		kill_command(j);
	}
	if (got <= 0 || j->failed)
		output_over(j);
}

static void
on_timer(void *arg)
{
	struct credential_job *j = arg;

	switch (j->stage) {
	case STAGE_READY:
		answer(j);
		break;
	case STAGE_READING:
		out_of_time(j);
		output_over(j);
		break;
	case STAGE_REAPING:
		reap(j);
		break;
	}
}

static void
start_command(struct credential_job *j, char **argv)
{
	int fds[2], rc;

	if (pipe2(fds, O_CLOEXEC) != 0) {
		fail(j, FAULT_LATER, "no pipe: %s", strerror(errno));
		return;
	}
	rc = spawn(argv, fds[1], &j->pid);
	close(fds[1]);
	if (rc != 0) {
		close(fds[0]);
		j->pid = 0;
		fail(
		    j, FAULT_NEVER, "cannot run %s: %s", argv[0], strerror(rc));
		return;
	}
	/* Our end only: the program may not expect EAGAIN. */
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	j->fd = fds[0];
	j->stage = STAGE_READING;
	j->deadline = loop_now_ms(j->loop) + COMMAND_MS;
	watch_init(&j->output, j->loop, j->fd, WATCH_READ, on_output, j);
	watch_set(&j->output, true);
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
	j->fd = -1;
	j->stage = STAGE_READY;
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
	timer_set(&j->timer, j->stage == STAGE_READING ? COMMAND_MS : 0);
	return j;
}

void
credential_cancel(struct credential_job **job)
{
	struct credential_job *j = *job;

	if (j == NULL)
		return;
	*job = NULL;
	/* Killed, so this does not wait. */
	kill_command(j);
	if (j->pid > 0)
		(void)waitpid(j->pid, NULL, 0);
	job_free(j);
}
