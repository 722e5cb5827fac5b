/* SPDX-License-Identifier: ISC */
/*
 * mailhaul poll, pause and resume: of accounts, and the last two of
 * destinations as well.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/offline.h"
#include "store/store.h"

struct wish {
	struct client *client;
	struct offline offline;
	const char *verb, *name;
	const char *outcome; /* what is printed when the daemon takes it */
	bool offline_too;    /* has a meaning without a daemon */
};

static int
say(const struct wish *w, const char *outcome)
{
	printf("%s: %s\n", w->name, outcome);
	return EX_OK;
}

/* --- without a daemon: only the pauses that are on record */

struct resume {
	struct wish *wish;
	int code;
};

static void
on_resumed(void *arg, struct store_answer *a)
{
	struct resume *r = arg;

	offline_answered(&r->wish->offline);
	r->code = a->ok ? EX_OK : EX_IOERR;
	if (!a->ok)
		fprintf(stderr, "mailhaul: %s\n", a->fault.text);
	else if (a->waiting == 0)
		say(r->wish, "there is no pause of that name");
	else
		say(r->wish, "may be tried at once");
}

static int
resume_state(struct wish *w)
{
	struct resume r = { .wish = w, .code = EX_OK };

	if (!offline_open(&w->offline, w->client, &r.code))
		return r.code;
	store_resume(
	    w->offline.store, w->name, (struct store_done){ on_resumed, &r });
	offline_wait(&w->offline);
	offline_close(&w->offline);
	return r.code;
}

/* --- with one */

static enum client_result
ask(struct wish *w, const char *path, bool quiet, long *code_r, int *exit_r)
{
	struct client_call call = {
		.post = true,
		.quiet = quiet,
		.path = path,
		.name = w->name,
		.verb = w->verb,
	};
	json_t *json;
	enum client_result result =
	    client_call(w->client, &call, &json, exit_r);

	json_decref(json);
	*code_r = call.code;
	if (result == CLIENT_FAILED && quiet && call.code != 404)
		fprintf(stderr, "mailhaul: %s\n", call.why);
	return result;
}

/* The name of an account; or, where that has a meaning, of a destination. */
static int
run(struct wish *w)
{
	bool both = strcmp(w->verb, "poll") != 0;
	int exit_code = EX_OK;
	long code;
	enum client_result result =
	    ask(w, "/v1/accounts", both, &code, &exit_code);

	if (result == CLIENT_FAILED && code == 404 && both) {
		result = ask(w, "/v1/destinations", true, &code, &exit_code);
		if (code == 404)
			fprintf(stderr,
			    "mailhaul: there is no account and no destination "
			    "%s\n",
			    w->name);
	}
	if (result == CLIENT_OK)
		return say(w, w->outcome);
	if (result == CLIENT_FAILED)
		return exit_code;
	return w->offline_too ? resume_state(w) : client_say_absent(w->client);
}

static int
run_one(const struct cli_options *o, struct wish w, int argc, char **argv)
{
	int code;

	if (argc != 2 || argv[1][0] == '-' || argv[1][0] == '\0')
		return cli_usage_error("%s takes the name of one account%s",
		    argv[0],
		    strcmp(w.verb, "poll") == 0 ? "" : " or destination");
	w.name = argv[1];
	w.client = client_new(o);
	code = run(&w);
	client_free(&w.client);
	return code;
}

int
cli_poll(const struct cli_options *o, int argc, char **argv)
{
	return run_one(o,
	    (struct wish){ .verb = "poll", .outcome = "is polled now" }, argc,
	    argv);
}

int
cli_pause(const struct cli_options *o, int argc, char **argv)
{
	return run_one(o,
	    (struct wish){ .verb = "pause",
		.outcome = "is left alone until mailhaul resume" },
	    argc, argv);
}

int
cli_resume(const struct cli_options *o, int argc, char **argv)
{
	return run_one(o,
	    (struct wish){
		.verb = "resume", .outcome = "goes on", .offline_too = true },
	    argc, argv);
}
