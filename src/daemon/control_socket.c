/* SPDX-License-Identifier: ISC */
#include "daemon/control_socket.h"

#include <errno.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/util.h>

#include "base/log.h"

#define BACKLOG 128

static int
fail(struct fault *f, int fd, const char *where, const char *what)
{
	fault_set(f, FAULT_US, FAULT_NEVER, "control socket", "%s: %s%s%s",
	    where, what, errno != 0 ? ": " : "",
	    errno != 0 ? strerror(errno) : "");
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/* true: nothing is at the path now. */
static bool
clear_path(const struct sockaddr_un *sun, struct fault *fault_r)
{
	const char *path = sun->sun_path;
	struct stat st;
	bool is_dead;
	int fd;

	if (lstat(path, &st) != 0)
		return true;
	errno = 0;
	if (!S_ISSOCK(st.st_mode)) {
		fail(fault_r, -1, path, "is there already and is no socket");
		return false;
	}
	fd = new_socket(AF_UNIX);
	is_dead =
	    connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0 &&
	    errno == ECONNREFUSED;
	errno = 0;
	if (!is_dead) {
		fail(fault_r, fd, path, "another process listens there");
		return false;
	}
	close(fd);
	unlink(path);
	return true;
}

/* Until here only we can connect (umask). */
static bool
open_to_group(const char *path, const char *group, struct fault *fault_r)
{
	const char *name = group != NULL ? group : CONTROL_GROUP;
	const struct group *gr = getgrnam(name);
	bool given = gr != NULL && chown(path, (uid_t)-1, gr->gr_gid) == 0;

	if (!given && group != NULL) {
		if (gr == NULL)
			errno = 0;
		fail(fault_r, -1, path,
		    gr == NULL ? "control_group: there is no such group"
			       : "control_group");
		return false;
	}
	return chmod(path, 0660) == 0;
}

int
control_socket_unix(const char *path, const char *group, struct fault *fault_r)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = -1;

	errno = 0;
	if (strlen(path) >= sizeof(sun.sun_path))
		return fail(fault_r, fd, path, "the name is too long");
	strcpy(sun.sun_path, path);
	if (!clear_path(&sun, fault_r))
		return -1;
	fd = new_socket(AF_UNIX);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&sun, sizeof(sun)) != 0)
		return fail(fault_r, fd, path, "cannot be made");
	if (!open_to_group(path, group, fault_r)) {
		unlink(path);
		close(fd);
		return -1;
	}
	if (listen(fd, BACKLOG) != 0)
		return fail(fault_r, fd, path, "cannot listen");
	return fd;
}

static bool
is_loopback(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in *v4 = (const void *)ss;
	const struct sockaddr_in6 *v6 = (const void *)ss;

	if (ss->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return ss->ss_family == AF_INET6 &&
	       IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

int
control_socket_tcp(const char *address, struct fault *fault_r)
{
	struct sockaddr_storage ss = { 0 };
	int len = sizeof(ss), on = 1, fd = -1;

	errno = 0;
	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&ss, &len) !=
		0 ||
	    !is_loopback(&ss))
		return fail(fault_r, fd, address, "is no loopback address");
	fd = new_socket(ss.ss_family);
	if (fd < 0)
		return fail(fault_r, fd, address, "cannot be made");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&ss, (socklen_t)len) != 0 ||
	    listen(fd, BACKLOG) != 0)
		return fail(fault_r, fd, address, "cannot listen");
	return fd;
}
