/* SPDX-License-Identifier: ISC */
#include "cli/status_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cli/canvas.h"
#include "cli/text.h"

#define NAME_COLUMNS 18
#define STATE_COLUMNS 12
#define TIME_COLUMNS 11
#define COUNT_COLUMNS 9
#define HELD_COLUMNS 6
#define BAR_MIN 8
#define BAR_MAX 40

static const char *
text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

static int64_t
number_of(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

/* --- the state in words */

static enum canvas_style
style_of(const char *state)
{
	static const struct {
		const char *state;
		enum canvas_style style;
	} styles[] = {
		{ "polling", CANVAS_GOOD },
		{ "watching", CANVAS_GOOD },
		{ "sending", CANVAS_GOOD },
		{ "paused", CANVAS_WARN },
		{ "failing", CANVAS_BAD },
		{ "asks", CANVAS_BAD },
		{ "sign-in", CANVAS_BAD },
	};

	for (size_t i = 0; i < sizeof(styles) / sizeof(*styles); i++)
		if (strcmp(state, styles[i].state) == 0)
			return styles[i].style;
	return CANVAS_PLAIN;
}

/* "2m ago", "in 30s", "now" or "-". */
static void
put_time(struct canvas *c, int64_t now, int64_t when)
{
	char span[TEXT_MAX], text[TEXT_MAX + 8] = "-";

	if (when > now)
		snprintf(
		    text, sizeof(text), "in %s", text_span(span, when - now));
	else if (when > 0 && when + 1 >= now)
		snprintf(text, sizeof(text), "now");
	else if (when > 0)
		snprintf(
		    text, sizeof(text), "%s ago", text_span(span, now - when));
	canvas_cell(c, CANVAS_PLAIN, TIME_COLUMNS, text);
}

/* A next try that was due is due now. */
static int64_t
at_least(int64_t when, int64_t now)
{
	return when > 0 && when < now ? now : when;
}

/* What the daemon did not say is not zero. */
static void
put_count(struct canvas *c, const json_t *o, const char *key,
    enum canvas_style style, unsigned columns)
{
	const json_t *n = json_object_get(o, key);
	char text[TEXT_MAX] = "-";

	if (json_is_integer(n))
		snprintf(text, sizeof(text), "%lld",
		    (long long)json_integer_value(n));
	canvas_cell(
	    c, json_integer_value(n) > 0 ? style : CANVAS_PLAIN, columns, text);
}

static void
put_reason(struct canvas *c, const json_t *o)
{
	const char *reason = text_of(o, "reason");
	int64_t failures = number_of(o, "failures");
	enum canvas_style style = style_of(text_of(o, "state"));

	if (reason[0] == '\0' || (failures == 0 && style != CANVAS_BAD))
		return;
	canvas_put(c, CANVAS_PLAIN, "    ");
	if (failures > 1)
		canvas_put(c, style, "%lld times: ", (long long)failures);
	canvas_put(c, style, "%s", reason);
	canvas_end_line(c);
}

static void
put_warning(struct canvas *c, const json_t *o)
{
	const char *warning = text_of(o, "warning");

	if (warning[0] == '\0')
		return;
	canvas_put(c, CANVAS_PLAIN, "    ");
	canvas_put(c, CANVAS_WARN, "%s", warning);
	canvas_end_line(c);
}

/* --- the message that is on its way */

/* What is drawn, and what it is compared with. */
struct picture {
	struct canvas *canvas;
	const json_t *status;
	json_t *const *earlier; /* the newest first */
	size_t nearlier;
	int64_t now; /* wall clock */
};

/* Where a message was seen: in a mailbox of an account, or (folder NULL) on its
 * way to a destination. */
struct passage {
	const char *name, *folder;
	const json_t *message;
};

static const json_t *
find_named(const json_t *list, const char *key, const char *name)
{
	const json_t *o;
	size_t i;

	json_array_foreach(
	    list, i, o) if (strcmp(text_of(o, key), name) == 0) return o;
	return NULL;
}

/* The same message in an earlier status; or NULL. */
static const json_t *
find_message(const json_t *status, const struct passage *p)
{
	const char *list = p->folder != NULL ? "accounts" : "destinations";
	const json_t *o =
	    find_named(json_object_get(status, list), "name", p->name);

	if (p->folder != NULL)
		o = find_named(
		    json_object_get(o, "mailboxes"), "folder", p->folder);
	o = json_object_get(o, "message");
	return json_is_object(o) && strcmp(text_of(o, "uid"),
					text_of(p->message, "uid")) == 0
	           ? o
	           : NULL;
}

/* Bytes in a second, by the oldest status that shows it; 0: not known. */
static uint64_t
rate_of(const struct picture *g, const struct passage *p)
{
	int64_t bytes = number_of(p->message, "done");
	int64_t ms = (g->now - number_of(p->message, "since")) * 1000;

	for (size_t i = g->nearlier; i-- > 0;) {
		const json_t *then = find_message(g->earlier[i], p);

		if (then == NULL)
			continue;
		bytes -= number_of(then, "done");
		ms = number_of(g->status, STATUS_SEEN_MS) -
		     number_of(g->earlier[i], STATUS_SEEN_MS);
		break;
	}
	if (ms < 100)
		return 0;
	return bytes > 0 ? (uint64_t)(bytes * 1000 / ms) : 0;
}

static void
put_progress(
    const struct picture *g, const struct passage *p, const char *whose)
{
	struct canvas *c = g->canvas;
	char done_text[TEXT_MAX], size_text[TEXT_MAX], rate_text[TEXT_MAX];
	char left[TEXT_MAX] = "";
	uint64_t size = (uint64_t)number_of(p->message, "size");
	uint64_t done = (uint64_t)number_of(p->message, "done");
	uint64_t rate = rate_of(g, p);
	unsigned bar = c->width > 74 ? c->width - 66 : BAR_MIN;
	unsigned permille = size == 0      ? 0
	                    : done >= size ? 1000
	                                   : (unsigned)(done * 1000 / size);

	canvas_put(c, CANVAS_PLAIN, "    ");
	canvas_cell(c, CANVAS_PLAIN, NAME_COLUMNS - 4, whose);
	if (size > 0) {
		canvas_bar(c, bar > BAR_MAX ? BAR_MAX : bar, permille);
		canvas_put(c, CANVAS_PLAIN, "%4u%%  ", permille / 10);
	}
	canvas_put(c, CANVAS_PLAIN, "%s%s%s", text_bytes(done_text, done),
	    size > 0 ? " of " : "",
	    size > 0 ? text_bytes(size_text, size) : "");
	if (rate > 0)
		canvas_put(
		    c, CANVAS_PLAIN, "  %s/s", text_bytes(rate_text, rate));
	if (rate > 0 && size > done)
		canvas_put(c, CANVAS_DIM, "  %s left",
		    text_left(left, (int64_t)((size - done) / rate)));
	canvas_end_line(c);
}

/* --- accounts and destinations */

static void
put_mailbox(const struct picture *g, const json_t *account, const json_t *box)
{
	const char *doing = text_of(box, "doing");
	struct passage p = {
		.name = text_of(account, "name"),
		.folder = text_of(box, "folder"),
		.message = json_object_get(box, "message"),
	};

	if (json_is_object(p.message)) {
		put_progress(g, &p, p.folder);
	} else if (doing[0] != '\0' && strcmp(doing, "idle") != 0 &&
		   strcmp(doing, "watching") != 0) {
		canvas_put(g->canvas, CANVAS_PLAIN, "    ");
		canvas_cell(
		    g->canvas, CANVAS_PLAIN, NAME_COLUMNS - 4, p.folder);
		canvas_put(g->canvas, CANVAS_DIM, "%s", doing);
		canvas_end_line(g->canvas);
	}
}

static void
put_account(const struct picture *g, const json_t *o)
{
	struct canvas *c = g->canvas;
	const char *state = text_of(o, "state");
	const json_t *box;
	size_t i;

	canvas_cell(c, CANVAS_BOLD, NAME_COLUMNS, text_of(o, "name"));
	canvas_cell(c, style_of(state), STATE_COLUMNS, state);
	put_time(c, g->now, number_of(o, "last_success"));
	put_time(c, g->now, at_least(number_of(o, "next_poll"), g->now));
	put_count(c, o, "waiting", CANVAS_PLAIN, COUNT_COLUMNS);
	put_count(c, o, "held", CANVAS_WARN, HELD_COLUMNS);
	put_count(c, o, "in_doubt", CANVAS_WARN, COUNT_COLUMNS);
	canvas_end_line(c);
	put_reason(c, o);
	put_warning(c, o);
	json_array_foreach(json_object_get(o, "mailboxes"), i, box)
	    put_mailbox(g, o, box);
}

static void
put_destination(const struct picture *g, const json_t *o)
{
	struct canvas *c = g->canvas;
	const char *state = text_of(o, "state");
	struct passage p = {
		.name = text_of(o, "name"),
		.message = json_object_get(o, "message"),
	};

	canvas_cell(c, CANVAS_BOLD, NAME_COLUMNS, p.name);
	canvas_cell(c, style_of(state), STATE_COLUMNS, state);
	put_time(c, g->now, number_of(o, "last_success"));
	put_time(c, g->now, at_least(number_of(o, "next_try"), g->now));
	put_count(c, o, "queued", CANVAS_PLAIN, COUNT_COLUMNS);
	put_count(c, o, "connections", CANVAS_PLAIN, COUNT_COLUMNS);
	canvas_end_line(c);
	put_reason(c, o);
	put_warning(c, o);
	if (json_is_object(p.message))
		put_progress(g, &p, text_of(p.message, "account"));
}

/* --- all of it */

static void
put_titles(struct canvas *c, const char *const *titles)
{
	static const unsigned columns[] = { NAME_COLUMNS, STATE_COLUMNS,
		TIME_COLUMNS, TIME_COLUMNS, COUNT_COLUMNS };

	for (size_t i = 0; titles[i] != NULL; i++)
		if (i < sizeof(columns) / sizeof(*columns))
			canvas_cell(c, CANVAS_DIM, columns[i], titles[i]);
		else
			canvas_put(c, CANVAS_DIM, "%s", titles[i]);
	canvas_end_line(c);
}

static void
put_daemon(struct canvas *c, const json_t *o)
{
	char up[TEXT_MAX], used[TEXT_MAX], most[TEXT_MAX];
	int64_t failed = number_of(o, "reloads_failed");

	canvas_put(c, CANVAS_BOLD, "mailhauld %s", text_of(o, "version"));
	canvas_put(c, CANVAS_PLAIN, ", up %s, %lld connections, spool %s of %s",
	    text_span(up, number_of(o, "now") - number_of(o, "started")),
	    (long long)number_of(o, "connections"),
	    text_bytes(used, (uint64_t)number_of(o, "spool_used")),
	    text_bytes(most, (uint64_t)number_of(o, "spool_max")));
	if (failed > 0)
		canvas_put(
		    c, CANVAS_WARN, ", %lld reloads failed", (long long)failed);
	canvas_end_line(c);
	if (json_is_true(json_object_get(o, "stopping"))) {
		canvas_put(c, CANVAS_WARN,
		    "It is stopping: it waits for replies to final dots.");
		canvas_end_line(c);
	}
	if (json_is_true(json_object_get(o, "no_room"))) {
		canvas_put(c, CANVAS_BAD,
		    "The disk of the state is nearly full: nothing is polled.");
		canvas_end_line(c);
	}
}

void
status_text(struct canvas *c, const json_t *status, json_t *const *earlier,
    size_t nearlier)
{
	static const char *const account_titles[] = { "ACCOUNT", "STATE",
		"LAST OK", "NEXT POLL", "WAITING", "HELD  ", "IN DOUBT", NULL };
	static const char *const destination_titles[] = { "DESTINATION",
		"STATE", "LAST OK", "NEXT TRY", "QUEUED", "CONNECTIONS", NULL };
	struct picture g = { c, status, earlier, nearlier,
		number_of(status, "now") };
	const json_t *o;
	size_t i;

	put_daemon(c, status);
	canvas_end_line(c);
	put_titles(c, account_titles);
	json_array_foreach(json_object_get(status, "accounts"), i, o)
	    put_account(&g, o);
	canvas_end_line(c);
	put_titles(c, destination_titles);
	json_array_foreach(json_object_get(status, "destinations"), i, o)
	    put_destination(&g, o);
}
