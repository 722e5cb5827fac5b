/* SPDX-License-Identifier: ISC */
/*
 * Asks the running daemon over its control socket.
 */
#ifndef CLI_CLIENT_H
#define CLI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "cli/cli.h"

struct client;

enum client_result {
	CLIENT_OK,     /* an answer of 2yz */
	CLIENT_ABSENT, /* nobody listens; nothing was said yet */
	CLIENT_FAILED, /* it was said why; exit_r is set */
};

struct client *client_new(const struct cli_options *o);
void client_free(struct client **c);
/* Where it looks for the daemon, and whose state that is. */
const char *client_socket(const struct client *c);
const char *client_state(const struct client *c);

struct client_call {
	bool post;  /* else get */
	bool quiet; /* say nothing of CLIENT_FAILED either: see why */
	/* The path, then a segment and another one: NULL: none.  A name may be
	 * any bytes. */
	const char *path, *name, *verb;
	/* parameters; NULL and 0: none */
	const char *account, *as;
	int64_t after, before, limit;
	const char *how, *paste;
	int64_t port;
	/* set by the call */
	long code;       /* of the answer; 0: there was none */
	const char *why; /* of CLIENT_FAILED; valid until the next call */
};
/* json_r: the answer, also that of a refusal; the caller's; or NULL. */
enum client_result client_call(
    struct client *c, struct client_call *call, json_t **json_r, int *exit_r);

/* The bytes of the answer go into fd; what was written of a failure is the
 * caller's to remove. */
enum client_result client_fetch(
    struct client *c, struct client_call *call, int fd, int *exit_r);

/* The answer is lines of JSON: each is given to line as soon as it is there. */
enum client_result client_lines(struct client *c, struct client_call *call,
    void (*line)(void *arg, const json_t *line), void *arg, int *exit_r);

/* Says that the daemon must run and what to do; returns the exit code. */
int client_say_absent(const struct client *c);

#endif
