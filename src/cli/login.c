/* SPDX-License-Identifier: ISC */
/*
 * mailhaul login: a person signs in at the provider of an account or
 * destination.  The running daemon does it and keeps the tokens; the command
 * shows the code or the address, and says how it went.  The browser is where
 * the command runs, so it is the command that listens on the loopback.
 */
#include "cli/login_private.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "auth/loopback.h"
#include "auth/wipe.h"
#include "base/secret.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/text.h"
#include "net/loop.h"

#define LOOK_MS 1000 /* from one look at how it goes to the next */

struct login {
	const struct cli_options *options;
	const char *name;
	enum sign_in_how how;
	bool listens; /* as far as the options say */
	struct client *client;
	const char *path;              /* of its kind, at the daemon */
	json_t *answer;                /* owned; of the daemon, the last */
	struct login_offline *offline; /* owned; NULL: there is a daemon */
	struct loop *loop;
	struct loopback *loopback; /* owned; NULL: nobody listens */
	struct timer look;
	struct watch input; /* what is pasted */
	char line[SIGN_IN_PASTE_MAX + 1];
	size_t n;
	bool shown; /* the code or the address */
	int code;
};

static int
fail(struct login *l, int code)
{
	l->code = code;
	loop_stop(l->loop);
	return code;
}

/* --- the daemon */

static const char *
text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

static void
read_answer(const json_t *o, struct login_news *news_r)
{
	const char *how = text_of(o, "how"), *state = text_of(o, "state");
	json_int_t expires = json_integer_value(json_object_get(o, "expires"));

	*news_r = (struct login_news){
		.state = state != NULL ? state : "",
		.device = how != NULL && strcmp(how, "device") == 0,
		.full_address = text_of(o, "verification_uri_complete"),
		.user_code = text_of(o, "user_code"),
		.seconds = expires > time(NULL) ? expires - time(NULL) : 0,
		.error = text_of(o, "error"),
		.hint = text_of(o, "hint"),
	};
	news_r->address = text_of(
	    o, news_r->device ? "verification_uri" : "authorization_uri");
}

/* Answers of refusals are not kept. */
static enum client_result
ask(struct login *l, struct client_call *call, int *exit_r)
{
	enum client_result result;
	json_t *json;

	call->path = l->path;
	call->name = l->name;
	call->verb = "login";
	result = client_call(l->client, call, &json, exit_r);
	if (result == CLIENT_OK) {
		json_decref(l->answer);
		l->answer = json;
	} else {
		json_decref(json);
	}
	return result;
}

static enum client_result
begin_daemon(struct login *l, unsigned port, int *exit_r)
{
	static const char *const paths[] = { "/v1/accounts",
		"/v1/destinations" };
	static const char *const ways[] = {
		[SIGN_IN_ANY] = NULL,
		[SIGN_IN_DEVICE] = "device",
		[SIGN_IN_BROWSER] = "browser",
	};
	struct client_call call = { .code = 0 };
	enum client_result result = CLIENT_ABSENT;

	for (size_t i = 0; i < 2; i++) {
		call = (struct client_call){
			.post = true,
			.quiet = true,
			.how = ways[l->how],
			.port = port,
		};
		l->path = paths[i];
		result = ask(l, &call, exit_r);
		if (result != CLIENT_FAILED || call.code != 404)
			break;
	}
	if (result == CLIENT_FAILED && call.code == 404)
		fprintf(stderr,
		    "mailhaul: there is no account and no destination %s\n",
		    l->name);
	else if (result == CLIENT_FAILED)
		fprintf(stderr, "mailhaul: %s\n", call.why);
	return result;
}

/* --- either */

/* False: it was said why it cannot be begun. */
static bool
begin(struct login *l, int *exit_r)
{
	unsigned port = l->loopback != NULL ? loopback_port(l->loopback) : 0;
	enum client_result result = begin_daemon(l, port, exit_r);

	if (result != CLIENT_ABSENT)
		return result == CLIENT_OK;
	l->offline = login_offline_start(
	    l->loop, l->options, l->client, l->name, exit_r);
	return l->offline != NULL &&
	       login_offline_begin(l->offline, l->how, port, exit_r);
}

static bool
look(struct login *l, struct login_news *news_r, int *exit_r)
{
	struct client_call call = { .post = false };

	if (l->offline != NULL) {
		login_offline_look(l->offline, news_r);
		return true;
	}
	if (ask(l, &call, exit_r) != CLIENT_OK)
		return false;
	read_answer(l->answer, news_r);
	return true;
}

/* quiet: who sent it is no person. */
static bool
paste(struct login *l, struct span text, bool quiet)
{
	struct client_call call = { .post = true, .quiet = true };
	char copy[SIGN_IN_PASTE_MAX + 1];
	struct fault why;
	bool taken;
	int code;

	if (l->offline != NULL) {
		taken = login_offline_paste(l->offline, text, &why);
		call.why = why.text;
	} else {
		snprintf(copy, sizeof(copy), "%.*s", (int)text.n, text.p);
		call.paste = copy;
		taken = ask(l, &call, &code) == CLIENT_OK;
		secret_wipe(copy, sizeof(copy));
	}
	if (!taken && !quiet)
		fprintf(stderr, "mailhaul: %s\n", call.why);
	return taken;
}

/* --- what a person sees */

