/* SPDX-License-Identifier: ISC */
/*
 * Writes all of it to a file, a pipe or a terminal, however many calls that
 * takes; it may wait.  Nothing is synced.
 */
#ifndef BASE_WRITE_H
#define BASE_WRITE_H

#include <stdbool.h>

#include "base/span.h"

/* false: errno says why; a part of it may be written. */
bool write_all(int fd, struct span bytes);

#endif
