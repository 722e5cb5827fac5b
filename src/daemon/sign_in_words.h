/* SPDX-License-Identifier: ISC */
/*
 * What people are shown of an account or destination whose tokens are gone:
 * "sign in again: mailhaul login hotmail (...)".
 */
#ifndef DAEMON_SIGN_IN_WORDS_H
#define DAEMON_SIGN_IN_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fault.h"

struct conf_server;
struct tokens;

#define SIGN_IN_WORDS_MAX (FAULT_TEXT_MAX + 160)

/* NULL: nobody needs to sign in, now or soon (*soon_r).  Else dst. */
const char *sign_in_words(struct tokens *t, const struct conf_server *server,
    const char *name, char dst[SIGN_IN_WORDS_MAX], bool *soon_r);

#endif
