/* SPDX-License-Identifier: ISC */
/*
 *   rc       = { "set" global | entry }
 *   entry    = ( "poll" | "server" | "skip" ) name { server option } users
 *            | "defaults" { server option } users
 *   users    = { user option }               of the one user of "defaults"
 *            | { "user" names { user option } }
 *   names    = { name | name "=" name | "*" } [ "here" | "there" ]
 */
#include "conf/fetchmail.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/secret.h"
#include "conf/fetchmail_lex.h"
#include "conf/fetchmail_words.h"

struct parser {
	struct fetchmail_rc *rc;
	struct fetchmail_lex lex;
	struct fetchmail_token token; /* the one that is looked at */
	/* Of this entry: what stands before its users, and the first of them */
	struct fetchmail_query server;
	size_t first;
	bool nameless; /* its options stand without a user */
	struct fetchmail_query defaults;
	size_t copied; /* bytes that merge() made of what there is once */
	bool has_defaults, failed;
};

/* --- complaints --------------------------------------------------------- */

/* The first reason is the reason.  What was read is not repeated: where a
 * quote is missing it may be a password. */
static bool __attribute__((format(printf, 2, 3)))
fail(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	if (p->failed)
		return false;
	p->failed = true;
	p->rc->error_line = p->token.line;
	va_start(ap, fmt);
	vsnprintf(p->rc->error, sizeof(p->rc->error), fmt, ap);
	va_end(ap);
	return false;
}

static void
note(struct parser *p, const struct fetchmail_keyword *k, unsigned line)
{
	struct fetchmail_rc *rc = p->rc;
	struct fetchmail_note *n;

	if (k->note == NULL || rc->nnotes == FETCHMAIL_NOTES_MAX)
		return;
	rc->notes = mem_grow(rc->notes, rc->nnotes + 1, sizeof(*rc->notes));
	n = &rc->notes[rc->nnotes++];
	*n = (struct fetchmail_note){ .line = line, .grave = k->grave };
	if (asprintf(&n->text, "%s%s %s", k->scope == FM_GLOBAL ? "set " : "",
		k->word, k->note) < 0)
		abort();
}

/* --- words -------------------------------------------------------------- */

static void
advance(struct parser *p)
{
	if (p->token.kind == FETCHMAIL_BAD)
		return; /* for good */
	fetchmail_lex_next(&p->lex, &p->token);
	if (p->token.kind == FETCHMAIL_BAD)
		fail(p, "%s", p->token.text);
}

static bool
is_word(const struct parser *p, const char *word)
{
	return p->token.kind == FETCHMAIL_WORD &&
	       strcmp(p->token.text, word) == 0;
}

/* What may stand where a value is wanted. */
static bool
is_value(const struct parser *p)
{
	return p->token.kind == FETCHMAIL_STRING ||
	       p->token.kind == FETCHMAIL_NUMBER ||
	       (p->token.kind == FETCHMAIL_WORD &&
		   !fetchmail_is_keyword(p->token.text));
}

/* --- values ------------------------------------------------------------- */

static void
set_value(struct fetchmail_value *v, const char *s, unsigned line)
{
	free(v->s);
	v->s = mem_strdup(s);
	v->line = line;
}

static bool
add_item(struct parser *p, struct fetchmail_items *list)
{
	if (list->n == FETCHMAIL_ITEMS_MAX)
		return fail(p, "a list of more than %d", FETCHMAIL_ITEMS_MAX);
	list->s = mem_grow(list->s, list->n + 1, sizeof(*list->s));
	list->s[list->n++] = mem_strdup(p->token.text);
	if (list->line == 0)
		list->line = p->token.line;
	return true;
}

static void
items_free(struct fetchmail_items *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->s[i]);
	free(list->s);
	*list = (struct fetchmail_items){ 0 };
}

static bool
take_text(struct parser *p, const struct fetchmail_keyword *k,
    struct fetchmail_query *q)
{
	if (!is_value(p))
		return fail(p, "%s wants a value", k->word);
	if (k->into != FM_NOBODY)
		set_value(&q->text[k->into], p->token.text, p->token.line);
	advance(p);
	return true;
}

