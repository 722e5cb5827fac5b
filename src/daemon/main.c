/* SPDX-License-Identifier: ISC */
/*
 * mailhauld(8): reads the command line, opens configuration and state, and
 * runs the loop.  Always in the foreground; systemd or a shell looks after it.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "auth/token.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/control.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/supervisor.h"
#include "daemon/view.h"
#include "net/conn.h"
#include "net/loop.h"
#include "relay/control_path.h"
#include "store/statedir.h"
#include "store/store.h"

#include "config.h"

struct arguments {
	const char *conf, *state, *socket;
	bool own_state; /* --state was given */
	bool once, dry_run, verbose;
	const char **accounts; /* owned array */
	size_t naccounts;
};

struct daemon {
	struct arguments args;
	struct conf *conf;
	struct statedir dir;
	bool have_dir;
	struct store *store;
	struct loop *loop;
	struct net *net;
	struct tokens *tokens;
	struct supervisor *supervisor;
	struct control *control;
	char *socket; /* owned; its path */
	struct watch answers;
	struct signal_watch term, interrupt, hangup;
};

static const char usage_text[] =
    "usage: mailhauld [-c FILE] [--state DIR] [--socket PATH] [--once]\n"
    "                 [--dry-run] [--account NAME]... [--verbose]\n"
    "       mailhauld --version | --help\n";

enum {
	OPT_STATE = 256,
	OPT_SOCKET,
	OPT_ONCE,
	OPT_DRY_RUN,
	OPT_ACCOUNT,
	OPT_VERSION
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "state", required_argument, NULL, OPT_STATE },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "once", no_argument, NULL, OPT_ONCE },
	{ "dry-run", no_argument, NULL, OPT_DRY_RUN },
	{ "account", required_argument, NULL, OPT_ACCOUNT },
	{ "verbose", no_argument, NULL, 'v' },
	{ "version", no_argument, NULL, OPT_VERSION },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void
take_option(struct arguments *a, int option)
{
	switch (option) {
	case 'c':
		a->conf = optarg;
		break;
	case OPT_STATE:
		a->state = optarg;
		a->own_state = true;
		break;
	case OPT_SOCKET:
		a->socket = optarg;
		break;
	case OPT_ONCE:
		a->once = true;
		break;
	case OPT_DRY_RUN:
		a->once = a->dry_run = true;
		break;
	case OPT_ACCOUNT:
		a->accounts[a->naccounts++] = optarg;
		break;
	case 'v':
		a->verbose = true;
		break;
	case OPT_VERSION:
		puts("mailhauld " PACKAGE_VERSION);
		exit(EX_OK);
	case 'h':
		fputs(usage_text, stdout);
		exit(EX_OK);
	default:
		fputs(usage_text, stderr);
		exit(EX_USAGE);
	}
}

static void
parse_arguments(struct arguments *a, int argc, char **argv)
{
	const char *systemd = getenv("STATE_DIRECTORY");
	int option;

	a->conf = SYSCONFDIR "/mailhaul/mailhaul.conf";
	a->state = systemd != NULL ? systemd : LOCALSTATEDIR "/lib/mailhaul";
	a->accounts = mem_array((size_t)argc, sizeof(*a->accounts));
	while ((option = getopt_long(argc, argv, "c:hv", long_options, NULL)) !=
	       -1)
		take_option(a, option);
	if (optind < argc) {
		fprintf(stderr, "mailhauld: what is \"%s\"?\n%s", argv[optind],
		    usage_text);
		exit(EX_USAGE);
	}
}

