/* SPDX-License-Identifier: ISC */
/*
 * The keeper of tokens, with a provider, a disk and clocks that do as they are
 * told; and the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/token.h"
#include "auth/token_file.h"
#include "auth/token_private.h"

#include "../fake/fake_loop.h"
#include "../fake/fake_provider.h"

#define START 1790000000
#define DAY (24 * 60 * 60)

static const struct token_identity ann = {
	.user = "ann@example.com",
	.client_id = "id",
	.scope = "mail",
	.token_url = "https://example.com/token",
};

struct scene {
	struct loop loop;
	char dir[64], tokens[80], name[TOKEN_NAME_SIZE];
	struct tokens *keeper;
	unsigned answers, faults, signed_in, signed_out, ending;
	char access[64]; /* the last */
	struct fault fault;
};

static void
on_access(void *arg, struct secret *access, const struct fault *f)
{
	struct scene *s = arg;
	struct span bytes;

	if (access == NULL) {
		s->fault = *f;
		s->faults++;
		return;
	}
	bytes = secret_reveal(access);
	snprintf(s->access, sizeof(s->access), "%.*s", (int)bytes.n, bytes.p);
	s->answers++;
	secret_free(&access);
}

static void
on_seen(void *arg, const struct token_identity *id, bool signed_in)
{
	struct scene *s = arg;

	assert_true(token_identity_same(id, &ann));
	s->signed_in += signed_in;
	s->signed_out += !signed_in;
}

static void
on_ending(void *arg, const struct token_identity *id, int64_t when)
{
	struct scene *s = arg;

	assert_true(token_identity_same(id, &ann));
	assert_true(when > time(NULL));
	s->ending++;
}

static void
restart(struct scene *s)
{
	const struct tokens_watcher w = {
		.seen = on_seen, .ending = on_ending, .arg = s
	};

	tokens_free(&s->keeper);
	s->keeper = tokens_new(&s->loop, s->dir);
	tokens_watch(s->keeper, &w);
}

static void
pass(struct scene *s, int64_t seconds)
{
	fake_loop_pass(&s->loop, seconds);
}

static struct token_job *
fetch(struct scene *s)
{
	struct token_job *j = token_fetch(s->keeper, &ann, on_access, s);

	pass(s, 0);
	return j;
}

static void
on_kept(void *arg, const struct fault *f)
{
	(void)arg;
	assert_null(f);
}

static void
sign_in(struct scene *s)
{
	struct oauth_answer a = { .outcome = OAUTH_GOOD, .expires_in = 3600 };

	a.access = secret_new(span_str("a1"));
	a.refresh = secret_new(span_str("r1"));
	tokens_take(s->keeper, &ann, &a, on_kept, s);
	pass(s, 0);
	assert_int_equal(s->signed_in, 0); /* not before it is on the disk */
	fake_disk_write(true);
	assert_int_equal(s->signed_in, 1);
}

static int
set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	fake_wall = START;
	memset(&fake_provider, 0, sizeof(fake_provider));
	fake_refresh_life = 0;
	fake_loop_init(&s->loop);
	fake_loop_pass(&s->loop, 1);
	strcpy(s->dir, "/tmp/test_token.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->tokens, sizeof(s->tokens), "%s/" TOKENS_DIR, s->dir);
	token_file_name(&ann, s->name);
	restart(s);
	*state = s;
	return 0;
}

static int
tear_down(void **state)
{
	struct scene *s = *state;
	char command[128];

	pass(s, 0);
	tokens_free(&s->keeper);
	snprintf(command, sizeof(command), "rm -rf %s", s->dir);
	assert_int_equal(system(command), 0);
	free(s);
	return 0;
}

/* What the file says now. */
static void
check_file(const struct scene *s, const char *refresh, bool asked)
{
	struct token_record r;
	struct fault f;

	assert_int_equal(
	    token_file_read(s->tokens, s->name, &r, &f), TOKEN_FILE_READ);
	assert_true(span_is(secret_reveal(r.refresh), refresh));
	assert_int_equal(r.asked != 0, asked);
	token_record_clear(&r);
}

/* A refresh until it is asked for. */
static struct token_job *
go_to_ask(struct scene *s)
{
	struct token_job *j = fetch(s);

	assert_true(fake_provider.writing && !fake_provider.asking);
	fake_disk_write(true);
	assert_true(fake_provider.asking);
	return j;
}

