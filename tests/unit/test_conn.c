/* SPDX-License-Identifier: ISC */
/*
 * Over real sockets of the loopback: the kernel finishes a connection before
 * anybody accepts it, so one thread can be both ends.  A handshake needs a
 * certificate and is left to the live tests; that it begins, and that not a
 * byte is believed from then on, is seen here.
 */
#include "net/conn.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/loop.h"

enum callback {
	NONE,
	UP,
	DATA,
	OUT,
	WROTE,
	DOWN,
};

struct scene {
	struct loop *loop;
	struct net *net;
	struct timer end, tick;
	struct conn *conn;
	struct conn_target target;
	int listener, server; /* -1: none */
	/* what the owner does */
	enum callback close_in;
	bool keep, starttls; /* not close in down(); switch in data() */
	bool pause;          /* in data() */
	struct span out;     /* what it has to say */
	/* what it saw */
	unsigned ups, downs, datas, outs, after_close;
	size_t received, written;
	struct fault fault;
	/* what the server does each tick_ms */
	int64_t tick_ms;
	size_t tick_bytes;
};

static struct scene scene;
static char bytes[1 << 20];

/* --- the owner */

static void
maybe_close(enum callback here)
{
	if (scene.conn == NULL)
		scene.after_close++;
	if (scene.close_in == here)
		conn_close(&scene.conn);
}

static void
on_up(void *arg)
{
	assert_ptr_equal(arg, &scene);
	scene.ups++;
	maybe_close(UP);
}

static void
on_data(void *arg, struct span s)
{
	(void)arg;
	assert_true(s.n > 0 && s.n <= CONN_PIECE);
	scene.datas++;
	scene.received += s.n;
	maybe_close(DATA);
	if (scene.starttls)
		conn_starttls(scene.conn);
	if (scene.pause)
		conn_pause(scene.conn);
}

static struct span
on_out(void *arg)
{
	(void)arg;
	scene.outs++;
	maybe_close(OUT);
	return scene.out;
}

static void
on_wrote(void *arg, size_t n)
{
	(void)arg;
	scene.written += n;
	scene.out = span_skip(scene.out, n);
	maybe_close(WROTE);
}

static void
on_down(void *arg, const struct fault *f)
{
	(void)arg;
	scene.downs++;
	scene.fault = *f;
	if (!scene.keep)
		conn_close(&scene.conn);
	loop_stop(scene.loop);
}

static const struct conn_handler handler = {
	.up = on_up,
	.data = on_data,
	.out = on_out,
	.wrote = on_wrote,
	.down = on_down,
};

/* --- the stage */

static void
on_end(void *arg)
{
	(void)arg;
	loop_stop(scene.loop);
}

static void
run(int64_t ms)
{
	timer_set(&scene.end, ms);
	loop_run(scene.loop);
	timer_cancel(&scene.end);
}

static void
say(const void *p, size_t n)
{
	assert_int_equal(send(scene.server, p, n, MSG_NOSIGNAL), n);
}

static void
on_tick(void *arg)
{
	(void)arg;
	say(bytes, scene.tick_bytes);
	timer_set(&scene.tick, scene.tick_ms);
}

static int
setup(void **state)
{
	struct sockaddr_in sa = { .sin_family = AF_INET };
	socklen_t len = sizeof(sa);

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	scene = (struct scene){ .server = -1 };
	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	scene.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(scene.listener, (struct sockaddr *)&sa, len) != 0 ||
	    listen(scene.listener, 1) != 0 ||
	    getsockname(scene.listener, (struct sockaddr *)&sa, &len) != 0)
		return -1;
	scene.target = (struct conn_target){
		.peer = { .host = "127.0.0.1", .port = ntohs(sa.sin_port) },
		.plain = true,
		.scope = FAULT_DESTINATION,
		.connect_ms = 5000,
	};
	scene.loop = loop_new();
	scene.net = net_new(scene.loop);
	timer_init(&scene.end, scene.loop, on_end, NULL);
	timer_init(&scene.tick, scene.loop, on_tick, NULL);
	return 0;
}

