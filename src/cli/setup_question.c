/* SPDX-License-Identifier: ISC */
/*
 * Each question is a row: its flag, what a person reads, which option the
 * answer has to be legal for, and what is proposed.  A proposal is taken when
 * nobody can be asked.
 */
#include "cli/setup_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "base/secret.h"
#include "conf/conf.h"
#include "conf/option_table.h"
#include "conf/provider.h"

#define NEW "new" /* destination */
#define PROPOSAL_MAX 256

struct question {
	const char *flag;
	/* What is asked; NULL: it can only be given. */
	const char *text;
	/* Of the option with which the answer is checked. */
	enum option_scope scope;
	const char *option;
	/* NULL: it is not wanted as things are.  "": it is, and there is
	 * nothing to propose. */
	const char *(*propose)(const struct setup *s, char buf[PROPOSAL_MAX]);
};

/* --- what is proposed ---------------------------------------------------- */

static const char *
always(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)s;
	(void)buf;
	return "";
}

static const char *
provider_name(const char *address)
{
	const struct provider *p = provider_of_address(address);

	return p != NULL ? p->name : "custom";
}

static const char *
propose_provider(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	if (s->answers[SETUP_HOST] != NULL)
		return NULL;
	return provider_name(s->answers[SETUP_ADDRESS]);
}

static const char *
propose_protocol(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)s;
	(void)buf;
	return "imap";
}

static const char *
propose_host(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	return s->from->servers[PROVIDER_IMAP].host == NULL ? "" : NULL;
}

static const char *
propose_pin(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	return s->from->pin && s->answers[SETUP_CA_FILE] == NULL ? "" : NULL;
}

static const char *
propose_user(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	return s->answers[SETUP_ADDRESS];
}

static const char *
propose_client_id(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	return setup_uses_token(s, false) ? "" : NULL;
}

static bool
is_taken(const struct conf *c, const char *name)
{
	for (size_t i = 0; c != NULL && i < c->naccounts; i++)
		if (strcmp(c->accounts[i].name, name) == 0)
			return true;
	for (size_t i = 0; c != NULL && i < c->ndestinations; i++)
		if (strcmp(c->destinations[i].name, name) == 0)
			return true;
	return false;
}

/* An account and its destination have their secrets in one folder. */
static bool
is_free(const struct setup *s, const char *name)
{
	const char *account = s->answers[SETUP_NAME];

	return !is_taken(s->have, name) && !setup_has_files(s, name) &&
	       (account == NULL || strcmp(account, name) != 0);
}

static const char *
free_name(const struct setup *s, const char *word, char buf[PROPOSAL_MAX])
{
	snprintf(buf, PROPOSAL_MAX, "%s", word);
	for (unsigned n = 2; !is_free(s, buf); n++)
		snprintf(buf, PROPOSAL_MAX, "%s-%u", word, n);
	return buf;
}

/* hotmail, of me@hotmail.com */
static const char *
propose_name(const struct setup *s, char buf[PROPOSAL_MAX])
{
	const char *domain = strchr(s->answers[SETUP_ADDRESS], '@') + 1;
	char word[64];

	snprintf(word, sizeof(word), "%.*s", (int)strcspn(domain, "."), domain);
	for (char *p = word; *p != '\0'; p++)
		*p = ascii_lower(*p);
	return free_name(s, word, buf);
}

static const char *
propose_first(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)s;
	(void)buf;
	return "new";
}

static const char *
propose_after(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)s;
	(void)buf;
	return "keep";
}

static bool
wants_destination(const struct setup *s)
{
	return s->answers[SETUP_TO] != NULL || s->have == NULL ||
	       s->have->ndestinations == 0;
}

static const char *
propose_destination(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	return wants_destination(s) ? NEW : s->have->destinations[0].name;
}

static const char *
propose_to(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	return s->makes_destination ? "" : NULL;
}

static const char *
propose_to_provider(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	if (!s->makes_destination || s->answers[SETUP_TO_HOST] != NULL)
		return NULL;
	return provider_name(s->answers[SETUP_TO]);
}

static const char *
propose_to_host(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	return s->makes_destination &&
	               s->to->servers[PROVIDER_SMTP].host == NULL
	           ? ""
	           : NULL;
}

static const char *
propose_to_tls(const struct setup *s, char buf[PROPOSAL_MAX])
{
	return propose_to_host(s, buf) != NULL ? "implicit" : NULL;
}

static const char *
propose_to_pin(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	return s->makes_destination && s->to->pin &&
	               s->answers[SETUP_TO_CA_FILE] == NULL
	           ? ""
	           : NULL;
}

