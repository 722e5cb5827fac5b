/* SPDX-License-Identifier: ISC */
/*
 * What an account says for all its folders and a folder for itself: after,
 * first, and the folders.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/span.h"
#include "conf/conf_internal.h"
#include "conf/folder_name.h"
#include "conf/option_table.h"

struct conf_policy
conf_policy_of(unsigned scopes, void *structure)
{
	struct conf_account *a = structure;
	struct conf_folder *f = structure;

	if (scopes == OPTION_FOLDER)
		return (struct conf_policy){
			.after = &f->after,
			.after_period = &f->after_period,
			.after_folder = &f->after_folder,
			.first = &f->first,
			.first_since = &f->first_since,
		};
	return (struct conf_policy){
		.after = &a->after,
		.after_period = &a->after_period,
		.after_folder = &a->after_folder,
		.first = &a->first,
		.first_since = &a->first_since,
	};
}

static bool
set_word(const struct option *o, const char *text, int *value)
{
	/* With a space it is a word that lacks its argument. */
	return strchr(text, ' ') == NULL && option_set_choice(o, text, value);
}

static const char *
behind(const char *text, const char *word)
{
	size_t n = strlen(word);

	return strncmp(text, word, n) == 0 ? text + n : NULL;
}

bool
option_set_after(const struct option *o, const char *text, void *structure)
{
	struct conf_policy p = conf_policy_of(o->scopes, structure);
	const char *period = behind(text, "delete-after ");
	const char *folder = behind(text, "move ");

	free(*p.after_folder);
	*p.after_folder = NULL;
	if (period != NULL) {
		*p.after = CONF_AFTER_DELETE_AFTER;
		return option_set_period(o, period, p.after_period);
	}
	if (folder != NULL && folder_name_is_legal(folder)) {
		*p.after = CONF_AFTER_MOVE;
		*p.after_folder = mem_strdup(folder);
		return true;
	}
	return set_word(o, text, p.after);
}

static bool
cut_number(struct span *rest, size_t digits, int *value_r)
{
	struct span s = span_cut(rest, '-');
	uint64_t v;

	if (s.n != digits || !span_uint(s, 9999, &v))
		return false;
	*value_r = (int)v;
	return true;
}

/* YYYY-MM-DD; the day begins where this machine is.  Where clocks are set at
 * midnight it may begin later. */
static bool
parse_date(const char *text, int64_t *value_r)
{
	struct span rest = span_str(text);
	int year, month, day;
	struct tm tm;
	time_t t;

	if (!cut_number(&rest, 4, &year) || !cut_number(&rest, 2, &month) ||
	    !cut_number(&rest, 2, &day) || rest.n > 0)
		return false;
	if (strlen(text) != strlen("YYYY-MM-DD") || year < 1970)
		return false;
	tm = (struct tm){
		.tm_year = year - 1900,
		.tm_mon = month - 1,
		.tm_mday = day,
		.tm_isdst = -1,
	};
	t = mktime(&tm);
	/* A day that does not exist became one of another month. */
	if (tm.tm_mon != month - 1)
		return false;
	*value_r = t;
	return true;
}

bool
option_set_first(const struct option *o, const char *text, void *structure)
{
	struct conf_policy p = conf_policy_of(o->scopes, structure);
	const char *since = behind(text, "since ");

	*p.first_since = 0;
	if (since == NULL)
		return set_word(o, text, p.first);
	*p.first = CONF_FIRST_SINCE;
	return parse_date(since, p.first_since);
}

bool
option_set_folder_name(const char *text, struct conf_folder *f)
{
	const char *special = folder_name_special(text, NULL);

	if (special == NULL && !folder_name_is_legal(text))
		return false;
	free(f->name);
	/* Only this name has no case (RFC 3501 5.1). */
	if (span_iis(span_str(text), "INBOX"))
		f->name = mem_strdup("INBOX");
	else
		f->name = mem_strdup(special != NULL ? special : text);
	f->special = special != NULL;
	f->pattern = folder_name_is_pattern(text);
	return true;
}

struct conf_folder *
conf_add_folder(struct conf_account *a)
{
	struct conf_folder *f;

	a->folders = mem_grow(a->folders, a->nfolders + 1, sizeof(*f));
	f = &a->folders[a->nfolders++];
	*f = (struct conf_folder){ .name = NULL };
	return f;
}

bool
option_add_folder(const char *text, struct conf_account *a)
{
	struct conf_folder f = { .name = NULL };

	if (!option_set_folder_name(text, &f))
		return false;
	*conf_add_folder(a) = f;
	return true;
}
