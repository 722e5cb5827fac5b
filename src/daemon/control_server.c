/* SPDX-License-Identifier: ISC */
#include "daemon/control_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/control_route.h"
#include "net/loop.h"
#include "proto/http.h"

#define LISTENERS_MAX 4
#define CLIENTS_MAX 32  /* of the Unix socket ... */
#define READERS_MAX 16  /* ... and of each read-only listener */
#define REQUEST_TIME 10 /* seconds from the connection to its request */
#define WRITE_TIME 30   /* seconds without a byte taken ... */
#define ANSWER_TIME 60  /* ... and for all of it, and one more for each */
#define ANSWER_RATE (1024 * 1024) /* of so many bytes */
#define LINGER_TIME 2             /* seconds for the client to close after us */
#define PAUSE_MS 1000             /* without descriptors */
#define PIECE (64 * 1024)         /* of a file */
#define STREAM_MAX (256 * 1024)   /* bytes that a slow reader may be behind */

struct listener {
	struct control_server *server;
	int fd; /* owned */
	struct watch watch;
	struct timer pause;
	bool read_only;
	unsigned clients, most;
};

enum client_state {
	CLIENT_READING,
	CLIENT_WAITING, /* for the answer: somebody has a pointer to it */
	CLIENT_WRITING,
	CLIENT_STREAMING,
	CLIENT_LINGERING, /* the answer is out; what he still says is read */
};

struct exchange {
	LIST_ENTRY(exchange) link;
	struct control_server *server;
	struct listener *listener;
	enum client_state state;
	struct bufferevent *bev; /* owned, with its descriptor */
	struct timer deadline;
	bool post;     /* for Allow */
	int file;      /* owned; -1: none, or read to its end */
	uint64_t left; /* bytes of it */
};

struct control_server {
	struct loop *loop;
	void (*run)(
	    void *arg, struct exchange *x, const struct control_request *r);
	void *arg;
	struct listener listeners[LISTENERS_MAX];
	size_t nlisteners;
	LIST_HEAD(, exchange) clients;
	int reserve; /* a descriptor to give up when there are no others */
};

/* --- the end of a client */

static void
drop(struct exchange *x)
{
	LIST_REMOVE(x, link);
	x->listener->clients--;
	timer_free(&x->deadline);
	bufferevent_free(x->bev);
	if (x->file >= 0)
		close(x->file);
	free(x);
}

static void
on_deadline(void *arg)
{
	struct exchange *x = arg;

	if (x->state == CLIENT_READING)
		exchange_error(x, 408, "the request did not arrive in time");
	else
		drop(x);
}

/* Closing while he still sends would reset the connection and take the answer
 * from him. */
static void
linger(struct exchange *x)
{
	x->state = CLIENT_LINGERING;
	shutdown(bufferevent_getfd(x->bev), SHUT_WR);
	timer_set(&x->deadline, LINGER_TIME * 1000);
	bufferevent_enable(x->bev, EV_READ);
}

/* --- answers */

static void
begin_answer(struct exchange *x, unsigned code, const char *type, int64_t size)
{
	struct evbuffer *out = bufferevent_get_output(x->bev);
	struct timeval limit = { WRITE_TIME, 0 };

	x->state = CLIENT_WRITING;
	if (size >= 0)
		timer_set(
		    &x->deadline, (ANSWER_TIME + size / ANSWER_RATE) * 1000);
	bufferevent_set_timeouts(x->bev, NULL, &limit);
	evbuffer_add_printf(out,
	    "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nConnection: close\r\n"
	    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n",
	    code, http_reason(code), type);
	if (size >= 0)
		evbuffer_add_printf(
		    out, "Content-Length: %lld\r\n", (long long)size);
	if (code == 405)
		evbuffer_add_printf(
		    out, "Allow: %s\r\n", x->post ? "POST" : "GET");
	evbuffer_add(out, "\r\n", 2);
}

void
exchange_json(struct exchange *x, unsigned code, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	size_t n;

	if (text == NULL)
		abort(); /* as any allocation that failed (base/mem.h) */
	json_decref(json);
	n = strlen(text);
	begin_answer(x, code, "application/json", (int64_t)n + 1);
	evbuffer_add(bufferevent_get_output(x->bev), text, n);
	evbuffer_add(bufferevent_get_output(x->bev), "\n", 1);
	free(text);
}

