/* SPDX-License-Identifier: ISC */
#include "daemon/control_private.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <jansson.h>

#include "base/mem.h"
#include "daemon/control_server.h"
#include "daemon/metrics.h"
#include "daemon/status.h"
#include "daemon/view.h"
#include "net/loop.h"
#include "relay/record_json.h"
#include "store/statedir.h"
#include "store/store.h"

#define COPY_NAME "backup-underway" /* in the state directory */
#define PAGE 256                    /* rows, unless ?limit= says otherwise */
#define PATIENCE_MS 2000            /* of a look, for a store that is slow */

/* A request that the store must answer first. */
struct errand {
	LIST_ENTRY(errand) link;
	struct control *control;
	struct exchange *exchange; /* NULL: answered already */
	struct control_request request;
	struct timer patience;      /* of a look */
	struct store_summary *mail; /* owned; of a look */
	size_t nmail;
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
	timer_free(&e->patience);
	store_summary_free(e->mail, e->nmail);
	free(e);
}

void
control_drop_errands(struct control *c)
{
	while (!LIST_EMPTY(&c->errands))
		end(LIST_FIRST(&c->errands));
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
	return r->limit > 0 ? r->limit : PAGE;
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

void
control_send_held(
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

void
control_decide_held(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	struct store_choice choice = choice_of(r);

	store_held_list(c->o.store, &choice, 0, 1,
	    (struct store_done){ on_found, new_errand(c, x, r) });
}

/* --- what a person decides about unknown messages */

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

void
control_accept(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	store_accept(c->o.store, r->name, r->as_known,
	    (struct store_done){ on_accepted, new_errand(c, x, r) });
}

/* --- history */

static void
on_history(void *arg, struct store_answer *a)
{
	struct errand *e = arg;
	bool more;

	if (!came_back(e, a))
		return;
	more = a->npast == (size_t)page_of(&e->request);
	exchange_json(e->exchange, 200,
	    pack(json_pack("{so so}", "history",
		record_history_json(a->past, a->npast), "next",
		more ? json_integer(a->past[a->npast - 1].id) : json_null())));
	end(e);
}

void
control_send_history(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	store_history(c->o.store, r->name[0] != '\0' ? r->name : NULL,
	    r->before, (size_t)page_of(r),
	    (struct store_done){ on_history, new_errand(c, x, r) });
}

/* --- status and metrics: what the store counts, as far as it says so in time;
 * they must be had when the disk hangs, too */

static void
send_metrics(struct errand *e)
{
	struct supervisor *s = e->control->o.supervisor;
	size_t n = view_accounts(s);
	struct metrics_mail *mail = mem_array(n, sizeof(*mail));
	struct metrics_source source = { s, e->control->o.store, mail, n,
		time(NULL) };
	struct evbuffer *body = evbuffer_new();

	for (size_t i = 0; i < n; i++) {
		struct status_mail m;
		struct view_account v;

		view_account(s, i, &v);
		status_count(e->mail, e->nmail, v.name, NULL, &m);
		mail[i] = (struct metrics_mail){ v.name, m.held, m.in_doubt,
			m.oldest };
	}
	if (body == NULL)
		abort();
	metrics_write(&source, body);
	exchange_text(e->exchange, METRICS_CONTENT_TYPE, body);
	evbuffer_free(body);
	free(mail);
}

static void
answer_look(struct errand *e, bool counted)
{
	if (e->exchange == NULL)
		return;
	if (e->request.action == CONTROL_METRICS && counted)
		send_metrics(e);
	else if (e->request.action == CONTROL_METRICS)
		exchange_error(
		    e->exchange, 503, "the state does not answer in time");
	else
		exchange_json(e->exchange, 200,
		    status_json(e->control->o.supervisor,
			counted ? e->mail : NULL, e->nmail, counted));
	e->exchange = NULL;
}

static void
on_impatient(void *arg)
{
	answer_look(arg, false);
}

static void
on_summary(void *arg, struct store_answer *a)
{
	struct errand *e = arg;
	struct store *store = e->control->o.store;
	size_t n = a->nsummary;

	if (!a->ok || n == 0) {
		answer_look(e, a->ok);
		end(e);
		return;
	}
	e->mail = mem_grow(e->mail, e->nmail + n, sizeof(*e->mail));
	memcpy(e->mail + e->nmail, a->summary, n * sizeof(*e->mail));
	/* The strings are ours now, the array is not. */
	memset(a->summary, 0, n * sizeof(*e->mail));
	e->nmail += n;
	store_summary(store, e->mail[e->nmail - 1].mailbox, PAGE,
	    (struct store_done){ on_summary, e });
}

void
control_look(
    struct control *c, struct exchange *x, const struct control_request *r)
{
	struct errand *e = new_errand(c, x, r);

	timer_init(&e->patience, c->o.loop, on_impatient, e);
	timer_set(&e->patience, PATIENCE_MS);
	store_summary(
	    c->o.store, 0, PAGE, (struct store_done){ on_summary, e });
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

void
control_back_up(
    struct control *c, struct exchange *x, const struct control_request *r)
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
