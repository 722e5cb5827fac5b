/* SPDX-License-Identifier: ISC */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static void *
must(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

void *
mem_alloc(size_t n)
{
	return mem_array(n, 1);
}

/* An empty array is still a pointer that can be told from failure. */
void *
mem_array(size_t n, size_t size)
{
	return must(n == 0 || size == 0 ? calloc(1, 1) : calloc(n, size));
}

void *
mem_grow(void *p, size_t n, size_t size)
{
	if (n == 0 || size == 0)
		n = size = 1;
	return must(reallocarray(p, n, size));
}

char *
mem_strdup(const char *s)
{
	return s != NULL ? must(strdup(s)) : NULL;
}
