/* SPDX-License-Identifier: ISC */
/*
 * The way to a server in steps, for a person who tests his settings: sources
 * and submissions tell those who want to see it how far they got.
 */
#ifndef RELAY_STEPS_H
#define RELAY_STEPS_H

#include "net/conn.h"
#include "proto/imap.h"
#include "proto/pop3.h"
#include "proto/smtp.h"

struct fault;
struct tls_facts;

/* In the order in which a person expects them; with STARTTLS, greeting and
 * capabilities come before TLS, and the capabilities once more behind it. */
enum step {
	STEP_PLACE, /* in the budget of connections */
	STEP_NAME,
	STEP_CONNECT,
	STEP_TLS,
	STEP_GREETING,
	STEP_STARTTLS,
	STEP_CAPABILITIES,
	STEP_LOGIN,
	STEP_FOLDER,
	STEP_SENDER,
	STEP_RECIPIENT,
	STEP_GOODBYE,
	STEPS
};
const char *step_name(enum step step);

/* Who wants to see it.  Nothing may be closed in passed(). */
struct steps {
	/* text is printable: what the server said or offers, by whom it is
	 * vouched for, how the login was done; tls: of STEP_TLS, else NULL. */
	void (*passed)(void *arg, enum step step, const char *text,
	    const struct tls_facts *tls);
	void *arg;
	/* No login may be tried now: it ends there, for this reason.  NULL: one
	 * may.  Foreign. */
	const struct fault *no_login;
};

/* s NULL: nobody wants to see it. */
void steps_passed(const struct steps *s, enum step step, struct span text);
/* The same of a connection's own, as its handler is told of them. */
void steps_connected(const struct steps *s, enum conn_step step,
    const char *text, const struct tls_facts *tls);

/* What a server can do that matters to us. */
#define STEPS_TEXT_MAX 400
void steps_imap(const struct imap_caps *c, char text_r[STEPS_TEXT_MAX]);
void steps_pop3(const struct pop3_caps *c, char text_r[STEPS_TEXT_MAX]);
void steps_smtp(const struct smtp_caps *c, char text_r[STEPS_TEXT_MAX]);

#endif
