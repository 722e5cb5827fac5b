/* SPDX-License-Identifier: ISC */
#include "auth/oauth_http.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "auth/oauth_answer.h"
#include "base/mem.h"
#include "base/secret.h"
#include "net/loop.h"
#include "net/resolve.h"

#define HEAD_MAX (64 * 1024) /* bytes of all headers */
#define PHASE "sign-in"

struct oauth_http {
	struct loop *loop;         /* foreign */
	struct resolver *resolver; /* owned */
	CURLM *multi;              /* owned */
	struct timer timer;        /* as libcurl wants it */
};

/* A socket of libcurl's. */
struct line {
	struct oauth_http *http;
	struct watch read, write;
	curl_socket_t fd;
};

struct oauth_post {
	struct oauth_http *http; /* foreign */
	char *url, *ca_file;     /* owned */
	char *host;              /* owned; without brackets */
	unsigned port;
	struct buf form, body;
	size_t head; /* bytes of headers */
	struct resolve_job *resolving;
	struct curl_slist *headers, *addresses;
	CURL *easy; /* NULL: not begun */
	char error[CURL_ERROR_SIZE];
	bool too_long;
	bool ended; /* the timer delivers */
	struct oauth_reply reply;
	struct fault fault;
	bool failed;
	struct timer timer;
	void (*done)(
	    void *arg, const struct oauth_reply *r, const struct fault *f);
	void *arg;
};

static void
must(bool good)
{
	if (!good)
		abort(); /* as any allocation that failed (base/mem.h) */
}

/* --- one post: its end */

static void
post_free(struct oauth_post *p)
{
	resolve_cancel(&p->resolving);
	if (p->easy != NULL) {
		curl_multi_remove_handle(p->http->multi, p->easy);
		curl_easy_cleanup(p->easy);
	}
	curl_slist_free_all(p->headers);
	curl_slist_free_all(p->addresses);
	timer_free(&p->timer);
	buf_free(&p->form);
	buf_free(&p->body);
	free(p->url);
	free(p->ca_file);
	free(p->host);
	free(p);
}

static void
fail(struct oauth_post *p, enum fault_when when, const char *text,
    const char *detail)
{
	fault_set(&p->fault, FAULT_ACCOUNT, when, PHASE, "%s: %s",
	    p->host != NULL ? p->host : "the address of the provider", text);
	if (detail[0] != '\0')
		fault_quote(&p->fault, span_str(detail));
	p->failed = p->ended = true;
	timer_set(&p->timer, 0);
}

static void
on_ended(void *arg)
{
	struct oauth_post *p = arg;
	void (*done)(void *, const struct oauth_reply *, const struct fault *) =
	    p->done;
	void *done_arg = p->arg;

	if (!p->ended) {
		fail(p, FAULT_LATER, "no answer in time", "");
		return;
	}
	p->reply.body = buf_span(&p->body);
	done(done_arg, p->failed ? NULL : &p->reply,
	    p->failed ? &p->fault : NULL);
	post_free(p);
}

static const char *
words_of(CURLcode code, const struct oauth_post *p)
{
	if (p->too_long)
		return "the answer is longer than it may be";
	switch ((int)code) {
	case CURLE_PEER_FAILED_VERIFICATION:
		return "the certificate cannot be trusted";
	case CURLE_COULDNT_CONNECT:
		return "cannot be reached";
	case CURLE_OPERATION_TIMEDOUT:
		return "no answer in time";
	case CURLE_SSL_CACERT_BADFILE:
		return "oauth_ca_file cannot be used";
	default:
		return "no answer";
	}
}

static void
end_transfer(struct oauth_post *p, CURLcode code)
{
	long status = 0;
	curl_off_t wait = 0;

	if (code != CURLE_OK) {
		fail(p, FAULT_LATER, words_of(code, p),
		    p->error[0] != '\0' ? p->error : curl_easy_strerror(code));
		return;
	}
	curl_easy_getinfo(p->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(p->easy, CURLINFO_RETRY_AFTER, &wait);
	p->reply.status = status > 0 && status < 1000 ? (unsigned)status : 0;
	p->reply.retry_after = wait > 0 ? (int64_t)wait : 0;
	p->ended = true;
	timer_set(&p->timer, 0);
}

/* --- libcurl in the loop */

static void
collect(struct oauth_http *h)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		struct oauth_post *p = NULL;

		if (m->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(
		    m->easy_handle, CURLINFO_PRIVATE, (char **)&p);
		end_transfer(p, m->data.result);
	}
}

