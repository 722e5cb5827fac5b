/* SPDX-License-Identifier: ISC */
/*
 * Preloaded into mailhauld: counts its steps and, at the one it was told,
 * kills it, cuts the power, or lets the call fail.
 *
 *   CRASH_STATE  the state directory; without it nothing is done
 *   CRASH_STEPS  what counts, by letters: s(ync of a file of the state),
 *                p(write or truncation of one), w(rite to a socket),
 *                r(ead from one that had something), d (read of a file of the
 *                state), t (a write, sync or rename in the directory of tokens)
 *   CRASH_AT     the number of the step, from 1
 *   CRASH_WHEN   before or after the call
 *   CRASH_ACT    kill, power, EIO, ENOSPC; the last two with LASTING=1 for
 *                this step and all that follow
 *   CRASH_LIES   set: a sync says yes and does nothing
 *   CRASH_SLOW   milliseconds that a sync takes at least
 *   CRASH_SEED   of what a power cut leaves behind
 *   CRASH_DISK   a directory for what is on the disk when the process ends, and
 *                was when it began: for a file of which a sync failed that is
 *                not what can be read from it
 *   CRASH_COUNT  a file for the number of steps, when the process ends
 *
 * What is written before a sync that fails never reaches the disk, although it
 * can be read as long as the machine runs: so Linux does it.
 *
 * What a power cut leaves is the content at the last sync that succeeded, and
 * of the writes since then all, none, the first few, or any, some of them in
 * part.  A file whose name was not there at the last sync of the directory may
 * vanish.  Not modelled: a name that was removed comes back; the state
 * directory itself vanishes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR 512

enum act { NOTHING, KILL, POWER, FAIL };

/* A write since the last sync; without bytes it is a truncation. */
struct op {
	STAILQ_ENTRY(op) next;
	off_t at;
	size_t n;
	unsigned char *bytes;
};

struct file {
	const char *name;
	bool named; /* its name is durable */
	bool known; /* the content below is */
	bool lost;  /* a sync failed: the disk has other bytes than the file */
	ino_t inode;
	unsigned char *bytes;
	size_t size;
	STAILQ_HEAD(, op) ops;
};

static struct file files[] = {
	{ .name = "state.db" },
	{ .name = "state.db-wal" },
	{ .name = "state.db-journal" },
	{ .name = "INSTALL-ID.new" },
	{ .name = "INSTALL-ID" },
	{ .name = "STAMP" },
};
#define NFILES (sizeof(files) / sizeof(files[0]))

static struct {
	char dir[PATH_MAX];
	const char *steps, *count, *disk;
	long at;
	bool before, lasting, lies;
	enum act act;
	int error;
	unsigned slow;
	uint64_t random;
} plan;

static const char letters[] = "spwrdt";
static _Atomic long counts[sizeof(letters)];
static _Atomic long steps;
static _Atomic bool dead;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over files */

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_send)(int, const void *, size_t, int);
static ssize_t (*real_read)(int, void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off64_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static int (*real_truncate)(int, off64_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_renameat)(int, const char *, int, const char *);

/* --- what is left of a file */

static void *
must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static unsigned
chance(unsigned n)
{
	plan.random = plan.random * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(plan.random >> 33) % n;
}

static void
path_of(const struct file *f, char *path, size_t cap)
{
	snprintf(path, cap, "%s/%s", plan.dir, f->name);
}

static void
disk_path_of(const struct file *f, char *path, size_t cap)
{
	snprintf(path, cap, "%s/%s", plan.disk, f->name);
}

static bool
slurp(struct file *f, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	f->size = 0;
	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0)
		abort();
	f->inode = st.st_ino;
	f->bytes = must(realloc(f->bytes, (size_t)st.st_size + 1));
	while (f->size < (size_t)st.st_size) {
		ssize_t n = real_pread(fd, f->bytes + f->size,
		    (size_t)st.st_size - f->size, (off_t)f->size);

		if (n <= 0)
			break;
		f->size += (size_t)n;
	}
	close(fd);
	return true;
}

/* As it is now, it is on the disk. */
static void
learn(struct file *f)
{
	char path[2 * PATH_MAX];

	path_of(f, path, sizeof(path));
	slurp(f, path);
	f->known = true;
}

