/* SPDX-License-Identifier: ISC */
/*
 * A loop whose time passes when the test says so, linked in the place of
 * net/loop: only its timers.  The wall clock goes with it, but can be set.
 */
#ifndef TESTS_FAKE_LOOP_H
#define TESTS_FAKE_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "net/loop.h"

struct loop {
	TAILQ_HEAD(, event) timers;
	int64_t now_ms;
	bool stopped;
};

extern int64_t fake_wall; /* what time() says when now_ms is 0; seconds */

void fake_loop_init(struct loop *l);
/* Lets so much time pass, and runs every timer when its time has come; also
 * those that are set for at once meanwhile. */
void fake_loop_pass(struct loop *l, int64_t seconds);

#endif
