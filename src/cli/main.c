/* SPDX-License-Identifier: ISC */
/*
 * mailhaul: the command that people type.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"

static const struct cli_command commands[] = {
	{ "check", "[--options]",
	    "read the configuration and name every mistake", cli_check },
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
	printf("usage: mailhaul [-c FILE] COMMAND\n"
	       "       mailhaul --help | --version\n"
	       "FILE is " SYSCONFDIR "/mailhaul/mailhaul.conf unless given.\n"
	       "commands:\n");
	for (size_t i = 0; i < ncommands; i++)
		printf("  %s %-14s %s\n", commands[i].name, commands[i].args,
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

static int
dispatch(const char *conf_file, int argc, char **argv)
{
	if (argc == 0)
		return cli_usage_error("no command given");
	for (size_t i = 0; i < ncommands; i++)
		if (strcmp(commands[i].name, argv[0]) == 0)
			return commands[i].run(conf_file, argc, argv);
	return cli_usage_error("there is no command %s", argv[0]);
}

int
main(int argc, char **argv)
{
	const char *conf_file = SYSCONFDIR "/mailhaul/mailhaul.conf";
	int i;

	/* Options of the command itself stand behind its name. */
	for (i = 1; i < argc && argv[i][0] == '-'; i++) {
		if (strcmp(argv[i], "--help") == 0)
			return finish(help());
		if (strcmp(argv[i], "--version") == 0) {
			printf("mailhaul %s\n", PACKAGE_VERSION);
			return finish(EX_OK);
		}
		if (strcmp(argv[i], "-c") != 0)
			return cli_usage_error(
			    "there is no option %s", argv[i]);
		if (i + 1 == argc)
			return cli_usage_error("-c wants a file");
		conf_file = argv[++i];
	}
	return finish(dispatch(conf_file, argc - i, argv + i));
}
