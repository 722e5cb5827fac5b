/* SPDX-License-Identifier: ISC */
/*
 * Reads the files and fills the structures by the option table.  Everything
 * that is wrong is noted and the reading goes on, so that one run of the check
 * names every mistake.  What an entry cannot know is left to conf_check.c.
 */
#include "conf/conf.h"

#include <dirent.h>
#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "conf/conf_internal.h"
#include "conf/folder_name.h"
#include "conf/option_table.h"

struct loader {
	struct conf *conf;
	struct conf_problems *problems;
	struct conf_places places;
	char **files; /* names that places point to; owned */
	size_t nfiles;
	const char *file; /* being read */
	char *dir;        /* of file, owned */
	bool unreadable;  /* a file is missing from the picture */
};

/* --- problems ----------------------------------------------------------- */

/* A file name may hold anything; a terminal shall not obey it. */
static char *
harmless(char *s)
{
	for (char *p = s; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return s;
}

static void __attribute__((format(printf, 4, 0)))
add_problem(struct conf_problems *p, struct conf_place at, bool warning,
    const char *fmt, va_list ap)
{
	struct conf_problem *new;

	p->list = mem_grow(p->list, p->n + 1, sizeof(*p->list));
	new = &p->list[p->n++];
	*new = (struct conf_problem){
		.file = harmless(mem_strdup(at.file)),
		.line = at.line,
		.warning = warning,
	};
	if (vasprintf(&new->text, fmt, ap) < 0)
		abort();
	harmless(new->text);
	if (!warning)
		p->errors++;
}

void
conf_error(struct conf_problems *p, struct conf_place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_problem(p, at, false, fmt, ap);
	va_end(ap);
}

void
conf_warning(
    struct conf_problems *p, struct conf_place at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add_problem(p, at, true, fmt, ap);
	va_end(ap);
}

static int
compare_problems(const void *va, const void *vb)
{
	const struct conf_problem *a = va, *b = vb;
	int d = strcmp(a->file, b->file);

	if (d != 0)
		return d;
	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	return strcmp(a->text, b->text);
}

static bool
reported(const struct conf_problems *p, struct conf_place at)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->list[i].line == at.line &&
		    strcmp(p->list[i].file, at.file) == 0)
			return true;
	return false;
}

void
conf_problems_free(struct conf_problems *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->list[i].file);
		free(p->list[i].text);
	}
	free(p->list);
	*p = (struct conf_problems){ .list = NULL };
}

/* --- places ------------------------------------------------------------- */

/* The names that libconfig hands out die with its tree. */
static const char *
intern(struct loader *l, const char *file)
{
	for (size_t i = 0; i < l->nfiles; i++)
		if (strcmp(l->files[i], file) == 0)
			return l->files[i];
	l->files = mem_grow(l->files, l->nfiles + 1, sizeof(*l->files));
	return l->files[l->nfiles++] = mem_strdup(file);
}

/* libconfig names an included file as it was written, without the directory
 * in which it looked. */
static const char *
full_name(struct loader *l, const char *file)
{
	const char *name;
	char *joined;

	if (file == NULL || strcmp(file, l->file) == 0)
		return intern(l, l->file);
	if (asprintf(&joined, "%s/%s", l->dir, file) < 0)
		abort();
	name = intern(l, joined);
	free(joined);
	return name;
}

static struct conf_place
place(struct loader *l, const config_setting_t *s)
{
	return (struct conf_place){
		full_name(l, config_setting_source_file(s)),
		config_setting_source_line(s),
	};
}

static size_t
table_rows(void)
{
	size_t n = 0;

	while (option_table[n].name != NULL)
		n++;
	return n;
}

static void
entry_init(struct conf_entry *e, struct conf_place at)
{
	*e = (struct conf_entry){
		.at = at,
		.options = mem_array(table_rows(), sizeof(*e->options)),
	};
}

static void
entry_free(struct conf_entry *e)
{
	for (size_t i = 0; i < e->nfolders; i++)
		entry_free(&e->folders[i]);
	free(e->folders);
	free(e->options);
}

static const struct conf_place *
given(const struct conf_entry *e, const char *option)
{
	for (size_t i = 0; option_table[i].name != NULL; i++)
		if (e->options[i].file != NULL &&
		    strcmp(option_table[i].name, option) == 0)
			return &e->options[i];
	return NULL;
}

