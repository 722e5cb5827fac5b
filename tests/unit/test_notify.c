/* SPDX-License-Identifier: ISC */
#include "daemon/notify.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/loop.h"
#include "store/store.h"

#define PATIENCE_S 20 /* of a test that waits for a timer */

/* We are systemd: a datagram socket that the module writes to. */
static struct {
	char dir[32], path[64];
	int fd;
	struct loop *loop;
	struct watch watch;
	char last[1024];
	const char *wanted; /* the loop goes on until a message holds this */
	unsigned found;     /* so many times */
	char all[8192];
} manager;
static struct notify_status status;
static int64_t stalled_ms;

int64_t
store_stalled_ms(const struct store *s)
{
	assert_null(s);
	return stalled_ms;
}

/* The state: that many mailboxes, each with one held, the last in doubt. */
static uint64_t mailboxes;
static unsigned pages;

void
store_summary(
    struct store *s, int64_t after, size_t limit, struct store_done done)
{
	static struct store_summary rows[256];
	struct store_answer a = { .ok = true, .summary = rows };

	assert_null(s);
	assert_int_equal(limit, 256);
	pages++;
	for (uint64_t i = (uint64_t)after + 1;
	     i <= mailboxes && a.nsummary < limit; i++)
		rows[a.nsummary++] = (struct store_summary){
			.mailbox = (int64_t)i,
			.held = 1,
			.in_doubt = i == mailboxes,
		};
	if (stalled_ms > 0)
		a = (struct store_answer){ .ok = false };
	done.run(done.arg, &a);
}

static void
on_look(void *arg, struct notify_status *status_r)
{
	assert_ptr_equal(arg, &status);
	*status_r = status;
}

/* What came, one message; NULL: none is there. */
static const char *
receive(void)
{
	ssize_t n = recv(
	    manager.fd, manager.last, sizeof(manager.last) - 1, MSG_DONTWAIT);

	if (n < 0)
		return NULL;
	manager.last[n] = '\0';
	return manager.last;
}

static void
on_message(void *arg)
{
	size_t n = strlen(manager.all);

	(void)arg;
	assert_non_null(receive());
	snprintf(
	    manager.all + n, sizeof(manager.all) - n, "%s\n\n", manager.last);
	if (strstr(manager.last, manager.wanted) != NULL &&
	    --manager.found == 0)
		loop_stop(manager.loop);
}

static void
run_until(const char *wanted, unsigned times)
{
	manager.wanted = wanted;
	manager.found = times;
	manager.all[0] = '\0';
	watch_set(&manager.watch, true);
	alarm(PATIENCE_S);
	loop_run(manager.loop);
	alarm(0);
	watch_set(&manager.watch, false);
}

static int
set_up(void **state)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	(void)state;
	memset(&manager, 0, sizeof(manager));
	strcpy(manager.dir, "/tmp/notify-XXXXXX");
	assert_non_null(mkdtemp(manager.dir));
	snprintf(manager.path, sizeof(manager.path), "%s/s", manager.dir);
	strcpy(sun.sun_path, manager.path);
	manager.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(manager.fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
	setenv("NOTIFY_SOCKET", manager.path, 1);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	manager.loop = loop_new();
	watch_init(&manager.watch, manager.loop, manager.fd, WATCH_READ,
	    on_message, NULL);
	status = (struct notify_status){ .accounts = 12 };
	mailboxes = pages = 0;
	stalled_ms = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	notify_close();
	watch_free(&manager.watch);
	loop_free(&manager.loop);
	close(manager.fd);
	unlink(manager.path);
	rmdir(manager.dir);
	return 0;
}

static void
open_it(const char *watchdog_usec)
{
	if (watchdog_usec != NULL)
		setenv("WATCHDOG_USEC", watchdog_usec, 1);
	notify_open(manager.loop, NULL, on_look, &status);
}

static void
test_ready(void **state)
{
	(void)state;
	open_it(NULL);
	assert_null(receive());
	notify_ready(NULL);
	assert_string_equal(receive(), "READY=1\nSTATUS=12 accounts");
	status.accounts = 1;
	status.failing = 1;
	notify_ready(NULL);
	assert_string_equal(receive(), "READY=1\nSTATUS=1 account, 1 failing");
	assert_null(receive());
}

