/* SPDX-License-Identifier: ISC */
#include "fake_provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/oauth_http.h"
#include "auth/oauth_request.h"
#include "auth/token_file.h"
#include "auth/token_write.h"
#include "auth/wipe.h"

struct fake_provider fake_provider;
int64_t fake_refresh_life;

/* --- oauth_request */

struct oauth_request {
	void (*done)(void *arg, struct oauth_answer *a, const struct fault *f);
	void *arg;
};
static struct oauth_request the_request;

struct oauth_http *
oauth_http_new(struct loop *l)
{
	(void)l;
	return NULL;
}

void
oauth_http_free(struct oauth_http **h)
{
	(void)h;
}

void
wipe_libraries(void)
{
}

void
oauth_form_init(struct buf *form)
{
	buf_init(form, sizeof(fake_provider.form) - 1);
}

void
oauth_form_add(struct buf *form, const char *key, struct span value)
{
	buf_addf(form, "%s%s=%.*s", form->len > 0 ? "&" : "", key, (int)value.n,
	    value.p);
}

struct oauth_request *
oauth_ask(const struct oauth_terms *t, struct buf *form,
    void (*done)(void *arg, struct oauth_answer *a, const struct fault *f),
    void *arg)
{
	struct span s = buf_span(form);

	(void)t;
	if (fake_provider.asking)
		abort(); /* one at a time, in these tests */
	snprintf(fake_provider.form, sizeof(fake_provider.form), "%.*s",
	    (int)s.n, s.p);
	buf_free(form);
	the_request = (struct oauth_request){ done, arg };
	fake_provider.asking = true;
	fake_provider.asked++;
	return &the_request;
}

void
oauth_cancel(struct oauth_request **r)
{
	if (*r != NULL)
		fake_provider.asking = false;
	*r = NULL;
}

static void
give(struct oauth_answer *a, const struct fault *f)
{
	struct oauth_request r = the_request;

	if (!fake_provider.asking)
		abort();
	fake_provider.asking = false;
	r.done(r.arg, a, f);
	if (a != NULL)
		oauth_clear(a);
}

void
fake_provider_tokens(const char *access, const char *refresh, int64_t life)
{
	struct oauth_answer a = { .outcome = OAUTH_GOOD, .expires_in = life };

	a.access = secret_new(span_str(access));
	a.refresh_expires_in = fake_refresh_life;
	if (refresh != NULL)
		a.refresh = secret_new(span_str(refresh));
	give(&a, NULL);
}

void
fake_provider_error(enum oauth_outcome outcome)
{
	struct oauth_answer a = { .outcome = outcome };

	strcpy(a.words, "its words");
	give(&a, NULL);
}

void
fake_provider_unreachable(void)
{
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "sign-in", "unreachable");
	give(NULL, &f);
}

/* --- token_write */

struct token_write {
	const char *dir, *name;
	struct secret *text;
	void (*done)(void *arg, const struct fault *f);
	void *arg;
};
static struct token_write the_write;

struct token_write *
token_write_start(struct loop *l, const char *dir, const char *name,
    struct secret *text, void (*done)(void *arg, const struct fault *f),
    void *arg)
{
	(void)l;
	if (fake_provider.writing)
		abort();
	the_write = (struct token_write){ dir, name, text, done, arg };
	fake_provider.writing = true;
	return &the_write;
}

void
token_write_finish(struct token_write **w)
{
	struct fault f;

	if (*w == NULL)
		return;
	token_file_write((*w)->dir, (*w)->name, (*w)->text, &f);
	secret_free(&(*w)->text);
	fake_provider.writing = false;
	*w = NULL;
}

void
fake_disk_write(bool good)
{
	struct token_write w = the_write;
	struct fault f;

	if (!fake_provider.writing)
		abort();
	fake_provider.writing = false;
	if (!good)
		fault_set(&f, FAULT_US, FAULT_LATER, "tokens", "disk full");
	else if (!token_file_write(w.dir, w.name, w.text, &f))
		abort();
	secret_free(&w.text);
	w.done(w.arg, good ? NULL : &f);
}
