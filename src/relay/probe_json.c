/* SPDX-License-Identifier: ISC */
#include "relay/probe_json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/ascii.h"
#include "conf/conf.h"
#include "net/tls.h"

#define TEXT_MAX 1024

/* json_pack() fails for want of memory only: what is not ASCII was cleaned. */
static json_t *
whole(json_t *o)
{
	if (o == NULL)
		abort();
	return o;
}

static json_t *
text_json(const char *s)
{
	char clean[TEXT_MAX];

	if (s == NULL)
		return json_null();
	return whole(
	    json_string(ascii_clean(clean, sizeof(clean), s, strlen(s))));
}

/* A folder is named in UTF-8, unless a person wrote something else. */
static json_t *
folder_json(const char *s)
{
	json_t *o = s != NULL ? json_string(s) : json_null();

	return o != NULL ? o : text_json(s);
}

static json_t *
tls_json(const struct tls_facts *t)
{
	static const char *const trusts[] = {
		[TLS_BY_SYSTEM] = "system",
		[TLS_BY_CA_FILE] = "ca_file",
		[TLS_BY_PIN] = "pin",
	};

	if (t == NULL)
		return json_null();
	return whole(json_pack("{ss ss ss sI sI sI ss}", "version", t->version,
	    "subject", t->subject, "issuer", t->issuer, "not_before",
	    (json_int_t)t->not_before, "not_after", (json_int_t)t->not_after,
	    "days_left",
	    (json_int_t)((t->not_after - (int64_t)time(NULL)) / 86400), "trust",
	    trusts[t->trust]));
}

static json_t *
number_or_null(bool known, uint64_t n)
{
	return known ? json_integer((json_int_t)n) : json_null();
}

static const char *
kind_name(bool destination)
{
	return destination ? "destination" : "account";
}

json_t *
probe_step_json(
    bool destination, const char *name, const struct probe_report *r)
{
	return whole(json_pack("{ss ss ss so ss sI so so so so so so sb}",
	    "kind", kind_name(destination), "name", name, "step",
	    step_name(r->step), "folder", folder_json(r->folder), "outcome",
	    probe_outcome_name(r->outcome), "usec", (json_int_t)r->usec, "text",
	    text_json(r->text), "cure", text_json(r->cure), "words",
	    text_json(r->words), "tls", tls_json(r->tls), "messages",
	    number_or_null(r->counted, r->messages), "new",
	    number_or_null(r->compared, r->fresh), "at_least",
	    (int)r->at_least));
}

json_t *
probe_end_json(bool destination, const char *name, enum probe_outcome outcome)
{
	return whole(
	    json_pack("{ss ss ss ss}", "kind", kind_name(destination), "name",
		name, "step", "end", "outcome", probe_outcome_name(outcome)));
}

static json_t *
server_json(bool destination, const char *name, const char *protocol,
    const struct conf_server *s)
{
	return whole(
	    json_pack("{ss ss ss so sI so}", "kind", kind_name(destination),
		"name", name, "protocol", protocol, "host", text_json(s->host),
		"port", (json_int_t)s->port, "user", text_json(s->user)));
}

json_t *
probe_plan_json(const struct conf_account *const *accounts, size_t naccounts,
    const struct conf_destination *const *destinations, size_t ndestinations)
{
	json_t *list = json_array();

	for (size_t i = 0; i < naccounts; i++)
		json_array_append_new(list,
		    server_json(false, accounts[i]->name,
			accounts[i]->protocol == CONF_POP3 ? "pop3" : "imap",
			&accounts[i]->server));
	for (size_t i = 0; i < ndestinations; i++)
		json_array_append_new(
		    list, server_json(true, destinations[i]->name, "smtp",
			      &destinations[i]->server));
	return whole(json_pack("{so}", "checks", list));
}
