/* SPDX-License-Identifier: ISC */
/*
 * A configuration of any bytes: it is either good and complete, or there is an
 * error that can be printed.  libconfig is in the loop on purpose: what it
 * would die of must have been stopped before.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 forgets the string it was reading at a syntax error. */
const char *
__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

static void
must(bool ok)
{
	if (!ok)
		abort();
}

static void
check_server(const struct conf_server *s)
{
	must(s->host != NULL && s->user != NULL && s->password != NULL);
	must(s->port > 0 && s->port < 65536);
}

static void
check_conf(const struct conf *c)
{
	must(c->naccounts > 0 && c->ndestinations > 0);
	must(c->message_max <= c->spool_max && c->dot_timeout >= 600);
	for (size_t i = 0; i < c->ndestinations; i++) {
		const struct conf_destination *d = &c->destinations[i];

		check_server(&d->server);
		must(d->name != NULL && d->recipient != NULL);
		must(d->mail_from != NULL);
	}
	for (size_t i = 0; i < c->naccounts; i++) {
		const struct conf_account *a = &c->accounts[i];

		check_server(&a->server);
		must(a->name != NULL && a->ndestinations > 0);
		must(a->interval >= 10);
		must(a->nfolders > 0);
		for (size_t j = 0; j < a->nfolders; j++)
			must(a->folders[j].name != NULL);
	}
}

static void
check_problems(const struct conf_problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		for (const char *t = p->list[i].text; *t != '\0'; t++)
			must((unsigned char)*t >= 0x20 && *t != 0x7f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static int fd = -1;
	struct conf_problems problems;
	char path[64];
	struct conf *c;

	if (fd < 0)
		fd = memfd_create("fuzz_conf", MFD_CLOEXEC);
	must(fd >= 0 && ftruncate(fd, 0) == 0);
	must(pwrite(fd, data, n, 0) == (ssize_t)n);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	c = conf_load(path, &problems);
	must((c != NULL) == (problems.errors == 0));
	if (c != NULL)
		check_conf(c);
	check_problems(&problems);
	conf_problems_free(&problems);
	conf_free(&c);
	return 0;
}
