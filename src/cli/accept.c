/* SPDX-License-Identifier: ISC */
/*
 * mailhaul accept: what a person says when most of a mailbox was suddenly
 * unknown and its account was paused.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/offline.h"
#include "store/store.h"

struct acceptance {
	struct client *client;
	struct offline offline;
	const char *account;
	bool as_known, is_soon;
	uint64_t messages;
	int code;
};

static void
on_accepted(void *arg, struct store_answer *a)
{
	struct acceptance *c = arg;

	offline_answered(&c->offline);
	if (a->ok && a->unknown > 0) {
		c->messages = a->unknown;
		c->code = EX_OK;
		return;
	}
	c->code = a->ok ? EX_DATAERR : EX_IOERR;
	if (a->ok)
		fprintf(stderr, "mailhaul: nothing is asked about account %s\n",
		    c->account);
	else
		fprintf(stderr, "mailhaul: %s\n", a->fault.text);
}

static void
ask_state(struct acceptance *c)
{
	if (!offline_open(&c->offline, c->client, &c->code))
		return;
	store_accept(c->offline.store, c->account, c->as_known,
	    (struct store_done){ on_accepted, c });
	offline_wait(&c->offline);
	offline_close(&c->offline);
}

static void
ask(struct acceptance *c)
{
	struct client_call call = {
		.post = true,
		.path = "/v1/accounts",
		.name = c->account,
		.verb = "accept",
		.as = c->as_known ? "known" : "relay",
	};
	json_t *json;

	switch (client_call(c->client, &call, &json, &c->code)) {
	case CLIENT_OK:
		c->messages = (uint64_t)json_integer_value(
		    json_object_get(json, "messages"));
		c->is_soon = true;
		break;
	case CLIENT_ABSENT:
		ask_state(c);
		break;
	case CLIENT_FAILED:
		if (call.code == 409)
			c->code = EX_DATAERR;
		break;
	}
	json_decref(json);
}

int
cli_accept(const struct cli_options *o, int argc, char **argv)
{
	struct acceptance c = { .code = EX_OK };

	if (argc != 3 || (strcmp(argv[2], "--as-known") != 0 &&
			     strcmp(argv[2], "--relay") != 0))
		return cli_usage_error(
		    "accept takes an account and --as-known or --relay");
	c.account = argv[1];
	c.as_known = strcmp(argv[2], "--as-known") == 0;
	c.client = client_new(o);
	ask(&c);
	client_free(&c.client);
	if (c.code == EX_OK)
		printf("%s: %llu messages %s\n", c.account,
		    (unsigned long long)c.messages,
		    c.as_known
			? "are known from the next poll on and not relayed"
		    : c.is_soon ? "will be relayed now"
				: "will be relayed from the next poll on");
	return c.code;
}