static void
test_status(void **state)
{
	(void)state;
	mailboxes = 600;
	open_it(NULL);
	notify_ready(NULL);
	run_until("STATUS=12 accounts, 600 held, 1 in doubt", 1);
	assert_int_equal(pages, 3);
	/* What only the daemon knows is told without asking the store. */
	status.failing = 2;
	run_until("STATUS=12 accounts, 2 failing, 600 held, 1 in doubt", 1);
	assert_int_equal(pages, 3);
	assert_null(receive());
}

/* What is not known is not said. */
static void
test_status_unknown(void **state)
{
	(void)state;
	stalled_ms = 1;
	open_it(NULL);
	notify_ready(NULL);
	assert_string_equal(receive(), "READY=1\nSTATUS=12 accounts");
	status.failing = 1;
	run_until("STATUS=", 1);
	assert_string_equal(manager.last, "STATUS=12 accounts, 1 failing");
}

/* A status is one line: nothing in it can become another assignment. */
static void
test_problem(void **state)
{
	(void)state;
	open_it(NULL);
	status.problem = "no room\nSTOPPING=1";
	notify_ready(NULL);
	assert_non_null(receive());
	assert_non_null(strstr(manager.last, "STATUS=no room"));
	assert_non_null(strstr(manager.last, "; 12 accounts"));
	assert_null(strstr(manager.last, "\nSTOPPING=1"));
}

static void
test_reload(void **state)
{
	struct timespec now;
	uint64_t told, us;

	(void)state;
	open_it(NULL);
	notify_reloading();
	clock_gettime(CLOCK_MONOTONIC, &now);
	us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	assert_non_null(receive());
	assert_int_equal(
	    sscanf(manager.last, "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &told),
	    1);
	assert_true(told <= us && us - told < PATIENCE_S * UINT64_C(1000000));
	notify_ready("reload refused: conf:3: no such option");
	assert_string_equal(receive(),
	    "READY=1\nSTATUS=reload refused: conf:3: no such option; "
	    "12 accounts");
	notify_reloading();
	assert_non_null(receive());
	notify_ready(NULL);
	assert_string_equal(receive(), "READY=1\nSTATUS=12 accounts");
}

static void
test_stopping(void **state)
{
	(void)state;
	open_it(NULL);
	notify_stopping(30);
	assert_string_equal(receive(),
	    "STOPPING=1\nSTATUS=finishing what is on the wire, for 30 "
	    "seconds at most");
	assert_string_equal(receive(), "EXTEND_TIMEOUT_USEC=30000000");
	/* A reload that comes too late does not hide it. */
	notify_ready(NULL);
	assert_null(receive());
	/* It is asked for again before it is over. */
	run_until("EXTEND_TIMEOUT_USEC=30000000", 1);
	assert_null(strstr(manager.all, "STATUS"));
}

static void
test_watchdog(void **state)
{
	(void)state;
	open_it("300000");
	run_until("WATCHDOG=1", 3);
	/* Not at the limit, but below it. */
	stalled_ms = 299;
	run_until("WATCHDOG=1", 2);
}

/* systemd is told of other things, and that the store hangs is not hidden. */
static void
test_watchdog_store(void **state)
{
	(void)state;
	open_it("300000");
	stalled_ms = 300;
	notify_stopping(30);
	run_until("EXTEND_TIMEOUT_USEC", 2);
	assert_null(strstr(manager.all, "WATCHDOG"));
	stalled_ms = 0;
	run_until("WATCHDOG=1", 1);
}

static void
test_not_watched(void **state)
{
	(void)state;
	/* It is another process that systemd watches. */
	setenv("WATCHDOG_PID", "1", 1);
	open_it("100000");
	notify_stopping(30);
	run_until("EXTEND_TIMEOUT_USEC", 2);
	assert_null(strstr(manager.all, "WATCHDOG"));
}

static void
test_without_systemd(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	open_it("100000");
	notify_ready(NULL);
	notify_reloading();
	notify_ready("no");
	notify_stopping(30);
	assert_null(receive());
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_ready),
		TEST(test_status),
		TEST(test_status_unknown),
		TEST(test_problem),
		TEST(test_reload),
		TEST(test_stopping),
		TEST(test_watchdog),
		TEST(test_watchdog_store),
		TEST(test_not_watched),
		TEST(test_without_systemd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
