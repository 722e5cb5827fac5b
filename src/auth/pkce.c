/* SPDX-License-Identifier: ISC */
#include "auth/pkce.h"

#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/secret.h"

#define BITS_SIZE 32 /* bytes: of a SHA-256, too */

/* RFC 4648 section 5, without padding. */
static void
to_base64url(const unsigned char bits[BITS_SIZE], char dst[PKCE_SIZE])
{
	unsigned char plain[PKCE_SIZE + 1]; /* with one "=" and NUL */

	EVP_EncodeBlock(plain, bits, BITS_SIZE);
	for (size_t i = 0; i < PKCE_SIZE - 1; i++) {
		char c = (char)plain[i];

		dst[i] = c == '+' ? '-' : c == '/' ? '_' : c;
	}
	dst[PKCE_SIZE - 1] = '\0';
	secret_wipe(plain, sizeof(plain));
}

void
pkce_random(char word_r[PKCE_SIZE])
{
	unsigned char bits[BITS_SIZE];

	if (RAND_bytes(bits, BITS_SIZE) != 1)
		abort();
	to_base64url(bits, word_r);
	secret_wipe(bits, sizeof(bits));
}

void
pkce_challenge(struct span verifier, char challenge_r[PKCE_SIZE])
{
	unsigned char bits[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(verifier.p, verifier.n, bits, &n, EVP_sha256(), NULL) !=
		1 ||
	    n != BITS_SIZE)
		abort();
	to_base64url(bits, challenge_r);
}
