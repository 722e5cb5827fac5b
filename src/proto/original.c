/* SPDX-License-Identifier: ISC */
#include "proto/original.h"

void
original_init(struct original *o)
{
	*o = (struct original){ .nfrom = 0 };
	field_init(&o->scan);
}

static void
begin_from(struct original *o)
{
	if (o->nfrom < ORIGINAL_FROM_MAX) {
		o->open = &o->from[o->nfrom];
		o->open->at = o->scan.at;
		o->open->lead = o->scan.lead;
		o->open->line = o->scan.lead;
		o->fresh = true;
	}
	o->nfrom++;
}

static void
begin_trace(struct original *o)
{
	if (o->ntraces < ORIGINAL_TRACES) {
		o->trace = o->traces[o->ntraces];
		o->trace_len = 0;
	}
	o->ntraces++;
}

static void
begin_field(struct original *o)
{
	struct span name = field_name(&o->scan);
	struct original_value *v = NULL;

	if (span_iis(name, "From")) {
		begin_from(o);
		v = &o->sender;
	} else if (span_iis(name, "Reply-To")) {
		v = &o->reply_to;
	} else if (span_iis(name, "Subject")) {
		v = &o->subject;
	} else if (span_iis(name, "Date")) {
		v = &o->date;
	} else if (span_iis(name, "X-Mailhaul-Trace")) {
		begin_trace(o);
	}
	if (v != NULL && !v->found) {
		v->found = true;
		o->value = v;
	}
}

static void
add_value(struct original_value *v, struct span s)
{
	size_t room = sizeof(v->text) - v->n;

	if (s.n > room) {
		v->cut = true;
		s.n = room;
	}
	memcpy(v->text + v->n, s.p, s.n);
	v->n += s.n;
}

/* Printable, on one line, and cut when it is none of ours. */
static void
add_trace(struct original *o, struct span s)
{
	for (size_t i = 0; i < s.n && o->trace_len + 1 < ORIGINAL_TRACE_MAX;
	     i++)
		if (ascii_is_print(s.p[i]))
			o->trace[o->trace_len++] = s.p[i];
}

static void
measure(struct original *o, struct span s)
{
	struct original_from *f = o->open;

	if (o->fresh)
		f->blank = s.p[0] == ' ' || s.p[0] == '\t';
	o->fresh = false;
	for (size_t i = 0; i < s.n; i++)
		f->line += s.p[i] != '\r' && s.p[i] != '\n';
	if (s.p[s.n - 1] == '\n')
		o->open = NULL;
}

static void
end_field(struct original *o)
{
	struct original_value *v = o->value;

	while (v != NULL && v->n > 0 &&
	       (v->text[v->n - 1] == '\r' || v->text[v->n - 1] == '\n'))
		v->n--;
	o->value = NULL;
	o->open = NULL;
	o->trace = NULL;
}

void
original_feed(struct original *o, struct span in)
{
	struct span text;
	enum field_event ev;

	while ((ev = field_next(&o->scan, &in, &text)) != FIELD_MORE) {
		if (ev == FIELD_NAME)
			begin_field(o);
		else if (ev == FIELD_END)
			end_field(o);
		else if (ev == FIELD_BODY)
			o->body = true;
		else if (o->open != NULL)
			measure(o, text);
		if (ev == FIELD_VALUE && o->value != NULL)
			add_value(o->value, text);
		if (ev == FIELD_VALUE && o->trace != NULL)
			add_trace(o, text);
	}
}

void
original_end(struct original *o)
{
	/* In the middle of a field there is more of it, or was to be. */
	if (field_finish(&o->scan))
		end_field(o);
}

struct span
original_text(const struct original_value *v)
{
	return span_make(v->text, v->n);
}
