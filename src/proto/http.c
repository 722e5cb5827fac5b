/* SPDX-License-Identifier: ISC */
#include "proto/http.h"

static enum http_status
bad(struct http_request *r, unsigned code, const char *why)
{
	r->code = code;
	r->why = why;
	return HTTP_BAD;
}

/* RFC 9110 section 5.6.2. */
static bool
is_token(struct span s)
{
	static const char separators[] = "\"(),/:;<=>?@[\\]{}";

	for (size_t i = 0; i < s.n; i++)
		if (memchr(separators, s.p[i], sizeof(separators) - 1) != NULL)
			return false;
	return s.n > 0 && span_is_visible(s);
}

static struct span
trim(struct span s)
{
	while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = span_skip(s, 1);
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
		s.n--;
	return s;
}

/* Up to the CRLF, which is there. */
static struct span
take_line(struct span *rest)
{
	struct span line = span_cut(rest, '\n');

	return span_make(line.p, line.n - 1);
}

static enum http_status
read_request_line(struct http_request *r, struct span line)
{
	r->method = span_cut(&line, ' ');
	r->target = span_cut(&line, ' ');
	if (!is_token(r->method) || r->target.n == 0 ||
	    !span_is_visible(r->target))
		return bad(r, 400, "this is no HTTP request");
	if (line.n != 8 || !span_istarts(line, "HTTP/") ||
	    !ascii_is_digit(line.p[5]) || line.p[6] != '.' ||
	    !ascii_is_digit(line.p[7]))
		return bad(r, 400, "this is no HTTP request");
	if (line.p[5] != '1')
		return bad(r, 505, "HTTP/1.1 is spoken here");
	return HTTP_DONE;
}

static enum http_status
read_header(struct http_request *r, struct span line, bool *sized)
{
	struct span value = line, name = span_cut(&value, ':');

	if (name.n == line.n || !is_token(name))
		return bad(r, 400, "a header line is malformed");
	value = trim(value);
	if (span_iis(name, "Host")) {
		if (r->host.p != NULL)
			return bad(r, 400, "Host is given twice");
		r->host = value;
	} else if (span_iis(name, "Content-Length")) {
		if (*sized || !span_uint(value, UINT64_MAX, &r->body))
			return bad(r, 400, "Content-Length is wrong");
		*sized = true;
		if (r->body > HTTP_BODY_MAX)
			return bad(r, 413, "the body is too large");
	} else if (span_iis(name, "Transfer-Encoding")) {
		return bad(r, 501, "no transfer coding is understood");
	}
	return HTTP_DONE;
}

static enum http_status
read_head(struct http_request *r, struct span head)
{
	bool sized = false;
	enum http_status status = read_request_line(r, take_line(&head));

	while (status == HTTP_DONE && head.n > 0) {
		struct span line = take_line(&head);

		if (line.n > 0)
			status = read_header(r, line, &sized);
	}
	return status;
}

/* Each LF behind a CR and each CR before an LF; of the rest what is no text
 * ends it at once, before the client has sent all of its garbage. */
static bool
is_text(struct span in)
{
	for (size_t i = 0; i < in.n; i++) {
		unsigned char c = (unsigned char)in.p[i];
		bool after_cr = i > 0 && in.p[i - 1] == '\r';

		if (after_cr != (c == '\n') ||
		    (c < ' ' && c != '\r' && c != '\n' && c != '\t') ||
		    c == 0x7f)
			return false;
	}
	return true;
}

enum http_status
http_parse(struct span in, struct http_request *r)
{
	size_t most = in.n < HTTP_HEAD_MAX ? in.n : HTTP_HEAD_MAX;
	const char *end = most > 0 ? memmem(in.p, most, "\r\n\r\n", 4) : NULL;

	*r = (struct http_request){ .head = 0 };
	if (end == NULL) {
		if (!is_text(span_make(in.p, most)))
			return bad(r, 400, "this is no HTTP request");
		if (in.n >= HTTP_HEAD_MAX)
			return bad(r, 431, "the head is too large");
		return HTTP_MORE;
	}
	r->head = (size_t)(end - in.p) + 4;
	if (!is_text(span_make(in.p, r->head)))
		return bad(r, 400, "this is no HTTP request");
	return read_head(r, span_make(in.p, r->head));
}

const char *
http_reason(unsigned code)
{
	static const struct {
		unsigned code;
		const char *text;
	} reasons[] = {
		{ 200, "OK" },
		{ 202, "Accepted" },
		{ 400, "Bad Request" },
		{ 403, "Forbidden" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 409, "Conflict" },
		{ 413, "Content Too Large" },
		{ 422, "Unprocessable Content" },
		{ 431, "Request Header Fields Too Large" },
		{ 500, "Internal Server Error" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 507, "Insufficient Storage" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++)
		if (reasons[i].code == code)
			return reasons[i].text;
	return "Error";
}
