/* SPDX-License-Identifier: ISC */
#include "cli/import_conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf/conf.h"
#include "conf/folder_name.h"
#include "conf/option_table.h"
#include "proto/imap_name.h"

/* --- names -------------------------------------------------------------- */

static bool
is_taken(const struct import *im, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(im->accounts[i].name, name) == 0)
			return true;
	return false;
}

/* That of the server, with the user's in front where a server has several. */
static void
name_account(struct import *im, size_t i)
{
	struct import_account *a = &im->accounts[i];
	const char *server = a->q->name;
	char base[IMPORT_NAME_MAX], text[256];
	bool shared = false;

	for (size_t j = 0; j < im->naccounts; j++)
		if (j != i && strcmp(im->accounts[j].q->name, server) == 0)
			shared = true;
	if (shared && a->user != NULL)
		snprintf(text, sizeof(text), "%.*s-%s",
		    (int)strcspn(a->user, "@"), a->user, server);
	else
		snprintf(text, sizeof(text), "%s", server);
	import_make_name(base, text);
	memcpy(a->name, base, sizeof(base));
	for (unsigned n = 2; is_taken(im, i, a->name); n++) {
		memcpy(a->name, base, sizeof(base));
		import_number_name(a->name, n);
	}
}

/* --- protocols ---------------------------------------------------------- */

static bool
is_one_of(const char *s, const char *const *list)
{
	for (; *list != NULL; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

static const char *
protocol_of(const struct import_account *a)
{
	const char *s = a->q->text[FETCHMAIL_PROTOCOL].s;

	return s != NULL ? s : "auto";
}

static void
plan_account(struct import_account *a)
{
	static const char *const pop3[] = { "pop3", "apop", "rpop", "sdps",
		NULL };
	static const char *const none[] = { "pop2", "etrn", "odmr", "kpop",
		NULL };
	const char *protocol = protocol_of(a);

	a->host = fetchmail_host(a->q);
	a->user = a->q->text[FETCHMAIL_USER].s;
	a->pop3 = is_one_of(protocol, pop3);
	a->left_out = is_one_of(protocol, none);
	a->aside = a->q->skip;
}

void
import_plan(struct import *im)
{
	buf_init(&im->text, IMPORT_TEXT_MAX);
	for (size_t i = 0; i < im->nfiles; i++)
		im->naccounts += im->files[i].rc.nqueries;
	im->accounts = mem_array(im->naccounts, sizeof(*im->accounts));
	im->naccounts = 0;
	for (size_t i = 0; i < im->nfiles; i++)
		for (size_t j = 0; j < im->files[i].rc.nqueries; j++) {
			struct import_account *a =
			    &im->accounts[im->naccounts++];

			a->file = &im->files[i];
			a->q = &im->files[i].rc.queries[j];
			plan_account(a);
		}
	for (size_t i = 0; i < im->naccounts; i++)
		name_account(im, i);
}

struct import_account *
import_find(struct import *im, const struct fetchmail_id *id)
{
	for (size_t i = 0; i < im->naccounts; i++) {
		struct import_account *a = &im->accounts[i];

		if (a->left_out || a->user == NULL ||
		    (!a->pop3 && strcmp(protocol_of(a), "auto") != 0))
			continue;
		if (span_ieq(id->host, span_str(a->host)) &&
		    span_ieq(id->user, span_str(a->user)))
			return a;
	}
	return NULL;
}

/* --- what an account has ------------------------------------------------ */

static const struct fetchmail_value *
value_of(const struct import_account *a, enum fetchmail_text what)
{
	return &a->q->text[what];
}

static bool
is_on(const struct import_account *a, enum fetchmail_flag what)
{
	return a->q->flag[what].line > 0 && a->q->flag[what].on;
}

static unsigned
line_or(unsigned line, const struct import_account *a)
{
	return line > 0 ? line : a->q->line;
}

#define NOTE(grave, at, ...)                                                   \
	import_add_note(im, a->file, line_or(at, a), grave, __VA_ARGS__)

static void
settle_protocol(struct import *im, struct import_account *a)
{
	const struct fetchmail_value *v = value_of(a, FETCHMAIL_PROTOCOL);
	const char *protocol = protocol_of(a);

	if (a->left_out) {
		NOTE(true, v->line,
		    "%s: protocol %s is none of mailhaul's: left out", a->name,
		    protocol);
	} else if (strcmp(protocol, "auto") == 0) {
		a->pop3 = a->ids > 0;
		NOTE(!a->pop3, v->line, "%s: no protocol is named; %s", a->name,
		    a->pop3 ? "it is pop3, as .fetchids has messages of it"
			    : "imap is taken: change it if that is wrong");
	} else if (strcmp(protocol, "apop") == 0) {
		NOTE(false, v->line,
		    "%s: the password is sent inside TLS instead of APOP",
		    a->name);
	} else if (strcmp(protocol, "sdps") == 0) {
		NOTE(true, v->line,
		    "%s: SDPS tells who a message is for, which mailhaul does "
		    "not use: all goes to one recipient",
		    a->name);
	} else if (!a->pop3 && strcmp(protocol, "imap") != 0) {
		NOTE(true, v->line, "%s: an unknown protocol; imap is taken",
		    a->name);
	}
}

static void
settle_auth(struct import *im, const struct import_account *a)
{
	static const char *const plain[] = { "any", "password", NULL };
	static const char *const better[] = { "cram", "cram-md5", NULL };
	const struct fetchmail_value *v = value_of(a, FETCHMAIL_AUTH);

	if (v->s == NULL || is_one_of(v->s, plain))
		return;
	if (is_one_of(v->s, better))
		NOTE(false, v->line,
		    "%s: auth %s is not carried over; the password is sent "
		    "inside TLS",
		    a->name, v->s);
	else
		NOTE(true, v->line,
		    "%s: auth %s is none of mailhaul's; it signs in with a "
		    "password",
		    a->name, v->s);
}

/* 0: no number and no name that is known. */
static unsigned
port_number(const char *service)
{
	static const struct {
		const char *name;
		unsigned port;
	} names[] = { { "pop3", 110 }, { "pop-3", 110 }, { "pop3s", 995 },
		{ "imap", 143 }, { "imap2", 143 }, { "imaps", 993 } };
	uint64_t port = 0;

	if (span_uint(span_str(service), 65535, &port))
		return (unsigned)port;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, service) == 0)
			return names[i].port;
	return 0;
}

