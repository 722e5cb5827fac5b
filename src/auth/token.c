/* SPDX-License-Identifier: ISC */
/*
 * A refresh, step by step, and what there is if the process dies behind it:
 *
 *   MARK   "asked" is on the disk            the old refresh token, unused
 *   ASK    the provider is asked             the old one; the provider may have
 *                                            taken it back: then the next try
 *                                            is refused, and a person signs in
 *   KEEP   the answer is on the disk         the new one
 *   and only now the access token is handed out.
 *
 * Between the provider's decision and the end of KEEP nothing can be known
 * about the old token, by nobody: that is as long as an answer takes to arrive
 * and one small file to be written.
 */
#include "auth/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "auth/oauth_http.h"
#include "auth/oauth_request.h"
#include "auth/token_file.h"
#include "auth/token_private.h"
#include "auth/token_write.h"
#include "auth/wipe.h"
#include "base/ascii.h"
#include "base/mem.h"
#include "net/loop.h"

#define PHASE "sign-in"
#define LIFE 3600                 /* seconds, when the provider does not say */
#define MARGIN 300                /* before the end; at most a fifth of it */
#define FORCE_MS (10 * 60 * 1000) /* from one refusal that helps to another */
#define SAVE_MS 15000             /* from one try to write to the next */

enum step {
	STEP_NONE,
	STEP_MARK,
	STEP_ASK,
	STEP_KEEP,
};

struct identity {
	TAILQ_ENTRY(identity) link;
	struct tokens *tokens;
	struct token_identity id; /* owned strings */
	char name[TOKEN_NAME_SIZE];
	bool loaded;
	struct token_record r;
	int64_t fresh_until; /* loop time, ms; 0: not got in this process */
	bool refused;        /* a server did not take the access token */
	int64_t forced;      /* loop time, ms, of the last such; 0: never */
	enum step step;
	bool told;       /* that a person must sign in ... */
	bool told_end;   /* ... or will have to, soon */
	bool unanswered; /* nothing is known of the refresh before this one */
	struct oauth_request *request;
	struct token_write *write;
	uint64_t version, writing, saved; /* of r */
	struct timer again; /* what could not be written is tried again */
	TAILQ_HEAD(, token_job) jobs; /* that wait for a step */
	void (*taken)(void *arg, const struct fault *f); /* of a sign-in */
	void *taken_arg;
};

struct tokens {
	struct loop *loop; /* foreign */
	char *dir;         /* owned; NULL: nothing is kept */
	struct oauth_http *http;
	TAILQ_HEAD(, identity) identities;
	struct tokens_watcher watcher;
	struct timer settled;
};

struct token_job {
	TAILQ_ENTRY(token_job) link;
	struct identity *identity; /* NULL: answered, the timer delivers */
	struct timer timer;
	struct secret *access;
	struct fault fault;
	void (*done)(void *arg, struct secret *access, const struct fault *f);
	void *arg;
};

static void advance(struct identity *i);

/* --- identities */

bool
token_identity_same(
    const struct token_identity *a, const struct token_identity *b)
{
	return strcmp(a->user, b->user) == 0 &&
	       strcmp(a->client_id, b->client_id) == 0 &&
	       strcmp(a->token_url, b->token_url) == 0;
}

static void
replace_text(const char **text, const char *by)
{
	char *old = (char *)(uintptr_t)*text; /* ours */

	*text = mem_strdup(by);
	free(old);
}

void
token_identity_copy(
    struct token_identity *to, const struct token_identity *from)
{
	replace_text(&to->user, from->user);
	replace_text(&to->client_id, from->client_id);
	replace_text(&to->client_secret, from->client_secret);
	replace_text(&to->scope, from->scope);
	replace_text(&to->token_url, from->token_url);
	replace_text(&to->device_url, from->device_url);
	replace_text(&to->authorize_url, from->authorize_url);
	replace_text(&to->ca_file, from->ca_file);
}

