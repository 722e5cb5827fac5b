/* SPDX-License-Identifier: ISC */
/*
 * Reads the configuration again, and puts it in force if it is good: for a
 * SIGHUP and for those who ask.  A bad one changes nothing; what was wrong is
 * logged, told to systemd, and left with the caller.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include <stdbool.h>

#include "base/fault.h"

struct conf_problems;
struct supervisor;

/* problems_r: zeroed, the caller's to free; also warnings. */
bool reload(const char *file, struct supervisor *s,
    struct conf_problems *problems_r, struct fault *why_r);

#endif
