/* SPDX-License-Identifier: ISC */
/*
 * Where mail comes from: the contract between a worker and a driver.
 *
 * A source is one session, with one mailbox open at a time.  Its driver binds a
 * protocol machine to a connection; it logs in, selects, lists, fetches and
 * removes as it is told, in the order it is told, and knows nothing of what is
 * new, of spools, or of where the mail goes.  A message is named by a number
 * that is valid in this session only for POP3, and is the UID for IMAP.  When
 * one owner is done, another may go on in the same session, source_give().
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

struct conf_folder;
struct session_owner;
struct source;

/* A folder of the account, as the server lists it. */
struct source_folder {
	struct span name; /* UTF-8 */
	unsigned special; /* SOURCE_JUNK | ... */
};

/* RFC 6154 */
#define SOURCE_ALL 1u
#define SOURCE_ARCHIVE 2u
#define SOURCE_DRAFTS 4u
#define SOURCE_FLAGGED 8u
#define SOURCE_JUNK 16u
#define SOURCE_SENT 32u
#define SOURCE_TRASH 64u

struct source_mailbox {
	uint64_t generation; /* UIDVALIDITY; 0 for POP3 */
	uint64_t exists;     /* messages in it */
	uint64_t next;       /* IMAP: UIDNEXT; 0: not given */
};

struct source_events {
	/* The login was accepted; delay: seconds that the server wants to pass
	 * until the next one, 0: none. */
	void (*logged_in)(void *arg, unsigned delay);
	/* Logged in; no mailbox is open: source_select(), source_folders(). */
	void (*ready)(void *arg);
	/* The mailbox is open; m NULL: it cannot be, f says why, and the
	 * session goes on. */
	void (*selected)(
	    void *arg, const struct source_mailbox *m, const struct fault *f);
	/* The answer to source_folders(), one each that can be selected; then
	 * foldered(), f NULL: that is all of them. */
	void (*folder)(void *arg, const struct source_folder *folder);
	void (*foldered)(void *arg, const struct fault *f);
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
	/* The answer to source_marks(), one each; marks_told() ends it. */
	void (*marked)(void *arg, uint32_t number);
	void (*marks_told)(void *arg);
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
	/* While it watches: something came; and: it watches no longer, because
	 * of source_unwatch() or because the server does not want to. */
	void (*news)(void *arg);
	void (*unwatched)(void *arg);
	/* The session is over; f NULL: by source_quit(). */
	void (*down)(void *arg, const struct fault *f);
};

enum source_headers {
	SOURCE_HEADERS,
	SOURCE_DATES, /* the dates alone; no header_piece() */
};

enum source_mark {
	SOURCE_SEEN,
	SOURCE_RELAYED, /* our keyword, see session_owner */
};

struct source_driver {
	struct source *(*open)(const struct session_owner *owner);
	void (*select)(struct source *s, const char *name,
	    const struct conf_folder *folder, bool read_only);
	/* From here on NULL: the protocol has no such thing. */
	void (*folders)(struct source *s, const char *pattern);
	bool (*can_watch)(const struct source *s);
	bool (*watch)(struct source *s);
	void (*unwatch)(struct source *s);
	/* Not these. */
	void (*list)(struct source *s, uint64_t from);
	void (*sizes)(struct source *s, const uint32_t *numbers, size_t n);
	void (*fetch)(struct source *s, const uint32_t *numbers, size_t n);
	bool (*headers)(struct source *s, const uint32_t *numbers, size_t n,
	    enum source_headers what);
	bool (*marks)(struct source *s, uint64_t from); /* or NULL */
	void (*remove)(struct source *s, const uint32_t *numbers, size_t n);
	void (*mark)(struct source *s, uint32_t number,
	    enum source_mark what); /* or NULL */
	void (*quit)(struct source *s);
	/* Whoever cannot take more now: reads nothing until it is resumed. */
	void (*pause)(struct source *s, bool paused);
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

/* Another owner goes on with a session whose mailbox nobody needs any more. */
static inline void
source_give(struct source *s, const struct source_events *events, void *arg)
{
	s->events = events;
	s->arg = arg;
}

/* Opens a mailbox, and closes the one before; both strings outlive it. */
static inline void
source_select(struct source *s, const char *name,
    const struct conf_folder *folder, bool read_only)
{
	s->driver->select(s, name, folder, read_only);
}

/* Folders whose name matches, with "*" and "%" as in IMAP LIST. */
static inline void
source_folders(struct source *s, const char *pattern)
{
	s->driver->folders(s, pattern);
}

static inline bool
source_can_watch(const struct source *s)
{
	return s->driver->can_watch != NULL && s->driver->can_watch(s);
}

/* After everything of the mailbox was answered: hear of news without asking.
 * False: there are news since the last listing. */
static inline bool
source_watch(struct source *s)
{
	return s->driver->watch(s);
}

static inline void
source_unwatch(struct source *s)
{
	s->driver->unwatch(s);
}

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
source_headers(struct source *s, const uint32_t *numbers, size_t n,
    enum source_headers what)
{
	return s->driver->headers(s, numbers, n, what);
}

/* Which messages from UID from on carry our keyword.  false: there is none
 * here, and nothing will come. */
static inline bool
source_marks(struct source *s, uint64_t from)
{
	return s->driver->marks != NULL && s->driver->marks(s, from);
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
source_mark(struct source *s, uint32_t number, enum source_mark what)
{
	if (s->driver->mark != NULL)
		s->driver->mark(s, number, what);
}

/* Also behind source_remove(), without waiting for removed(), which comes all
 * the same. */
static inline void
source_quit(struct source *s)
{
	s->driver->quit(s);
}

/* Events of what is here already still come. */
static inline void
source_pause(struct source *s, bool paused)
{
	s->driver->pause(s, paused);
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
