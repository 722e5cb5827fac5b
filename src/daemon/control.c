/* SPDX-License-Identifier: ISC */
#include "daemon/control.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "base/log.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "daemon/control_route.h"
#include "daemon/control_server.h"
#include "daemon/control_socket.h"
#include "daemon/reload.h"
#include "daemon/status.h"
#include "daemon/view.h"
#include "relay/record_json.h"
#include "store/statedir.h"
#include "store/store.h"

#define COPY_NAME "backup-underway" /* in the state directory */
#define HELD_PAGE 256               /* rows, unless ?limit= says otherwise */

struct control {
	struct control_options o;
	char *path; /* owned; NULL: no socket was made */
	struct control_server *server;
	bool is_copying;             /* a backup */
	LIST_HEAD(, errand) errands; /* owned */
};

/* A request that the store must answer first. */
struct errand {
	LIST_ENTRY(errand) link;
	struct control *control;
	struct exchange *exchange;
	struct control_request request;
};

/* --- errands */

static struct errand *
new_errand(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	struct errand *e = mem_alloc(sizeof(*e));

	e->control = c;
	e->exchange = x;
	e->request = *r;
	LIST_INSERT_HEAD(&c->errands, e, link);
	return e;
}

static void
end(struct errand *e)
{
	LIST_REMOVE(e, link);
	free(e);
}

/* false: the store failed, the client was told, and e is gone. */
static bool
came_back(struct errand *e, const struct store_answer *a)
{
	if (a->ok)
		return true;
	exchange_error(e->exchange, 500, "%s", a->fault.text);
	end(e);
	return false;
}

static json_t *
pack(json_t *o)
{
	if (o == NULL)
		abort();
	return o;
}

/* --- held */

static struct store_choice
choice_of(const struct control_request *r)
{
	return (struct store_choice){
		.account = r->name[0] != '\0' ? r->name : NULL,
		.trace = r->trace[0] != '\0' ? r->trace : NULL,
		.id = r->id,
	};
}

static int64_t
page_of(const struct control_request *r)
{
	return r->limit > 0 ? r->limit : HELD_PAGE;
}

static bool
names_one(const struct control_request *r)
{
	return r->trace[0] != '\0' || r->id > 0;
}

static void
on_held(void *arg, struct store_answer *a)
{
	struct errand *e = arg;
	bool more;

	if (!came_back(e, a))
		return;
	more = a->nrows == (size_t)page_of(&e->request);
	if (a->nrows == 0 && names_one(&e->request) && e->request.after == 0)
		exchange_error(
		    e->exchange, 404, "no held message has that name");
	else
		exchange_json(e->exchange, 200,
		    pack(json_pack("{so so}", "held",
			record_held_json(a->rows, a->nrows), "next",
			more ? json_integer(a->rows[a->nrows - 1].id)
			     : json_null())));
	end(e);
}

static void
send_held(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	struct store_choice choice = choice_of(r);

	store_held_list(c->o.store, &choice, r->after, (size_t)page_of(r),
	    (struct store_done){ on_held, new_errand(c, x, r) });
}

static void
on_decided(void *arg, struct store_answer *a)
{
	struct errand *e = arg;
	struct fault f;

	if (!came_back(e, a))
		return;
	/* Soon, when it can be; else at the next poll. */
	if (e->request.action == CONTROL_HELD_RELEASE && a->decided > 0)
		ask_poll(e->control->o.supervisor, e->request.name, &f);
	if (a->decided == 0 && names_one(&e->request))
		exchange_error(
		    e->exchange, 404, "no held message has that name");
	else
		exchange_json(e->exchange, 200,
		    pack(json_pack("{sI}", "decided", (json_int_t)a->decided)));
	end(e);
}

/* Whose it is: for the poll afterwards. */
static void
on_found(void *arg, struct store_answer *a)
{
	struct errand *e = arg;
	struct store_choice choice;
	struct store_done done = { on_decided, e };

	if (!came_back(e, a))
		return;
	if (a->nrows > 0 && strlen(a->rows[0].account) <= CONTROL_NAME_MAX)
		strcpy(e->request.name, a->rows[0].account);
	choice = choice_of(&e->request);
	if (e->request.action == CONTROL_HELD_RELEASE)
		store_held_release(
		    e->control->o.store, &choice, time(NULL), done);
	else
		store_held_drop(e->control->o.store, &choice, time(NULL), done);
}

