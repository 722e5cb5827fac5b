/* SPDX-License-Identifier: ISC */
#include "relay/control_path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

static char *
join(const char *dir, size_t n)
{
	size_t size = n + sizeof("/" CONTROL_SOCKET);
	char *path = mem_alloc(size);

	snprintf(path, size, "%.*s/%s", (int)n, dir, CONTROL_SOCKET);
	return path;
}

char *
control_path(const struct control_place *p, bool making)
{
	const char *run = getenv("RUNTIME_DIRECTORY");
	const char *there =
	    making ? CONTROL_RUN_DIR : CONTROL_RUN_DIR "/" CONTROL_SOCKET;

	if (p->socket != NULL)
		return mem_strdup(p->socket);
	/* It may be a list; the first one is the service's own. */
	if (run != NULL && run[0] == '/')
		return join(run, strcspn(run, ":"));
	if (!p->own_state && access(there, making ? W_OK | X_OK : F_OK) == 0)
		return join(CONTROL_RUN_DIR, strlen(CONTROL_RUN_DIR));
	return join(p->state, strlen(p->state));
}
