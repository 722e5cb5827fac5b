/* SPDX-License-Identifier: ISC */
#include "proto/words.h"

#include "proto/address.h"

#define LINE 76        /* folded behind so many bytes where it can be */
#define LINE_MAX 900   /* and a word is cut that is longer than this */
#define BLANKS_MAX 60  /* between two words */
#define ENCODED_MAX 75 /* RFC 2047 section 2 */

static const char hex[] = "0123456789ABCDEF";

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool
is_letter_or_digit(char c)
{
	char l = ascii_lower(c);

	return (l >= 'a' && l <= 'z') || ascii_is_digit(c);
}

/* RFC 5322 section 3.2.3 */
static bool
is_atext(char c)
{
	return is_letter_or_digit(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

bool
words_is_ascii(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] >= 0x80)
			return false;
	return true;
}

/* --- encoded words that came */

size_t
words_encoded_length(struct span s)
{
	size_t i = 2, payload;
	char coding;

	if (s.n < 8 || s.p[0] != '=' || s.p[1] != '?')
		return 0;
	while (i < s.n &&
	       (is_letter_or_digit(s.p[i]) || strchr("-_.*", s.p[i]) != NULL) &&
	       s.p[i] != '\0')
		i++;
	if (i == 2 || i + 3 > s.n || s.p[i] != '?' || s.p[i + 2] != '?')
		return 0;
	coding = ascii_lower(s.p[i + 1]);
	if (coding != 'b' && coding != 'q')
		return 0;
	payload = i + 3;
	for (i = payload; i + 1 < s.n; i++) {
		if (s.p[i] == '?')
			return s.p[i + 1] == '=' ? i + 2 : 0;
		if (!ascii_is_print(s.p[i]) || s.p[i] == ' ')
			return 0;
	}
	return 0;
}

/* --- writing */

/* A word on a line of its own if this one is full. */
static void
put(struct words *w, struct span word)
{
	if (w->col + 1 + word.n > LINE && w->col > 1) {
		buf_add(w->b, span_str("\r\n"));
		w->col = 0;
	}
	buf_add(w->b, span_str(" "));
	buf_add(w->b, word);
	w->col += 1 + word.n;
}

/* RFC 2047 section 5: what may stand in an encoded word of a phrase. */
static size_t
quote(char c, char out[3])
{
	if (is_letter_or_digit(c) ||
	    (c != '\0' && strchr("!*+-/", c) != NULL)) {
		out[0] = c;
		return 1;
	}
	if (c == ' ') {
		out[0] = '_';
		return 1;
	}
	out[0] = '=';
	out[1] = hex[(unsigned char)c >> 4];
	out[2] = hex[(unsigned char)c & 15];
	return 3;
}

/* Bytes of the UTF-8 character that s begins with; 0: it is none. */
static size_t
utf8_length(struct span s)
{
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0x80                ? 1
	           : c >= 0xc2 && c < 0xe0 ? 2
	           : c >= 0xe0 && c < 0xf0 ? 3
	           : c >= 0xf0 && c < 0xf5 ? 4
	                                   : 0;
	unsigned char second;

	if (n == 0 || n > s.n)
		return 0;
	for (size_t i = 1; i < n; i++)
		if (((unsigned char)s.p[i] & 0xc0) != 0x80)
			return 0;
	second = n > 1 ? (unsigned char)s.p[1] : 0;
	if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second >= 0xa0) ||
	    (c == 0xf0 && second < 0x90) || (c == 0xf4 && second >= 0x90))
		return 0;
	return n;
}

static bool
is_utf8(struct span s)
{
	while (s.n > 0) {
		size_t n = utf8_length(s);

		if (n == 0)
			return false;
		s = span_skip(s, n);
	}
	return true;
}

/* Of the next encoded word: the first line of a field should not stay empty. */
static size_t
encoded_room(const struct words *w)
{
	return w->col < LINE / 2 ? LINE - 1 - w->col : ENCODED_MAX;
}

