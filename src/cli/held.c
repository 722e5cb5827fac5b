/* SPDX-License-Identifier: ISC */
/*
 * mailhaul held: what waits for a person, and what he decides.
 *
 * A message is named by its trace, which is in the log and in the header of
 * every copy; one that was never downloaded has none, and is named by the
 * number of its record.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include <jansson.h>

#include "base/span.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/offline.h"
#include "cli/text.h"
#include "relay/record_json.h"
#include "store/store.h"

#define PAGE 256

struct held {
	struct client *client;
	struct offline state;
	bool offline;               /* no daemon runs, and the state is open */
	const char *name, *account; /* NULL: not given */
	bool json, all, whole;      /* --json, --all, show */
	int code;
	json_t *answer; /* owned; of the last request */
};

/* --- what a person reads */

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static int64_t
number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static const char *
size_of(const json_t *o, char text[TEXT_MAX])
{
	int64_t size = number_of(o, "size");

	snprintf(text, TEXT_MAX, size > 0 ? "%lld" : "-", (long long)size);
	return text;
}

#define ROW "%-26s  %-14s %-12.120s %-12s %9s %5s  %s%s\n"

static void
print_row(const json_t *o)
{
	char size[TEXT_MAX], age[TEXT_MAX];
	bool doubt = json_is_true(json_object_get(o, "doubt"));

	printf(ROW, text_of(o, "name"), text_of(o, "account"),
	    text_of(o, "uid"), text_of(o, "destination"), size_of(o, size),
	    text_span(age, time(NULL) - number_of(o, "held_since")),
	    text_of(o, "reason"), doubt ? " (a copy may have arrived)" : "");
}

static void
print_whole(const json_t *o)
{
	char size[TEXT_MAX], seen[TEXT_MAX], since[TEXT_MAX];
	bool doubt = json_is_true(json_object_get(o, "doubt"));

	printf("%s\n"
	       "  account:      %s, %s, uid %s\n"
	       "  destination:  %s\n"
	       "  size:         %s\n"
	       "  first seen:   %s\n"
	       "  held since:   %s\n"
	       "  attempts:     %lld%s\n"
	       "  why:          %s\n",
	    text_of(o, "name"), text_of(o, "account"), text_of(o, "folder"),
	    text_of(o, "uid"), text_of(o, "destination"), size_of(o, size),
	    text_date(seen, number_of(o, "first_seen")),
	    text_date(since, number_of(o, "held_since")),
	    (long long)number_of(o, "attempt"),
	    doubt ? ", one of which may have been accepted" : "",
	    text_of(o, "reason"));
}

static void
print_json(json_t *rows)
{
	json_t *o = json_pack("{sO}", "held", rows);

	if (o == NULL || json_dumpf(o, stdout, JSON_INDENT(2)) != 0)
		abort();
	putchar('\n');
	json_decref(o);
}

static void
print_rows(const struct held *h, const json_t *rows)
{
	size_t i;
	json_t *o;

	if (!h->whole && json_array_size(rows) > 0)
		printf(ROW, "NAME", "ACCOUNT", "UID", "DESTINATION", "SIZE",
		    "HELD", "WHY", "");
	json_array_foreach(rows, i, o)
	{
		if (h->whole)
			print_whole(o);
		else
			print_row(o);
	}
}

/* --- asking the daemon, or the state when there is none */

static struct store_choice
choice_of(const struct held *h)
{
	struct store_choice c = { .account = h->account };
	uint64_t id;

	if (h->name != NULL && span_uint(span_str(h->name), INT64_MAX, &id))
		c.id = (int64_t)id;
	else
		c.trace = h->name;
	return c;
}

static void
on_answer(struct held *h, const struct store_answer *a)
{
	if (!a->ok) {
		fprintf(stderr, "mailhaul: %s\n", a->fault.text);
		h->code = EX_IOERR;
	}
	offline_answered(&h->state);
}

static void
on_page(void *arg, struct store_answer *a)
{
	struct held *h = arg;

	h->answer = json_pack("{so so}", "held",
	    record_held_json(a->rows, a->nrows), "next",
	    a->nrows == PAGE ? json_integer(a->rows[PAGE - 1].id)
			     : json_null());
	on_answer(h, a);
}

static void
on_decided(void *arg, struct store_answer *a)
{
	struct held *h = arg;

	h->answer = json_pack("{sI}", "decided", (json_int_t)a->decided);
	on_answer(h, a);
}

/* verb NULL: the page behind after.  false: h->code says why. */
static bool
ask_state(struct held *h, const char *verb, int64_t after)
{
	struct store_choice c = choice_of(h);
	struct store_done done = { verb == NULL ? on_page : on_decided, h };

	if (verb == NULL)
		store_held_list(h->state.store, &c, after, PAGE, done);
	else if (strcmp(verb, "release") == 0)
		store_held_release(h->state.store, &c, time(NULL), done);
	else
		store_held_drop(h->state.store, &c, time(NULL), done);
	offline_wait(&h->state);
	return h->code == EX_OK;
}

