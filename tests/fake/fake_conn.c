/* SPDX-License-Identifier: ISC */
#include "fake_conn.h"

#define MOST 9

/* In the trail; the first is for a connection that is alone. */
static const char *const clients[] = { "C", "C1", "C2", "C3", "C4", "C5", "C6",
	"C7", "C8", "C9" };
static const char *const servers[] = { "S", "S1", "S2", "S3", "S4", "S5", "S6",
	"S7", "S8", "S9" };
static const char *const labels[] = { "", " 1", " 2", " 3", " 4", " 5", " 6",
	" 7", " 8", " 9" };

struct conn {
	TAILQ_ENTRY(conn) link;
	unsigned number; /* in the order of opening; 0: it is alone */
	struct fake_net *net;
	const struct conn_handler *handler;
	void *arg;
	enum fault_scope scope;
	bool plain, shaking, up, closed;
	unsigned busy;
};

static void
admit(struct fake_net *n, struct conn *c)
{
	if (n->conns.tqh_last == NULL)
		TAILQ_INIT(&n->conns);
	if (n->numbered)
		c->number = ++n->opened;
	else if (n->conn != NULL)
		abort();
	if (c->number > MOST)
		abort();
	TAILQ_INSERT_TAIL(&n->conns, c, link);
	n->conn = c;
}

static void
say_event(const struct conn *c, const char *what)
{
	trail_event(c->net->trail, "%s%s", what, labels[c->number]);
}

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
	admit(c->net, c);
	trail_event(c->net->trail, "open%s %s %u%s", labels[c->number],
	    t->peer.host, t->peer.port, t->plain ? " plain" : "");
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

		if (c->net->full && s.n > c->net->room)
			s.n = c->net->room;
		if (c->closed || s.n == 0)
			return;
		c->net->room -= c->net->full ? s.n : 0;
		if (c->net->window > 0 && s.n > c->net->window)
			s.n = c->net->window;
		trail_piece(c->net->trail, clients[c->number], s);
		c->handler->wrote(c->arg, s.n);
	}
}

void
conn_starttls(struct conn *c)
{
	say_event(c, "starttls");
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
	(void)phase;
	c->net->patience = ms;
}

void
conn_pause(struct conn *c)
{
	say_event(c, "pause");
}

void
conn_resume(struct conn *c)
{
	say_event(c, "resume");
}

void
conn_close(struct conn **conn)
{
	struct conn *c = *conn;

	*conn = NULL;
	if (c == NULL)
		return;
	say_event(c, "close");
	TAILQ_REMOVE(&c->net->conns, c, link);
	if (c->net->conn == c)
		c->net->conn = TAILQ_LAST(&c->net->conns, fake_conns);
	c->closed = true;
	if (c->busy == 0)
		free(c);
}

/* --- the other end */

bool
fake_conn_pick(struct fake_net *n, unsigned number)
{
	struct conn *c;

	TAILQ_FOREACH (c, &n->conns, link)
		if (c->number == number)
			n->conn = c;
	return n->conn != NULL && n->conn->number == number;
}

void
fake_conn_up(struct fake_net *n)
{
	struct conn *c = n->conn;

	say_event(c, "up");
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
	trail_text(n->trail, servers[c->number], span_str(text));
	enter(c);
	c->handler->data(c->arg, span_make(copy, len));
	free(copy);
	flush(c);
	leave(c);
}

void
fake_conn_break(struct fake_net *n)
{
	fake_conn_fail(n, FAULT_LATER);
}

void
fake_conn_fail(struct fake_net *n, enum fault_when when)
{
	struct conn *c = n->conn;
	struct fault f;

	say_event(c, "break");
	fault_set(&f, c->scope, when, "phase", "connection lost");
	c->up = false;
	enter(c);
	c->handler->down(c->arg, &f);
	leave(c);
}

void
fake_conn_flush(struct fake_net *n)
{
	struct conn *c = TAILQ_FIRST(&n->conns), *next;

	for (; c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		conn_send_now(c);
	}
}
