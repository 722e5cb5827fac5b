/* SPDX-License-Identifier: ISC */
/*
 * mailhaul check: reads the configuration, names every mistake, and touches no
 * network unless it is told to.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "conf/conf.h"

static void
print_problem(const struct conf_problem *p)
{
	const char *kind = p->warning ? "warning: " : "";

	if (p->line > 0)
		fprintf(
		    stderr, "%s:%u: %s%s\n", p->file, p->line, kind, p->text);
	else
		fprintf(stderr, "%s: %s%s\n", p->file, kind, p->text);
}

void
cli_print_problems(const struct conf_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		print_problem(&p->list[i]);
}

int
cli_check_load(const char *file, struct conf **conf_r)
{
	struct conf_problems problems;

	*conf_r = conf_load(file, &problems);
	cli_print_problems(&problems);
	conf_problems_free(&problems);
	return *conf_r != NULL ? EX_OK : EX_CONFIG;
}

static int
check_file(const char *file)
{
	struct conf *c;
	int code = cli_check_load(file, &c);

	if (c != NULL)
		printf("configuration is good: %zu account%s, %zu "
		       "destination%s\n",
		    c->naccounts, c->naccounts == 1 ? "" : "s",
		    c->ndestinations, c->ndestinations == 1 ? "" : "s");
	conf_free(&c);
	return code;
}

int
cli_check(const struct cli_options *o, int argc, char **argv)
{
	if (argc == 1)
		return check_file(o->conf_file);
	if (strcmp(argv[1], "--online") == 0)
		return cli_check_online(o, argc - 2, argv + 2);
	if (argc > 2 || strcmp(argv[1], "--options") != 0)
		return cli_usage_error(
		    "check takes --online, --options or nothing, not %s",
		    argv[1]);
	conf_print_options(stdout);
	return EX_OK;
}
