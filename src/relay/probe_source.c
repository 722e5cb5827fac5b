/* SPDX-License-Identifier: ISC */
/*
 * The part of an account: the folders that it means, how many messages are in
 * each, and how many of them the next poll would find new.
 */
#include "relay/probe_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "relay/finder.h"
#include "relay/session.h"
#include "relay/source.h"

static void next_folder(struct probe *p);

static bool
is_imap(const struct probe *p)
{
	return p->o.account->protocol == CONF_IMAP;
}

/* POP3 has one mailbox and no name for it. */
static const char *
folder_name(const struct probe *p)
{
	return is_imap(p) ? p->folders[p->at] : NULL;
}

/* --- what a folder holds */

static void
report_folder(struct probe *p, struct probe_report *r)
{
	r->step = STEP_FOLDER;
	r->folder = folder_name(p);
	r->counted = true;
	r->messages = p->exists;
	probe_report(p, r);
	p->at++;
	next_folder(p);
}

static void
report_without_state(struct probe *p, const char *why)
{
	char text[PROBE_TEXT_MAX];
	struct probe_report r = { .text = text };

	snprintf(text, sizeof(text), "%llu message%s; %s",
	    (unsigned long long)p->exists, p->exists == 1 ? "" : "s", why);
	report_folder(p, &r);
}

static void
report_fresh(struct probe *p, uint64_t fresh, const char *note)
{
	char text[PROBE_TEXT_MAX];
	struct probe_report r = {
		.text = text,
		.compared = true,
		.at_least = p->cut,
		.fresh = fresh,
	};

	snprintf(text, sizeof(text), "%llu message%s, %s%llu new%s",
	    (unsigned long long)p->exists, p->exists == 1 ? "" : "s",
	    p->cut ? "at least " : "", (unsigned long long)fresh, note);
	report_folder(p, &r);
}

/* Nothing is on record: what the first poll will do with what is there. */
static void
report_first(struct probe *p)
{
	const struct conf_folder *f = p->folder_of[p->at];

	if (f->first == CONF_FIRST_ALL)
		report_fresh(p, p->exists, " (first = \"all\")");
	else if (f->first == CONF_FIRST_NEW)
		report_fresh(p, 0,
		    ": what is there before the first poll is not relayed "
		    "(first = \"new\")");
	else
		report_without_state(p,
		    "the first poll relays what came since the day in first");
}

static void
on_compared(void *arg, struct store_answer *a)
{
	struct probe *p = arg;

	if (!probe_answered(p))
		return; /* it ended meanwhile */
	if (a->ok)
		report_fresh(p, a->added + a->waiting, "");
	else
		report_without_state(p, "the state is not readable");
}

static void
on_entry(void *arg, struct span uid, uint32_t number, uint64_t size)
{
	struct probe *p = arg;

	(void)number;
	(void)size;
	if (buf_room(&p->uids) < uid.n + 1) {
		p->cut = true;
		return;
	}
	buf_add(&p->uids, uid);
	buf_add(&p->uids, span_make("", 1));
	p->nuids++;
}

static void
on_listed(void *arg, bool complete)
{
	struct probe *p = arg;
	struct store_listing l = {
		.imap = is_imap(p),
		.generation = p->generation,
	};
	struct store_entry *entries = mem_array(p->nuids + 1, sizeof(*entries));
	struct span rest = buf_span(&p->uids);

	(void)complete;
	for (size_t i = 0; i < p->nuids; i++)
		entries[i].uid = span_cut(&rest, '\0');
	p->asked++;
	store_compare(p->o.store, p->mailbox, &l, entries, p->nuids,
	    (struct store_done){ on_compared, p });
	free(entries);
}

static void
on_peeked(void *arg, struct store_answer *a)
{
	struct probe *p = arg;

	if (!probe_answered(p))
		return;
	p->mailbox = a->mailbox;
	if (!a->ok)
		report_without_state(p, "the state is not readable");
	else if (a->mailbox == 0 || !a->baseline)
		report_first(p);
	else if (is_imap(p) && a->generation != p->generation)
		report_without_state(p,
		    "the server numbered them anew, so the next poll compares "
		    "them by their headers");
	else
		source_list(p->source, a->list_from);
}

/* --- a folder that cannot be opened: which ones there are */

static void
on_folder(void *arg, const struct source_folder *folder)
{
	struct probe *p = arg;
	size_t at = strlen(p->names), room = sizeof(p->names) - at;
	char name[128];

	p->there |= span_is(folder->name, p->folders[p->at]);
	ascii_clean(name, sizeof(name), folder->name.p, folder->name.n);
	if (room < sizeof(name) + 8) {
		if (at > 0 && p->names[at - 1] != '.')
			snprintf(p->names + at, room, ", ...");
		return;
	}
	snprintf(p->names + at, room, "%s%s", at > 0 ? ", " : "", name);
}

static struct span
quoted_of(const struct fault *f)
{
	struct span words = span_str(f->text + f->quoted);

	words.n -= words.n > 0; /* the closing quote */
	return words;
}

