/* SPDX-License-Identifier: ISC */
#include "net/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/loop.h"
#include "net/resolve.h"

#define STAGGER_MS 250

struct attempt {
	struct dial *dial;
	int fd; /* -1: none */
	struct watch writable;
};

struct dial {
	struct loop *loop;           /* foreign */
	struct resolve_job *resolve; /* NULL: answered */
	struct timer stagger;
	char *host; /* owned */
	unsigned port;
	void (*done)(void *arg, int fd, const struct fault *f);
	void (*named)(void *arg, const struct resolve_address *list, size_t n);
	void *arg;
	struct resolve_address list[RESOLVE_MAX];
	struct attempt attempts[RESOLVE_MAX];
	size_t n, next, open;
	int error; /* errno of the last failure */
	char failed_at[64];
};

static void
drop_attempt(struct attempt *a)
{
	if (a->fd < 0)
		return;
	watch_free(&a->writable);
	close(a->fd);
	a->fd = -1;
	a->dial->open--;
}

static void
dial_free(struct dial *d)
{
	resolve_cancel(&d->resolve);
	timer_free(&d->stagger);
	for (size_t i = 0; i < d->next; i++)
		drop_attempt(&d->attempts[i]);
	free(d->host);
	free(d);
}

void
dial_watch(struct dial *d,
    void (*named)(void *arg, const struct resolve_address *list, size_t n))
{
	d->named = named;
}

void
dial_cancel(struct dial **d)
{
	if (*d != NULL)
		dial_free(*d);
	*d = NULL;
}

static void
finish(struct dial *d, int fd)
{
	struct fault f;

	if (fd < 0) {
		fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "connect",
		    "cannot connect to %s port %u (%s): %s", d->host, d->port,
		    d->failed_at, strerror(d->error));
		f.cause = FAULT_CAUSE_CONNECT;
		f.hint =
		    d->error == ECONNREFUSED
			? "nothing listens on that port: check host and port"
			: "check that this machine has network";
	}
	d->done(d->arg, fd, &f);
	dial_free(d);
}

static void try_next(struct dial *d);

static void
note_failure(struct dial *d, size_t i, int error)
{
	char text[NI_MAXHOST];

	d->error = error;
	if (getnameinfo((struct sockaddr *)&d->list[i].addr, d->list[i].len,
		text, sizeof(text), NULL, 0, NI_NUMERICHOST) != 0)
		text[0] = '\0';
	ascii_clean(d->failed_at, sizeof(d->failed_at), text, strlen(text));
}

static void
on_writable(void *arg)
{
	struct attempt *a = arg;
	struct dial *d = a->dial;
	int error = 0, fd;
	socklen_t len = sizeof(error);

	if (getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0) {
		note_failure(d, (size_t)(a - d->attempts), error);
		drop_attempt(a);
		try_next(d);
		return;
	}
	fd = a->fd;
	watch_free(&a->writable);
	a->fd = -1;
	d->open--;
	finish(d, fd);
}

/* Keepalive finds a peer that went away while we wait for nothing; the user
 * timeout finds one that went away while our bytes are on the wire. */
static void
tune(int fd)
{
	int on = 1, idle = 60, interval = 15, count = 4;
	unsigned ms = 120 * 1000;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof(ms));
}

static bool
start_attempt(struct dial *d, size_t i)
{
	struct attempt *a = &d->attempts[i];
	const struct sockaddr *addr = (const struct sockaddr *)&d->list[i].addr;
	int fd = socket(addr->sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);

	a->dial = d;
	a->fd = -1;
	if (fd < 0) {
		note_failure(d, i, errno);
		return false;
	}
	tune(fd);
	if (connect(fd, addr, d->list[i].len) != 0 && errno != EINPROGRESS) {
		note_failure(d, i, errno);
		close(fd);
		return false;
	}
	a->fd = fd;
	d->open++;
	watch_init(&a->writable, d->loop, fd, WATCH_WRITE, on_writable, a);
	watch_set(&a->writable, true);
	return true;
}

static void
try_next(struct dial *d)
{
	timer_cancel(&d->stagger);
	while (d->next < d->n) {
		size_t i = d->next++;

		if (start_attempt(d, i)) {
			if (d->next < d->n)
				timer_set(&d->stagger, STAGGER_MS);
			return;
		}
	}
	if (d->open == 0)
		finish(d, -1);
}

static void
on_stagger(void *arg)
{
	try_next(arg);
}

/* The families in turn, beginning with the one that the resolver put first:
 * with a black hole behind one family, the other is 250 ms away. */
static void
interleave(struct dial *d, const struct resolve_address *list, size_t n)
{
	sa_family_t want = list[0].addr.ss_family;
	bool used[RESOLVE_MAX] = { false };

	while (d->n < n) {
		size_t pick = n;

		for (size_t i = 0; i < n; i++) {
			if (used[i])
				continue;
			if (pick == n || list[i].addr.ss_family == want)
				pick = i;
			if (list[i].addr.ss_family == want)
				break;
		}
		used[pick] = true;
		d->list[d->n++] = list[pick];
		want =
		    list[pick].addr.ss_family == AF_INET ? AF_INET6 : AF_INET;
	}
}

static void
on_resolved(void *arg, const struct resolve_address *list, size_t n,
    const struct fault *f)
{
	struct dial *d = arg;

	d->resolve = NULL;
	if (n == 0) {
		d->done(d->arg, -1, f);
		dial_free(d);
		return;
	}
	if (d->named != NULL)
		d->named(d->arg, list, n);
	interleave(d, list, n);
	try_next(d);
}

struct dial *
dial_start(struct loop *l, struct resolver *r, const char *host, unsigned port,
    void (*done)(void *arg, int fd, const struct fault *f), void *arg)
{
	struct dial *d = mem_alloc(sizeof(*d));

	d->loop = l;
	d->host = mem_strdup(host);
	d->port = port;
	d->done = done;
	d->arg = arg;
	timer_init(&d->stagger, l, on_stagger, d);
	d->resolve = resolve_start(r, host, port, on_resolved, d);
	return d;
}
