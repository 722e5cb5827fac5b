/* SPDX-License-Identifier: ISC */
/*
 * Lines for a terminal: text in a few styles, cut at the width, with a bar for
 * progress.  What is drawn may come from servers: control characters never
 * reach the terminal.
 */
#ifndef CLI_CANVAS_H
#define CLI_CANVAS_H

#include <stdbool.h>
#include <stddef.h>

enum canvas_style {
	CANVAS_PLAIN,
	CANVAS_BOLD,
	CANVAS_DIM,
	CANVAS_GOOD,
	CANVAS_WARN,
	CANVAS_BAD,
	CANVAS_STYLES
};

struct canvas {
	bool colour;
	bool utf8;      /* of the locale: else ASCII alone is drawn */
	unsigned width; /* columns; 0: without an end */
	/* private */
	char **lines; /* owned; as the terminal gets them */
	size_t nlines;
	char *line; /* owned; the one that is being drawn */
	size_t len, cap;
	unsigned column;
};

/* Colour only on a terminal that has some, and not with NO_COLOR; UTF-8 by the
 * locale. */
void canvas_init(struct canvas *c, int fd);
void canvas_clear(struct canvas *c);
void canvas_free(struct canvas *c);

void canvas_put(struct canvas *c, enum canvas_style style, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Text in a column of so many, a blank behind it included. */
void canvas_cell(struct canvas *c, enum canvas_style style, unsigned columns,
    const char *text);
/* permille 0 ... 1000. */
void canvas_bar(struct canvas *c, unsigned columns, unsigned permille);
void canvas_end_line(struct canvas *c);
void canvas_drop_line(struct canvas *c); /* the last one; there is one */

#endif
