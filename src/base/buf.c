/* SPDX-License-Identifier: ISC */
#include "base/buf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/secret.h"

#define BUF_FIRST 64
#define BUF_LINE 120

void
buf_init(struct buf *b, size_t ceiling)
{
	*b = (struct buf){ .ceiling = ceiling };
}

static void
release(struct buf *b)
{
	if (b->secret && b->mem != NULL)
		secret_wipe(b->mem, b->cap + 1);
	free(b->mem);
}

void
buf_free(struct buf *b)
{
	release(b);
	b->mem = NULL;
	b->head = b->len = b->cap = 0;
}

/* Memory may pass the ceiling by a quarter: were it full to the last byte,
 * each small drop would be followed by a move of everything. */
static size_t
next_cap(const struct buf *b, size_t need)
{
	size_t slack = b->ceiling / 4;
	size_t most = b->ceiling < SIZE_MAX / 2 ? b->ceiling + slack : need;
	size_t cap = b->cap < BUF_FIRST ? BUF_FIRST : b->cap;

	while (cap < need || cap == b->cap)
		cap = cap < SIZE_MAX / 2 ? cap * 2 : need;
	return cap < most ? cap : most;
}

/* Makes n bytes of room behind the queue; the ceiling was looked at. */
static void
reserve(struct buf *b, size_t n)
{
	size_t need = b->len + n, cap;
	char *mem;

	if (b->mem != NULL && b->cap - b->head >= need)
		return;
	/* What is moved is no more than a small multiple of what was dropped,
	 * so the cost per byte stays constant. */
	if (b->mem != NULL && b->cap >= need && b->head >= b->cap / 8) {
		memmove(b->mem, b->mem + b->head, b->len);
		if (b->secret)
			secret_wipe(b->mem + b->len, b->head);
		b->head = 0;
		return;
	}
	cap = next_cap(b, need);
	mem = mem_alloc(cap + 1); /* one more: vsnprintf() writes a NUL */
	if (b->len > 0)
		memcpy(mem, b->mem + b->head, b->len);
	release(b);
	b->mem = mem;
	b->cap = cap;
	b->head = 0;
}

bool
buf_add(struct buf *b, struct span s)
{
	if (s.n > buf_room(b))
		return false;
	if (s.n == 0)
		return true;
	reserve(b, s.n);
	memcpy(b->mem + b->head + b->len, s.p, s.n);
	b->len += s.n;
	return true;
}

bool
buf_addf(struct buf *b, const char *fmt, ...)
{
	size_t room = buf_room(b), ready;
	va_list ap;
	int n;

	/* Most is short, and formatted once. */
	reserve(b, room < BUF_LINE ? room : BUF_LINE);
	ready = b->cap - b->head - b->len;
	va_start(ap, fmt);
	n = vsnprintf(b->mem + b->head + b->len, ready + 1, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n > room)
		return false;
	if ((size_t)n > ready) {
		reserve(b, (size_t)n);
		va_start(ap, fmt);
		(void)vsnprintf(
		    b->mem + b->head + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
	return true;
}

struct span
buf_span(const struct buf *b)
{
	return span_make(b->len > 0 ? b->mem + b->head : "", b->len);
}

size_t
buf_room(const struct buf *b)
{
	return b->ceiling - b->len;
}

void
buf_drop(struct buf *b, size_t n)
{
	if (n == 0)
		return;
	if (b->secret)
		secret_wipe(b->mem + b->head, n);
	b->head += n;
	b->len -= n;
	if (b->len == 0)
		b->head = 0;
}
