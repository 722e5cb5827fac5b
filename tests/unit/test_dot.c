/* SPDX-License-Identifier: ISC */
/*
 * The three filters against naive ones that see the whole message at once, for
 * all strings over {CR, LF, '.', 'x', NUL} up to LENGTH, cut at every point.
 */
#include "split.h"

#include "proto/dot.h"

#define LENGTH 7
#define ROOM (4 * LENGTH + 16)

struct text {
	char p[ROOM];
	size_t n;
	bool ended;  /* decoder: the end was seen ... */
	size_t rest; /* ... and this many bytes were left behind it */
};

static void
add(struct text *t, struct span s)
{
	assert_true(t->n + s.n <= sizeof(t->p));
	if (s.n > 0)
		memcpy(t->p + t->n, s.p, s.n);
	t->n += s.n;
}

static struct span
view(const struct text *t)
{
	return span_make(t->p, t->n);
}

/* --- the naive filters ---------------------------------------------------- */

/* Cuts the first line with its CRLF off *rest; false: there is no CRLF. */
static bool
cut_crlf(struct span *rest, struct span *line_r)
{
	const char *p = memmem(rest->p, rest->n, "\r\n", 2);
	size_t n = p != NULL ? (size_t)(p - rest->p) + 2 : rest->n;

	*line_r = span_make(rest->p, n);
	*rest = span_skip(*rest, n);
	return p != NULL;
}

static struct text
naive_decode(struct span in)
{
	struct text t = { .n = 0 };
	struct span line;
	bool whole;

	while (in.n > 0 && !t.ended) {
		whole = cut_crlf(&in, &line);
		if (span_is(line, ".\r\n"))
			t.ended = true;
		else if (!whole && span_is(line, ".\r"))
			break; /* may still become the end */
		else
			add(&t, span_skip(line, line.p[0] == '.'));
	}
	t.rest = t.ended ? in.n : 0;
	return t;
}

/* Rule: CR*LF is a line end; then a CR that is left is a space in the header
 * and a line end in the body. */
static struct text
naive_normalise(struct span in)
{
	struct text lf = { .n = 0 }, t = { .n = 0 };
	bool body = false;

	for (size_t i = 0, j; i < in.n; i++) {
		for (j = i; j < in.n && in.p[j] == '\r'; j++)
			;
		if (j < in.n && in.p[j] == '\n')
			i = j;
		add(&lf, span_make(in.p + i, 1));
	}
	for (size_t i = 0; i < lf.n; i++) {
		char c = lf.p[i];

		if (c == '\n' && (i == 0 || lf.p[i - 1] == '\n'))
			body = true;
		if (c == '\n' || (c == '\r' && body))
			add(&t, span_str("\r\n"));
		else
			add(&t, c == '\r' ? span_str(" ") : span_make(&c, 1));
	}
	if (t.n > 0 && t.p[t.n - 1] != '\n')
		add(&t, span_str("\r\n"));
	return t;
}

static struct text
naive_encode(struct span in)
{
	struct text t = { .n = 0 };
	struct span line;
	bool whole = true;

	while (in.n > 0) {
		whole = cut_crlf(&in, &line);
		if (line.p[0] == '.')
			add(&t, span_str("."));
		add(&t, line);
	}
	add(&t, span_str(whole ? ".\r\n" : "\r\n.\r\n"));
	return t;
}

/* --- the filters, fed in pieces ------------------------------------------- */

static void
decode_piece(struct dot_decoder *d, struct span in, struct text *t)
{
	enum dot_status status;
	struct span out;

	while ((status = dot_decode(d, &in, &out)) == DOT_DATA) {
		assert_true(out.n > 0);
		add(t, out);
	}
	assert_true(status == DOT_END || in.n == 0);
	t->ended = status == DOT_END;
	t->rest += in.n;
}

static struct text
decode(struct span in, size_t cut, size_t step)
{
	struct text t = { .n = 0 };
	struct dot_decoder d;

	dot_decode_init(&d);
	decode_piece(&d, span_make(in.p, cut), &t);
	for (size_t i = cut; i < in.n; i += step)
		decode_piece(&d,
		    span_make(in.p + i, in.n - i < step ? in.n - i : step), &t);
	return t;
}

static void
normalise_piece(struct dot_normaliser *n, struct span in, struct text *t)
{
	struct span out;

	while (dot_normalise(n, &in, &out) == DOT_DATA) {
		assert_true(out.n > 0);
		add(t, out);
	}
	assert_int_equal(in.n, 0);
}