static void
act(struct oauth_http *h, curl_socket_t fd, int what)
{
	int running;

	curl_multi_socket_action(h->multi, fd, what, &running);
	collect(h);
}

static void
on_timer(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT, 0);
}

static void
on_readable(void *arg)
{
	struct line *l = arg;

	act(l->http, l->fd, CURL_CSELECT_IN); /* l may be gone */
}

static void
on_writable(void *arg)
{
	struct line *l = arg;

	act(l->http, l->fd, CURL_CSELECT_OUT);
}

static int
set_timer(CURLM *multi, long ms, void *arg)
{
	struct oauth_http *h = arg;

	(void)multi;
	if (ms < 0)
		timer_cancel(&h->timer);
	else
		timer_set(&h->timer, ms);
	return 0;
}

static int
set_line(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_line)
{
	struct oauth_http *h = arg;
	struct line *l = of_line;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (l == NULL)
			return 0;
		watch_free(&l->read);
		watch_free(&l->write);
		free(l);
		curl_multi_assign(h->multi, fd, NULL);
		return 0;
	}
	if (l == NULL) {
		l = mem_alloc(sizeof(*l));
		l->http = h;
		l->fd = fd;
		watch_init(&l->read, h->loop, fd, WATCH_READ, on_readable, l);
		watch_init(&l->write, h->loop, fd, WATCH_WRITE, on_writable, l);
		curl_multi_assign(h->multi, fd, l);
	}
	watch_set(&l->read, (what & CURL_POLL_IN) != 0);
	watch_set(&l->write, (what & CURL_POLL_OUT) != 0);
	return 0;
}

struct oauth_http *
oauth_http_new(struct loop *l)
{
	struct oauth_http *h = mem_alloc(sizeof(*h));

	h->loop = l;
	h->resolver = resolver_new(l);
	timer_init(&h->timer, l, on_timer, h);
	h->multi = curl_multi_init();
	must(h->multi != NULL);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETFUNCTION, set_line);
	curl_multi_setopt(h->multi, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERFUNCTION, set_timer);
	curl_multi_setopt(h->multi, CURLMOPT_TIMERDATA, h);
	return h;
}

void
oauth_http_free(struct oauth_http **http)
{
	struct oauth_http *h = *http;

	if (h == NULL)
		return;
	*http = NULL;
	curl_multi_cleanup(h->multi);
	timer_free(&h->timer);
	resolver_free(&h->resolver);
	free(h);
}

/* --- one post: its way */

static size_t
on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct oauth_post *p = arg;

	if (buf_add(&p->body, span_make(bytes, size * n)))
		return size * n;
	p->too_long = true;
	return 0;
}

static size_t
on_head(char *bytes, size_t size, size_t n, void *arg)
{
	struct oauth_post *p = arg;

	(void)bytes;
	p->head += size * n;
	if (p->head <= HEAD_MAX)
		return size * n;
	p->too_long = true;
	return 0;
}

static void
set_policy(struct oauth_post *p)
{
	CURL *e = p->easy;

	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(e, CURLOPT_HTTPAUTH, 0L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)OAUTH_HTTP_MS);
	/* No connection stays, and with it no buffer with a token in it. */
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (p->ca_file == NULL)
		return;
	curl_easy_setopt(e, CURLOPT_CAINFO, p->ca_file);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
}

