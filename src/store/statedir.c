/* SPDX-License-Identifier: ISC */
#include "store/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#include "base/log.h"

#define LOCK_NAME "LOCK"
#define MARKER_NAME "INSTALL-ID"

static const char phase[] = "state";

/* Says what the system said about doing this to that. */
static void
explain(struct fault *f, const char *what, const char *path)
{
	int error = errno;

	fault_set(f, FAULT_US, FAULT_NEVER, phase, "cannot %s %s: %s", what,
	    path, strerror(error));
}

static int
exit_code(int error)
{
	return error == EACCES || error == EPERM || error == EROFS ? EX_NOPERM
	                                                           : EX_IOERR;
}

/* One level only: a wrong path must not grow a tree. */
static bool
make(const char *path, bool *made_r, int *exit_r, struct fault *fault_r)
{
	*made_r = mkdir(path, 0700) == 0;
	if (*made_r || errno == EEXIST)
		return true;
	explain(fault_r, "make the state directory", path);
	*exit_r = EX_CANTCREAT;
	return false;
}

/* A directory of ours that nobody else can look into. */
static bool
check_owner(const struct statedir *d, int *exit_r, struct fault *fault_r)
{
	struct stat st;

	if (fstat(d->dir, &st) != 0) {
		explain(fault_r, "look at the state directory", d->path);
		*exit_r = EX_IOERR;
		return false;
	}
	*exit_r = EX_NOPERM;
	if (st.st_uid != geteuid()) {
		fault_set(fault_r, FAULT_US, FAULT_NEVER, phase,
		    "state directory %s belongs to uid %u, not to us (uid %u)",
		    d->path, (unsigned)st.st_uid, (unsigned)geteuid());
		return false;
	}
	if ((st.st_mode & 077) != 0) {
		fault_set(fault_r, FAULT_US, FAULT_NEVER, phase,
		    "state directory %s is open to others (mode %03o); run: "
		    "chmod 700 %s",
		    d->path, (unsigned)(st.st_mode & 0777), d->path);
		return false;
	}
	return true;
}

/* Where a lock or a sync may mean nothing we refuse; where the state will not
 * outlive the machine we say so. */
static bool
check_filesystem(const struct statedir *d, int *exit_r, struct fault *fault_r)
{
	struct statfs fs;

	if (fstatfs(d->dir, &fs) != 0) {
		explain(fault_r, "look at the filesystem of", d->path);
		*exit_r = EX_IOERR;
		return false;
	}
	switch ((unsigned long)fs.f_type & 0xffffffffUL) {
	case TMPFS_MAGIC:
	case RAMFS_MAGIC:
		log_line(LOG_WARNING,
		    "state directory %s is in memory: the state will be lost "
		    "when the machine stops",
		    d->path);
		return true;
	case OVERLAYFS_SUPER_MAGIC:
		log_line(LOG_WARNING,
		    "state directory %s is on an overlay: the state will be "
		    "lost with its container",
		    d->path);
		return true;
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
		fault_set(fault_r, FAULT_US, FAULT_NEVER, phase,
		    "state directory %s is on a network filesystem, where "
		    "neither locks nor writes are certain; use a local disk",
		    d->path);
		*exit_r = EX_DATAERR;
		return false;
	default:
		return true;
	}
}

static bool
locked_by_another(const struct statedir *d, int *exit_r, struct fault *fault_r)
{
	char pid[16] = "";
	ssize_t n = pread(d->lock, pid, sizeof(pid) - 1, 0);

	pid[n > 0 ? strspn(pid, "0123456789") : 0] = '\0';
	fault_set(fault_r, FAULT_US, FAULT_LATER, phase,
	    "another mailhauld is using %s (pid %s)", d->path,
	    pid[0] != '\0' ? pid : "not known");
	*exit_r = EX_TEMPFAIL;
	return false;
}

/* The lock is that of the open file: it goes with the process, and a pid left
 * in the file by a dead one means nothing.  On a full disk none is written:
 * that is no reason not to start and wait for room (CASES D1). */