static struct text
normalise(struct span in, size_t cut, size_t step)
{
	struct text t = { .n = 0 };
	struct dot_normaliser n;
	struct span out;

	dot_normalise_init(&n);
	normalise_piece(&n, span_make(in.p, cut), &t);
	for (size_t i = cut; i < in.n; i += step)
		normalise_piece(&n,
		    span_make(in.p + i, in.n - i < step ? in.n - i : step), &t);
	while (dot_normalise_end(&n, &out) == DOT_DATA)
		add(&t, out);
	return t;
}

static void
encode_piece(struct dot_encoder *e, struct span in, struct text *t)
{
	struct span out;

	while (dot_encode(e, &in, &out) == DOT_DATA) {
		assert_true(out.n > 0);
		add(t, out);
	}
	assert_int_equal(in.n, 0);
}

static struct text
encode(struct span in, size_t cut, size_t step)
{
	struct text t = { .n = 0 };
	struct dot_encoder e;

	dot_encode_init(&e);
	encode_piece(&e, span_make(in.p, cut), &t);
	for (size_t i = cut; i < in.n; i += step)
		encode_piece(&e,
		    span_make(in.p + i, in.n - i < step ? in.n - i : step), &t);
	add(&t, dot_encode_end(&e));
	return t;
}

/* --- every string --------------------------------------------------------- */

static void
report(const char *what, struct span in, struct text got, struct text want)
{
	struct trail t = { .len = 0 };

	trail_text(&t, "in  ", in);
	trail_text(&t, "got ", view(&got));
	trail_text(&t, "want", view(&want));
	print_error("%s\n%s", what, t.text);
	trail_free(&t);
	fail();
}

static void
same(const char *what, struct span in, struct text got, struct text want)
{
	if (!span_eq(view(&got), view(&want)) || got.ended != want.ended ||
	    got.rest != want.rest)
		report(what, in, got, want);
}

/* Whole, byte by byte, in two; cut = 0 with step = n is the whole. */
static void
check_filter(const char *what,
    struct text (*filter)(struct span, size_t, size_t), struct span in,
    struct text want)
{
	same(what, in, filter(in, 0, 1), want);
	for (size_t cut = 0; cut < in.n; cut++)
		same(what, in, filter(in, cut, in.n), want);
}

/* Where a pattern of a lenient server ends at w, 0: it is not there.  '*' in
 * front of a character: any number of it; '?': one or none. */
static size_t
match(struct span w, const char *pattern)
{
	size_t at = 0;

	for (; *pattern != '\0'; pattern++) {
		char many = *pattern == '*' || *pattern == '?' ? *pattern : 0;
		size_t n = 0;

		if (many != 0)
			pattern++;
		while (at + n < w.n && w.p[at + n] == *pattern &&
		       (n == 0 || many == '*'))
			n++;
		if (n == 0 && many == 0)
			return 0;
		at += n;
	}
	return at;
}

/* Does a server with that leniency see the end of data before we wrote it? */
static bool
ends_early(struct span wire, const char *pattern)
{
	size_t open = pattern[strlen(pattern) - 1] == '\r';
	struct text all = { .n = 0 };

	add(&all, span_str("\r\n"));
	add(&all, wire);
	for (size_t i = 0; i < all.n; i++) {
		size_t n = match(span_skip(view(&all), i), pattern);

		if (n > 0)
			return i + n < all.n - open;
	}
	return false;
}

static void
check_lenient(struct span in, struct text wire)
{
	static const char *const patterns[] = { "\r\n.\r\n", "\n.?\r\n",
		"\r.\r", "\r\n.\r", "*\r\n.*\r\n" };

	for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++)
		if (ends_early(view(&wire), patterns[i]))
			report("a lenient server ends early", in, wire, wire);
}

static void
check_string(struct span in)
{
	struct text normal = naive_normalise(in), wire, back;

	check_filter("decode", decode, in, naive_decode(in));
	check_filter("normalise", normalise, in, normal);
	same("normalise twice", in, naive_normalise(view(&normal)), normal);
	wire = naive_encode(view(&normal));
	check_filter("encode", encode, view(&normal), wire);
	back = decode(view(&wire), 0, wire.n);
	normal.ended = true;
	same("round trip", in, back, normal);
	if (memchr(in.p, '\0', in.n) == NULL)
		check_lenient(in, wire);
}

