/* SPDX-License-Identifier: ISC */
#include "fake_worker.h"

struct fake_workers fake_workers;

static struct worker *
find(const char *name)
{
	for (size_t i = 0; i < FAKE_WORKERS; i++)
		if (fake_workers.all[i].name != NULL &&
		    strcmp(fake_workers.all[i].name, name) == 0)
			return &fake_workers.all[i];
	abort();
}

enum worker_leave
fake_worker_leave(const char *name, bool can_watch)
{
	struct worker *w = find(name);

	return w->owner.leaving(w->owner.arg, can_watch);
}

void
fake_worker_done(const char *name, const struct worker_report *r)
{
	struct worker *w = find(name);

	if (!w->busy && !w->watching)
		abort();
	w->busy = false;
	w->watching = r->watching;
	w->owner.done(w->owner.arg, r);
}

struct worker *
worker_new(const struct worker_context *ctx, const struct worker_mailbox *m,
    const struct worker_owner *owner)
{
	(void)ctx;
	for (size_t i = 0; i < FAKE_WORKERS; i++) {
		struct worker *w = &fake_workers.all[i];

		if (w->name != NULL)
			continue;
		*w = (struct worker){ .owner = *owner, .name = m->name };
		return w;
	}
	abort();
}

void
worker_free(struct worker **w)
{
	if ((*w)->busy || (*w)->watching)
		abort();
	trail_event(fake_workers.trail, "free %s", (*w)->name);
	(*w)->name = NULL;
	*w = NULL;
}

void
worker_poll(struct worker *w, struct source *session)
{
	if (w->busy)
		abort();
	trail_event(fake_workers.trail, "poll %s%s%s", w->name,
	    session != NULL ? " in the session" : "",
	    w->watching ? " that is watched" : "");
	w->busy = true;
	w->watching = false;
	w->session = session;
}

bool
worker_busy(const struct worker *w)
{
	return w->busy;
}

bool
worker_watching(const struct worker *w)
{
	return w->watching;
}

/* What was begun ends later, with done(). */
static void
end(struct worker *w, const char *how)
{
	if (!w->busy && !w->watching)
		return;
	trail_event(fake_workers.trail, "%s %s", how, w->name);
	w->busy = true;
	w->watching = false;
}

void
worker_retire(struct worker *w)
{
	end(w, "retire");
}

void
worker_stop(struct worker *w)
{
	end(w, "stop");
}

void
worker_status(const struct worker *w, struct worker_status *st_r)
{
	*st_r = (struct worker_status){ .doing = w->busy ? "listing" : "idle" };
}
