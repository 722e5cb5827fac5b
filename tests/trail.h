/* SPDX-License-Identifier: ISC */
/*
 * What a machine did, as text: one line per event, bytes escaped as in C.
 * Pieces of a body that follow each other are joined, because where they are
 * cut is the one thing that may depend on how the input was cut.
 *
 * Used by the unit tests (split.h) and the fuzzers (fuzz.h).
 */
#ifndef TESTS_TRAIL_H
#define TESTS_TRAIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"

struct trail {
	char *text; /* owned, NUL-terminated, NULL: nothing yet */
	size_t len, cap;
	const char *open; /* name of the run of pieces that may go on */
};

/* A machine under test.  start() makes it fresh, feed() gives it one piece of
 * input and writes down the events, finish() adds what is left and frees. */
struct trail_machine {
	void *ctx;
	void (*start)(void *ctx);
	void (*feed)(void *ctx, struct span in, struct trail *t);
	void (*finish)(void *ctx, struct trail *t);
};

static inline void
trail_free(struct trail *t)
{
	free(t->text);
	*t = (struct trail){ .len = 0 };
}

static inline void
trail_raw(struct trail *t, const char *s, size_t n)
{
	if (t->len + n + 1 > t->cap) {
		t->cap = 2 * (t->len + n + 1);
		t->text = realloc(t->text, t->cap);
		if (t->text == NULL)
			abort();
	}
	memcpy(t->text + t->len, s, n);
	t->len += n;
	t->text[t->len] = '\0';
}

static inline void
trail_bytes(struct trail *t, struct span s)
{
	char hex[8];

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r')
			trail_raw(t, "\\r", 2);
		else if (s.p[i] == '\n')
			trail_raw(t, "\\n", 2);
		else if (s.p[i] == '\\')
			trail_raw(t, "\\\\", 2);
		else if (ascii_is_print(s.p[i]))
			trail_raw(t, s.p + i, 1);
		else
			trail_raw(t, hex,
			    (size_t)snprintf(hex, sizeof(hex), "\\x%02x",
				(unsigned)(unsigned char)s.p[i]));
	}
}

static inline void
trail_close(struct trail *t)
{
	if (t->open != NULL)
		trail_raw(t, "\n", 1);
	t->open = NULL;
}

/* One event, one line. */
__attribute__((format(printf, 2, 3))) static inline void
trail_event(struct trail *t, const char *fmt, ...)
{
	char line[2048];
	va_list ap;

	trail_close(t);
	va_start(ap, fmt);
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	trail_bytes(t, span_str(line));
	trail_raw(t, "\n", 1);
}

/* One event with the server's bytes: "name: bytes". */
static inline void
trail_text(struct trail *t, const char *name, struct span s)
{
	trail_close(t);
	trail_raw(t, name, strlen(name));
	trail_raw(t, ": ", 2);
	trail_bytes(t, s);
	trail_raw(t, "\n", 1);
}

/* A piece of a body; joined with the piece before it if that has the name. */
static inline void
trail_piece(struct trail *t, const char *name, struct span s)
{
	if (s.n == 0)
		return;
	if (t->open == NULL || strcmp(t->open, name) != 0) {
		trail_close(t);
		trail_raw(t, name, strlen(name));
		trail_raw(t, ": ", 2);
		t->open = name;
	}
	trail_bytes(t, s);
}

/* Each piece lies in memory of exactly its size: a sanitizer sees a byte read
 * too far, and a view that is used after its input went away. */
static inline void
trail_feed(
    const struct trail_machine *m, const char *p, size_t n, struct trail *t)
{
	char *copy = malloc(n > 0 ? n : 1);

	if (copy == NULL)
		abort();
	if (n > 0)
		memcpy(copy, p, n);
	m->feed(m->ctx, span_make(copy, n), t);
	free(copy);
}

/* The whole life of a machine, its input cut in two at cut;
 * step > 0: into pieces of step bytes instead. */
static inline struct trail
trail_run(
    const struct trail_machine *m, struct span in, size_t cut, size_t step)
{
	struct trail t = { .len = 0 };

	trail_raw(&t, "", 0);
	m->start(m->ctx);
	if (step == 0) {
		trail_feed(m, in.p, cut, &t);
		trail_feed(m, in.p + cut, in.n - cut, &t);
	} else {
		for (size_t i = 0; i < in.n; i += step)
			trail_feed(
			    m, in.p + i, in.n - i < step ? in.n - i : step, &t);
	}
	m->finish(m->ctx, &t);
	trail_close(&t);
	return t;
}

#endif
