/* SPDX-License-Identifier: ISC */
/*
 * What the files of a worker share: worker.c (the phases of a poll),
 * worker_list.c (what there is), worker_recognise.c (the headers of what is not
 * known), worker_queue.c (what is to be relayed, from the record until it is
 * asked for) and worker_haul.c (from there through the spool to the
 * destinations).
 */
#ifndef RELAY_WORKER_PRIVATE_H
#define RELAY_WORKER_PRIVATE_H

#include <sys/queue.h>

#include "net/loop.h"
#include "relay/fingerprint.h"
#include "relay/source.h"
#include "relay/spool.h"
#include "relay/trace.h"
#include "relay/transfer.h"
#include "relay/uids.h"
#include "relay/worker.h"
#include "store/store.h"

#define LISTING_BATCH 512 /* entries on their way to the store */
#define WORK_BATCH 256    /* items asked of the store at a time ... */
#define WORK_LOW 128      /* ... when no more than these wait to be fetched */
#define REMOVE_BATCH 2048
#define HEADER_BATCH 512 /* headers fetched with one look at the store */

enum worker_state {
	WORKER_IDLE,
	WORKER_WATCHING, /* the server tells of news */
	WORKER_WAKING,   /* it is told to stop that */
	WORKER_LOOKUP,   /* what the store knows of the mailbox */
	WORKER_OPENING,  /* connect, log in */
	WORKER_SELECTING,
	WORKER_LISTING,
	WORKER_SETTLING,    /* the store compares */
	WORKER_RECOGNISING, /* it wants headers first */
	WORKER_WORKING,
	WORKER_REMOVING,
	WORKER_LEAVING,
	WORKER_DRAINING, /* the session is over; transfers are still running */
	WORKER_STATES
};

enum message_state {
	MESSAGE_UNSIZED, /* the source is asked how large it is */
	MESSAGE_QUEUED,
	MESSAGE_FETCHING,
	MESSAGE_SENDING,
	MESSAGE_STATES
};

/* The way of a message to one of its destinations. */
struct leg {
	struct store_item item;    /* its row; owns the strings */
	struct sink *sink;         /* foreign */
	const char *recipient;     /* foreign */
	struct transfer *transfer; /* NULL: not begun, or ended */
	bool probe;                /* of the sink: to be given back */
};

/* One message of this session, for all its destinations. */
struct message {
	TAILQ_ENTRY(message) link; /* of those in the same state */
	struct worker *worker;
	enum message_state state;
	uint32_t number;
	uint64_t size;     /* as listed; 0: not known */
	uint64_t reserved; /* bytes of the pool */
	size_t running;    /* transfers */
	bool suspect;      /* of *ctx->suspect */
	bool complete;     /* relayed, and nothing of it is outstanding */
	int64_t underway;  /* its row that was begun; 0: none */
	size_t nlegs;
	struct leg legs[];
};
TAILQ_HEAD(messages, message);

struct worker {
	const struct worker_context *ctx;   /* foreign */
	const struct conf_account *account; /* foreign */
	const struct conf_folder *folder;   /* foreign */
	const char *name;                   /* foreign; of the folder */
	const struct source_driver *driver;
	struct worker_owner owner;
	enum worker_state state;
	struct worker_report report;
	struct source *source; /* owned; NULL: no session */
	struct timer ended;

	/* of the mailbox */
	int64_t mailbox;
	bool baseline;
	uint64_t generation, list_from, new_from;
	unsigned char uuid[16];
	char token[TRACE_TOKEN_SIZE];
	struct trace_source trace;
	struct transfer_context transfer;

