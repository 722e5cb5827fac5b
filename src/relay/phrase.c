/* SPDX-License-Identifier: ISC */
#include "relay/phrase.h"

#include <stddef.h>

#define DAY INT64_C(86400) /* seconds */
#define HOUR 3600

#define APP_PASSWORD                                                           \
	"it wants an app password: make one in the provider's security "       \
	"settings and use that"
#define MICROSOFT                                                              \
	"Microsoft takes no password here: set provider and auth = "           \
	"\"xoauth2\", then run mailhaul login"
#define SWITCHED_OFF                                                           \
	"it is switched off: turn it on in the provider's settings (often "    \
	"\"forwarding and POP/IMAP\")"
#define LOCKED                                                                 \
	"the provider has locked it for a while: log in at its web page, and " \
	"wait"
#define NOT_OURS                                                               \
	"the address in From is not one of this login's: set sender = "        \
	"\"rewrite\" or \"wrap\""

/* The first that is found counts: the more exact stands in front. */
static const struct phrase phrases[] = {
	/* Microsoft */
	{ "suggested backoff time", PHRASE_WAIT, 0, NULL },
	{ "request is throttled", PHRASE_WAIT, 60, NULL },
	{ "accesstokenexpired", PHRASE_EXPIRED, 0, NULL },
	{ "authenticated but not connected", PHRASE_BUSY, 0, NULL },
	{ "smtpclientauthentication is disabled", PHRASE_LOGIN, 0,
	    "authenticated SMTP is switched off for this mailbox: its "
	    "administrator can turn it on" },
	{ "basic authentication is disabled", PHRASE_LOGIN, 0, MICROSOFT },
	{ "basicauthblocked", PHRASE_LOGIN, 0, MICROSOFT },
	{ "5.7.139", PHRASE_LOGIN, 0, MICROSOFT },
	{ "sendasdenied", PHRASE_SENDER, 0, NOT_OURS },
	/* Google */
	{ "application-specific password", PHRASE_LOGIN, 0, APP_PASSWORD },
	{ "log in via your web browser", PHRASE_LOGIN, 0,
	    "log in with a web browser once, then it goes on" },
	{ "web login required", PHRASE_LOGIN, 0,
	    "log in with a web browser once, then it goes on" },
	{ "username and password not accepted", PHRASE_LOGIN, 0,
	    "Google takes only an app password or OAuth2, never the password "
	    "of the account" },
	{ "exceeded command or bandwidth limits", PHRASE_WAIT, HOUR, NULL },
	{ "exceeded bandwidth limits", PHRASE_WAIT, HOUR, NULL },
	/* Yahoo, AOL, iCloud */
	{ "too many bad auth attempts", PHRASE_LOGIN, 0, LOCKED },
	{ "app-specific password", PHRASE_LOGIN, 0, APP_PASSWORD },
	{ "app password", PHRASE_LOGIN, 0, APP_PASSWORD },
	{ "#auth", PHRASE_LOGIN, 0, APP_PASSWORD },
	/* GMX, and what many say */
	{ "not enabled for imap", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "not enabled for pop", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "imap access is disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "imap access disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "imap is disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "imap disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "pop access is disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "pop access disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "pop3 access is disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "pop3 access disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "pop3 is disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "pop3 disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "pop disabled", PHRASE_LOGIN, 0, SWITCHED_OFF },
	{ "temporarily locked", PHRASE_LOGIN, 0, LOCKED },
	{ "temporarily blocked", PHRASE_LOGIN, 0, LOCKED },
	{ "account is locked", PHRASE_LOGIN, 0, LOCKED },
	{ "account has been locked", PHRASE_LOGIN, 0, LOCKED },
	{ "too many login failures", PHRASE_LOGIN, 0, LOCKED },
	{ "too many failed", PHRASE_LOGIN, 0, LOCKED },
	{ "sender address is not allowed", PHRASE_SENDER, 0, NOT_OURS },
	{ "not owned by user", PHRASE_SENDER, 0, NOT_OURS },
	{ "too many simultaneous", PHRASE_BUSY, 0, NULL },
	{ "too many connections", PHRASE_BUSY, 0, NULL },
	{ "too many concurrent", PHRASE_BUSY, 0, NULL },
	{ "maximum number of connections", PHRASE_BUSY, 0, NULL },
	{ "maildrop already locked", PHRASE_BUSY, 0, NULL },
	{ "mailbox is locked", PHRASE_BUSY, 0, NULL },
};

/* What is behind the phrase; p NULL: it is not there. */
static struct span
find(struct span words, const char *phrase)
{
	for (; words.n > 0; words = span_skip(words, 1))
		if (span_istarts(words, phrase))
			return span_skip(words, strlen(phrase));
	return span_make(NULL, 0);
}

const struct phrase *
phrase_find(struct span words)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (find(words, phrases[i].words).p != NULL)
			return &phrases[i];
	return NULL;
}

int64_t
phrase_backoff(struct span words)
{
	struct span rest = find(words, "suggested backoff time:");
	size_t digits = 0;
	uint64_t ms = 0;

	while (rest.n > 0 && *rest.p == ' ')
		rest = span_skip(rest, 1);
	while (digits < rest.n && ascii_is_digit(rest.p[digits]))
		digits++;
	if (digits == 0)
		return 0;
	if (!span_uint(span_make(rest.p, digits), DAY * 1000, &ms))
		return DAY;
	return (int64_t)(ms + 999) / 1000;
}

bool
phrase_ends_session(struct span words)
{
	const struct phrase *p = phrase_find(words);

	return p != NULL && (p->kind == PHRASE_BUSY || p->kind == PHRASE_WAIT ||
				p->kind == PHRASE_EXPIRED);
}
