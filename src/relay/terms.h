/* SPDX-License-Identifier: ISC */
/*
 * A digest of whatever a person would change to end a pause: where a server is,
 * who logs in, how, and whom we trust.  Never of a secret, only of the place
 * where it is kept.
 */
#ifndef RELAY_TERMS_H
#define RELAY_TERMS_H

#include <stdint.h>

struct conf_account;
struct conf_destination;

uint64_t terms_of_account(const struct conf_account *a);
uint64_t terms_of_destination(const struct conf_destination *d);

#endif