/* Protocols and mechanisms are keywords of their own, in either case. */
static bool
take_choice(struct parser *p, const struct fetchmail_keyword *k,
    struct fetchmail_query *q)
{
	if (p->token.kind != FETCHMAIL_WORD && !is_value(p))
		return fail(p, "%s wants a value", k->word);
	for (char *c = p->token.text; *c != '\0'; c++)
		*c = ascii_lower(*c);
	if (k->into != FM_NOBODY)
		set_value(&q->text[k->into], p->token.text, p->token.line);
	advance(p);
	return true;
}

static bool
take_number(struct parser *p, const struct fetchmail_keyword *k,
    struct fetchmail_query *q)
{
	if (p->token.kind != FETCHMAIL_NUMBER)
		return fail(p, "%s wants a number", k->word);
	return take_text(p, k, q);
}

static bool
take_numbers(struct parser *p, const struct fetchmail_keyword *k)
{
	if (p->token.kind != FETCHMAIL_NUMBER)
		return fail(p, "%s wants numbers", k->word);
	while (p->token.kind == FETCHMAIL_NUMBER)
		advance(p);
	return true;
}

static bool
take_list(struct parser *p, const struct fetchmail_keyword *k,
    struct fetchmail_query *q)
{
	struct fetchmail_items unused = { 0 };
	struct fetchmail_items *list =
	    k->into != FM_NOBODY ? &q->list[k->into] : &unused;

	if (!is_value(p))
		return fail(p, "%s wants a value", k->word);
	while (is_value(p) && add_item(p, list))
		advance(p);
	items_free(&unused);
	return !p->failed;
}

static bool
take_secret(struct parser *p, const struct fetchmail_keyword *k,
    struct fetchmail_query *q)
{
	struct fetchmail_word *w = &q->secret[k->into];

	if (!is_value(p))
		return fail(p, "%s wants a value", k->word);
	secret_free(&w->s);
	w->s = secret_new(span_str(p->token.text));
	w->line = p->token.line;
	secret_wipe(p->token.text, sizeof(p->token.text));
	advance(p);
	return true;
}

static bool
take_envelope(struct parser *p, const struct fetchmail_keyword *k)
{
	if (p->token.kind == FETCHMAIL_NUMBER)
		advance(p);
	if (!is_value(p))
		return fail(p, "%s wants a value", k->word);
	advance(p);
	return true;
}

/* --- names -------------------------------------------------------------- */

/* "remote=local" or a name of both sides; answers with the local one in the
 * list. */
static bool
take_mapping(struct parser *p, struct fetchmail_items *names)
{
	if (!add_item(p, names))
		return false;
	advance(p);
	if (p->token.kind != FETCHMAIL_EQUALS)
		return true;
	advance(p);
	if (!is_value(p))
		return fail(p, "= wants a name behind it");
	free(names->s[--names->n]);
	if (!add_item(p, names))
		return false;
	advance(p);
	return true;
}

static void
set_locals(struct fetchmail_query *q, struct fetchmail_items *names)
{
	struct fetchmail_items *locals = &q->list[FETCHMAIL_LOCALS];

	for (size_t i = 0; i < names->n; i++) {
		if (locals->n == FETCHMAIL_ITEMS_MAX)
			break; /* it is more than one, and that is all we say */
		locals->s =
		    mem_grow(locals->s, locals->n + 1, sizeof(*locals->s));
		locals->s[locals->n++] = mem_strdup(names->s[i]);
	}
	if (locals->line == 0)
		locals->line = names->line;
}

static bool
set_names(struct parser *p, const struct fetchmail_keyword *k,
    struct fetchmail_query *q, struct fetchmail_items *names)
{
	bool here = is_word(p, "here"), there = is_word(p, "there");

