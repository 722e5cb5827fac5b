/* SPDX-License-Identifier: ISC */
#include "fake_source.h"

#include "conf/conf.h"
#include "relay/session.h"

struct fake_source fake_source;

static struct source *
fake_open(const struct session_owner *owner)
{
	if (fake_source.open)
		abort();
	trail_event(fake_source.trail, "open");
	fake_source.open = true;
	fake_source.source.driver = owner->account->protocol == CONF_POP3
	                                ? &source_pop3_driver
	                                : &source_imap_driver;
	fake_source.source.events = owner->events;
	fake_source.source.arg = owner->arg;
	return &fake_source.source;
}

static void
fake_select(struct source *s, const char *name,
    const struct conf_folder *folder, bool read_only)
{
	(void)s;
	(void)folder;
	trail_event(fake_source.trail, "select %s%s", name,
	    read_only ? " read-only" : "");
}

static void
fake_folders(struct source *s, const char *pattern)
{
	(void)s;
	trail_event(fake_source.trail, "folders %s", pattern);
}

static bool
fake_can_watch(const struct source *s)
{
	(void)s;
	return fake_source.can_watch;
}

static bool
fake_watch(struct source *s)
{
	(void)s;
	trail_event(fake_source.trail, "watch");
	return !fake_source.has_news;
}

static void
fake_unwatch(struct source *s)
{
	(void)s;
	trail_event(fake_source.trail, "unwatch");
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
fake_sizes(struct source *s, const uint32_t *numbers, size_t n)
{
	(void)s;
	write_numbers("size of", numbers, n);
}

static void
fake_fetch(struct source *s, const uint32_t *numbers, size_t n)
{
	(void)s;
	write_numbers("fetch", numbers, n);
}

static bool
fake_marks(struct source *s, uint64_t from)
{
	(void)s;
	trail_event(
	    fake_source.trail, "marks from %llu", (unsigned long long)from);
	return true;
}

static void
fake_mark(struct source *s, uint32_t number, enum source_mark what)
{
	(void)s;
	trail_event(fake_source.trail, "mark %u as %s", number,
	    what == SOURCE_SEEN ? "read" : "relayed");
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
fake_pause(struct source *s, bool paused)
{
	(void)s;
	trail_event(fake_source.trail, paused ? "pause" : "resume");
}

static void
fake_close(struct source *s)
{
	(void)s;
	trail_event(fake_source.trail, "close");
	fake_source.open = false;
}

#define BOTH                                                                   \
	.open = fake_open, .select = fake_select, .list = fake_list,           \
	.fetch = fake_fetch, .remove = fake_remove, .quit = fake_quit,         \
	.pause = fake_pause, .close = fake_close

const struct source_driver source_pop3_driver = {
	BOTH,
	.quit_commits = true,
	.protocol = "POP3S",
};

const struct source_driver source_imap_driver = {
	BOTH,
	.folders = fake_folders,
	.can_watch = fake_can_watch,
	.watch = fake_watch,
	.unwatch = fake_unwatch,
	.sizes = fake_sizes,
	.marks = fake_marks,
	.mark = fake_mark,
	.protocol = "IMAPS",
};
