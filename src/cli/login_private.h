/* SPDX-License-Identifier: ISC */
/*
 * mailhaul login: login.c (what a person sees, and the running daemon),
 * login_offline.c (without one, the command itself).
 */
#ifndef CLI_LOGIN_PRIVATE_H
#define CLI_LOGIN_PRIVATE_H

#include <stdbool.h>
#include <stdint.h>

#include "auth/sign_in.h"

struct cli_options;
struct client;
struct loop;
struct login_offline;

/* How it goes; strings are valid until the next question.  NULL: none. */
struct login_news {
	const char *state; /* as sign_in_state_name() */
	bool device;
	const char *address, *full_address, *user_code;
	int64_t seconds; /* that are left */
	const char *error, *hint;
};

/* NULL: it was said why, *exit_r is a sysexits code. */
struct login_offline *login_offline_start(struct loop *l,
    const struct cli_options *o, const struct client *c, const char *name,
    int *exit_r);
bool login_offline_begin(
    struct login_offline *f, enum sign_in_how how, unsigned port, int *exit_r);
void login_offline_look(
    const struct login_offline *f, struct login_news *news_r);
/* False: why_r. */
bool login_offline_paste(
    struct login_offline *f, struct span text, struct fault *why_r);
/* Somebody has signed in: what waits for that is tried at once by the next who
 * runs. */
void login_offline_resume(struct login_offline *f);
void login_offline_end(struct login_offline **f);

#endif
