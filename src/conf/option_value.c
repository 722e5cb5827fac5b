/* SPDX-License-Identifier: ISC */
#include "conf/option_table.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "conf/conf_internal.h"
#include "conf/folder_name.h"

#define NAME_MAX_BYTES 64
#define TEXT_MAX_BYTES 512
#define PATH_MAX_BYTES 4095
#define ADDRESS_MAX_BYTES 254 /* RFC 5321 4.5.3.1.3, without the brackets */
#define LOCAL_MAX_BYTES 64
#define HOST_MAX_BYTES 253
#define LABEL_MAX_BYTES 63

struct unit {
	char letter;
	uint64_t factor;
};

/* Largest last, as format_unit() needs it. */
static const struct unit time_units[] = {
	{ 's', 1 },
	{ 'm', 60 },
	{ 'h', 3600 },
	{ 'd', 86400 },
	{ '\0', 0 },
};
static const struct unit size_units[] = {
	{ 'K', 1ULL << 10 },
	{ 'M', 1ULL << 20 },
	{ 'G', 1ULL << 30 },
	{ 'T', 1ULL << 40 },
	{ '\0', 0 },
};

static const char *const type_names[] = {
	[OPTION_NAME] = "name",
	[OPTION_STRING] = "string",
	[OPTION_HOST] = "host",
	[OPTION_EHLO] = "host",
	[OPTION_ADDRESS] = "address",
	[OPTION_FILE] = "file",
	[OPTION_URL] = "url",
	[OPTION_CREDENTIAL] = "credential",
	[OPTION_CHOICE] = "choice",
	[OPTION_BOOL] = "boolean",
	[OPTION_INTEGER] = "integer",
	[OPTION_DURATION] = "duration",
	[OPTION_SIZE] = "size",
	[OPTION_PERCENT] = "percentage",
	[OPTION_PIN] = "sha256",
	[OPTION_NAMES] = "names",
	[OPTION_ARGV] = "command",
	[OPTION_LOOPBACK] = "listener",
	[OPTION_AFTER] = "policy",
	[OPTION_FIRST] = "policy",
	[OPTION_FOLDER_NAME] = "folder",
	[OPTION_FOLDERS] = "folders",
};

const char *
option_type_name(enum option_type type)
{
	return type_names[type];
}

static bool
is_alnum(char c)
{
	return ascii_is_digit(c) ||
	       (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

/* All of s is letters, digits or one of also, and there is something. */
static bool
is_made_of(const char *s, const char *also, size_t max)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!is_alnum(s[i]) && strchr(also, s[i]) == NULL)
			return false;
	return n > 0 && n <= max;
}

/* Bytes of 0x80 and above may be UTF-8 and pass. */
static bool
is_text(const char *s, size_t max)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return n > 0 && n <= max;
}

static bool
is_ip(const char *s)
{
	struct in6_addr a;

	return inet_pton(AF_INET, s, &a) == 1 ||
	       inet_pton(AF_INET6, s, &a) == 1;
}

static bool
is_domain(const char *s)
{
	struct span rest = span_str(s);

	if (!is_made_of(s, ".-_", HOST_MAX_BYTES) || s[rest.n - 1] == '.')
		return false;
	while (rest.n > 0) {
		struct span label = span_cut(&rest, '.');

		if (label.n == 0 || label.n > LABEL_MAX_BYTES ||
		    label.p[0] == '-')
			return false;
	}
	return true;
}

static bool
is_host(const char *s)
{
	size_t n = strlen(s);

	/* A dotted number that is no address is a mistyped address. */
	if (strspn(s, "0123456789.") == n)
		return is_ip(s);
	return is_domain(s) || is_ip(s);
}

/* RFC 5321 4.1.3 */
static bool
is_ehlo(const char *s)
{
	size_t n = strlen(s);
	char ip[INET6_ADDRSTRLEN];
	struct in6_addr a;

	if (s[0] != '[')
		return is_domain(s) && !is_ip(s);
	if (s[n - 1] != ']' || n - 2 >= sizeof(ip) + strlen("IPv6:"))
		return false;
	s++;
	n -= 2;
	if (span_istarts(span_make(s, n), "IPv6:")) {
		snprintf(ip, sizeof(ip), "%.*s", (int)(n - 5), s + 5);
		return inet_pton(AF_INET6, ip, &a) == 1;
	}
	snprintf(ip, sizeof(ip), "%.*s", (int)n, s);
	return inet_pton(AF_INET, ip, &a) == 1;
}

