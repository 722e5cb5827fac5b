/* SPDX-License-Identifier: ISC */
#include "auth/sign_in.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "auth/device_flow.h"
#include "auth/oauth_request.h"
#include "auth/redirect.h"
#include "auth/token_private.h"
#include "base/mem.h"
#include "net/loop.h"

#define PHASE "sign-in"
#define GRANT_DEVICE "urn:ietf:params:oauth:grant-type:device_code"

struct sign_in {
	struct tokens *tokens;    /* foreign */
	struct token_identity id; /* owned strings */
	enum sign_in_how how;
	enum sign_in_state state;
	struct fault fault;
	struct oauth_request *request;
	struct timer timer;
	int64_t deadline; /* loop time, ms */
	struct device_flow device;
	struct secret *device_code; /* owned */
	char user_code[OAUTH_TEXT_MAX];
	char device_address[OAUTH_TEXT_MAX], full_address[OAUTH_TEXT_MAX];
	struct redirect redirect;
	char *address; /* owned; of the browser */
	void (*changed)(void *arg);
	void *arg;
};

static int64_t
now(const struct sign_in *s)
{
	return loop_now_ms(tokens_loop(s->tokens));
}

static void
set_state(struct sign_in *s, enum sign_in_state state)
{
	s->state = state;
	if (s->changed != NULL)
		s->changed(s->arg);
}

/* It may be looked at for long. */
static void
end(struct sign_in *s, enum sign_in_state state)
{
	timer_cancel(&s->timer);
	secret_free(&s->device_code);
	secret_wipe(&s->redirect, sizeof(s->redirect));
	set_state(s, state);
}

static void
fail(struct sign_in *s, const struct fault *f)
{
	s->fault = *f;
	s->fault.sign_in = false;
	end(s, SIGN_IN_FAILED);
}

static void
ask(struct sign_in *s, const char *url, enum oauth_kind kind, struct buf *form,
    void (*done)(void *arg, struct oauth_answer *a, const struct fault *f))
{
	struct oauth_terms t = {
		.loop = tokens_loop(s->tokens),
		.http = tokens_http(s->tokens),
		.id = &s->id,
		.url = url,
		.kind = kind,
	};

	s->request = oauth_ask(&t, form, done, s);
}

static void
on_kept(void *arg, const struct fault *f)
{
	struct sign_in *s = arg;

	if (f != NULL)
		fail(s, f);
	else
		end(s, SIGN_IN_DONE);
}

static void
keep(struct sign_in *s, struct oauth_answer *a)
{
	timer_cancel(&s->timer);
	set_state(s, SIGN_IN_ENDING);
	tokens_take(s->tokens, &s->id, a, on_kept, s);
}

/* --- device */

static void step_device(struct sign_in *s);

static void
on_device_code(void *arg, struct oauth_answer *a, const struct fault *f)
{
	struct sign_in *s = arg;

	s->request = NULL;
	device_flow_code(&s->device, now(s), a, f);
	if (s->device.step == DEVICE_WAIT) {
		s->device_code = a->device_code;
		a->device_code = NULL;
		memcpy(s->user_code, a->user_code, sizeof(s->user_code));
		memcpy(s->device_address, a->address, sizeof(a->address));
		memcpy(
		    s->full_address, a->full_address, sizeof(a->full_address));
		s->deadline = s->device.deadline;
		set_state(s, SIGN_IN_WAITING);
	}
	step_device(s);
}

static void
on_device_tokens(void *arg, struct oauth_answer *a, const struct fault *f)
{
	struct sign_in *s = arg;

	s->request = NULL;
	device_flow_answer(&s->device, now(s), a, f);
	if (s->device.step == DEVICE_DONE)
		keep(s, a);
	else
		step_device(s);
}

static void
ask_device_code(struct sign_in *s)
{
	struct buf form;

	oauth_form_init(&form);
	oauth_form_add(&form, "scope", span_str(s->id.scope));
	ask(s, s->id.device_url, OAUTH_DEVICE, &form, on_device_code);
}

static void
poll_device(struct sign_in *s)
{
	struct buf form;

	oauth_form_init(&form);
	oauth_form_add(&form, "grant_type", span_str(GRANT_DEVICE));
	oauth_form_add(&form, "device_code", secret_reveal(s->device_code));
	ask(s, s->id.token_url, OAUTH_TOKENS, &form, on_device_tokens);
}

static void
step_device(struct sign_in *s)
{
	int64_t wait = device_flow_wait(&s->device, now(s));

	switch (s->device.step) {
	case DEVICE_ASK:
		ask_device_code(s);
		break;
	case DEVICE_WAIT:
		timer_set(&s->timer, wait);
		break;
	case DEVICE_POLL:
		poll_device(s);
		break;
	case DEVICE_FAILED:
		fail(s, &s->device.fault);
		break;
	case DEVICE_DONE:
		break;
	}
}

/* --- browser */

static void
on_tokens(void *arg, struct oauth_answer *a, const struct fault *f)
{
	struct sign_in *s = arg;
	struct fault why;

	s->request = NULL;
	if (a == NULL) {
		fail(s, f);
	} else if (a->outcome != OAUTH_GOOD) {
		oauth_fault(a, &why);
		fail(s, &why);
	} else {
		keep(s, a);
	}
}

