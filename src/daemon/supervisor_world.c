/* SPDX-License-Identifier: ISC */
/*
 * The accounts and destinations of one configuration, and how the next one
 * takes their place: what may stay, what must end first, what is new.
 */
#include "daemon/supervisor_private.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/alert.h"
#include "daemon/sign_in_words.h"
#include "relay/sink.h"
#include "relay/terms.h"

/* --- destinations */

static void
on_trouble(void *arg, const struct store_pause *pause)
{
	struct gate *g = arg;

	alert_pause(
	    g->supervisor->alerts, &g->who, pause, sink_trouble(g->sink));
	store_pause_save(g->supervisor->o.store, &g->who, pause,
	    (struct store_done){ .run = NULL });
}

static struct gate *
gate_new(
    struct supervisor *s, struct conf *conf, const struct conf_destination *d)
{
	struct gate *g = mem_alloc(sizeof(*g));

	g->supervisor = s;
	g->conf = conf_ref(conf);
	g->config = d;
	g->words = mem_alloc(SIGN_IN_WORDS_MAX);
	g->sink = sink_open(s->o.net, s->o.tokens, conf, d);
	g->who = (struct store_who){ STORE_DESTINATION, d->name,
		terms_of_destination(d) };
	return g;
}

static void
gate_free(struct gate *g)
{
	alerts_leave(g->supervisor->alerts, g->sink);
	sink_close(&g->sink);
	conf_free(&g->conf);
	free(g->words);
	free(g);
}

static struct gate *
find_gate(const struct gates *gates, const char *name)
{
	struct gate *g;

	TAILQ_FOREACH (g, gates, link)
		if (strcmp(g->config->name, name) == 0)
			return g;
	return NULL;
}

/* --- accounts */

static bool
is_wanted(const struct supervisor_options *o, const char *name)
{
	for (size_t i = 0; i < o->nonly; i++)
		if (strcmp(o->only[i], name) == 0)
			return true;
	return o->nonly == 0;
}

static struct post *
post_new(struct supervisor *s, struct conf *conf, const struct conf_account *a,
    const struct gates *gates)
{
	struct post *p = mem_alloc(sizeof(*p));
	struct sink **sinks =
	    mem_array(a->ndestinations, sizeof(struct sink *));

	p->supervisor = s;
	p->gates = mem_array(a->ndestinations, sizeof(struct gate *));
	for (size_t i = 0; i < a->ndestinations; i++) {
		struct gate *g = find_gate(gates, a->destinations[i]->name);

		if (g == NULL)
			abort(); /* the configuration was checked */
		p->gates[i] = g;
		sinks[i] = g->sink;
	}
	p->account = account_new(&s->context, conf, a, sinks);
	free(sinks);
	return p;
}

static void
post_free(struct post *p)
{
	account_free(&p->account);
	free(p->gates);
	free(p);
}

static struct post *
find_post(const struct posts *posts, const char *name)
{
	struct post *p;

	TAILQ_FOREACH (p, posts, link)
		if (strcmp(account_config(p->account)->name, name) == 0)
			return p;
	return NULL;
}

/* Both would work on the same records. */
static bool
is_same_mailbox(const struct conf_account *a, const struct conf_account *b)
{
	return strcmp(a->name, b->name) == 0 ||
	       (strcmp(a->server.user, b->server.user) == 0 &&
		   strcmp(a->server.host, b->server.host) == 0);
}

static bool
has_predecessor(const struct supervisor *s, const struct post *p)
{
	const struct post *old;

	TAILQ_FOREACH (old, &s->retired, link)
		if (is_same_mailbox(account_config(old->account),
			account_config(p->account)))
			return true;
	return false;
}

static void
begin(struct supervisor *s)
{
	struct post *p;

	if (s->loading > 0 || s->stopping)
		return;
	TAILQ_FOREACH (p, &s->posts, link) {
		if (p->begun || !p->loaded || has_predecessor(s, p))
			continue;
		p->begun = true;
		account_begin(p->account, &p->pause);
	}
	supervisor_turn(s);
}

/* There may be nothing that --once waits for. */
static void
begin_loaded(struct supervisor *s)
{
	begin(s);
	if (s->o.once)
		timer_set(&s->reap, 0);
}

static void
on_loaded(struct supervisor *s, const struct store_answer *a)
{
	s->loading--;
	if (!a->ok)
		supervisor_fail_state(s);
	if (!TAILQ_EMPTY(&s->retired) || !TAILQ_EMPTY(&s->closing))
		timer_set(&s->reap, 0); /* some waited for this */
	begin_loaded(s);
}

static void
on_account_loaded(void *arg, struct store_answer *a)
{
	struct post *p = arg;

	p->pause = a->pause;
	p->loaded = true;
	on_loaded(p->supervisor, a);
}

static void
on_destination_loaded(void *arg, struct store_answer *a)
{
	struct gate *g = arg;
	struct supervisor *s = g->supervisor;

	g->loaded = true;
	if (!s->o.dry_run)
		sink_remember(g->sink, &a->pause, s->o.once, on_trouble, g);
	on_loaded(s, a);
}

void
supervisor_load(struct supervisor *s)
{
	struct gate *g;
	struct post *p;

	s->loading++; /* until all are asked for */
	TAILQ_FOREACH (g, &s->gates, link) {
		if (g->loaded)
			continue;
		s->loading++;
		store_pause_load(s->o.store, &g->who,
		    (struct store_done){ on_destination_loaded, g });
	}
	TAILQ_FOREACH (p, &s->posts, link) {
		if (p->loaded)
			continue;
		s->loading++;
		store_pause_load(s->o.store, account_who(p->account),
		    (struct store_done){ on_account_loaded, p });
	}
	s->loading--;
	begin_loaded(s);
}

