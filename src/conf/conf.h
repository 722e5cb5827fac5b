/* SPDX-License-Identifier: ISC */
/*
 * The configuration: libconfig files in, one checked, immutable structure out.
 *
 * FILE is read first, then conf.d beside it (every name that ends in .conf and
 * does not begin with a dot, in byte order).  Each file is parsed by itself;
 * the lists "accounts" and "destinations" append, a top-level option given
 * twice is an error, so is a name defined twice.  All mistakes are collected,
 * not only the first.
 *
 * It touches no network and reads no secret; it only looks at the mode of
 * secret files.  Passwords stay references ("file:/path").
 */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum conf_protocol {
	CONF_IMAP,
	CONF_POP3,
};

enum conf_tls {
	CONF_TLS_IMPLICIT,
	CONF_TLS_STARTTLS, /* destinations only */
};

enum conf_auth {
	CONF_AUTH_AUTO,
	CONF_AUTH_PLAIN,
	CONF_AUTH_LOGIN,
	CONF_AUTH_SCRAM,
	CONF_AUTH_XOAUTH2, /* this and the next: with a token, no password */
	CONF_AUTH_OAUTHBEARER,
};

enum conf_after {
	CONF_AFTER_KEEP,
	CONF_AFTER_DELETE,
	CONF_AFTER_DELETE_AFTER,
	CONF_AFTER_MOVE, /* this and the next: IMAP only */
	CONF_AFTER_SEEN,
};

enum conf_first {
	CONF_FIRST_NEW,
	CONF_FIRST_ALL,
	CONF_FIRST_SINCE, /* IMAP only */
};

enum conf_sender {
	CONF_SENDER_PRESERVE,
	CONF_SENDER_REWRITE,
	CONF_SENDER_WRAP,
};

enum conf_on_reject {
	CONF_ON_REJECT_HOLD,
	CONF_ON_REJECT_WRAP,
};

enum conf_in_doubt {
	CONF_IN_DOUBT_RESEND,
	CONF_IN_DOUBT_HOLD,
};

/* What an account and a destination both have: a server to log in to. */
struct conf_server {
	char *provider; /* name of a preset, which has filled what was not
	                   given; NULL: none */
	char *host;
	unsigned port; /* filled from protocol or tls when not given */
	char *user;
	char *password; /* reference, "scheme:rest"; never the secret itself;
	                   NULL only when a token is used */
	int auth;       /* enum conf_auth */
	char *ca_file;  /* NULL: the system's */
	bool pinned;
	unsigned char pin[32]; /* SHA-256 of the server's certificate (DER) */
	/* Where tokens come from; of use only to conf_server_uses_token(),
	 * and then client_id, scope, token_url and one of the other URLs are
	 * there.  All URLs are https. */
	char *oauth_client_id;     /* public, no secret */
	char *oauth_client_secret; /* reference; NULL: a public client */
	char *oauth_tenant;        /* it stands in the URLs already; NULL: the
	                              preset's own, or none */
	char *oauth_scope;         /* blanks between */
	char *oauth_token_url;
	char *oauth_device_url;    /* RFC 8628; NULL: none */
	char *oauth_authorize_url; /* RFC 6749 4.1.1; NULL: none */
	char *oauth_ca_file;       /* for these URLs; NULL: the system's */
};

struct conf_destination {
	char *name;
	struct conf_server server;
	int tls;         /* enum conf_tls */
	char *mail_from; /* envelope sender; never NULL */
	char *recipient;
	char *ehlo;           /* NULL: find out */
	int sender;           /* enum conf_sender */
	int on_reject;        /* enum conf_on_reject */
	unsigned window;      /* messages at a time on a connection */
	unsigned connections; /* at a time */
};

/* What of an account is fetched.  A name is UTF-8 as a person writes it.  A
 * folder that several entries of an account mean belongs to the one that says
 * its name, else to that of its special use, else to the first pattern. */
