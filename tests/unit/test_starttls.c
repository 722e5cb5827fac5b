/* SPDX-License-Identifier: ISC */
#include "split.h"

#include "proto/starttls.h"

/* Turns of the server, separated by '|'; our turn is played in between.  What
 * stands behind the last turn comes in the same breath as its end. */
struct play {
	struct starttls s;
	const char *turns;
	size_t at;
	enum starttls_status status;
};

static void
start(void *ctx)
{
	struct play *p = ctx;

	p->at = 0;
	p->status = STARTTLS_WAIT;
	assert_true(starttls_init(&p->s, "me.example"));
}

static void
say(struct play *p, struct trail *t)
{
	struct span out = starttls_out(&p->s);

	if (out.n == 0)
		return;
	trail_text(t, "C", out);
	starttls_wrote(&p->s, out.n);
}

/* The input has no bars: it is cut where the turns end. */
static void
feed(void *ctx, struct span in, struct trail *t)
{
	struct play *p = ctx;

	while (in.n > 0) {
		size_t n = 0;

		while (n < in.n && p->turns[p->at + n] != '|')
			n++;
		p->status = starttls_recv(&p->s, span_make(in.p, n));
		in = span_skip(in, n);
		p->at += n;
		say(p, t);
		if (p->turns[p->at] == '|')
			p->at++;
	}
}

static void
finish(void *ctx, struct trail *t)
{
	struct play *p = ctx;

	if (p->status == STARTTLS_READY)
		trail_event(t, "ready");
	if (p->status == STARTTLS_FAILED)
		trail_event(t, "failed %u%s%s: %s", p->s.code,
		    p->s.refused_for_now ? " for now" : "",
		    p->s.injected ? " injected" : "", p->s.error);
	assert_true((p->status == STARTTLS_WAIT) ==
		    (starttls_wait_class(&p->s) != WAIT_NONE));
	starttls_free(&p->s);
}

static void
check(const char *turns, const char *expected)
{
	struct play p = { .turns = turns };
	struct trail_machine m = { &p, start, feed, finish };
	char in[1024];
	size_t n = 0;

	for (const char *c = turns; *c != '\0'; c++)
		if (*c != '|')
			in[n++] = *c;
	split_check(&m, span_make(in, n), expected);
}

#define EHLO "C: EHLO me.example\\r\\n\n"
#define STLS "C: STARTTLS\\r\\n\n"
#define HELLO "220 hi\r\n|250-me\r\n250-SIZE 9\r\n250 STARTTLS\r\n|"

static void
test_good(void **state)
{
	(void)state;
	check(HELLO "220 go\r\n", EHLO STLS "ready\n");
	check(
	    "220-a\r\n220 b\r\n|250-x\r\n250 starttls\r\n|220-go\r\n220 on\r\n",
	    EHLO STLS "ready\n");
	check("220 hi\n|250-x\n250-STARTTLS\n250 SIZE\n|220\n",
	    EHLO STLS "ready\n");
	check("220 hi\r\n|250-x\r\n", EHLO);
	check(HELLO "220-go\r\n220 on", EHLO STLS);
}

/* T12: there is no way around TLS. */
static void
test_refused(void **state)
{
	(void)state;
	check("554 no\r\n", "failed 554: the server refused the connection\n");
	check("421 full\r\n",
	    "failed 421 for now: the server refused the connection\n");
	check("220 hi\r\n|502 what\r\n",
	    EHLO "failed 502: the server refused EHLO\n");
	check("220 hi\r\n|451 later\r\n",
	    EHLO "failed 451 for now: the server refused EHLO\n");
	check("220 hi\r\n|250 STARTTLS\r\n",
	    EHLO "failed 0: the server does not offer STARTTLS\n");
	check("220 hi\r\n|250-x\r\n250-XXXXXXXX\r\n250 STARTTLSX\r\n",
	    EHLO "failed 0: the server does not offer STARTTLS\n");
	check(HELLO "454 no\r\n",
	    EHLO STLS "failed 454 for now: the server refused STARTTLS\n");
	check(HELLO "501 no\r\n",
	    EHLO STLS "failed 501: the server refused STARTTLS\n");
	check(HELLO "250 ok\r\n",
	    EHLO STLS "failed 250: the server refused STARTTLS\n");
	check(HELLO "354 go\r\n",
	    EHLO STLS "failed 354: the server refused STARTTLS\n");
}

/* T11: one byte behind the 220 is one too many, in one piece or two. */
static void
test_injected(void **state)
{
	static const char *const extra[] = { "x", "\r", "\n", "250-x\r\n",
		"250 AUTH PLAIN\r\n", "220 go\r\n", "\x16\x03\x03" };
	char turns[256];

	(void)state;
	for (size_t i = 0; i < sizeof(extra) / sizeof(extra[0]); i++) {
		(void)snprintf(
		    turns, sizeof(turns), "%s220 go\r\n%s", HELLO, extra[i]);
		check(turns,
		    EHLO STLS "failed 0 injected: bytes came behind the reply "
			      "to STARTTLS\n");
	}
}

static void
test_out_of_step(void **state)
{
	(void)state;
	check("* OK imap\r\n", "failed 0: what the server said is not SMTP\n");
	check("220-a\r\n250 b\r\n",
	    "failed 0: what the server said is not SMTP\n");
}

/* The reply to EHLO is there before EHLO was written. */
static void
test_early(void **state)
{
	struct starttls s;

	(void)state;
	assert_true(starttls_init(&s, "me"));
	assert_int_equal(
	    starttls_recv(&s, span_str("220 hi\r\n250-x\r\n")), STARTTLS_WAIT);
	assert_int_equal(
	    starttls_recv(&s, span_str("250 STARTTLS\r\n")), STARTTLS_FAILED);
	assert_int_equal(starttls_out(&s).n, 0);
	assert_false(s.injected);
	starttls_free(&s);
}

static void
test_bounds(void **state)
{
	static char big[10000];
	struct starttls s;
	char name[300];

	(void)state;
	memset(big, 'x', sizeof(big));
	assert_true(starttls_init(&s, "me"));
	assert_int_equal(
	    starttls_recv(&s, span_make(big, sizeof(big))), STARTTLS_FAILED);
	starttls_free(&s);
	memset(name, 'n', sizeof(name));
	for (size_t n = 250; n < sizeof(name); n++) {
		name[n] = '\0';
		assert_int_equal(starttls_init(&s, name), n < 256);
		starttls_free(&s);
		name[n] = 'n';
	}
	assert_false(starttls_init(&s, ""));
	assert_false(starttls_init(&s, "a b"));
	assert_false(starttls_init(&s, "a\r\nMAIL"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_injected),
		cmocka_unit_test(test_out_of_step),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests_name("starttls", tests, NULL, NULL);
}