void
token_identity_clear(struct token_identity *id)
{
	static const struct token_identity none = { 0 };

	token_identity_copy(id, &none);
}

static void
on_again(void *arg)
{
	advance(arg);
}

static struct identity *
find(struct tokens *t, const struct token_identity *id)
{
	struct identity *i;

	TAILQ_FOREACH (i, &t->identities, link)
		if (token_identity_same(&i->id, id))
			return i;
	i = mem_alloc(sizeof(*i));
	i->tokens = t;
	token_identity_copy(&i->id, id);
	token_file_name(id, i->name);
	TAILQ_INIT(&i->jobs);
	timer_init(&i->again, t->loop, on_again, i);
	TAILQ_INSERT_TAIL(&t->identities, i, link);
	return i;
}

/* False: it cannot be read now.  A file that is none of ours is as good as
 * none, and a sign-in writes a new one. */
static bool
load(struct identity *i, struct fault *f)
{
	if (i->loaded)
		return true;
	if (i->tokens->dir != NULL && token_file_read(i->tokens->dir, i->name,
					  &i->r, f) == TOKEN_FILE_BAD) {
		if (f->when != FAULT_NEVER)
			return false;
		memcpy(i->r.trouble, f->text, sizeof(i->r.trouble));
	}
	i->loaded = true;
	return true;
}

static void
tell(struct identity *i, bool signed_in)
{
	const struct tokens_watcher *w = &i->tokens->watcher;
	bool news = signed_in || !i->told;

	i->told = !signed_in;
	i->told_end = i->told_end && !signed_in;
	if (news && w->seen != NULL)
		w->seen(w->arg, &i->id, signed_in);
}

/* --- how it stands */

/* The wall clock may jump, the monotonic one stands still while the machine
 * sleeps: a token is good when both say so.  What was kept by another process
 * is known by the wall clock alone. */
static bool
is_usable(const struct identity *i)
{
	int64_t now = time(NULL), life = i->r.expires - i->r.obtained;
	int64_t margin = life / 5 < MARGIN ? life / 5 : MARGIN;

	if (i->r.access == NULL || i->refused || now >= i->r.expires - margin)
		return false;
	if (i->fresh_until == 0)
		return now >= i->r.obtained;
	return loop_now_ms(i->tokens->loop) < i->fresh_until - margin * 1000;
}

static void
say_sign_in(const struct identity *i, struct fault *f)
{
	if (i->r.trouble[0] != '\0')
		fault_set(
		    f, FAULT_ACCOUNT, FAULT_NEVER, PHASE, "%s", i->r.trouble);
	else if (i->r.access != NULL)
		fault_set(f, FAULT_ACCOUNT, FAULT_NEVER, PHASE,
		    "the sign-in is over, and the provider gave nothing to "
		    "renew it with; is offline_access missing in oauth_scope?");
	else
		fault_set(f, FAULT_ACCOUNT, FAULT_NEVER, PHASE,
		    "nobody has signed in yet");
	f->login = f->sign_in = true;
}

static bool
needs_sign_in(const struct identity *i)
{
	return i->r.trouble[0] != '\0' ||
	       (i->r.refresh == NULL && !is_usable(i));
}

static int64_t
ends_soon(const struct identity *i)
{
	return i->r.refresh_expires > 0 &&
	               i->r.refresh_expires - time(NULL) < TOKEN_ENDS_SOON
	           ? i->r.refresh_expires
	           : 0;
}

static void
tell_end(struct identity *i)
{
	const struct tokens_watcher *w = &i->tokens->watcher;

	if (ends_soon(i) == 0 || i->told_end)
		return;
	i->told_end = true;
	if (w->ending != NULL)
		w->ending(w->arg, &i->id, i->r.refresh_expires);
}

/* --- answers to those who wait */

