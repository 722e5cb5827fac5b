/* SPDX-License-Identifier: ISC */
/*
 * What the parts of the IMAP source share: source_imap.c (the session),
 * source_imap_fetch.c (what is listed and fetched), source_imap_mark.c (what is
 * removed and marked).  Nobody else includes this.
 */
#ifndef RELAY_SOURCE_IMAP_H
#define RELAY_SOURCE_IMAP_H

#include "conf/conf.h"
#include "proto/imap.h"
#include "relay/session.h"
#include "relay/source.h"
#include "relay/uids.h"

/* Sets of messages that are being removed, a command of each outstanding. */
#define IMAP_REMOVALS 3

/* Several commands for bodies are outstanding, so that the server has the next
 * one before it is done with the last; each is for a part of what the worker
 * wants, so that there is a next one. */
#define IMAP_FETCHES 4
#define IMAP_FETCH_MOST 64 /* messages in one of them */
#define IMAP_FETCH_LOW 16  /* fewer are only asked for when no more are out */

/* A listing of at most so many messages is asked for together with sizes. */
#define IMAP_LIST_SIZED 512

/* One UID FETCH that is outstanding, and what has not come of it. */
struct imap_fetch {
	unsigned tag;
	struct uids asked;
};

/* A set on its way through the commands that remove it. */
struct imap_removal {
	unsigned tag; /* of the one that is outstanding */
	struct uids uids;
};

struct source_imap {
	struct session session;
	struct imap imap;
	bool logged_in;
	bool leaving; /* the session is to end ... */
	bool left;    /* ... and LOGOUT is out */
	/* of the mailbox that is open */
	const struct conf_folder *folder; /* foreign; NULL: none */
	const char *name;                 /* foreign; UTF-8 */
	bool read_only;
	const struct conf_folder *next; /* to be opened behind the marks */
	bool fresh;        /* something came since the listing was asked for */
	bool watch;        /* begin an IDLE behind the marks */
	bool unwatch;      /* end the IDLE when it has begun */
	unsigned unnamed;  /* folders of a LIST whose names are none ... */
	bool told_unnamed; /* ... and that was told */
	/* source_imap_fetch.c */
	uint32_t list_from, list_to; /* what the SEARCH is about */
	bool list_whole;             /* so far it was answered */
	bool searching;              /* a SEARCH is outstanding */
	unsigned sizes_tag;  /* of the FETCH for sizes; 0: none is out ... */
	bool sizing_listing; /* ... and it is about the listing */
	struct uids listed;  /* found, and to be given with their sizes */
	struct uids sizes;   /* whose size is wanted, not asked for yet */
	struct uids todo;    /* to be fetched or removed, not asked for yet */
	struct imap_fetch fetches[IMAP_FETCHES]; /* the oldest first */
	unsigned nfetches;
	bool heading;    /* headers are wanted, and nothing else ... */
	bool dating;     /* ... and of them only the dates */
	bool one_by_one; /* a FETCH of several was refused: find out which */
	/* source_imap_mark.c */
	struct imap_removal removals[IMAP_REMOVALS];
	unsigned nremovals;
	bool removing; /* removed() is still to come */
	size_t removed;
	struct uids marks[2];        /* to be made, by enum source_mark */
	enum source_mark marking_as; /* of the STORE that is outstanding ... */
	unsigned marking;            /* ... its tag; 0: there is none */
	bool mark_refused[2];        /* and that was told */
	bool asking_marks; /* a SEARCH for our keyword is outstanding */
};

/* source_imap_fetch.c */
void source_imap_list(struct source *source, uint64_t from);
void source_imap_sizes(
    struct source *source, const uint32_t *numbers, size_t n);
void source_imap_fetch(
    struct source *source, const uint32_t *numbers, size_t n);
bool source_imap_headers(struct source *source, const uint32_t *numbers,
    size_t n, enum source_headers what);
bool source_imap_marks(struct source *source, uint64_t from);
void source_imap_on_uid(struct source_imap *s, uint32_t uid);
void source_imap_on_listed(struct source_imap *s, const struct imap_event *ev);
void source_imap_on_piece(struct source_imap *s, struct span bytes);
void source_imap_on_fetched(struct source_imap *s, const struct imap_event *ev);
/* A UID FETCH is over. */
void source_imap_on_fetch(struct source_imap *s, const struct imap_event *ev);

/* source_imap_mark.c */
void source_imap_remove(
    struct source *source, const uint32_t *numbers, size_t n);
void source_imap_mark(
    struct source *source, uint32_t number, enum source_mark what);
/* A STORE, MOVE, COPY or EXPUNGE is over. */
void source_imap_on_store(struct source_imap *s, const struct imap_event *ev);
void source_imap_on_removed(struct source_imap *s, const struct imap_event *ev);
void source_imap_remove_next(struct source_imap *s);

/* source_imap.c: goes on with what waits for the marks and removals. */
void source_imap_go_on(struct source_imap *s);

#endif
