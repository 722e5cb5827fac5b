/* SPDX-License-Identifier: ISC */
#include "proto/pop3.h"

#include "../run_pop3.h"
#include "split.h"

static void
check_bytes(const char *script, struct span in, const char *expected)
{
	struct run_pop3 r = { .script = script };
	struct trail_machine m = run_pop3_machine(&r);

	split_check(&m, in, expected);
}

static void
check(const char *script, const char *in, const char *expected)
{
	check_bytes(script, span_str(in), expected);
}

#define HI "+OK hi\r\n"
#define HELLO "0.0 ok: hi\n"

static void
test_P1_greeting(void **state)
{
	(void)state;
	check("", "+OK\r\n", "0.0 ok: \nleft 0\n");
	check("", "+OK <1.2@x>\n", "0.0 ok: <1.2@x>\nleft 0\n");
	check("", "-ERR\r\n", "0.0 err: \nleft 0\n");
	check("", "-ERR [SYS/TEMP] later\r\n",
	    "0.0 err temp: [SYS/TEMP] later\nleft 0\n");
	check("", "\r\n", "error: reply is neither +OK nor -ERR\nleft 1\n");
	check("", "* OK IMAP\r\n",
	    "error: reply is neither +OK nor -ERR\nleft 1\n");
	check("", "+OK no end", "left 1\n");
}

static void
test_P2_login_codes(void **state)
{
	(void)state;
	check("up", HI "+OK\r\n-ERR [AUTH] no\r\n",
	    HELLO "2.0 ok: \n3.0 err auth: [AUTH] no\nleft 0\n");
	check("up", HI "+OK\r\n-ERR no\r\n",
	    HELLO "2.0 ok: \n3.0 err: no\nleft 0\n");
	check("p", HI "-ERR [sys/perm] x\r\n",
	    HELLO "3.0 err perm: [sys/perm] x\nleft 0\n");
	check("p", HI "-ERR [SYS/TEMP/QUOTA] x\r\n",
	    HELLO "3.0 err temp: [SYS/TEMP/QUOTA] x\nleft 0\n");
	check("p", HI "-ERR [AUTHX] x\r\n",
	    HELLO "3.0 err other: [AUTHX] x\nleft 0\n");
	check("p", HI "-ERR [AUTH x\r\n", HELLO "3.0 err: [AUTH x\nleft 0\n");
}

static void
test_P3_in_use(void **state)
{
	(void)state;
	check("p", HI "-ERR [IN-USE] locked\r\n",
	    HELLO "3.0 err in-use: [IN-USE] locked\nleft 0\n");
}

static void
test_P4_login_delay(void **state)
{
	(void)state;
	check("p", HI "-ERR [LOGIN-DELAY] wait\r\n",
	    HELLO "3.0 err login-delay: [LOGIN-DELAY] wait\nleft 0\n");
}

static void
test_P5_capa(void **state)
{
	(void)state;
	check("cn", HI "-ERR what?\r\n+OK\r\n",
	    HELLO "1.0 err: what?\n10.0 ok: \nleft 0\n");
	check("c",
	    HI "+OK\r\nTOP\r\nUIDL\r\nuser\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\n"
	       "PIPELINING\r\nEXPIRE 0 USER\r\nLOGIN-DELAY 900 USER\r\n"
	       "SASL plain LOGIN  PLAIN b\"d\r\nX-LONG a b c\r\n.\r\n",
	    HELLO "1.0 ok: \nend 1.0 0\ncaps uidl user pipelining top resp "
		  "auth expire-0 delay=1:900 sasl=PLAIN LOGIN\nleft 0\n");
	check("c", HI "+OK\r\nEXPIRE NEVER\r\nLOGIN-DELAY 4294967296\r\n.\r\n",
	    HELLO "1.0 ok: \nend 1.0 0\ncaps delay=0:0 sasl=\nleft 0\n");
	/* No list before its end. */
	check("c", HI "+OK\r\nUIDL\r\n", HELLO "1.0 ok: \nleft 1\n");
}

