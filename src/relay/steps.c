/* SPDX-License-Identifier: ISC */
#include "relay/steps.h"

#include <stdio.h>
#include <string.h>

#include "base/ascii.h"

const char *
step_name(enum step step)
{
	static const char *const names[] = {
		[STEP_PLACE] = "place",
		[STEP_NAME] = "name",
		[STEP_CONNECT] = "connect",
		[STEP_TLS] = "TLS",
		[STEP_GREETING] = "greeting",
		[STEP_STARTTLS] = "STARTTLS",
		[STEP_CAPABILITIES] = "capabilities",
		[STEP_LOGIN] = "login",
		[STEP_FOLDER] = "folder",
		[STEP_SENDER] = "sender",
		[STEP_RECIPIENT] = "recipient",
		[STEP_GOODBYE] = "goodbye",
	};

	_Static_assert(
	    sizeof(names) / sizeof(names[0]) == STEPS, "a name per step");
	return names[step];
}

void
steps_passed(const struct steps *s, enum step step, struct span text)
{
	char clean[STEPS_TEXT_MAX];

	if (s == NULL)
		return;
	s->passed(s->arg, step,
	    ascii_clean(clean, sizeof(clean), text.p, text.n), NULL);
}

void
steps_connected(const struct steps *s, enum conn_step step, const char *text,
    const struct tls_facts *tls)
{
	static const enum step steps[] = {
		[CONN_NAMED] = STEP_NAME,
		[CONN_CONNECTED] = STEP_CONNECT,
		[CONN_SECURED] = STEP_TLS,
	};

	if (s != NULL)
		s->passed(s->arg, steps[step], text, tls);
}

static void
add(char text[STEPS_TEXT_MAX], const char *sep, const char *word)
{
	size_t at = strlen(text);

	snprintf(
	    text + at, STEPS_TEXT_MAX - at, "%s%s", at > 0 ? sep : "", word);
}

static void
add_if(char text[STEPS_TEXT_MAX], bool has, const char *word)
{
	if (has)
		add(text, " ", word);
}

static void
add_login(char text[STEPS_TEXT_MAX], const char *sasl, const char *plain)
{
	add(text, "; ", "login by ");
	if (sasl[0] != '\0')
		add(text, "", sasl);
	else
		add(text, "",
		    plain != NULL ? plain : "nothing that is offered");
}

void
steps_imap(const struct imap_caps *c, char text_r[STEPS_TEXT_MAX])
{
	text_r[0] = '\0';
	add_if(text_r, c->imap4rev1, "IMAP4rev1");
	add_if(text_r, c->imap4rev2, "IMAP4rev2");
	add_if(text_r, c->idle, "IDLE");
	add_if(text_r, c->uidplus, "UIDPLUS");
	add_if(text_r, c->move, "MOVE");
	add_if(text_r, c->special_use, "SPECIAL-USE");
	add_if(text_r, c->gmail, "X-GM-EXT-1");
	add_login(text_r, c->sasl, c->login_disabled ? NULL : "LOGIN");
}

void
steps_pop3(const struct pop3_caps *c, char text_r[STEPS_TEXT_MAX])
{
	char delay[48];

	text_r[0] = '\0';
	if (!c->known)
		add(text_r, "", "the server has no CAPA");
	add_if(text_r, c->uidl, "UIDL");
	add_if(text_r, c->top, "TOP");
	add_if(text_r, c->pipelining, "PIPELINING");
	add_if(text_r, c->expire_zero, "EXPIRE 0");
	if (c->login_delay) {
		snprintf(delay, sizeof(delay), "LOGIN-DELAY %u",
		    c->login_delay_seconds);
		add(text_r, " ", delay);
	}
	add_login(text_r, c->sasl, "USER");
}

void
steps_smtp(const struct smtp_caps *c, char text_r[STEPS_TEXT_MAX])
{
	char size[48];

	text_r[0] = '\0';
	add_if(text_r, c->pipelining, "PIPELINING");
	add_if(text_r, c->eight_bit_mime, "8BITMIME");
	add_if(text_r, c->smtputf8, "SMTPUTF8");
	add_if(text_r, c->chunking, "CHUNKING");
	add_if(text_r, c->dsn, "DSN");
	if (c->size && c->size_max > 0) {
		snprintf(size, sizeof(size), "SIZE %llu",
		    (unsigned long long)c->size_max);
		add(text_r, " ", size);
	}
	add_login(text_r, c->sasl, NULL);
}
