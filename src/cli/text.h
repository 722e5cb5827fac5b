/* SPDX-License-Identifier: ISC */
/*
 * Numbers as people read them.  All write into buf and return it.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdint.h>

#define TEXT_MAX 32

/* "998 B", "1.2 kB", "200 MB": powers of 1000. */
const char *text_bytes(char buf[TEXT_MAX], uint64_t n);
/* In the largest unit that leaves a number: 59s, 59m, 23h, 400d. */
const char *text_span(char buf[TEXT_MAX], int64_t seconds);
/* Minutes and seconds, or hours: "0:09", "12:00", "3h 20m". */
const char *text_left(char buf[TEXT_MAX], int64_t seconds);
/* Local time with its zone. */
const char *text_date(char buf[TEXT_MAX], int64_t when);

/* As libconfig reads it back, quotes and all; the caller's. */
char *text_quoted(const char *value);

#endif
