/* SPDX-License-Identifier: ISC */
#include "relay/uids.h"

#include <string.h>

#include "base/mem.h"

void
uids_add(struct uids *u, const uint32_t *list, size_t n)
{
	if (u->n + n > u->cap) {
		u->cap = u->n + n;
		u->list = mem_grow(u->list, u->cap, sizeof(*u->list));
	}
	if (n > 0)
		memcpy(u->list + u->n, list, n * sizeof(*list));
	u->n += n;
}

void
uids_drop(struct uids *u, size_t n)
{
	u->n -= n;
	memmove(u->list, u->list + n, u->n * sizeof(*u->list));
}

bool
uids_remove(struct uids *u, uint32_t uid)
{
	for (size_t i = 0; i < u->n; i++) {
		if (u->list[i] != uid)
			continue;
		u->n--;
		memmove(u->list + i, u->list + i + 1,
		    (u->n - i) * sizeof(*u->list));
		return true;
	}
	return false;
}