void
exchange_error(struct exchange *x, unsigned code, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	json_t *json;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json = json_pack("{ss}", "error", text);
	if (json == NULL)
		json = json_pack("{ss}", "error", "it cannot be said in UTF-8");
	exchange_json(x, code, json);
}

void
exchange_text(
    struct exchange *x, const char *content_type, struct evbuffer *body)
{
	begin_answer(x, 200, content_type, (int64_t)evbuffer_get_length(body));
	evbuffer_add_buffer(bufferevent_get_output(x->bev), body);
}

/* What was promised cannot be kept when the file cannot be read: the client
 * sees that the end is missing. */
static bool
add_piece(struct exchange *x)
{
	char piece[PIECE];
	size_t want = x->left < PIECE ? (size_t)x->left : PIECE;
	ssize_t n = want > 0 ? read(x->file, piece, want) : 0;

	if (n <= 0) {
		close(x->file);
		x->file = -1;
		return x->left == 0;
	}
	x->left -= (uint64_t)n;
	evbuffer_add(bufferevent_get_output(x->bev), piece, (size_t)n);
	return true;
}

void
exchange_file(struct exchange *x, int fd, uint64_t size)
{
	begin_answer(x, 200, "application/octet-stream", (int64_t)size);
	x->file = fd;
	x->left = size;
}

void
exchange_stream(struct exchange *x)
{
	begin_answer(x, 200, "application/x-ndjson", -1);
	x->state = CLIENT_STREAMING;
	/* To see him go. */
	bufferevent_enable(x->bev, EV_READ);
}

void
control_server_line(struct control_server *s, struct span line)
{
	struct exchange *x, *next;

	for (x = LIST_FIRST(&s->clients); x != NULL; x = next) {
		struct evbuffer *out = bufferevent_get_output(x->bev);

		next = LIST_NEXT(x, link);
		if (x->state != CLIENT_STREAMING)
			continue;
		if (evbuffer_get_length(out) + line.n > STREAM_MAX)
			drop(x);
		else
			evbuffer_add(out, line.p, line.n);
	}
}

bool
control_server_streams(const struct control_server *s)
{
	const struct exchange *x;

	LIST_FOREACH (x, &s->clients, link)
		if (x->state == CLIENT_STREAMING)
			return true;
	return false;
}

/* --- requests */

static void
take_request(struct exchange *x, const struct http_request *h)
{
	bool read_only = x->listener->read_only;
	struct control_request r;
	const char *why;
	unsigned code =
	    control_route(h->method, h->target, read_only, &r, &why);

	x->state = CLIENT_WAITING;
	x->post = r.post;
	timer_cancel(&x->deadline);
	bufferevent_disable(x->bev, EV_READ);
	if (read_only && !control_host_is_local(h->host))
		exchange_error(x, 403, "Host must be localhost");
	else if (code != 200)
		exchange_error(x, code, "%s", why);
	else if (h->body > 0)
		exchange_error(x, 400, "no body is wanted");
	else
		x->server->run(x->server->arg, x, &r);
}

static void
on_readable(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct exchange *x = arg;
	struct http_request h;
	size_t n = evbuffer_get_length(in);

	if (x->state != CLIENT_READING) {
		evbuffer_drain(in, n);
		return;
	}
	if (n > HTTP_HEAD_MAX)
		n = HTTP_HEAD_MAX;
	switch (
	    http_parse(span_make(evbuffer_pullup(in, (ev_ssize_t)n), n), &h)) {
	case HTTP_MORE:
		break;
	case HTTP_BAD:
		exchange_error(x, h.code, "%s", h.why);
		break;
	case HTTP_DONE:
		take_request(x, &h);
		break;
	}
}

static void
on_written(struct bufferevent *bev, void *arg)
{
	struct exchange *x = arg;

	(void)bev;
	if (x->state != CLIENT_WRITING)
		return;
	if (x->file < 0)
		linger(x);
	else if (!add_piece(x))
		drop(x);
	else if (x->file < 0)
		linger(x);
}

