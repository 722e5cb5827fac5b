/* SPDX-License-Identifier: ISC */
/*
 * mailhaul accept: what a person says when most of a mailbox was suddenly
 * unknown and its account was paused.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/offline.h"
#include "store/store.h"

struct acceptance {
	struct offline offline;
	const char *account;
	bool as_known;
	int code;
};

static void
on_accepted(void *arg, struct store_answer *a)
{
	struct acceptance *c = arg;

	offline_answered(&c->offline);
	if (!a->ok) {
		fprintf(stderr, "mailhaul: %s\n", a->fault.text);
		c->code = EX_IOERR;
	} else if (a->unknown == 0) {
		fprintf(stderr, "mailhaul: nothing is asked about account %s\n",
		    c->account);
		c->code = EX_DATAERR;
	} else if (c->as_known) {
		printf("%s: %llu messages are known from the next poll on and "
		       "not relayed\n",
		    c->account, (unsigned long long)a->unknown);
	} else {
		printf("%s: %llu messages will be relayed from the next poll "
		       "on\n",
		    c->account, (unsigned long long)a->unknown);
	}
}

int
cli_accept(const struct cli_options *o, int argc, char **argv)
{
	struct acceptance c = { .code = EX_OK };

	if (argc != 3 || (strcmp(argv[2], "--as-known") != 0 &&
			     strcmp(argv[2], "--relay") != 0))
		return cli_usage_error(
		    "accept takes an account and --as-known or --relay");
	c.account = argv[1];
	c.as_known = strcmp(argv[2], "--as-known") == 0;
	if (!offline_open(&c.offline, o->state, &c.code))
		return c.code;
	c.code = EX_OK;
	store_accept(c.offline.store, c.account, c.as_known,
	    (struct store_done){ on_accepted, &c });
	offline_wait(&c.offline);
	offline_close(&c.offline);
	return c.code;
}
