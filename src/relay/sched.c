/* SPDX-License-Identifier: ISC */
#include "relay/sched.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

struct sched_host {
	LIST_ENTRY(sched_host) link;
	char *name;                             /* owned */
	TAILQ_HEAD(sched_jobs, sched_job) jobs; /* that wait, by due */
	unsigned members, running, holds;
	unsigned hoping; /* accounts that would watch and have nothing yet */
	int64_t next;    /* no login before */
};

void
sched_init(struct sched *s, const struct sched_limits *l)
{
	*s = (struct sched){ .limits = *l };
	LIST_INIT(&s->hosts);
}

void
sched_free(struct sched *s)
{
	struct sched_host *h;

	while ((h = LIST_FIRST(&s->hosts)) != NULL) {
		LIST_REMOVE(h, link);
		free(h->name);
		free(h);
	}
}

void
sched_limit(struct sched *s, const struct sched_limits *l)
{
	s->limits = *l;
}

static struct sched_host *
find_host(struct sched *s, const char *name)
{
	struct sched_host *h;

	LIST_FOREACH (h, &s->hosts, link)
		if (strcasecmp(h->name, name) == 0)
			return h;
	h = mem_alloc(sizeof(*h));
	h->name = mem_strdup(name);
	h->next = INT64_MIN;
	TAILQ_INIT(&h->jobs);
	LIST_INSERT_HEAD(&s->hosts, h, link);
	return h;
}

void
sched_add(struct sched *s, struct sched_job *j, const char *host, bool hopes)
{
	j->host = find_host(s, host);
	j->host->members++;
	j->hopes = hopes;
	j->host->hoping += hopes;
}

void
sched_remove(struct sched *s, struct sched_job *j)
{
	struct sched_host *h = j->host;

	if (h == NULL)
		return;
	sched_cancel(s, j);
	if (j->running)
		sched_done(s, j);
	while (j->holds > 0)
		sched_drop(s, j);
	h->hoping -= j->hopes;
	j->host = NULL;
	if (--h->members > 0)
		return;
	LIST_REMOVE(h, link);
	free(h->name);
	free(h);
}

void
sched_at(struct sched *s, struct sched_job *j, int64_t due)
{
	struct sched_job *next;

	sched_cancel(s, j);
	j->due = due;
	j->waiting = true;
	TAILQ_FOREACH (next, &j->host->jobs, link)
		if (next->due > due)
			break;
	if (next != NULL)
		TAILQ_INSERT_BEFORE(next, j, link);
	else
		TAILQ_INSERT_TAIL(&j->host->jobs, j, link);
}

void
sched_cancel(struct sched *s, struct sched_job *j)
{
	(void)s;
	if (!j->waiting)
		return;
	j->waiting = false;
	TAILQ_REMOVE(&j->host->jobs, j, link);
}

/* When the first of a host may begin; INT64_MAX: not before a session ends. */
static int64_t
earliest(const struct sched *s, const struct sched_host *h)
{
	const struct sched_job *first = TAILQ_FIRST(&h->jobs);

	if (first == NULL || h->running + h->holds >= s->limits.per_host)
		return INT64_MAX;
	return first->due > h->next ? first->due : h->next;
}

/* Of those who may begin now, the one who has waited longest. */
static struct sched_host *
first_host(struct sched *s, int64_t now, int64_t *wait_r)
{
	struct sched_host *h, *best = NULL;

	*wait_r = INT64_MAX;
	if (s->running + s->holds >= s->limits.total)
		return NULL;
	LIST_FOREACH (h, &s->hosts, link) {
		int64_t at = earliest(s, h);

		if (at == INT64_MAX)
			continue;
		if (at > now && at - now < *wait_r)
			*wait_r = at - now;
		if (at <= now &&
		    (best == NULL || TAILQ_FIRST(&h->jobs)->due <
					 TAILQ_FIRST(&best->jobs)->due))
			best = h;
	}
	return best;
}

struct sched_job *
sched_next(struct sched *s, int64_t now, int64_t *wait_r)
{
	struct sched_host *h = first_host(s, now, wait_r);
	struct sched_job *j;

	if (h == NULL)
		return NULL;
	j = TAILQ_FIRST(&h->jobs);
	sched_cancel(s, j);
	j->running = true;
	h->running++;
	s->running++;
	h->next = now + s->limits.spacing;
	return j;
}

void
sched_done(struct sched *s, struct sched_job *j)
{
	j->running = false;
	j->host->running--;
	s->running--;
}

/* Room for the first of those who have nothing yet is not for a second. */
static unsigned
reserved(const struct sched_job *j)
{
	return j->holds > 0 ? j->host->hoping : 0;
}

bool
sched_hold(struct sched *s, struct sched_job *j)
{
	struct sched_host *h = j->host;

	if (h->holds + 1 + reserved(j) >= s->limits.per_host ||
	    s->holds + 1 >= s->limits.total ||
	    (j->max > 0 && j->holds + 1 >= j->max))
		return false;
	sched_done(s, j);
	h->hoping -= j->hopes;
	j->hopes = false;
	j->holds++;
	h->holds++;
	s->holds++;
	return true;
}

void
sched_drop(struct sched *s, struct sched_job *j)
{
	j->holds--;
	j->host->holds--;
	s->holds--;
	if (j->holds == 0) {
		j->hopes = true;
		j->host->hoping++;
	}
}
