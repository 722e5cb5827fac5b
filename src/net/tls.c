/* SPDX-License-Identifier: ISC */
#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/ascii.h"
#include "base/mem.h"
#include "net/ticket.h"

struct context {
	struct context *next;
	char *ca_file; /* NULL: the system's; owned */
	SSL_CTX *ctx;  /* owned */
};

struct tls {
	struct context *contexts;
	struct tickets *tickets; /* owned */
};

/* Belongs to one session, from tls_session() to tls_end(). */
struct wire {
	const struct tls_peer *peer; /* foreign */
	struct tickets *tickets;     /* foreign */
	bool offered;                /* to resume */
	bool accepted;               /* the peer is the one we wanted */
	X509 *leaf, *bad; /* owned: what verification stopped at, or NULL */
};

static void
say(struct fault *f, const char *hint, const char *text, const char *detail)
{
	fault_set(f, FAULT_ACCOUNT, FAULT_LATER, "TLS", "%s%s%s", text,
	    detail[0] != '\0' ? ": " : "", detail);
	f->hint = hint;
}

/* The newest OpenSSL error in words; the queue is left empty, because an old
 * entry would be taken for the reason of the next failure. */
static const char *
take_error(int *reason_r)
{
	unsigned long e = ERR_peek_last_error();
	const char *text = ERR_reason_error_string(e);

	*reason_r = ERR_GET_REASON(e);
	ERR_clear_error();
	return text != NULL ? text : "unknown TLS error";
}

struct tls *
tls_new(void)
{
	struct tls *t = mem_alloc(sizeof(*t));

	t->tickets = tickets_new();
	return t;
}

/* A session that is open keeps its context, but brings no more tickets. */
void
tls_renew(struct tls *t)
{
	struct context *c;

	while ((c = t->contexts) != NULL) {
		t->contexts = c->next;
		SSL_CTX_sess_set_new_cb(c->ctx, NULL);
		SSL_CTX_free(c->ctx);
		free(c->ca_file);
		free(c);
	}
	tickets_drop(t->tickets, NULL);
}

void
tls_free(struct tls **t)
{
	if (*t == NULL)
		return;
	tls_renew(*t);
	tickets_free(&(*t)->tickets);
	free(*t);
	*t = NULL;
}

/* OpenSSL forgets a chain that it refused.  It asks here about one that is
 * pinned, too, and goes on whatever the answer: nobody explains that later. */
static int
on_verified(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct wire *w = SSL_get_app_data(ssl);

	if (ok || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE ||
	    w->leaf != NULL)
		return ok;
	w->leaf = X509_STORE_CTX_get0_cert(store);
	w->bad = X509_STORE_CTX_get_current_cert(store);
	if (w->bad == NULL)
		w->bad = w->leaf;
	X509_up_ref(w->leaf);
	X509_up_ref(w->bad);
	return ok;
}

/* 1: the session is ours now. */
static int
on_ticket(SSL *ssl, SSL_SESSION *session)
{
	const struct wire *w = SSL_get_app_data(ssl);

	if (!w->accepted || SSL_version(ssl) < TLS1_3_VERSION)
		return 0;
	tickets_put(w->tickets, w->peer, session);
	return 1;
}

