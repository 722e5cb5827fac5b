/* SPDX-License-Identifier: ISC */
/*
 * mailhaul check --online: tests the settings by going there.  The daemon does
 * it when one runs; it has the secrets, and knows who logged in last.  Without
 * one the command does, as the owner of the state.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/log.h"
#include "base/mem.h"
#include "cli/check_text.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/offline.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/loop.h"
#include "relay/checkup.h"
#include "relay/retry.h"
#include "relay/sched.h"
#include "relay/terms.h"
#include "store/store.h"

#define AT_A_TIME 8 /* sessions, when we do it */

struct online {
	const char *name; /* NULL: all */
	struct client *client;
	struct check_text *text;
};

/* --- by the daemon */

static void
on_line(void *arg, const json_t *line)
{
	const struct online *o = arg;

	check_text_line(o->text, line);
}

static enum client_result
ask(struct online *o, const char *path, bool quiet, long *code_r, int *exit_r)
{
	struct client_call call = {
		.post = true,
		.quiet = quiet,
		.path = path,
		.name = o->name,
		.verb = "check",
	};
	enum client_result result =
	    client_lines(o->client, &call, on_line, o, exit_r);

	*code_r = call.code;
	if (result == CLIENT_FAILED && quiet && call.code != 404)
		fprintf(stderr, "mailhaul: %s\n", call.why);
	return result;
}

static enum client_result
ask_daemon(struct online *o, int *exit_r)
{
	long code;
	enum client_result result;

	if (o->name == NULL)
		return ask(o, "/v1", false, &code, exit_r);
	result = ask(o, "/v1/accounts", true, &code, exit_r);
	if (result != CLIENT_FAILED || code != 404)
		return result;
	*exit_r = EX_OK;
	result = ask(o, "/v1/destinations", true, &code, exit_r);
	if (code == 404)
		fprintf(stderr,
		    "mailhaul: there is no account and no destination %s\n",
		    o->name);
	return result;
}

/* --- by ourselves */

/* What is remembered of each. */
struct memory {
	struct store_who who;
	struct store_pause pause;
	int64_t interval;
};

struct solo {
	struct online *online;
	struct offline state; /* its store NULL: it cannot be read */
	bool have_dir;
	struct conf *conf;
	struct loop *loop;
	struct net *net;
	struct tokens *tokens;
	struct sched sched;
	struct timer turn;
	struct watch answers;
	struct memory *memories; /* owned: accounts, then destinations */
	size_t nmemories, loading;
	bool over;
};

static void
on_loaded(void *arg, struct store_answer *a)
{
	struct solo *s = arg;

	if (a->ok)
		s->memories[s->loading].pause = a->pause;
	offline_answered(&s->state);
}

static void
remember(struct solo *s, struct store_who who, int64_t interval)
{
	s->loading = s->nmemories++;
	s->memories[s->loading] =
	    (struct memory){ .who = who, .interval = interval };
	if (s->state.store == NULL)
		return;
	store_pause_load(
	    s->state.store, &who, (struct store_done){ on_loaded, s });
	offline_wait(&s->state);
}

static void
remember_all(struct solo *s)
{
	const struct conf *c = s->conf;

	s->memories = mem_array(
	    c->naccounts + c->ndestinations + 1, sizeof(*s->memories));
	for (size_t i = 0; i < c->naccounts; i++) {
		const struct conf_account *a = &c->accounts[i];

		remember(s,
		    (struct store_who){
			STORE_ACCOUNT, a->name, terms_of_account(a) },
		    (int64_t)a->interval);
	}
	for (size_t i = 0; i < c->ndestinations; i++) {
		const struct conf_destination *d = &c->destinations[i];

		remember(s,
		    (struct store_who){
			STORE_DESTINATION, d->name, terms_of_destination(d) },
		    0);
	}
}

static struct memory *
memory_of(const struct solo *s, const struct checkup_part *p)
{
	const struct conf *c = s->conf;

	if (p->account != NULL)
		return &s->memories[p->account - c->accounts];
	return &s->memories[c->naccounts +
			    (size_t)(p->destination - c->destinations)];
}

static void
on_pause(void *arg, const struct checkup_part *p, struct store_pause *pause_r)
{
	*pause_r = memory_of(arg, p)->pause;
}

static bool
on_may_begin(void *arg, const struct checkup_part *p)
{
	(void)arg;
	(void)p;
	return true; /* the state is ours: no daemon runs */
}

static const struct store_done nobody = { .run = NULL };

/* A login that was refused counts for the daemon, too. */
static void
on_ended(void *arg, const struct checkup_part *p, const struct probe_result *r)
{
	struct solo *s = arg;
	struct memory *m = memory_of(s, p);
	const struct retry_terms terms = {
		.now = time(NULL),
		.interval = m->interval,
		.login_delay = r != NULL ? (int64_t)r->login_delay : 0,
		.seed = m->who.terms,
	};

	if (r == NULL || s->state.store == NULL)
		return;
	if (r->logged_in && r->login_delay > 0)
		store_login(s->state.store, m->who.name, terms.now,
		    (int64_t)r->login_delay, nobody);
	if (!probe_login_refused(r))
		return;
	if (p->account != NULL)
		retry_account(&m->pause, r->fault, &terms);
	else
		retry_destination(&m->pause, r->fault, &terms);
	store_pause_save(s->state.store, &m->who, &m->pause, nobody);
}

