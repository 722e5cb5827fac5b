/* SPDX-License-Identifier: ISC */
#include "net/ticket.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "net/tls.h"

struct entry {
	TAILQ_ENTRY(entry) link;
	char *host, *ca_file; /* owned */
	unsigned port;
	bool pinned;
	unsigned char pin[TLS_PIN_SIZE];
	SSL_SESSION *sessions[TICKETS_EACH]; /* owned; the oldest first */
	size_t n;
};

struct tickets {
	TAILQ_HEAD(entries, entry) entries; /* the last used first */
	size_t n;
};

struct tickets *
tickets_new(void)
{
	struct tickets *t = mem_alloc(sizeof(*t));

	TAILQ_INIT(&t->entries);
	return t;
}

static void
drop_entry(struct tickets *t, struct entry *e)
{
	TAILQ_REMOVE(&t->entries, e, link);
	t->n--;
	while (e->n > 0)
		SSL_SESSION_free(e->sessions[--e->n]);
	free(e->host);
	free(e->ca_file);
	free(e);
}

void
tickets_free(struct tickets **t)
{
	if (*t == NULL)
		return;
	tickets_drop(*t, NULL);
	free(*t);
	*t = NULL;
}

static bool
is_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool
is_of(const struct entry *e, const struct tls_peer *peer)
{
	return e->port == peer->port && e->pinned == (peer->pin != NULL) &&
	       (!e->pinned || memcmp(e->pin, peer->pin, sizeof(e->pin)) == 0) &&
	       is_same(e->host, peer->host) &&
	       is_same(e->ca_file, peer->ca_file);
}

/* It becomes the last used. */
static struct entry *
find(struct tickets *t, const struct tls_peer *peer)
{
	struct entry *e;

	TAILQ_FOREACH (e, &t->entries, link)
		if (is_of(e, peer))
			break;
	if (e == NULL)
		return NULL;
	TAILQ_REMOVE(&t->entries, e, link);
	TAILQ_INSERT_HEAD(&t->entries, e, link);
	return e;
}

static struct entry *
add_entry(struct tickets *t, const struct tls_peer *peer)
{
	struct entry *e = mem_alloc(sizeof(*e));

	if (t->n == TICKET_PEERS)
		drop_entry(t, TAILQ_LAST(&t->entries, entries));
	e->host = mem_strdup(peer->host);
	e->ca_file = mem_strdup(peer->ca_file);
	e->port = peer->port;
	e->pinned = peer->pin != NULL;
	if (e->pinned)
		memcpy(e->pin, peer->pin, sizeof(e->pin));
	TAILQ_INSERT_HEAD(&t->entries, e, link);
	t->n++;
	return e;
}

void
tickets_put(
    struct tickets *t, const struct tls_peer *peer, SSL_SESSION *session)
{
	struct entry *e = find(t, peer);

	if (e == NULL)
		e = add_entry(t, peer);
	if (e->n == TICKETS_EACH) {
		SSL_SESSION_free(e->sessions[0]);
		memmove(e->sessions, e->sessions + 1,
		    --e->n * sizeof(*e->sessions));
	}
	e->sessions[e->n++] = session;
}

/* A clock that was set back makes everything too old. */
static bool
is_good(const SSL_SESSION *session, int64_t now)
{
	int64_t age = now - (int64_t)SSL_SESSION_get_time(session);
	uint64_t limit = SSL_SESSION_get_ticket_lifetime_hint(session);

	if (limit > TICKET_AGE)
		limit = TICKET_AGE;
	return age >= 0 && (uint64_t)age < limit &&
	       SSL_SESSION_is_resumable(session) == 1;
}

SSL_SESSION *
tickets_take(struct tickets *t, const struct tls_peer *peer, int64_t now)
{
	struct entry *e = find(t, peer);
	SSL_SESSION *session = NULL;

	while (e != NULL && session == NULL && e->n > 0) {
		session = e->sessions[--e->n];
		if (is_good(session, now))
			break;
		SSL_SESSION_free(session);
		session = NULL;
	}
	if (e != NULL && e->n == 0)
		drop_entry(t, e);
	return session;
}

void
tickets_drop(struct tickets *t, const struct tls_peer *peer)
{
	struct entry *e, *next;

	for (e = TAILQ_FIRST(&t->entries); e != NULL; e = next) {
		next = TAILQ_NEXT(e, link);
		if (peer == NULL || is_of(e, peer))
			drop_entry(t, e);
	}
}
