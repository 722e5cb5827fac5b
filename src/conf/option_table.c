/* SPDX-License-Identifier: ISC */
#include "conf/option_table.h"

#include <string.h>

#include "base/ascii.h"
#include "conf/conf.h"

/* Longer names are not worth a guess. */
#define WORD_MAX 64

#define MINUTE 60ULL
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define KIB 1024ULL
#define MIB (1024 * KIB)
#define TIB (1024 * 1024 * MIB)

#define SERVERS (OPTION_ACCOUNT | OPTION_DESTINATION)
#define GLOBAL(field) offsetof(struct conf, field)
#define ACCOUNT(field) offsetof(struct conf_account, field)
#define DESTINATION(field) offsetof(struct conf_destination, field)
#define FOLDER(field) offsetof(struct conf_folder, field)

/* One row serves accounts and destinations, so one offset must do. */
_Static_assert(ACCOUNT(name) == DESTINATION(name), "name: one offset");
_Static_assert(ACCOUNT(server) == DESTINATION(server), "server: one offset");

static const char *const protocols[] = {
	[CONF_IMAP] = "imap",
	[CONF_POP3] = "pop3",
	NULL,
};
static const char *const tls_modes[] = {
	[CONF_TLS_IMPLICIT] = "implicit",
	[CONF_TLS_STARTTLS] = "starttls",
	NULL,
};
static const char *const auths[] = {
	[CONF_AUTH_AUTO] = "auto",
	[CONF_AUTH_PLAIN] = "plain",
	[CONF_AUTH_LOGIN] = "login",
	[CONF_AUTH_SCRAM] = "scram",
	[CONF_AUTH_XOAUTH2] = "xoauth2",
	[CONF_AUTH_OAUTHBEARER] = "oauthbearer",
	NULL,
};
static const char *const afters[] = {
	[CONF_AFTER_KEEP] = "keep",
	[CONF_AFTER_DELETE] = "delete",
	[CONF_AFTER_DELETE_AFTER] = "delete-after DURATION",
	[CONF_AFTER_MOVE] = "move FOLDER",
	[CONF_AFTER_SEEN] = "seen",
	NULL,
};
static const char *const firsts[] = {
	[CONF_FIRST_NEW] = "new",
	[CONF_FIRST_ALL] = "all",
	[CONF_FIRST_SINCE] = "since DATE",
	NULL,
};
static const char *const senders[] = {
	[CONF_SENDER_PRESERVE] = "preserve",
	[CONF_SENDER_REWRITE] = "rewrite",
	[CONF_SENDER_WRAP] = "wrap",
	NULL,
};
static const char *const rejects[] = {
	[CONF_ON_REJECT_HOLD] = "hold",
	[CONF_ON_REJECT_WRAP] = "wrap",
	NULL,
};
static const char *const doubts[] = {
	[CONF_IN_DOUBT_RESEND] = "resend",
	[CONF_IN_DOUBT_HOLD] = "hold",
	NULL,
};

