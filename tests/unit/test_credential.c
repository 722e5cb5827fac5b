/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/credential.h"
#include "net/loop.h"

#define SECRET "s3cret-not-for-logs"

static char dir[64];
static struct loop *loop;

/* What came back. */
static struct {
	int calls;
	bool inside; /* credential_fetch() is running */
	struct secret *secret;
	struct fault fault;
} got;

static void
on_done(void *arg, struct secret *secret, const struct fault *f)
{
	assert_ptr_equal(arg, &got);
	assert_false(got.inside);
	assert_true((secret == NULL) == (f != NULL));
	got.calls++;
	got.secret = secret;
	if (f != NULL)
		got.fault = *f;
	loop_stop(loop);
}

static struct credential_job *
begin(const char *reference)
{
	struct credential_job *job;

	secret_free(&got.secret);
	got.calls = 0;
	got.inside = true;
	job = credential_fetch(loop, reference, on_done, &got);
	got.inside = false;
	return job;
}

static void
fetch(const char *reference)
{
	begin(reference);
	loop_run(loop);
	assert_int_equal(got.calls, 1);
	/* No child is left behind. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void
expect_secret(const char *reference, const char *secret)
{
	fetch(reference);
	if (got.secret == NULL)
		fail_msg("%s: %s", reference, got.fault.text);
	assert_true(span_is(secret_reveal(got.secret), secret));
}

static void
expect_fault(const char *reference, enum fault_when when, const char *text_part)
{
	fetch(reference);
	assert_null(got.secret);
	assert_int_equal(got.fault.scope, FAULT_ACCOUNT);
	assert_int_equal(got.fault.when, when);
	assert_string_equal(got.fault.phase, "credential");
	if (strstr(got.fault.text, text_part) == NULL)
		fail_msg("%s: %s", reference, got.fault.text);
	assert_null(strstr(got.fault.text, SECRET));
}

/* Returns "file:PATH" in a buffer that the next call reuses. */
static const char *
put(const char *name, const char *text, size_t n, mode_t mode)
{
	static char reference[160];
	const char *path = reference + strlen("file:");
	FILE *f;

	snprintf(reference, sizeof(reference), "file:%s/%s", dir, name);
	unlink(path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
	return reference;
}

static const char *
put_text(const char *text)
{
	return put("secret", text, strlen(text), 0600);
}

static void
test_file(void **state)
{
	(void)state;
	expect_secret(put_text(SECRET), SECRET);
	expect_secret(put_text(SECRET "\n"), SECRET);
	expect_secret(put_text(SECRET "\r\n"), SECRET);
	expect_secret(put_text(SECRET "\nnot this\n"), SECRET);
	expect_secret(put_text(" a b \t\n"), " a b \t");
	expect_secret(put("secret", "x", 1, 0400), "x");
	expect_fault(put_text(""), FAULT_NEVER, "empty");
	expect_fault(put_text("\n" SECRET), FAULT_NEVER, "empty");
	expect_fault(put_text("\r\n"), FAULT_NEVER, "empty");
	expect_fault(put("secret", SECRET "\0x", sizeof(SECRET) + 1, 0600),
	    FAULT_NEVER, "NUL");
}

static void
test_file_size(void **state)
{
	static char text[CREDENTIAL_MAX + 2];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	expect_fault(put_text(text), FAULT_NEVER, "longer than 4096");
	text[CREDENTIAL_MAX] = '\0';
	expect_secret(put_text(text), text);
}

static void
test_file_refused(void **state)
{
	char path[128], reference[160];

	(void)state;
	expect_fault(put("secret", SECRET, 5, 0640), FAULT_NEVER, "mode 0640");
	expect_fault(put("secret", SECRET, 5, 0604), FAULT_NEVER, "chmod 600");
	expect_fault(put("secret", SECRET, 5, 0620), FAULT_NEVER, "others");
	put_text(SECRET);
	snprintf(path, sizeof(path), "%s/link", dir);
	assert_int_equal(symlink("secret", path), 0);
	snprintf(reference, sizeof(reference), "file:%s", path);
	expect_fault(reference, FAULT_NEVER, "symbolic link");
	unlink(path);
	expect_fault(reference, FAULT_NEVER, path);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_fault(reference, FAULT_NEVER, "not a regular file");
	unlink(path);
	snprintf(reference, sizeof(reference), "file:%s", dir);
	expect_fault(reference, FAULT_NEVER, "not a regular file");
	expect_fault("file:secret", FAULT_NEVER, "absolute");
}

static void
test_credential(void **state)
{
	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	expect_fault("credential:home", FAULT_NEVER, "LoadCredential=");
	setenv("CREDENTIALS_DIRECTORY", dir, 1);
	expect_fault("credential:home", FAULT_NEVER, "mailhaul.secrets_home");
	assert_non_null(strstr(got.fault.text, dir));
	put("mailhaul.sealed_home", "third\n", 6, 0400);
	expect_secret("credential:home", "third");
	put("mailhaul.secrets_home", "second\n", 7, 0600);
	expect_secret("credential:home", "second");
	put("home", "first\n", 6, 0600);
	expect_secret("credential:home", "first");
	/* systemd grants access by an ACL, which shows in the group's bits. */
	expect_secret(put("home", "first\n", 6, 0440), "first");
	expect_fault("credential:../home", FAULT_NEVER, "plain name");
	expect_fault("credential:", FAULT_NEVER, "plain name");
	unsetenv("CREDENTIALS_DIRECTORY");
}

static void
test_env(void **state)
{
	(void)state;
	setenv("MAILHAUL_TEST", SECRET, 1);
	expect_secret("env:MAILHAUL_TEST", SECRET);
	setenv("MAILHAUL_TEST", "", 1);
	expect_fault("env:MAILHAUL_TEST", FAULT_NEVER, "empty");
	unsetenv("MAILHAUL_TEST");
	expect_fault("env:MAILHAUL_TEST", FAULT_NEVER, "MAILHAUL_TEST");
	expect_fault(SECRET, FAULT_NEVER, "scheme");
}

static void
test_command(void **state)
{
	(void)state;
	expect_secret("command:/bin/echo " SECRET, SECRET);
	expect_secret("command: /bin/echo  a   b ", "a b");
	expect_secret("command:/bin/echo \"a  b\" 'c \"d'", "a  b c \"d");
	expect_secret("command:'/bin/echo' x\"y\"z", "xyz");
	expect_secret("command:/bin/echo '' x", " x");
	/* No shell. */
	expect_secret("command:/bin/echo $HOME `id` ; x", "$HOME `id` ; x");
	expect_secret("command:/bin/sh -c 'echo one; echo two'", "one");
	/* Output in pieces, and an end that lags behind its output. */
	expect_secret("command:/bin/sh -c 'printf a; sleep 0.1; printf b; "
		      "exec >&-; sleep 0.1'",
	    "ab");
	/* stdin is empty and stderr goes nowhere. */
	expect_secret("command:/bin/sh -c 'cat; echo no >&2; echo yes'", "yes");
}

static void
test_command_fault(void **state)
{
	(void)state;
	expect_fault("command:/bin/sh -c 'echo " SECRET "; exit 3'",
	    FAULT_LATER, "exit code 3");
	expect_fault(
	    "command:/bin/sh -c 'kill -9 $$'", FAULT_LATER, "signal 9");
	expect_fault("command:/bin/true", FAULT_NEVER, "empty");
	expect_fault("command:/nonexistent/x " SECRET, FAULT_NEVER,
	    "cannot run /nonexistent/x");
	expect_fault("command:echo x", FAULT_NEVER, "absolute path");
	expect_fault("command:", FAULT_NEVER, "absolute path");
	expect_fault("command:/bin/echo 'x", FAULT_NEVER, "quote");
	/* Endless output is cut off, and the program with it. */
	expect_fault(
	    "command:/usr/bin/yes " SECRET, FAULT_NEVER, "more than 4096");
}

static int
open_files(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			n++;
	return n;
}

/* The program has 0, 1 and 2, although we have others that would pass. */
static void
test_command_files(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	expect_secret("command:/bin/sh -c 'for i in 3 4 5 6 7 8 9; do "
		      "test -e /proc/$$/fd/$i && echo $i; done; echo none'",
	    "none");
	close(fds[0]);
	close(fds[1]);
}

static void
test_cancel(void **state)
{
	int before = open_files();
	struct credential_job *job = begin("command:/bin/sleep 60");

	(void)state;
	credential_cancel(&job);
	assert_null(job);
	credential_cancel(&job);
	job = begin("env:HOME");
	credential_cancel(&job);
	expect_secret("command:/bin/echo x", "x");
	assert_int_equal(got.calls, 1);
	assert_int_equal(open_files(), before);
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_credential.XXXXXX");
	loop = loop_new();
	return mkdtemp(dir) != NULL && loop != NULL ? 0 : -1;
}

static int
tear_down(void **state)
{
	const char *const names[] = { "secret", "home", "mailhaul.secrets_home",
		"mailhaul.sealed_home" };
	char path[128];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	secret_free(&got.secret);
	loop_free(&loop);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_file_size),
		cmocka_unit_test(test_file_refused),
		cmocka_unit_test(test_credential),
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_command),
		cmocka_unit_test(test_command_fault),
		cmocka_unit_test(test_command_files),
		cmocka_unit_test(test_cancel),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
