/* SPDX-License-Identifier: ISC */
/*
 * The subcommands of mailhaul: one file each, a row each in main.c.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "relay/control_path.h"

struct conf;

/* What stands in front of the command's name. */
struct cli_options {
	const char *conf_file;
	struct control_place place; /* of the state and of the daemon */
};

struct cli_command {
	const char *name;
	const char *args; /* for the usage */
	const char *help;
	/* argv[0] is the name; returns an exit code of sysexits.h */
	int (*run)(const struct cli_options *o, int argc, char **argv);
};

/* Says what was wrong and how to ask for help; returns EX_USAGE. */
int cli_usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct conf_problems;

/* To standard error, a line each. */
void cli_print_problems(const struct conf_problems *p);
/* A command with its arguments, argv[0] its name, as if it was typed. */
int cli_run(const struct cli_options *o, int argc, char **argv);

int cli_accept(const struct cli_options *o, int argc, char **argv);
int cli_backup(const struct cli_options *o, int argc, char **argv);
int cli_check(const struct cli_options *o, int argc, char **argv);
/* argv: what stands behind --online. */
int cli_check_online(const struct cli_options *o, int argc, char **argv);
/* Reads the configuration and prints its mistakes; *conf_r NULL: the exit code
 * says why. */
int cli_check_load(const char *file, struct conf **conf_r);
int cli_complete(const struct cli_options *o, int argc, char **argv);
int cli_held(const struct cli_options *o, int argc, char **argv);
int cli_history(const struct cli_options *o, int argc, char **argv);
int cli_import(const struct cli_options *o, int argc, char **argv);
int cli_login(const struct cli_options *o, int argc, char **argv);
int cli_pause(const struct cli_options *o, int argc, char **argv);
int cli_poll(const struct cli_options *o, int argc, char **argv);
int cli_providers(const struct cli_options *o, int argc, char **argv);
int cli_reload(const struct cli_options *o, int argc, char **argv);
int cli_restore(const struct cli_options *o, int argc, char **argv);
int cli_resume(const struct cli_options *o, int argc, char **argv);
int cli_setup(const struct cli_options *o, int argc, char **argv);
void cli_setup_flags(void); /* to standard output, a line each */
int cli_status(const struct cli_options *o, int argc, char **argv);

#endif