/* No character is cut apart between two words (RFC 2047 section 5). */
static void
encode(struct words *w, struct span text)
{
	bool utf8 = is_utf8(text);
	const char *start = utf8 ? "=?utf-8?q?" : "=?windows-1252?q?";
	char word[ENCODED_MAX + 1];
	size_t n = 0, room = encoded_room(w);

	while (text.n > 0) {
		size_t len = utf8 ? utf8_length(text) : 1, add = 0;
		char coded[12];

		for (size_t i = 0; i < len; i++)
			add += quote(text.p[i], coded + add);
		if (n + add + 2 > room) {
			memcpy(word + n, "?=", 2);
			put(w, span_make(word, n + 2));
			n = 0;
			room = ENCODED_MAX;
		}
		if (n == 0) {
			n = strlen(start);
			memcpy(word, start, n);
		}
		memcpy(word + n, coded, add);
		n += add;
		text = span_skip(text, len);
	}
	if (n > 0) {
		memcpy(word + n, "?=", 2);
		put(w, span_make(word, n + 2));
	}
}

/* As a quoted string, which is not folded: it may be as long as a line. */
static void
put_quoted(struct words *w, struct span text)
{
	char out[LINE_MAX];
	size_t n = 0;

	out[n++] = '"';
	for (size_t i = 0; i < text.n && n + 3 < sizeof(out); i++) {
		if (text.p[i] == '"' || text.p[i] == '\\')
			out[n++] = '\\';
		out[n++] = text.p[i];
	}
	out[n++] = '"';
	put(w, span_make(out, n));
}

static void
put_plain(struct words *w, struct span text)
{
	while (text.n > 0) {
		struct span word = span_cut(&text, ' ');

		if (word.n > LINE_MAX)
			word.n = LINE_MAX;
		if (word.n > 0)
			put(w, word);
	}
}

static bool
is_atoms(struct span text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((!is_atext(text.p[i]) && text.p[i] != ' ') ||
		    (text.p[i] == '=' && i + 1 < text.n &&
			text.p[i + 1] == '?'))
			return false;
	return true;
}

/* Between two encoded words a reader sees no blank, so it stands in ours. */
static void
flush(struct words *w, bool encoded_next)
{
	char text[WORDS_RUN_MAX + 2];
	size_t n = 0;
	bool ascii = words_is_ascii(span_make(w->run, w->run_len));

	if (w->run_len == 0)
		return;
	if (!ascii && w->encoded)
		text[n++] = ' ';
	memcpy(text + n, w->run, w->run_len);
	n += w->run_len;
	if (!ascii && encoded_next)
		text[n++] = ' ';
	w->run_len = 0;
	w->encoded = !ascii;
	if (!ascii)
		encode(w, span_make(text, n));
	else if (w->phrase && !is_atoms(span_make(text, n)))
		put_quoted(w, span_make(text, n));
	else
		put_plain(w, span_make(text, n));
}

void
words_begin(struct words *w, struct buf *b, size_t col, bool phrase, size_t max)
{
	*w =
	    (struct words){ .b = b, .col = col, .phrase = phrase, .left = max };
}

/* One byte of a word; a blank in front of the first one. */
static void
add_char(struct words *w, char c, bool first)
{
	unsigned char u = (unsigned char)c;

	if (w->run_len + 2 > sizeof(w->run) || w->left == 0)
		return;
	if (first && w->run_len > 0)
		w->run[w->run_len++] = ' ';
	w->run[w->run_len++] = u < 0x20 || u == 0x7f ? '?' : c;
	w->left--;
}

/* What cut a character apart takes the rest of it away. */
static void
mend(struct words *w, struct span before)
{
	while (w->run_len > 0 && w->left == 0 && is_utf8(before) &&
	       !is_utf8(span_make(w->run, w->run_len)))
		w->run_len--;
}

