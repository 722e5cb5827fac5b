/* SPDX-License-Identifier: ISC */
/*
 * Sign-ins that people begin over the control socket: at most one an identity,
 * and the newest counts, because who begins again has closed the other window.
 * One that has ended stays to be looked at until the next.
 */
#include "daemon/control_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <event2/http.h>
#include <jansson.h>

#include "auth/sign_in.h"
#include "auth/token.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/secret.h"
#include "daemon/control_server.h"
#include "daemon/view.h"
#include "net/loop.h"

#define VISITS_MAX 64 /* more than people sign in at a time */

struct visit {
	LIST_ENTRY(visit) link;
	struct sign_in *sign_in;   /* owned */
	struct exchange *exchange; /* who began it; NULL: answered */
	char name[CONTROL_NAME_MAX + 1];
};

static void
end(struct visit *v)
{
	LIST_REMOVE(v, link);
	if (v->exchange != NULL)
		exchange_error(
		    v->exchange, 409, "another sign-in has taken its place");
	sign_in_free(&v->sign_in);
	free(v);
}

/* The server is gone, and with it every exchange. */
void
control_end_logins(struct control *c)
{
	struct visit *v;

	LIST_FOREACH (v, &c->visits, link)
		v->exchange = NULL;
	while (!LIST_EMPTY(&c->visits))
		end(LIST_FIRST(&c->visits));
}

static struct visit *
find(const struct control *c, const struct token_identity *id)
{
	struct visit *v;

	LIST_FOREACH (v, &c->visits, link)
		if (token_identity_same(sign_in_identity(v->sign_in), id))
			return v;
	return NULL;
}

/* --- what is shown */

static void
set(json_t *o, const char *key, json_t *value)
{
	if (value == NULL || json_object_set_new(o, key, value) != 0)
		abort(); /* as any allocation that failed (base/mem.h) */
}

static void
set_text(json_t *o, const char *key, const char *s)
{
	set(o, key, s != NULL ? json_string(s) : json_null());
}

static json_t *
visit_json(const struct visit *v)
{
	json_t *o = json_object();
	struct sign_in_view view;
	bool device;

	sign_in_look(v->sign_in, &view);
	device = view.how == SIGN_IN_DEVICE;
	set_text(o, "name", v->name);
	set_text(o, "how", device ? "device" : "browser");
	set_text(o, "state", sign_in_state_name(view.state));
	set_text(o, "user_code", view.user_code);
	set_text(o, "verification_uri", device ? view.address : NULL);
	set_text(o, "verification_uri_complete", view.full_address);
	set_text(o, "authorization_uri", device ? NULL : view.address);
	set(o, "expires",
	    view.state == SIGN_IN_WAITING
		? json_integer(time(NULL) + view.seconds)
		: json_null());
	set_text(o, "error", view.fault != NULL ? view.fault->text : NULL);
	set_text(o, "hint", view.fault != NULL ? view.fault->hint : NULL);
	return o;
}

/* The first answer waits for the code. */
static void
on_changed(void *arg)
{
	struct visit *v = arg;
	struct sign_in_view view;

	sign_in_look(v->sign_in, &view);
	if (view.state == SIGN_IN_FAILED)
		log_line(LOG_NOTICE, "%s: the sign-in failed: %s", v->name,
		    view.fault->text);
	if (v->exchange == NULL || view.state == SIGN_IN_STARTING)
		return;
	exchange_json(v->exchange, 200, visit_json(v));
	v->exchange = NULL;
}

/* --- what is asked for */

static void
begin(struct control *c, struct exchange *x, const struct control_request *r,
    const struct token_identity *id)
{
	enum sign_in_how how = r->by_device    ? SIGN_IN_DEVICE
	                       : r->by_browser ? SIGN_IN_BROWSER
	                                       : SIGN_IN_ANY;
	struct visit *old = find(c, id), *v;
	struct sign_in *s;
	struct fault why;
	unsigned n = 0;

	if (old != NULL)
		end(old);
	LIST_FOREACH (v, &c->visits, link)
		n++;
	if (n >= VISITS_MAX)
		end(LIST_FIRST(&c->visits));
	s = sign_in_start(c->o.tokens, id, how, (unsigned)r->port, &why);
	if (s == NULL) {
		exchange_error(x, 409, "%s", why.text);
		return;
	}
	v = mem_alloc(sizeof(*v));
	v->sign_in = s;
	v->exchange = x;
	strcpy(v->name, r->name);
	LIST_INSERT_HEAD(&c->visits, v, link);
	sign_in_watch(s, on_changed, v);
	log_line(LOG_INFO, "%s: somebody signs in", v->name);
	on_changed(v);
}

static void
paste(struct control *c, struct exchange *x, struct span encoded,
    const struct token_identity *id)
{
	struct visit *v = find(c, id);
	struct fault why;
	size_t n;
	char *copy, *text;
	bool taken;

	if (v == NULL) {
		exchange_error(x, 409, "no sign-in is under way");
		return;
	}
	copy = mem_alloc(encoded.n + 1);
	memcpy(copy, encoded.p, encoded.n);
	text = evhttp_uridecode(copy, 0, &n);
	if (text == NULL)
		abort();
	taken = sign_in_paste(v->sign_in, span_make(text, n), &why);
	secret_wipe(text, n);
	secret_wipe(copy, encoded.n);
	free(text);
	free(copy);
	if (taken)
		exchange_json(x, 200, visit_json(v));
	else
		exchange_error(x, 409, "%s", why.text);
}

void
control_login(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	struct token_identity id;
	struct fault why;

	if (!view_identity(c->o.supervisor, r->destination, r->name, &id, &why))
		exchange_error(x, 409, "%s", why.text);
	else if (r->paste.n > 0)
		paste(c, x, r->paste, &id);
	else
		begin(c, x, r, &id);
}

void
control_login_look(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	const struct visit *v;
	struct token_identity id;
	struct fault why;

	if (!view_identity(
		c->o.supervisor, r->destination, r->name, &id, &why)) {
		exchange_error(x, 409, "%s", why.text);
		return;
	}
	v = find(c, &id);
	if (v != NULL)
		exchange_json(x, 200, visit_json(v));
	else
		exchange_error(x, 404, "nobody has begun to sign in");
}
