/* SPDX-License-Identifier: ISC */
/*
 * The IMAP machine as a trail_machine: sends the commands of a script, each
 * when the one before it is done, and writes down what it heard.
 */
#ifndef TESTS_RUN_IMAP_H
#define TESTS_RUN_IMAP_H

#include "proto/imap.h"

#include "trail.h"

struct run_imap {
	/* c CAPABILITY, l LOGIN, L LOGIN with a literal, a AUTHENTICATE,
	 * A AUTHENTICATE with an initial response, i ID, s SELECT, x EXAMINE,
	 * m LIST, w IDLE, which ends with the first change of the mailbox,
	 * f SEARCH from 5, r SEARCH of its rest up to 8, k SEARCH for the
	 * keyword from 5, d SEARCH DELETED, z FETCH sizes, b FETCH bodies, h
	 * FETCH headers, t STORE, K STORE of the keyword, e EXPUNGE, n NOOP, u
	 * UNSELECT, q LOGOUT.  A command with a comma behind it does not hold
	 * up the next. */
	const char *script;
	const char *at;
	struct imap m;
	bool failed;
};

static inline void
run_imap_start(void *ctx)
{
	struct run_imap *r = ctx;

	imap_init(&r->m);
	(void)imap_keyword(&r->m, "Mailhaul-Relayed-ab12");
	r->failed = false;
	r->at = r->script;
}

static inline bool
run_imap_simple(struct imap *m, char c)
{
	if (c == 'c')
		return imap_simple(m, IMAP_CAPABILITY);
	if (c == 'u')
		return imap_simple(m, IMAP_UNSELECT);
	if (c == 'q')
		return imap_simple(m, IMAP_LOGOUT);
	return imap_simple(m, IMAP_NOOP);
}

static inline bool
run_imap_send(struct imap *m, char c)
{
	struct span set = span_str("1:9");

	switch (c) {
	case 'l':
		return imap_login(m, span_str("me"), span_str("pw"));
	case 'L':
		return imap_login(m, span_str("m\xc3\xa9"), span_str("\xff"));
	case 'a':
		return imap_authenticate(m, "PLAIN", span_str(""));
	case 'A':
		return imap_authenticate(m, "PLAIN", span_str("AG1lAHg="));
	case 'i':
		return imap_id(m, "mailhaul", "1.0");
	case 's':
	case 'x':
		return imap_select(m, span_str("INBOX"), c == 'x');
	case 'f':
		return imap_search_from(m, 5);
	case 'r':
		return imap_search_rest(m, 5, 8, false);
	case 'd':
		return imap_search_deleted(m, set);
	case 'm':
		return imap_list(m, span_str("*"));
	case 'w':
		return imap_idle(m);
	case 'k':
		return imap_search_keyword(m, 5);
	case 'K':
		return imap_store_keyword(m, set);
	case 'z':
		return imap_fetch_sizes(m, set);
	case 'b':
		return imap_fetch_bodies(m, set);
	case 'h':
		return imap_fetch_headers(m, set);
	case 't':
		return imap_store_deleted(m, set);
	case 'e':
		return imap_expunge(m, set);
	default:
		return run_imap_simple(m, c);
	}
}

static inline void
run_imap_next(struct run_imap *r, struct trail *t)
{
	char c;

	do {
		if ((c = *r->at) == '\0')
			return;
		r->at++;
		if (!run_imap_send(&r->m, c))
			trail_event(t, "refused %c", c);
	} while (*r->at == ',' && *r->at++ != '\0');
}

static inline void
run_imap_done(struct run_imap *r, const struct imap_event *e, struct trail *t)
{
	static const char *const status[] = { "ok", "no", "bad" };
	char name[80], size[48] = "", lowest[24] = "";

	if (e->lowest > 0)
		(void)snprintf(lowest, sizeof(lowest), " lowest=%lu",
		    (unsigned long)e->lowest);
	if (e->has_size || e->lowest > 0)
		(void)snprintf(size, sizeof(size), " found=%llu%s",
		    (unsigned long long)e->size, lowest);
	(void)snprintf(name, sizeof(name), "done %d %s %d%s", (int)e->cmd,
	    status[e->status], (int)e->code, size);
	trail_text(t, name, e->text);
	if (imap_outstanding(&r->m) == 0)
		run_imap_next(r, t);
}

static inline void
run_imap_fetched(const struct imap_event *e, struct trail *t)
{
	char size[32] = "";

	if (e->has_size)
		(void)snprintf(size, sizeof(size), " size=%llu",
		    (unsigned long long)e->size);
	if (e->date != 0)
		(void)snprintf(
		    size, sizeof(size), " date=%lld", (long long)e->date);
	trail_event(t, "fetched %u%s%s%s", e->uid, size,
	    e->has_body ? " body" : "", e->deleted ? " deleted" : "");
}

