/* SPDX-License-Identifier: ISC */
#include "cli/client.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/write.h"

#define ANSWER_MAX ((size_t)64 << 20) /* bytes of JSON */
#define CONNECT_MS 5000L
#define QUIET_SECONDS 60L       /* without a byte ... */
#define QUIET_SECONDS_POST 600L /* ... while a backup is made */

struct client {
	char *socket;      /* owned */
	const char *state; /* foreign */
	CURL *curl;
	char why[512];
	/* of the call that runs */
	char *body; /* owned */
	size_t size;
	int fd;                                      /* -1: into body */
	void (*line)(void *arg, const json_t *line); /* NULL: all at once */
	void *arg;
	bool is_full, is_failed;
};

struct client *
client_new(const struct cli_options *o)
{
	struct client *c = mem_alloc(sizeof(*c));

	c->socket = control_path(&o->place, false);
	c->state = o->place.state;
	c->curl = curl_easy_init();
	if (c->curl == NULL)
		abort();
	return c;
}

void
client_free(struct client **c)
{
	if (*c == NULL)
		return;
	curl_easy_cleanup((*c)->curl);
	free((*c)->body);
	free((*c)->socket);
	free(*c);
	*c = NULL;
}

const char *
client_socket(const struct client *c)
{
	return c->socket;
}

const char *
client_state(const struct client *c)
{
	return c->state;
}

/* --- where to */

static void
add_escaped(FILE *out, const char *s)
{
	for (; *s != '\0'; s++) {
		char l = ascii_lower(*s);

		if (ascii_is_digit(l) || (l >= 'a' && l <= 'z') || l == '-' ||
		    l == '_')
			putc(*s, out);
		else
			fprintf(out, "%%%02x", (unsigned char)*s);
	}
}

static void
add_text(FILE *out, char *sep, const char *key, const char *value)
{
	if (value == NULL)
		return;
	fprintf(out, "%c%s=", *sep, key);
	add_escaped(out, value);
	*sep = '&';
}

static void
add_number(FILE *out, char *sep, const char *key, int64_t value)
{
	if (value <= 0)
		return;
	fprintf(out, "%c%s=%lld", *sep, key, (long long)value);
	*sep = '&';
}

static char *
make_url(const struct client_call *call)
{
	char *url = NULL, sep = '?';
	size_t size;
	FILE *out = open_memstream(&url, &size);

	if (out == NULL)
		abort();
	fprintf(out, "http://localhost%s", call->path);
	if (call->name != NULL) {
		putc('/', out);
		add_escaped(out, call->name);
	}
	if (call->verb != NULL)
		fprintf(out, "/%s", call->verb);
	add_text(out, &sep, "account", call->account);
	add_text(out, &sep, "as", call->as);
	add_number(out, &sep, "after", call->after);
	add_number(out, &sep, "before", call->before);
	add_number(out, &sep, "limit", call->limit);
	add_text(out, &sep, "how", call->how);
	add_text(out, &sep, "paste", call->paste);
	add_number(out, &sep, "port", call->port);
	if (fclose(out) != 0)
		abort();
	return url;
}

/* --- what comes back */

static void
take_line(struct client *c, const char *p, size_t n)
{
	json_t *json = json_loadb(p, n, 0, NULL);

	if (json != NULL)
		c->line(c->arg, json);
	json_decref(json);
}

/* The rest of the last line waits in body. */
static size_t
on_line_bytes(struct client *c, const char *p, size_t n)
{
	const char *end;
	size_t used = 0;

	c->is_full = c->size + n > ANSWER_MAX;
	if (c->is_full)
		return 0;
	c->body = mem_grow(c->body, c->size + n + 1, 1);
	memcpy(c->body + c->size, p, n);
	c->size += n;
	while ((end = memchr(c->body + used, '\n', c->size - used)) != NULL) {
		take_line(c, c->body + used, (size_t)(end - c->body) - used);
		used = (size_t)(end - c->body) + 1;
	}
	memmove(c->body, c->body + used, c->size - used);
	c->size -= used;
	return n;
}

/* An answer that is no success is a text, whatever was asked for. */
static size_t
on_bytes(char *p, size_t size, size_t n, void *arg)
{
	struct client *c = arg;
	long code = 0;

	n *= size;
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &code);
	if (c->fd >= 0 && code / 100 == 2) {
		c->is_failed = !write_all(c->fd, span_make(p, n));
		return c->is_failed ? 0 : n;
	}
	if (c->line != NULL && code / 100 == 2)
		return on_line_bytes(c, p, n);
	c->is_full = c->size + n > ANSWER_MAX;
	if (c->is_full)
		return 0;
	c->body = mem_grow(c->body, c->size + n + 1, 1);
	memcpy(c->body + c->size, p, n);
	c->size += n;
	return n;
}

/* --- what went wrong */

/* Of the socket, or of the folder in the way. */
static void
say_group(struct client *c)
{
	const char *slash = strrchr(c->socket, '/');
	size_t n = slash != NULL ? (size_t)(slash - c->socket) : 0;
	char *dir = mem_alloc(n + 1);
	const struct group *gr = NULL;
	struct stat st;

	memcpy(dir, c->socket, n);
	if (stat(c->socket, &st) == 0 || stat(dir, &st) == 0)
		gr = getgrgid(st.st_gid);
	free(dir);
	if (gr == NULL || st.st_gid == 0)
		snprintf(c->why, sizeof(c->why),
		    "%s: permission denied: only root and the user of "
		    "mailhauld may use it (see control_group in "
		    "mailhaul.conf(5))",
		    c->socket);
	else
		snprintf(c->why, sizeof(c->why),
		    "%s: permission denied: only root and members of the "
		    "group %s may use it",
		    c->socket, gr->gr_name);
}

