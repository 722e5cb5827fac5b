/* SPDX-License-Identifier: ISC */
/*
 * A stage for one worker: mailbox, state database and destination are fakes
 * that move when the test says so, and write down what they are asked for.
 */
#ifndef TESTS_WORKER_STAGE_H
#define TESTS_WORKER_STAGE_H

#include "../fake/fake_sink.h"
#include "../fake/fake_source.h"
#include "../fake/fake_store.h"
#include "conf/conf.h"
#include "net/conn.h"
#include "net/loop.h"
#include "relay/spool.h"
#include "relay/tally.h"
#include "relay/trace.h"
#include "relay/worker.h"

struct stage {
	struct loop *loop;
	struct net net;
	struct timer idle;
	struct trail trail;
	struct sink sink;
	struct sink *sinks[1];
	struct store store;
	struct conf conf;
	struct conf_destination dest;
	const struct conf_destination *dests[1];
	char *names[2];
	struct conf_account account;
	struct conf_folder folder;
	struct worker_context context;
	struct spool_holder holder;
	const struct worker *suspect;
	struct tally_account tally;
	struct worker *worker;
	struct worker_report report;
	enum worker_leave leave;
	bool no_room;
};

int setup(void **state);
int teardown(void **state);
/* What happens from the loop happens now. */
void run(struct stage *s);
void forget(struct stage *s);
/* All that happened since the last look. */
void assert_trail(struct stage *s, const char *expected);
/* The account is one of IMAP from now on. */
void as_imap(struct stage *s);
const struct source_events *source_is(void);

/* A poll up to the question what there is to do. */
void list(struct stage *s, uint64_t waiting);
/* The store's answer: n messages, from number on. */
void give_items(struct stage *s, uint32_t number, size_t n, uint64_t size);
void fetched(uint32_t number, const char *text);
void down(const struct fault *f);

#endif