static bool
lock(struct statedir *d, int *exit_r, struct fault *fault_r)
{
	d->lock = openat(
	    d->dir, LOCK_NAME, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (d->lock >= 0 && flock(d->lock, LOCK_EX | LOCK_NB) == 0) {
		if (ftruncate(d->lock, 0) == 0 &&
		    (dprintf(d->lock, "%ld\n", (long)getpid()) > 0 ||
			errno == ENOSPC || errno == EDQUOT))
			return true;
	} else if (d->lock >= 0 && errno == EWOULDBLOCK) {
		return locked_by_another(d, exit_r, fault_r);
	}
	*exit_r = exit_code(errno);
	explain(fault_r, "lock the state directory", d->path);
	return false;
}

static bool
look_for_marker(struct statedir *d, int *exit_r, struct fault *fault_r)
{
	struct stat st;

	if (fstatat(d->dir, MARKER_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	d->fresh = errno == ENOENT;
	if (d->fresh)
		return true;
	*exit_r = exit_code(errno);
	explain(fault_r, "look for " MARKER_NAME " in", d->path);
	return false;
}

/* A directory that a power cut can take back would be a state that forgets. */
static bool
sync_parent(const struct statedir *d)
{
	int parent = openat(d->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = parent >= 0 && fsync(parent) == 0;

	if (parent >= 0)
		close(parent);
	return ok;
}

static bool
open_path(
    struct statedir *d, const char *path, int *exit_r, struct fault *fault_r)
{
	/* Under DynamicUser= the path is a symbolic link, which SQLite is told
	 * to refuse. */
	d->path = realpath(path, NULL);
	if (d->path != NULL)
		d->dir = open(
		    d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (d->dir >= 0)
		return true;
	*exit_r = errno == ENOTDIR ? EX_DATAERR : exit_code(errno);
	explain(fault_r, "open the state directory", path);
	return false;
}

bool
statedir_open(
    struct statedir *d, const char *path, int *exit_r, struct fault *fault_r)
{
	bool made;

	*d = (struct statedir){ .dir = -1, .lock = -1 };
	if (make(path, &made, exit_r, fault_r) &&
	    open_path(d, path, exit_r, fault_r) &&
	    check_owner(d, exit_r, fault_r) &&
	    check_filesystem(d, exit_r, fault_r) && lock(d, exit_r, fault_r) &&
	    look_for_marker(d, exit_r, fault_r)) {
		if (!made || sync_parent(d))
			return true;
		*exit_r = EX_IOERR;
		explain(fault_r, "sync the directory above", d->path);
	}
	statedir_close(d);
	return false;
}

/* The marker is whole or not there: renamed only when its bytes are safe.  The
 * last sync is also what makes the name of a new state.db durable. */
static bool
write_marker(const struct statedir *d)
{
	static const char draft[] = MARKER_NAME ".new";
	int fd = openat(d->dir, draft,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool ok;

	if (fd < 0)
		return false;
	ok = dprintf(fd, "%s\n", d->id) > 0 && fsync(fd) == 0;
	ok = close(fd) == 0 && ok;
	return ok && renameat(d->dir, draft, d->dir, MARKER_NAME) == 0 &&
	       fsync(d->dir) == 0;
}

bool
statedir_initialised(struct statedir *d, struct fault *fault_r)
{
	if (!d->fresh)
		return true;
	if (!write_marker(d)) {
		explain(fault_r, "write " MARKER_NAME " in", d->path);
		return false;
	}
	d->fresh = false;
	return true;
}

uint64_t
statedir_room(int dir)
{
	struct statvfs fs;

	if (dir < 0 || fstatvfs(dir, &fs) != 0)
		return UINT64_MAX;
	return (uint64_t)fs.f_bavail * fs.f_frsize;
}

void
statedir_close(struct statedir *d)
{
	if (d->lock >= 0)
		close(d->lock);
	if (d->dir >= 0)
		close(d->dir);
	free(d->path);
	*d = (struct statedir){ .dir = -1, .lock = -1 };
}
