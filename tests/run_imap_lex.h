/* SPDX-License-Identifier: ISC */
/* The IMAP lexer as a trail_machine: one line per token. */
#ifndef TESTS_RUN_IMAP_LEX_H
#define TESTS_RUN_IMAP_LEX_H

#include "proto/imap_lex.h"

#include "trail.h"

struct run_imap_lex {
	struct imap_lex lex;
};

static inline void
run_imap_lex_start(void *ctx)
{
	struct run_imap_lex *r = ctx;

	imap_lex_init(&r->lex);
}

/* As in a response: OK is followed by a text. */
static inline void
run_imap_lex_token(
    struct run_imap_lex *r, const struct imap_token *k, struct trail *t)
{
	switch (k->kind) {
	case IMAP_TOKEN_ATOM:
		trail_text(t, "atom", k->text);
		if (span_is(k->text, "OK"))
			imap_lex_text(&r->lex);
		break;
	case IMAP_TOKEN_STRING:
		trail_text(t, "string", k->text);
		break;
	case IMAP_TOKEN_LITERAL:
		trail_event(t, "literal %llu", (unsigned long long)k->size);
		break;
	case IMAP_TOKEN_PIECE:
		trail_piece(t, "piece", k->text);
		if (k->left == 0)
			trail_event(t, "complete");
		break;
	case IMAP_TOKEN_OPEN:
		trail_event(t, "(");
		break;
	case IMAP_TOKEN_CLOSE:
		trail_event(t, ")");
		break;
	case IMAP_TOKEN_TEXT:
		trail_text(t, "text", k->text);
		break;
	case IMAP_TOKEN_EOL:
		trail_event(t, "eol");
		break;
	case IMAP_TOKEN_BAD:
		trail_text(t, "bad", k->text);
		break;
	case IMAP_TOKEN_MORE:
		break;
	}
}

static inline void
run_imap_lex_feed(void *ctx, struct span in, struct trail *t)
{
	struct run_imap_lex *r = ctx;
	struct imap_token k;

	if (r->lex.error != NULL)
		return;
	do {
		imap_lex_next(&r->lex, &in, &k);
		run_imap_lex_token(r, &k, t);
	} while (k.kind != IMAP_TOKEN_MORE && k.kind != IMAP_TOKEN_BAD);
}

static inline void
run_imap_lex_finish(void *ctx, struct trail *t)
{
	struct run_imap_lex *r = ctx;

	(void)t;
	imap_lex_free(&r->lex);
}

static inline struct trail_machine
run_imap_lex_machine(struct run_imap_lex *r)
{
	return (struct trail_machine){ r, run_imap_lex_start, run_imap_lex_feed,
		run_imap_lex_finish };
}

#endif
