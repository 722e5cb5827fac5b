/* SPDX-License-Identifier: ISC */
#include "relay/probe_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "net/conn.h"
#include "relay/retry.h"

/* Somebody sits there and waits. */
#define CONNECT_SECONDS 30
#define REPLY_SECONDS 60
#define PROBE_MS (5 * 60 * 1000)

const char *
probe_outcome_name(enum probe_outcome outcome)
{
	static const char *const names[] = {
		[PROBE_GOOD] = "good",
		[PROBE_WARNING] = "warning",
		[PROBE_SKIPPED] = "skipped",
		[PROBE_FAILED] = "failed",
	};

	return names[outcome];
}

/* --- reports */

void
probe_report(struct probe *p, struct probe_report *r)
{
	int64_t now = loop_now_us(p->o.net->loop);

	r->usec = now - p->since;
	p->since = now;
	if (r->outcome > p->worst)
		p->worst = r->outcome;
	p->o.reported(p->o.arg, r);
}

void
probe_passed(struct probe *p, enum step step, const char *text)
{
	struct probe_report r = { .step = step, .text = text };

	probe_report(p, &r);
}

/* A reply is shown as its words; what stands in front of them is a code. */
static void
split(const struct fault *f, char *text, size_t cap, const char **words_r,
    char words[FAULT_TEXT_MAX])
{
	size_t n = f->quoted > 3 ? f->quoted - 3 : 0; /* ': "' */

	*words_r = NULL;
	if (f->quoted == 0) {
		snprintf(text, cap, "%s", f->text);
		return;
	}
	snprintf(words, FAULT_TEXT_MAX, "%s", f->text + f->quoted);
	if (words[0] != '\0')
		words[strlen(words) - 1] = '\0'; /* the closing quote */
	*words_r = words;
	if (n == 0 || strspn(f->text, "0123456789") == n)
		snprintf(text, cap, "refused%s%.*s", n > 0 ? " with " : "",
		    (int)n, f->text);
	else
		snprintf(text, cap, "%.*s", (int)n, f->text);
}

static const char *
name_of(const struct probe *p)
{
	return p->o.account != NULL ? p->o.account->name
	                            : p->o.destination->name;
}

/* Nobody is left without a word. */
static const char *
last_resort(const struct fault *f)
{
	if (f->when == FAULT_NEVER)
		return "change what it names, or ask those who run the server";
	return "it may pass: check again later, and if it stays, ask those "
	       "who run the server";
}

void
probe_failed(struct probe *p, enum step step, const char *folder,
    const struct fault *f, const char *cure)
{
	char text[FAULT_TEXT_MAX], words[FAULT_TEXT_MAX];
	char hint[PROBE_TEXT_MAX];
	struct probe_report r = {
		.step = step,
		.folder = folder,
		.text = text,
		.cure = cure != NULL      ? cure
		        : f->hint != NULL ? f->hint
		                          : last_resort(f),
		.outcome = f == &p->no_login ? PROBE_SKIPPED : PROBE_FAILED,
	};

	if (f == &p->no_login && f->hint == NULL)
		r.cure = p->resume;
	/* Behind "; ". */
	if (f->sign_in && f->hint == NULL && cure == NULL)
		r.cure = fault_hint(f, name_of(p), hint, sizeof(hint)) + 2;
	split(f, text, sizeof(text), &r.words, words);
	probe_report(p, &r);
}

/* --- the steps that all have */

static enum step
step_behind(const struct probe *p, enum step step)
{
	const struct conf_destination *d = p->o.destination;
	bool starttls = d != NULL && d->tls == CONF_TLS_STARTTLS;

	switch (step) {
	case STEP_PLACE:
		return STEP_NAME;
	case STEP_NAME:
		return STEP_CONNECT;
	case STEP_CONNECT:
		return starttls ? STEP_GREETING : STEP_TLS;
	case STEP_GREETING:
		return starttls ? STEP_STARTTLS : STEP_CAPABILITIES;
	case STEP_STARTTLS:
		return STEP_TLS;
	case STEP_TLS:
		return starttls ? STEP_CAPABILITIES : STEP_GREETING;
	case STEP_CAPABILITIES:
		return STEP_LOGIN;
	case STEP_LOGIN:
		return d != NULL ? STEP_SENDER : STEP_FOLDER;
	case STEP_SENDER:
		return STEP_RECIPIENT;
	case STEP_FOLDER:
	case STEP_RECIPIENT:
	case STEP_GOODBYE:
	case STEPS:
		break;
	}
	return STEP_GOODBYE;
}

static const char *
trust_name(enum tls_trust trust)
{
	static const char *const names[] = {
		[TLS_BY_SYSTEM] = "vouched for by the system's authorities",
		[TLS_BY_CA_FILE] = "vouched for by ca_file",
		[TLS_BY_PIN] = "pinned",
	};

	return names[trust];
}

