/* SPDX-License-Identifier: ISC */
/*
 * A line of a given length: what a packet says at one end is heard at the other
 * DELAY microseconds later.  Order is kept, nothing is lost, any number of
 * packets is under way.  (The work of tc netem, which few kernels of virtual
 * machines have.)
 *
 *   link PID-A PID-B DELAY
 *
 * makes a TUN device "cable" in the network namespace of each process and
 * prints "up"; giving it addresses is for who started us.  Needs root.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define UNDER_WAY_MAX 65536
#define BURST 64

struct packet {
	long long due; /* ns */
	size_t len;
	char *data; /* owned */
};

/* One direction: a ring of what is under way. */
struct way {
	unsigned first, count;
	struct packet ring[UNDER_WAY_MAX];
};

static struct way ways[2];
static int ends[2];
static long long delay;

_Noreturn static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static long long
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec;
}

/* A device belongs to the namespace it was made in; we stay there. */
static int
make_end(const char *pid)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	char path[64];
	int ns, fd;

	snprintf(path, sizeof(path), "/proc/%s/ns/net", pid);
	if ((ns = open(path, O_RDONLY | O_CLOEXEC)) < 0 ||
	    setns(ns, CLONE_NEWNET) != 0)
		die(path);
	close(ns);
	strcpy(request.ifr_name, "cable");
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0)
		die("/dev/net/tun");
	return fd;
}

static void
take(struct way *way, int fd)
{
	static char buf[65536];

	for (int i = 0; i < BURST && way->count < UNDER_WAY_MAX; i++) {
		ssize_t n = read(fd, buf, sizeof(buf));
		struct packet *p =
		    &way->ring[(way->first + way->count) % UNDER_WAY_MAX];

		if (n <= 0)
			return;
		*p = (struct packet){ .due = now() + delay,
			.len = (size_t)n,
			.data = malloc((size_t)n) };
		if (p->data == NULL)
			die("memory");
		memcpy(p->data, buf, p->len);
		way->count++;
	}
}

static void
hand_over(struct way *way, int fd)
{
	long long t = now();

	while (way->count > 0 && way->ring[way->first].due <= t) {
		struct packet *p = &way->ring[way->first];

		/* A device that is down loses it, as a cable would. */
		(void)!write(fd, p->data, p->len);
		free(p->data);
		way->first = (way->first + 1) % UNDER_WAY_MAX;
		way->count--;
	}
}

/* When the next packet is due; false: none is under way. */
static bool
next_due(long long *due)
{
	bool any = false;

	for (int i = 0; i < 2; i++) {
		long long t = ways[i].ring[ways[i].first].due;

		if (ways[i].count > 0 && (!any || t < *due)) {
			*due = t;
			any = true;
		}
	}
	return any;
}

static void
wait_for_packets(void)
{
	struct pollfd fds[2] = { { .fd = ends[0], .events = POLLIN },
		{ .fd = ends[1], .events = POLLIN } };
	struct timespec timeout = { 0 };
	long long due = 0;
	bool any = next_due(&due);

	if (any && (due -= now()) > 0) {
		timeout.tv_sec = due / NS_PER_S;
		timeout.tv_nsec = due % NS_PER_S;
	}
	if (ppoll(fds, 2, any ? &timeout : NULL, NULL) < 0 && errno != EINTR)
		die("ppoll");
}

int
main(int argc, char **argv)
{
	if (argc != 4) {
		fputs("usage: link PID-A PID-B MICROSECONDS\n", stderr);
		return 64;
	}
	delay = atoll(argv[3]) * 1000;
	for (int i = 0; i < 2; i++)
		ends[i] = make_end(argv[1 + i]);
	puts("up");
	fflush(stdout);
	for (;;) {
		wait_for_packets();
		for (int i = 0; i < 2; i++)
			take(&ways[i], ends[i]);
		for (int i = 0; i < 2; i++)
			hand_over(&ways[i], ends[!i]);
	}
}
