/* SPDX-License-Identifier: ISC */
/*
 * A server of the configuration as the net layer wants to hear of it: where it
 * is and whom to trust, and how long to wait for what (RFC 5321 section
 * 4.5.3.2).
 */
#ifndef RELAY_SERVER_H
#define RELAY_SERVER_H

#include <stdint.h>

#include "net/conn.h"
#include "proto/wait.h"

struct conf;
struct conf_server;

struct conn_target server_target(const struct conf *conf,
    const struct conf_server *server, enum fault_scope scope);

/* Milliseconds; 0: for ever. */
int64_t server_patience(enum wait_class wait, const struct conf *conf);

#endif
