/* SPDX-License-Identifier: ISC */
/*
 * What waits for a destination, fairly: every account has a lane of its own, in
 * which its jobs keep their order, and the lanes take turns.  So a letter waits
 * for one message of every other account at most, not for their backlogs.
 *
 * Jobs are foreign; lanes exist while they hold some.
 */
#ifndef RELAY_LANES_H
#define RELAY_LANES_H

#include <stddef.h>
#include <sys/queue.h>

struct lane;
struct sink_job;

struct lanes {
	TAILQ_HEAD(, lane) list; /* owned; the next one first */
	size_t count;            /* of jobs */
};

void lanes_init(struct lanes *l);
/* At the end of the lane of job->account. */
void lanes_add(struct lanes *l, struct sink_job *job);
/* It had its turn and gets another, before all others. */
void lanes_add_first(struct lanes *l, struct sink_job *job);
/* The next one, which is taken out; NULL: nothing waits. */
struct sink_job *lanes_take(struct lanes *l);
void lanes_remove(struct lanes *l, struct sink_job *job); /* waits there */

#endif