static void
test_P6_stat(void **state)
{
	(void)state;
	check("s", HI "+OK 2 320\r\n",
	    HELLO "5.0 ok: 2 320\nstat 2 320\nleft 0\n");
	check("s", HI "+OK 0 0 extra\r\n",
	    HELLO "5.0 ok: 0 0 extra\nstat 0 0\nleft 0\n");
	check("s", HI "-ERR no\r\n", HELLO "5.0 err: no\nleft 0\n");
	for (const char *const *bad = (const char *const[]){ "+OK\r\n",
		 "+OK 1\r\n", "+OK -1 5\r\n", "+OK 4294967295 1\r\n",
		 "+OK 1 9223372036854775808\r\n", "+OK 1 0x10\r\n", NULL };
	     *bad != NULL; bad++) {
		char in[80];

		(void)snprintf(in, sizeof(in), HI "%s", *bad);
		check("s", in,
		    HELLO "error: reply to STAT without two numbers\n"
			  "left 1\n");
	}
}

static void
test_P7_listing_without_end(void **state)
{
	(void)state;
	check("i", HI "+OK\r\n1 a\r\n2 b\r\n",
	    HELLO "6.0 ok: \nitem 1 0: a\nitem 2 0: b\nleft 1\n");
	check("i", HI "+OK\r\n1 a\r\n.\r\n",
	    HELLO "6.0 ok: \nitem 1 0: a\nend 6.0 1\nleft 0\n");
	check("l", HI "+OK 1 message\r\n1 120\r\n5 7 x\r\n.\r\n",
	    HELLO "7.0 ok: 1 message\nitem 1 120: 120\nitem 5 7: 7 x\n"
		  "end 7.0 2\nleft 0\n");
}

static void
test_P13_odd_uidl(void **state)
{
	char in[1024], expected[1024], uid[601];

	(void)state;
	check("i", HI "+OK\r\n1\r\n2 \r\n3  a b\r\n4 \xff\x01\r\n..5\r\n",
	    HELLO "6.0 ok: \nitem 1 0: \nitem 2 0: \nitem 3 0:  a b\n"
		  "item 4 0: \\xff\\x01\n"
		  "error: listing with a wrong message number\nleft 1\n");
	memset(uid, 'u', 600);
	uid[600] = '\0';
	(void)snprintf(in, sizeof(in), HI "+OK\r\n1 %s\r\n", uid);
	(void)snprintf(expected, sizeof(expected),
	    HELLO "6.0 ok: \nitem 1 0: %s\nleft 1\n", uid);
	check("i", in, expected);
}

static void
test_P14_wrong_numbers(void **state)
{
	static const char *const bad[] = { "0 a", "-1 a", "+1 a", "x", "",
		" 1 a", "1\ta", "2147483648 a", "4294967297 a",
		"99999999999999999999 a", "1 a\r\n1 b", "2 a\r\n1 b" };
	char in[128];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(in, sizeof(in), HI "+OK\r\n%s\r\n", bad[i]);
		check("i", in,
		    strchr(bad[i], '\n') == NULL ? HELLO
			"6.0 ok: \n"
			"error: listing with a wrong message number\n"
			"left 1\n"
		    : bad[i][0] == '1'
			? HELLO "6.0 ok: \nitem 1 0: a\n"
				"error: listing with a wrong message number\n"
				"left 1\n"
			: HELLO "6.0 ok: \nitem 2 0: a\n"
				"error: listing with a wrong message number\n"
				"left 1\n");
	}
	check("l", HI "+OK\r\n1 -5\r\n",
	    HELLO "7.0 ok: \nerror: listing with a wrong size\nleft 1\n");
}

static void
test_P16_retr(void **state)
{
	(void)state;
	check("rrn",
	    HI "-ERR gone\r\n+OK 9 octets\r\nA: b\r\n\r\n..c\r\n.\r\n+OK\r\n",
	    HELLO "8.7 err: gone\n8.7 ok: 9 octets\nbody: A: b\\r\\n\\r\\n.c"
		  "\\r\\n\nend 8.7 0\n10.0 ok: \nleft 0\n");
	check("r", HI "+OK\r\n.\r\n", HELLO "8.7 ok: \nend 8.7 0\nleft 0\n");
}

