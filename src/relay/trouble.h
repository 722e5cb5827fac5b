/* SPDX-License-Identifier: ISC */
/*
 * A destination that is in trouble: how long it is left alone, who may find out
 * whether it is over, and what is told about it.  relay/retry decides; the sink
 * reports; what is remembered here is stored by the owner.
 */
#ifndef RELAY_TROUBLE_H
#define RELAY_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "relay/sink.h"
#include "store/store.h"

struct conf_destination;
struct loop;

struct trouble {
	const struct loop *loop;             /* foreign */
	const struct conf_destination *dest; /* foreign */
	struct store_pause pause;            /* failures 0: none */
	struct fault fault;                  /* the last one */
	int64_t until;                       /* loop time */
	bool probing; /* a message is on its way to find out */
	void (*changed)(void *arg, const struct store_pause *p); /* or NULL */
	void *arg;
};

void trouble_init(
    struct trouble *t, const struct loop *l, const struct conf_destination *d);
/* These are what sink.h says of the functions of that name. */
void trouble_remember(struct trouble *t, const struct store_pause *p,
    bool hurry, void (*changed)(void *arg, const struct store_pause *p),
    void *arg);
const struct fault *trouble_now(const struct trouble *t);
bool trouble_closed(const struct trouble *t);
enum sink_answer trouble_ask(struct trouble *t);

int64_t trouble_wait_ms(const struct trouble *t); /* 0: it is not left alone */
/* By hand; and the end of any pause. */
void trouble_pause(struct trouble *t);
void trouble_resume(struct trouble *t);

/* One more failure; and: it works. */
void trouble_begin(struct trouble *t, const struct fault *f);
void trouble_end(struct trouble *t);

#endif