static void
begin(struct oauth_post *p)
{
	struct span form = buf_span(&p->form);

	p->easy = curl_easy_init();
	must(p->easy != NULL);
	set_policy(p);
	curl_easy_setopt(p->easy, CURLOPT_URL, p->url);
	curl_easy_setopt(p->easy, CURLOPT_USERAGENT, "mailhaul");
	p->headers = curl_slist_append(NULL, "Accept: application/json");
	must(p->headers != NULL);
	curl_easy_setopt(p->easy, CURLOPT_HTTPHEADER, p->headers);
	curl_easy_setopt(p->easy, CURLOPT_RESOLVE, p->addresses);
	curl_easy_setopt(p->easy, CURLOPT_POSTFIELDS, form.p);
	curl_easy_setopt(p->easy, CURLOPT_POSTFIELDSIZE, (long)form.n);
	curl_easy_setopt(p->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(p->easy, CURLOPT_WRITEDATA, p);
	curl_easy_setopt(p->easy, CURLOPT_HEADERFUNCTION, on_head);
	curl_easy_setopt(p->easy, CURLOPT_HEADERDATA, p);
	curl_easy_setopt(p->easy, CURLOPT_ERRORBUFFER, p->error);
	curl_easy_setopt(p->easy, CURLOPT_PRIVATE, p);
	if (curl_multi_add_handle(p->http->multi, p->easy) != CURLM_OK)
		fail(p, FAULT_LATER, "cannot be asked", "");
}

/* "+host:443:192.0.2.1,[2001:db8::1]": what libcurl takes instead of asking a
 * resolver, and forgets again. */
static void
add_addresses(
    struct oauth_post *p, const struct resolve_address *list, size_t n)
{
	char text[INET6_ADDRSTRLEN];
	struct buf b;

	buf_init(&b, 4096);
	buf_addf(&b, "+%s:%u:", p->host, p->port);
	for (size_t i = 0; i < n; i++) {
		const struct sockaddr_storage *a = &list[i].addr;
		bool six = a->ss_family == AF_INET6;
		const void *bits =
		    six ? (const void *)&((const struct sockaddr_in6 *)a)
			      ->sin6_addr
			: (const void *)&((const struct sockaddr_in *)a)
			      ->sin_addr;

		if (inet_ntop(a->ss_family, bits, text, sizeof(text)) != NULL)
			buf_addf(&b, six ? "%s[%s]" : "%s%s", i > 0 ? "," : "",
			    text);
	}
	must(buf_add(&b, span_make("", 1)));
	p->addresses = curl_slist_append(NULL, buf_span(&b).p);
	must(p->addresses != NULL);
	buf_free(&b);
}

static void
on_resolved(void *arg, const struct resolve_address *list, size_t n,
    const struct fault *f)
{
	struct oauth_post *p = arg;

	p->resolving = NULL;
	if (n == 0) {
		p->fault = *f;
		p->failed = p->ended = true;
		timer_set(&p->timer, 0);
		return;
	}
	add_addresses(p, list, n);
	begin(p);
}

/* False: it is no https address. */
static bool
split_url(struct oauth_post *p)
{
	CURLU *u = curl_url();
	char *host = NULL, *port = NULL, *scheme = NULL;
	uint64_t number;
	bool good;

	must(u != NULL);
	good = curl_url_set(u, CURLUPART_URL, p->url, 0) == CURLUE_OK &&
	       curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
	       strcmp(scheme, "https") == 0 &&
	       curl_url_get(u, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	       curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ==
	           CURLUE_OK &&
	       span_uint(span_str(port), 65535, &number);
	if (good) {
		p->host = mem_strdup(host);
		p->port = (unsigned)number;
	}
	curl_free(host);
	curl_free(port);
	curl_free(scheme);
	curl_url_cleanup(u);
	return good;
}

struct oauth_post *
oauth_http_post(struct oauth_http *h, const char *url, const char *ca_file,
    struct buf *form,
    void (*done)(void *arg, const struct oauth_reply *r, const struct fault *f),
    void *arg)
{
	struct oauth_post *p = mem_alloc(sizeof(*p));

	p->http = h;
	p->url = mem_strdup(url);
	p->ca_file = mem_strdup(ca_file);
	p->form = *form;
	buf_init(form, 0);
	buf_init(&p->body, OAUTH_BODY_MAX);
	p->body.secret = true;
	p->done = done;
	p->arg = arg;
	timer_init(&p->timer, h->loop, on_ended, p);
	if (!split_url(p)) {
		fail(p, FAULT_NEVER, "it is not of the form https://HOST/PATH",
		    "");
		return p;
	}
	/* The name is within it. */
	timer_set(&p->timer, OAUTH_HTTP_MS);
	if (p->host[0] == '[')
		begin(p);
	else
		p->resolving = resolve_start(
		    h->resolver, p->host, p->port, on_resolved, p);
	return p;
}

void
oauth_http_cancel(struct oauth_post **p)
{
	if (*p == NULL)
		return;
	post_free(*p);
	*p = NULL;
}
