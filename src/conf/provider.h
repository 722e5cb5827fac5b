/* SPDX-License-Identifier: ISC */
/*
 * What is known of mail providers: where their servers are, how one logs in
 * there, what they bear.  One table, the facts of which are public documents
 * of autumn 2026; nothing here asks anybody.
 *
 * A preset fills what an account or a destination does not say
 * (conf_preset.c).  Limits are for people to read unless said otherwise: the
 * daemon goes by what a server answers.
 */
#ifndef CONF_PROVIDER_H
#define CONF_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum provider_service {
	PROVIDER_IMAP,
	PROVIDER_POP3,
	PROVIDER_SMTP,
	PROVIDER_SERVICES,
};

struct provider_server {
	const char *host; /* NULL: there is no such server */
	unsigned port;
	int tls;              /* enum conf_tls */
	unsigned also;        /* another port, with the other tls; 0: none */
	unsigned login_delay; /* seconds between logins, obeyed; 0: none */
};

/* URLs as options of the configuration want them once {tenant} is replaced
 * (provider_url()); NULL: there is none. */
struct provider_oauth {
	const char *tenant;
	const char *scope; /* one sign-in for all services */
	const char *token_url, *device_url, *authorize_url;
};

struct provider {
	const char *name;  /* as in the configuration */
	const char *title; /* as people say it */
	struct provider_server servers[PROVIDER_SERVICES];
	int auth; /* enum conf_auth */
	struct provider_oauth oauth;
	bool pin; /* its certificate is signed by nobody */
	/* Connections of a user at a time, to fetch and to submit; they are
	 * obeyed; 0: unknown. */
	unsigned connections, submissions;
	unsigned messages, recipients; /* sent a day; 0: unknown */
	uint64_t message_max;          /* bytes of a message sent; 0: unknown */
	int sender;                    /* enum conf_sender */
	const char *login; /* what a person has to do first; NULL: nothing */
	const char *note;  /* what else surprises; NULL: nothing */
	const char *const *domains; /* of its addresses; NULL ends it */
};

/* Ends with a row whose name is NULL. */
extern const struct provider provider_table[];

extern const char *const provider_service_names[PROVIDER_SERVICES];

/* The row of that name, or NULL; nearest_r (may be NULL) is then the closest
 * name, or NULL when none is close. */
const struct provider *provider_find(const char *name, const char **nearest_r);

/* Whose mail address it is, by its domain; NULL: nobody's that is known. */
const struct provider *provider_of_address(const char *address);

/* Whose server that is today, for whatever service; NULL: nobody's that is
 * known. */
const struct provider *provider_of_host(const char *host);

/* Whose server that was once, under a name that still stands in people's
 * configurations; NULL: nobody's that is known. */
const struct provider *provider_of_old_host(const char *host);

/* A URL of its, or of the person's, with the tenant in it; the caller's.  NULL
 * for NULL. */
char *provider_url(const char *url, const char *tenant);

#endif
