/* SPDX-License-Identifier: ISC */
/*
 * What the parts of the probe share: probe.c (the steps that all have),
 * probe_source.c and probe_submission.c.  Nobody else includes this.
 */
#ifndef RELAY_PROBE_PRIVATE_H
#define RELAY_PROBE_PRIVATE_H

#include "base/buf.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/probe.h"
#include "store/store.h"

struct finder;
struct finder_folder;
struct source;
struct submission;

#define PROBE_TEXT_MAX 640
#define PROBE_UIDS_MAX ((size_t)1 << 20) /* bytes to be compared */
#define PROBE_FOLDERS_MAX 100            /* folders that are looked into */

struct probe {
	struct probe_owner o;
	struct conf conf; /* a copy of the first layer, less patient */
	struct store_pause pause;
	char resume[PROBE_TEXT_MAX]; /* how to end what forbids a login */
	struct fault no_login;       /* why none is tried, when steps says so */
	struct steps steps;
	enum step next; /* the one that is awaited */
	int64_t since;  /* loop time, us: the last one was over */
	struct timer deadline;
	enum probe_outcome worst;
	bool logged_in;
	unsigned login_delay;
	struct fault fault; /* what ended it, if phase is set */
	bool over;          /* done() was or will not be called ... */
	unsigned asked;     /* ... but the store still has to answer these */

	/* probe_source.c */
	struct finder *finder; /* owned; until it has found */
	struct source *source; /* owned */
	char **folders;        /* owned; by position of folder_of */
	const struct conf_folder **folder_of; /* owned array, foreign parts */
	size_t nfolders, at;
	uint64_t exists, generation;
	int64_t mailbox;
	struct buf uids; /* each with a NUL behind it */
	size_t nuids;
	bool cut;        /* there were more */
	char names[400]; /* the folders there are ... */
	bool there;      /* ... and the one that was refused is one */
	bool leaving;

	/* probe_submission.c */
	struct submission *wire; /* owned */
	bool asking;             /* MAIL and RCPT are out */
	bool answered;
};

/* Fills in the time, remembers the outcome, reports. */
void probe_report(struct probe *p, struct probe_report *r);
void probe_passed(struct probe *p, enum step step, const char *text);
/* f is what the step at hand failed with. */
void probe_failed(struct probe *p, enum step step, const char *folder,
    const struct fault *f, const char *cure);
/* The end; f NULL: as it should.  p may be gone then. */
void probe_end(struct probe *p, const struct fault *f);
/* The store answered: false: nobody waits any more, p is gone. */
bool probe_answered(struct probe *p);

/* What is to be told as the reason when it comes to its end. */
static inline const struct fault *
probe_fault(const struct probe *p)
{
	return p->fault.phase != NULL ? &p->fault : NULL;
}

void probe_source_start(struct probe *p);
void probe_source_drop(struct probe *p);
void probe_submission_start(struct probe *p);
void probe_submission_drop(struct probe *p);

#endif
