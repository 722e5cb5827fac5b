/* SPDX-License-Identifier: ISC */
/*
 * mailhaul resume: ends the pause of an account or destination, for instance
 * after its password was mended.
 */
#include <stdio.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/offline.h"
#include "store/store.h"

struct resume {
	struct offline offline;
	const char *name;
	int code;
};

static void
on_resumed(void *arg, struct store_answer *a)
{
	struct resume *r = arg;

	if (!a->ok) {
		fprintf(stderr, "mailhaul: %s\n", a->fault.text);
		r->code = EX_IOERR;
	} else if (a->waiting == 0) {
		printf("%s: there is no pause of that name\n", r->name);
	} else {
		printf("%s: may be tried at once\n", r->name);
	}
	offline_answered(&r->offline);
}

int
cli_resume(const struct cli_options *o, int argc, char **argv)
{
	struct resume r = { .code = EX_OK };

	if (argc != 2)
		return cli_usage_error("resume takes the name of one account "
				       "or destination");
	r.name = argv[1];
	if (!offline_open(&r.offline, o->state, &r.code))
		return r.code;
	r.code = EX_OK;
	store_resume(
	    r.offline.store, r.name, (struct store_done){ on_resumed, &r });
	offline_wait(&r.offline);
	offline_close(&r.offline);
	return r.code;
}
