/* SPDX-License-Identifier: ISC */
/*
 * The loop's side of every request: its arguments are copied, then it is
 * queued.
 */
#include "store/store.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "store/request.h"

static const struct store_done nobody = { .run = NULL };

/* n strings behind their pointers, in one block. */
static char **
copy_strings(const char *const *strings, size_t n)
{
	size_t size = n * sizeof(char *);
	char **copy;
	char *at;

	for (size_t i = 0; i < n; i++)
		size += strlen(strings[i]) + 1;
	copy = mem_alloc(size);
	at = (char *)(copy + n);
	for (size_t i = 0; i < n; i++) {
		copy[i] = at;
		at = stpcpy(at, strings[i]) + 1;
	}
	return copy;
}

static void
ask_mailbox(struct store *s, bool (*apply)(struct db *db, struct request *r),
    const char *const strings[4], struct store_done done)
{
	struct request *r = request_new(apply, 0, done);
	char **copy = copy_strings(strings, 4);

	r->owned = copy;
	r->mailbox = (struct request_mailbox){
		.name = copy[0],
		.user = copy[1],
		.host = copy[2],
		.folder = copy[3],
	};
	request_send(s, r);
}

void
store_mailbox(struct store *s, const struct store_account *account,
    const char *folder, struct store_done done)
{
	const char *const strings[] = { account->name, account->user,
		account->host, folder };

	ask_mailbox(s, mailbox_find, strings, done);
}

void
store_peek(struct store *s, const struct store_account *account,
    const char *folder, struct store_done done)
{
	const char *const strings[] = { account->name, account->user,
		account->host, folder };

	ask_mailbox(s, mailbox_peek, strings, done);
}

void
store_listing_begin(
    struct store *s, int64_t mailbox, const struct store_listing *l)
{
	struct request *r = request_new(listing_begin, mailbox, nobody);

	r->listing = (struct store_listing){ .imap = l->imap,
		.remove_after = l->remove_after };
	request_send(s, r);
}

void
store_listing_drop(struct store *s, int64_t mailbox)
{
	request_send(s, request_new(listing_drop, mailbox, nobody));
}

void
store_listing_end(struct store *s, int64_t mailbox,
    const struct store_listing *l, struct store_done done)
{
	struct request *r = request_new(listing_end, mailbox, done);
	char **copy = copy_strings(l->destinations, l->ndestinations);

	r->owned = copy;
	r->listing = *l;
	r->listing.destinations = (const char *const *)copy;
	request_send(s, r);
}

void
store_listing_import(struct store *s, int64_t mailbox, struct store_done done)
{
	request_send(s, request_new(listing_import, mailbox, done));
}

void
store_work(struct store *s, int64_t mailbox, int64_t now, uint32_t after,
    size_t limit, struct store_done done)
{
	struct request *r = request_new(work_pending, mailbox, done);

	r->now = now;
	r->page = (struct request_page){ .after = after, .limit = limit };
	request_send(s, r);
}

void
store_removals(struct store *s, int64_t mailbox, uint32_t after, size_t limit,
    struct store_done done)
{
	struct request *r = request_new(work_removals, mailbox, done);

	r->page = (struct request_page){ .after = after, .limit = limit };
	request_send(s, r);
}

void
store_in_doubt(struct store *s, int64_t id, const struct store_attempt *a,
    struct store_done done)
{
	struct request *r = request_new(delivery_in_doubt, id, done);
	struct request_attempt *copy = &r->attempt;

	r->now = a->now;
	copy->attempt = a->attempt;
	copy->size = a->size;
	memcpy(copy->fingerprint, a->fingerprint, sizeof(copy->fingerprint));
	memcpy(copy->hash, a->hash, sizeof(copy->hash));
	snprintf(copy->trace, sizeof(copy->trace), "%s", a->trace);
	request_send(s, r);
}

static void
copy_reply(struct request *r, const char *reply)
{
	snprintf(r->verdict.reply, sizeof(r->verdict.reply), "%s",
	    reply != NULL ? reply : "");
}

void
store_relayed(struct store *s, int64_t id, const struct store_success *a,
    struct store_done done)
{
	struct request *r = request_new(delivery_relayed, id, done);

	r->now = a->now;
	r->verdict.usec = a->usec;
	r->verdict.remove = a->remove;
	copy_reply(r, a->reply);
	request_send(s, r);
}

void
store_refused(struct store *s, int64_t id, const struct store_refusal *refusal,
    struct store_done done)
{
	struct request *r = request_new(delivery_refused, id, done);

	r->now = refusal->now;
	r->verdict.state = refusal->state;
	r->verdict.next_try = refusal->next_try;
	r->verdict.usec = refusal->usec;
	r->verdict.counted = refusal->counted;
	r->verdict.wrap = refusal->wrap;
	snprintf(r->verdict.trace, sizeof(r->verdict.trace), "%s",
	    refusal->trace != NULL ? refusal->trace : "");
	r->verdict.identified = refusal->fingerprint != NULL;
	if (r->verdict.identified)
		memcpy(r->verdict.fingerprint, refusal->fingerprint,
		    sizeof(r->verdict.fingerprint));
	copy_reply(r, refusal->reply);
	request_send(s, r);
}

