/* SPDX-License-Identifier: ISC */
#include "relay/retry.h"

#include <string.h>

#include "relay/phrase.h"

#define MINUTE INT64_C(60) /* seconds */
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define MESSAGE_CAP (3 * HOUR)
#define LOGIN_FIRST (15 * MINUTE)
#define REFUSED_CAP (6 * HOUR)
#define LIMIT_FIRST HOUR
#define LIMIT_CAP (6 * HOUR)
#define BUSY_FIRST MINUTE
#define BUSY_CAP (5 * MINUTE)
#define ACCOUNT_CAP HOUR
#define WORDS_FIRST MINUTE
#define WORDS_CAP HOUR
#define CONNECT_FIRST 30
#define CONNECT_CAP (30 * MINUTE)
#define ROUTINE_SPAN (10 * MINUTE)
#define ROUTINE_MAX 3          /* in that time */
#define PATIENCE (10 * MINUTE) /* with what may pass */

/* No pause is longer, whatever a server or a clock says. */
#define LONGEST (DAY + DAY / 8)

static int64_t
doubled(int64_t first, unsigned failures, int64_t cap)
{
	int64_t t = first;

	while (failures-- > 1 && t < cap)
		t *= 2;
	return t < cap ? t : cap;
}

static int64_t
larger(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* 0 ... span, the same for the same seed and turn (splitmix64). */
static int64_t
spread(int64_t span, uint64_t seed, uint64_t turn)
{
	uint64_t x = seed + turn * UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	x ^= x >> 31;
	return (int64_t)(x % (uint64_t)(span + 1));
}

/* Up to an eighth more. */
static int64_t
jittered(int64_t pause, uint64_t seed, unsigned failures)
{
	return pause + spread(pause / 8, seed, failures);
}

static int64_t
asked_for(const struct fault *f)
{
	return f->retry_after < DAY ? f->retry_after : DAY;
}

/* --- a message */

enum retry_verdict
retry_message(const struct fault *f)
{
	if (f->when == FAULT_UNKNOWN)
		return RETRY_IN_DOUBT;
	if (f->scope != FAULT_MESSAGE)
		return RETRY_RESTORE;
	return f->when == FAULT_NEVER ? RETRY_HOLD : RETRY_DEFER;
}

/* RFC 3463: 6 is about the content, 7 about policy and security.  What is full,
 * too large, unknown or in a circle stays so in any wrapping. */
bool
retry_wrapped(const struct fault *f)
{
	if (f->scope != FAULT_MESSAGE || f->when != FAULT_NEVER ||
	    f->code / 100 != 5 || f->code == 552)
		return false;
	if (f->subject == 6 || f->subject == 7)
		return true;
	if (f->subject == 1) /* the sender's address, says the sender's field */
		return f->detail == 7 || f->detail == 8;
	if (f->subject == 2)
		return f->detail == 252; /* SendAsDenied */
	return f->subject == 0 && f->content;
}

int64_t
retry_message_next(const struct fault *f, const struct retry_tries *t)
{
	/* The first try after a refusal is simply the next poll's. */
	static const int64_t schedule[] = {
		0,
		30 * MINUTE,
		HOUR,
		2 * HOUR,
	};
	const size_t n = sizeof(schedule) / sizeof(schedule[0]);
	int64_t cap = t->cap > 0 ? t->cap : MESSAGE_CAP;
	int64_t pause = cap;

	if (t->give_up > 0 && t->now - t->first >= t->give_up)
		return 0;
	if (t->refusals >= 1 && t->refusals <= n &&
	    schedule[t->refusals - 1] < cap)
		pause = schedule[t->refusals - 1];
	pause = larger(pause, asked_for(f));
	return t->now + jittered(pause, t->seed, t->refusals);
}

/* --- an account, a destination */

int64_t
retry_interval(const struct retry_terms *t)
{
	int64_t tenth = t->interval / 10;

	return larger(
	    t->interval - tenth + spread(2 * tenth, t->seed, (uint64_t)t->now),
	    t->login_delay);
}

static int64_t
account_pause(
    const struct fault *f, unsigned failures, const struct retry_terms *t)
{
	int64_t interval = larger(t->interval, t->login_delay);

	/* The destination and this machine have pauses of their own. */
	if (f->scope != FAULT_ACCOUNT)
		return interval;
	if (f->login)
		return larger(interval, doubled(LOGIN_FIRST, failures, DAY));
	if (f->busy)
		return larger(
		    t->login_delay, doubled(BUSY_FIRST, failures, BUSY_CAP));
	return doubled(interval, failures, larger(interval, ACCOUNT_CAP));
}

static int64_t
destination_pause(const struct fault *f, unsigned failures)
{
	if (f->when == FAULT_NOW)
		return 0;
	if (f->login)
		return doubled(LOGIN_FIRST, failures, DAY);
	if (f->busy)
		return doubled(LIMIT_FIRST, failures, LIMIT_CAP);
	if (f->when == FAULT_NEVER)
		return doubled(LOGIN_FIRST, failures, REFUSED_CAP);
	if (f->code != 0)
		return doubled(WORDS_FIRST, failures, WORDS_CAP);
	return doubled(CONNECT_FIRST, failures, CONNECT_CAP);
}

/* What a person must see to, or would want to know of. */
static bool
due_to_tell(const struct store_pause *p, const struct fault *f, int64_t now)
{
	return !p->alerted && (f->login || f->busy || f->when == FAULT_NEVER ||
				  now - p->since >= PATIENCE);
}

static bool
add_failure(struct store_pause *p, const struct fault *f, int64_t pause,
    const struct retry_terms *t)
{
	bool tell;

	if (p->failures++ == 0 || p->since > t->now)
		p->since = t->now;
	pause = larger(pause, asked_for(f));
	p->not_before = t->now + jittered(pause, t->seed, p->failures);
	p->firm = f->login || f->retry_after > 0;
	memcpy(p->reply, f->text, sizeof(p->reply) - 1);
	p->reply[sizeof(p->reply) - 1] = '\0';
	/* An account in use is nobody's fault. */
	tell = !(f->scope == FAULT_ACCOUNT && f->busy) &&
	       due_to_tell(p, f, t->now);
	p->alerted = p->alerted || tell;
	return tell;
}

bool
retry_account(
    struct store_pause *p, const struct fault *f, const struct retry_terms *t)
{
	return add_failure(p, f, account_pause(f, p->failures + 1, t), t);
}

bool
retry_destination(
    struct store_pause *p, const struct fault *f, const struct retry_terms *t)
{
	return add_failure(p, f, destination_pause(f, p->failures + 1), t);
}

bool
retry_routine(struct retry_routine *r, struct fault *f, int64_t now)
{
	if (f->when != FAULT_NOW)
		return false;
	if (now < r->since || now - r->since >= ROUTINE_SPAN)
		*r = (struct retry_routine){ .since = now };
	if (r->count < ROUTINE_MAX && (!f->login || r->refused == 0)) {
		r->count++;
		r->refused += f->login;
		return true;
	}
	f->when = f->login ? FAULT_NEVER : FAULT_LATER;
	return false;
}

/* A clock that was set back must not make a pause of years. */
static int64_t
left(int64_t until, int64_t now)
{
	int64_t wait = until > now ? until - now : 0;

	return wait < LONGEST ? wait : LONGEST;
}

int64_t
retry_wait(const struct store_pause *p, int64_t now, bool hurry)
{
	int64_t wait = left(p->not_before, now);
	int64_t longest = left(p->not_before, p->since);

	if (p->failures == 0 || (hurry && !p->firm))
		return 0;
	/* Nor one that is longer than it was made. */
	return p->since > 0 && longest < wait ? longest : wait;
}

int64_t
retry_login_wait(const struct store_pause *p, int64_t now)
{
	int64_t delay = p->login_delay < DAY ? p->login_delay : DAY;
	int64_t wait;

	if (p->last_login == 0 || delay <= 0)
		return 0;
	wait = left(p->last_login + delay, now);
	return wait < delay ? wait : delay;
}

/* --- what servers say */

static bool
is_login(const struct fault *f)
{
	return f->login || strcmp(f->phase, "login") == 0 ||
	       strcmp(f->phase, "AUTH") == 0;
}

/* Who asks us to wait has not refused the password. */
static void
hear_wait(struct fault *f, int64_t seconds)
{
	f->retry_after = larger(f->retry_after, seconds);
	if (f->when == FAULT_NEVER)
		return;
	f->login = false;
	f->hint = f->busy ? "another session has the mailbox open, or there "
	                    "are too many: close it, or wait"
	                  : "wait as long as the server asks";
}

/* "5.7.1 no": RFC 2034 */
static void
read_enhanced(struct fault *f, struct span words)
{
	struct span rest = words;
	struct span first = span_cut(&rest, ' ');
	struct span class = span_cut(&first, '.');
	struct span subject = span_cut(&first, '.');
	uint64_t c, s, d;

	if (!span_uint(class, 5, &c) || c < 2 || !span_uint(subject, 999, &s) ||
	    !span_uint(first, 999, &d))
		return;
	f->subject = (unsigned)s;
	f->detail = (unsigned)d;
}

void
retry_hear(struct fault *f, struct span words)
{
	const struct phrase *p = phrase_find(words);
	int64_t pause;

	read_enhanced(f, words);
	if (p == NULL)
		return;
	switch (p->kind) {
	case PHRASE_BUSY:
		if (f->scope != FAULT_ACCOUNT)
			break;
		f->busy = true;
		hear_wait(f, 0);
		break;
	case PHRASE_WAIT:
		pause = larger(p->seconds, phrase_backoff(words));
		if (pause > 0)
			hear_wait(f, pause);
		break;
	case PHRASE_EXPIRED:
		if (f->scope == FAULT_MESSAGE)
			break;
		f->when = FAULT_NOW;
		f->login = false;
		f->hint = NULL;
		break;
	case PHRASE_LOGIN:
		if (!is_login(f))
			break;
		f->login = true;
		f->when = FAULT_NEVER;
		f->hint = p->hint;
		break;
	case PHRASE_SENDER:
		/* Where MAIL was refused, it is about mail_from. */
		if (!is_login(f) && f->hint == NULL)
			f->hint = p->hint;
		break;
	}
}

uint64_t
retry_hash(uint64_t hash, const char *s)
{
	/* FNV-1a, with the end of the string in it */
	do
		hash = (hash ^ (unsigned char)*s) * UINT64_C(1099511628211);
	while (*s++ != '\0');
	return hash;
}