static const char *
propose_to_user(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	return s->makes_destination ? s->answers[SETUP_TO] : NULL;
}

static const char *
propose_to_client_id(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	if (!s->makes_destination || !setup_uses_token(s, true))
		return NULL;
	/* One client serves all mailboxes of a provider. */
	if (s->to == s->from && s->answers[SETUP_CLIENT_ID] != NULL)
		return s->answers[SETUP_CLIENT_ID];
	return "";
}

/* Delivery reports go there. */
static const char *
propose_mail_from(const struct setup *s, char buf[PROPOSAL_MAX])
{
	(void)buf;
	if (!s->makes_destination ||
	    option_is_address(s->answers[SETUP_TO_USER]))
		return NULL;
	return s->answers[SETUP_TO];
}

static const char *
propose_to_name(const struct setup *s, char buf[PROPOSAL_MAX])
{
	return s->makes_destination ? free_name(s, "home", buf) : NULL;
}

/* --- the questions ------------------------------------------------------- */

#define A OPTION_ACCOUNT
#define D OPTION_DESTINATION

/* clang-format off */
static const struct question questions[SETUP_ANSWERS] = {
	[SETUP_ADDRESS] = { "--address", "Address of the mailbox",
		D, "recipient", always },
	[SETUP_PROVIDER] = { "--provider",
		"Provider (mailhaul providers lists them)",
		A, "provider", propose_provider },
	[SETUP_PROTOCOL] = { "--protocol", "Protocol, imap or pop3",
		A, "protocol", propose_protocol },
	[SETUP_HOST] = { "--host", "Server of the mailbox",
		A, "host", propose_host },
	[SETUP_PORT] = { "--port", NULL, A, "port", NULL },
	[SETUP_CA_FILE] = { "--ca-file", NULL, A, "ca_file", NULL },
	[SETUP_PIN] = { "--pin-sha256", "SHA-256 of its certificate",
		A, "pin_sha256", propose_pin },
	[SETUP_USER] = { "--user", "Login name", A, "user", propose_user },
	[SETUP_AUTH] = { "--auth", NULL, A, "auth", NULL },
	[SETUP_CLIENT_ID] = { "--client-id", "OAuth client id",
		A, "oauth_client_id", propose_client_id },
	[SETUP_TENANT] = { "--tenant", NULL, A, "oauth_tenant", NULL },
	[SETUP_NAME] = { "--name", "Name of the account here",
		A, "name", propose_name },
	[SETUP_FIRST] = { "--first",
		"Of what is there already, relay nothing (new) or all",
		A, "first", propose_first },
	[SETUP_AFTER] = { "--after",
		"What is relayed, keep or delete at the mailbox",
		A, "after", propose_after },
	[SETUP_DESTINATION] = { "--destination",
		"Relay to which destination, or to a new one (new)",
		D, "name", propose_destination },
	[SETUP_TO] = { "--to", "Address where you read your mail",
		D, "recipient", propose_to },
	[SETUP_TO_PROVIDER] = { "--to-provider", "Its provider",
		D, "provider", propose_to_provider },
	[SETUP_TO_HOST] = { "--to-host", "Its submission server",
		D, "host", propose_to_host },
	[SETUP_TO_TLS] = { "--to-tls",
		"TLS there, implicit (port 465) or starttls (port 587)",
		D, "tls", propose_to_tls },
	[SETUP_TO_PORT] = { "--to-port", NULL, D, "port", NULL },
	[SETUP_TO_CA_FILE] = { "--to-ca-file", NULL, D, "ca_file", NULL },
	[SETUP_TO_PIN] = { "--to-pin-sha256", "SHA-256 of its certificate",
		D, "pin_sha256", propose_to_pin },
	[SETUP_TO_USER] = { "--to-user", "Login name there",
		D, "user", propose_to_user },
	[SETUP_TO_AUTH] = { "--to-auth", NULL, D, "auth", NULL },
	[SETUP_TO_CLIENT_ID] = { "--to-client-id", "OAuth client id",
		D, "oauth_client_id", propose_to_client_id },
	[SETUP_TO_TENANT] = { "--to-tenant", NULL, D, "oauth_tenant", NULL },
	[SETUP_TO_MAIL_FROM] = { "--mail-from", "Sender of the envelope",
		D, "mail_from", propose_mail_from },
	[SETUP_TO_SENDER] = { "--sender", NULL, D, "sender", NULL },
	[SETUP_TO_NAME] = { "--to-name", "Name of the destination here",
		D, "name", propose_to_name },
};
/* clang-format on */

