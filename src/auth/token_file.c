/* SPDX-License-Identifier: ISC */
#include "auth/token_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>
#include <openssl/evp.h>

#include "auth/token.h"
#include "base/ascii.h"
#include "base/mem.h"
#include "base/write.h"

#define PHASE "tokens"
#define VERSION 1

void
token_record_clear(struct token_record *r)
{
	secret_free(&r->access);
	secret_free(&r->refresh);
	*r = (struct token_record){ 0 };
}

void
token_file_name(const struct token_identity *id, char name_r[])
{
	const char *const parts[] = { id->user, id->client_id, id->token_url };
	unsigned char bits[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char *out = name_r;

	if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		abort();
	for (size_t i = 0; i < 3; i++) /* with the NUL: no part runs over */
		EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]) + 1);
	EVP_DigestFinal_ex(ctx, bits, NULL);
	EVP_MD_CTX_free(ctx);
	for (size_t i = 0; i < 16; i++)
		out += sprintf(out, "%02x", bits[i]);
	strcpy(out, ".json");
}

/* --- reading */

static struct secret *
secret_of(const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	return json_is_string(v) ? secret_new(span_make(json_string_value(v),
				       json_string_length(v)))
	                         : NULL;
}

static int64_t
time_of(const json_t *o, const char *key)
{
	json_int_t t = json_integer_value(json_object_get(o, key));

	return t > 0 ? t : 0;
}

static bool
read_record(struct span text, struct token_record *r)
{
	json_error_t error;
	json_t *o = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES, &error);
	const json_t *trouble = json_object_get(o, "trouble");
	bool good =
	    json_integer_value(json_object_get(o, "version")) == VERSION;

	if (good) {
		r->access = secret_of(o, "access_token");
		r->refresh = secret_of(o, "refresh_token");
		r->obtained = time_of(o, "obtained");
		r->expires = time_of(o, "expires");
		r->refresh_expires = time_of(o, "refresh_expires");
		r->asked = time_of(o, "asked");
		if (json_is_string(trouble))
			ascii_clean(r->trouble, sizeof(r->trouble),
			    json_string_value(trouble),
			    json_string_length(trouble));
	}
	json_decref(o);
	return good;
}

static char *
join(const char *dir, const char *name)
{
	size_t size = strlen(dir) + strlen(name) + 2;
	char *path = mem_alloc(size);

	snprintf(path, size, "%s/%s", dir, name);
	return path;
}

static bool
read_text(int fd, struct token_record *r, struct fault *f, const char *path)
{
	char *text = mem_alloc(TOKEN_FILE_MAX + 1);
	ssize_t got = 0;
	size_t n = 0;
	bool good;

	while (n <= TOKEN_FILE_MAX &&
	       ((got = read(fd, text + n, TOKEN_FILE_MAX + 1 - n)) > 0 ||
		   (got < 0 && errno == EINTR)))
		n += got > 0 ? (size_t)got : 0;
	if (got < 0)
		fault_set(f, FAULT_US, FAULT_LATER, PHASE, "cannot read %s: %s",
		    path, strerror(errno));
	good = got >= 0 && n <= TOKEN_FILE_MAX &&
	       read_record(span_make(text, n), r);
	if (!good && got >= 0)
		fault_set(f, FAULT_US, FAULT_NEVER, PHASE,
		    "%s is no file of tokens any more", path);
	secret_wipe(text, TOKEN_FILE_MAX + 1);
	free(text);
	return good;
}

enum token_file_result
token_file_read(const char *dir, const char *name, struct token_record *r_r,
    struct fault *f_r)
{
	char *path = join(dir, name);
	int fd = open(
	    path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum token_file_result result = TOKEN_FILE_BAD;

	*r_r = (struct token_record){ 0 };
	if (fd < 0 && errno == ENOENT)
		result = TOKEN_FILE_ABSENT;
	else if (fd < 0)
		fault_set(f_r, FAULT_US, FAULT_LATER, PHASE,
		    "cannot open %s: %s", path, strerror(errno));
	else if (read_text(fd, r_r, f_r, path))
		result = TOKEN_FILE_READ;
	if (fd >= 0)
		close(fd);
	free(path);
	return result;
}

/* --- writing */

static void
set_secret(json_t *o, const char *key, const struct secret *s)
{
	struct span bytes;

	if (s == NULL)
		return;
	bytes = secret_reveal(s);
	json_object_set_new(o, key, json_stringn(bytes.p, bytes.n));
}

static void
set_time(json_t *o, const char *key, int64_t t)
{
	if (t > 0)
		json_object_set_new(o, key, json_integer(t));
}

/* Of the configuration, so any bytes. */
static void
set_text(json_t *o, const char *key, const char *s)
{
	json_t *v = json_string(s);

	if (v != NULL)
		json_object_set_new(o, key, v);
}

struct secret *
token_file_text(const struct token_identity *id, const struct token_record *r)
{
	json_t *o = json_object();
	struct secret *s;
	char *text;

	json_object_set_new(o, "version", json_integer(VERSION));
	set_text(o, "user", id->user);
	set_text(o, "client_id", id->client_id);
	set_text(o, "token_url", id->token_url);
	set_secret(o, "access_token", r->access);
	set_secret(o, "refresh_token", r->refresh);
	set_time(o, "obtained", r->obtained);
	set_time(o, "expires", r->expires);
	set_time(o, "refresh_expires", r->refresh_expires);
	set_time(o, "asked", r->asked);
	if (r->trouble[0] != '\0')
		set_text(o, "trouble", r->trouble);
	text = json_dumps(o, JSON_INDENT(1));
	if (text == NULL)
		abort(); /* as any allocation that failed (base/mem.h) */
	s = secret_new(span_str(text));
	secret_wipe(text, strlen(text));
	free(text);
	json_decref(o);
	return s;
}

/* The directory outlives a crash only when its own parent is on the disk. */
static bool
make_dir(const char *dir)
{
	char *path = join(dir, "..");
	int fd = -1;
	bool good = mkdir(dir, 0700) == 0 || errno == EEXIST;

	if (good)
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	good = good && fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	free(path);
	return good;
}

static int
open_dir(const char *dir)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(dir, flags);

	if (fd < 0 && errno == ENOENT && make_dir(dir))
		fd = open(dir, flags);
	return fd;
}

static bool
replace(int dir, const char *name, const struct secret *text)
{
	char fresh[TOKEN_NAME_SIZE + 4];
	int fd;
	bool good;

	snprintf(fresh, sizeof(fresh), "%s.new", name);
	fd = openat(dir, fresh,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	good = write_all(fd, secret_reveal(text)) && fsync(fd) == 0;
	good = close(fd) == 0 && good;
	return good && renameat(dir, fresh, dir, name) == 0 && fsync(dir) == 0;
}

bool
token_file_write(const char *dir, const char *name, const struct secret *text,
    struct fault *f_r)
{
	int fd = open_dir(dir);
	bool good = fd >= 0 && replace(fd, name, text);

	if (!good)
		fault_set(f_r, FAULT_US, FAULT_LATER, PHASE,
		    "cannot keep tokens in %s: %s", dir, strerror(errno));
	if (fd >= 0)
		close(fd);
	return good;
}
