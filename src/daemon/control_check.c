/* SPDX-License-Identifier: ISC */
#include "daemon/control_private.h"

#include <stdlib.h>

#include "base/mem.h"
#include "daemon/control_server.h"
#include "daemon/view.h"

#define AT_A_TIME 4

/* A check that a client watches. */
struct inquiry {
	LIST_ENTRY(inquiry) link;
	struct exchange *exchange;
	struct check *check; /* owned */
};

static void
end(struct inquiry *q)
{
	LIST_REMOVE(q, link);
	ask_check_stop(&q->check);
	free(q);
}

static void
on_gone(void *arg)
{
	end(arg);
}

static void
on_line(void *arg, json_t *line)
{
	struct inquiry *q = arg;

	exchange_line(q->exchange, line);
}

static void
on_done(void *arg)
{
	struct inquiry *q = arg;

	q->check = NULL;
	exchange_end(q->exchange);
	end(q);
}

void
control_check(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	struct inquiry *q = mem_alloc(sizeof(*q));
	const struct check_asker asker = { on_line, on_done, q };
	const struct inquiry *other;
	struct fault why;
	size_t n = 0;

	LIST_FOREACH (other, &c->inquiries, link)
		n++;
	q->exchange = x;
	if (n >= AT_A_TIME)
		fault_set(&why, FAULT_US, FAULT_LATER, "check",
		    "%zu checks are running already", n);
	else
		q->check = ask_check(c->o.supervisor,
		    r->name[0] != '\0' ? r->name : NULL, r->destination, &asker,
		    &why);
	if (q->check == NULL) {
		exchange_error(x, 409, "%s", why.text);
		free(q);
		return;
	}
	LIST_INSERT_HEAD(&c->inquiries, q, link);
	exchange_begin(x, on_gone, q);
}