struct conf_place
conf_place_of(const struct conf_entry *e, const char *option)
{
	const struct conf_place *at = given(e, option);

	return at != NULL ? *at : e->at;
}

bool
conf_was_given(const struct conf_entry *e, const char *option)
{
	return given(e, option) != NULL;
}

/* --- one option --------------------------------------------------------- */

static void
wants(struct loader *l, struct conf_place at, const struct option *o)
{
	conf_error(l->problems, at, "%s wants %s", o->name, option_wants(o).s);
}

static const char *
scope_noun(unsigned scopes)
{
	if (scopes & OPTION_GLOBAL)
		return "top level";
	if (scopes & OPTION_FOLDER)
		return "a folder";
	return scopes & OPTION_ACCOUNT ? "an account" : "a destination";
}

static void
unknown(struct loader *l, enum option_scope scope, const char *name,
    struct conf_place at)
{
	const unsigned others[] = { OPTION_GLOBAL, OPTION_ACCOUNT,
		OPTION_DESTINATION, OPTION_FOLDER };
	size_t best = SIZE_MAX;
	const char *nearest;

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (option_find(others[i], name, NULL) != NULL) {
			conf_error(l->problems, at,
			    "%s is an option of %s and does not belong here",
			    name, scope_noun(others[i]));
			return;
		}
	option_find(scope, name, &nearest);
	if (scope == OPTION_GLOBAL && option_closer(name, "accounts", &best))
		nearest = "accounts";
	if (scope == OPTION_GLOBAL &&
	    option_closer(name, "destinations", &best))
		nearest = "destinations";
	if (nearest != NULL)
		conf_error(l->problems, at,
		    "unknown option %.64s; is %s meant?", name, nearest);
	else
		conf_error(l->problems, at, "unknown option %.64s", name);
}

/* No coercion: 993 is a number, "993" is none, and 5 is no duration. */
static bool
set_scalar(const struct option *o, const config_setting_t *s, void *structure)
{
	int type = config_setting_type(s);
	char number[32];

	if (o->type == OPTION_INTEGER) {
		if (type != CONFIG_TYPE_INT && type != CONFIG_TYPE_INT64)
			return false;
		snprintf(number, sizeof(number), "%lld",
		    type == CONFIG_TYPE_INT ? config_setting_get_int(s)
					    : config_setting_get_int64(s));
		return option_set(o, number, structure);
	}
	if (o->type == OPTION_BOOL)
		return type == CONFIG_TYPE_BOOL &&
		       option_set(o,
			   config_setting_get_bool(s) ? "true" : "false",
			   structure);
	return type == CONFIG_TYPE_STRING &&
	       option_set(o, config_setting_get_string(s), structure);
}

static bool
set_list(const struct option *o, const config_setting_t *s, void *structure)
{
	int n = config_setting_length(s);

	for (int i = 0; i < n; i++)
		if (!set_scalar(
			o, config_setting_get_elem(s, (unsigned)i), structure))
			return false;
	return n > 0;
}

static void read_folders(struct loader *l, const config_setting_t *s,
    struct conf_account *a, struct conf_entry *e);

static bool
is_list(const config_setting_t *s)
{
	return config_setting_is_list(s) || config_setting_is_array(s);
}

/* A special use is a word that may be mistyped; a folder's name cannot be. */
static void
no_folder_name(
    struct loader *l, const struct option *o, const config_setting_t *s)
{
	const char *text = config_setting_get_string(s), *nearest = NULL;

	if (text != NULL && text[0] == '\\')
		folder_name_special(text, &nearest);
	if (nearest != NULL)
		conf_error(l->problems, place(l, s),
		    "there is no such special use; is \\%s meant?", nearest);
	else
		wants(l, place(l, s), o);
}

