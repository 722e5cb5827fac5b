/* SPDX-License-Identifier: ISC */
/*
 * A secret that only this machine's systemd can read (systemd-creds(1)).  It
 * goes to that program over a pipe, never as an argument.
 */
#include "cli/setup_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/secret.h"

#define PROGRAM "/usr/bin/systemd-creds"

bool
setup_can_seal(void)
{
	return geteuid() == 0 && access("/run/systemd/system", F_OK) == 0 &&
	       access(PROGRAM, X_OK) == 0;
}

static bool
spawn(char *const *argv, int in, int out, pid_t *pid_r)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none;
	bool ok;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	ok =
	    posix_spawn_file_actions_adddup2(&files, in, STDIN_FILENO) == 0 &&
	    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO) == 0 &&
	    posix_spawnattr_setsigmask(&attr, &none) == 0 &&
	    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK) == 0 &&
	    posix_spawn(pid_r, PROGRAM, &files, &attr, argv, environ) == 0;
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return ok;
}

/* A secret has room in a pipe, so nobody waits for anybody. */
static bool
pour(int fd, const struct secret *secret)
{
	struct span s = secret_reveal(secret);

	return write(fd, s.p, s.n) == (ssize_t)s.n;
}

bool
setup_seal(const char *name, const struct secret *secret, int out)
{
	char option[128];
	char *argv[] = { (char[]){ PROGRAM }, (char[]){ "encrypt" }, option,
		(char[]){ "-" }, (char[]){ "-" }, NULL };
	int ends[2], status = -1;
	bool ok;
	pid_t pid;

	/* The name is sealed in, so that none can stand in for another. */
	snprintf(option, sizeof(option), "--name=mailhaul.sealed_%s", name);
	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	ok = pour(ends[1], secret) && spawn(argv, ends[0], out, &pid);
	close(ends[0]);
	close(ends[1]);
	while (ok && waitpid(pid, &status, 0) < 0)
		ok = errno == EINTR;
	return ok && WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
	       fsync(out) == 0;
}
