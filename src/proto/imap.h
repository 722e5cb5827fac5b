/* SPDX-License-Identifier: ISC */
/*
 * An IMAP client as a machine without I/O (RFC 3501, 9051, 4315, 2971, 4959,
 * 5530, 3691, 2177, 6154, 9738).
 *
 * Bytes go in with imap_recv(), events come out of imap_next(), bytes for the
 * server wait in imap_out().  Several commands may be outstanding only where
 * the owner knows them to be free of ambiguity.  Tagged replies are matched in
 * order, but SEARCH, FETCH and STORE may be done before others of their kind
 * that were sent earlier (RFC 3501 section 5.5); any other tag out of turn is
 * IMAP_EV_ERROR: close.  Only what is inside
 * TLS is ever read here; a PREAUTH greeting is an error, a referral is never
 * followed, sequence numbers are never used, and untagged data before the
 * login succeeded is dropped, but for capabilities.
 *
 * Message bodies stream: BODY_BEGIN, BODY..., FETCHED.  The UID may come
 * behind the body in the same response, so it is known for certain only at
 * FETCHED.
 */
#ifndef PROTO_IMAP_H
#define PROTO_IMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "proto/imap_lex.h"
#include "proto/wait.h"

#define IMAP_WINDOW 16        /* commands outstanding */
#define IMAP_OUT_MAX 65536    /* bytes waiting to be written */
#define IMAP_SET_MAX 8000     /* bytes of a UID set in one command */
#define IMAP_TEXT_MAX 2048    /* of a status or challenge; the rest is cut */
#define IMAP_PARTS 2          /* literals in one command */
#define IMAP_MAILBOX_MAX 1024 /* of a listed name */
#define IMAP_KEYWORD_MAX 64   /* with NUL */

/* What a folder is for (RFC 6154). */
#define IMAP_SPECIAL_ALL 1u
#define IMAP_SPECIAL_ARCHIVE 2u
#define IMAP_SPECIAL_DRAFTS 4u
#define IMAP_SPECIAL_FLAGGED 8u
#define IMAP_SPECIAL_JUNK 16u
#define IMAP_SPECIAL_SENT 32u
#define IMAP_SPECIAL_TRASH 64u

enum imap_command {
	IMAP_GREETING, /* not sent, but awaited */
	IMAP_CAPABILITY,
	IMAP_LOGIN,
	IMAP_AUTHENTICATE,
	IMAP_ID,
	IMAP_SELECT,
	IMAP_EXAMINE,
	IMAP_UID_SEARCH,
	IMAP_UID_FETCH,
	IMAP_UID_STORE,
	IMAP_UID_EXPUNGE,
	IMAP_NOOP,
	IMAP_UNSELECT,
	IMAP_LOGOUT,
	IMAP_UID_COPY,
	IMAP_UID_MOVE, /* RFC 6851 */
	IMAP_LIST,
	IMAP_IDLE,
	IMAP_COMMANDS
};

/* Response codes worth a decision (RFC 3501 7.1, RFC 5530). */
enum imap_code {
	IMAP_CODE_NONE,
	IMAP_CODE_OTHER,
	IMAP_CODE_ALERT,
	IMAP_CODE_AUTHENTICATIONFAILED,
	IMAP_CODE_AUTHORIZATIONFAILED,
	IMAP_CODE_EXPIRED,
	IMAP_CODE_PRIVACYREQUIRED,
	IMAP_CODE_CONTACTADMIN,
	IMAP_CODE_NOPERM,
	IMAP_CODE_INUSE,
	IMAP_CODE_UNAVAILABLE,
	IMAP_CODE_NONEXISTENT,
	IMAP_CODE_EXPUNGEISSUED,
	IMAP_CODE_CORRUPTION,
	IMAP_CODE_SERVERBUG,
	IMAP_CODE_CLIENTBUG,
	IMAP_CODE_CANNOT,
	IMAP_CODE_LIMIT,
	IMAP_CODE_OVERQUOTA,
	IMAP_CODE_REFERRAL,
	IMAP_CODE_READ_ONLY,
	IMAP_CODE_READ_WRITE,
};

enum imap_status {
	IMAP_OK,
	IMAP_NO,
	IMAP_BAD,
};

struct imap_caps {
	bool known;
	bool imap4rev1, imap4rev2, idle, id, uidplus, unselect, move;
	bool special_use, list_extended;
	bool gmail; /* X-GM-EXT-1: labels, which are shown as folders */
	bool literal_plus, sasl_ir, login_disabled, condstore, esearch;
	uint32_t message_limit; /* in one command (RFC 9738); 0: none */
	char sasl[256]; /* mechanisms of AUTH=, space-separated, upper case */
};