static void
test_top(void **state)
{
	(void)state;
	check("t", HI "+OK\r\nA: b\r\n\r\n.\r\n",
	    HELLO "13.7 ok: \nbody: A: b\\r\\n\\r\\n\nend 13.7 0\nleft 0\n");
	check("t", HI "-ERR no\r\n", HELLO "13.7 err: no\nleft 0\n");
}

static void
test_P18_message_ends_early(void **state)
{
	(void)state;
	check("rn", HI "+OK\r\na\r\n.\r\nrest of it\r\n.\r\n",
	    HELLO "8.7 ok: \nbody: a\\r\\n\nend 8.7 0\n"
		  "error: reply is neither +OK nor -ERR\nleft 1\n");
}

static void
test_P19_only_crlf_dot_crlf_ends(void **state)
{
	(void)state;
	check("r", HI "+OK\r\na\n.\r\nb\r.\r\nc\n.\nd\r\n.\re\r\n.\r\n",
	    HELLO "8.7 ok: \nbody: a\\n.\\r\\nb\\r.\\r\\nc\\n.\\nd\\r\\n\\re"
		  "\\r\\n\nend 8.7 0\nleft 0\n");
}

static void
test_P21_dele_P22_quit(void **state)
{
	(void)state;
	check("dq", HI "-ERR no\r\n-ERR some left\r\n",
	    HELLO "9.7 err: no\n12.0 err: some left\nleft 0\n");
}

static void
test_P26_out_of_turn(void **state)
{
	(void)state;
	check("r", HI "+OK\r\n.\r\nx",
	    HELLO "8.7 ok: \nend 8.7 0\n"
		  "error: server speaks without being asked\nleft 0\n");
}

static void
test_P27_long_line(void **state)
{
	char in[POP3_LINE_MAX + 64];

	(void)state;
	memset(in, 'x', sizeof(in));
	memcpy(in, "-ERR ", 5);
	check_bytes("", span_make(in, sizeof(in)),
	    "error: line without an end\nleft 1\n");
	check("", "-ERR a\x1b[1m\x01\r\n", "0.0 err: a\\x1b[1m\\x01\nleft 0\n");
}

static void
test_auth(void **state)
{
	(void)state;
	check("a", HI "+ \r\n+OK in\r\n",
	    HELLO "challenge: \n4.0 ok: in\nleft 0\n");
	check("an", HI "+\r\n-ERR [AUTH] no\r\n",
	    HELLO "refused n\nchallenge: \n4.0 err auth: [AUTH] no\nleft 0\n");
	check("a", HI "+x\r\n",
	    HELLO "error: reply is neither +OK nor -ERR\nleft 1\n");
	check("u", HI "+ \r\n",
	    HELLO "error: reply is neither +OK nor -ERR\nleft 1\n");
}

static void
greet(struct pop3 *m)
{
	struct pop3_event e;

	pop3_init(m);
	assert_int_equal(pop3_recv(m, span_str(HI)), 8);
	assert_true(pop3_next(m, &e));
}

static void
assert_out(struct pop3 *m, const char *expected)
{
	assert_true(span_is(pop3_out(m), expected));
	pop3_wrote(m, pop3_out(m).n);
}

