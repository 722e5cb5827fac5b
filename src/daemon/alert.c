/* SPDX-License-Identifier: ISC */
#include "daemon/alert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "base/ascii.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/letter.h"
#include "net/loop.h"
#include "net/program.h"
#include "relay/trace.h"
#include "store/store.h"

#define VARIABLES 10 /* of the command's environment */

enum kind {
	ACCOUNT,
	DESTINATION,
	HELD,
	STATE,
	SIGN_IN,
};

/* What the command is given as MAILHAUL_EVENT. */
static const char *const event_names[] = {
	[ACCOUNT] = "account-failed",
	[DESTINATION] = "destination-failed",
	[HELD] = "message-held",
	[STATE] = "state-trouble",
	[SIGN_IN] = "sign-in-needed",
};

/* One of the two ways to tell. */
struct telling {
	int64_t last;   /* wall clock; 0: never */
	unsigned count; /* what happened since */
	bool queued;
};

struct problem {
	TAILQ_ENTRY(problem) link;
	struct alerts *alerts;
	enum kind kind;
	char *name;  /* owned; empty: of nobody in particular */
	char *key;   /* owned; its name in the state */
	bool loaded; /* from the state */
	bool wanted; /* the trouble lasts ... */
	bool lasts;  /* ... and that was noticed */
	int64_t since;
	const char *hint; /* static or NULL */
	char reason[STORE_REPLY_MAX];
	struct telling run, mail;
	struct timer later;
};
TAILQ_HEAD(problems, problem);

struct alerts {
	struct alerts_options o;
	char **command; /* owned; NULL: none */
	char *notify;   /* owned; NULL: nobody */
	struct problems problems;
	struct program *program; /* owned; NULL: none runs */
	struct letter *letter;   /* owned; NULL: none is on its way */
	unsigned saving;         /* records before a letter */
	struct timer turn, farewell;
	bool finishing;
};

/* --- when */

/* Seconds until it may be told; 0: now. */
static int64_t
wait_for(struct telling *t, int64_t now, int64_t interval)
{
	if (t->last > now)
		t->last = now; /* the clock was set back */
	if (t->last == 0 || t->last + interval <= now)
		return 0;
	return t->last + interval - now;
}

static struct store_who
record(const struct problem *p)
{
	return (struct store_who){ .party = STORE_NOTICE, .name = p->key };
}

static void
save(struct problem *p, void (*run)(void *arg, struct store_answer *a))
{
	struct store_who who = record(p);
	struct store_pause pause = {
		.since = p->mail.last,
		.not_before = p->run.last,
		.alerted = p->lasts,
	};

	store_pause_save(
	    p->alerts->o.store, &who, &pause, (struct store_done){ run, p });
}

/* Queues what is due; the rest waits for its time. */
static void
settle(struct problem *p)
{
	struct alerts *a = p->alerts;
	int64_t now = time(NULL), wait = INT64_MAX;
	struct telling *ways[] = { &p->run, &p->mail };
	const int64_t intervals[] = { ALERT_COMMAND_INTERVAL,
		ALERT_MAIL_INTERVAL };
	const bool wanted[] = { a->command != NULL, a->notify != NULL };

	for (int i = 0; i < 2; i++) {
		int64_t w = wait_for(ways[i], now, intervals[i]);

		if (!wanted[i] || ways[i]->count == 0)
			continue;
		if (w == 0)
			ways[i]->queued = true;
		else if (w < wait)
			wait = w;
	}
	timer_set(&a->turn, 0);
	if (wait < INT64_MAX)
		timer_set(&p->later, wait * 1000);
}

static void
on_later(void *arg)
{
	settle(arg);
}

/* --- the command */

struct environment {
	char *list[VARIABLES + 1];
	size_t n;
};

static void
set(struct environment *e, const char *name, const char *value)
{
	size_t size = strlen(name) + strlen(value) + 2;

	e->list[e->n] = mem_alloc(size);
	snprintf(e->list[e->n++], size, "%s=%s", name, value);
}

static void
pass(struct environment *e, const char *name, const char *otherwise)
{
	const char *value = getenv(name);

	set(e, name, value != NULL ? value : otherwise);
}

