/* SPDX-License-Identifier: ISC */
/*
 * Who may resume what.  Client and server are two sessions of this thread, the
 * clock is ours, and the server would resume everything.
 */
#include "net/tls.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "net/ticket.h"

#define HOST "mail.test"
#define HOUR 3600

static time_t now;

/* For libcrypto and libssl as well. */
time_t
time(time_t *t)
{
	if (t != NULL)
		*t = now;
	return now;
}

struct authority {
	EVP_PKEY *key;
	X509 *cert;
	char file[32];
};

static struct {
	struct authority good, other;
	struct tls *tls;
	SSL_CTX *server;
	struct tls_peer peer;
	unsigned char pin[TLS_PIN_SIZE];
	/* of the last meeting */
	struct fault fault;
	struct tls_binding binding, server_binding;
} scene;

/* --- certificates */

static X509 *
make_cert(EVP_PKEY *key, const char *name, long seconds)
{
	static long serial;
	X509 *x = X509_new();

	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -HOUR);
	X509_gmtime_adj(X509_getm_notAfter(x), seconds);
	X509_set_pubkey(x, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
	    (const unsigned char *)name, -1, -1, 0);
	return x;
}

static void
extend(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(e);
	X509_add_ext(x, e, -1);
	X509_EXTENSION_free(e);
}

static void
write_authority(const struct authority *a, const char *file)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, a->cert), 1);
	fclose(f);
}

static void
make_authority(struct authority *a, const char *name)
{
	a->key = EVP_EC_gen("P-256");
	a->cert = make_cert(a->key, name, 1000 * HOUR);
	X509_set_issuer_name(a->cert, X509_get_subject_name(a->cert));
	extend(a->cert, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(a->cert, a->key, EVP_sha256()) > 0);
	strcpy(a->file, "/tmp/test_tls.XXXXXX");
	close(mkstemp(a->file));
	write_authority(a, a->file);
}

static void
free_authority(struct authority *a)
{
	unlink(a->file);
	EVP_PKEY_free(a->key);
	X509_free(a->cert);
}

static SSL_CTX *
make_server(const struct authority *a, const char *host, long seconds)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = make_cert(key, host, seconds);
	char san[64];
	unsigned n;

	snprintf(san, sizeof(san), "DNS:%s", host);
	extend(x, NID_subject_alt_name, san);
	X509_set_issuer_name(x, X509_get_subject_name(a->cert));
	assert_true(X509_sign(x, a->key, EVP_sha256()) > 0);
	assert_int_equal(SSL_CTX_use_certificate(ctx, x), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(ctx, key), 1);
	SSL_CTX_set_timeout(ctx, 100 * HOUR);
	X509_digest(x, EVP_sha256(), scene.pin, &n);
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

static void
replace_server(SSL_CTX *ctx)
{
	SSL_CTX_free(scene.server);
	scene.server = ctx;
}

static int
setup(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	now = 1700000000;
	memset(&scene, 0, sizeof(scene));
	make_authority(&scene.good, "good");
	make_authority(&scene.other, "other");
	scene.server = make_server(&scene.good, HOST, 100 * HOUR);
	scene.tls = tls_new();
	scene.peer = (struct tls_peer){
		.host = HOST, .port = 993, .ca_file = scene.good.file
	};
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	tls_free(&scene.tls);
	SSL_CTX_free(scene.server);
	free_authority(&scene.good);
	free_authority(&scene.other);
	return 0;
}

/* --- a meeting */

enum met { REFUSED, FULL, RESUMED };

