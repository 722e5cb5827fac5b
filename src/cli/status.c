/* SPDX-License-Identifier: ISC */
/*
 * mailhaul status: what the daemon does now, once or until somebody quits.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "cli/canvas.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/status_text.h"
#include "cli/watch.h"

#define REDRAW_MS 500
#define HISTORY 8 /* of so many drawings: the rate is that of four seconds */

struct live {
	struct client *client;
	struct canvas canvas;
	json_t *history[HISTORY]; /* owned; the newest first */
	unsigned top;             /* the first line that is shown */
};

static enum client_result
fetch(struct client *c, bool quiet, json_t **json_r, const char **why_r,
    int *exit_r)
{
	struct client_call call = { .quiet = quiet, .path = "/v1/status" };
	enum client_result result = client_call(c, &call, json_r, exit_r);

	*why_r = call.why;
	return result;
}

/* --- once */

static void
print_text(const json_t *status)
{
	struct canvas c;

	canvas_init(&c, fileno(stdout));
	status_text(&c, status, NULL, 0);
	for (size_t i = 0; i < c.nlines; i++)
		puts(c.lines[i]);
	canvas_free(&c);
}

static int
show_once(struct client *c, bool as_json)
{
	const char *why;
	json_t *status;
	int code = EX_OK;

	switch (fetch(c, false, &status, &why, &code)) {
	case CLIENT_OK:
		if (!as_json)
			print_text(status);
		else if (json_dumpf(status, stdout, JSON_COMPACT) == 0)
			putchar('\n');
		break;
	case CLIENT_ABSENT:
		code = client_say_absent(c);
		break;
	case CLIENT_FAILED:
		break;
	}
	json_decref(status);
	return code;
}

/* --- live */

static void
remember(struct live *l, json_t *status)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	json_object_set_new(status, STATUS_SEEN_MS,
	    json_integer(ts.tv_sec * 1000 + ts.tv_nsec / 1000000));
	json_decref(l->history[HISTORY - 1]);
	memmove(
	    l->history + 1, l->history, (HISTORY - 1) * sizeof(l->history[0]));
	l->history[0] = status;
}

static void
forget(struct live *l)
{
	for (size_t i = 0; i < HISTORY; i++) {
		json_decref(l->history[i]);
		l->history[i] = NULL;
	}
}

/* The daemon may be restarted while somebody watches. */
static void
look(struct live *l)
{
	const char *why = "";
	json_t *status;
	int code;
	enum client_result result =
	    fetch(l->client, true, &status, &why, &code);

	canvas_clear(&l->canvas);
	if (result == CLIENT_OK) {
		remember(l, status);
		status_text(&l->canvas, status, l->history + 1, HISTORY - 1);
		return;
	}
	json_decref(status);
	forget(l);
	if (result == CLIENT_ABSENT)
		canvas_put(&l->canvas, CANVAS_BAD,
		    "mailhauld is not running (no socket at %s)",
		    client_socket(l->client));
	else
		canvas_put(&l->canvas, CANVAS_BAD, "%s", why);
	canvas_end_line(&l->canvas);
}

/* The last row tells what to press. */
static void
draw(struct live *l)
{
	unsigned rows, lines, most;

	rows = watch_size(&l->canvas);
	look(l);
	lines = (unsigned)l->canvas.nlines;
	most = lines + 1 > rows ? lines + 1 - rows : 0;
	if (l->top > most)
		l->top = most;
	while (l->canvas.nlines < l->top + rows - 1)
		canvas_end_line(&l->canvas);
	while (l->canvas.nlines > l->top + rows - 1)
		canvas_drop_line(&l->canvas);
	canvas_put(&l->canvas, CANVAS_DIM, "q: quit");
	if (most > 0)
		canvas_put(&l->canvas, CANVAS_DIM,
		    "   j, k: down, up (%u more)", most - l->top);
	canvas_end_line(&l->canvas);
	watch_draw(&l->canvas, rows, l->top);
}

static int
show_live(struct client *c)
{
	struct live l = { .client = c };
	enum watch_key key;

	canvas_init(&l.canvas, fileno(stdout));
	if (!watch_open()) {
		fputs(
		    "mailhaul: --watch wants a terminal; see --json\n", stderr);
		return EX_USAGE;
	}
	do {
		draw(&l);
		key = watch_wait(REDRAW_MS);
		if (key == WATCH_DOWN)
			l.top++;
		else if (key == WATCH_UP && l.top > 0)
			l.top--;
	} while (key != WATCH_QUIT);
	watch_close();
	forget(&l);
	canvas_free(&l.canvas);
	return EX_OK;
}

int
cli_status(const struct cli_options *o, int argc, char **argv)
{
	bool as_json = argc == 2 && strcmp(argv[1], "--json") == 0;
	bool live = argc == 2 && strcmp(argv[1], "--watch") == 0;
	struct client *c;
	int code;

	if (argc > 2 || (argc == 2 && !as_json && !live))
		return cli_usage_error("status takes --json or --watch");
	c = client_new(o);
	code = live ? show_live(c) : show_once(c, as_json);
	client_free(&c);
	return code;
}