static void
resize(struct file *f, size_t size)
{
	f->bytes = must(realloc(f->bytes, size + 1));
	if (size > f->size)
		memset(f->bytes + f->size, 0, size - f->size);
	f->size = size;
}

static void
redo(struct file *f, const struct op *op, size_t n)
{
	size_t end = (size_t)op->at + n;

	if (op->bytes == NULL || end > f->size)
		resize(f, end);
	if (n > 0)
		memcpy(f->bytes + op->at, op->bytes, n);
}

static void
forget_ops(struct file *f)
{
	struct op *op;

	while ((op = STAILQ_FIRST(&f->ops)) != NULL) {
		STAILQ_REMOVE_HEAD(&f->ops, next);
		free(op->bytes);
		free(op);
	}
}

/* The disk as it may be after the power came back. */
static void
choose(struct file *f, unsigned manner)
{
	struct op *op;

	STAILQ_FOREACH (op, &f->ops, next) {
		if (manner == 1 && chance(4) == 0)
			break; /* in order, but not all */
		if (manner < 2 || chance(2) == 0)
			redo(f, op, op->n);
		else if (chance(2) == 0)
			redo(f, op, op->n / SECTOR / 2 * SECTOR);
	}
}

static void
spit(const struct file *f, const char *path, int flags)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC | flags, 0600);

	if (fd < 0)
		return; /* not there yet */
	if (f->size > 0 &&
	    real_pwrite(fd, f->bytes, f->size, 0) != (ssize_t)f->size)
		abort();
	close(fd);
}

static void
cut_power(void)
{
	unsigned manner = chance(4); /* 3: all is lost */
	bool names = chance(2) == 0; /* those too that were not synced */
	char path[2 * PATH_MAX];

	pthread_mutex_lock(&lock);
	for (struct file *f = files; f < files + NFILES; f++) {
		if (f->known && manner < 3)
			choose(f, manner);
		path_of(f, path, sizeof(path));
		if (f->known)
			spit(f, path, 0);
		if (!f->named && names)
			unlink(path);
	}
}

/* --- steps */

static void
stay_dead(void)
{
	while (atomic_load(&dead))
		pause();
}

static void
end_here(void)
{
	if (atomic_exchange(&dead, true))
		stay_dead();
	if (plan.act == POWER)
		cut_power();
	kill(getpid(), SIGKILL);
	stay_dead();
}

static long
count(char letter)
{
	counts[strchr(letters, letter) - letters]++;
	if (plan.steps == NULL || strchr(plan.steps, letter) == NULL)
		return 0;
	return ++steps;
}

static bool
now(long step, bool before)
{
	return step > 0 && step == plan.at && plan.before == before;
}

static void
reach(long step, bool before)
{
	if (now(step, before) && (plan.act == KILL || plan.act == POWER))
		end_here();
}

static bool
fails(long step)
{
	if (plan.act != FAIL || step == 0)
		return false;
	errno = plan.error;
	return step == plan.at || (plan.lasting && step > plan.at);
}

/* --- whose descriptor */

static bool
is_network(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof(a);
	int keep = errno;
	bool yes = getsockname(fd, (struct sockaddr *)&a, &n) == 0 &&
	           (a.ss_family == AF_INET || a.ss_family == AF_INET6);

	errno = keep;
	return yes;
}

static const char *
name_of(int fd, char *path, size_t cap)
{
	char link[64];
	size_t dir = strlen(plan.dir);
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = dir > 0 ? readlink(link, path, cap - 1) : -1;
	path[n > 0 ? n : 0] = '\0';
	if (dir == 0 || strncmp(path, plan.dir, dir) != 0)
		return NULL;
	return path[dir] == '\0'  ? ""
	       : path[dir] == '/' ? path + dir + 1
	                          : NULL;
}

static struct file *
file_of(int fd)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path, sizeof(path));

	for (struct file *f = files; name != NULL && f < files + NFILES; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static bool
is_state_dir(int fd)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path, sizeof(path));

	return name != NULL && *name == '\0';
}

static bool
is_of_tokens(int fd)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path, sizeof(path));

	return name != NULL && strncmp(name, "tokens", 6) == 0;
}

/* --- the start and the end */

