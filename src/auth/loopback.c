/* SPDX-License-Identifier: ISC */
#include "auth/loopback.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/http.h>

#include "base/mem.h"
#include "net/loop.h"

#define HEAD_MAX 8192 /* bytes of a request */
#define TIMEOUT 10    /* seconds that a client may be silent */

struct loopback {
	struct evhttp *http;
	unsigned port;
	bool ended;
	bool (*came)(void *arg, struct span target);
	void *arg;
};

static void
reply(struct evhttp_request *r, int code, const char *text)
{
	struct evkeyvalq *head = evhttp_request_get_output_headers(r);
	struct evbuffer *body = evbuffer_new();

	if (body == NULL)
		abort(); /* as any allocation that failed (base/mem.h) */
	evbuffer_add(body, text, strlen(text));
	evhttp_add_header(head, "Content-Type", "text/plain; charset=utf-8");
	evhttp_add_header(head, "Cache-Control", "no-store");
	evhttp_add_header(head, "Connection", "close");
	evhttp_send_reply(r, code, code == 200 ? "OK" : "No", body);
	evbuffer_free(body);
}

/* Browsers also ask for an icon; others may ask for anything. */
static void
on_request(struct evhttp_request *r, void *arg)
{
	struct loopback *b = arg;
	const char *target = evhttp_request_get_uri(r);

	if (!b->ended && evhttp_request_get_command(r) == EVHTTP_REQ_GET &&
	    span_istarts(span_str(target), "/?")) {
		b->ended = b->came(b->arg, span_str(target));
		if (b->ended) {
			reply(r, 200,
			    "mailhaul has what it needs. You can close this "
			    "page; the terminal says how it went.\n");
			return;
		}
	}
	reply(r, 404, "mailhaul waits for something else here.\n");
}

static unsigned
port_of(struct evhttp_bound_socket *s)
{
	struct sockaddr_in a = { .sin_port = 0 };
	socklen_t n = sizeof(a);

	if (getsockname(
		evhttp_bound_socket_get_fd(s), (struct sockaddr *)&a, &n) != 0)
		return 0;
	return ntohs(a.sin_port);
}

struct loopback *
loopback_new(
    struct loop *l, bool (*came)(void *arg, struct span target), void *arg)
{
	struct loopback *b = mem_alloc(sizeof(*b));
	struct evhttp_bound_socket *s;

	b->came = came;
	b->arg = arg;
	b->http = evhttp_new(loop_base(l));
	if (b->http == NULL)
		abort();
	evhttp_set_max_headers_size(b->http, HEAD_MAX);
	evhttp_set_max_body_size(b->http, 0);
	evhttp_set_timeout(b->http, TIMEOUT);
	evhttp_set_allowed_methods(b->http, EVHTTP_REQ_GET);
	evhttp_set_gencb(b->http, on_request, b);
	s = evhttp_bind_socket_with_handle(b->http, "127.0.0.1", 0);
	if (s != NULL)
		b->port = port_of(s);
	if (b->port == 0)
		loopback_free(&b);
	return b;
}

unsigned
loopback_port(const struct loopback *b)
{
	return b->port;
}

void
loopback_free(struct loopback **b)
{
	if (*b == NULL)
		return;
	evhttp_free((*b)->http);
	free(*b);
	*b = NULL;
}
