/* SPDX-License-Identifier: ISC */
/*
 * What imap.c (responses), imap_fetch.c and imap_list.c (two of them),
 * imap_text.c (status texts and capabilities) and imap_write.c (commands) know
 * of each other, and nobody else may.
 */
#ifndef PROTO_IMAP_PRIVATE_H
#define PROTO_IMAP_PRIVATE_H

#include <stdbool.h>

#include "proto/imap.h"

struct imap_row {
	const char *word;  /* on the wire; NULL: nothing is sent */
	const char *phase; /* for a person */
	enum wait_class wait;
	bool secret; /* its bytes are credentials */
	bool simple; /* without arguments */
	bool free;   /* may overtake others that are free */
};

/* What the next token means; the functions are in a table in imap.c. */
enum state {
	STATE_START,
	STATE_TAGGED,
	STATE_UNTAGGED,
	STATE_TEXT,
	STATE_TEXT_END,
	STATE_CAPS,
	STATE_SEARCH,
	STATE_NUMBERED,
	STATE_NUMBER_END,
	STATE_FETCH_OPEN,
	STATE_FETCH_NAME,
	STATE_FETCH_VALUE,
	STATE_FETCH_FLAGS,
	STATE_FETCH_NESTED,
	STATE_FETCH_LITERAL,
	STATE_FETCH_END,
	STATE_LIST_OPEN,
	STATE_LIST_FLAGS,
	STATE_LIST_DELIMITER,
	STATE_LIST_NAME,
	STATE_LIST_LITERAL,
	STATE_LIST_REST,
	STATE_SKIP,
	STATE_FAILED,
	STATES
};

/* Whose text is being read. */
enum line {
	LINE_TAGGED,
	LINE_UNTAGGED,
	LINE_CONTINUE,
};

enum condition {
	CONDITION_OK, /* the first three as in enum imap_status */
	CONDITION_NO,
	CONDITION_BAD,
	CONDITION_BYE,
	CONDITION_PREAUTH,
	CONDITIONS
};

enum item {
	ITEM_OTHER,
	ITEM_UID,
	ITEM_SIZE,
	ITEM_FLAGS,
	ITEM_BODY,
	ITEM_DATE,
	ITEM_EXISTS,
	ITEM_EXPUNGE,
};

extern const struct imap_row imap_rows[IMAP_COMMANDS];

/* imap.c: for the functions of the states. */
struct imap_event imap_event_of(
    const struct imap *m, enum imap_event_kind kind);
void imap_give(struct imap *m, const struct imap_event *e);
bool imap_token_is(const struct imap_token *t, const char *name);
bool imap_parse_uid(struct span s, uint32_t *uid_r);
void imap_end_line(struct imap *m);  /* a response is read whole */
void imap_skip_line(struct imap *m); /* the rest of it says nothing */

/* imap_fetch.c, imap_list.c: a token in the state of that name. */
/* A piece of the body that the FETCH gives. */
struct imap_event imap_body_event(
    const struct imap *m, enum imap_event_kind kind, struct span text);
void imap_take_fetch_open(struct imap *m, const struct imap_token *t);
void imap_take_fetch_name(struct imap *m, const struct imap_token *t);
void imap_take_fetch_value(struct imap *m, const struct imap_token *t);
void imap_take_fetch_flags(struct imap *m, const struct imap_token *t);
void imap_take_fetch_nested(struct imap *m, const struct imap_token *t);
void imap_take_fetch_literal(struct imap *m, const struct imap_token *t);
void imap_take_fetch_end(struct imap *m, const struct imap_token *t);
void imap_begin_list(struct imap *m);
void imap_take_list_open(struct imap *m, const struct imap_token *t);
void imap_take_list_flags(struct imap *m, const struct imap_token *t);
void imap_take_list_delimiter(struct imap *m, const struct imap_token *t);
void imap_take_list_name(struct imap *m, const struct imap_token *t);
void imap_take_list_literal(struct imap *m, const struct imap_token *t);
void imap_take_list_rest(struct imap *m, const struct imap_token *t);

/* imap.c: ends the session with IMAP_EV_ERROR; why is static. */
void imap_fail(struct imap *m, const char *why);
bool imap_failed(const struct imap *m);
/* imap.c: a command came to the head of the queue. */
void imap_begin(struct imap *m);
bool imap_awaits(const struct imap *m, enum imap_command cmd);
/* imap.c: a SELECT or EXAMINE is being answered. */
bool imap_selecting(const struct imap *m);

/* imap_date.c: "17-Jul-1996 02:44:25 -0700" as seconds since 1970; 0 when it
 * is no date, or none after that. */
int64_t imap_date(struct span s);
/* imap_text.c: one capability; the end of a list. */
void imap_caps_add(struct imap_caps *caps, struct span word);
void imap_caps_end(struct imap *m);
/* imap_text.c: acts on the response code in front of a text, if there is one,
 * and keeps it in m->code. */
void imap_take_code(struct imap *m, struct span text);

/* imap_write.c: the server said "+": the next part goes out. */
bool imap_continue(struct imap *m);
/* imap_write.c: no part of the command will be asked for any more. */
void imap_drop_parts(struct imap *m);

#endif
