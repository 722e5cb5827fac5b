/* SPDX-License-Identifier: ISC */
#include "net/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "net/loop.h"

#define REAP_MS 20 /* between two looks at a child that is about to end */

struct program {
	struct loop *loop; /* foreign */
	void (*done)(void *arg, const struct program_result *r);
	void *arg;
	struct timer timer;
	struct watch output;
	int fd;    /* its standard output; -1: that is over */
	pid_t pid; /* 0: reaped */
	int64_t deadline;
	struct program_result result;
	bool judged; /* result says why it was killed */
	size_t n, max;
	char *bytes; /* owned; room for one more, which tells "too much" */
};

extern char **environ;

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
spawn(const struct program_terms *t, int out, pid_t *pid_r)
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
	rc = posix_spawn(pid_r, t->argv[0], &files, &attr, t->argv,
	    t->env != NULL ? t->env : environ);
	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attr);
	return rc;
}

static void
close_output(struct program *p)
{
	watch_free(&p->output);
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

static void
program_free(struct program *p)
{
	close_output(p);
	timer_free(&p->timer);
	secret_wipe(p->bytes, p->max + 1);
	free(p->bytes);
	free(p);
}

static void
finish(struct program *p)
{
	p->result.output = span_make(p->bytes, p->n);
	p->done(p->arg, &p->result);
	program_free(p);
}

static void
stop(struct program *p, enum program_end end)
{
	/* The first reason is the reason. */
	if (!p->judged)
		p->result.end = end;
	p->judged = true;
	if (p->pid > 0)
		kill(-p->pid, SIGKILL);
}

static void
judge_exit(struct program *p, int status)
{
	if (p->judged)
		return;
	p->result.end =
	    WIFSIGNALED(status) ? PROGRAM_SIGNALLED : PROGRAM_EXITED;
	p->result.value =
	    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

/* Without a handler for SIGCHLD, which would be the whole program's. */
static void
reap(struct program *p)
{
	int status = 0;
	pid_t r = waitpid(p->pid, &status, WNOHANG);

	if (r == 0) {
		if (loop_now_ms(p->loop) >= p->deadline)
			stop(p, PROGRAM_TOO_LATE);
		timer_set(&p->timer, REAP_MS);
		return;
	}
	p->pid = 0;
	if (r > 0)
		judge_exit(p, status);
	else if (!p->judged)
		p->result = (struct program_result){ .end = PROGRAM_LOST,
			.value = errno };
	finish(p);
}

static void
output_over(struct program *p)
{
	close_output(p);
	reap(p);
}

static void
on_output(void *arg)
{
	struct program *p = arg;
	char waste[4096];
	char *to = p->max > 0 ? p->bytes + p->n : waste;
	size_t room = p->max > 0 ? p->max + 1 - p->n : sizeof(waste);
	ssize_t got = read(p->fd, to, room);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0 && p->max > 0)
		p->n += (size_t)got;
	if (p->n > p->max) {
		p->n = 0;
		stop(p, PROGRAM_TOO_MUCH);
	}
	if (got <= 0 || p->judged)
		output_over(p);
}

static void
on_timer(void *arg)
{
	struct program *p = arg;

	if (p->fd < 0) {
		reap(p);
		return;
	}
	stop(p, PROGRAM_TOO_LATE);
	output_over(p);
}

struct program *
program_start(struct loop *l, const struct program_terms *t,
    void (*done)(void *arg, const struct program_result *r), void *arg,
    int *error_r)
{
	struct program *p;
	int fds[2];
	pid_t pid = 0;

	if (pipe2(fds, O_CLOEXEC) != 0) {
		*error_r = errno;
		return NULL;
	}
	*error_r = spawn(t, fds[1], &pid);
	close(fds[1]);
	if (*error_r != 0) {
		close(fds[0]);
		return NULL;
	}
	/* Our end only: the program may not expect EAGAIN. */
	(void)fcntl(fds[0], F_SETFL, O_NONBLOCK);
	p = mem_alloc(sizeof(*p));
	p->loop = l;
	p->done = done;
	p->arg = arg;
	p->fd = fds[0];
	p->pid = pid;
	p->max = t->output_max;
	p->bytes = mem_array(p->max + 1, 1);
	p->deadline = loop_now_ms(l) + t->limit_ms;
	timer_init(&p->timer, l, on_timer, p);
	timer_set(&p->timer, t->limit_ms);
	watch_init(&p->output, l, p->fd, WATCH_READ, on_output, p);
	watch_set(&p->output, true);
	return p;
}

void
program_cancel(struct program **program)
{
	struct program *p = *program;

	*program = NULL;
	if (p == NULL)
		return;
	/* Killed, so this does not wait. */
	stop(p, PROGRAM_LOST);
	if (p->pid > 0)
		(void)waitpid(p->pid, NULL, 0);
	program_free(p);
}