/* clang-format off */
const struct option option_table[] = {
	{ "spool_max", OPTION_GLOBAL, OPTION_SIZE,
	  .offset = GLOBAL(spool_max),
	  .dflt = "256M", .min = MIB, .max = TIB,
	  .help = "room for messages on their way" },
	{ "message_max", OPTION_GLOBAL, OPTION_SIZE,
	  .offset = GLOBAL(message_max),
	  .dflt = "100M", .min = 64 * KIB, .max = TIB,
	  .help = "a larger message is held, not relayed" },
	{ "connect_timeout", OPTION_GLOBAL, OPTION_DURATION,
	  .offset = GLOBAL(connect_timeout),
	  .dflt = "30s", .min = 1, .max = 10 * MINUTE,
	  .help = "time for name, TCP and TLS of a connection" },
	{ "reply_timeout", OPTION_GLOBAL, OPTION_DURATION,
	  .offset = GLOBAL(reply_timeout),
	  .dflt = "5m", .min = 1, .max = HOUR,
	  .help = "time for the reply to a command" },
	{ "dot_timeout", OPTION_GLOBAL, OPTION_DURATION,
	  .offset = GLOBAL(dot_timeout),
	  .dflt = "10m", .min = 10 * MINUTE, .max = HOUR,
	  .help = "time for the reply to the end of a message" },
	{ "shutdown_grace", OPTION_GLOBAL, OPTION_DURATION,
	  .offset = GLOBAL(shutdown_grace),
	  .dflt = "30s", .min = 1, .max = HOUR,
	  .help = "time that a stop waits for such replies" },
	{ "guard", OPTION_GLOBAL, OPTION_PERCENT,
	  .offset = GLOBAL(guard),
	  .dflt = "50%", .min = 0, .max = 100,
	  .help = "share of a mailbox that may become new without a question" },
	{ "retry_max", OPTION_GLOBAL, OPTION_DURATION,
	  .offset = GLOBAL(retry_max),
	  .dflt = "3h", .min = 10 * MINUTE, .max = DAY,
	  .help = "longest time between tries of a message put off" },
	{ "give_up", OPTION_GLOBAL, OPTION_DURATION,
	  .offset = GLOBAL(give_up),
	  .dflt = "5d", .min = HOUR, .max = 365 * DAY,
	  .help = "a message refused for so long is held" },
	{ "in_doubt", OPTION_GLOBAL, OPTION_CHOICE,
	  .offset = GLOBAL(in_doubt), .choices = doubts, .dflt = "resend",
	  .help = "what happens to a message that may have been accepted" },
	{ "min_free", OPTION_GLOBAL, OPTION_SIZE,
	  .offset = GLOBAL(min_free),
	  .dflt = "64M", .min = MIB, .max = TIB,
	  .help = "no poll while the state's disk has less room" },
	{ "connections_per_host", OPTION_GLOBAL, OPTION_INTEGER,
	  .offset = GLOBAL(connections_per_host),
	  .dflt = "4", .min = 1, .max = 100,
	  .help = "connections to the accounts of one host at a time" },
	{ "connections", OPTION_GLOBAL, OPTION_INTEGER,
	  .offset = GLOBAL(connections),
	  .dflt = "50", .min = 1, .max = 1000,
	  .help = "connections to all accounts at a time" },
	{ "host_spacing", OPTION_GLOBAL, OPTION_DURATION,
	  .offset = GLOBAL(host_spacing),
	  .dflt = "1s", .min = 0, .max = HOUR,
	  .help = "time from one login to the next at one host" },
	{ "idle_renew", OPTION_GLOBAL, OPTION_DURATION,
	  .offset = GLOBAL(idle_renew),
	  .dflt = "24m", .min = MINUTE, .max = 29 * MINUTE,
	  .help = "how long the wait for a server's news is left alone" },
	{ "marker", OPTION_GLOBAL, OPTION_BOOL,
	  .offset = GLOBAL(marker), .dflt = "false",
	  .help = "mark what is relayed with an IMAP keyword" },
	{ "history_keep", OPTION_GLOBAL, OPTION_DURATION,
	  .offset = GLOBAL(history_keep),
	  .dflt = "30d", .min = 0, .max = 3650 * DAY,
	  .help = "how long it is remembered what was relayed when" },
	{ "control_group", OPTION_GLOBAL, OPTION_NAME,
	  .offset = GLOBAL(control_group),
	  .help = "group that may use the control socket" },
	{ "listen", OPTION_GLOBAL, OPTION_LOOPBACK,
	  .offset = GLOBAL(listen),
	  .help = "where metrics and status can be read, this machine only" },
	{ "alert_command", OPTION_GLOBAL, OPTION_ARGV,
	  .offset = GLOBAL(alert_command),
	  .help = "program that is run when a person is needed" },
	{ "notify", OPTION_GLOBAL, OPTION_ADDRESS,
	  .offset = GLOBAL(notify),
	  .help = "address that is written to when a person is needed" },

	{ "name", SERVERS, OPTION_NAME, .required = true,
	  .offset = ACCOUNT(name),
	  .help = "label in the log and on the command line" },
	{ "provider", SERVERS, OPTION_NAME,
	  .offset = ACCOUNT(server.provider),
	  .help = "preset that fills what is not given" },
	{ "host", SERVERS, OPTION_HOST,
	  .offset = ACCOUNT(server.host),
	  .help = "server; its certificate must show this name" },
	{ "protocol", OPTION_ACCOUNT, OPTION_CHOICE, .required = true,
	  .offset = ACCOUNT(protocol), .choices = protocols,
	  .help = "how to fetch, always inside TLS" },
	{ "tls", OPTION_DESTINATION, OPTION_CHOICE,
	  .offset = DESTINATION(tls), .choices = tls_modes,
	  .dflt = "implicit",
	  .help = "TLS from the first byte, or demanded by STARTTLS" },
	{ "port", OPTION_ACCOUNT, OPTION_INTEGER,
	  .offset = ACCOUNT(server.port), .min = 1, .max = 65535,
	  .help = "993 for imap and 995 for pop3 unless given" },
	{ "port", OPTION_DESTINATION, OPTION_INTEGER,
	  .offset = DESTINATION(server.port), .min = 1, .max = 65535,
	  .help = "465 for implicit and 587 for starttls unless given" },
	{ "user", SERVERS, OPTION_STRING, .required = true,
	  .offset = ACCOUNT(server.user),
	  .help = "login name, often the whole address" },
	{ "password", SERVERS, OPTION_CREDENTIAL,
	  .offset = ACCOUNT(server.password),
	  .help = "where the password is kept; needed unless a token is" },
	{ "auth", SERVERS, OPTION_CHOICE,
	  .offset = ACCOUNT(server.auth), .choices = auths, .dflt = "auto",
	  .help = "login mechanism" },
	{ "ca_file", SERVERS, OPTION_FILE,
	  .offset = ACCOUNT(server.ca_file),
	  .help = "trust these authorities instead of the system's" },
	{ "pin_sha256", SERVERS, OPTION_PIN,
	  .offset = ACCOUNT(server.pin),
	  .help = "trust exactly this certificate" },
	{ "oauth_client_id", SERVERS, OPTION_STRING,
	  .offset = ACCOUNT(server.oauth_client_id),
	  .help = "id of the application that asks for tokens" },
	{ "oauth_client_secret", SERVERS, OPTION_CREDENTIAL,
	  .offset = ACCOUNT(server.oauth_client_secret),
	  .help = "where its secret is kept; most have none" },
	{ "oauth_tenant", SERVERS, OPTION_NAME,
	  .offset = ACCOUNT(server.oauth_tenant),
	  .help = "organisation in the URLs of the preset" },
	{ "oauth_scope", SERVERS, OPTION_STRING,
	  .offset = ACCOUNT(server.oauth_scope),
	  .help = "what a token is for; the preset's unless given" },
	{ "oauth_token_url", SERVERS, OPTION_URL,
	  .offset = ACCOUNT(server.oauth_token_url),
	  .help = "where tokens are fetched" },
	{ "oauth_device_url", SERVERS, OPTION_URL,
	  .offset = ACCOUNT(server.oauth_device_url),
	  .help = "where a sign-in with a code begins" },
	{ "oauth_authorize_url", SERVERS, OPTION_URL,
	  .offset = ACCOUNT(server.oauth_authorize_url),
	  .help = "where a sign-in in a browser begins" },
	{ "oauth_ca_file", SERVERS, OPTION_FILE,
	  .offset = ACCOUNT(server.oauth_ca_file),
	  .help = "trust these authorities for the oauth URLs" },

	{ "recipient", OPTION_DESTINATION, OPTION_ADDRESS, .required = true,
	  .offset = DESTINATION(recipient),
	  .help = "where the mail goes" },
	{ "mail_from", OPTION_DESTINATION, OPTION_ADDRESS,
	  .offset = DESTINATION(mail_from),
	  .help = "envelope sender; user unless given" },
	{ "ehlo", OPTION_DESTINATION, OPTION_EHLO,
	  .offset = DESTINATION(ehlo),
	  .help = "our name in EHLO; found out unless given" },
	{ "sender", OPTION_DESTINATION, OPTION_CHOICE,
	  .offset = DESTINATION(sender), .choices = senders,
	  .dflt = "preserve",
	  .help = "whose name the mail goes out under" },
	{ "on_reject", OPTION_DESTINATION, OPTION_CHOICE,
	  .offset = DESTINATION(on_reject), .choices = rejects,
	  .dflt = "hold",
	  .help = "what is done when content or sender is refused" },
	{ "window", OPTION_DESTINATION, OPTION_INTEGER,
	  .offset = DESTINATION(window),
	  .dflt = "16", .min = 1, .max = 64,
	  .help = "messages on their way at a time on a connection" },
	{ "connections", OPTION_DESTINATION, OPTION_INTEGER,
	  .offset = DESTINATION(connections),
	  .dflt = "4", .min = 1, .max = 100,
	  .help = "connections to this destination at a time" },

	{ "destination", OPTION_ACCOUNT, OPTION_NAMES, .required = true,
	  .offset = ACCOUNT(destination_names),
	  .help = "destination, or list of them, to relay to" },
	{ "after", OPTION_ACCOUNT, OPTION_AFTER,
	  .offset = ACCOUNT(after), .choices = afters, .dflt = "keep",
	  .min = HOUR, .max = 3650 * DAY,
	  .help = "what happens to a message once it is relayed" },
	{ "first", OPTION_ACCOUNT, OPTION_FIRST,
	  .offset = ACCOUNT(first), .choices = firsts, .dflt = "new",
	  .help = "whether what is there at the first poll is relayed" },
	{ "folders", OPTION_ACCOUNT, OPTION_FOLDERS,
	  .offset = ACCOUNT(folders), .dflt = "INBOX",
	  .help = "folder, or list of them, to fetch; IMAP only" },
	{ "interval", OPTION_ACCOUNT, OPTION_DURATION,
	  .offset = ACCOUNT(interval),
	  .dflt = "5m", .min = 10, .max = 30 * DAY,
	  .help = "time from one poll to the next" },
	{ "idle", OPTION_ACCOUNT, OPTION_BOOL,
	  .offset = ACCOUNT(idle), .dflt = "true",
	  .help = "stay connected for the server's news; IMAP only" },
	{ "connections", OPTION_ACCOUNT, OPTION_INTEGER,
	  .offset = ACCOUNT(connections),
	  .dflt = "8", .min = 1, .max = 100,
	  .help = "connections to this account at a time" },

	{ "name", OPTION_FOLDER, OPTION_FOLDER_NAME, .required = true,
	  .offset = FOLDER(name),
	  .help = "folder, pattern or special use" },
	{ "after", OPTION_FOLDER, OPTION_AFTER,
	  .offset = FOLDER(after), .choices = afters,
	  .min = HOUR, .max = 3650 * DAY,
	  .help = "as of the account, whose value it has unless given" },
	{ "first", OPTION_FOLDER, OPTION_FIRST,
	  .offset = FOLDER(first), .choices = firsts,
	  .help = "as of the account, whose value it has unless given" },
	{ .name = NULL },
};
/* clang-format on */

