/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/secret.h"
#include "conf/fetchmail.h"
#include "conf/fetchmail_lex.h"

/* --- words -------------------------------------------------------------- */

static const char *const kinds[] = {
	[FETCHMAIL_END] = "end",
	[FETCHMAIL_WORD] = "word",
	[FETCHMAIL_STRING] = "string",
	[FETCHMAIL_NUMBER] = "number",
	[FETCHMAIL_STAR] = "star",
	[FETCHMAIL_EQUALS] = "equals",
	[FETCHMAIL_BAD] = "bad",
};

/* "word:poll string:a b" ... */
static char *
lex(struct span text)
{
	struct fetchmail_token *t = mem_alloc(sizeof(*t));
	struct fetchmail_lex l;
	char *out;
	size_t n;
	FILE *f = open_memstream(&out, &n);

	fetchmail_lex_init(&l, text);
	do {
		fetchmail_lex_next(&l, t);
		if (t->kind == FETCHMAIL_END)
			break;
		fprintf(f, "%s%s:%s", ftell(f) > 0 ? "|" : "", kinds[t->kind],
		    t->text);
	} while (t->kind != FETCHMAIL_BAD);
	fclose(f);
	free(t);
	return out;
}

static const struct {
	const char *text, *words;
} word_table[] = {
	{ "", "" },
	{ " \t\r\n;:,", "" },
	{ "# poll\n poll", "word:poll" },
	{ "# poll", "" },
	{ "a#b", "word:a#b" },
	{ "poll a.b proto pop3:", "word:poll|word:a.b|word:proto|word:pop3" },
	{ "with poll and has wants options x", "word:poll|word:x" },
	/* Behind user, pass, is, to and = a keyword is a name. */
	{ "user user", "word:user|string:user" },
	{ "user with x", "word:user|string:with|word:x" },
	{ "pass, keep keep", "word:pass|string:keep|word:keep" },
	{ "is a b", "word:is|string:a|word:b" },
	{ "is *", "word:is|star:*" },
	{ "is *a", "word:is|string:*a" },
	{ "to a=user b", "word:to|string:a|equals:|string:user|word:b" },
	{ "pass 123", "word:pass|string:123" },
	{ "pass #x\ny", "word:pass|string:y" },
	/* password as a mechanism is no option */
	{ "auth password user", "word:auth|word:password|word:user" },
	{ "port 123 -1 12a", "word:port|number:123|number:-1|word:12a" },
	{ "'a \"b' \"c 'd\"", "string:a \"b|string:c 'd" },
	{ "\"poll\" ''", "string:poll|string:" },
	{ "\"a\nb\"", "string:a\nb" },
	{ "\"a\\\nb\"", "string:ab" },
	{ "\"a b", "word:\"a|word:b" },
	/* the longest match wins, as with lex */
	{ "\"a\"b", "word:\"a\"b" },
	{ "\"a c\"b", "string:a c|word:b" },
	/* a quote cannot be escaped in a string */
	{ "\"a\\\" b", "string:a|word:b" },
	{ "\"\\x41\\066\\65\\n\\t\\q\\\\\"", "string:A6A\n\tq\\" },
	{ "\"\\x4\\x414\\1234\"", "string:\x04"
				  "A4{4" },
	{ "ke\\ep", "string:keep" },
	/* at the end of a bare word it joins nothing */
	{ "a\\\nb", "string:a|word:b" },
	{ "\\\npoll", "word:poll" },
	{ "\"\\x00\"", "bad:a NUL byte" },
};

static void
test_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(word_table) / sizeof(word_table[0]);
	     i++) {
		char *got = lex(span_str(word_table[i].text));

		if (strcmp(got, word_table[i].words) != 0)
			print_error("of: %s\n", word_table[i].text);
		assert_string_equal(got, word_table[i].words);
		free(got);
	}
}

static void
test_long_words(void **state)
{
	char text[FETCHMAIL_TOKEN_MAX + 2];
	char *got;

	(void)state;
	memset(text, 'a', sizeof(text));
	got = lex(span_make(text, FETCHMAIL_TOKEN_MAX));
	assert_int_equal(strlen(got), strlen("word:") + FETCHMAIL_TOKEN_MAX);
	free(got);
	got = lex(span_make(text, FETCHMAIL_TOKEN_MAX + 1));
	assert_string_equal(got, "bad:a word or string that is too long");
	free(got);
	got = lex(span_make("a\0b", 3));
	assert_string_equal(got, "bad:a NUL byte");
	free(got);
}

/* --- entries ------------------------------------------------------------ */

static const char *
text_of(const struct fetchmail_query *q, enum fetchmail_text what)
{
	return q->text[what].s != NULL ? q->text[what].s : "-";
}

