/* SPDX-License-Identifier: ISC */
#include "proto/field.h"

enum {
	START, /* of a line */
	NAME,
	VALUE,
	JUNK,  /* a line that is no field, to its end */
	EMPTY, /* the CR of the empty line was read */
	BODY,
};

void
field_init(struct field_scan *f)
{
	*f = (struct field_scan){ .state = START };
}

static struct span
take(struct field_scan *f, struct span *in, size_t n)
{
	struct span piece = span_make(in->p, n);

	*in = span_skip(*in, n);
	f->offset += n;
	return piece;
}

/* To the end of the line, or as far as there is something. */
static struct span
take_line(struct field_scan *f, struct span *in)
{
	const char *lf = memchr(in->p, '\n', in->n);
	size_t n = lf != NULL ? (size_t)(lf - in->p) + 1 : in->n;

	if (lf != NULL)
		f->state = START;
	return take(f, in, n);
}

/* Looks at the first byte of a line, which it leaves where it is. */
static void
begin_line(struct field_scan *f, char c)
{
	if (c == ' ' || c == '\t') {
		f->state = f->open ? VALUE : JUNK;
	} else if (c == '\r' || c == '\n') {
		f->state = EMPTY;
	} else {
		f->state = NAME;
		f->at = f->offset;
		f->name_len = 0;
	}
}

/* True: the colon was read.  Blanks in front of it are the old syntax of RFC
 * 5322 section 4.5. */
static bool
read_name(struct field_scan *f, struct span *in)
{
	while (in->n > 0 && f->state == NAME) {
		char c = take(f, in, 1).p[0];

		if (c == '\n') {
			f->state = START;
		} else if (c == ':') {
			f->state = VALUE;
			f->open = true;
			f->lead = (size_t)(f->offset - f->at);
			return true;
		} else if (f->name_len == sizeof(f->name)) {
			f->state = JUNK;
		} else {
			f->name[f->name_len++] = c;
		}
	}
	return false;
}

enum field_event
field_next(struct field_scan *f, struct span *in, struct span *text_r)
{
	*text_r = span_make("", 0);
	while (in->n > 0) {
		switch (f->state) {
		case START:
			begin_line(f, in->p[0]);
			if (f->open && f->state != VALUE) {
				f->open = false;
				return FIELD_END;
			}
			break;
		case NAME:
			if (read_name(f, in))
				return FIELD_NAME;
			break;
		case VALUE:
			*text_r = take_line(f, in);
			return FIELD_VALUE;
		case EMPTY:
			if (take(f, in, 1).p[0] != '\n')
				break;
			f->state = BODY;
			return FIELD_BODY;
		case BODY:
			take(f, in, in->n);
			break;
		default:
			take_line(f, in);
			break;
		}
	}
	return FIELD_MORE;
}

bool
field_finish(struct field_scan *f)
{
	bool was_open = f->open;

	f->open = false;
	f->state = BODY;
	return was_open;
}

struct span
field_name(const struct field_scan *f)
{
	struct span name = span_make(f->name, f->name_len);

	while (name.n > 0 &&
	       (name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '\t'))
		name.n--;
	return name;
}