static size_t
min3(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein's distance of two words of at most WORD_MAX bytes. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t nb = strlen(b);

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < nb; j++) {
			bool same = ascii_lower(a[i]) == ascii_lower(b[j]);
			size_t d = diagonal + (same ? 0 : 1);

			diagonal = row[j + 1];
			row[j + 1] = min3(d, row[j] + 1, row[j + 1] + 1);
		}
	}
	return row[nb];
}

/* "username" is meant as "user", although four letters are too many. */
static bool
extends(const char *word, const char *candidate)
{
	size_t n = strlen(candidate);

	return n >= 4 && strncmp(word, candidate, n) == 0;
}

bool
option_closer(const char *word, const char *candidate, size_t *best)
{
	size_t n = strlen(word), d;

	if (n > WORD_MAX || strlen(candidate) > WORD_MAX)
		return false;
	d = extends(word, candidate) ? 1 : distance(word, candidate);
	if (d > 1 + n / 4 || d >= n || d >= *best)
		return false;
	*best = d;
	return true;
}

const struct option *
option_find(enum option_scope scope, const char *name, const char **nearest_r)
{
	size_t best = SIZE_MAX;
	const char *nearest = NULL;

	for (const struct option *o = option_table; o->name != NULL; o++) {
		if ((o->scopes & scope) == 0)
			continue;
		if (strcmp(o->name, name) == 0)
			return o;
		if (option_closer(name, o->name, &best))
			nearest = o->name;
	}
	if (nearest_r != NULL)
		*nearest_r = nearest;
	return NULL;
}
