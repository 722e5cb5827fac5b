/* SPDX-License-Identifier: ISC */
/*
 * A destination that does nothing by itself, linked in the place of
 * relay/sink_smtp: what it is asked for is written down in a trail, and the
 * test plays the server.  One job at a time.
 */
#ifndef TESTS_FAKE_SINK_H
#define TESTS_FAKE_SINK_H

#include "../trail.h"

#include "relay/sink.h"

struct sink {
	struct trail *trail;
	struct sink_job *job; /* NULL: none, or its end has come */
	bool dot_sent;
	const struct fault *trouble; /* NULL: none */
	bool failed;                 /* after trouble: wants a probe */
	bool probing;
	unsigned relayed;                    /* messages that were counted */
	const struct conf_destination *dest; /* for those who ask */
};

/* The job's turn has come, for the first time or again on a new line. */
void fake_sink_begin(struct sink *s);
/* The end of data goes out; the job must have said that it may. */
void fake_sink_dot(struct sink *s);
void fake_sink_verdict(
    struct sink *s, const struct fault *f, const char *words);
/* What stands in front of the message, NUL-terminated. */
void fake_sink_head(struct sink *s, char *dst, size_t cap);
/* All of it, which is as long as was said. */
void fake_sink_read(struct sink *s, char *dst, size_t cap);

#endif
