/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "conf/conf_internal.h"
#include "conf/folder_name.h"
#include "conf/option_table.h"

#define REPLY_TIMEOUT_RFC 300 /* RFC 5321 4.5.3.2 */

struct check {
	struct conf *c;
	const struct conf_places *at;
	struct conf_problems *problems;
};

static bool
same(const char *a, const char *b)
{
	return a != NULL && b != NULL && span_ieq(span_str(a), span_str(b));
}

static bool
is_name(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static const char *
label(const char *name)
{
	return name != NULL ? name : "?";
}

/* --- top level ---------------------------------------------------------- */

static void
check_globals(struct check *k)
{
	const struct conf_entry *e = &k->at->globals;
	const struct conf *c = k->c;

	if (c->naccounts == 0 && !k->at->parts)
		conf_error(k->problems, e->at,
		    "there are no accounts; add accounts = ( { ... } );");
	if (c->ndestinations == 0 && !k->at->parts)
		conf_error(k->problems, e->at,
		    "there are no destinations; add destinations = ( { ... } "
		    ");");
	if (c->message_max > c->spool_max)
		conf_error(k->problems, conf_place_of(e, "message_max"),
		    "message_max is larger than spool_max; such a message "
		    "would fit nowhere");
	if (c->reply_timeout < REPLY_TIMEOUT_RFC)
		conf_warning(k->problems, conf_place_of(e, "reply_timeout"),
		    "reply_timeout is below the 5m that RFC 5321 4.5.3.2 asks "
		    "for; slow servers will be given up too early");
}

/* The mail goes out all the same, so these do not stop anything. */
static void
check_alerts(struct check *k)
{
	const struct conf_entry *e = &k->at->globals;
	const struct conf *c = k->c;
	const char *program =
	    c->alert_command != NULL ? c->alert_command[0] : NULL;

	if (program != NULL && access(program, X_OK) != 0)
		conf_warning(k->problems, conf_place_of(e, "alert_command"),
		    "alert_command: %s: %s", program, strerror(errno));
	for (size_t i = 0; i < c->naccounts; i++)
		if (same(c->notify, c->accounts[i].server.user))
			conf_warning(k->problems, conf_place_of(e, "notify"),
			    "what is written to this address is fetched by "
			    "account \"%s\"; better is an address that needs "
			    "no fetching",
			    label(c->accounts[i].name));
}

/* --- names and references ----------------------------------------------- */

static bool
have_common_folder(const struct conf_account *a, const struct conf_account *b,
    size_t *ia, size_t *ib)
{
	for (*ia = 0; *ia < a->nfolders; ++*ia)
		for (*ib = 0; *ib < b->nfolders; ++*ib) {
			const struct conf_folder *fa = &a->folders[*ia];
			const struct conf_folder *fb = &b->folders[*ib];

			if (fa->name != NULL && fb->name != NULL &&
			    folder_names_meet(fa, fb))
				return true;
		}
	return false;
}

/* Everything in the folder would arrive twice. */
static void
check_same_mailbox(struct check *k, size_t i, size_t j)
{
	const struct conf_account *a = &k->c->accounts[i];
	const struct conf_account *b = &k->c->accounts[j];
	const struct conf_entry *e = k->at->accounts;
	const char *fa, *fb;
	size_t ia, ib;
	bool equal;

	if (!same(a->server.host, b->server.host) ||
	    !same(a->server.user, b->server.user) ||
	    !have_common_folder(a, b, &ia, &ib))
		return;
	fa = a->folders[ia].name;
	fb = b->folders[ib].name;
	equal = strcmp(fa, fb) == 0;
	conf_error(k->problems, e[i].folders[ia].at,
	    "accounts \"%s\" and \"%s\" (%s:%u) are the same mailbox: same "
	    "host, same user, folder %s%s%s",
	    label(a->name), label(b->name), e[j].at.file, e[j].at.line, fa,
	    equal ? "" : " and folder ", equal ? "" : fb);
}

static void
check_account_name(struct check *k, size_t i)
{
	const struct conf_account *a = k->c->accounts;
	const struct conf_entry *e = k->at->accounts;

	for (size_t j = 0; j < i; j++) {
		if (a[i].name != NULL && a[j].name != NULL &&
		    strcmp(a[i].name, a[j].name) == 0)
			conf_error(k->problems, conf_place_of(&e[i], "name"),
			    "there is an account \"%s\" already, at %s:%u",
			    a[i].name, e[j].at.file, e[j].at.line);
		check_same_mailbox(k, i, j);
	}
}

static void
check_destination_name(struct check *k, size_t i)
{
	const struct conf_destination *d = k->c->destinations;
	const struct conf_entry *e = k->at->destinations;

	for (size_t j = 0; j < i; j++)
		if (d[i].name != NULL && d[j].name != NULL &&
		    strcmp(d[i].name, d[j].name) == 0)
			conf_error(k->problems, conf_place_of(&e[i], "name"),
			    "there is a destination \"%s\" already, at %s:%u",
			    d[i].name, e[j].at.file, e[j].at.line);
}

static const struct conf_destination *
find_destination(const struct conf *c, const char *name, const char **nearest_r)
{
	size_t best = SIZE_MAX;

	*nearest_r = NULL;
	for (size_t i = 0; i < c->ndestinations; i++) {
		const char *candidate = c->destinations[i].name;

		if (candidate == NULL)
			continue;
		if (strcmp(candidate, name) == 0)
			return &c->destinations[i];
		if (option_closer(name, candidate, &best))
			*nearest_r = candidate;
	}
	return NULL;
}

static void
add_destination(struct check *k, struct conf_account *a,
    const struct conf_destination *d, struct conf_place at)
{
	for (size_t i = 0; i < a->ndestinations; i++)
		if (a->destinations[i] == d) {
			conf_error(k->problems, at,
			    "destination \"%s\" is listed twice", d->name);
			return;
		}
	a->destinations[a->ndestinations++] = d;
}

static void
resolve_destinations(struct check *k, size_t i)
{
	struct conf_account *a = &k->c->accounts[i];
	struct conf_place at =
	    conf_place_of(&k->at->accounts[i], "destination");
	char **names = a->destination_names;
	size_t n = 0;

	while (names != NULL && names[n] != NULL)
		n++;
	a->destinations = mem_array(n + 1, sizeof(*a->destinations));
	for (size_t j = 0; j < n; j++) {
		const char *nearest;
		const struct conf_destination *d =
		    find_destination(k->c, names[j], &nearest);

		if (d != NULL)
			add_destination(k, a, d, at);
		else if (nearest != NULL)
			conf_error(k->problems, at,
			    "there is no destination \"%s\"; is \"%s\" meant?",
			    names[j], nearest);
		else
			conf_error(k->problems, at,
			    "there is no destination \"%s\"", names[j]);
	}
}

/* --- loops -------------------------------------------------------------- */

static void
check_loops(struct check *k, size_t i)
{
	const struct conf_destination *d = &k->c->destinations[i];
	const struct conf_entry *e = &k->at->destinations[i];

	for (size_t j = 0; j < k->c->naccounts; j++) {
		const struct conf_account *a = &k->c->accounts[j];

		if (a->server.user == NULL ||
		    !option_is_address(a->server.user))
			continue;
		if (same(d->recipient, a->server.user))
			conf_error(k->problems, conf_place_of(e, "recipient"),
			    "mail to this recipient would be fetched again by "
			    "account \"%s\" and go round in a circle",
			    label(a->name));
		if (same(d->mail_from, a->server.user))
			conf_warning(k->problems, conf_place_of(e, "mail_from"),
			    "delivery reports to this sender come back "
			    "through account \"%s\"; better is an address "
			    "that is not fetched",
			    label(a->name));
	}
}

/* --- what happens to a message ------------------------------------------- */

static void
check_folder_names(struct check *k, size_t i)
{
	const struct conf_account *a = &k->c->accounts[i];
	const struct conf_entry *e = &k->at->accounts[i];

	if (a->protocol == CONF_POP3 && conf_was_given(e, "folders"))
		conf_error(k->problems, conf_place_of(e, "folders"),
		    "over POP3 there are no folders, only the mailbox; leave "
		    "folders out");
	if (a->protocol == CONF_POP3 && a->idle)
		conf_error(k->problems, conf_place_of(e, "idle"),
		    "over POP3 a server tells no news; leave idle out");
	for (size_t m = 1; m < a->nfolders; m++)
		for (size_t n = 0; n < m; n++)
			if (is_name(a->folders[m].name, a->folders[n].name))
				conf_error(k->problems, e->folders[m].at,
				    "folder \"%s\" is listed twice",
				    a->folders[m].name);
}

/* Where it stood: with the folder, else with the account. */
static struct conf_place
policy_place(struct check *k, size_t i, size_t folder, const char *option)
{
	const struct conf_entry *e = &k->at->accounts[i];
	const struct conf_entry *f = &e->folders[folder];

	return conf_place_of(conf_was_given(f, option) ? f : e, option);
}

/* What was moved would be found there and moved again.  A pattern or a special
 * use can only be looked at when the server has told its folders. */
static void
check_move(struct check *k, size_t i, size_t folder)
{
	const struct conf_account *a = &k->c->accounts[i];
	const struct conf_folder *f = &a->folders[folder];
	const char *to =
	    same(f->after_folder, "INBOX") ? "INBOX" : f->after_folder;
	struct conf_place at = policy_place(k, i, folder, "after");

	for (size_t n = 0; n < a->nfolders; n++)
		if (n == folder && is_name(a->folders[n].name, to))
			conf_error(k->problems, at,
			    "messages are in %s already; move wants another "
			    "folder",
			    to);
		else if (is_name(a->folders[n].name, to))
			conf_error(k->problems, at,
			    "what is moved to %s would be fetched again from "
			    "there; move wants a folder that is not fetched",
			    to);
}

static void
check_policies(struct check *k, size_t i)
{
	const struct conf_account *a = &k->c->accounts[i];
	bool pop3 = a->protocol == CONF_POP3;

	for (size_t n = 0; n < a->nfolders; n++) {
		const struct conf_folder *f = &a->folders[n];

		if (pop3 && (f->after == CONF_AFTER_MOVE ||
				f->after == CONF_AFTER_SEEN))
			conf_error(k->problems, policy_place(k, i, n, "after"),
			    "over POP3 a message can only be kept or deleted: "
			    "it has no folders and no flags");
		else if (f->after == CONF_AFTER_MOVE)
			check_move(k, i, n);
		if (pop3 && f->first == CONF_FIRST_SINCE)
			conf_error(k->problems, policy_place(k, i, n, "first"),
			    "over POP3 a server does not say when a message "
			    "came in; first is \"new\" or \"all\"");
	}
}

void
conf_check(
    struct conf *c, const struct conf_places *at, struct conf_problems *p)
{
	struct check k = { c, at, p };

	check_globals(&k);
	check_alerts(&k);
	for (size_t i = 0; i < c->ndestinations; i++) {
		check_destination_name(&k, i);
		conf_check_destination_host(
		    p, &c->destinations[i], &at->destinations[i]);
		check_loops(&k, i);
		conf_check_server(
		    p, &c->destinations[i].server, &at->destinations[i]);
	}
	for (size_t i = 0; i < c->naccounts; i++) {
		check_account_name(&k, i);
		conf_check_account_host(p, &c->accounts[i], &at->accounts[i]);
		check_folder_names(&k, i);
		check_policies(&k, i);
		resolve_destinations(&k, i);
		conf_check_server(p, &c->accounts[i].server, &at->accounts[i]);
	}
}