static void
on_deliver(void *arg)
{
	struct token_job *j = arg;
	void (*done)(void *, struct secret *, const struct fault *) = j->done;
	void *done_arg = j->arg;
	struct secret *access = j->access;
	struct fault f = j->fault;

	j->access = NULL;
	token_cancel(&j);
	done(done_arg, access, access == NULL ? &f : NULL);
}

static void
answer(struct identity *i, const struct fault *f)
{
	struct token_job *j;

	while ((j = TAILQ_FIRST(&i->jobs)) != NULL) {
		TAILQ_REMOVE(&i->jobs, j, link);
		j->identity = NULL;
		if (f != NULL)
			j->fault = *f;
		else
			j->access = secret_new(secret_reveal(i->r.access));
		timer_set(&j->timer, 0);
	}
}

static void
answer_taken(struct identity *i, const struct fault *f)
{
	void (*taken)(void *, const struct fault *) = i->taken;

	i->taken = NULL;
	if (taken == NULL)
		return;
	if (f == NULL)
		tell(i, true);
	taken(i->taken_arg, f);
}

static void
end_step(struct identity *i, const struct fault *f)
{
	i->step = STEP_NONE;
	answer(i, f);
	answer_taken(i, f);
	timer_set(&i->tokens->settled, 0);
}

/* --- the disk */

static void
on_written(void *arg, const struct fault *f)
{
	struct identity *i = arg;

	i->write = NULL;
	if (f == NULL) {
		i->saved = i->writing;
		timer_set(&i->tokens->settled, 0);
		advance(i);
		return;
	}
	if (i->step == STEP_MARK && !i->unanswered)
		i->r.asked = 0; /* and was not */
	timer_set(&i->again, SAVE_MS);
	end_step(i, f);
}

static void
save(struct identity *i)
{
	if (i->tokens->dir == NULL) {
		i->saved = i->version;
		return;
	}
	i->writing = i->version;
	i->write = token_write_start(i->tokens->loop, i->tokens->dir, i->name,
	    token_file_text(&i->id, &i->r), on_written, i);
}

/* --- the provider */

static void
take_answer(struct identity *i, struct oauth_answer *a)
{
	struct token_record *r = &i->r;
	int64_t life = a->expires_in > 0 ? a->expires_in : LIFE;

	secret_free(&r->access);
	r->access = a->access;
	a->access = NULL;
	if (a->refresh != NULL) {
		secret_free(&r->refresh);
		r->refresh = a->refresh;
		a->refresh = NULL;
		r->refresh_expires = 0; /* that was said of the old one */
	}
	r->obtained = time(NULL);
	r->expires = r->obtained + life;
	if (a->refresh_expires_in > 0)
		r->refresh_expires = r->obtained + a->refresh_expires_in;
	r->asked = 0;
	r->trouble[0] = '\0';
	i->fresh_until = loop_now_ms(i->tokens->loop) + life * 1000;
	i->refused = false;
	i->version++;
}

/* The state that only a person ends: kept, so that a restart knows it. */
static void
give_up(struct identity *i, const struct fault *f, bool interrupted)
{
	struct fault why = *f;

	if (interrupted)
		fault_set(&why, f->scope, f->when, f->phase,
		    "an earlier try to renew the sign-in was interrupted; %s",
		    f->text);
	ascii_clean(
	    i->r.trouble, sizeof(i->r.trouble), why.text, strlen(why.text));
	i->version++;
	say_sign_in(i, &why);
	end_step(i, &why);
	tell(i, false);
}

static void
on_answer(void *arg, struct oauth_answer *a, const struct fault *f)
{
	struct identity *i = arg;
	struct fault why;

	i->request = NULL;
	if (a == NULL) {
		end_step(i, f);
		return;
	}
	if (a->outcome == OAUTH_GOOD) {
		take_answer(i, a);
		i->step = STEP_KEEP;
		advance(i);
		return;
	}
	oauth_fault(a, &why);
	if (a->outcome != OAUTH_BUSY && a->outcome != OAUTH_NONSENSE) {
		i->r.asked = 0; /* it is known what became of that */
		i->version++;
	}
	if (why.sign_in)
		give_up(i, &why, i->unanswered);
	else
		end_step(i, &why);
	advance(i);
}

