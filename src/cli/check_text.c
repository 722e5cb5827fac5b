/* SPDX-License-Identifier: ISC */
#include "cli/check_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/mem.h"
#include "cli/canvas.h"
#include "cli/text.h"

#define TIME_COLUMNS 9
#define STEP_COLUMNS 14

struct check_text {
	bool as_json;
	struct canvas canvas;
	json_t *checks; /* owned: the plan, each with its steps */
	size_t at;      /* the one that is being printed */
	size_t step;    /* its next step */
	bool headed;    /* its first line was printed */
};

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

/* --- for people */

static const struct {
	const char *outcome, *tick, *ascii;
	enum canvas_style style;
} ticks[] = {
	{ "good", "\u2713", "+", CANVAS_GOOD },
	{ "warning", "!", "!", CANVAS_WARN },
	{ "skipped", "\u2013", "-", CANVAS_WARN },
	{ "failed", "\u2717", "x", CANVAS_BAD },
};
#define TICKS (sizeof(ticks) / sizeof(*ticks))

/* What is not known is taken for the worst. */
static size_t
tick_of(const json_t *o)
{
	size_t i = 0;

	while (i < TICKS - 1 &&
	       strcmp(text_of(o, "outcome"), ticks[i].outcome) != 0)
		i++;
	return i;
}

/* Somebody may be watching. */
static void
print_line(struct check_text *t)
{
	canvas_end_line(&t->canvas);
	puts(t->canvas.lines[t->canvas.nlines - 1]);
	fflush(stdout);
	canvas_clear(&t->canvas);
}

static void
print_head(struct check_text *t, const json_t *check)
{
	struct canvas *c = &t->canvas;

	if (t->at > 0)
		print_line(t);
	canvas_put(c, CANVAS_BOLD, "%s %s", text_of(check, "kind"),
	    text_of(check, "name"));
	canvas_put(c, CANVAS_DIM, ": %s %s port %lld, user %s",
	    text_of(check, "protocol"), text_of(check, "host"),
	    (long long)json_integer_value(json_object_get(check, "port")),
	    text_of(check, "user"));
	print_line(t);
}

static const char *
duration(char buf[TEXT_MAX], int64_t usec)
{
	if (usec < 999500)
		snprintf(
		    buf, TEXT_MAX, "%lld ms", (long long)(usec + 500) / 1000);
	else
		snprintf(buf, TEXT_MAX, "%.1f s", (double)usec / 1e6);
	return buf;
}

static void
print_step(struct check_text *t, const json_t *step)
{
	struct canvas *c = &t->canvas;
	size_t tick = tick_of(step);
	enum canvas_style style = tick == 0 ? CANVAS_PLAIN : ticks[tick].style;
	char time[TEXT_MAX];

	canvas_put(c, CANVAS_PLAIN, "  ");
	canvas_put(c, ticks[tick].style, "%s ",
	    c->utf8 ? ticks[tick].tick : ticks[tick].ascii);
	duration(time, json_integer_value(json_object_get(step, "usec")));
	canvas_put(c, CANVAS_DIM, "%*s  ", TIME_COLUMNS - 2, time);
	canvas_cell(c, style, STEP_COLUMNS, text_of(step, "step"));
	if (json_is_string(json_object_get(step, "folder")))
		canvas_put(c, style, "%s: ", text_of(step, "folder"));
	canvas_put(c, style, "%s", text_of(step, "text"));
	if (json_is_string(json_object_get(step, "cure")))
		canvas_put(c, style, "; %s", text_of(step, "cure"));
	print_line(t);
	if (!json_is_string(json_object_get(step, "words")))
		return;
	canvas_put(c, CANVAS_PLAIN, "%*s", TIME_COLUMNS + STEP_COLUMNS + 4, "");
	canvas_put(
	    c, CANVAS_PLAIN, "the server said: %s", text_of(step, "words"));
	print_line(t);
}

