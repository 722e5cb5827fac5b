/* SPDX-License-Identifier: ISC */
#include "daemon/process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double
seconds(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Behind the name of the program, which may hold anything (proc(5)). */
static bool
read_stat(struct process_usage *u)
{
	FILE *f = fopen("/proc/self/stat", "re");
	double hz = (double)sysconf(_SC_CLK_TCK), user, system, start;
	unsigned long long threads, size, pages;
	char line[1024], *p = NULL;

	if (f == NULL)
		return false;
	if (fgets(line, sizeof(line), f) != NULL)
		p = strrchr(line, ')');
	fclose(f);
	if (p == NULL ||
	    sscanf(p + 1,
		" %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lf %lf"
		" %*d %*d %*d %*d %llu %*d %lf %llu %llu",
		&user, &system, &threads, &start, &size, &pages) != 6)
		return false;
	u->threads = threads;
	u->virtual_bytes = size;
	u->cpu_seconds = (user + system) / hz;
	u->started =
	    seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME) + start / hz;
	u->resident_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return true;
}

static bool
count_fds(struct process_usage *u)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	if (d == NULL)
		return false;
	while ((e = readdir(d)) != NULL)
		u->fds += e->d_name[0] != '.';
	closedir(d);
	u->fds--; /* the one that looked */
	return true;
}

static uint64_t
limit(const struct rlimit *r)
{
	return r->rlim_cur == RLIM_INFINITY ? UINT64_MAX : r->rlim_cur;
}

bool
process_usage(struct process_usage *u_r)
{
	struct rlimit space, files;

	*u_r = (struct process_usage){ .fds = 0 };
	if (getrlimit(RLIMIT_AS, &space) != 0 ||
	    getrlimit(RLIMIT_NOFILE, &files) != 0)
		return false;
	u_r->virtual_max = limit(&space);
	u_r->fds_max = limit(&files);
	return read_stat(u_r) && count_fds(u_r);
}
