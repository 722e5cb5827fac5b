/* SPDX-License-Identifier: ISC */
/*
 * A keeper of tokens without a provider, linked in the place of auth/token:
 * it hands out the tokens of a list, the next one when one was refused.
 */
#ifndef TESTS_FAKE_TOKEN_H
#define TESTS_FAKE_TOKEN_H

#include "auth/token.h"

struct tokens {
	struct loop *loop;
	const char *const *access; /* up to NULL: then nobody has signed in */
	unsigned next;
	unsigned fetched, refused;
	const char *user; /* whose was asked for last */
};

#endif
