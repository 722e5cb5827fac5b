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