static void
ask(struct identity *i)
{
	struct oauth_terms t = {
		.loop = i->tokens->loop,
		.http = i->tokens->http,
		.id = &i->id,
		.url = i->id.token_url,
		.kind = OAUTH_TOKENS,
	};
	struct buf form;

	oauth_form_init(&form);
	oauth_form_add(&form, "grant_type", span_str("refresh_token"));
	oauth_form_add(&form, "refresh_token", secret_reveal(i->r.refresh));
	i->step = STEP_ASK;
	i->request = oauth_ask(&t, &form, on_answer, i);
}

/* --- one thing after the other */

static void
begin(struct identity *i)
{
	struct fault f;

	if (needs_sign_in(i)) {
		say_sign_in(i, &f);
		answer(i, &f);
		tell(i, false);
	} else if (is_usable(i)) {
		answer(i, NULL);
		tell_end(i);
	} else {
		i->step = STEP_MARK;
		i->unanswered = i->r.asked != 0;
		i->r.asked = time(NULL);
		i->version++;
		advance(i);
	}
}

/* Whatever has changed, what is to be done next is found here. */
static void
advance(struct identity *i)
{
	if (i->write != NULL || i->request != NULL)
		return;
	if (i->saved != i->version) {
		save(i);
		if (i->write != NULL)
			return;
	}
	switch (i->step) {
	case STEP_MARK:
		ask(i);
		break;
	case STEP_KEEP:
		end_step(i, NULL);
		tell_end(i);
		break;
	case STEP_ASK:
	case STEP_NONE:
		if (!TAILQ_EMPTY(&i->jobs))
			begin(i);
		break;
	}
}

struct token_job *
token_fetch(struct tokens *t, const struct token_identity *id,
    void (*done)(void *arg, struct secret *access, const struct fault *f),
    void *arg)
{
	struct token_job *j = mem_alloc(sizeof(*j));
	struct identity *i = find(t, id);

	j->done = done;
	j->arg = arg;
	timer_init(&j->timer, t->loop, on_deliver, j);
	if (!load(i, &j->fault)) {
		timer_set(&j->timer, 0);
		return j;
	}
	/* A request that is under way looks at them. */
	if (i->request == NULL)
		token_identity_copy(&i->id, id);
	j->identity = i;
	TAILQ_INSERT_TAIL(&i->jobs, j, link);
	advance(i);
	return j;
}

/* A refresh that was begun goes on: the next who asks has its use. */
void
token_cancel(struct token_job **job)
{
	struct token_job *j = *job;

	if (j == NULL)
		return;
	*job = NULL;
	if (j->identity != NULL)
		TAILQ_REMOVE(&j->identity->jobs, j, link);
	timer_free(&j->timer);
	secret_free(&j->access);
	free(j);
}

void
token_refused(struct tokens *t, const struct token_identity *id,
    const struct secret *access)
{
	struct identity *i = find(t, id);
	int64_t now = loop_now_ms(t->loop);

	/* Another one is there already, or on its way. */
	if (i->r.access == NULL || i->refused ||
	    !span_eq(secret_reveal(access), secret_reveal(i->r.access)))
		return;
	if (i->forced != 0 && now - i->forced < FORCE_MS)
		return;
	i->forced = now;
	i->refused = true;
	/* Another process must not try it either. */
	i->r.expires = i->r.obtained;
	i->version++;
	advance(i);
}

/* --- what others want to know */

enum token_standing
token_standing(
    struct tokens *t, const struct token_identity *id, struct fault *f_r)
{
	struct identity *i = find(t, id);