/* The fault names the folder, which the report does anyway. */
static void
report_refused(struct probe *p)
{
	char cure[PROBE_TEXT_MAX];
	struct fault f = p->fault;
	size_t n = strlen(p->folders[p->at]);

	snprintf(cure, sizeof(cure), "there are: %s", p->names);
	if (p->names[0] != '\0' && !p->there) {
		fault_set(
		    &f, f.scope, f.when, f.phase, "the folder is not there");
		if (p->fault.quoted > 0)
			fault_quote(&f, quoted_of(&p->fault));
	} else if (strlen(f.text) > n + 2 && f.text[n] == ':') {
		memmove(f.text, f.text + n + 2, strlen(f.text + n + 2) + 1);
		f.quoted -= f.quoted > 0 ? (unsigned)n + 2 : 0;
	}
	probe_failed(p, STEP_FOLDER, folder_name(p), &f,
	    p->names[0] != '\0' && !p->there ? cure : NULL);
	p->at++;
	next_folder(p);
}

static void
on_foldered(void *arg, const struct fault *f)
{
	(void)f; /* without them it is said without them */
	report_refused(arg);
}

static void
on_selected(void *arg, const struct source_mailbox *m, const struct fault *f)
{
	struct probe *p = arg;
	const struct conf_account *a = p->o.account;
	const struct store_account account = { a->name, a->server.user,
		a->server.host };

	if (m == NULL) {
		p->fault = *f;
		p->names[0] = '\0';
		p->there = false;
		source_folders(p->source, "*");
		return;
	}
	p->exists = m->exists;
	p->generation = m->generation;
	if (p->o.store == NULL) {
		report_without_state(p, "the state is not readable");
		return;
	}
	p->asked++;
	store_peek(p->o.store, &account, p->folders[p->at],
	    (struct store_done){ on_peeked, p });
}

/* --- one folder after the other */

static void
next_folder(struct probe *p)
{
	buf_drop(&p->uids, p->uids.len);
	p->nuids = 0;
	p->cut = false;
	if (p->at < p->nfolders) {
		source_select(
		    p->source, p->folders[p->at], p->folder_of[p->at], true);
		return;
	}
	p->next = STEP_GOODBYE;
	p->leaving = true;
	source_quit(p->source);
}

static void
on_logged_in(void *arg, unsigned delay)
{
	struct probe *p = arg;

	p->login_delay = delay;
}

static void
on_ready(void *arg)
{
	next_folder(arg);
}

static void
on_down(void *arg, const struct fault *f)
{
	struct probe *p = arg;

	if (p->leaving) {
		probe_passed(p, STEP_GOODBYE, "");
		probe_end(p, probe_fault(p));
		return;
	}
	probe_failed(p, p->next,
	    p->next == STEP_FOLDER && p->at < p->nfolders ? folder_name(p)
							  : NULL,
	    f, NULL);
	probe_end(p, f);
}

static const struct source_events events = {
	.logged_in = on_logged_in,
	.ready = on_ready,
	.selected = on_selected,
	.folder = on_folder,
	.foldered = on_foldered,
	.entry = on_entry,
	.listed = on_listed,
	.down = on_down,
};

static void
add_folder(struct probe *p, const char *name, const struct conf_folder *f)
{
	size_t n = p->nfolders + 1;

	p->folders = mem_grow(p->folders, n, sizeof(*p->folders));
	p->folder_of = mem_grow(p->folder_of, n, sizeof(*p->folder_of));
	p->folders[p->nfolders] = mem_strdup(name);
	p->folder_of[p->nfolders++] = f;
}

/* An entry that means no folder is a mistake, or waits for one. */
static void
report_missing(struct probe *p, const struct conf_folder *f)
{
	struct probe_report r = {
		.step = STEP_FOLDER,
		.outcome = PROBE_WARNING,
		.folder = f->name,
		.text = "the server lists no folder for it",
		.cure = "check folders, if there should be one",
	};

	for (size_t i = 0; i < p->nfolders; i++)
		if (p->folder_of[i] == f)
			return;
	probe_report(p, &r);
}

static void
report_rest(struct probe *p, size_t n)
{
	char text[96];
	struct probe_report r = { .step = STEP_FOLDER, .text = text };

	snprintf(text, sizeof(text), "%zu more folders are not looked into",
	    n - PROBE_FOLDERS_MAX);
	if (n > PROBE_FOLDERS_MAX)
		probe_report(p, &r);
}

static void
on_found(void *arg, const struct finder_result *r)
{
	struct probe *p = arg;
	const struct conf_account *a = p->o.account;

	p->finder = NULL;
	if (r->fault != NULL) {
		probe_failed(p, p->next, NULL, r->fault, NULL);
		probe_end(p, r->fault);
		return;
	}
	p->source = r->session;
	source_give(p->source, &events, p);
	for (size_t i = 0; i < r->n && i < PROBE_FOLDERS_MAX; i++)
		add_folder(p, r->list[i].name, r->list[i].folder);
	for (size_t i = 0; i < a->nfolders && r->n <= PROBE_FOLDERS_MAX; i++)
		report_missing(p, &a->folders[i]);
	report_rest(p, r->n);
	next_folder(p);
}

void
probe_source_start(struct probe *p)
{
	const struct conf_account *a = p->o.account;
	struct session_owner owner = {
		.net = p->o.net,
		.tokens = p->o.tokens,
		.conf = &p->conf,
		.account = a,
		.events = &events,
		.arg = p,
		.steps = &p->steps,
		.dir = -1,
	};

	if (is_imap(p)) {
		p->finder = finder_start(&owner, on_found, p);
		return;
	}
	add_folder(p, a->folders[0].name, &a->folders[0]);
	p->source = source_pop3_driver.open(&owner);
}

void
probe_source_drop(struct probe *p)
{
	finder_stop(&p->finder);
	source_close(&p->source);
}
