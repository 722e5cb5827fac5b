/* SPDX-License-Identifier: ISC */
/*
 * Where fetchmail handed its messages on: an SMTP listener, mostly that of the
 * same machine, without a login and in the clear.  That says where the mail
 * should go, and seldom how mailhaul gets there.
 */
#include "cli/import_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/option_table.h"

#define NO_HOST "smtp.example.invalid"
#define NO_ADDRESS "you@example.invalid"

struct import_destination {
	char name[IMPORT_NAME_MAX];
	const struct import_account *from; /* the first that goes there */
	char host[256];
	unsigned port; /* 0: the usual one */
	bool implicit;
	char recipient[256];
	const char *user; /* theirs */
};

static const struct fetchmail_value *
value_of(const struct import_account *a, enum fetchmail_text what)
{
	return &a->q->text[what];
}

static unsigned
line_or(unsigned line, const struct import_account *a)
{
	return line > 0 ? line : a->q->line;
}

#define NOTE(grave, at, ...)                                                   \
	import_add_note(im, a->file, line_or(at, a), grave, __VA_ARGS__)

/* --- host --------------------------------------------------------------- */

/* "host/port"; its port 0: none was given. */
static void
split_host(const char *s, struct import_destination *d)
{
	size_t n = strcspn(s, "/");
	uint64_t port = 0;

	d->host[0] = '\0';
	if (n < sizeof(d->host)) {
		memcpy(d->host, s, n);
		d->host[n] = '\0';
	}
	if (s[n] == '/' && !span_uint(span_str(s + n + 1), 65535, &port))
		port = 0;
	d->port = (unsigned)port;
}

static void
find_host(const struct import_account *a, struct import_destination *d)
{
	const struct fetchmail_items *hosts = &a->q->list[FETCHMAIL_SMTPHOSTS];

	split_host(hosts->n > 0 ? hosts->s[0] : "localhost", d);
	if (value_of(a, FETCHMAIL_MDA)->s != NULL ||
	    value_of(a, FETCHMAIL_BSMTP)->s != NULL || d->host[0] == '\0' ||
	    !import_fits(OPTION_DESTINATION, "host", d->host)) {
		snprintf(d->host, sizeof(d->host), "%s", NO_HOST);
		d->port = 0;
	}
	d->implicit = d->port == 465;
	if (d->port == 25 || d->port == 465 || d->port == 587)
		d->port = 0;
}

/* --- recipient ---------------------------------------------------------- */

/* What is fetched from there would be fetched again. */
static bool
is_fetched(const struct import *im, const char *address)
{
	for (size_t i = 0; i < im->naccounts; i++) {
		const struct import_account *a = &im->accounts[i];

		if (a->user != NULL && !a->left_out &&
		    span_ieq(span_str(a->user), span_str(address)))
			return true;
	}
	return false;
}

static void
find_recipient(const struct import *im, const struct import_account *a,
    struct import_destination *d)
{
	const struct fetchmail_items *locals = &a->q->list[FETCHMAIL_LOCALS];
	const char *whole = value_of(a, FETCHMAIL_SMTPNAME)->s;
	const char *domain = value_of(a, FETCHMAIL_SMTPADDRESS)->s;
	const char *local = locals->n > 0 ? locals->s[0] : NULL;
	int n = 0;

	if (domain == NULL)
		domain = d->host;
	if (whole == NULL && local != NULL && strchr(local, '@') != NULL)
		whole = local;
	if (whole != NULL)
		n = snprintf(d->recipient, sizeof(d->recipient), "%s", whole);
	else if (local != NULL && strcmp(domain, NO_HOST) != 0)
		n = snprintf(
		    d->recipient, sizeof(d->recipient), "%s@%s", local, domain);
	/* What was cut would be somebody else's. */
	if (n < 0 || (size_t)n >= sizeof(d->recipient))
		d->recipient[0] = '\0';
	if (!option_is_address(d->recipient) || is_fetched(im, d->recipient))
		snprintf(d->recipient, sizeof(d->recipient), "%s", NO_ADDRESS);
}

/* --- what is missing ---------------------------------------------------- */

static void
note_ways(struct import *im, const struct import_account *a,
    const struct import_destination *d)
{
	static const struct {
		enum fetchmail_text what;
		const char *word;
	} ways[] = { { FETCHMAIL_MDA, "mda" }, { FETCHMAIL_BSMTP, "bsmtp" } };
	const struct fetchmail_switch *lmtp = &a->q->flag[FETCHMAIL_LMTP];

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (value_of(a, ways[i].what)->s != NULL)
			NOTE(true, value_of(a, ways[i].what)->line,
			    "%s: %s is not carried over; mailhaul submits to a "
			    "server: fill in destination \"%s\"",
			    a->name, ways[i].word, d->name);
	if (lmtp->line > 0 && lmtp->on)
		NOTE(true, lmtp->line,
		    "%s: lmtp is not carried over; mailhaul submits to a "
		    "server: fill in destination \"%s\"",
		    a->name, d->name);
}

static void
note_multidrop(
    struct import *im, const struct import_account *a, const char *where)
{
	const struct fetchmail_items *locals = &a->q->list[FETCHMAIL_LOCALS];

	if (a->q->wildcard || locals->n > 1)
		NOTE(true, locals->line,
		    "%s: multidrop: mail of several people; mailhaul does not "
		    "sort it: all of it goes to destination \"%s\"",
		    a->name, where);
}

