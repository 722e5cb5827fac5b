/* SPDX-License-Identifier: ISC */
/*
 * One line per event, to the journal with fields when systemd runs us, else to
 * stderr.  A line never blocks the caller: what cannot be written is counted.
 * Addresses, subjects and secrets have no field here on purpose.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>
#include <syslog.h> /* IWYU pragma: export (LOG_ERR ... as priorities) */

#include "base/span.h"

#define LOG_LINE_MAX 1024 /* longer lines are cut and end in "..." */

/* One 128-bit id per kind of event; the message catalogue explains each. */
#define LOG_ID_RELAYED "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d01"
#define LOG_ID_DEFERRED "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d02"
#define LOG_ID_HELD "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d03"
#define LOG_ID_IN_DOUBT "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d04"
#define LOG_ID_ACCOUNT_FAILED "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d05"
#define LOG_ID_DESTINATION_FAILED "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d06"
#define LOG_ID_STATE "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d07"
#define LOG_ID_BASELINE "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d08"
#define LOG_ID_POSSIBLE_DUPLICATE "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d0b"
#define LOG_ID_POLL_ENDED "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d0c"
#define LOG_ID_RELOAD "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d0d"
#define LOG_ID_SIGN_IN "0f6b1c0c3a4e4b0f9d4a6a1c5b8e1d0e"

/* All fields may be absent (NULL, 0). */
struct log_event {
	int priority;           /* LOG_ERR ... LOG_DEBUG */
	const char *message_id; /* LOG_ID_ */
	const char *account;
	const char *mailbox;
	const char *destination;
	const char *uid;
	const char *trace;
	const char *state;
	unsigned attempt;
	unsigned code; /* of the server */
	uint64_t bytes;
	int64_t usec; /* how long it took */
};

/* Everything above max_priority is dropped.  Call once, before threads. */
void log_open(int max_priority);
void log_event(const struct log_event *e, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* An event with nothing but a priority. */
void log_line(int priority, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Shows every line that is written to somebody else, too; only lines of the
 * thread that asks for it.  seen must not log.  NULL: no more. */
void log_tap(
    void (*seen)(void *arg, const struct log_event *e, const char *text),
    void *arg);
/* True when a line of that priority would be written: for costly texts. */
bool log_wants(int priority);
/* Lines that could not be written since the start. */
uint64_t log_dropped(void);

#endif