static bool
is_usual(unsigned port)
{
	return port == 110 || port == 143 || port == 993 || port == 995;
}

static void
write_port(
    struct import *im, const struct import_account *a, const char *before)
{
	const struct fetchmail_value *v = value_of(a, FETCHMAIL_SERVICE);
	unsigned port = v->s != NULL ? port_number(v->s) : 0;
	unsigned ours = a->pop3 ? 995 : 993;
	bool ssl = is_on(a, FETCHMAIL_SSL);

	if (v->s != NULL && port == 0)
		NOTE(true, v->line,
		    "%s: service %s is not known here; port %u is taken",
		    a->name, v->s, ours);
	else if (!ssl && port > 0 && !is_usual(port))
		NOTE(true, v->line,
		    "%s: port %u without ssl is not carried over; mailhaul "
		    "wants TLS from the first byte, on port %u unless you "
		    "give another one",
		    a->name, port, ours);
	else if (!ssl && port != ours)
		NOTE(false, v->line,
		    "%s: without ssl here; mailhaul uses TLS from the first "
		    "byte, port %u",
		    a->name, ours);
	else if (ssl && port > 0 && is_usual(port) && port != ours)
		NOTE(false, v->line,
		    "%s: port %u is not for %s inside TLS; port %u is used",
		    a->name, port, a->pop3 ? "POP3" : "IMAP", ours);
	if (ssl && port > 0 && !is_usual(port))
		import_line(im, before, "port = %u;", port);
}

/* The digest: 64 digits in pairs, colons between; false: it is another. */
static bool
is_sha256(const char *s)
{
	size_t digits = 0;

	for (; *s != '\0'; s++)
		if (strchr("0123456789abcdefABCDEF", *s) != NULL)
			digits++;
		else if (*s != ':')
			return false;
	return digits == 64;
}

static void
write_trust(
    struct import *im, const struct import_account *a, const char *before)
{
	const struct fetchmail_value *file = value_of(a, FETCHMAIL_CERTFILE);
	const struct fetchmail_value *print =
	    value_of(a, FETCHMAIL_FINGERPRINT);
	const struct fetchmail_switch *check = &a->q->flag[FETCHMAIL_CERTCK];
	const char *pin = print->s;
	char *path = NULL;

