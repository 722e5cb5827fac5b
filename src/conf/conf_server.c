/* SPDX-License-Identifier: ISC */
/*
 * What an account or a destination says of its login: that there is a password
 * or a token, and that the files it names are there and nobody else's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/conf_internal.h"
#include "conf/option_table.h"

bool
conf_server_uses_token(const struct conf_server *s)
{
	return s->auth == CONF_AUTH_XOAUTH2 ||
	       s->auth == CONF_AUTH_OAUTHBEARER ||
	       (s->auth == CONF_AUTH_AUTO && s->oauth_client_id != NULL);
}

/* --- files -------------------------------------------------------------- */

/* systemd keeps these from others by other means than the mode. */
static bool
is_below_credentials(const char *path)
{
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	size_t n = dir != NULL ? strlen(dir) : 0;

	return n > 0 && strncmp(path, dir, n) == 0 && path[n] == '/' &&
	       strstr(path, "/../") == NULL;
}

static void
check_secret_file(struct conf_problems *p, const char *option, const char *path,
    struct conf_place at)
{
	struct stat st;

	if (path[0] != '/')
		conf_error(p, at, "%s: file: wants an absolute path", option);
	else if (lstat(path, &st) != 0)
		conf_error(p, at, "%s: %s: %s", option, path, strerror(errno));
	else if (!S_ISREG(st.st_mode))
		conf_error(p, at, "%s: %s is not a regular file", option, path);
	else if ((st.st_mode & 077) != 0 && !is_below_credentials(path))
		conf_error(p, at,
		    "%s: others can get at %s (mode %04o); chmod 600 it",
		    option, path, (unsigned)st.st_mode & 07777);
}

static bool
quotes_match(const char *s)
{
	char quote = '\0';

	for (; *s != '\0'; s++)
		if (quote == '\0' && (*s == '"' || *s == '\''))
			quote = *s;
		else if (*s == quote)
			quote = '\0';
	return quote == '\0';
}

static void
check_command(struct conf_problems *p, const char *option, const char *command,
    struct conf_place at)
{
	const char *program = command + strspn(command, " \t\"'");

	if (*program != '/')
		conf_error(p, at,
		    "%s: command: begins with the absolute path of a program",
		    option);
	if (!quotes_match(command))
		conf_error(p, at, "%s: command: has a quote that is not closed",
		    option);
}

static void
check_reference(struct conf_problems *p, const struct conf_entry *e,
    const char *option, const char *reference)
{
	struct conf_place at = conf_place_of(e, option);

	if (reference == NULL)
		return;
	if (strncmp(reference, "file:", 5) == 0)
		check_secret_file(p, option, reference + 5, at);
	if (strncmp(reference, "command:", 8) == 0)
		check_command(p, option, reference + 8, at);
}

static void
check_authorities(struct conf_problems *p, const struct conf_entry *e,
    const char *option, const char *file)
{
	if (file != NULL && access(file, R_OK) != 0)
		conf_error(p, conf_place_of(e, option), "%s: %s: %s", option,
		    file, strerror(errno));
}

/* --- password or token --------------------------------------------------- */

/* One that was given and was wrong has been reported. */
static void
need(struct conf_problems *p, const struct conf_entry *e, const char *option,
    const char *value)
{
	if (value == NULL && !conf_was_given(e, option))
		conf_error(p, e->at, "%s is missing; it wants %s", option,
		    option_wants(option_find(OPTION_ACCOUNT, option, NULL)).s);
}

static void
need_for_token(struct conf_problems *p, const struct conf_entry *e,
    const char *option, const char *value)
{
	if (value == NULL && !conf_was_given(e, option))
		conf_error(p, conf_place_of(e, "auth"),
		    "%s is missing; without it no token can be fetched",
		    option);
}

static void
check_token(struct conf_problems *p, const struct conf_server *s,
    const struct conf_entry *e)
{
	need_for_token(p, e, "oauth_client_id", s->oauth_client_id);
	need_for_token(p, e, "oauth_scope", s->oauth_scope);
	need_for_token(p, e, "oauth_token_url", s->oauth_token_url);
	if (s->oauth_device_url == NULL && s->oauth_authorize_url == NULL &&
	    !conf_was_given(e, "oauth_device_url") &&
	    !conf_was_given(e, "oauth_authorize_url"))
		conf_error(p, conf_place_of(e, "auth"),
		    "oauth_device_url and oauth_authorize_url are missing; "
		    "without one of them nobody can sign in");
	if (s->password != NULL)
		conf_warning(p, conf_place_of(e, "password"),
		    "password is not used: the login is with a token, because "
		    "of %s",
		    s->auth == CONF_AUTH_AUTO   ? "oauth_client_id"
		    : conf_was_given(e, "auth") ? "auth"
						: "provider");
}

/* Half of what a token needs, and a person who thinks that it is used. */
static void
check_unused(struct conf_problems *p, const struct conf_server *s,
    const struct conf_entry *e)
{
	for (size_t i = 0; option_table[i].name != NULL; i++) {
		if (strncmp(option_table[i].name, "oauth_", 6) != 0 ||
		    e->options[i].file == NULL)
			continue;
		conf_warning(p, e->options[i], "%s is not used: %s",
		    option_table[i].name,
		    s->auth == CONF_AUTH_AUTO ? "there is no oauth_client_id"
					      : "auth asks for a password");
	}
}

void
conf_check_server(struct conf_problems *p, const struct conf_server *s,
    const struct conf_entry *e)
{
	if (conf_server_uses_token(s)) {
		check_token(p, s, e);
	} else {
		need(p, e, "password", s->password);
		check_unused(p, s, e);
	}
	check_reference(p, e, "password", s->password);
	check_reference(p, e, "oauth_client_secret", s->oauth_client_secret);
	check_authorities(p, e, "ca_file", s->ca_file);
	check_authorities(p, e, "oauth_ca_file", s->oauth_ca_file);
}
