/* SPDX-License-Identifier: ISC */
/*
 * What the files of this folder share while a configuration is being read:
 * where each thing stood, and the list of problems.
 */
#ifndef CONF_CONF_INTERNAL_H
#define CONF_CONF_INTERNAL_H

#include <stdbool.h>

#include "conf/conf.h"
#include "conf/option_table.h"

struct conf_place {
	const char *file; /* NULL: not given anywhere */
	unsigned line;    /* 0: the file as a whole */
};

/* An account, a destination, a folder, or the options on top level. */
struct conf_entry {
	struct conf_place at;
	struct conf_place *options; /* by row of option_table; owned */
	struct conf_entry *folders; /* as conf_account.folders; owned */
	size_t nfolders;
};

struct conf_places {
	bool parts; /* of conf_draft */
	struct conf_entry globals;
	struct conf_entry *accounts;     /* as conf.accounts; owned */
	struct conf_entry *destinations; /* as conf.destinations; owned */
};

/* Where that option of the entry stood; where the entry did when the option
 * was not given. */
struct conf_place conf_place_of(const struct conf_entry *e, const char *option);

void conf_error(struct conf_problems *p, struct conf_place at, const char *fmt,
    ...) __attribute__((format(printf, 3, 4)));
void conf_warning(struct conf_problems *p, struct conf_place at,
    const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Whether the option was given at all. */
bool conf_was_given(const struct conf_entry *e, const char *option);

/* Looks at the raw text of file, and of what it includes, for what libconfig
 * takes silently or dies of: numbers that it would wrap, comments and strings
 * that are not closed, NUL, an include that is no file.  False: libconfig must
 * not be let near it. */
bool conf_scan(const char *file, struct conf_problems *p);

/* What was not given: from the preset, else from the protocol or tls. */
void conf_fill_account(struct conf_account *a, const struct conf_entry *e,
    struct conf_problems *p);
void conf_fill_destination(struct conf_destination *d,
    const struct conf_entry *e, struct conf_problems *p);

/* What one entry cannot know: references, duplicates, loops, ports, secrets.
 * Values that were wrong or missing are NULL and have been reported. */
void conf_check(
    struct conf *c, const struct conf_places *at, struct conf_problems *p);

/* Its part for one account or destination: who logs in, and how. */
void conf_check_server(struct conf_problems *p, const struct conf_server *s,
    const struct conf_entry *e);

/* Its part for hosts that are no more, and ports that are for something else.
 */
void conf_check_account_host(struct conf_problems *p,
    const struct conf_account *a, const struct conf_entry *e);
void conf_check_destination_host(struct conf_problems *p,
    const struct conf_destination *d, const struct conf_entry *e);

/* What an account and a folder both have; the fields are in that structure. */
struct conf_policy {
	int *after;
	uint64_t *after_period;
	char **after_folder;
	int *first;
	int64_t *first_since;
};

/* Of the structure of an option with these scopes. */
struct conf_policy conf_policy_of(unsigned scopes, void *structure);
struct conf_folder *conf_add_folder(struct conf_account *a);

/* Parts of option_set(), see there. */
bool option_set_choice(const struct option *o, const char *text, int *value);
bool option_set_period(
    const struct option *o, const char *text, uint64_t *value);
bool option_set_after(
    const struct option *o, const char *text, void *structure);
bool option_set_first(
    const struct option *o, const char *text, void *structure);
bool option_set_folder_name(const char *text, struct conf_folder *f);
bool option_add_folder(const char *text, struct conf_account *a);

#endif
