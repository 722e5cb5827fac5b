/* SPDX-License-Identifier: ISC */
/*
 * A check of settings beside the polls and deliveries that go on: it has its
 * place in the timetable like they do, respects what is remembered of an
 * account or destination, and leaves there what became of its login.
 */
#ifndef DAEMON_CHECK_H
#define DAEMON_CHECK_H

#include <stdbool.h>

#include "daemon/view.h"

struct account;
struct account_context;
struct check;
struct conf;
struct sink;

struct check_world {
	const struct account_context *ctx; /* of all accounts */
	struct conf *conf;                 /* a reference is taken */
	/* By name; NULL: there is none any more. */
	struct account *(*account)(void *arg, const char *name);
	struct sink *(*sink)(void *arg, const char *name);
	void *arg;
};

/* As ask_check(). */
struct check *check_start(const struct check_world *world, const char *name,
    bool destination, const struct check_asker *asker);
void check_stop(struct check **c);

#endif