static void
read_option(struct loader *l, enum option_scope scope,
    const config_setting_t *s, void *structure, struct conf_entry *e)
{
	const char *name = config_setting_name(s);
	const struct option *o = option_find(scope, name, NULL);
	struct conf_place at = place(l, s), *given;
	bool ok;

	if (o == NULL) {
		unknown(l, scope, name, at);
		return;
	}
	given = &e->options[o - option_table];
	if (given->file != NULL) {
		conf_error(l->problems, at, "%s was given already, at %s:%u",
		    name, given->file, given->line);
		return;
	}
	*given = at;
	if (o->type == OPTION_FOLDERS) {
		read_folders(l, s, structure, e);
		return;
	}
	ok = is_list(s) && (o->type == OPTION_NAMES || o->type == OPTION_ARGV)
	         ? set_list(o, s, structure)
	         : set_scalar(o, s, structure);
	if (ok)
		return;
	if (o->type == OPTION_FOLDER_NAME) {
		no_folder_name(l, o, s);
		return;
	}
	/* So that what is built on it gives no false complaint. */
	if (o->dflt != NULL)
		option_set(o, o->dflt, structure);
	/* A number that was too long has been reported by conf_scan(). */
	if (!config_setting_is_number(s) || !reported(l->problems, at))
		wants(l, at, o);
}

/* For what was not given. */
static void
set_defaults(struct loader *l, enum option_scope scope, void *structure,
    const struct conf_entry *e)
{
	for (size_t i = 0; option_table[i].name != NULL; i++) {
		const struct option *o = &option_table[i];

		if ((o->scopes & scope) == 0 || e->options[i].file != NULL)
			continue;
		if (o->dflt != NULL && !option_set(o, o->dflt, structure))
			abort();
		if (o->required)
			conf_error(l->problems, e->at,
			    "%s is missing; it wants %s", o->name,
			    option_wants(o).s);
	}
}

/* --- folders, accounts and destinations
 * ------------------------------------------ */

static void
read_members(struct loader *l, enum option_scope scope,
    const config_setting_t *s, void *structure, struct conf_entry *e)
{
	int n = config_setting_length(s);

	entry_init(e, place(l, s));
	for (int i = 0; i < n; i++)
		read_option(l, scope, config_setting_get_elem(s, (unsigned)i),
		    structure, e);
	set_defaults(l, scope, structure, e);
}

static struct conf_entry *
add_folder_entry(struct conf_entry *e)
{
	e->folders = mem_grow(e->folders, e->nfolders + 1, sizeof(*e->folders));
	return &e->folders[e->nfolders++];
}

/* One that is wrong stays there without a name. */
static void
read_folder(struct loader *l, const config_setting_t *s, struct conf_account *a,
    struct conf_entry *e)
{
	const struct option *list =
	    option_find(OPTION_ACCOUNT, "folders", NULL);
	const struct option *name = option_find(OPTION_FOLDER, "name", NULL);
	struct conf_folder *f = conf_add_folder(a);

	e = add_folder_entry(e);
	if (config_setting_is_group(s)) {
		read_members(l, OPTION_FOLDER, s, f, e);
		return;
	}
	entry_init(e, place(l, s));
	if (!set_scalar(name, s, f))
		no_folder_name(l, list, s);
}

static void
read_folders(struct loader *l, const config_setting_t *s,
    struct conf_account *a, struct conf_entry *e)
{
	int n = config_setting_length(s);

	if (!is_list(s)) {
		read_folder(l, s, a, e);
		return;
	}
	for (int i = 0; i < n; i++)
		read_folder(l, config_setting_get_elem(s, (unsigned)i), a, e);
	if (n == 0)
		wants(l, place(l, s),
		    option_find(OPTION_ACCOUNT, "folders", NULL));
}

/* What a folder does not say, the account does. */
static void
inherit(struct conf_account *a, struct conf_entry *e)
{
	struct conf_policy from = conf_policy_of(OPTION_ACCOUNT, a);

	/* The default has no place of its own. */
	while (e->nfolders < a->nfolders)
		entry_init(add_folder_entry(e), e->at);
	for (size_t i = 0; i < a->nfolders; i++) {
		struct conf_policy to =
		    conf_policy_of(OPTION_FOLDER, &a->folders[i]);

		if (!conf_was_given(&e->folders[i], "after")) {
			*to.after = *from.after;
			*to.after_period = *from.after_period;
			*to.after_folder = mem_strdup(*from.after_folder);
		}
		if (!conf_was_given(&e->folders[i], "first")) {
			*to.first = *from.first;
			*to.first_since = *from.first_since;
		}
	}
}

