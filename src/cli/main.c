/* SPDX-License-Identifier: ISC */
/*
 * mailhaul: the command that people type.
 */
#include "config.h"

#include <locale.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

static const struct cli_command commands[] = {
	{ "setup", "[ADDRESS] [--QUESTION ANSWER]...",
	    "add an account: asks, writes its configuration, tries it",
	    cli_setup },
	{ "status", "[--watch | --json]", "what mailhauld does now",
	    cli_status },
	{ "poll", "ACCOUNT", "look for new mail now", cli_poll },
	{ "pause", "NAME", "leave an account or destination alone", cli_pause },
	{ "resume", "NAME", "end the pause of an account or destination",
	    cli_resume },
	{ "held",
	    "[list|show|release|drop] [NAME | --all] "
	    "[--account ACCOUNT] [--json]",
	    "what waits for a decision, and the decision", cli_held },
	{ "history", "[ACCOUNT] [-n NUMBER] [--json]",
	    "what was relayed or held, and what the server said", cli_history },
	{ "accept", "ACCOUNT --as-known | --relay",
	    "decide about unknown messages", cli_accept },
	{ "login", "NAME [--device | --browser | --paste]",
	    "sign in at the provider of an account or destination", cli_login },
	{ "providers", "[NAME] [--json]",
	    "the presets for mail providers, and what they know",
	    cli_providers },
	{ "check", "[--options | --online [NAME] [--json]]",
	    "read the configuration and name every mistake, or go there and "
	    "test it",
	    cli_check },
	{ "reload", "", "make mailhauld read its configuration again",
	    cli_reload },
	{ "backup", "FILE", "write the state into a new file", cli_backup },
	{ "import",
	    "fetchmail [--fetchids FILE] [--secrets DIR] "
	    "[--destination NAME] [--output FILE] FILE...",
	    "make a configuration of fetchmail's", cli_import },
	{ "restore", "[--force] [--as-known | --relay] FILE",
	    "begin anew from a backup", cli_restore },
};
static const size_t ncommands = sizeof(commands) / sizeof(commands[0]);

int
cli_usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("mailhaul: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputs("\nmailhaul --help says more.\n", stderr);
	return EX_USAGE;
}

static int
help(void)
{
	printf(
	    "usage: mailhaul [-c FILE] [--state DIR] [--socket PATH] COMMAND\n"
	    "       mailhaul --help | --version\n"
	    "FILE is " SYSCONFDIR "/mailhaul/mailhaul.conf unless given.\n"
	    "commands:\n");
	for (size_t i = 0; i < ncommands; i++)
		printf("  %s %s\n\t%s\n", commands[i].name, commands[i].args,
		    commands[i].help);
	return EX_OK;
}

/* What was printed may have gone to a full disk. */
static int
finish(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	perror("mailhaul: standard output");
	return code != EX_OK ? code : EX_IOERR;
}

/* Not in the usage: it is asked by contrib/completion. */
static int
complete(const struct cli_options *o, int argc, char **argv)
{
	if (argc != 2 || strcmp(argv[1], "commands") != 0)
		return cli_complete(o, argc, argv);
	for (size_t i = 0; i < ncommands; i++)
		puts(commands[i].name);
	return EX_OK;
}

int
cli_run(const struct cli_options *o, int argc, char **argv)
{
	for (size_t i = 0; i < ncommands; i++)
		if (strcmp(commands[i].name, argv[0]) == 0)
			return commands[i].run(o, argc, argv);
	return cli_usage_error("there is no command %s", argv[0]);
}

static int
dispatch(const struct cli_options *o, int argc, char **argv)
{
	if (argc == 0)
		return cli_usage_error("no command given");
	if (strcmp(argv[0], "--complete") == 0)
		return complete(o, argc, argv);
	return cli_run(o, argc, argv);
}

/* An option that wants a value; false: it is not this one. */
static bool
take_value(const char *name, int argc, char **argv, int *i, const char **value)
{
	if (strcmp(argv[*i], name) != 0 || *i + 1 >= argc)
		return false;
	*value = argv[++*i];
	return true;
}

int
main(int argc, char **argv)
{
	const char *systemd = getenv("STATE_DIRECTORY"), *state = NULL;
	struct cli_options o = {
		.conf_file = SYSCONFDIR "/mailhaul/mailhaul.conf",
		.place.state =
		    systemd != NULL ? systemd : LOCALSTATEDIR "/lib/mailhaul",
	};
	int i;

	setlocale(LC_CTYPE, "");

	/* Options of the command itself stand behind its name. */
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--complete") == 0)
			break;
		if (strcmp(argv[i], "--help") == 0)
			return finish(help());
		if (strcmp(argv[i], "--version") == 0) {
			printf("mailhaul %s\n", PACKAGE_VERSION);
			return finish(EX_OK);
		}
		if (!take_value("-c", argc, argv, &i, &o.conf_file) &&
		    !take_value("--state", argc, argv, &i, &state) &&
		    !take_value("--socket", argc, argv, &i, &o.place.socket))
			return cli_usage_error(
			    "%s is no option, or wants a value", argv[i]);
	}
	if (state != NULL) {
		o.place.state = state;
		o.place.own_state = true;
	}
	return finish(dispatch(&o, argc - i, argv + i));
}
