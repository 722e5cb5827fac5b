/* SPDX-License-Identifier: ISC */
/*
 * A check of settings that somebody asked for: probes of all accounts and
 * destinations, or of one, side by side as far as the timetable of sessions
 * (relay/sched) has places, and told in lines of JSON.
 */
#ifndef RELAY_CHECKUP_H
#define RELAY_CHECKUP_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

#include "relay/probe.h"

struct checkup;
struct conf;
struct sched;
struct store_pause;
struct tokens;

/* What is checked: an account or a destination; the other is NULL. */
struct checkup_part {
	const struct conf_account *account;
	const struct conf_destination *destination;
};

struct checkup_owner {
	struct net *net;
	struct tokens *tokens; /* NULL: none is kept here */
	struct conf *conf;     /* a reference is taken */
	struct store *store;   /* NULL: the state cannot be read */
	struct sched *sched;
	/* The timetable changed: ask sched_next(), and call run of what it
	 * gives. */
	void (*turn)(void *arg);
	/* What is remembered of it. */
	void (*pause)(void *arg, const struct checkup_part *part,
	    struct store_pause *pause_r);
	/* Nobody else has its mailbox open who would be in the way, and nobody
	 * will have from here until ended(). */
	bool (*may_begin)(void *arg, const struct checkup_part *part);
	/* Record what is to be remembered of the login; r NULL: none was
	 * tried. */
	void (*ended)(void *arg, const struct checkup_part *part,
	    const struct probe_result *r);
	void (*line)(void *arg, json_t *line); /* takes it */
	/* It is over, and gone when this returns. */
	void (*done)(void *arg, enum probe_outcome worst);
	void *arg;
};

/* Nothing is called from inside this call.  name NULL: everything; else the
 * account of that name, or, destination being true, the destination.  NULL:
 * there is none. */
struct checkup *checkup_start(
    const struct checkup_owner *owner, const char *name, bool destination);
/* Nobody wants to know any more: done() is not called, ended() is. */
void checkup_stop(struct checkup **c);

#endif
