/* SPDX-License-Identifier: ISC */
/*
 * A server of the configuration as the net layer wants to hear of it: where it
 * is and whom to trust, and how long to wait for what (RFC 5321 section
 * 4.5.3.2).
 */
#ifndef RELAY_SERVER_H
#define RELAY_SERVER_H

#include <stdint.h>

#include "auth/token.h"
#include "net/conn.h"
#include "proto/wait.h"

struct conf;
struct conf_destination;
struct conf_server;

struct conn_target server_target(const struct conf *conf,
    const struct conf_server *server, enum fault_scope scope);

/* What speaks there, as it is configured. */
enum server_kind {
	SERVER_IMAP,
	SERVER_POP3,
	SERVER_SUBMISSION, /* TLS from the first byte */
	SERVER_STARTTLS,
};
/* Says in f what of this could be wrong, where its cause lets one guess. */
void server_advise(
    struct fault *f, const struct conf_server *server, enum server_kind kind);
/* The same for who greets in another protocol. */
const char *server_protocol_hint(enum server_kind kind);
/* Whose tokens log in there; only of conf_server_uses_token(). */
struct token_identity server_identity(const struct conf_server *server);

/* What to call ourselves: as configured, else our full name, else the address
 * that we talk from. */
void server_ehlo(const struct conf_destination *d, const struct conn *c,
    char *ehlo_r, size_t cap);

/* Milliseconds; 0: for ever. */
int64_t server_patience(enum wait_class wait, const struct conf *conf);

#endif