static inline void
run_imap_mailbox(const struct imap_event *e, struct trail *t)
{
	char name[64];

	(void)snprintf(name, sizeof(name), "mailbox %x%s", e->special,
	    e->noselect ? " noselect" : "");
	trail_text(t, name, e->text);
}

/* What happened in the mailbox. */
static inline void
run_imap_change(struct run_imap *r, const struct imap_event *e, struct trail *t)
{
	if (e->kind == IMAP_EV_EXISTS)
		trail_event(
		    t, "exists %llu", (unsigned long long)r->m.mailbox.exists);
	else
		trail_event(t, "expunged");
	if (imap_idling(&r->m) && !imap_idle_done(&r->m))
		trail_event(t, "refused done");
}

static inline void
run_imap_event(struct run_imap *r, const struct imap_event *e, struct trail *t)
{
	switch (e->kind) {
	case IMAP_EV_DONE:
		run_imap_done(r, e, t);
		break;
	case IMAP_EV_CHALLENGE:
		trail_text(t, "challenge", e->text);
		if (!imap_auth_line(&r->m, span_str("AG1lAHg=")))
			trail_event(t, "refused line");
		break;
	case IMAP_EV_UID:
		trail_event(t, "uid %u", e->uid);
		break;
	case IMAP_EV_BODY_BEGIN:
		trail_event(
		    t, "begin %u %llu", e->uid, (unsigned long long)e->size);
		break;
	case IMAP_EV_BODY:
		trail_piece(t, "body", e->text);
		break;
	case IMAP_EV_FETCHED:
		run_imap_fetched(e, t);
		break;
	case IMAP_EV_MAILBOX:
		run_imap_mailbox(e, t);
		break;
	case IMAP_EV_IDLING:
		trail_text(t, "idling", e->text);
		break;
	case IMAP_EV_EXISTS:
	case IMAP_EV_EXPUNGED:
		run_imap_change(r, e, t);
		break;
	case IMAP_EV_BYE:
		trail_text(t, "bye", e->text);
		break;
	case IMAP_EV_ERROR:
		r->failed = true;
		trail_text(t, "error", e->text);
		break;
	}
}

static inline void
run_imap_feed(void *ctx, struct span in, struct trail *t)
{
	struct run_imap *r = ctx;
	struct imap_event e;

	while (in.n > 0 && !r->failed) {
		in = span_skip(in, imap_recv(&r->m, in));
		while (imap_next(&r->m, &e))
			run_imap_event(r, &e, t);
		imap_wrote(&r->m, imap_out(&r->m).n);
	}
}

static inline void
run_imap_caps(const struct imap_caps *c, struct trail *t)
{
	trail_event(t, "caps%s%s%s%s%s%s%s%s%s%s%s%s%s%s%s sasl=%s",
	    c->imap4rev1 ? " rev1" : "", c->imap4rev2 ? " rev2" : "",
	    c->idle ? " idle" : "", c->id ? " id" : "",
	    c->uidplus ? " uidplus" : "", c->unselect ? " unselect" : "",
	    c->move ? " move" : "", c->literal_plus ? " literal+" : "",
	    c->sasl_ir ? " sasl-ir" : "",
	    c->login_disabled ? " logindisabled" : "",
	    c->condstore ? " condstore" : "", c->esearch ? " esearch" : "",
	    c->special_use ? " special-use" : "",
	    c->list_extended ? " list-extended" : "", c->gmail ? " gmail" : "",
	    c->sasl);
}

static inline void
run_imap_finish(void *ctx, struct trail *t)
{
	struct run_imap *r = ctx;
	const struct imap_mailbox *b = &r->m.mailbox;

	if (r->m.caps.known)
		run_imap_caps(&r->m.caps, t);
	if (b->selected)
		trail_event(t, "box%s%s%s validity=%d:%llu next=%d:%llu %llu",
		    b->read_only ? " ro" : "",
		    b->uidvalidity_changed ? " changed" : "",
		    b->keyword ? " keyword" : "", b->have_uidvalidity,
		    (unsigned long long)b->uidvalidity, b->have_uidnext,
		    (unsigned long long)b->uidnext,
		    (unsigned long long)b->exists);
	trail_event(t, "left %u", imap_outstanding(&r->m));
	imap_free(&r->m);
}

static inline struct trail_machine
run_imap_machine(struct run_imap *r)
{
	return (struct trail_machine){ r, run_imap_start, run_imap_feed,
		run_imap_finish };
}

#endif
