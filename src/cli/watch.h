/* SPDX-License-Identifier: ISC */
/*
 * The terminal of mailhaul status --watch: another screen that is redrawn in
 * place, keys, and the way back on every way out.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <stdbool.h>

struct canvas;

enum watch_key {
	WATCH_NOTHING, /* time is up, or the size changed: draw again */
	WATCH_QUIT,    /* q, or a signal that ends us */
	WATCH_UP,
	WATCH_DOWN,
};

/* false: standard output is no terminal. */
bool watch_open(void);
void watch_close(void);
/* Columns into c, and the rows there are. */
unsigned watch_size(struct canvas *c);
/* Shows the lines of c from top on, in place. */
void watch_draw(const struct canvas *c, unsigned rows, unsigned top);
enum watch_key watch_wait(int ms);

#endif
