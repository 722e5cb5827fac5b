/* SPDX-License-Identifier: ISC */
#include "relay/sizes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define NO_FILE (-1)
#define FAILED (-2)

void
sizes_init(struct sizes *s, int dir)
{
	*s = (struct sizes){ .dir = dir, .fd = NO_FILE };
}

void
sizes_free(struct sizes *s)
{
	if (s->fd >= 0)
		close(s->fd);
	free(s->first);
	free(s->block);
	sizes_init(s, s->dir);
}

static void
add_to_memory(struct sizes *s, uint32_t size)
{
	if (s->count == s->cap) {
		s->cap = s->cap > 0 ? s->cap * 2 : 256;
		s->first = mem_grow(s->first, s->cap, sizeof(*s->first));
	}
	s->first[s->count] = size;
}

/* Of a message that is not in memory, in the file. */
static uint64_t
place(uint64_t index)
{
	return index - SIZES_MEMORY;
}

static void
open_file(struct sizes *s)
{
	s->fd = s->dir < 0
	            ? -1
	            : openat(s->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (s->fd < 0)
		s->fd = FAILED;
	else
		s->block = mem_array(SIZES_BLOCK, sizeof(*s->block));
}

/* Whole blocks; a size that cannot be kept is one that is not known. */
static void
write_block(struct sizes *s)
{
	const size_t bytes = SIZES_BLOCK * sizeof(*s->block);
	ssize_t n;

	do
		n = pwrite(s->fd, s->block, bytes,
		    (off_t)(s->block_at * sizeof(*s->block)));
	while (n < 0 && errno == EINTR);
	if (n == (ssize_t)bytes)
		return;
	close(s->fd);
	s->fd = FAILED;
}

static void
add_to_file(struct sizes *s, uint32_t size)
{
	uint64_t at = place(s->count);

	if (s->fd == NO_FILE)
		open_file(s);
	if (s->fd == FAILED)
		return;
	if (at == s->block_at + SIZES_BLOCK) {
		write_block(s);
		s->block_at = at;
	}
	if (s->fd != FAILED)
		s->block[at - s->block_at] = size;
}

void
sizes_add(struct sizes *s, uint64_t size)
{
	uint32_t small = size < UINT32_MAX ? (uint32_t)size : UINT32_MAX;

	if (s->count < SIZES_MEMORY)
		add_to_memory(s, small);
	else
		add_to_file(s, small);
	s->count++;
}

/* What is being filled goes to the file first. */
static bool
read_block(struct sizes *s, uint64_t at)
{
	const size_t bytes = SIZES_BLOCK * sizeof(*s->block);
	ssize_t n;

	write_block(s);
	if (s->fd == FAILED)
		return false;
	s->block_at = at - at % SIZES_BLOCK;
	memset(s->block, 0, bytes);
	do
		n = pread(s->fd, s->block, bytes,
		    (off_t)(s->block_at * sizeof(*s->block)));
	while (n < 0 && errno == EINTR);
	return n >= 0;
}

uint64_t
sizes_get(struct sizes *s, uint32_t number)
{
	uint64_t at;

	if (number == 0 || number > s->count)
		return 0;
	if (number <= SIZES_MEMORY)
		return s->first[number - 1];
	at = place(number - 1);
	if (s->fd == FAILED)
		return 0;
	if ((at < s->block_at || at >= s->block_at + SIZES_BLOCK) &&
	    !read_block(s, at))
		return 0;
	return s->block[at - s->block_at];
}
