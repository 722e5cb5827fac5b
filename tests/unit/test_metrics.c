/* SPDX-License-Identifier: ISC */
/*
 * The exposition of a daemon that the test makes up.  Its form is held against
 * the rules of the format here, and against promtool where there is one.
 */
#include "daemon/metrics.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/buffer.h>

#include "daemon/view.h"
#include "store_fixture.h"

/* --- the daemon */

static const struct tally_account tally = {
	.relayed = 7,
	.held = 2,
	.duplicates = 1,
	.polls = 10,
	.polls_failed = 3,
	.fetched_bytes = 123456789012,
};
static const struct tally_destination replies = {
	.replies = { [TALLY_DOT] = { 7, 1, 2 } },
	.relay = { .bucket = { 1, 2, [11] = 1 }, .count = 4, .sum = 2500000 },
};

size_t
view_accounts(const struct supervisor *s)
{
	return s != NULL ? 2 : 0;
}

void
view_account(const struct supervisor *s, size_t i, struct view_account *v_r)
{
	static const struct view_account accounts[] = {
		{ .name = "work",
		    .protocol = "imap",
		    .state = "polling",
		    .failures = 2, /* it is tried again just now */
		    .last_success = 1700000000,
		    .tally = &tally,
		    .nmailboxes = 3 },
		{ .name = "a\"b\\c\nd",
		    .protocol = "pop3",
		    .state = "asks",
		    .failures = 1,
		    .nmailboxes = 1 },
	};

	assert_non_null(s);
	*v_r = accounts[i];
}

void
view_mailbox(const struct supervisor *s, size_t account, size_t i,
    struct view_mailbox *v_r)
{
	assert_non_null(s);
	*v_r = (struct view_mailbox){ .folder = "INBOX", .doing = "idle" };
	if (account == 0 && i == 0)
		v_r->watching = true;
	if (account == 0 && i == 1)
		v_r->doing = "listing";
}

size_t
view_destinations(const struct supervisor *s)
{
	return s != NULL ? 1 : 0;
}

void
view_destination(
    const struct supervisor *s, size_t i, struct view_destination *v_r)
{
	assert_non_null(s);
	assert_int_equal(i, 0);
	*v_r = (struct view_destination){
		.name = "home",
		.state = "sending",
		.failures = 1,
		.connections = 4,
		.tally = &replies,
	};
}

/* --- the text */

struct scrape {
	struct world world;
	struct evbuffer *out;
	const char *text;
};

static void
scrape(struct scrape *s, const void *daemon)
{
	static char work[] = "work", odd[] = "a\"b\\c\nd", gone[] = "gone";
	static const struct metrics_mail mail[] = {
		{ .account = work, .held = 2 },
		{ .account = work, .in_doubt = 1, .oldest = 1000 },
		{ .account = work, .oldest = 1500 },
		{ .account = odd, .held = 2 },
		{ .account = gone, .held = 1, .oldest = 1 },
	};
	struct metrics_source src = {
		.supervisor = daemon,
		.store = s->world.store,
		.mail = mail,
		.nmail = daemon != NULL ? 5 : 0,
		.now = 1600,
	};

	metrics_write(&src, s->out);
	evbuffer_add(s->out, "", 1);
	s->text = (const char *)evbuffer_pullup(s->out, -1);
}

static int
setup(void **state)
{
	static struct scrape s;

	world_init(&s.world);
	world_open(&s.world);
	s.out = evbuffer_new();
	*state = &s;
	return 0;
}

static int
teardown(void **state)
{
	struct scrape *s = *state;

	evbuffer_free(s->out);
	world_free(&s->world);
	return 0;
}

static void
assert_line(const struct scrape *s, const char *line)
{
	char with_ends[256];

	snprintf(with_ends, sizeof(with_ends), "\n%s\n", line);
	if (strstr(s->text, with_ends) == NULL)
		fail_msg("no line %s in:\n%s", line, s->text);
}

static const char daemon_object; /* only its address counts */

