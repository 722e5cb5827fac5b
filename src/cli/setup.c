/* SPDX-License-Identifier: ISC */
/*
 * mailhaul setup: from an address to an account that works.  Everything is
 * asked first, or given by flags; then the files are written, a person signs
 * in where that is needed, and what was set up is tried.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/secret.h"
#include "cli/client.h"
#include "cli/setup_private.h"
#include "conf/conf.h"
#include "conf/provider.h"

/* --- what there is -------------------------------------------------------- */

/* A draft is examined with what there is, which has to be good for that. */
static int
load(struct setup *s)
{
	const char *file = s->options->conf_file;
	struct conf_problems p;
	int code = EX_OK;

	if (access(file, F_OK) != 0 && errno == ENOENT)
		return EX_OK;
	s->have = conf_load_draft(
	    &(struct conf_draft){ .file = file, .parts = true }, &p);
	if (s->have == NULL) {
		cli_print_problems(&p);
		fputs("mailhaul: this is to be repaired first\n", stderr);
		code = EX_CONFIG;
	}
	conf_problems_free(&p);
	return code;
}

/* --- what is done with it ------------------------------------------------- */

static int
run(struct setup *s, const char *command, const char *option, const char *name)
{
	char *argv[] = { mem_strdup(command),
		option != NULL ? mem_strdup(option) : NULL,
		name != NULL ? mem_strdup(name) : NULL };
	char *given[3];
	int argc = 0, code;

	for (size_t i = 0; i < 3; i++)
		if (argv[i] != NULL)
			given[argc++] = argv[i];
	fflush(stdout);
	code = cli_run(s->options, argc, given);
	for (size_t i = 0; i < 3; i++)
		free(argv[i]);
	return code;
}

static bool
daemon_runs(const struct setup *s)
{
	struct client_call call = { .path = "/v1/status", .quiet = true };
	struct client *c = client_new(s->options);
	json_t *answer = NULL;
	int code;
	bool runs = client_call(c, &call, &answer, &code) != CLIENT_ABSENT;

	json_decref(answer);
	client_free(&c);
	return runs;
}

static bool
wrote_credentials(const struct setup *s)
{
	return setup_is_service(s) &&
	       (s->password.secret != NULL || s->to_password.secret != NULL ||
		   s->client.secret != NULL || s->to_client.secret != NULL);
}

static void
say_next(const struct setup *s)
{
	const char *name = s->answers[SETUP_NAME];

	printf("systemd hands the secret over when the service starts; "
	       "then:\n"
	       "  systemctl restart mailhauld\n");
	if (!s->no_login && setup_uses_token(s, false))
		printf("  mailhaul login %s\n", name);
	if (!s->no_login && s->makes_destination && setup_uses_token(s, true))
		printf("  mailhaul login %s\n", s->answers[SETUP_TO_NAME]);
	if (!s->no_check && setup_uses_token(s, false))
		printf("  mailhaul check --online %s\n", name);
}

/* One sign-in serves both when they are the same person at the same place. */
static bool
is_same_identity(const struct setup *s)
{
	return setup_shares_client(s) &&
	       strcmp(s->answers[SETUP_USER], s->answers[SETUP_TO_USER]) == 0;
}

static int
sign_in(struct setup *s)
{
	int code = EX_OK;

	if (setup_uses_token(s, false))
		code = run(s, "login", NULL, s->answers[SETUP_NAME]);
	if (code == EX_OK && s->makes_destination &&
	    setup_uses_token(s, true) &&
	    !(setup_uses_token(s, false) && is_same_identity(s)))
		code = run(s, "login", NULL, s->answers[SETUP_TO_NAME]);
	return code;
}

/* The files stay whatever becomes of it: a second try needs no second set-up.
 */