static bool
is_waiting(SSL *ssl, int n)
{
	int error = SSL_get_error(ssl, n);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

/* True: both are through. */
static bool
shake(SSL *client, SSL *server)
{
	for (int i = 0; i < 20; i++) {
		int c = SSL_do_handshake(client), s;

		if (c != 1 && !is_waiting(client, c)) {
			tls_explain(client, &scene.peer,
			    SSL_get_error(client, c), &scene.fault);
			return false;
		}
		s = SSL_do_handshake(server);
		if (s == 1 && c == 1)
			return true;
		if (s != 1 && !is_waiting(server, s))
			return false;
	}
	return false;
}

/* The server's first words, in front of which it sends its tickets. */
static enum met
talk(SSL *client, SSL *server)
{
	enum met met = SSL_session_reused(client) ? RESUMED : FULL;
	char words[8];

	if (!tls_accept_peer(client, &scene.peer, &scene.fault))
		return REFUSED;
	tls_bind(client, &scene.binding);
	tls_bind(server, &scene.server_binding);
	assert_int_equal(SSL_write(server, "* OK", 4), 4);
	assert_int_equal(SSL_read(client, words, sizeof(words)), 4);
	SSL_shutdown(client);
	return met;
}

static enum met
meet(void)
{
	int fds[2];
	enum met met = REFUSED;
	SSL *client, *server = SSL_new(scene.server);

	assert_int_equal(
	    socketpair(
		AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	    0);
	client = tls_session(scene.tls, &scene.peer, fds[0], &scene.fault);
	assert_non_null(client);
	SSL_set_fd(server, fds[1]);
	SSL_set_accept_state(server);
	if (shake(client, server))
		met = talk(client, server);
	tls_end(&client);
	SSL_free(server);
	close(fds[0]);
	close(fds[1]);
	return met;
}

/* --- the tests */

static void
test_resumes(void **state)
{
	(void)state;
	assert_int_equal(meet(), FULL);
	for (int i = 0; i < 5; i++)
		assert_int_equal(meet(), RESUMED);
}

static void
test_each_once(void **state)
{
	(void)state;
	SSL_CTX_set_num_tickets(scene.server, TICKETS_EACH + 2);
	assert_int_equal(meet(), FULL);
	SSL_CTX_set_num_tickets(scene.server, 0);
	for (int i = 0; i < TICKETS_EACH; i++)
		assert_int_equal(meet(), RESUMED);
	assert_int_equal(meet(), FULL);
}

static void
test_tls12_is_not_resumed(void **state)
{
	(void)state;
	SSL_CTX_set_max_proto_version(scene.server, TLS1_2_VERSION);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(meet(), FULL);
		assert_int_equal(scene.binding.type, TLS_UNIQUE);
	}
}

static void
test_binding(void **state)
{
	(void)state;
	assert_int_equal(meet(), FULL);
	assert_int_equal(meet(), RESUMED);
	assert_int_equal(scene.binding.type, TLS_EXPORTER);
	assert_memory_equal(
	    &scene.binding, &scene.server_binding, sizeof(scene.binding));
}

static void
test_of_another(void **state)
{
	(void)state;
	assert_int_equal(meet(), FULL);
	scene.peer.port = 995;
	assert_int_equal(meet(), FULL);
	scene.peer.port = 993;
	scene.peer.host = "127.0.0.1";
	assert_int_equal(meet(), REFUSED);
	scene.peer.host = HOST;
	assert_int_equal(meet(), RESUMED);
}

/* The same authority under another name is another decision of a person. */
static void
test_other_authorities(void **state)
{
	(void)state;
	write_authority(&scene.good, scene.other.file);
	assert_int_equal(meet(), FULL);
	scene.peer.ca_file = scene.other.file;
	assert_int_equal(meet(), FULL);
	write_authority(&scene.other, scene.other.file);
	assert_int_equal(meet(), RESUMED); /* nobody has told us yet */
	tls_renew(scene.tls);
	assert_int_equal(meet(), REFUSED);
	scene.peer.ca_file = NULL;
	assert_int_equal(meet(), REFUSED);
	scene.peer.ca_file = scene.good.file;
	assert_int_equal(meet(), FULL);
}

static void
test_pins(void **state)
{
	unsigned char wrong[TLS_PIN_SIZE] = { 1 };

	(void)state;
	assert_int_equal(meet(), FULL);
	scene.peer.ca_file = NULL;
	scene.peer.pin = wrong;
	assert_int_equal(meet(), REFUSED);
	assert_int_equal(meet(), REFUSED);
	scene.peer.pin = scene.pin;
	assert_int_equal(meet(), FULL);
	assert_int_equal(meet(), RESUMED);
	scene.peer.pin = NULL;
	assert_int_equal(meet(), REFUSED);
	scene.peer.ca_file = scene.good.file;
	assert_int_equal(meet(), RESUMED);
}

/* The server would still resume. */
static void
test_expired(void **state)
{
	(void)state;
	replace_server(make_server(&scene.good, HOST, 2 * HOUR));
	assert_int_equal(meet(), FULL);
	now += 2 * HOUR - 60;
	assert_int_equal(meet(), RESUMED);
	now += 120;
	assert_int_equal(meet(), REFUSED);
	assert_non_null(strstr(scene.fault.text, "the certificate expired on"));
	assert_int_equal(scene.fault.cause, FAULT_CAUSE_CERTIFICATE);
	/* Who has a new one is as good as new. */
	replace_server(make_server(&scene.good, HOST, 100 * HOUR));
	assert_int_equal(meet(), FULL);
	assert_int_equal(meet(), RESUMED);
}

static void
test_expired_but_pinned(void **state)
{
	(void)state;
	replace_server(make_server(&scene.good, HOST, 2 * HOUR));
	scene.peer.pin = scene.pin;
	assert_int_equal(meet(), FULL);
	now += 3 * HOUR;
	assert_int_equal(meet(), RESUMED);
}

static void
test_changed_certificate(void **state)
{
	(void)state;
	assert_int_equal(meet(), FULL);
	replace_server(make_server(&scene.other, HOST, 100 * HOUR));
	assert_int_equal(meet(), REFUSED);
	replace_server(make_server(&scene.good, "else.test", 100 * HOUR));
	assert_int_equal(meet(), REFUSED);
	replace_server(make_server(&scene.good, HOST, 100 * HOUR));
	assert_int_equal(meet(), FULL);
	assert_int_equal(meet(), RESUMED);
}

static void
test_age(void **state)
{
	(void)state;
	assert_int_equal(meet(), FULL);
	now += TICKET_AGE + 1;
	assert_int_equal(meet(), FULL);
	now -= 1; /* set back: nobody knows how old anything is */
	assert_int_equal(meet(), FULL);
	SSL_CTX_set_timeout(scene.server, HOUR);
	tls_renew(scene.tls);
	assert_int_equal(meet(), FULL);
	now += HOUR - 1;
	assert_int_equal(meet(), RESUMED);
	now += HOUR;
	assert_int_equal(meet(), FULL);
}

static void
test_afresh(void **state)
{
	(void)state;
	assert_int_equal(meet(), FULL);
	scene.peer.afresh = true;
	assert_int_equal(meet(), FULL);
	scene.peer.afresh = false;
	assert_int_equal(meet(), RESUMED);
}

/* A server that cannot stand a ticket gets no second one. */
static void
test_stumbling_server(void **state)
{
	int fds[2];
	SSL *client;

	(void)state;
	assert_int_equal(meet(), FULL);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	client = tls_session(scene.tls, &scene.peer, fds[0], &scene.fault);
	close(fds[1]);
	assert_int_not_equal(SSL_do_handshake(client), 1);
	tls_end(&client);
	close(fds[0]);
	assert_int_equal(meet(), FULL);
	assert_int_equal(meet(), RESUMED);
}

static void
test_many_peers(void **state)
{
	(void)state;
	for (unsigned i = 0; i <= TICKET_PEERS; i++) {
		scene.peer.port = 1000 + i;
		assert_int_equal(meet(), FULL);
	}
	scene.peer.port = 1001;
	assert_int_equal(meet(), RESUMED);
	scene.peer.port = 1000;
	assert_int_equal(meet(), FULL);
	scene.peer.port = 1001;
	assert_int_equal(meet(), RESUMED);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_resumes),
		TEST(test_each_once),
		TEST(test_tls12_is_not_resumed),
		TEST(test_binding),
		TEST(test_of_another),
		TEST(test_other_authorities),
		TEST(test_pins),
		TEST(test_expired),
		TEST(test_expired_but_pinned),
		TEST(test_changed_certificate),
		TEST(test_age),
		TEST(test_afresh),
		TEST(test_stumbling_server),
		TEST(test_many_peers),
	};

	return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}
