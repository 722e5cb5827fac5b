/* SPDX-License-Identifier: ISC */
#include "store/stamp.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define NAME "STAMP"
#define ID_LEN (STATEDIR_ID_SIZE - 1)
/* Always of one size, less than a sector: written whole or not at all. */
#define LINE "%s %020" PRId64 "\n"
#define LINE_SIZE (ID_LEN + 1 + 20 + 1)

bool
stamp_read(int dir, struct stamp *s_r)
{
	char line[LINE_SIZE + 1] = "", again[LINE_SIZE + 1];
	int fd = openat(dir, NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n = fd < 0 ? -1 : pread(fd, line, LINE_SIZE, 0);

	int error = n >= 0 || errno == ENOENT ? 0 : errno;

	*s_r = (struct stamp){ .fd = -1 };
	if (fd >= 0)
		close(fd);
	errno = error;
	if (n != LINE_SIZE ||
	    sscanf(line, "%32s %20" SCNd64, s_r->id, &s_r->tries) != 2)
		return false;
	snprintf(again, sizeof(again), LINE, s_r->id, s_r->tries);
	return strcmp(line, again) == 0;
}

static bool
write_line(const struct stamp *s)
{
	char line[LINE_SIZE + 1];
	ssize_t n;

	snprintf(line, sizeof(line), LINE, s->id, s->tries);
	do
		n = pwrite(s->fd, line, LINE_SIZE, 0);
	while (n < 0 && errno == EINTR);
	return n == LINE_SIZE;
}

bool
stamp_open(struct stamp *s, int dir, const char *id, int64_t tries)
{
	struct stamp there;
	bool same = stamp_read(dir, &there) && there.tries == tries &&
	            strcmp(there.id, id) == 0;

	*s = (struct stamp){ .tries = tries, .synced = true };
	snprintf(s->id, sizeof(s->id), "%s", id);
	s->fd =
	    openat(dir, NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return s->fd >= 0 && (same || (write_line(s) && fsync(s->fd) == 0 &&
					  fsync(dir) == 0));
}

/* What cannot be written is made up for by the next one; meanwhile only an old
 * database might be taken for a new one. */
void
stamp_advance(struct stamp *s, int64_t tries)
{
	if (s->fd < 0 || s->tries == tries)
		return;
	s->tries = tries;
	s->synced = false;
	if (write_line(s) || s->complained)
		return;
	s->complained = true;
	log_line(LOG_WARNING,
	    "cannot write " NAME ": %s; an old state.db that is put in the "
	    "place of this one may not be noticed",
	    strerror(errno));
}

void
stamp_close(struct stamp *s)
{
	if (s->fd < 0)
		return;
	if (!s->synced)
		fsync(s->fd);
	close(s->fd);
	s->fd = -1;
}
