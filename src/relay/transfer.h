/* SPDX-License-Identifier: ISC */
/*
 * One message's way to one destination, from the finished spool to the durable
 * record: claim, submit, in doubt, dot, verdict, record.  Read this first.
 *
 * The order of writes is that of DURABILITY.md 4.4.  Each transfer ends in
 * exactly one done().
 */
#ifndef RELAY_TRANSFER_H
#define RELAY_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"

struct loop;
struct sink;
struct spool;
struct store;
struct store_item;
struct trace_source;
struct transfer;

/* What all transfers of a mailbox share; outlives them. */
struct transfer_context {
	struct loop *loop;
	struct store *store;
	const char *account, *mailbox; /* names, for the log */
	const char *source_host, *our_host;
	const char *protocol;
	const struct trace_source *trace;
	const char *token;
	bool remove;                /* after = delete */
	int64_t retry_max, give_up; /* seconds, for relay/retry */
	/* The destination has it; arg is that of the transfer.  At the moment
	 * of the reply, before the record; may be NULL. */
	void (*accepted)(void *arg);
};

enum transfer_end {
	TRANSFER_RELAYED,
	TRANSFER_DEFERRED,
	TRANSFER_HELD,
	TRANSFER_IN_DOUBT,
	TRANSFER_UNTRIED, /* the destination or this machine is in trouble:
	                     the message is as it was */
};

struct transfer_result {
	enum transfer_end end;
	bool complete;      /* RELAYED: every destination has it now */
	bool notice;        /* it is a letter of ours: nobody is told of it */
	struct fault fault; /* when not RELAYED */
};

struct transfer_route {
	struct sink *sink;
	const char *destination; /* name */
	const char *recipient;
	int64_t since; /* its first byte came in; microseconds of the loop */
};

/* item, spool (a reference is taken) and route outlive the transfer. */
struct transfer *transfer_start(const struct transfer_context *ctx,
    const struct transfer_route *route, struct store_item *item,
    struct spool *spool,
    void (*done)(
	void *arg, struct transfer *t, const struct transfer_result *r),
    void *arg);

/* Sets a message aside that is not even downloaded, or could not be; f says
 * why, relay/retry what to record. */
struct transfer *transfer_refuse(const struct transfer_context *ctx,
    struct store_item *item, const struct fault *f,
    void (*done)(
	void *arg, struct transfer *t, const struct transfer_result *r),
    void *arg);

/* Ends it as UNTRIED unless the end of data may be on the wire: then it goes
 * on, and done() comes when the server has answered. */
void transfer_stop(struct transfer *t);

#endif
