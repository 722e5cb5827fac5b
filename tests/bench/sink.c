/* SPDX-License-Identifier: ISC */
/*
 * A submission server that throws mail away, fast enough to be no part of what
 * is measured beside it: one thread a connection, everything blocking, replies
 * written when the input is used up.
 *
 *   sink CERTIFICATE KEY USER PASSWORD LOG
 *
 * takes three free ports of 127.0.0.1 and prints them: submission (STARTTLS,
 * AUTH PLAIN, PIPELINING, CHUNKING), the same without CHUNKING, and one without
 * TLS and AUTH for programs that know neither and for LMTP with one recipient.
 * LOG gets a line for each message before it is accepted: the SHA-256 of its
 * body, that is of all that is behind the first empty line.
 *
 * It acknowledges every segment at once: who writes small ones without
 * TCP_NODELAY would wait 40 ms for each, and that is not what is compared.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum port { SUBMISSION, NO_CHUNKING, PLAIN, PORTS };

struct session {
	int fd;
	enum port port;
	SSL *tls; /* owned; NULL: not yet, or never */
	bool mail, rcpt, body;
	unsigned
	    empty_line;  /* how much of CR LF CR LF was seen; 4: behind it */
	EVP_MD_CTX *sha; /* owned */
	size_t at, len, out_len;
	char in[1 << 17];
	char out[1 << 13];
};

static SSL_CTX *tls_context;
static char credentials[1024]; /* as AUTH PLAIN has them */
static int log_fd;

_Noreturn static void
die(const char *what)
{
	perror(what);
	exit(1);
}

static bool
flush(struct session *s)
{
	size_t done = 0;

	while (done < s->out_len) {
		size_t n = s->out_len - done;
		ssize_t k = s->tls ? SSL_write(s->tls, s->out + done, (int)n)
		                   : write(s->fd, s->out + done, n);

		if (k <= 0)
			return false;
		done += (size_t)k;
	}
	s->out_len = 0;
	return true;
}

static bool
reply(struct session *s, const char *text)
{
	size_t n = strlen(text);

	if (n > sizeof(s->out) - s->out_len && !flush(s))
		return false;
	memcpy(s->out + s->out_len, text, n);
	s->out_len += n;
	return true;
}

/* More input behind what is there; false: there will be none. */
static bool
fill(struct session *s)
{
	static const int one = 1;
	ssize_t k;
	size_t room;

	if (!flush(s))
		return false;
	if (s->at > 0) {
		memmove(s->in, s->in + s->at, s->len - s->at);
		s->len -= s->at;
		s->at = 0;
	}
	room = sizeof(s->in) - s->len;
	if (room == 0)
		return false; /* a line that long is none */
	k = s->tls ? SSL_read(s->tls, s->in + s->len, (int)room)
	           : read(s->fd, s->in + s->len, room);
	if (k <= 0)
		return false;
	s->len += (size_t)k;
	setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
	return true;
}

/* The next line without its end, NULL when there is no more. */
static char *
next_line(struct session *s)
{
	char *line, *end;

	while ((end = memchr(s->in + s->at, '\n', s->len - s->at)) == NULL)
		if (!fill(s))
			return NULL;
	line = s->in + s->at;
	s->at = (size_t)(end + 1 - s->in);
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return line;
}

static void
begin_body(struct session *s)
{
	s->body = true;
	s->empty_line = 2; /* it may be the first line */
	EVP_DigestInit_ex(s->sha, EVP_sha256(), NULL);
}

static void
take(struct session *s, const char *data, size_t len)
{
	static const char crlf[] = "\r\n\r\n";
	size_t i = 0;

	for (; i < len && s->empty_line < 4; i++)
		if (data[i] == crlf[s->empty_line])
			s->empty_line++;
		else
			s->empty_line = data[i] == '\r';
	EVP_DigestUpdate(s->sha, data + i, len - i);
}

static bool
accept_body(struct session *s)
{
	unsigned char sum[EVP_MAX_MD_SIZE];
	char hex[2 * EVP_MAX_MD_SIZE + 2];
	unsigned len, n = 0;

	EVP_DigestFinal_ex(s->sha, sum, &len);
	for (unsigned i = 0; i < len; i++)
		n += (unsigned)snprintf(
		    hex + n, sizeof(hex) - n, "%02x", sum[i]);
	hex[n++] = '\n';
	if (write(log_fd, hex, n) != (ssize_t)n)
		die("log");
	s->mail = s->rcpt = s->body = false;
	return reply(s, "250 2.0.0 thrown away\r\n");
}