	if (here || there)
		advance(p);
	if (here || (k->into == FM_NOBODY && !there)) {
		set_locals(q, names);
		return true;
	}
	if (names->n != 1)
		return fail(p,
		    "%s: one name of the server is wanted, and no unknown word "
		    "behind it",
		    k->word);
	set_value(&q->text[FETCHMAIL_USER], names->s[0], names->line);
	return true;
}

static bool
take_names(struct parser *p, const struct fetchmail_keyword *k,
    struct fetchmail_query *q)
{
	struct fetchmail_items names = { 0 };
	unsigned line = p->token.line;
	bool ok = true;

	while (ok && is_value(p))
		ok = take_mapping(p, &names);
	if (ok && p->token.kind == FETCHMAIL_STAR) {
		q->wildcard = true;
		if (q->list[FETCHMAIL_LOCALS].line == 0)
			q->list[FETCHMAIL_LOCALS].line = line;
		advance(p);
		if (names.n == 0 && is_word(p, "here"))
			advance(p);
		else if (names.n > 0)
			ok = set_names(p, k, q, &names);
	} else if (ok && names.n == 0) {
		ok = fail(p, "%s wants a name", k->word);
	} else if (ok) {
		ok = set_names(p, k, q, &names);
	}
	items_free(&names);
	return ok;
}

/* --- options ------------------------------------------------------------ */

static void
set_flag(const struct fetchmail_keyword *k, struct fetchmail_query *q, bool on,
    unsigned line)
{
	if (k->argument != FM_ARG_FLAG)
		return;
	q->flag[k->into].on = on;
	q->flag[k->into].line = line;
}

static bool
take_argument(struct parser *p, const struct fetchmail_keyword *k,
    struct fetchmail_query *q)
{
	switch (k->argument) {
	case FM_ARG_TEXT:
		return take_text(p, k, q);
	case FM_ARG_AUTH:
		return take_choice(p, k, q);
	case FM_ARG_NUMBER:
		return take_number(p, k, q);
	case FM_ARG_NUMBERS:
		return take_numbers(p, k);
	case FM_ARG_LIST:
		return take_list(p, k, q);
	case FM_ARG_SECRET:
		return take_secret(p, k, q);
	case FM_ARG_NAMES:
		return take_names(p, k, q);
	case FM_ARG_ENVELOPE:
		return take_envelope(p, k);
	case FM_ARG_FLAG:
	case FM_ARG_SWITCH:
	case FM_ARG_IDFILE:
	case FM_ARG_DAEMON:
		break;
	}
	return true;
}

static bool
take_global(struct parser *p, const struct fetchmail_keyword *k)
{
	uint64_t seconds = 0;

	if (k->argument == FM_ARG_SWITCH)
		return true;
	if (p->token.kind == FETCHMAIL_EQUALS)
		advance(p);
	if (!is_value(p))
		return fail(p, "set %s wants a value", k->word);
	if (k->argument == FM_ARG_DAEMON) {
		if (!span_uint(span_str(p->token.text), 999999999, &seconds))
			return fail(p, "set daemon wants seconds");
		p->rc->daemon = (unsigned)seconds;
	} else if (k->argument == FM_ARG_IDFILE) {
		set_value(&p->rc->idfile, p->token.text, p->token.line);
	}
	advance(p);
	return true;
}

static bool
take_set(struct parser *p)
{
	const struct fetchmail_keyword *k;
	unsigned line;
	bool off;

	advance(p);
	off = is_word(p, "no");
	if (off)
		advance(p);
	line = p->token.line;
	k = p->token.kind == FETCHMAIL_WORD
	        ? fetchmail_find_keyword(p->token.text, true)
	        : NULL;
	if (k == NULL || (off && k->argument != FM_ARG_SWITCH))
		return fail(p, "set wants the name of an option");
	advance(p);
	if (!off)
		note(p, k, line);
	return take_global(p, k);
}

/* --- entries ------------------------------------------------------------ */

static void
query_free(struct fetchmail_query *q)
{
	free(q->name);
	for (size_t i = 0; i < FETCHMAIL_TEXTS; i++)
		free(q->text[i].s);
	for (size_t i = 0; i < FETCHMAIL_LISTS; i++)
		items_free(&q->list[i]);
	for (size_t i = 0; i < FETCHMAIL_SECRETS; i++)
		secret_free(&q->secret[i].s);
	*q = (struct fetchmail_query){ .line = 0 };
}

