/* SPDX-License-Identifier: ISC */
#include "net/resolve.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "base/mem.h"
#include "net/loop.h"

#define HOSTS "/etc/hosts"
#define RESOLV_CONF "/etc/resolv.conf"

struct resolver {
	struct loop *loop;      /* foreign */
	struct evdns_base *dns; /* owned; NULL until first used */
	struct timespec hosts_time,
	    conf_time; /* of the files it was made from */
	unsigned jobs; /* queries that dns still knows of */
};

struct resolve_job {
	struct resolver *resolver;
	struct evdns_getaddrinfo_request *request; /* NULL: answered */
	struct timer deliver;
	void (*done)(void *arg, const struct resolve_address *list, size_t n,
	    const struct fault *f);
	void *arg;
	char *host;
	bool cancelled;
	struct resolve_address list[RESOLVE_MAX];
	size_t n;
	int error; /* EVUTIL_EAI_ */
};

struct resolver *
resolver_new(struct loop *l)
{
	struct resolver *r = mem_alloc(sizeof(*r));

	r->loop = l;
	return r;
}

void
resolver_free(struct resolver **r)
{
	if (*r == NULL)
		return;
	if ((*r)->dns != NULL)
		evdns_base_free((*r)->dns, 1);
	free(*r);
	*r = NULL;
}

static struct timespec
changed_at(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mtim : (struct timespec){ 0, 0 };
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* evdns_base_new() that reads resolv.conf by itself fails when the file names
 * no server; made empty and filled here, it still serves /etc/hosts. */
static void
load(struct resolver *r)
{
	r->dns = evdns_base_new(
	    loop_base(r->loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (r->dns == NULL)
		abort();
	r->hosts_time = changed_at(HOSTS);
	r->conf_time = changed_at(RESOLV_CONF);
	(void)evdns_base_load_hosts(r->dns, HOSTS);
	/* Adds libevent's own lines for localhost behind those of the file. */
	(void)evdns_base_load_hosts(r->dns, NULL);
	(void)evdns_base_resolv_conf_parse(r->dns,
	    DNS_OPTION_SEARCH | DNS_OPTION_NAMESERVERS | DNS_OPTION_MISC,
	    RESOLV_CONF);
}

static void
refresh(struct resolver *r)
{
	if (r->dns != NULL && r->jobs == 0 &&
	    (!same_time(r->hosts_time, changed_at(HOSTS)) ||
		!same_time(r->conf_time, changed_at(RESOLV_CONF)))) {
		evdns_base_free(r->dns, 1);
		r->dns = NULL;
	}
	if (r->dns == NULL)
		load(r);
}

static void
job_free(struct resolve_job *job)
{
	timer_free(&job->deliver);
	free(job->host);
	free(job);
}

static void
deliver(void *arg)
{
	struct resolve_job *job = arg;
	struct fault f;

	if (job->n == 0) {
		fault_set(&f, FAULT_ACCOUNT, FAULT_LATER, "name",
		    "cannot find the address of %s: %s", job->host,
		    job->error == EVUTIL_EAI_NONAME ||
			    job->error == EVUTIL_EAI_NODATA
			? "no such name, or it has no address"
			: evutil_gai_strerror(job->error));
		f.cause = FAULT_CAUSE_NAME;
		f.hint = "check host, and the name servers of this machine";
	}
	job->done(job->arg, job->list, job->n, &f);
	job_free(job);
}

/* evdns answers at once what it finds in /etc/hosts, and later also after it
 * was told to cancel: so the job outlives its owner until this was called. */
static void
on_answer(int error, struct evutil_addrinfo *res, void *arg)
{
	struct resolve_job *job = arg;

	job->request = NULL;
	job->resolver->jobs--;
	for (struct evutil_addrinfo *ai = res;
	     error == 0 && ai != NULL && job->n < RESOLVE_MAX;
	     ai = ai->ai_next) {
		if (ai->ai_addrlen > sizeof(job->list[0].addr))
			continue;
		memcpy(&job->list[job->n].addr, ai->ai_addr, ai->ai_addrlen);
		job->list[job->n++].len = (socklen_t)ai->ai_addrlen;
	}
	job->error = error;
	if (res != NULL)
		evutil_freeaddrinfo(res);
	if (job->cancelled)
		job_free(job);
	else
		timer_set(&job->deliver, 0);
}

struct resolve_job *
resolve_start(struct resolver *r, const char *host, unsigned port,
    void (*done)(void *arg, const struct resolve_address *list, size_t n,
	const struct fault *f),
    void *arg)
{
	struct resolve_job *job = mem_alloc(sizeof(*job));
	struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
	};
	struct evdns_getaddrinfo_request *request;
	char service[8];

	refresh(r);
	job->resolver = r;
	job->done = done;
	job->arg = arg;
	job->host = mem_strdup(host);
	timer_init(&job->deliver, r->loop, deliver, job);
	snprintf(service, sizeof(service), "%u", port);
	r->jobs++;
	request =
	    evdns_getaddrinfo(r->dns, host, service, &hints, on_answer, job);
	if (request != NULL)
		job->request = request;
	return job;
}

void
resolve_cancel(struct resolve_job **job)
{
	struct resolve_job *j = *job;

	*job = NULL;
	if (j == NULL)
		return;
	if (j->request == NULL) {
		job_free(j);
		return;
	}
	j->cancelled = true;
	evdns_getaddrinfo_cancel(j->request);
}