static bool
on_ehlo(struct session *s, const char *arg)
{
	(void)arg;
	return reply(s, "250-sink\r\n250-PIPELINING\r\n250-SIZE 1000000000\r\n"
			"250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n") &&
	       (s->port == NO_CHUNKING || reply(s, "250-CHUNKING\r\n")) &&
	       (s->port == PLAIN || reply(s, s->tls ? "250-AUTH PLAIN\r\n"
						    : "250-STARTTLS\r\n")) &&
	       reply(s, "250 HELP\r\n");
}

static bool
on_helo(struct session *s, const char *arg)
{
	(void)arg;
	return reply(s, "250 sink\r\n");
}

static bool
on_starttls(struct session *s, const char *arg)
{
	(void)arg;
	if (s->port == PLAIN || s->tls)
		return reply(s, "503 5.5.1 not here\r\n");
	if (!reply(s, "220 2.0.0 go ahead\r\n") || !flush(s))
		return false;
	s->at = s->len = 0; /* what was injected is not behind TLS */
	s->tls = SSL_new(tls_context);
	SSL_set_fd(s->tls, s->fd);
	return SSL_accept(s->tls) == 1;
}

static bool
on_auth(struct session *s, const char *arg)
{
	if (*arg == '\0') {
		if (!reply(s, "334 \r\n") || (arg = next_line(s)) == NULL)
			return false;
	}
	while (*arg == ' ')
		arg++;
	return reply(s, s->tls && strcmp(arg, credentials) == 0
			    ? "235 2.7.0 welcome\r\n"
			    : "535 5.7.8 no\r\n");
}

static bool
on_mail(struct session *s, const char *arg)
{
	(void)arg;
	if (s->mail || (s->port != PLAIN && !s->tls))
		return reply(s, "503 5.5.1 not now\r\n");
	s->mail = true;
	return reply(s, "250 2.1.0 ok\r\n");
}

static bool
on_rcpt(struct session *s, const char *arg)
{
	(void)arg;
	if (!s->mail)
		return reply(s, "503 5.5.1 MAIL first\r\n");
	s->rcpt = true;
	return reply(s, "250 2.1.5 ok\r\n");
}

/* One step through the lines of DATA; false: it needs more input. */
static bool
take_lines(struct session *s, bool *begins_line, bool *end)
{
	char *data = s->in + s->at, *dot;
	size_t len = s->len - s->at, n;

	if (len == 0)
		return false;
	if (*begins_line && data[0] == '.') {
		if (len < 3)
			return false;
		*end = data[1] == '\r' && data[2] == '\n';
		n = *end ? 3 : 1;
		s->at += n;
		if (*end)
			return true;
		data += n;
		len -= n;
	}
	dot = memmem(data, len, "\n.", 2);
	n = dot ? (size_t)(dot + 1 - data) : len;
	take(s, data, n);
	*begins_line = data[n - 1] == '\n';
	s->at += n;
	return true;
}

static bool
on_data(struct session *s, const char *arg)
{
	bool begins_line = true, end = false;

	(void)arg;
	if (!s->rcpt)
		return reply(s, "503 5.5.1 RCPT first\r\n");
	if (!reply(s, "354 go\r\n"))
		return false;
	begin_body(s);
	while (!end)
		if (!take_lines(s, &begins_line, &end) && !fill(s))
			return false;
	return accept_body(s);
}

static bool
on_bdat(struct session *s, const char *arg)
{
	char *rest;
	unsigned long long left = strtoull(arg, &rest, 10);
	bool last = strcasecmp(rest, " LAST") == 0;

	if (s->port == NO_CHUNKING)
		return false;
	if (s->rcpt && !s->body)
		begin_body(s);
	while (left > 0) {
		size_t n = s->len - s->at;

		if (n == 0 && !fill(s))
			return false;
		n = s->len - s->at;
		if (n > left)
			n = (size_t)left;
		if (s->body)
			take(s, s->in + s->at, n);
		s->at += n;
		left -= n;
	}
	if (!s->body)
		return reply(s, "503 5.5.1 RCPT first\r\n");
	return last ? accept_body(s) : reply(s, "250 2.0.0 more\r\n");
}

