/* SPDX-License-Identifier: ISC */
/*
 * Notes, names and lines of an import.
 */
#include "cli/import_conf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/secret.h"
#include "cli/text.h"
#include "conf/conf.h"
#include "conf/option_table.h"

#define NOTE_MAX 512

void
import_add_note(struct import *im, const struct import_file *f, unsigned line,
    bool grave, const char *fmt, ...)
{
	char raw[NOTE_MAX], text[NOTE_MAX];
	struct import_note *n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(raw, sizeof(raw), fmt, ap);
	va_end(ap);
	im->notes = mem_grow(im->notes, im->nnotes + 1, sizeof(*im->notes));
	n = &im->notes[im->nnotes++];
	n->path = f->path;
	n->line = line;
	n->grave = grave;
	n->text = mem_strdup(ascii_clean(text, sizeof(text), raw, strlen(raw)));
}

bool
import_is_grave(const struct import *im)
{
	for (size_t i = 0; i < im->nnotes; i++)
		if (im->notes[i].grave)
			return true;
	return false;
}

bool
import_fits(unsigned scope, const char *option, const char *text)
{
	union {
		struct conf_account account;
		struct conf_destination destination;
		struct conf_folder folder;
	} u = { .folder = { 0 } };
	const struct option *o;
	bool ok;

	memset(&u, 0, sizeof(u));
	o = option_find((enum option_scope)scope, option, NULL);
	ok = option_set(o, text, &u);
	option_free(o, &u);
	return ok;
}

/* --- names --- */

void
import_make_name(char name[IMPORT_NAME_MAX], const char *text)
{
	size_t n = 0;

	for (; *text != '\0' && n < IMPORT_NAME_MAX - 1; text++) {
		char c = *text;
		bool legal = ascii_is_digit(c) ||
		             (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') ||
		             c == '_' || c == '.' || c == '-';

		if (n == 0 && (c == '.' || c == '-'))
			continue;
		name[n++] = legal ? c : '-';
	}
	name[n] = '\0';
	if (n == 0)
		strcpy(name, "mail");
}

void
import_number_name(char name[IMPORT_NAME_MAX], unsigned n)
{
	char number[16];

	snprintf(number, sizeof(number), "-%u", n);
	name[IMPORT_NAME_MAX - 1 - strlen(number)] = '\0';
	strcat(name, number);
}

/* --- text --------------------------------------------------------------- */

/* The text has a ceiling; what lacks a line must not be used. */
void
import_add(struct import *im, const char *fmt, ...)
{
	char *text;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	if (!buf_add(&im->text, span_str(text)))
		im->full = true;
	free(text);
}

void
import_line(struct import *im, const char *before, const char *fmt, ...)
{
	char *line;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&line, fmt, ap) < 0)
		abort();
	va_end(ap);
	import_add(im, "%s%s\n", before, line);
	free(line);
}

/* As libconfig reads it back. */
void
import_quote(struct import *im, const char *value)
{
	char *text = text_quoted(value);

	import_add(im, "%s", text);
	free(text);
}

void
import_string(struct import *im, const char *before, const char *option,
    const char *value)
{
	import_add(im, "%s%s = ", before, option);
	import_quote(im, value);
	import_add(im, ";\n");
}

static bool
is_one_line(const struct secret *s)
{
	struct span bytes = secret_reveal(s);

	return bytes.n > 0 && memchr(bytes.p, '\n', bytes.n) == NULL &&
	       memchr(bytes.p, '\r', bytes.n) == NULL;
}

static void
add_secret(struct import *im, const char *name, const struct secret *secret)
{
	struct import_secret *s;

	im->to_write =
	    mem_grow(im->to_write, im->nto_write + 1, sizeof(*im->to_write));
	s = &im->to_write[im->nto_write++];
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->secret = secret;
}

void
import_password(
    struct import *im, const char *before, const struct import_login *l)
{
	const struct secret *secret = l->word->s;
	char reference[4096];

	snprintf(reference, sizeof(reference), "credential:%s", l->name);
	if (secret != NULL && !is_one_line(secret)) {
		import_add_note(im, l->file, l->word->line, true,
		    "the password has the end of a line in it, or is empty: "
		    "not carried over");
		secret = NULL;
	}
	if (secret != NULL && im->secrets != NULL) {
		add_secret(im, l->name, secret);
		if (!im->credentials)
			snprintf(reference, sizeof(reference), "file:%s/%s",
			    im->secrets, l->name);
	} else {
		import_line(im, before,
		    "# The password of %s goes into the file", l->user);
		import_line(im, before, "# %s/mailhaul/secrets/%s, mode 0600.",
		    SYSCONFDIR, l->name);
		if (!l->quiet)
			import_add_note(im, l->file, l->line, false,
			    "%s; put it into %s/mailhaul/secrets/%s",
			    l->word->s != NULL
				? "the password is not copied without "
				  "--secrets"
				: "there is no password",
			    SYSCONFDIR, l->name);
	}
	import_string(im, before, "password", reference);
}
