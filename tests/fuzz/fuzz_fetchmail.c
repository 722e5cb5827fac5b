/* SPDX-License-Identifier: ISC */
/*
 * A fetchmailrc of any bytes: it is an error that can be printed, or becomes a
 * configuration without a mistake, whatever stood in it.  The same bytes as
 * .fetchids: what is found in a line is in the line.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "cli/import_conf.h"
#include "conf/conf.h"

const char *__lsan_default_suppressions(void);

/* libconfig 1.5 forgets the string it was reading at a syntax error. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

static void
check_printable(const char *s)
{
	for (; *s != '\0'; s++)
		fuzz_check(ascii_is_print(*s), "not printable");
}

static bool
has_active(const struct import *im)
{
	for (size_t i = 0; i < im->naccounts; i++)
		if (!im->accounts[i].left_out && !im->accounts[i].aside)
			return true;
	return false;
}

static void
check_loads(struct span text)
{
	static int fd = -1;
	struct conf_problems problems;
	struct conf *c;
	char path[64];

	if (fd < 0)
		fd = memfd_create("fuzz_fetchmail", MFD_CLOEXEC);
	fuzz_check(fd >= 0 && ftruncate(fd, 0) == 0, "no file");
	fuzz_check(
	    pwrite(fd, text.p, text.n, 0) == (ssize_t)text.n, "not written");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	c = conf_load(path, &problems);
	for (size_t i = 0; i < problems.n; i++)
		if (c == NULL)
			fprintf(stderr, "%u: %s\n", problems.list[i].line,
			    problems.list[i].text);
	fuzz_check(c != NULL, "a configuration with mistakes");
	conf_problems_free(&problems);
	conf_free(&c);
}

static void
check_import(struct import_file *file)
{
	struct import im = { .files = file, .nfiles = 1 };

	import_plan(&im);
	for (size_t i = 0; i < im.naccounts; i++)
		im.accounts[i].ids = i & 1;
	fuzz_check(import_write(&im), "no room");
	for (size_t i = 0; i < im.nnotes; i++)
		check_printable(im.notes[i].text);
	if (has_active(&im))
		check_loads(buf_span(&im.text));
	import_free(&im);
}

static void
check_ids(struct span text)
{
	fetchmail_is_ids(text);
	while (text.n > 0) {
		struct span line = span_cut(&text, '\n');
		struct fetchmail_id id;

		if (!fetchmail_id_parse(line, &id))
			continue;
		fuzz_check(id.user.p >= line.p &&
			       id.uid.p + id.uid.n <= line.p + line.n &&
			       id.user.p + id.user.n < id.host.p &&
			       id.host.p + id.host.n < id.uid.p,
		    "not in this order");
		fuzz_check(id.uid.n > 0 &&
			       memchr(id.uid.p, ' ', id.uid.n) == NULL &&
			       memchr(id.host.p, '@', id.host.n) == NULL,
		    "not one word");
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_make(size > 0 ? (const void *)data : "", size);
	char folder[] = "/";
	struct import_file file = { .path = "rc", .folder = folder };

	if (fetchmail_parse(&file.rc, in))
		check_import(&file);
	else
		check_printable(file.rc.error);
	fetchmail_free(&file.rc);
	check_ids(in);
	return 0;
}
