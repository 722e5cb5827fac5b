/* SPDX-License-Identifier: ISC */
/*
 * token_file_write() beside the loop: a disk that hangs must not stop mail of
 * others.
 */
#ifndef AUTH_TOKEN_WRITE_H
#define AUTH_TOKEN_WRITE_H

#include "base/fault.h"

struct loop;
struct secret;
struct token_write;

/* text is taken; dir and name outlive it.  done is called once, never from
 * inside this call; f NULL: it is on the disk. */
struct token_write *token_write_start(struct loop *l, const char *dir,
    const char *name, struct secret *text,
    void (*done)(void *arg, const struct fault *f), void *arg);
/* Waits for the disk; done is not called.  What was begun is ended. */
void token_write_finish(struct token_write **w);

#endif
