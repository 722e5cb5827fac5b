/* SPDX-License-Identifier: ISC */
/*
 * A test of what was set up, before the service has its secrets: systemd hands
 * them over when it starts, and what is sealed only systemd can read.  So they
 * are put into a folder in memory as systemd would do it, for as long as the
 * test takes.
 */
#include "cli/setup_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"

/* In memory, and root's alone. */
#define FOLDER "/run/mailhaul-setup-XXXXXX"

/* An account or a destination; only what has a new password is tested. */
struct part {
	const char *name;
	const struct secret *secret; /* NULL: none */
};

static bool
put(int folder, const struct part *p)
{
	struct span s = secret_reveal(p->secret);
	int fd = openat(
	    folder, p->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, s.p, s.n) == (ssize_t)s.n;

	if (fd >= 0)
		close(fd);
	return ok;
}

/* Not by the daemon, which has no such secret, and without the state, which
 * has nothing of a new account. */
static int
check(const struct setup *s, const char *folder, const struct part *parts)
{
	struct cli_options alone = *s->options;
	int code = EX_OK;
	char *nowhere;

	if (asprintf(&nowhere, "%s/.none", folder) < 0)
		abort();
	alone.place =
	    (struct control_place){ .state = nowhere, .own_state = true };
	setenv("CREDENTIALS_DIRECTORY", folder, 1);
	for (int i = 0; i < 2; i++) {
		char *argv[] = { mem_strdup(parts[i].name), NULL };
		int one = parts[i].secret != NULL
		              ? cli_check_online(&alone, 1, argv)
		              : EX_OK;

		if (code == EX_OK)
			code = one;
		free(argv[0]);
	}
	free(nowhere);
	return code;
}

/* In a process of its own, so that an interrupt ends the test and not who
 * cleans up behind it. */
static int
check_apart(const struct setup *s, const char *folder, const struct part *parts)
{
	sigset_t all, old;
	int status = 0, code = EX_OSERR;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, &old, NULL);
		code = check(s, folder, parts);
		fflush(stdout);
		_exit(code);
	}
	if (pid > 0) {
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		code = WIFEXITED(status) ? WEXITSTATUS(status) : EX_TEMPFAIL;
	}
	for (int i = 0; i < 2; i++) {
		char *path;

		if (parts[i].secret == NULL)
			continue;
		if (asprintf(&path, "%s/%s", folder, parts[i].name) < 0)
			abort();
		unlink(path);
		free(path);
	}
	rmdir(folder);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return code;
}

int
setup_rehearse(const struct setup *s)
{
	const struct part parts[] = {
		{ s->answers[SETUP_NAME], s->password.secret },
		{ s->answers[SETUP_TO_NAME], s->to_password.secret },
	};
	char folder[] = FOLDER;
	int fd, code;
	bool ok = true;

	if (mkdtemp(folder) == NULL) {
		perror("mailhaul: /run");
		return EX_CANTCREAT;
	}
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; i < 2 && fd >= 0; i++)
		ok = (parts[i].secret == NULL || put(fd, &parts[i])) && ok;
	if (fd < 0 || !ok)
		perror("mailhaul: /run");
	code = check_apart(s, folder, parts);
	if (fd >= 0)
		close(fd);
	return code;
}