/* What SELECT or EXAMINE said; valid once its tagged OK came. */
struct imap_mailbox {
	bool selected;
	bool read_only;
	bool have_uidvalidity, have_uidnext;
	uint64_t uidvalidity; /* 0 or above 2^32-1: the server is wrong; kept so
	                         that the account can say so (CASES I2) */
	uint64_t uidnext;
	uint64_t exists;
	/* PERMANENTFLAGS allows the one of imap_keyword(); false also when the
	 * server said nothing of permanent flags */
	bool keyword;
	bool uidvalidity_changed; /* a new value came in mid-session (I4) */
};

enum imap_event_kind {
	/* cmd completed: tag, status, code, text.  UID_SEARCH: size is the
	 * number of UIDs given, has_size says that an answer came at all */
	IMAP_EV_DONE,
	IMAP_EV_CHALLENGE,  /* "+ text" in AUTHENTICATE */
	IMAP_EV_UID,        /* one number of a SEARCH answer: uid */
	IMAP_EV_BODY_BEGIN, /* size bytes of BODY[] follow */
	IMAP_EV_BODY,       /* text is a piece of it */
	IMAP_EV_FETCHED, /* end of one FETCH response: uid, what came with it */
	IMAP_EV_MAILBOX, /* one of a LIST answer: text is its name, noselect,
	                    special; text is empty: it is too long */
	IMAP_EV_IDLING,  /* from now on the server tells of changes */
	IMAP_EV_EXISTS,  /* the mailbox holds a new number of messages */
	IMAP_EV_EXPUNGED, /* somebody removed a message */
	IMAP_EV_BYE,      /* the server is leaving: text */
	IMAP_EV_ERROR,    /* text says what the server did wrong; close */
};

struct imap_event {
	enum imap_event_kind kind;
	enum imap_command cmd;
	enum imap_status status;
	enum imap_code code;
	unsigned tag; /* DONE: which command, as imap_tag() said */
	/* UID, FETCHED; 0: the response named none (ignore it) */
	uint32_t uid;
	/* DONE of UID_SEARCH: the server did not look below this UID (RFC
	 * 9738), UINT32_MAX: nobody knows how far; 0: it looked at all */
	uint32_t lowest;
	/* BODY_BEGIN: literal size; FETCHED: RFC822.SIZE, if has_size */
	uint64_t size;
	bool has_size;
	bool has_body; /* FETCHED: a BODY[] or BODY[HEADER] string came (NIL is
	                  no body, I9) */
	int64_t date;  /* FETCHED: INTERNALDATE, seconds since 1970; 0: none */
	bool deleted;  /* FETCHED: FLAGS had \Deleted */
	bool noselect; /* MAILBOX */
	unsigned special; /* MAILBOX: IMAP_SPECIAL_JUNK | ... */
	/* Server's bytes, not cleaned; valid until the next imap_recv(). */
	struct span text;
};

struct imap {
	struct imap_caps caps;
	struct imap_mailbox mailbox;
	/* private */
	struct imap_lex lex;
	struct buf out;
	struct {
		enum imap_command cmd;
		unsigned tag;
		uint32_t from; /* UID_SEARCH: lower UIDs are not given */
	} queue[IMAP_WINDOW];
	unsigned head, count, next_tag;
	unsigned answering; /* place in the queue of the tag that was read */
	bool authenticated;
	unsigned state;
	struct imap_event event;
	bool have_event;
	struct span quoted; /* BODY that follows the event: a quoted string */
	/* of the response that is being read */
	unsigned tokens, depth, item, line, condition;
	uint32_t number;
	enum imap_code code;
	size_t text_len;
	char text[IMAP_TEXT_MAX];
	struct imap_event fetch; /* what the FETCH said so far */
	/* of the command at the head of the queue */
	struct imap_mailbox pending; /* of a SELECT whose OK has not come */
	bool fresh_caps;             /* a capability list came meanwhile */
	bool answered;               /* a SEARCH answer came */
	bool challenged;             /* AUTHENTICATE waits for a line */
	bool idling, idle_ended;     /* IDLE: "+" came; DONE was said */
	struct {
		char name[IMAP_MAILBOX_MAX];
		size_t len;
		bool too_long, noselect;
		unsigned special;
	} listed;                       /* by the LIST response */
	char keyword[IMAP_KEYWORD_MAX]; /* empty: none */
	uint64_t found;
	uint32_t lowest, lowest_found;
	/* of the bytes to be written */
	size_t
	    secret_out; /* bytes at the front of out up to which it is secret */
	struct buf
	    after_continue;      /* rest of a command, in parts that wait ... */
	size_t part[IMAP_PARTS]; /* ... each for a "+" */
	unsigned parts;
};

