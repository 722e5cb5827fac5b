/* SPDX-License-Identifier: ISC */
/*
 * Where the control socket is: the one rule for the daemon, which makes it, and
 * for the command, which looks for it.
 *
 *   1. what --socket says
 *   2. $RUNTIME_DIRECTORY, as systemd sets it for a service
 *   3. /run/mailhaul, unless --state chose a state of its own
 *   4. the state directory
 */
#ifndef RELAY_CONTROL_PATH_H
#define RELAY_CONTROL_PATH_H

#include <stdbool.h>

#define CONTROL_RUN_DIR "/run/mailhaul"
#define CONTROL_SOCKET "ctl.sock"

struct control_place {
	const char *socket; /* --socket; NULL: not given */
	const char *state;  /* directory */
	bool own_state;     /* --state was given */
};

/* making: of directories only one that can be written counts.  Owned by the
 * caller. */
char *control_path(const struct control_place *p, bool making);

#endif
