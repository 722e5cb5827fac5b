/* SPDX-License-Identifier: ISC */
/*
 * What the sources of POP3 and IMAP have in common: a connection, a login, and
 * between them a protocol machine, which they bring along.
 *
 * A driver's structure begins with a struct session.  The worker may close the
 * source in the middle of any event: the connection is gone then (conn NULL),
 * the structure goes when the last callback has returned.
 */
#ifndef RELAY_SESSION_H
#define RELAY_SESSION_H

#include "net/conn.h"
#include "proto/wait.h"
#include "relay/login.h"
#include "relay/server.h"
#include "relay/source.h"
#include "relay/steps.h"

struct session;
struct tokens;

/* The protocol machine, as the session drives it. */
struct session_machine {
	size_t (*recv)(struct session *s, struct span in);
	/* Acts on the next event; false: there is none. */
	bool (*act)(struct session *s);
	struct span (*out)(const struct session *s);
	void (*wrote)(struct session *s, size_t n);
	enum wait_class (*wait_class)(const struct session *s);
	const char *(*phase)(const struct session *s);
	/* The secret is there: begin the login. */
	void (*log_in)(struct session *s);
	const char *plain_login; /* what it is called without SASL */
	enum server_kind kind;
	bool (*auth_line)(struct session *s, struct span base64);
	void (*free)(struct session *s); /* machine and structure */
};

struct session {
	struct source source;
	const struct session_machine *machine; /* static */
	struct net *net;                       /* foreign */
	struct tokens *tokens;                 /* foreign; NULL: none */
	const struct conf *conf;               /* foreign */
	const struct conf_account *account;    /* foreign */
	struct conn *conn;                     /* NULL: over */
	struct login login;
	const struct steps *steps; /* foreign; NULL: nobody wants to see */
	bool greeted;
	bool in_callback, closed;
};

/* Hints for what is no fault of anybody's settings. */
#define SESSION_TURNED_AWAY                                                    \
	"the server takes nobody now, or too many of us: try again later"
#define SESSION_IN_USE                                                         \
	"another session has the mailbox open, or there are too many: close "  \
	"it, or wait"
#define SESSION_NOT_NOW "the server cannot do it now: try again later"

/* Where a source is opened, and for whom. */
struct session_owner {
	struct net *net;
	struct tokens *tokens; /* NULL: there are none */
	const struct conf *conf;
	const struct conf_account *account;
	const struct source_events *events;
	void *arg;
	const struct steps *steps; /* NULL: nobody wants to see; outlives it */
	const char *keyword;       /* that marks what was relayed; NULL: none */
	int dir; /* for files without a name; -1: none can be made */
};
void session_open(struct session *s, const struct source_driver *driver,
    const struct session_machine *machine, const struct session_owner *owner);
/* For the driver's table. */
void session_close(struct source *source);
void session_pause(struct source *source, bool paused);

/* After commands were given to the machine: sends them, and waits for what is
 * due now. */
void session_send(struct session *s);

/* The same for who does not speak our protocol, which before a greeting is
 * often another one; why is ours. */
void session_out_of_step(
    struct session *s, const char *protocol, struct span why);
/* A step was taken; text is what the server said, or offers. */
void session_passed(struct session *s, enum step step, struct span text);

void session_start_login(struct session *s);
void session_challenge(struct session *s, struct span challenge);
/* Wipes the password, tells the owner; delay as in source_events. */
void session_logged_in(struct session *s, unsigned delay);

/* The end of the session; f NULL: as wanted. */
void session_down(struct session *s, const struct fault *f);
/* The same for what the server did wrong in this phase; words are its own,
 * empty: none.  text and hint are static; hint may be NULL. */
void session_fail(struct session *s, enum fault_when when, const char *text,
    struct span words, const char *hint);
/* Some words are not about the command that they answer, but about the whole
 * session ("Request is throttled"): true when these were and it has ended. */
bool session_ended_by(struct session *s, struct span words);

#endif
