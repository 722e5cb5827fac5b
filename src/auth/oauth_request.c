/* SPDX-License-Identifier: ISC */
#include "auth/oauth_request.h"

#include <stdlib.h>

#include <curl/curl.h>

#include "auth/credential.h"
#include "auth/oauth_http.h"
#include "auth/token.h"
#include "base/mem.h"

#define FORM_MAX (256 * 1024) /* bytes */

struct oauth_request {
	struct oauth_terms t;
	struct buf form;
	struct credential_job *fetching;
	struct oauth_post *post;
	void (*done)(void *arg, struct oauth_answer *a, const struct fault *f);
	void *arg;
};

void
oauth_form_init(struct buf *form)
{
	buf_init(form, FORM_MAX);
	form->secret = true;
}

void
oauth_form_add(struct buf *form, const char *key, struct span value)
{
	char *text =
	    value.n > 0 ? curl_easy_escape(NULL, value.p, (int)value.n) : NULL;
	bool good =
	    (form->len == 0 || buf_add(form, span_str("&"))) &&
	    buf_add(form, span_str(key)) && buf_add(form, span_str("=")) &&
	    (value.n == 0 || (text != NULL && buf_add(form, span_str(text))));

	curl_free(text);
	if (!good)
		abort(); /* every value has a ceiling below this one */
}

void
oauth_cancel(struct oauth_request **request)
{
	struct oauth_request *r = *request;

	if (r == NULL)
		return;
	*request = NULL;
	credential_cancel(&r->fetching);
	oauth_http_cancel(&r->post);
	buf_free(&r->form);
	free(r);
}

static void
finish(struct oauth_request *r, struct oauth_answer *a, const struct fault *f)
{
	void (*done)(void *, struct oauth_answer *, const struct fault *) =
	    r->done;
	void *arg = r->arg;

	oauth_cancel(&r);
	done(arg, a, f);
}

static void
on_reply(void *arg, const struct oauth_reply *reply, const struct fault *f)
{
	struct oauth_request *r = arg;
	struct oauth_answer a;
	struct fault why;

	r->post = NULL;
	if (reply == NULL) {
		why = *f;
		finish(r, NULL, &why);
		return;
	}
	oauth_read(r->t.kind, reply->status, reply->body, &a);
	a.retry_after = reply->retry_after;
	finish(r, &a, NULL);
	oauth_clear(&a);
}

static void
send_form(struct oauth_request *r)
{
	r->post = oauth_http_post(
	    r->t.http, r->t.url, r->t.id->ca_file, &r->form, on_reply, r);
}

static void
on_secret(void *arg, struct secret *secret, const struct fault *f)
{
	struct oauth_request *r = arg;
	struct fault why;

	r->fetching = NULL;
	if (secret == NULL) {
		why = *f;
		finish(r, NULL, &why);
		return;
	}
	oauth_form_add(&r->form, "client_secret", secret_reveal(secret));
	secret_free(&secret);
	send_form(r);
}

struct oauth_request *
oauth_ask(const struct oauth_terms *t, struct buf *form,
    void (*done)(void *arg, struct oauth_answer *a, const struct fault *f),
    void *arg)
{
	struct oauth_request *r = mem_alloc(sizeof(*r));

	r->t = *t;
	r->form = *form;
	buf_init(form, 0);
	r->done = done;
	r->arg = arg;
	oauth_form_add(&r->form, "client_id", span_str(t->id->client_id));
	if (t->id->client_secret == NULL)
		send_form(r);
	else
		r->fetching = credential_fetch(
		    t->loop, t->id->client_secret, on_secret, r);
	return r;
}