static void
test_commands(void **state)
{
	struct pop3 m;

	(void)state;
	pop3_init(&m);
	assert_false(pop3_simple(&m, POP3_CAPA));
	assert_int_equal(pop3_wait_class(&m), WAIT_GREETING);
	pop3_free(&m);
	greet(&m);
	assert_string_equal(pop3_phase(&m), "idle");
	assert_int_equal(pop3_wait_class(&m), WAIT_NONE);
	assert_true(pop3_user(&m, span_str("a b")));
	assert_out(&m, "USER a b\r\n");
	assert_string_equal(pop3_phase(&m), "login");
	assert_true(pop3_numbered(&m, POP3_RETR, 2147483647));
	assert_out(&m, "RETR 2147483647\r\n");
	assert_true(pop3_simple(&m, POP3_UIDL));
	assert_out(&m, "UIDL\r\n");
	assert_true(pop3_numbered(&m, POP3_TOP, 12));
	assert_out(&m, "TOP 12 0\r\n");
	assert_false(pop3_simple(&m, POP3_RETR));
	assert_false(pop3_simple(&m, POP3_GREETING));
	assert_false(pop3_numbered(&m, POP3_RETR, 0));
	assert_false(pop3_numbered(&m, POP3_LIST, 1));
	assert_true(pop3_auth(&m, "PLAIN", span_str("AAA=")));
	assert_out(&m, "AUTH PLAIN AAA=\r\n");
	assert_int_equal(pop3_outstanding(&m), 5);
	pop3_free(&m);
}

static void
test_window(void **state)
{
	struct pop3 m;
	unsigned n = 0;

	(void)state;
	greet(&m);
	while (pop3_numbered(&m, POP3_DELE, 1))
		n++;
	assert_int_equal(n, POP3_WINDOW);
	pop3_free(&m);
}

static void
test_secret_is_wiped(void **state)
{
	struct pop3 m;
	const char *at;

	(void)state;
	greet(&m);
	assert_true(pop3_user(&m, span_str("me")));
	assert_false(m.out.secret);
	assert_true(pop3_pass(&m, span_str("hunter2")));
	assert_true(m.out.secret);
	at = pop3_out(&m).p;
	pop3_wrote(&m, 12);
	assert_true(m.out.secret);
	pop3_wrote(&m, pop3_out(&m).n);
	assert_false(m.out.secret);
	for (size_t i = 0; i < 24; i++)
		assert_int_equal(at[i], 0);
	assert_true(pop3_simple(&m, POP3_STAT));
	assert_false(m.out.secret);
	pop3_free(&m);
}

static void
test_arguments_stay_in_their_line(void **state)
{
	struct pop3 m;

	(void)state;
	greet(&m);
	for (int c = 0; c < 256; c++) {
		char arg[3] = { 'a', (char)c, 'b' };
		struct span s = span_make(arg, 3);
		bool fine = c >= 0x20 && c != 0x7f;
		struct pop3 copy;

		greet(&copy);
		assert_int_equal(pop3_user(&copy, s), fine);
		assert_int_equal(pop3_pass(&copy, s), fine);
		assert_int_equal(pop3_auth(&copy, "X", s), fine);
		assert_int_equal(pop3_outstanding(&copy), fine ? 3 : 0);
		assert_true(fine || pop3_out(&copy).n == 0);
		pop3_free(&copy);
	}
	assert_false(pop3_auth(&m, "X\r\nQUIT", span_str("")));
	pop3_free(&m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_P1_greeting),
		cmocka_unit_test(test_P2_login_codes),
		cmocka_unit_test(test_P3_in_use),
		cmocka_unit_test(test_P4_login_delay),
		cmocka_unit_test(test_P5_capa),
		cmocka_unit_test(test_P6_stat),
		cmocka_unit_test(test_P7_listing_without_end),
		cmocka_unit_test(test_P13_odd_uidl),
		cmocka_unit_test(test_P14_wrong_numbers),
		cmocka_unit_test(test_P16_retr),
		cmocka_unit_test(test_top),
		cmocka_unit_test(test_P18_message_ends_early),
		cmocka_unit_test(test_P19_only_crlf_dot_crlf_ends),
		cmocka_unit_test(test_P21_dele_P22_quit),
		cmocka_unit_test(test_P26_out_of_turn),
		cmocka_unit_test(test_P27_long_line),
		cmocka_unit_test(test_auth),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_secret_is_wiped),
		cmocka_unit_test(test_arguments_stay_in_their_line),
	};

	return cmocka_run_group_tests_name("pop3", tests, NULL, NULL);
}
