/* SPDX-License-Identifier: ISC */
/*
 * What a Prometheus server scrapes, in its text format (version 0.0.4).
 *
 * It asks nobody and waits for nothing: what only the store knows is given in.
 * Labels are names of the configuration and words of ours, never anything that
 * mail or a server brought, so there are as many series as the configuration
 * has lines.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct evbuffer;
struct store;
struct supervisor;

/* What the state says of an account, or of a mailbox of it: rows of one account
 * are added up. */
struct metrics_mail {
	const char *account;
	uint64_t held, in_doubt; /* messages, now */
	int64_t oldest; /* the first sight of the oldest one that waits to be
	                   relayed; wall clock, 0: none waits */
};

struct metrics_source {
	const struct supervisor *supervisor;
	struct store *store;
	const struct metrics_mail *mail;
	size_t nmail;
	int64_t now; /* wall clock */
};

/* Appends to out. */
void metrics_write(const struct metrics_source *src, struct evbuffer *out);

#endif
