/* SPDX-License-Identifier: ISC */
/*
 * What systemd is told (sd_notify(3)); nothing when it does not run us.
 *
 * READY, RELOADING and STOPPING are said when they are called for.  The rest
 * comes from timers of the loop, so that a loop that hangs goes silent: the
 * watchdog is petted at a third of its time, and only while the store's thread
 * moves too; STATUS= follows what is, the numbers of messages in it once a
 * minute; a stop asks for more time again and again, as long as it lasts.
 *
 * There is one systemd, so there is one of these a process.
 */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

struct loop;
struct store;

/* What STATUS= says beside the numbers of messages, which the store knows. */
struct notify_status {
	unsigned accounts, failing; /* failing ones are counted in accounts */
	const char *problem;        /* of all of them; NULL: none */
};

/* look(arg, zeroed status) is asked every few seconds; all of these outlive
 * notify_close(). */
void notify_open(struct loop *l, struct store *s,
    void (*look)(void *arg, struct notify_status *status_r), void *arg);
/* While loop and store are still there, and no answer of the store is
 * dispatched any more.  Also when it was never opened. */
void notify_close(void);

/* Configuration and state are good; the accounts may still be unreachable.
 * Again at the end of a reload: refused says why it was none and is shown until
 * the next one; NULL: it went well. */
void notify_ready(const char *refused);
/* A reload begins; notify_ready() must follow, however it ends. */
void notify_reloading(void);
/* We are going; up to grace seconds may pass until the replies to final dots
 * are in. */
void notify_stopping(uint64_t grace);

#endif
