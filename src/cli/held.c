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
#include <unistd.h>

#include <jansson.h>

#include "base/ascii.h"
#include "base/span.h"
#include "cli/cli.h"
#include "cli/offline.h"
#include "store/store.h"

#define PAGE 256
#define NAME_MAX_SIZE 32 /* of a trace or a number */
#define TEXT_MAX 128     /* of a UID on the terminal */

struct held {
	struct offline state;
	struct store_choice choice;
	json_t *json; /* --json: the array that is printed at the end */
	bool all;     /* --all: no name is wanted */
	bool whole;   /* show: everything about each */
	int64_t after;
	uint64_t count;
	size_t page; /* rows of the last answer */
	bool ok;
};

/* --- what a person reads */

static const char *
name_of(const struct store_held *h, char name[NAME_MAX_SIZE])
{
	if (h->trace[0] != '\0')
		return h->trace;
	snprintf(name, NAME_MAX_SIZE, "%lld", (long long)h->id);
	return name;
}

static const char *
size_of(const struct store_held *h, char text[NAME_MAX_SIZE])
{
	if (h->size == 0)
		return "-";
	snprintf(text, NAME_MAX_SIZE, "%llu", (unsigned long long)h->size);
	return text;
}

/* In the largest unit that leaves a number: 59s, 59m, 23h, 400d. */
static const char *
age_of(int64_t since, char text[NAME_MAX_SIZE])
{
	int64_t s = (int64_t)time(NULL) - since;

	if (s < 0)
		s = 0; /* the clock went back */
	if (s < 60)
		snprintf(text, NAME_MAX_SIZE, "%llds", (long long)s);
	else if (s < 60 * 60)
		snprintf(text, NAME_MAX_SIZE, "%lldm", (long long)(s / 60));
	else if (s < 24 * 60 * 60)
		snprintf(text, NAME_MAX_SIZE, "%lldh", (long long)(s / 3600));
	else
		snprintf(text, NAME_MAX_SIZE, "%lldd", (long long)(s / 86400));
	return text;
}