static void
note_recipient(struct import *im, const struct import_account *a,
    const struct import_destination *d)
{
	const struct fetchmail_items *locals = &a->q->list[FETCHMAIL_LOCALS];

	note_multidrop(im, a, d->name);
	if (strcmp(d->recipient, NO_ADDRESS) == 0)
		NOTE(true, locals->line,
		    "%s: no address is known to relay to, or one that would "
		    "be fetched again: fill in \"recipient\" of destination "
		    "\"%s\"",
		    a->name, d->name);
}

static void
note_login(struct import *im, const struct import_account *a,
    const struct import_destination *d)
{
	const struct fetchmail_items *hosts = &a->q->list[FETCHMAIL_SMTPHOSTS];
	bool elsewhere = strcmp(d->host, NO_HOST) == 0;

	if (hosts->n > 1)
		NOTE(false, hosts->line,
		    "%s: of several smtphosts the first is carried over",
		    a->name);
	if (!elsewhere && d->user == NULL)
		NOTE(true, hosts->line,
		    "%s: fetchmail hands messages to %s without a login; "
		    "mailhaul signs in, inside TLS%s: fill in user and "
		    "password of destination \"%s\"",
		    a->name, d->host,
		    d->port == 0 && !d->implicit ? ", port 587" : "", d->name);
	else if (!elsewhere && d->port > 0)
		NOTE(false, hosts->line,
		    "%s: port %u of %s is taken for submission with STARTTLS",
		    a->name, d->port, d->host);
	else if (!elsewhere && !d->implicit)
		NOTE(false, hosts->line,
		    "%s: mailhaul submits to %s at port 587 with STARTTLS",
		    a->name, d->host);
}

/* --- destinations ------------------------------------------------------- */

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
is_same(const struct import_destination *a, const struct import_destination *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port &&
	       a->implicit == b->implicit &&
	       strcmp(a->recipient, b->recipient) == 0 &&
	       same_text(a->user, b->user);
}

static void
name_destination(const struct import *im, struct import_destination *d)
{
	char base[IMPORT_NAME_MAX], local[256];

	snprintf(local, sizeof(local), "%.*s", (int)strcspn(d->recipient, "@"),
	    d->recipient);
	import_make_name(
	    base, strcmp(d->recipient, NO_ADDRESS) == 0 ? "home" : local);
	memcpy(d->name, base, sizeof(base));
	for (unsigned n = 2;; n++) {
		size_t i = 0;

		while (i < im->ndestinations &&
		       strcmp(im->destinations[i].name, d->name) != 0)
			i++;
		if (i == im->ndestinations)
			return;
		memcpy(d->name, base, sizeof(base));
		import_number_name(d->name, n);
	}
}

const char *
import_destination_of(struct import *im, const struct import_account *a)
{
	struct import_destination d = { .from = a };

	if (im->destination != NULL) {
		note_multidrop(im, a, im->destination);
		return im->destination;
	}
	find_host(a, &d);
	find_recipient(im, a, &d);
	d.user = value_of(a, FETCHMAIL_ESMTPNAME)->s;
	if (d.user != NULL && !import_fits(OPTION_DESTINATION, "user", d.user))
		d.user = NULL;
	for (size_t i = 0; i < im->ndestinations; i++)
		if (is_same(&im->destinations[i], &d)) {
			note_ways(im, a, &im->destinations[i]);
			note_recipient(im, a, &im->destinations[i]);
			return im->destinations[i].name;
		}
	name_destination(im, &d);
	note_ways(im, a, &d);
	note_recipient(im, a, &d);
	note_login(im, a, &d);
	/* Names are asked for while more are added: nobody keeps them. */
	im->destinations =
	    mem_grow(im->destinations, im->ndestinations + 1, sizeof(d));
	im->destinations[im->ndestinations] = d;
	return im->destinations[im->ndestinations++].name;
}

static void
write_destination(struct import *im, const struct import_destination *d)
{
	static const char before[] = "    ";
	const struct import_account *a = d->from;
	const char *user = d->user != NULL ? d->user : IMPORT_NO_USER;
	char file[IMPORT_NAME_MAX + 8];
	struct import_login login = {
		.file = a->file,
		.word = &a->q->secret[FETCHMAIL_ESMTPPASSWORD],
		.name = file,
		.user = d->name,
		.line = line_or(a->q->list[FETCHMAIL_SMTPHOSTS].line, a),
	};

	snprintf(file, sizeof(file), "to-%s", d->name);
	file[IMPORT_NAME_MAX - 1] = '\0'; /* it is a name, too */
	import_line(im, "  ", "{");
	import_string(im, before, "name", d->name);
	import_string(im, before, "host", d->host);
	import_string(im, before, "tls", d->implicit ? "implicit" : "starttls");
	if (d->port > 0)
		import_line(im, before, "port = %u;", d->port);
	import_string(im, before, "user", user);
	import_password(im, before, &login);
	import_string(im, before, "recipient", d->recipient);
	if (!option_is_address(user) || is_fetched(im, user))
		import_string(im, before, "mail_from", d->recipient);
	import_add(im, "  }");
}

void
import_write_destinations(struct import *im)
{
	import_line(im, "", "destinations = (");
	for (size_t i = 0; i < im->ndestinations; i++) {
		if (i > 0)
			import_add(im, ",\n");
		write_destination(im, &im->destinations[i]);
	}
	import_line(im, im->ndestinations > 0 ? "\n" : "", ");\n");
}

void
import_free_destinations(struct import *im)
{
	free(im->destinations);
}
