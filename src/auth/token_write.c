/* SPDX-License-Identifier: ISC */
#include "auth/token_write.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "auth/token_file.h"
#include "base/mem.h"
#include "net/loop.h"

struct token_write {
	const char *dir, *name; /* foreign */
	struct secret *text;    /* owned */
	int ended;              /* eventfd: the thread is done; -1: none */
	struct watch watch;
	struct timer timer; /* when there was no thread to be had */
	bool threaded;
	pthread_t thread;
	bool good;
	struct fault fault;
	void (*done)(void *arg, const struct fault *f);
	void *arg;
};

static void *
run(void *arg)
{
	struct token_write *w = arg;

	w->good = token_file_write(w->dir, w->name, w->text, &w->fault);
	if (w->threaded && eventfd_write(w->ended, 1) != 0)
		abort();
	return NULL;
}

void
token_write_finish(struct token_write **write)
{
	struct token_write *w = *write;

	if (w == NULL)
		return;
	*write = NULL;
	if (w->threaded)
		pthread_join(w->thread, NULL);
	watch_free(&w->watch);
	timer_free(&w->timer);
	if (w->ended >= 0)
		close(w->ended);
	secret_free(&w->text);
	free(w);
}

static void
on_ended(void *arg)
{
	struct token_write *w = arg;
	void (*done)(void *, const struct fault *) = w->done;
	void *done_arg = w->arg;
	struct fault f;
	bool good;

	if (w->threaded)
		pthread_join(w->thread, NULL);
	w->threaded = false;
	good = w->good;
	f = w->fault;
	token_write_finish(&w);
	done(done_arg, good ? NULL : &f);
}

static bool
start_thread(struct token_write *w, struct loop *l)
{
	sigset_t all, before;

	w->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->ended < 0)
		return false;
	watch_init(&w->watch, l, w->ended, WATCH_READ, on_ended, w);
	watch_set(&w->watch, true);
	w->threaded = true;
	/* Signals are the loop's. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	if (pthread_create(&w->thread, NULL, run, w) != 0)
		w->threaded = false;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return w->threaded;
}

struct token_write *
token_write_start(struct loop *l, const char *dir, const char *name,
    struct secret *text, void (*done)(void *arg, const struct fault *f),
    void *arg)
{
	struct token_write *w = mem_alloc(sizeof(*w));

	w->dir = dir;
	w->name = name;
	w->text = text;
	w->done = done;
	w->arg = arg;
	timer_init(&w->timer, l, on_ended, w);
	if (!start_thread(w, l)) {
		/* Too late is better than not at all. */
		run(w);
		timer_set(&w->timer, 0);
	}
	return w;
}