static int
try_it(struct setup *s)
{
	bool runs = daemon_runs(s);
	int code = EX_OK;

	if (wrote_credentials(s) && (runs || s->sealed)) {
		if (!s->no_check)
			code = setup_rehearse(s);
		say_next(s);
		return code;
	}
	/* Where systemd would put them; nobody else is told. */
	if (wrote_credentials(s))
		setenv(
		    "CREDENTIALS_DIRECTORY", SYSCONFDIR "/mailhaul/secrets", 0);
	if (runs)
		code = run(s, "reload", NULL, NULL);
	if (code == EX_OK && !s->no_login)
		code = sign_in(s);
	if (code == EX_OK && !s->no_check)
		code = run(s, "check", "--online", s->answers[SETUP_NAME]);
	if (code == EX_OK && !s->no_check && s->makes_destination)
		code = run(s, "check", "--online", s->answers[SETUP_TO_NAME]);
	if (code == EX_OK && !runs)
		puts("mailhauld does not run; start it to have mail relayed");
	return code;
}

static int
set_up(struct setup *s)
{
	int code = load(s);

	if (code == EX_OK)
		code = setup_ask(s);
	if (code == EX_OK)
		code = setup_write(s);
	if (code != EX_OK)
		return code;
	printf("%s is written\n", s->path);
	return try_it(s);
}

/* --- the flags ------------------------------------------------------------ */

/* With a value and without. */
static const struct flag {
	const char *name;
	size_t value, on; /* in struct setup; 0: not that kind */
} flags[] = {
	{ "--password-file", offsetof(struct setup, password.file), 0 },
	{ "--password-command", offsetof(struct setup, password.command), 0 },
	{ "--password-stdin", 0, offsetof(struct setup, password.from_stdin) },
	{ "--to-password-file", offsetof(struct setup, to_password.file), 0 },
	{ "--to-password-command", offsetof(struct setup, to_password.command),
	    0 },
	{ "--to-password-stdin", 0,
	    offsetof(struct setup, to_password.from_stdin) },
	{ "--client-secret-file", offsetof(struct setup, client.file), 0 },
	{ "--to-client-secret-file", offsetof(struct setup, to_client.file),
	    0 },
	{ "--no-login", 0, offsetof(struct setup, no_login) },
	{ "--no-check", 0, offsetof(struct setup, no_check) },
};
static const size_t nflags = sizeof(flags) / sizeof(flags[0]);

void
cli_setup_flags(void)
{
	setup_print_flags();
	for (size_t i = 0; i < nflags; i++)
		puts(flags[i].name);
}

static const struct flag *
find_flag(const char *name)
{
	for (size_t i = 0; i < nflags; i++)
		if (strcmp(flags[i].name, name) == 0)
			return &flags[i];
	return NULL;
}

/* argv[*i] is what it is about; it moves to its value, if it has one. */
static int
take_one(struct setup *s, int argc, char **argv, int *i)
{
	const char *name = argv[*i];
	const struct flag *f = find_flag(name);
	char **answer =
	    name[0] == '-' ? setup_flag(s, name) : &s->answers[SETUP_ADDRESS];

	if (f != NULL && f->on > 0) {
		*(bool *)((char *)s + f->on) = true;
		return EX_OK;
	}
	if (answer == NULL && f == NULL)
		return cli_usage_error("setup: what is %s?", name);
	if (name[0] == '-' && ++*i == argc)
		return cli_usage_error("setup: %s wants a value", name);
	if (f != NULL)
		*(const char **)((char *)s + f->value) = argv[*i];
	else if (*answer == NULL)
		*answer = mem_strdup(argv[*i]);
	else
		return cli_usage_error(
		    "setup: %s is one answer too many", argv[*i]);
	return EX_OK;
}

static int
take_flags(struct setup *s, int argc, char **argv)
{
	int code = EX_OK;

	for (int i = 1; i < argc && code == EX_OK; i++)
		code = take_one(s, argc, argv, &i);
	/* Who is asked for a secret there cannot be asked for anything else. */
	s->terminal = isatty(STDIN_FILENO) && !s->password.from_stdin &&
	              !s->to_password.from_stdin;
	return code;
}

int
cli_setup(const struct cli_options *o, int argc, char **argv)
{
	struct setup s = { .options = o };
	int code = take_flags(&s, argc, argv);

	if (code == EX_OK)
		code = set_up(&s);
	for (size_t i = 0; i < SETUP_ANSWERS; i++)
		free(s.answers[i]);
	secret_free(&s.password.secret);
	secret_free(&s.to_password.secret);
	secret_free(&s.client.secret);
	secret_free(&s.to_client.secret);
	conf_free(&s.have);
	free(s.path);
	return code;
}
