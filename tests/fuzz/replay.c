/* SPDX-License-Identifier: ISC */
/*
 * Gives files to a fuzz target without a fuzzing engine, as TAP.  Arguments
 * are files or folders of files; without any, fuzz_X takes the folder
 * $srcdir/tests/fuzz/corpus/X.
 */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

static unsigned count, failed;

static void
replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t size = 0, n = 0;

	count++;
	do {
		size += n;
		data = realloc(data, size + 4096);
		if (data == NULL)
			abort();
		n = f != NULL ? fread(data + size, 1, 4096, f) : 0;
	} while (n > 0);
	if (f == NULL || ferror(f) || LLVMFuzzerTestOneInput(data, size) != 0) {
		failed++;
		printf("not ");
	}
	printf("ok %u - %s\n", count, path);
	/* The next file may crash us: say now how far it went. */
	fflush(stdout);
	if (f != NULL)
		fclose(f);
	free(data);
}

static void
replay(const char *path)
{
	struct dirent **names;
	struct stat st;
	char child[4096];
	int n;

	if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
		replay_file(path);
		return;
	}
	n = scandir(path, &names, NULL, alphasort);
	if (n < 0) {
		printf("Bail out! %s: %s\n", path, strerror(errno));
		exit(1);
	}
	for (int i = 0; i < n; i++) {
		if (names[i]->d_name[0] != '.') {
			snprintf(child, sizeof(child), "%s/%s", path,
			    names[i]->d_name);
			replay(child);
		}
		free(names[i]);
	}
	free(names);
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	const char *name = strrchr(argv[0], '/');
	char path[4096];

	name = name != NULL ? name + 1 : argv[0];
	if (strncmp(name, "fuzz_", 5) == 0)
		name += 5;
	snprintf(path, sizeof(path), "%s/tests/fuzz/corpus/%s",
	    srcdir != NULL ? srcdir : ".", name);
	if (argc < 2)
		replay(path);
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	printf("1..%u\n", count);
	return failed > 0 || count == 0;
}