static bool
set_policy(SSL_CTX *ctx)
{
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verified);
	SSL_CTX_set_session_cache_mode(
	    ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(ctx, on_ticket);
	/* Small records come several in a read, large ones without a read for
	 * their five bytes of header. */
	SSL_CTX_set_read_ahead(ctx, 1);
	/* An idle connection keeps no 32 KiB of record buffers. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
				  SSL_MODE_ENABLE_PARTIAL_WRITE |
				  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1;
}

static SSL_CTX *
new_context(const char *ca_file, struct fault *fault_r)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int ok, reason;

	if (ctx == NULL || !set_policy(ctx)) {
		SSL_CTX_free(ctx);
		say(fault_r, NULL, "cannot set up TLS", take_error(&reason));
		return NULL;
	}
	if (ca_file != NULL)
		ok = SSL_CTX_load_verify_locations(ctx, ca_file, NULL);
	else
		ok = SSL_CTX_set_default_verify_paths(ctx);
	if (ok == 1)
		return ctx;
	SSL_CTX_free(ctx);
	fault_set(fault_r, FAULT_ACCOUNT, FAULT_LATER, "TLS",
	    "cannot read certificates from %s: %s",
	    ca_file != NULL ? ca_file : "the system's store",
	    take_error(&reason));
	fault_r->hint = ca_file != NULL ? "check ca_file"
	                                : "install the package ca-certificates";
	return NULL;
}

static SSL_CTX *
find_context(struct tls *t, const char *ca_file, struct fault *fault_r)
{
	struct context *c;
	SSL_CTX *ctx;

	for (c = t->contexts; c != NULL; c = c->next) {
		if (ca_file == NULL ? c->ca_file == NULL
				    : c->ca_file != NULL &&
					  strcmp(c->ca_file, ca_file) == 0)
			return c->ctx;
	}
	ctx = new_context(ca_file, fault_r);
	if (ctx == NULL)
		return NULL;
	c = mem_alloc(sizeof(*c));
	c->ca_file = mem_strdup(ca_file);
	c->ctx = ctx;
	c->next = t->contexts;
	t->contexts = c;
	return ctx;
}

static bool
is_address(const char *host)
{
	unsigned char addr[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, addr) == 1 ||
	       inet_pton(AF_INET6, host, addr) == 1;
}

/* Names are compared by OpenSSL alone: a SAN must match, no wildcard inside a
 * label, and the subject's CN does not count. */
static bool
expect_name(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	char sni[256]; /* OpenSSL's macro wants it writable */

	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
		       X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	if (is_address(host))
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	if (strlen(host) >= sizeof(sni))
		return false;
	memcpy(sni, host, strlen(host) + 1);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, sni) == 1;
}

/* As OpenSSL does it in a handshake, with the clock and the authorities of
 * today. */
static bool
verifies(SSL *ssl)
{
	X509_STORE_CTX *store = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *param;
	bool good;

	if (store == NULL || X509_STORE_CTX_init(store,
				 SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)),
				 SSL_get0_peer_certificate(ssl),
				 SSL_get_peer_cert_chain(ssl)) != 1) {
		X509_STORE_CTX_free(store);
		return false;
	}
	param = X509_STORE_CTX_get0_param(store);
	X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(ssl));
	good = X509_STORE_CTX_set_default(store, "ssl_server") == 1 &&
	       X509_VERIFY_PARAM_set1(param, SSL_get0_param(ssl)) == 1 &&
	       X509_verify_cert(store) == 1;
	X509_STORE_CTX_free(store);
	return good;
}

static bool
has_pin(const SSL *ssl, const unsigned char *pin)
{
	const X509 *cert = SSL_get0_peer_certificate(ssl);
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	return cert != NULL && X509_digest(cert, EVP_sha256(), hash, &n) == 1 &&
	       n == TLS_PIN_SIZE && CRYPTO_memcmp(hash, pin, n) == 0;
}

/* Offers a session to resume, if there is one by whose certificate the peer
 * would be accepted today. */
static void
offer(struct wire *w, SSL *ssl)
{
	const struct tls_peer *peer = w->peer;
	SSL_SESSION *session =
	    peer->afresh ? NULL : tickets_take(w->tickets, peer, time(NULL));

	if (session == NULL)
		return;
	w->offered =
	    SSL_set_session(ssl, session) == 1 &&
	    (peer->pin != NULL ? has_pin(ssl, peer->pin) : verifies(ssl));
	if (!w->offered)
		SSL_set_session(ssl, NULL);
	SSL_SESSION_free(session);
	ERR_clear_error();
}

