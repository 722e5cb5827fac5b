/* SPDX-License-Identifier: ISC */
#include "auth/bearer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "auth/sasl.h"

#define SEPARATOR "\x01"

/* --- what we say */

/* RFC 6750: letters, digits and "-._~+/=".  So nothing can end the field. */
static bool
is_token(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = ascii_lower(s.p[i]);

		if ((c < 'a' || c > 'z') && !ascii_is_digit(c) &&
		    (c == '\0' || strchr("-._~+/=", c) == NULL))
			return false;
	}
	return s.n > 0;
}

static bool
is_text(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

/* A saslname (RFC 5801): '=' and ',' are written as numbers. */
static bool
add_name(struct buf *to, struct span s)
{
	bool good = true;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '=')
			good = good && buf_add(to, span_str("=3D"));
		else if (s.p[i] == ',')
			good = good && buf_add(to, span_str("=2C"));
		else
			good = good && buf_add(to, span_make(s.p + i, 1));
	}
	return good;
}

static bool
add_token(struct buf *to, const struct sasl_client *c)
{
	return buf_add(to, span_str("auth=Bearer ")) &&
	       buf_add(to, secret_reveal(c->secret)) &&
	       buf_add(to, span_str(SEPARATOR SEPARATOR));
}

bool
bearer_write(struct buf *to, bool xoauth2, const struct sasl_client *c)
{
	struct span user = span_str(c->user);

	if (!is_text(user) || !is_token(secret_reveal(c->secret)))
		return false;
	if (xoauth2)
		return buf_add(to, span_str("user=")) && buf_add(to, user) &&
		       buf_add(to, span_str(SEPARATOR)) && add_token(to, c);
	return buf_add(to, span_str("n,a=")) && add_name(to, user) &&
	       buf_addf(to,
		   "," SEPARATOR "host=%s" SEPARATOR "port=%u" SEPARATOR,
		   c->host, c->port) &&
	       add_token(to, c);
}

/* --- what it says */

struct span
bearer_farewell(bool xoauth2)
{
	return span_str(xoauth2 ? "" : SEPARATOR);
}

/* status is a number to some and a text of digits to others. */
static void
add_field(char *dst, size_t cap, const json_t *all, const char *name)
{
	const json_t *value = json_object_get(all, name);
	char number[24];
	const char *text = NULL;
	size_t at = strlen(dst);

	if (json_is_integer(value)) {
		(void)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
		    json_integer_value(value));
		text = number;
	} else if (json_is_string(value)) {
		text = json_string_value(value);
	}
	if (text == NULL || *text == '\0' || at + 2 >= cap)
		return;
	if (at > 0) {
		(void)snprintf(dst + at, cap - at, ", ");
		at = strlen(dst);
	}
	(void)snprintf(dst + at, cap - at, "%s ", name);
	at = strlen(dst);
	ascii_clean(dst + at, cap - at, text, strlen(text));
}

void
bearer_explain(struct span json, char *dst, size_t cap)
{
	static const char *const names[] = { "status", "error",
		"error_description", "scope", "schemes" };
	json_t *all = json_loadb(json.p, json.n, 0, NULL);

	*dst = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		add_field(dst, cap, all, names[i]);
	if (*dst == '\0')
		(void)snprintf(dst, cap, "for no reason that it gives");
	json_decref(all);
}
