/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into mailhauld: its clock stands while anything happens, and leaps
 * on when nothing does and nobody owes an answer, so that hours pass in
 * seconds and no deadline is missed because a machine is busy.
 *
 *   CLOCK_FILE  shared with the test: struct shared
 *
 * All clocks of the process go by it; the wall clock also jumps as the test
 * says.  Only the thread that waits for events makes it leap.  A peer owes an
 * answer from the handshake, or what was written last, to what is read next;
 * a connection without TLS is not looked at.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define QUIET 20          /* real milliseconds without an event */
#define LEAP (60 * 1000)  /* milliseconds that it leaps at most at a time */
#define SESSIONS_MAX 4096 /* TLS sessions at a time */

struct shared {
	_Atomic int64_t jump;     /* in: seconds, of the wall clock */
	_Atomic int64_t gate;     /* in: milliseconds, no further for now */
	_Atomic int64_t elapsed;  /* out: milliseconds since the start */
	_Atomic int64_t quiet;    /* out: looks at the gate that saw nothing */
	_Atomic int64_t wakeups;  /* out: of the loop */
	_Atomic int64_t idles;    /* out: IDLE commands written */
	_Atomic int64_t sessions; /* out: TLS handshakes begun */
};

static struct shared *shared;
static struct timespec wall, monotonic; /* at the start */
static const void *owing[SESSIONS_MAX];
static unsigned debts;

static void *
real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}

__attribute__((constructor)) static void
begin(void)
{
	int (*get)(clockid_t, struct timespec *) =
	    (int (*)(clockid_t, struct timespec *))real("clock_gettime");
	const char *path = getenv("CLOCK_FILE");
	int fd = path != NULL ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	get(CLOCK_REALTIME, &wall);
	get(CLOCK_MONOTONIC, &monotonic);
	if (fd < 0)
		return;
	p = mmap(
	    NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (p != MAP_FAILED)
		shared = p;
}

/* --- what the time is */

static void
later(struct timespec *ts, const struct timespec *start, int64_t jump)
{
	int64_t ms = shared->elapsed;

	*ts = *start;
	ts->tv_sec += (time_t)(ms / 1000 + jump);
	ts->tv_nsec += (long)(ms % 1000) * 1000000;
	if (ts->tv_nsec >= 1000000000) {
		ts->tv_nsec -= 1000000000;
		ts->tv_sec++;
	}
}

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		if (shared == NULL)
			break;
		later(ts, &wall, shared->jump);
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
		if (shared == NULL)
			break;
		later(ts, &monotonic, 0);
		return 0;
	default:
		break;
	}
	return ((int (*)(clockid_t, struct timespec *))real("clock_gettime"))(
	    clock, ts);
}

time_t
time(time_t *t)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict tz)
{
	struct timespec ts;

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = (suseconds_t)(ts.tv_nsec / 1000);
	return 0;
}

/* --- who owes an answer */

static void
owes(const void *session, bool does)
{
	size_t i = 0, unused = SESSIONS_MAX;

	while (i < SESSIONS_MAX && owing[i] != session) {
		if (owing[i] == NULL && unused == SESSIONS_MAX)
			unused = i;
		i++;
	}
	if (does && i == SESSIONS_MAX && unused < SESSIONS_MAX) {
		owing[unused] = session;
		debts++;
	} else if (!does && i < SESSIONS_MAX) {
		owing[i] = NULL;
		debts--;
	}
}

int
SSL_do_handshake(void *session)
{
	owes(session, true);
	return ((int (*)(void *))real("SSL_do_handshake"))(session);
}

int
SSL_write(void *session, const void *buf, int n)
{
	int done = ((int (*)(void *, const void *, int))real("SSL_write"))(
	    session, buf, n);

	if (done > 0)
		owes(session, true);
	if (done > 0 && shared != NULL &&
	    memmem(buf, (size_t)done, "IDLE\r\n", 6) != NULL)
		shared->idles++;
	return done;
}

int
SSL_read(void *session, void *buf, int n)
{
	int done =
	    ((int (*)(void *, void *, int))real("SSL_read"))(session, buf, n);

	if (done > 0)
		owes(session, false);
	return done;
}

void *
SSL_new(void *context)
{
	if (shared != NULL)
		shared->sessions++;
	return ((void *(*)(void *))real("SSL_new"))(context);
}

void
SSL_free(void *session)
{
	if (session != NULL)
		owes(session, false);
	((void (*)(void *))real("SSL_free"))(session);
}

/* --- how it passes */

/* True when that was all that may pass now. */
static bool
leap(int64_t *left)
{
	int64_t room = shared->gate - shared->elapsed;
	int64_t n = LEAP;

	if (debts > 0)
		return false;
	if (room <= 0) {
		shared->quiet++;
		return false;
	}
	if (room < n)
		n = room;
	if (*left >= 0 && *left < n)
		n = *left;
	shared->elapsed += n;
	if (*left >= 0)
		*left -= n;
	return *left == 0;
}

int
epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
	int (*wait)(int, struct epoll_event *, int, int) =
	    (int (*)(int, struct epoll_event *, int, int))real("epoll_wait");
	int64_t left = timeout;
	int n;

	if (shared == NULL)
		return wait(fd, events, max, timeout);
	shared->wakeups++;
	if (timeout == 0)
		return wait(fd, events, max, 0);
	for (;;) {
		n = wait(fd, events, max, QUIET);
		if (n != 0 || leap(&left))
			return n;
	}
}