static void
test_values(void **state)
{
	static const char *const lines[] = {
		"mailhaul_messages_total{account=\"work\",result=\"relayed\"} "
		"7",
		"mailhaul_messages_total{account=\"work\",result=\"held\"} 2",
		"mailhaul_messages_total{account=\"work\","
		"result=\"possible_duplicate\"} 1",
		"mailhaul_messages_total{account=\"a\\\"b\\\\c\\nd\","
		"result=\"relayed\"} 0",
		"mailhaul_polls_total{account=\"work\",result=\"ok\"} 7",
		"mailhaul_polls_total{account=\"work\",result=\"failed\"} 3",
		"mailhaul_last_success_timestamp_seconds{account=\"work\"} "
		"1700000000",
		"mailhaul_account_paused{account=\"work\",reason=\"failure\"} "
		"1",
		"mailhaul_account_paused{account=\"work\",reason=\"hand\"} 0",
		"mailhaul_account_paused{account=\"a\\\"b\\\\c\\nd\","
		"reason=\"failure\"} 0",
		"mailhaul_account_paused{account=\"a\\\"b\\\\c\\nd\","
		"reason=\"question\"} 1",
		"mailhaul_fetched_bytes_total{account=\"work\"} 123456789012",
		"mailhaul_held 5",
		"mailhaul_indoubt 1",
		"mailhaul_oldest_unrelayed_age_seconds{account=\"work\"} 600",
		"mailhaul_oldest_unrelayed_age_seconds{account="
		"\"a\\\"b\\\\c\\nd\"} 0",
		"mailhaul_smtp_replies_total{route=\"home\",class=\"4\","
		"stage=\"dot\"} 1",
		"mailhaul_route_paused{route=\"home\",reason=\"failure\"} 1",
		"mailhaul_route_paused{route=\"home\",reason=\"hand\"} 0",
		"mailhaul_relay_duration_seconds_bucket{route=\"home\","
		"le=\"0.01\"} 1",
		"mailhaul_relay_duration_seconds_bucket{route=\"home\","
		"le=\"0.03\"} 3",
		"mailhaul_relay_duration_seconds_bucket{route=\"home\","
		"le=\"1000\"} 3",
		"mailhaul_relay_duration_seconds_bucket{route=\"home\","
		"le=\"+Inf\"} 4",
		"mailhaul_relay_duration_seconds_sum{route=\"home\"} 2.5",
		"mailhaul_relay_duration_seconds_count{route=\"home\"} 4",
		"mailhaul_sessions{proto=\"imap\"} 2",
		"mailhaul_sessions{proto=\"pop3\"} 0",
		"mailhaul_sessions{proto=\"smtp\"} 4",
		"mailhaul_log_dropped_total 0",
		"# TYPE mailhaul_commit_duration_seconds histogram",
		"# TYPE process_open_fds gauge",
	};
	struct scrape *s = *state;

	scrape(s, &daemon_object);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_line(s, lines[i]);
	/* An account that never worked has no time of a success. */
	assert_null(strstr(s->text, "timestamp_seconds{account=\"a"));
}

/* --- the form */

struct form {
	char family[128], type[16];
	char seen[64][128]; /* families */
	size_t nseen;
	char *series[512];
	size_t nseries;
};

static void
take_help(struct form *f, const char *line)
{
	assert_int_equal(sscanf(line, "# HELP %127s", f->family), 1);
	assert_true(strlen(line) > 8 + strlen(f->family));
	for (size_t i = 0; i < f->nseen; i++)
		assert_string_not_equal(f->seen[i], f->family);
	strcpy(f->seen[f->nseen++], f->family);
	f->type[0] = '\0';
}

static void
take_type(struct form *f, const char *line)
{
	char name[128];

	assert_int_equal(sscanf(line, "# TYPE %127s %15s", name, f->type), 2);
	assert_string_equal(name, f->family);
	if (strcmp(f->type, "counter") == 0)
		assert_string_equal(name + strlen(name) - 6, "_total");
	else
		assert_true(strcmp(f->type, "gauge") == 0 ||
			    strcmp(f->type, "histogram") == 0);
}

/* Behind the labels; only \\, \" and \n may be escaped. */
static const char *
skip_labels(const char *p)
{
	while (*p == '{' || *p == ',') {
		p += 1 + strspn(p + 1, "abcdefghijklmnopqrstuvwxyz");
		assert_memory_equal(p, "=\"", 2);
		for (p += 2; *p != '"'; p++)
			if (*p == '\\')
				assert_non_null(strchr("\\\"n", *++p));
		p++;
	}
	return *p == '}' ? p + 1 : p;
}

static void
take_sample(struct form *f, const char *line)
{
	size_t name = strcspn(line, "{ "), family = strlen(f->family);
	const char *p = skip_labels(line + name);
	char *end;

	assert_string_not_equal(f->type, "");
	assert_memory_equal(line, f->family, family);
	if (strcmp(f->type, "histogram") != 0)
		assert_int_equal(name, family);
	assert_int_equal(*p, ' ');
	errno = 0;
	assert_true(strtod(p + 1, &end) >= 0);
	assert_int_equal(errno, 0);
	assert_int_equal(*end, '\0');
	f->series[f->nseries] = strndup(line, (size_t)(p - line));
	for (size_t i = 0; i < f->nseries; i++)
		assert_string_not_equal(f->series[i], f->series[f->nseries]);
	f->nseries++;
	assert_true(f->nseries < 512 && f->nseen < 64);
}

static void
test_form(void **state)
{
	static struct form f;
	struct scrape *s = *state;
	char *copy, *rest, *line;

	scrape(s, &daemon_object);
	assert_int_equal(s->text[strlen(s->text) - 1], '\n');
	rest = copy = strdup(s->text);
	while ((line = strsep(&rest, "\n")) != NULL && rest != NULL)
		if (strncmp(line, "# HELP ", 7) == 0)
			take_help(&f, line);
		else if (line[0] == '#')
			take_type(&f, line);
		else
			take_sample(&f, line);
	assert_true(f.nseen > 20);
	for (size_t i = 0; i < f.nseries; i++)
		free(f.series[i]);
	free(copy);
}

static void
check_with_promtool(const char *text)
{
	FILE *p = popen("promtool check metrics", "w");

	assert_non_null(p);
	fputs(text, p);
	assert_int_equal(pclose(p), 0);
}

static void
test_promtool(void **state)
{
	struct scrape *s = *state;

	/* A skipped test is no success to the driver. */
	if (system("promtool --version >/dev/null 2>&1") != 0)
		return;
	scrape(s, &daemon_object);
	check_with_promtool(s->text);
}

/* Before the first account is there. */
static void
test_nothing(void **state)
{
	struct scrape *s = *state;

	scrape(s, NULL);
	assert_line(s, "mailhaul_held 0");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_values),
		TEST(test_form),
		TEST(test_promtool),
		TEST(test_nothing),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
