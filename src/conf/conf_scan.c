/* SPDX-License-Identifier: ISC */
/*
 * libconfig 1.5 reads 4294967297 as 1, takes a comment that never ends, cuts a
 * string at \x00, and ends the process when an include names a directory.  So
 * the raw text is looked at first.  This is a lexer only; the grammar is
 * libconfig's.
 */
#include "conf/conf_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"

#define FILE_BYTES_MAX (1 << 20)
#define INCLUDE_DEPTH_MAX 10 /* libconfig's own */
/* What always fits an int. */
#define DECIMAL_DIGITS_MAX 9
#define HEX_DIGITS_MAX 7

struct scan {
	const char *dir; /* includes are relative to it */
	struct conf_place at;
	struct span rest;
	struct conf_problems *problems;
	unsigned depth;
	bool sound;
};

/* A static text that says why not, or NULL. */
static const char *
read_regular(const char *file, char **text_r, size_t *n_r)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	const char *why = NULL;
	struct stat st;
	ssize_t got;

	*n_r = 0;
	if (fd < 0)
		return strerror(errno);
	*text_r = mem_alloc(FILE_BYTES_MAX);
	if (fstat(fd, &st) != 0)
		why = strerror(errno);
	else if (!S_ISREG(st.st_mode))
		why = "not a regular file";
	else if (st.st_size >= FILE_BYTES_MAX)
		why = "larger than 1 MiB";
	while (why == NULL && *n_r < FILE_BYTES_MAX) {
		got = read(fd, *text_r + *n_r, FILE_BYTES_MAX - *n_r);
		if (got < 0)
			why = strerror(errno);
		if (got <= 0)
			break;
		*n_r += (size_t)got;
	}
	close(fd);
	return why;
}

static char
peek(const struct scan *s, size_t i)
{
	return i < s->rest.n ? s->rest.p[i] : '\0';
}

static void
skip(struct scan *s, size_t n)
{
	s->rest = span_skip(s->rest, n);
}

static void
unsound(struct scan *s, const char *text)
{
	conf_error(s->problems, s->at, "%s", text);
	s->sound = false;
	s->rest.n = 0;
}

static void
skip_line(struct scan *s)
{
	while (s->rest.n > 0 && s->rest.p[0] != '\n')
		skip(s, 1);
}

static void
skip_comment(struct scan *s)
{
	unsigned line = s->at.line;

	for (skip(s, 2); s->rest.n > 0; skip(s, 1)) {
		if (peek(s, 0) == '*' && peek(s, 1) == '/') {
			skip(s, 2);
			return;
		}
		if (peek(s, 0) == '\n')
			s->at.line++;
	}
	s->at.line = line;
	unsound(s, "this comment is never closed; close it with */");
}

static void
skip_string(struct scan *s)
{
	for (skip(s, 1); s->rest.n > 0 && peek(s, 0) != '\n'; skip(s, 1)) {
		if (peek(s, 0) == '"') {
			skip(s, 1);
			return;
		}
		if (peek(s, 0) != '\\')
			continue;
		skip(s, 1);
		if (span_istarts(s->rest, "x00"))
			conf_error(s->problems, s->at,
			    "\\x00 would cut this string short");
	}
	unsound(s, "this string is not closed on its line; close it with \"");
}

