/* SPDX-License-Identifier: ISC */
/*
 * What control.c (who asks, and what of the supervisor) and control_state.c
 * (what the state must answer first) share.
 */
#ifndef DAEMON_CONTROL_PRIVATE_H
#define DAEMON_CONTROL_PRIVATE_H

#include <stdbool.h>
#include <sys/queue.h>

#include "daemon/control.h"
#include "daemon/control_route.h"

struct errand;
struct inquiry;
struct visit;
struct exchange;

struct control {
	struct control_options o;
	char *path; /* owned; NULL: no socket was made */
	struct control_server *server;
	bool is_copying;                /* a backup */
	LIST_HEAD(, errand) errands;    /* owned */
	LIST_HEAD(, inquiry) inquiries; /* owned; checks that run */
	LIST_HEAD(, visit) visits;      /* sign-ins; owned */
};

/* Each answers x, later. */
void control_look(struct control *c, struct exchange *x,
    const struct control_request *r); /* status and metrics */
void control_send_history(
    struct control *c, struct exchange *x, const struct control_request *r);
void control_send_held(
    struct control *c, struct exchange *x, const struct control_request *r);
void control_decide_held(
    struct control *c, struct exchange *x, const struct control_request *r);
void control_accept(
    struct control *c, struct exchange *x, const struct control_request *r);
void control_back_up(
    struct control *c, struct exchange *x, const struct control_request *r);

void control_check(
    struct control *c, struct exchange *x, const struct control_request *r);
/* Of a sign-in: control_login.c. */
void control_login(
    struct control *c, struct exchange *x, const struct control_request *r);
void control_login_look(
    struct control *c, struct exchange *x, const struct control_request *r);
void control_end_logins(struct control *c);

/* The store answers none of them any more. */
void control_drop_errands(struct control *c);

#endif
