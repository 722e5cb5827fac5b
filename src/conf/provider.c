/* SPDX-License-Identifier: ISC */
#include "conf/provider.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "conf/conf.h"
#include "conf/option_table.h"

#define MIB (UINT64_C(1) << 20)

/* TLS from the first byte, on the port of the protocol. */
#define IMAPS(name)                                                            \
	[PROVIDER_IMAP] = {                                                    \
		.host = name, .port = 993, .tls = CONF_TLS_IMPLICIT            \
	}
#define POP3S(name, delay)                                                     \
	[PROVIDER_POP3] = { .host = name,                                      \
		.port = 995,                                                   \
		.tls = CONF_TLS_IMPLICIT,                                      \
		.login_delay = delay }
#define STARTTLS(name)                                                         \
	[PROVIDER_SMTP] = {                                                    \
		.host = name, .port = 587, .tls = CONF_TLS_STARTTLS            \
	}
#define SMTPS(name, other)                                                     \
	[PROVIDER_SMTP] = { .host = name,                                      \
		.port = 465,                                                   \
		.tls = CONF_TLS_IMPLICIT,                                      \
		.also = other }

#define MICROSOFT(own)                                                         \
	.auth = CONF_AUTH_XOAUTH2, .oauth = {                                  \
		.tenant = own,                                                 \
		.scope = "https://outlook.office.com/IMAP.AccessAsUser.All "   \
			 "https://outlook.office.com/POP.AccessAsUser.All "    \
			 "https://outlook.office.com/SMTP.Send "               \
			 "offline_access",                                     \
		.token_url = MICROSOFT_URL "token",                            \
		.device_url = MICROSOFT_URL "devicecode",                      \
		.authorize_url = MICROSOFT_URL "authorize",                    \
	}
#define MICROSOFT_URL "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/"

static const char *const no_domains[] = { NULL };
static const char *const outlook_domains[] = { "outlook.com", "hotmail.com",
	"live.com", "msn.com", "passport.com", "windowslive.com", "outlook.at",
	"outlook.be", "outlook.cl", "outlook.co.id", "outlook.co.il",
	"outlook.co.th", "outlook.com.ar", "outlook.com.au", "outlook.com.br",
	"outlook.com.gr", "outlook.com.tr", "outlook.cz", "outlook.de",
	"outlook.dk", "outlook.es", "outlook.fr", "outlook.hu", "outlook.ie",
	"outlook.in", "outlook.it", "outlook.jp", "outlook.kr", "outlook.lv",
	"outlook.my", "outlook.ph", "outlook.pt", "outlook.sa", "outlook.sg",
	"outlook.sk", "hotmail.be", "hotmail.ca", "hotmail.ch", "hotmail.cl",
	"hotmail.co.jp", "hotmail.co.kr", "hotmail.co.nz", "hotmail.co.th",
	"hotmail.co.uk", "hotmail.com.ar", "hotmail.com.au", "hotmail.com.br",
	"hotmail.com.tr", "hotmail.de", "hotmail.dk", "hotmail.es",
	"hotmail.fi", "hotmail.fr", "hotmail.gr", "hotmail.hu", "hotmail.it",
	"hotmail.nl", "hotmail.no", "hotmail.se", "live.at", "live.be",
	"live.ca", "live.cl", "live.cn", "live.co.uk", "live.com.ar",
	"live.com.au", "live.com.mx", "live.com.pt", "live.de", "live.dk",
	"live.fi", "live.fr", "live.ie", "live.in", "live.it", "live.jp",
	"live.nl", "live.no", "live.ru", "live.se", NULL };
static const char *const gmail_domains[] = { "gmail.com", "googlemail.com",
	NULL };
static const char *const yahoo_domains[] = { "yahoo.com", "ymail.com",
	"rocketmail.com", "myyahoo.com", "yahoo.at", "yahoo.be", "yahoo.ca",
	"yahoo.ch", "yahoo.co.id", "yahoo.co.in", "yahoo.co.nz", "yahoo.co.th",
	"yahoo.co.uk", "yahoo.co.za", "yahoo.com.ar", "yahoo.com.au",
	"yahoo.com.br", "yahoo.com.hk", "yahoo.com.mx", "yahoo.com.my",
	"yahoo.com.ph", "yahoo.com.sg", "yahoo.com.tr", "yahoo.com.tw",
	"yahoo.com.vn", "yahoo.cz", "yahoo.de", "yahoo.dk", "yahoo.es",
	"yahoo.fi", "yahoo.fr", "yahoo.gr", "yahoo.hu", "yahoo.ie", "yahoo.in",
	"yahoo.it", "yahoo.nl", "yahoo.no", "yahoo.pl", "yahoo.pt", "yahoo.ro",
	"yahoo.se", NULL };
static const char *const aol_domains[] = { "aol.com", "aol.de", "aol.co.uk",
	"aol.fr", "aol.it", "aim.com", "verizon.net", NULL };
static const char *const icloud_domains[] = { "icloud.com", "me.com", "mac.com",
	NULL };
