/* SPDX-License-Identifier: ISC */
#include "daemon/control_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/ascii.h"
#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/control_server.h"
#include "daemon/control_socket.h"
#include "daemon/reload.h"
#include "daemon/view.h"

static json_t *
pack(json_t *o)
{
	if (o == NULL)
		abort(); /* as any allocation that failed (base/mem.h) */
	return o;
}

/* --- accounts and destinations */

/* Held messages may be of an account that is not configured any more; what
 * is asked of the supervisor is not. */
static bool
is_known(struct control *c, struct exchange *x, const struct control_request *r)
{
	const struct supervisor *s = c->o.supervisor;
	struct view_destination d;
	struct view_account a;

	for (size_t i = 0; r->destination && i < view_destinations(s); i++) {
		view_destination(s, i, &d);
		if (strcmp(d.name, r->name) == 0)
			return true;
	}
	for (size_t i = 0; !r->destination && i < view_accounts(s); i++) {
		view_account(s, i, &a);
		if (strcmp(a.name, r->name) == 0)
			return true;
	}
	exchange_error(x, 404, "there is no %s %s",
	    r->destination ? "destination" : "account", r->name);
	return false;
}

static void
ask(struct control *c, struct exchange *x, const struct control_request *r)
{
	struct supervisor *s = c->o.supervisor;
	struct fault why;
	bool done;

	if (!is_known(c, x, r))
		return;
	if (r->action == CONTROL_POLL)
		done = ask_poll(s, r->name, &why);
	else if (r->action == CONTROL_PAUSE)
		done = ask_pause(s, r->name, &why);
	else
		done = ask_resume(s, r->name, &why);
	if (done)
		exchange_json(x, 202, pack(json_pack("{ss}", "name", r->name)));
	else
		exchange_error(x, 409, "%s", why.text);
}

/* --- reload */

static json_t *
problems_json(const struct conf_problems *p)
{
	json_t *array = json_array();

	for (size_t i = 0; i < p->n; i++) {
		const struct conf_problem *c = &p->list[i];

		/* A file may hold any bytes, and be named by any. */
		json_t *o = json_pack("{ss sI sb ss}", "file", c->file, "line",
		    (json_int_t)c->line, "warning", (int)c->warning, "text",
		    c->text);

		if (o == NULL)
			o = json_pack("{ss sI sb ss}", "file", "", "line",
			    (json_int_t)c->line, "warning", (int)c->warning,
			    "text", "there are bytes that are not UTF-8");
		json_array_append_new(array, pack(o));
	}
	return array;
}

static void
read_again(struct control *c, struct exchange *x)
{
	struct conf_problems problems = { 0 };
	struct fault why;
	bool good = reload(c->o.conf_file, c->o.supervisor, &problems, &why);
	json_t *list = problems_json(&problems);

	if (good)
		exchange_json(
		    x, 200, pack(json_pack("{so}", "problems", list)));
	else
		exchange_json(x, problems.errors > 0 ? 422 : 409,
		    pack(json_pack(
			"{ss so}", "error", why.text, "problems", list)));
	conf_problems_free(&problems);
}

/* --- all requests */

static void
run(void *arg, struct exchange *x, const struct control_request *r)
{
	struct control *c = arg;

	switch (r->action) {
	case CONTROL_STATUS:
	case CONTROL_METRICS:
		control_look(c, x, r);
		break;
	case CONTROL_EVENTS:
		exchange_stream(x);
		break;
	case CONTROL_HISTORY:
		control_send_history(c, x, r);
		break;
	case CONTROL_HELD:
		control_send_held(c, x, r);
		break;
	case CONTROL_HELD_RELEASE:
	case CONTROL_HELD_DROP:
		control_decide_held(c, x, r);
		break;
	case CONTROL_POLL:
	case CONTROL_PAUSE:
	case CONTROL_RESUME:
		ask(c, x, r);
		break;
	case CONTROL_ACCEPT:
		if (is_known(c, x, r))
			control_accept(c, x, r);
		break;
	case CONTROL_RELOAD:
		read_again(c, x);
		break;
	case CONTROL_CHECK:
		if (r->name[0] == '\0' || is_known(c, x, r))
			control_check(c, x, r);
		break;
	case CONTROL_BACKUP:
		control_back_up(c, x, r);
		break;
	case CONTROL_LOGIN:
		if (is_known(c, x, r))
			control_login(c, x, r);
		break;
	case CONTROL_LOGIN_LOOK:
		if (is_known(c, x, r))
			control_login_look(c, x, r);
		break;
	}
}

/* --- what is logged, for those who follow it */

static void
set_text(json_t *o, const char *key, const char *text)
{
	char clean[LOG_LINE_MAX];

	if (text != NULL)
		json_object_set_new(o, key,
		    json_string(
			ascii_clean(clean, sizeof(clean), text, strlen(text))));
}

static void
set_number(json_t *o, const char *key, int64_t n)
{
	if (n != 0)
		json_object_set_new(o, key, json_integer(n));
}

static void
on_logged(void *arg, const struct log_event *e, const char *text)
{
	struct control *c = arg;
	json_t *o;
	char *line;

	if (!control_server_streams(c->server))
		return;
	o = json_object();
	json_object_set_new(o, "at", json_integer(time(NULL)));
	json_object_set_new(o, "priority", json_integer(e->priority));
	set_text(o, "text", text);
	set_text(o, "message_id", e->message_id);
	set_text(o, "account", e->account);
	set_text(o, "folder", e->mailbox);
	set_text(o, "destination", e->destination);
	set_text(o, "uid", e->uid);
	set_text(o, "trace", e->trace);
	set_text(o, "state", e->state);
	set_number(o, "attempt", e->attempt);
	set_number(o, "code", e->code);
	set_number(o, "size", (int64_t)e->bytes);
	set_number(o, "duration_us", e->usec);
	line = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	if (line == NULL)
		abort();
	control_server_line(c->server, span_str(line));
	control_server_line(c->server, span_str("\n"));
	free(line);
}

/* --- the socket */

static int
tell(int fd, const struct fault *f)
{
	struct log_event e = { .priority = LOG_ERR };

	if (fd < 0)
		log_event(&e, "%s: %s; mail is relayed without it", f->phase,
		    f->text);
	return fd;
}

struct control *
control_new(const struct control_options *o)
{
	struct control *c = mem_alloc(sizeof(*c));
	struct fault f;
	int fd;

	c->o = *o;
	c->server = control_server_new(o->loop, run, c);
	fd = tell(control_socket_unix(o->socket, o->group, &f), &f);
	if (fd >= 0) {
		c->path = mem_strdup(o->socket);
		control_server_listen(c->server, fd, false);
	}
	fd = o->listen != NULL ? tell(control_socket_tcp(o->listen, &f), &f)
	                       : -1;
	if (fd >= 0)
		control_server_listen(c->server, fd, true);
	log_tap(on_logged, c);
	return c;
}

void
control_free(struct control **control)
{
	struct control *c = *control;

	if (c == NULL)
		return;
	*control = NULL;
	log_tap(NULL, NULL);
	if (c->path != NULL)
		unlink(c->path);
	control_server_free(&c->server);
	control_end_logins(c);
	control_drop_errands(c);
	free(c->path);
	free(c);
}