static bool
is_word(char c)
{
	return ascii_is_digit(c) || c == '-' || c == '_' || c == '*' ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

static bool
is_hex(char c)
{
	return ascii_is_digit(c) ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f');
}

/* A fraction or exponent makes it a float, which is no business of ours. */
static void
scan_number(struct scan *s)
{
	bool hex = peek(s, 0) == '0' && ascii_lower(peek(s, 1)) == 'x';
	size_t n = 0;

	if (hex)
		skip(s, 2);
	while (hex ? is_hex(peek(s, n)) : ascii_is_digit(peek(s, n)))
		n++;
	skip(s, n);
	if (!hex && (peek(s, 0) == '.' || ascii_lower(peek(s, 0)) == 'e')) {
		while (ascii_is_digit(peek(s, 0)) ||
		       (peek(s, 0) != '\0' && strchr(".eE+-", peek(s, 0))))
			skip(s, 1);
		return;
	}
	if (n > (hex ? HEX_DIGITS_MAX : DECIMAL_DIGITS_MAX))
		conf_error(s->problems, s->at,
		    "this number is too long; no number here has more than %d "
		    "digits",
		    hex ? HEX_DIGITS_MAX : DECIMAL_DIGITS_MAX);
}

static bool scan_file(const char *file, const char *dir, unsigned depth,
    struct conf_problems *p, const char **why_r);

static void
scan_include(struct scan *s)
{
	struct span name;
	const char *why = NULL;
	char *file;

	skip(s, strlen("@include"));
	while (peek(s, 0) == ' ' || peek(s, 0) == '\t')
		skip(s, 1);
	if (peek(s, 0) != '"') {
		unsound(s, "@include wants a file name in quotes");
		return;
	}
	name = span_skip(s->rest, 1);
	skip_string(s);
	if (!s->sound)
		return;
	name.n = (size_t)(s->rest.p - name.p) - 1;
	if (asprintf(&file, "%s/%.*s", s->dir, (int)name.n, name.p) < 0)
		abort();
	/* One that includes itself twice must not be followed down twice. */
	if (!scan_file(file, s->dir, s->depth + 1, s->problems, &why)) {
		s->sound = false;
		s->rest.n = 0;
	}
	if (why != NULL)
		conf_error(
		    s->problems, s->at, "cannot include %s: %s", file, why);
	free(file);
}

/* One lexical element; bol: nothing but blanks stood before it. */
static void
scan_one(struct scan *s, bool bol)
{
	char c = peek(s, 0);

	if (c == '"')
		skip_string(s);
	else if (c == '#' || (c == '/' && peek(s, 1) == '/'))
		skip_line(s);
	else if (c == '/' && peek(s, 1) == '*')
		skip_comment(s);
	else if (ascii_is_digit(c))
		scan_number(s);
	else if (is_word(c) && c != '-')
		while (is_word(peek(s, 0)))
			skip(s, 1);
	else if (bol && span_istarts(s->rest, "@include"))
		scan_include(s);
	else if ((unsigned char)c < 0x20 && strchr("\t\r\f", c) == NULL)
		unsound(s, "a control character; this is not a text file");
	else if (c == '\0')
		unsound(s, "a NUL byte; this is not a text file");
	else
		skip(s, 1);
}

static bool
scan_text(struct scan *s)
{
	bool bol = true;

	while (s->rest.n > 0) {
		char c = peek(s, 0);

		if (c == '\n') {
			s->at.line++;
			bol = true;
			skip(s, 1);
		} else if (c == ' ' || c == '\t') {
			skip(s, 1);
		} else {
			scan_one(s, bol);
			bol = false;
		}
	}
	return s->sound;
}

/* *why_r: the file itself could not be had. */
static bool
scan_file(const char *file, const char *dir, unsigned depth,
    struct conf_problems *p, const char **why_r)
{
	struct scan s = {
		.dir = dir,
		.at = { file, 1 },
		.problems = p,
		.depth = depth,
		.sound = true,
	};
	char *text = NULL;

	if (depth > INCLUDE_DEPTH_MAX) {
		*why_r = "included too deep, perhaps by itself";
		return false;
	}
	*why_r = read_regular(file, &text, &s.rest.n);
	s.rest.p = text;
	if (*why_r == NULL)
		scan_text(&s);
	free(text);
	return *why_r == NULL && s.sound;
}

bool
conf_scan(const char *file, struct conf_problems *p)
{
	const char *slash = strrchr(file, '/');
	const char *why;
	bool sound;
	char *dir =
	    slash != NULL ? strndup(file, (size_t)(slash - file)) : strdup(".");

	if (dir == NULL)
		abort();
	sound = scan_file(file, dir, 0, p, &why);
	free(dir);
	if (why != NULL)
		conf_error(p, (struct conf_place){ file, 0 },
		    "cannot read this file: %s", why);
	return sound;
}