static bool
on_rset(struct session *s, const char *arg)
{
	(void)arg;
	s->mail = s->rcpt = s->body = false;
	return reply(s, "250 2.0.0 ok\r\n");
}

static bool
on_noop(struct session *s, const char *arg)
{
	(void)arg;
	return reply(s, "250 2.0.0 ok\r\n");
}

static bool
on_quit(struct session *s, const char *arg)
{
	(void)arg;
	(void)(reply(s, "221 2.0.0 bye\r\n") && flush(s));
	return false;
}

static const struct {
	const char *word;
	bool (*run)(struct session *s, const char *arg);
} commands[] = {
	{ "EHLO ", on_ehlo },
	{ "LHLO ", on_ehlo },
	{ "HELO ", on_helo },
	{ "STARTTLS", on_starttls },
	{ "AUTH PLAIN", on_auth },
	{ "MAIL FROM:", on_mail },
	{ "RCPT TO:", on_rcpt },
	{ "DATA", on_data },
	{ "BDAT ", on_bdat },
	{ "RSET", on_rset },
	{ "NOOP", on_noop },
	{ "QUIT", on_quit },
};

static bool
command(struct session *s, const char *line)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		size_t n = strlen(commands[i].word);

		if (strncasecmp(line, commands[i].word, n) == 0)
			return commands[i].run(s, line + n);
	}
	return reply(s, "500 5.5.2 what?\r\n");
}

static void *
serve(void *arg)
{
	static const int one = 1;
	struct session *s = arg;
	const char *line;

	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	s->sha = EVP_MD_CTX_new();
	if (reply(s, "220 sink ESMTP\r\n"))
		while ((line = next_line(s)) != NULL && command(s, line))
			;
	SSL_free(s->tls);
	EVP_MD_CTX_free(s->sha);
	close(s->fd);
	free(s);
	return NULL;
}

struct listener {
	int fd;
	enum port port;
};

static void
serve_next(const struct listener *l)
{
	struct session *s = calloc(1, sizeof(*s));
	pthread_t thread;

	if (s == NULL)
		die("memory");
	s->port = l->port;
	s->fd = accept(l->fd, NULL, NULL);
	if (s->fd < 0 || pthread_create(&thread, NULL, serve, s) != 0)
		die("accept");
	pthread_detach(thread);
}

static void *
serve_all(void *arg)
{
	for (;;)
		serve_next(arg);
	return NULL;
}

static struct listener
listen_on(enum port port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
	    listen(fd, 1000) != 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &len) != 0)
		die("listen");
	printf("%d%c", ntohs(address.sin_port), port == PLAIN ? '\n' : ' ');
	return (struct listener){ fd, port };
}

static void
set_credentials(const char *user, const char *password)
{
	char plain[512];
	int n =
	    snprintf(plain, sizeof(plain), "%c%s%c%s", 0, user, 0, password);

	if (n >= (int)sizeof(plain))
		die("credentials");
	EVP_EncodeBlock(
	    (unsigned char *)credentials, (const unsigned char *)plain, n);
}

int
main(int argc, char **argv)
{
	struct listener listeners[PORTS];

	if (argc != 6) {
		fputs(
		    "usage: sink CERTIFICATE KEY USER PASSWORD LOG\n", stderr);
		return 64;
	}
	signal(SIGPIPE, SIG_IGN);
	tls_context = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_chain_file(tls_context, argv[1]) != 1 ||
	    SSL_CTX_use_PrivateKey_file(
		tls_context, argv[2], SSL_FILETYPE_PEM) != 1)
		die(argv[1]);
	SSL_CTX_set_read_ahead(tls_context, 1);
	set_credentials(argv[3], argv[4]);
	log_fd = open(argv[5], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (log_fd < 0)
		die(argv[5]);
	for (enum port port = SUBMISSION; port < PORTS; port++) {
		pthread_t thread;

		listeners[port] = listen_on(port);
		if (pthread_create(
			&thread, NULL, serve_all, &listeners[port]) != 0)
			die("thread");
	}
	fflush(stdout);
	for (;;)
		pause();
}
