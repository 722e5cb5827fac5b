/* SPDX-License-Identifier: ISC */
#include "store/underway.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "underway"

void
underway_load(struct underway *u, int dir)
{
	*u = (struct underway){ .dir = dir, .fd = -1 };
	if (dir >= 0)
		u->fd = openat(
		    dir, NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (u->fd >= 0 && pread(u->fd, u->ids, sizeof(u->ids), 0) < 0)
		memset(u->ids, 0, sizeof(u->ids));
}

/* It has its full size from the start, so that a disk that fills up later is
 * no matter.  Without it there is one protection less, and mail flows. */
void
underway_reset(struct underway *u)
{
	memset(u->ids, 0, sizeof(u->ids));
	if (u->fd >= 0 && pwrite(u->fd, u->ids, sizeof(u->ids), 0) !=
			      (ssize_t)sizeof(u->ids)) {
		close(u->fd);
		u->fd = -1;
	}
}

/* It is looked for in a few slots only, from where it belongs. */
static void
replace(struct underway *u, int64_t id, int64_t old, int64_t new)
{
	uint64_t from = ((uint64_t)id * 0x9e3779b97f4a7c15) >> 32;

	for (size_t i = 0; i < UNDERWAY_NEAR; i++) {
		size_t at = (from + i) % UNDERWAY_SLOTS;
		ssize_t n;

		if (u->ids[at] != old)
			continue;
		u->ids[at] = new;
		do
			n = u->fd < 0 ? 0
			              : pwrite(u->fd, &u->ids[at], sizeof(new),
					    (off_t)(at * sizeof(new)));
		while (n < 0 && errno == EINTR);
		return;
	}
}

void
underway_begin(struct underway *u, int64_t id)
{
	replace(u, id, 0, id);
}

void
underway_end(struct underway *u, int64_t id)
{
	replace(u, id, id, 0);
}

void
underway_close(struct underway *u)
{
	if (u->fd < 0)
		return;
	unlinkat(u->dir, NAME, 0);
	close(u->fd);
	u->fd = -1;
}