static bool
exists(const struct file *f)
{
	char path[2 * PATH_MAX];

	path_of(f, path, sizeof(path));
	return access(path, F_OK) == 0;
}

static void
read_act(const char *act)
{
	plan.act = strcmp(act, "kill") == 0    ? KILL
	           : strcmp(act, "power") == 0 ? POWER
	                                       : FAIL;
	plan.error = strcmp(act, "ENOSPC") == 0 ? ENOSPC : EIO;
}

/* A file that was not saved is on the disk as it is. */
static void
load(struct file *f)
{
	char path[2 * PATH_MAX];
	struct stat st;

	if (plan.disk == NULL)
		return;
	disk_path_of(f, path, sizeof(path));
	f->known = f->lost = slurp(f, path);
	path_of(f, path, sizeof(path));
	if (stat(path, &st) == 0)
		f->inode = st.st_ino;
}

static void
save(const struct file *f)
{
	char path[2 * PATH_MAX];

	if (plan.disk == NULL || !f->lost)
		return;
	disk_path_of(f, path, sizeof(path));
	spit(f, path, O_CREAT);
}

static long
number(const char *name)
{
	const char *s = getenv(name);

	return s != NULL ? atol(s) : 0;
}

static void *
real(const char *name)
{
	return must(dlsym(RTLD_NEXT, name));
}

__attribute__((constructor)) static void
begin(void)
{
	const char *dir = getenv("CRASH_STATE");
	const char *when = getenv("CRASH_WHEN");
	const char *act = getenv("CRASH_ACT");

	*(void **)&real_write = real("write");
	*(void **)&real_send = real("send");
	*(void **)&real_read = real("read");
	*(void **)&real_pread = real("pread64");
	*(void **)&real_pwrite = real("pwrite64");
	*(void **)&real_truncate = real("ftruncate64");
	*(void **)&real_fsync = real("fsync");
	*(void **)&real_fdatasync = real("fdatasync");
	*(void **)&real_renameat = real("renameat");
	if (dir == NULL)
		return;
	snprintf(plan.dir, sizeof(plan.dir), "%s", dir);
	plan.steps = getenv("CRASH_STEPS");
	plan.count = getenv("CRASH_COUNT");
	plan.disk = getenv("CRASH_DISK");
	plan.at = number("CRASH_AT");
	plan.before = when == NULL || strcmp(when, "before") == 0;
	plan.lasting = number("CRASH_LASTING") != 0;
	plan.lies = getenv("CRASH_LIES") != NULL;
	plan.slow = (unsigned)number("CRASH_SLOW");
	plan.random = (uint64_t)number("CRASH_SEED");
	if (act != NULL)
		read_act(act);
	for (struct file *f = files; f < files + NFILES; f++) {
		STAILQ_INIT(&f->ops);
		f->named = exists(f);
		load(f);
	}
}

__attribute__((destructor)) static void
end(void)
{
	FILE *out = plan.count != NULL ? fopen(plan.count, "we") : NULL;

	for (struct file *f = files; f < files + NFILES; f++)
		save(f);
	if (out == NULL)
		return;
	for (size_t i = 0; letters[i] != '\0'; i++)
		fprintf(out, "%c %ld\n", letters[i], (long)counts[i]);
	fclose(out);
}

/* --- the calls */

static void
note(struct file *f, off_t at, const void *bytes, size_t n)
{
	struct op *op = must(calloc(1, sizeof(*op)));

	op->at = at;
	op->n = n;
	if (bytes != NULL)
		op->bytes = memcpy(must(malloc(n + 1)), bytes, n);
	STAILQ_INSERT_TAIL(&f->ops, op, next);
}

/* Another file of that name begins anew. */
static void
begin_store(struct file *f, int fd)
{
	struct stat st;

	stay_dead();
	pthread_mutex_lock(&lock);
	if (fstat(fd, &st) != 0)
		abort();
	if (f->known && f->inode == st.st_ino)
		return;
	forget_ops(f);
	f->lost = false;
	learn(f);
}