	if (!load(i, f_r) || i->step != STEP_NONE || !needs_sign_in(i))
		return TOKEN_GOOD;
	say_sign_in(i, f_r);
	return i->r.trouble[0] != '\0' || i->r.access != NULL ? TOKEN_OVER
	                                                      : TOKEN_NONE;
}

int64_t
token_ends(struct tokens *t, const struct token_identity *id)
{
	struct identity *i = find(t, id);
	struct fault f;

	return load(i, &f) && !needs_sign_in(i) ? ends_soon(i) : 0;
}

void
tokens_watch(struct tokens *t, const struct tokens_watcher *w)
{
	t->watcher = *w;
}

static bool
is_busy(const struct identity *i)
{
	return i->request != NULL || i->write != NULL || i->step != STEP_NONE;
}

bool
tokens_busy(const struct tokens *t)
{
	const struct identity *i;

	TAILQ_FOREACH (i, &t->identities, link)
		if (is_busy(i))
			return true;
	return false;
}

static void
on_settled(void *arg)
{
	struct tokens *t = arg;

	if (t->watcher.settled != NULL && !tokens_busy(t))
		t->watcher.settled(t->watcher.arg);
}

/* --- a sign-in */

struct loop *
tokens_loop(struct tokens *t)
{
	return t->loop;
}

struct oauth_http *
tokens_http(struct tokens *t)
{
	return t->http;
}

void
tokens_take(struct tokens *t, const struct token_identity *id,
    struct oauth_answer *a, void (*done)(void *arg, const struct fault *f),
    void *arg)
{
	struct identity *i = find(t, id);
	struct fault f;

	/* What is there is replaced, whether it can be read or not. */
	load(i, &f);
	i->loaded = true;
	oauth_cancel(&i->request);
	token_identity_copy(&i->id, id);
	token_record_clear(&i->r);
	i->forced = 0;
	take_answer(i, a);
	i->taken = done;
	i->taken_arg = arg;
	i->step = STEP_KEEP;
	timer_set(&i->again, 0); /* never from inside this call */
}

void
tokens_leave(struct tokens *t, void *arg)
{
	struct identity *i;

	TAILQ_FOREACH (i, &t->identities, link)
		if (i->taken_arg == arg)
			i->taken = NULL;
}

/* --- the whole */

struct tokens *
tokens_new(struct loop *l, const char *state)
{
	struct tokens *t = mem_alloc(sizeof(*t));

	wipe_libraries();
	t->loop = l;
	if (state != NULL && asprintf(&t->dir, "%s/" TOKENS_DIR, state) < 0)
		abort(); /* as any allocation that failed (base/mem.h) */
	t->http = oauth_http_new(l);
	timer_init(&t->settled, l, on_settled, t);
	TAILQ_INIT(&t->identities);
	return t;
}

/* The last chance of what could not be written before. */
static void
write_last(const struct identity *i)
{
	struct secret *text;
	struct fault f;

	if (i->saved == i->version || i->tokens->dir == NULL)
		return;
	text = token_file_text(&i->id, &i->r);
	token_file_write(i->tokens->dir, i->name, text, &f);
	secret_free(&text);
}

static void
identity_free(struct identity *i)
{
	oauth_cancel(&i->request);
	token_write_finish(&i->write);
	write_last(i);
	timer_free(&i->again);
	token_record_clear(&i->r);
	token_identity_clear(&i->id);
	free(i);
}

void
tokens_free(struct tokens **tokens)
{
	struct tokens *t = *tokens;
	struct identity *i;

	if (t == NULL)
		return;
	*tokens = NULL;
	while ((i = TAILQ_FIRST(&t->identities)) != NULL) {
		TAILQ_REMOVE(&t->identities, i, link);
		identity_free(i);
	}
	oauth_http_free(&t->http);
	timer_free(&t->settled);
	free(t->dir);
	free(t);
}
