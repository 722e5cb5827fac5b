/* SPDX-License-Identifier: ISC */
/*
 * The places where the control socket listens.
 */
#ifndef DAEMON_CONTROL_SOCKET_H
#define DAEMON_CONTROL_SOCKET_H

#include "base/fault.h"

#define CONTROL_GROUP "mailhaul" /* unless the configuration has another */

/* A listening socket at path with mode 0660; a dead one that is in the way is
 * replaced, a live one is not.  group NULL: CONTROL_GROUP when there is one and
 * we may.  -1: fault_r says why. */
int control_socket_unix(
    const char *path, const char *group, struct fault *fault_r);

/* address: 127.0.0.1:PORT or [::1]:PORT and nothing else. */
int control_socket_tcp(const char *address, struct fault *fault_r);

#endif
