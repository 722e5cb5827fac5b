/* SPDX-License-Identifier: ISC */
/*
 * mailhaul reload: the daemon reads its configuration again, and this waits for
 * what comes of it.
 */
#include <stdio.h>
#include <sysexits.h>

#include "cli/cli.h"
#include "cli/client.h"

/* As mailhaul check prints them. */
static void
print_problem(const json_t *o)
{
	const char *file = json_string_value(json_object_get(o, "file"));
	const char *text = json_string_value(json_object_get(o, "text"));
	long long line = json_integer_value(json_object_get(o, "line"));
	const char *kind =
	    json_is_true(json_object_get(o, "warning")) ? "warning: " : "";

	if (file == NULL || text == NULL)
		return;
	if (line > 0)
		fprintf(stderr, "%s:%lld: %s%s\n", file, line, kind, text);
	else
		fprintf(stderr, "%s: %s%s\n", file, kind, text);
}

int
cli_reload(const struct cli_options *o, int argc, char **argv)
{
	struct client_call call = { .post = true, .path = "/v1/reload" };
	struct client *c;
	enum client_result result;
	int code = EX_OK;
	json_t *json, *problem;
	size_t i;

	(void)argv;
	if (argc != 1)
		return cli_usage_error("reload takes nothing");
	c = client_new(o);
	result = client_call(c, &call, &json, &code);
	json_array_foreach(json_object_get(json, "problems"), i, problem)
	    print_problem(problem);
	json_decref(json);
	if (result == CLIENT_OK)
		puts("the configuration was read again");
	else if (result == CLIENT_ABSENT)
		code = client_say_absent(c);
	client_free(&c);
	return code;
}