static void
on_event(struct bufferevent *bev, short what, void *arg)
{
	struct exchange *x = arg;

	/* Who has sent all he wants to say may still listen. */
	if ((what & BEV_EVENT_EOF) &&
	    (x->state == CLIENT_WAITING || x->state == CLIENT_WRITING))
		bufferevent_disable(bev, EV_READ);
	else if (x->state != CLIENT_WAITING)
		drop(x);
}

/* --- clients */

static void
welcome(struct listener *l, int fd)
{
	struct exchange *x = mem_alloc(sizeof(*x));

	x->server = l->server;
	x->listener = l;
	x->file = -1;
	x->bev = bufferevent_socket_new(
	    loop_base(l->server->loop), fd, BEV_OPT_CLOSE_ON_FREE);
	if (x->bev == NULL)
		abort();
	l->clients++;
	LIST_INSERT_HEAD(&l->server->clients, x, link);
	timer_init(&x->deadline, l->server->loop, on_deadline, x);
	timer_set(&x->deadline, REQUEST_TIME * 1000);
	bufferevent_setcb(x->bev, on_readable, on_written, on_event, x);
	bufferevent_setwatermark(
	    x->bev, EV_READ, 0, HTTP_HEAD_MAX + HTTP_BODY_MAX);
	bufferevent_enable(x->bev, EV_READ | EV_WRITE);
}

static void
refuse(int fd)
{
	static const char busy[] =
	    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
	    "Content-Type: application/json\r\nContent-Length: 31\r\n\r\n"
	    "{\"error\":\"too many are asking\"}";

	send(fd, busy, sizeof(busy) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

/* Once: who wants to see why there are no descriptors left should get in.
 * Then nobody, for a while. */
static void
out_of_descriptors(struct listener *l)
{
	struct control_server *s = l->server;

	if (s->reserve >= 0) {
		close(s->reserve);
		s->reserve = -1;
		return;
	}
	log_line(LOG_WARNING, "control socket: %s: no connection is taken now",
	    strerror(errno));
	watch_set(&l->watch, false);
	timer_set(&l->pause, PAUSE_MS);
}

static void
keep_reserve(struct control_server *s)
{
	if (s->reserve < 0)
		s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
on_pause_over(void *arg)
{
	struct listener *l = arg;

	watch_set(&l->watch, true);
}

static void
on_knock(void *arg)
{
	struct listener *l = arg;
	int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			out_of_descriptors(l);
		return;
	}
	keep_reserve(l->server);
	if (l->clients < l->most)
		welcome(l, fd);
	else
		refuse(fd);
}

/* --- the server */

struct control_server *
control_server_new(struct loop *l,
    void (*run)(void *arg, struct exchange *x, const struct control_request *r),
    void *arg)
{
	struct control_server *s = mem_alloc(sizeof(*s));

	s->loop = l;
	s->run = run;
	s->arg = arg;
	s->reserve = -1;
	LIST_INIT(&s->clients);
	keep_reserve(s);
	return s;
}

void
control_server_listen(struct control_server *s, int fd, bool read_only)
{
	struct listener *l = &s->listeners[s->nlisteners];

	if (s->nlisteners == LISTENERS_MAX)
		abort();
	s->nlisteners++;
	*l = (struct listener){
		.server = s,
		.fd = fd,
		.read_only = read_only,
		.most = read_only ? READERS_MAX : CLIENTS_MAX,
	};
	timer_init(&l->pause, s->loop, on_pause_over, l);
	watch_init(&l->watch, s->loop, fd, WATCH_READ, on_knock, l);
	watch_set(&l->watch, true);
}

void
control_server_free(struct control_server **server)
{
	struct control_server *s = *server;

	if (s == NULL)
		return;
	*server = NULL;
	while (!LIST_EMPTY(&s->clients))
		drop(LIST_FIRST(&s->clients));
	for (size_t i = 0; i < s->nlisteners; i++) {
		watch_free(&s->listeners[i].watch);
		timer_free(&s->listeners[i].pause);
		close(s->listeners[i].fd);
	}
	if (s->reserve >= 0)
		close(s->reserve);
	free(s);
}
