/* SPDX-License-Identifier: ISC */
#include "cli/login_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "auth/token.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/offline.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/server.h"
#include "relay/terms.h"
#include "store/store.h"

struct login_offline {
	struct offline offline;
	struct conf *conf;
	struct token_identity id;
	struct tokens *tokens;
	struct sign_in *sign_in;
	struct store_pause pause; /* that was read */
};

static const struct conf_server *
find_server(const struct conf *c, const char *name)
{
	for (size_t i = 0; i < c->naccounts; i++)
		if (strcmp(c->accounts[i].name, name) == 0)
			return &c->accounts[i].server;
	for (size_t i = 0; i < c->ndestinations; i++)
		if (strcmp(c->destinations[i].name, name) == 0)
			return &c->destinations[i].server;
	return NULL;
}

static bool
read_conf(struct login_offline *f, const char *file, const char *name)
{
	struct conf_problems problems = { 0 };
	const struct conf_server *server = NULL;

	f->conf = conf_load(file, &problems);
	conf_problems_free(&problems);
	if (f->conf == NULL) {
		fprintf(stderr,
		    "mailhaul: the configuration has mistakes; mailhaul check "
		    "names them\n");
		return false;
	}
	server = find_server(f->conf, name);
	if (server == NULL)
		fprintf(stderr,
		    "mailhaul: there is no account and no destination %s\n",
		    name);
	else if (!conf_server_uses_token(server))
		fprintf(stderr,
		    "mailhaul: %s logs in with a password; see auth and "
		    "oauth_client_id in mailhaul.conf(5)\n",
		    name);
	else
		f->id = server_identity(server);
	return f->id.user != NULL;
}

struct login_offline *
login_offline_start(struct loop *l, const struct cli_options *o,
    const struct client *c, const char *name, int *exit_r)
{
	struct login_offline *f = mem_alloc(sizeof(*f));

	umask(077);
	*exit_r = EX_CONFIG;
	if (!read_conf(f, o->conf_file, name) ||
	    !offline_make_dir(&f->offline, c, exit_r)) {
		conf_free(&f->conf);
		free(f);
		return NULL;
	}
	f->tokens = tokens_new(l, f->offline.dir.path);
	return f;
}

bool
login_offline_begin(
    struct login_offline *f, enum sign_in_how how, unsigned port, int *exit_r)
{
	struct fault why;

	f->sign_in = sign_in_start(f->tokens, &f->id, how, port, &why);
	if (f->sign_in != NULL)
		return true;
	fprintf(stderr, "mailhaul: %s\n", why.text);
	*exit_r = EX_CONFIG;
	return false;
}

void
login_offline_look(const struct login_offline *f, struct login_news *news_r)
{
	struct sign_in_view v;

	sign_in_look(f->sign_in, &v);
	*news_r = (struct login_news){
		.state = sign_in_state_name(v.state),
		.device = v.how == SIGN_IN_DEVICE,
		.address = v.address,
		.full_address = v.full_address,
		.user_code = v.user_code,
		.seconds = v.seconds,
	};
	if (v.fault == NULL)
		return;
	news_r->error = v.fault->text;
	news_r->hint = v.fault->hint;
}

bool
login_offline_paste(
    struct login_offline *f, struct span text, struct fault *why_r)
{
	return sign_in_paste(f->sign_in, text, why_r);
}

/* --- those who wait for it */

static void
on_pause(void *arg, struct store_answer *a)
{
	struct login_offline *f = arg;

	f->pause = a->ok ? a->pause : (struct store_pause){ 0 };
	offline_answered(&f->offline);
}

/* A pause by hand stays. */
static void
end_pause(struct login_offline *f, const struct conf_server *server,
    const struct store_who *who)
{
	const struct store_done done = { on_pause, f };
	struct token_identity id;

	if (!conf_server_uses_token(server))
		return;
	id = server_identity(server);
	if (!token_identity_same(&id, &f->id))
		return;
	store_pause_load(f->offline.store, who, done);
	offline_wait(&f->offline);
	if (f->pause.failures == 0)
		return;
	f->pause = (struct store_pause){ .by_hand = f->pause.by_hand };
	store_pause_save(f->offline.store, who, &f->pause, done);
	offline_wait(&f->offline);
}

void
login_offline_resume(struct login_offline *f)
{
	const struct conf *c = f->conf;
	struct fault why;
	int code;

	/* Before the first start there is nothing to wait. */
	if (f->offline.dir.fresh)
		return;
	f->offline.store = store_open(&f->offline.dir, false, &code, &why);
	if (f->offline.store == NULL) {
		fprintf(stderr, "mailhaul: %s\n", why.text);
		return;
	}
	for (size_t i = 0; i < c->naccounts; i++)
		end_pause(f, &c->accounts[i].server,
		    &(struct store_who){ STORE_ACCOUNT, c->accounts[i].name,
			terms_of_account(&c->accounts[i]) });
	for (size_t i = 0; i < c->ndestinations; i++)
		end_pause(f, &c->destinations[i].server,
		    &(struct store_who){ STORE_DESTINATION,
			c->destinations[i].name,
			terms_of_destination(&c->destinations[i]) });
}

void
login_offline_end(struct login_offline **offline)
{
	struct login_offline *f = *offline;

	if (f == NULL)
		return;
	*offline = NULL;
	sign_in_free(&f->sign_in);
	tokens_free(&f->tokens);
	offline_close(&f->offline);
	conf_free(&f->conf);
	free(f);
}
