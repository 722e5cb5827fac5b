/* SPDX-License-Identifier: ISC */
/*
 * A check of settings as people and programs read it, from the lines that
 * mailhaul-control(7) describes: one check after the other, however they come.
 */
#ifndef CLI_CHECK_TEXT_H
#define CLI_CHECK_TEXT_H

#include <stdbool.h>

#include <jansson.h>

struct check_text;

/* as_json: nothing is printed before the end. */
struct check_text *check_text_new(bool as_json);
void check_text_line(struct check_text *t, const json_t *line);
/* whole: it came to its end, and how it went is printed; the exit code of that.
 * *t becomes NULL. */
int check_text_end(struct check_text **t, bool whole);

#endif