static const char *const fastmail_domains[] = { "fastmail.com", "fastmail.fm",
	"fastmail.net", "fastmail.org", "fastmail.co.uk", "fastmail.de",
	"fastmail.es", "fastmail.fr", "fastmail.in", "fastmail.jp",
	"fastmail.us", "fastmail.to", "messagingengine.com", NULL };
/* gmx.com has servers of its own. */
static const char *const gmx_domains[] = { "gmx.net", "gmx.de", "gmx.at",
	"gmx.ch", "gmx.eu", "gmx.org", "gmx.info", "gmx.biz", NULL };
static const char *const webde_domains[] = { "web.de", "email.de", NULL };
static const char *const proton_domains[] = { "proton.me", "protonmail.com",
	"protonmail.ch", "pm.me", NULL };

#define APP_PASSWORD                                                           \
	"Make an app password in the settings of the account; its own "        \
	"password is refused."
#define YAHOO_SERVERS                                                          \
	.servers = { IMAPS("imap.mail.yahoo.com"),                             \
		POP3S("pop.mail.yahoo.com", 0),                                \
		SMTPS("smtp.mail.yahoo.com", 587) }

/* clang-format off */
const struct provider provider_table[] = {
	{ .name = "outlook", .title = "Outlook.com, Hotmail, Live, MSN",
	  .servers = { IMAPS("outlook.office365.com"),
		POP3S("outlook.office365.com", 0),
		STARTTLS("smtp-mail.outlook.com") },
	  MICROSOFT("consumers"),
	  .submissions = 3, .recipients = 5000, .message_max = 25 * MIB,
	  .sender = CONF_SENDER_REWRITE, .domains = outlook_domains,
	  .login = "Turn on POP and IMAP at outlook.com: Settings, Mail, "
		"Forwarding and IMAP.  No password is taken, only a token: "
		"register a client for personal accounts, give its "
		"oauth_client_id, and run mailhaul login.",
	  .note = "New and free accounts may send less." },
	{ .name = "exchange", .title = "Exchange Online (work or school)",
	  .servers = { IMAPS("outlook.office365.com"),
		POP3S("outlook.office365.com", 0),
		STARTTLS("smtp.office365.com") },
	  MICROSOFT("organizations"),
	  .submissions = 3, .sender = CONF_SENDER_REWRITE, .domains = no_domains,
	  .login = "The administrator has to allow IMAP, POP and authenticated "
		"SMTP for the mailbox, and the client of oauth_client_id; "
		"then run mailhaul login.",
	  .note = "oauth_tenant is the organisation, where its client is not "
		"for all." },
	{ .name = "gmail", .title = "Gmail",
	  .servers = { IMAPS("imap.gmail.com"),
		POP3S("pop.gmail.com", 300),
		SMTPS("smtp.gmail.com", 587) },
	  .auth = CONF_AUTH_AUTO,
	  .oauth = { .scope = "https://mail.google.com/",
		.token_url = "https://oauth2.googleapis.com/token",
		.authorize_url =
		    "https://accounts.google.com/o/oauth2/v2/auth" },
	  .connections = 15, .recipients = 500,
	  .sender = CONF_SENDER_REWRITE, .domains = gmail_domains,
	  .login = "Turn on 2-step verification and make an app password; or "
		"give an oauth_client_id and run mailhaul login.",
	  .note = "2500 MB a day come over IMAP, 1250 MB over POP3.  Over "
		"IMAP a message shows up in the folder of each label; over "
		"POP3 its own settings say what becomes of a message that "
		"was fetched or deleted." },
	{ .name = "yahoo", .title = "Yahoo Mail", YAHOO_SERVERS,
	  .auth = CONF_AUTH_AUTO,
	  .sender = CONF_SENDER_REWRITE, .domains = yahoo_domains,
	  .login = APP_PASSWORD },
	{ .name = "aol", .title = "AOL Mail", YAHOO_SERVERS,
	  .auth = CONF_AUTH_AUTO,
	  .sender = CONF_SENDER_REWRITE, .domains = aol_domains,
	  .login = APP_PASSWORD,
	  .note = "It is served by Yahoo." },
	{ .name = "icloud", .title = "iCloud Mail",
	  .servers = { IMAPS("imap.mail.me.com"),
		STARTTLS("smtp.mail.me.com") },
	  .auth = CONF_AUTH_AUTO,
	  .messages = 1000, .message_max = 20 * MIB,
	  .sender = CONF_SENDER_REWRITE, .domains = icloud_domains,
	  .login = "Make an app-specific password at account.apple.com; the "
		"account's own is refused." },
	{ .name = "fastmail", .title = "Fastmail",
	  .servers = { IMAPS("imap.fastmail.com"),
		POP3S("pop.fastmail.com", 0),
		SMTPS("smtp.fastmail.com", 0) },
	  .auth = CONF_AUTH_AUTO,
	  .sender = CONF_SENDER_REWRITE, .domains = fastmail_domains,
	  .login = APP_PASSWORD },
	{ .name = "gmx", .title = "GMX",
	  .servers = { IMAPS("imap.gmx.net"), POP3S("pop.gmx.net", 0),
		SMTPS("mail.gmx.net", 587) },
	  .auth = CONF_AUTH_AUTO,
	  .sender = CONF_SENDER_REWRITE, .domains = gmx_domains,
	  .login = "Turn on POP3 and IMAP in the settings at gmx.net.",
	  .note = "Failed logins lock the address out." },
	{ .name = "webde", .title = "WEB.DE",
	  .servers = { IMAPS("imap.web.de"), POP3S("pop3.web.de", 0),
		SMTPS("smtp.web.de", 587) },
	  .auth = CONF_AUTH_AUTO,
	  .sender = CONF_SENDER_REWRITE, .domains = webde_domains,
	  .login = "Turn on POP3 and IMAP in the settings at web.de.",
	  .note = "Failed logins lock the address out." },
	{ .name = "proton-bridge", .title = "Proton Mail Bridge",
	  .servers = { [PROVIDER_IMAP] = { .host = "127.0.0.1", .port = 1143,
		.tls = CONF_TLS_IMPLICIT },
		[PROVIDER_SMTP] = { .host = "127.0.0.1", .port = 1025,
		.tls = CONF_TLS_IMPLICIT } },
	  .auth = CONF_AUTH_AUTO, .pin = true,
	  .sender = CONF_SENDER_REWRITE, .domains = proton_domains,
	  .login = "Set the connection mode of Bridge to SSL for IMAP and for "
		"SMTP, use the password that Bridge shows, and pin its "
		"certificate with pin_sha256.",
	  .note = "Bridge has to run on this machine." },
	{ .name = "custom", .title = "any other, with its host given",
	  .auth = CONF_AUTH_AUTO, .sender = CONF_SENDER_PRESERVE,
	  .domains = no_domains },
	{ .name = NULL },
};
/* clang-format on */