SSL *
tls_session(
    struct tls *t, const struct tls_peer *peer, int fd, struct fault *fault_r)
{
	SSL_CTX *ctx = find_context(t, peer->ca_file, fault_r);
	struct wire *w;
	SSL *ssl;
	int reason;

	if (ctx == NULL)
		return NULL;
	ssl = SSL_new(ctx);
	if (ssl == NULL || SSL_set_fd(ssl, fd) != 1 ||
	    !expect_name(ssl, peer->host)) {
		SSL_free(ssl);
		say(fault_r, NULL, "cannot set up TLS", take_error(&reason));
		return NULL;
	}
	w = mem_alloc(sizeof(*w));
	w->peer = peer;
	w->tickets = t->tickets;
	SSL_set_app_data(ssl, w);
	/* A pinned certificate is judged in tls_accept_peer(), by its hash. */
	if (peer->pin != NULL)
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	SSL_set_connect_state(ssl);
	offer(w, ssl);
	return ssl;
}

/* A server that stumbles over a ticket will not be offered another. */
void
tls_end(SSL **ssl)
{
	struct wire *w;

	if (*ssl == NULL)
		return;
	w = SSL_get_app_data(*ssl);
	if (w->offered && !w->accepted)
		tickets_drop(w->tickets, w->peer);
	SSL_free(*ssl);
	*ssl = NULL;
	X509_free(w->leaf);
	X509_free(w->bad);
	free(w);
}

/* --- what a certificate says of itself */

static void
copy_name(const ASN1_STRING *from, char *to, size_t cap)
{
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, from);

	to[0] = '\0';
	if (n > 0)
		ascii_clean(to, cap, (const char *)utf8, (size_t)n);
	OPENSSL_free(utf8);
}

/* Its common name, or else its organisation's. */
static void
name_of(const X509_NAME *name, char *to, size_t cap)
{
	static const int kinds[] = { NID_commonName, NID_organizationName };

	to[0] = '\0';
	for (size_t i = 0; i < 2 && to[0] == '\0'; i++) {
		int at = X509_NAME_get_index_by_NID(name, kinds[i], -1);

		if (at >= 0)
			copy_name(X509_NAME_ENTRY_get_data(
				      X509_NAME_get_entry(name, at)),
			    to, cap);
	}
}

/* The first that counts for a client, of the alternative names. */
static void
first_name(const X509 *cert, char *to, size_t cap)
{
	GENERAL_NAMES *names =
	    X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	to[0] = '\0';
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && to[0] == '\0'; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			copy_name(name->d.dNSName, to, cap);
	}
	GENERAL_NAMES_free(names);
	if (to[0] == '\0')
		name_of(X509_get_subject_name(cert), to, cap);
}

static int64_t
seconds_of(const ASN1_TIME *t)
{
	struct tm tm;

	return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

static void
day(char *to, size_t cap, int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(to, cap, "%Y-%m-%d", &tm) == 0)
		snprintf(to, cap, "?");
}

void
tls_describe(SSL *ssl, const struct tls_peer *peer, struct tls_facts *facts_r)
{
	const X509 *cert = SSL_get0_peer_certificate(ssl);

	*facts_r = (struct tls_facts){
		.version = SSL_get_version(ssl),
		.trust = peer->pin != NULL       ? TLS_BY_PIN
		         : peer->ca_file != NULL ? TLS_BY_CA_FILE
		                                 : TLS_BY_SYSTEM,
	};
	if (cert == NULL)
		return;
	first_name(cert, facts_r->subject, sizeof(facts_r->subject));
	name_of(X509_get_issuer_name(cert), facts_r->issuer,
	    sizeof(facts_r->issuer));
	facts_r->not_before = seconds_of(X509_get0_notBefore(cert));
	facts_r->not_after = seconds_of(X509_get0_notAfter(cert));
}

