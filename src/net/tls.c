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

struct context {
	struct context *next;
	char *ca_file; /* NULL: the system's; owned */
	SSL_CTX *ctx;  /* owned */
};

struct tls {
	struct context *contexts;
};

/* What verification stopped at; lives from there to tls_explain(). */
struct refused {
	X509 *leaf, *bad; /* owned */
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
	return mem_alloc(sizeof(struct tls));
}

void
tls_free(struct tls **t)
{
	struct context *c, *next;

	if (*t == NULL)
		return;
	for (c = (*t)->contexts; c != NULL; c = next) {
		next = c->next;
		SSL_CTX_free(c->ctx);
		free(c->ca_file);
		free(c);
	}
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
	struct refused *r;

	if (ok || SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE ||
	    SSL_get_app_data(ssl) != NULL)
		return ok;
	r = mem_alloc(sizeof(*r));
	r->leaf = X509_STORE_CTX_get0_cert(store);
	r->bad = X509_STORE_CTX_get_current_cert(store);
	if (r->bad == NULL)
		r->bad = r->leaf;
	X509_up_ref(r->leaf);
	X509_up_ref(r->bad);
	SSL_set_app_data(ssl, r);
	return ok;
}

static bool
set_policy(SSL_CTX *ctx)
{
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_security_level(ctx, 2);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, on_verified);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
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

SSL *
tls_session(
    struct tls *t, const struct tls_peer *peer, int fd, struct fault *fault_r)
{
	SSL_CTX *ctx = find_context(t, peer->ca_file, fault_r);
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
	/* A pinned certificate is judged in tls_accept_peer(), by its hash. */
	if (peer->pin != NULL)
		SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
	SSL_set_connect_state(ssl);
	return ssl;
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
	X509 *cert = SSL_get0_peer_certificate(ssl);
	unsigned char hash[EVP_MAX_MD_SIZE];
	char hex[2 * TLS_PIN_SIZE + 1];
	unsigned n = 0;

	if (cert != NULL && X509_digest(cert, EVP_sha256(), hash, &n) == 1 &&
	    n == TLS_PIN_SIZE && CRYPTO_memcmp(hash, pin, n) == 0)
		return true;
	fingerprint(cert, hex);
	say(fault_r,
	    "if the server has a new certificate and you are sure of it, set "
	    "pin_sha256 to its fingerprint",
	    "the certificate is not the pinned one; it has the SHA-256 "
	    "fingerprint",
	    hex);
	fault_r->cause = FAULT_CAUSE_CERTIFICATE;
	return false;
}

bool
tls_accept_peer(SSL *ssl, const struct tls_peer *peer, struct fault *fault_r)
{
	long result;

	if (peer->pin != NULL)
		return matches_pin(ssl, peer->pin, fault_r);
	result = SSL_get_verify_result(ssl);
	if (result == X509_V_OK && SSL_get0_peer_certificate(ssl) != NULL)
		return true;
	say(fault_r, NULL, "certificate refused",
	    X509_verify_cert_error_string(result));
	fault_r->cause = FAULT_CAUSE_CERTIFICATE;
	return false;
}

/* The first Finished message of the handshake: the client's, or the server's
 * when a session was resumed. */
static size_t
first_finished(SSL *ssl, unsigned char *to, size_t room)
{
	return SSL_session_reused(ssl) ? SSL_get_peer_finished(ssl, to, room)
	                               : SSL_get_finished(ssl, to, room);
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
	} else if (SSL_get_extms_support(ssl) == 1) {
		b.n = first_finished(ssl, b.bytes, sizeof(b.bytes));
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
explain_issuer(long result, const struct refused *r, struct fault *f)
{
	char hex[2 * TLS_PIN_SIZE + 1], issuer[128];

	fingerprint(r->leaf, hex);
	name_of(X509_get_issuer_name(r->bad), issuer, sizeof(issuer));
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
explain_certificate(long result, const struct refused *r,
    const struct tls_peer *peer, struct fault *f)
{
	switch (r != NULL ? result : X509_V_OK) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		explain_date(result, r->bad, f);
		break;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		explain_name(r->leaf, peer->host, f);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		explain_issuer(result, r, f);
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
	struct refused *refused = SSL_get_app_data(ssl);
	int reason;
	const char *text = take_error(&reason);

	if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING)
		say(fault_r, NULL, "connection cut off (no TLS close_notify)",
		    "");
	else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED &&
		 result != X509_V_OK)
		explain_certificate(result, refused, peer, fault_r);
	else
		say(fault_r, reason_hint(reason), "TLS failed", text);
	if (is_no_tls(reason))
		fault_r->cause = FAULT_CAUSE_NOT_TLS;
	if (refused == NULL)
		return;
	SSL_set_app_data(ssl, NULL);
	X509_free(refused->leaf);
	X509_free(refused->bad);
	free(refused);
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