/* Nothing of ours but what every program needs: no secret is there. */
static void
fill(struct environment *e, const struct problem *p)
{
	char number[24];

	pass(e, "PATH", "/usr/local/bin:/usr/bin:/bin");
	pass(e, "LANG", "C.UTF-8");
	set(e, "MAILHAUL_EVENT", event_names[p->kind]);
	set(e, "MAILHAUL_ACCOUNT",
	    p->kind == ACCOUNT || p->kind == HELD ? p->name : "");
	set(e, "MAILHAUL_DESTINATION", p->kind == DESTINATION ? p->name : "");
	set(e, "MAILHAUL_REASON", p->reason);
	set(e, "MAILHAUL_HINT", p->hint != NULL ? p->hint : "");
	snprintf(number, sizeof(number), "%u", p->run.count);
	set(e, "MAILHAUL_COUNT", number);
	snprintf(number, sizeof(number), "%lld", (long long)p->since);
	set(e, "MAILHAUL_SINCE", number);
	set(e, "MAILHAUL_HOST", p->alerts->o.host);
}

static void
on_ended(void *arg, const struct program_result *r)
{
	struct alerts *a = arg;

	a->program = NULL;
	timer_set(&a->turn, 0);
	switch (r->end) {
	case PROGRAM_EXITED:
		if (r->value != 0)
			log_line(LOG_WARNING,
			    "alert_command ended with exit code %d", r->value);
		break;
	case PROGRAM_SIGNALLED:
		log_line(LOG_WARNING, "alert_command was ended by signal %d",
		    r->value);
		break;
	case PROGRAM_TOO_LATE:
		log_line(LOG_WARNING,
		    "alert_command took longer than %d seconds and was killed",
		    ALERT_COMMAND_SECONDS);
		break;
	case PROGRAM_TOO_MUCH:
	case PROGRAM_LOST:
		log_line(LOG_WARNING,
		    "how alert_command ended is not known: %s",
		    strerror(r->value));
		break;
	}
}

static void
run_command(struct alerts *a, struct problem *p)
{
	struct environment e = { .n = 0 };
	struct program_terms t = {
		.argv = a->command,
		.env = e.list,
		.limit_ms = ALERT_COMMAND_SECONDS * 1000,
	};
	int error;

	fill(&e, p);
	p->run = (struct telling){ .last = time(NULL) };
	save(p, NULL);
	a->program = program_start(a->o.loop, &t, on_ended, a, &error);
	if (a->program == NULL)
		log_line(LOG_WARNING, "alert_command: cannot run %s: %s",
		    a->command[0], strerror(error));
	for (size_t i = 0; i < e.n; i++)
		free(e.list[i]);
}

/* --- the mail */

/* What happened, in a few words. */
static void
describe(const struct problem *p, char *dst, size_t cap)
{
	unsigned n = p->mail.count;

	switch (p->kind) {
	case ACCOUNT:
		snprintf(dst, cap, "account %s cannot be polled", p->name);
		break;
	case DESTINATION:
		snprintf(dst, cap, "destination %s takes no mail", p->name);
		break;
	case HELD:
		snprintf(dst, cap, "%u message%s %s held%s%s", n,
		    n == 1 ? "" : "s", n == 1 ? "is" : "are",
		    p->name[0] != '\0' ? " in account " : "", p->name);
		break;
	case STATE:
		snprintf(dst, cap, "the state is in trouble");
		break;
	case SIGN_IN:
		snprintf(dst, cap, "somebody must sign in for %s", p->name);
		break;
	}
}

/* And what a person can do. */
static void
advise(const struct problem *p, char *dst, size_t cap)
{
	switch (p->kind) {
	case ACCOUNT:
	case DESTINATION:
		snprintf(dst, cap,
		    "Nothing is lost: mail stays on its server until it works "
		    "again.\nSee mailhaul status; when it is mended, mailhaul "
		    "resume %s.\n",
		    p->name);
		break;
	case HELD:
		snprintf(dst, cap,
		    "What is held stays on its server until you decide.\n"
		    "See mailhaul held.\n");
		break;
	case STATE:
		snprintf(dst, cap,
		    "Nothing is lost: mail stays on its servers until that is "
		    "mended.\nSee the log of mailhauld.\n");
		break;
	case SIGN_IN:
		snprintf(dst, cap,
		    "Nothing is lost: mail stays on its server until then.\n"
		    "Run: mailhaul login %s\n",
		    p->name);
		break;
	}
}

static void
on_sent(void *arg, const char *via, const struct fault *f)
{
	struct alerts *a = arg;

	a->letter = NULL;
	timer_set(&a->turn, 0);
	if (via != NULL)
		log_line(LOG_INFO, "notify: a letter went out through %s", via);
	else
		log_line(LOG_WARNING,
		    "notify: a letter could not be sent: %s: %s", f->phase,
		    f->text);
}