/* Secrets pass through this process: no core file, no ptrace by our user. */
static void
harden(void)
{
	struct rlimit none = { 0, 0 };

	umask(077);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

static int
load_conf(struct daemon *d)
{
	struct conf_problems problems = { 0 };

	d->conf = conf_load(d->args.conf, &problems);
	for (size_t i = 0; i < problems.n; i++) {
		const struct conf_problem *p = &problems.list[i];

		char line[16] = ""; /* 0: the file as a whole */

		if (p->line > 0)
			snprintf(line, sizeof(line), "%u:", p->line);
		log_line(p->warning ? LOG_WARNING : LOG_ERR, "%s:%s %s%s",
		    p->file, line, p->warning ? "warning: " : "", p->text);
	}
	conf_problems_free(&problems);
	return d->conf != NULL ? EX_OK : EX_CONFIG;
}

static int
check_accounts(const struct daemon *d)
{
	for (size_t i = 0; i < d->args.naccounts; i++) {
		size_t a = 0;

		while (
		    a < d->conf->naccounts &&
		    strcmp(d->conf->accounts[a].name, d->args.accounts[i]) != 0)
			a++;
		if (a < d->conf->naccounts)
			continue;
		log_line(LOG_ERR, "--account %s: %s defines no such account",
		    d->args.accounts[i], d->args.conf);
		return EX_USAGE;
	}
	return EX_OK;
}

/* A dry run makes nothing, so it may find that there is no state yet. */
static int
open_state(struct daemon *d)
{
	struct fault f;
	struct stat st;
	int code = EX_OK;

	if (!d->args.dry_run || stat(d->args.state, &st) == 0) {
		d->have_dir = statedir_open(&d->dir, d->args.state, &code, &f);
		if (!d->have_dir) {
			log_line(LOG_ERR, "%s", f.text);
			return code;
		}
	}
	d->store = store_open(
	    d->have_dir ? &d->dir : NULL, d->args.dry_run, &code, &f);
	if (d->store == NULL) {
		log_line(LOG_ERR, "%s", f.text);
		return code;
	}
	return EX_OK;
}

static void
on_answers(void *arg)
{
	store_dispatch(arg);
}

static void
on_signal(void *arg, int number)
{
	log_line(LOG_NOTICE, "signal %d: stopping", number);
	supervisor_stop(arg);
}

static void
on_look(void *arg, struct notify_status *status_r)
{
	const struct daemon *d = arg;
	struct view_daemon all;
	struct view_account one;
	size_t n = view_accounts(d->supervisor);

	view_daemon(d->supervisor, &all);
	if (all.no_room)
		status_r->problem = "no room on the disk of the state";
	status_r->accounts = (unsigned)n;
	for (size_t i = 0; i < n; i++) {
		view_account(d->supervisor, i, &one);
		if (strcmp(one.state, "failing") == 0 ||
		    strcmp(one.state, "sign-in") == 0 ||
		    strcmp(one.state, "asks") == 0)
			status_r->failing++;
	}
}

static void
on_hangup(void *arg, int number)
{
	struct daemon *d = arg;
	struct conf_problems problems = { 0 };
	struct fault why;

	(void)number;
	reload(d->args.conf, d->supervisor, &problems, &why);
	conf_problems_free(&problems);
}

/* Who polls once and goes has nothing to be asked. */
static void
open_control(struct daemon *d)
{
	struct control_place place = {
		.socket = d->args.socket,
		.state = d->args.state,
		.own_state = d->args.own_state,
	};
	struct control_options o = {
		.loop = d->loop,
		.supervisor = d->supervisor,
		.store = d->store,
		.tokens = d->tokens,
		.dir = &d->dir,
		.conf_file = d->args.conf,
		.group = d->conf->control_group,
		.listen = d->conf->listen,
		.min_free = d->conf->min_free,
	};

	if (d->args.once)
		return;
	d->socket = control_path(&place, true);
	o.socket = d->socket;
	d->control = control_new(&o);
}

static int
run(struct daemon *d)
{
	struct supervisor_options o = {
		.conf = d->conf,
		.store = d->store,
		.state_dir = d->have_dir ? d->dir.dir : -1,
		.once = d->args.once,
		.dry_run = d->args.dry_run,
		.only = d->args.accounts,
		.nonly = d->args.naccounts,
	};
	int code;

	d->loop = loop_new();
	if (d->loop == NULL) {
		log_line(LOG_ERR, "libevent has no way to wait on this system");
		return EX_OSERR;
	}
	d->net = o.net = net_new(d->loop);
	/* A dry run keeps them, too: a provider may take back what it renews.
	 */
	d->tokens = o.tokens =
	    tokens_new(d->loop, d->have_dir ? d->dir.path : NULL);
	watch_init(&d->answers, d->loop, store_fd(d->store), WATCH_READ,
	    on_answers, d->store);
	watch_set(&d->answers, true);
	d->supervisor = supervisor_new(&o);
	open_control(d);
	signal_init(&d->term, d->loop, SIGTERM, on_signal, d->supervisor);
	signal_init(&d->interrupt, d->loop, SIGINT, on_signal, d->supervisor);
	signal_init(&d->hangup, d->loop, SIGHUP, on_hangup, d);
	notify_open(d->loop, d->store, on_look, d);
	notify_ready(NULL);
	loop_run(d->loop);
	notify_close();
	code = supervisor_exit_code(d->supervisor);
	control_free(&d->control);
	supervisor_free(&d->supervisor);
	return code;
}

static void
shut_down(struct daemon *d)
{
	store_close(&d->store);
	if (d->have_dir)
		statedir_close(&d->dir);
	signal_free(&d->term);
	signal_free(&d->interrupt);
	signal_free(&d->hangup);
	watch_free(&d->answers);
	tokens_free(&d->tokens);
	net_free(&d->net);
	loop_free(&d->loop);
	conf_free(&d->conf);
	free(d->socket);
	free(d->args.accounts);
}

int
main(int argc, char **argv)
{
	struct daemon d = { 0 };
	int code;

	parse_arguments(&d.args, argc, argv);
	harden();
	log_open(d.args.verbose ? LOG_DEBUG : LOG_INFO);
	code = load_conf(&d);
	if (code == EX_OK)
		code = check_accounts(&d);
	if (code == EX_OK)
		code = open_state(&d);
	if (code == EX_OK)
		code = run(&d);
	shut_down(&d);
	return code;
}
