/* SPDX-License-Identifier: ISC */
/*
 * The least that the work can cost: moves the bytes over TLS, fully pipelined,
 * and throws them away.  It keeps no state, checks no certificate, and hands
 * nothing from one side to the other: no relay can be faster.
 *
 *   limit fetch pop3|imap PORT PASSWORD keep|delete USER...
 *   limit poll pop3|imap PORT PASSWORD NEW USER
 *   limit push PORT USER PASSWORD bdat|data RECIPIENT DIRECTORY
 *   limit FIRST... -- SECOND...
 *
 * fetch: every message of every user, one user after the other, and delete
 * removes them.  poll: what is there (UIDL; EXAMINE), and the last NEW messages
 * of it.  push: every file of a directory over one submission session (STARTTLS
 * and AUTH PLAIN): by BDAT with WINDOW messages unanswered, or by DATA with the
 * next MAIL in the flight of the dot.  Two of them at the same time: "--".
 * Servers are on 127.0.0.1.  The end is 0 when all was done.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WINDOW 100      /* messages pushed and not yet answered */
#define RETR_WINDOW 256 /* commands in flight at a POP3 server */

struct wire {
	int fd;
	SSL *tls; /* owned */
	size_t at, len, out_len;
	char in[1 << 17];
	char out[1 << 16];
};

static struct wire wire; /* one at a time */

_Noreturn static void
die(const char *what)
{
	fprintf(stderr, "limit: %s\n", what);
	exit(1);
}

/* --- bytes --- */

static void
flush(void)
{
	size_t done = 0;

	while (done < wire.out_len) {
		size_t n = wire.out_len - done;
		ssize_t k = wire.tls
		                ? SSL_write(wire.tls, wire.out + done, (int)n)
		                : write(wire.fd, wire.out + done, n);

		if (k <= 0)
			die("cannot write");
		done += (size_t)k;
	}
	wire.out_len = 0;
}

static void
put(const char *data, size_t len)
{
	while (len > 0) {
		size_t n = sizeof(wire.out) - wire.out_len;

		if (n > len)
			n = len;
		memcpy(wire.out + wire.out_len, data, n);
		wire.out_len += n;
		data += n;
		len -= n;
		if (wire.out_len == sizeof(wire.out))
			flush();
	}
}

__attribute__((format(printf, 1, 2))) static void
say(const char *format, ...)
{
	char text[2048];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || n >= (int)sizeof(text))
		die("too long");
	put(text, (size_t)n);
}

static void
fill(void)
{
	ssize_t k;

	flush();
	if (wire.at > 0) {
		memmove(wire.in, wire.in + wire.at, wire.len - wire.at);
		wire.len -= wire.at;
		wire.at = 0;
	}
	k = wire.tls
	        ? SSL_read(wire.tls, wire.in + wire.len,
		      (int)(sizeof(wire.in) - wire.len))
	        : read(wire.fd, wire.in + wire.len, sizeof(wire.in) - wire.len);
	if (k <= 0)
		die("the server is gone");
	wire.len += (size_t)k;
}

/* The next line without its end, good until the next call. */
static char *
next_line(void)
{
	char *line, *end;

	while (
	    (end = memchr(wire.in + wire.at, '\n', wire.len - wire.at)) == NULL)
		fill();
	line = wire.in + wire.at;
	wire.at = (size_t)(end + 1 - wire.in);
	if (end > line && end[-1] == '\r')
		end--;
	*end = '\0';
	return line;
}

static void
skip(unsigned long long left)
{
	while (left > 0) {
		size_t n = wire.len - wire.at;

		if (n > left)
			n = (size_t)left;
		wire.at += n;
		left -= n;
		if (left > 0)
			fill();
	}
}

/* Up to the line that is only a dot. */
static void
skip_to_dot(void)
{
	bool begins_line = true;

	for (;;) {
		const char *data, *dot;

		while (wire.len - wire.at < 3)
			fill();
		data = wire.in + wire.at;
		if (begins_line && memcmp(data, ".\r\n", 3) == 0) {
			wire.at += 3;
			return;
		}
		/* The last byte may be the end of a line: it stays. */
		dot = memmem(data, wire.len - wire.at, "\n.", 2);
		begins_line = dot != NULL;
		wire.at = dot ? (size_t)(dot + 1 - wire.in) : wire.len - 1;
	}
}

