/* SPDX-License-Identifier: ISC */
/*
 * A POP3 client as a machine without I/O (RFC 1939, 2449, 3206, 5034).
 *
 * Bytes of the server go in with pop3_recv(), events come out of pop3_next(),
 * bytes for the server wait in pop3_out().  Commands may be queued while
 * others are outstanding, up to POP3_WINDOW; whether the server allows that
 * (PIPELINING) is the owner's to know, from caps.  Replies are matched in
 * order.  The machine never guesses: what does not fit is POP3_EV_ERROR, and
 * the only thing to do with it then is to close the connection.
 *
 * It does not connect, does not speak TLS, reads no clock, and does not know
 * which messages are new.
 */
#ifndef PROTO_POP3_H
#define PROTO_POP3_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/dot.h"
#include "proto/line.h"
#include "proto/wait.h"

#define POP3_LINE_MAX 2048 /* RFC 2449 says 512; seen: long error texts */
#define POP3_WINDOW 512    /* commands outstanding */
#define POP3_OUT_MAX 16384 /* bytes waiting to be written */

enum pop3_command {
	POP3_GREETING, /* not sent, but awaited like a reply */
	POP3_CAPA,
	POP3_USER,
	POP3_PASS,
	POP3_AUTH,
	POP3_STAT,
	POP3_UIDL,
	POP3_LIST,
	POP3_RETR,
	POP3_DELE,
	POP3_NOOP,
	POP3_RSET,
	POP3_QUIT,
	POP3_TOP, /* of a message the header alone */
	POP3_COMMANDS
};

/* RFC 2449 and RFC 3206 response codes, from "-ERR [CODE] text". */
enum pop3_code {
	POP3_CODE_NONE,
	POP3_CODE_OTHER, /* one we do not know */
	POP3_CODE_AUTH,
	POP3_CODE_SYS_TEMP,
	POP3_CODE_SYS_PERM,
	POP3_CODE_IN_USE,
	POP3_CODE_LOGIN_DELAY,
};

struct pop3_caps {
	bool known; /* CAPA was answered with a list */
	bool uidl, user, pipelining, top, resp_codes, auth_resp_code;
	bool expire_zero; /* EXPIRE 0: what was RETRieved may go at QUIT */
	bool login_delay; /* LOGIN-DELAY n was given ... */
	unsigned login_delay_seconds;
	char sasl[256]; /* mechanisms, space-separated, upper case */
};

enum pop3_event_kind {
	POP3_EV_REPLY,     /* the status line of cmd: ok, code, text */
	POP3_EV_CHALLENGE, /* "+ text" in AUTH: answer with pop3_auth_line() */
	POP3_EV_ITEM, /* a line of UIDL (number, text) or LIST (number, size) */
	POP3_EV_BODY, /* a piece of the message, dots taken out */
	POP3_EV_END,  /* the end of a multi-line reply to cmd */
	POP3_EV_ERROR, /* text says what the server did wrong; close */
};

struct pop3_event {
	enum pop3_event_kind kind;
	enum pop3_command cmd;
	uint32_t number; /* RETR, TOP, DELE: which; ITEM: the message number */
	bool ok;
	enum pop3_code code;
	/* REPLY to STAT: count and size; LIST item: size; END of UIDL and LIST:
	 * how many items there were */
	uint64_t count, size;
	/* Server's bytes, not cleaned; valid until the next pop3_recv(). */
	struct span text;
};

struct pop3 {
	struct pop3_caps caps;
	/* private */
	struct line line;
	struct dot_decoder dot;
	struct buf out;
	struct {
		enum pop3_command cmd;
		uint32_t number;
	} queue[POP3_WINDOW]; /* outstanding commands, oldest at head */
	unsigned head, count;
	unsigned state;
	struct pop3_event event;
	bool have_event;
	uint64_t items;  /* lines of the current listing ... */
	uint64_t last;   /* ... and the number in the latest of them */
	bool challenged; /* AUTH waits for pop3_auth_line() */
	size_t
	    secret_out; /* bytes at the front of out up to which it is secret */
};

void pop3_init(struct pop3 *m); /* awaits the greeting */
void pop3_free(struct pop3 *m); /* wipes what it held of credentials */

/* Takes bytes up to the first event and returns how many; call pop3_next()
 * until it says false before the rest is given.  0 may also mean that bytes of
 * an earlier call made an event: go on until the rest is empty or after
 * POP3_EV_ERROR, which ends everything. */
size_t pop3_recv(struct pop3 *m, struct span in);
bool pop3_next(struct pop3 *m, struct pop3_event *event_r);

struct span pop3_out(const struct pop3 *m);
void pop3_wrote(struct pop3 *m, size_t n);

/* Commands: false when the window or the output is full, the greeting has not
 * come, an AUTH is under way, or the argument holds a byte that no command line
 * may hold (below 0x20, 0x7f). */
bool pop3_simple(struct pop3 *m, enum pop3_command cmd); /* CAPA STAT ... */
bool pop3_numbered(struct pop3 *m, enum pop3_command cmd, uint32_t number);
bool pop3_user(struct pop3 *m, struct span user);
bool pop3_pass(struct pop3 *m, struct span secret);
/* initial: base64 or empty for none (the two-line form). */
bool pop3_auth(struct pop3 *m, const char *mechanism, struct span initial);
bool pop3_auth_line(struct pop3 *m, struct span base64);

/* How many replies are outstanding, and what the next one is waited for as. */
unsigned pop3_outstanding(const struct pop3 *m);
enum wait_class pop3_wait_class(const struct pop3 *m);
/* The command that is awaited, for a person: "login", "UIDL". */
const char *pop3_phase(const struct pop3 *m);

#endif