static void
write_letter(struct alerts *a, const struct problem *p)
{
	char what[192], todo[256], subject[512], text[2048];
	char date[TRACE_DATE_SIZE];
	char token[TRACE_TOKEN_SIZE];
	const struct letter_terms t = {
		.loop = a->o.loop,
		.sink = a->o.sink,
		.arg = a->o.arg,
		.avoid = p->kind == DESTINATION ? p->name : NULL,
		.to = a->notify,
		.host = a->o.host,
		.token = token,
		.subject = subject,
		.text = text,
	};

	trace_notice(store_install_key(a->o.store), token);
	describe(p, what, sizeof(what));
	advise(p, todo, sizeof(todo));
	trace_date(p->since, date);
	snprintf(
	    subject, sizeof(subject), "mailhaul on %s: %s", a->o.host, what);
	snprintf(text, sizeof(text),
	    "mailhauld on %s: %s.\n\nSince:  %s\nReason: %s\n%s%s%s\n%s\n"
	    "A problem is told at most once a day.\n",
	    a->o.host, what, date, p->reason, p->hint != NULL ? "Hint:   " : "",
	    p->hint != NULL ? p->hint : "", p->hint != NULL ? "\n" : "", todo);
	a->letter = letter_send(&t, on_sent, a);
}

/* It is on record that it was told; now it may be. */
static void
on_saved(void *arg, struct store_answer *answer)
{
	struct problem *p = arg;
	struct alerts *a = p->alerts;

	a->saving--;
	if (answer->ok && a->notify != NULL)
		write_letter(a, p);
	p->mail.count = 0;
	timer_set(&a->turn, 0);
}

static void
send_mail(struct alerts *a, struct problem *p)
{
	p->mail.queued = false;
	p->mail.last = time(NULL);
	a->saving++;
	save(p, on_saved);
}

/* --- the queue */

static void
stop_when_told(struct alerts *a)
{
	struct problem *p;

	if (!a->finishing || a->program != NULL || a->letter != NULL ||
	    a->saving > 0)
		return;
	TAILQ_FOREACH (p, &a->problems, link)
		if (!p->loaded || p->run.queued || p->mail.queued)
			return;
	loop_stop(a->o.loop);
}

/* One command and one letter at a time. */
static void
on_turn(void *arg)
{
	struct alerts *a = arg;
	struct problem *p;

	TAILQ_FOREACH (p, &a->problems, link) {
		p->run.queued = p->run.queued && a->command != NULL;
		p->mail.queued = p->mail.queued && a->notify != NULL;
		if (p->run.queued && a->program == NULL)
			run_command(a, p);
		if (p->mail.queued && a->letter == NULL && a->saving == 0)
			send_mail(a, p);
	}
	stop_when_told(a);
}

/* --- what happens */

/* Trouble that begins, lasts or is over. */
static void
follow(struct problem *p)
{
	bool began = p->wanted && !p->lasts;
	bool over = !p->wanted && p->lasts;

	p->lasts = p->wanted;
	if (began) {
		p->run.count++;
		p->mail.count++;
	} else if (p->lasts && p->mail.last > 0 && p->mail.count == 0) {
		p->mail.count++; /* a reminder, when the day is over */
	}
	if (over) {
		p->run.count = p->mail.count = 0;
		p->run.queued = p->mail.queued = false;
	}
	if (began || over)
		save(p, NULL);
}

static bool
is_state(const struct problem *p)
{
	return p->kind != HELD;
}

static void
on_loaded(void *arg, struct store_answer *answer)
{
	struct problem *p = arg;

	p->loaded = true;
	/* What the state does not say has never been told. */
	if (answer->ok) {
		p->run.last = answer->pause.not_before;
		p->mail.last = answer->pause.since;
		p->lasts = answer->pause.alerted;
	}
	if (is_state(p))
		follow(p);
	settle(p);
}

static struct problem *
find(struct alerts *a, enum kind kind, const char *name)
{
	struct problem *p;
	struct store_who who;
	size_t size = strlen(event_names[kind]) + strlen(name) + 2;

	TAILQ_FOREACH (p, &a->problems, link)
		if (p->kind == kind && strcmp(p->name, name) == 0)
			return p;
	p = mem_alloc(sizeof(*p));
	p->alerts = a;
	p->kind = kind;
	p->name = mem_strdup(name);
	p->key = mem_alloc(size);
	/* No account is called so: a name has no blank. */
	snprintf(p->key, size, "%s %s", event_names[kind], name);
	timer_init(&p->later, a->o.loop, on_later, p);
	TAILQ_INSERT_TAIL(&a->problems, p, link);
	who = record(p);
	store_pause_load(a->o.store, &who, (struct store_done){ on_loaded, p });
	return p;
}