/* A short file must not become a large structure. */
static const char *
counted(struct parser *p, const char *s)
{
	p->copied += strlen(s) + 1;
	if (p->copied > FETCHMAIL_COPIED_MAX)
		fail(p, "defaults, or options of a server, that are too long");
	return p->failed ? "" : s;
}

static void
copy_items(struct parser *p, struct fetchmail_items *to,
    const struct fetchmail_items *from)
{
	to->s = mem_array(from->n, sizeof(*to->s));
	for (to->n = 0; to->n < from->n; to->n++)
		to->s[to->n] = mem_strdup(counted(p, from->s[to->n]));
	to->line = from->line;
}

/* What q does not say is as in d. */
static void
merge(struct parser *p, struct fetchmail_query *q,
    const struct fetchmail_query *d)
{
	for (size_t i = 0; i < FETCHMAIL_TEXTS; i++)
		if (q->text[i].line == 0 && d->text[i].line > 0)
			set_value(&q->text[i], counted(p, d->text[i].s),
			    d->text[i].line);
	for (size_t i = 0; i < FETCHMAIL_FLAGS; i++)
		if (q->flag[i].line == 0)
			q->flag[i] = d->flag[i];
	if (q->list[FETCHMAIL_LOCALS].line == 0)
		q->wildcard = d->wildcard;
	for (size_t i = 0; i < FETCHMAIL_LISTS; i++)
		if (q->list[i].line == 0 && d->list[i].line > 0)
			copy_items(p, &q->list[i], &d->list[i]);
	for (size_t i = 0; i < FETCHMAIL_SECRETS; i++)
		if (q->secret[i].s == NULL && d->secret[i].s != NULL) {
			q->secret[i].s =
			    secret_new(secret_reveal(d->secret[i].s));
			q->secret[i].line = d->secret[i].line;
		}
}

static struct fetchmail_query *
add_query(struct parser *p, unsigned line)
{
	struct fetchmail_rc *rc = p->rc;
	struct fetchmail_query *q;

	if (rc->nqueries == FETCHMAIL_QUERIES_MAX) {
		fail(p, "more than %d mailboxes", FETCHMAIL_QUERIES_MAX);
		return NULL;
	}
	rc->queries =
	    mem_grow(rc->queries, rc->nqueries + 1, sizeof(*rc->queries));
	q = &rc->queries[rc->nqueries++];
	*q = (struct fetchmail_query){ .line = line };
	return q;
}

/* Whom the option is about; NULL: it must not stand here. */
static struct fetchmail_query *
party(struct parser *p, const struct fetchmail_keyword *k, unsigned line)
{
	bool begun = p->rc->nqueries > p->first;
	bool names = k->argument == FM_ARG_NAMES && k->into != FM_NOBODY;

	if (k->scope == FM_SERVER) {
		if (!begun)
			return &p->server;
		fail(p,
		    "%s is an option of the server and must stand before "
		    "the first user",
		    k->word);
		return NULL;
	}
	if (begun && names && p->nameless) {
		fail(p, "options of a user must stand behind his name");
		return NULL;
	}
	if (begun && !names)
		return &p->rc->queries[p->rc->nqueries - 1];
	p->nameless = !names;
	return add_query(p, line);
}

/* False: what comes is no option. */
static bool
take_option(struct parser *p)
{
	bool off = is_word(p, "no");
	unsigned line = p->token.line;
	const struct fetchmail_keyword *k = NULL;
	struct fetchmail_query *q;

	if (off)
		advance(p);
	if (p->token.kind == FETCHMAIL_WORD) {
		bool joined = !off && fetchmail_is_joined_no(p->token.text);

		k = fetchmail_find_keyword(
		    p->token.text + (joined ? 2 : 0), false);
		off = off || joined;
	}
	if (k == NULL || (off && !fetchmail_may_be_off(k)))
		return off ? fail(p, "no wants an option that can be off")
		           : false;
	q = party(p, k, line);
	if (q == NULL)
		return false;
	advance(p);
	set_flag(k, q, !off, line);
	if (!off)
		note(p, k, line);
	return off || take_argument(p, k, q);
}