static void
test_every_string(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'x', '\0' };
	char s[LENGTH];
	unsigned count = 1;

	(void)state;
	for (size_t n = 0; n <= LENGTH; n++, count *= 5) {
		for (unsigned i = 0; i < count; i++) {
			unsigned v = i;

			for (size_t k = 0; k < n; k++, v /= 5)
				s[k] = alphabet[v % 5];
			check_string(span_make(s, n));
		}
	}
}

/* The check above can fail: an encoder that splits at CRLF only lets a bare LF
 * through, and some server takes LF.LF for the end. */
static void
test_lenient_patterns(void **state)
{
	(void)state;
	assert_true(ends_early(span_str("a\n.\nb\r\n.\r\n"), "\n.?\r\n"));
	assert_true(ends_early(span_str("a\r.\rb\r\n.\r\n"), "\r.\r"));
	assert_true(
	    ends_early(span_str("a\r\r\n.\r\nb\r\n.\r\n"), "*\r\n.*\r\n"));
	assert_false(ends_early(span_str("a\r\n.\r\n"), "\r\n.\r\n"));
	assert_false(ends_early(span_str(".\r\n"), "\r\n.\r"));
}

/* --- what a small alphabet does not show -----------------------------------
 */

/* The rest of a long message passes in one piece, without a copy. */
static void
test_slices(void **state)
{
	static char text[64 * 1024];
	struct dot_decoder d;
	struct dot_normaliser n;
	struct dot_encoder e;
	struct span in, out;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = "a line with . in it, of thirty\r\n"[i % 32];
	dot_decode_init(&d);
	in = span_make(text, sizeof(text));
	assert_int_equal(dot_decode(&d, &in, &out), DOT_DATA);
	assert_ptr_equal(out.p, text);
	assert_int_equal(out.n, sizeof(text));
	dot_normalise_init(&n);
	in = span_make(text, sizeof(text));
	assert_int_equal(dot_normalise(&n, &in, &out), DOT_DATA);
	assert_ptr_equal(out.p, text);
	assert_int_equal(out.n, sizeof(text));
	dot_encode_init(&e);
	in = span_make(text, sizeof(text));
	assert_int_equal(dot_encode(&e, &in, &out), DOT_DATA);
	assert_ptr_equal(out.p, text);
	assert_int_equal(out.n, sizeof(text));
}

static size_t
normalised_length(const char *p, size_t n)
{
	struct dot_normaliser norm;
	struct span in = span_make(p, n), out;
	size_t len = 0;

	dot_normalise_init(&norm);
	while (dot_normalise(&norm, &in, &out) == DOT_DATA)
		len += out.n;
	while (dot_normalise_end(&norm, &out) == DOT_DATA)
		len += out.n;
	return len;
}

/* Runs longer than any constant or window inside, and their cost. */
static void
test_long_runs(void **state)
{
	static char text[1 << 20];

	(void)state;
	memset(text, '\r', sizeof(text));
	assert_int_equal(normalised_length(text, 1000), 1000 + 2);
	text[0] = '\n';
	assert_int_equal(normalised_length(text, 1000), 2 * 1000);
	text[999] = '\n';
	assert_int_equal(normalised_length(text, 1000), 4);
	memset(text, '\n', sizeof(text));
	assert_int_equal(
	    normalised_length(text, sizeof(text)), 2 * sizeof(text));
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 == 0 ? 'x' : '\r';
	text[0] = '\n';
	assert_int_equal(
	    normalised_length(text, sizeof(text)), 3 * sizeof(text) / 2 + 1);
	memset(text, 'x', sizeof(text));
	assert_int_equal(
	    normalised_length(text, sizeof(text)), sizeof(text) + 2);
}

/* The dialogue goes on behind the end; nothing of it is touched. */
static void
test_behind_the_end(void **state)
{
	struct span in = span_str("a\r\n.\r\n+OK\r\n"), out;
	struct dot_decoder d;

	(void)state;
	dot_decode_init(&d);
	assert_int_equal(dot_decode(&d, &in, &out), DOT_DATA);
	assert_true(span_is(out, "a\r\n"));
	assert_int_equal(dot_decode(&d, &in, &out), DOT_END);
	assert_true(span_is(in, "+OK\r\n"));
	assert_int_equal(dot_decode(&d, &in, &out), DOT_END);
	assert_true(span_is(in, "+OK\r\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_string),
		cmocka_unit_test(test_lenient_patterns),
		cmocka_unit_test(test_slices),
		cmocka_unit_test(test_long_runs),
		cmocka_unit_test(test_behind_the_end),
	};

	return cmocka_run_group_tests_name("dot", tests, NULL, NULL);
}