static void
read_account(struct loader *l, const config_setting_t *s)
{
	struct conf *c = l->conf;
	size_t i = c->naccounts++;
	struct conf_account *a;
	struct conf_entry *e;

	c->accounts = mem_grow(c->accounts, i + 1, sizeof(*a));
	l->places.accounts = mem_grow(l->places.accounts, i + 1, sizeof(*e));
	a = &c->accounts[i];
	e = &l->places.accounts[i];
	*a = (struct conf_account){ .name = NULL };
	read_members(l, OPTION_ACCOUNT, s, a, e);
	conf_fill_account(a, e, l->problems);
	inherit(a, e);
}

static bool
needs_address(const struct conf_destination *d)
{
	return d->sender != CONF_SENDER_PRESERVE ||
	       d->on_reject != CONF_ON_REJECT_HOLD;
}

static void
default_sender(
    struct loader *l, struct conf_destination *d, const struct conf_entry *e)
{
	if (conf_was_given(e, "mail_from") || d->server.user == NULL)
		return;
	if (option_is_address(d->server.user))
		d->mail_from = mem_strdup(d->server.user);
	else
		conf_error(l->problems, e->at,
		    "mail_from is missing, and user is no mail address that "
		    "could stand in for it%s",
		    needs_address(d) ? "; sender and on_reject put it in From"
				     : "");
}

static void
read_destination(struct loader *l, const config_setting_t *s)
{
	struct conf *c = l->conf;
	size_t i = c->ndestinations++;
	struct conf_destination *d;
	struct conf_entry *e;

	c->destinations = mem_grow(c->destinations, i + 1, sizeof(*d));
	l->places.destinations =
	    mem_grow(l->places.destinations, i + 1, sizeof(*e));
	d = &c->destinations[i];
	e = &l->places.destinations[i];
	*d = (struct conf_destination){ .name = NULL };
	read_members(l, OPTION_DESTINATION, s, d, e);
	conf_fill_destination(d, e, l->problems);
	default_sender(l, d, e);
}

static void
read_entries(struct loader *l, const config_setting_t *s,
    void (*read_one)(struct loader *l, const config_setting_t *s))
{
	const char *name = config_setting_name(s);
	int n = config_setting_length(s);

	if (!config_setting_is_list(s)) {
		conf_error(l->problems, place(l, s),
		    "%s wants a list of groups: %s = ( { ... }, { ... } );",
		    name, name);
		return;
	}
	for (int i = 0; i < n; i++) {
		config_setting_t *e = config_setting_get_elem(s, (unsigned)i);

		if (config_setting_is_group(e))
			read_one(l, e);
		else
			conf_error(l->problems, place(l, e),
			    "an entry of %s is a group: { name = ...; ... }",
			    name);
	}
}

/* --- files -------------------------------------------------------------- */

static void
read_root(struct loader *l, const config_setting_t *root)
{
	int n = config_setting_length(root);

	for (int i = 0; i < n; i++) {
		config_setting_t *s =
		    config_setting_get_elem(root, (unsigned)i);

		if (strcmp(config_setting_name(s), "accounts") == 0)
			read_entries(l, s, read_account);
		else if (strcmp(config_setting_name(s), "destinations") == 0)
			read_entries(l, s, read_destination);
		else
			read_option(
			    l, OPTION_GLOBAL, s, l->conf, &l->places.globals);
	}
}

static void
parse(struct loader *l)
{
	struct conf_place at;
	config_t tree;

	config_init(&tree);
	config_set_include_dir(&tree, l->dir);
	if (config_read_file(&tree, l->file)) {
		read_root(l, config_root_setting(&tree));
	} else {
		at.file = full_name(l, config_error_file(&tree));
		at.line = (unsigned)config_error_line(&tree);
		conf_error(l->problems, at, "%s", config_error_text(&tree));
		l->unreadable = true;
	}
	config_destroy(&tree);
}

static char *
directory_of(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *dir;

	if (slash == NULL)
		return mem_strdup(".");
	dir = mem_strdup(file);
	dir[slash - file] = '\0';
	return dir;
}

static void
load_file(struct loader *l, const char *file)
{
	l->file = intern(l, file);
	l->dir = directory_of(file);
	if (conf_scan(l->file, l->problems))
		parse(l);
	else
		l->unreadable = true;
	free(l->dir);
}

