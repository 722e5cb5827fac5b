/* SPDX-License-Identifier: ISC */
/*
 * A check of settings as JSON, the same from the daemon and from the command
 * that does it itself: lines as mailhaul-control(7) describes them.
 */
#ifndef RELAY_PROBE_JSON_H
#define RELAY_PROBE_JSON_H

#include <jansson.h>

#include "relay/probe.h"

/* What is checked, all of it, in the order of the configuration: the first
 * line.  Either array may hold nothing. */
json_t *probe_plan_json(const struct conf_account *const *accounts,
    size_t naccounts, const struct conf_destination *const *destinations,
    size_t ndestinations);
/* A step of one of them. */
json_t *probe_step_json(
    bool destination, const char *name, const struct probe_report *r);
/* It is over. */
json_t *probe_end_json(
    bool destination, const char *name, enum probe_outcome outcome);

#endif