const char *const provider_service_names[PROVIDER_SERVICES] = {
	[PROVIDER_IMAP] = "IMAP",
	[PROVIDER_POP3] = "POP3",
	[PROVIDER_SMTP] = "SMTP",
};

const struct provider *
provider_find(const char *name, const char **nearest_r)
{
	const char *nearest = NULL;
	size_t best = SIZE_MAX;

	for (const struct provider *p = provider_table; p->name != NULL; p++) {
		if (strcmp(p->name, name) == 0)
			return p;
		if (option_closer(name, p->name, &best))
			nearest = p->name;
	}
	if (nearest_r != NULL)
		*nearest_r = nearest;
	return NULL;
}

static bool
is_domain_of(const struct provider *p, const char *domain)
{
	for (size_t i = 0; p->domains[i] != NULL; i++)
		if (strcasecmp(p->domains[i], domain) == 0)
			return true;
	return false;
}

const struct provider *
provider_of_address(const char *address)
{
	const char *at = strrchr(address, '@');

	for (const struct provider *p = provider_table;
	     at != NULL && p->name != NULL; p++)
		if (is_domain_of(p, at + 1))
			return p;
	return NULL;
}

const struct provider *
provider_of_host(const char *host)
{
	for (const struct provider *p = provider_table; p->name != NULL; p++)
		for (int i = 0; i < PROVIDER_SERVICES; i++) {
			const char *its = p->servers[i].host;

			/* Bridge is not all there is on this machine. */
			if (its != NULL && !p->pin &&
			    strcasecmp(its, host) == 0)
				return p;
		}
	return NULL;
}

/* # stands for a digit or more. */
static bool
matches(const char *pattern, const char *host)
{
	for (; *pattern != '\0'; pattern++) {
		if (*pattern != '#') {
			if (ascii_lower(*host) != *pattern)
				return false;
			host++;
			continue;
		}
		if (!ascii_is_digit(*host))
			return false;
		while (ascii_is_digit(*host))
			host++;
	}
	return *host == '\0';
}

const struct provider *
provider_of_old_host(const char *host)
{
	static const struct {
		const char *pattern, *provider;
	} old[] = {
		{ "pop3.live.com", "outlook" },
		{ "imap.live.com", "outlook" },
		{ "smtp.live.com", "outlook" },
		{ "pop3.hotmail.com", "outlook" },
		{ "imap.hotmail.com", "outlook" },
		{ "smtp.hotmail.com", "outlook" },
		{ "imap-mail.outlook.com", "outlook" },
		{ "pop-mail.outlook.com", "outlook" },
		{ "pod#.outlook.com", "outlook" },
	};

	for (size_t i = 0; i < sizeof(old) / sizeof(old[0]); i++)
		if (matches(old[i].pattern, host))
			return provider_find(old[i].provider, NULL);
	return NULL;
}

char *
provider_url(const char *url, const char *tenant)
{
	static const char hole[] = "{tenant}";
	const char *at = url != NULL ? strstr(url, hole) : NULL;
	char *text;

	if (url == NULL)
		return NULL;
	if (at == NULL || tenant == NULL)
		return mem_strdup(url);
	if (asprintf(&text, "%.*s%s%s", (int)(at - url), url, tenant,
		at + strlen(hole)) < 0)
		abort();
	return text;
}