/* What an editor leaves behind begins with a dot or ends in something else. */
static int
is_conf_name(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return e->d_name[0] != '.' && n > 5 &&
	       strcmp(e->d_name + n - 5, ".conf") == 0;
}

/* In byte order whatever the locale: the order of files is documented. */
static int
compare_names(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
load_directory(struct loader *l, const char *file)
{
	char *dir = directory_of(file), *path;
	struct dirent **list;
	int n;

	if (asprintf(&path, "%s/conf.d", dir) < 0)
		abort();
	free(dir);
	n = scandir(path, &list, is_conf_name, compare_names);
	if (n < 0 && errno != ENOENT) {
		conf_error(l->problems,
		    (struct conf_place){ intern(l, path), 0 },
		    "cannot read this directory: %s", strerror(errno));
		l->unreadable = true;
	}
	for (int i = 0; i < n; i++) {
		char *name;

		if (asprintf(&name, "%s/%s", path, list[i]->d_name) < 0)
			abort();
		load_file(l, name);
		free(name);
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	free(path);
}

static void
loader_free(struct loader *l)
{
	for (size_t i = 0; i < l->conf->naccounts; i++)
		entry_free(&l->places.accounts[i]);
	for (size_t i = 0; i < l->conf->ndestinations; i++)
		entry_free(&l->places.destinations[i]);
	free(l->places.accounts);
	free(l->places.destinations);
	entry_free(&l->places.globals);
	for (size_t i = 0; i < l->nfiles; i++)
		free(l->files[i]);
	free(l->files);
}

struct conf *
conf_load(const char *file, struct conf_problems *problems)
{
	return conf_load_draft(&(struct conf_draft){ .file = file }, problems);
}

struct conf *
conf_load_draft(const struct conf_draft *d, struct conf_problems *problems)
{
	struct loader l = {
		.conf = mem_alloc(sizeof(*l.conf)),
		.problems = problems,
		.places.parts = d->parts,
	};

	l.conf->refs = 1;
	*problems = (struct conf_problems){ .list = NULL };
	entry_init(
	    &l.places.globals, (struct conf_place){ intern(&l, d->file), 0 });
	load_file(&l, d->file);
	load_directory(&l, d->file);
	if (d->also != NULL)
		load_file(&l, d->also);
	set_defaults(&l, OPTION_GLOBAL, l.conf, &l.places.globals);
	/* Half a picture would only give false complaints. */
	if (!l.unreadable)
		conf_check(l.conf, &l.places, problems);
	loader_free(&l);
	if (problems->n > 0)
		qsort(problems->list, problems->n, sizeof(*problems->list),
		    compare_problems);
	if (problems->errors > 0)
		conf_free(&l.conf);
	return l.conf;
}

struct conf *
conf_ref(struct conf *c)
{
	c->refs++;
	return c;
}

static void
free_all(struct conf *c)
{
	for (size_t i = 0; i < c->naccounts; i++) {
		free(c->accounts[i].destinations);
		option_free_all(OPTION_ACCOUNT, &c->accounts[i]);
	}
	for (size_t i = 0; i < c->ndestinations; i++)
		option_free_all(OPTION_DESTINATION, &c->destinations[i]);
	option_free_all(OPTION_GLOBAL, c);
	free(c->accounts);
	free(c->destinations);
	free(c);
}

void
conf_free(struct conf **c)
{
	if (*c != NULL && --(*c)->refs == 0)
		free_all(*c);
	*c = NULL;
}

static void
print_scope(FILE *out, enum option_scope scope, const char *noun)
{
	for (const struct option *o = option_table; o->name != NULL; o++) {
		const char *dflt = o->dflt != NULL ? o->dflt : "-";

		if ((o->scopes & scope) == 0)
			continue;
		fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", noun, o->name,
		    option_type_name(o->type),
		    o->required ? "(required)" : dflt, option_range(o).s,
		    o->help);
	}
}

void
conf_print_options(FILE *out)
{
	print_scope(out, OPTION_GLOBAL, "global");
	print_scope(out, OPTION_DESTINATION, "destination");
	print_scope(out, OPTION_ACCOUNT, "account");
	print_scope(out, OPTION_FOLDER, "folder");
}
