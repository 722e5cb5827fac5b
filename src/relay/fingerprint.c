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
digest_add(struct digest *d, struct span s)
{
	size_t n = s.n;

	while (n > 0 && (s.p[n - 1] == '\r' || s.p[n - 1] == '\n'))
		n--;
	/* Normalised, so what was held back is CRLFs, the last perhaps half. */
	if (n > 0) {
		for (uint64_t i = 0; i < d->held; i++)
			EVP_DigestUpdate(d->ctx, i % 2 == 0 ? "\r" : "\n", 1);
		d->held = 0;
	}
	EVP_DigestUpdate(d->ctx, s.p, n);
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
digest_add_header(struct digest *d, const struct header_scan *h,
    uint64_t before, struct span piece)
{
	uint64_t n = piece.n;

	if (h->body)
		n = h->header_bytes > before ? h->header_bytes - before : 0;
	digest_add(d, span_make(piece.p, (size_t)n));
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
	uint64_t before = f->scan.bytes;

	header_feed(&f->scan, piece);
	digest_add_header(&f->digest, &f->scan, before, piece);
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
