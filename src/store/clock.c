/* SPDX-License-Identifier: ISC */
/*
 * Since when the wall clock can be believed: what is removed by its age must
 * not be removed because the clock was set (CASES D10).
 *
 * The clock jumped when it moved by more than an hour against the time since
 * boot while this process ran; or, since it was last seen by a process before,
 * more than an hour backwards or more than a week ahead.  From then on ages
 * count anew: a wrong clock may delay a removal, but never hasten it.  So does
 * the time that a message is refused for now, which is tried again at once: it
 * is neither given up early nor left alone until the clock is there again.
 */
#include "store/request.h"

#include <stdlib.h>
#include <time.h>

#include "base/log.h"
#include "store/db.h"
#include "store/schema.h"

#define HOUR ((int64_t)60 * 60)
#define DAY (24 * HOUR)
#define TOLERANCE HOUR
#define ABSENCE_MAX (7 * DAY)

/* Goes on while the machine sleeps, unlike CLOCK_MONOTONIC. */
static int64_t
seconds_since_boot(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return (int64_t)ts.tv_sec + 1; /* 0 means: not looked yet */
}

/* Seconds that the clock jumped by; 0: it did not. */
static int64_t
jumped_by(const struct db *db, int64_t seen, int64_t now, int64_t boot)
{
	int64_t by = now - seen;

	if (db->clock_boot == 0)
		return by < -TOLERANCE || by > ABSENCE_MAX ? by : 0;
	by = (now - db->clock_wall) - (boot - db->clock_boot);
	return llabs(by) > TOLERANCE ? by : 0;
}

static void
save(struct db *db, int64_t seen, int64_t since)
{
	struct query *q =
	    db_query(db, "UPDATE meta SET clock_seen = ?1, clock_since = ?2");

	query_int(q, 1, seen);
	query_int(q, 2, since);
	query_run(q);
}

static void
restart_tries(struct db *db, int64_t now)
{
	struct query *q = db_query(db,
	    "UPDATE delivery SET first_refusal = iif(first_refusal > 0, ?1, 0),"
	    " next_try = min(next_try, ?1) WHERE " SCHEMA_PENDING);

	query_int(q, 1, now);
	query_run(q);
}

int64_t
clock_since(struct db *db, int64_t now)
{
	struct query *q =
	    db_query(db, "SELECT iif(clock_seen > 0, clock_seen, created),"
			 " clock_since FROM meta");
	int64_t boot = seconds_since_boot();
	int64_t seen = now, since = now;
	int64_t jumped;

	if (query_row(q)) {
		seen = query_get(q, 0);
		since = query_get(q, 1);
	}
	jumped = jumped_by(db, seen, now, boot);
	if (jumped != 0) {
		since = now;
		restart_tries(db, now);
		log_line(LOG_NOTICE,
		    "the clock moved by %lld seconds, or nothing ran for so "
		    "long: what is removed by age (delete-after) counts from "
		    "now",
		    (long long)jumped);
	}
	if (jumped != 0 || db->clock_boot == 0) {
		db->clock_boot = boot;
		db->clock_wall = now;
	}
	/* Not each time: a poll that finds nothing new writes nothing. */
	if (jumped != 0 || now - seen >= DAY)
		save(db, now, since);
	return since;
}