static void
test_nobody(void **state)
{
	struct scene *s = *state;
	struct fault f;

	assert_int_equal(token_standing(s->keeper, &ann, &f), TOKEN_NONE);
	fetch(s);
	assert_int_equal(s->faults, 1);
	assert_true(s->fault.sign_in && s->fault.login);
	assert_int_equal(s->fault.when, FAULT_NEVER);
	assert_int_equal(fake_provider.asked, 0);
	fetch(s);
	assert_int_equal(s->signed_out, 1); /* once */
}

static void
test_cached(void **state)
{
	struct scene *s = *state;
	struct stat st;

	sign_in(s);
	fetch(s);
	assert_string_equal(s->access, "a1");
	pass(s, 3600 - 301);
	fetch(s);
	assert_int_equal(s->answers, 2);
	restart(s); /* and another process uses it, too */
	fetch(s);
	assert_int_equal(s->answers, 3);
	assert_int_equal(fake_provider.asked, 0);
	assert_int_equal(stat(s->tokens, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

/* DURABLE BEFORE USED: mark, ask, keep, and only then it is handed out. */
static void
test_rotation(void **state)
{
	struct scene *s = *state;

	sign_in(s);
	pass(s, 3600 - 299);
	go_to_ask(s);
	check_file(s, "r1", true);
	assert_string_equal(
	    fake_provider.form, "grant_type=refresh_token&refresh_token=r1");
	fake_provider_tokens("a2", "r2", 3600);
	pass(s, 0);
	assert_int_equal(s->answers, 0);
	check_file(s, "r1", true);
	fake_disk_write(true);
	check_file(s, "r2", false);
	pass(s, 0);
	assert_string_equal(s->access, "a2");
	assert_false(tokens_busy(s->keeper));
}

static void
test_not_rotated(void **state)
{
	struct scene *s = *state;

	sign_in(s);
	pass(s, 3600);
	go_to_ask(s);
	fake_provider_tokens("a2", NULL, 3600);
	fake_disk_write(true);
	check_file(s, "r1", false);
}

/* Many wait, one asks. */
static void
test_single_flight(void **state)
{
	struct scene *s = *state;
	struct token_job *gone;

	sign_in(s);
	pass(s, 3600);
	fetch(s);
	gone = fetch(s);
	fake_disk_write(true);
	fetch(s);
	token_cancel(&gone);
	fake_provider_tokens("a2", "r2", 3600);
	fetch(s);
	fake_disk_write(true);
	pass(s, 0);
	assert_int_equal(s->answers, 3);
	assert_int_equal(fake_provider.asked, 1);
}

/* Nobody waits any more: what the provider gave is kept all the same. */
static void
test_cancelled(void **state)
{
	struct scene *s = *state;
	struct token_job *j;

	sign_in(s);
	pass(s, 3600);
	j = fetch(s);
	fake_disk_write(true);
	token_cancel(&j);
	assert_true(tokens_busy(s->keeper));
	fake_provider_tokens("a2", "r2", 3600);
	fake_disk_write(true);
	check_file(s, "r2", false);
	assert_int_equal(s->answers + s->faults, 0);
}

static void
test_dead(void **state)
{
	struct scene *s = *state;
	struct fault f;

	sign_in(s);
	pass(s, 3600);
	go_to_ask(s);
	fake_provider_error(OAUTH_SIGN_IN);
	pass(s, 0);
	assert_true(s->fault.sign_in && s->fault.login);
	assert_non_null(strstr(s->fault.text, "its words"));
	assert_null(strstr(s->fault.text, "interrupted"));
	assert_int_equal(s->signed_out, 1);
	fake_disk_write(true);
	fetch(s);
	assert_int_equal(s->faults, 2);
	restart(s);
	fetch(s);
	assert_int_equal(s->faults, 3);
	assert_non_null(strstr(s->fault.text, "its words"));
	assert_int_equal(fake_provider.asked, 1); /* once in all */
	assert_int_equal(token_standing(s->keeper, &ann, &f), TOKEN_OVER);
	s->signed_in = 0;
	sign_in(s);
	assert_int_equal(token_standing(s->keeper, &ann, &f), TOKEN_GOOD);
	fetch(s);
	assert_string_equal(s->access, "a1");
}

/* Killed between the provider's answer and the disk: the old one is tried, for
 * it may be good; if not, the words say what happened. */
static void
test_interrupted(void **state)
{
	struct scene *s = *state;
	struct token_job *j;

	sign_in(s);
	pass(s, 3600);
	j = go_to_ask(s);
	token_cancel(&j);
	restart(s);
	go_to_ask(s);
	assert_string_equal(
	    fake_provider.form, "grant_type=refresh_token&refresh_token=r1");
	fake_provider_error(OAUTH_SIGN_IN);
	pass(s, 0);
	assert_true(s->fault.sign_in);
	assert_non_null(strstr(s->fault.text, "was interrupted"));
	fake_disk_write(true);
}

static void
test_passing_trouble(void **state)
{
	struct scene *s = *state;
	struct fault f;

	sign_in(s);
	pass(s, 3600);
	go_to_ask(s);
	fake_provider_unreachable();
	pass(s, 0);
	assert_int_equal(s->fault.when, FAULT_LATER);
	assert_false(s->fault.login || s->fault.sign_in);
	assert_int_equal(token_standing(s->keeper, &ann, &f), TOKEN_GOOD);
	go_to_ask(s);
	fake_provider_error(OAUTH_CLIENT);
	fake_disk_write(true);
	pass(s, 0);
	assert_false(s->fault.sign_in);
	assert_int_equal(s->fault.when, FAULT_NEVER);
	assert_int_equal(s->signed_out, 0);
	check_file(s, "r1", false);
}

/* Nothing is asked that could not be kept; what was got is kept when it can
 * be, and not used before. */
static void
test_full_disk(void **state)
{
	struct scene *s = *state;

	sign_in(s);
	pass(s, 3600);
	fetch(s);
	fake_disk_write(false);
	pass(s, 0);
	assert_int_equal(s->faults, 1);
	assert_int_equal(fake_provider.asked, 0);
	fetch(s); /* it is written first, whatever it is */
	fake_disk_write(true);
	fake_disk_write(true);
	fake_provider_tokens("a2", "r2", 3600);
	fake_disk_write(false);
	pass(s, 0);
	assert_int_equal(s->faults, 2);
	fetch(s);
	fake_disk_write(false);
	pass(s, 0);
	assert_int_equal(s->faults, 3);
	pass(s, 60); /* by itself */
	fake_disk_write(true);
	check_file(s, "r2", false);
	fetch(s);
	assert_string_equal(s->access, "a2");
	assert_int_equal(fake_provider.asked, 1);
}

static void
refuse(struct scene *s, const char *access)
{
	struct secret *bytes = secret_new(span_str(access));

	token_refused(s->keeper, &ann, bytes);
	secret_free(&bytes);
}

static void
test_refused(void **state)
{
	struct scene *s = *state;

	sign_in(s);
	refuse(s, "something else");
	fetch(s);
	assert_string_equal(s->access, "a1");
	refuse(s, "a1");
	fake_disk_write(true);
	restart(s); /* another process does not try it either */
	go_to_ask(s);
	fake_provider_tokens("a2", "r2", 3600);
	fake_disk_write(true);
	refuse(s, "a1"); /* an old story */
	refuse(s, "a2");
	fake_disk_write(true);
	go_to_ask(s);
	fake_provider_tokens("a3", "r3", 3600);
	fake_disk_write(true);
	/* The third time is no accident, and asking again does not help. */
	refuse(s, "a3");
	assert_false(fake_provider.writing);
	fetch(s);
	assert_string_equal(s->access, "a3");
	assert_int_equal(fake_provider.asked, 2);
	pass(s, 601);
	refuse(s, "a3");
	fake_disk_write(true);
	go_to_ask(s);
	fake_provider_tokens("a4", "r4", 3600);
	fake_disk_write(true);
}

/* One refresh for a jump, never two. */
static void
test_clock(void **state)
{
	struct scene *s = *state;

	sign_in(s);
	fake_wall += 10 * 365 * (int64_t)DAY;
	go_to_ask(s);
	fake_provider_tokens("a2", "r2", 3600);
	fake_disk_write(true);
	pass(s, 0);
	fetch(s);
	fetch(s);
	assert_int_equal(fake_provider.asked, 1);
	fake_wall -= 10 * 365 * (int64_t)DAY;
	fetch(s);
	assert_int_equal(s->answers, 4);
	pass(s, 3600); /* an hour is an hour */
	go_to_ask(s);
	fake_provider_tokens("a3", "r3", 3600);
	fake_disk_write(true);
	fake_wall -= DAY;
	restart(s); /* from the future: who knows? */
	go_to_ask(s);
	fake_provider_tokens("a4", "r4", 3600);
	fake_disk_write(true);
	fetch(s);
	fetch(s);
	assert_int_equal(fake_provider.asked, 3);
}

/* A token that lives for seconds is handed out all the same, once it is got. */
static void
test_short_life(void **state)
{
	struct scene *s = *state;

	sign_in(s);
	pass(s, 3600);
	go_to_ask(s);
	fake_provider_tokens("a2", "r2", 1);
	fake_disk_write(true);
	pass(s, 0);
	assert_string_equal(s->access, "a2");
	pass(s, 2);
	go_to_ask(s);
	fake_provider_tokens("a3", "r3", 10);
	fake_disk_write(true);
	pass(s, 7);
	fetch(s);
	assert_string_equal(s->access, "a3");
	pass(s, 1);
	go_to_ask(s);
	fake_provider_unreachable();
}

/* The provider said when the refresh token ends: told in time, once. */
static void
test_ends(void **state)
{
	struct scene *s = *state;

	sign_in(s);
	assert_int_equal(token_ends(s->keeper, &ann), 0);
	pass(s, 3600);
	go_to_ask(s);
	fake_refresh_life = 7 * DAY;
	fake_provider_tokens("a2", "r2", 30 * DAY);
	fake_disk_write(true);
	pass(s, 3 * DAY);
	fetch(s);
	assert_int_equal(s->ending, 0);
	pass(s, 2 * DAY);
	fetch(s);
	fetch(s);
	assert_int_equal(s->ending, 1);
	assert_true(token_ends(s->keeper, &ann) > time(NULL));
	/* A new one, of which nothing is said. */
	fake_refresh_life = 0;
	refuse(s, "a2");
	fake_disk_write(true);
	go_to_ask(s);
	fake_provider_tokens("a3", "r3", 3600);
	fake_disk_write(true);
	assert_int_equal(token_ends(s->keeper, &ann), 0);
}

/* A sign-in comes in the middle of a refresh: it counts. */
static void
test_sign_in_wins(void **state)
{
	struct scene *s = *state;

	sign_in(s);
	pass(s, 3600);
	go_to_ask(s);
	s->signed_in = 0;
	sign_in(s);
	assert_false(fake_provider.asking);
	pass(s, 0);
	assert_int_equal(s->answers, 1);
	check_file(s, "r1", false);
}

static void
test_foreign_file(void **state)
{
	struct scene *s = *state;
	struct secret *text = secret_new(span_str("{\"version\": 1"));
	struct fault f;

	assert_true(token_file_write(s->tokens, s->name, text, &f));
	secret_free(&text);
	fetch(s);
	assert_true(s->fault.sign_in);
	assert_non_null(strstr(s->fault.text, "is no file of tokens"));
	sign_in(s);
	fetch(s);
	assert_string_equal(s->access, "a1");
}

/* Half of a new file is none, and changes nothing. */
static void
test_file(void **state)
{
	struct scene *s = *state;
	struct token_identity other = ann;
	struct token_record r;
	struct stat st;
	struct fault f;
	char path[160], name[TOKEN_NAME_SIZE];
	FILE *half;

	sign_in(s);
	snprintf(path, sizeof(path), "%s/%s", s->tokens, s->name);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	snprintf(path, sizeof(path), "%s/%s.new", s->tokens, s->name);
	assert_int_not_equal(access(path, F_OK), 0);
	half = fopen(path, "w");
	assert_non_null(half);
	fputs("{\"refresh_to", half);
	fclose(half);
	check_file(s, "r1", false);
	other.user = "ann@example.co";
	other.client_id = "mid";
	token_file_name(&other, name);
	assert_string_not_equal(name, s->name);
	assert_int_equal(
	    token_file_read(s->tokens, name, &r, &f), TOKEN_FILE_ABSENT);
	snprintf(path, sizeof(path), "%s/%s", s->tokens, name);
	assert_int_equal(symlink(s->name, path), 0);
	assert_int_equal(
	    token_file_read(s->tokens, name, &r, &f), TOKEN_FILE_BAD);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_nobody),
		T(test_cached),
		T(test_rotation),
		T(test_not_rotated),
		T(test_single_flight),
		T(test_cancelled),
		T(test_dead),
		T(test_interrupted),
		T(test_passing_trouble),
		T(test_full_disk),
		T(test_refused),
		T(test_clock),
		T(test_short_life),
		T(test_ends),
		T(test_sign_in_wins),
		T(test_foreign_file),
		T(test_file),
	};

	return cmocka_run_group_tests_name("token", tests, NULL, NULL);
}
