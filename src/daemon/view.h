/* SPDX-License-Identifier: ISC */
/*
 * What can be seen of the running daemon, and what can be asked of it: the
 * supervisor's side of the control socket, the metrics and the alerts.
 *
 * Strings belong to the supervisor and are valid until the loop turns.  Times
 * are of the wall clock in seconds, 0: none.  Words of `state` and `doing` are
 * the ones that people and programs are shown.
 */
#ifndef DAEMON_VIEW_H
#define DAEMON_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/fault.h"
#include "relay/tally.h"

struct conf;
struct supervisor;
struct token_identity;

struct view_mailbox {
	const char *folder;
	const char *doing; /* "idle", "connecting", "listing", "relaying" ... */
	bool watching;     /* IMAP IDLE: the server tells of new mail */
	/* The message that is coming in now; uid NULL: none. */
	const char *uid;
	uint64_t size, done; /* bytes; size 0: not known */
	int64_t since;
};

struct view_account {
	const char *name, *protocol, *host;
	/* "waiting" for its next poll, "polling", "watching", "paused" by hand,
	 * "failing": left alone after a failure, "asks": a person must decide,
	 * "sign-in": a person must sign in (mailhaul login) */
	const char *state;
	const char *reason;  /* of the last failure; empty: none */
	const char *warning; /* it works still; NULL: none */
	int64_t last_success, next_poll;
	unsigned failures; /* in a row */
	const struct tally_account *tally;
	size_t nmailboxes;
};

struct view_destination {
	const char *name, *host;
	/* "idle", "connecting", "sending", "paused" by hand, "failing",
	 * "sign-in" */
	const char *state;
	const char *reason, *warning;
	int64_t last_success, next_try;
	unsigned failures, connections;
	size_t queued; /* messages downloaded and waiting for it */
	/* The message that goes out now; uid NULL: none. */
	const char *account, *uid;
	uint64_t size, done;
	int64_t since;
	const struct tally_destination *tally;
};

struct view_daemon {
	int64_t started;
	bool stopping, no_room;
	unsigned connections;             /* to sources, now */
	uint64_t spool_used, spool_max;   /* bytes */
	unsigned reloads, reloads_failed; /* since the start */
};

void view_daemon(const struct supervisor *s, struct view_daemon *v_r);
size_t view_accounts(const struct supervisor *s);
void view_account(
    const struct supervisor *s, size_t i, struct view_account *v_r);
void view_mailbox(const struct supervisor *s, size_t account, size_t i,
    struct view_mailbox *v_r);
size_t view_destinations(const struct supervisor *s);
void view_destination(
    const struct supervisor *s, size_t i, struct view_destination *v_r);

/* Whose tokens an account or destination logs in with.  False: why_r says why
 * there are none. */
bool view_identity(const struct supervisor *s, bool destination,
    const char *name, struct token_identity *id_r, struct fault *why_r);

/* What a person asks for.  False: why_r says why not, in one sentence. */
bool ask_poll(struct supervisor *s, const char *account, struct fault *why_r);
/* Until ask_resume(), across restarts; what is behind its dot ends first. */
bool ask_pause(struct supervisor *s, const char *name, struct fault *why_r);
/* Ends a pause by hand and the pauses after failures; an account or
 * destination. */
bool ask_resume(struct supervisor *s, const char *name, struct fault *why_r);
/* Tests the settings of everything (name NULL), or of one; see relay/checkup.
 * NULL: why_r.  The answer is to be ended by ask_check_stop(), unless done was
 * called. */
struct check;
struct check_asker {
	void (*line)(void *arg, json_t *line); /* takes it */
	void (*done)(void *arg);
	void *arg;
};
struct check *ask_check(struct supervisor *s, const char *name,
    bool destination, const struct check_asker *asker, struct fault *why_r);
void ask_check_stop(struct check **c);

/* Takes fresh (also when it is refused); the old world goes on until the new
 * one is complete.  NULL: the file has mistakes; it is counted and refused. */
bool ask_reload(struct supervisor *s, struct conf *fresh, struct fault *why_r);

#endif
