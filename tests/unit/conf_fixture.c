/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf_fixture.h"

static char dir[64];

const char *
conf_directory(void)
{
	return dir;
}

const char *
conf_path(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

void
conf_put(const char *name, const char *text, mode_t mode)
{
	FILE *f = fopen(conf_path(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(conf_path(name), mode), 0);
}

void
conf_write(const char *name, const char *text)
{
	FILE *f = fopen(conf_path(name), "w");

	assert_non_null(f);
	for (; *text != '\0'; text++)
		if (text[0] == '@' && text[1] == '/')
			fputs(dir, f);
		else
			fputc(*text, f);
	fclose(f);
}

struct conf *
conf_read(char **report_r)
{
	struct conf_problems p;
	size_t n, prefix = strlen(dir) + 1, errors = 0;
	FILE *out = open_memstream(report_r, &n);
	struct conf *c = conf_load(conf_path("main.conf"), &p);

	assert_non_null(out);
	for (size_t i = 0; i < p.n; i++) {
		const char *name = p.list[i].file + prefix;

		assert_memory_equal(p.list[i].file, dir, prefix - 1);
		if (strcmp(name, "main.conf") != 0)
			fprintf(out, "%s:", name);
		fprintf(out, "%s%u: ", p.list[i].warning ? "w" : "",
		    p.list[i].line);
		/* The directory's name differs from run to run. */
		for (const char *t = p.list[i].text; *t != '\0'; t++)
			if (strncmp(t, dir, prefix - 1) == 0) {
				fputc('@', out);
				t += prefix - 2;
			} else {
				fputc(*t, out);
			}
		fputc('\n', out);
		errors += p.list[i].warning ? 0 : 1;
	}
	fclose(out);
	assert_int_equal(errors, p.errors);
	assert_true((c == NULL) == (errors > 0));
	conf_problems_free(&p);
	return c;
}

void
conf_expect(const char *conf, const char *report)
{
	char *got;
	struct conf *c;

	conf_write("main.conf", conf);
	c = conf_read(&got);
	if (strcmp(got, report) != 0)
		print_error(
		    "of\n%s\n--- expected\n%s--- got\n%s", conf, report, got);
	assert_string_equal(got, report);
	free(got);
	conf_free(&c);
}

struct conf *
conf_read_good(const char *text)
{
	char *report;
	struct conf *c;

	conf_write("main.conf", text);
	c = conf_read(&report);
	assert_string_equal(report, "");
	free(report);
	assert_non_null(c);
	return c;
}

int
conf_set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_conf.XXXXXX");
	unsetenv("CREDENTIALS_DIRECTORY");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

int
conf_tear_down(void **state)
{
	const char *const names[] = { "main.conf", "pw", "open", "group",
		"shut", "link" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(conf_path(names[i]));
	return rmdir(dir);
}
