/* SPDX-License-Identifier: ISC */
#include "auth/wipe.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>
#include <jansson.h>

#include "base/secret.h"

static void
wipe_and_free(void *p)
{
	if (p == NULL)
		return;
	secret_wipe(p, malloc_usable_size(p));
	free(p);
}

/* realloc() may leave a copy behind. */
static void *
wipe_and_grow(void *p, size_t n)
{
	size_t old = p != NULL ? malloc_usable_size(p) : 0;
	void *q = malloc(n);

	if (q == NULL)
		return NULL;
	if (old > 0)
		memcpy(q, p, old < n ? old : n);
	wipe_and_free(p);
	return q;
}

void
wipe_libraries(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
	/* The first one in a process decides; ours stays for its life. */
	if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, malloc, wipe_and_free,
		wipe_and_grow, strdup, calloc) != CURLE_OK)
		abort();
}
