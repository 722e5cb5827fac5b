/* SPDX-License-Identifier: ISC */
#include "conf/folder_name.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"
#include "conf/option_table.h"

static const char *const specials[] = {
	"\\All",
	"\\Archive",
	"\\Drafts",
	"\\Flagged",
	"\\Junk",
	"\\Sent",
	"\\Trash",
	NULL,
};

/* The length of the sequence at s; 0: none of RFC 3629, or a control
 * character. */
static size_t
sequence(const unsigned char *s)
{
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

	if (n == 1)
		return s[0] >= 0x20 && s[0] != 0x7f ? 1 : 0;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	/* Not shorter than it could be, no surrogates, nothing that is beyond
	 * Unicode, and no C1 controls. */
	if ((s[0] == 0xe0 || s[0] == 0xc2) && s[1] < 0xa0)
		return 0;
	if (s[0] == 0xed && s[1] >= 0xa0)
		return 0;
	if (s[0] == 0xf0 && s[1] < 0x90)
		return 0;
	return s[0] == 0xf4 && s[1] >= 0x90 ? 0 : n;
}

bool
folder_name_is_legal(const char *name)
{
	const unsigned char *s = (const unsigned char *)name;
	size_t n = strlen(name), i = 0;

	if (n == 0 || n > FOLDER_NAME_MAX || s[0] == '\\' || s[0] == ' ' ||
	    s[n - 1] == ' ')
		return false;
	while (i < n) {
		size_t step = sequence(s + i);

		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

static bool
is_wild(char c)
{
	return c == '*' || c == '%';
}

bool
folder_name_is_pattern(const char *name)
{
	return strpbrk(name, "*%") != NULL;
}

const char *
folder_name_special(const char *name, const char **nearest_r)
{
	size_t best = SIZE_MAX;
	const char *nearest = NULL;

	for (size_t i = 0; specials[i] != NULL; i++) {
		if (span_iis(span_str(name), specials[i]))
			return specials[i];
		if (option_closer(name, specials[i], &best))
			nearest = specials[i];
	}
	if (nearest_r != NULL)
		*nearest_r = nearest;
	return NULL;
}

/* Whether some string matches both patterns.  meet[j] says it of the rests a+i
 * and b+j; the rows are built from the ends. */
static bool
patterns_meet(const char *a, const char *b)
{
	bool meet[FOLDER_NAME_MAX + 1] = { false };
	size_t na = strlen(a), nb = strlen(b);

	for (size_t i = na + 1; i-- > 0;) {
		bool diagonal = false;

		for (size_t j = nb + 1; j-- > 0;) {
			bool below = i < na && meet[j];
			bool right = j < nb && meet[j + 1];
			bool both_end = i == na && j == nb;
			bool now;

			if (is_wild(a[i]) || is_wild(b[j]))
				now = below || right;
			else
				now = both_end || (a[i] == b[j] && diagonal);
			diagonal = below;
			meet[j] = now;
		}
	}
	return meet[0];
}

static bool
means_all(const struct conf_folder *f)
{
	return f->name[strspn(f->name, "*%")] == '\0';
}

bool
folder_names_meet(const struct conf_folder *a, const struct conf_folder *b)
{
	if (a->special && b->special)
		return strcmp(a->name, b->name) == 0;
	if (a->special || b->special)
		return means_all(a->special ? b : a);
	return patterns_meet(a->name, b->name);
}
