/* SPDX-License-Identifier: ISC */
#include "net/loop.h"

#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#include <event2/event.h>

#include "base/mem.h"

struct loop {
	struct event_base *base; /* owned */
};

struct loop *
loop_new(void)
{
	struct event_base *base = event_base_new();
	struct loop *l;

	if (base == NULL)
		return NULL;
	l = mem_alloc(sizeof(*l));
	l->base = base;
	return l;
}

void
loop_free(struct loop **l)
{
	if (*l == NULL)
		return;
	event_base_free((*l)->base);
	free(*l);
	*l = NULL;
}

void
loop_run(struct loop *l)
{
	event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
}

void
loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

int64_t
loop_now_us(const struct loop *l)
{
	struct timespec ts;

	(void)l;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
loop_now_ms(const struct loop *l)
{
	return loop_now_us(l) / 1000;
}

/* libevent hands back descriptor and flags that a timer has no use for; the
 * owner's function and argument travel in this. */
struct call {
	void (*run)(void *arg);
	void *arg;
};

static void
on_event(evutil_socket_t fd, short what, void *arg)
{
	struct call *c = arg;

	(void)fd;
	(void)what;
	c->run(c->arg);
}

static struct event *
new_event(struct loop *l, int fd, short what, void (*run)(void *), void *arg)
{
	struct call *c = mem_alloc(sizeof(*c));
	struct event *ev;

	c->run = run;
	c->arg = arg;
	ev = event_new(l->base, fd, what, on_event, c);
	if (ev == NULL)
		abort(); /* as any allocation that failed (base/mem.h) */
	return ev;
}

static void
free_event(struct event **ev)
{
	struct call *c;

	if (*ev == NULL)
		return;
	c = event_get_callback_arg(*ev);
	event_free(*ev);
	free(c);
	*ev = NULL;
}

void
timer_init(struct timer *t, struct loop *l, void (*run)(void *arg), void *arg)
{
	t->event = new_event(l, -1, 0, run, arg);
}

void
timer_set(struct timer *t, int64_t ms)
{
	struct timeval tv;

	if (ms < 0)
		ms = 0;
	tv.tv_sec = (time_t)(ms / 1000);
	tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	event_add(t->event, &tv);
}

void
timer_soon(struct timer *t)
{
	event_active(t->event, EV_TIMEOUT, 1);
}

void
timer_cancel(struct timer *t)
{
	if (t->event != NULL)
		event_del(t->event);
}

void
timer_free(struct timer *t)
{
	free_event(&t->event);
}

void
watch_init(struct watch *w, struct loop *l, int fd, enum watch_for what,
    void (*run)(void *arg), void *arg)
{
	short flags = what == WATCH_READ ? EV_READ : EV_WRITE;

	w->event = new_event(l, fd, (short)(flags | EV_PERSIST), run, arg);
}

void
watch_set(struct watch *w, bool on)
{
	bool pending = event_pending(w->event, EV_READ | EV_WRITE, NULL) != 0;

	if (on && !pending)
		event_add(w->event, NULL);
	else if (!on && pending)
		event_del(w->event);
}

void
watch_free(struct watch *w)
{
	free_event(&w->event);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct signal_watch *w = arg;

	(void)what;
	w->run(w->arg, (int)number);
}

void
signal_init(struct signal_watch *w, struct loop *l, int number,
    void (*run)(void *arg, int number), void *arg)
{
	w->run = run;
	w->arg = arg;
	w->event = evsignal_new(l->base, number, on_signal, w);
	if (w->event == NULL)
		abort();
	event_add(w->event, NULL);
}

void
signal_free(struct signal_watch *w)
{
	if (w->event != NULL)
		event_free(w->event);
	w->event = NULL;
}