static void
assert_secret(const struct fetchmail_word *w, const char *s)
{
	assert_non_null(w->s);
	assert_true(span_is(secret_reveal(w->s), s));
}

static void
test_entry(void **state)
{
	static const char text[] =
	    "set daemon 300 set idfile=/x\n"
	    "poll a via b protocol POP3 uidl, port 1995 interval 2:\n"
	    " user \"u\" there with pass p is me here and wants ssl no keep\n"
	    " folders INBOX 'two words' smtphost s1/25, s2\n"
	    " user v there pass q to x=y z * nofetchall\n"
	    "skip c user 'here' here is 'there' there keep";
	struct fetchmail_rc rc;
	const struct fetchmail_query *q;

	(void)state;
	assert_true(fetchmail_parse(&rc, span_str(text)));
	assert_int_equal(rc.daemon, 300);
	assert_string_equal(rc.idfile.s, "/x");
	assert_int_equal(rc.nqueries, 3);
	q = &rc.queries[0];
	assert_string_equal(q->name, "a");
	assert_string_equal(fetchmail_host(q), "b");
	assert_false(q->skip);
	assert_string_equal(text_of(q, FETCHMAIL_PROTOCOL), "pop3");
	assert_string_equal(text_of(q, FETCHMAIL_SERVICE), "1995");
	assert_string_equal(text_of(q, FETCHMAIL_INTERVAL), "2");
	assert_string_equal(text_of(q, FETCHMAIL_USER), "u");
	assert_secret(&q->secret[FETCHMAIL_PASSWORD], "p");
	assert_int_equal(q->secret[FETCHMAIL_PASSWORD].line, 3);
	assert_int_equal(q->list[FETCHMAIL_LOCALS].n, 1);
	assert_string_equal(q->list[FETCHMAIL_LOCALS].s[0], "me");
	assert_true(q->flag[FETCHMAIL_SSL].on);
	assert_false(q->flag[FETCHMAIL_KEEP].on);
	assert_int_equal(q->flag[FETCHMAIL_KEEP].line, 3);
	assert_int_equal(q->list[FETCHMAIL_FOLDERS].n, 2);
	assert_string_equal(q->list[FETCHMAIL_FOLDERS].s[1], "two words");
	assert_int_equal(q->list[FETCHMAIL_SMTPHOSTS].n, 2);
	assert_false(q->wildcard);
	q = &rc.queries[1];
	assert_string_equal(q->name, "a");
	assert_string_equal(text_of(q, FETCHMAIL_USER), "v");
	assert_string_equal(text_of(q, FETCHMAIL_SERVICE), "1995");
	assert_int_equal(q->flag[FETCHMAIL_SSL].line, 0);
	assert_true(q->wildcard);
	assert_int_equal(q->list[FETCHMAIL_LOCALS].n, 2);
	assert_string_equal(q->list[FETCHMAIL_LOCALS].s[0], "y");
	assert_int_equal(q->flag[FETCHMAIL_FETCHALL].line, 5);
	q = &rc.queries[2];
	assert_true(q->skip);
	assert_string_equal(text_of(q, FETCHMAIL_USER), "there");
	assert_string_equal(q->list[FETCHMAIL_LOCALS].s[0], "here");
	assert_true(q->flag[FETCHMAIL_KEEP].on);
	assert_int_equal(rc.nnotes, 0);
	fetchmail_free(&rc);
}

static void
test_defaults(void **state)
{
	static const char text[] = "defaults proto imap user d ssl keep\n"
				   "poll a pass x\n"
				   "poll b proto pop3 user e no ssl\n"
				   "poll c";
	struct fetchmail_rc rc;

	(void)state;
	assert_true(fetchmail_parse(&rc, span_str(text)));
	assert_int_equal(rc.nqueries, 3);
	assert_string_equal(text_of(&rc.queries[0], FETCHMAIL_USER), "d");
	assert_secret(&rc.queries[0].secret[FETCHMAIL_PASSWORD], "x");
	assert_string_equal(
	    text_of(&rc.queries[0], FETCHMAIL_PROTOCOL), "imap");
	assert_true(rc.queries[0].flag[FETCHMAIL_KEEP].on);
	assert_string_equal(text_of(&rc.queries[1], FETCHMAIL_USER), "e");
	assert_string_equal(
	    text_of(&rc.queries[1], FETCHMAIL_PROTOCOL), "pop3");
	assert_false(rc.queries[1].flag[FETCHMAIL_SSL].on);
	assert_true(rc.queries[1].flag[FETCHMAIL_KEEP].on);
	assert_string_equal(rc.queries[2].name, "c");
	assert_string_equal(text_of(&rc.queries[2], FETCHMAIL_USER), "d");
	fetchmail_free(&rc);
}