	if (pin != NULL && strncmp(pin, "{SHA256}", 8) == 0)
		pin += 8;
	if (pin != NULL && is_sha256(pin) &&
	    import_fits(OPTION_ACCOUNT, "pin_sha256", pin))
		import_string(im, before, "pin_sha256", pin);
	else if (pin != NULL)
		NOTE(true, print->line,
		    "%s: sslfingerprint is no SHA-256; openssl x509 -noout "
		    "-sha256 -fingerprint tells what \"pin_sha256\" wants",
		    a->name);
	else if (check->line > 0 && !check->on)
		NOTE(true, check->line,
		    "%s: certificates are always checked; one that cannot be "
		    "is trusted by \"pin_sha256\"",
		    a->name);
	if (file->s == NULL)
		return;
	if (asprintf(&path, "%s%s%s", file->s[0] == '/' ? "" : a->file->folder,
		file->s[0] == '/' ? "" : "/", file->s) < 0)
		abort();
	if (import_fits(OPTION_ACCOUNT, "ca_file", path) &&
	    access(path, R_OK) == 0)
		import_string(im, before, "ca_file", path);
	else
		NOTE(true, file->line,
		    "%s: sslcertfile cannot be read: give "
		    "\"ca_file\" if it is needed",
		    a->name);
	free(path);
}

static void
settle_ssl(struct import *im, const struct import_account *a)
{
	const struct fetchmail_value *v = value_of(a, FETCHMAIL_SSLPROTO);

	if (v->s == NULL || v->s[0] == '\0' || strcasecmp(v->s, "auto") == 0 ||
	    strncasecmp(v->s, "tls1.2", 6) == 0 ||
	    strncasecmp(v->s, "tls1.3", 6) == 0)
		return;
	NOTE(false, v->line,
	    "%s: sslproto is not carried over; mailhaul "
	    "speaks TLS 1.2 and later",
	    a->name);
}

/* --- folders ------------------------------------------------------------ */

static bool
folder_name(const char *s, char name[IMAP_NAME_MAX])
{
	if (!imap_name_decode(span_str(s), name, IMAP_NAME_MAX)) {
		if (strlen(s) >= IMAP_NAME_MAX)
			return false;
		strcpy(name, s);
	}
	return import_fits(OPTION_FOLDER, "name", name) &&
	       !folder_name_is_pattern(name) && name[0] != '\\';
}

static bool
has_folder(const struct import_account *a, size_t n, const char *name)
{
	const struct fetchmail_items *f = &a->q->list[FETCHMAIL_FOLDERS];
	char other[IMAP_NAME_MAX];

	for (size_t i = 0; i < n; i++)
		if (folder_name(f->s[i], other) &&
		    span_ieq(span_str(other), span_str(name)))
			return true;
	return false;
}

static void
write_folders(
    struct import *im, const struct import_account *a, const char *before)
{
	const struct fetchmail_items *f = &a->q->list[FETCHMAIL_FOLDERS];
	char name[IMAP_NAME_MAX];
	size_t written = 0;

	if (f->n == 0)
		return;
	if (a->pop3) {
		NOTE(false, f->line, "%s: over POP3 there are no folders",
		    a->name);
		return;
	}
	for (size_t i = 0; i < f->n; i++) {
		if (!folder_name(f->s[i], name)) {
			NOTE(true, f->line,
			    "%s: folder %s cannot be carried over by its name",
			    a->name, f->s[i]);
			continue;
		}
		if (has_folder(a, i, name))
			continue;
		import_add(im, "%s%s", written == 0 ? before : "",
		    written == 0 ? "folders = ( " : ", ");
		import_quote(im, name);
		written++;
	}
	if (written > 0)
		import_add(im, " );\n");
}

/* --- when and what ------------------------------------------------------ */

static void
write_interval(
    struct import *im, const struct import_account *a, const char *before)
{
	const struct fetchmail_value *v = value_of(a, FETCHMAIL_INTERVAL);
	uint64_t cycles = 1, seconds = a->file->rc.daemon;
	const uint64_t most = 30 * 86400;

