/* SPDX-License-Identifier: ISC */
#include "auth/token.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/loop.h"

struct tokens {
	struct loop *loop;
};

struct token_job {
	struct timer timer;
	void (*done)(void *arg, struct secret *access, const struct fault *f);
	void *arg;
};

struct tokens *
tokens_new(struct loop *l, const char *dir)
{
	struct tokens *t = mem_alloc(sizeof(*t));

	(void)dir;
	t->loop = l;
	return t;
}

void
tokens_free(struct tokens **t)
{
	free(*t);
	*t = NULL;
}

static void
on_timer(void *arg)
{
	struct token_job *j = arg;
	void (*done)(void *, struct secret *, const struct fault *) = j->done;
	void *done_arg = j->arg;
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, FAULT_NEVER, "sign-in",
	    "nobody has signed in yet");
	f.sign_in = true;
	token_cancel(&j);
	done(done_arg, NULL, &f);
}

struct token_job *
token_fetch(struct tokens *t, const struct token_identity *id,
    void (*done)(void *arg, struct secret *access, const struct fault *f),
    void *arg)
{
	struct token_job *j = mem_alloc(sizeof(*j));

	(void)id;
	j->done = done;
	j->arg = arg;
	timer_init(&j->timer, t->loop, on_timer, j);
	timer_set(&j->timer, 0);
	return j;
}

void
token_cancel(struct token_job **job)
{
	if (*job == NULL)
		return;
	timer_free(&(*job)->timer);
	free(*job);
	*job = NULL;
}

void
token_refused(struct tokens *t, const struct token_identity *id,
    const struct secret *access)
{
	(void)t;
	(void)id;
	(void)access;
}
