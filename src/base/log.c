/* SPDX-License-Identifier: ISC */
/*
 * The journal is spoken to in its documented native protocol, a datagram of
 * FIELD=value lines.  sd_journal_sendv() would do, but its socket blocks: a
 * journald that hangs would stop the event loop.
 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ascii.h"
#include "base/buf.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define FIELD_MAX 256     /* of a value; longer ones are cut */
#define DATAGRAM_MAX 8192 /* more than all fields at their longest */

/* What a write to it could do to us. */
enum out_kind {
	OUT_UNKNOWN,  /* it may block: asked before each write */
	OUT_SOCKET,   /* has a flag against that, and one against SIGPIPE */
	OUT_HARMLESS, /* a file, or a descriptor of our own that never blocks */
};

static struct {
	int max_priority;
	int journal; /* socket, -1: none */
	int out;     /* stderr, or the same place opened again */
	enum out_kind kind;
	pthread_mutex_t lock; /* from poll() to write() */
	atomic_uint_fast64_t dropped;
} sink = {
	.max_priority = LOG_INFO,
	.journal = -1,
	.out = STDERR_FILENO,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

/* systemd names the device and inode that it gave us as stderr; when they are
 * no longer those of stderr, somebody redirected us and wants plain lines. */
static bool
stderr_is_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct span rest = span_str(stream != NULL ? stream : "");
	struct span dev = span_cut(&rest, ':');
	uint64_t d, i;

	return span_uint(dev, UINT64_MAX, &d) &&
	       span_uint(rest, UINT64_MAX, &i) && d == st->st_dev &&
	       i == st->st_ino;
}

static int
open_journal(void)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX,
		.sun_path = JOURNAL_SOCKET };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&to, sizeof(to))) {
		(void)close(fd);
		fd = -1;
	}
	return fd;
}

void
log_open(int max_priority)
{
	struct stat st;
	int fd;

	sink.max_priority = max_priority;
	if (fstat(STDERR_FILENO, &st) != 0)
		return;
	if (stderr_is_journal(&st))
		sink.journal = open_journal();
	/* O_NONBLOCK belongs to the open file, which we share with our parent:
	 * so a pipe or terminal is opened a second time. */
	if (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode)) {
		fd = open("/proc/self/fd/2",
		    O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd >= 0) {
			sink.out = fd;
			sink.kind = OUT_HARMLESS;
		}
	} else if (S_ISSOCK(st.st_mode)) {
		sink.kind = OUT_SOCKET;
	} else if (S_ISREG(st.st_mode)) {
		sink.kind = OUT_HARMLESS;
	}
}

static ssize_t
write_if_ready(const char *line, size_t n)
{
	struct pollfd pfd = { .fd = sink.out, .events = POLLOUT };
	ssize_t done;

	pthread_mutex_lock(&sink.lock);
	done = poll(&pfd, 1, 0) == 1 ? write(sink.out, line, n) : -1;
	pthread_mutex_unlock(&sink.lock);
	return done;
}

/* There is room for one character behind the text. */
static bool
write_stderr(char *text)
{
	size_t n = strlen(text);
	ssize_t done;

	text[n++] = '\n';
	if (sink.kind == OUT_SOCKET)
		done = send(sink.out, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (sink.kind == OUT_HARMLESS)
		done = write(sink.out, text, n);
	else
		done = write_if_ready(text, n);
	text[n - 1] = '\0';
	return done == (ssize_t)n;
}

/* Cleaned values hold no newline, which is what the protocol asks for. */
static void
add_field(struct buf *b, const char *name, const char *value)
{
	char clean[FIELD_MAX];

	if (value != NULL)
		buf_addf(b, "%s=%s\n", name,
		    ascii_clean(clean, sizeof(clean), value, strlen(value)));
}

static void
add_number(struct buf *b, const char *name, uint64_t value)
{
	if (value != 0)
		buf_addf(b, "%s=%" PRIu64 "\n", name, value);
}

static bool
write_journal(const struct log_event *e, const char *text)
{
	struct span out;
	struct buf b;
	bool done;

	buf_init(&b, DATAGRAM_MAX);
	buf_addf(&b, "MESSAGE=%s\nPRIORITY=%d\n", text, e->priority);
	add_field(&b, "SYSLOG_IDENTIFIER", program_invocation_short_name);
	add_field(&b, "MESSAGE_ID", e->message_id);
	add_field(&b, "MAILHAUL_ACCOUNT", e->account);
	add_field(&b, "MAILHAUL_MAILBOX", e->mailbox);
	add_field(&b, "MAILHAUL_DESTINATION", e->destination);
	add_field(&b, "MAILHAUL_UID", e->uid);
	add_field(&b, "MAILHAUL_TRACE", e->trace);
	add_field(&b, "MAILHAUL_STATE", e->state);
	add_number(&b, "MAILHAUL_ATTEMPT", e->attempt);
	add_number(&b, "MAILHAUL_SMTP_CODE", e->code);
	add_number(&b, "MAILHAUL_BYTES", e->bytes);
	if (e->usec > 0)
		add_number(&b, "MAILHAUL_DURATION_US", (uint64_t)e->usec);
	out = buf_span(&b);
	done = send(sink.journal, out.p, out.n, MSG_NOSIGNAL) >= 0;
	buf_free(&b);
	return done;
}

/* Of the thread that set it, so nobody else looks at it. */
static _Thread_local struct {
	void (*seen)(void *arg, const struct log_event *e, const char *text);
	void *arg;
} tap;

void
log_tap(void (*seen)(void *arg, const struct log_event *e, const char *text),
    void *arg)
{
	tap.seen = seen;
	tap.arg = arg;
}

__attribute__((format(printf, 2, 0))) static void
emit(const struct log_event *e, const char *fmt, va_list ap)
{
	char raw[LOG_LINE_MAX + 1], text[LOG_LINE_MAX + 1];
	int saved = errno; /* logging is no reason to lose the reason */
	int n = vsnprintf(raw, sizeof(raw), fmt, ap);
	size_t len = n < 0 ? 0 : (size_t)n;
	bool done;

	if (len >= sizeof(raw))
		len = sizeof(raw) - 1;
	ascii_clean(text, LOG_LINE_MAX, raw, len);
	done = sink.journal >= 0 ? write_journal(e, text) : write_stderr(text);
	if (!done)
		atomic_fetch_add(&sink.dropped, 1);
	if (tap.seen != NULL)
		tap.seen(tap.arg, e, text);
	errno = saved;
}

void
log_event(const struct log_event *e, const char *fmt, ...)
{
	va_list ap;

	if (!log_wants(e->priority))
		return;
	va_start(ap, fmt);
	emit(e, fmt, ap);
	va_end(ap);
}

void
log_line(int priority, const char *fmt, ...)
{
	struct log_event e = { .priority = priority };
	va_list ap;

	if (!log_wants(priority))
		return;
	va_start(ap, fmt);
	emit(&e, fmt, ap);
	va_end(ap);
}

bool
log_wants(int priority)
{
	return priority <= sink.max_priority;
}

uint64_t
log_dropped(void)
{
	return atomic_load(&sink.dropped);
}