	if (v->s != NULL && !span_uint(span_str(v->s), 100000, &cycles))
		cycles = 1;
	if (cycles == 0)
		cycles = 1;
	if (seconds == 0 && cycles > 1)
		NOTE(false, v->line,
		    "%s: interval counts cycles, but there is no \"set "
		    "daemon\": give \"interval\" as a time",
		    a->name);
	if (seconds == 0)
		return;
	seconds *= cycles;
	if (seconds < 10 || seconds > most)
		NOTE(false, v->line,
		    "%s: the interval is brought to what is "
		    "possible",
		    a->name);
	seconds = seconds < 10 ? 10 : seconds > most ? most : seconds;
	if (seconds % 60 == 0)
		import_line(im, before, "interval = \"%llum\";",
		    (unsigned long long)seconds / 60);
	else
		import_line(im, before, "interval = \"%llus\";",
		    (unsigned long long)seconds);
}

#define LAST_RUN                                                               \
	"let fetchmail fetch once more and end before mailhauld starts, for "  \
	"what is there at the first poll is taken as fetched"

static void
write_pop3_policy(
    struct import *im, const struct import_account *a, const char *before)
{
	bool keep = is_on(a, FETCHMAIL_KEEP);

	import_string(im, before, "after", keep ? "keep" : "delete");
	/* Without keep what is on the server was not fetched yet. */
	import_string(im, before, "first", keep ? "new" : "all");
	if (!keep && !im->has_ids)
		NOTE(false, 0,
		    "%s: what is on the server is taken as not fetched yet; "
		    "--fetchids tells what was, if there is a .fetchids",
		    a->name);
	if (!keep || a->ids > 0)
		return;
	NOTE(true, a->q->flag[FETCHMAIL_KEEP].line, "%s: %s " LAST_RUN, a->name,
	    im->has_ids ? "no line of .fetchids is about it:"
			: "--fetchids tells from the file .fetchids what was "
			  "fetched; without it");
}

/* fetchmail asks for what is not \Seen, and marks as \Seen what it keeps. */
static void
write_imap_policy(
    struct import *im, const struct import_account *a, const char *before)
{
	bool keep = is_on(a, FETCHMAIL_KEEP);
	bool all = is_on(a, FETCHMAIL_FETCHALL);

	import_string(im, before, "after", keep ? "seen" : "delete");
	import_string(im, before, "first", !keep && all ? "all" : "new");
	if (keep || !all)
		NOTE(true, a->q->flag[FETCHMAIL_KEEP].line,
		    "%s: over IMAP no list says what was fetched: " LAST_RUN,
		    a->name);
	if (a->q->flag[FETCHMAIL_IDLE].line > 0)
		import_line(im, before, "idle = %s;",
		    is_on(a, FETCHMAIL_IDLE) ? "true" : "false");
}

/* --- accounts ----------------------------------------------------------- */

static struct span
user_of(const struct import_account *a)
{
	return span_str(a->user != NULL ? a->user : IMPORT_NO_USER);
}

/* Two accounts of one mailbox would be an error of the configuration. */
static bool
is_repeated(const struct import *im, const struct import_account *a)
{
	for (const struct import_account *b = im->accounts; b < a; b++)
		if (!b->left_out && !b->aside &&
		    span_ieq(span_str(a->host), span_str(b->host)) &&
		    span_ieq(user_of(a), user_of(b)))
			return true;
	return false;
}

static void
settle_account(struct import *im, struct import_account *a)
{
	settle_protocol(im, a);
	if (a->left_out)
		return;
	if (!import_fits(OPTION_ACCOUNT, "host", a->host)) {
		NOTE(true, value_of(a, FETCHMAIL_VIA)->line,
		    "%s: the name of the server is none: left out", a->name);
		a->left_out = true;
		return;
	}
	if (a->user == NULL || !import_fits(OPTION_ACCOUNT, "user", a->user)) {
		NOTE(true, value_of(a, FETCHMAIL_USER)->line,
		    "%s: there is no user, or one that cannot be: fill in "
		    "\"user\"",
		    a->name);
		a->user = NULL;
	}
	if (!a->aside && is_repeated(im, a)) {
		NOTE(true, 0,
		    "%s: the same user of the same server again: it is "
		    "written as a comment",
		    a->name);
		a->aside = true;
	} else if (a->aside) {
		NOTE(false, 0, "%s: skip: it is written as a comment", a->name);
	}
	settle_auth(im, a);
	settle_ssl(im, a);
}

