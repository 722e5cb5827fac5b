/* SPDX-License-Identifier: ISC */
#include "base/secret.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Each secret has pages of its own, because that is what the kernel can be
 * asked to leave out of a core dump. */
struct secret {
	size_t mapped; /* bytes of the mapping, this head included */
	size_t n;
	char bytes[];
};

struct secret *
secret_new(struct span bytes)
{
	size_t size = sizeof(struct secret) + bytes.n;
	struct secret *s = mmap(NULL, size, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		abort();
	/* Advice: a kernel without it still keeps the secret in memory only. */
	(void)madvise(s, size, MADV_DONTDUMP);
	s->mapped = size;
	s->n = bytes.n;
	if (bytes.n > 0)
		memcpy(s->bytes, bytes.p, bytes.n);
	return s;
}

void
secret_free(struct secret **s)
{
	size_t mapped;

	if (*s == NULL)
		return;
	mapped = (*s)->mapped;
	secret_wipe(*s, mapped);
	(void)munmap(*s, mapped);
	*s = NULL;
}

struct span
secret_reveal(const struct secret *s)
{
	return span_make(s->bytes, s->n);
}

void
secret_wipe(void *p, size_t n)
{
	if (n > 0)
		explicit_bzero(p, n);
}