/* Of the certificate as DER, in hexadecimal. */
static void
fingerprint(const X509 *cert, char hex[2 * TLS_PIN_SIZE + 1])
{
	unsigned char hash[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (cert == NULL || X509_digest(cert, EVP_sha256(), hash, &n) != 1)
		n = 0;
	for (unsigned i = 0; i < n && i < TLS_PIN_SIZE; i++) {
		hex[2 * i] = "0123456789abcdef"[hash[i] >> 4];
		hex[2 * i + 1] = "0123456789abcdef"[hash[i] & 15];
	}
	hex[n < TLS_PIN_SIZE ? 2 * n : 2 * TLS_PIN_SIZE] = '\0';
}

static bool
matches_pin(SSL *ssl, const unsigned char *pin, struct fault *fault_r)
{
	char hex[2 * TLS_PIN_SIZE + 1];

	if (has_pin(ssl, pin))
		return true;
	fingerprint(SSL_get0_peer_certificate(ssl), hex);
	say(fault_r,
	    "if the server has a new certificate and you are sure of it, set "
	    "pin_sha256 to its fingerprint",
	    "the certificate is not the pinned one; it has the SHA-256 "
	    "fingerprint",
	    hex);
	fault_r->cause = FAULT_CAUSE_CERTIFICATE;
	return false;
}

static bool
has_good_chain(SSL *ssl, struct fault *fault_r)
{
	long result = SSL_get_verify_result(ssl);

	if (result == X509_V_OK && SSL_get0_peer_certificate(ssl) != NULL)
		return true;
	say(fault_r, NULL, "certificate refused",
	    X509_verify_cert_error_string(result));
	fault_r->cause = FAULT_CAUSE_CERTIFICATE;
	return false;
}

bool
tls_accept_peer(SSL *ssl, const struct tls_peer *peer, struct fault *fault_r)
{
	struct wire *w = SSL_get_app_data(ssl);

	w->accepted = peer->pin != NULL ? matches_pin(ssl, peer->pin, fault_r)
	                                : has_good_chain(ssl, fault_r);
	return w->accepted;
}

void
tls_bind(SSL *ssl, struct tls_binding *binding_r)
{
	static const char label[] = "EXPORTER-Channel-Binding";
	struct tls_binding b = { .type = TLS_BINDING_NONE };
	const size_t exported = 32; /* RFC 9266 */

	if (SSL_version(ssl) >= TLS1_3_VERSION) {
		if (SSL_export_keying_material(ssl, b.bytes, exported, label,
			sizeof(label) - 1, NULL, 0, 0) == 1) {
			b.type = TLS_EXPORTER;
			b.n = exported;
		}
	} else if (SSL_get_extms_support(ssl) == 1 &&
		   SSL_session_reused(ssl) == 0) {
		/* The first Finished of a full handshake is the client's. */
		b.n = SSL_get_finished(ssl, b.bytes, sizeof(b.bytes));
		if (b.n > 0 && b.n <= sizeof(b.bytes))
			b.type = TLS_UNIQUE;
	}
	*binding_r = b;
}

static const char *
certificate_hint(long result)
{
	switch (result) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return "the certificate belongs to another name: check host, "
		       "or "
		       "something between here and the server answers for it";
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return "the server must renew its certificate, or the clock "
		       "here "
		       "is wrong";
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return "if this is your own server, give its authority as "
		       "ca_file "
		       "or its fingerprint as pin_sha256";
	default:
		return NULL;
	}
}

/* A machine without a battery believes that every certificate is from the
 * future (CASES T15). */
static void
explain_date(long result, const X509 *bad, struct fault *f)
{
	bool expired = result == X509_V_ERR_CERT_HAS_EXPIRED;
	char clock[16], date[16];

	day(clock, sizeof(clock), time(NULL));
	day(date, sizeof(date),
	    seconds_of(
		expired ? X509_get0_notAfter(bad) : X509_get0_notBefore(bad)));
	say(f, NULL,
	    expired ? "the certificate expired on"
		    : "the certificate is not valid before",
	    "");
	fault_set(f, f->scope, f->when, f->phase, "%s %s (local clock %s)",
	    f->text, date, clock);
}