static bool
nobody_listens(const struct alerts *a)
{
	return a == NULL || (a->command == NULL && a->notify == NULL);
}

static void
explain(struct problem *p, int64_t since, const char *phase, const char *text)
{
	char line[FAULT_TEXT_MAX + 64];

	snprintf(line, sizeof(line), "%s%s%s", phase,
	    phase[0] != '\0' ? ": " : "", text);
	ascii_clean(p->reason, sizeof(p->reason), line, strlen(line));
	p->since = since;
}

static void
note(struct problem *p, bool trouble)
{
	p->wanted = trouble;
	if (!p->loaded)
		return; /* on_loaded() looks at it */
	follow(p);
	settle(p);
}

void
alert_pause(struct alerts *a, const struct store_who *who,
    const struct store_pause *pause, const struct fault *f)
{
	bool trouble = pause->failures > 0 && pause->alerted;
	struct problem *p;

	/* Of that alert_sign_in() tells, for all of them at once. */
	if (nobody_listens(a) || (f != NULL && f->sign_in))
		return;
	p = find(
	    a, who->party == STORE_ACCOUNT ? ACCOUNT : DESTINATION, who->name);
	if (trouble) {
		explain(p, pause->since, f != NULL ? f->phase : "",
		    f != NULL ? f->text : pause->reply);
		p->hint = f != NULL ? f->hint : NULL;
	}
	note(p, trouble);
}

void
alert_held(struct alerts *a, const char *account, unsigned n)
{
	struct problem *p;

	if (nobody_listens(a) || n == 0)
		return;
	p = find(a, HELD, account);
	p->run.count += n;
	p->mail.count += n;
	explain(p, time(NULL), "",
	    account[0] != '\0' ? "refused for good, or not fit to be relayed"
			       : "the process died while they were underway");
	if (p->loaded)
		settle(p);
}

void
alert_state(struct alerts *a, bool trouble, const char *reason)
{
	struct problem *p;

	if (nobody_listens(a))
		return;
	p = find(a, STATE, "");
	if (trouble)
		explain(p, time(NULL), "", reason);
	note(p, trouble);
}

void
alert_sign_in(struct alerts *a, const char *name, const struct fault *f)
{
	struct problem *p;

	if (nobody_listens(a))
		return;
	p = find(a, SIGN_IN, name);
	if (f != NULL)
		explain(p, time(NULL), f->phase, f->text);
	note(p, f != NULL);
}

/* --- the whole */

static void
on_farewell(void *arg)
{
	struct alerts *a = arg;

	log_line(
	    LOG_WARNING, "stopping before everything was told that should be");
	loop_stop(a->o.loop);
}

struct alerts *
alerts_new(const struct alerts_options *o)
{
	struct alerts *a = mem_alloc(sizeof(*a));

	a->o = *o;
	TAILQ_INIT(&a->problems);
	timer_init(&a->turn, o->loop, on_turn, a);
	timer_init(&a->farewell, o->loop, on_farewell, a);
	return a;
}

static void
forget_terms(struct alerts *a)
{
	for (char **word = a->command; word != NULL && *word != NULL; word++)
		free(*word);
	free(a->command);
	free(a->notify);
	a->command = NULL;
	a->notify = NULL;
}

void
alerts_configure(struct alerts *a, char *const *command, const char *notify)
{
	size_t n = 0;

	forget_terms(a);
	while (command != NULL && command[n] != NULL)
		n++;
	if (n > 0)
		a->command = mem_array(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++)
		a->command[i] = mem_strdup(command[i]);
	a->notify = notify != NULL ? mem_strdup(notify) : NULL;
}

void
alerts_leave(struct alerts *a, const struct sink *s)
{
	if (a != NULL)
		letter_leave(a->letter, s);
}

void
alerts_finish(struct alerts *a)
{
	/* Set again and again, the turn would never come. */
	if (a->finishing)
		return;
	a->finishing = true;
	timer_set(&a->farewell, (int64_t)ALERT_COMMAND_SECONDS * 1000);
	timer_set(&a->turn, 0);
}

void
alerts_free(struct alerts **alerts)
{
	struct alerts *a = *alerts;
	struct problem *p;

	*alerts = NULL;
	if (a == NULL)
		return;
	program_cancel(&a->program);
	letter_cancel(&a->letter);
	while ((p = TAILQ_FIRST(&a->problems)) != NULL) {
		TAILQ_REMOVE(&a->problems, p, link);
		timer_free(&p->later);
		free(p->key);
		free(p->name);
		free(p);
	}
	timer_free(&a->turn);
	timer_free(&a->farewell);
	forget_terms(a);
	free(a);
}