static enum client_result
no_answer(struct client *c, CURLcode result, int *exit_r)
{
	long error = 0;

	curl_easy_getinfo(c->curl, CURLINFO_OS_ERRNO, &error);
	*exit_r = EX_UNAVAILABLE;
	if (result == CURLE_COULDNT_CONNECT) {
		if (error == ENOENT || error == ECONNREFUSED ||
		    error == ENOTDIR)
			return CLIENT_ABSENT;
		if (error == EACCES || error == EPERM) {
			*exit_r = EX_NOPERM;
			say_group(c);
			return CLIENT_FAILED;
		}
	}
	if (c->is_failed) {
		*exit_r = EX_IOERR;
		snprintf(c->why, sizeof(c->why), "cannot write: %s",
		    strerror(errno));
	} else {
		snprintf(c->why, sizeof(c->why), "%s: %s", c->socket,
		    c->is_full ? "the answer is too large"
			       : curl_easy_strerror(result));
	}
	return CLIENT_FAILED;
}

static int
exit_code(long code)
{
	switch (code) {
	case 400:
		return EX_USAGE;
	case 404:
		return EX_NOINPUT;
	case 409:
	case 503:
		return EX_TEMPFAIL;
	case 422:
		return EX_CONFIG;
	default:
		return EX_UNAVAILABLE;
	}
}

static enum client_result
refusal(struct client *c, long code, const json_t *json, int *exit_r)
{
	const char *text = json_string_value(json_object_get(json, "error"));

	*exit_r = exit_code(code);
	if (text != NULL)
		snprintf(c->why, sizeof(c->why), "%s", text);
	else
		snprintf(c->why, sizeof(c->why),
		    "%s: what answers there is not mailhauld (code %ld)",
		    c->socket, code);
	return CLIENT_FAILED;
}

/* --- a call */

static CURLcode
perform(struct client *c, const struct client_call *call)
{
	char *url = make_url(call);
	CURLcode result;

	c->size = 0;
	c->why[0] = '\0';
	c->is_full = c->is_failed = false;
	curl_easy_reset(c->curl);
	curl_easy_setopt(c->curl, CURLOPT_UNIX_SOCKET_PATH, c->socket);
	curl_easy_setopt(c->curl, CURLOPT_URL, url);
	curl_easy_setopt(c->curl, CURLOPT_PROXY, "");
	curl_easy_setopt(c->curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c->curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c->curl, CURLOPT_LOW_SPEED_TIME,
	    call->post ? QUIET_SECONDS_POST : QUIET_SECONDS);
	curl_easy_setopt(c->curl, CURLOPT_WRITEFUNCTION, on_bytes);
	curl_easy_setopt(c->curl, CURLOPT_WRITEDATA, c);
	if (call->post) {
		curl_easy_setopt(c->curl, CURLOPT_POST, 1L);
		curl_easy_setopt(c->curl, CURLOPT_POSTFIELDS, "");
	}
	result = curl_easy_perform(c->curl);
	free(url);
	return result;
}

static enum client_result
run(struct client *c, struct client_call *call, json_t **json_r, int *exit_r)
{
	CURLcode result = perform(c, call);
	json_t *json;

	call->code = 0;
	if (result != CURLE_OK)
		return no_answer(c, result, exit_r);
	curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &call->code);
	if ((c->fd >= 0 || c->line != NULL) && call->code / 100 == 2)
		return CLIENT_OK;
	json = json_loadb(c->body != NULL ? c->body : "", c->size, 0, NULL);
	*json_r = json;
	return call->code / 100 == 2 && json != NULL
	           ? CLIENT_OK
	           : refusal(c, call->code, json, exit_r);
}

static enum client_result
run_and_say(
    struct client *c, struct client_call *call, json_t **json_r, int *exit_r)
{
	enum client_result result = run(c, call, json_r, exit_r);

	call->why = c->why;
	if (result == CLIENT_FAILED && !call->quiet)
		fprintf(stderr, "mailhaul: %s\n", c->why);
	return result;
}

enum client_result
client_call(
    struct client *c, struct client_call *call, json_t **json_r, int *exit_r)
{
	*json_r = NULL;
	c->fd = -1;
	return run_and_say(c, call, json_r, exit_r);
}

enum client_result
client_fetch(struct client *c, struct client_call *call, int fd, int *exit_r)
{
	json_t *json = NULL;
	enum client_result result;

	c->fd = fd;
	result = run_and_say(c, call, &json, exit_r);
	json_decref(json);
	return result;
}

enum client_result
client_lines(struct client *c, struct client_call *call,
    void (*line)(void *arg, const json_t *line), void *arg, int *exit_r)
{
	json_t *json = NULL;
	enum client_result result;

	c->fd = -1;
	c->line = line;
	c->arg = arg;
	result = run_and_say(c, call, &json, exit_r);
	c->line = NULL;
	json_decref(json);
	return result;
}

int
client_say_absent(const struct client *c)
{
	fprintf(stderr,
	    "mailhaul: mailhauld is not running (no socket at %s); start it "
	    "with: systemctl start mailhauld\n",
	    c->socket);
	return EX_UNAVAILABLE;
}