/* Who is named first is enough: a certificate may have a thousand names. */
static void
explain_name(const X509 *leaf, const char *host, struct fault *f)
{
	char name[128];

	first_name(leaf, name, sizeof(name));
	fault_set(f, FAULT_ACCOUNT, FAULT_LATER, "TLS",
	    "the name on the certificate is %s, not %s",
	    name[0] != '\0' ? name : "not given", host);
}

static void
explain_issuer(long result, const struct wire *w, struct fault *f)
{
	char hex[2 * TLS_PIN_SIZE + 1], issuer[128];

	fingerprint(w->leaf, hex);
	name_of(X509_get_issuer_name(w->bad), issuer, sizeof(issuer));
	if (result == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT)
		fault_set(f, FAULT_ACCOUNT, FAULT_LATER, "TLS",
		    "it is a self-signed certificate, for which nobody vouches "
		    "(SHA-256 fingerprint %s)",
		    hex);
	else
		fault_set(f, FAULT_ACCOUNT, FAULT_LATER, "TLS",
		    "the certificate comes from \"%s\", whom nobody here "
		    "trusts (SHA-256 fingerprint %s)",
		    issuer, hex);
}

static void
explain_certificate(long result, const struct wire *w,
    const struct tls_peer *peer, struct fault *f)
{
	switch (w->leaf != NULL ? result : X509_V_OK) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		explain_date(result, w->bad, f);
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		explain_name(w->leaf, peer->host, f);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		explain_issuer(result, w, f);
		break;
	default:
		say(f, NULL, "certificate refused",
		    X509_verify_cert_error_string(result));
	}
	f->hint = certificate_hint(result);
	f->cause = FAULT_CAUSE_CERTIFICATE;
}

static const char *
reason_hint(int reason)
{
	switch (reason) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_UNEXPECTED_MESSAGE:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		return "the server does not speak TLS on this port: check port "
		       "(993 IMAP, 995 POP3, 465 or 587 with tls = "
		       "\"starttls\" "
		       "for submission)";
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_DH_KEY_TOO_SMALL:
		return "the server offers only old, unsafe TLS";
	default:
		return NULL;
	}
}

static bool
is_no_tls(int reason)
{
	return reason == SSL_R_WRONG_VERSION_NUMBER ||
	       reason == SSL_R_HTTP_REQUEST ||
	       reason == SSL_R_UNEXPECTED_MESSAGE ||
	       reason == SSL_R_PACKET_LENGTH_TOO_LONG;
}

static void
explain_error(SSL *ssl, const struct tls_peer *peer, struct fault *fault_r)
{
	long result = SSL_get_verify_result(ssl);
	const struct wire *w = SSL_get_app_data(ssl);
	int reason;
	const char *text = take_error(&reason);

	if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		say(fault_r, NULL, "connection cut off (no TLS close_notify)",
		    "");
	else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED &&
		 result != X509_V_OK)
		explain_certificate(result, w, peer, fault_r);
	else
		say(fault_r, reason_hint(reason), "TLS failed", text);
	if (is_no_tls(reason))
		fault_r->cause = FAULT_CAUSE_NOT_TLS;
}

void
tls_explain(
    SSL *ssl, const struct tls_peer *peer, int ssl_error, struct fault *fault_r)
{
	int sys_errno = errno;

	if (ssl_error == SSL_ERROR_ZERO_RETURN) {
		say(fault_r, NULL, "the server closed the connection", "");
	} else if (ssl_error == SSL_ERROR_SYSCALL) {
		ERR_clear_error();
		say(fault_r, NULL, "connection lost",
		    sys_errno != 0 ? strerror(sys_errno) : "end of file");
	} else {
		explain_error(ssl, peer, fault_r);
	}
}
