/* SPDX-License-Identifier: ISC */
/*
 * What an account or a destination does not say: its preset fills it, and then
 * what goes without saying.  What was given always wins.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/conf_internal.h"
#include "conf/option_table.h"
#include "conf/provider.h"

#define SMTPS 465
#define SUBMISSION 587

/* NULL: there is none, or one that does not exist. */
static const struct provider *
preset_of(const struct conf_server *s, const struct conf_entry *e,
    struct conf_problems *p)
{
	const struct provider *preset;
	const char *nearest;

	if (s->provider == NULL)
		return NULL;
	preset = provider_find(s->provider, &nearest);
	if (preset == NULL && nearest != NULL)
		conf_error(p, conf_place_of(e, "provider"),
		    "there is no provider \"%s\"; is \"%s\" meant?",
		    s->provider, nearest);
	else if (preset == NULL)
		conf_error(p, conf_place_of(e, "provider"),
		    "there is no provider \"%s\"; mailhaul providers lists "
		    "them",
		    s->provider);
	return preset;
}

static void
fill(const struct conf_entry *e, const char *option, char **value,
    const char *preset)
{
	if (preset != NULL && *value == NULL && !conf_was_given(e, option))
		*value = mem_strdup(preset);
}

static void
fill_url(
    const struct conf_entry *e, const char *option, char **value, char *preset)
{
	fill(e, option, value, preset);
	free(preset);
}

/* Nothing of it stands there unless it is of use: what is there is compared at
 * a reload. */
static void
fill_oauth(struct conf_server *s, const struct provider *preset,
    const struct conf_entry *e, struct conf_problems *p)
{
	const struct provider_oauth *o = &preset->oauth;
	const char *tenant =
	    s->oauth_tenant != NULL ? s->oauth_tenant : o->tenant;

	if (s->oauth_tenant != NULL && o->tenant == NULL)
		conf_warning(p, conf_place_of(e, "oauth_tenant"),
		    "oauth_tenant is not used: the addresses of provider "
		    "\"%s\" have none",
		    preset->name);
	if (!conf_server_uses_token(s))
		return;
	fill(e, "oauth_scope", &s->oauth_scope, o->scope);
	fill_url(e, "oauth_token_url", &s->oauth_token_url,
	    provider_url(o->token_url, tenant));
	fill_url(e, "oauth_device_url", &s->oauth_device_url,
	    provider_url(o->device_url, tenant));
	fill_url(e, "oauth_authorize_url", &s->oauth_authorize_url,
	    provider_url(o->authorize_url, tenant));
}

/* Else it is "custom". */
static bool
has_servers(const struct provider *p)
{
	return p->servers[PROVIDER_IMAP].host != NULL;
}

/* False: the provider has no such server. */
static bool
fill_server(struct conf_server *s, const struct provider *preset,
    enum provider_service service, const struct conf_entry *e,
    struct conf_problems *p)
{
	const struct provider_server *its = &preset->servers[service];

	if (!conf_was_given(e, "auth"))
		s->auth = preset->auth;
	fill_oauth(s, preset, e, p);
	if (its->host == NULL && s->host == NULL && has_servers(preset)) {
		conf_error(p,
		    conf_place_of(
			e, service == PROVIDER_SMTP ? "provider" : "protocol"),
		    "%s has no %s%s", preset->title,
		    provider_service_names[service],
		    service == PROVIDER_POP3 ? "; use protocol = \"imap\""
					     : "");
		return false;
	}
	if (preset->pin && !conf_was_given(e, "pin_sha256") &&
	    !conf_was_given(e, "ca_file"))
		conf_error(p, conf_place_of(e, "provider"),
		    "pin_sha256 is missing: the certificate of %s is signed "
		    "by nobody, so it has to be pinned",
		    preset->title);
	fill(e, "host", &s->host, its->host);
	return its->host != NULL;
}

