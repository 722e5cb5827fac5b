/* SPDX-License-Identifier: ISC */
#include "net/conn.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/resolve.h"

/* Reads in a row before the others of the loop get their turn. */
#define READS_A_TURN 4
#define WRITE_MAX 16384 /* a TLS record holds no more */

enum conn_state {
	CONN_DIALING,
	CONN_SHAKING, /* TLS handshake */
	CONN_OPEN,
	CONN_DOWN,
};

struct conn {
	struct net *net; /* foreign */
	struct conn_target target;
	const struct conn_handler *handler; /* foreign, static */
	void *arg;                          /* foreign */
	enum conn_state state;
	struct dial *dial;
	int fd;
	SSL *ssl; /* owned; NULL: plain */
	struct watch readable, writable;
	struct timer deadline;
	struct timer turn; /* to send, and to read when more_in */
	int64_t wait_ms;
	const char *phase;
	size_t moved;  /* bytes since the deadline was set */
	bool closed;   /* by its owner, while a callback ran */
	unsigned busy; /* callbacks running */
	bool more_in;  /* it stopped reading for fairness */
	bool paused;   /* by its owner */
	bool write_wants_read, read_wants_write;
};

struct net *
net_new(struct loop *l)
{
	struct net *n = mem_alloc(sizeof(*n));

	n->loop = l;
	n->resolver = resolver_new(l);
	n->tls = tls_new();
	return n;
}

void
net_renew(struct net *n)
{
	tls_renew(n->tls);
}

void
net_free(struct net **n)
{
	if (*n == NULL)
		return;
	resolver_free(&(*n)->resolver);
	tls_free(&(*n)->tls);
	free(*n);
	*n = NULL;
}