ssize_t
pread64(int fd, void *bytes, size_t n, off64_t at)
{
	long step;

	if (file_of(fd) == NULL)
		return real_pread(fd, bytes, n, at);
	stay_dead();
	step = count('d');
	reach(step, true);
	if (fails(step))
		return -1;
	return real_pread(fd, bytes, n, at);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t n, off64_t at)
{
	struct file *f = file_of(fd);
	ssize_t done;
	long step;

	if (f == NULL)
		return real_pwrite(fd, bytes, n, at);
	step = count('p');
	reach(step, true);
	if (fails(step))
		return -1;
	begin_store(f, fd);
	done = real_pwrite(fd, bytes, n, at);
	if (done > 0)
		note(f, at, bytes, (size_t)done);
	pthread_mutex_unlock(&lock);
	reach(step, false);
	return done;
}

/* SQLite uses the names with 64, mailhauld those without. */
ssize_t
pread(int fd, void *bytes, size_t n, off_t at)
{
	return pread64(fd, bytes, n, at);
}

ssize_t
pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	return pwrite64(fd, bytes, n, at);
}

int
ftruncate64(int fd, off64_t size)
{
	struct file *f = file_of(fd);
	long step;
	int done;

	if (f == NULL)
		return real_truncate(fd, size);
	step = count('p');
	reach(step, true);
	if (fails(step))
		return -1;
	begin_store(f, fd);
	done = real_truncate(fd, size);
	if (done == 0)
		note(f, size, NULL, 0);
	pthread_mutex_unlock(&lock);
	reach(step, false);
	return done;
}

static void
sync_ended(struct file *f, bool good)
{
	struct op *op;

	if (f == NULL) {
		for (f = files; good && f < files + NFILES; f++)
			f->named = exists(f);
		return;
	}
	if (!f->known)
		learn(f);
	f->lost = f->lost || !good;
	STAILQ_FOREACH (op, &f->ops, next)
		if (good)
			redo(f, op, op->n);
	forget_ops(f);
	/* Not every write passes through here. */
	if (!f->lost)
		learn(f);
}

static int
sync_with(int (*sync)(int), int fd)
{
	struct file *f = file_of(fd);
	bool failed;
	long step;
	int done;

	if (is_of_tokens(fd)) {
		stay_dead();
		step = count('t');
		reach(step, true);
		done = fails(step) ? -1 : sync(fd);
		reach(step, false);
		return done;
	}
	if (f == NULL && !is_state_dir(fd))
		return sync(fd);
	step = count('s');
	usleep(plan.slow * 1000); /* the others go on meanwhile */
	stay_dead();
	reach(step, true);
	pthread_mutex_lock(&lock);
	failed = fails(step);
	done = failed ? -1 : plan.lies ? 0 : sync(fd);
	if (!plan.lies)
		sync_ended(f, done == 0);
	pthread_mutex_unlock(&lock);
	if (failed)
		errno = plan.error;
	reach(step, false);
	return done;
}

int
fsync(int fd)
{
	return sync_with(real_fsync, fd);
}

int
fdatasync(int fd)
{
	return sync_with(real_fdatasync, fd);
}

ssize_t
write(int fd, const void *bytes, size_t n)
{
	bool network = is_network(fd);
	ssize_t done;
	long step;

	if (!network && !is_of_tokens(fd))
		return real_write(fd, bytes, n);
	stay_dead();
	step = count(network ? 'w' : 't');
	reach(step, true);
	if (!network && fails(step))
		return -1;
	done = real_write(fd, bytes, n);
	reach(step, false);
	return done;
}

ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
	ssize_t done;
	long step;

	if (!is_network(fd))
		return real_send(fd, bytes, n, flags);
	stay_dead();
	step = count('w');
	reach(step, true);
	done = real_send(fd, bytes, n, flags);
	reach(step, false);
	return done;
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	long step;
	int done;

	if (!is_of_tokens(to_dir))
		return real_renameat(from_dir, from, to_dir, to);
	stay_dead();
	step = count('t');
	reach(step, true);
	done = fails(step) ? -1 : real_renameat(from_dir, from, to_dir, to);
	reach(step, false);
	return done;
}

/* For the world outside it is the same before and after. */
ssize_t
read(int fd, void *bytes, size_t n)
{
	ssize_t done;
	long step;

	if (!is_network(fd))
		return real_read(fd, bytes, n);
	stay_dead();
	done = real_read(fd, bytes, n);
	if (done > 0) {
		step = count('r');
		reach(step, true);
		reach(step, false);
	}
	return done;
}