bool
option_is_address(const char *text)
{
	const char *at = strrchr(text, '@');
	size_t n = strlen(text);

	if (at == NULL || at == text || n > ADDRESS_MAX_BYTES ||
	    (size_t)(at - text) > LOCAL_MAX_BYTES)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!ascii_is_print(text[i]) ||
		    strchr(" <>()[],;:\\\"", text[i]) != NULL)
			return false;
	return memchr(text, '@', (size_t)(at - text)) == NULL &&
	       is_domain(at + 1);
}

static bool
is_credential(const char *s)
{
	if (!is_text(s, PATH_MAX_BYTES))
		return false;
	if (strncmp(s, "credential:", 11) == 0)
		return is_made_of(s + 11, "-_.", NAME_MAX_BYTES) &&
		       s[11] != '.';
	if (strncmp(s, "env:", 4) == 0)
		return is_made_of(s + 4, "_", NAME_MAX_BYTES) &&
		       !ascii_is_digit(s[4]);
	/* What stands behind these two is looked at by conf_check(). */
	return (strncmp(s, "file:", 5) == 0 && s[5] != '\0') ||
	       (strncmp(s, "command:", 8) == 0 && s[8] != '\0');
}

/* RFC 3986, as narrow as the endpoints of RFC 6749 need it: no user, no
 * fragment, and never without TLS, because secrets travel there. */
static bool
is_url(const char *s)
{
	static const char scheme[] = "https://";
	char host[HOST_MAX_BYTES + 1] = "";
	size_t n, port;
	uint64_t number = 0;

	for (const char *p = s; *p != '\0'; p++)
		if (!ascii_is_print(*p) || strchr(" \"<>\\^`{|}#", *p) != NULL)
			return false;
	if (strncmp(s, scheme, strlen(scheme)) != 0 ||
	    strlen(s) > TEXT_MAX_BYTES)
		return false;
	s += strlen(scheme);
	n = strcspn(s, ":/");
	if (n >= sizeof(host) || s[n + strcspn(s + n, "/")] != '/')
		return false;
	memcpy(host, s, n);
	s += n;
	port = strcspn(s, "/");
	return is_host(host) &&
	       (port == 0 ||
		   (port <= 6 &&
		       span_uint(span_make(s + 1, port - 1), 65535, &number) &&
		       number > 0));
}

/* An address that only this machine can reach, and a port. */
static bool
is_loopback(const char *s)
{
	const char *colon = strrchr(s, ':');
	char ip[INET6_ADDRSTRLEN] = "";
	struct in6_addr v6;
	struct in_addr v4;
	uint64_t port;
	size_t n;

	if (colon == NULL || strlen(colon + 1) > 5 ||
	    !span_uint(span_str(colon + 1), 65535, &port) || port == 0)
		return false;
	n = (size_t)(colon - s);
	if (n >= sizeof(ip))
		return false;
	if (n > 2 && s[0] == '[' && s[n - 1] == ']') {
		memcpy(ip, s + 1, n - 2);
		return inet_pton(AF_INET6, ip, &v6) == 1 &&
		       memcmp(&v6, &in6addr_loopback, sizeof(v6)) == 0;
	}
	memcpy(ip, s, n);
	return inet_pton(AF_INET, ip, &v4) == 1 &&
	       ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool
is_string_of(enum option_type type, const char *s)
{
	switch (type) {
	case OPTION_NAME:
	case OPTION_NAMES:
		return is_made_of(s, "-_.", NAME_MAX_BYTES);
	case OPTION_STRING:
		return is_text(s, TEXT_MAX_BYTES);
	case OPTION_HOST:
		return is_host(s);
	case OPTION_EHLO:
		return is_ehlo(s);
	case OPTION_ADDRESS:
		return option_is_address(s);
	case OPTION_FILE:
		return s[0] == '/' && is_text(s, PATH_MAX_BYTES);
	case OPTION_URL:
		return is_url(s);
	case OPTION_CREDENTIAL:
		return is_credential(s);
	case OPTION_LOOPBACK:
		return is_loopback(s);
	case OPTION_ARGV:
		return is_text(s, PATH_MAX_BYTES);
	case OPTION_CHOICE:
	case OPTION_BOOL:
	case OPTION_INTEGER:
	case OPTION_DURATION:
	case OPTION_SIZE:
	case OPTION_PERCENT:
	case OPTION_PIN:
	case OPTION_AFTER:
	case OPTION_FIRST:
	case OPTION_FOLDER_NAME:
	case OPTION_FOLDERS:
		break;
	}
	return false;
}

bool
option_set_choice(const struct option *o, const char *text, int *value)
{
	for (int i = 0; o->choices[i] != NULL; i++)
		if (strcmp(o->choices[i], text) == 0) {
			*value = i;
			return true;
		}
	return false;
}

/* Digits and one unit letter; without a unit nobody knows what was meant. */
static bool
parse_unit(const struct option *o, const struct unit *units, const char *text,
    uint64_t *value_r)
{
	size_t n = strlen(text);
	uint64_t v;

	if (n < 2)
		return false;
	for (; units->letter != '\0'; units++)
		if (text[n - 1] == units->letter)
			break;
	if (units->letter == '\0' ||
	    !span_uint(span_make(text, n - 1), o->max / units->factor, &v))
		return false;
	v *= units->factor;
	if (v < o->min || v > o->max)
		return false;
	*value_r = v;
	return true;
}

bool
option_set_period(const struct option *o, const char *text, uint64_t *value)
{
	return parse_unit(o, time_units, text, value);
}

static int
hex_digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool
set_pin(const char *text, unsigned char *pin)
{
	static const unsigned char none[32];
	unsigned char value[sizeof(none)];
	size_t n = 0;

	while (n < sizeof(value)) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);

		if (low < 0)
			return false;
		value[n++] = (unsigned char)(high << 4 | low);
		text += 2;
		if (*text == ':' && n < sizeof(value))
			text++;
	}
	/* Zeros are no certificate's, and what a field has that was not set. */
	if (*text != '\0' || memcmp(value, none, sizeof(none)) == 0)
		return false;
	memcpy(pin, value, sizeof(value));
	return true;
}