/* --- what has ended */

static bool
is_used(const struct posts *posts, const struct gate *g)
{
	const struct post *p;

	TAILQ_FOREACH (p, posts, link)
		for (size_t i = 0;
		     i < account_config(p->account)->ndestinations; i++)
			if (p->gates[i] == g)
				return true;
	return false;
}

void
supervisor_reap(struct supervisor *s)
{
	struct post *p, *next_post;
	struct gate *g, *next_gate;

	for (p = TAILQ_FIRST(&s->retired); p != NULL; p = next_post) {
		next_post = TAILQ_NEXT(p, link);
		if (!p->loaded || !account_is_quiet(p->account))
			continue;
		TAILQ_REMOVE(&s->retired, p, link);
		post_free(p);
	}
	for (g = TAILQ_FIRST(&s->closing); g != NULL; g = next_gate) {
		next_gate = TAILQ_NEXT(g, link);
		if (!g->loaded || is_used(&s->retired, g))
			continue;
		TAILQ_REMOVE(&s->closing, g, link);
		gate_free(g);
	}
	begin(s);
	if (s->stopping || s->o.once)
		supervisor_stop_when_quiet(s);
}

/* --- what is new */

static bool
gate_may_stay(const struct gate *g, const struct conf *fresh,
    const struct conf_destination *d)
{
	return g != NULL && g->loaded && conf_globals_equal(g->conf, fresh) &&
	       conf_destination_equal(g->config, d);
}

/* Destinations of the new world; those that may stay move over. */
static void
fill_gates(struct supervisor *s, struct conf *fresh, struct gates *gates)
{
	for (size_t i = 0; i < fresh->ndestinations; i++) {
		const struct conf_destination *d = &fresh->destinations[i];
		struct gate *g = find_gate(&s->gates, d->name);

		if (gate_may_stay(g, fresh, d))
			TAILQ_REMOVE(&s->gates, g, link);
		else
			g = gate_new(s, fresh, d);
		TAILQ_INSERT_TAIL(gates, g, link);
	}
}

static bool
post_may_stay(const struct post *p, const struct conf_account *a,
    const struct gates *gates)
{
	if (p == NULL || !p->loaded ||
	    !conf_account_equal(account_config(p->account), a))
		return false;
	for (size_t i = 0; i < a->ndestinations; i++)
		if (find_gate(gates, a->destinations[i]->name) != p->gates[i])
			return false;
	return true;
}

static void
fill_posts(struct supervisor *s, struct conf *fresh, const struct gates *gates,
    struct posts *posts)
{
	for (size_t i = 0; i < fresh->naccounts; i++) {
		const struct conf_account *a = &fresh->accounts[i];
		struct post *p = find_post(&s->posts, a->name);

		if (!is_wanted(&s->o, a->name))
			continue;
		if (post_may_stay(p, a, gates))
			TAILQ_REMOVE(&s->posts, p, link);
		else
			p = post_new(s, fresh, a, gates);
		TAILQ_INSERT_TAIL(posts, p, link);
	}
}

/* What is left in the old lists goes, when it has ended what it began. */
static void
retire_old(struct supervisor *s)
{
	struct post *p;
	struct gate *g;

	while ((p = TAILQ_FIRST(&s->posts)) != NULL) {
		TAILQ_REMOVE(&s->posts, p, link);
		TAILQ_INSERT_TAIL(&s->retired, p, link);
		account_retire(p->account);
	}
	while ((g = TAILQ_FIRST(&s->gates)) != NULL) {
		TAILQ_REMOVE(&s->gates, g, link);
		TAILQ_INSERT_TAIL(&s->closing, g, link);
	}
}

void
supervisor_build(struct supervisor *s, struct conf *fresh)
{
	struct gates gates = TAILQ_HEAD_INITIALIZER(gates);
	struct posts posts = TAILQ_HEAD_INITIALIZER(posts);

	fill_gates(s, fresh, &gates);
	fill_posts(s, fresh, &gates, &posts);
	retire_old(s);
	TAILQ_CONCAT(&s->gates, &gates, link);
	TAILQ_CONCAT(&s->posts, &posts, link);
}

/* A file with a password was mended, perhaps, or a certificate. */
void
supervisor_try_again(struct supervisor *s)
{
	struct post *p;

	TAILQ_FOREACH (p, &s->posts, link)
		if (p->begun)
			account_try_again(p->account);
}

/* --- for the other files */

struct gate *
supervisor_gate(const struct supervisor *s, const char *name)
{
	return find_gate(&s->gates, name);
}

struct post *
supervisor_post(const struct supervisor *s, const char *name)
{
	return find_post(&s->posts, name);
}

bool
supervisor_raze(struct supervisor *s)
{
	struct post *p;
	struct gate *g;

	TAILQ_CONCAT(&s->posts, &s->retired, link);
	TAILQ_CONCAT(&s->gates, &s->closing, link);
	TAILQ_FOREACH (p, &s->posts, link)
		if (!account_is_quiet(p->account))
			return false;
	while ((p = TAILQ_FIRST(&s->posts)) != NULL) {
		TAILQ_REMOVE(&s->posts, p, link);
		post_free(p);
	}
	while ((g = TAILQ_FIRST(&s->gates)) != NULL) {
		TAILQ_REMOVE(&s->gates, g, link);
		gate_free(g);
	}
	return true;
}
