/* SPDX-License-Identifier: ISC */
/*
 * Where a secret comes from, asked anew for every login so that a changed
 * password needs no restart:
 *   credential:NAME  $CREDENTIALS_DIRECTORY/NAME, else
 *                    $CREDENTIALS_DIRECTORY/mailhaul.secrets_NAME, else
 *                    $CREDENTIALS_DIRECTORY/mailhaul.sealed_NAME
 *   file:/PATH       the file's first line; refused when others can get at it
 *                    (but for what lies below $CREDENTIALS_DIRECTORY) and
 *                    when it is a symbolic link
 *   command:ARGV     the first line that the program prints, run by
 *                    posix_spawn() without a shell (words split at blanks,
 *                    quotes group, the first is an absolute path), stdin and
 *                    stderr from/to /dev/null, 30 seconds, 4 KiB in all
 *   env:NAME         the environment variable
 * Trailing CR and LF are cut.  An empty secret is a fault.  The fault is of
 * scope FAULT_ACCOUNT; the caller changes the scope when it serves a
 * destination.  What the secret is never appears in a fault.
 */
#ifndef AUTH_CREDENTIAL_H
#define AUTH_CREDENTIAL_H

#include "base/fault.h"
#include "base/secret.h"

struct loop;
struct credential_job;

#define CREDENTIAL_MAX 4096 /* bytes */

/* done is called exactly once, never from inside this call, unless the job is
 * cancelled.  secret is the callee's to free; NULL: fault says why.  Returns a
 * job for credential_cancel(); it is gone when done is called. */
struct credential_job *credential_fetch(struct loop *l, const char *reference,
    void (*done)(void *arg, struct secret *secret, const struct fault *f),
    void *arg);
void credential_cancel(struct credential_job **job); /* kills the command */

#endif