char **
setup_flag(struct setup *s, const char *flag)
{
	for (int i = 0; i < SETUP_ANSWERS; i++)
		if (strcmp(questions[i].flag, flag) == 0)
			return &s->answers[i];
	return NULL;
}

void
setup_print_flags(void)
{
	for (int i = 0; i < SETUP_ANSWERS; i++)
		puts(questions[i].flag);
}

/* Whether the answer makes a legal option; else it is said what does. */
static bool
is_legal(const struct question *q, const char *answer)
{
	union {
		struct conf_account account;
		struct conf_destination destination;
	} u;
	const struct option *o = option_find(q->scope, q->option, NULL);
	const char *nearest = NULL;
	bool ok;

	memset(&u, 0, sizeof(u));
	ok = option_set(o, answer, &u);
	option_free(o, &u);
	if (!ok) {
		fprintf(stderr, "mailhaul: %s: this wants %s\n", q->flag,
		    option_wants(o).s);
		return false;
	}
	/* conf.d/.NAME.conf would not be read. */
	if (strcmp(q->option, "name") == 0 && answer[0] == '.') {
		fprintf(
		    stderr, "mailhaul: %s: not with a dot in front\n", q->flag);
		return false;
	}
	if (strcmp(q->option, "provider") != 0 ||
	    provider_find(answer, &nearest) != NULL)
		return true;
	fprintf(stderr, "mailhaul: %s: there is no provider %s%s%s%s\n",
	    q->flag, answer, nearest != NULL ? "; is " : "",
	    nearest != NULL ? nearest : "", nearest != NULL ? " meant?" : "");
	return false;
}

static bool
is_same(const char *a, const char *b)
{
	return a != NULL && strcasecmp(a, b) == 0;
}

/* The mailbox itself is found by conf_check() only when its address is the
 * user, and after the last question. */
static bool
is_circle(const struct setup *s, int i, const char *answer)
{
	bool circle =
	    i == SETUP_TO && (is_same(s->answers[SETUP_ADDRESS], answer) ||
				 is_same(s->answers[SETUP_USER], answer));

	for (size_t n = 0;
	     i == SETUP_TO && s->have != NULL && n < s->have->naccounts; n++)
		circle =
		    circle || is_same(s->have->accounts[n].server.user, answer);
	if (circle)
		fputs("mailhaul: --to: mail to this address would be fetched "
		      "again and go round in a circle\n",
		    stderr);
	return circle;
}

static int
input_ended(void)
{
	fputs("\nmailhaul: the input ended before everything was known; "
	      "nothing was written\n",
	    stderr);
	return EX_NOINPUT;
}

static int
ask_person(struct setup *s, int i, const char *proposal)
{
	const struct question *q = &questions[i];
	char prompt[512];

	if (*proposal != '\0')
		snprintf(
		    prompt, sizeof(prompt), "%s [%s]: ", q->text, proposal);
	else
		snprintf(prompt, sizeof(prompt), "%s: ", q->text);
	for (;;) {
		char *line = setup_line(prompt);

		if (line == NULL)
			return input_ended();
		if (*line == '\0' && *proposal != '\0') {
			free(line);
			line = mem_strdup(proposal);
		}
		if (*line != '\0' && is_legal(q, line) &&
		    !is_circle(s, i, line)) {
			s->answers[i] = line;
			return EX_OK;
		}
		free(line);
	}
}

static int
ask_one(struct setup *s, int i)
{
	const struct question *q = &questions[i];
	char buf[PROPOSAL_MAX];
	const char *proposal;

	if (s->answers[i] != NULL)
		return is_legal(q, s->answers[i]) &&
		               !is_circle(s, i, s->answers[i])
		           ? EX_OK
		           : EX_USAGE;
	proposal = q->propose != NULL ? q->propose(s, buf) : NULL;
	if (proposal == NULL)
		return EX_OK;
	if (s->terminal)
		return ask_person(s, i, proposal);
	if (*proposal == '\0')
		return cli_usage_error("setup wants %s", q->flag);
	s->answers[i] = mem_strdup(proposal);
	return is_legal(q, proposal) ? EX_OK : EX_USAGE;
}

/* --- what follows from an answer ------------------------------------------ */