static void
test_notes(void **state)
{
	static const char text[] = "set no bouncemail set spambounce\n"
				   "poll a envelope 1 Delivered-To\n"
				   " user u preconnect 'x y' no rewrite\n"
				   " antispam 571 550 limit 100 -1";
	struct fetchmail_rc rc;

	(void)state;
	assert_false(fetchmail_parse(&rc, span_str(text)));
	assert_int_equal(rc.error_line, 4);
	assert_int_equal(rc.nnotes, 5);
	assert_true(strncmp(rc.notes[0].text, "set spambounce ", 15) == 0);
	assert_true(strncmp(rc.notes[1].text, "envelope ", 9) == 0);
	assert_int_equal(rc.notes[1].line, 2);
	assert_false(rc.notes[1].grave);
	assert_true(strncmp(rc.notes[2].text, "preconnect ", 11) == 0);
	assert_true(rc.notes[2].grave);
	assert_true(strncmp(rc.notes[3].text, "antispam ", 9) == 0);
	assert_true(strncmp(rc.notes[4].text, "limit ", 6) == 0);
	fetchmail_free(&rc);
}

static const struct {
	const char *text;
	unsigned line;
	const char *error;
} error_table[] = {
	{ "", 1, "no poll" },
	{ "set daemon 60\n", 2, "no poll" },
	{ "frobnicate", 1, "unknown word" },
	{ "poll a user u\nfrobnicate", 2, "unknown word" },
	{ "poll a user u keep\nfrobnicate", 2, "unknown word" },
	{ "poll", 1, "poll wants" },
	{ "poll keep", 1, "poll wants" },
	{ "poll a user u\nproto pop3", 2, "proto is an option of the server" },
	{ "poll a keep user u", 1, "must stand behind his name" },
	{ "poll a proto", 1, "proto wants a value" },
	{ "poll a interval x", 1, "interval wants a number" },
	{ "poll a user", 1, "user wants a name" },
	{ "poll a user x y", 1, "user: one name of the server is wanted" },
	{ "poll a user x is", 1, "is wants a name" },
	{ "poll a user x is a =", 1, "= wants" },
	{ "poll a user x no", 1, "no wants" },
	{ "poll a user x no password", 1, "no wants" },
	{ "poll a user u defaults", 1, "one entry of defaults" },
	{ "defaults user a user b poll a", 1, "one entry of defaults" },
	{ "defaults defaults poll a", 1, "one entry of defaults" },
	{ "set keep", 1, "set wants" },
	{ "set no daemon", 1, "set wants" },
	{ "set daemon x", 1, "set daemon wants seconds" },
	{ "set daemon 9999999999", 1, "set daemon wants seconds" },
	{ "poll a user u pass \"se cret", 1, "unknown word" },
};

static void
test_errors(void **state)
{
	struct fetchmail_rc rc;

	(void)state;
	for (size_t i = 0; i < sizeof(error_table) / sizeof(error_table[0]);
	     i++) {
		bool ok = fetchmail_parse(&rc, span_str(error_table[i].text));

		if (ok || strstr(rc.error, error_table[i].error) == NULL ||
		    rc.error_line != error_table[i].line)
			print_error("%s: %u: %s\n", error_table[i].text,
			    rc.error_line, rc.error);
		assert_false(ok);
		assert_non_null(strstr(rc.error, error_table[i].error));
		assert_null(strstr(rc.error, "cret"));
		assert_int_equal(rc.error_line, error_table[i].line);
		fetchmail_free(&rc);
	}
}

/* No cut of a good file is more than an error. */
static void
test_cuts(void **state)
{
	static const char text[] =
	    "defaults proto imap user 'd' is a=b * here\n"
	    "poll a via b uidl envelope 2 X-To no dns\n"
	    "user \"u\\x41\" there pass p antispam 1 2 nokeep folder a, b\n";
	struct fetchmail_rc rc;

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		/* exactly so many bytes, for who looks behind the end */
		char *copy = mem_alloc(n > 0 ? n : 1);

		memcpy(copy, text, n);
		fetchmail_parse(&rc, span_make(copy, n));
		fetchmail_free(&rc);
		free(copy);
	}
}

