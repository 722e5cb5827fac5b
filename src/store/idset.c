/* SPDX-License-Identifier: ISC */
#include "store/idset.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define PAGE_BITS 4096

struct idset_page {
	uint64_t number; /* its first id is PAGE_BITS times that */
	size_t n;        /* bits that are set; never 0 */
	uint64_t bits[PAGE_BITS / 64];
};

static uint64_t
page_of(int64_t id)
{
	return (uint64_t)id / PAGE_BITS;
}

static uint64_t
mask_of(int64_t id)
{
	return (uint64_t)1 << ((uint64_t)id % 64);
}

static uint64_t *
word_of(struct idset_page *p, int64_t id)
{
	return &p->bits[(uint64_t)id % PAGE_BITS / 64];
}

/* Where the page is, or belongs. */
static size_t
place(const struct idset *s, uint64_t number)
{
	size_t low = 0, high = s->npages;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (s->pages[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct idset_page *
find(const struct idset *s, size_t at, uint64_t number)
{
	return at < s->npages && s->pages[at]->number == number ? s->pages[at]
	                                                        : NULL;
}

static struct idset_page *
insert(struct idset *s, size_t at, uint64_t number)
{
	struct idset_page *p = mem_alloc(sizeof(*p));

	p->number = number;
	if (s->npages == s->room) {
		s->room = s->room * 2 + 4;
		s->pages =
		    mem_grow(s->pages, s->room, sizeof(struct idset_page *));
	}
	memmove(&s->pages[at + 1], &s->pages[at],
	    (s->npages - at) * sizeof(struct idset_page *));
	s->pages[at] = p;
	s->npages++;
	return p;
}

static void
drop(struct idset *s, size_t at)
{
	free(s->pages[at]);
	s->npages--;
	memmove(&s->pages[at], &s->pages[at + 1],
	    (s->npages - at) * sizeof(struct idset_page *));
}

bool
idset_has(const struct idset *s, int64_t id)
{
	struct idset_page *p = find(s, place(s, page_of(id)), page_of(id));

	return p != NULL && (*word_of(p, id) & mask_of(id)) != 0;
}

bool
idset_add(struct idset *s, int64_t id)
{
	size_t at = place(s, page_of(id));
	struct idset_page *p = find(s, at, page_of(id));

	if (p == NULL)
		p = insert(s, at, page_of(id));
	if ((*word_of(p, id) & mask_of(id)) != 0)
		return false;
	*word_of(p, id) |= mask_of(id);
	p->n++;
	s->n++;
	return true;
}

void
idset_remove(struct idset *s, int64_t id)
{
	size_t at = place(s, page_of(id));
	struct idset_page *p = find(s, at, page_of(id));

	if (p == NULL || (*word_of(p, id) & mask_of(id)) == 0)
		return;
	*word_of(p, id) &= ~mask_of(id);
	p->n--;
	s->n--;
	if (p->n == 0)
		drop(s, at);
}

void
idset_free(struct idset *s)
{
	while (s->npages > 0)
		free(s->pages[--s->npages]);
	free(s->pages);
	*s = (struct idset){ .n = 0 };
}