static void
report_tls(struct probe *p, const struct tls_facts *t)
{
	int64_t left = (t->not_after - (int64_t)time(NULL)) / 86400;
	time_t end = (time_t)t->not_after;
	char text[PROBE_TEXT_MAX], day[16] = "?";
	struct probe_report r = { .step = STEP_TLS, .text = text, .tls = t };
	struct tm tm;

	if (gmtime_r(&end, &tm) != NULL)
		strftime(day, sizeof(day), "%Y-%m-%d", &tm);
	if (left < PROBE_WARN_DAYS) {
		r.outcome = PROBE_WARNING;
		snprintf(text, sizeof(text), "the certificate of %s %s %s",
		    t->subject,
		    t->not_after < (int64_t)time(NULL) ? "expired on"
						       : "expires on",
		    day);
		r.cure = t->trust == TLS_BY_PIN
		             ? "it is pinned and will still be taken; when the "
		               "server gets a new one, pin_sha256 must change"
		             : "the server must renew it before that day";
	} else {
		snprintf(text, sizeof(text),
		    "%s, certificate of %s from %s, good until %s (%lld "
		    "days), %s",
		    t->version, t->subject, t->issuer, day, (long long)left,
		    trust_name(t->trust));
	}
	probe_report(p, &r);
}

static void
on_passed(
    void *arg, enum step step, const char *text, const struct tls_facts *tls)
{
	struct probe *p = arg;

	p->next = step_behind(p, step);
	p->logged_in |= step == STEP_LOGIN;
	if (tls != NULL)
		report_tls(p, tls);
	else
		probe_passed(p, step, text);
}

/* --- whether a login may be tried */

static void
forbid_login(struct probe *p)
{
	int64_t now = time(NULL);
	int64_t delay = retry_login_wait(&p->pause, now);
	int64_t wait = p->pause.firm ? retry_wait(&p->pause, now, true) : 0;
	struct fault *f = &p->no_login;

	if (delay == 0 && wait == 0)
		return;
	p->steps.no_login = f;
	if (delay >= wait) {
		fault_set(f, FAULT_ACCOUNT, FAULT_LATER, "login",
		    "not tried: the server wants %lld seconds between logins",
		    (long long)p->pause.login_delay);
		f->hint = "check again when they are over";
		return;
	}
	fault_set(f, FAULT_ACCOUNT, FAULT_LATER, "login",
	    "not tried, because %s is left alone for another %lld minutes "
	    "after the last failure",
	    name_of(p), (long long)(wait + 59) / 60);
	snprintf(p->resume, sizeof(p->resume),
	    "mend what it was, end the pause with mailhaul resume %s, and "
	    "check again",
	    name_of(p));
	fault_quote(f, span_str(p->pause.reply));
}

/* --- from the beginning to the end */

static void
probe_free(struct probe *p)
{
	timer_free(&p->deadline);
	buf_free(&p->uids);
	for (size_t i = 0; i < p->nfolders; i++)
		free(p->folders[i]);
	free(p->folders);
	free(p->folder_of);
	free(p);
}

static void
drop(struct probe *p)
{
	p->over = true;
	probe_source_drop(p);
	probe_submission_drop(p);
	timer_cancel(&p->deadline);
	if (p->asked == 0)
		probe_free(p);
}

void
probe_end(struct probe *p, const struct fault *f)
{
	struct probe_result r = {
		.outcome = p->worst,
		.logged_in = p->logged_in,
		.login_delay = p->login_delay,
		.fault = f == &p->no_login ? NULL : f,
	};

	if (p->over)
		return;
	p->over = true;
	p->o.done(p->o.arg, &r);
	drop(p);
}

bool
probe_answered(struct probe *p)
{
	p->asked--;
	if (p->over && p->asked == 0)
		probe_free(p);
	else if (!p->over)
		return true;
	return false;
}

static void
on_deadline(void *arg)
{
	struct probe *p = arg;
	struct fault f;

	fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, step_name(p->next),
	    "not over after %d minutes", PROBE_MS / 60000);
	probe_failed(p, p->next, NULL, &f, NULL);
	probe_end(p, &f);
}

static uint64_t
at_most(uint64_t seconds, uint64_t limit)
{
	return seconds < limit ? seconds : limit;
}

struct probe *
probe_start(const struct probe_owner *owner)
{
	struct probe *p = mem_alloc(sizeof(*p));
	struct conf *c = &p->conf;

	p->o = *owner;
	*c = *owner->conf;
	c->connect_timeout = at_most(c->connect_timeout, CONNECT_SECONDS);
	c->reply_timeout = at_most(c->reply_timeout, REPLY_SECONDS);
	p->steps.passed = on_passed;
	p->steps.arg = p;
	p->next = STEP_NAME;
	p->since = loop_now_us(owner->net->loop);
	buf_init(&p->uids, PROBE_UIDS_MAX);
	if (owner->pause != NULL) {
		p->pause = *owner->pause;
		forbid_login(p);
	}
	timer_init(&p->deadline, owner->net->loop, on_deadline, p);
	timer_set(&p->deadline, PROBE_MS);
	if (owner->account != NULL)
		probe_source_start(p);
	else
		probe_submission_start(p);
	return p;
}

void
probe_stop(struct probe **p)
{
	if (*p != NULL)
		drop(*p);
	*p = NULL;
}