static void
write_account(struct import *im, const struct import_account *a)
{
	const char *before = a->aside ? "#    " : "    ";
	const char *edge = a->aside ? "#  " : "  ";
	static const struct fetchmail_word unknown;
	const struct import_login login = {
		.file = a->file,
		.word = a->aside ? &unknown : &a->q->secret[FETCHMAIL_PASSWORD],
		.name = a->name,
		.user = a->name,
		.line = a->q->line,
		.quiet = a->aside,
	};

	import_line(im, edge, "{");
	import_string(im, before, "name", a->name);
	import_string(im, before, "protocol", a->pop3 ? "pop3" : "imap");
	import_string(im, before, "host", a->host);
	write_port(im, a, before);
	write_trust(im, a, before);
	import_string(im, before, "user", user_of(a).p);
	import_password(im, before, &login);
	write_folders(im, a, before);
	if (a->pop3)
		write_pop3_policy(im, a, before);
	else
		write_imap_policy(im, a, before);
	write_interval(im, a, before);
	import_string(im, before, "destination", import_destination_of(im, a));
	import_add(im, "%s}", edge);
}

static void
write_accounts(struct import *im)
{
	bool first = true;

	import_line(im, "", "accounts = (");
	for (size_t i = 0; i < im->naccounts; i++) {
		if (im->accounts[i].left_out || im->accounts[i].aside)
			continue;
		if (!first)
			import_add(im, ",\n");
		first = false;
		write_account(im, &im->accounts[i]);
	}
	import_add(im, "%s", first ? "" : "\n");
	for (size_t i = 0; i < im->naccounts; i++)
		if (!im->accounts[i].left_out && im->accounts[i].aside) {
			write_account(im, &im->accounts[i]);
			import_add(im, "\n");
		}
	import_line(im, "", ");");
}

/* --- the whole ---------------------------------------------------------- */

static void
copy_notes(struct import *im, const struct import_file *f)
{
	for (size_t i = 0; i < f->rc.nnotes; i++)
		import_add_note(im, f, f->rc.notes[i].line,
		    f->rc.notes[i].grave, "%s", f->rc.notes[i].text);
}

static int
by_place(const void *a, const void *b)
{
	const struct import_note *x = a, *y = b;
	int files = strcmp(x->path, y->path);

	if (files != 0)
		return files;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void
write_notes(struct import *im)
{
	char path[256];

	if (!import_is_grave(im))
		return;
	import_line(im, "", "#\n# To be settled before the first start:");
	for (size_t i = 0; i < im->nnotes; i++) {
		const struct import_note *n = &im->notes[i];

		ascii_clean(path, sizeof(path), n->path, strlen(n->path));
		if (n->grave)
			import_line(
			    im, "# ! ", "%s:%u: %s", path, n->line, n->text);
	}
}

/* Behind what is there, which becomes empty. */
static void
append(struct import *im, struct buf *text)
{
	if (!buf_add(&im->text, buf_span(text)))
		im->full = true;
	buf_free(text);
}

/* The accounts tell which destinations there are, and both what is noted at
 * the head. */
bool
import_write(struct import *im)
{
	struct buf accounts, destinations;

	for (size_t i = 0; i < im->nfiles; i++)
		copy_notes(im, &im->files[i]);
	for (size_t i = 0; i < im->naccounts; i++)
		settle_account(im, &im->accounts[i]);
	write_accounts(im);
	accounts = im->text;
	buf_init(&im->text, IMPORT_TEXT_MAX);
	if (im->destination == NULL)
		import_write_destinations(im);
	destinations = im->text;
	buf_init(&im->text, IMPORT_TEXT_MAX);
	if (im->nnotes > 0)
		qsort(im->notes, im->nnotes, sizeof(*im->notes), by_place);
	import_line(im, "",
	    "# Made from a fetchmailrc by mailhaul import; see "
	    "mailhaul.conf(5).");
	write_notes(im);
	import_add(im, "\n");
	append(im, &destinations);
	append(im, &accounts);
	return !im->full;
}

void
import_free(struct import *im)
{
	for (size_t i = 0; i < im->nnotes; i++)
		free(im->notes[i].text);
	free(im->notes);
	free(im->accounts);
	free(im->to_write);
	import_free_destinations(im);
	buf_free(&im->text);
}
