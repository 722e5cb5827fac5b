/* SPDX-License-Identifier: ISC */
#include "fake_token.h"

#include <stdlib.h>

#include "base/mem.h"
#include "net/loop.h"

struct token_job {
	struct tokens *tokens;
	struct timer timer;
	void (*done)(void *arg, struct secret *access, const struct fault *f);
	void *arg;
};

static void
on_timer(void *arg)
{
	struct token_job *j = arg;
	struct token_job copy = *j;
	const char *access = j->tokens->access[j->tokens->next];
	struct fault f;

	token_cancel(&j);
	if (access != NULL) {
		copy.done(copy.arg, secret_new(span_str(access)), NULL);
		return;
	}
	fault_set(&f, FAULT_ACCOUNT, FAULT_NEVER, "sign-in",
	    "nobody has signed in yet");
	f.login = f.sign_in = true;
	copy.done(copy.arg, NULL, &f);
}

struct token_job *
token_fetch(struct tokens *t, const struct token_identity *id,
    void (*done)(void *arg, struct secret *access, const struct fault *f),
    void *arg)
{
	struct token_job *j = mem_alloc(sizeof(*j));

	t->fetched++;
	t->user = id->user;
	j->tokens = t;
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
	(void)id;
	t->refused++;
	if (span_is(secret_reveal(access), t->access[t->next]))
		t->next++;
}
