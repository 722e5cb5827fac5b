/* SPDX-License-Identifier: ISC */
/*
 * mailhaul providers: the presets there are and what each of them knows.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <jansson.h>

#include "base/span.h"
#include "cli/cli.h"
#include "conf/option_table.h"
#include "conf/provider.h"

#define COLUMNS 78
#define INDENT 2

static const char *
choice(const char *option, int value)
{
	return option_find(OPTION_DESTINATION, option, NULL)->choices[value];
}

/* --- for people ---------------------------------------------------------- */

static void
print_wrapped(const char *text)
{
	struct span rest = span_str(text);
	size_t column = 0;

	while (rest.n > 0) {
		struct span word = span_cut(&rest, ' ');

		if (word.n == 0)
			continue;
		if (column > 0 && column + 1 + word.n <= COLUMNS) {
			printf(" %.*s", (int)word.n, word.p);
			column += 1 + word.n;
		} else {
			printf("%s%*s%.*s", column > 0 ? "\n" : "", INDENT, "",
			    (int)word.n, word.p);
			column = INDENT + word.n;
		}
	}
	putchar('\n');
}

static void
print_servers(const struct provider *p)
{
	for (int i = 0; i < PROVIDER_SERVICES; i++) {
		const struct provider_server *s = &p->servers[i];

		if (s->host == NULL)
			continue;
		printf("  %-11s %s, port %u", provider_service_names[i],
		    s->host, s->port);
		if (i == PROVIDER_SMTP)
			printf(", tls = \"%s\"", choice("tls", s->tls));
		if (s->also > 0)
			printf(" (or port %u)", s->also);
		if (s->login_delay > 0)
			printf(", a login every %u seconds at most",
			    s->login_delay);
		putchar('\n');
	}
}

static void
print_limit(const char **before, uint64_t n, const char *what)
{
	if (n == 0)
		return;
	printf("%s%llu %s", *before, (unsigned long long)n, what);
	*before = ", ";
}

static void
print_limits(const struct provider *p)
{
	const char *before = "  limits      ";

	print_limit(&before, p->connections, "connections");
	print_limit(&before, p->submissions, "connections that submit");
	print_limit(&before, p->messages, "messages sent a day");
	print_limit(&before, p->recipients, "recipients a day");
	print_limit(&before, p->message_max >> 20, "MB a message sent");
	if (*before == ',')
		putchar('\n');
}

static void
print_provider(const struct provider *p)
{
	printf("%-13s %s\n", p->name, p->title);
	print_servers(p);
	printf("  login       auth = \"%s\"%s%s\n", choice("auth", p->auth),
	    p->oauth.token_url != NULL ? ", OAuth 2.0" : "",
	    p->pin ? ", pin_sha256 is needed" : "");
	printf("  sender      %s\n", choice("sender", p->sender));
	print_limits(p);
	if (p->login != NULL)
		print_wrapped(p->login);
	if (p->note != NULL)
		print_wrapped(p->note);
}

/* --- for programs -------------------------------------------------------- */

static json_t *
text_or_null(const char *s)
{
	return s != NULL ? json_string(s) : json_null();
}

static json_t *
server_json(const struct provider_server *s)
{
	if (s->host == NULL)
		return json_null();
	return json_pack("{s:s, s:i, s:s, s:o, s:i}", "host", s->host, "port",
	    (int)s->port, "tls", choice("tls", s->tls), "also",
	    s->also > 0 ? json_integer(s->also) : json_null(), "login_delay",
	    (int)s->login_delay);
}

static json_t *
oauth_json(const struct provider_oauth *o)
{
	if (o->token_url == NULL)
		return json_null();
	return json_pack("{s:o, s:s, s:s, s:o, s:o}", "tenant",
	    text_or_null(o->tenant), "scope", o->scope, "token_url",
	    o->token_url, "device_url", text_or_null(o->device_url),
	    "authorize_url", text_or_null(o->authorize_url));
}

static json_t *
number_or_null(uint64_t n)
{
	return n > 0 ? json_integer((json_int_t)n) : json_null();
}

static json_t *
provider_json(const struct provider *p)
{
	json_t *domains = json_array();

	for (size_t i = 0; p->domains[i] != NULL; i++)
		json_array_append_new(domains, json_string(p->domains[i]));
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:s, s:o, s:b, s:o, s:o, "
			 "s:o, s:o, s:o, s:s, s:o, s:o, s:o}",
	    "name", p->name, "title", p->title, "imap",
	    server_json(&p->servers[PROVIDER_IMAP]), "pop3",
	    server_json(&p->servers[PROVIDER_POP3]), "smtp",
	    server_json(&p->servers[PROVIDER_SMTP]), "auth",
	    choice("auth", p->auth), "oauth", oauth_json(&p->oauth), "pin",
	    (int)p->pin, "connections", number_or_null(p->connections),
	    "submissions", number_or_null(p->submissions), "messages_per_day",
	    number_or_null(p->messages), "recipients_per_day",
	    number_or_null(p->recipients), "message_max",
	    number_or_null(p->message_max), "sender",
	    choice("sender", p->sender), "login", text_or_null(p->login),
	    "note", text_or_null(p->note), "domains", domains);
}

/* one: NULL for all. */
static int
print_json(const struct provider *one)
{
	json_t *list = json_array(), *o;
	int code = EX_OK;

	for (const struct provider *p = provider_table; p->name != NULL; p++)
		if (one == NULL || one == p)
			json_array_append_new(list, provider_json(p));
	o = json_pack("{s:o}", "providers", list);
	if (o == NULL || json_dumpf(o, stdout, JSON_INDENT(2)) != 0)
		code = EX_IOERR;
	putchar('\n');
	json_decref(o);
	return code;
}

static int
print_text(const struct provider *one)
{
	for (const struct provider *p = provider_table; p->name != NULL; p++) {
		if (one != NULL && one != p)
			continue;
		if (one == NULL && p != provider_table)
			putchar('\n');
		print_provider(p);
	}
	return EX_OK;
}

int
cli_providers(const struct cli_options *o, int argc, char **argv)
{
	const struct provider *one = NULL;
	const char *nearest;
	bool json = false;

	(void)o;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0) {
			json = true;
			continue;
		}
		if (one != NULL || argv[i][0] == '-')
			return cli_usage_error(
			    "providers takes a name and --json, not %s",
			    argv[i]);
		one = provider_find(argv[i], &nearest);
		if (one == NULL && nearest != NULL)
			return cli_usage_error(
			    "there is no provider %s; is %s meant?", argv[i],
			    nearest);
		if (one == NULL)
			return cli_usage_error(
			    "there is no provider %s", argv[i]);
	}
	return json ? print_json(one) : print_text(one);
}