static void
add_encoded(struct words *w, struct span word)
{
	char out[WORDS_ENCODED_MAX * 3];
	size_t n = 0, marks = 0;

	if (word.n > WORDS_ENCODED_MAX || word.n > w->left) {
		w->left = 0;
		return;
	}
	w->left -= word.n;
	flush(w, true);
	for (size_t i = 0; i < word.n; i++) {
		char c = word.p[i];
		bool payload = marks >= 3 && i + 2 < word.n;

		marks += c == '?';
		if (payload && c != '=' && c != '_')
			n += quote(c, out + n);
		else
			out[n++] = c;
	}
	put(w, span_make(out, n));
	w->encoded = true;
}

void
words_add(struct words *w, struct span text)
{
	struct span whole = text;

	while (text.n > 0) {
		size_t n = 0;

		while (text.n > 0 && is_blank(text.p[0]))
			text = span_skip(text, 1);
		while (n < text.n && !is_blank(text.p[n]))
			n++;
		if (n > 0 && words_encoded_length(span_make(text.p, n)) == n) {
			add_encoded(w, span_make(text.p, n));
		} else {
			for (size_t i = 0; i < n; i++)
				add_char(w, text.p[i], i == 0);
		}
		text = span_skip(text, n);
	}
	mend(w, whole);
}

/* The text of a quoted string. */
static void
add_quoted(struct words *w, struct span s)
{
	bool first = true;

	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '"')
			break;
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (is_blank(s.p[i])) {
			first = true;
			continue;
		}
		add_char(w, s.p[i], first);
		first = false;
	}
	mend(w, s);
}

void
words_add_phrase(struct words *w, struct span phrase)
{
	bool first = true;

	while (phrase.n > 0) {
		size_t n = address_skip(phrase), e;
		char c = phrase.p[0];

		e = c == '=' ? words_encoded_length(phrase) : 0;
		if (e > 0 && first) {
			add_encoded(w, span_make(phrase.p, e));
			first = true;
		} else if (c == '"') {
			add_quoted(w, span_make(phrase.p, n));
			first = true;
		} else if (is_blank(c) || c == '(') {
			first = true;
		} else {
			n = c == '\\' && n == 2 ? 2 : 1;
			add_char(w, phrase.p[n - 1], first);
			first = false;
		}
		phrase = span_skip(phrase, n);
	}
}

void
words_add_mark(struct words *w, struct span mark, bool blank_before)
{
	flush(w, false);
	w->encoded = false;
	if (blank_before) {
		put(w, mark);
	} else {
		buf_add(w->b, mark);
		w->col += mark.n;
	}
}

void
words_end(struct words *w)
{
	flush(w, false);
}

/* --- text that stays as it is */

static char
printable(char c)
{
	return ascii_is_print(c) || c == '\t' ? c : '?';
}

void
words_fold(struct buf *b, size_t col, struct span text)
{
	while (text.n > 0) {
		char out[BLANKS_MAX + LINE_MAX];
		size_t blanks = 0, n;

		/* What was folded is one line again, and folded anew. */
		while (text.n > 0 && is_blank(text.p[0])) {
			if (text.p[0] != '\r' && text.p[0] != '\n' &&
			    blanks < BLANKS_MAX)
				out[blanks++] = text.p[0];
			text = span_skip(text, 1);
		}
		if (blanks == 0)
			out[blanks++] = ' ';
		for (n = 0; n < text.n && !is_blank(text.p[n]); n++)
			if (n < LINE_MAX)
				out[blanks + n] = printable(text.p[n]);
		text = span_skip(text, n);
		if (n == 0)
			return;
		n = n < LINE_MAX ? n : LINE_MAX;
		if (col + blanks + n > LINE) {
			buf_add(b, span_str("\r\n"));
			col = 0;
		}
		buf_add(b, span_make(out, blanks + n));
		col += blanks + n;
	}
}
