/* SPDX-License-Identifier: ISC */
/*
 * What systemd is told (sd_notify(3)); nothing when it does not run us.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

/* Configuration and state are good; the accounts may still be unreachable. */
void notify_ready(unsigned accounts);
/* We are going; seconds more may pass until replies to final dots are in. */
void notify_stopping(uint64_t grace);

#endif
