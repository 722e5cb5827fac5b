/* SPDX-License-Identifier: ISC */
/*
 * A stage for one transfer: the destination and the state database are fakes
 * that move when the test says so, and write down what they are asked for.
 */
#ifndef TESTS_TRANSFER_STAGE_H
#define TESTS_TRANSFER_STAGE_H

#include "../fake/fake_sink.h"
#include "../fake/fake_store.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "relay/trace.h"
#include "relay/transfer.h"

#define BODY "Subject: x\r\n\r\nx\r\n" /* 17 bytes */
#define TRACE "f6bqae7ay2zakez4gadkmlaq34"

struct stage {
	struct loop *loop;
	struct timer idle;
	struct trail trail;
	struct sink sink;
	struct store store;
	struct spool_pool *pool;
	struct transfer_context context;
	struct trace_source source;
	unsigned char key[32], uuid[16];
	char uid[8], destination[8];
	struct store_item item;
	struct conf_destination dest;
	char address[16];
	struct transfer *transfer; /* NULL: it is done */
	struct transfer_result result;
};

int setup(void **state);
int teardown(void **state);
/* For transfer_refuse(): as start() has it, arg is the stage. */
void on_done(void *arg, struct transfer *t, const struct transfer_result *r);
/* A transfer of that message, and of BODY. */
void start_with(struct stage *s, struct span message);
void start(struct stage *s);
/* What happens from the loop happens now. */
void run(struct stage *s);
/* All that happened since the last look, and (over) nothing is left over. */
void assert_trail(struct stage *s, const char *expected);
void assert_over(struct stage *s, const char *expected);
struct fault fault(enum fault_scope scope, enum fault_when when);
void refuse(struct stage *s, enum fault_scope scope, enum fault_when when);
/* From the start to the dot on the wire. */
void go_to_dot(struct stage *s);

#endif
