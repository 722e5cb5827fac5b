/* SPDX-License-Identifier: ISC */
#include "fake_loop.h"

#include <stdlib.h>
#include <time.h>

struct event {
	TAILQ_ENTRY(event) link;
	struct loop *loop;
	void (*run)(void *arg);
	void *arg;
	int64_t at; /* -1: it is not set */
};

int64_t fake_wall;
static struct loop *the_loop;

time_t
time(time_t *t)
{
	time_t now = (time_t)(fake_wall + the_loop->now_ms / 1000);

	if (t != NULL)
		*t = now;
	return now;
}

void
fake_loop_init(struct loop *l)
{
	*l = (struct loop){ .now_ms = 0 };
	TAILQ_INIT(&l->timers);
	the_loop = l;
}

void
timer_init(struct timer *t, struct loop *l, void (*run)(void *arg), void *arg)
{
	struct event *e = malloc(sizeof(*e));

	if (e == NULL)
		abort();
	*e = (struct event){ .loop = l, .run = run, .arg = arg, .at = -1 };
	TAILQ_INSERT_TAIL(&l->timers, e, link);
	t->event = e;
}

void
timer_set(struct timer *t, int64_t ms)
{
	t->event->at = t->event->loop->now_ms + ms;
}

void
timer_cancel(struct timer *t)
{
	if (t->event != NULL)
		t->event->at = -1;
}

void
timer_free(struct timer *t)
{
	if (t->event == NULL)
		return;
	TAILQ_REMOVE(&t->event->loop->timers, t->event, link);
	free(t->event);
	t->event = NULL;
}

/* No file is ever ready; whoever would wait for one finds out. */
void
watch_init(struct watch *w, struct loop *l, int fd, enum watch_for what,
    void (*run)(void *arg), void *arg)
{
	(void)w;
	(void)l;
	(void)fd;
	(void)what;
	(void)run;
	(void)arg;
	abort();
}

void
watch_set(struct watch *w, bool on)
{
	(void)w;
	(void)on;
}

void
watch_free(struct watch *w)
{
	(void)w;
}

/* For modules of libevent that are linked, but not used. */
struct event_base *
loop_base(struct loop *l)
{
	(void)l;
	abort();
}

void
loop_stop(struct loop *l)
{
	l->stopped = true;
}

int64_t
loop_now_us(const struct loop *l)
{
	return l->now_ms * 1000;
}

int64_t
loop_now_ms(const struct loop *l)
{
	return l->now_ms;
}

static struct event *
first_due(struct loop *l, int64_t until)
{
	struct event *e, *first = NULL;

	TAILQ_FOREACH (e, &l->timers, link)
		if (e->at >= 0 && e->at <= until &&
		    (first == NULL || e->at < first->at))
			first = e;
	return first;
}

void
fake_loop_pass(struct loop *l, int64_t seconds)
{
	int64_t until = l->now_ms + seconds * 1000;
	struct event *e;

	while ((e = first_due(l, until)) != NULL) {
		l->now_ms = e->at > l->now_ms ? e->at : l->now_ms;
		e->at = -1;
		e->run(e->arg);
	}
	l->now_ms = until;
}