void
store_unknown(struct store *s, int64_t mailbox, uint32_t after, size_t limit,
    struct store_done done)
{
	struct request *r = request_new(recognise_unknown, mailbox, done);

	r->page = (struct request_page){ .after = after, .limit = limit };
	request_send(s, r);
}

void
store_headers(struct store *s, int64_t mailbox,
    const struct store_header *headers, size_t n)
{
	struct request *r = request_new(recognise_headers, mailbox, nobody);
	struct store_header *copy = mem_array(n, sizeof(*copy));

	memcpy(copy, headers, n * sizeof(*copy));
	r->owned = copy;
	r->headers.n = n;
	request_send(s, r);
}

void
store_marked(struct store *s, int64_t mailbox, const uint32_t *uids, size_t n)
{
	struct request *r = request_new(mark_listed, mailbox, nobody);
	uint32_t *copy = mem_array(n, sizeof(*copy));

	if (n > 0)
		memcpy(copy, uids, n * sizeof(*copy));
	r->owned = copy;
	r->marks.n = n;
	request_send(s, r);
}

void
store_accept(
    struct store *s, const char *account, bool as_known, struct store_done done)
{
	struct request *r = request_new(recognise_accept, 0, done);

	r->owned = mem_strdup(account);
	r->accept.account = r->owned;
	r->accept.decision = as_known ? RECOGNISE_AS_KNOWN : RECOGNISE_RELAY;
	request_send(s, r);
}

void
store_find_trace(struct store *s, const char *const *traces, size_t n,
    struct store_done done)
{
	struct request *r = request_new(trace_find, 0, done);

	r->owned = copy_strings(traces, n);
	r->traces.n = n;
	request_send(s, r);
}

static struct request *
choice_new(bool (*apply)(struct db *db, struct request *r),
    const struct store_choice *c, struct store_done done)
{
	const char *const strings[] = { c->account != NULL ? c->account : "",
		c->trace != NULL ? c->trace : "" };
	struct request *r = request_new(apply, 0, done);
	char **copy = copy_strings(strings, 2);

	r->owned = copy;
	r->choice = (struct request_choice){
		.account = copy[0],
		.trace = copy[1],
		.id = c->id,
	};
	return r;
}

void
store_held_list(struct store *s, const struct store_choice *c, int64_t after,
    size_t limit, struct store_done done)
{
	struct request *r = choice_new(held_list, c, done);

	r->choice.after = after;
	r->choice.limit = limit;
	request_send(s, r);
}

void
store_held_release(struct store *s, const struct store_choice *c, int64_t now,
    struct store_done done)
{
	struct request *r = choice_new(held_release, c, done);

	r->now = now;
	request_send(s, r);
}

void
store_held_drop(struct store *s, const struct store_choice *c, int64_t now,
    struct store_done done)
{
	struct request *r = choice_new(held_drop, c, done);

	r->now = now;
	request_send(s, r);
}

static struct request *
pause_request(bool (*apply)(struct db *db, struct request *r),
    const struct store_who *who, struct store_done done)
{
	struct request *r = request_new(apply, 0, done);
	char **copy = copy_strings(&who->name, 1);

	r->owned = copy;
	r->pause.who = *who;
	r->pause.who.name = copy[0];
	return r;
}

void
store_pause_load(
    struct store *s, const struct store_who *who, struct store_done done)
{
	request_send(s, pause_request(pause_load, who, done));
}

void
store_pause_save(struct store *s, const struct store_who *who,
    const struct store_pause *p, struct store_done done)
{
	struct request *r = pause_request(pause_save, who, done);

	r->pause.pause = *p;
	request_send(s, r);
}

void
store_resume(struct store *s, const char *name, struct store_done done)
{
	struct store_who who = { .name = name };

	request_send(s, pause_request(pause_end, &who, done));
}

void
store_login(struct store *s, const char *account, int64_t now, int64_t delay,
    struct store_done done)
{
	struct store_who who = { .party = STORE_ACCOUNT, .name = account };
	struct request *r = pause_request(pause_login, &who, done);

	r->pause.pause.last_login = now;
	r->pause.pause.login_delay = delay;
	request_send(s, r);
}

void
store_summary(
    struct store *s, int64_t after, size_t limit, struct store_done done)
{
	struct request *r = request_new(summary_list, 0, done);

	r->report = (struct request_report){ .from = after, .limit = limit };
	request_send(s, r);
}

void
store_history(struct store *s, const char *account, int64_t before,
    size_t limit, struct store_done done)
{
	struct request *r = request_new(history_list, 0, done);

	r->owned = mem_strdup(account != NULL ? account : "");
	r->report = (struct request_report){
		.from = before, .account = r->owned, .limit = limit
	};
	request_send(s, r);
}

void
store_history_prune(struct store *s, int64_t keep, int64_t now)
{
	struct request *r = request_new(history_prune, 0, nobody);

	r->now = now;
	r->prune.keep = keep;
	request_send(s, r);
}

void
store_backup(struct store *s, const char *file, struct store_done done)
{
	struct request *r = request_new(NULL, 0, done);

	r->owned = mem_strdup(file);
	request_send(s, r);
}
