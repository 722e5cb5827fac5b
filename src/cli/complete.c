/* SPDX-License-Identifier: ISC */
/*
 * mailhaul --complete WHAT: words for the completion of shells, a line each,
 * and never a complaint.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "conf/provider.h"

static const struct kind {
	const char *name, *path, *list;
} kinds[] = {
	{ "accounts", "/v1/status", "accounts" },
	{ "destinations", "/v1/status", "destinations" },
	{ "held", "/v1/held", "held" },
};

static void
print_names(const struct cli_options *o, const struct kind *k)
{
	struct client_call call = { .quiet = true, .path = k->path };
	struct client *c = client_new(o);
	const json_t *one;
	json_t *answer;
	size_t i;
	int code;

	client_call(c, &call, &answer, &code);
	json_array_foreach(json_object_get(answer, k->list), i, one)
	{
		const char *name =
		    json_string_value(json_object_get(one, "name"));

		if (name != NULL)
			puts(name);
	}
	json_decref(answer);
	client_free(&c);
}

static void
print_providers(void)
{
	for (const struct provider *p = provider_table; p->name != NULL; p++)
		puts(p->name);
}

int
cli_complete(const struct cli_options *o, int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "providers") == 0)
		print_providers();
	if (argc > 1 && strcmp(argv[1], "setup") == 0)
		cli_setup_flags();
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (argc > 1 && strcmp(argv[1], kinds[i].name) == 0)
			print_names(o, &kinds[i]);
	return EX_OK;
}