static void
begin_entry(struct parser *p, bool is_defaults)
{
	query_free(&p->server);
	p->server.line = p->token.line;
	p->server.skip = is_word(p, "skip");
	p->first = p->rc->nqueries;
	p->nameless = false;
	advance(p);
	if (is_defaults)
		return;
	if (!is_value(p)) {
		fail(p, "poll wants the name of a server");
		return;
	}
	p->server.name = mem_strdup(p->token.text);
	advance(p);
}

static void
end_defaults(struct parser *p)
{
	struct fetchmail_rc *rc = p->rc;

	if (p->first > 0 || p->has_defaults || rc->nqueries > 1) {
		fail(p, "there can be one entry of defaults, of one user, "
			"before all others");
		return;
	}
	p->has_defaults = true;
	p->defaults = p->server;
	p->server = (struct fetchmail_query){ .line = 0 };
	if (rc->nqueries == 0)
		return;
	merge(p, &p->defaults, &rc->queries[0]);
	query_free(&rc->queries[--rc->nqueries]);
}

static void
end_entry(struct parser *p)
{
	struct fetchmail_rc *rc = p->rc;

	if (rc->nqueries == p->first && add_query(p, p->server.line) == NULL)
		return;
	for (size_t i = p->first; i < rc->nqueries; i++) {
		struct fetchmail_query *q = &rc->queries[i];

		q->name = mem_strdup(p->server.name);
		q->skip = p->server.skip;
		merge(p, q, &p->server);
		if (p->has_defaults)
			merge(p, q, &p->defaults);
	}
}

static void
take_entry(struct parser *p)
{
	bool is_defaults = is_word(p, "defaults");

	begin_entry(p, is_defaults);
	while (!p->failed && take_option(p))
		;
	if (p->failed)
		return;
	if (is_defaults)
		end_defaults(p);
	else
		end_entry(p);
}

static bool
take_statement(struct parser *p)
{
	if (p->failed || p->token.kind == FETCHMAIL_END)
		return false;
	if (is_word(p, "set"))
		take_set(p);
	else if (is_word(p, "poll") || is_word(p, "server") ||
		 is_word(p, "skip") || is_word(p, "defaults"))
		take_entry(p);
	else
		fail(p, "an unknown word, or one at the wrong place; is a "
			"quote missing above?");
	return true;
}

bool
fetchmail_parse(struct fetchmail_rc *rc, struct span text)
{
	struct parser *p = mem_alloc(sizeof(*p));
	bool ok;

	*rc = (struct fetchmail_rc){ .daemon = 0 };
	p->rc = rc;
	p->token.line = 1;
	fetchmail_lex_init(&p->lex, text);
	if (text.n > FETCHMAIL_RC_MAX)
		fail(p, "longer than %zu bytes", FETCHMAIL_RC_MAX);
	else
		advance(p);
	while (take_statement(p))
		;
	if (rc->nqueries == 0)
		fail(p, "there is no poll in it");
	ok = !p->failed;
	query_free(&p->server);
	query_free(&p->defaults);
	secret_wipe(p, sizeof(*p)); /* the last word may be a password */
	free(p);
	return ok;
}

void
fetchmail_free(struct fetchmail_rc *rc)
{
	for (size_t i = 0; i < rc->nqueries; i++)
		query_free(&rc->queries[i]);
	for (size_t i = 0; i < rc->nnotes; i++)
		free(rc->notes[i].text);
	free(rc->queries);
	free(rc->notes);
	free(rc->idfile.s);
	*rc = (struct fetchmail_rc){ .daemon = 0 };
}

const char *
fetchmail_host(const struct fetchmail_query *q)
{
	const char *via = q->text[FETCHMAIL_VIA].s;

	return via != NULL ? via : q->name;
}