static enum client_result
ask_daemon(struct held *h, const char *verb, int64_t after)
{
	struct client_call call = {
		.post = verb != NULL,
		.path = "/v1/held",
		.name = h->name,
		.verb = verb,
		.account = h->account,
		.after = after,
		.limit = verb == NULL ? PAGE : 0,
	};
	enum client_result result;

	call.quiet = true;
	result = client_call(h->client, &call, &h->answer, &h->code);
	/* That there is none is told in the same words with and without it. */
	if (result == CLIENT_FAILED && call.code != 404)
		fprintf(stderr, "mailhaul: %s\n", call.why);
	if (call.code == 404)
		h->code = EX_OK;
	return result;
}

static bool
ask(struct held *h, const char *verb, int64_t after)
{
	enum client_result result = CLIENT_ABSENT;

	json_decref(h->answer);
	h->answer = NULL;
	if (!h->offline)
		result = ask_daemon(h, verb, after);
	if (result != CLIENT_ABSENT)
		return h->code == EX_OK;
	if (!h->offline && !offline_open(&h->state, h->client, &h->code))
		return false;
	h->offline = true;
	h->code = EX_OK;
	return ask_state(h, verb, after);
}

/* --- the commands */

static void
not_found(struct held *h)
{
	if (h->name != NULL) {
		fputs("mailhaul: no held message has that name\n", stderr);
		h->code = EX_NOINPUT;
	} else if (!h->json) {
		puts("no message is held");
	}
}

static void
list(struct held *h)
{
	json_t *rows = json_array(), *next;
	int64_t after = 0;

	do {
		if (!ask(h, NULL, after))
			break;
		json_array_extend(rows, json_object_get(h->answer, "held"));
		next = json_object_get(h->answer, "next");
		after = json_integer_value(next);
	} while (after > 0);
	if (h->code == EX_OK && h->json)
		print_json(rows);
	else if (h->code == EX_OK)
		print_rows(h, rows);
	if (h->code == EX_OK && json_array_size(rows) == 0)
		not_found(h);
	json_decref(rows);
}

static void
decide(struct held *h, const char *verb)
{
	int64_t n;

	if (!ask(h, verb, 0))
		return;
	n = number_of(h->answer, "decided");
	if (n == 0)
		not_found(h);
	else if (strcmp(verb, "drop") == 0)
		printf("%lld dropped: never relayed, and left where it is\n",
		    (long long)n);
	else
		printf("%lld released: sent %s\n", (long long)n,
		    h->offline ? "at the next poll" : "now");
}

static bool
take_arguments(struct held *h, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		const char *arg = argv[i];

		if (strcmp(arg, "--all") == 0)
			h->all = true;
		else if (strcmp(arg, "--json") == 0 && !h->json)
			h->json = true;
		else if (strcmp(arg, "--account") == 0 && i + 1 < argc)
			h->account = argv[++i];
		else if (h->name != NULL || arg[0] == '-' || arg[0] == '\0')
			return false;
		else /* "42", or "#42" as people write numbers */
			h->name = arg[0] == '#' ? arg + 1 : arg;
	}
	return true;
}

/* Everything at once only of one account, and in so many words. */
static bool
chosen(const struct held *h)
{
	return h->name != NULL ? !h->all : h->all && h->account != NULL;
}

/* The word behind "held", which may be missing. */
static const char *
find_verb(int argc, char **argv)
{
	static const char *const verbs[] = { "list", "show", "release",
		"drop" };

	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(argv[1], verbs[i]) == 0)
			return verbs[i];
	return NULL;
}

int
cli_held(const struct cli_options *o, int argc, char **argv)
{
	const char *verb = find_verb(argc, argv);
	struct held h = { .code = EX_OK };
	int skip = verb != NULL ? 2 : 1;
	bool decides;

	if (!take_arguments(&h, argc - skip, argv + skip))
		return cli_usage_error(
		    "held takes list, show, release or drop, the name of one "
		    "message, --account NAME, --all and --json");
	h.whole = verb != NULL && strcmp(verb, "show") == 0;
	decides = verb != NULL && !h.whole && strcmp(verb, "list") != 0;
	if (decides && (!chosen(&h) || h.json))
		return cli_usage_error("held %s wants the name of one message, "
				       "or --all --account NAME",
		    verb);
	h.client = client_new(o);
	if (decides)
		decide(&h, verb);
	else
		list(&h);
	if (h.offline)
		offline_close(&h.state);
	json_decref(h.answer);
	client_free(&h.client);
	return h.code;
}