static void
on_own_line(void *arg, json_t *line)
{
	struct solo *s = arg;

	check_text_line(s->online->text, line);
	json_decref(line);
}

static void
on_done(void *arg, enum probe_outcome worst)
{
	struct solo *s = arg;

	(void)worst; /* the lines said it */
	s->over = true;
	loop_stop(s->loop);
}

static void
plan_turn(void *arg)
{
	struct solo *s = arg;

	timer_set(&s->turn, 0);
}

static void
on_turn(void *arg)
{
	struct solo *s = arg;
	struct sched_job *j;
	int64_t wait;

	while ((j = sched_next(&s->sched, loop_now_ms(s->loop), &wait)) != NULL)
		j->run(j->arg);
	if (wait < INT64_MAX)
		timer_set(&s->turn, wait);
}

static void
on_answers(void *arg)
{
	struct solo *s = arg;

	store_dispatch(s->state.store);
}

static struct checkup *
begin(struct solo *s)
{
	struct checkup_owner owner = {
		.net = s->net,
		.tokens = s->tokens,
		.conf = s->conf,
		.store = s->state.store,
		.sched = &s->sched,
		.turn = plan_turn,
		.pause = on_pause,
		.may_begin = on_may_begin,
		.ended = on_ended,
		.line = on_own_line,
		.done = on_done,
		.arg = s,
	};
	const char *name = s->online->name;
	struct checkup *c = checkup_start(&owner, name, false);

	if (c == NULL)
		c = checkup_start(&owner, name, true);
	if (c == NULL && name == NULL)
		fputs("mailhaul: the configuration has no account and no "
		      "destination\n",
		    stderr);
	else if (c == NULL)
		fprintf(stderr,
		    "mailhaul: there is no account and no destination %s\n",
		    name);
	return c;
}

/* Tokens are those of the state; nothing is kept where there is none. */
static bool
run(struct solo *s)
{
	struct sched_limits limits = {
		.per_host = s->conf->connections_per_host,
		.total = AT_A_TIME,
	};
	bool begun;

	signal(SIGPIPE, SIG_IGN);
	log_open(LOG_ERR); /* the lines say it all */
	s->loop = loop_new();
	if (s->loop == NULL)
		abort();
	s->net = net_new(s->loop);
	s->tokens = tokens_new(s->loop, s->have_dir ? s->state.dir.path : NULL);
	sched_init(&s->sched, &limits);
	timer_init(&s->turn, s->loop, on_turn, s);
	if (s->state.store != NULL) {
		watch_init(&s->answers, s->loop, store_fd(s->state.store),
		    WATCH_READ, on_answers, s);
		watch_set(&s->answers, true);
	}
	begun = begin(s) != NULL;
	if (begun)
		loop_run(s->loop);
	timer_free(&s->turn);
	if (s->state.store != NULL)
		watch_free(&s->answers);
	sched_free(&s->sched);
	tokens_free(&s->tokens);
	net_free(&s->net);
	loop_free(&s->loop);
	return begun;
}

/* A first check may come before the first start: then there is no state yet,
 * and none is made.  What belongs to somebody else is done without. */
static bool
open_state(struct solo *s, int *exit_r)
{
	const char *path = client_state(s->online->client);
	struct fault f;

	s->have_dir = access(path, F_OK) == 0 || errno != ENOENT;
	if (s->have_dir && !statedir_open(&s->state.dir, path, exit_r, &f)) {
		fprintf(stderr, "mailhaul: %s\n", f.text);
		s->have_dir = false;
		return *exit_r == EX_NOPERM;
	}
	s->state.store = store_open(
	    s->have_dir ? &s->state.dir : NULL, !s->have_dir, exit_r, &f);
	if (s->state.store != NULL)
		return true;
	fprintf(stderr, "mailhaul: %s\n", f.text);
	if (s->have_dir)
		statedir_close(&s->state.dir);
	return false;
}

static int
do_it_ourselves(struct online *o, const char *conf_file)
{
	struct solo s = { .online = o };
	int code = cli_check_load(conf_file, &s.conf);

	if (s.conf == NULL)
		return code;
	if (open_state(&s, &code)) {
		remember_all(&s);
		code = run(&s) ? EX_OK : EX_NOINPUT;
		if (s.state.store != NULL)
			store_close(&s.state.store);
		if (s.have_dir)
			statedir_close(&s.state.dir);
		free(s.memories);
	}
	conf_free(&s.conf);
	return code;
}

int
cli_check_online(const struct cli_options *o, int argc, char **argv)
{
	struct online on = { 0 };
	bool as_json = false;
	enum client_result result;
	int code = EX_OK, shown;

	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			as_json = true;
		else if (on.name == NULL && argv[i][0] != '-' &&
			 argv[i][0] != '\0')
			on.name = argv[i];
		else
			return cli_usage_error(
			    "check --online takes one name and --json, not %s",
			    argv[i]);
	}
	on.client = client_new(o);
	on.text = check_text_new(as_json);
	result = ask_daemon(&on, &code);
	if (result == CLIENT_ABSENT) {
		code = do_it_ourselves(&on, o->conf_file);
		result = code == EX_OK ? CLIENT_OK : CLIENT_FAILED;
	}
	client_free(&on.client);
	shown = check_text_end(&on.text, result == CLIENT_OK);
	return code != EX_OK ? code : shown;
}