static void
decide_held(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	struct store_choice choice = choice_of(r);

	store_held_list(c->o.store, &choice, 0, 1,
	    (struct store_done){ on_found, new_errand(c, x, r) });
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

static void
on_accepted(void *arg, struct store_answer *a)
{
	struct errand *e = arg;
	struct fault f;

	if (!came_back(e, a))
		return;
	if (a->unknown == 0) {
		exchange_error(e->exchange, 409,
		    "nothing is asked about account %s", e->request.name);
	} else {
		ask_poll(e->control->o.supervisor, e->request.name, &f);
		exchange_json(e->exchange, 200,
		    pack(json_pack("{ss sI sb}", "name", e->request.name,
			"messages", (json_int_t)a->unknown, "as_known",
			(int)e->request.as_known)));
	}
	end(e);
}

/* --- backup: made beside the state, without a name as soon as it is whole,
 * and sent, because in its sandbox the daemon can write nowhere else */

static char *
copy_path(const struct control *c)
{
	size_t size = strlen(c->o.dir->path) + sizeof("/" COPY_NAME);
	char *path = mem_alloc(size);

	snprintf(path, size, "%s/%s", c->o.dir->path, COPY_NAME);
	return path;
}

static void
on_backed_up(void *arg, struct store_answer *a)
{
	struct errand *e = arg;
	struct control *c = e->control;
	struct stat st;
	int fd;

	c->is_copying = false;
	if (!came_back(e, a))
		return;
	fd =
	    openat(c->o.dir->dir, COPY_NAME, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	unlinkat(c->o.dir->dir, COPY_NAME, 0);
	if (fd >= 0 && fstat(fd, &st) == 0)
		exchange_file(e->exchange, fd, (uint64_t)st.st_size);
	else
		exchange_error(e->exchange, 500, "the backup is not there");
	end(e);
}

/* What is left of the disk is for the records of mail (CASES D1). */
static bool
has_room(const struct control *c)
{
	uint64_t room = statedir_room(c->o.dir->dir), need = c->o.min_free;
	static const char *const files[] = { "state.db", "state.db-wal" };
	struct stat st;

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		if (fstatat(c->o.dir->dir, files[i], &st, 0) == 0)
			need += (uint64_t)st.st_size;
	return room >= need;
}

static void
back_up(struct control *c, struct exchange *x, const struct control_request *r)
{
	char *path;

	if (c->is_copying) {
		exchange_error(x, 409, "a backup is being made already");
		return;
	}
	if (!has_room(c)) {
		exchange_error(x, 507,
		    "the disk of the state directory has no room for a copy "
		    "beside min_free");
		return;
	}
	c->is_copying = true;
	/* Of a daemon that died. */
	unlinkat(c->o.dir->dir, COPY_NAME, 0);
	path = copy_path(c);
	store_backup(c->o.store, path,
	    (struct store_done){ on_backed_up, new_errand(c, x, r) });
	free(path);
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
		exchange_json(x, 200, status_json(c->o.supervisor, NULL));
		break;
	case CONTROL_HELD:
		send_held(c, x, r);
		break;
	case CONTROL_HELD_RELEASE:
	case CONTROL_HELD_DROP:
		decide_held(c, x, r);
		break;
	case CONTROL_POLL:
	case CONTROL_PAUSE:
	case CONTROL_RESUME:
		ask(c, x, r);
		break;
	case CONTROL_ACCEPT:
		if (is_known(c, x, r))
			store_accept(c->o.store, r->name, r->as_known,
			    (struct store_done){
				on_accepted, new_errand(c, x, r) });
		break;
	case CONTROL_RELOAD:
		read_again(c, x);
		break;
	case CONTROL_BACKUP:
		back_up(c, x, r);
		break;
	case CONTROL_EVENTS:
	case CONTROL_METRICS:
	case CONTROL_HISTORY:
		exchange_error(x, 404, "this is not there yet");
		break;
	}
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
	return c;
}

void
control_free(struct control **control)
{
	struct control *c = *control;

	if (c == NULL)
		return;
	*control = NULL;
	if (c->path != NULL)
		unlink(c->path);
	control_server_free(&c->server);
	while (!LIST_EMPTY(&c->errands))
		end(LIST_FIRST(&c->errands));
	free(c->path);
	free(c);
}