	/* of the session */
	bool selected; /* the mailbox is open */
	struct source_mailbox opened;
	bool complete_listing;
	bool paused; /* it lists more than the store can take */
	struct store_waiter backlog;
	struct uids marked; /* with our keyword; for the store */
	bool removing_only; /* a second session, for deletions alone */
	bool stopping;      /* take no new message */
	bool cannot_watch;  /* the server ended it by itself */
	bool no_quit;       /* the session fetched what is not safely relayed */
	uint64_t removals;  /* waiting when the session began */
	bool removing;      /* the source has not said that all of it is done */
	bool last_page;     /* of what is to be removed */
	struct messages messages[MESSAGE_STATES]; /* as they were asked for */
	size_t count[MESSAGE_STATES];
	bool asked;             /* the store: its answer will come */
	bool sizing;            /* the source, for sizes */
	bool exhausted;         /* the store has no more */
	bool left_out;          /* something, while a probe was under way ... */
	bool again;             /* ... and it was asked for once more */
	uint32_t after;         /* number of the last item it gave */
	struct spool *incoming; /* the message that is coming in ... */
	int64_t incoming_since; /* ... since then; microseconds */
	uint64_t incoming_bytes;
	struct fault incoming_fault;
	bool incoming_failed;
	uint64_t discarded;
	uint64_t unknown;      /* messages whose headers the store wanted */
	uint64_t header_bytes; /* that were read for it */
	bool heading;          /* a header is coming in ... */
	struct fingerprint fingerprint; /* ... here */
	struct store_header *headers;   /* owned; for the store */
	size_t nheaders;
	struct spool_waiter waiter;
};

/* worker.c */
void worker_look_up(struct worker *w); /* begins with what is on record */
void worker_note_fault(struct worker *w, const struct fault *f);
void worker_abandon(struct worker *w); /* the session; transfers run on */
void worker_fail(struct worker *w, const struct fault *f); /* both */
void worker_remove_next(struct worker *w);
/* Its destinations will have work soon. */
void worker_warm(const struct worker *w, uint64_t n);
void worker_end_poll(struct worker *w);
void worker_tell_dry(
    struct worker *w, const struct store_answer *a, const char *what);

/* What is wrong with this mailbox alone. */
void worker_skip_mailbox(struct worker *w, const struct fault *f);

/* worker_list.c */
void worker_list(struct worker *w);
/* The source may list on, if it had to wait. */
void worker_list_on(struct worker *w);
void worker_on_backlog(void *arg);
/* Once more with recognised, when the headers of the unknown are given. */
void worker_end_listing(struct worker *w, bool recognised);
void worker_on_entry(
    void *arg, struct span uid, uint32_t number, uint64_t size);
void worker_on_listed(void *arg, bool complete);
void worker_on_marked(void *arg, uint32_t number);
void worker_on_marks_told(void *arg);

/* worker_recognise.c */
void worker_recognise(struct worker *w);
void worker_forget_headers(struct worker *w);
void worker_on_header_piece(void *arg, struct span bytes);
void worker_on_header(void *arg, uint32_t number, int64_t date);
void worker_on_headed(void *arg);
void worker_tell_recognised(
    const struct worker *w, const struct store_answer *a);

/* worker_queue.c */
void worker_advance(struct worker *w);
void worker_drop(struct worker *w, enum message_state last);
void worker_on_room(void *arg);
void worker_on_size(void *arg, uint32_t number, uint64_t size);
void worker_on_sized(void *arg);
/* The message in that state with that number, or NULL. */
struct message *worker_find(
    const struct worker *w, enum message_state state, uint32_t number);
void worker_set_state(struct message *m, enum message_state state);
void worker_forget(struct message *m); /* frees it */
bool worker_has_messages(const struct worker *w);

/* worker_haul.c */
void worker_incoming(const struct worker *w, struct worker_status *st_r);
/* Nothing is sent; relay/retry says what is recorded. */
void worker_refuse(struct message *m, const struct fault *f);
/* in_doubt = hold: what an earlier poll left in doubt waits for a person. */
bool worker_waits_for_decision(
    const struct worker *w, const struct store_item *item, struct fault *f);
void worker_on_accepted(void *arg); /* the message */
void worker_stop_transfers(struct worker *w);
bool worker_on_piece(void *arg, struct span bytes);
void worker_on_fetched(void *arg, uint32_t number, const struct fault *f);

#endif
