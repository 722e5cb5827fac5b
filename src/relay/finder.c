/* SPDX-License-Identifier: ISC */
#include "relay/finder.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "relay/session.h"
#include "relay/source.h"

/* A folder belongs to the entry that says its name, else to that of its special
 * use, else to the first pattern (conf.h). */
enum rank { RANK_NAME, RANK_SPECIAL, RANK_PATTERN, RANKS };

struct finder {
	const struct conf_account *account; /* foreign */
	struct source *source;              /* owned */
	enum rank rank;
	size_t at;                  /* entry that is looked for, of that rank */
	size_t before;              /* names that were found before it */
	struct finder_folder *list; /* owned */
	size_t n, cap;
	bool full; /* and there are more */
	void (*done)(void *arg, const struct finder_result *r);
	void *arg;
};

static void
finder_free(struct finder *f)
{
	source_close(&f->source);
	for (size_t i = 0; i < f->n; i++)
		free(f->list[i].name);
	free(f->list);
	free(f);
}

static bool
is_inbox(struct span name)
{
	return name.n == 5 && strncasecmp(name.p, "INBOX", 5) == 0;
}

/* What is moved there would be fetched from there, and moved again. */
static bool
is_moved_to(const struct finder *f, struct span name)
{
	const struct conf_account *a = f->account;

	for (size_t i = 0; i < a->nfolders; i++)
		if (a->folders[i].after == CONF_AFTER_MOVE &&
		    span_is(name, a->folders[i].after_folder))
			return true;
	return false;
}

static void
add(struct finder *f, struct span name)
{
	char *copy;

	if (is_inbox(name))
		name = span_str("INBOX");
	for (size_t i = 0; i < f->n; i++)
		if (span_is(name, f->list[i].name))
			return;
	if (f->n == FINDER_MAX) {
		f->full = true;
		return;
	}
	if (f->n == f->cap) {
		f->cap = f->cap > 0 ? 2 * f->cap : 16;
		f->list = mem_grow(f->list, f->cap, sizeof(*f->list));
	}
	copy = mem_alloc(name.n + 1);
	memcpy(copy, name.p, name.n);
	f->list[f->n++] = (struct finder_folder){
		.name = copy,
		.folder = &f->account->folders[f->at],
	};
}

static void
finish(struct finder *f, const struct fault *fault)
{
	struct finder_result r = {
		.list = f->list,
		.n = f->n,
		.fault = fault,
	};

	if (f->full)
		log_line(LOG_WARNING,
		    "%s: more than %d folders: the others are left out",
		    f->account->name, FINDER_MAX);
	if (fault == NULL) {
		r.session = f->source;
		f->source = NULL;
	}
	f->done(f->arg, &r);
	finder_free(f);
}

/* --- the entries, one after the other */

static unsigned
special_use(const char *name)
{
	static const struct {
		const char *name;
		unsigned bit;
	} uses[] = {
		{ "\\All", SOURCE_ALL },
		{ "\\Archive", SOURCE_ARCHIVE },
		{ "\\Drafts", SOURCE_DRAFTS },
		{ "\\Flagged", SOURCE_FLAGGED },
		{ "\\Junk", SOURCE_JUNK },
		{ "\\Sent", SOURCE_SENT },
		{ "\\Trash", SOURCE_TRASH },
	};

	for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++)
		if (strcasecmp(name, uses[i].name) == 0)
			return uses[i].bit;
	return 0;
}

static enum rank
rank_of(const struct conf_folder *folder)
{
	if (folder->special)
		return RANK_SPECIAL;
	return folder->pattern ? RANK_PATTERN : RANK_NAME;
}

/* False: the server was asked. */
static bool
look_for(struct finder *f, const struct conf_folder *folder)
{
	f->before = f->n;
	if (rank_of(folder) == RANK_NAME) {
		add(f, span_str(folder->name));
		return true;
	}
	source_folders(f->source, folder->special ? "*" : folder->name);
	return false;
}

static void
look_for_next(struct finder *f)
{
	const struct conf_account *a = f->account;

	for (; f->rank < RANKS; f->rank++, f->at = 0)
		for (; f->at < a->nfolders; f->at++)
			if (rank_of(&a->folders[f->at]) == f->rank &&
			    !look_for(f, &a->folders[f->at]))
				return;
	finish(f, NULL);
}

static void
on_logged_in(void *arg, unsigned delay)
{
	(void)arg;
	(void)delay; /* IMAP has none */
}

static void
on_ready(void *arg)
{
	look_for_next(arg);
}

static void
on_folder(void *arg, const struct source_folder *folder)
{
	struct finder *f = arg;
	const struct conf_folder *entry = &f->account->folders[f->at];
	const unsigned left_out = SOURCE_ALL | SOURCE_DRAFTS | SOURCE_FLAGGED |
	                          SOURCE_JUNK | SOURCE_TRASH;

	if (is_moved_to(f, folder->name))
		return;
	if (entry->special ? (folder->special & special_use(entry->name)) != 0
			   : (folder->special & left_out) == 0)
		add(f, folder->name);
}

static void
on_foldered(void *arg, const struct fault *fault)
{
	struct finder *f = arg;
	struct log_event e = {
		.priority = LOG_NOTICE,
		.account = f->account->name,
		.mailbox = f->account->folders[f->at].name,
	};

	if (fault != NULL) {
		finish(f, fault);
		return;
	}
	if (f->n == f->before)
		log_event(&e, "%s: the server lists no folder for %s",
		    e.account, e.mailbox);
	f->at++;
	look_for_next(f);
}

static void
on_down(void *arg, const struct fault *fault)
{
	finish(arg, fault);
}

static const struct source_events events = {
	.logged_in = on_logged_in,
	.ready = on_ready,
	.folder = on_folder,
	.foldered = on_foldered,
	.down = on_down,
};

struct finder *
finder_start(const struct session_owner *owner,
    void (*done)(void *arg, const struct finder_result *r), void *arg)
{
	struct finder *f = mem_alloc(sizeof(*f));
	struct session_owner ours = *owner;

	f->account = owner->account;
	f->done = done;
	f->arg = arg;
	ours.events = &events;
	ours.arg = f;
	f->source = source_imap_driver.open(&ours);
	return f;
}

void
finder_stop(struct finder **f)
{
	if (*f != NULL)
		finder_free(*f);
	*f = NULL;
}
