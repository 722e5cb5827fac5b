/* SPDX-License-Identifier: ISC */
/*
 * Memory that is there or the process ends: a failed allocation is a crash,
 * and every crash is survived by the order of writes (DURABILITY.md).  So no
 * caller has a failure path that no test would ever walk.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n);              /* zeroed; free() ends it */
void *mem_array(size_t n, size_t size); /* zeroed; n * size is checked */
void *mem_grow(void *p, size_t n, size_t size); /* as reallocarray(3) */
char *mem_strdup(const char *s);                /* NULL stays NULL */

#endif