static void
show_device(const struct login *l, const struct login_news *n)
{
	printf("%s: open %s and type the code\n\n    %s\n\n", l->name,
	    n->address, n->user_code);
	if (n->full_address != NULL)
		printf("or open %s\n", n->full_address);
}

static void
show_browser(const struct login *l, const struct login_news *n)
{
	printf("%s: open this address in a browser%s:\n\n%s\n\n", l->name,
	    l->loopback != NULL ? " on this machine" : "", n->address);
	if (l->loopback != NULL)
		puts("If the browser is on another machine, do this besides:");
	puts("Sign in there.  In the end the browser shows an address that "
	     "begins with\nhttp://127.0.0.1 and nothing else.  Copy it and "
	     "paste it here:");
}

static void
show(struct login *l, const struct login_news *n)
{
	char span[TEXT_MAX];

	if (l->shown || n->address == NULL ||
	    (n->device && n->user_code == NULL))
		return;
	l->shown = true;
	if (n->device)
		show_device(l, n);
	else
		show_browser(l, n);
	if (n->device)
		printf("waiting for it, for another %s\n",
		    text_span(span, n->seconds));
	fflush(stdout);
}

static void
on_look(void *arg)
{
	struct login *l = arg;
	struct login_news news;
	int code = EX_OK;

	if (!look(l, &news, &code)) {
		fail(l, code);
		return;
	}
	show(l, &news);
	if (strcmp(news.state, "done") == 0) {
		printf("%s: signed in\n", l->name);
		if (l->offline != NULL)
			login_offline_resume(l->offline);
		fail(l, EX_OK);
	} else if (strcmp(news.state, "failed") == 0) {
		fprintf(stderr, "mailhaul: %s: %s%s%s\n", l->name,
		    news.error != NULL ? news.error : "failed",
		    news.hint != NULL ? "; " : "",
		    news.hint != NULL ? news.hint : "");
		fail(l, EX_UNAVAILABLE);
	} else {
		timer_set(&l->look, LOOK_MS);
	}
}

/* --- what comes from the browser */

static bool
on_target(void *arg, struct span target)
{
	struct login *l = arg;
	bool taken = paste(l, target, true);

	if (taken)
		timer_set(&l->look, 0);
	return taken;
}

static void
take_line(struct login *l)
{
	struct span text = span_make(l->line, l->n);

	while (text.n > 0 && text.p[text.n - 1] <= ' ')
		text.n--;
	if (text.n > 0 && paste(l, text, false))
		timer_set(&l->look, 0);
	secret_wipe(l->line, sizeof(l->line));
	l->n = 0;
}

static void
on_input(void *arg)
{
	struct login *l = arg;
	ssize_t got =
	    read(STDIN_FILENO, l->line + l->n, SIGN_IN_PASTE_MAX - l->n);

	if (got > 0)
		l->n += (size_t)got;
	if (got <= 0)
		watch_set(&l->input, false);
	if (l->n > 0 && (got <= 0 || l->n == SIGN_IN_PASTE_MAX ||
			    memchr(l->line, '\n', l->n) != NULL))
		take_line(l);
}

/* Not everything can be waited for. */
static bool
can_watch_input(void)
{
	struct stat st;

	return fstat(STDIN_FILENO, &st) == 0 &&
	       (isatty(STDIN_FILENO) || S_ISFIFO(st.st_mode) ||
		   S_ISSOCK(st.st_mode));
}

/* --- all of it */

static int
run(struct login *l)
{
	int code = EX_OK;

	/* A device flow has no use for it, but which one it will be is the
	 * provider's matter. */
	if (l->listens)
		l->loopback = loopback_new(l->loop, on_target, l);
	if (!begin(l, &code))
		return code;
	timer_init(&l->look, l->loop, on_look, l);
	timer_set(&l->look, 0);
	watch_init(&l->input, l->loop, STDIN_FILENO, WATCH_READ, on_input, l);
	if (can_watch_input())
		watch_set(&l->input, true);
	loop_run(l->loop);
	return l->code;
}

static void
end(struct login *l)
{
	loopback_free(&l->loopback);
	login_offline_end(&l->offline);
	timer_free(&l->look);
	watch_free(&l->input);
	json_decref(l->answer);
	client_free(&l->client);
	loop_free(&l->loop);
	secret_wipe(l->line, sizeof(l->line));
}

static bool
take_option(struct login *l, const char *option)
{
	if (strcmp(option, "--device") == 0) {
		l->how = SIGN_IN_DEVICE;
		l->listens = false;
	} else if (strcmp(option, "--browser") == 0) {
		l->how = SIGN_IN_BROWSER;
	} else if (strcmp(option, "--paste") == 0) {
		l->how = SIGN_IN_BROWSER;
		l->listens = false;
	} else {
		return false;
	}
	return true;
}

int
cli_login(const struct cli_options *o, int argc, char **argv)
{
	struct login l = { .options = o, .listens = true, .code = EX_OK };
	int code;

	if (argc < 2 || argc > 3 || argv[1][0] == '-' || argv[1][0] == '\0' ||
	    (argc == 3 && !take_option(&l, argv[2])))
		return cli_usage_error(
		    "login takes the name of one account or destination, and "
		    "--device, --browser or --paste");
	l.name = argv[1];
	signal(SIGPIPE, SIG_IGN);
	wipe_libraries();
	l.client = client_new(o);
	l.loop = loop_new();
	if (l.loop == NULL)
		abort();
	code = run(&l);
	end(&l);
	return code;
}