static void
test_limits(void **state)
{
	struct fetchmail_rc rc;
	char *text, *at;
	size_t n;
	FILE *f;

	(void)state;
	f = open_memstream(&text, &n);
	for (int i = 0; i < FETCHMAIL_QUERIES_MAX; i++)
		fprintf(f, "poll a%d user u\n", i);
	fflush(f);
	assert_true(fetchmail_parse(&rc, span_make(text, n)));
	fetchmail_free(&rc);
	fprintf(f, "poll z user u\n");
	fclose(f);
	assert_false(fetchmail_parse(&rc, span_make(text, n)));
	assert_int_equal(rc.error_line, FETCHMAIL_QUERIES_MAX + 1);
	fetchmail_free(&rc);
	free(text);

	at = text = mem_alloc(64 + 2 * (FETCHMAIL_ITEMS_MAX + 1));
	at = stpcpy(at, "poll a user u folder");
	for (int i = 0; i <= FETCHMAIL_ITEMS_MAX; i++)
		at = stpcpy(at, " x");
	assert_false(fetchmail_parse(&rc, span_str(text)));
	fetchmail_free(&rc);
	at[-2] = '\0';
	assert_true(fetchmail_parse(&rc, span_str(text)));
	fetchmail_free(&rc);
	free(text);

	/* A megabyte for each of a thousand. */
	f = open_memstream(&text, &n);
	fprintf(f, "defaults user u folder");
	for (int i = 0; i < FETCHMAIL_ITEMS_MAX; i++)
		fprintf(f, " %02000d", i);
	for (int i = 0; i < FETCHMAIL_QUERIES_MAX; i++)
		fprintf(f, "\npoll a%d", i);
	fclose(f);
	assert_false(fetchmail_parse(&rc, span_make(text, n)));
	assert_non_null(strstr(rc.error, "too long"));
	fetchmail_free(&rc);
	free(text);

	text = mem_alloc(FETCHMAIL_RC_MAX + 1);
	memset(text, '\n', FETCHMAIL_RC_MAX + 1);
	memcpy(text, "poll a", 6);
	assert_true(fetchmail_parse(&rc, span_make(text, FETCHMAIL_RC_MAX)));
	fetchmail_free(&rc);
	assert_false(
	    fetchmail_parse(&rc, span_make(text, FETCHMAIL_RC_MAX + 1)));
	fetchmail_free(&rc);
	free(text);
}

/* --- .fetchids ---------------------------------------------------------- */

static const struct {
	const char *line, *user, *host, *uid; /* user NULL: it is none */
} id_table[] = {
	{ "u@h 123", "u", "h", "123" },
	{ "  u@h   1@2 \r", "u", "h", "1@2" },
	{ "u@d.example@h UID-1", "u@d.example", "h", "UID-1" },
	{ "First Last/Org@h x", "First Last/Org", "h", "x" },
	{ "u@h <a@b>", "u", "h", "<a@b>" },
	{ "u@h \"+AOk\xff", "u", "h", "\"+AOk\xff" },
	{ "", NULL, NULL, NULL },
	{ "u@h", NULL, NULL, NULL },
	{ "u@h ", NULL, NULL, NULL },
	{ "u h 1", NULL, NULL, NULL },
	{ "@h 1", NULL, NULL, NULL },
	{ "u@ 1", NULL, NULL, NULL },
	{ "u@h 1 2", NULL, NULL, NULL },
	{ "u@h 1\t2", NULL, NULL, NULL },
};

static void
test_ids(void **state)
{
	struct fetchmail_id id;

	(void)state;
	for (size_t i = 0; i < sizeof(id_table) / sizeof(id_table[0]); i++) {
		bool ok = fetchmail_id_parse(span_str(id_table[i].line), &id);

		if (ok != (id_table[i].user != NULL))
			print_error("%s\n", id_table[i].line);
		assert_true(ok == (id_table[i].user != NULL));
		if (!ok)
			continue;
		assert_true(span_is(id.user, id_table[i].user));
		assert_true(span_is(id.host, id_table[i].host));
		assert_true(span_is(id.uid, id_table[i].uid));
	}
	assert_false(fetchmail_id_parse(span_make("u@h 1\0", 6), &id));
}

static void
test_which_file(void **state)
{
	(void)state;
	assert_true(fetchmail_is_ids(span_str("u@h 1\nu@h 2\n")));
	assert_true(fetchmail_is_ids(span_str("\n\nu@h 1")));
	assert_false(fetchmail_is_ids(span_str("")));
	assert_false(fetchmail_is_ids(span_str("\n")));
	assert_false(fetchmail_is_ids(span_str("# u@h 1\nu@h 1\n")));
	assert_false(fetchmail_is_ids(span_str("poll x@y z")));
	assert_false(fetchmail_is_ids(span_str("poll a user u@h pass x\n")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_long_words),
		cmocka_unit_test(test_entry),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_which_file),
	};

	return cmocka_run_group_tests_name("fetchmail", tests, NULL, NULL);
}
