/* SPDX-License-Identifier: ISC */
/*
 * Messages that the store does not know although it knows the mailbox: their
 * headers are fetched in windows and their fingerprints given to the store,
 * which then compares again (store/recognise.c).  No body is downloaded for
 * what is recognised.
 */
#include "relay/worker_private.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "store/store.h"

static void ask_unknown(struct worker *w);

static bool
take_numbers(struct worker *w, const struct store_answer *a)
{
	uint32_t numbers[HEADER_BATCH];
	size_t n = 0;

	while (n < a->nitems && n < HEADER_BATCH) {
		numbers[n] = a->items[n].number;
		n++;
	}
	w->after = numbers[n - 1];
	/* With first = since nothing is on record that could be recognised. */
	return source_headers(
	    w->source, numbers, n, w->baseline ? SOURCE_HEADERS : SOURCE_DATES);
}

static void
on_unknown(void *arg, struct store_answer *a)
{
	struct worker *w = arg;

	w->asked = false;
	if (w->state != WORKER_RECOGNISING) {
		worker_advance(w); /* the session broke meanwhile */
		return;
	}
	if (!a->ok) {
		worker_fail(w, &a->fault);
		return;
	}
	if (a->nitems > 0 && take_numbers(w, a))
		return;
	if (a->nitems > 0)
		log_line(LOG_NOTICE,
		    "%s: the server hands out no headers alone (TOP), so old "
		    "messages cannot be told from new ones",
		    w->account->name);
	worker_end_listing(w, true);
}

static void
ask_unknown(struct worker *w)
{
	w->asked = true;
	store_unknown(w->ctx->store, w->mailbox, w->after, HEADER_BATCH,
	    (struct store_done){ on_unknown, w });
}

void
worker_recognise(struct worker *w)
{
	w->state = WORKER_RECOGNISING;
	w->after = 0;
	w->header_bytes = 0;
	ask_unknown(w);
}

void
worker_forget_headers(struct worker *w)
{
	if (w->heading)
		digest_free(&w->fingerprint.digest);
	w->heading = false;
	free(w->headers);
	w->headers = NULL;
	w->nheaders = 0;
}

static void
begin_header(struct worker *w)
{
	fingerprint_init(&w->fingerprint);
	w->heading = true;
	w->discarded = 0;
}

void
worker_on_header_piece(void *arg, struct span bytes)
{
	struct worker *w = arg;
	struct fault f;

	if (!w->heading)
		begin_header(w);
	w->header_bytes += bytes.n;
	w->discarded += bytes.n;
	if (w->discarded <= w->ctx->conf->message_max) {
		fingerprint_add(&w->fingerprint, bytes);
		return;
	}
	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "header",
	    "a header does not end: more than message_max was sent");
	worker_fail(w, &f);
}

void
worker_on_header(void *arg, uint32_t number, int64_t date)
{
	struct worker *w = arg;
	struct store_header h = { .number = number, .date = date };

	if (!w->heading)
		begin_header(w);
	h.identified = fingerprint_end(&w->fingerprint, h.fingerprint);
	w->heading = false;
	if (number == 0)
		return;
	if (w->nheaders == 0)
		w->headers = mem_array(HEADER_BATCH, sizeof(*w->headers));
	if (w->nheaders < HEADER_BATCH)
		w->headers[w->nheaders++] = h;
}

/* Some may have gone meanwhile; but none of many is a server in trouble, and
 * must not make old mail new. */
void
worker_on_headed(void *arg)
{
	struct worker *w = arg;
	struct fault f;

	if (w->nheaders == 0 && w->header_bytes == 0 && w->unknown > 1) {
		fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "header",
		    "the server hands out no header of %llu messages that may "
		    "be old ones",
		    (unsigned long long)w->unknown);
		worker_fail(w, &f);
		return;
	}
	if (w->nheaders > 0)
		store_headers(
		    w->ctx->store, w->mailbox, w->headers, w->nheaders);
	worker_forget_headers(w);
	ask_unknown(w);
}

void
worker_tell_recognised(const struct worker *w, const struct store_answer *a)
{
	struct log_event e = {
		.priority = LOG_NOTICE,
		.account = w->account->name,
		.mailbox = w->name,
	};

	if (w->unknown == 0 || !w->baseline)
		return;
	log_event(&e,
	    "%s: %llu messages in %s have other UIDs than before or none on "
	    "record: %llu were recognised, %llu are taken as known, %llu are "
	    "new; %llu bytes of headers were read, no bodies",
	    e.account, (unsigned long long)w->unknown, w->name,
	    (unsigned long long)a->recognised, (unsigned long long)a->as_known,
	    (unsigned long long)a->added, (unsigned long long)w->header_bytes);
}
