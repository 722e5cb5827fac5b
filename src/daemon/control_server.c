/* SPDX-License-Identifier: ISC */
#include "daemon/control_server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/listener.h>

#include "base/log.h"
#include "base/mem.h"
#include "daemon/control_route.h"
#include "net/loop.h"

#define LISTENERS_MAX 4
#define HEAD_MAX 8192 /* bytes of a request ... */
#define BODY_MAX 4096
#define ASKING_MAX 32   /* requests at a time, of the Unix socket ... */
#define READING_MAX 16  /* ... and of each read-only listener ... */
#define SPARE 16        /* ... and clients beyond them, who are told so */
#define REQUEST_TIME 10 /* seconds from the connection to its request */
#define WRITE_TIME 30   /* seconds without a byte taken ... */
#define ANSWER_TIME 60  /* ... and for all of it, and one more for each */
#define ANSWER_RATE (1024 * 1024) /* of so many bytes */
#define PAUSE_MS 1000             /* without descriptors */
#define STREAM_MAX (256 * 1024)   /* bytes that a slow reader may be behind */

struct listener {
	struct control_server *server;
	struct evhttp *http;            /* owned, with its descriptor */
	struct evconnlistener *accepts; /* of http; NULL: both are going */
	struct timer pause;
	bool read_only, is_paused;
	unsigned most;    /* asking at a time */
	unsigned clients; /* connections ... */
	unsigned asking;  /* ... that have a request */
};

enum client_state {
	CLIENT_NEW, /* evhttp makes a connection of it */
	CLIENT_READING,
	CLIENT_WAITING, /* for the answer: somebody has a pointer to it */
	CLIENT_WRITING,
	CLIENT_STREAMING,
	CLIENT_TOLD,   /* an answer in lines: somebody has a pointer, too */
	CLIENT_BEHIND, /* too slow: it is dropped soon */
};

