/* SPDX-License-Identifier: ISC */
#include "cli/canvas.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "base/ascii.h"
#include "base/mem.h"

static const char *const on[CANVAS_STYLES] = {
	[CANVAS_PLAIN] = "",
	[CANVAS_BOLD] = "\033[1m",
	[CANVAS_DIM] = "\033[2m",
	[CANVAS_GOOD] = "\033[32m",
	[CANVAS_WARN] = "\033[33m",
	[CANVAS_BAD] = "\033[31m",
};

void
canvas_init(struct canvas *c, int fd)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");

	*c = (struct canvas){
		.colour = isatty(fd) && term != NULL &&
		          strcmp(term, "dumb") != 0 &&
		          (no_color == NULL || no_color[0] == '\0'),
		.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
	};
}

void
canvas_clear(struct canvas *c)
{
	for (size_t i = 0; i < c->nlines; i++)
		free(c->lines[i]);
	c->nlines = 0;
	c->len = 0;
	c->column = 0;
}

void
canvas_free(struct canvas *c)
{
	canvas_clear(c);
	free(c->lines);
	free(c->line);
	c->lines = NULL;
	c->line = NULL;
	c->cap = 0;
}

/* --- bytes */

static void
add(struct canvas *c, const char *p, size_t n)
{
	if (c->len + n + 1 > c->cap) {
		c->cap = 2 * c->cap + n + 128;
		c->line = mem_grow(c->line, c->cap, 1);
	}
	memcpy(c->line + c->len, p, n);
	c->len += n;
	c->line[c->len] = '\0';
}

static bool
fits(const struct canvas *c, int columns)
{
	return c->width == 0 || c->column + (unsigned)columns <= c->width;
}

/* The length in bytes of the first character and its columns; what cannot be
 * drawn is a "?" of one. */
static size_t
measure(const struct canvas *c, const char *s, size_t n, int *columns_r)
{
	mbstate_t state = { 0 };
	size_t len = 0;
	wchar_t wide;

	if (c->utf8 && !ascii_is_print(*s)) {
		len = mbrtowc(&wide, s, n, &state);
		*columns_r = len > 0 && len <= n ? wcwidth(wide) : -1;
		if (*columns_r >= 0)
			return len;
		return len > 0 && len <= n ? len : 1;
	}
	*columns_r = ascii_is_print(*s) ? 1 : -1;
	return 1;
}

/* At most most columns (0: as wide as the line is); the columns drawn. */
static unsigned
add_text(struct canvas *c, const char *s, unsigned most)
{
	size_t n = strlen(s);
	unsigned start = c->column;

	while (n > 0) {
		int columns;
		size_t len = measure(c, s, n, &columns);
		bool drawable = columns >= 0;

		if (!drawable)
			columns = 1;
		if (!fits(c, columns) ||
		    (most > 0 && c->column - start + (unsigned)columns > most))
			break;
		add(c, drawable ? s : "?", drawable ? len : 1);
		c->column += (unsigned)columns;
		s += len;
		n -= len;
	}
	return c->column - start;
}

static void
begin_style(struct canvas *c, enum canvas_style style)
{
	if (c->colour && style != CANVAS_PLAIN)
		add(c, on[style], strlen(on[style]));
}

static void
end_style(struct canvas *c, enum canvas_style style)
{
	if (c->colour && style != CANVAS_PLAIN)
		add(c, "\033[0m", 4);
}

/* --- what is drawn */

void
canvas_put(struct canvas *c, enum canvas_style style, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	begin_style(c, style);
	add_text(c, text, 0);
	end_style(c, style);
}

void
canvas_cell(struct canvas *c, enum canvas_style style, unsigned columns,
    const char *text)
{
	unsigned drawn;

	begin_style(c, style);
	drawn = add_text(c, text, columns - 1);
	end_style(c, style);
	for (; drawn < columns; drawn++)
		add_text(c, " ", 1);
}

void
canvas_bar(struct canvas *c, unsigned columns, unsigned permille)
{
	static const char *const parts[] = { " ", "\u258f", "\u258e", "\u258d",
		"\u258c", "\u258b", "\u258a", "\u2589", "\u2588" };
	unsigned eighths = columns * 8 * permille / 1000;

	add_text(c, c->utf8 ? "\u2595" : "[", 1);
	begin_style(c, CANVAS_GOOD);
	for (unsigned i = 0; i < columns; i++) {
		unsigned part = eighths > 8 ? 8 : eighths;

		eighths -= part;
		add_text(c, c->utf8 ? parts[part] : part == 8 ? "#" : ".", 1);
	}
	end_style(c, CANVAS_GOOD);
	add_text(c, c->utf8 ? "\u258f" : "]", 1);
}

void
canvas_end_line(struct canvas *c)
{
	while (c->len > 0 && c->line[c->len - 1] == ' ')
		c->line[--c->len] = '\0';
	c->lines = mem_grow(c->lines, c->nlines + 1, sizeof(*c->lines));
	c->lines[c->nlines++] = mem_strdup(c->len > 0 ? c->line : "");
	c->len = 0;
	c->column = 0;
}

void
canvas_drop_line(struct canvas *c)
{
	free(c->lines[--c->nlines]);
}