/* As far as it goes in order. */
static void
print_what_is_known(struct check_text *t)
{
	const json_t *check;

	while ((check = json_array_get(t->checks, t->at)) != NULL) {
		const json_t *steps = json_object_get(check, "steps");

		if (!t->headed)
			print_head(t, check);
		t->headed = true;
		for (; t->step < json_array_size(steps); t->step++)
			print_step(t, json_array_get(steps, t->step));
		if (!json_is_string(json_object_get(check, "outcome")))
			return;
		t->at++;
		t->step = 0;
		t->headed = false;
	}
}

static void
print_summary(struct check_text *t)
{
	struct canvas *c = &t->canvas;
	size_t i, bad = 0, n = json_array_size(t->checks);
	const json_t *check;

	json_array_foreach(t->checks, i, check) bad += tick_of(check) >= 2;
	print_line(t);
	if (bad == 0)
		canvas_put(
		    c, CANVAS_GOOD, n == 1 ? "it works" : "all %zu work", n);
	else
		canvas_put(c, CANVAS_BAD, "%zu of %zu %s not work", bad, n,
		    bad == 1 ? "does" : "do");
	print_line(t);
}

/* --- lines */

struct check_text *
check_text_new(bool as_json)
{
	struct check_text *t = mem_alloc(sizeof(*t));

	t->as_json = as_json;
	t->checks = json_array();
	canvas_init(&t->canvas, fileno(stdout));
	return t;
}

static void
take_plan(struct check_text *t, const json_t *plan)
{
	const json_t *check;
	size_t i;

	json_array_foreach(plan, i, check)
	{
		json_t *copy = json_deep_copy(check);

		json_object_set_new(copy, "outcome", json_null());
		json_object_set_new(copy, "steps", json_array());
		json_array_append_new(t->checks, copy);
	}
}

static json_t *
find(const struct check_text *t, const json_t *line)
{
	json_t *check;
	size_t i;

	json_array_foreach(t->checks, i,
	    check) if (strcmp(text_of(check, "name"), text_of(line, "name")) ==
			   0 &&
		       strcmp(text_of(check, "kind"), text_of(line, "kind")) ==
			   0) return check;
	return NULL;
}

static void
take_step(json_t *check, const json_t *line)
{
	json_t *copy = json_deep_copy(line);

	/* It stands in the check already. */
	json_object_del(copy, "kind");
	json_object_del(copy, "name");
	json_array_append_new(json_object_get(check, "steps"), copy);
}

void
check_text_line(struct check_text *t, const json_t *line)
{
	json_t *check;

	if (json_object_get(line, "checks") != NULL) {
		take_plan(t, json_object_get(line, "checks"));
	} else if ((check = find(t, line)) != NULL) {
		if (strcmp(text_of(line, "step"), "end") == 0)
			json_object_set(
			    check, "outcome", json_object_get(line, "outcome"));
		else
			take_step(check, line);
	}
	if (!t->as_json)
		print_what_is_known(t);
}

static size_t
worst(const struct check_text *t)
{
	const json_t *check;
	size_t i, found = 0;

	json_array_foreach(t->checks, i, check) if (tick_of(check) > found)
	    found = tick_of(check);
	return found;
}

static void
print_json(const struct check_text *t, const char *outcome)
{
	json_t *all =
	    json_pack("{ss sO}", "outcome", outcome, "checks", t->checks);

	if (all == NULL)
		abort();
	if (json_dumpf(all, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	json_decref(all);
}

int
check_text_end(struct check_text **text, bool whole)
{
	static const int codes[TICKS] = { EX_OK, EX_OK, EX_TEMPFAIL,
		EX_UNAVAILABLE };
	struct check_text *t = *text;
	size_t bad = worst(t);

	*text = NULL;
	if (whole && t->as_json) {
		print_json(t, ticks[bad].outcome);
	} else if (whole) {
		print_summary(t);
	}
	canvas_free(&t->canvas);
	json_decref(t->checks);
	free(t);
	return codes[bad];
}
