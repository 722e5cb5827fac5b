/* SPDX-License-Identifier: ISC */
#include "relay/lanes.h"

#include <stdlib.h>

#include "base/mem.h"
#include "relay/sink.h"

struct lane {
	TAILQ_ENTRY(lane) link;
	const char *account; /* foreign; the address tells who */
	TAILQ_HEAD(, sink_job) jobs;
};

void
lanes_init(struct lanes *l)
{
	TAILQ_INIT(&l->list);
	l->count = 0;
}

static struct lane *
find(const struct lanes *l, const char *account)
{
	struct lane *lane;

	TAILQ_FOREACH (lane, &l->list, link)
		if (lane->account == account)
			return lane;
	return NULL;
}

static struct lane *
find_or_make(struct lanes *l, const char *account)
{
	struct lane *lane = find(l, account);

	if (lane != NULL)
		return lane;
	lane = mem_alloc(sizeof(*lane));
	lane->account = account;
	TAILQ_INIT(&lane->jobs);
	TAILQ_INSERT_TAIL(&l->list, lane, link);
	return lane;
}

void
lanes_add(struct lanes *l, struct sink_job *job)
{
	struct lane *lane = find_or_make(l, job->account);

	TAILQ_INSERT_TAIL(&lane->jobs, job, link);
	l->count++;
}

void
lanes_add_first(struct lanes *l, struct sink_job *job)
{
	struct lane *lane = find_or_make(l, job->account);

	TAILQ_INSERT_HEAD(&lane->jobs, job, link);
	TAILQ_REMOVE(&l->list, lane, link);
	TAILQ_INSERT_HEAD(&l->list, lane, link);
	l->count++;
}

static void
take_out(struct lanes *l, struct lane *lane, struct sink_job *job)
{
	TAILQ_REMOVE(&lane->jobs, job, link);
	l->count--;
	TAILQ_REMOVE(&l->list, lane, link);
	if (TAILQ_EMPTY(&lane->jobs))
		free(lane);
	else
		TAILQ_INSERT_TAIL(&l->list, lane, link);
}

struct sink_job *
lanes_take(struct lanes *l)
{
	struct lane *lane = TAILQ_FIRST(&l->list);
	struct sink_job *job;

	if (lane == NULL)
		return NULL;
	job = TAILQ_FIRST(&lane->jobs);
	take_out(l, lane, job);
	return job;
}

void
lanes_remove(struct lanes *l, struct sink_job *job)
{
	take_out(l, find(l, job->account), job);
}
