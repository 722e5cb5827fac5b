/* SPDX-License-Identifier: ISC */
/*
 * The HTTP server of the control socket: libevent's evhttp, kept within bounds.
 * It reads a request, hands it over, sends the answer, closes: one request a
 * connection.
 *
 * Every client is bounded in bytes and in time, and so is the number of them.
 * Who asks while too many others do is told so; beyond some more, and when
 * descriptors run out, accepting pauses (CASES R6).  What is no HTTP, evhttp
 * answers by itself, with a page of HTML.
 */
#ifndef DAEMON_CONTROL_SERVER_H
#define DAEMON_CONTROL_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/span.h"

struct control_request;
struct control_server;
struct evbuffer;
struct exchange; /* a request that waits for its answer */
struct loop;

/* One a process.  run is given each good request and answers it, at once or
 * later, by exactly one of the functions below. */
struct control_server *control_server_new(struct loop *l,
    void (*run)(void *arg, struct exchange *x, const struct control_request *r),
    void *arg);
/* Drops all clients: no exchange is valid any more. */
void control_server_free(struct control_server **s);

/* fd: listening, not blocking; given away.  read_only: see control_route.h. */
void control_server_listen(struct control_server *s, int fd, bool read_only);

/* Takes json; must not be NULL. */
void exchange_json(struct exchange *x, unsigned code, json_t *json);
void exchange_error(struct exchange *x, unsigned code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Takes what is in body. */
void exchange_text(
    struct exchange *x, const char *content_type, struct evbuffer *body);
/* The bytes of a file from its beginning; fd is given away. */
void exchange_file(struct exchange *x, int fd, uint64_t size);

/* An answer in lines, of which each is sent at once: begin, line ..., end. When
 * the client goes before, gone() is called and x is no more. */
void exchange_begin(struct exchange *x, void (*gone)(void *arg), void *arg);
void exchange_line(struct exchange *x, json_t *json); /* takes json */
void exchange_end(struct exchange *x);

/* An answer without end: lines follow as they come.  A client that reads too
 * slowly for them is dropped, and so is every one when the server goes. */
void exchange_stream(struct exchange *x);
/* To all that are streamed to. */
void control_server_line(struct control_server *s, struct span line);
bool control_server_streams(const struct control_server *s); /* to anybody */

#endif
