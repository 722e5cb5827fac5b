/* SPDX-License-Identifier: ISC */
#include "cli/import_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "cli/offline.h"
#include "store/statedir.h"
#include "store/store.h"

#define STRANGERS_MAX 20 /* of whom it is said that they are unknown */
#define BATCH 256

/* --- what is listed ----------------------------------------------------- */

struct matcher {
	struct import_ids *ids;
	struct import *im;
	struct import_file file; /* for notes: only its path */
	struct fetchmail_id strangers[STRANGERS_MAX];
	size_t nstrangers;
	unsigned bad, first_bad; /* lines that say nothing */
};

static bool
is_stranger(const struct matcher *m, const struct fetchmail_id *id)
{
	for (size_t i = 0; i < m->nstrangers; i++)
		if (span_ieq(m->strangers[i].host, id->host) &&
		    span_ieq(m->strangers[i].user, id->user))
			return true;
	return false;
}

static void
note_stranger(struct matcher *m, const struct fetchmail_id *id, unsigned line)
{
	if (is_stranger(m, id) || m->nstrangers == STRANGERS_MAX)
		return;
	m->strangers[m->nstrangers++] = *id;
	import_add_note(m->im, &m->file, line, true,
	    "messages of %.*s@%.*s: there is no such POP3 account; if it is "
	    "another name of a server above, put that in its place here",
	    (int)(id->user.n < 100 ? id->user.n : 100), id->user.p,
	    (int)(id->host.n < 100 ? id->host.n : 100), id->host.p);
}

static void
match_line(struct matcher *m, struct span line, unsigned number)
{
	struct import_ids *ids = m->ids;
	struct import_account *a;
	struct fetchmail_id id;

	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (line.n == 0)
		return;
	if (!fetchmail_id_parse(line, &id) || id.uid.n > STORE_UID_MAX) {
		if (m->bad++ == 0)
			m->first_bad = number;
		return;
	}
	a = import_find(m->im, &id);
	if (a == NULL) {
		note_stranger(m, &id, number);
		return;
	}
	a->ids++;
	if ((ids->n & (ids->n - 1)) == 0) /* doubled when it is full */
		ids->list = mem_grow(
		    ids->list, ids->n > 0 ? 2 * ids->n : 1, sizeof(*ids->list));
	ids->list[ids->n++] = (struct import_id){ .uid = id.uid, .account = a };
}

void
import_ids_match(struct import_ids *ids, struct import *im)
{
	struct matcher m = {
		.ids = ids, .im = im, .file = { .path = ids->path }
	};
	struct span rest = ids->text;

	for (unsigned number = 1; rest.n > 0; number++)
		match_line(&m, span_cut(&rest, '\n'), number);
	if (m.bad > 0)
		import_add_note(im, &m.file, m.first_bad, true,
		    "%u lines from here on are not \"user@host uidl\"", m.bad);
}

void
import_ids_free(struct import_ids *ids)
{
	free(ids->list);
	ids->list = NULL;
	ids->n = 0;
}

/* --- into the state ----------------------------------------------------- */

struct keeper {
	struct offline offline;
	int64_t mailbox;
	uint64_t listed, known;
	bool baseline;
	int code;
};

static void
on_answer(void *arg, struct store_answer *a)
{
	struct keeper *k = arg;

	offline_answered(&k->offline);
	k->mailbox = a->mailbox;
	k->listed = a->listed;
	k->known = a->known;
	k->baseline = a->baseline;
	if (a->ok)
		return;
	fprintf(stderr, "mailhaul: %s\n", a->fault.text);
	k->code = a->fault.scope == FAULT_US ? EX_IOERR : EX_DATAERR;
}

static void
add_ids(struct keeper *k, const struct import_ids *ids,
    const struct import_account *a)
{
	struct store_entry batch[BATCH];
	uint32_t number = 0;
	size_t n = 0;

	for (size_t i = 0; i < ids->n; i++) {
		if (ids->list[i].account != a)
			continue;
		batch[n++] = (struct store_entry){ .uid = ids->list[i].uid,
			.number = ++number };
		if (n < BATCH)
			continue;
		store_listing_add(k->offline.store, k->mailbox, batch, n);
		n = 0;
	}
	if (n > 0)
		store_listing_add(k->offline.store, k->mailbox, batch, n);
}

static void
say(const struct keeper *k, const struct import_account *a)
{
	fprintf(stderr, "%s: %llu messages that fetchmail fetched are known",
	    a->name, (unsigned long long)k->listed);
	if (k->known < k->listed)
		fprintf(stderr, " (%llu of them were on record already)",
		    (unsigned long long)(k->listed - k->known));
	fputs("\n", stderr);
	if (k->baseline && k->known > 0)
		fprintf(stderr,
		    "%s: it was polled before; what was found then stays as "
		    "it was recorded\n",
		    a->name);
}

static void
store_account_ids(struct keeper *k, const struct import_ids *ids,
    const struct import_account *a)
{
	struct store *s = k->offline.store;
	const struct store_account account = {
		.name = a->name, .user = a->user, .host = a->host
	};

	store_mailbox(
	    s, &account, "INBOX", (struct store_done){ on_answer, k });
	offline_wait(&k->offline);
	if (k->code != EX_OK)
		return;
	store_listing_begin(s, k->mailbox, &(struct store_listing){ 0 });
	add_ids(k, ids, a);
	store_listing_import(
	    s, k->mailbox, (struct store_done){ on_answer, k });
	offline_wait(&k->offline);
	if (k->code == EX_OK)
		say(k, a);
}

static bool
open_state(struct keeper *k, const char *state)
{
	struct offline *o = &k->offline;
	struct fault f;

	if (statedir_open(&o->dir, state, &k->code, &f)) {
		o->store = store_open(&o->dir, false, &k->code, &f);
		if (o->store != NULL)
			return true;
		statedir_close(&o->dir);
	}
	fprintf(stderr, "mailhaul: %s\n", f.text);
	if (k->code == EX_TEMPFAIL)
		fputs("mailhaul: stop mailhauld first: what fetchmail fetched "
		      "is noted while nobody uses the state; nothing was "
		      "written\n",
		    stderr);
	return false;
}

int
import_ids_store(
    const struct import_ids *ids, const struct import *im, const char *state)
{
	struct keeper k = { .code = EX_OK };

	if (ids->n == 0)
		return EX_OK;
	if (!open_state(&k, state))
		return k.code;
	k.code = EX_OK;
	for (size_t i = 0; i < im->naccounts && k.code == EX_OK; i++)
		if (im->accounts[i].ids > 0 && !im->accounts[i].left_out)
			store_account_ids(&k, ids, &im->accounts[i]);
	offline_close(&k.offline);
	return k.code;
}
