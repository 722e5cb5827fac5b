/* SPDX-License-Identifier: ISC */
/*
 * What the files of an account share: account.c (on duty, and what people ask
 * for), account_round.c (its mailboxes in turn), account_settle.c (how it did)
 * and account_view.c (what people see).
 */
#ifndef DAEMON_ACCOUNT_PRIVATE_H
#define DAEMON_ACCOUNT_PRIVATE_H

#include <sys/queue.h>

#include "daemon/account.h"
#include "net/loop.h"
#include "relay/retry.h"
#include "relay/sched.h"
#include "relay/spool.h"
#include "relay/worker.h"

struct conf_folder;
struct finder;
struct source;

/* One mailbox. */
struct box {
	TAILQ_ENTRY(box) link;
	struct account *account;
	const struct conf_folder *folder; /* foreign */
	char *name;                       /* owned; UTF-8 */
	struct worker *worker;            /* owned */
	struct store_pause pause;         /* of this mailbox alone */
	struct timer again;               /* polls what is watched */
	int64_t watching_since;           /* loop time, ms */
	bool holds;  /* a place of the account's, to watch */
	bool polled; /* in this round */
	bool gone;   /* from the server */
	bool asks;   /* a person must decide about its messages */
};
TAILQ_HEAD(boxes, box);

struct account {
	const struct account_context *ctx; /* foreign */
	struct conf *conf;                 /* a reference */
	const struct conf_account *config;
	struct worker_context worker;
	struct spool_holder holder; /* what the worker's messages take */
	char keyword[32];           /* marks what was relayed */
	struct sink **sinks;        /* owned array of foreign sinks */
	struct boxes boxes;
	size_t nboxes;
	struct sched_job job;
	struct store_who who;
	struct store_pause pause;
	struct tally_account tally;
	struct retry_routine routine;
	int64_t last_success;
	char *words; /* owned, SIGN_IN_WORDS_MAX: what is shown */

	/* of the round */
	bool in_round;
	bool at_once;           /* another follows, for what is routine */
	struct box *current;    /* whose turn it is */
	struct source *session; /* owned; of the mailbox before */
	struct finder *finder;  /* owned; looks for folders */
	int64_t next_find;      /* wall clock */

	bool visited; /* by a check of its settings: POP3 waits for it */
	bool retiring;
};

/* account.c */
int64_t account_now_ms(const struct account *a);
void account_plan(struct account *a, int64_t ms); /* from now */
void account_save_pause(struct account *a);
void account_quiet_if_so(struct account *a);

/* account_round.c */
bool account_must_find(const struct account *a); /* before it has boxes */
void account_box_new(
    struct account *a, const char *name, const struct conf_folder *folder);
void account_box_free(struct box *b);
void account_box_look(struct box *b); /* now, if it is watched */
void account_end_round(struct account *a);

/* account_settle.c */
struct retry_terms account_terms(const struct account *a);
/* Whether a poll ended in a way that is routine, and the next is due at once;
 * r is changed to what is to be said of it. */
bool account_routine(struct account *a, struct worker_report *r);
/* After a poll, of b or of what comes before there is one. */
void account_settle(
    struct account *a, struct box *b, const struct worker_report *r);

#endif
