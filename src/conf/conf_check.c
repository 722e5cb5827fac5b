/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "conf/conf_internal.h"
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

	if (c->naccounts == 0)
		conf_error(k->problems, e->at,
		    "there are no accounts; add accounts = ( { ... } );");
	if (c->ndestinations == 0)
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

/* --- names and references ----------------------------------------------- */

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
		if (same(a[i].server.host, a[j].server.host) &&
		    same(a[i].server.user, a[j].server.user))
			conf_error(k->problems, e[i].at,
			    "accounts \"%s\" and \"%s\" (%s:%u) are the same "
			    "mailbox: same host, same user",
			    label(a[i].name), label(a[j].name), e[j].at.file,
			    e[j].at.line);
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

/* --- ports -------------------------------------------------------------- */

struct mixup {
	unsigned port;
	int mode; /* with which it is wrong; -1: always */
	const char *meaning;
};

static const struct mixup account_mixups[] = {
	{ 110, -1, "POP3 without TLS" },
	{ 143, -1, "IMAP without TLS" },
	{ 995, CONF_IMAP, "POP3" },
	{ 993, CONF_POP3, "IMAP" },
	{ 0, 0, NULL },
};
static const struct mixup destination_mixups[] = {
	{ 25, -1, "for mail between servers" },
	{ 465, CONF_TLS_STARTTLS, "for TLS from the first byte" },
	{ 587, CONF_TLS_IMPLICIT, "for STARTTLS" },
	{ 0, 0, NULL },
};

static const char *
meaning_of(const struct mixup *m, unsigned port, int mode)
{
	for (; m->meaning != NULL; m++)
		if (m->port == port && (m->mode == -1 || m->mode == mode))
			return m->meaning;
	return NULL;
}

static void
check_account_port(struct check *k, size_t i)
{
	const struct conf_account *a = &k->c->accounts[i];
	bool imap = a->protocol == CONF_IMAP;
	const char *meaning =
	    meaning_of(account_mixups, a->server.port, a->protocol);

	if (meaning != NULL)
		conf_error(k->problems,
		    conf_place_of(&k->at->accounts[i], "port"),
		    "port %u is %s; %s inside TLS has port %u", a->server.port,
		    meaning, imap ? "IMAP" : "POP3", imap ? 993 : 995);
}

static void
check_destination_port(struct check *k, size_t i)
{
	const struct conf_destination *d = &k->c->destinations[i];
	bool implicit = d->tls == CONF_TLS_IMPLICIT;
	const char *meaning =
	    meaning_of(destination_mixups, d->server.port, d->tls);

	if (meaning != NULL)
		conf_error(k->problems,
		    conf_place_of(&k->at->destinations[i], "port"),
		    "port %u is %s; submission with tls = \"%s\" has port %u",
		    d->server.port, meaning, implicit ? "implicit" : "starttls",
		    implicit ? 465 : 587);
}

/* --- what happens to a message ------------------------------------------- */

static void
check_after(struct check *k, size_t i)
{
	const struct conf_account *a = &k->c->accounts[i];
	struct conf_place at = conf_place_of(&k->at->accounts[i], "after");

	if (a->protocol == CONF_POP3 &&
	    (a->after == CONF_AFTER_MOVE || a->after == CONF_AFTER_SEEN))
		conf_error(k->problems, at,
		    "over POP3 a message can only be kept or deleted: it has "
		    "no folders and no flags");
	else if (a->after == CONF_AFTER_MOVE && same(a->after_folder, "INBOX"))
		conf_error(k->problems, at,
		    "messages are in INBOX already; move wants another folder");
}

/* --- files -------------------------------------------------------------- */

/* systemd keeps these from others by other means than the mode. */
static bool
is_below_credentials(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t n = dir != NULL ? strlen(dir) : 0;

	return n > 0 && strncmp(path, dir, n) == 0 && path[n] == '/' &&
	       strstr(path, "/../") == NULL;
}

static void
check_secret_file(struct check *k, const char *path, struct conf_place at)
{
	struct stat st;

	if (path[0] != '/')
		conf_error(
		    k->problems, at, "password: file: wants an absolute path");
	else if (lstat(path, &st) != 0)
		conf_error(
		    k->problems, at, "password: %s: %s", path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		conf_error(k->problems, at,
		    "password: %s is not a regular file", path);
	else if ((st.st_mode & 077) != 0 && !is_below_credentials(path))
		conf_error(k->problems, at,
		    "password: others can get at %s (mode %04o); chmod 600 it",
		    path, (unsigned)st.st_mode & 07777);
}

static bool
quotes_match(const char *s)
{
	char quote = '\0';

	for (; *s != '\0'; s++)
		if (quote == '\0' && (*s == '"' || *s == '\''))
			quote = *s;
		else if (*s == quote)
			quote = '\0';
	return quote == '\0';
}

static void
check_command(struct check *k, const char *command, struct conf_place at)
{
	const char *program = command + strspn(command, " \t\"'");

	if (*program != '/')
		conf_error(k->problems, at,
		    "password: command: begins with the absolute path of a "
		    "program");
	if (!quotes_match(command))
		conf_error(k->problems, at,
		    "password: command: has a quote that is not closed");
}

static void
check_server(
    struct check *k, const struct conf_server *s, const struct conf_entry *e)
{
	const char *password = s->password;
	struct conf_place at = conf_place_of(e, "password");

	if (password != NULL && strncmp(password, "file:", 5) == 0)
		check_secret_file(k, password + 5, at);
	if (password != NULL && strncmp(password, "command:", 8) == 0)
		check_command(k, password + 8, at);
	if (s->ca_file != NULL && access(s->ca_file, R_OK) != 0)
		conf_error(k->problems, conf_place_of(e, "ca_file"),
		    "ca_file: %s: %s", s->ca_file, strerror(errno));
}

void
conf_check(
    struct conf *c, const struct conf_places *at, struct conf_problems *p)
{
	struct check k = { c, at, p };

	check_globals(&k);
	for (size_t i = 0; i < c->ndestinations; i++) {
		check_destination_name(&k, i);
		check_destination_port(&k, i);
		check_loops(&k, i);
		check_server(
		    &k, &c->destinations[i].server, &at->destinations[i]);
	}
	for (size_t i = 0; i < c->naccounts; i++) {
		check_account_name(&k, i);
		check_account_port(&k, i);
		check_after(&k, i);
		resolve_destinations(&k, i);
		check_server(&k, &c->accounts[i].server, &at->accounts[i]);
	}
}
