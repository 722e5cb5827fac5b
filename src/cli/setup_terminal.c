/* SPDX-License-Identifier: ISC */
/*
 * Lines are read a byte at a time: what comes behind them is somebody else's,
 * and of a secret nothing stays in a buffer of stdio.
 */
#include "cli/setup_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "auth/credential.h"
#include "base/mem.h"
#include "base/secret.h"

struct line {
	char text[CREDENTIAL_MAX + 1];
	size_t n;
};

/* signals: readable when one came; -1: none is waited for.  False: the input
 * has ended, or is not a line. */
static bool
read_line(int fd, int signals, struct line *l)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	for (l->n = 0;;) {
		ssize_t got;
		char c;

		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return false;
		if (p[1].revents != 0)
			return false;
		if (p[0].revents == 0)
			continue;
		got = read(fd, &c, 1);
		if (got < 0 && errno == EINTR)
			continue;
		/* A last line may lack its end. */
		if (got <= 0)
			return got == 0 && l->n > 0;
		if (c == '\n')
			break;
		if (l->n == sizeof(l->text) - 1)
			return false;
		l->text[l->n++] = c;
	}
	if (l->n > 0 && l->text[l->n - 1] == '\r')
		l->n--;
	return true;
}

static void
show(const char *prompt)
{
	fputs(prompt, stderr);
	fflush(stderr);
}

char *
setup_line(const char *prompt)
{
	struct line l;
	size_t begin = 0;

	show(prompt);
	if (!read_line(STDIN_FILENO, -1, &l) ||
	    memchr(l.text, '\0', l.n) != NULL)
		return NULL;
	while (l.n > 0 && l.text[l.n - 1] == ' ')
		l.n--;
	while (begin < l.n && l.text[begin] == ' ')
		begin++;
	l.text[l.n] = '\0';
	return mem_strdup(l.text + begin);
}

/* Wipes the line. */
static struct secret *
secret_of(struct line *l, bool ok)
{
	struct secret *s = NULL;

	if (ok && l->n > 0)
		s = secret_new(span_make(l->text, l->n));
	secret_wipe(l, sizeof(*l));
	return s;
}

/* A signal in the middle must not leave a terminal without an echo: they wait
 * until it is back. */
static bool
read_hidden(struct line *l)
{
	struct termios before, hidden;
	sigset_t mine, old;
	bool ok, tty;
	int signals;

	sigemptyset(&mine);
	sigaddset(&mine, SIGINT);
	sigaddset(&mine, SIGTERM);
	sigaddset(&mine, SIGHUP);
	sigaddset(&mine, SIGQUIT);
	sigaddset(&mine, SIGTSTP);
	sigprocmask(SIG_BLOCK, &mine, &old);
	signals = signalfd(-1, &mine, SFD_CLOEXEC);
	tty = tcgetattr(STDIN_FILENO, &before) == 0;
	if (tty) {
		hidden = before;
		hidden.c_lflag &= ~(tcflag_t)ECHO;
		hidden.c_lflag |= ECHONL;
		ok = tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden) == 0;
	} else {
		ok = true;
	}
	ok = ok && signals >= 0 && read_line(STDIN_FILENO, signals, l);
	if (tty)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	if (signals >= 0)
		close(signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return ok;
}

struct secret *
setup_secret_line(const char *prompt)
{
	struct line l;
	bool ok;

	if (*prompt != '\0')
		show(prompt);
	ok = read_hidden(&l);
	return secret_of(&l, ok);
}

struct secret *
setup_secret_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct secret *s;
	struct line l;
	bool ok;

	if (fd < 0)
		return NULL;
	errno = 0;
	ok = read_line(fd, -1, &l);
	s = secret_of(&l, ok);
	close(fd);
	return s;
}
