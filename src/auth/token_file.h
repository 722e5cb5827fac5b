/* SPDX-License-Identifier: ISC */
/*
 * What is known of one identity's tokens, and its file: JSON, mode 0600, in a
 * directory of mode 0700, always replaced as a whole (a new file, fsync,
 * rename, fsync of the directory), so that there is the old or the new one
 * whenever the process dies.
 *
 * Times are of the wall clock in seconds, 0: none.
 */
#ifndef AUTH_TOKEN_FILE_H
#define AUTH_TOKEN_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fault.h"
#include "base/secret.h"

struct token_identity;

#define TOKEN_FILE_MAX (64 * 1024) /* bytes; more is no file of ours */
#define TOKEN_NAME_SIZE 40         /* 32 hexadecimal digits, ".json", NUL */

struct token_record {
	struct secret *access, *refresh; /* owned; NULL: none */
	int64_t obtained, expires;       /* of the access token */
	int64_t refresh_expires;         /* as far as the provider said */
	/* The provider was asked for new tokens then, and nothing is known of
	 * the answer: it may have taken the old ones back. */
	int64_t asked;
	/* Why a person must sign in; empty: nobody must. */
	char trouble[FAULT_TEXT_MAX];
};
void token_record_clear(struct token_record *r);

/* The file of an identity: nothing in the name tells whose it is. */
void token_file_name(const struct token_identity *id, char name_r[]);

enum token_file_result {
	TOKEN_FILE_READ,
	TOKEN_FILE_ABSENT,
	TOKEN_FILE_BAD, /* f_r says why */
};
enum token_file_result token_file_read(const char *dir, const char *name,
    struct token_record *r_r, struct fault *f_r);

/* What the file is to say. */
struct secret *token_file_text(
    const struct token_identity *id, const struct token_record *r);
/* Makes the directory when there is none.  Waits for the disk; may be called
 * from any thread.  false: f_r, and the file that was there is there still. */
bool token_file_write(const char *dir, const char *name,
    const struct secret *text, struct fault *f_r);

#endif