bool
setup_uses_token(const struct setup *s, bool destination)
{
	const char *auth = s->answers[destination ? SETUP_TO_AUTH : SETUP_AUTH];
	const char *id =
	    s->answers[destination ? SETUP_TO_CLIENT_ID : SETUP_CLIENT_ID];
	const struct provider *p = destination ? s->to : s->from;

	if (auth == NULL && p->auth != CONF_AUTH_AUTO)
		return true;
	if (auth == NULL || strcmp(auth, "auto") == 0)
		return id != NULL;
	return strcmp(auth, "xoauth2") == 0 || strcmp(auth, "oauthbearer") == 0;
}

static const struct provider *
chosen(const struct setup *s, enum setup_answer a)
{
	const char *name = s->answers[a] != NULL ? s->answers[a] : "custom";
	const struct provider *p = provider_find(name, NULL);

	if (s->terminal && p->login != NULL)
		fprintf(stderr, "\n  %s\n  %s\n\n", p->title, p->login);
	return p;
}

static int
use_destination(struct setup *s)
{
	const char *name = s->answers[SETUP_DESTINATION];

	for (size_t i = 0; s->have != NULL && i < s->have->ndestinations; i++)
		if (strcmp(s->have->destinations[i].name, name) == 0) {
			if (s->answers[SETUP_TO] == NULL)
				return EX_OK;
			return cli_usage_error(
			    "setup: --to is for a new destination");
		}
	s->makes_destination = strcmp(name, NEW) == 0;
	if (s->makes_destination)
		return EX_OK;
	return cli_usage_error("setup: there is no destination %s", name);
}

static int
follow(struct setup *s, int i)
{
	if (i == SETUP_PROVIDER)
		s->from = chosen(s, SETUP_PROVIDER);
	else if (i == SETUP_DESTINATION)
		return use_destination(s);
	else if (i == SETUP_TO_PROVIDER && s->makes_destination)
		s->to = chosen(s, SETUP_TO_PROVIDER);
	return EX_OK;
}

/* --- passwords ------------------------------------------------------------ */

static int
get_password(struct setup *s, struct setup_password *p, const char *prompt)
{
	const char *flag = p == &s->password ? "--password" : "--to-password";

	if (p->command != NULL)
		return EX_OK;
	if (p->file != NULL) {
		p->secret = setup_secret_file(p->file);
		if (p->secret != NULL)
			return EX_OK;
		fprintf(stderr, "mailhaul: %s: %s\n", p->file,
		    "no password can be read from its first line");
		return EX_NOINPUT;
	}
	if (!p->from_stdin && !s->terminal)
		return cli_usage_error(
		    "setup wants %s-file, %s-stdin or %s-command", flag, flag,
		    flag);
	p->secret = setup_secret_line(s->terminal ? prompt : "");
	return p->secret != NULL ? EX_OK : input_ended();
}

/* Some providers give one to each client, though it is not much of a secret
 * in a program that everybody has. */
static int
get_client_secret(struct setup_password *p, bool tokens, const char *flag)
{
	if (p->file == NULL)
		return EX_OK;
	if (!tokens)
		return cli_usage_error("setup: %s is for tokens", flag);
	p->secret = setup_secret_file(p->file);
	if (p->secret != NULL)
		return EX_OK;
	fprintf(stderr,
	    "mailhaul: %s: no secret can be read from its first "
	    "line\n",
	    p->file);
	return EX_NOINPUT;
}

bool
setup_shares_client(const struct setup *s)
{
	const char *id = s->answers[SETUP_CLIENT_ID];
	const char *to = s->answers[SETUP_TO_CLIENT_ID];

	return s->makes_destination && s->from == s->to && id != NULL &&
	       to != NULL && strcmp(id, to) == 0;
}

/* On standard input that of the account comes first. */
static int
get_passwords(struct setup *s)
{
	int code = EX_OK;

	if (!setup_uses_token(s, false))
		code = get_password(
		    s, &s->password, "Password of the mailbox (not shown): ");
	if (code == EX_OK && s->makes_destination && !setup_uses_token(s, true))
		code = get_password(s, &s->to_password,
		    "Password at the destination (not shown): ");
	if (code == EX_OK)
		code = get_client_secret(&s->client, setup_uses_token(s, false),
		    "--client-secret-file");
	if (code == EX_OK)
		code = get_client_secret(&s->to_client,
		    s->makes_destination && setup_uses_token(s, true),
		    "--to-client-secret-file");
	return code;
}

int
setup_ask(struct setup *s)
{
	int code = EX_OK;

	for (int i = 0; i < SETUP_ANSWERS && code == EX_OK; i++) {
		code = ask_one(s, i);
		if (code == EX_OK)
			code = follow(s, i);
	}
	return code == EX_OK ? get_passwords(s) : code;
}