static void
connect_to(const char *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(port)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	wire.at = wire.len = wire.out_len = 0;
	wire.fd = socket(AF_INET, SOCK_STREAM, 0);
	if (wire.fd < 0 ||
	    connect(wire.fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("cannot connect");
	setsockopt(wire.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void
start_tls(void)
{
	static SSL_CTX *context;

	if (context == NULL)
		context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_read_ahead(context, 1);
	wire.tls = SSL_new(context);
	SSL_set_fd(wire.tls, wire.fd);
	if (SSL_connect(wire.tls) != 1)
		die("no TLS");
}

static void
hang_up(void)
{
	SSL_free(wire.tls);
	wire.tls = NULL;
	close(wire.fd);
}

/* --- POP3 --- */

static char *
pop3_ok(void)
{
	char *line = next_line();

	if (line[0] != '+')
		die(line);
	return line;
}

/* Answers with the number of messages. */
static unsigned
pop3_login(const char *port, const char *user, const char *password)
{
	unsigned count;

	connect_to(port);
	start_tls();
	pop3_ok();
	say("USER %s\r\nPASS %s\r\nSTAT\r\n", user, password);
	pop3_ok();
	pop3_ok();
	if (sscanf(pop3_ok(), "+OK %u", &count) != 1)
		die("no STAT");
	return count;
}

/* The command for each of first..last, a window of them in flight. */
static void
pop3_all(const char *command, unsigned first, unsigned last, bool body)
{
	unsigned asked = first - 1;

	for (unsigned done = first - 1; done < last; done++) {
		if (asked - done <= RETR_WINDOW / 2)
			while (asked < last && asked - done < RETR_WINDOW)
				say("%s %u\r\n", command, ++asked);
		pop3_ok();
		if (body)
			skip_to_dot();
	}
}

static void
pop3_quit(void)
{
	say("QUIT\r\n");
	pop3_ok();
	hang_up();
}

static void
pop3_fetch(const char *port, const char *user, const char *password, bool del)
{
	unsigned count = pop3_login(port, user, password);

	pop3_all("RETR", 1, count, true);
	if (del)
		pop3_all("DELE", 1, count, false);
	pop3_quit();
}

static void
pop3_poll(
    const char *port, const char *user, const char *password, unsigned new)
{
	unsigned count = pop3_login(port, user, password);

	say("UIDL\r\n");
	pop3_ok();
	skip_to_dot();
	pop3_all("RETR", count - new + 1, count, true);
	pop3_quit();
}

/* --- IMAP --- */

/* Answers up to the tagged one; the last number of messages it told. */
static unsigned
imap_until(const char *tag)
{
	size_t tag_len = strlen(tag);
	unsigned exists = 0;

	for (;;) {
		char *line = next_line(), *open = strrchr(line, '{');

		if (strncmp(line, tag, tag_len) == 0) {
			if (strncmp(line + tag_len, " OK", 3) != 0)
				die(line);
			return exists;
		}
		if (strstr(line, " EXISTS") != NULL)
			(void)!sscanf(line, "* %u", &exists);
		if (open != NULL && line[strlen(line) - 1] == '}')
			skip(strtoull(open + 1, NULL, 10));
	}
}

static void
imap_login(const char *port, const char *user, const char *password)
{
	connect_to(port);
	start_tls();
	next_line();
	say("a LOGIN %s %s\r\n", user, password);
}

static void
imap_logout(void)
{
	say("z LOGOUT\r\n");
	imap_until("z");
	hang_up();
}

static void
imap_fetch(const char *port, const char *user, const char *password, bool del)
{
	imap_login(port, user, password);
	say("b %s INBOX\r\nc UID FETCH 1:* BODY.PEEK[]\r\n",
	    del ? "SELECT" : "EXAMINE");
	if (del)
		say("d UID STORE 1:* +FLAGS.SILENT (\\Deleted)\r\n"
		    "e EXPUNGE\r\n");
	imap_until("c");
	if (del)
		imap_until("e");
	imap_logout();
}

static void
imap_poll(
    const char *port, const char *user, const char *password, unsigned new)
{
	imap_login(port, user, password);
	say("b EXAMINE INBOX\r\n");
	say("c FETCH %u:* (UID BODY.PEEK[])\r\n", imap_until("b") - new + 1);
	imap_until("c");
	imap_logout();
}

/* --- submission --- */

struct message {
	const char *data;
	size_t len;
};

static struct message *
load(const char *directory, size_t *count)
{
	struct dirent **names;
	int total = scandir(directory, &names, NULL, alphasort);
	struct message *all =
	    calloc(total > 0 ? (size_t)total : 1, sizeof(*all));

	if (total < 0 || all == NULL)
		die(directory);
	*count = 0;
	for (int i = 0; i < total; i++) {
		char path[4096];
		struct stat st;
		int fd;

		snprintf(
		    path, sizeof(path), "%s/%s", directory, names[i]->d_name);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) != 0)
			die(path);
		if (S_ISREG(st.st_mode) && st.st_size > 0) {
			struct message *m = &all[(*count)++];

			m->len = (size_t)st.st_size;
			m->data =
			    mmap(NULL, m->len, PROT_READ, MAP_PRIVATE, fd, 0);
			if (m->data == MAP_FAILED)
				die(path);
		}
		close(fd);
		free(names[i]);
	}
	free(names);
	return all;
}

static void
expect(int code)
{
	const char *line;

	do {
		line = next_line();
		if (atoi(line) != code)
			die(line);
	} while (line[3] == '-');
}

static void
submission_login(const char *port, const char *user, const char *password)
{
	char plain[512];
	unsigned char code[1024];
	int n =
	    snprintf(plain, sizeof(plain), "%c%s%c%s", 0, user, 0, password);

	if (n >= (int)sizeof(plain))
		die("too long");
	EVP_EncodeBlock(code, (const unsigned char *)plain, n);
	connect_to(port);
	expect(220);
	say("EHLO limit\r\n");
	expect(250);
	say("STARTTLS\r\n");
	expect(220);
	start_tls();
	say("EHLO limit\r\n");
	expect(250);
	say("AUTH PLAIN %s\r\n", (const char *)code);
	expect(235);
}

static void
put_envelope(const struct message *m, const char *recipient)
{
	say("MAIL FROM:<limit@example.test> SIZE=%zu BODY=8BITMIME\r\n"
	    "RCPT TO:<%s>\r\n",
	    m->len, recipient);
}

static void
push_bdat(const struct message *all, size_t count, const char *recipient)
{
	size_t answered = 0;

	for (size_t i = 0; i < count; i++) {
		put_envelope(&all[i], recipient);
		say("BDAT %zu LAST\r\n", all[i].len);
		put(all[i].data, all[i].len);
		if (i - answered < WINDOW)
			continue;
		for (; i - answered > WINDOW / 2; answered++)
			for (int replies = 0; replies < 3; replies++)
				expect(250);
	}
	for (; answered < count; answered++)
		for (int replies = 0; replies < 3; replies++)
			expect(250);
}

static void
put_stuffed(const char *data, size_t len)
{
	const char *dot;

	if (data[0] == '.')
		put(".", 1);
	while ((dot = memmem(data, len, "\n.", 2)) != NULL) {
		size_t n = (size_t)(dot + 1 - data);

		put(data, n);
		put(".", 1);
		data += n;
		len -= n;
	}
	put(data, len);
	if (len == 0 || data[len - 1] != '\n')
		put("\r\n", 2);
	put(".\r\n", 3);
}

static void
push_data(const struct message *all, size_t count, const char *recipient)
{
	for (size_t i = 0; i < count; i++) {
		put_envelope(&all[i], recipient);
		say("DATA\r\n");
		if (i > 0)
			expect(250); /* the dot of the one before */
		expect(250);
		expect(250);
		expect(354);
		put_stuffed(all[i].data, all[i].len);
	}
	if (count > 0)
		expect(250);
}

/* --- what is asked for --- */

_Noreturn static void
usage(void)
{
	fputs("usage: limit fetch pop3|imap PORT PASSWORD keep|delete USER...\n"
	      "       limit poll pop3|imap PORT PASSWORD NEW USER\n"
	      "       limit push PORT USER PASSWORD bdat|data RECIPIENT"
	      " DIRECTORY\n       limit FIRST... -- SECOND...\n",
	    stderr);
	exit(64);
}

static void
push(char **arg)
{
	size_t count;
	struct message *all = load(arg[5], &count);

	submission_login(arg[0], arg[1], arg[2]);
	(strcmp(arg[3], "bdat") == 0 ? push_bdat : push_data)(
	    all, count, arg[4]);
	say("QUIT\r\n");
	expect(221);
	hang_up();
	free(all);
}

static void
work(int argc, char **argv)
{
	bool imap = argc > 1 && strcmp(argv[1], "imap") == 0;

	if (argc > 5 && strcmp(argv[0], "fetch") == 0) {
		for (int i = 5; i < argc; i++)
			(imap ? imap_fetch : pop3_fetch)(argv[2], argv[i],
			    argv[3], strcmp(argv[4], "delete") == 0);
	} else if (argc == 6 && strcmp(argv[0], "poll") == 0) {
		(imap ? imap_poll : pop3_poll)(
		    argv[2], argv[5], argv[3], (unsigned)atoi(argv[4]));
	} else if (argc == 7 && strcmp(argv[0], "push") == 0) {
		push(argv + 1);
	} else {
		usage();
	}
}

int
main(int argc, char **argv)
{
	int split = 1, status = 0;
	pid_t child;

	signal(SIGPIPE, SIG_IGN);
	while (split < argc && strcmp(argv[split], "--") != 0)
		split++;
	if (split == argc) {
		work(argc - 1, argv + 1);
		return 0;
	}
	child = fork();
	if (child < 0)
		die("fork");
	if (child == 0) {
		work(split - 1, argv + 1);
		return 0;
	}
	work(argc - split - 1, argv + split + 1);
	if (waitpid(child, &status, 0) != child || status != 0)
		die("the first part failed");
	return 0;
}
