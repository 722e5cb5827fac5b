/* SPDX-License-Identifier: ISC */
/*
 * The event loop and its monotonic timers: a thin layer over libevent so that
 * nobody else allocates events, and so that a timer is a field of its owner.
 * One loop a process; everything here runs in its thread.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct event;
struct event_base;

struct loop *loop_new(void); /* NULL: libevent found no way to wait */
void loop_free(struct loop **l);
void loop_run(struct loop *l); /* until loop_stop() */
void loop_stop(struct loop *l);
struct event_base *loop_base(struct loop *l); /* for libevent's own modules */
int64_t loop_now_ms(const struct loop *l);    /* monotonic */
int64_t loop_now_us(const struct loop *l);    /* monotonic */

/* A timer that runs once.  Embed it; zeroed memory is a valid idle timer for
 * timer_cancel() and timer_free(). */
struct timer {
	struct event *event; /* owned */
};
void timer_init(
    struct timer *t, struct loop *l, void (*run)(void *arg), void *arg);
void timer_set(struct timer *t, int64_t ms); /* from now; again: moves it */
/* Behind the callbacks of this moment, before the loop looks at a descriptor
 * or clock again.  Not for what sets itself again: nobody else had a turn. */
void timer_soon(struct timer *t);
void timer_cancel(struct timer *t);
void timer_free(struct timer *t);

/* Calls run(arg) whenever fd is ready, while the watch is on (at first it is
 * off). */
enum watch_for {
	WATCH_READ,
	WATCH_WRITE,
};
struct watch {
	struct event *event; /* owned */
};
void watch_init(struct watch *w, struct loop *l, int fd, enum watch_for what,
    void (*run)(void *arg), void *arg);
void watch_set(struct watch *w, bool on);
void watch_free(struct watch *w); /* before fd is closed */

/* Calls run(arg, signal) for a signal of the process. */
struct signal_watch {
	struct event *event; /* owned */
	void (*run)(void *arg, int number);
	void *arg;
};
void signal_init(struct signal_watch *w, struct loop *l, int number,
    void (*run)(void *arg, int number), void *arg);
void signal_free(struct signal_watch *w);

#endif
