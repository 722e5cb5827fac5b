/* SPDX-License-Identifier: ISC */
/*
 * The part of a destination: its sender and its recipient are asked about, and
 * taken back.
 */
#include "relay/probe_private.h"

#include <limits.h>
#include <stdio.h>

#include "base/mem.h"
#include "relay/sink_judge.h"
#include "relay/submission.h"

static void
leave(struct probe *p)
{
	if (smtp_quit(&p->wire->smtp))
		submission_send(p->wire);
	else
		probe_end(p, probe_fault(p)); /* it said goodbye by itself */
}

static void
on_ready(void *arg)
{
	struct probe *p = arg;
	const struct conf_destination *d = p->o.destination;
	const struct smtp_envelope e = {
		.sender = span_str(d->mail_from),
		.recipient = span_str(d->recipient),
	};
	struct fault f;

	p->asking = smtp_try(&p->wire->smtp, &e);
	if (p->asking) {
		submission_send(p->wire);
		return;
	}
	fault_set(&f, FAULT_DESTINATION, FAULT_NEVER, "MAIL",
	    "mail_from or recipient cannot be written in SMTP");
	probe_failed(p, STEP_SENDER, NULL, &f,
	    "check mail_from and recipient: they must be plain addresses");
	probe_end(p, &f);
}

static void
pass_address(struct probe *p, enum step step, const char *address)
{
	char text[PROBE_TEXT_MAX];

	snprintf(text, sizeof(text), "%s", address);
	probe_passed(p, step, text);
	p->next = step == STEP_SENDER ? STEP_RECIPIENT : STEP_GOODBYE;
}

static void
on_verdict(struct probe *p, const struct smtp_event *ev)
{
	const struct conf_destination *d = p->o.destination;
	/* There is no message that it could be about. */
	const struct sink_record record = { .strangers = UINT_MAX };
	bool recipient = ev->stage == SMTP_RCPT;

	p->asking = false;
	if (recipient)
		pass_address(p, STEP_SENDER, d->mail_from);
	if (ev->reply->code / 100 == 2) {
		pass_address(p, STEP_RECIPIENT, d->recipient);
	} else {
		sink_judge(&p->fault, ev->stage, ev->reply, &record);
		probe_failed(p, recipient ? STEP_RECIPIENT : STEP_SENDER, NULL,
		    &p->fault, NULL);
	}
	p->answered = true;
	leave(p);
}

static void
on_event(void *arg, const struct smtp_event *ev)
{
	struct probe *p = arg;

	if (ev->kind == SMTP_EV_VERDICT) {
		on_verdict(p, ev);
	} else if (ev->kind == SMTP_EV_BYE) {
		probe_passed(p, STEP_GOODBYE, "");
		probe_end(p, probe_fault(p));
	}
}

/* Nothing depends on a goodbye. */
static void
on_down(void *arg, const struct fault *f)
{
	struct probe *p = arg;

	if (!p->answered)
		probe_failed(p, p->next, NULL, f, NULL);
	probe_end(p, p->answered ? probe_fault(p) : f);
}

static const struct submission_events events = {
	.ready = on_ready,
	.event = on_event,
	.down = on_down,
};

void
probe_submission_start(struct probe *p)
{
	p->wire = submission_open(&(struct submission_owner){
	    .net = p->o.net,
	    .tokens = p->o.tokens,
	    .conf = &p->conf,
	    .dest = p->o.destination,
	    .steps = &p->steps,
	    .events = &events,
	    .arg = p,
	});
}

void
probe_submission_drop(struct probe *p)
{
	submission_close(&p->wire);
}