/* most 0: that is not known. */
static void
fill_connections(unsigned *mine, unsigned most, const struct provider *preset,
    const struct conf_entry *e, struct conf_problems *p)
{
	if (most == 0 || *mine <= most)
		return;
	if (conf_was_given(e, "connections"))
		conf_warning(p, conf_place_of(e, "connections"),
		    "%s allows %u connections, those of other programs "
		    "included",
		    preset->title, most);
	else
		*mine = most;
}

/* Whoever asks more often is turned away. */
static void
fill_pace(struct conf_account *a, const struct provider *preset,
    const struct provider_server *its, const struct conf_entry *e,
    struct conf_problems *p)
{
	a->login_delay = its->login_delay;
	if (!conf_was_given(e, "interval") && a->interval < a->login_delay)
		a->interval = a->login_delay;
	if (a->interval < a->login_delay)
		conf_warning(p, conf_place_of(e, "interval"),
		    "%s wants %u seconds between logins, so polls will be "
		    "that far apart",
		    preset->title, its->login_delay);
	fill_connections(&a->connections, preset->connections, preset, e, p);
}

static void
need_host(const struct conf_server *s, const struct conf_entry *e,
    struct conf_problems *p)
{
	if (s->host == NULL && !conf_was_given(e, "host"))
		conf_error(p, e->at, "host is missing; it wants %s",
		    option_wants(option_find(OPTION_ACCOUNT, "host", NULL)).s);
}

void
conf_fill_account(
    struct conf_account *a, const struct conf_entry *e, struct conf_problems *p)
{
	enum provider_service service =
	    a->protocol == CONF_POP3 ? PROVIDER_POP3 : PROVIDER_IMAP;
	const struct provider *preset = preset_of(&a->server, e, p);
	const struct provider_server *its;
	bool known = preset == NULL && a->server.provider != NULL;

	if (preset != NULL) {
		its = &preset->servers[service];
		known = has_servers(preset);
		if (fill_server(&a->server, preset, service, e, p)) {
			if (!conf_was_given(e, "port"))
				a->server.port = its->port;
			fill_pace(a, preset, its, e, p);
		}
	}
	if (!known)
		need_host(&a->server, e, p);
	if (a->server.port == 0 && !conf_was_given(e, "port"))
		a->server.port = a->protocol == CONF_POP3 ? 995 : 993;
	a->server.pinned = conf_was_given(e, "pin_sha256");
	if (a->protocol == CONF_POP3 && !conf_was_given(e, "idle"))
		a->idle = false;
}

/* Each says what the other is, where one of them was given and there is a
 * preset that could mean the other. */
static void
fill_tls(struct conf_destination *d, const struct provider_server *its,
    const struct conf_entry *e)
{
	unsigned *port = &d->server.port;

	if (!conf_was_given(e, "tls")) {
		d->tls = its->tls;
		if (*port == SMTPS)
			d->tls = CONF_TLS_IMPLICIT;
		else if (*port == SUBMISSION)
			d->tls = CONF_TLS_STARTTLS;
	}
	if (!conf_was_given(e, "port") && d->tls == its->tls)
		*port = its->port;
}

void
conf_fill_destination(struct conf_destination *d, const struct conf_entry *e,
    struct conf_problems *p)
{
	const struct provider *preset = preset_of(&d->server, e, p);
	bool known = preset == NULL && d->server.provider != NULL;

	if (preset != NULL) {
		known = has_servers(preset);
		if (fill_server(&d->server, preset, PROVIDER_SMTP, e, p)) {
			fill_tls(d, &preset->servers[PROVIDER_SMTP], e);
			fill_connections(
			    &d->connections, preset->submissions, preset, e, p);
		}
		if (!conf_was_given(e, "sender"))
			d->sender = preset->sender;
	}
	if (!known)
		need_host(&d->server, e, p);
	if (d->server.port == 0 && !conf_was_given(e, "port"))
		d->server.port =
		    d->tls == CONF_TLS_STARTTLS ? SUBMISSION : SMTPS;
	d->server.pinned = conf_was_given(e, "pin_sha256");
}
