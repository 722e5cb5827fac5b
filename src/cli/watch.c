/* SPDX-License-Identifier: ISC */
#include "cli/watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/canvas.h"

#define ENTER "\033[?1049h\033[?25l" /* the other screen, no cursor */
#define LEAVE "\033[?25h\033[?1049l"

/* A terminal is one a process; a signal handler can reach nothing else. */
static struct termios before;
static volatile sig_atomic_t quitting, suspended;

static void
on_signal(int number)
{
	if (number == SIGTSTP)
		suspended = 1;
	else if (number != SIGWINCH)
		quitting = 1;
}

static void
say(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t done = write(STDOUT_FILENO, p, n);

		if (done < 0 && errno != EINTR && errno != EAGAIN) {
			quitting = 1; /* nobody is there any more */
			return;
		}
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		}
	}
}

static void
enter(void)
{
	struct termios raw = before;

	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	say(ENTER, strlen(ENTER));
}

static void
leave(void)
{
	say(LEAVE, strlen(LEAVE));
	tcsetattr(STDIN_FILENO, TCSADRAIN, &before);
}

bool
watch_open(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT,
		SIGWINCH, SIGTSTP };
	struct sigaction sa = { .sa_handler = on_signal };

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) ||
	    tcgetattr(STDIN_FILENO, &before) != 0)
		return false;
	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		sigaction(signals[i], &sa, NULL);
	enter();
	return true;
}

void
watch_close(void)
{
	leave();
}

unsigned
watch_size(struct canvas *c)
{
	struct winsize ws = { 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) != 0 || ws.ws_col == 0 ||
	    ws.ws_row == 0) {
		ws.ws_col = 80;
		ws.ws_row = 24;
	}
	c->width = ws.ws_col;
	return ws.ws_row;
}

/* One write, and nothing is cleared that is not drawn over: no flicker. */
void
watch_draw(const struct canvas *c, unsigned rows, unsigned top)
{
	char *frame = NULL;
	size_t size;
	FILE *out = open_memstream(&frame, &size);

	if (out == NULL)
		abort();
	fputs("\033[H", out);
	for (unsigned i = 0; i < rows; i++) {
		if (top + i < c->nlines)
			fputs(c->lines[top + i], out);
		fputs(i + 1 < rows ? "\033[K\r\n" : "\033[K", out);
	}
	if (fclose(out) != 0)
		abort();
	say(frame, size);
	free(frame);
}

static void
suspend(void)
{
	suspended = 0;
	leave();
	raise(SIGSTOP);
	enter();
}

static enum watch_key
read_key(void)
{
	char keys[16];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n <= 0)
		return n < 0 && errno == EINTR ? WATCH_NOTHING : WATCH_QUIT;
	if (n >= 3 && memcmp(keys, "\033[A", 3) == 0)
		return WATCH_UP;
	if (n >= 3 && memcmp(keys, "\033[B", 3) == 0)
		return WATCH_DOWN;
	switch (keys[0]) {
	case 'q':
	case 'Q':
		return WATCH_QUIT;
	case 'k':
		return WATCH_UP;
	case 'j':
		return WATCH_DOWN;
	default:
		return WATCH_NOTHING;
	}
}

enum watch_key
watch_wait(int ms)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	int ready;

	if (quitting)
		return WATCH_QUIT;
	ready = poll(&p, 1, ms);
	if (suspended)
		suspend();
	if (quitting)
		return WATCH_QUIT;
	return ready > 0 ? read_key() : WATCH_NOTHING;
}