void imap_init(struct imap *m); /* awaits the greeting */
void imap_free(struct imap *m);

/* Takes bytes up to the first event and returns how many; call imap_next()
 * until it says false before the rest is given.  Go on until the rest is empty
 * or after IMAP_EV_ERROR, which ends everything. */
size_t imap_recv(struct imap *m, struct span in);
bool imap_next(struct imap *m, struct imap_event *event_r);
struct span imap_out(const struct imap *m);
void imap_wrote(struct imap *m, size_t n);

/* Commands: false when the window or the output is full, the greeting has not
 * come, or an argument holds NUL, CR or LF.  Strings are sent as atom, quoted
 * or literal by one writer; a literal waits for its "+" unless LITERAL+ was
 * offered.  What waits for a "+", as AUTHENTICATE does, is refused while other
 * commands are outstanding, and nothing is sent behind it before it is done. */
bool imap_simple(
    struct imap *m, enum imap_command cmd); /* CAPABILITY NOOP .. */
bool imap_login(struct imap *m, struct span user, struct span secret);
/* initial (base64; empty: none) is sent at once only with SASL-IR, and when it
 * fits into a command line; else it answers the first challenge, which then
 * causes no event. */
bool imap_authenticate(
    struct imap *m, const char *mechanism, struct span initial);
bool imap_auth_line(struct imap *m, struct span base64);
bool imap_id(struct imap *m, const char *name, const char *version);
bool imap_select(struct imap *m, struct span mailbox, bool read_only);
/* UID SEARCH UID from:*; the answer is filtered by uid >= from (I5). */
bool imap_search_from(struct imap *m, uint32_t from);
/* What a search left out: UIDs up to and with to; keyword: only with ours. */
bool imap_search_rest(struct imap *m, uint32_t from, uint32_t to, bool keyword);
/* LIST "" pattern, and what the folders are for where the server can say. */
bool imap_list(struct imap *m, struct span pattern);
/* IDLE: only with that capability, and while nothing is outstanding.  Until
 * imap_idle_done(), which is refused before IMAP_EV_IDLING, nothing else can be
 * said, nor before the IMAP_EV_DONE that follows it.  That comes with NO or BAD
 * at any time, and with OK also when the server ends the IDLE by itself: who
 * begins anew at once may turn in circles. */
bool imap_idle(struct imap *m);
bool imap_idle_done(struct imap *m);
bool imap_idling(const struct imap *m);
/* Our own keyword, an atom; to be told before the mailbox is selected. */
bool imap_keyword(struct imap *m, const char *keyword);
/* UID SEARCH UID from:* KEYWORD ours, filtered like imap_search_from() */
bool imap_search_keyword(struct imap *m, uint32_t from);
/* UID SEARCH UID set DELETED */
bool imap_search_deleted(struct imap *m, struct span set);
bool imap_fetch_sizes(struct imap *m, struct span set);  /* (UID RFC822.SIZE) */
bool imap_fetch_bodies(struct imap *m, struct span set); /* (UID BODY.PEEK[]) */
/* (UID INTERNALDATE BODY.PEEK[HEADER]) */
bool imap_fetch_headers(struct imap *m, struct span set);
bool imap_fetch_dates(struct imap *m, struct span set); /* without the header */
/* These are also refused once the UIDVALIDITY has changed (I4). */
bool imap_store_deleted(struct imap *m, struct span set); /* +FLAGS.SILENT */
bool imap_expunge(struct imap *m, struct span set);       /* UID EXPUNGE only */
bool imap_store_seen(struct imap *m, struct span set);    /* +FLAGS.SILENT */
bool imap_store_keyword(struct imap *m, struct span set); /* ours, the same */
bool imap_copy(struct imap *m, struct span set, struct span mailbox);
bool imap_move(struct imap *m, struct span set, struct span mailbox);

unsigned imap_outstanding(const struct imap *m);
unsigned imap_tag(const struct imap *m); /* of the command given last */
enum wait_class imap_wait_class(const struct imap *m);
const char *imap_phase(const struct imap *m);

/* Writes ascending UIDs as a set ("3:7,9") into a buffer; false: it is full
 * and the UID was not added. */
struct imap_set {
	char text[IMAP_SET_MAX];
	size_t len;
	uint32_t first, last; /* of the open range */
	size_t range_at;
	unsigned count, most;
};
void imap_set_init(struct imap_set *s, uint32_t most); /* UIDs; 0: no limit */
bool imap_set_add(struct imap_set *s, uint32_t uid);
struct span imap_set_span(const struct imap_set *s);

#endif