static bool
append_string(const struct option *o, const char *text, char ***list)
{
	size_t n = 0;

	while (*list != NULL && (*list)[n] != NULL)
		n++;
	if (!is_string_of(o->type, text))
		return false;
	/* The program itself: there is no search for it. */
	if (o->type == OPTION_ARGV && n == 0 && text[0] != '/')
		return false;
	*list = mem_grow(*list, n + 2, sizeof(**list));
	(*list)[n] = mem_strdup(text);
	(*list)[n + 1] = NULL;
	return true;
}

static bool
set_integer(const struct option *o, const char *text, unsigned *value)
{
	uint64_t v;

	if (!span_uint(span_str(text), o->max, &v) || v < o->min)
		return false;
	*value = (unsigned)v;
	return true;
}

/* With its sign, so that 5 is not taken for 5 messages. */
static bool
set_percent(const struct option *o, const char *text, unsigned *value)
{
	size_t n = strlen(text);
	uint64_t v;

	if (n < 2 || text[n - 1] != '%' ||
	    !span_uint(span_make(text, n - 1), o->max, &v) || v < o->min)
		return false;
	*value = (unsigned)v;
	return true;
}

static bool
set_string(const struct option *o, const char *text, char **value)
{
	if (!is_string_of(o->type, text))
		return false;
	free(*value);
	*value = mem_strdup(text);
	return true;
}

bool
option_set(const struct option *o, const char *text, void *structure)
{
	void *field = (char *)structure + o->offset;

	switch (o->type) {
	case OPTION_CHOICE:
		return option_set_choice(o, text, field);
	case OPTION_BOOL:
		*(bool *)field = strcmp(text, "true") == 0;
		return *(bool *)field || strcmp(text, "false") == 0;
	case OPTION_INTEGER:
		return set_integer(o, text, field);
	case OPTION_DURATION:
		return option_set_period(o, text, field);
	case OPTION_SIZE:
		return parse_unit(o, size_units, text, field);
	case OPTION_PERCENT:
		return set_percent(o, text, field);
	case OPTION_PIN:
		return set_pin(text, field);
	case OPTION_AFTER:
		return option_set_after(o, text, structure);
	case OPTION_FIRST:
		return option_set_first(o, text, structure);
	case OPTION_FOLDER_NAME:
		return option_set_folder_name(text, structure);
	case OPTION_FOLDERS:
		return option_add_folder(text, structure);
	case OPTION_ARGV:
	case OPTION_NAMES:
		return append_string(o, text, field);
	case OPTION_NAME:
	case OPTION_STRING:
	case OPTION_HOST:
	case OPTION_EHLO:
	case OPTION_ADDRESS:
	case OPTION_FILE:
	case OPTION_URL:
	case OPTION_CREDENTIAL:
	case OPTION_LOOPBACK:
		break;
	}
	return set_string(o, text, field);
}

static void __attribute__((format(printf, 2, 3)))
add(struct option_text *t, const char *fmt, ...)
{
	size_t n = strlen(t->s);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(t->s + n, sizeof(t->s) - n, fmt, ap);
	va_end(ap);
}

