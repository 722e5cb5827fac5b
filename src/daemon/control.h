/* SPDX-License-Identifier: ISC */
/*
 * The control socket: what people and programs may see of the running daemon
 * and ask of it, as HTTP and JSON (mailhaul-control(7)).
 *
 * control_server.c reads requests, control_route.c understands them, and here
 * they are carried out: by the supervisor (view.h) and by the store.
 */
#ifndef DAEMON_CONTROL_H
#define DAEMON_CONTROL_H

#include <stdint.h>

struct control;
struct loop;
struct statedir;
struct store;
struct supervisor;
struct tokens;

struct control_options {
	struct loop *loop;
	struct supervisor *supervisor;
	struct store *store;
	struct tokens *tokens;
	const struct statedir *dir;
	const char *conf_file; /* read again by POST /v1/reload */
	const char *socket;    /* path */
	const char *group;     /* NULL: see control_socket.h */
	const char *listen;    /* read-only, on loopback; NULL: nowhere */
	uint64_t min_free;     /* bytes of the disk that no backup takes */
};

/* A place where it cannot listen is logged and left out: mail goes on without
 * it.  Everything in o but o itself outlives it. */
struct control *control_new(const struct control_options *o);
/* Before the store and the loop go.  NULL is allowed. */
void control_free(struct control **c);

#endif
