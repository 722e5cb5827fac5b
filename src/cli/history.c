/* SPDX-License-Identifier: ISC */
/*
 * mailhaul history: what was relayed or held, when, and what the server said.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <jansson.h>

#include "base/span.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/offline.h"
#include "cli/text.h"
#include "relay/record_json.h"
#include "store/store.h"

#define PAGE 500
#define SHOWN 50 /* unless -n says otherwise */
#define SHOWN_MAX 1000000

struct history {
	struct client *client;
	struct offline state;
	bool offline;        /* no daemon runs, and the state is open */
	const char *account; /* NULL: all */
	uint64_t limit;
	bool json;
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

static void
print_row(const json_t *o)
{
	char date[TEXT_MAX], size[TEXT_MAX];
	int64_t usec = number_of(o, "duration_us");

	printf("%s  %-14s %-10s %-12s %-8s %9s",
	    text_date(date, number_of(o, "at")), text_of(o, "account"),
	    text_of(o, "folder"), text_of(o, "destination"),
	    text_of(o, "state"),
	    text_bytes(size, (uint64_t)number_of(o, "size")));
	if (usec > 0)
		printf(" %6.1fs", (double)usec / 1e6);
	else
		printf(" %7s", "-");
	printf("  %-26s  %s%s\n", text_of(o, "trace"), text_of(o, "reply"),
	    json_is_true(json_object_get(o, "duplicate"))
		? " (possible duplicate)"
		: "");
}

/* As a log is read: the newest at the end. */
static void
print_rows(const json_t *rows)
{
	for (size_t i = json_array_size(rows); i-- > 0;)
		print_row(json_array_get(rows, i));
	if (json_array_size(rows) == 0)
		puts("nothing is on record");
}

static void
print_json(json_t *rows)
{
	json_t *o = json_pack("{sO}", "history", rows);

	if (o == NULL || json_dumpf(o, stdout, JSON_INDENT(2)) != 0)
		abort();
	putchar('\n');
	json_decref(o);
}

/* --- asking the daemon, or the state when there is none */

static void
on_page(void *arg, struct store_answer *a)
{
	struct history *h = arg;

	h->answer = json_pack(
	    "{so}", "history", record_history_json(a->past, a->npast));
	if (!a->ok) {
		fprintf(stderr, "mailhaul: %s\n", a->fault.text);
		h->code = EX_IOERR;
	}
	offline_answered(&h->state);
}

static void
ask_state(struct history *h, int64_t before, size_t limit)
{
	if (!h->offline && !offline_open(&h->state, h->client, &h->code))
		return;
	h->offline = true;
	h->code = EX_OK;
	store_history(h->state.store, h->account, before, limit,
	    (struct store_done){ on_page, h });
	offline_wait(&h->state);
}

/* At most limit rows older than before, as h->answer. */
static bool
ask(struct history *h, int64_t before, size_t limit)
{
	struct client_call call = {
		.path = "/v1/history",
		.account = h->account,
		.before = before,
		.limit = (int64_t)limit,
	};
	enum client_result result = CLIENT_ABSENT;

	json_decref(h->answer);
	h->answer = NULL;
	if (!h->offline)
		result = client_call(h->client, &call, &h->answer, &h->code);
	if (result == CLIENT_ABSENT)
		ask_state(h, before, limit);
	return h->code == EX_OK;
}

/* --- the command */

static void
show(struct history *h)
{
	json_t *rows = json_array(), *page;
	int64_t before = 0;
	uint64_t left = h->limit;
	size_t n = 0;

	while (left > 0) {
		size_t limit = left < PAGE ? (size_t)left : PAGE;

		if (!ask(h, before, limit))
			break;
		page = json_object_get(h->answer, "history");
		n = json_array_size(page);
		if (n == 0)
			break;
		before = number_of(json_array_get(page, n - 1), "number");
		json_array_extend(rows, page);
		left -= n < left ? n : left;
		if (n < limit)
			break;
	}
	if (h->code == EX_OK && h->json)
		print_json(rows);
	else if (h->code == EX_OK)
		print_rows(rows);
	json_decref(rows);
}

static bool
take_arguments(struct history *h, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--json") == 0)
			h->json = true;
		else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc) {
			if (!span_uint(
				span_str(argv[++i]), SHOWN_MAX, &h->limit) ||
			    h->limit == 0)
				return false;
		} else if (h->account != NULL || argv[i][0] == '-' ||
			   argv[i][0] == '\0')
			return false;
		else
			h->account = argv[i];
	}
	return true;
}

int
cli_history(const struct cli_options *o, int argc, char **argv)
{
	struct history h = { .limit = SHOWN, .code = EX_OK };

	if (!take_arguments(&h, argc, argv))
		return cli_usage_error(
		    "history takes the name of one account, -n NUMBER and "
		    "--json");
	h.client = client_new(o);
	show(&h);
	if (h.offline)
		offline_close(&h.state);
	json_decref(h.answer);
	client_free(&h.client);
	return h.code;
}
