/* SPDX-License-Identifier: ISC */
/*
 * Hosts that are no more, and ports that are for something else, with what is
 * right.  A port that cannot work is an error: what answers there speaks
 * another protocol.  What is only known from a provider's documents is a
 * warning: it may know better by now.
 */
#include <strings.h>

#include "conf/conf_internal.h"
#include "conf/provider.h"

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

static const char *
tls_text(int tls)
{
	return tls == CONF_TLS_IMPLICIT ? "implicit" : "starttls";
}

/* The service that this is there for; NULL, and a word about it, when the host
 * is not for that. */
static const struct provider_server *
known_server(struct conf_problems *p, const struct conf_server *s,
    enum provider_service service, const struct conf_entry *e)
{
	const struct provider *now, *old;
	const struct provider_server *its;
	struct conf_place at = conf_place_of(e, "host");

	if (s->host == NULL)
		return NULL;
	now = provider_of_host(s->host);
	old = now == NULL ? provider_of_old_host(s->host) : NULL;
	if (old != NULL)
		conf_warning(p, at,
		    "%s is a name of old; %s of %s is %s now: use provider = "
		    "\"%s\" and leave host out",
		    s->host, provider_service_names[service], old->title,
		    old->servers[service].host, old->name);
	if (now == NULL)
		return NULL;
	its = &now->servers[service];
	if (its->host != NULL && strcasecmp(its->host, s->host) == 0)
		return its;
	if (its->host == NULL)
		conf_warning(p, at, "%s has no %s, and this is another server",
		    now->title, provider_service_names[service]);
	else
		conf_warning(p, at, "this is another server; for %s, %s has %s",
		    provider_service_names[service], now->title, its->host);
	return NULL;
}

void
conf_check_account_host(struct conf_problems *p, const struct conf_account *a,
    const struct conf_entry *e)
{
	bool imap = a->protocol == CONF_IMAP;
	const struct provider_server *its = known_server(
	    p, &a->server, imap ? PROVIDER_IMAP : PROVIDER_POP3, e);
	struct conf_place at = conf_place_of(e, "port");
	const char *meaning =
	    meaning_of(account_mixups, a->server.port, a->protocol);

	if (meaning != NULL)
		conf_error(p, at, "port %u is %s; %s inside TLS has port %u",
		    a->server.port, meaning, imap ? "IMAP" : "POP3",
		    imap ? 993 : 995);
	else if (its != NULL && its->port != a->server.port)
		conf_warning(p, at, "%s inside TLS has port %u at %s",
		    imap ? "IMAP" : "POP3", its->port, its->host);
}

static void
say_port(struct conf_problems *p, const struct conf_destination *d,
    const struct provider_server *its, struct conf_place at)
{
	const char *meaning =
	    meaning_of(destination_mixups, d->server.port, d->tls);
	bool implicit = d->tls == CONF_TLS_IMPLICIT;

	if (meaning != NULL && its != NULL)
		conf_error(p, at,
		    "port %u is %s; %s has port %u with tls = \"%s\"",
		    d->server.port, meaning, its->host, its->port,
		    tls_text(its->tls));
	else if (meaning != NULL)
		conf_error(p, at,
		    "port %u is %s; submission with tls = \"%s\" has port %u",
		    d->server.port, meaning, tls_text(d->tls),
		    implicit ? 465 : 587);
	else if (its != NULL && d->server.port != its->port &&
		 d->server.port != its->also)
		conf_warning(p, at,
		    "port %u is not one of %s, which has port %u with tls = "
		    "\"%s\"",
		    d->server.port, its->host, its->port, tls_text(its->tls));
}

void
conf_check_destination_host(struct conf_problems *p,
    const struct conf_destination *d, const struct conf_entry *e)
{
	/* Wrong by its tls, when there is no port. */
	const char *option = conf_was_given(e, "port") ? "port" : "tls";

	say_port(p, d, known_server(p, &d->server, PROVIDER_SMTP, e),
	    conf_place_of(e, option));
}
