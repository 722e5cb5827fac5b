/* SPDX-License-Identifier: ISC */
#include "fake_source.h"

#include "relay/session.h"

struct fake_source fake_source;

static struct source *
fake_open(const struct session_owner *owner, bool read_only)
{
	if (fake_source.open)
		abort();
	trail_event(fake_source.trail, "open%s", read_only ? " read-only" : "");
	fake_source.open = true;
	fake_source.source.driver = &source_pop3_driver;
	fake_source.source.events = owner->events;
	fake_source.source.arg = owner->arg;
	return &fake_source.source;
}

static void
fake_list(struct source *s, uint64_t from)
{
	(void)s;
	trail_event(
	    fake_source.trail, "list from %llu", (unsigned long long)from);
}

static void
write_numbers(const char *what, const uint32_t *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		trail_event(fake_source.trail, "%s %u", what, numbers[i]);
}

static void
fake_fetch(struct source *s, const uint32_t *numbers, size_t n)
{
	(void)s;
	write_numbers("fetch", numbers, n);
}

static void
fake_remove(struct source *s, const uint32_t *numbers, size_t n)
{
	(void)s;
	write_numbers("remove", numbers, n);
}

static void
fake_quit(struct source *s)
{
	(void)s;
	trail_event(fake_source.trail, "quit");
}

static void
fake_close(struct source *s)
{
	(void)s;
	trail_event(fake_source.trail, "close");
	fake_source.open = false;
}

const struct source_driver source_pop3_driver = {
	.open = fake_open,
	.list = fake_list,
	.fetch = fake_fetch,
	.remove = fake_remove,
	.quit = fake_quit,
	.close = fake_close,
	.quit_commits = true,
	.protocol = "POP3S",
};

const struct source_driver source_imap_driver = {
	.open = fake_open,
	.list = fake_list,
	.fetch = fake_fetch,
	.remove = fake_remove,
	.quit = fake_quit,
	.close = fake_close,
	.protocol = "IMAPS",
};