struct conf_folder {
	char *name;            /* "INBOX" whatever its case was */
	bool pattern;          /* has "*" or "%", as LIST means them */
	bool special;          /* a special use: "\\Junk" */
	int after;             /* enum conf_after */
	uint64_t after_period; /* seconds, of CONF_AFTER_DELETE_AFTER */
	char *after_folder;    /* of CONF_AFTER_MOVE; else NULL */
	int first;             /* enum conf_first */
	int64_t first_since;   /* UTC, of CONF_FIRST_SINCE */
};

struct conf_account {
	char *name;
	struct conf_server server;
	int protocol; /* enum conf_protocol */
	/* Of a folder that does not say its own. */
	int after;                   /* enum conf_after */
	uint64_t after_period;       /* seconds, of CONF_AFTER_DELETE_AFTER */
	char *after_folder;          /* of CONF_AFTER_MOVE; else NULL */
	int first;                   /* enum conf_first */
	int64_t first_since;         /* UTC, of CONF_FIRST_SINCE */
	struct conf_folder *folders; /* never none; POP3 has INBOX alone */
	size_t nfolders;
	uint64_t interval;    /* seconds */
	bool idle;            /* never with POP3 */
	unsigned connections; /* at a time */
	/* From the preset: least seconds from login to login; 0: none. */
	uint64_t login_delay;
	char **destination_names; /* as written; NULL ends it */
	const struct conf_destination **destinations; /* into conf */
	size_t ndestinations;
};

struct conf {
	unsigned refs; /* conf_ref() */
	struct conf_account *accounts;
	size_t naccounts;
	struct conf_destination *destinations;
	size_t ndestinations;
	uint64_t spool_max, message_max;         /* bytes */
	uint64_t connect_timeout, reply_timeout; /* seconds */
	uint64_t dot_timeout, shutdown_grace;    /* seconds */
	unsigned guard;              /* percent of a mailbox; 0: off */
	uint64_t retry_max, give_up; /* seconds */
	int in_doubt;                /* enum conf_in_doubt */
	uint64_t min_free;           /* bytes */
	unsigned connections_per_host, connections; /* to sources */
	uint64_t host_spacing;                      /* seconds; 0: none */
	uint64_t idle_renew;                        /* seconds */
	bool marker;
	uint64_t history_keep; /* seconds; 0: nothing is kept */
	char *control_group;   /* NULL: the owner alone */
	char *listen;          /* "127.0.0.1:9810", "[::1]:9810"; NULL: no */
	char **alert_command;  /* argv, NULL ends it; NULL: none */
	char *notify;          /* an address; NULL: nobody */
};

struct conf_problem {
	char *file;
	unsigned line; /* 0: the file as a whole */
	bool warning;  /* worth saying, but it will run */
	char *text;
};

struct conf_problems {
	struct conf_problem *list;
	size_t n;
	size_t errors; /* those that are no warnings */
};

/* NULL when there is any error; problems are filled in either way, sorted by
 * file and line, and are the caller's to free. */
struct conf *conf_load(const char *file, struct conf_problems *problems);
/* The same for one that is not finished. */
struct conf_draft {
	const char *file;
	const char *also; /* read as if it were in conf.d; NULL: none */
	bool parts; /* there need be no accounts yet, and no destinations */
};
struct conf *conf_load_draft(
    const struct conf_draft *d, struct conf_problems *problems);
/* One more owner; conf_free() drops one, the last one frees it.  In one thread,
 * like all of this. */
struct conf *conf_ref(struct conf *c);
void conf_free(struct conf **c);
void conf_problems_free(struct conf_problems *p);

/* Whether everything that the configuration says of it is the same, of
 * destinations an account's only their names.  For a reload: what is equal goes
 * on as it is. */
bool conf_account_equal(
    const struct conf_account *a, const struct conf_account *b);
bool conf_destination_equal(
    const struct conf_destination *a, const struct conf_destination *b);
bool conf_globals_equal(const struct conf *a, const struct conf *b);

/* Whether it logs in with an OAuth token: auth says so, or is "auto" and there
 * is an oauth_client_id. */
bool conf_server_uses_token(const struct conf_server *s);

/* Every option, a line each, tab-separated: scope, name, type, default, range
 * or choices, help.  "-" stands for none, "(required)" for no default. */
void conf_print_options(FILE *out);

#endif