static void
conn_free(struct conn *c)
{
	dial_cancel(&c->dial);
	timer_free(&c->deadline);
	timer_free(&c->turn);
	watch_free(&c->readable);
	watch_free(&c->writable);
	tls_end(&c->ssl);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

/* Callbacks run between enter() and leave(); an owner that closes us in the
 * middle of one only marks us, so nobody is freed under his own feet. */
static void
enter(struct conn *c)
{
	c->busy++;
}

static void
leave(struct conn *c)
{
	if (--c->busy == 0 && c->closed)
		conn_free(c);
}

static bool
alive(const struct conn *c)
{
	return !c->closed && c->state != CONN_DOWN;
}

/* Bytes may pass.  False again from conn_starttls() until the handshake is
 * done, so that not one byte more is read or sent as plaintext. */
static bool
is_open(const struct conn *c)
{
	return !c->closed && c->state == CONN_OPEN;
}

static void
go_down(struct conn *c, struct fault *f)
{
	if (!alive(c))
		return;
	c->state = CONN_DOWN;
	dial_cancel(&c->dial);
	timer_cancel(&c->deadline);
	timer_cancel(&c->turn);
	watch_free(&c->readable);
	watch_free(&c->writable);
	f->scope = c->target.scope;
	c->handler->down(c->arg, f);
}

static void
set_deadline(struct conn *c)
{
	c->moved = 0;
	if (c->wait_ms > 0 && !c->paused)
		timer_set(&c->deadline, c->wait_ms);
	else
		timer_cancel(&c->deadline);
}

/* What a person could look at when nothing comes. */
static const char *
silence_hint(const struct conn *c)
{
	if (c->state == CONN_DIALING)
		return "check host and port, and whether a firewall is in "
		       "between";
	if (c->state == CONN_SHAKING)
		return "what listens there does not speak TLS: check port";
	return NULL;
}

static void
on_deadline(void *arg)
{
	struct conn *c = arg;
	struct fault f;

	enter(c);
	fault_set(&f, c->target.scope, FAULT_LATER, c->phase,
	    "no answer from %s for %lld seconds", c->target.peer.host,
	    (long long)(c->wait_ms / 1000));
	f.cause = FAULT_CAUSE_SILENT;
	f.hint = silence_hint(c);
	go_down(c, &f);
	leave(c);
}

void
conn_expect(struct conn *c, int64_t ms, const char *phase)
{
	c->wait_ms = ms;
	c->phase = phase;
	set_deadline(c);
}

static void
note_progress(struct conn *c, size_t n)
{
	c->moved += n;
	if (c->moved >= CONN_PROGRESS)
		set_deadline(c);
}

static void
explain_tls(struct conn *c, int ssl_error, struct fault *f)
{
	tls_explain(c->ssl, &c->target.peer, ssl_error, f);
	f->phase = c->phase;
	/* Without a goodbye of ours, OpenSSL would not resume the session. */
	if (ssl_error == SSL_ERROR_ZERO_RETURN)
		SSL_shutdown(c->ssl);
}

static void
explain_plain(struct conn *c, int sys_errno, struct fault *f)
{
	fault_set(f, c->target.scope, FAULT_LATER, c->phase,
	    "connection lost: %s",
	    sys_errno != 0 ? strerror(sys_errno) : "closed by the server");
}

static void
fail_io(struct conn *c, int ssl_error)
{
	struct fault f;

	explain_tls(c, ssl_error, &f);
	go_down(c, &f);
}

/* Bytes written; 0: the socket takes no more now; -1: down() was called. */
static ssize_t
write_some(struct conn *c, struct span s)
{
	struct fault f;
	ssize_t n;
	int err;

	if (c->ssl == NULL) {
		n = write(c->fd, s.p, s.n);
		if (n > 0)
			return n;
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		explain_plain(c, errno, &f);
		go_down(c, &f);
		return -1;
	}
	c->write_wants_read = false;
	ERR_clear_error();
	errno = 0;
	err = SSL_write(c->ssl, s.p, (int)(s.n < WRITE_MAX ? s.n : WRITE_MAX));
	if (err > 0)
		return err;
	err = SSL_get_error(c->ssl, err);
	if (err == SSL_ERROR_WANT_WRITE)
		return 0;
	if (err == SSL_ERROR_WANT_READ) {
		c->write_wants_read = true;
		return 0;
	}
	fail_io(c, err);
	return -1;
}

/* What stopped a read.  Whether the socket has more is not asked: the loop
 * tells. */
enum stop {
	STOP_FULL,   /* the room: there is more */
	STOP_DRY,    /* nothing is left in OpenSSL */
	STOP_BROKEN, /* the fault says why */
};

static enum stop
read_plain(struct conn *c, size_t *n_r, struct fault *f)
{
	ssize_t n = read(c->fd, c->net->piece, CONN_PIECE);

	if (n > 0) {
		*n_r = (size_t)n;
		return n == CONN_PIECE ? STOP_FULL : STOP_DRY;
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return STOP_DRY;
	explain_plain(c, n == 0 ? 0 : errno, f);
	return STOP_BROKEN;
}

/* One record after the other: servers send small ones. */
static enum stop
read_tls(struct conn *c, size_t *n_r, struct fault *f)
{
	int n, error;

	c->read_wants_write = false;
	ERR_clear_error();
	errno = 0;
	do {
		n = SSL_read(
		    c->ssl, c->net->piece + *n_r, (int)(CONN_PIECE - *n_r));
		if (n <= 0)
			break;
		*n_r += (size_t)n;
	} while (*n_r < CONN_PIECE && SSL_has_pending(c->ssl) == 1);
	if (n > 0)
		return *n_r == CONN_PIECE ? STOP_FULL : STOP_DRY;
	error = SSL_get_error(c->ssl, n);
	if (error == SSL_ERROR_WANT_READ)
		return STOP_DRY;
	if (error == SSL_ERROR_WANT_WRITE) {
		c->read_wants_write = true;
		return STOP_DRY;
	}
	explain_tls(c, error, f);
	return STOP_BROKEN;
}

/* True while there is more to write than the socket takes. */
static bool
flush(struct conn *c)
{
	while (is_open(c)) {
		struct span s = c->handler->out(c->arg);
		ssize_t n;

		if (!is_open(c) || s.n == 0)
			return false;
		n = write_some(c, s);
		if (n <= 0)
			return n == 0;
		note_progress(c, (size_t)n);
		c->handler->wrote(c->arg, (size_t)n);
	}
	return false;
}

static bool
may_read(const struct conn *c)
{
	return is_open(c) && !c->paused;
}

/* True when it stopped for fairness and not because nothing was left: the
 * rest may sit decrypted inside OpenSSL, where no socket event tells of it. */
static bool
drain(struct conn *c)
{
	for (unsigned i = 0; i < READS_A_TURN && may_read(c); i++) {
		size_t n = 0;
		struct fault f;
		enum stop stop = c->ssl == NULL ? read_plain(c, &n, &f)
		                                : read_tls(c, &n, &f);

		if (n > 0) {
			note_progress(c, n);
			c->handler->data(c->arg, span_make(c->net->piece, n));
		}
		if (stop == STOP_BROKEN)
			go_down(c, &f);
		if (stop != STOP_FULL)
			return false;
	}
	return may_read(c);
}

static void
send_out(struct conn *c)
{
	bool more_out = flush(c);

	if (is_open(c))
		watch_set(&c->writable,
		    (more_out && !c->write_wants_read) || c->read_wants_write);
}

/* Reads before it writes, so that the answers to all that was read leave in
 * one flight. */
static void
pump(struct conn *c)
{
	enter(c);
	c->more_in = drain(c);
	send_out(c);
	if (is_open(c) && c->more_in)
		timer_set(&c->turn, 0);
	leave(c);
}

/* --- how far it got */

static void
tell(struct conn *c, enum conn_step step, const char *text)
{
	if (c->handler->passed != NULL)
		c->handler->passed(c->arg, step, text, NULL);
}

static void
add_address(char *text, size_t cap, const void *addr, socklen_t len)
{
	size_t at = strlen(text);
	char one[INET6_ADDRSTRLEN];

	if (getnameinfo(addr, len, one, sizeof(one), NULL, 0, NI_NUMERICHOST) !=
	    0)
		return;
	if (strstr(text, one) == NULL && at + strlen(one) + 2 < cap)
		snprintf(text + at, cap - at, "%s%s", at > 0 ? ", " : "", one);
}

static void
on_named(void *arg, const struct resolve_address *list, size_t n)
{
	struct conn *c = arg;
	char text[256] = "";

	c->phase = "connect";
	for (size_t i = 0; i < n; i++)
		add_address(text, sizeof(text), &list[i].addr, list[i].len);
	tell(c, CONN_NAMED, text);
}

static void
tell_connected(struct conn *c)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char text[INET6_ADDRSTRLEN + 2] = "";

	if (getpeername(c->fd, (struct sockaddr *)&addr, &len) == 0)
		add_address(text, sizeof(text), &addr, len);
	tell(c, CONN_CONNECTED, text);
}

static void
tell_secured(struct conn *c)
{
	struct tls_facts facts;

	if (c->handler->passed == NULL)
		return;
	tls_describe(c->ssl, &c->target.peer, &facts);
	c->handler->passed(c->arg, CONN_SECURED, facts.version, &facts);
}

static void
become_open(struct conn *c)
{
	c->state = CONN_OPEN;
	c->wait_ms = 0;
	set_deadline(c);
	watch_set(&c->readable, true);
	c->handler->up(c->arg);
}

static void
shake(struct conn *c)
{
	struct fault f;
	int n, err;

	ERR_clear_error();
	errno = 0;
	n = SSL_do_handshake(c->ssl);
	if (n == 1) {
		watch_set(&c->writable, false);
		if (tls_accept_peer(c->ssl, &c->target.peer, &f)) {
			tell_secured(c);
			become_open(c);
		} else {
			f.phase = c->phase;
			go_down(c, &f);
		}
		return;
	}
	err = SSL_get_error(c->ssl, n);
	if (err != SSL_ERROR_WANT_READ && err != SSL_ERROR_WANT_WRITE) {
		fail_io(c, err);
		return;
	}
	watch_set(&c->readable, true);
	watch_set(&c->writable, err == SSL_ERROR_WANT_WRITE);
}

static bool
start_tls(struct conn *c)
{
	struct fault f;

	c->phase = "TLS handshake";
	c->ssl = tls_session(c->net->tls, &c->target.peer, c->fd, &f);
	if (c->ssl == NULL) {
		f.phase = c->phase;
		go_down(c, &f);
		return false;
	}
	c->state = CONN_SHAKING;
	return true;
}

static void
on_ready(void *arg)
{
	struct conn *c = arg;

	enter(c);
	if (alive(c) && c->state == CONN_SHAKING)
		shake(c);
	if (is_open(c))
		pump(c);
	leave(c);
}

static void
on_turn(void *arg)
{
	struct conn *c = arg;

	if (!is_open(c) || c->more_in) {
		on_ready(c);
		return;
	}
	enter(c);
	send_out(c);
	leave(c);
}

static void
on_dialed(void *arg, int fd, const struct fault *fault)
{
	struct conn *c = arg;
	struct fault f = *fault;

	c->dial = NULL;
	enter(c);
	if (fd < 0) {
		go_down(c, &f);
	} else {
		c->fd = fd;
		tell_connected(c);
		watch_init(
		    &c->readable, c->net->loop, fd, WATCH_READ, on_ready, c);
		watch_init(
		    &c->writable, c->net->loop, fd, WATCH_WRITE, on_ready, c);
		if (c->target.plain)
			become_open(c);
		else if (start_tls(c))
			shake(c);
		if (is_open(c))
			pump(c);
	}
	leave(c);
}

struct conn *
conn_open(struct net *n, const struct conn_target *t,
    const struct conn_handler *handler, void *arg)
{
	struct conn *c = mem_alloc(sizeof(*c));

	c->net = n;
	c->target = *t;
	c->handler = handler;
	c->arg = arg;
	c->fd = -1;
	timer_init(&c->deadline, n->loop, on_deadline, c);
	timer_init(&c->turn, n->loop, on_turn, c);
	conn_expect(c, t->connect_ms, "name");
	c->dial = dial_start(
	    n->loop, n->resolver, t->peer.host, t->peer.port, on_dialed, c);
	dial_watch(c->dial, on_named);
	return c;
}

/* The handshake starts from the loop, not from here: the caller stands in the
 * middle of reading the plaintext that asked for it. */
void
conn_starttls(struct conn *c)
{
	conn_expect(c, c->target.connect_ms, "TLS handshake");
	if (start_tls(c))
		timer_set(&c->turn, 0);
}

bool
conn_is_tls(const struct conn *c)
{
	return c->ssl != NULL && c->state == CONN_OPEN;
}

void
conn_bind(const struct conn *c, struct tls_binding *binding_r)
{
	if (conn_is_tls(c))
		tls_bind(c->ssl, binding_r);
	else
		*binding_r = (struct tls_binding){ .type = TLS_BINDING_NONE };
}

void
conn_send(struct conn *c)
{
	/* Inside a callback the pump writes anyway when it returns. */
	if (is_open(c) && c->busy == 0)
		timer_soon(&c->turn);
}

void
conn_pause(struct conn *c)
{
	c->paused = true;
	timer_cancel(&c->deadline);
	if (is_open(c))
		watch_set(&c->readable, false);
}

/* The rest may sit decrypted in OpenSSL, so it does not wait for the socket. */
void
conn_resume(struct conn *c)
{
	c->paused = false;
	set_deadline(c);
	if (!is_open(c))
		return;
	watch_set(&c->readable, true);
	c->more_in = true;
	timer_set(&c->turn, 0);
}

void
conn_send_now(struct conn *c)
{
	enter(c);
	flush(c);
	leave(c);
}

void
conn_local_literal(const struct conn *c, char *dst, size_t cap)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	char text[INET6_ADDRSTRLEN] = "127.0.0.1";

	if (c->fd >= 0 &&
	    getsockname(c->fd, (struct sockaddr *)&addr, &len) == 0)
		getnameinfo((struct sockaddr *)&addr, len, text, sizeof(text),
		    NULL, 0, NI_NUMERICHOST);
	snprintf(
	    dst, cap, "[%s%s]", strchr(text, ':') != NULL ? "IPv6:" : "", text);
}

void
conn_close(struct conn **conn)
{
	struct conn *c = *conn;

	*conn = NULL;
	if (c == NULL)
		return;
	if (c->state == CONN_OPEN && c->ssl != NULL) {
		ERR_clear_error();
		SSL_shutdown(c->ssl);
	}
	c->closed = true;
	if (c->busy == 0)
		conn_free(c);
}
