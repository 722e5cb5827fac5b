/* SPDX-License-Identifier: ISC */
#include "relay/fingerprint.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

void
digest_init(struct digest *d)
{
	d->ctx = EVP_MD_CTX_new();
	if (d->ctx == NULL ||
	    EVP_DigestInit_ex(d->ctx, EVP_sha256(), NULL) != 1)
		abort();
	d->held = 0;
}

void
digest_copy(struct digest *d, const struct digest *from)
{
	d->ctx = EVP_MD_CTX_new();
	if (d->ctx == NULL || EVP_MD_CTX_copy_ex(d->ctx, from->ctx) != 1)
		abort();
	d->held = from->held;
}

/* Normalised, so what was held back is CRLFs, the last perhaps half. */
static void
add_held(struct digest *d)
{
	static const char crlfs[] = "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n";
	const size_t most = sizeof(crlfs) - 1;

	while (d->held > 0) {
		size_t n = d->held < most ? (size_t)d->held : most;

		EVP_DigestUpdate(d->ctx, crlfs, n);
		d->held -= n;
	}
}

void
digest_add(struct digest *d, struct span s)
{
	size_t n = s.n;

	while (n > 0 && (s.p[n - 1] == '\r' || s.p[n - 1] == '\n'))
		n--;
	if (n > 0) {
		add_held(d);
		EVP_DigestUpdate(d->ctx, s.p, n);
	}
	d->held += s.n - n;
}

void
digest_end(struct digest *d, unsigned char *hash_r)
{
	EVP_DigestFinal_ex(d->ctx, hash_r, NULL);
	digest_free(d);
}

void
digest_free(struct digest *d)
{
	EVP_MD_CTX_free(d->ctx);
	d->ctx = NULL;
}

void
fingerprint_init(struct fingerprint *f)
{
	dot_normalise_init(&f->normaliser);
	header_init(&f->scan, "");
	digest_init(&f->digest);
}

static void
take(struct fingerprint *f, struct span piece)
{
	uint64_t before = f->scan.bytes, n = piece.n;

	header_feed(&f->scan, piece);
	if (f->scan.body)
		n = f->scan.header_bytes > before
		        ? f->scan.header_bytes - before
		        : 0;
	digest_add(&f->digest, span_make(piece.p, (size_t)n));
}

void
fingerprint_add(struct fingerprint *f, struct span raw)
{
	struct span piece;

	while (dot_normalise(&f->normaliser, &raw, &piece) == DOT_DATA)
		take(f, piece);
}

/* An empty line alone is no header: 2 bytes. */
bool
fingerprint_end(
    struct fingerprint *f, unsigned char fingerprint_r[FINGERPRINT_SIZE])
{
	unsigned char hash[DIGEST_SIZE];
	struct span piece;

	while (dot_normalise_end(&f->normaliser, &piece) == DOT_DATA)
		take(f, piece);
	digest_end(&f->digest, hash);
	memcpy(fingerprint_r, hash, FINGERPRINT_SIZE);
	return (f->scan.body ? f->scan.header_bytes : f->scan.bytes) > 2;
}
