/* SPDX-License-Identifier: ISC */
/*
 * The POP3 machine as a trail_machine: sends the commands of a script once the
 * greeting came, writes down what it heard.
 */
#ifndef TESTS_RUN_POP3_H
#define TESTS_RUN_POP3_H

#include "proto/pop3.h"

#include "trail.h"

struct run_pop3 {
	/* c CAPA, u USER, p PASS, a AUTH, s STAT, i UIDL, l LIST, r RETR 7,
	 * d DELE 7, n NOOP, q QUIT, t TOP 7 */
	const char *script;
	struct pop3 m;
	bool failed;
};

static inline void
run_pop3_start(void *ctx)
{
	struct run_pop3 *r = ctx;

	pop3_init(&r->m);
	r->failed = false;
}

static inline bool
run_pop3_send(struct pop3 *m, char c)
{
	static const struct {
		char c;
		enum pop3_command cmd;
	} simple[] = {
		{ 'c', POP3_CAPA },
		{ 's', POP3_STAT },
		{ 'i', POP3_UIDL },
		{ 'l', POP3_LIST },
		{ 'n', POP3_NOOP },
		{ 'q', POP3_QUIT },
	};

	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++)
		if (simple[i].c == c)
			return pop3_simple(m, simple[i].cmd);
	if (c == 'u')
		return pop3_user(m, span_str("me"));
	if (c == 'p')
		return pop3_pass(m, span_str("pass word"));
	if (c == 'a')
		return pop3_auth(m, "PLAIN", span_str(""));
	if (c == 't')
		return pop3_numbered(m, POP3_TOP, 7);
	return pop3_numbered(m, c == 'd' ? POP3_DELE : POP3_RETR, 7);
}

static inline const char *
run_pop3_code(enum pop3_code code)
{
	static const char *const names[] = {
		[POP3_CODE_NONE] = "",
		[POP3_CODE_OTHER] = " other",
		[POP3_CODE_AUTH] = " auth",
		[POP3_CODE_SYS_TEMP] = " temp",
		[POP3_CODE_SYS_PERM] = " perm",
		[POP3_CODE_IN_USE] = " in-use",
		[POP3_CODE_LOGIN_DELAY] = " login-delay",
	};

	return names[code];
}

static inline void
run_pop3_reply(struct run_pop3 *r, const struct pop3_event *e, struct trail *t)
{
	char name[80];

	(void)snprintf(name, sizeof(name), "%d.%u %s%s", (int)e->cmd, e->number,
	    e->ok ? "ok" : "err", run_pop3_code(e->code));
	trail_text(t, name, e->text);
	if (e->cmd == POP3_STAT && e->ok)
		trail_event(t, "stat %llu %llu", (unsigned long long)e->count,
		    (unsigned long long)e->size);
	for (const char *c = r->script;
	     e->cmd == POP3_GREETING && e->ok && *c != '\0'; c++)
		if (!run_pop3_send(&r->m, *c))
			trail_event(t, "refused %c", *c);
}

static inline void
run_pop3_event(struct run_pop3 *r, const struct pop3_event *e, struct trail *t)
{
	char name[80];

	switch (e->kind) {
	case POP3_EV_REPLY:
		run_pop3_reply(r, e, t);
		break;
	case POP3_EV_CHALLENGE:
		trail_text(t, "challenge", e->text);
		if (!pop3_auth_line(&r->m, span_str("AG1lAHg=")))
			trail_event(t, "refused line");
		break;
	case POP3_EV_ITEM:
		(void)snprintf(name, sizeof(name), "item %u %llu", e->number,
		    (unsigned long long)e->size);
		trail_text(t, name, e->text);
		break;
	case POP3_EV_BODY:
		trail_piece(t, "body", e->text);
		break;
	case POP3_EV_END:
		trail_event(t, "end %d.%u %llu", (int)e->cmd, e->number,
		    (unsigned long long)e->count);
		break;
	case POP3_EV_ERROR:
		r->failed = true;
		trail_text(t, "error", e->text);
		break;
	}
}

static inline void
run_pop3_feed(void *ctx, struct span in, struct trail *t)
{
	struct run_pop3 *r = ctx;
	struct pop3_event e;

	while (in.n > 0 && !r->failed) {
		in = span_skip(in, pop3_recv(&r->m, in));
		while (pop3_next(&r->m, &e))
			run_pop3_event(r, &e, t);
		pop3_wrote(&r->m, pop3_out(&r->m).n);
	}
}

static inline void
run_pop3_finish(void *ctx, struct trail *t)
{
	struct run_pop3 *r = ctx;
	const struct pop3_caps *c = &r->m.caps;

	if (c->known)
		trail_event(t, "caps%s%s%s%s%s%s%s delay=%d:%u sasl=%s",
		    c->uidl ? " uidl" : "", c->user ? " user" : "",
		    c->pipelining ? " pipelining" : "", c->top ? " top" : "",
		    c->resp_codes ? " resp" : "",
		    c->auth_resp_code ? " auth" : "",
		    c->expire_zero ? " expire-0" : "", c->login_delay,
		    c->login_delay_seconds, c->sasl);
	trail_event(t, "left %u", pop3_outstanding(&r->m));
	pop3_free(&r->m);
}

static inline struct trail_machine
run_pop3_machine(struct run_pop3 *r)
{
	return (struct trail_machine){ r, run_pop3_start, run_pop3_feed,
		run_pop3_finish };
}

#endif
