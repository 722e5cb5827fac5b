/* SPDX-License-Identifier: ISC */
#include "cli/offline.h"

#include <poll.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/client.h"
#include "store/store.h"

bool
offline_open_dir(struct offline *o, const struct client *c, int *exit_r)
{
	const char *path = client_state(c);

	if (access(path, F_OK) != 0) {
		*o = (struct offline){ 0 };
		perror(path);
		*exit_r = EX_NOINPUT;
		return false;
	}
	return offline_make_dir(o, c, exit_r);
}

bool
offline_make_dir(struct offline *o, const struct client *c, int *exit_r)
{
	const char *path = client_state(c);
	struct fault f;

	*o = (struct offline){ 0 };
	if (statedir_open(&o->dir, path, exit_r, &f))
		return true;
	fprintf(stderr, "mailhaul: %s\n", f.text);
	if (*exit_r == EX_TEMPFAIL)
		fprintf(stderr,
		    "mailhaul: mailhauld is running, but not listening at %s: "
		    "say --socket, or stop it\n",
		    client_socket(c));
	return false;
}

bool
offline_open(struct offline *o, const struct client *c, int *exit_r)
{
	struct fault f;

	if (!offline_open_dir(o, c, exit_r))
		return false;
	o->store = store_open(&o->dir, false, exit_r, &f);
	if (o->store != NULL)
		return true;
	fprintf(stderr, "mailhaul: %s\n", f.text);
	statedir_close(&o->dir);
	return false;
}

void
offline_wait(struct offline *o)
{
	struct pollfd p = { .fd = store_fd(o->store), .events = POLLIN };

	while (!o->answered) {
		poll(&p, 1, -1);
		store_dispatch(o->store);
	}
	o->answered = false;
}

void
offline_answered(struct offline *o)
{
	o->answered = true;
}

void
offline_close(struct offline *o)
{
	store_close(&o->store);
	statedir_close(&o->dir);
}
