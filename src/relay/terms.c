/* SPDX-License-Identifier: ISC */
#include "relay/terms.h"

#include <stdio.h>

#include "conf/conf.h"
#include "relay/retry.h"

static uint64_t
hash_number(uint64_t hash, uint64_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
	return retry_hash(hash, text);
}

static uint64_t
hash_text(uint64_t hash, const char *text)
{
	return retry_hash(hash, text != NULL ? text : "");
}

static uint64_t
token_terms(uint64_t hash, const struct conf_server *c)
{
	hash = hash_text(hash, c->oauth_client_id);
	hash = hash_text(hash, c->oauth_client_secret);
	hash = hash_text(hash, c->oauth_scope);
	hash = hash_text(hash, c->oauth_token_url);
	hash = hash_text(hash, c->oauth_device_url);
	hash = hash_text(hash, c->oauth_authorize_url);
	return hash_text(hash, c->oauth_ca_file);
}

/* Whatever a person would change to end a pause. */
static uint64_t
server_terms(const struct conf_server *c, const char *name)
{
	uint64_t hash = retry_hash(RETRY_HASH_START, name);

	hash = retry_hash(hash, c->host);
	hash = hash_number(hash, c->port);
	hash = retry_hash(hash, c->user);
	hash = hash_text(hash, c->password);
	hash = hash_number(hash, (uint64_t)c->auth);
	hash = hash_text(hash, c->ca_file);
	for (size_t i = 0; c->pinned && i < sizeof(c->pin); i++)
		hash = hash_number(hash, c->pin[i]);
	return token_terms(hash, c);
}

uint64_t
terms_of_destination(const struct conf_destination *d)
{
	uint64_t hash = server_terms(&d->server, d->name);

	hash = hash_number(hash, (uint64_t)d->tls);
	hash = retry_hash(hash, d->mail_from);
	hash = retry_hash(hash, d->recipient);
	return hash_text(hash, d->ehlo);
}

uint64_t
terms_of_account(const struct conf_account *a)
{
	return hash_number(
	    server_terms(&a->server, a->name), (uint64_t)a->protocol);
}