/* A client, for as long as evhttp has a connection to it. */
struct exchange {
	LIST_ENTRY(exchange) link;
	struct control_server *server;
	struct listener *listener;
	enum client_state state;
	struct bufferevent *bev; /* of connection; CLIENT_NEW: referenced */
	struct evhttp_connection *connection; /* frees us when it goes */
	struct evhttp_request *request;       /* until it is answered */
	struct timer deadline;
	bool post; /* for Allow */
	/* CLIENT_TOLD */
	void (*gone)(void *arg);
	void *arg;
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

/* The one of this process: evhttp leaves evconnlistener_set_error_cb() no
 * argument to find it by. */
static struct control_server *the_server;

/* --- who is let in */

static void
let_in(struct listener *l)
{
	if (l->accepts == NULL || l->is_paused)
		return;
	if (l->clients < l->most + SPARE)
		evconnlistener_enable(l->accepts);
	else
		evconnlistener_disable(l->accepts);
}

static void
keep_reserve(struct control_server *s)
{
	if (s->reserve < 0)
		s->reserve = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
pause_listener(struct listener *l)
{
	log_line(LOG_WARNING, "control socket: %s: no connection is taken now",
	    strerror(errno));
	evconnlistener_disable(l->accepts);
	l->is_paused = true;
	timer_set(&l->pause, PAUSE_MS);
}

static void
on_pause_over(void *arg)
{
	struct listener *l = arg;

	l->is_paused = false;
	let_in(l);
}

/* Once the reserve: who wants to see why there are no descriptors left should
 * get in.  Then nobody, for a while. */
static void
on_not_accepted(struct evconnlistener *accepts, void *of_evhttp)
{
	struct control_server *s = the_server;

	(void)of_evhttp;
	if (s->reserve >= 0) {
		close(s->reserve);
		s->reserve = -1;
		return;
	}
	for (size_t i = 0; i < s->nlisteners; i++)
		if (s->listeners[i].accepts == accepts)
			pause_listener(&s->listeners[i]);
}

/* --- the life of a client */

static void
forget(struct exchange *x)
{
	struct listener *l = x->listener;

	if (x->gone != NULL)
		x->gone(x->arg);

	LIST_REMOVE(x, link);
	l->clients--;
	if (x->state >= CLIENT_WAITING)
		l->asking--;
	if (x->state == CLIENT_NEW)
		bufferevent_decref(x->bev);
	timer_free(&x->deadline);
	free(x);
	let_in(l);
}

static void
on_closed(struct evhttp_connection *connection, void *arg)
{
	struct exchange *x = arg;

	(void)connection;
	/* When a client goes that is streamed to, evhttp takes the request off
	 * the connection and leaves it to us. */
	if (x->request != NULL &&
	    evhttp_request_get_connection(x->request) == NULL)
		evhttp_request_free(x->request);
	forget(x);
}

/* evhttp 2.1 shows a connection to nobody before it has a whole request.  It
 * is the argument of the callbacks that it gave the bufferevent, which is asked
 * for it and compared.  None: it has been closed already, and x is gone. */
static bool
meet(struct exchange *x)
{
	void *connection = NULL;

	bufferevent_getcb(x->bev, NULL, NULL, NULL, &connection);
	if (connection == NULL) {
		forget(x);
		return false;
	}
	if (evhttp_connection_get_bufferevent(connection) != x->bev)
		abort();
	bufferevent_decref(x->bev);
	x->state = CLIENT_READING;
	x->connection = connection;
	evhttp_connection_set_closecb(x->connection, on_closed, x);
	timer_set(&x->deadline, REQUEST_TIME * 1000);
	return true;
}

static void
on_deadline(void *arg)
{
	struct exchange *x = arg;

	if (x->state == CLIENT_NEW)
		meet(x);
	else
		evhttp_connection_free(x->connection);
}

/* evhttp has accepted somebody and asks for what to read him with.  What is
 * read while nobody takes it ends at the watermark. */
static struct bufferevent *
on_accepted(struct event_base *base, void *arg)
{
	struct listener *l = arg;
	struct timeval limit = { WRITE_TIME, 0 };
	struct exchange *x = mem_alloc(sizeof(*x));

	x->server = l->server;
	x->listener = l;
	x->state = CLIENT_NEW;
	x->bev = bufferevent_socket_new(base, -1, 0);
	if (x->bev == NULL)
		abort(); /* as any allocation that failed (base/mem.h) */
	bufferevent_incref(x->bev);
	bufferevent_set_timeouts(x->bev, NULL, &limit);
	bufferevent_setwatermark(x->bev, EV_READ, 0, HEAD_MAX + BODY_MAX);
	timer_init(&x->deadline, l->server->loop, on_deadline, x);
	timer_set(&x->deadline, 0);
	LIST_INSERT_HEAD(&l->server->clients, x, link);
	l->clients++;
	let_in(l);
	keep_reserve(l->server);
	return x->bev;
}

/* --- answers */

static void
add_headers(struct exchange *x, const char *type)
{
	struct evkeyvalq *h = evhttp_request_get_output_headers(x->request);

	evhttp_add_header(h, "Content-Type", type);
	evhttp_add_header(h, "Connection", "close");
	evhttp_add_header(h, "Cache-Control", "no-store");
	evhttp_add_header(h, "X-Content-Type-Options", "nosniff");
}

static struct evbuffer *
new_body(void)
{
	struct evbuffer *body = evbuffer_new();

	if (body == NULL)
		abort();
	return body;
}

/* Takes what is in body. */
static void
answer(
    struct exchange *x, unsigned code, const char *type, struct evbuffer *body)
{
	int64_t size = (int64_t)evbuffer_get_length(body);

	add_headers(x, type);
	if (code == 405)
		evhttp_add_header(evhttp_request_get_output_headers(x->request),
		    "Allow", x->post ? "POST" : "GET");
	x->state = CLIENT_WRITING;
	timer_set(&x->deadline, (ANSWER_TIME + size / ANSWER_RATE) * 1000);
	evhttp_send_reply(x->request, (int)code, NULL, body);
	x->request = NULL;
	/* evhttp would read on and close as soon as it finds an end; who has
	 * sent all he wants to say may still listen. */
	bufferevent_disable(x->bev, EV_READ);
}

void
exchange_json(struct exchange *x, unsigned code, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	struct evbuffer *body = new_body();

	if (text == NULL)
		abort();
	json_decref(json);
	evbuffer_add_printf(body, "%s\n", text);
	free(text);
	answer(x, code, "application/json", body);
	evbuffer_free(body);
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
	answer(x, 200, content_type, body);
}

/* By sendfile(): a file that cannot be read, or ends early, ends the
 * connection, and the client sees that the rest is missing. */
void
exchange_file(struct exchange *x, int fd, uint64_t size)
{
	struct evbuffer *body = new_body();

	evbuffer_set_flags(body, EVBUFFER_FLAG_DRAINS_TO_FD);
	if (evbuffer_add_file(body, fd, 0, (ev_off_t)size) != 0)
		abort();
	answer(x, 200, "application/octet-stream", body);
	evbuffer_free(body);
}

void
exchange_begin(struct exchange *x, void (*gone)(void *arg), void *arg)
{
	add_headers(x, "application/x-ndjson");
	x->state = CLIENT_TOLD;
	x->gone = gone;
	x->arg = arg;
	evhttp_send_reply_start(x->request, 200, NULL);
}

/* Who wants to see a check and does not read is not waited for. */
void
exchange_line(struct exchange *x, json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);
	struct evbuffer *body = new_body();

	if (text == NULL)
		abort();
	json_decref(json);
	evbuffer_add_printf(body, "%s\n", text);
	free(text);
	if (evbuffer_get_length(bufferevent_get_output(x->bev)) > STREAM_MAX)
		timer_set(&x->deadline, 0);
	else
		evhttp_send_reply_chunk(x->request, body);
	evbuffer_free(body);
}

void
exchange_end(struct exchange *x)
{
	x->gone = NULL;
	x->state = CLIENT_WRITING;
	timer_set(&x->deadline, ANSWER_TIME * 1000);
	evhttp_send_reply_end(x->request);
	x->request = NULL;
}

void
exchange_stream(struct exchange *x)
{
	add_headers(x, "application/x-ndjson");
	x->state = CLIENT_STREAMING;
	evhttp_send_reply_start(x->request, 200, NULL);
}

void
control_server_line(struct control_server *s, struct span line)
{
	struct evbuffer *body = new_body();
	struct exchange *x;

	LIST_FOREACH (x, &s->clients, link) {
		struct evbuffer *out = bufferevent_get_output(x->bev);

		if (x->state != CLIENT_STREAMING)
			continue;
		if (evbuffer_get_length(out) + line.n > STREAM_MAX) {
			/* Not from in here: evhttp may be at work on it. */
			x->state = CLIENT_BEHIND;
			timer_set(&x->deadline, 0);
			continue;
		}
		evbuffer_add(body, line.p, line.n);
		evhttp_send_reply_chunk(x->request, body);
	}
	evbuffer_free(body);
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

/* What control_route() refuses, it says why; what is not in here, evhttp
 * answers with 501. */
static const struct {
	enum evhttp_cmd_type type;
	const char *name;
} methods[] = {
	{ EVHTTP_REQ_GET, "GET" },
	{ EVHTTP_REQ_POST, "POST" },
	{ EVHTTP_REQ_PUT, "PUT" },
	{ EVHTTP_REQ_DELETE, "DELETE" },
	{ EVHTTP_REQ_PATCH, "PATCH" },
};

#define METHODS (sizeof(methods) / sizeof(*methods))

static struct span
method_of(const struct evhttp_request *request)
{
	for (size_t i = 0; i < METHODS; i++)
		if (evhttp_request_get_command(request) == methods[i].type)
			return span_str(methods[i].name);
	return span_str("");
}

static struct span
header_of(struct evhttp_request *request, const char *name)
{
	const char *value =
	    evhttp_find_header(evhttp_request_get_input_headers(request), name);

	return span_str(value != NULL ? value : "");
}

static bool
has_body(struct evhttp_request *request)
{
	return header_of(request, "Transfer-Encoding").n > 0 ||
	       evbuffer_get_length(evhttp_request_get_input_buffer(request)) >
	           0;
}

static void
take_request(struct exchange *x)
{
	struct listener *l = x->listener;
	struct control_request r;
	const char *why;
	unsigned code = control_route(method_of(x->request),
	    span_str(evhttp_request_get_uri(x->request)), l->read_only, &r,
	    &why);

	x->post = r.post;
	if (l->asking > l->most)
		exchange_error(x, 503, "too many are asking");
	else if (l->read_only &&
		 !control_host_is_local(header_of(x->request, "Host")))
		exchange_error(x, 403, "Host must be localhost");
	else if (code != 200)
		exchange_error(x, code, "%s", why);
	else if (has_body(x->request))
		exchange_error(x, 400, "no body is wanted");
	else
		x->server->run(x->server->arg, x, &r);
}

static void
on_request(struct evhttp_request *request, void *arg)
{
	struct listener *l = arg;
	struct bufferevent *bev = evhttp_connection_get_bufferevent(
	    evhttp_request_get_connection(request));
	struct exchange *x;

	LIST_FOREACH (x, &l->server->clients, link)
		if (x->bev == bev)
			break;
	if (x == NULL || (x->state == CLIENT_NEW && !meet(x)))
		abort(); /* who asks is connected */
	timer_cancel(&x->deadline);
	x->state = CLIENT_WAITING;
	x->request = request;
	l->asking++;
	take_request(x);
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
	the_server = s;
	return s;
}

void
control_server_listen(struct control_server *s, int fd, bool read_only)
{
	struct listener *l = &s->listeners[s->nlisteners];
	struct evhttp_bound_socket *bound;
	struct evhttp *http = evhttp_new(loop_base(s->loop));
	unsigned allowed = 0;

	if (s->nlisteners == LISTENERS_MAX || http == NULL)
		abort();
	s->nlisteners++;
	for (size_t i = 0; i < METHODS; i++)
		allowed |= methods[i].type;
	evhttp_set_allowed_methods(http, (ev_uint16_t)allowed);
	evhttp_set_max_headers_size(http, HEAD_MAX);
	evhttp_set_max_body_size(http, BODY_MAX);
	evhttp_set_bevcb(http, on_accepted, l);
	evhttp_set_gencb(http, on_request, l);
	bound = evhttp_accept_socket_with_handle(http, fd);
	if (bound == NULL)
		abort();
	*l = (struct listener){
		.server = s,
		.http = http,
		.accepts = evhttp_bound_socket_get_listener(bound),
		.read_only = read_only,
		.most = read_only ? READING_MAX : ASKING_MAX,
	};
	timer_init(&l->pause, s->loop, on_pause_over, l);
	evconnlistener_set_error_cb(l->accepts, on_not_accepted);
}

void
control_server_free(struct control_server **server)
{
	struct control_server *s = *server;

	if (s == NULL)
		return;
	*server = the_server = NULL;
	for (size_t i = 0; i < s->nlisteners; i++) {
		s->listeners[i].accepts = NULL;
		evhttp_free(s->listeners[i].http);
		timer_free(&s->listeners[i].pause);
	}
	/* Who is CLIENT_NEW still. */
	while (!LIST_EMPTY(&s->clients))
		forget(LIST_FIRST(&s->clients));
	if (s->reserve >= 0)
		close(s->reserve);
	free(s);
}
