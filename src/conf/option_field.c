/* SPDX-License-Identifier: ISC */
/*
 * What is done with a value that is stored: it is compared, and it is freed.
 * Both go by the table, so that no option can be forgotten.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/conf_internal.h"
#include "conf/option_table.h"

static void
free_names(char **names)
{
	for (char **n = names; n != NULL && *n != NULL; n++)
		free(*n);
	free(names);
}

static void
free_folders(struct conf_account *a)
{
	for (size_t i = 0; i < a->nfolders; i++)
		option_free_all(OPTION_FOLDER, &a->folders[i]);
	free(a->folders);
	a->folders = NULL;
	a->nfolders = 0;
}

void
option_free(const struct option *o, void *structure)
{
	void *field = (char *)structure + o->offset;
	char **string = field, ***names = field;

	switch (o->type) {
	case OPTION_NAME:
	case OPTION_STRING:
	case OPTION_HOST:
	case OPTION_EHLO:
	case OPTION_ADDRESS:
	case OPTION_FILE:
	case OPTION_URL:
	case OPTION_CREDENTIAL:
	case OPTION_LOOPBACK:
	case OPTION_FOLDER_NAME:
		break;
	case OPTION_AFTER:
		string = conf_policy_of(o->scopes, structure).after_folder;
		break;
	case OPTION_NAMES:
	case OPTION_ARGV:
		free_names(*names);
		*names = NULL;
		return;
	case OPTION_FOLDERS:
		free_folders(structure);
		return;
	case OPTION_CHOICE:
	case OPTION_BOOL:
	case OPTION_INTEGER:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_PERCENT:
	case OPTION_PIN:
	case OPTION_FIRST:
		return;
	}
	free(*string);
	*string = NULL;
}

void
option_free_all(enum option_scope scope, void *structure)
{
	for (const struct option *o = option_table; o->name != NULL; o++)
		if (o->scopes & scope)
			option_free(o, structure);
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_names(char *const *a, char *const *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	while (*a != NULL && same_text(*a, *b)) {
		a++;
		b++;
	}
	return *a == NULL && *b == NULL;
}

/* In the same order: of patterns the first one counts. */
static bool
same_folders(const struct conf_account *a, const struct conf_account *b)
{
	if (a->nfolders != b->nfolders)
		return false;
	for (size_t i = 0; i < a->nfolders; i++)
		if (!option_equal_all(
			OPTION_FOLDER, &a->folders[i], &b->folders[i]))
			return false;
	return true;
}

struct values {
	int after, first;
	uint64_t period;
	int64_t since;
	const char *folder;
};

static struct values
policy_values(unsigned scopes, const void *structure)
{
	const struct conf_account *a = structure;
	const struct conf_folder *f = structure;

	if (scopes == OPTION_FOLDER)
		return (struct values){ f->after, f->first, f->after_period,
			f->first_since, f->after_folder };
	return (struct values){ a->after, a->first, a->after_period,
		a->first_since, a->after_folder };
}

static bool
same_policy(const struct option *o, const void *va, const void *vb)
{
	struct values a = policy_values(o->scopes, va);
	struct values b = policy_values(o->scopes, vb);

	if (o->type == OPTION_FIRST)
		return a.first == b.first && a.since == b.since;
	return a.after == b.after && a.period == b.period &&
	       same_text(a.folder, b.folder);
}

static size_t
size_of(enum option_type type)
{
	if (type == OPTION_DURATION || type == OPTION_SIZE)
		return sizeof(uint64_t);
	if (type == OPTION_PIN)
		return sizeof(((struct conf_server *)NULL)->pin);
	return type == OPTION_BOOL ? sizeof(bool) : sizeof(int);
}

bool
option_equal(const struct option *o, const void *a, const void *b)
{
	const void *fa = (const char *)a + o->offset;
	const void *fb = (const char *)b + o->offset;

	switch (o->type) {
	case OPTION_NAME:
	case OPTION_STRING:
	case OPTION_HOST:
	case OPTION_EHLO:
	case OPTION_ADDRESS:
	case OPTION_FILE:
	case OPTION_URL:
	case OPTION_CREDENTIAL:
	case OPTION_LOOPBACK:
	case OPTION_FOLDER_NAME:
		return same_text(
		    *(const char *const *)fa, *(const char *const *)fb);
	case OPTION_NAMES:
	case OPTION_ARGV:
		return same_names(
		    *(char *const *const *)fa, *(char *const *const *)fb);
	case OPTION_FOLDERS:
		return same_folders(a, b);
	case OPTION_AFTER:
	case OPTION_FIRST:
		return same_policy(o, a, b);
	case OPTION_CHOICE:
	case OPTION_BOOL:
	case OPTION_INTEGER:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_PERCENT:
	case OPTION_PIN:
		break;
	}
	return memcmp(fa, fb, size_of(o->type)) == 0;
}

bool
option_equal_all(enum option_scope scope, const void *a, const void *b)
{
	for (const struct option *o = option_table; o->name != NULL; o++)
		if ((o->scopes & scope) && !option_equal(o, a, b))
			return false;
	return true;
}

bool
conf_account_equal(const struct conf_account *a, const struct conf_account *b)
{
	return option_equal_all(OPTION_ACCOUNT, a, b);
}

bool
conf_destination_equal(
    const struct conf_destination *a, const struct conf_destination *b)
{
	return option_equal_all(OPTION_DESTINATION, a, b);
}

bool
conf_globals_equal(const struct conf *a, const struct conf *b)
{
	return option_equal_all(OPTION_GLOBAL, a, b);
}