static void
hang_up(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int
teardown(void **state)
{
	(void)state;
	conn_close(&scene.conn);
	hang_up(&scene.server);
	hang_up(&scene.listener);
	timer_free(&scene.end);
	timer_free(&scene.tick);
	net_free(&scene.net);
	loop_free(&scene.loop);
	return 0;
}

static void
dial(void)
{
	scene.conn = conn_open(scene.net, &scene.target, &handler, &scene);
	assert_int_equal(scene.ups + scene.downs, 0);
}

static void
answer(void)
{
	struct pollfd pfd = { .fd = scene.listener, .events = POLLIN };

	for (int i = 0; i < 500 && poll(&pfd, 1, 0) == 0; i++)
		run(2);
	scene.server = accept4(scene.listener, NULL, NULL, SOCK_CLOEXEC);
	assert_true(scene.server >= 0);
}

static void
connect_both(void)
{
	dial();
	answer();
	for (int i = 0; i < 100 && scene.ups == 0; i++)
		run(10);
	assert_int_equal(scene.ups, 1);
}

static void
assert_down(const char *phase, const char *text)
{
	assert_int_equal(scene.downs, 1);
	assert_int_equal(scene.fault.scope, FAULT_DESTINATION);
	assert_int_equal(scene.fault.when, FAULT_LATER);
	assert_string_equal(scene.fault.phase, phase);
	assert_string_equal(scene.fault.text, text);
	run(50); /* exactly once */
	assert_int_equal(scene.downs, 1);
}

/* --- connecting */

static void
test_refused(void **state)
{
	char text[128];

	(void)state;
	hang_up(&scene.listener);
	dial();
	run(2000);
	snprintf(text, sizeof(text),
	    "cannot connect to 127.0.0.1 port %u (127.0.0.1): Connection "
	    "refused",
	    scene.target.peer.port);
	assert_down("connect", text);
	assert_int_equal(scene.ups, 0);
	assert_string_equal(scene.fault.hint,
	    "nothing listens on that port: check host and port");
}

static void
test_up(void **state)
{
	char literal[64];

	(void)state;
	connect_both();
	conn_local_literal(scene.conn, literal, sizeof(literal));
	assert_string_equal(literal, "[127.0.0.1]");
	assert_false(conn_is_tls(scene.conn));
	run(30); /* the deadline for connecting is over with it */
	assert_int_equal(scene.downs, 0);
}

static void
test_close_while_dialing(void **state)
{
	(void)state;
	dial();
	conn_close(&scene.conn);
	assert_null(scene.conn);
	conn_close(&scene.conn);
	run(20);
	dial();
	run(0);
	conn_close(&scene.conn);
	run(20);
	assert_int_equal(scene.after_close, 0);
}

/* Two connections fill the listener; the third is neither taken nor refused
 * until one of them is accepted. */
static void
fill_listener(int fds[2])
{
	struct sockaddr_in sa = { .sin_family = AF_INET };

	sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sa.sin_port = htons((in_port_t)scene.target.peer.port);
	for (int i = 0; i < 2; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
		assert_int_equal(
		    connect(fds[i], (struct sockaddr *)&sa, sizeof(sa)), 0);
	}
}

/* What connects behind its deadline comes too late. */
static void
test_connect_deadline(void **state)
{
	int fds[2], first;

	(void)state;
	fill_listener(fds);
	scene.target.connect_ms = 100;
	scene.keep = true;
	dial();
	run(2000);
	assert_down("connect", "no answer from 127.0.0.1 for 0 seconds");
	first = accept(scene.listener, NULL, NULL);
	answer();
	run(1500); /* TCP asks again after a second */
	assert_int_equal(scene.ups, 0);
	assert_int_equal(scene.downs, 1);
	close(first);
	close(fds[0]);
	close(fds[1]);
}

/* --- deadlines */

static void
test_deadline(void **state)
{
	int64_t before;

	(void)state;
	connect_both();
	before = loop_now_ms(scene.loop);
	conn_expect(scene.conn, 1050, "greeting");
	run(3000);
	assert_true(loop_now_ms(scene.loop) - before >= 1000);
	assert_down("greeting", "no answer from 127.0.0.1 for 1 seconds");
}

static void
test_no_deadline(void **state)
{
	(void)state;
	connect_both();
	conn_expect(scene.conn, 30, "greeting");
	conn_expect(scene.conn, 0, "idle");
	run(100);
	assert_int_equal(scene.downs, 0);
}

/* Long, but not slow. */
static void
test_progress(void **state)
{
	(void)state;
	connect_both();
	conn_expect(scene.conn, 250, "body");
	scene.tick_ms = 100;
	scene.tick_bytes = CONN_PROGRESS;
	on_tick(NULL);
	run(700);
	assert_int_equal(scene.downs, 0);
	assert_true(scene.received >= 5 * CONN_PROGRESS);
	scene.tick_bytes = 10; /* now it drips */
	run(1000);
	assert_down("body", "no answer from 127.0.0.1 for 0 seconds");
}

/* --- bytes */

static void
test_closed_by_the_server(void **state)
{
	(void)state;
	connect_both();
	conn_expect(scene.conn, 5000, "MAIL");
	say("last words", 10);
	hang_up(&scene.server);
	run(1000);
	assert_int_equal(scene.received, 10);
	assert_down("MAIL", "connection lost: closed by the server");
}

static void
test_reset(void **state)
{
	struct linger hard = { .l_onoff = 1 };

	(void)state;
	connect_both();
	conn_expect(scene.conn, 5000, "MAIL");
	setsockopt(scene.server, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	hang_up(&scene.server);
	run(1000);
	assert_down("MAIL", "connection lost: Connection reset by peer");
}

/* More than every socket buffer holds, in both directions at once. */
static void
test_flow(void **state)
{
	static char sink[65536];
	size_t sent = 0, got = 0;

	(void)state;
	connect_both();
	scene.out = span_make(bytes, sizeof(bytes));
	conn_send(scene.conn);
	for (int i = 0; i < 2000 &&
			(got < sizeof(bytes) || scene.received < sizeof(bytes));
	     i++) {
		ssize_t n = send(scene.server, bytes + sent,
		    sizeof(bytes) - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

		sent += n > 0 ? (size_t)n : 0;
		n = recv(scene.server, sink, sizeof(sink), MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
		run(1);
	}
	assert_int_equal(got, sizeof(bytes));
	assert_int_equal(scene.received, sizeof(bytes));
	assert_int_equal(scene.written, sizeof(bytes));
	assert_int_equal(scene.downs, 0);
}

static void
test_send_now(void **state)
{
	char word[8];

	(void)state;
	connect_both();
	scene.out = span_str("QUIT");
	conn_send_now(scene.conn);
	conn_close(&scene.conn);
	assert_int_equal(recv(scene.server, word, sizeof(word), 0), 4);
	assert_memory_equal(word, "QUIT", 4);
	assert_int_equal(recv(scene.server, word, sizeof(word), 0), 0);
}

/* --- closed from inside */

static void
check_close_in(enum callback where)
{
	void *state = NULL;

	assert_int_equal(setup(&state), 0);
	scene.close_in = where;
	scene.out = span_str("hello");
	dial();
	answer();
	say("220 hello\r\n", 11);
	run(50);
	if (where == DOWN)
		hang_up(&scene.server);
	run(50);
	assert_null(scene.conn);
	assert_int_equal(scene.after_close, 0);
	assert_int_equal(scene.ups, 1);
	assert_int_equal(scene.downs, where == DOWN ? 1 : 0);
	if (where == DATA || where == DOWN)
		assert_int_equal(scene.datas, 1);
	teardown(&state);
}

static void
test_close_inside(void **state)
{
	(void)state;
	for (enum callback where = UP; where <= DOWN; where++)
		check_close_in(where);
}

/* --- the way into TLS */

static void
test_tls_deadline(void **state)
{
	(void)state;
	scene.target.plain = false;
	scene.target.connect_ms = 200;
	dial();
	answer();
	run(2000);
	assert_int_equal(scene.ups, 0);
	assert_down("TLS handshake", "no answer from 127.0.0.1 for 0 seconds");
}

static void
test_no_tls_there(void **state)
{
	char hello[3];

	(void)state;
	scene.target.plain = false;
	scene.out = span_str("secret");
	dial();
	answer();
	say("220 plain\r\n", 11);
	run(2000);
	assert_int_equal(scene.ups + scene.datas, 0);
	assert_int_equal(scene.downs, 1);
	assert_string_equal(scene.fault.phase, "TLS handshake");
	assert_non_null(strstr(scene.fault.hint, "does not speak TLS"));
	assert_int_equal(scene.written, 0);
	assert_int_equal(recv(scene.server, hello, 3, 0), 3);
	assert_memory_equal(hello, "\x16\x03\x01", 3); /* a ClientHello */
}

/* From conn_starttls() on, plaintext is neither given out nor written. */
static void
test_starttls(void **state)
{
	char hello[16];

	(void)state;
	connect_both();
	scene.starttls = true;
	/* All of it lies in the socket before the first read. */
	memcpy(bytes, "220 go\r\n", 8);
	say(bytes, CONN_PIECE + 100);
	scene.out = span_str("MAIL FROM:<me@x>\r\n");
	run(2000);
	assert_int_equal(scene.datas, 1);
	assert_int_equal(scene.received, CONN_PIECE);
	assert_int_equal(scene.written, 0);
	assert_int_equal(scene.ups, 1);
	assert_int_equal(scene.downs, 1);
	assert_string_equal(scene.fault.phase, "TLS handshake");
	if (recv(scene.server, hello, 3, 0) == 3)
		assert_memory_equal(hello, "\x16\x03\x01", 3);
}

static void
test_starttls_deadline(void **state)
{
	(void)state;
	scene.target.connect_ms = 200;
	connect_both();
	scene.starttls = true;
	say("220 go\r\n", 8);
	run(100);
	scene.out = span_str("EHLO x\r\n");
	scene.outs = 0;
	conn_send(scene.conn);
	conn_send_now(scene.conn);
	assert_false(conn_is_tls(scene.conn));
	run(2000);
	assert_int_equal(scene.outs, 0);
	assert_down("TLS handshake", "no answer from 127.0.0.1 for 0 seconds");
}

/* Nothing is read, and nothing is awaited; and then all of it comes. */
static void
test_pause(void **state)
{
	size_t n = 3 * CONN_PIECE;

	(void)state;
	connect_both();
	conn_expect(scene.conn, 30, "body");
	scene.pause = true;
	say(bytes, n);
	run(100);
	assert_int_equal(scene.datas, 1);
	conn_expect(scene.conn, 30, "body");
	scene.out = span_make(bytes, 10); /* it may still speak */
	conn_send(scene.conn);
	run(100);
	assert_int_equal(scene.datas + scene.downs, 1);
	assert_int_equal(scene.written, 10);
	conn_resume(scene.conn);
	assert_int_equal(scene.datas, 1); /* from the loop */
	run(20);
	assert_int_equal(scene.datas, 2);
	scene.pause = false;
	conn_resume(scene.conn);
	run(10);
	assert_int_equal(scene.received, n);
	run(1000); /* now the deadline counts */
	assert_int_equal(scene.downs, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refused),
		TEST(test_up),
		TEST(test_close_while_dialing),
		TEST(test_connect_deadline),
		TEST(test_deadline),
		TEST(test_no_deadline),
		TEST(test_progress),
		TEST(test_closed_by_the_server),
		TEST(test_reset),
		TEST(test_flow),
		TEST(test_send_now),
		TEST(test_pause),
		cmocka_unit_test(test_close_inside),
		TEST(test_tls_deadline),
		TEST(test_no_tls_there),
		TEST(test_starttls),
		TEST(test_starttls_deadline),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