/* In the largest unit that divides it. */
static void
add_unit(struct option_text *t, const struct unit *units, uint64_t v)
{
	const struct unit *best = units;

	for (; v > 0 && units->letter != '\0'; units++)
		if (v % units->factor == 0)
			best = units;
	add(t, "%llu%c", (unsigned long long)(v / best->factor), best->letter);
}

static void
add_range(struct option_text *t, const struct option *o, const char *between)
{
	const struct unit *units =
	    o->type == OPTION_SIZE ? size_units : time_units;

	if (o->type == OPTION_INTEGER) {
		add(t, "%llu%s%llu", (unsigned long long)o->min, between,
		    (unsigned long long)o->max);
		return;
	}
	if (o->type == OPTION_PERCENT) {
		add(t, "%llu%%%s%llu%%", (unsigned long long)o->min, between,
		    (unsigned long long)o->max);
		return;
	}
	add_unit(t, units, o->min);
	add(t, "%s", between);
	add_unit(t, units, o->max);
}

static void
add_choices(struct option_text *t, const struct option *o, const char *between,
    const char *quote)
{
	for (int i = 0; o->choices[i] != NULL; i++)
		add(t, "%s%s%s%s", i > 0 ? between : "", quote, o->choices[i],
		    quote);
}

struct option_text
option_range(const struct option *o)
{
	struct option_text t = { "" };

	if (o->choices != NULL)
		add_choices(&t, o, "|", "");
	else if (o->max > 0)
		add_range(&t, o, "..");
	else
		add(&t, "-");
	return t;
}

/* With an example; the numbers are completed from the row. */
static const char *const wants[] = {
	[OPTION_NAME] = "a name of letters, digits, \"-\", \"_\" and \".\" "
			"such as \"home\"",
	[OPTION_STRING] = "a string such as \"me@example.net\", without "
			  "control characters",
	[OPTION_HOST] = "a host name or IP address alone, such as "
			"\"mail.example.net\"",
	[OPTION_EHLO] = "a host name such as \"relay.example.net\" or an "
			"address such as \"[192.0.2.1]\"",
	[OPTION_ADDRESS] = "a mail address alone, such as \"me@example.net\"",
	[OPTION_FILE] = "an absolute path such as \"/etc/ssl/my-ca.pem\"",
	[OPTION_URL] = "an address that begins with https:// and has a path, "
		       "such as \"https://login.example.net/token\"",
	[OPTION_CREDENTIAL] =
	    "the place where the secret is kept, never the secret itself: "
	    "\"file:/etc/mailhaul/secrets/NAME\" (mode 0600), "
	    "\"credential:NAME\", \"command:/PROGRAM ARGUMENTS\" or "
	    "\"env:NAME\"",
	[OPTION_CHOICE] = "",
	[OPTION_BOOL] = "true or false, without quotes",
	[OPTION_INTEGER] = "a whole number without quotes, ",
	[OPTION_DURATION] = "a duration such as \"90s\", \"5m\" or \"2h\", ",
	[OPTION_SIZE] = "a size such as \"64K\", \"100M\" or \"1G\", ",
	[OPTION_PERCENT] = "a percentage such as \"50%\", ",
	[OPTION_PIN] = "the SHA-256 of a certificate: 64 hex digits, colons "
		       "allowed, such as \"9F:86:D0:...\"",
	[OPTION_ARGV] = "the absolute path of a program, or a list of it and "
			"its arguments such as ( \"/usr/bin/logger\", \"-t\", "
			"\"mail\" )",
	[OPTION_LOOPBACK] =
	    "an address that only this machine can reach, because what listens "
	    "there has no TLS and asks for no password: \"127.0.0.1:9810\" or "
	    "\"[::1]:9810\"",
	[OPTION_AFTER] = "",
	[OPTION_FIRST] = "",
	[OPTION_FOLDER_NAME] =
	    "the name of a folder such as \"INBOX\", \"Archive/2025\", "
	    "\"Work/*\" or \"\\\\Junk\"",
	[OPTION_FOLDERS] = "the name of a folder or a list of names and groups "
			   "such as ( \"INBOX\", { name = \"\\\\Junk\"; } )",
	[OPTION_NAMES] = "the name of a destination or a list of names such "
			 "as ( \"home\", \"archive\" )",
};

struct option_text
option_wants(const struct option *o)
{
	struct option_text t = { "" };

	add(&t, "%s", wants[o->type]);
	if (o->choices != NULL)
		add_choices(&t, o, " or ", "\"");
	else if (o->max > 0)
		add_range(&t, o, " to ");
	if (o->type == OPTION_AFTER) {
		add(&t, ", with a duration from ");
		add_range(&t, o, " to ");
	}
	if (o->type == OPTION_FIRST)
		add(&t, ", with a date such as 2026-01-31");
	return t;
}
