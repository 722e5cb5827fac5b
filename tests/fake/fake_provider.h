/* SPDX-License-Identifier: ISC */
/*
 * A provider and a disk that answer when the test says so, linked in the place
 * of auth/oauth_request, auth/oauth_http and auth/token_write.  The disk is a
 * real directory, when it is asked to be good.
 */
#ifndef TESTS_FAKE_PROVIDER_H
#define TESTS_FAKE_PROVIDER_H

#include <stdbool.h>

#include "auth/oauth_answer.h"

struct fake_provider {
	unsigned asked; /* how often */
	bool asking;    /* a question waits for its answer */
	bool writing;   /* a file waits for being written */
	char form[512]; /* the last question */
};
extern struct fake_provider fake_provider;

/* What the question that waits is answered with; access NULL: an error. */
/* Seconds that the next refresh token is said to be good; 0: nothing is said.
 */
extern int64_t fake_refresh_life;
void fake_provider_tokens(
    const char *access, const char *refresh, int64_t life);
void fake_provider_error(enum oauth_outcome outcome);
void fake_provider_unreachable(void);
void fake_disk_write(bool good);

#endif
