/* SPDX-License-Identifier: ISC */
#include "fake_conn.h"

struct conn {
	struct fake_net *net;
	const struct conn_handler *handler;
	void *arg;
	enum fault_scope scope;
	bool plain, shaking, up, closed;
	unsigned busy;
};

struct conn *
conn_open(struct net *n, const struct conn_target *t,
    const struct conn_handler *handler, void *arg)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL)
		abort();
	c->net = (struct fake_net *)n;
	c->handler = handler;
	c->arg = arg;
	c->scope = t->scope;
	c->plain = t->plain;
	if (c->net->conn != NULL)
		abort();
	c->net->conn = c;
	trail_event(c->net->trail, "open %s %u%s", t->peer.host, t->port,
	    t->plain ? " plain" : "");
	return c;
}

static void
enter(struct conn *c)
{
	c->busy++;
}

static void
leave(struct conn *c)
{
	if (--c->busy == 0 && c->closed)
		free(c);
}

static void
flush(struct conn *c)
{
	while (c->up && !c->closed) {
		struct span s = c->handler->out(c->arg);

		if (c->closed || s.n == 0)
			return;
		if (c->net->window > 0 && s.n > c->net->window)
			s.n = c->net->window;
		trail_piece(c->net->trail, "C", s);
		c->handler->wrote(c->arg, s.n);
	}
}

void
conn_starttls(struct conn *c)
{
	trail_event(c->net->trail, "starttls");
	c->plain = c->up = false;
	c->shaking = true;
}

bool
conn_is_tls(const struct conn *c)
{
	return c->up && !c->plain;
}

void
conn_bind(const struct conn *c, struct tls_binding *binding_r)
{
	*binding_r = c->net->binding;
}

void
conn_send(struct conn *c)
{
	(void)c;
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
	(void)c;
	snprintf(dst, cap, "[192.0.2.1]");
}

void
conn_expect(struct conn *c, int64_t ms, const char *phase)
{
	(void)c;
	(void)ms;
	(void)phase;
}

void
conn_close(struct conn **conn)
{
	struct conn *c = *conn;

	*conn = NULL;
	if (c == NULL)
		return;
	trail_event(c->net->trail, "close");
	c->net->conn = NULL;
	c->closed = true;
	if (c->busy == 0)
		free(c);
}

/* --- the other end */

void
fake_conn_up(struct fake_net *n)
{
	struct conn *c = n->conn;

	trail_event(n->trail, "up");
	c->up = true;
	enter(c);
	c->handler->up(c->arg);
	flush(c);
	leave(c);
}

void
fake_conn_say(struct fake_net *n, const char *text)
{
	struct conn *c = n->conn;
	size_t len = strlen(text);
	char *copy = malloc(len); /* of exactly its size */

	if (copy == NULL || !c->up)
		abort();
	memcpy(copy, text, len);
	trail_text(n->trail, "S", span_str(text));
	enter(c);
	c->handler->data(c->arg, span_make(copy, len));
	free(copy);
	flush(c);
	leave(c);
}

void
fake_conn_break(struct fake_net *n)
{
	struct conn *c = n->conn;
	struct fault f;

	trail_event(n->trail, "break");
	fault_set(&f, c->scope, FAULT_LATER, "phase", "connection lost");
	c->up = false;
	enter(c);
	c->handler->down(c->arg, &f);
	leave(c);
}

void
fake_conn_flush(struct fake_net *n)
{
	if (n->conn != NULL)
		conn_send_now(n->conn);
}
