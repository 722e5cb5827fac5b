/* SPDX-License-Identifier: ISC */
/*
 * Plays: the sink on one side, a server that the test is on the other, and
 * jobs whose owner says sink_permit() when the test wants it.  The real
 * machines and the real login run in between; only the network is a fake.
 */
#ifndef TESTS_SINK_PLAY_H
#define TESTS_SINK_PLAY_H

#include "../fake/fake_conn.h"
#include "../fake/fake_loop.h"
#include "conf/conf.h"
#include "relay/sink.h"

#define JOBS 48
#define HEAD "T: 1\r\n"
#define BODY "Subject: x\r\n\r\n.dot\r\n"
#define CHUNKING                                                               \
	"250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 AUTH PLAIN\r\n"
#define CAPS "250-mx\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n"

struct play {
	struct trail trail;
	struct loop loop;
	struct fake_net net;
	struct tokens *tokens; /* NULL: none */
	struct conf conf;
	struct conf_destination dest;
	int dir; /* where the pool has its files */
	struct spool_pool *pool;
	struct sink *sink;
	struct part {
		struct play *play;
		struct sink_job job;
		unsigned number;
		struct fault fault; /* of its verdict */
	} jobs[JOBS];
};

int play_setup(void **state);
int play_teardown(void **state);
void forget(struct play *p);
/* Everything that is due now, and what follows from it. */
void turn(struct play *p);
void say(struct play *p, const char *text);
/* All that happened since the last look. */
void assert_play(struct play *p, const char *expected);
void assert_said(struct play *p, const char *part);
void assert_unsaid(struct play *p, const char *part);

void submit(struct play *p, unsigned number, const char *message);
/* Large enough for a file, which cannot be read when its time comes. */
void submit_unreadable(struct play *p, unsigned number, const char *message);
void permit(struct play *p, unsigned number);
bool withdraw(struct play *p, unsigned number);

/* --- as far as most plays begin */

#define ENVELOPE "C: MAIL FROM:<me@x>\\r\\nRCPT TO:<you@y>\\r\\nDATA\\r\\n\n"
#define RESET                                                                  \
	"C: RSET\\r\\nMAIL FROM:<me@x>\\r\\nRCPT TO:<you@y>\\r\\nDATA\\r\\n\n"
#define GO "250 ok\r\n250 ok\r\n354 go\r\n"
#define WENT "S: 250 ok\\r\\n250 ok\\r\\n354 go\\r\\n\n"
#define SENT "C: T: 1\\r\\nSubject: x\\r\\n\\r\\n..dot\\r\\n\n"
#define DOT "C: .\\r\\n\n"

void log_in(struct play *p, const char *caps);
/* Job 0 is accepted: the line is a good one. */
void work_once(struct play *p);
/* Job number stands before its dot. */
void go_to_dot(struct play *p, unsigned number);

#endif
