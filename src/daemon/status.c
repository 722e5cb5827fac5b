/* SPDX-License-Identifier: ISC */
#include "daemon/status.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/ascii.h"
#include "daemon/view.h"
#include "store/store.h"

#include "config.h"

static void
set(json_t *o, const char *key, json_t *value)
{
	if (json_object_set_new(o, key, value) != 0)
		abort(); /* as any allocation that failed (base/mem.h) */
}

static void
set_int(json_t *o, const char *key, uint64_t n)
{
	set(o, key, json_integer((json_int_t)n));
}

/* Times: null stands for none. */
static void
set_time(json_t *o, const char *key, int64_t when)
{
	set(o, key, when > 0 ? json_integer(when) : json_null());
}

/* A server's bytes need not be UTF-8. */
static void
set_text(json_t *o, const char *key, const char *s)
{
	json_t *value = s != NULL ? json_string(s) : json_null();
	char clean[1024];

	if (value == NULL)
		value = json_string(
		    ascii_clean(clean, sizeof(clean), s, strlen(s)));
	set(o, key, value);
}

/* --- what the state says */

struct counts {
	const struct store_summary *mail;
	size_t n;
	bool counted;
};

void
status_count(const struct store_summary *mail, size_t n, const char *account,
    const char *folder, struct status_mail *m_r)
{
	*m_r = (struct status_mail){ 0 };
	for (size_t i = 0; i < n; i++) {
		const struct store_summary *s = &mail[i];

		if (strcmp(s->account, account) != 0 ||
		    (folder != NULL && strcmp(s->folder, folder) != 0))
			continue;
		m_r->waiting += s->waiting;
		m_r->in_doubt += s->in_doubt;
		m_r->held += s->held;
		if (s->oldest > 0 &&
		    (m_r->oldest == 0 || s->oldest < m_r->oldest))
			m_r->oldest = s->oldest;
	}
}

static void
set_count(json_t *o, const char *key, uint64_t n, bool counted)
{
	set(o, key, counted ? json_integer((json_int_t)n) : json_null());
}

static void
set_mail(
    json_t *o, const struct counts *c, const char *account, const char *folder)
{
	struct status_mail m;

	status_count(c->mail, c->n, account, folder, &m);
	set_count(o, "waiting", m.waiting, c->counted);
	set_count(o, "in_doubt", m.in_doubt, c->counted);
	set_count(o, "held", m.held, c->counted);
	set_time(o, "oldest", m.oldest);
}

/* --- accounts */

static json_t *
account_counts(const struct tally_account *t)
{
	json_t *o = json_object();

	set_int(o, "relayed", t->relayed);
	set_int(o, "deferred", t->deferred);
	set_int(o, "held", t->held);
	set_int(o, "in_doubt", t->in_doubt);
	set_int(o, "duplicates", t->duplicates);
	set_int(o, "polls", t->polls);
	set_int(o, "polls_failed", t->polls_failed);
	set_int(o, "fetched_bytes", t->fetched_bytes);
	return o;
}

static json_t *
mailbox_json(
    const struct counts *c, const char *account, const struct view_mailbox *v)
{
	json_t *o = json_object(), *message = json_null();

	set_text(o, "folder", v->folder);
	set_text(o, "doing", v->doing);
	set(o, "watching", json_boolean(v->watching));
	if (v->uid != NULL) {
		message = json_object();
		set_text(message, "uid", v->uid);
		set_int(message, "size", v->size);
		set_int(message, "done", v->done);
		set_time(message, "since", v->since);
	}
	set(o, "message", message);
	set_mail(o, c, account, v->folder);
	return o;
}

static json_t *
account_json(const struct supervisor *s, const struct counts *c, size_t i)
{
	json_t *o = json_object(), *mailboxes = json_array();
	struct view_account v;

	view_account(s, i, &v);
	set_text(o, "name", v.name);
	set_text(o, "protocol", v.protocol);
	set_text(o, "host", v.host);
	set_text(o, "state", v.state);
	set_text(o, "reason", v.reason);
	set_text(o, "warning", v.warning);
	set_time(o, "last_success", v.last_success);
	set_time(o, "next_poll", v.next_poll);
	set_int(o, "failures", v.failures);
	set_mail(o, c, v.name, NULL);
	if (v.tally != NULL)
		set(o, "counts", account_counts(v.tally));
	for (size_t m = 0; m < v.nmailboxes; m++) {
		struct view_mailbox box;

		view_mailbox(s, i, m, &box);
		json_array_append_new(mailboxes, mailbox_json(c, v.name, &box));
	}
	set(o, "mailboxes", mailboxes);
	return o;
}

/* --- destinations */

static json_t *
destination_json(const struct supervisor *s, size_t i)
{
	json_t *o = json_object(), *message = json_null();
	struct view_destination v;

	view_destination(s, i, &v);
	set_text(o, "name", v.name);
	set_text(o, "host", v.host);
	set_text(o, "state", v.state);
	set_text(o, "reason", v.reason);
	set_text(o, "warning", v.warning);
	set_time(o, "last_success", v.last_success);
	set_time(o, "next_try", v.next_try);
	set_int(o, "failures", v.failures);
	set_int(o, "connections", v.connections);
	set_int(o, "queued", v.queued);
	if (v.uid != NULL) {
		message = json_object();
		set_text(message, "account", v.account);
		set_text(message, "uid", v.uid);
		set_int(message, "size", v.size);
		set_int(message, "done", v.done);
		set_time(message, "since", v.since);
	}
	set(o, "message", message);
	return o;
}

/* --- all of it */

static void
add_daemon(json_t *o, const struct supervisor *s)
{
	struct view_daemon v;

	view_daemon(s, &v);
	set_text(o, "version", PACKAGE_VERSION);
	set_int(o, "pid", (uint64_t)getpid());
	set_time(o, "now", time(NULL));
	set_time(o, "started", v.started);
	set(o, "stopping", json_boolean(v.stopping));
	set(o, "no_room", json_boolean(v.no_room));
	set_int(o, "connections", v.connections);
	set_int(o, "spool_used", v.spool_used);
	set_int(o, "spool_max", v.spool_max);
	set_int(o, "reloads", v.reloads);
	set_int(o, "reloads_failed", v.reloads_failed);
}

json_t *
status_json(const struct supervisor *s, const struct store_summary *mail,
    size_t n, bool counted)
{
	struct counts c = { mail, counted ? n : 0, counted };
	json_t *o = json_object(), *accounts = json_array(),
	       *destinations = json_array();

	add_daemon(o, s);
	for (size_t i = 0; i < view_accounts(s); i++)
		json_array_append_new(accounts, account_json(s, &c, i));
	set(o, "accounts", accounts);
	for (size_t i = 0; i < view_destinations(s); i++)
		json_array_append_new(destinations, destination_json(s, i));
	set(o, "destinations", destinations);
	return o;
}
