/* SPDX-License-Identifier: ISC */
#include "conf/fetchmail_words.h"

#include <string.h>

#include "conf/fetchmail.h"

#define FOR_MULTIDROP                                                          \
	"is about sorting one mailbox to several people, which mailhaul does " \
	"not do"
#define TUNING "is not carried over; mailhaul does this in its own way"
#define CONTENT                                                                \
	"is not carried over; mailhaul relays messages byte for byte as they " \
	"are"
#define BOUNCES                                                                \
	"is not carried over; mailhaul never bounces, it holds what is "       \
	"refused (mailhaul held)"
#define LOGGING "is not carried over; mailhauld logs to the journal"
#define COMMANDS "is not carried over; mailhaul runs no command around a poll"
#define CLIENT_CERT                                                            \
	"is not carried over; mailhaul has no certificates of clients"

/* clang-format off */
static const struct fetchmail_keyword keywords[] = {
	{ "daemon", FM_GLOBAL, FM_ARG_DAEMON, FM_NOBODY, false, NULL },
	{ "idfile", FM_GLOBAL, FM_ARG_IDFILE, FM_NOBODY, false, NULL },
	{ "postmaster", FM_GLOBAL, FM_ARG_TEXT, FM_NOBODY, false,
	  "is not carried over; \"notify\" names who is written to when a "
	  "person is needed" },
	{ "logfile", FM_GLOBAL, FM_ARG_TEXT, FM_NOBODY, false, LOGGING },
	{ "pidfile", FM_GLOBAL, FM_ARG_TEXT, FM_NOBODY, false, NULL },
	{ "properties", FM_GLOBAL, FM_ARG_TEXT, FM_NOBODY, false, NULL },
	{ "syslog", FM_GLOBAL, FM_ARG_SWITCH, FM_NOBODY, false, NULL },
	{ "invisible", FM_GLOBAL, FM_ARG_SWITCH, FM_NOBODY, false,
	  "is not carried over; mailhaul always adds its trace" },
	{ "showdots", FM_GLOBAL, FM_ARG_SWITCH, FM_NOBODY, false, NULL },
	{ "bouncemail", FM_GLOBAL, FM_ARG_SWITCH, FM_NOBODY, false, BOUNCES },
	{ "spambounce", FM_GLOBAL, FM_ARG_SWITCH, FM_NOBODY, false, BOUNCES },
	{ "softbounce", FM_GLOBAL, FM_ARG_SWITCH, FM_NOBODY, false, BOUNCES },

	{ "via", FM_SERVER, FM_ARG_TEXT, FETCHMAIL_VIA, false, NULL },
	{ "proto", FM_SERVER, FM_ARG_AUTH, FETCHMAIL_PROTOCOL, false, NULL },
	{ "protocol", FM_SERVER, FM_ARG_AUTH, FETCHMAIL_PROTOCOL, false, NULL },
	{ "port", FM_SERVER, FM_ARG_TEXT, FETCHMAIL_SERVICE, false, NULL },
	{ "service", FM_SERVER, FM_ARG_TEXT, FETCHMAIL_SERVICE, false, NULL },
	{ "auth", FM_SERVER, FM_ARG_AUTH, FETCHMAIL_AUTH, false, NULL },
	{ "authenticate", FM_SERVER, FM_ARG_AUTH, FETCHMAIL_AUTH, false, NULL },
	{ "preauth", FM_SERVER, FM_ARG_AUTH, FETCHMAIL_AUTH, false, NULL },
	{ "preauthenticate", FM_SERVER, FM_ARG_AUTH, FETCHMAIL_AUTH, false,
	  NULL },
	{ "interval", FM_SERVER, FM_ARG_NUMBER, FETCHMAIL_INTERVAL, false,
	  NULL },
	{ "esmtpname", FM_SERVER, FM_ARG_TEXT, FETCHMAIL_ESMTPNAME, false,
	  NULL },
	{ "esmtppassword", FM_SERVER, FM_ARG_SECRET, FETCHMAIL_ESMTPPASSWORD,
	  false, NULL },
	{ "uidl", FM_SERVER, FM_ARG_FLAG, FETCHMAIL_UIDL, false, NULL },
	{ "timeout", FM_SERVER, FM_ARG_NUMBER, FM_NOBODY, false,
	  "is not carried over; \"reply_timeout\" is for all accounts" },
	{ "local", FM_SERVER, FM_ARG_LIST, FM_NOBODY, false, FOR_MULTIDROP },
	{ "localdomains", FM_SERVER, FM_ARG_LIST, FM_NOBODY, false,
	  FOR_MULTIDROP },
	{ "envelope", FM_SERVER, FM_ARG_ENVELOPE, FM_NOBODY, false,
	  FOR_MULTIDROP },
	{ "qvirtual", FM_SERVER, FM_ARG_TEXT, FM_NOBODY, false, FOR_MULTIDROP },
	{ "aka", FM_SERVER, FM_ARG_LIST, FM_NOBODY, false, FOR_MULTIDROP },
	{ "dns", FM_SERVER, FM_ARG_SWITCH, FM_NOBODY, false, NULL },
	{ "checkalias", FM_SERVER, FM_ARG_SWITCH, FM_NOBODY, false, NULL },
	{ "interface", FM_SERVER, FM_ARG_TEXT, FM_NOBODY, true,
	  "is not carried over; mailhaul polls whatever link is up" },
	{ "monitor", FM_SERVER, FM_ARG_TEXT, FM_NOBODY, true,
	  "is not carried over; mailhaul polls whatever link is up" },
	{ "plugin", FM_SERVER, FM_ARG_TEXT, FM_NOBODY, true,
	  "is not carried over; mailhaul connects by itself" },
	{ "plugout", FM_SERVER, FM_ARG_TEXT, FM_NOBODY, true,
	  "is not carried over; mailhaul connects by itself" },
	{ "tracepolls", FM_SERVER, FM_ARG_SWITCH, FM_NOBODY, false,
	  "is not carried over; mailhaul adds its own trace" },
	{ "principal", FM_SERVER, FM_ARG_TEXT, FM_NOBODY, true,
	  "is not carried over; mailhaul knows no Kerberos" },
	{ "bad-header", FM_SERVER, FM_ARG_AUTH, FM_NOBODY, false,
	  "is not carried over; mailhaul relays messages with bad headers" },

	{ "user", FM_USER, FM_ARG_NAMES, FETCHMAIL_USER, false, NULL },
	{ "username", FM_USER, FM_ARG_NAMES, FETCHMAIL_USER, false, NULL },
	{ "is", FM_USER, FM_ARG_NAMES, FM_NOBODY, false, NULL },
	{ "to", FM_USER, FM_ARG_NAMES, FM_NOBODY, false, NULL },
	{ "pass", FM_USER, FM_ARG_SECRET, FETCHMAIL_PASSWORD, false, NULL },
	{ "password", FM_USER, FM_ARG_SECRET, FETCHMAIL_PASSWORD, false, NULL },
	{ "folder", FM_USER, FM_ARG_LIST, FETCHMAIL_FOLDERS, false, NULL },
	{ "folders", FM_USER, FM_ARG_LIST, FETCHMAIL_FOLDERS, false, NULL },
	{ "smtp", FM_USER, FM_ARG_LIST, FETCHMAIL_SMTPHOSTS, false, NULL },
	{ "smtphost", FM_USER, FM_ARG_LIST, FETCHMAIL_SMTPHOSTS, false, NULL },
	{ "smtpaddress", FM_USER, FM_ARG_TEXT, FETCHMAIL_SMTPADDRESS, false,
	  NULL },
	{ "smtpname", FM_USER, FM_ARG_TEXT, FETCHMAIL_SMTPNAME, false, NULL },
	{ "mda", FM_USER, FM_ARG_TEXT, FETCHMAIL_MDA, false, NULL },
	{ "bsmtp", FM_USER, FM_ARG_TEXT, FETCHMAIL_BSMTP, false, NULL },
	{ "lmtp", FM_USER, FM_ARG_FLAG, FETCHMAIL_LMTP, false, NULL },
	{ "ssl", FM_USER, FM_ARG_FLAG, FETCHMAIL_SSL, false, NULL },
	{ "sslproto", FM_USER, FM_ARG_TEXT, FETCHMAIL_SSLPROTO, false, NULL },
	{ "sslcertck", FM_USER, FM_ARG_FLAG, FETCHMAIL_CERTCK, false, NULL },
	{ "sslcertfile", FM_USER, FM_ARG_TEXT, FETCHMAIL_CERTFILE, false,
	  NULL },
	{ "sslfingerprint", FM_USER, FM_ARG_TEXT, FETCHMAIL_FINGERPRINT, false,
	  NULL },
	{ "sslcertpath", FM_USER, FM_ARG_TEXT, FM_NOBODY, true,
	  "is not carried over; name the one file that is needed as "
	  "\"ca_file\"" },
	{ "sslcommonname", FM_USER, FM_ARG_TEXT, FM_NOBODY, true,
	  "is not carried over; \"host\" must be the name in the certificate, "
	  "or give \"pin_sha256\"" },
	{ "sslkey", FM_USER, FM_ARG_TEXT, FM_NOBODY, true, CLIENT_CERT },
	{ "sslcert", FM_USER, FM_ARG_TEXT, FM_NOBODY, true, CLIENT_CERT },
	{ "keep", FM_USER, FM_ARG_FLAG, FETCHMAIL_KEEP, false, NULL },
	{ "fetchall", FM_USER, FM_ARG_FLAG, FETCHMAIL_FETCHALL, false, NULL },
	{ "idle", FM_USER, FM_ARG_FLAG, FETCHMAIL_IDLE, false, NULL },
	{ "flush", FM_USER, FM_ARG_SWITCH, FM_NOBODY, true,
	  "is not carried over; mailhaul never deletes what it did not relay" },
	{ "limitflush", FM_USER, FM_ARG_SWITCH, FM_NOBODY, true,
	  "is not carried over; mailhaul never deletes what it did not relay" },
	{ "rewrite", FM_USER, FM_ARG_SWITCH, FM_NOBODY, false, CONTENT },
	{ "stripcr", FM_USER, FM_ARG_SWITCH, FM_NOBODY, false, CONTENT },
	{ "forcecr", FM_USER, FM_ARG_SWITCH, FM_NOBODY, false, CONTENT },
	{ "pass8", FM_USER, FM_ARG_SWITCH, FM_NOBODY, false, NULL },
	{ "pass8bits", FM_USER, FM_ARG_SWITCH, FM_NOBODY, false, NULL },
	{ "dropstatus", FM_USER, FM_ARG_SWITCH, FM_NOBODY, false, CONTENT },
	{ "dropdelivered", FM_USER, FM_ARG_SWITCH, FM_NOBODY, false, CONTENT },
	{ "mimedec", FM_USER, FM_ARG_SWITCH, FM_NOBODY, false, CONTENT },
	{ "mimedecode", FM_USER, FM_ARG_SWITCH, FM_NOBODY, false, CONTENT },
	{ "limit", FM_USER, FM_ARG_NUMBER, FM_NOBODY, false,
	  "is not carried over; \"message_max\" is for all accounts, and what "
	  "is larger is held" },
	{ "warnings", FM_USER, FM_ARG_NUMBER, FM_NOBODY, false, TUNING },
	{ "batchlimit", FM_USER, FM_ARG_NUMBER, FM_NOBODY, false, TUNING },
	{ "fetchlimit", FM_USER, FM_ARG_NUMBER, FM_NOBODY, false, TUNING },
	{ "fetchsizelimit", FM_USER, FM_ARG_NUMBER, FM_NOBODY, false, TUNING },
	{ "fastuidl", FM_USER, FM_ARG_NUMBER, FM_NOBODY, false, TUNING },
	{ "expunge", FM_USER, FM_ARG_NUMBER, FM_NOBODY, false, TUNING },
	{ "antispam", FM_USER, FM_ARG_NUMBERS, FM_NOBODY, false, BOUNCES },
	{ "fetchdomains", FM_USER, FM_ARG_LIST, FM_NOBODY, true, FOR_MULTIDROP },
	{ "preconnect", FM_USER, FM_ARG_TEXT, FM_NOBODY, true, COMMANDS },
	{ "pre", FM_USER, FM_ARG_TEXT, FM_NOBODY, true, COMMANDS },
	{ "postconnect", FM_USER, FM_ARG_TEXT, FM_NOBODY, true, COMMANDS },
	{ "post", FM_USER, FM_ARG_TEXT, FM_NOBODY, true, COMMANDS },
	{ "properties", FM_USER, FM_ARG_TEXT, FM_NOBODY, false, NULL },
	{ .word = NULL },
};
/* clang-format on */

/* Keywords that are no options: a list of names ends at them, too. */
static const char *const others[] = { "set", "poll", "server", "skip",
	"defaults", "here", "there", "no", NULL };

const struct fetchmail_keyword *
fetchmail_find_keyword(const char *word, bool global)
{
	for (const struct fetchmail_keyword *k = keywords; k->word != NULL; k++)
		if ((k->scope == FM_GLOBAL) == global &&
		    strcmp(k->word, word) == 0)
			return k;
	return NULL;
}

bool
fetchmail_may_be_off(const struct fetchmail_keyword *k)
{
	return k != NULL &&
	       (k->argument == FM_ARG_FLAG || k->argument == FM_ARG_SWITCH ||
		   k->argument == FM_ARG_ENVELOPE);
}

bool
fetchmail_is_joined_no(const char *word)
{
	return strncmp(word, "no", 2) == 0 &&
	       fetchmail_may_be_off(fetchmail_find_keyword(word + 2, false));
}

bool
fetchmail_is_keyword(const char *word)
{
	for (size_t i = 0; others[i] != NULL; i++)
		if (strcmp(others[i], word) == 0)
			return true;
	return fetchmail_find_keyword(word, false) != NULL ||
	       fetchmail_is_joined_no(word);
}