static void
exchange(struct sign_in *s, const struct secret *code)
{
	struct buf form;

	oauth_form_init(&form);
	oauth_form_add(&form, "grant_type", span_str("authorization_code"));
	oauth_form_add(&form, "code", secret_reveal(code));
	oauth_form_add(&form, "redirect_uri", span_str(s->redirect.uri));
	oauth_form_add(&form, "code_verifier", span_str(s->redirect.verifier));
	ask(s, s->id.token_url, OAUTH_TOKENS, &form, on_tokens);
}

bool
sign_in_paste(struct sign_in *s, struct span text, struct fault *f_r)
{
	struct secret *code = NULL;
	struct oauth_answer a;

	if (s->how != SIGN_IN_BROWSER || s->state != SIGN_IN_WAITING) {
		fault_set(f_r, FAULT_ACCOUNT, FAULT_LATER, PHASE,
		    "no sign-in waits for an address");
		return false;
	}
	switch (redirect_read(&s->redirect, text, &code, &a, f_r)) {
	case REDIRECT_OTHERS:
		return false;
	case REDIRECT_ERROR:
		oauth_fault(&a, f_r);
		fail(s, f_r);
		return true;
	case REDIRECT_CODE:
		break;
	}
	timer_cancel(&s->timer);
	set_state(s, SIGN_IN_ENDING);
	exchange(s, code);
	secret_free(&code);
	return true;
}

/* --- all of it */

static void
on_timer(void *arg)
{
	struct sign_in *s = arg;
	struct oauth_answer a = { .outcome = OAUTH_EXPIRED };
	struct fault f;

	if (s->how == SIGN_IN_DEVICE) {
		step_device(s);
		return;
	}
	oauth_fault(&a, &f);
	fail(s, &f);
}

/* The device flow needs nothing of this machine but the address. */
static enum sign_in_how
choose(const struct token_identity *id, enum sign_in_how how, struct fault *f_r)
{
	if (how != SIGN_IN_BROWSER && id->device_url != NULL)
		return SIGN_IN_DEVICE;
	if (how != SIGN_IN_DEVICE && id->authorize_url != NULL)
		return SIGN_IN_BROWSER;
	fault_set(f_r, FAULT_ACCOUNT, FAULT_NEVER, PHASE, "%s",
	    how == SIGN_IN_DEVICE
		? "no oauth_device_url is known for this provider; try "
		  "--browser"
	    : how == SIGN_IN_BROWSER
		? "no oauth_authorize_url is known for this provider; try "
		  "--device"
		: "neither oauth_device_url nor oauth_authorize_url is known");
	return SIGN_IN_ANY;
}

/* A port that nobody should listen at: the browser shows the address all the
 * same.  RFC 6335: dynamic ports. */
static unsigned
unused_port(void)
{
	unsigned char bits[2];

	if (RAND_bytes(bits, sizeof(bits)) != 1)
		abort();
	return 49152 + ((unsigned)bits[0] << 8 | bits[1]) % 16384;
}

struct sign_in *
sign_in_start(struct tokens *t, const struct token_identity *id,
    enum sign_in_how how, unsigned port, struct fault *f_r)
{
	struct sign_in *s;

	how = choose(id, how, f_r);
	if (how == SIGN_IN_ANY)
		return NULL;
	s = mem_alloc(sizeof(*s));
	s->tokens = t;
	token_identity_copy(&s->id, id);
	s->how = how;
	timer_init(&s->timer, tokens_loop(t), on_timer, s);
	if (how == SIGN_IN_DEVICE) {
		device_flow_init(&s->device);
		step_device(s);
		return s;
	}
	redirect_init(&s->redirect, port != 0 ? port : unused_port());
	s->address = redirect_address(&s->redirect, id);
	s->deadline = now(s) + SIGN_IN_SECONDS * INT64_C(1000);
	timer_set(&s->timer, SIGN_IN_SECONDS * INT64_C(1000));
	s->state = SIGN_IN_WAITING;
	return s;
}

void
sign_in_watch(struct sign_in *s, void (*changed)(void *arg), void *arg)
{
	s->changed = changed;
	s->arg = arg;
}

void
sign_in_free(struct sign_in **sign_in)
{
	struct sign_in *s = *sign_in;

	if (s == NULL)
		return;
	*sign_in = NULL;
	tokens_leave(s->tokens, s);
	oauth_cancel(&s->request);
	timer_free(&s->timer);
	secret_free(&s->device_code);
	secret_wipe(&s->redirect, sizeof(s->redirect));
	token_identity_clear(&s->id);
	free(s->address);
	free(s);
}

void
sign_in_look(const struct sign_in *s, struct sign_in_view *v_r)
{
	bool device = s->how == SIGN_IN_DEVICE;
	int64_t left = (s->deadline - now(s)) / 1000;

	*v_r = (struct sign_in_view){ .how = s->how, .state = s->state };
	if (s->state == SIGN_IN_FAILED)
		v_r->fault = &s->fault;
	if (s->state != SIGN_IN_WAITING)
		return;
	v_r->seconds = left > 0 ? left : 0;
	v_r->address = device ? s->device_address : s->address;
	if (device)
		v_r->user_code = s->user_code;
	if (device && s->full_address[0] != '\0')
		v_r->full_address = s->full_address;
}

const char *
sign_in_state_name(enum sign_in_state state)
{
	static const char *const names[] = {
		[SIGN_IN_STARTING] = "starting",
		[SIGN_IN_WAITING] = "waiting",
		[SIGN_IN_ENDING] = "ending",
		[SIGN_IN_DONE] = "done",
		[SIGN_IN_FAILED] = "failed",
	};

	return names[state];
}

const struct token_identity *
sign_in_identity(const struct sign_in *s)
{
	return &s->id;
}
