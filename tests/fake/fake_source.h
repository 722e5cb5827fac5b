/* SPDX-License-Identifier: ISC */
/*
 * A mailbox without a server, linked in the place of relay/source_pop3 and
 * relay/source_imap: what the worker asks for is written down in a trail, and
 * the test calls the events.  One session at a time.
 */
#ifndef TESTS_FAKE_SOURCE_H
#define TESTS_FAKE_SOURCE_H

#include "../trail.h"

#include "relay/source.h"

struct fake_source {
	struct source source;
	struct trail *trail;
	bool open;
	bool can_watch, has_news;
};

extern struct fake_source fake_source;

#endif
