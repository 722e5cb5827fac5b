/* SPDX-License-Identifier: ISC */
/*
 * What the state database costs, without any mail around it: a listing of so
 * many messages, their records in groups, and listings of what is known.
 *
 *	make tests/bench/store && tests/bench/store [MESSAGES [GROUP]]
 *
 * Each message is recorded as in doubt and then as relayed, so it makes two
 * records; a group waits for its commit before the next one is sent, as the
 * window of one connection does.  With GROUP 0 nothing is relayed: all are
 * known, and listed again, and again with ten new ones.  TMPDIR chooses the
 * disk, which counts more than anything else.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/resource.h>

#include "store/statedir.h"
#include "store/store.h"

#define PAGE 64 /* rows, as a worker asks for them */

static struct store *store;
static int64_t mailbox;
static unsigned waiting; /* answers */
static uint64_t added;
static struct store_item *page;
static size_t npage;

static void
stop(const char *why)
{
	fprintf(stderr, "store: %s\n", why);
	exit(1);
}

/* --- figures ----------------------------------------------------------- */

struct figures {
	double wall, cpu;
	uint64_t commits;
};

static double
seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static struct figures
now(void)
{
	struct store_stats s;
	struct figures f = { .wall = seconds(CLOCK_MONOTONIC),
		.cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) };

	store_stats(store, &s);
	f.commits = s.commit.count;
	return f;
}

static void
tell(const char *what, const struct figures *before, unsigned long n)
{
	struct figures f = now();
	double wall = f.wall - before->wall, cpu = f.cpu - before->cpu;
	struct rusage used;

	getrusage(RUSAGE_SELF, &used);
	printf("%-22s %8.3f s %9.0f /s %8.1f us CPU %6llu commits %5.1f MB\n",
	    what, wall, (double)n / wall, cpu * 1e6 / (double)n,
	    (unsigned long long)(f.commits - before->commits),
	    (double)used.ru_maxrss / 1000);
}

/* --- requests ---------------------------------------------------------- */

static void
on_answer(void *arg, struct store_answer *a)
{
	(void)arg;
	if (!a->ok || a->paused || a->unknown > 0)
		stop(a->ok ? "a person is asked" : a->fault.text);
	if (a->mailbox != 0)
		mailbox = a->mailbox;
	added = a->added;
	if (a->items != NULL) {
		page = a->items;
		npage = a->nitems;
		a->items = NULL;
		a->nitems = 0;
	}
	waiting--;
}

static struct store_done
done(void)
{
	waiting++;
	return (struct store_done){ .run = on_answer };
}

static void
wait_all(void)
{
	struct pollfd p = { .fd = store_fd(store), .events = POLLIN };

	while (waiting > 0) {
		poll(&p, 1, -1);
		store_dispatch(store);
	}
}

static void
wait_for_room(void)
{
	struct pollfd p = { .fd = store_fd(store), .events = POLLIN };

	while (store_backlog(store) > STORE_BACKLOG_MAX / 2) {
		poll(&p, 1, -1);
		store_dispatch(store);
	}
}

static void
list(unsigned long n, bool relay_all)
{
	static const char *const home[] = { "home" };
	struct store_listing l = { .complete = true,
		.list_from = 1,
		.relay_all = relay_all,
		.destinations = home,
		.ndestinations = 1 };

	store_listing_begin(store, mailbox, &l);
	for (unsigned long i = 0; i < n; i++) {
		char uid[40];
		int len =
		    snprintf(uid, sizeof(uid), "%08lx%08x", i, 0x5f3759df);
		struct store_entry e = { .uid = { uid, (size_t)len },
			.number = (uint32_t)i + 1,
			.size = 3000 };

		store_listing_add(store, mailbox, &e, 1);
		if (store_backlog(store) > STORE_BACKLOG_MAX)
			wait_for_room();
	}
	store_listing_end(store, mailbox, &l, done());
	wait_all();
}

static void
relay_group(const struct store_item *items, size_t n)
{
	static unsigned char bytes[32];
	char trace[STORE_TRACE_MAX];
	struct store_attempt try = { .now = time(NULL),
		.attempt = 1,
		.size = 3000,
		.fingerprint = bytes,
		.hash = bytes,
		.trace = trace };
	struct store_success success = { .now = time(NULL),
		.usec = 1000,
		.remove = true,
		.reply = "250 2.0.0 Ok: queued as 4F0CD1A2B3" };

	for (size_t i = 0; i < n; i++) {
		memcpy(bytes, &items[i].id, sizeof(items[i].id));
		snprintf(trace, sizeof(trace), "%016llx%08llx",
		    (unsigned long long)items[i].id * 0x9e3779b97f4a7c15,
		    (unsigned long long)items[i].id);
		store_begin(store, items[i].id);
		store_in_doubt(store, items[i].id, &try, done());
	}
	wait_all();
	for (size_t i = 0; i < n; i++) {
		store_relayed(store, items[i].id, &success, done());
		store_end(store, items[i].id);
	}
	wait_all();
}

/* From behind that message number on, so many of them. */
static void
relay(uint32_t after, unsigned long n, size_t group)
{
	struct figures before = now();
	char what[32];

	for (unsigned long left = n; left > 0; left -= npage) {
		store_work(store, mailbox, time(NULL), after,
		    left < PAGE ? left : PAGE, done());
		wait_all();
		if (npage == 0)
			stop("nothing to relay");
		after = page[npage - 1].number;
		for (size_t i = 0; i < npage; i += group)
			relay_group(
			    page + i, npage - i < group ? npage - i : group);
		store_items_free(page, npage);
	}
	snprintf(what, sizeof(what), "groups of %zu", group);
	tell(what, &before, n);
}

static void
open_store(const char *dir)
{
	struct store_account account = { "a", "u", "h" };
	struct statedir *d = calloc(1, sizeof(*d));
	struct fault fault;
	int code;

	d->dir = d->lock = -1;
	if (!statedir_open(d, dir, &code, &fault) ||
	    (store = store_open(d, false, &code, &fault)) == NULL)
		stop(fault.text);
	store_mailbox(store, &account, "INBOX", done());
	wait_all();
}

/* What is listed a second time has its record. */
static void
list_again(unsigned long n, bool relay_all)
{
	struct figures before = now();

	list(n, relay_all);
	tell("nothing new", &before, n);
	if (relay_all)
		return;
	before = now();
	list(n + 10, false);
	tell("ten new", &before, n);
	if (added != 10)
		stop("ten were new");
}

int
main(int argc, char **argv)
{
	static const size_t all[] = { 1, 16, 64 };
	unsigned long n = argc > 1 ? strtoul(argv[1], NULL, 10) : 2000;
	size_t group = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	size_t ngroups = argc <= 2 ? 3 : group > 0;
	unsigned long listed = ngroups > 0 ? ngroups * n : n;
	const char *tmp = getenv("TMPDIR");
	char dir[80], command[100];
	struct figures before;

	snprintf(
	    dir, sizeof(dir), "%.40s/store-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL)
		stop("no directory");
	open_store(dir);
	before = now();
	list(listed, ngroups > 0);
	tell("first listing", &before, listed);
	for (uint32_t i = 0; i < ngroups; i++)
		relay(i * (uint32_t)n, n, ngroups > 1 ? all[i] : group);
	list_again(listed, ngroups > 0);
	store_close(&store);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	return system(command) == 0 ? 0 : 1;
}