static const char *
date_of(int64_t when, char text[NAME_MAX_SIZE])
{
	time_t t = (time_t)when;
	struct tm tm;

	if (localtime_r(&t, &tm) == NULL ||
	    strftime(text, NAME_MAX_SIZE, "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		snprintf(text, NAME_MAX_SIZE, "%lld", (long long)when);
	return text;
}

#define ROW "%-26s  %-14s %-12s %-12s %9s %5s  %s%s\n"

static void
print_row(const struct store_held *h)
{
	char name[NAME_MAX_SIZE], size[NAME_MAX_SIZE], age[NAME_MAX_SIZE];
	char uid[TEXT_MAX];

	printf(ROW, name_of(h, name), h->account,
	    ascii_clean(uid, sizeof(uid), h->uid, strlen(h->uid)),
	    h->destination, size_of(h, size), age_of(h->changed, age), h->reply,
	    h->doubt ? " (a copy may have arrived)" : "");
}

static void
print_whole(const struct store_held *h)
{
	char name[NAME_MAX_SIZE], size[NAME_MAX_SIZE], seen[NAME_MAX_SIZE];
	char since[NAME_MAX_SIZE], uid[STORE_UID_MAX + 1];

	printf("%s\n"
	       "  account:      %s, %s, uid %s\n"
	       "  destination:  %s\n"
	       "  size:         %s\n"
	       "  first seen:   %s\n"
	       "  held since:   %s\n"
	       "  attempts:     %u%s\n"
	       "  why:          %s\n",
	    name_of(h, name), h->account, h->folder,
	    ascii_clean(uid, sizeof(uid), h->uid, strlen(h->uid)),
	    h->destination, size_of(h, size), date_of(h->first_seen, seen),
	    date_of(h->changed, since), h->attempt,
	    h->doubt ? ", one of which may have been accepted" : "", h->reply);
}

/* The same for programs; times in seconds since 1970.  json_pack() fails for
 * want of memory only: what is not ASCII was cleaned. */
static void
add_object(json_t *array, const struct store_held *h)
{
	char name[NAME_MAX_SIZE], uid[STORE_UID_MAX + 1];
	json_t *o = json_pack("{ss ss ss ss ss sI sI sb sI sI ss}", "name",
	    name_of(h, name), "account", h->account, "folder", h->folder, "uid",
	    ascii_clean(uid, sizeof(uid), h->uid, strlen(h->uid)),
	    "destination", h->destination, "size", (json_int_t)h->size,
	    "attempt", (json_int_t)h->attempt, "doubt", (int)h->doubt,
	    "first_seen", (json_int_t)h->first_seen, "held_since",
	    (json_int_t)h->changed, "reason", h->reply);

	if (json_array_append_new(array, o) != 0)
		abort();
}

static void
print_json(const struct held *h)
{
	json_t *o = json_pack("{sO}", "held", h->json);

	if (o == NULL || json_dumpf(o, stdout, JSON_INDENT(2)) != 0)
		abort();
	putchar('\n');
	json_decref(o);
}

/* --- answers of the store */

static void
on_answer(struct held *h, const struct store_answer *a)
{
	h->ok = a->ok;
	if (!a->ok)
		fprintf(stderr, "mailhaul: %s\n", a->fault.text);
	offline_answered(&h->state);
}

static void
on_page(void *arg, struct store_answer *a)
{
	struct held *h = arg;

	if (h->count == 0 && a->nrows > 0 && !h->whole && h->json == NULL)
		printf(ROW, "NAME", "ACCOUNT", "UID", "DESTINATION", "SIZE",
		    "HELD", "WHY", "");
	for (size_t i = 0; i < a->nrows; i++) {
		h->after = a->rows[i].id;
		if (h->json != NULL)
			add_object(h->json, &a->rows[i]);
		else if (h->whole)
			print_whole(&a->rows[i]);
		else
			print_row(&a->rows[i]);
	}
	h->count += a->nrows;
	h->page = a->nrows;
	on_answer(h, a);
}

static void
on_decided(void *arg, struct store_answer *a)
{
	struct held *h = arg;

	h->count = a->decided;
	on_answer(h, a);
}

/* --- the commands */

static int
not_found(const struct held *h)
{
	if (h->choice.trace == NULL && h->choice.id == 0) {
		if (h->json == NULL)
			puts("no message is held");
		return EX_OK;
	}
	fputs("mailhaul: no held message has that name\n", stderr);
	return EX_NOINPUT;
}

static int
list(struct held *h)
{
	do {
		store_held_list(h->state.store, &h->choice, h->after, PAGE,
		    (struct store_done){ on_page, h });
		offline_wait(&h->state);
	} while (h->ok && h->page == PAGE);
	if (!h->ok)
		return EX_IOERR;
	if (h->json != NULL)
		print_json(h);
	return h->count > 0 ? EX_OK : not_found(h);
}

static int
decide(struct held *h,
    void (*request)(struct store *s, const struct store_choice *c, int64_t now,
	struct store_done done),
    const char *outcome)
{
	request(h->state.store, &h->choice, time(NULL),
	    (struct store_done){ on_decided, h });
	offline_wait(&h->state);
	if (!h->ok)
		return EX_IOERR;
	if (h->count == 0)
		return not_found(h);
	printf("%llu %s\n", (unsigned long long)h->count, outcome);
	return EX_OK;
}

static int
release(struct held *h)
{
	return decide(h, store_held_release, "released: sent at the next poll");
}

static int
drop(struct held *h)
{
	return decide(
	    h, store_held_drop, "dropped: never relayed, and left where it is");
}

static const struct verb {
	const char *name;
	bool chooses; /* wants a name, or --all and an account */
	int (*run)(struct held *h);
} verbs[] = {
	{ "show", false, list },
	{ "release", true, release },
	{ "drop", true, drop },
};

/* "42", or "#42" as people write numbers. */
static bool
take_name(struct store_choice *c, const char *arg)
{
	struct span digits = span_str(arg[0] == '#' ? arg + 1 : arg);
	uint64_t id;

	if (c->trace != NULL || c->id != 0)
		return false;
	if (span_uint(digits, INT64_MAX, &id) && id > 0)
		c->id = (int64_t)id;
	else
		c->trace = arg;
	return arg[0] != '-' && arg[0] != '\0';
}

static bool
take_arguments(struct held *h, int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		if (strcmp(argv[i], "--all") == 0)
			h->all = true;
		else if (strcmp(argv[i], "--json") == 0 && h->json == NULL)
			h->json = json_array();
		else if (strcmp(argv[i], "--account") == 0 && i + 1 < argc)
			h->choice.account = argv[++i];
		else if (!take_name(&h->choice, argv[i]))
			return false;
	}
	return true;
}

/* Everything at once only of one account, and in so many words. */
static bool
chosen(const struct held *h)
{
	if (h->choice.trace != NULL || h->choice.id != 0)
		return !h->all;
	return h->all && h->choice.account != NULL;
}

static int
run(struct held *h, const char *state, int (*command)(struct held *h))
{
	int code = EX_NOINPUT;

	if (access(state, F_OK) != 0) {
		perror(state); /* a look must not make one */
		return code;
	}
	if (!offline_open(&h->state, state, &code))
		return code;
	code = command(h);
	offline_close(&h->state);
	return code;
}

static const struct verb *
find_verb(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return &verbs[i];
	return NULL;
}

static int
understand(struct held *h, const struct verb *verb, int argc, char **argv)
{
	bool decides = verb != NULL && verb->chooses;
	int skip = verb != NULL ? 2 : 1;

	h->whole = verb != NULL && !decides;
	if (!take_arguments(h, argc - skip, argv + skip))
		return cli_usage_error(
		    "held takes show, release or drop, the name of one "
		    "message, --account NAME, --all and --json");
	if (decides && (!chosen(h) || h->json != NULL))
		return cli_usage_error("held %s wants the name of one message, "
				       "or --all --account NAME",
		    verb->name);
	return EX_OK;
}

int
cli_held(const struct cli_options *o, int argc, char **argv)
{
	const struct verb *verb = find_verb(argc, argv);
	struct held h = { .ok = false };
	int code = understand(&h, verb, argc, argv);

	if (code == EX_OK)
		code = run(&h, o->state, verb != NULL ? verb->run : list);
	json_decref(h.json);
	return code;
}
