/* SPDX-License-Identifier: ISC */
/*
 * Where mail comes from: the contract between a worker and a driver.
 *
 * A source is one session with one mailbox.  Its driver binds a protocol
 * machine to a connection; it logs in, lists, fetches and removes as it is
 * told, in the order it is told, and knows nothing of what is new, of spools,
 * or of where the mail goes.  A message is named by a number that is valid in
 * this session only for POP3, and is the UID for IMAP.
 *
 * Every call returns at once; events follow from the loop.  After down() only
 * source_close() may be called; it may be called from inside every event.
 */
#ifndef RELAY_SOURCE_H
#define RELAY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/span.h"

struct session_owner;
struct source;

struct source_mailbox {
	uint64_t generation; /* UIDVALIDITY; 0 for POP3 */
	uint64_t exists;     /* messages in it */
	uint64_t next;       /* IMAP: UIDNEXT; 0: not given */
};

struct source_events {
	/* The login was accepted; delay: seconds that the server wants to pass
	 * until the next one, 0: none. */
	void (*logged_in)(void *arg, unsigned delay);
	/* Logged in and the mailbox is open. */
	void (*ready)(void *arg, const struct source_mailbox *m);
	/* One message of the listing; size 0: not known. */
	void (*entry)(
	    void *arg, struct span uid, uint32_t number, uint64_t size);
	/* complete: what was not listed is not there. */
	void (*listed)(void *arg, bool complete);
	/* The answer to source_sizes(), one each, then sized(). */
	void (*size)(void *arg, uint32_t number, uint64_t size);
	void (*sized)(void *arg);
	/* The next bytes of the message that is coming in.  false: it is not
	 * wanted any more; the session is closed by the callee. */
	bool (*piece)(void *arg, struct span bytes);
	/* It is complete; or f says why it cannot be had now (scope message):
	 * perhaps somebody removed it, which the next listing tells.  A number
	 * that was not asked for means: forget these bytes. */
	void (*fetched)(void *arg, uint32_t number, const struct fault *f);
	/* All that source_remove() asked for was answered; done of them were
	 * accepted.  Whether they are gone, the next listing tells. */
	void (*removed)(void *arg, size_t done);
	/* The answer to source_headers(): the next bytes of a header, then its
	 * number and when the server got the message (IMAP; 0: not known); what
	 * has no header() was not to be had; number 0: forget these bytes.
	 * headed() ends it. */
	void (*header_piece)(void *arg, struct span bytes);
	void (*header)(void *arg, uint32_t number, int64_t date);
	void (*headed)(void *arg);
	/* The session is over; f NULL: by source_quit(). */
	void (*down)(void *arg, const struct fault *f);
};

struct source_driver {
	struct source *(*open)(
	    const struct session_owner *owner, bool read_only);
	void (*list)(struct source *s, uint64_t from);
	void (*sizes)(struct source *s, const uint32_t *numbers, size_t n);
	void (*fetch)(struct source *s, const uint32_t *numbers, size_t n);
	bool (*headers)(struct source *s, const uint32_t *numbers, size_t n);
	void (*remove)(struct source *s, const uint32_t *numbers, size_t n);
	/* NULL: the protocol has no such thing. */
	void (*mark_seen)(struct source *s, uint32_t number);
	void (*quit)(struct source *s);
	void (*close)(struct source *s);
	/* Leaving with QUIT makes the server forget what was fetched, also when
	 * it was not removed (POP3 with EXPIRE 0, Gmail): rule R6. */
	bool quit_commits;
	const char *protocol; /* as in Received: "POP3S" */
};

/* What every driver's structure begins with. */
struct source {
	const struct source_driver *driver;
	const struct source_events *events;
	void *arg;
};

extern const struct source_driver source_pop3_driver;
extern const struct source_driver source_imap_driver;

/* Everything from UID from on (IMAP); all (POP3). */
static inline void
source_list(struct source *s, uint64_t from)
{
	s->driver->list(s, from);
}

/* Only for messages whose entry had no size. */
static inline void
source_sizes(struct source *s, const uint32_t *numbers, size_t n)
{
	s->driver->sizes(s, numbers, n);
}

/* Ascending numbers; may be called again before the last are in. */
static inline void
source_fetch(struct source *s, const uint32_t *numbers, size_t n)
{
	s->driver->fetch(s, numbers, n);
}

/* Ascending numbers, at least one; not while anything else is outstanding.
 * false: the server has no command for it, and nothing will come. */
static inline bool
source_headers(struct source *s, const uint32_t *numbers, size_t n)
{
	return s->driver->headers(s, numbers, n);
}

/* By the account's policy: deletes them, or moves them to another folder. */
static inline void
source_remove(struct source *s, const uint32_t *numbers, size_t n)
{
	s->driver->remove(s, numbers, n);
}

/* As well as it goes: nothing answers, and a session that ends early leaves the
 * mark out. */
static inline void
source_mark_seen(struct source *s, uint32_t number)
{
	if (s->driver->mark_seen != NULL)
		s->driver->mark_seen(s, number);
}

static inline void
source_quit(struct source *s)
{
	s->driver->quit(s);
}

/* Without a goodbye. */
static inline void
source_close(struct source **s)
{
	struct source *gone = *s;

	*s = NULL;
	if (gone != NULL)
		gone->driver->close(gone);
}

#endif
